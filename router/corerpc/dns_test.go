package corerpc

import (
	"strings"
	"testing"

	"sipd/rpc"
)

// TestNameCache enters records as a real Kamailio took them, and compares what
// it said of them.
func TestNameCache(t *testing.T) {
	c, _ := start(t, newFake(t))
	s := func(v string) rpc.Value { return rpc.String(v) }
	n := func(v int) rpc.Value { return rpc.Int(v) }
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   string // in the answer
	}{
		{"dns.add_srv", []rpc.Value{s("_sip._udp.x.test"), n(300), n(10), n(20), n(5060), s("host.x.test"), n(0)}, ""},
		{"dns.add_a", []rpc.Value{s("A.x.test"), n(300), s("192.0.2.1"), n(1)}, ""},
		{"dns.add_aaaa", []rpc.Value{s("a.x.test"), n(300), s("2001:db8::1"), n(2)}, ""},
		{"dns.add_a", []rpc.Value{s("bad"), n(300), s("x"), n(0)}, "str 'Failed to add the entry to the cache'"},
		{"dns.add_a", []rpc.Value{s("bad"), n(300), s("2001:db8::1"), n(0)}, "str 'Failed to add the entry to the cache'"},
		{"dns.add_a", []rpc.Value{s(strings.Repeat("x", 64) + ".test"), n(300), s("192.0.2.1"), n(0)}, "str 'Failed to add the entry to the cache'"},
		{"dns.add_srv", []rpc.Value{s("_x"), n(300), n(10), n(20), n(70000), s("h"), n(0)}, "str 'Failed to add the entry to the cache'"},
		{"dns.add_a", []rpc.Value{s("bad")}, "str 'error at parameter 1: expected integer type but end of packet encountered'"},
		{"dns.debug", nil, "str 'a.x.test'\nint 1\nint 512\nint 1\nint 300\nint 0\nint 1\nstr 'a.x.test'\nint 28\nint 512\nint 1\nint 0\nint 0\nint 2"},
		{"dns.debug_all", nil, "str 'ip'\nstr '2001:db8::1'"},
		{"dns.debug_all", nil, "str 'srv'\nstr 'host.x.test'"},
		{"dns.lookup", []rpc.Value{s("A"), s("a.x.test")}, "str 'Not found'"},
		{"dns.lookup", []rpc.Value{s("BAD"), s("a.x.test")}, "str 'Invalid type'"},
		{"dns.lookup", []rpc.Value{s("srv"), s("_sip._udp.x.test")}, "avp 'rr_name'\n      str 'host.x.test'\n      avp 'rr_port'\n      int 5060\n" +
			"      avp 'rr_priority'\n      int 10\n      avp 'rr_weight'\n      int 20\n      avp 'rr_permanent'\n      str 'no'"},
		{"dns.delete_srv", []rpc.Value{s("_sip._udp.x.test")}, ""},
		{"dns.delete_srv", []rpc.Value{s("_sip._udp.x.test")}, "str 'Not found'"},
		{"dns.delete_ebl", []rpc.Value{s("a.x.test")}, "str 'Not found'"},
		{"dns.delete_all", nil, "str 'ok'"},
		{"dns.view", nil, "str '2001:db8::1'"}, // never expires
		{"dns.delete_all_force", nil, "str 'ok'"},
		{"dns.mem_info", nil, "int 0\nint 512000"},
	} {
		got := call(t, c, tt.method, tt.args...)
		if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s %v answers\n%s\nwant in it\n%s", tt.method, tt.args, got, tt.want)
		}
	}
	if got := call(t, c, "dns.view"); got != "" {
		t.Errorf("after dns.delete_all_force: %s", got)
	}
	if got := call(t, c, "dns.lookup", s("A"), s("nobody-answers.test")); !strings.HasPrefix(got, "int 400\nstr 'Not found: ") {
		t.Errorf("a look-up that nobody answers: %s", got)
	}
}
