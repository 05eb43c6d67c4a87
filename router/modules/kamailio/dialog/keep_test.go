package dialog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module/moduletest"
	"sipd/router/tm"
)

// onDatabase is a module with a database, without its timers.
func onDatabase(t *testing.T, mode int, stmts ...string) (*mod, *db.DB) {
	url, d := moduletest.Tables(t, db.SQLite, stmts...)
	var sent []*tm.Request
	m := collecting(&sent)
	w, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	m.t.store = &store{Conn: &dbx.Conn{DB: w}, mode: mode, table: "dialog", vars: "dialog_vars"}
	m.t.store.columns(&m.params)
	m.t.store.prepare()
	return m, d
}

func count(t *testing.T, d *db.DB, query string) (n int) {
	t.Helper()
	if err := d.Query(query).Get(t.Context(), nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestUnfit: a call that the database does not take keeps no other from it, and
// what it refused for a while is tried again.
func TestUnfit(t *testing.T) {
	m, d := onDatabase(t, delayed, "CREATE TRIGGER bad BEFORE INSERT ON dialog WHEN NEW.callid = 'c3' BEGIN SELECT RAISE(ABORT, 'not this one'); END")
	var list []*dialog
	for i := range 7 {
		x := answered(m, time.Now())
		x.callID = fmt.Sprintf("c%d", i)
		x.vars = []variable{{"v", x.callID}}
		x.dirty = true
		list = append(list, x)
	}
	m.flush(context.Background(), true)
	if n := count(t, d, "SELECT count(*) FROM dialog"); n != 6 {
		t.Errorf("%d rows, want all but one of 7", n)
	}
	for i, x := range list {
		if x.stored == (i == 3) || x.dirty || x.writing {
			t.Errorf("%s: stored %v, dirty %v, writing %v", x.callID, x.stored, x.dirty, x.writing)
		}
	}
	list[0].next(evBye, time.Now())
	m.flush(context.Background(), false)
	if n := count(t, d, "SELECT count(*) FROM dialog"); n != 5 || list[0].stored {
		t.Errorf("after a BYE %d rows, stored %v", n, list[0].stored)
	}
	if n := count(t, d, "SELECT count(*) FROM dialog_vars"); n != 5 {
		t.Errorf("after a BYE %d variables", n)
	}
}

// TestGone: a call that ended is listed until its row is gone, but not for ever.
func TestGone(t *testing.T) {
	m, d := onDatabase(t, realtime)
	x := answered(m, time.Now())
	x.dirty = true
	m.save(x)
	if !x.stored || count(t, d, "SELECT count(*) FROM dialog WHERE state = 4") != 1 {
		t.Fatal("not stored")
	}
	at := time.Now()
	x.next(evBye, at)
	m.look(x, at.Add(2*linger))
	if m.t.byID(x.entry, x.id) == nil {
		t.Error("it is forgotten before its row is")
	}
	m.flush(context.Background(), false)
	m.look(x, at.Add(2*linger))
	if m.t.byID(x.entry, x.id) != nil || count(t, d, "SELECT count(*) FROM dialog") != 0 {
		t.Error("it is not forgotten")
	}
	y := answered(m, time.Now())
	y.stored = true
	y.next(evBye, at)
	m.look(y, at.Add(time.Duration(m.endTimeout+1)*time.Second))
	if m.t.byID(y.entry, y.id) != nil {
		t.Error("a database that is away keeps it for ever")
	}
}

// TestManyWriters: whoever writes last, the row has the last state.
func TestManyWriters(t *testing.T) {
	m, d := onDatabase(t, realtime)
	x := answered(m, time.Now())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 20 {
				x.mu.Lock()
				x.legs[caller].cseq = fmt.Sprint(i*100 + n)
				x.vars = assign(x.vars, fmt.Sprint("v", i), fmt.Sprint(n), false)
				x.changed()
				x.changedVars()
				x.mu.Unlock()
				m.save(x)
			}
		})
	}
	all.Wait()
	m.save(x)
	var cseq string
	if err := d.Query("SELECT caller_cseq FROM dialog").Get(t.Context(), nil, &cseq); err != nil || cseq != x.legs[caller].cseq {
		t.Errorf("the row has CSeq %s, %v; the call %s", cseq, err, x.legs[caller].cseq)
	}
	if n := count(t, d, "SELECT count(*) FROM dialog_vars WHERE dialog_value = '19'"); n != 8 {
		t.Errorf("%d variables are the last, want 8", n)
	}
}

func TestSplitRoutes(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                    nil,
		" , ":                                 nil,
		"<sip:a;lr>":                          {"<sip:a;lr>"},
		"<sip:a,b>,<sip:c>":                   {"<sip:a,b>", "<sip:c>"},
		`"x,\",y" <sip:a>;p=1, <sip:b>`:       {`"x,\",y" <sip:a>;p=1`, "<sip:b>"},
		"<sip:a;lr;did=1.2>,<sip:b;lr;ftag=>": {"<sip:a;lr;did=1.2>", "<sip:b;lr;ftag=>"},
	} {
		if got := splitRoutes(in); !slices.Equal(got, want) {
			t.Errorf("splitRoutes(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzSplitRoutes: what was read and is written again reads the same.
func FuzzSplitRoutes(f *testing.F) {
	f.Add(`"x,\",y" <sip:a>;p=1, <sip:b>`)
	f.Add("<,>,\"")
	f.Fuzz(func(t *testing.T, s string) {
		list := splitRoutes(s)
		if again := splitRoutes(strings.Join(list, ",")); !slices.Equal(list, again) {
			t.Errorf("%q: %q becomes %q", s, list, again)
		}
	})
}
