package aliasdb_test

import (
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/kamailio/alias_db"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestLookup(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), aliasdb.New()).
			Param("alias_db", "db_url", url).Param("alias_db", "use_domain", 1).
			Param("alias_db", "append_branches", 1).Param("alias_db", "domain_prefix", "sip.")
		for _, tt := range []struct {
			uri, flags string
			want       int
			ruri       string
			branches   int
		}{
			{"sip:100@sipd.test", "", 1, "sip:alice@sipd.test", 0},
			{"sip:100@SIPD.test:5080", "", 1, "sip:alice@sipd.test", 0},
			{"sip:100@sip.sipd.test", "", 1, "sip:alice@sipd.test", 0},
			{"sip:100@other.test", "u", 1, "sip:dave@other.test", 0},
			{"sip:100@nowhere", "", -1, "sip:100@nowhere", 0},
			{"sip:sales@nowhere", "d", 1, "sip:bob@sipd.test", 0},
			{"sip:sales@sipd.test", "", 1, "sip:bob@sipd.test", 0},
			{"sip:alice@sipd.test", "r", 1, "sip:100@sipd.test", 0},
			{"sip:alice@x", "rd", 1, "sip:100@sipd.test", 0},
			{"sip:nobody@sipd.test", "", -1, "sip:nobody@sipd.test", 0},
			{"sip:sipd.test", "", -1, "sip:sipd.test", 0},
			{"sip:x'%20OR@sipd.test", "", -1, "sip:x'%20OR@sipd.test", 0},
		} {
			c := r.Message(strings.Replace(moduletest.Invite, "sip:bob@example.com SIP", tt.uri+" SIP", 1))
			args := []any{"dbaliases"}
			if tt.flags != "" {
				args = append(args, tt.flags)
			}
			if rc := r.Call("alias_db_lookup", args...); rc != tt.want || c.RURI() != tt.ruri || len(c.Branches) != tt.branches {
				t.Errorf("%s %q: %d, %s, %d branches; want %d, %s, %d", tt.uri, tt.flags, rc, c.RURI(), len(c.Branches), tt.want, tt.ruri, tt.branches)
			}
		}
	}, "INSERT INTO dbaliases (alias_username, alias_domain, username, domain) VALUES ('100','sipd.test','alice','sipd.test'), ('sales','sipd.test','bob','sipd.test'), ('100','other.test','dave','other.test')")
}

func TestFind(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite, "INSERT INTO dbaliases (alias_username, alias_domain, username, domain) VALUES ('1','d','alice','d'), ('2','d','bob','d'), ('2','d','carol','d')")
	for _, all := range []int{0, 1} {
		r := moduletest.New(t, dbsqlite.New(), aliasdb.New()).Param("alias_db", "db_url", url).Param("alias_db", "append_branches", all)
		r.Message(moduletest.Invite)
		if rc := r.Call("alias_db_find", "dbaliases", "sip:2@d", "$avp(x)"); rc != 1 {
			t.Errorf("alias_db_find = %d", rc)
		}
		want := []string{"sip:bob@d", "sip:carol@d"}[all]
		if got := r.Var("$avp(x)").Text(); got != want {
			t.Errorf("append_branches %d: $avp(x) = %q, want %q", all, got, want)
		}
		c := r.Message(strings.Replace(moduletest.Invite, "sip:bob@example.com SIP", "sip:2@d SIP", 1))
		if rc := r.Call("alias_db_lookup", "dbaliases"); rc != 1 || len(c.Branches) != all {
			t.Errorf("append_branches %d: %d, %d branches", all, rc, len(c.Branches))
		}
		r.Message(moduletest.Invite)
		if rc := r.Call("alias_db_find", "dbaliases", "$ru", "$var(x)"); rc != -1 {
			t.Errorf("unknown URI: %d", rc)
		}
		if rc := r.Call("alias_db_find", "dbaliases", "junk", "$var(x)"); rc != -1 {
			t.Errorf("no URI: %d", rc)
		}
	}
}

func TestRefusals(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite)
	r := moduletest.New(t, dbsqlite.New(), aliasdb.New()).Param("alias_db", "db_url", url)
	for _, tt := range []struct{ table, flags, want string }{
		{"none", "d", "no such table"},
		{"subscriber", "d", "no column alias_username"},
		{"dbaliases", "x", "flags are d"},
		{"", "d", "a table is wanted"},
	} {
		if _, err := r.Compile("alias_db_lookup", tt.table, tt.flags); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("table %q, flags %q: %v, want %q", tt.table, tt.flags, err, tt.want)
		}
	}
	r.Message(moduletest.Invite)
	r.SetVar("$var(t)", "nowhere")
	if rc := r.Call("alias_db_lookup", "$var(t)"); rc != -1 || !strings.Contains(r.Log(), "database not read") {
		t.Errorf("a table that is not there: %d, log %s", rc, r.Log())
	}
}
