package dbpostgres

import (
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/dbx"
	"sipd/router/module/moduletest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestOpen(t *testing.T) {
	url := dbtest.URL(t, db.PostgreSQL)
	r := moduletest.New(t, New()).
		Param("db_postgres", "con_param", "application_name=ours; keepalives=1;").
		Param("db_postgres", "timeout", 5)
	for _, name := range []string{"retries", "lockset", "tcp_keepalive", "bytea_output_escape"} {
		r.Param("db_postgres", name, 1)
	}
	r.Start()
	c, err := dbx.Open(t.Context(), &r.Host, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var name string
	if err := c.Query("SELECT current_setting('application_name')").Get(t.Context(), nil, &name); err != nil || name != "ours" {
		t.Errorf("application_name %q, %v", name, err)
	}
	if e, ok := r.Stat.Lookup("db_postgres", "driver_errors"); !ok || e.Source.Value() != 0 {
		t.Errorf("driver_errors: %v", e)
	}
}

func TestBadParam(t *testing.T) {
	for in, want := range map[string]string{"sslmode": "NAME=VALUE", "colour=red": "no connection parameter"} {
		if err := moduletest.New(t, New()).TryParam("db_postgres", "con_param", in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}
