package router

import (
	"net/netip"
	"strings"
	"testing"

	"sipd/router/transport"
)

func TestAliasesMatch(t *testing.T) {
	var a aliases
	a.addSocket(transport.NewSocket(transport.UDP, netip.MustParseAddrPort("127.0.0.1:17060")))
	a.addSocket(transport.NewSocket(transport.UDP, netip.MustParseAddrPort("[2001:db8::1]:5060")))
	a.add("Example.COM", 0, transport.ProtoNone)
	a.add("tls.example.com", 5061, transport.TLS)
	for _, tt := range []struct {
		host string
		port uint16
		p    transport.Proto
		want bool
	}{
		{"127.0.0.1", 17060, transport.UDP, true},
		{"127.0.0.1", 17060, transport.TCP, true}, // a socket matches in any protocol
		{"127.0.0.1", 0, transport.ProtoNone, false},
		{"[2001:DB8::1]", 0, transport.UDP, true},
		{"2001:db8:0::1", 5060, transport.UDP, true},
		{"example.com", 9999, transport.UDP, true},
		{"EXAMPLE.com", 0, transport.UDP, true},
		{"example.org", 0, transport.UDP, false},
		{"tls.example.com", 0, transport.TLS, true},
		{"tls.example.com", 0, transport.UDP, false},
		{"tls.example.com", 5061, transport.UDP, false},
	} {
		if got := a.match(tt.host, tt.port, tt.p); got != tt.want {
			t.Errorf("match(%q, %d, %v) = %v, want %v", tt.host, tt.port, tt.p, got, tt.want)
		}
	}
}

func TestExpandListen(t *testing.T) {
	specs := []listenSpec{
		{Proto: transport.UDP, Host: "127.0.0.1", Port: 5070},
		{Host: "127.0.0.1"},
		{Proto: transport.UDP, Host: "127.0.0.1", Port: 5070},
		{Proto: transport.TCP, Host: "[::1]", Port: 5080},
	}
	eps, err := expandListen(t.Context(), specs, listening{port: 5062, tcp: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range eps {
		got = append(got, e.proto.String()+":"+e.addr.String())
	}
	want := []string{"udp:127.0.0.1:5070", "udp:127.0.0.1:5062", "tcp:127.0.0.1:5062", "tcp:[::1]:5080"}
	if len(got) != len(want) {
		t.Fatalf("endpoints are %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("endpoint %d is %s, want %s", i, got[i], want[i])
		}
	}
}

func TestExpandListenTLS(t *testing.T) {
	specs := []listenSpec{
		{Host: "127.0.0.1"},
		{Host: "127.0.0.1", Port: 5080},
		{Proto: transport.TLS, Host: "127.0.0.1"},
		{Proto: transport.TLS, Host: "127.0.0.1", Port: 5099},
	}
	for _, tt := range []struct {
		on   listening
		want string
	}{
		{listening{tls: true, tlsPort: 5071}, "udp:127.0.0.1:5060 tls:127.0.0.1:5071 udp:127.0.0.1:5080 tls:127.0.0.1:5081 tls:127.0.0.1:5099"},
		{listening{tls: true}, "udp:127.0.0.1:5060 tls:127.0.0.1:5061 udp:127.0.0.1:5080 tls:127.0.0.1:5081 tls:127.0.0.1:5099"},
		{listening{}, "udp:127.0.0.1:5060 udp:127.0.0.1:5080"},
	} {
		eps, err := expandListen(t.Context(), specs, tt.on)
		var got []string
		for _, e := range eps {
			got = append(got, e.proto.String()+":"+e.addr.String())
		}
		if s := strings.Join(got, " "); err != nil || s != tt.want {
			t.Errorf("with %+v: %s, %v; want %s", tt.on, s, err, tt.want)
		}
	}
}

func TestExpandListenErrors(t *testing.T) {
	for _, s := range []listenSpec{
		{Proto: transport.UDP, Host: "no such host", Place: "x.cfg:3:8"},
		{Proto: transport.TCP, Host: "127.0.0.1", Place: "x.cfg:4:8"},
	} {
		if eps, err := expandListen(t.Context(), []listenSpec{s}, listening{}); err == nil {
			t.Errorf("expandListen(%+v) = %v, want an error", s, eps)
		}
	}
}
