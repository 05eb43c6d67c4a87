package cfgutils

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sipd/router/module"
	"sipd/router/module/moduletest"
	"sipd/router/run"
	"sipd/rpc"
)

// rig is a started module with a message.
func rig(t *testing.T, params map[string]any) (*moduletest.Rig, *cfgutils) {
	t.Helper()
	m := New()
	r := moduletest.New(t, m)
	for k, v := range params {
		r.Param("cfgutils", k, v)
	}
	r.Message(moduletest.Invite)
	return r, m.(*cfgutils)
}

// answer is the only value that a method answers, or its fault.
func answer(t *testing.T, r *moduletest.Rig, method string, args ...rpc.Value) string {
	t.Helper()
	v, err := r.RPCCall(method, args...)
	if err != nil {
		return "fault " + err.Error()
	}
	if len(v) == 0 {
		return ""
	}
	s, ok := v[0].(rpc.String)
	if !ok || len(v) != 1 {
		t.Errorf("%s answers %v, want one string", method, v)
	}
	return string(s)
}

func TestProbabilityRPC(t *testing.T) {
	r, u := rig(t, map[string]any{"initial_probability": 33})
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   string
	}{
		{"rand_get_prob", nil, "actual probability: 33 percent"},
		{"rand_set_prob", []rpc.Value{rpc.Int(100)}, ""},
		{"rand_get_prob", nil, "actual probability: 100 percent"},
		{"rand_set_prob", []rpc.Value{rpc.Int(101)}, "fault 500 Invalid Percent"},
		{"rand_set_prob", []rpc.Value{rpc.Int(-1)}, "fault 500 Invalid Percent"},
		{"rand_set_prob", nil, "fault 500 Invalid Parameters"},
		{"rand_get_prob", nil, "actual probability: 100 percent"},
		{"rand_reset_prob", nil, ""},
		{"rand_get_prob", nil, "actual probability: 33 percent"},
	} {
		if got := answer(t, r, "cfgutils."+tt.method, tt.args...); !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("%s %v: %q, want %q", tt.method, tt.args, got, tt.want)
		}
	}
	hits := 0
	for range 20000 {
		if u.event(nil) == 1 {
			hits++
		}
	}
	if hits < 6000 || hits > 7200 { // 33 %: over 9 standard deviations to each side
		t.Errorf("33 percent of 20000 came true %d times", hits)
	}
}

func TestRandomVaries(t *testing.T) {
	r, _ := rig(t, nil)
	seen := make(map[int]bool)
	for range 50 {
		v := r.Var("$RANDOM")
		if !v.IsInt() || v.Int() < 0 {
			t.Fatalf("$RANDOM is %q", v.Text())
		}
		seen[v.Int()] = true
	}
	if len(seen) < 45 {
		t.Errorf("50 times $RANDOM gave %d numbers", len(seen))
	}
}

func TestFlagsRPC(t *testing.T) {
	r, _ := rig(t, map[string]any{"initial_gflags": 5})
	if rc := r.Call("set_gflag", "31"); rc != 1 {
		t.Errorf("set_gflag: %d", rc)
	}
	for _, tt := range []struct {
		method string
		mask   rpc.Value
		want   string
	}{
		{"get_gflags", nil, "0x80000005 (2147483653)"},
		{"is_gflag", rpc.Int(5), "TRUE"},
		{"is_gflag", rpc.Int(7), "FALSE"},
		{"set_gflag", rpc.Int(6), ""},
		{"is_gflag", rpc.Int(7), "TRUE"},
		{"reset_gflag", rpc.Int(1), ""},
		{"get_gflags", nil, "0x80000006 (2147483654)"},
		{"is_gflag", nil, "fault 500 Invalid Parameters"},
		{"set_gflag", nil, "fault 500 Invalid Parameters"},
	} {
		var args []rpc.Value
		if tt.mask != nil {
			args = append(args, tt.mask)
		}
		if got := answer(t, r, "cfgutils."+tt.method, args...); !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("%s %v: %q, want %q", tt.method, tt.mask, got, tt.want)
		}
	}
	if rc := r.Call("is_gflag", "1"); rc != 1 {
		t.Errorf("is_gflag 1 after the mask 6: %d", rc)
	}
}

func TestRefused(t *testing.T) {
	r, _ := rig(t, nil)
	for _, tt := range []struct {
		name, arg, why string
	}{
		{"rand_set_prob", "101", "0 to 100"},
		{"rand_set_prob", "$RANDOM", "constant"},
		{"set_gflag", "32", "0 to 31"},
		{"is_gflag", "-1", "0 to 31"},
		{"reset_gflag", "$RANDOM", "constant"},
	} {
		_, err := r.Compile(tt.name, tt.arg)
		var ae *module.ArgError
		if !errors.As(err, &ae) || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s(%q): %v, want %q", tt.name, tt.arg, err, tt.why)
		}
	}
	if err := moduletest.New(t, New()).TryParam("cfgutils", "initial_probability", 101); err == nil {
		t.Error("initial_probability 101 passes")
	}
}

func TestHashFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.cfg")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("abc")
	r, _ := rig(t, map[string]any{"hash_file": path})
	const sum = "900150983cd24fb0d6963f7d28e17f72" // RFC 1321 A.5
	if got := answer(t, r, "cfgutils.get_config_hash"); got != sum {
		t.Errorf("sum %q, want %q", got, sum)
	}
	if got := answer(t, r, "cfgutils.check_config_hash"); got != "Identical hash" {
		t.Errorf("unchanged: %q", got)
	}
	write("abd")
	if got := answer(t, r, "cfgutils.check_config_hash"); got != "Different hash" {
		t.Errorf("changed: %q", got)
	}
	if got := answer(t, r, "cfgutils.get_config_hash"); got != sum {
		t.Errorf("the sum of the start is %q now", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, r, "cfgutils.check_config_hash"); !strings.Contains(got, "Failed to hash the file") {
		t.Errorf("removed: %q", got)
	}
}

func TestNoHashFile(t *testing.T) {
	r, _ := rig(t, nil)
	if got := answer(t, r, "cfgutils.check_config_hash"); !strings.Contains(got, "No hash file") {
		t.Errorf("without hash_file: %q", got)
	}
	if got := answer(t, r, "cfgutils.get_config_hash"); got != "" {
		t.Errorf("without hash_file the sum is %q", got)
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if err := moduletest.New(t, New()).Param("cfgutils", "hash_file", path).TryStart(); err == nil {
			t.Errorf("hash_file %s passes", path)
		}
	}
}

// TestLockWaits: a lock waits for the unlock of another message, but not for good.
func TestLockWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, u := rig(t, map[string]any{"lock_set_size": 4})
		if rc := r.Call("lock", "a"); rc != 1 {
			t.Fatalf("first lock: %d", rc)
		}
		go func() {
			time.Sleep(5 * time.Second)
			u.release(nil, u.locks.of("a"), "a")
		}()
		start := time.Now()
		if rc := r.Call("lock", "A"); rc != 1 || time.Since(start) != 5*time.Second {
			t.Errorf("lock, freed after 5 s: code %d after %v", rc, time.Since(start))
		}
		start = time.Now()
		if rc := r.Call("lock", "a"); rc != -1 || time.Since(start) != maxWait {
			t.Errorf("lock that nobody frees: code %d after %v", rc, time.Since(start))
		}
		if !strings.Contains(r.Log(), "no lock within 30 seconds") {
			t.Errorf("nothing said:\n%s", r.Log())
		}
		close(u.done)
		if rc := r.Call("lock", "a"); rc != -1 {
			t.Errorf("lock while the daemon ends: %d", rc)
		}
	})
}

func TestNoLocks(t *testing.T) {
	r, _ := rig(t, nil)
	for _, f := range []string{"lock", "trylock", "unlock"} {
		if rc := r.Call(f, "a"); rc != -1 {
			t.Errorf("%s without locks: %d", f, rc)
		}
	}
	if !strings.Contains(r.Log(), "lock_set_size") {
		t.Errorf("nothing said:\n%s", r.Log())
	}
}

func TestLockSetSize(t *testing.T) {
	for bits, want := range map[int]int{1: 2, 4: 16, 14: 1 << 14, 31: 1 << 14} {
		if got := len(newLockSet(bits)); got != want {
			t.Errorf("lock_set_size %d makes %d locks, want %d", bits, got, want)
		}
	}
}

func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, u := rig(t, nil)
		for _, tt := range []struct {
			name string
			n    int
			want time.Duration
		}{
			{"sleep", 3, 3 * time.Second},
			{"usleep", 1500, 1500 * time.Microsecond},
			{"sleep", -1, 0},
			{"sleep", 86400, maxWait},
		} {
			start := time.Now()
			if rc := r.Call(tt.name, tt.n); rc != 1 || time.Since(start) != tt.want {
				t.Errorf("%s(%d): code %d after %v, want %v", tt.name, tt.n, rc, time.Since(start), tt.want)
			}
		}
		close(u.done)
		start := time.Now()
		if r.Call("sleep", 10); time.Since(start) != 0 {
			t.Errorf("sleep while the daemon ends took %v", time.Since(start))
		}
	})
}

func TestRouteIfExists(t *testing.T) {
	r, _ := rig(t, nil)
	r.Block(run.RequestRoute, "FIVE", func(*run.Context) int { return 5 })
	r.Block(run.RequestRoute, "EXIT", func(c *run.Context) int { c.Exited = true; return 1 })
	for _, tt := range []struct {
		name string
		want int
	}{{"FIVE", 5}, {"NONE", -1}, {"", -1}, {"EXIT", 0}} {
		if rc := r.Call("route_if_exists", tt.name); rc != tt.want {
			t.Errorf("route_if_exists(%q): %d, want %d", tt.name, rc, tt.want)
		}
	}
}

func TestMemory(t *testing.T) {
	r, _ := rig(t, nil)
	for _, f := range []string{"shm_status", "shm_summary", "pkg_status", "pkg_summary"} {
		if rc := r.Call(f); rc != 1 {
			t.Errorf("%s: %d", f, rc)
		}
	}
	if log := r.Log(); !strings.Contains(log, "total=") || !strings.Contains(log, "no private memory") {
		t.Errorf("logged:\n%s", log)
	}
}

func TestAbort(t *testing.T) {
	r, _ := rig(t, nil)
	if rc := r.Call("abort"); rc != 0 || !strings.Contains(r.Log(), "abort() ends the script") {
		t.Errorf("abort: %d; log %s", rc, r.Log())
	}
}
