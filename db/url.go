package db

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// location is a database URL taken apart.
type location struct {
	engine   Engine
	path     string // SQLite: file, or :memory:
	user     string
	password string
	host     string
	port     int
	name     string
	query    url.Values
}

// String is the location for messages: never with the password.
func (l *location) String() string {
	if l.engine == SQLite {
		return "sqlite:" + l.path
	}
	var b strings.Builder
	b.WriteString(string(l.engine) + "://")
	if l.user != "" {
		b.WriteString(l.user + "@")
	}
	if strings.ContainsRune(l.host, ':') {
		b.WriteString("[" + l.host + "]")
	} else {
		b.WriteString(l.host)
	}
	if l.port != 0 {
		fmt.Fprintf(&b, ":%d", l.port)
	}
	return b.String() + "/" + l.name
}

// Redact gives a database URL without its password, for messages. What is no
// database URL comes back as its scheme alone, for it may hold a secret.
func Redact(rawURL string) string {
	l, err := parseURL(rawURL)
	if err != nil {
		scheme, _, ok := strings.Cut(rawURL, ":")
		if !ok || strings.ContainsAny(scheme, "@/") {
			return "the database URL"
		}
		return scheme + ":…"
	}
	return l.String()
}

// parseURL reads our forms and the elders': sqlite:PATH, sqlite:///PATH
// (Kamailio), mysql://user:password@host:port/name and postgres:// likewise
// (DBURL of Kamailio, DB_URI of SER). User and password are percent-decoded
// where the escape is valid, as serctl does; so a "%" of a password is best
// written %25. A password may hold "@", "/" and ":" as they are.
func parseURL(s string) (*location, error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return nil, fmt.Errorf("database URL has no scheme; want sqlite:PATH, mysql://USER@HOST/NAME or postgres://USER@HOST/NAME")
	}
	switch strings.ToLower(scheme) {
	case "sqlite", "sqlite3", "file":
		return parseSQLite(rest)
	case "mysql", "mariadb":
		return parseServer(MySQL, rest)
	case "postgres", "postgresql", "pgsql":
		return parseServer(PostgreSQL, rest)
	case "text", "dbtext":
		return nil, fmt.Errorf("database URL begins with %q: tables in text files are opened by the daemon alone (db_text.so); change them with an editor", scheme)
	}
	return nil, fmt.Errorf("database URL begins with %q; want sqlite:PATH, mysql://USER@HOST/NAME or postgres://USER@HOST/NAME", scheme)
}

func parseSQLite(rest string) (*location, error) {
	path := strings.TrimPrefix(rest, "//")
	switch {
	case path == "":
		return nil, fmt.Errorf("database URL sqlite: names no file; want sqlite:PATH")
	case strings.ContainsAny(path, "?\x00"):
		return nil, fmt.Errorf("database URL sqlite:%q: a file name, without options after ?, is wanted", path)
	case path != memory:
		path = filepath.Clean(path)
	}
	return &location{engine: SQLite, path: path}, nil
}

func parseServer(e Engine, rest string) (*location, error) {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return nil, fmt.Errorf("%s database URL has no //; want %s://USER:PASSWORD@HOST:PORT/NAME", e, e)
	}
	if strings.HasPrefix(rest, "[") && !strings.Contains(rest, "]:") && strings.Contains(rest, "@") {
		return nil, fmt.Errorf("%s database URL with a [group] of my.cnf is not read here; give user and password", e)
	}
	l := &location{engine: e, query: url.Values{}}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, password, _ := strings.Cut(rest[:i], ":")
		l.user, l.password = unescape(user), unescape(password)
		rest = rest[i+1:]
	}
	rest, query, _ := strings.Cut(rest, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("%s database URL: options after ? cannot be read", e)
	}
	l.query = q
	host, name, _ := strings.Cut(rest, "/")
	l.name = unescape(name)
	if l.name == "" {
		return nil, fmt.Errorf("%s database URL names no database; want %s://USER:PASSWORD@HOST:PORT/NAME", e, e)
	}
	return l, l.setHost(host)
}

// setHost takes host, host:port, [v6] or [v6]:port.
func (l *location) setHost(s string) error {
	l.host = s
	port := ""
	if in, after, ok := strings.Cut(strings.TrimPrefix(s, "["), "]"); ok && s[0] == '[' {
		l.host, port = in, strings.TrimPrefix(after, ":")
	} else if h, p, ok := strings.Cut(s, ":"); ok {
		l.host, port = h, p
	}
	if l.host == "" {
		l.host = "localhost"
	}
	if port == "" {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%s database URL: port is not a number from 1 to 65535", l.engine)
	}
	l.port = int(n)
	return nil
}

func unescape(s string) string {
	if v, err := url.PathUnescape(s); err == nil {
		return v
	}
	return s
}

// CheckURL tells whether [Open] would understand a URL, without opening it.
func CheckURL(rawURL string) error {
	_, err := parseURL(rawURL)
	return err
}

// ParseName gives the engine and the name of the database that a URL means:
// for SQLite the file.
func ParseName(rawURL string) (Engine, string, error) {
	l, err := parseURL(rawURL)
	if err != nil {
		return "", "", err
	}
	if l.engine == SQLite {
		return l.engine, l.path, nil
	}
	return l.engine, l.name, nil
}

// WithName is the URL of another database on the same server, with the same
// user; a server's URL is wanted.
func WithName(rawURL, name string) (string, error) {
	l, err := parseURL(rawURL)
	if err != nil {
		return "", err
	}
	if l.engine == SQLite {
		return "", fmt.Errorf("%s is on no server", l)
	}
	host := l.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u := string(l.engine) + "://"
	if l.user != "" {
		u += url.PathEscape(l.user)
		if l.password != "" {
			u += ":" + url.PathEscape(l.password)
		}
		u += "@"
	}
	u += host
	if l.port != 0 {
		u += ":" + strconv.Itoa(l.port)
	}
	u += "/" + url.PathEscape(name)
	if len(l.query) > 0 {
		u += "?" + l.query.Encode()
	}
	return u, nil
}

// WithPassword gives a database URL with a password, where it has none of its
// own and its engine wants one.
func WithPassword(rawURL, password string) string {
	l, err := parseURL(rawURL)
	if err != nil || l.engine == SQLite || l.password != "" {
		return rawURL
	}
	scheme, rest, _ := strings.Cut(rawURL, "://")
	user := ""
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest = rest[:i], rest[i+1:]
	}
	return scheme + "://" + strings.TrimSuffix(user, ":") + ":" + url.PathEscape(password) + "@" + rest
}
