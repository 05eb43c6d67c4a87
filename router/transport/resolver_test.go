package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sipd/router/transport/dnstest"

	"github.com/miekg/dns"
)

var testZone = map[string][]string{
	"a.example. A":                   {"192.0.2.1"},
	"both.example. A":                {"192.0.2.2", "192.0.2.3"},
	"both.example. AAAA":             {"2001:db8::2"},
	"six.example. AAAA":              {"2001:db8::6"},
	"_sip._udp.srv.example. SRV":     {"20 0 5070 both.example.", "10 1 5061 a.example.", "10 9 5062 a.example."},
	"_sip._tcp.srv.example. SRV":     {"10 0 5080 a.example."},
	"_sip._tcp.tcponly.example. SRV": {"10 0 5090 a.example."},
	"tcponly.example. A":             {"192.0.2.9"},
	"_sip._udp.none.example. SRV":    {"0 0 0 ."},
	"none.example. A":                {"192.0.2.4"},
	"naptr.example. NAPTR": {
		`10 10 "s" "SIP+D2T" "" _sip._tcp.srv.example.`, `20 10 "s" "SIP+D2U" "" _sip._udp.srv.example.`,
		`5 10 "s" "SIPS+D2T" "" _sips._tcp.srv.example.`, `5 1 "u" "E2U+sip" "!.*!sip:x!" .`,
	},
	"_sip._udp.fails.example. SRV": {dnstest.ServerFailure},
}

func resolverRig(t testing.TB, z *dnstest.Zone, timeout time.Duration, set map[string]int) (*Manager, *vars) {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("192.0.2.50 Box box.local # a comment\n2001:db8::50 box\nnonsense here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := newVars(t, set)
	o := v.options(nil)
	o.Resolver = NewResolver(ResolverOptions{Servers: []string{z.Addr}, Hosts: hosts, ResolvConf: filepath.Join(t.TempDir(), "none"), Timeout: timeout})
	m := NewManager(o)
	t.Cleanup(func() { _ = m.Close() })
	return m, v
}

func TestResolve(t *testing.T) {
	for _, tt := range []struct {
		name   string
		set    map[string]int
		listen []string
		host   string
		port   uint16
		p      Proto
		sips   bool
		want   string
	}{
		{name: "literal", host: "192.0.2.7", want: "udp 192.0.2.7:5060"},
		{name: "IPv6 literal", host: "[2001:db8::7]", sips: true, want: "tls [2001:db8::7]:5061"},
		{name: "port", host: "a.example", port: 5099, want: "udp 192.0.2.1:5099"},
		{name: "no SRV", host: "A.Example.", want: "udp 192.0.2.1:5060"},
		{name: "several, no IPv6 beside IPv4", host: "both.example", p: TCP, want: "tcp 192.0.2.2:5060, tcp 192.0.2.3:5060"},
		{name: "IPv6 alone", host: "six.example", want: "udp [2001:db8::6]:5060"},
		{name: "IPv6 preferred", set: map[string]int{"core.dns_cache_flags": 4}, host: "both.example", want: "udp [2001:db8::2]:5060"},
		{name: "IPv4 only", set: map[string]int{"core.dns_cache_flags": 1}, host: "six.example", want: "-"},
		{name: "no AAAA", set: map[string]int{"core.dns_try_ipv6": 0}, host: "six.example", want: "-"},
		{name: "only an IPv4 socket", listen: []string{"udp"}, host: "six.example", want: "-"},
		{name: "SRV", listen: []string{"udp", "tcp"}, host: "srv.example", want: "udp 192.0.2.1:5062, udp 192.0.2.1:5061, udp 192.0.2.2:5070, udp 192.0.2.3:5070"},
		{name: "SRV of a protocol", host: "srv.example", p: TCP, want: "tcp 192.0.2.1:5080"},
		{name: "SRV not with a port", host: "srv.example", port: 5060, want: "-"},
		{name: "SRV by preference", listen: []string{"udp", "tcp"}, set: map[string]int{"core.dns_tcp_pref": 50}, host: "srv.example", want: "tcp 192.0.2.1:5080"},
		{name: "SRV of the second protocol", listen: []string{"udp", "tcp"}, host: "tcponly.example", want: "tcp 192.0.2.1:5090"},
		{name: "SRV of a protocol not served", listen: []string{"udp"}, host: "tcponly.example", want: "udp 192.0.2.9:5060"},
		{name: "no service", listen: []string{"udp"}, host: "none.example", want: "udp 192.0.2.4:5060"},
		{name: "NAPTR off", listen: []string{"udp", "tcp"}, host: "naptr.example", want: "-"},
		{
			name: "NAPTR, own preference", listen: []string{"udp", "tcp"}, set: map[string]int{"core.dns_try_naptr": 1}, host: "naptr.example",
			want: "udp 192.0.2.1:5062, udp 192.0.2.1:5061, udp 192.0.2.2:5070, udp 192.0.2.3:5070, tcp 192.0.2.1:5080",
		},
		{
			name: "NAPTR, the zone's order", listen: []string{"udp", "tcp"}, set: map[string]int{"core.dns_try_naptr": 1, "core.dns_naptr_ignore_rfc": 0}, host: "naptr.example",
			want: "tcp 192.0.2.1:5080, udp 192.0.2.1:5062, udp 192.0.2.1:5061, udp 192.0.2.2:5070, udp 192.0.2.3:5070",
		},
		{name: "hosts file", listen: []string{"udp"}, host: "BOX", want: "udp 192.0.2.50:5060"},
		{name: "unknown", host: "nobody.example", want: "-"},
		{name: "no name", host: "a..b", want: "-"},
		{name: "empty", host: "", want: "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := resolverRig(t, dnstest.Start(t, testZone), patience, tt.set)
			for _, l := range tt.listen {
				p, _ := ParseProto(l)
				listen(t, m, p, "127.0.0.1:0")
			}
			ds, err := m.Resolve(context.Background(), tt.host, tt.port, tt.p, tt.sips)
			var list []string
			for _, d := range ds {
				list = append(list, d.Proto.String()+" "+d.Addr.String())
			}
			got := strings.Join(list, ", ")
			if err != nil {
				got = "-"
				if _, ok := errors.AsType[*ResolveError](err); !ok {
					t.Errorf("the error is %T", err)
				}
			}
			if got != tt.want {
				t.Errorf("Resolve = %s (%v), want %s", got, err, tt.want)
			}
			if one, oerr := m.ResolveOne(context.Background(), tt.host, tt.port, tt.p, tt.sips); (oerr == nil) != (err == nil) || err == nil && one != ds[0] {
				t.Errorf("ResolveOne = %v, %v", one, oerr)
			}
		})
	}
}

func TestResolveCache(t *testing.T) {
	z := dnstest.Start(t, testZone)
	m, v := resolverRig(t, z, patience, nil)
	ask := func(host string) {
		_, _ = m.Resolve(context.Background(), host, 5060, UDP, false)
	}
	var wg sync.WaitGroup
	for range 20 { // also at once
		wg.Go(func() { ask("a.example") })
		wg.Go(func() { ask("nobody.example") })
	}
	wg.Wait()
	for _, key := range []string{"a.example. A", "nobody.example. A", "nobody.example. AAAA"} {
		if n := z.Asked(key); n != 1 {
			t.Errorf("%s was asked %d times, want once", key, n)
		}
	}
	m.opt.Resolver.Forget()
	v.set(t, "core.dns_cache_negative_ttl", 0)
	ask("nobody.example")
	ask("nobody.example")
	if n := z.Asked("nobody.example. A"); n != 3 {
		t.Errorf("without negative caching it was asked %d times, want 3", n)
	}
	v.set(t, "core.dns_cache_max_ttl", 0)
	m.opt.Resolver.Forget()
	ask("a.example")
	ask("a.example")
	if n := z.Asked("a.example. A"); n != 3 {
		t.Errorf("with dns_cache_max_ttl 0 it was asked %d times, want 3", n)
	}
	v.set(t, "core.dns_cache_max_ttl", -1)
	v.set(t, "core.dns_cache_mem", 0)
	for i := range 100 {
		ask(fmt.Sprintf("host%d.example", i))
	}
	if n := len(m.opt.Resolver.cache.answers); n > 16 {
		t.Errorf("the cache holds %d answers, more than its bound", n)
	}
}

// A server that does not answer costs a bounded time, once.
func TestResolveTimeout(t *testing.T) {
	z := dnstest.Start(t, testZone)
	z.Silence("mute.example.")
	m, _ := resolverRig(t, z, 200*time.Millisecond, map[string]int{"core.dns_retr_no": 0})
	ask := func() {
		t.Helper()
		if _, err := m.Resolve(context.Background(), "mute.example", 5060, UDP, false); err == nil || errors.Is(err, ErrNoRecords) {
			t.Errorf("Resolve = %v, want a timeout", err)
		}
	}
	ask()
	n := z.Asked("mute.example. A")
	ask()
	if n != 1 || z.Asked("mute.example. A") != 1 {
		t.Errorf("asked %d times, then %d", n, z.Asked("mute.example. A"))
	}
	m, _ = resolverRig(t, z, patience, nil)
	if _, err := m.Resolve(context.Background(), "fails.example", 0, UDP, false); err == nil || !strings.Contains(err.Error(), "SERVFAIL") {
		t.Errorf("Resolve = %v, want SERVFAIL told", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Resolve(ctx, "other.example", 5060, UDP, false); err == nil {
		t.Error("Resolve with an ended context answered")
	}
}

func TestSortSRV(t *testing.T) {
	list := func() []*dns.SRV {
		return []*dns.SRV{
			{Priority: 2, Weight: 5, Port: 1}, {Priority: 1, Weight: 0, Port: 2}, {Priority: 1, Weight: 30, Port: 3}, {Priority: 1, Weight: 10, Port: 4},
		}
	}
	ports := func(l []*dns.SRV) (out []uint16) {
		for _, s := range l {
			out = append(out, s.Port)
		}
		return out
	}
	l := list()
	sortSRV(l, false, nil)
	if got := ports(l); !slices.Equal(got, []uint16{3, 4, 2, 1}) {
		t.Errorf("by weight: %v, want 3 4 2 1", got)
	}
	l = list()
	sortSRV(l, true, func(n int) int { return n - 1 })
	if got := ports(l); !slices.Equal(got, []uint16{4, 3, 2, 1}) && got[3] != 1 {
		t.Errorf("balanced: %v, want priority 1 first", got)
	}
	first := make(map[uint16]int)
	for i := range 41 {
		l = list()
		sortSRV(l, true, func(n int) int { return i % n })
		first[l[0].Port]++
	}
	if first[3] < first[4] || first[4] == 0 {
		t.Errorf("how often each came first: %v, want by weight", first)
	}
}

func TestResolveLiteralAllocs(t *testing.T) {
	m := NewManager(Options{})
	defer m.Close()
	for _, host := range []string{"192.0.2.1", "[2001:db8::1]"} {
		if n := testing.AllocsPerRun(100, func() {
			if d, err := m.ResolveOne(context.Background(), host, 0, ProtoNone, false); err != nil || d.Addr == (netip.AddrPort{}) {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("ResolveOne(%s) allocates %v times", host, n)
		}
	}
}
