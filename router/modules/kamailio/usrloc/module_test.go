package usrloc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/usrloc"
	"sipd/rpc"
	"sipd/schema"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// create makes a database of Kamailio's tables.
func create(t *testing.T, e db.Engine) string {
	t.Helper()
	url := dbtest.URL(t, e)
	d, err := db.Open(t.Context(), url, db.Create())
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Create(t.Context(), d, db.Kamailio); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

func newRig(t *testing.T, url string, mode int) (*moduletest.Rig, *mod) {
	t.Helper()
	m := New().(*mod)
	r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), m)
	r.Param("usrloc", "db_url", url).Param("usrloc", "db_mode", mode).Param("usrloc", "preload", "location").Param("usrloc", "use_domain", 1)
	return r.Start(), m
}

func add(t *testing.T, m *mod, aor string, i usrloc.Info) {
	t.Helper()
	x := m.all.Lookup("location").Begin(aor)
	if _, err := x.Insert(&i); err != nil {
		t.Fatal(err)
	}
	if err := x.End(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestDatabase writes through to each engine, and reads what was written.
func TestDatabase(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			url := create(t, e)
			_, m := newRig(t, url, 1)
			now := time.Now().Unix()
			want := usrloc.Info{
				URI: "sip:alice@10.0.0.1", CallID: "c", UserAgent: "UA", Received: "sip:1.2.3.4:5", Path: "<sip:p;lr>", Instance: "<urn:x>",
				Socket: "udp:127.0.0.1:5060", Expires: now + 3600, Modified: now, CSeq: 7, CFlags: 8, Methods: usrloc.AllMethods,
				Q: 700, RegID: 1, Conn: -1,
			}
			add(t, m, "alice@example.com", want)
			add(t, m, "bob@example.com", usrloc.Info{URI: "sip:bob@h", Q: usrloc.QUnset, Conn: -1, Expires: now + 60, Methods: 1})
			add(t, m, "old@example.com", usrloc.Info{URI: "sip:old@h", Q: usrloc.QUnset, Conn: -1, Expires: now - 60})
			add(t, m, "static@example.com", usrloc.Info{URI: "sip:static@h", Q: usrloc.QUnset, Conn: -1})
			x := m.all.Lookup("location").Begin("bob@example.com")
			bob := m.all.Lookup("location").Info(x.First())
			bob.URI = "sip:bob2@h"
			if _, err := x.Update(x.First(), &bob); err != nil {
				t.Fatal(err)
			}
			if err := x.End(t.Context()); err != nil {
				t.Fatal(err)
			}
			again, m2 := newRig(t, url, 2)
			table := m2.all.Lookup("location")
			if table.Users() != 3 {
				t.Errorf("%d users read, want 3", table.Users())
			}
			alice := table.Get("alice@example.com", nil)
			if len(alice) != 1 {
				t.Fatal("alice was not read")
			}
			want.RUID = alice[0].RUID()
			if got := table.Info(alice[0]); got != want {
				t.Errorf("read\n%+v\nwritten\n%+v", got, want)
			}
			if b := table.Get("bob@example.com", nil); len(b) != 1 || b[0].URI() != "sip:bob2@h" || b[0].Q() != usrloc.QUnset {
				t.Errorf("bob: %v", b)
			}
			if s := table.Get("static@example.com", nil); len(s) != 1 || s[0].Expires() != 0 {
				t.Errorf("a permanent contact: %v", s)
			}
			for name, n := range map[string]rpc.Int{"ul.db_users": 3, "ul.db_contacts": 3, "ul.db_expired_contacts": 1} {
				if got, err := again.RPCCall(name, rpc.String("location")); err != nil || len(got) != 1 || got[0] != n {
					t.Errorf("%s: %v, %v; want %d", name, got, err, n)
				}
			}
			if err := m2.store.deleteExpired(t.Context(), "location", time.Now()); err != nil {
				t.Error(err)
			}
			if got, err := again.RPCCall("ul.db_expired_contacts", rpc.String("location")); err != nil || got[0] != rpc.Int(0) {
				t.Errorf("after cleaning: %v, %v", got, err)
			}
			if _, err := table.Remove(t.Context(), "alice@example.com"); err != nil {
				t.Error(err)
			}
			if _, err := again.RPCCall("ul.flush"); err != nil {
				t.Error(err)
			}
			if got, _ := again.RPCCall("ul.db_contacts", rpc.String("location")); got[0] != rpc.Int(2) {
				t.Errorf("after remove and flush: %v", got)
			}
		})
	}
}

// TestTimes reads the forms in which others write times.
func TestTimes(t *testing.T) {
	url := create(t, db.SQLite)
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(time.Hour)
	for i, v := range []any{at.Format(time.DateTime), (float64(at.Unix())-0.5)/86400 + 2440587.5, at.Unix(), float64(at.Unix())/86400 + 2440587.5} {
		err := d.Tx(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO location (ruid, username, domain, contact, expires) VALUES (?, ?, 'h', 'sip:x@h', ?)", fmt.Sprint("r", i), fmt.Sprint("u", i), v)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, m := newRig(t, url, 2)
	for i := range 4 {
		list := m.all.Lookup("location").Get(fmt.Sprintf("u%d@h", i), nil)
		if len(list) != 1 || list[0].Expires() != at.Unix() {
			t.Errorf("form %d: %v, want one that ends %d", i, list, at.Unix())
		}
	}
}

func TestRPC(t *testing.T) {
	m := New().(*mod)
	r := moduletest.New(t, m).Param("usrloc", "preload", "location").Start()
	fault := func(want string, name string, args ...rpc.Value) {
		t.Helper()
		if _, err := r.RPCCall(name, args...); err == nil || err.Error() != want {
			t.Errorf("%s %v: %v, want %s", name, args, err, want)
		}
	}
	loc, dave := rpc.String("location"), rpc.String("dave")
	fault("500 AOR not found in location table", "ul.lookup", loc, rpc.String("nobody"))
	fault("500 Domain table not found", "ul.lookup", rpc.String("nosuch"), dave)
	fault("404 AOR not found", "ul.rm_contact", loc, dave, rpc.String("x"))
	fault("500 Command is not supported in db_mode=0", "ul.db_users", loc)
	args := []rpc.Value{loc, dave, rpc.String("sip:dave@127.0.0.1:16085"), rpc.Int(600), rpc.Double(0.5), rpc.String("0"), rpc.Int(0), rpc.Int(0), rpc.Int(0)}
	for range 2 {
		if got, err := r.RPCCall("ul.add", args...); err != nil || len(got) != 0 {
			t.Fatalf("ul.add: %v, %v", got, err)
		}
	}
	fault("404 Contact not found", "ul.rm_contact", loc, dave, rpc.String("x"))
	got, err := r.RPCCall("ul.lookup", loc, dave)
	if err != nil {
		t.Fatal(err)
	}
	c := got[0].(rpc.Struct)[1].Value.(rpc.Items)[0].Value.(rpc.Struct)
	var names []string
	for _, f := range c {
		names = append(names, f.Name)
	}
	want := "Address Expires Q Call-ID CSeq User-Agent Received Path State Flags CFlags Socket Methods Ruid Instance Reg-Id Server-Id Tcpconn-Id Keepalive Last-Keepalive KA-Roundtrip Last-Modified"
	if strings.Join(names, " ") != want {
		t.Errorf("fields %v", names)
	}
	if c[2].Value != rpc.Double(0.5) || c[6].Value != rpc.String("[not set]") || c[8].Value != rpc.String("CS_NEW") || !strings.HasPrefix(fmt.Sprint(c[13].Value), "ulcx-") {
		t.Errorf("values %v", c)
	}
	if got, err = r.RPCCall("ul.dump", rpc.String("brief")); err != nil {
		t.Fatal(err)
	}
	domain := got[0].(rpc.Struct)[0].Value.(rpc.Items)[0].Value.(rpc.Struct)
	n := 0
	for item := range domain[2].Value.(rpc.Stream) {
		if n++; item.Name != "AoR" || item.Value != dave {
			t.Errorf("brief lists %v", item)
		}
	}
	if n != 1 || domain[1].Value != rpc.Int(1024) {
		t.Errorf("%d listed of %v", n, domain)
	}
	if _, err := r.RPCCall("ul.rm_contact", loc, dave, rpc.String("sip:dave@127.0.0.1:16085")); err != nil {
		t.Error(err)
	}
	if m.users() != 0 {
		t.Errorf("%d users left", m.users())
	}
}

// TestDatabaseOnly: with db_mode 3 two daemons share a table on each engine.
func TestDatabaseOnly(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			url := create(t, e)
			_, one := newRig(t, url, 3)
			rig, two := newRig(t, url, 3)
			now := time.Now().Unix()
			add(t, one, "alice@example.com", usrloc.Info{URI: "sip:alice@10.0.0.1", CallID: "c", CSeq: 1, Q: usrloc.QUnset, Conn: -1, Expires: now + 60, Methods: 1})
			add(t, one, "alice@example.org", usrloc.Info{URI: "sip:other@10.0.0.1", Q: usrloc.QUnset, Conn: -1, Expires: now + 60})
			add(t, one, "old@example.com", usrloc.Info{URI: "sip:old@h", Q: usrloc.QUnset, Conn: -1, Expires: now - 60})
			there := two.all.Lookup("location")
			list := there.Get("alice@example.com", nil)
			if len(list) != 1 || list[0].URI() != "sip:alice@10.0.0.1" || list[0].Expires() != now+60 {
				t.Fatalf("the other daemon sees %v", list)
			}
			if k := there.ByRUID(usrloc.Hash("alice@example.com"), list[0].RUID()); k == nil || k.AOR() != "alice@example.com" {
				t.Errorf("by id: %v", k)
			}
			if got, err := rig.RPCCall("ul.lookup", rpc.String("location"), rpc.String("alice@example.com")); err != nil || !strings.Contains(fmt.Sprint(got), "sip:alice@10.0.0.1") {
				t.Errorf("ul.lookup: %v, %v", got, err)
			}
			two.sweep(t.Context(), time.Now())
			if got, err := rig.RPCCall("ul.db_contacts", rpc.String("location")); err != nil || got[0] != rpc.Int(2) {
				t.Errorf("after the sweep: %v, %v", got, err)
			}
			if _, err := rig.RPCCall("ul.rm", rpc.String("location"), rpc.String("alice@example.com")); err != nil {
				t.Error(err)
			}
			if left := one.all.Lookup("location").Get("alice@example.com", nil); len(left) != 0 {
				t.Errorf("the first daemon still sees %v", left)
			}
		})
	}
}
