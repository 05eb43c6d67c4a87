package schema

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sipd/db"
)

// ErrDump is what is no dump, or not a whole one.
var ErrDump = errors.New("not a whole dump of sipctl")

// Limits of a dump that is read.
const (
	longestDumpLine = 128 << 20 // a blob of 64 MB and its row
	dumpBatch       = 64        // rows a statement
)

// LoadOptions choose what Load does.
type LoadOptions struct {
	Replace  bool           // empty tables that have rows first
	Progress func(rows int) // called now and then
}

// Load reads a dump into a database of any engine, in one transaction and in
// bounded memory, and says how many rows went into each table. Tables that are
// not there are made as the dump has them. A table that has rows is db.ErrExists
// unless they are to be replaced; the version table then keeps its own. What is
// no whole dump is [ErrDump]; a value that does not fit is a *db.FieldError that
// names the line. Whatever the error, nothing was changed.
func Load(ctx context.Context, d *db.DB, r io.Reader, o LoadOptions) (db.Counts, error) {
	l := &loader{d: d, o: o, in: bufio.NewReaderSize(r, 1<<16), counts: make(db.Counts), zone: time.Local}
	var head dumpHead
	if err := l.decode(&head); err != nil || head.Dump != dumpName {
		return nil, fmt.Errorf("%w: its first line says so", ErrDump)
	}
	if head.Format != dumpFormat {
		return nil, fmt.Errorf("%w: it has format %d, this program reads %d", ErrDump, head.Format, dumpFormat)
	}
	if l.flavour = head.Flavour; l.flavour == db.SER {
		l.zone = time.UTC // as SER writes its wall clocks
	}
	if err := l.prepare(ctx, &head); err != nil {
		return nil, err
	}
	tries := 0
	err := d.Tx(ctx, func(tx *db.Tx) error {
		if tries++; tries > 1 {
			return errors.New("others changed the database meanwhile; nothing was loaded, run it again")
		}
		return l.run(ctx, tx)
	})
	if err != nil && d.Engine == db.MySQL { // which commits every new table by itself
		for _, t := range l.made {
			_, e := d.Writer().ExecContext(context.WithoutCancel(ctx), "DROP TABLE "+d.Quote(t.Name))
			err = errors.Join(err, e)
		}
	}
	return l.counts, err
}

// loader is one Load.
type loader struct {
	d       *db.DB
	o       LoadOptions
	in      *bufio.Reader
	n       int // line
	zone    *time.Location
	made    []*Table          // that were not there
	tables  map[string]*Table // of the dump
	have    Tables            // of the database
	empty   []string          // that are emptied first
	flavour db.Flavour
	skip    string // rows of this table are passed over
	counts  db.Counts
	total   int
}

// line reads a line; io.EOF behind the last.
func (l *loader) line() ([]byte, error) {
	l.n++
	var long []byte
	for {
		part, err := l.in.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return part, nil
		case err == nil, errors.Is(err, io.EOF) && len(long)+len(part) > 0:
			return append(long, part...), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		if long = append(long, part...); len(long) > longestDumpLine {
			return nil, fmt.Errorf("%w: line %d is longer than %d bytes", ErrDump, l.n, longestDumpLine)
		}
	}
}

func (l *loader) decode(v any) error {
	text, err := l.line()
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(v)
}

// prepare reads the tables of the head and holds them against those here.
func (l *loader) prepare(ctx context.Context, head *dumpHead) error {
	var err error
	if l.have, err = Examine(ctx, l.d); err != nil {
		return err
	}
	l.tables = make(map[string]*Table)
	var full []string
	for i := range head.Tables {
		t, err := head.Tables[i].table()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDump, err)
		}
		l.tables[t.Name] = t
		have := l.have[t.Name]
		if have == nil {
			l.made = append(l.made, t)
			continue
		}
		for _, c := range t.Columns {
			if !have.Has(strings.ToLower(c.Name)) {
				return l.have.Check(l.d.Source(), db.Auto, Need{Table: t.Name, Columns: []string{c.Name}})
			}
		}
		var n int
		if err := l.d.Reader().GetContext(ctx, &n, "SELECT COUNT(*) FROM "+l.d.Quote(t.Name)); err != nil {
			return l.d.Wrap(err)
		}
		switch {
		case n == 0:
		case l.o.Replace:
			l.empty = append(l.empty, t.Name)
		case t.Name == "version":
			l.skip = t.Name
		default:
			full = append(full, t.Name)
		}
	}
	if l.made != nil && l.d.Dry() && l.d.Engine == db.MySQL {
		names := make([]string, len(l.made))
		for i, t := range l.made {
			names[i] = t.Name
		}
		return fmt.Errorf("%w: MySQL would keep the new tables %s; make them first (sipctl db create --only), or try it on another engine", db.ErrNoDryRun, list(names, 4))
	}
	if full != nil {
		return fmt.Errorf("%s has rows already in %s: %w", l.d.Source(), list(full, 4), db.ErrExists)
	}
	return nil
}

// table reads a table of the head.
func (x *dumpTable) table() (*Table, error) {
	t := &Table{Name: x.Name, Primary: x.Primary}
	for _, line := range x.Columns {
		c, err := ParseColumn(line)
		if err != nil {
			return nil, err
		}
		if t.Column(c.Name) != nil {
			return nil, fmt.Errorf("table %q has two columns %q", x.Name, c.Name)
		}
		t.Columns = append(t.Columns, c)
	}
	for unique, keys := range map[bool][][]string{true: x.Unique, false: x.Index} {
		for _, k := range keys {
			t.Keys = append(t.Keys, Key{unique, k})
		}
	}
	for _, k := range append(slices.Clone(t.Keys), Key{true, t.Primary}) {
		for _, n := range k.Columns {
			if t.Column(n) == nil {
				return nil, fmt.Errorf("table %q has a key over %q and no such column", x.Name, n)
			}
		}
	}
	if t.Name == "" || t.Columns == nil {
		return nil, fmt.Errorf("table %q has no columns", x.Name)
	}
	return t, nil
}

func (l *loader) run(ctx context.Context, tx *db.Tx) error {
	for _, t := range l.made {
		for _, sql := range t.DDL(l.d.Dialect, l.flavour) {
			if err := tx.Do(ctx, sql); err != nil {
				return fmt.Errorf("make table %s: %w", t.Name, err)
			}
		}
	}
	for _, name := range l.empty {
		if _, err := tx.Exec(ctx, "DELETE FROM "+l.d.Quote(name)); err != nil {
			return err
		}
	}
	return l.rows(ctx, tx)
}

// rows reads all that stands behind the head.
func (l *loader) rows(ctx context.Context, tx *db.Tx) error {
	var to *Table
	var batch []any
	n := 0
	flush := func() error {
		err := l.insert(ctx, tx, to, batch)
		batch = batch[:0]
		return err
	}
	for {
		text, err := l.line()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: it has no end, so something was cut off", ErrDump)
			}
			return err
		}
		if len(text) > 0 && text[0] == '[' {
			if to == nil {
				return fmt.Errorf("%w: line %d is a row of no table", ErrDump, l.n)
			}
			n++
			if batch, err = l.row(batch, to, text); err != nil {
				return err
			}
			if len(batch) >= dumpBatch*len(to.Columns) {
				if err := flush(); err != nil {
					return err
				}
			}
			continue
		}
		var mark dumpMark
		if err := json.Unmarshal(text, &mark); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrDump, l.n, err)
		}
		if err := flush(); err != nil {
			return err
		}
		if mark.End != nil {
			if mark.End.Rows != n {
				return fmt.Errorf("%w: it says %d rows and has %d", ErrDump, mark.End.Rows, n)
			}
			return l.count(ctx, tx)
		}
		if to = l.tables[mark.Rows]; to == nil {
			return fmt.Errorf("%w: line %d: its head has no table %q", ErrDump, l.n, mark.Rows)
		}
	}
}

// row reads a row and adds its values.
func (l *loader) row(batch []any, t *Table, text []byte) ([]any, error) {
	var values []any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&values); err != nil {
		return nil, fmt.Errorf("%w: line %d: %w", ErrDump, l.n, err)
	}
	if len(values) != len(t.Columns) {
		return nil, fmt.Errorf("%w: line %d has %d values for the %d columns of %s", ErrDump, l.n, len(values), len(t.Columns), t.Name)
	}
	if t.Name == l.skip {
		return batch, nil
	}
	for i, v := range values {
		c := &t.Columns[i]
		if have := l.have[t.Name]; have != nil {
			f := have.Columns[strings.ToLower(c.Name)]
			c = &f.Column
		}
		v, err := l.value(c, v)
		if err != nil {
			return nil, fmt.Errorf("line %d, table %s: %w", l.n, t.Name, err)
		}
		batch = append(batch, v)
	}
	return batch, nil
}

// value turns what stands in a dump into what the engine takes for the column.
func (l *loader) value(c *Column, v any) (any, error) {
	switch x := v.(type) {
	case map[string]any:
		text, _ := x["b64"].(string)
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(x) != 1 {
			return nil, fmt.Errorf("%w: column %s holds neither text nor base64", ErrDump, c.Name)
		}
		if c.Kind != Blob {
			return string(b), nil
		}
		return b, nil
	case []any:
		return nil, fmt.Errorf("%w: column %s holds a list", ErrDump, c.Name)
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n, nil
		}
		if f, err := x.Float64(); err == nil && strings.ContainsAny(x.String(), ".eE") {
			return f, nil
		}
		return x.String(), nil
	case string:
		switch c.Kind {
		case Datetime, Stamp:
			return l.clock(c, x), nil
		case Blob:
			return []byte(x), nil
		case String, Fixed:
			return x, db.CheckLength(c.Name, x, c.Size)
		}
	}
	return v, nil
}

// clock is a time for the engine: wall clocks for servers, Julian days for
// SQLite, and what means "never" as it is.
func (l *loader) clock(c *Column, v string) any {
	if t, err := time.Parse(time.RFC3339, v); err == nil {
		return l.d.Time(t, l.zone)
	}
	if l.d.Engine == db.PostgreSQL && strings.HasPrefix(v, "0000-00-00") {
		if c.Null {
			return nil
		}
		return zeroDateOther
	}
	if l.d.Engine == db.SQLite {
		t := db.Time{Zone: l.zone}
		if t.Scan(v) == nil && !t.IsZero() {
			return l.d.Time(t.Time, l.zone)
		}
	}
	return v
}

func (l *loader) insert(ctx context.Context, tx *db.Tx, t *Table, batch []any) error {
	if len(batch) == 0 {
		return nil
	}
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	rows := len(batch) / len(names)
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ") + ")"
	sql := fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", l.d.Quote(t.Name), l.d.QuoteAll(names), strings.TrimSuffix(strings.Repeat(one+", ", rows), ", "))
	if _, err := tx.Exec(ctx, sql, batch...); err != nil {
		return fmt.Errorf("table %s, rows before line %d: %w", t.Name, l.n, err)
	}
	l.counts.Add(t.Name, rows)
	if l.total += rows; l.o.Progress != nil {
		l.o.Progress(l.total)
	}
	return nil
}

// count moves PostgreSQL's sequences beyond the ids that were loaded.
func (l *loader) count(ctx context.Context, tx *db.Tx) error {
	if l.d.Engine != db.PostgreSQL {
		return nil
	}
	for name := range l.counts {
		for _, c := range l.tables[name].Columns {
			if c.Auto {
				sql := fmt.Sprintf("SELECT setval(pg_get_serial_sequence(%s, %s), (SELECT MAX(%s) FROM %s))", l.d.Literal(l.d.Quote(name)), l.d.Literal(c.Name), l.d.Quote(c.Name), l.d.Quote(name))
				if err := tx.Do(ctx, sql); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
