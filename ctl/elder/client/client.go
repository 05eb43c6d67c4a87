// Package client prints the rows of a query as the database programs print
// them that the elders run: sqlite3, mysql and psql. Scripts cut these lines
// apart, so separators, headers and the spelling of NULL are theirs.
package client

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sipd/ctl/output"
	"sipd/db"
)

// Form is how rows are printed.
type Form uint8

// The forms. Which one an elder uses follows from its engine.
const (
	List     Form = iota // sqlite3, psql -A -t: a|b, no header, NULL is empty
	Tabs                 // psql with kamctl's fieldsep: as List, with tabs
	Batch                // mysql into a pipe: header, tabs, NULL
	Box                  // mysql at a terminal
	Vertical             // mysql with \G: a column a line
)

// Printer prints query results.
type Printer struct {
	Out  io.Writer
	Form Form
	// Terminal says that a person reads Out: control characters in cells are
	// escaped.
	Terminal bool
}

// Query runs a query with ? for its arguments and prints its rows.
func (p Printer) Query(ctx context.Context, d *db.DB, query string, args ...any) error {
	rows, err := d.Reader().QueryContext(ctx, d.Rebind(query), args...)
	if err != nil {
		return d.Wrap(err)
	}
	defer rows.Close()
	if err := p.Rows(rows, d.Engine); err != nil {
		return d.Wrap(err)
	}
	return nil
}

// cell is a value as the client spells it; null has its own spelling.
type cell struct {
	text   string
	null   bool
	number bool
}

// Rows prints what is left of rows.
func (p Printer) Rows(rows *sql.Rows, e db.Engine) error {
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	var w writer
	switch names := columnNames(types); p.Form {
	case Batch:
		w = &batch{out: p.Out, names: names}
	case Box:
		w = &box{out: p.Out, names: names}
	case Vertical:
		w = &vertical{out: p.Out, names: names}
	case Tabs:
		w = list{p.Out, "\t"}
	default:
		w = list{p.Out, "|"}
	}
	values, dest := make([]any, len(types)), make([]any, len(types))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		cells := make([]cell, len(values))
		for i, v := range values {
			cells[i] = spell(e, types[i], v)
			if p.Terminal {
				cells[i].text = output.Clean(cells[i].text)
			}
		}
		if err := w.row(cells); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return w.end()
}

func columnNames(types []*sql.ColumnType) []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name()
	}
	return names
}

// spell writes a driver's value as the engine's own client does.
func spell(e db.Engine, column *sql.ColumnType, v any) cell {
	typ := column.DatabaseTypeName()
	switch x := v.(type) {
	case nil:
		return cell{null: true}
	case string:
		return cell{text: x}
	case []byte:
		if e == db.PostgreSQL {
			return cell{text: fmt.Sprintf(`\x%x`, x)}
		}
		return cell{text: string(x), number: e == db.MySQL && isNumber(typ)}
	case int64:
		return cell{text: strconv.FormatInt(x, 10), number: true}
	case float64:
		return cell{text: spellFloat(e, column, x), number: true}
	case float32:
		return cell{text: spellFloat(e, column, float64(x)), number: true}
	case bool:
		if e == db.PostgreSQL {
			return cell{text: map[bool]string{true: "t", false: "f"}[x]}
		}
		return cell{text: map[bool]string{true: "1", false: "0"}[x], number: true}
	case time.Time:
		return cell{text: spellTime(typ, x)}
	}
	return cell{text: fmt.Sprint(v)}
}

func isNumber(typ string) bool {
	return strings.Contains(typ, "INT") || typ == "FLOAT" || typ == "DOUBLE" || typ == "DECIMAL" || typ == "YEAR"
}

// spellFloat: sqlite3 prints 15 digits and always a point, psql the shortest
// text that reads back as the same number, mysql as many places as the column
// was declared with.
func spellFloat(e db.Engine, column *sql.ColumnType, f float64) string {
	if e != db.SQLite {
		size := 64
		if typ := column.DatabaseTypeName(); typ == "FLOAT4" || typ == "FLOAT" {
			size = 32
		}
		if _, places, ok := column.DecimalSize(); ok && e == db.MySQL && places < 31 {
			return strconv.FormatFloat(f, 'f', int(places), size)
		}
		return strconv.FormatFloat(f, 'g', -1, size)
	}
	s := strconv.FormatFloat(f, 'g', 15, 64)
	if math.IsInf(f, 0) || strings.ContainsRune(s, '.') {
		return trimZeros(s)
	}
	if mantissa, exponent, ok := strings.Cut(s, "e"); ok {
		return mantissa + ".0e" + exponent
	}
	return s + ".0"
}

func trimZeros(s string) string {
	mantissa, exponent, hasExponent := strings.Cut(s, "e")
	mantissa = strings.TrimRight(mantissa, "0")
	if strings.HasSuffix(mantissa, ".") {
		mantissa += "0"
	}
	if hasExponent {
		return mantissa + "e" + exponent
	}
	return mantissa
}

func spellTime(typ string, t time.Time) string {
	switch {
	case t.IsZero():
		return "0000-00-00 00:00:00" // only MySQL has such a date
	case typ == "DATE":
		return t.Format(time.DateOnly)
	case typ == "TIMESTAMPTZ":
		return t.Local().Format("2006-01-02 15:04:05.999999-07")
	}
	return t.Format("2006-01-02 15:04:05.999999")
}

// writer is one form's way to write.
type writer interface {
	row(cells []cell) error
	end() error
}

type list struct {
	out io.Writer
	sep string
}

func (w list) row(cells []cell) error {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = c.text
	}
	_, err := io.WriteString(w.out, strings.Join(texts, w.sep)+"\n")
	return err
}

func (list) end() error { return nil }

// batch prints nothing at all for no rows, not even the header.
type batch struct {
	out   io.Writer
	names []string
	begun bool
}

var batchEscapes = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\x00", `\0`)

func (w *batch) row(cells []cell) error {
	var b strings.Builder
	if !w.begun {
		w.begun = true
		b.WriteString(strings.Join(w.names, "\t") + "\n")
	}
	for i, c := range cells {
		if i > 0 {
			b.WriteByte('\t')
		}
		if c.null {
			b.WriteString("NULL")
			continue
		}
		b.WriteString(batchEscapes.Replace(c.text))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w.out, b.String())
	return err
}

func (*batch) end() error { return nil }

type vertical struct {
	out   io.Writer
	names []string
	n     int
}

func (w *vertical) row(cells []cell) error {
	w.n++
	width := 0
	for _, n := range w.names {
		width = max(width, utf8.RuneCountInString(n))
	}
	var b strings.Builder
	stars := strings.Repeat("*", 27)
	fmt.Fprintf(&b, "%s %d. row %s\n", stars, w.n, stars)
	for i, c := range cells {
		if c.null {
			c.text = "NULL"
		}
		fmt.Fprintf(&b, "%s%s: %s\n", strings.Repeat(" ", width-utf8.RuneCountInString(w.names[i])), w.names[i], c.text)
	}
	_, err := io.WriteString(w.out, b.String())
	return err
}

func (*vertical) end() error { return nil }

// box keeps all rows: the widths are known at the end only.
type box struct {
	out   io.Writer
	names []string
	rows  [][]cell
}

func (w *box) row(cells []cell) error {
	for i := range cells {
		if cells[i].null {
			cells[i].text = "NULL"
		}
	}
	w.rows = append(w.rows, cells)
	return nil
}

func (w *box) end() error {
	if len(w.rows) == 0 {
		return nil
	}
	width := make([]int, len(w.names))
	for i, n := range w.names {
		width[i] = utf8.RuneCountInString(n)
	}
	for _, r := range w.rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c.text))
		}
	}
	rule := "+"
	for _, n := range width {
		rule += strings.Repeat("-", n+2) + "+"
	}
	var b strings.Builder
	b.WriteString(rule + "\n|")
	for i, n := range w.names {
		b.WriteString(" " + n + strings.Repeat(" ", width[i]-utf8.RuneCountInString(n)) + " |")
	}
	b.WriteString("\n" + rule + "\n")
	for _, r := range w.rows {
		b.WriteByte('|')
		for i, c := range r {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c.text))
			if c.number {
				b.WriteString(" " + pad + c.text + " |")
			} else {
				b.WriteString(" " + c.text + pad + " |")
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString(rule + "\n")
	_, err := io.WriteString(w.out, b.String())
	return err
}
