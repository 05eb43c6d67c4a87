package usrloc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// memStore is a database that can fail.
type memStore struct {
	mu   sync.Mutex
	rows map[string]string // ruid to "aor uri cseq"
	fail bool
	n    int // transactions
}

func (s *memStore) Load(_ context.Context, _ string, f func(string, *Info)) error {
	for ruid, row := range s.rows {
		p := strings.Fields(row)
		f(p[0], &Info{RUID: ruid, URI: p[1], Q: QUnset, Conn: -1})
	}
	return nil
}

func (s *memStore) Apply(_ context.Context, _ string, ops []Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.fail {
		return errors.New("database is away")
	}
	for _, op := range ops {
		if op.Kind == OpDelete {
			delete(s.rows, op.Contact.RUID())
			continue
		}
		s.rows[op.Contact.RUID()] = fmt.Sprint(op.Contact.AOR(), " ", op.Contact.URI(), " ", op.Contact.CSeq())
	}
	return nil
}

func (s *memStore) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l []string
	for _, r := range s.rows {
		l = append(l, r)
	}
	slices.Sort(l)
	return strings.Join(l, ", ")
}

func info(uri string, q int, expires int64) *Info {
	return &Info{URI: uri, CallID: "c", CSeq: 1, Q: q, Expires: expires, Conn: -1, Socket: "udp:127.0.0.1:5060"}
}

func put(t testing.TB, table *Table, aor, uri string, cseq uint32, expires int64) error {
	t.Helper()
	x := table.Begin(aor)
	i := info(uri, QUnset, expires)
	i.CSeq = cseq
	old, _ := x.Find(i, false, 0)
	var err error
	if old != nil {
		_, err = x.Update(old, i)
	} else {
		_, err = x.Insert(i)
	}
	if err != nil {
		t.Fatal(err)
	}
	return x.End(t.Context())
}

func uris(list []*Contact) string {
	var l []string
	for _, c := range list {
		l = append(l, c.URI())
	}
	return strings.Join(l, " ")
}

func TestHash(t *testing.T) {
	for aor, want := range map[string]uint32{"bob": 7222211, "alice": 1834153949, "al": 27985} {
		if got := Hash(aor); got != want {
			t.Errorf("Hash(%q) = %d, Kamailio has %d", aor, got, want)
		}
	}
}

func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		newest bool
		want   string
	}{{false, "b d a c"}, {true, "d c b a"}} {
		table := New(Options{NewestFirst: tt.newest}).Register("location")
		for i, q := range []int{500, 700, QUnset, 700} {
			x := table.Begin("u")
			if _, err := x.Insert(info(string(rune('a'+i)), q, 0)); err != nil {
				t.Fatal(err)
			}
			_ = x.End(t.Context())
		}
		if got := uris(table.Get("u", nil)); got != tt.want {
			t.Errorf("newest %v: %s, want %s", tt.newest, got, tt.want)
		}
	}
}

func TestMatching(t *testing.T) {
	have := Info{URI: "u", CallID: "c", Path: "p", Instance: "<i>", RegID: 1, Q: QUnset}
	for _, tt := range []struct {
		mode       Matching
		ask        Info
		byInstance bool
		want       bool
	}{
		{ByContact, Info{URI: "u", CallID: "x"}, false, true},
		{ByContact, Info{URI: "v", CallID: "c", CSeq: 1}, false, false},
		{ByContactCallID, Info{URI: "u", CallID: "x"}, false, false},
		{ByContactPath, Info{URI: "u", CallID: "x", Path: "p"}, false, true},
		{ByContactPath, Info{URI: "u", CallID: "x", Path: "q"}, false, false},
		{ByCallID, Info{URI: "v", CallID: "c", CSeq: 1}, false, true},
		{ByContact, Info{URI: "v", CallID: "x", Instance: "<i>", RegID: 1}, true, true},
		{ByContact, Info{URI: "v", CallID: "x", Instance: "<i>", RegID: 2}, true, false},
	} {
		table := New(Options{Matching: tt.mode}).Register("location")
		x := table.Begin("a")
		i := have
		if _, err := x.Insert(&i); err != nil {
			t.Fatal(err)
		}
		if got, err := x.Find(&tt.ask, tt.byInstance, 0); (got != nil) != tt.want || err != nil {
			t.Errorf("mode %d, %+v: %v, %v", tt.mode, tt.ask, got, err)
		}
		_ = x.End(t.Context())
	}
}

func TestTooLong(t *testing.T) {
	x := New(Options{}).Register("location").Begin("a")
	if _, err := x.Insert(info(strings.Repeat("x", MaxText), 0, 0)); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v", err)
	}
	if err := x.End(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWriteThrough(t *testing.T) {
	s := &memStore{rows: map[string]string{}}
	table := New(Options{Mode: WriteThrough, Store: s}).Register("location")
	if err := put(t, table, "a", "u", 1, 100); err != nil {
		t.Fatal(err)
	}
	if err := put(t, table, "a", "u", 2, 100); err != nil || s.text() != "a u 2" {
		t.Fatalf("%v; rows %s", err, s.text())
	}
	s.fail = true
	if err := put(t, table, "b", "v", 1, 100); err == nil || uris(table.Get("b", nil)) != "v" {
		t.Errorf("a lost database: %v", err)
	}
	if c := table.Get("b", nil)[0]; table.State(c) != Unsaved {
		t.Errorf("state %s", table.State(c))
	}
	s.fail = false
	if err := table.Sweep(t.Context(), 50); err != nil || s.text() != "a u 2, b v 1" {
		t.Errorf("after the timer: %v; rows %s", err, s.text())
	}
	if _, err := table.Remove(t.Context(), "a"); err != nil || s.text() != "b v 1" {
		t.Errorf("after remove: %v; rows %s", err, s.text())
	}
	if err := table.Sweep(t.Context(), 100); err != nil || s.text() != "" || table.Contacts() != 0 || table.Users() != 0 {
		t.Errorf("after the end: %v; rows %s, %d contacts", err, s.text(), table.Contacts())
	}
}

func TestWriteBack(t *testing.T) {
	s := &memStore{rows: map[string]string{}}
	var ended []string
	l := New(Options{Mode: WriteBack, Store: s, Expired: func(_ string, c *Contact) { ended = append(ended, c.URI()) }})
	table := l.Register("location")
	for i := range 1200 {
		if err := put(t, table, fmt.Sprint("u", i), "c", 1, int64(100+i)); err != nil {
			t.Fatal(err)
		}
	}
	if s.n != 0 {
		t.Error("something was written before the timer")
	}
	if err := table.Sweep(t.Context(), 0); err != nil || len(s.rows) != 1200 || s.n > 70 {
		t.Errorf("%v: %d rows in %d transactions", err, len(s.rows), s.n)
	}
	if err := table.Sweep(t.Context(), 101); err != nil || len(s.rows) != 1198 || len(ended) != 2 {
		t.Errorf("%v: %d rows, %v ended", err, len(s.rows), ended)
	}
	n := s.n
	if err := table.Flush(t.Context()); err != nil || s.n != n {
		t.Error("a flush wrote what was written")
	}
	again := New(Options{Mode: WriteBack, Store: s}).Register("location")
	if err := again.Load(t.Context(), 0); err != nil || again.Contacts() != 1198 {
		t.Errorf("loaded %d: %v", again.Contacts(), err)
	}
}

// TestConcurrent is for the race detector, and for orders of writing.
func TestConcurrent(t *testing.T) {
	s := &memStore{rows: map[string]string{}}
	l := New(Options{Mode: WriteThrough, Store: s})
	table := l.Register("location")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				aor := fmt.Sprint("u", i%10)
				_ = put(t, table, aor, fmt.Sprint("c", g%3), uint32(i), 100)
				_ = uris(table.Get(aor, nil))
				if i%50 == 0 {
					_, _ = table.Remove(t.Context(), aor)
					for range table.All() {
					}
				}
			}
		})
	}
	wg.Wait()
	var want []string
	for r := range table.All() {
		for _, c := range r.Contacts {
			want = append(want, fmt.Sprint(c.AOR(), " ", c.URI(), " ", c.CSeq()))
		}
	}
	slices.Sort(want)
	if got := s.text(); got != strings.Join(want, ", ") {
		t.Errorf("the store has\n%s\nthe table\n%s", got, strings.Join(want, ", "))
	}
}

// TestModel compares the table with a map of sorted lists.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := New(Options{HashSize: rapid.IntRange(0, 12).Draw(t, "hash")}).Register("location")
		type entry struct {
			uri     string
			q       int
			expires int64
		}
		model := map[string][]entry{}
		aors := rapid.SampledFrom([]string{"", "a", "b", "alice@h", "bob"})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			aor, now := aors.Draw(t, "aor"), int64(0)
			e := entry{rapid.SampledFrom([]string{"u", "v", "w"}).Draw(t, "uri"), rapid.SampledFrom([]int{QUnset, 0, 500, 1000}).Draw(t, "q"), rapid.Int64Range(1, 20).Draw(t, "expires")}
			l := model[aor]
			at := slices.IndexFunc(l, func(o entry) bool { return o.uri == e.uri })
			switch op := rapid.IntRange(0, 3).Draw(t, "op"); op {
			case 3:
				now = rapid.Int64Range(0, 20).Draw(t, "now")
				_ = table.Sweep(context.Background(), now)
				for k, l := range model {
					model[k] = slices.DeleteFunc(l, func(o entry) bool { return o.expires <= now })
				}
			default:
				x := table.Begin(aor)
				old, _ := x.Find(&Info{URI: e.uri}, false, 0)
				if (old != nil) != (at >= 0) {
					t.Fatalf("Find(%q, %q) = %v", aor, e.uri, old)
				}
				switch {
				case op == 0 && old != nil:
					x.Delete(old)
					model[aor] = slices.Delete(l, at, at+1)
				case op != 0:
					if old != nil {
						_, _ = x.Update(old, info(e.uri, e.q, e.expires))
						if l[at].q == e.q {
							l[at] = e
							break
						}
						l = slices.Delete(l, at, at+1)
					} else {
						_, _ = x.Insert(info(e.uri, e.q, e.expires))
					}
					i := slices.IndexFunc(l, func(o entry) bool { return o.q < e.q })
					if i < 0 {
						i = len(l)
					}
					model[aor] = slices.Insert(l, i, e)
				}
				_ = x.End(context.Background())
			}
			users, contacts := 0, 0
			for aor, l := range model {
				if len(l) > 0 {
					users++
				}
				contacts += len(l)
				var want []string
				for _, e := range l {
					want = append(want, e.uri)
				}
				if got := uris(table.Get(aor, nil)); got != strings.Join(want, " ") {
					t.Fatalf("%q has %s, want %v", aor, got, want)
				}
			}
			records, _ := table.Fill()
			if int(table.Users()) != users || int(table.Contacts()) != contacts || records != users {
				t.Fatalf("%d users, %d contacts; want %d, %d", table.Users(), table.Contacts(), users, contacts)
			}
		}
	})
}

func BenchmarkInsert(b *testing.B) {
	table := New(Options{}).Register("location")
	i := info("sip:user000001@127.0.0.1:5060", QUnset, 1<<31)
	i.CallID, i.UserAgent = "1234567890abcdef@127.0.0.1", "bench/1.0"
	aors := make([]string, 1<<20)
	for n := range aors {
		aors[n] = fmt.Sprintf("user%07d", n)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		x := table.Begin(aors[n&(1<<20-1)])
		i.RUID = ""
		if _, err := x.Insert(i); err != nil {
			b.Fatal(err)
		}
		_ = x.End(b.Context())
		n++
	}
}

func BenchmarkGet(b *testing.B) {
	table := New(Options{}).Register("location")
	for n := range 100000 {
		_ = put(b, table, fmt.Sprintf("user%07d", n), "sip:u@h", 1, 1<<31)
	}
	var list []*Contact
	b.ReportAllocs()
	for b.Loop() {
		list = table.Get("user0050000", list[:0])
	}
	if len(list) != 1 {
		b.Fatal("not found")
	}
}

// LoadAOR and LoadRUID make memStore a Reader.
func (s *memStore) LoadAOR(ctx context.Context, table, aor string, f func(*Info)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail {
		return errors.New("database is away")
	}
	return s.Load(ctx, table, func(of string, i *Info) {
		if of == aor {
			f(i)
		}
	})
}

func (s *memStore) LoadRUID(ctx context.Context, table, ruid string, f func(string, *Info)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Load(ctx, table, func(aor string, i *Info) {
		if i.RUID == ruid {
			f(aor, i)
		}
	})
}

// TestDirect: two daemons share a store, each sees at once what the other did,
// and what the store does not take is not there.
func TestDirect(t *testing.T) {
	store := &memStore{rows: make(map[string]string)}
	one := New(Options{Mode: Direct, Store: store, ServerID: 1}).Register("location")
	two := New(Options{Mode: Direct, Store: store, ServerID: 2}).Register("location")
	if err := put(t, one, "alice", "sip:a@1", 1, 0); err != nil {
		t.Fatal(err)
	}
	if err := put(t, two, "alice", "sip:a@2", 1, 0); err != nil {
		t.Fatal(err)
	}
	if got := one.Get("alice", nil); len(got) != 2 {
		t.Errorf("one sees %s", uris(got))
	}
	c := two.Get("alice", nil)[0]
	if k := one.ByRUID(Hash("alice"), c.RUID()); k == nil || k.URI() != c.URI() {
		t.Errorf("by id: %v", k)
	}
	n := 0
	for r := range two.All() {
		n += len(r.Contacts)
	}
	if n != 2 || one.Users() != 0 || one.Contacts() != 0 {
		t.Errorf("%d contacts listed; %d users and %d contacts in memory", n, one.Users(), one.Contacts())
	}
	store.fail = true
	if err := put(t, one, "bob", "sip:b@1", 1, 0); err == nil {
		t.Error("a change that could not be read is written")
	}
	store.fail = false
	if got := one.Get("bob", nil); len(got) != 0 {
		t.Errorf("bob has %s", uris(got))
	}
	if found, err := two.Remove(t.Context(), "alice"); !found || err != nil || store.text() != "" {
		t.Errorf("removed: %v, %v; left %s", found, err, store.text())
	}
}

// TestDirectConcurrent: changes of one address of record do not lose each other.
func TestDirectConcurrent(t *testing.T) {
	store := &memStore{rows: make(map[string]string)}
	table := New(Options{Mode: Direct, Store: store}).Register("location")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 10 {
				_ = put(t, table, "alice", fmt.Sprint("sip:a@", i), 2, 0)
			}
		})
	}
	wg.Wait()
	if got := table.Get("alice", nil); len(got) != 20 {
		t.Errorf("%d contacts: %s", len(got), uris(got))
	}
}

// TestDirectSweep: rows that ended go, and whoever wants to know is told.
func TestDirectSweep(t *testing.T) {
	store := &expiring{memStore{rows: map[string]string{"r1": "old sip:o@1 0", "r2": "new sip:n@1 0"}}}
	var told []string
	table := New(Options{Mode: Direct, Store: store, Expired: func(_ string, c *Contact) { told = append(told, c.AOR()) }}).Register("location")
	if err := table.Sweep(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] != "old" || len(store.rows) != 1 || table.Ended() != 1 {
		t.Errorf("told of %v, %d rows left", told, len(store.rows))
	}
}

// expiring says that the contacts of "old" ended.
type expiring struct{ memStore }

func (s *expiring) Load(ctx context.Context, table string, f func(string, *Info)) error {
	return s.memStore.Load(ctx, table, func(aor string, i *Info) {
		if i.Expires = 200; aor == "old" {
			i.Expires = 50
		}
		f(aor, i)
	})
}
