package cfg

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"sipd/rpc"
)

// sample is a store with one group of a module and one of the script.
type sample struct {
	*Store
	limit, fixed, once, hidden Int
	name                       Str
}

func newSample(t *testing.T) *sample {
	t.Helper()
	s := &sample{Store: NewStore()}
	s.limit = Int{Default: 70, Min: 0, Max: 255, Help: "most hops"}
	s.fixed = Int{Default: 1, Flags: ReadOnly}
	s.once = Int{Default: 5, Flags: Once}
	s.hidden = Int{Default: 6, Flags: Hidden}
	s.name = Str{Null: true}
	for _, d := range []struct {
		name string
		v    Var
	}{{"limit", &s.limit}, {"fixed", &s.fixed}, {"once", &s.once}, {"hidden", &s.hidden}, {"name", &s.name}} {
		if err := s.Declare("m", d.name, d.v); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *sample) set(t *testing.T, ref, name string, v rpc.Value) {
	t.Helper()
	if err := s.Set(mustRef(t, ref), name, v); err != nil {
		t.Fatalf("Set(%s, %s, %v) = %v", ref, name, v, err)
	}
}

func mustRef(t *testing.T, s string) Ref {
	t.Helper()
	r, err := ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseRef(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Ref
		bad  bool
	}{
		{in: "core", want: Ref{Group: "core"}},
		{in: "tm[0]", want: Ref{Group: "tm", Instance: true}},
		{in: "tm[4294967295]", want: Ref{Group: "tm", ID: 4294967295, Instance: true}},
		{in: "tm[4294967296]", bad: true},
		{in: "tm[-1]", bad: true},
		{in: "tm[x]", bad: true},
		{in: "tm[]", bad: true},
		{in: "tm[1", bad: true},
		{in: "tm[1]x", bad: true},
		{in: "[1]", bad: true},
	} {
		got, err := ParseRef(tt.in)
		if got != tt.want || errors.Is(err, ErrSyntax) != tt.bad {
			t.Errorf("ParseRef(%q) = %+v, %v; want %+v, bad=%v", tt.in, got, err, tt.want, tt.bad)
		}
		if !tt.bad && got.String() != tt.in {
			t.Errorf("ParseRef(%q).String() = %q", tt.in, got.String())
		}
	}
}

// FuzzParseRef: what is read is printed so that it reads the same.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"core", "tm[1]", "tm[007]", "a]b", "[", "x[4294967296]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			return
		}
		if again, err := ParseRef(r.String()); err != nil || again != r {
			t.Errorf("%q is %+v, printed %q, read again %+v, %v", s, r, r.String(), again, err)
		}
	})
}

func TestSnapshotKeepsItsValues(t *testing.T) {
	s := newSample(t)
	before := s.Snapshot()
	s.set(t, "m", "limit", rpc.Int(10))
	if got := s.limit.Get(before); got != 70 {
		t.Errorf("a snapshot taken before the change reads %d, want 70", got)
	}
	if got := s.limit.Get(s.Snapshot()); got != 10 {
		t.Errorf("a snapshot taken after the change reads %d, want 10", got)
	}
}

func TestUndeclaredVariableReadsItsDefault(t *testing.T) {
	v, w := Int{Default: 3}, Str{Default: "x"}
	for _, snap := range []*Snapshot{nil, {}, NewStore().Snapshot(), newSample(t).Snapshot()} {
		if v.Get(snap) != 3 || w.Get(snap) != "x" || w.Value(snap) != rpc.String("x") {
			t.Errorf("undeclared variables read %d and %q from %+v", v.Get(snap), w.Get(snap), snap)
		}
	}
}

func TestSetConvertsAndRefuses(t *testing.T) {
	for _, tt := range []struct {
		ref, name string
		val       rpc.Value
		want      rpc.Value
		err       error
	}{
		{"m", "limit", rpc.Int(255), rpc.Int(255), nil},
		{"m", "limit", rpc.Int(256), nil, ErrRange},
		{"m", "limit", rpc.Int(-1), nil, ErrRange},
		{"m", "limit", rpc.String("44"), rpc.Int(44), nil},
		{"m", "limit", rpc.String("12x"), nil, ErrConvert},
		{"m", "limit", rpc.String(""), nil, ErrConvert},
		{"m", "limit", rpc.Double(1), nil, ErrConvert},
		{"m", "name", rpc.Int(-77), rpc.String("-77"), nil},
		{"m", "name", rpc.String(""), rpc.String(""), nil},
		{"m", "fixed", rpc.Int(2), nil, ErrReadOnly},
		{"m", "nosuch", rpc.Int(2), nil, ErrUnknown},
		{"n", "limit", rpc.Int(2), nil, ErrUnknown},
		{"m[1]", "limit", rpc.Int(2), nil, ErrNoInstance},
		{"m[2]", "once", rpc.Int(2), nil, ErrOnce},
		{"m[2]", "limit", rpc.Int(2), rpc.Int(2), nil},
	} {
		s := newSample(t)
		if err := s.AddInstance(Ref{Group: "m", ID: 2, Instance: true}); err != nil {
			t.Fatal(err)
		}
		r := mustRef(t, tt.ref)
		err := s.Set(r, tt.name, tt.val)
		if !errors.Is(err, tt.err) {
			t.Errorf("Set(%s, %s, %v) = %v, want %v", tt.ref, tt.name, tt.val, err, tt.err)
		}
		if derr := s.SetDelayed(r, tt.name, tt.val); !errors.Is(derr, tt.err) {
			t.Errorf("SetDelayed(%s, %s, %v) = %v, want %v", tt.ref, tt.name, tt.val, derr, tt.err)
		}
		if tt.err == nil {
			if got, err := s.Get(r, tt.name); got != tt.want || err != nil {
				t.Errorf("after Set(%s, %s, %v): Get = %v, %v; want %v", tt.ref, tt.name, tt.val, got, err, tt.want)
			}
		}
	}
}

func TestGetFaults(t *testing.T) {
	s := newSample(t)
	for _, tt := range []struct {
		ref, name string
		want      error
	}{
		{"m", "hidden", ErrHidden},
		{"m", "nosuch", ErrUnknown},
		{"nosuch", "limit", ErrUnknown},
		{"m[9]", "limit", ErrNoInstance},
	} {
		if v, err := s.Get(mustRef(t, tt.ref), tt.name); !errors.Is(err, tt.want) {
			t.Errorf("Get(%s, %s) = %v, %v; want error %v", tt.ref, tt.name, v, err, tt.want)
		}
	}
}

func TestGetGroupLeavesOutHidden(t *testing.T) {
	s := newSample(t)
	got, err := s.GetGroup(Ref{Group: "m"})
	want := rpc.Struct{
		rpc.M("limit", rpc.Int(70)), rpc.M("fixed", rpc.Int(1)), rpc.M("once", rpc.Int(5)), rpc.M("name", rpc.Null{}),
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("GetGroup(m) = %v, %v; want %v", got, err, want)
	}
}

func TestInstanceFollowsDefault(t *testing.T) {
	s := newSample(t)
	one := Ref{Group: "m", ID: 1, Instance: true}
	if err := s.AddInstance(one); err != nil {
		t.Fatal(err)
	}
	read := func(r Ref, name string) rpc.Value {
		t.Helper()
		v, err := s.Get(r, name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	s.set(t, "m[1]", "limit", rpc.Int(11))
	s.set(t, "m", "limit", rpc.Int(12))
	s.set(t, "m", "name", rpc.String("new"))
	if read(one, "limit") != rpc.Int(11) {
		t.Errorf("own value of the instance = %v, want 11", read(one, "limit"))
	}
	if read(one, "name") != rpc.String("new") {
		t.Errorf("inherited value of the instance = %v, want new", read(one, "name"))
	}
	if err := s.Delete(one, "limit"); err != nil {
		t.Fatal(err)
	}
	if read(one, "limit") != rpc.Int(12) {
		t.Errorf("after Delete the instance reads %v, want the default's 12", read(one, "limit"))
	}
	s.set(t, "m", "limit", rpc.Int(13))
	if read(one, "limit") != rpc.Int(13) {
		t.Errorf("after Delete the instance does not follow: %v, want 13", read(one, "limit"))
	}
	if err := s.Delete(one, "limit"); err != nil {
		t.Errorf("deleting what is not set = %v, want nil", err)
	}
	if err := s.DelInstance(one); err != nil {
		t.Fatal(err)
	}
	if err := s.DelInstance(one); !errors.Is(err, ErrNoInstance) {
		t.Errorf("second DelInstance = %v, want ErrNoInstance", err)
	}
}

func TestSelect(t *testing.T) {
	s := newSample(t)
	for id, limit := range []int{11, 22} {
		if err := s.Init(Ref{Group: "m", ID: uint32(id), Instance: true}, "limit", rpc.Int(limit)); err != nil {
			t.Fatal(err)
		}
	}
	g, _ := s.Group("m")
	snap := s.Snapshot()
	view, ok := snap.Select(g, 0)
	if !ok || s.limit.Get(view) != 11 {
		t.Fatalf("Select(m, 0) = %v, reads %d; want true, 11", ok, s.limit.Get(view))
	}
	if s.limit.Get(snap) != 70 {
		t.Errorf("Select changed the snapshot it was called on: %d", s.limit.Get(snap))
	}
	view, ok = view.Select(g, 1)
	if id, on := view.Selected(g); !ok || s.limit.Get(view) != 22 || id != 1 || !on {
		t.Errorf("Select from a view: %v, %d, selected %d %v; want true, 22, 1 true", ok, s.limit.Get(view), id, on)
	}
	if other, ok := view.Select(g, 7); ok || other != view {
		t.Errorf("Select(m, 7) = %v; want false and the same view", ok)
	}
	back := view.Unselect(g)
	if _, on := back.Selected(g); on || s.limit.Get(back) != 70 {
		t.Errorf("Unselect reads %d, selected %v; want 70, false", s.limit.Get(back), on)
	}
}

func TestDelayed(t *testing.T) {
	s := newSample(t)
	one := Ref{Group: "m", ID: 1, Instance: true}
	if err := s.Init(one, "limit", rpc.Int(15)); err != nil {
		t.Fatal(err)
	}
	m := Ref{Group: "m"}
	for _, err := range []error{
		s.SetDelayed(m, "limit", rpc.Int(50)),
		s.SetDelayed(m, "limit", rpc.Int(51)),
		s.SetDelayed(m, "name", rpc.String("later")),
		s.DeleteDelayed(one, "limit"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []Change{
		{m, "limit", rpc.Int(70), rpc.Int(50)},
		{m, "limit", rpc.Int(70), rpc.Int(51)},
		{m, "name", rpc.Null{}, rpc.String("later")},
		{one, "limit", rpc.Int(15), rpc.Int(70)},
	}
	if got := s.Diff(); !slices.Equal(got, want) {
		t.Errorf("Diff = %v, want %v", got, want)
	}
	if got := s.limit.Get(s.Snapshot()); got != 70 {
		t.Errorf("before Commit limit = %d, want 70", got)
	}
	s.Commit()
	view, err := s.view(one)
	if err != nil {
		t.Fatal(err)
	}
	if s.limit.Get(view) != 51 || s.name.Get(view) != "later" || len(s.Diff()) != 0 {
		t.Errorf("after Commit: m[1].limit = %d, name = %q, waiting %v", s.limit.Get(view), s.name.Get(view), s.Diff())
	}
	_ = s.SetDelayed(m, "limit", rpc.Int(60))
	s.Rollback()
	s.Commit()
	if got := s.limit.Get(s.Snapshot()); got != 51 {
		t.Errorf("after Rollback and Commit limit = %d, want 51", got)
	}
}

func TestDelInstanceDropsItsDelayedChanges(t *testing.T) {
	s := newSample(t)
	one := Ref{Group: "m", ID: 1, Instance: true}
	if err := errors.Join(s.AddInstance(one), s.SetDelayed(one, "limit", rpc.Int(1)), s.DelInstance(one)); err != nil {
		t.Fatal(err)
	}
	if d := s.Diff(); len(d) != 0 {
		t.Errorf("Diff after DelInstance = %v, want none", d)
	}
	s.Commit()
}

func TestReset(t *testing.T) {
	s := newSample(t)
	if err := s.Init(Ref{Group: "m"}, "limit", rpc.Int(33)); err != nil {
		t.Fatal(err)
	}
	if err := s.Init(Ref{Group: "m"}, "fixed", rpc.Int(9)); err != nil {
		t.Fatalf("Init of a read-only variable = %v", err)
	}
	s.set(t, "m", "limit", rpc.Int(1))
	s.set(t, "m", "name", rpc.String("x"))
	if err := s.Reset("m"); err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	if s.limit.Get(snap) != 33 || s.name.Value(snap) != (rpc.Null{}) || s.fixed.Get(snap) != 9 {
		t.Errorf("after Reset: %d %v %d; want 33 null 9", s.limit.Get(snap), s.name.Value(snap), s.fixed.Get(snap))
	}
	if err := s.Reset("nosuch"); !errors.Is(err, ErrUnknown) {
		t.Errorf("Reset(nosuch) = %v, want ErrUnknown", err)
	}
}

func TestCallbacks(t *testing.T) {
	s := NewStore()
	var log []int
	even := errors.New("odd")
	v := Int{
		Check: func(n int) (int, error) {
			if n%2 == 1 {
				return 0, even
			}
			return n * 10, nil
		},
		Changed: func(old, now int) { log = append(log, old, now) },
	}
	if err := s.Declare("g", "v", &v); err != nil {
		t.Fatal(err)
	}
	g := Ref{Group: "g"}
	if err := s.Set(g, "v", rpc.Int(3)); !errors.Is(err, ErrRefused) || !errors.Is(err, even) {
		t.Errorf("Set of a value that Check refuses = %v", err)
	}
	_ = s.Set(g, "v", rpc.Int(2))
	_ = s.SetDelayed(g, "v", rpc.Int(4))
	s.Commit()
	if want := []int{0, 20, 20, 40}; !slices.Equal(log, want) {
		t.Errorf("Changed saw %v, want %v", log, want)
	}
}

func TestDeclareRefuses(t *testing.T) {
	s := newSample(t)
	if err := s.Declare("m", "limit", &Int{}); !errors.Is(err, ErrTaken) {
		t.Errorf("same name twice = %v, want ErrTaken", err)
	}
	if err := s.Declare("m", "again", &s.limit); !errors.Is(err, ErrTaken) {
		t.Errorf("same handle twice = %v, want ErrTaken", err)
	}
	if err := s.DeclareCustom("m", "x", &Int{}); !errors.Is(err, ErrOwner) {
		t.Errorf("script variable in a module's group = %v, want ErrOwner", err)
	}
	if err := s.Declare("m", "y", &Int{Min: 2, Max: 1}); !errors.Is(err, ErrRange) {
		t.Errorf("empty range = %v, want ErrRange", err)
	}
}

func TestListOrder(t *testing.T) {
	s := newSample(t)
	for _, err := range []error{
		s.DeclareCustom("c1", "a", &Int{}), s.Declare("n", "b", &Int{}), s.DeclareCustom("c2", "c", &Str{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, v := range s.List("") {
		got = append(got, v.Group+"."+v.Var.Name())
	}
	want := []string{"n.b", "m.limit", "m.fixed", "m.once", "m.hidden", "m.name", "c2.c", "c1.a"}
	if !slices.Equal(got, want) {
		t.Errorf("List = %v, want %v", got, want)
	}
	if l := s.List("nosuch"); len(l) != 0 {
		t.Errorf("List(nosuch) = %v", l)
	}
}

func TestDeclareIntoInstances(t *testing.T) {
	s := newSample(t)
	one := Ref{Group: "m", ID: 1, Instance: true}
	if err := s.AddInstance(one); err != nil {
		t.Fatal(err)
	}
	late := Int{Default: 8}
	if err := s.Declare("m", "late", &late); err != nil {
		t.Fatal(err)
	}
	s.set(t, "m", "late", rpc.Int(9))
	if v, err := s.Get(one, "late"); v != rpc.Int(9) || err != nil {
		t.Errorf("a variable declared after the instance reads %v, %v through it; want 9", v, err)
	}
}

// TestCommitIsAtomic reads two variables that always change together while
// another goroutine changes them.
func TestCommitIsAtomic(t *testing.T) {
	s := NewStore()
	var a, b Int
	if err := errors.Join(s.Declare("g", "a", &a), s.Declare("h", "b", &b)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 2000 {
			_ = s.SetDelayed(Ref{Group: "g"}, "a", rpc.Int(i))
			_ = s.SetDelayed(Ref{Group: "h"}, "b", rpc.Int(i))
			s.Commit()
		}
	})
	for range 20000 {
		snap := s.Snapshot()
		if a.Get(snap) != b.Get(snap) {
			t.Fatalf("half a change seen: a=%d b=%d", a.Get(snap), b.Get(snap))
		}
	}
	wg.Wait()
}

func TestCoreGroups(t *testing.T) {
	s := NewStore()
	var c Core
	var tcp TCP
	if err := errors.Join(c.Declare(s), tcp.Declare(s)); err != nil {
		t.Fatal(err)
	}
	snap := s.Snapshot()
	if c.MaxWhileLoops.Get(snap) != 100 || tcp.ConnectionLifetime.Get(snap) != 120 || c.UDPMTUTryProto.Get(snap) != 0 {
		t.Errorf("defaults: %d %d %d", c.MaxWhileLoops.Get(snap), tcp.ConnectionLifetime.Get(snap), c.UDPMTUTryProto.Get(snap))
	}
	core := Ref{Group: "core"}
	for _, tt := range []struct {
		name string
		v    rpc.Value
		err  error
	}{
		{"udp_mtu_try_proto", rpc.Int(9), ErrRange},
		{"udp_mtu_try_proto", rpc.Int(2), nil},
		{"debug", rpc.String("notanumber"), ErrConvert},
		{"log_facility", rpc.String("LOG_LOCAL0"), nil},
		{"log_facility", rpc.String("LOG_NOSUCH"), ErrConvert},
	} {
		if err := s.Set(core, tt.name, tt.v); !errors.Is(err, tt.err) {
			t.Errorf("Set(core, %s, %v) = %v, want %v", tt.name, tt.v, err, tt.err)
		}
	}
	if got := c.LogFacility.Get(s.Snapshot()); got != 16 {
		t.Errorf("LOG_LOCAL0 = %d, want 16", got)
	}
}

func BenchmarkGet(b *testing.B) {
	s := NewStore()
	var c Core
	if err := c.Declare(s); err != nil {
		b.Fatal(err)
	}
	snap := s.Snapshot()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n += c.ForceRport.Get(snap)
	}
	if n != 0 {
		b.Fatal(n)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	s := NewStore()
	b.ReportAllocs()
	for b.Loop() {
		if s.Snapshot() == nil {
			b.Fatal("nil")
		}
	}
}

func BenchmarkSetNow(b *testing.B) {
	s := NewStore()
	var c Core
	if err := c.Declare(s); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Set(Ref{Group: "core"}, "debug", rpc.Int(3)); err != nil {
			b.Fatal(err)
		}
	}
}
