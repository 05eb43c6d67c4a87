package pike

import (
	"net/netip"
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func TestTree(t *testing.T) {
	tr := tree{max: 8, timeout: 10}
	a, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	flood := func(a netip.Addr, now int64) int {
		for i := 1; i < 1000; i++ {
			if tr.mark(a, now) != fine {
				return i
			}
		}
		return 0
	}
	if n := flood(a, 0); n < 8 || n > 24 {
		t.Errorf("IPv4 blocked at %d, want 8 to 24", n)
	}
	if n := flood(six, 0); n < 8 || n > 64 {
		t.Errorf("IPv6 blocked at %d, want 8 to 64", n)
	}
	if v := tr.mark(a, 0); v != blocked {
		t.Errorf("again: %d", v)
	}
	var freed []string
	next := func(now int64) { tr.next(now, func(a netip.Addr) { freed = append(freed, a.String()) }) }
	next(2)
	if freed != nil {
		t.Errorf("freed %v after a hot unit", freed)
	}
	next(4)
	if got := strings.Join(freed, " "); got != "2001:db8::1 192.0.2.1" && got != "192.0.2.1 2001:db8::1" {
		t.Errorf("freed %q", got)
	}
	if n := flood(a, 4); n != 8 {
		t.Errorf("known address blocked at %d, want 8", n)
	}
	n := 0
	tr.each(func(netip.Addr, *node) { n++ })
	if n != 2 {
		t.Errorf("%d addresses, want 2", n)
	}
	for now := int64(20); now < 500; now += 20 {
		next(now)
	}
	for i := range tr.branches {
		if tr.branches[i].root != nil {
			t.Errorf("branch %d is still there", i)
		}
	}
}

func TestTop(t *testing.T) {
	r := moduletest.New(t, New()).Param("pike", "reqs_density_per_unit", 1000)
	r.Message(moduletest.Invite)
	got, err := r.RPCCall("pike.top", rpc.String("ALL"))
	if want := "struct {\n  avp 'max_hits'\n  int 1000\n  avp 'list'\n  struct {\n  struct }\n  avp 'number_of_rows'\n  int 0\nstruct }"; err != nil || strings.TrimSpace(rpctest.Show(got)) != want {
		t.Errorf("%v\n%s", err, rpctest.Show(got))
	}
	r = moduletest.New(t, New()).Param("pike", "reqs_density_per_unit", 4)
	r.Message(moduletest.Invite)
	for range 20 {
		r.Call("pike_check_ip", "192.0.2.9")
	}
	if rc := r.Call("pike_check_ip", "nonsense"); rc != -1 {
		t.Errorf("no address: %d", rc)
	}
	if rc := r.Call("pike_check_req"); rc != 1 {
		t.Errorf("the source of the message: %d", rc)
	}
	got, err = r.RPCCall("pike.list")
	if s := rpctest.Show(got); err != nil || !strings.Contains(s, "str '192.0.2.9'") || !strings.Contains(s, "str 'HOT'") || !strings.Contains(s, "avp 'number_of_rows'\n  int 1\n") {
		t.Errorf("%v\n%s", err, s)
	}
	if _, err := r.RPCCall("pike.top", rpc.String("x")); err == nil || !strings.Contains(err.Error(), "Select: ALL, HOT or WARM") {
		t.Error(err)
	}
	if n := strings.Count(r.Log(), "BLOCKing"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

func BenchmarkMark(b *testing.B) {
	tr := tree{max: 1 << 20, timeout: 10}
	a := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		tr.mark(a, 0)
	}
}
