package corex

import (
	"testing"

	"sipd/router/module/moduletest"
	"sipd/router/transport"
)

func TestSourceAddress(t *testing.T) {
	r := moduletest.New(t, New())
	c := r.Message(moduletest.Invite)
	if got := r.Call("set_source_address", "udp:192.0.2.7:5090"); got != 1 || c.Recv.Src.String() != "192.0.2.7:5090" {
		t.Errorf("set_source_address answers %d, the source is %s", got, c.Recv.Src)
	}
	if got := r.Call("set_source_address", "[2001:db8::1]:5091"); got != 1 || c.Recv.Src.String() != "[2001:db8::1]:5091" {
		t.Errorf("IPv6: set_source_address answers %d, the source is %s", got, c.Recv.Src)
	}
	if got := r.Call("set_source_address", "192.0.2.8"); got != 1 || c.Recv.Src.String() != "192.0.2.8:5060" {
		t.Errorf("without a port: set_source_address answers %d, the source is %s", got, c.Recv.Src)
	}
	if _, err := r.Compile("set_source_address", "192.0.2.7:port"); err == nil {
		t.Error("a port that is no number is taken")
	}
}

func TestSubdomains(t *testing.T) {
	x := New().(*corex)
	for _, text := range []string{"example.com", "tls:sip.example.org:5061"} {
		if err := x.addSubdomains(text); err != nil {
			t.Fatalf("alias_subdomains %q: %v", text, err)
		}
	}
	if err := x.addSubdomains("tcp:"); err == nil {
		t.Error("alias_subdomains without a host is taken")
	}
	for _, tt := range []struct {
		host  string
		port  uint16
		proto transport.Proto
		want  bool
	}{
		{"example.com", 0, 0, true},
		{"a.b.EXAMPLE.com", 5090, transport.TCP, true},
		{"badexample.com", 0, 0, false},
		{"com", 0, 0, false},
		{"x.sip.example.org", 5061, transport.TLS, true},
		{"x.sip.example.org", 0, 0, true},
		{"x.sip.example.org", 5060, transport.TLS, false},
		{"x.sip.example.org", 5061, transport.UDP, false},
	} {
		if got := x.isSubdomain(tt.host, tt.port, tt.proto); got != tt.want {
			t.Errorf("%s:%d over %v is myself: %v, want %v", tt.host, tt.port, tt.proto, got, tt.want)
		}
	}
}
