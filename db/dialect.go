package db

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// Engine is a database product.
type Engine string

// Engines.
const (
	SQLite     Engine = "sqlite"
	MySQL      Engine = "mysql" // and MariaDB
	PostgreSQL Engine = "postgres"
)

// Engines lists them all.
func Engines() []Engine { return []Engine{SQLite, MySQL, PostgreSQL} }

// Dialect is how an engine spells what differs.
type Dialect struct {
	Engine Engine
	// UnixTime says that times are seconds since 1970 in columns of numbers, as
	// in Kamailio's tables in text files.
	UnixTime bool
}

// Quote makes an identifier safe in SQL whatever it holds.
func (d Dialect) Quote(name string) string {
	if d.Engine == MySQL {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteAll quotes and joins with ", ".
func (d Dialect) QuoteAll(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = d.Quote(n)
	}
	return strings.Join(q, ", ")
}

// Literal spells a text as an SQL string. It is for DDL defaults, which
// cannot be bound; data goes in as arguments.
func (d Dialect) Literal(v string) string {
	v = strings.ReplaceAll(v, "'", "''")
	if d.Engine == MySQL {
		v = strings.ReplaceAll(v, `\`, `\\`)
	}
	return "'" + v + "'"
}

// Rebind turns the ? of a query into what the engine wants. A ? inside a
// quoted text counts too: bind texts instead of writing them.
func (d Dialect) Rebind(query string) string {
	if d.Engine == PostgreSQL {
		return sqlx.Rebind(sqlx.DOLLAR, query)
	}
	return query
}

// Upsert is an INSERT of columns that updates the row with the same key
// instead when there is one. key must be the columns of a unique index; the
// arguments are those of columns, in order.
func (d Dialect) Upsert(table string, key, columns []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES (%s)", d.Quote(table), d.QuoteAll(columns),
		strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", "))
	isKey := make(map[string]bool, len(key))
	for _, k := range key {
		isKey[k] = true
	}
	var set []string
	for _, c := range columns {
		switch q := d.Quote(c); {
		case isKey[c]:
		case d.Engine == MySQL:
			set = append(set, q+" = VALUES("+q+")")
		default:
			set = append(set, q+" = excluded."+q)
		}
	}
	switch {
	case d.Engine == MySQL && len(set) == 0:
		q := d.Quote(key[0])
		b.WriteString(" ON DUPLICATE KEY UPDATE " + q + " = " + q)
	case d.Engine == MySQL:
		b.WriteString(" ON DUPLICATE KEY UPDATE " + strings.Join(set, ", "))
	case len(set) == 0:
		fmt.Fprintf(&b, " ON CONFLICT (%s) DO NOTHING", d.QuoteAll(key))
	default:
		fmt.Fprintf(&b, " ON CONFLICT (%s) DO UPDATE SET %s", d.QuoteAll(key), strings.Join(set, ", "))
	}
	return b.String()
}

// The Julian day of 1970-01-01T00:00:00Z.
const julianEpoch = 2440587.5

// Time is what to bind for a datetime column. Servers get the wall clock of
// zone as text: Kamailio writes local time (time.Local), SER writes UTC. In
// SQLite it is the Julian day of the instant, a double, because Kamailio's
// db_sqlite reads nothing else; the half second is what db_sqlite subtracts.
func (d Dialect) Time(t time.Time, zone *time.Location) any {
	if d.UnixTime {
		return t.Unix()
	}
	if d.Engine == SQLite {
		return (float64(t.Unix())-0.5)/86400 + julianEpoch
	}
	return t.In(zone).Format(time.DateTime)
}

// Time reads a datetime column of any engine and origin: text, a time.Time
// whose zone label means nothing (drivers say UTC), a Julian day, Unix seconds.
// Wall clocks are of Zone (nil is UTC). NULL and the elders' "never" dates
// (0000-00-00, 1900-01-01, 2000-01-01 00:00:01) give the zero time.
type Time struct {
	time.Time
	Zone *time.Location
}

// Scan implements sql.Scanner.
func (t *Time) Scan(src any) error {
	zone := t.Zone
	if zone == nil {
		zone = time.UTC
	}
	t.Time = time.Time{}
	switch v := src.(type) {
	case nil:
	case time.Time:
		t.Time = time.Date(v.Year(), v.Month(), v.Day(), v.Hour(), v.Minute(), v.Second(), 0, zone)
	case float64:
		return t.number(v)
	case int64:
		return t.number(float64(v))
	case []byte:
		return t.text(string(v), zone)
	case string:
		return t.text(v, zone)
	default:
		return fmt.Errorf("datetime column holds a %T", src)
	}
	t.never()
	return nil
}

// number tells a Julian day (about 2.4 million today) from Unix seconds.
func (t *Time) number(v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("datetime column holds %v", v)
	}
	sec := v
	if v > 0 && v < 1e7 { // the year 22666; as Unix seconds, April 1970
		// Up to half a second early when db_sqlite wrote it, exact when
		// SQLite's own functions did: both round to the same second.
		sec = math.Floor((v-julianEpoch)*86400 + 0.75)
	}
	t.Time = time.Unix(int64(sec), 0)
	t.never()
	return nil
}

func (t *Time) text(s string, zone *time.Location) error {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasPrefix(s, "0000-00-00") {
		return nil
	}
	for _, layout := range [...]string{time.DateTime, "2006-01-02 15:04", time.DateOnly, "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00"} {
		if v, err := time.ParseInLocation(layout, s, zone); err == nil {
			t.Time = v
			t.never()
			return nil
		}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return t.number(f)
	}
	return fmt.Errorf("datetime column holds %q", s)
}

// never turns the placeholder dates into the zero time.
func (t *Time) never() {
	y, m, d := t.Date()
	h, mi, s := t.Clock()
	if y <= 1900 || y == 2000 && m == 1 && d == 1 && h == 0 && mi == 0 && s <= 1 {
		t.Time = time.Time{}
	}
}
