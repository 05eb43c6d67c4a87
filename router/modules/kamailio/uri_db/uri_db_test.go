package uridb_test

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
	"sipd/router/modules/kamailio/uri_db"
	"sipd/router/sip"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestCheckURI(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		for _, tt := range []struct {
			table           int
			uri, user, want string
			code            int
		}{
			{0, "sip:Alice@x", "alice", "r", 1},
			{0, "sip:bob@x", "alice", "r", -10},
			{0, "sip:x", "alice", "r", -4},
			{0, "junk", "alice", "r", -1},
			{0, "sip:bob@x", "", "", -2},
			{1, "sip:al@x", "alice", "r", 1},
			{1, "sip:alice@x", "alice", "r", -9},
			{1, "sip:al@x", "alice", "q", -9},
		} {
			r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), auth.New(), uridb.New()).
				Param("uri_db", "db_url", url).Param("uri_db", "use_uri_table", tt.table).Param("uri_db", "db_table", []string{"subscriber", "uri"}[tt.table])
			r.Message(moduletest.Invite)
			if rc := r.Call("check_uri", tt.uri, tt.user, tt.want); rc != tt.code {
				t.Errorf("%+v: %d; log %s", tt, rc, r.Log())
			}
		}
	}, "INSERT INTO uri (username, domain, uri_user) VALUES ('alice','r','al')")
}

// TestAuthenticated has the checks against who passed authentication.
func TestAuthenticated(t *testing.T) {
	r := moduletest.New(t, auth.New(), uridb.New()).Param("uri_db", "db_url", "")
	r.Message(moduletest.Invite)
	if rc := r.Call("check_from"); rc != -2 {
		t.Errorf("nobody authenticated: %d", rc)
	}
	if rc := r.Call("pv_proxy_authenticate", "r", "pw", 2); rc != -5 {
		t.Fatalf("pv_proxy_authenticate = %d", rc)
	}
	challenge := r.Var("$avp(digest_challenge)").Text()
	_, nonce, _ := strings.Cut(challenge, "nonce=\"")
	nonce, _, _ = strings.Cut(nonce, "\"")
	cred := sip.Credentials{Username: "alice", Realm: "r", URI: "sip:r", Nonce: nonce}
	response := sip.Response(sip.MD5, sip.HA1(sip.MD5, "alice", "r", "pw"), &cred, "INVITE", "")
	r.Message(strings.Replace(moduletest.Invite, "Contact:", "Proxy-Authorization: Digest username=\"alice\", realm=\"r\", nonce=\""+nonce+
		"\", uri=\"sip:r\", response=\""+response+"\"\nContact:", 1))
	if rc := r.Call("pv_proxy_authenticate", "r", "pw", 2); rc != 1 {
		t.Fatalf("pv_proxy_authenticate = %d", rc)
	}
	for fn, want := range map[string]int{"check_from": 1, "check_to": -10} {
		if rc := r.Call(fn); rc != want {
			t.Errorf("%s = %d, want %d", fn, rc, want)
		}
	}
	if rc := r.Call("check_uri", "sip:alice@elsewhere"); rc != 1 {
		t.Errorf("check_uri = %d", rc)
	}
	if _, err := r.Compile("does_uri_exist"); err == nil || !strings.Contains(err.Error(), "needs a database") {
		t.Errorf("does_uri_exist without database: %v", err)
	}
	err := moduletest.New(t, uridb.New()).Param("uri_db", "db_url", "").Param("uri_db", "use_uri_table", 1).TryStart()
	if err == nil || !strings.Contains(err.Error(), "needs a database") {
		t.Errorf("use_uri_table without database: %v", err)
	}
	if _, err := moduletest.New(t, uridb.New()).Compile("check_to"); err == nil || !strings.Contains(err.Error(), "auth.so") {
		t.Errorf("check_to without auth: %v", err)
	}
}

func TestDoesURIExist(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite, "INSERT INTO subscriber (username, domain) VALUES ('bob','example.com')")
	for _, tt := range []struct {
		uri          string
		domain, want int
	}{
		{"sip:bob@EXAMPLE.com", 1, 1},
		{"sip:bob@x", 1, -5},
		{"sip:bob@x", 0, 1},
		{"sip:alice@example.com", 0, -5},
	} {
		r := moduletest.New(t, dbsqlite.New(), uridb.New()).Param("uri_db", "db_url", url).Param("uri_db", "use_domain", tt.domain)
		r.Message(strings.Replace(moduletest.Invite, "sip:bob@example.com SIP", tt.uri+" SIP", 1))
		if rc := r.Call("does_uri_exist"); rc != tt.want {
			t.Errorf("%+v: %d", tt, rc)
		}
	}
}
