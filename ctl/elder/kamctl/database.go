package kamctl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"sipd/ctl/elder/client"
	"sipd/ctl/output"
	"sipd/db"
)

// chooseEngine reads DBENGINE, in the spellings that the elder takes.
func (k *control) chooseEngine() error {
	switch name := k.rc.get("DBENGINE", ""); name {
	case "MYSQL", "mysql", "MySQL":
		k.engine = db.MySQL
	case "PGSQL", "pgsql", "postgres", "postgresql", "POSTGRESQL":
		k.engine = db.PostgreSQL
	case "SQLITE", "sqlite":
		k.engine = db.SQLite
	case "":
		if k.DefaultDB == nil {
			return nil
		}
		u, err := k.DefaultDB()
		if err != nil || u == "" {
			return err
		}
		k.engine = engineOf(u)
	default:
		k.warn("database engine not found - tried '%s'", name)
	}
	return nil
}

func engineOf(u string) db.Engine {
	switch scheme, _, _ := strings.Cut(strings.ToLower(u), ":"); scheme {
	case "mysql", "mariadb":
		return db.MySQL
	case "postgres", "postgresql", "pgsql":
		return db.PostgreSQL
	}
	return db.SQLite
}

// needEngine is the elder's require_dbengine.
func (k *control) needEngine() error {
	if k.engine == "" {
		k.error("This command requires a database engine - none was loaded")
		fmt.Fprintln(k.Err, "kamctl: set DBENGINE in ~/.kamctlrc or /etc/kamailio/kamctlrc: MYSQL, PGSQL or SQLITE")
		return noEngine
	}
	return nil
}

// reader opens the database for queries: as DBROUSER on a server.
func (k *control) reader(ctx context.Context) (*db.DB, error) {
	if k.ro != nil {
		return k.ro, nil
	}
	if k.rw != nil && k.engine == db.SQLite {
		return k.rw, nil
	}
	if err := k.needEngine(); err != nil {
		return nil, err
	}
	u, err := k.url(k.rc.get("DBROUSER", "kamailioro"), func() (string, error) { return k.rc.get("DBROPW", "kamailioro"), nil })
	if err != nil {
		return nil, err
	}
	k.ro, err = db.Open(ctx, u, db.ReadOnly())
	return k.ro, err
}

// writer opens the database for changes: as DBRWUSER on a server, whose
// password is asked for when no setting has it.
func (k *control) writer(ctx context.Context) (*db.DB, error) {
	if k.rw != nil {
		return k.rw, nil
	}
	if err := k.needEngine(); err != nil {
		return nil, err
	}
	user := k.rc.get("DBRWUSER", "kamailio")
	u, err := k.url(user, func() (string, error) { return k.password(user) })
	if err != nil {
		return nil, err
	}
	k.rw, err = db.Open(ctx, u)
	return k.rw, err
}

func (k *control) password(user string) (string, error) {
	if pw := k.rc.get("DBRWPW", ""); pw != "" {
		return pw, nil
	}
	product := map[db.Engine]string{db.MySQL: "MySQL", db.PostgreSQL: "PgSQL"}[k.engine]
	fmt.Fprintf(k.Err, "%s password for user '%s@%s': ", product, user, k.rc.get("DBHOST", "localhost"))
	defer fmt.Fprintln(k.Out)
	if f, ok := k.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b, err := term.ReadPassword(int(f.Fd()))
		return string(b), err
	}
	return k.line(), nil
}

// url makes the address of the database out of the settings.
func (k *control) url(user string, password func() (string, error)) (string, error) {
	if k.rc.get("DBENGINE", "") == "" {
		return k.DefaultDB()
	}
	if k.engine == db.SQLite {
		path := k.rc.get("DB_PATH", "")
		if path == "" {
			return "", errors.New("DB_PATH is not set in kamctlrc; it names the SQLite file")
		}
		return "sqlite:" + path, nil
	}
	pw, err := password()
	if err != nil {
		return "", err
	}
	u := url.URL{
		Scheme: string(k.engine), User: url.UserPassword(user, pw), Host: k.rc.get("DBHOST", "localhost"),
		Path: "/" + k.rc.get("DBNAME", "kamailio"),
	}
	port := k.rc.get("DBPORT", "")
	q := url.Values{}
	switch socket := k.socket(u.Host, port); {
	case strings.HasPrefix(u.Host, "/"): // psql takes a folder, mysql a host alone
		q.Set("host", u.Host)
		u.Host = "localhost"
	case socket != "":
		q.Set("socket", socket)
	}
	if port != "" {
		u.Host += ":" + port
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// socket is where the mysql program finds the server of localhost.
func (k *control) socket(host, port string) string {
	if k.engine != db.MySQL || host != "localhost" || port != "" {
		return ""
	}
	for _, p := range []string{os.Getenv("MYSQL_UNIX_PORT"), "/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"} {
		if p == "" {
			continue
		}
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}

// traced prints the line in which the elder shows what it hands to the
// database program: always for SQLite, for PostgreSQL on changes. Passwords and
// hashes, which it shows too, are *** here.
func (k *control) traced(sql string, change bool) {
	switch {
	case k.engine == db.SQLite:
		k.echo("sqlite_query: sqlite3  %s %s", k.rc.get("DB_PATH", ""), output.Clean(sql))
	case k.engine == db.PostgreSQL && change:
		k.echo("pgsql_query: psql  -A -q -t -P fieldsep='\t' -h %s -U %s %s -c '%s'",
			k.rc.get("DBHOST", "localhost"), k.rc.get("DBRWUSER", "kamailio"), k.rc.get("DBNAME", "kamailio"), output.Clean(sql))
	}
}

// printer prints rows as the engine's client does.
func (k *control) printer(change bool) client.Printer {
	p := client.Printer{Out: k.Out, Terminal: k.terminal}
	switch {
	case k.engine == db.PostgreSQL && change:
		p.Form = client.Tabs
	case k.engine == db.MySQL:
		p.Form = client.Batch
		if f, ok := k.In.(*os.File); ok && k.terminal && term.IsTerminal(int(f.Fd())) {
			p.Form = client.Box
		}
	}
	return p
}

// show prints a query: columns of a table (all for none), the rows that have
// the values of where, in an order.
func (k *control) show(ctx context.Context, q query) error {
	d, err := k.reader(ctx)
	if err != nil {
		return err
	}
	sql, args := q.sql(d.Dialect)
	k.traced(q.text(d.Dialect), false)
	p := k.printer(false)
	if q.vertical {
		p.Form = client.Vertical
	}
	return p.Query(ctx, d, sql, args...)
}

// query is a SELECT.
type query struct {
	table    string
	columns  []string // expressions of ours, not of the user; none is *
	where    []field
	order    []string
	vertical bool
}

func (q query) head(d db.Dialect) string {
	columns := "*"
	if q.columns != nil {
		columns = strings.Join(q.columns, ", ")
	}
	return "SELECT " + columns + " FROM " + d.Quote(q.table)
}

func (q query) tail() string {
	if q.order == nil {
		return ""
	}
	return " ORDER BY " + strings.Join(q.order, ", ")
}

func (q query) sql(d db.Dialect) (string, []any) {
	var args []any
	var conds []string
	for _, f := range q.where {
		conds = append(conds, d.Quote(f.column)+" = ?")
		args = append(args, f.bare())
	}
	return q.head(d) + where(conds) + q.tail(), args
}

func (q query) text(d db.Dialect) string {
	var conds []string
	for _, f := range q.where {
		conds = append(conds, f.column+"="+f.literal(d))
	}
	return strings.Replace(q.head(d), d.Quote(q.table), q.table, 1) + where(conds) + q.tail() + ";"
}

func where(conds []string) string {
	if conds == nil {
		return ""
	}
	return " WHERE " + strings.Join(conds, " AND ")
}

// joined is the expression a@b under a name, which each engine spells in its way.
func joined(d db.Dialect, a, b, name string) string {
	if d.Engine == db.MySQL {
		return fmt.Sprintf("CONCAT(%s, '@', %s) AS %s", a, b, d.Quote(name))
	}
	return fmt.Sprintf("%s || '@' || %s AS %s", a, b, d.Quote(name))
}
