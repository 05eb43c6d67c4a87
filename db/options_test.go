package db_test

import (
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
)

func TestJournalMode(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE"} {
		url := dbtest.URL(t, db.SQLite)
		d, err := db.Open(t.Context(), url, db.Create(), db.JournalMode(mode))
		must(t, err)
		var got string
		must(t, d.Writer().GetContext(t.Context(), &got, "PRAGMA journal_mode"))
		if !strings.EqualFold(got, mode) {
			t.Errorf("JournalMode(%s): it is %s", mode, got)
		}
		must(t, d.Close())
	}
}

func TestPostgresParam(t *testing.T) {
	url := dbtest.URL(t, db.PostgreSQL)
	for _, tt := range []struct{ more, want string }{
		{"", "given"},
		{"&application_name=url", "url"},
	} {
		d, err := db.Open(t.Context(), url+tt.more, db.Param("application_name", "given"), db.ConnectTimeout(30*time.Second))
		must(t, err)
		var got string
		must(t, d.Reader().GetContext(t.Context(), &got, "SHOW application_name"))
		if got != tt.want {
			t.Errorf("%q: application_name is %q, want %q", tt.more, got, tt.want)
		}
		must(t, d.Close())
	}
}

func TestMySQLTLS(t *testing.T) {
	url := dbtest.URL(t, db.MySQL)
	if _, err := db.Open(t.Context(), url, db.TLS("nonsense")); err == nil {
		t.Error("TLS(nonsense) opens")
	}
	d, err := db.Open(t.Context(), url, db.TLS("false"))
	must(t, err)
	must(t, d.Close())
}

func TestErrorsAreCounted(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	var n int
	if err := d.Query("SELECT x FROM none").Get(t.Context(), nil, &n); err == nil || d.Errors() != 1 {
		t.Errorf("%v, %d errors", err, d.Errors())
	}
}
