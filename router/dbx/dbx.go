// Package dbx opens databases for modules. A db_* module (db_sqlite, db_mysql,
// db_postgres, db_text) is a [Driver]: it owns the pools of its engine. Any other module
// asks [Open] with its db_url and gets the pool that all users of that URL share.
package dbx

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sipd/db"
	"sipd/router/module"
	"sipd/schema"
)

// Driver is what a db_* module implements. Usually it embeds a [*Pools].
type Driver interface {
	module.Module
	// OpenDB opens a database, or shares the pool that is open for the URL.
	// close gives one use back.
	OpenDB(ctx context.Context, url string) (d *db.DB, close func() error, err error)
}

// Conn is one module's hold on a pool of connections: package db's queries,
// prepared statements and transactions, and what a module asks of its tables
// before it uses them. Safe for concurrent use.
type Conn struct {
	*db.DB // nil where databases are left alone
	source string
	close  func() error
}

// modules are the db_* modules by the scheme of a URL.
var modules = map[string]string{
	"sqlite": "db_sqlite", "sqlite3": "db_sqlite", "file": "db_sqlite",
	"mysql": "db_mysql", "mariadb": "db_mysql",
	"postgres": "db_postgres", "postgresql": "db_postgres", "pgsql": "db_postgres",
	"text": "db_text", "dbtext": "db_text",
}

// errOthers ends messages about URLs that cannot be opened.
const errOthers = "want sqlite:///PATH, mysql://USER:PASSWORD@HOST/NAME, postgres://USER:PASSWORD@HOST/NAME or text:///FOLDER"

// DriverOf names the db_* module that opens a URL. The error is a sentence
// without a password.
func DriverOf(url string) (string, error) {
	scheme, _, ok := strings.Cut(url, ":")
	scheme = strings.ToLower(scheme)
	name := modules[scheme]
	if !ok || name == "" {
		return "", fmt.Errorf("%s cannot be opened; %s", db.Redact(url), errOthers)
	}
	return name, nil
}

// Open opens the database of a modparam's db_url ("sqlite:///PATH",
// "mysql://USER:PASSWORD@HOST/NAME", "postgres://…", "text:///FOLDER") for the
// module of h. The db_* module of the scheme must be loaded; a relative path is
// taken from the folder of the configuration. Users of one URL share one pool; each closes
// what it got.
//
// Where databases are left alone (h.Offline) nothing is opened: the URL and the
// driver are checked, and the questions about tables say yes.
//
// Errors are sentences for the operator and have no password; those of the
// database are a *[db.Error].
func Open(ctx context.Context, h *module.Host, url string) (*Conn, error) {
	url = strings.TrimSpace(url)
	if url == "" {
		return nil, errors.New("db_url is empty; " + errOthers)
	}
	name, err := DriverOf(url)
	if err != nil {
		return nil, &module.SharedError{Err: fmt.Errorf("db_url %w", err)}
	}
	url = absolute(h, name, url)
	driver, ok := find(h, name)
	if !ok {
		return nil, fmt.Errorf(`db_url %s needs a driver; put loadmodule "%s.so" before loadmodule "%s.so"`, db.Redact(url), name, h.Name)
	}
	c := &Conn{source: db.Redact(url), close: func() error { return nil }}
	if name == "db_text" {
		c.source = url // without a password
	}
	if h.Offline {
		if name == "db_text" {
			return c, nil
		}
		return c, db.CheckURL(url)
	}
	d, closed, err := driver.OpenDB(ctx, url)
	if err != nil {
		return nil, &module.SharedError{Err: err}
	}
	c.DB, c.close = d, closed
	return c, nil
}

// find asks the host for the driver; mysql is the name that db_mysql once had.
func find(h *module.Host, name string) (Driver, bool) {
	if d, ok := h.Module(name).(Driver); ok {
		return d, true
	}
	d, ok := h.Module(strings.TrimPrefix(name, "db_")).(Driver)
	return d, ok
}

// absolute takes the relative path of a file or folder from the configuration's
// folder.
func absolute(h *module.Host, name, url string) string {
	_, path, _ := strings.Cut(url, ":")
	path = strings.TrimPrefix(path, "//")
	switch {
	case name == "db_text":
		if h.ConfigPath != "" && !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(h.ConfigPath), path)
		}
		return "text:" + filepath.Clean(path) // one form, so that one folder has one pool
	case name != "db_sqlite", h.ConfigPath == "", path == "", path == ":memory:", filepath.IsAbs(path):
		return url
	}
	return "sqlite:" + filepath.Join(filepath.Dir(h.ConfigPath), path)
}

// Source names the database in messages; it has no password.
func (c *Conn) Source() string { return c.source }

// Close gives the hold back; the pool ends with the last one. The Stmts made
// here must not be in use any more.
func (c *Conn) Close() error {
	if c == nil {
		return nil
	}
	return c.close()
}

// Query makes a prepared statement that reads, with ? for its arguments; nil
// where databases are left alone.
func (c *Conn) Query(query string) *db.Stmt {
	if c.DB == nil {
		return nil
	}
	return c.DB.Query(query)
}

// Lookup makes a statement that finds one row by texts and remembers it while
// the database stays as it is; nil where databases are left alone.
func (c *Conn) Lookup(query string, columns int) *db.Lookup {
	if c.DB == nil {
		return nil
	}
	return c.DB.Lookup(query, columns)
}

// Command makes a prepared statement that writes, with ? for its arguments;
// nil where databases are left alone.
func (c *Conn) Command(query string) *db.Stmt {
	if c.DB == nil {
		return nil
	}
	return c.DB.Command(query)
}

// Version is the number of a table in the table version; 0 when it has none
// there.
func (c *Conn) Version(ctx context.Context, table string) (int, error) {
	if c.DB == nil {
		return 0, nil
	}
	ts, err := schema.Inspect(ctx, c.DB)
	if err != nil || ts[table] == nil {
		return 0, err
	}
	return ts[table].Version, nil
}

// Table is what a module wants of a table.
type Table struct {
	Name    string
	Version int      // 0: any
	Columns []string // that must be there
}

// Require is what a module asks at Init: the database is of the flavour
// (db.Auto: any), and the tables are there, with their versions and columns.
// The error wraps a *[schema.MismatchError]: one sentence that names the command
// that helps.
func (c *Conn) Require(ctx context.Context, f db.Flavour, tables ...Table) error {
	if c.DB == nil {
		return nil
	}
	ts, err := schema.Inspect(ctx, c.DB)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := c.require(ts, f, t); err != nil {
			return &module.SharedError{Err: err}
		}
	}
	return nil
}

// CheckVersion is Require for one table of Kamailio's.
func (c *Conn) CheckVersion(ctx context.Context, table string, want int) error {
	return c.Require(ctx, db.Kamailio, Table{Name: table, Version: want})
}

func (c *Conn) require(ts schema.Tables, f db.Flavour, t Table) error {
	if found := other(ts, f); found != "" { // one sentence for all modules that stumble over it
		return &schema.MismatchError{
			Source: c.source, Found: fmt.Sprintf("tables of the %s flavour", found),
			Wanted: fmt.Sprintf("the %s flavour", f), Command: "sipctl db migrate",
		}
	}
	err := ts.Check(c.source, f, schema.Need{Table: t.Name, Version: t.Version, Columns: t.Columns})
	if m, ok := errors.AsType[*schema.MismatchError](err); ok && c.UnixTime {
		// No command of ours changes text files.
		return fmt.Errorf("table %s of %s: found %s, wanted %s; write it into the file %[1]s there, and its number into the file version", t.Name, c.source, m.Found, m.Wanted)
	}
	return err
}

// other is the flavour that the tables are of when it is not the one wanted.
func other(ts schema.Tables, f db.Flavour) db.Flavour {
	ser, kam := ts.Has("credentials", "auth_username", "uid"), ts.Has("subscriber", "username")
	switch {
	case f == db.Kamailio && ser && !kam:
		return db.SER
	case f == db.SER && kam && !ser:
		return db.Kamailio
	}
	return ""
}
