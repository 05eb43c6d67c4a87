package reply

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"

	"sipd/ctl/plain"
	"sipd/rpc"
)

// tableForm prints a reply as rows and columns. A row is a structure without
// lists in it: a value of the reply, or an element of a list at any depth; it
// begins with the plain members of what it stands in, so that of a location
// table each contact is a row with its domain and address of record.
// Structures within are spread over columns. A value without members is a row
// with a column "value". A reply of one row is printed as names and values.
//
// Widths and columns come from the first rows; where later ones have other
// columns, a new head is printed.
type tableForm struct {
	w       *bufio.Writer
	open    []tableGroup
	columns []string
	widths  []int // nil until the head is printed
	rows    [][]string
	shown   bool // a head
}

// measured is how many rows settle the columns' widths.
const measured = 500

// maxCell bounds the width that a column takes; longer cells push the rest of
// their row.
const maxCell = 60

type tableGroup struct {
	name   string
	list   bool
	rowed  bool // rows came out of it
	fields []field
}

type field struct{ name, text string }

func newTable(w io.Writer) *tableForm { return &tableForm{w: buffered(w)} }

// cell is a value as a table shows it.
func cell(v rpc.Value) string {
	switch v := v.(type) {
	case rpc.Bytes:
		return plain.Clean(octets(v))
	case rpc.Double:
		n, _ := appendNumber(nil, float64(v))
		return string(n)
	}
	return plain.Clean(Text(v))
}

func (t *tableForm) Value(name string, v rpc.Value) error {
	text := cell(v)
	if len(t.open) == 0 {
		return t.row([]field{{"value", text}})
	}
	g := &t.open[len(t.open)-1]
	if !g.list {
		g.fields = append(g.fields, field{plain.Clean(name), text})
		return nil
	}
	g.rowed = true
	row := t.above()
	if name != "" {
		row = append(row, field{"name", plain.Clean(name)})
	}
	return t.row(append(row, field{"value", text}))
}

// above are the fields that a row begins with: those of all that is open.
func (t *tableForm) above() []field {
	var row []field
	for _, g := range t.open {
		row = append(row, g.fields...)
	}
	return row
}

func (t *tableForm) Open(name string, list bool) error {
	t.open = append(t.open, tableGroup{name: plain.Clean(name), list: list})
	return nil
}

func (t *tableForm) Close() error {
	n := len(t.open) - 1
	g := t.open[n]
	if g.rowed || g.list { // an empty list has nothing to show
		t.open = t.open[:n]
		if n > 0 && g.rowed {
			t.open[n-1].rowed = true
		}
		return nil
	}
	if n > 0 && !t.open[n-1].list { // spread over the columns of what it stands in
		t.open = t.open[:n]
		t.open[n-1].fields = append(t.open[n-1].fields, g.fields...)
		return nil
	}
	row := t.above()
	t.open = t.open[:n]
	if n > 0 {
		t.open[n-1].rowed = true
	}
	return t.row(row)
}

// row takes a row; of names that repeat, the later get a number.
func (t *tableForm) row(fields []field) error {
	row := make([]string, len(t.columns), max(len(fields), len(t.columns)))
	taken := make([]bool, len(t.columns), cap(row))
	for _, f := range fields {
		i := slices.Index(t.columns, f.name)
		for n := 2; i >= 0 && taken[i]; n++ {
			i = slices.Index(t.columns, numbered(f.name, n))
		}
		if i < 0 {
			if t.widths != nil { // the head stands: begin anew
				t.columns, t.widths = nil, nil
				return t.row(fields)
			}
			i = len(t.columns)
			t.columns = append(t.columns, t.unused(f.name))
			row, taken = append(row, ""), append(taken, false)
		}
		row[i], taken[i] = f.text, true
	}
	if t.widths != nil {
		return t.print(row)
	}
	t.rows = append(t.rows, row)
	if len(t.rows) < measured {
		return nil
	}
	return t.settle()
}

func numbered(name string, n int) string { return name + " " + strconv.Itoa(n) }

func (t *tableForm) unused(name string) string {
	column := name
	for n := 2; slices.Contains(t.columns, column); n++ {
		column = numbered(name, n)
	}
	return column
}

// settle prints the head and the rows that were kept.
func (t *tableForm) settle() error {
	t.widths = make([]int, len(t.columns))
	for _, row := range append([][]string{t.columns}, t.rows...) {
		for i, c := range row {
			t.widths[i] = min(max(t.widths[i], runewidth.StringWidth(c)), maxCell)
		}
	}
	if t.shown {
		t.w.WriteByte('\n')
	}
	t.shown = true
	err := t.print(t.columns)
	for _, row := range t.rows {
		err = t.print(row) // the first error stays
	}
	t.rows = nil
	return err
}

func (t *tableForm) print(row []string) error {
	gap := 0
	for i, c := range row {
		if c != "" {
			t.w.WriteString(strings.Repeat(" ", gap))
			gap = 0
		}
		t.w.WriteString(c)
		gap += max(t.widths[i]-runewidth.StringWidth(c), 0) + 2
	}
	return t.w.WriteByte('\n')
}

func (t *tableForm) End() error {
	switch {
	case len(t.rows) == 1 && !t.shown && len(t.columns) > 1:
		t.rows, t.columns = upright(t.columns, t.rows[0]), []string{"name", "value"}
		fallthrough
	case len(t.rows) > 0:
		_ = t.settle() // Flush has its error
	}
	return t.w.Flush()
}

// upright makes rows of one row's columns.
func upright(columns, row []string) [][]string {
	rows := make([][]string, len(columns))
	for i, c := range columns {
		rows[i] = []string{c, row[i]}
	}
	return rows
}
