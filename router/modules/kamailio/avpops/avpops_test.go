package avpops_test

import (
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/kamailio/avpops"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func rig(t *testing.T, url string) *moduletest.Rig {
	r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), avpops.New())
	if url != "" {
		r.Param("avpops", "db_url", url).Param("avpops", "avp_table", "usr_preferences")
	}
	return r
}

const rows = "INSERT INTO usr_preferences (uuid, username, domain, attribute, type, value) VALUES " +
	"('u1','','','color',0,'red'), ('u1','','','color',0,'blue'), ('u1','','','age',1,'30'), ('u1','','','7',3,'70'), " +
	"('','alice','example.com','fwd',0,'sip:carol@example.com'), ('','alice','other','fwd',0,'sip:dave@example.com'), ('u1','','','bad',1,'x')"

func TestDatabase(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, d *db.DB) {
		t.Run("load", func(t *testing.T) { load(t, url) })
		t.Run("store", func(t *testing.T) { store(t, url, d) })
		t.Run("query", func(t *testing.T) { query(t, url) })
		t.Run("delete", func(t *testing.T) { remove(t, url, d) })
	}, rows)
}

func load(t *testing.T, url string) {
	for _, tt := range []struct {
		domain       int
		source, name string
		want         int
		v, text      string
	}{
		{0, "u1", "$avp(color)", 1, "$(avp(color)[*])", "red, blue"},
		{0, "u1", "$avp(age)", 1, "$avp(age)", "30"},
		{0, "u1", "$avp(i:7)", 1, "$avp(i:7)", "70"},
		{0, "u1", "$avp(bad)", -1, "$avp(bad)", ""},
		{0, "u1", "i", 1, "$avp(color)", ""},
		{0, "u1", "s", 1, "$avp(i:7)", ""},
		{0, "u1", "*", 1, "$avp(i:7)", "70"},
		{0, "u2", "*", -1, "$avp(color)", ""},
		{0, "$fu", "$avp(fwd)/usr_preferences", 1, "$(avp(fwd)[*])", "sip:carol@example.com, sip:dave@example.com"},
		{1, "$fu", "$avp(fwd)", 1, "$(avp(fwd)[*])", "sip:carol@example.com"},
		{0, "$fu/domain", "*", 1, "$(avp(fwd)[*])", "sip:carol@example.com"},
		{1, "$fu/username", "$avp(fwd)", 1, "$(avp(fwd)[1])", "any"},
		{0, "sip:alice@other/uri", "$avp(fwd)", 1, "$avp(fwd)", "any"},
		{0, "$var(none)", "*", -1, "$avp(color)", ""},
		{0, "$fU/uri", "*", -1, "$avp(color)", ""},
		{0, "u1", "$avp(mine)/$col", 1, "$avp(mine)", "any"},
		{1, "$fu", "$avp(f2)/$FWD", 1, "$avp(f2)", "sip:carol@example.com"},
		{0, "u1", "$avp(num)/$num", 1, "$(avp(num)[*])", "any"},
	} {
		r := rig(t, url).Param("avpops", "use_domain", tt.domain).
			Param("avpops", "db_scheme", "col:table=usr_preferences").
			Param("avpops", "db_scheme", "fwd : table=usr_preferences; value_col=value ;username_col=username;domain_col=domain").
			Param("avpops", "db_scheme", "num:table=usr_preferences;uuid_col=uuid;value_type=integer")
		r.Message(moduletest.Invite)
		rc, got := r.Call("avp_db_load", tt.source, tt.name), r.Var(tt.v)
		text := got.Text()
		if sorted(text) == sorted(tt.text) || tt.text == "any" && text != "" {
			text = tt.text
		}
		if rc != tt.want || text != tt.text {
			t.Errorf("%+v: %d %q", tt, rc, got.Text())
		}
	}
}

func sorted(s string) string {
	a, b, two := strings.Cut(s, ", ")
	if two && a > b {
		return b + ", " + a
	}
	return s
}

func count(t *testing.T, d *db.DB, where string) int {
	t.Helper()
	var n int
	if err := d.Writer().Get(&n, "SELECT COUNT(*) FROM usr_preferences WHERE "+where); err != nil {
		t.Fatal(err)
	}
	return n
}

func store(t *testing.T, url string, d *db.DB) {
	r := rig(t, url).Param("avpops", "use_domain", 1)
	r.Message(moduletest.Invite)
	r.SetVar("$avp(x)", "one")
	r.SetVar("$avp(x)", 2)
	r.SetVar("$avp(i:9)", "nine")
	if rc := r.Call("avp_db_store", "$fu", "$avp(x)"); rc != 1 {
		t.Fatal(rc, r.Log())
	}
	if rc := r.Call("avp_db_store", "$fu", "$avp(x)"); rc != -1 {
		t.Error("stored twice:", rc)
	}
	if rc := r.Call("avp_db_store", "me", "*"); rc != 1 {
		t.Error(rc)
	}
	for where, want := range map[string]int{
		"attribute='x' AND type=0 AND value='one' AND username='alice' AND domain='example.com' AND uuid=''": 1,
		"attribute='x' AND type=1 AND value='2'":                  1,
		"attribute='9' AND type=2 AND value='nine' AND uuid='me'": 1,
		"attribute='x'": 2,
	} {
		where = strings.ReplaceAll(where, "type", d.Quote("type"))
		if n := count(t, d, where); n != want {
			t.Errorf("%s: %d", where, n)
		}
	}
	r.Call("avp_delete", "*")
	r.Call("avp_db_load", "$fu", "$avp(x)")
	if rc := r.Call("avp_db_store", "$fu", "$avp(x)"); rc != -1 {
		t.Error("what was loaded is stored again:", rc)
	}
}

func query(t *testing.T, url string) {
	r := rig(t, url)
	r.Message(moduletest.Invite)
	for _, tt := range []struct {
		args []any
		want int
		v, s string
	}{
		{[]any{"SELECT value, type FROM usr_preferences WHERE username='$fU' AND domain='$fd'"}, 1, "$avp(i:1)", "sip:carol@example.com"},
		{[]any{"SELECT attribute, value FROM usr_preferences WHERE uuid='u1' AND attribute IN ('age','color') ORDER BY attribute", "$avp(a);$avp(b)"}, 1, "$avp(a)", "age"},
		{[]any{"SELECT value FROM usr_preferences WHERE uuid='nobody'", "$avp(c)"}, -2, "$avp(c)", ""},
		{[]any{"SELECT nothing FROM nowhere", "$avp(c)"}, -1, "$avp(c)", ""},
		{[]any{"SELECT NULL, '', COUNT(*) FROM usr_preferences WHERE uuid='u1'", "$avp(c);$avp(d);$avp(e)"}, 1, "$avp(e)", "5"},
		{[]any{"UPDATE usr_preferences SET value='green' WHERE value='blue'"}, -2, "$avp(c)", ""},
		{[]any{"SELECT value FROM usr_preferences WHERE value='green'", "$avp(g)"}, 1, "$avp(g)", "green"},
	} {
		if rc, v := r.Call("avp_db_query", tt.args...), r.Var(tt.v); rc != tt.want || v.Text() != tt.s {
			t.Errorf("%v: %d %q %s", tt.args, rc, v.Text(), r.Log())
		}
	}
	if v := r.Var("$avp(i:2)"); !v.IsInt() {
		t.Errorf("a column of numbers gives %v", v)
	}
	if v := r.Var("$avp(e)"); !v.IsInt() {
		t.Errorf("COUNT(*) gives %v", v)
	}
}

func remove(t *testing.T, url string, d *db.DB) {
	r := rig(t, url)
	r.Message(moduletest.Invite)
	if rc := r.Call("avp_db_delete", "u1", "$avp(color)"); rc != 1 || count(t, d, "attribute='color'") != 0 || count(t, d, "uuid='u1'") != 3 {
		t.Error(rc, count(t, d, "uuid='u1'"))
	}
	if rc := r.Call("avp_db_delete", "u1", "*"); rc != 1 || count(t, d, "uuid='u1'") != 0 {
		t.Error(rc, count(t, d, "uuid='u1'"))
	}
}

func TestPrint(t *testing.T) {
	r := rig(t, "")
	r.Message(moduletest.Invite)
	if rc := r.Call("avp_printf", "$avp(p)", "to $rU"); rc != 1 || r.Var("$avp(p)").Text() != "to bob" {
		t.Error(rc, r.Var("$avp(p)"))
	}
	r.SetVar("$avp(i:4)", 5)
	if rc := r.Call("avp_print"); rc != 1 || !strings.Contains(r.Log(), `name=p text="to bob"`) || !strings.Contains(r.Log(), "name=i:4 number=5") {
		t.Error(rc, r.Log())
	}
}

func TestRefusals(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite)
	r := rig(t, url).Param("avpops", "db_scheme", "s:table=subscriber;value_col=email_address")
	for _, tt := range []struct{ f, a, b, want string }{
		{"avp_delete", "x", "", "none of $avp(name)"},
		{"avp_delete", "$avp(x)/q", "", "unknown flag q"},
		{"avp_delete", "$ru", "", "not an attribute"},
		{"avp_delete", "sx", "", "number"},
		{"avp_copy", "$avp(x)", "$avp(y)/z", "unknown flag z"},
		{"avp_copy", "$fU", "$avp(y)", "not an attribute"},
		{"avp_check", "$avp(x)", "xx/1", "operations are"},
		{"avp_check", "$avp(x)", "eq", "not OPERATION"},
		{"avp_check", "$avp(x)", "eq/", "value is missing"},
		{"avp_check", "$avp(x)", "re/(", "not closed"},
		{"avp_check", "$avp(x)", "fm/i:5", "compares texts"},
		{"avp_check", "$avp(x)", "eq/i:x", "not a number"},
		{"avp_check", "$avp(x)", "eq/q:x", "unknown type"},
		{"avp_check", "$xavp(a=>b[*])", "eq/x", "xavp"},
		{"avp_op", "$avp(x)", "add/5", "write i: before"},
		{"avp_op", "$avp(x)", "pow/i:5", "operations are"},
		{"avp_subst", "$avp(x)", "/(/x/", ""},
		{"avp_subst", "$avp(x)/q", "/a/x/", "unknown flag q"},
		{"avp_pushto", "$hdr(x)", "$avp(x)", "append_hf"},
		{"avp_pushto", "$ru/port", "$avp(x)", "unknown part"},
		{"is_avp_set", "$avp(x)/sn", "", "exclude"},
		{"is_avp_set", "$(avp(x)[$var(i)])", "", "index"},
		{"avp_db_load", "$fu/host", "*", "unknown part"},
		{"avp_db_load", "$fu", "*/", "missing behind"},
		{"avp_db_load", "$fu", "*/none", "no such table"},
		{"avp_db_load", "$fu", "*/subscriber", "no column"},
		{"avp_db_load", "$fu", "*/$s", "needs the name"},
		{"avp_db_load", "$fu", "$avp(x)/$none", "no db_scheme"},
		{"avp_db_load", "$fu/uuid", "$avp(x)/$s", "no column uuid"},
		{"avp_db_store", "$fu", "$avp(x)/$s", "only avp_db_load"},
		{"avp_db_query", "SELECT 1", "$ru", "not an attribute"},
	} {
		args := []any{tt.a}
		if tt.b != "" {
			args = append(args, tt.b)
		}
		if _, err := r.Compile(tt.f, args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	none := rig(t, "")
	for _, f := range []string{"avp_db_load", "avp_db_store", "avp_db_delete", "avp_db_query"} {
		if _, err := none.Compile(f, "$fu", "$avp(x)"); err == nil || !strings.Contains(err.Error(), "db_url") {
			t.Errorf("%s without a database: %v", f, err)
		}
	}
	for scheme, want := range map[string]string{
		"x": "a scheme is", "x:value_col=v": "names no table", "s:table=t": "two schemes", "y:table=t;table=u": "twice",
		"y:colour=red": "unknown part", "y:table": "not NAME=VALUE", "y:table=t;value_type=float": "unknown value_type",
	} {
		if err := r.TryParam("avpops", "db_scheme", scheme); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	if err := moduletest.New(t, dbsqlite.New(), avpops.New()).Param("avpops", "db_url", url).TryStart(); err == nil || !strings.Contains(err.Error(), "avp_table") {
		t.Error(err)
	}
}
