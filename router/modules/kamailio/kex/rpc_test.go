package kex

import (
	"os"
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func show(r *moduletest.Rig, method string, args ...rpc.Value) string {
	vals, err := r.RPCCall(method, args...)
	if err != nil {
		f := rpc.AsFault(err)
		vals = []rpc.Value{rpc.Int(f.Code), rpc.String(f.Text)}
	}
	return rpctest.Show(vals)
}

// TestMemoryAsRecorded: one process is one entry, and what is private to a
// process is nothing.
func TestMemoryAsRecorded(t *testing.T) {
	r := moduletest.New(t, New())
	for _, file := range []string{"mod.mem_stats.txt", "pkg.info.txt"} {
		for _, rec := range rpctest.Calls(t, file) {
			got, want := show(r, rec.Method, rec.Args...), rec.Decoded
			if file == "pkg.info.txt" {
				got, want = rpctest.Shape(got), rpctest.Shape(want)
			}
			if got != want {
				t.Errorf("%s answers\n%s\nwant\n%s", rec.Title, got, want)
			}
		}
	}
	rec := rpctest.Calls(t, "pkg.stats.txt")[1]
	got := show(r, "pkg.stats", rpc.String("index"), rpc.Int(0))
	if rpctest.Shape(got) != rpctest.Shape(rec.Decoded) {
		t.Errorf("pkg.stats index 0 answers\n%s\nwant the members of\n%s", got, rec.Decoded)
	}
}

// TestMemoryFaults has the texts of a real Kamailio.
func TestMemoryFaults(t *testing.T) {
	r := moduletest.New(t, New())
	s := func(v string) rpc.Value { return rpc.String(v) }
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   string
	}{
		{"mod.stats", nil, `Module name or "all" needed`},
		{"mod.mem_stats", []rpc.Value{s("all")}, `"pkg" or "shm" or "all" needed`},
		{"mod.mem_statsx", nil, `Module name or "all" needed`},
		{"pkg.stats", []rpc.Value{s("bad"), rpc.Int(1)}, "Invalid filter type"},
		{"pkg.stats", []rpc.Value{s("index")}, "One more parameter expected"},
		{"pkg.stats", []rpc.Value{s("pid"), rpc.Int(-1)}, "No such pid"},
	} {
		if got := show(r, tt.method, tt.args...); got != "int 500\nstr "+quoted(tt.want) {
			t.Errorf("%s %v answers %s, want fault 500 %s", tt.method, tt.args, got, tt.want)
		}
	}
	if got := show(r, "mod.stats", s("tm"), s("bad")); got != "str 'Module: tm'\nstr ''" {
		t.Errorf("an unknown kind of memory: %s", got)
	}
	if got := show(r, "pkg.stats", s("pid"), rpc.Int(os.Getpid())); strings.Count(got, "avp 'entry'") != 1 {
		t.Errorf("our own pid: %s", got)
	}
}

func quoted(s string) string { return "'" + s + "'" }

// TestPlaces allocates much in one place and finds it again.
func TestPlaces(t *testing.T) {
	r := moduletest.New(t, New())
	keep := hold()
	got := show(r, "mod.mem_statsx", rpc.String("kex"), rpc.String("shm"))
	if !strings.Contains(got, "avp 'hold(") || !strings.Contains(got, "avp 'Total'\n") {
		t.Errorf("mod.mem_statsx kex shm answers\n%s\nwant a place in hold", got)
	}
	if len(keep) == 0 {
		t.Error("nothing held")
	}
}

// hold allocates enough to be in the samples for sure.
func hold() [][]byte {
	var all [][]byte
	for range 64 {
		all = append(all, make([]byte, 1<<20))
	}
	return all
}
