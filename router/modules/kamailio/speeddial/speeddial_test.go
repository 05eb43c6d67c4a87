package speeddial_test

import (
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/module/moduletest"
	"sipd/router/modules/common/db_mysql"
	"sipd/router/modules/common/db_postgres"
	"sipd/router/modules/common/db_sqlite"
	"sipd/router/modules/kamailio/speeddial"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestLookup(t *testing.T) {
	moduletest.EachEngine(t, func(t *testing.T, url string, _ *db.DB) {
		for _, tt := range []struct {
			domains  int
			uri, own string
			want     int
			ruri     string
		}{
			{0, "sip:11@example.com", "", 1, "sip:bob@example.com"},
			{0, "sip:11@x", "", 1, "sip:bob@example.com"},
			{2, "sip:11@x", "", -1, "sip:11@x"},
			{2, "sip:11@EXAMPLE.com", "", 1, "sip:bob@example.com"},
			{2, "sip:11@tel.example.com", "", 1, "sip:bob@example.com"},
			{1, "sip:11@x", "sip:dave@example.com", 1, "sip:eve@example.com"},
			{1, "sip:11@x", "sip:dave@other", -1, "sip:11@x"},
			{0, "sip:11@x", "nobody", -1, "sip:11@x"},
			{0, "sip:12@x", "", 1, "sip:carol@example.com"},
			{0, "sip:13@x", "", 1, "tel:+4930123"},
			{0, "sip:14@x", "", -1, "sip:14@x"},
			{0, "sip:x", "", -1, "sip:x"},
		} {
			r := moduletest.New(t, dbsqlite.New(), dbmysql.New(), dbpostgres.New(), speeddial.New()).
				Param("speeddial", "db_url", url).Param("speeddial", "use_domain", tt.domains).Param("speeddial", "domain_prefix", "tel.")
			c := r.Message(strings.Replace(moduletest.Invite, "sip:bob@example.com SIP", tt.uri+" SIP", 1))
			args := []any{"speed_dial"}
			if tt.own != "" {
				args = append(args, tt.own)
			}
			if rc := r.Call("sd_lookup", args...); rc != tt.want || c.RURI() != tt.ruri {
				t.Errorf("%+v: %d, %s", tt, rc, c.RURI())
			}
		}
	}, "INSERT INTO speed_dial (username, domain, sd_username, sd_domain, new_uri) VALUES "+
		"('alice','example.com','11','example.com','sip:bob@example.com'), ('alice','example.com','12','example.com','carol@example.com'), "+
		"('alice','example.com','13','example.com','tel:+4930123'), ('dave','example.com','11','example.com','sip:eve@example.com')")
}

func TestRefusals(t *testing.T) {
	url, _ := moduletest.Tables(t, db.SQLite)
	r := moduletest.New(t, dbsqlite.New(), speeddial.New()).Param("speeddial", "db_url", url)
	for table, want := range map[string]string{"none": "no such table", "subscriber": "no column sd_username"} {
		if _, err := r.Compile("sd_lookup", table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("table %q: %v, want %q", table, err, want)
		}
	}
}
