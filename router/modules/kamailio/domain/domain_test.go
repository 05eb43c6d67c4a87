package domain_test

import (
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/kamailio/domain"
	"sipd/router/run"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var rows = []string{
	"INSERT INTO domain (domain, did) VALUES ('example.com', 'one'), ('alias.example.com', 'one'), ('Other.test', NULL)",
	"INSERT INTO domain_attrs (did, name, type, value) VALUES ('one', 'color', 2, 'red'), ('one', 'size', 0, '7')",
}

func TestDomains(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), domain.New()).Param("domain", "db_url", url)
		c := r.Message(moduletest.Invite)
		for name, want := range map[string]int{"example.com": 1, "EXAMPLE.com": 1, "other.test": 1, "nowhere": -1, "": -1, "$fd": 1} {
			if rc := r.Call("is_domain_local", name); rc != want {
				t.Errorf("is_domain_local(%q) = %d, want %d", name, rc, want)
			}
		}
		for _, fn := range []string{"is_from_local", "is_uri_host_local"} {
			if rc := r.Call(fn); rc != 1 {
				t.Errorf("%s = %d", fn, rc)
			}
		}
		c.SetRURI("sip:bob@nowhere")
		if rc := r.Call("is_uri_host_local"); rc != -1 {
			t.Errorf("is_uri_host_local = %d", rc)
		}
		if rc := r.Call("lookup_domain", "alias.example.com", "f_"); rc != 1 {
			t.Errorf("lookup_domain = %d", rc)
		}
		if did, color, size := r.Var("$avp(f_did)"), r.Var("$avp(f_color)"), r.Var("$avp(f_size)"); did.Text() != "one" || color.Text() != "red" || !size.IsInt() || size.Int() != 7 {
			t.Errorf("did %q, color %q, size %v", did.Text(), color.Text(), size)
		}
		if rc := r.Call("lookup_domain", "other.test"); rc != 1 || r.Var("$avp(did)").Text() != "Other.test" {
			t.Errorf("lookup_domain = %d, did %q", rc, r.Var("$avp(did)").Text())
		}
		c.Route = run.FailureRoute
		if rc := r.Call("is_uri_host_local"); rc != -1 {
			t.Errorf("without branches: %d", rc)
		}
		c.AddBranch(run.Branch{URI: "sip:x@example.com"})
		if rc := r.Call("is_uri_host_local"); rc != 1 {
			t.Errorf("first branch: %d", rc)
		}
	}, rows...)
}

func TestMyself(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite, rows...)
	r := moduletest.New(t, dbsqlite.New(), domain.New()).Param("domain", "db_url", url).Param("domain", "register_myself", 1).Start()
	if n := len(r.Host.Hooks.Myself); n != 1 {
		t.Fatalf("%d hooks", n)
	}
	for host, want := range map[string]bool{"example.com": true, "Other.TEST": true, "nowhere": false} {
		if got := r.Host.Hooks.Myself[0](host, 5070, 0); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

// TestReload: a change counts after domain.reload, and a broken row changes
// nothing.
func TestReload(t *testing.T) {
	url, d := moduletest.Tables(t, db.SQLite, rows...)
	r := moduletest.New(t, dbsqlite.New(), domain.New()).Param("domain", "db_url", url).Start()
	r.Message(moduletest.Invite)
	moduletest.Exec(t, d, "INSERT INTO domain (domain, did) VALUES ('new.test', NULL)")
	if rc := r.Call("is_domain_local", "new.test"); rc != -1 {
		t.Errorf("before the reload: %d", rc)
	}
	if _, err := r.RPCCall("domain.reload"); err != nil {
		t.Error(err)
	}
	moduletest.Exec(t, d, "INSERT INTO domain_attrs (did, name, type, value) VALUES ('one', 'x', 0, 'seven')", "DELETE FROM domain")
	if _, err := r.RPCCall("domain.reload"); err == nil || err.Error() != "500 Failed to reload domain table" {
		t.Errorf("broken row: %v", err)
	}
	if rc := r.Call("is_domain_local", "new.test"); rc != 1 || !strings.Contains(r.Log(), "not the number that its type says") {
		t.Errorf("after the reload: %d; log %s", rc, r.Log())
	}
	got, err := r.RPCCall("domain.dump")
	if err != nil {
		t.Fatal(err)
	}
	want := `struct {
  avp 'domains'
  struct {
    struct {
      avp 'domain'
      str 'example.com'
      avp 'did'
      str 'one'
    struct }
    struct {
      avp 'domain'
      str 'alias.example.com'
      avp 'did'
      str 'one'
    struct }
    struct {
      avp 'domain'
      str 'Other.test'
      avp 'did'
      str 'Other.test'
    struct }
    struct {
      avp 'domain'
      str 'new.test'
      avp 'did'
      str 'new.test'
    struct }
  struct }
  avp 'attributes'
  struct {
    struct {
      avp 'did'
      str 'one'
      avp 'attrs'
      struct {
        str 'color'
        str 'size'
      struct }
    struct }
  struct }
struct }
`
	if s := rpctest.Show(got); strings.TrimSpace(s) != strings.TrimSpace(want) {
		t.Errorf("domain.dump:\n%s", s)
	}
}
