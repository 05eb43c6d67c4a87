package schema

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sipd/db"
)

// A dump is lines of JSON: a head, which has every table in our own notation;
// for each table a line {"rows": NAME} and its rows as arrays; an end with the
// counts, so that a dump that was cut off does not pass for a whole one.
//
// Text is text; bytes that are no UTF-8, and blobs, are {"b64": …}. A time is
// the wall clock that the database has, 2006-01-02 15:04:05, or, where it has an
// instant (a Julian day in SQLite), that in UTC, 2006-01-02T15:04:05Z.

type dumpHead struct {
	Dump    string      `json:"dump"` // "sipd"
	Format  int         `json:"format"`
	Engine  db.Engine   `json:"engine"`
	Flavour db.Flavour  `json:"flavour"`
	Release string      `json:"release"` // as far as the tables tell
	Tables  []dumpTable `json:"tables"`
}

type dumpTable struct {
	Name    string     `json:"name"`
	Columns []string   `json:"columns"`
	Primary []string   `json:"primary,omitempty"`
	Unique  [][]string `json:"unique,omitempty"`
	Index   [][]string `json:"index,omitempty"`
}

type dumpMark struct {
	Rows string    `json:"rows,omitempty"`
	End  *dumpSums `json:"end,omitempty"`
}

type dumpSums struct {
	Tables int `json:"tables"`
	Rows   int `json:"rows"`
}

const (
	dumpName   = "sipd"
	dumpFormat = 1
)

// DumpOptions choose what Dump writes.
type DumpOptions struct {
	Only  []string // tables; nil: all
	SQL   bool     // statements of the engine instead of lines of JSON
	Data  bool     // SQL: rows alone, without CREATE TABLE
	Forms bool     // SQL: CREATE TABLE alone, without rows
}

// Dump writes all rows of a database, or of some of its tables, as of one
// moment and in bounded memory, and says how many there were by table. Views
// are left out.
func Dump(ctx context.Context, d *db.DB, w io.Writer, o DumpOptions) (db.Counts, error) {
	s, err := NewSurvey(ctx, d, nil)
	if err != nil {
		return nil, err
	}
	var tables []*FoundTable
	for _, name := range s.Found.names() {
		if t := s.Found[name]; !t.View && (o.Only == nil || slices.Contains(o.Only, name)) {
			tables = append(tables, t)
		}
	}
	for _, name := range o.Only {
		if s.Found[name] == nil {
			return nil, s.Found.Check(d.Source(), db.Auto, Need{Table: name})
		}
	}
	out := bufio.NewWriterSize(w, 1<<16)
	counts := make(db.Counts)
	var form dumper = &jsonDumper{e: d.Engine, out: out}
	if o.SQL {
		form = &sqlDumper{d: d.Dialect, flavour: s.Flavour, data: o.Data, out: out}
	}
	err = d.View(ctx, func(tx *db.Tx) error {
		if err := form.head(s, tables); err != nil {
			return err
		}
		for _, t := range tables {
			if o.Forms {
				if err := form.table(t); err != nil {
					return err
				}
				continue
			}
			n, err := dumpRows(ctx, tx, t, form)
			if err != nil {
				return fmt.Errorf("dump table %s: %w", t.Name, err)
			}
			counts[t.Name] = n
		}
		return form.end(len(tables), counts.Total())
	})
	if err != nil {
		return counts, err
	}
	return counts, out.Flush()
}

// dumper writes one form of a dump.
type dumper interface {
	head(s *Survey, tables []*FoundTable) error
	table(t *FoundTable) error
	row(t *FoundTable, columns []*Column, values []any) error
	end(tables, rows int) error
}

func dumpRows(ctx context.Context, tx *db.Tx, t *FoundTable, form dumper) (int, error) {
	if err := form.table(t); err != nil {
		return 0, err
	}
	columns := t.Named()
	values, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	query := "SELECT " + tx.QuoteAll(t.Order) + " FROM " + tx.Quote(t.Name)
	if t.Primary != nil {
		query += " ORDER BY " + tx.QuoteAll(t.Primary)
	}
	n := 0
	err := tx.Each(ctx, query, func(scan func(...any) error) error {
		if err := scan(dest...); err != nil {
			return err
		}
		n++
		for i, v := range values {
			values[i] = plain(columns[i], v)
		}
		return form.row(t, columns, values)
	})
	return n, err
}

// plain gives a driver's value one of few types: nil, int64, uint64, float64,
// bool, string for text and times, []byte for the rest.
func plain(c *Column, v any) any {
	switch x := v.(type) {
	case []byte:
		return plainBytes(c, x)
	case string:
		if c.Kind == Blob || !utf8.ValidString(x) {
			return []byte(x)
		}
	case int:
		return int64(x)
	case int32:
		return int64(x)
	case int16:
		return int64(x)
	case float32:
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
		return f
	case float64:
		if c.Kind == Datetime || c.Kind == Stamp {
			var t db.Time
			if t.Scan(x) == nil && !t.IsZero() {
				return t.UTC().Format(time.RFC3339)
			}
		}
	case time.Time:
		if x.IsZero() {
			return zeroDate
		}
		return x.Format(time.DateTime)
	}
	return v
}

// plainBytes reads what MySQL sends as text.
func plainBytes(c *Column, x []byte) any {
	switch c.Kind {
	case Integer:
		if n, err := strconv.ParseInt(string(x), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(string(x), 10, 64); err == nil {
			return n
		}
	case Float, Double:
		if f, err := strconv.ParseFloat(string(x), 64); err == nil {
			return f
		}
	}
	if c.Kind != Blob && utf8.Valid(x) {
		return string(x)
	}
	return slices.Clone(x)
}

type jsonDumper struct {
	e   db.Engine
	out *bufio.Writer
}

func (j *jsonDumper) line(v any) error {
	enc := json.NewEncoder(j.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (j *jsonDumper) head(s *Survey, tables []*FoundTable) error {
	h := dumpHead{Dump: dumpName, Format: dumpFormat, Engine: j.e, Flavour: s.Flavour, Release: s.String(), Tables: []dumpTable{}}
	for _, t := range tables {
		x := dumpTable{Name: t.Name, Primary: t.Primary}
		for _, c := range t.Named() {
			x.Columns = append(x.Columns, s.declared(j.e, t.Name, c).String())
		}
		for _, k := range t.Keys {
			switch {
			case k.Partial:
			case k.Unique:
				x.Unique = append(x.Unique, k.Columns)
			default:
				x.Index = append(x.Index, k.Columns)
			}
		}
		h.Tables = append(h.Tables, x)
	}
	return j.line(h)
}

// declared is a column as its release declares it, where the engine has it so:
// another engine may know more of its type (unsigned, long text).
func (s *Survey) declared(e db.Engine, table string, have *Column) *Column {
	if s.family == nil || len(s.Releases) == 0 {
		return have
	}
	release := s.Releases[0]
	if slices.Contains(s.Releases, s.Wanted.Number) {
		release = s.Wanted.Number
	}
	h := s.family.byName[table]
	if h == nil {
		return have
	}
	t := h.table(s.family.byRelease(release))
	if t == nil {
		return have
	}
	c := t.Column(have.Name)
	if c == nil || len(c.compare(e, s.family.flavour, table, have)) > 0 {
		return have
	}
	return c
}

func (j *jsonDumper) table(t *FoundTable) error { return j.line(dumpMark{Rows: t.Name}) }

func (j *jsonDumper) row(_ *FoundTable, _ []*Column, values []any) error {
	out := make([]any, len(values))
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			v = map[string]string{"b64": base64.StdEncoding.EncodeToString(b)}
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			v = nil // JSON has none, and no elder writes one
		}
		out[i] = v
	}
	return j.line(out)
}

func (j *jsonDumper) end(tables, rows int) error {
	return j.line(dumpMark{End: &dumpSums{tables, rows}})
}

// sqlDumper writes statements that the engine's own client reads.
type sqlDumper struct {
	d       db.Dialect
	flavour db.Flavour
	data    bool
	out     *bufio.Writer
}

func (s *sqlDumper) head(survey *Survey, _ []*FoundTable) error {
	begin := "BEGIN"
	if s.d.Engine == db.MySQL {
		begin = "SET NAMES utf8mb4;\nSET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION';\nSTART TRANSACTION"
	}
	_, err := fmt.Fprintf(s.out, "-- %s, for %s\n%s;\n", survey, s.d.Engine, begin)
	return err
}

func (s *sqlDumper) table(t *FoundTable) error {
	if s.data {
		return nil
	}
	for _, sql := range t.asTable().DDL(s.d, s.flavour) {
		if _, err := fmt.Fprintf(s.out, "%s;\n", sql); err != nil {
			return err
		}
	}
	return nil
}

// asTable is the table in our own words.
func (t *FoundTable) asTable() *Table {
	out := &Table{Name: t.Name, Primary: t.Primary}
	for _, c := range t.Named() {
		w := *c
		if w.Size < 0 {
			w.Size = 16
		}
		out.Columns = append(out.Columns, w)
	}
	for _, k := range t.Keys {
		if !k.Partial {
			out.Keys = append(out.Keys, k.Key)
		}
	}
	return out
}

func (s *sqlDumper) row(t *FoundTable, columns []*Column, values []any) error {
	lit := make([]string, len(values))
	for i, v := range values {
		lit[i] = s.literal(columns[i], v)
	}
	_, err := fmt.Fprintf(s.out, "INSERT INTO %s (%s) VALUES (%s);\n", s.d.Quote(t.Name), s.d.QuoteAll(t.Order), strings.Join(lit, ", "))
	return err
}

// literal spells a value so that no client reads anything into it.
func (s *sqlDumper) literal(c *Column, v any) string {
	switch x := v.(type) {
	case nil:
		return "NULL"
	case int64, uint64:
		return fmt.Sprint(x)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case bool:
		return strings.ToUpper(strconv.FormatBool(x))
	case []byte:
		if s.d.Engine == db.PostgreSQL {
			return `'\x` + hex.EncodeToString(x) + "'"
		}
		return "X'" + hex.EncodeToString(x) + "'"
	case string:
		if t, err := time.Parse(time.RFC3339, x); err == nil && s.d.Engine == db.SQLite && (c.Kind == Datetime || c.Kind == Stamp) {
			return strconv.FormatFloat(s.d.Time(t, time.UTC).(float64), 'f', -1, 64)
		}
		if s.d.Engine != db.PostgreSQL && strings.ContainsFunc(x, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			if s.d.Engine == db.MySQL {
				return "CONVERT(X'" + hex.EncodeToString([]byte(x)) + "' USING utf8mb4)"
			}
			return "CAST(X'" + hex.EncodeToString([]byte(x)) + "' AS TEXT)"
		}
		return s.d.Literal(x)
	}
	return s.d.Literal(fmt.Sprint(v))
}

func (s *sqlDumper) end(int, int) error {
	_, err := s.out.WriteString("COMMIT;\n")
	return err
}
