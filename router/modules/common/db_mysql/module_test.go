package dbmysql

import (
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/dbx"
	"sipd/router/module/moduletest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// TestOpen sets all parameters of the elder and asks the server something.
func TestOpen(t *testing.T) {
	url := dbtest.URL(t, db.MySQL)
	r := moduletest.New(t, New())
	for _, p := range New().Exports().Params {
		r.Param("db_mysql", p.Name, 2)
	}
	r.Start()
	c, err := dbx.Open(t.Context(), &r.Host, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var n int
	if err := c.Query("SELECT 7").Get(t.Context(), nil, &n); err != nil || n != 7 {
		t.Errorf("%d, %v", n, err)
	}
	if err := c.Query("SELECT x FROM none").Get(t.Context(), nil, &n); err == nil {
		t.Error("a query of no table succeeds")
	}
	if e, ok := r.Stat.Lookup("mysql", "driver_errors"); !ok || e.Source.Value() != 1 {
		t.Errorf("driver_errors: %v", e)
	}
}

func TestTLS(t *testing.T) {
	for mode, want := range []int{2, 2, 3, 3, 3, 3} {
		d := New().(*driver)
		d.sslMode = mode
		if got := len(d.options("")); got != want {
			t.Errorf("opt_ssl_mode %d: %d options, want %d", mode, got, want)
		}
	}
	if err := moduletest.New(t, New()).TryParam("db_mysql", "opt_ssl_mode", 6); err == nil {
		t.Error("opt_ssl_mode 6 is taken")
	}
}

func TestOldName(t *testing.T) {
	if name := NewMySQL().Exports().Name; name != "mysql" {
		t.Errorf("name %q", name)
	}
	r := moduletest.New(t, NewMySQL())
	r.Host.Offline = true
	r.Start()
	if _, err := dbx.Open(t.Context(), &r.Host, "mysql://u@h/n"); err != nil {
		t.Error(err)
	}
}
