package dbsqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module/moduletest"
)

func TestOpen(t *testing.T) {
	r := moduletest.New(t, New())
	path := filepath.Join(filepath.Dir(r.Host.ConfigPath), "x.sqlite")
	r.Param("db_sqlite", "db_set_journal_mode", path+"=delete; /other=WAL")
	d, err := db.Open(t.Context(), "sqlite:"+path, db.Create())
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	c, err := dbx.Open(t.Context(), &r.Host, "sqlite://x.sqlite")
	if err != nil {
		t.Fatal(err)
	}
	var mode string
	if err := c.Writer().GetContext(t.Context(), &mode, "PRAGMA journal_mode"); err != nil || mode != "delete" {
		t.Errorf("journal mode %q, %v", mode, err)
	}
	var n int
	if err := c.Query("SELECT x FROM none").Get(t.Context(), nil, &n); err == nil {
		t.Error("a query of no table succeeds")
	}
	if e, ok := r.Stat.Lookup("db_sqlite", "driver_errors"); !ok || e.Source.Value() != 1 {
		t.Errorf("driver_errors: %v", e)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sqlite")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := moduletest.New(t, New()).Param("db_sqlite", "db_set_readonly", path).Start()
	c, err := dbx.Open(t.Context(), &r.Host, "sqlite://"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Tx(t.Context(), func(*db.Tx) error { return nil }); !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("a transaction: %v", err)
	}
}

func TestBadJournalMode(t *testing.T) {
	for in, want := range map[string]string{"/x=FAST": "want one of WAL", "WAL": "PATH=MODE", "=WAL": "PATH=MODE"} {
		if err := moduletest.New(t, New()).TryParam("db_sqlite", "db_set_journal_mode", in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}
