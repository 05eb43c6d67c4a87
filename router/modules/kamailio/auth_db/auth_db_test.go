package authdb_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/db/directory"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/common/db_text"
	"sipd/router/modules/kamailio/auth"
	"sipd/router/modules/kamailio/auth_db"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/schema"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create makes a database with alice@r (and HA1), carol@r with her password in
// clear, dave@r without one, alice@q with another password.
func create(t testing.TB, e db.Engine) (url string, d *db.DB) {
	t.Helper()
	url = dbtest.URL(t, e)
	d, err := db.Open(t.Context(), url, db.Create())
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	must(t, schema.Create(t.Context(), d, db.Kamailio))
	dir, err := directory.Open(t.Context(), d, db.Kamailio)
	must(t, err)
	for _, name := range []string{"r", "q"} {
		must(t, dir.AddDomain(t.Context(), db.Domain{Name: name}))
	}
	for _, u := range []db.NewUser{
		{Address: db.Address{User: "alice", Domain: "r"}, Password: db.Password{Plain: "pw"}},
		{Address: db.Address{User: "alice", Domain: "q"}, Password: db.Password{Plain: "other"}},
		{Address: db.Address{User: "carol", Domain: "r"}, Password: db.Password{Plain: "clear", Keep: true}},
		{Address: db.Address{User: "dave", Domain: "r"}, Password: db.Password{None: true}},
	} {
		must(t, dir.AddUser(t.Context(), u))
	}
	return url, d
}

func rig(t testing.TB, url string) *moduletest.Rig {
	return moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), dbtext.New(), auth.New(), authdb.New()).
		Param("auth_db", "db_url", url).Param("auth_db", "use_domain", 1)
}

const request = `REGISTER sip:r SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1
From: <sip:alice@r>;tag=1
To: <sip:alice@r>
Call-ID: 1@x
CSeq: 1 REGISTER
`

var nonceIn = regexp.MustCompile(`nonce="([^"]+)"`)

// authorize starts a run whose credentials are made with user, realm and password.
func authorize(t testing.TB, r *moduletest.Rig, method, user, realm, password string) {
	t.Helper()
	msg := strings.ReplaceAll(request, "REGISTER", method)
	r.Message(msg)
	if rc := r.Call("auth_challenge", realm, 1); rc != 1 {
		t.Fatalf("auth_challenge = %d", rc)
	}
	cred := sip.Credentials{
		Username: user, Realm: realm, URI: "sip:r", QOP: "auth", NC: "00000001", CNonce: "c",
		Nonce: nonceIn.FindStringSubmatch(r.Replies[len(r.Replies)-1].Extra)[1],
	}
	name := "Authorization"
	if method != "REGISTER" {
		name = "Proxy-Authorization"
	}
	r.Message(msg + fmt.Sprintf("%s: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"sip:r\", qop=auth, nc=00000001, cnonce=\"c\", response=\"%s\"\n",
		name, user, realm, cred.Nonce, sip.Response(sip.MD5, sip.HA1(sip.MD5, user, realm, password), &cred, method, "")))
}

func TestCodes(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			url, _ := create(t, e)
			for _, tt := range []struct {
				name                  string
				user, realm, password string
				domain, clear         int
				want                  int
			}{
				{"good", "alice", "r", "pw", 1, 0, 1},
				{"good without domain", "carol", "r", "clear", 0, 0, 1},
				{"whole address", "alice@r", "r", "pw", 1, 0, 1},
				{"wrong", "alice", "r", "x", 1, 0, -2},
				{"other domain's password", "alice", "r", "other", 1, 0, -2},
				{"nobody", "bob", "r", "pw", 1, 0, -3},
				{"nobody there", "carol", "q", "clear", 1, 0, -3},
				{"injection", "' OR '1'='1", "r", "pw", 1, 0, -3},
				{"no password stored", "dave", "r", "", 1, 0, -2},
				{"in clear", "carol", "r", "clear", 1, 1, 1},
				{"in clear, whole address", "carol@r", "r", "clear", 1, 1, 1},
				{"in clear, wrong", "carol", "r", "x", 1, 1, -2},
				{"in clear, none stored", "alice", "r", "", 1, 1, -2},
			} {
				r := rig(t, url).Param("auth_db", "use_domain", tt.domain).Param("auth_db", "calculate_ha1", tt.clear)
				if tt.clear != 0 {
					r.Param("auth_db", "password_column", "password")
				}
				authorize(t, r, "REGISTER", tt.user, tt.realm, tt.password)
				for _, fn := range []string{"www_authenticate", "www_authorize"} {
					if rc := r.Call(fn, tt.realm, "subscriber"); rc != tt.want {
						t.Errorf("%s: %s = %d, want %d; log %s", tt.name, fn, rc, tt.want, r.Log())
					}
				}
				if rc := r.Call("proxy_authorize", tt.realm, "subscriber"); rc != -5 {
					t.Errorf("%s: proxy_authorize = %d, want -5", tt.name, rc)
				}
			}
		})
	}
}

// TestEmptyHash: who knows that a user has no password is not let in with the
// hash of nothing.
func TestEmptyHash(t *testing.T) {
	url, _ := create(t, db.SQLite)
	r := rig(t, url)
	authorize(t, r, "REGISTER", "dave", "r", "")
	cred, err := sip.ParseCredentials(r.Ctx.Msg.Value(r.Ctx.Msg.First(sip.HdrAuthorization)))
	must(t, err)
	forged := sip.Response(sip.MD5, "", &cred, "REGISTER", "")
	r.Raw(strings.Replace(r.Ctx.Msg.Raw(), cred.Response, forged, 1))
	if rc := r.Call("www_authorize", "r", "subscriber"); rc != -2 {
		t.Errorf("code %d, want -2", rc)
	}
}

func TestAuthCheck(t *testing.T) {
	url, _ := create(t, db.SQLite)
	for _, tt := range []struct {
		method, user, password string
		flags, want            int
	}{
		{"REGISTER", "alice", "pw", 1, 1},
		{"INVITE", "alice", "pw", 1, 1},
		{"INVITE", "carol", "clear", 0, 1},
		{"INVITE", "carol", "clear", 1, -8},
		{"REGISTER", "carol", "clear", 1, -8},
		{"INVITE", "alice", "x", 1, -2},
	} {
		r := rig(t, url)
		authorize(t, r, tt.method, tt.user, "r", tt.password)
		if rc := r.Call("auth_check", "r", "subscriber", tt.flags); rc != tt.want {
			t.Errorf("%+v: %d", tt, rc)
		}
	}
	r := rig(t, url)
	r.Message(strings.ReplaceAll(request, "REGISTER", "ACK"))
	if rc := r.Call("auth_check", "r", "subscriber", 1); rc != 1 {
		t.Errorf("ACK: %d", rc)
	}
}

func TestIsSubscriber(t *testing.T) {
	url, _ := create(t, db.SQLite)
	r := rig(t, url)
	r.Message(request)
	for _, tt := range []struct {
		uri   string
		flags int
		want  int
	}{
		{"sip:alice@r", 1, 1},
		{"sip:alice@nowhere", 0, 1},
		{"sip:alice@nowhere", 1, -3},
		{"sip:bob@r", 0, -3},
		{"$fu", 1, 1},
		{"junk", 0, -1},
		{"sip:r", 0, -1},
	} {
		if rc := r.Call("is_subscriber", tt.uri, "subscriber", tt.flags); rc != tt.want {
			t.Errorf("is_subscriber(%s, %d) = %d, want %d", tt.uri, tt.flags, rc, tt.want)
		}
	}
}

func TestLoadCredentials(t *testing.T) {
	url, _ := create(t, db.SQLite)
	attr := func(r *moduletest.Rig, name string) string {
		return r.Ctx.AVPs.Get(run.AVPFromURI, run.AVPName{S: name}, 0).Text()
	}
	for _, always := range []int{0, 1} {
		r := rig(t, url).Param("auth_db", "load_credentials", " $avp(who)=username; domain;$var(n)=id").Param("auth_db", "force_generate_avps", always)
		authorize(t, r, "REGISTER", "alice", "r", "pw")
		if rc := r.Call("www_authorize", "r", "subscriber"); rc != 1 || attr(r, "who") != "alice" || attr(r, "domain") != "r" || !r.Var("$var(n)").IsInt() {
			t.Errorf("code %d, who %q, domain %q", rc, attr(r, "who"), attr(r, "domain"))
		}
		authorize(t, r, "REGISTER", "alice", "r", "wrong")
		want := map[int]string{0: "", 1: "alice"}[always]
		if rc := r.Call("www_authorize", "r", "subscriber"); rc != -2 || attr(r, "who") != want {
			t.Errorf("force_generate_avps=%d: code %d, who %q", always, rc, attr(r, "who"))
		}
		if rc := r.Call("is_subscriber", "sip:carol@r", "subscriber", 3); rc != 1 || attr(r, "who") != want {
			t.Errorf("flag 2 of is_subscriber: code %d, who %q", rc, attr(r, "who"))
		}
		if rc := r.Call("is_subscriber", "sip:carol@r", "subscriber", 1); rc != 1 || attr(r, "who") != "carol" {
			t.Errorf("is_subscriber: code %d, who %q", rc, attr(r, "who"))
		}
	}
	for _, bad := range []string{"$avp(x)", "x=y", "$avp(x)="} {
		if err := rig(t, url).Param("auth_db", "load_credentials", bad).TryStart(); err == nil {
			t.Errorf("load_credentials %q starts", bad)
		}
	}
	for _, bad := range []string{"$ci=domain", "$nonsense(x)=domain", "$avp(x)=shoe_size"} {
		if _, err := rig(t, url).Param("auth_db", "load_credentials", bad).Compile("www_authorize", "r", "subscriber"); err == nil {
			t.Errorf("load_credentials %q compiles", bad)
		}
	}
}

// TestRefusals has what is said before the daemon starts.
func TestRefusals(t *testing.T) {
	url, d := create(t, db.SQLite)
	_, err := d.Writer().Exec("CREATE TABLE mine (username VARCHAR(64), ha1 VARCHAR(64))")
	must(t, err)
	ser := dbtest.URL(t, db.SQLite)
	s, err := db.Open(t.Context(), ser, db.Create())
	must(t, err)
	must(t, schema.Create(t.Context(), s, db.SER))
	must(t, s.Close())
	for _, tt := range []struct{ url, table, want string }{
		{"sqlite:/there/is/none", "subscriber", "sipctl db create"},
		{"text:///nowhere/none", "subscriber", "a folder with a file for each table is wanted"},
		{ser, "subscriber", "found tables of the ser flavour, wanted the kamailio flavour; run: sipctl db migrate"},
		{url, "subscribers", "found no such table"},
		{url, "mine", "found no version, wanted version 7"},
		{url, "", "a table is wanted"},
	} {
		r := rig(t, tt.url)
		err := r.TryStart()
		if err == nil {
			_, err = r.Compile("www_authorize", "r", tt.table)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s, table %q: %v; want %q", tt.url, tt.table, err, tt.want)
		}
	}
	r := rig(t, url).Param("auth_db", "use_domain", 0).Param("auth_db", "version_table", 0).Param("auth_db", "password_column_2", "ha1")
	if _, err := r.Compile("www_authorize", "r", "mine"); err != nil {
		t.Errorf("version_table=0: %v", err)
	}
	if err := moduletest.New(t, dbsqlite.New(), authdb.New()).Param("auth_db", "db_url", url).TryStart(); err == nil || !strings.Contains(err.Error(), "auth.so") {
		t.Errorf("without auth: %v", err)
	}
}

func TestCheckOnly(t *testing.T) {
	r := rig(t, "sqlite:/there/is/none")
	r.Host.CheckOnly, r.Host.Offline = true, true
	if _, err := r.Compile("www_authorize", "r", "subscriber"); err != nil {
		t.Error(err)
	}
}

// TestTableFromVariable: a table that the script computes is looked at when it
// is used.
func TestTableFromVariable(t *testing.T) {
	url, _ := create(t, db.SQLite)
	r := rig(t, url)
	authorize(t, r, "REGISTER", "alice", "r", "pw")
	for name, want := range map[string]int{"subscriber": 1, "none": -1, `"; DROP TABLE subscriber`: -1} {
		r.SetVar("$var(t)", name)
		if rc := r.Call("www_authorize", "r", "$var(t)"); rc != want {
			t.Errorf("table %q: %d, want %d", name, rc, want)
		}
	}
	for i := range 100 {
		r.SetVar("$var(t)", fmt.Sprint("t", i))
		if rc := r.Call("www_authorize", "r", "$var(t)"); rc != -1 {
			t.Errorf("table t%d: %d", i, rc)
		}
	}
}

// TestLostDatabase: a table that goes away answers -1, and the log says it once.
func TestLostDatabase(t *testing.T) {
	url, d := create(t, db.SQLite)
	r := rig(t, url)
	authorize(t, r, "REGISTER", "alice", "r", "pw")
	f, err := r.Compile("www_authorize", "r", "subscriber")
	must(t, err)
	_, err = d.Writer().Exec("DROP TABLE subscriber")
	must(t, err)
	for range 5 {
		if rc := f(r.Ctx); rc != -1 {
			t.Errorf("code %d, want -1", rc)
		}
	}
	if n := strings.Count(r.Log(), "subscriber not looked up"); n != 1 {
		t.Errorf("logged %d times: %s", n, r.Log())
	}
	if strings.Contains(r.Log(), "response") || strings.Contains(r.Log(), "ha1=") {
		t.Errorf("the log has a secret: %s", r.Log())
	}
}

func BenchmarkAuthorize(b *testing.B) {
	url, d := create(b, db.SQLite)
	dir, err := directory.Open(b.Context(), d, db.Kamailio)
	must(b, err)
	_, err = dir.AddUsers(context.Background(), func(yield func(db.NewUser) bool) {
		for i := range 10000 {
			if !yield(db.NewUser{Address: db.Address{User: fmt.Sprint("u", i), Domain: "r"}, Password: db.Password{Plain: "x"}}) {
				return
			}
		}
	})
	must(b, err)
	r := rig(b, url)
	authorize(b, r, "REGISTER", "alice", "r", "pw")
	f, err := r.Compile("www_authorize", "r", "subscriber")
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if f(r.Ctx) != 1 {
			b.Fatal("refused")
		}
	}
}
