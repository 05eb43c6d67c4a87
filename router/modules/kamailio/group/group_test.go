package group_test

import (
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/kamailio/auth"
	"sipd/router/modules/kamailio/group"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestIsUserIn(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		for _, tt := range []struct {
			domain   int
			uri, grp string
			want     int
		}{
			{0, "From", "ld", 1},
			{0, "from", "int", -6},
			{1, "To", "int", 1},
			{1, "Request-URI", "$var(g)", 1},
			{1, "$fu", "ld", 1},
			{1, "sip:alice@other", "ld", 0},
			{0, "$var(none)", "ld", -1},
			{0, "Credentials", "ld", -1},
		} {
			r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), auth.New(), group.New()).
				Param("group", "db_url", url).Param("group", "use_domain", tt.domain)
			r.Message(moduletest.Invite)
			r.SetVar("$var(g)", "int")
			if tt.want == 0 {
				if _, err := r.Compile("is_user_in", tt.uri, tt.grp); err == nil {
					t.Errorf("%+v compiles", tt)
				}
				continue
			}
			if rc := r.Call("is_user_in", tt.uri, tt.grp); rc != tt.want {
				t.Errorf("%+v: %d; log %s", tt, rc, r.Log())
			}
		}
	}, "INSERT INTO grp (username, domain, grp) VALUES ('alice','example.com','ld'), ('bob','example.com','int')")
}

func TestUserGroups(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite, "INSERT INTO re_grp (reg_exp, group_id) VALUES ('^sip:alice@', 10), ('^sip:bob@', 11), ('example\\.com$', 12)")
	for _, multiple := range []int{0, 1} {
		r := moduletest.New(t, dbsqlite.New(), group.New()).Param("group", "db_url", url).
			Param("group", "re_table", "re_grp").Param("group", "multiple_gid", multiple)
		r.Message(moduletest.Invite)
		want := 1 + multiple
		if rc := r.Call("get_user_group", "From", "$avp(g)"); rc != want || r.Var("$avp(g)").Int() != []int{10, 12}[multiple] {
			t.Errorf("multiple_gid %d: %d, $avp(g) = %d", multiple, rc, r.Var("$avp(g)").Int())
		}
		if rc := r.Call("get_user_group", "$var(none)", "$avp(g)"); rc != -1 {
			t.Errorf("nobody: %d", rc)
		}
	}
	r := moduletest.New(t, dbsqlite.New(), group.New()).Param("group", "db_url", url)
	if _, err := r.Compile("get_user_group", "From", "$avp(g)"); err == nil || !strings.Contains(err.Error(), "re_table") {
		t.Errorf("without re_table: %v", err)
	}
}

func TestBrokenExpression(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite, "INSERT INTO re_grp (reg_exp, group_id) VALUES ('(', 10)")
	err := moduletest.New(t, dbsqlite.New(), group.New()).Param("group", "db_url", url).Param("group", "re_table", "re_grp").TryStart()
	if err == nil || !strings.Contains(err.Error(), "group 10 of table re_grp") {
		t.Error(err)
	}
}
