package dbx_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/schema"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// driver is a db_* module.
type driver struct {
	dbx.Pools
	name string
}

func (d *driver) Exports() *module.Exports                 { return &module.Exports{Name: d.name} }
func (d *driver) Init(context.Context, *module.Host) error { return nil }

// host is a daemon whose configuration lies in dir and which loaded the drivers.
func host(dir string, drivers ...*driver) *module.Host {
	return &module.Host{Name: "auth_db", ConfigPath: filepath.Join(dir, "sipd.cfg"), Module: func(name string) module.Module {
		for _, d := range drivers {
			if d.name == name {
				return d
			}
		}
		return nil
	}}
}

// create makes a database of the flavour and answers its URL.
func create(t *testing.T, e db.Engine, f db.Flavour) string {
	t.Helper()
	url := dbtest.URL(t, e)
	d, err := db.Open(t.Context(), url, db.Create())
	if err != nil {
		t.Fatal(err)
	}
	if f != db.Auto {
		if err := schema.Create(t.Context(), d, f); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	h := host(dir, &driver{name: "db_sqlite"}, &driver{name: "db_text"})
	for _, tt := range []struct{ url, want string }{
		{"", "db_url is empty; want sqlite:///PATH"},
		{"nonsense", "db_url the database URL cannot be opened; want sqlite:///PATH"},
		{"oracle://u:topsecret@h/x", "db_url oracle:… cannot be opened"},
		{"redis://:topsecret@h", "want sqlite:///PATH"},
		{"mysql://u:topsecret@h/n", `db_url mysql://u@h/n needs a driver; put loadmodule "db_mysql.so" before loadmodule "auth_db.so"`},
		{"postgres://u:topsecret@h/n", `put loadmodule "db_postgres.so" before`},
		{"sqlite:none", "there is no database sqlite:" + dir + "/none; to make one: sipctl db create"},
		{"sqlite://junk", "sqlite:" + junk + " is not a database"},
		{"sqlite:", "names no file"},
	} {
		c, err := dbx.Open(t.Context(), h, tt.url)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%q): %v; want %q", tt.url, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "\n") || c != nil {
			t.Errorf("Open(%q) = %v, %v", tt.url, c, err)
		}
	}
}

func TestOpenShares(t *testing.T) {
	url := create(t, db.SQLite, db.Kamailio)
	drv := &driver{name: "db_sqlite"}
	h := host(t.TempDir(), drv)
	open := func(url string) *dbx.Conn {
		c, err := dbx.Open(t.Context(), h, url)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := open(url), open(" "+url+" ")
	if a.DB != b.DB || drv.Len() != 1 {
		t.Errorf("two users of one URL have %d pools", drv.Len())
	}
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		t.Error(err)
	}
	if err := b.Ping(t.Context()); err != nil || drv.Len() != 1 {
		t.Errorf("after one user closed: %v, %d pools", err, drv.Len())
	}
	if err := b.Close(); err != nil || drv.Len() != 0 {
		t.Errorf("after both closed: %v, %d pools", err, drv.Len())
	}
	c := open(url)
	if err := errors.Join(drv.Close(), c.Close()); err != nil || drv.Len() != 0 {
		t.Errorf("the driver's end: %v, %d pools", err, drv.Len())
	}
	if err := c.Ping(t.Context()); !errors.Is(err, sql.ErrConnDone) && err == nil {
		t.Error("the pool is open after the driver closed it")
	}
	var none *dbx.Conn
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

func TestOldNameOfDriver(t *testing.T) {
	h := host(t.TempDir(), &driver{name: "mysql"})
	h.Offline = true
	if _, err := dbx.Open(t.Context(), h, "mysql://u:topsecret@h/n"); err != nil {
		t.Error(err)
	}
}

func TestOffline(t *testing.T) {
	drv := &driver{name: "db_sqlite"}
	h := host(t.TempDir(), drv)
	h.Offline = true
	c, err := dbx.Open(t.Context(), h, "sqlite:///there/is/none")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckVersion(t.Context(), "subscriber", 7); err != nil || drv.Len() != 0 {
		t.Errorf("%v, %d pools", err, drv.Len())
	}
	if n, err := c.Version(t.Context(), "subscriber"); n != 0 || err != nil {
		t.Errorf("version %d, %v", n, err)
	}
	if c.Query("SELECT 1") != nil || c.Command("SELECT 1") != nil || c.Source() != "sqlite:/there/is/none" {
		t.Errorf("statements, or source %s", c.Source())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := dbx.Open(t.Context(), h, "sqlite:"); err == nil {
		t.Error("a URL without a file passes the check")
	}
}

func TestRequire(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			h := host("/", &driver{name: "db_sqlite"}, &driver{name: "db_mysql"}, &driver{name: "db_postgres"})
			conns := map[db.Flavour]*dbx.Conn{}
			for _, f := range []db.Flavour{db.Kamailio, db.SER, db.Auto} {
				c, err := dbx.Open(t.Context(), h, create(t, e, f))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				conns[f] = c
			}
			kam := conns[db.Kamailio]
			if n, err := kam.Version(t.Context(), "subscriber"); n != 7 || err != nil {
				t.Errorf("Version(subscriber) = %d, %v", n, err)
			}
			if n, err := kam.Version(t.Context(), "none"); n != 0 || err != nil {
				t.Errorf("Version(none) = %d, %v", n, err)
			}
			if err := kam.CheckVersion(t.Context(), "subscriber", 7); err != nil {
				t.Error(err)
			}
			if err := conns[db.SER].Require(t.Context(), db.SER, dbx.Table{Name: "credentials", Columns: []string{"ha1"}}); err != nil {
				t.Error(err)
			}
			for _, tt := range []struct {
				on    db.Flavour
				f     db.Flavour
				table dbx.Table
				want  string
			}{
				{db.Kamailio, db.Kamailio, dbx.Table{Name: "subscriber", Version: 6}, "found version 7, wanted version 6; run: sipctl db status"},
				{db.Kamailio, db.Kamailio, dbx.Table{Name: "nobody"}, "found no such table, wanted the table; run: sipctl db status"},
				{db.Kamailio, db.Kamailio, dbx.Table{Name: "subscriber", Columns: []string{"ha1", "shoe_size"}}, "found no column shoe_size, wanted the column; run: sipctl db upgrade"},
				{db.SER, db.Kamailio, dbx.Table{Name: "subscriber"}, "found tables of the ser flavour, wanted the kamailio flavour; run: sipctl db migrate"},
				{db.Kamailio, db.SER, dbx.Table{Name: "credentials"}, "found tables of the kamailio flavour"},
				{db.Auto, db.Kamailio, dbx.Table{Name: "subscriber"}, "found an empty database, wanted table subscriber; run: sipctl db create --flavour kamailio"},
			} {
				err := conns[tt.on].Require(t.Context(), tt.f, tt.table)
				if _, ok := errors.AsType[*schema.MismatchError](err); !ok || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s database, %+v: %v; want %q", tt.on, tt.table, err, tt.want)
				}
			}
		})
	}
}
