package stat

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRegistryOrder(t *testing.T) {
	r := NewRegistry()
	var a, b Counter
	if err := r.Declare("tm", Def{Name: "b", Source: &b}, Def{Name: "a", Source: &a}); err != nil {
		t.Fatal(err)
	}
	if err := r.Declare("core", Def{Name: "x", Source: Func(func() int64 { return 9 })}); err != nil {
		t.Fatal(err)
	}
	if err := r.Declare("tm", Def{Name: "Z", Source: new(Counter)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range r.All() {
		got = append(got, e.Group+":"+e.Name)
	}
	if want := []string{"core:x", "tm:Z", "tm:a", "tm:b"}; !slices.Equal(got, want) {
		t.Errorf("All = %v, want %v", got, want)
	}
	if err := r.Declare("tm", Def{Name: "n", Source: &a}, Def{Name: "a", Source: &a}); !errors.Is(err, ErrTaken) {
		t.Errorf("a taken name = %v, want ErrTaken", err)
	}
	if _, ok := r.Lookup("tm", "n"); ok {
		t.Error("a refused Declare left a statistic behind")
	}
	if e, ok := r.Find("x"); !ok || e.Group != "core" || e.Source.Value() != 9 {
		t.Errorf("Find(x) = %+v, %v", e, ok)
	}
}

func TestReset(t *testing.T) {
	var c, kept Counter
	c.Add(5)
	kept.Add(5)
	for _, tt := range []struct {
		def  Def
		want int64
		did  bool
	}{
		{Def{Source: &c}, 0, true},
		{Def{Source: &kept, Keep: true}, 5, false},
		{Def{Source: Func(func() int64 { return 3 })}, 3, false},
	} {
		e := Entry{"g", tt.def}
		if did := e.Reset(); did != tt.did || e.Source.Value() != tt.want {
			t.Errorf("Reset of %+v = %v, value %d; want %v, %d", tt.def, did, e.Source.Value(), tt.did, tt.want)
		}
	}
}

func TestCoreCounts(t *testing.T) {
	var c Core
	r := NewRegistry()
	if err := c.Declare(r); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"INVITE", "ACK", "REGISTER", "FOO"} {
		c.Request(m)
	}
	for _, rp := range []struct {
		code   int
		method string
	}{{180, "INVITE"}, {486, "INVITE"}, {200, "REGISTER"}, {200, "OPTIONS"}, {99, "INVITE"}, {700, "INVITE"}} {
		c.Reply(rp.code, rp.method)
	}
	for name, want := range map[string]int64{
		"rcv_requests": 4, "rcv_requests_invite": 1, "unsupported_methods": 1, "rcv_replies": 4,
		"rcv_replies_18x": 1, "rcv_replies_1xx": 1, "rcv_replies_1xx_invite": 1, "rcv_replies_486": 1,
		"rcv_replies_4xx_invite": 1, "rcv_replies_2xx": 2, "rcv_replies_2xx_reg": 1,
	} {
		e, ok := r.Lookup("core", name)
		if !ok || e.Source.Value() != want {
			t.Errorf("core:%s is there %v, wanted value %d", name, ok, want)
		}
	}
}

// TestCoreNames compares the names with those a real Kamailio gives.
func TestCoreNames(t *testing.T) {
	dir := os.Getenv("SIPD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	data, err := os.ReadFile(filepath.Join(dir, "golden", "cnt.var_list.txt"))
	if err != nil {
		t.Skip("the recorded answers are not here: ", err)
	}
	_, out, _ := strings.Cut(string(data), "== kamcmd stdout\n")
	out, _, _ = strings.Cut(out, "\n== ")
	want := strings.Split(strings.TrimSpace(out), "\n")
	r := NewRegistry()
	if err := new(Core).Declare(r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range r.All() {
		got = append(got, e.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("group core has\n%v\nKamailio has\n%v", got, want)
	}
}

func TestMemory(t *testing.T) {
	var m MemoryReader
	r := NewRegistry()
	if err := DeclareMemory(r, m.Read); err != nil {
		t.Fatal(err)
	}
	got := m.Read()
	if got.Used <= 0 || got.RealUsed < got.Used || got.Total < got.RealUsed || got.MaxUsed < got.RealUsed || got.Free < 0 {
		t.Errorf("figures do not fit each other: %+v", got)
	}
	if e, ok := r.Lookup("shmem", "used_size"); !ok || e.Source.Value() <= 0 {
		t.Error("shmem:used_size is missing or not positive")
	}
}

func BenchmarkRequest(b *testing.B) {
	var c Core
	b.ReportAllocs()
	for b.Loop() {
		c.Request("REGISTER")
	}
}

// BenchmarkCounters shows what the padding is for: two neighbours counted by
// two cores.
func BenchmarkCounters(b *testing.B) {
	var c [2]Counter
	b.ReportAllocs()
	var next Counter
	b.RunParallel(func(pb *testing.PB) {
		next.Inc()
		own := &c[next.Value()%2]
		for pb.Next() {
			own.Inc()
		}
	})
}
