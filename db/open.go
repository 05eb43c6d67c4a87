package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	memory         = ":memory:"
	connectTimeout = 5 * time.Second
	busyTimeout    = 5 * time.Second
	// Below MySQL's wait_timeout (28800 s by default, often 600 by hand), so
	// that we are the ones who close an idle connection.
	connLifetime = 5 * time.Minute
	defaultConns = 8
)

// DB is an open database: a pool to write through and one to read through.
// It is safe for concurrent use.
type DB struct {
	Dialect
	source  string
	w, r    *sqlx.DB
	timeout time.Duration
	ro, dry bool
	breaker breaker
	errors  atomic.Int64
	mem     *memoryDB // nil for what is not in memory alone
	marks   *marker   // nil where nobody can tell whether the database has changed
}

type options struct {
	create, readOnly bool
	patient          bool
	dry              bool
	conns            int
	timeout, connect time.Duration
	journal, tls     string
	params           map[string]string
}

// Option changes how [Open] opens.
type Option func(*options)

// Create makes the SQLite file when there is none, readable by its owner
// only. Server databases are not created: their administrator does that.
func Create() Option { return func(o *options) { o.create = true } }

// ReadOnly opens without writing anything; changes fail with ErrReadOnly.
func ReadOnly() Option { return func(o *options) { o.readOnly = true } }

// Patient lets a statement take as long as it takes: a change of a large table.
// Without it a MySQL connection gives up after 30 s without a word.
func Patient() Option { return func(o *options) { o.patient = true } }

// MaxConns limits how many connections read at once (default 8).
func MaxConns(n int) Option { return func(o *options) { o.conns = n } }

// Timeout is how long one statement of a [Stmt] may take when its context has
// no deadline (default 2 s).
func Timeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// ConnectTimeout is how long a new connection may take until it answers
// (default 5 s).
func ConnectTimeout(d time.Duration) Option { return func(o *options) { o.connect = d } }

// JournalMode is how a SQLite file is written: WAL (the default), DELETE,
// TRUNCATE, PERSIST, MEMORY or OFF. Other engines pass it over.
func JournalMode(mode string) Option { return func(o *options) { o.journal = mode } }

// TLS says how a MySQL connection is protected when the URL does not: "true"
// (verified), "skip-verify", "preferred" or "false". Other engines pass it over.
func TLS(mode string) Option { return func(o *options) { o.tls = mode } }

// Param is an option of a PostgreSQL connection ("sslmode", "application_name"
// …) that counts when the URL does not have it. Other engines pass it over.
func Param(name, value string) Option {
	return func(o *options) {
		if o.params == nil {
			o.params = make(map[string]string)
		}
		o.params[name] = value
	}
}

// Open opens a database by URL and asks it for a sign of life:
//
//	sqlite:PATH  sqlite:///PATH
//	mysql://USER:PASSWORD@HOST:PORT/NAME     ?socket=PATH  ?tls=true
//	postgres://USER:PASSWORD@HOST:PORT/NAME  ?host=SOCKETDIR  ?sslmode=…
//
// Errors are an *[Error] with a condition: ErrNoDatabase when the file or the
// database does not exist, ErrDenied, ErrUnavailable, ErrNotDatabase.
func Open(ctx context.Context, rawURL string, opts ...Option) (*DB, error) {
	o := options{conns: defaultConns, timeout: 2 * time.Second, connect: connectTimeout, journal: "WAL"}
	for _, f := range opts {
		f(&o)
	}
	l, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	d := &DB{Dialect: Dialect{Engine: l.engine}, source: l.String(), timeout: o.timeout, ro: o.readOnly, dry: o.dry}
	switch l.engine {
	case SQLite:
		err = d.openSQLite(l, o)
	case MySQL:
		err = d.openMySQL(l, o)
	default:
		err = d.openPostgreSQL(l, o)
	}
	if err != nil {
		return nil, d.Wrap(err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.connect)
	defer cancel()
	if err := d.Ping(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.canUndo(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Source names the database in messages; it has no password.
func (d *DB) Source() string { return d.source }

// Reader is the pool for queries. SQLite connections in it cannot write.
func (d *DB) Reader() *sqlx.DB {
	d.before()
	return d.r
}

// Writer is the pool for changes outside of [DB.Tx]. In SQLite it is one
// connection: asking it from inside a transaction waits for ever.
func (d *DB) Writer() *sqlx.DB {
	d.before()
	return d.w
}

// Ping asks for a sign of life that touches the data, not only the connection.
func (d *DB) Ping(ctx context.Context) error {
	if d.Engine == SQLite {
		// Opening a SQLite file reads nothing; this reads its first page.
		var n int
		return d.Wrap(d.r.GetContext(ctx, &n, "SELECT count(*) FROM sqlite_master"))
	}
	return d.Wrap(d.r.PingContext(ctx))
}

// Close closes the pools and waits for queries that run.
func (d *DB) Close() error {
	defer d.marks.close()
	if d.mem != nil {
		return d.closeMemory()
	}
	if d.r == d.w {
		return d.w.Close()
	}
	return errors.Join(d.r.Close(), d.w.Close())
}

// Wrap gives a driver's error its condition and the name of the database.
// nil stays nil, and what is wrapped or no matter of the database stays as it is.
func (d *DB) Wrap(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	d.errors.Add(1)
	return &Error{Source: d.source, Kind: Classify(err), Err: err}
}

// Errors is how many errors the database answered since it was opened.
func (d *DB) Errors() int64 { return d.errors.Load() }

func (d *DB) openSQLite(l *location, o options) error {
	sqlx.BindDriver("sqlite", sqlx.QUESTION)
	if o.inMemory(l.path) {
		l.path = memory
	}
	if l.path == memory {
		// One database per connection, so there is one connection.
		w, err := sqlx.Open("sqlite", sqliteDSN(l.path, "", ""))
		if err != nil {
			return err
		}
		w.SetMaxOpenConns(1)
		d.w, d.r = w, w
		return nil
	}
	if err := prepareFile(l.path, o); err != nil {
		return err
	}
	r, err := sqlx.Open("sqlite", sqliteDSN(l.path, "ro", ""))
	if err != nil {
		return err
	}
	r.SetMaxOpenConns(o.conns)
	r.SetMaxIdleConns(o.conns)
	d.r, d.w, d.marks = r, r, newMarker(l.path)
	if o.readOnly {
		return nil
	}
	w, err := sqlx.Open("sqlite", sqliteDSN(l.path, "rw", o.journal))
	if err != nil {
		return errors.Join(err, r.Close())
	}
	w.SetMaxOpenConns(1)
	d.w = w
	if o.create || o.journal != "WAL" {
		// The first writing connection sets the journal mode, which the
		// read-only pool then finds; leaving WAL needs the file for itself.
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		if err := w.PingContext(ctx); err != nil {
			return errors.Join(err, d.Close())
		}
	}
	return nil
}

// prepareFile makes the file if it should, and says early if it is not there.
func prepareFile(path string, o options) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return &Error{Source: "sqlite:" + path, Kind: ErrNotDatabase, Err: errors.New("it is a folder")}
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return &Error{Source: "sqlite:" + path, Kind: ErrDenied, Err: err}
	case !o.create:
		return &Error{Source: "sqlite:" + path, Kind: ErrNoDatabase, Err: err}
	}
	// 0600: it will hold what lets one register as somebody else.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist): // another process was faster
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist; make it first", filepath.Dir(path))
	case err != nil:
		return err
	}
	return f.Close()
}

// sqliteDSN says how a connection behaves; libraries' measurements stand
// behind every word: without _txlock=immediate, transactions that read and
// then write fail as soon as there are two of them.
func sqliteDSN(path, mode, journal string) string {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout("+strconv.Itoa(int(busyTimeout/time.Millisecond))+")")
	q.Add("_pragma", "foreign_keys(1)")
	if mode == "ro" {
		q.Add("_pragma", "query_only(1)")
	} else {
		if journal != "" {
			q.Add("_pragma", "journal_mode("+journal+")")
		}
		q.Add("_pragma", "synchronous(NORMAL)")
		q.Set("_txlock", "immediate")
	}
	q.Set("_time_format", "datetime")
	if mode != "" {
		q.Set("mode", mode)
	}
	// What means something in SQLite's URI and stands in the file name is escaped.
	return "file:" + strings.NewReplacer("%", "%25", "#", "%23").Replace(path) + "?" + q.Encode()
}

func (d *DB) openMySQL(l *location, o options) error {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName = l.user, l.password, l.name
	c.Net, c.Addr = "tcp", net.JoinHostPort(l.host, strconv.Itoa(orDefault(l.port, 3306)))
	c.ParseTime, c.Loc = true, time.UTC // labels only: see Time
	c.ClientFoundRows = true            // an UPDATE to the same values counts its rows
	c.TLSConfig = o.tls
	c.Timeout = o.connect
	if !o.patient {
		c.ReadTimeout, c.WriteTimeout = 30*time.Second, 30*time.Second
	}
	// Strict: a value that does not fit is an error and not cut off.
	c.Params = map[string]string{"sql_mode": "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"}
	c.Collation = "utf8mb4_bin"
	for key, v := range l.query {
		switch key {
		case "socket":
			c.Net, c.Addr = "unix", v[0]
		case "tls":
			c.TLSConfig = v[0]
		default:
			return fmt.Errorf("option %q is not known for mysql; there are socket and tls", key)
		}
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	d.pool(sqlx.NewDb(sql.OpenDB(connector), "mysql"), o)
	return nil
}

func (d *DB) openPostgreSQL(l *location, o options) error {
	u := url.URL{Scheme: "postgres", Path: "/" + l.name}
	u.Host = net.JoinHostPort(l.host, strconv.Itoa(orDefault(l.port, 5432)))
	if l.user != "" {
		u.User = url.UserPassword(l.user, l.password)
		if l.password == "" {
			u.User = url.User(l.user) // pgx then looks into ~/.pgpass
		}
	}
	q := l.query
	for name, v := range o.params {
		if !q.Has(name) {
			q.Set(name, v)
		}
	}
	if q.Get("connect_timeout") == "" {
		q.Set("connect_timeout", strconv.Itoa(int(max(o.connect, time.Second)/time.Second)))
	}
	u.RawQuery = q.Encode()
	p, err := sqlx.Open("pgx", u.String())
	if err != nil {
		// pgx's message may repeat the URL, password and all.
		return errors.New("the postgres URL or one of its options cannot be used")
	}
	d.pool(p, o)
	return nil
}

// pool sets the limits of a server's pool, which both reads and writes.
func (d *DB) pool(p *sqlx.DB, o options) {
	p.SetMaxOpenConns(o.conns)
	p.SetMaxIdleConns(o.conns)
	p.SetConnMaxLifetime(connLifetime)
	d.r, d.w = p, p
}

func orDefault(v, d int) int {
	if v == 0 {
		return d
	}
	return v
}
