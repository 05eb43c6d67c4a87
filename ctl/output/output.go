// Package output prints what a command has to show, in the form that the
// user asked for with -o: a table for people, JSON, JSON lines, YAML, CSV or
// tab-separated text for programs. sipctl and sipcmd share it; it knows
// neither SIP nor databases.
//
//	w := output.New(os.Stdout, output.JSON, "domain", "did")
//	w.Row("example.net", "example.net")
//	err := w.Close() // reports the first error of any call
package output

import (
	"fmt"
	"io"
	"strings"
)

// Format is a way to print rows.
type Format string

// The formats.
const (
	// Table is aligned columns without a frame, header as given. Control
	// characters of cells are escaped.
	Table Format = "table"
	// Wide is Table; a command shows all its columns then, not those alone that
	// fit a screen.
	Wide Format = "wide"
	// JSON is one array of objects, members in the order of the columns,
	// values with their types.
	JSON Format = "json"
	// JSONL is one JSON object a line.
	JSONL Format = "jsonl"
	// YAML is a list of maps, members in the order of the columns; what reads
	// as a number without being one is quoted.
	YAML Format = "yaml"
	// CSV is RFC 4180 quoting with a header line. Lines end in LF, not CRLF:
	// readers take both, and shell loops only the former.
	CSV Format = "csv"
	// TSV is one row a line, cells separated by a tab, with a header line;
	// tab, line end and backslash in a cell are written \t \n \r \\.
	TSV Format = "tsv"
)

// Formats lists the names that [ParseFormat] takes.
func Formats() []string {
	return []string{string(Table), string(Wide), string(JSON), string(JSONL), string(YAML), string(CSV), string(TSV)}
}

// Screen tells that people read it: a table, wide or not.
func (f Format) Screen() bool { return f == Table || f == Wide }

// Nested tells that a cell may hold lists and objects.
func (f Format) Nested() bool { return f == JSON || f == JSONL || f == YAML }

// ParseFormat reads the value of -o. The error names the formats there are.
func ParseFormat(s string) (Format, error) {
	for _, f := range Formats() {
		if strings.EqualFold(s, f) {
			return Format(f), nil
		}
	}
	return "", fmt.Errorf("unknown output format %q; there are %s", s, strings.Join(Formats(), ", "))
}

// Set and Type, with String, make a Format a flag value (pflag.Value).
func (f *Format) Set(s string) error {
	v, err := ParseFormat(s)
	if err == nil {
		*f = v
	}
	return err
}

// Type is the flag's value as help shows it.
func (f *Format) Type() string { return "format" }

func (f *Format) String() string { return string(*f) }

// Writer prints rows as they come. It is for one goroutine. A failed write
// (a closed pipe) makes all later calls do nothing; [Writer.Close] reports it.
type Writer struct {
	columns []string
	form    form
	err     error
}

// form is one format's way to write.
type form interface {
	row(cells []any) error
	end() error
}

// New makes a Writer on out. An unknown format is an error at Close.
func New(out io.Writer, f Format, columns ...string) *Writer {
	w := &Writer{columns: columns}
	switch f {
	case Table, Wide:
		w.form = &tableForm{out: out, columns: columns}
	case JSON:
		w.form = &jsonForm{out: out, columns: columns}
	case JSONL:
		w.form = &jsonForm{out: out, columns: columns, lines: true}
	case YAML:
		w.form = &yamlForm{out: out, columns: columns}
	case CSV:
		w.form = newCSV(out, columns)
	case TSV:
		w.form = &tsvForm{out: out, columns: columns}
	default:
		_, w.err = ParseFormat(string(f))
		if w.err == nil {
			w.err = fmt.Errorf("output format %q is not written in lower case", f)
		}
	}
	return w
}

// Row prints one row: a cell for each column, in their order. Cells may be of
// any type that encoding/json takes; nil is an empty cell, null in JSON.
func (w *Writer) Row(cells ...any) error {
	if w.err == nil && len(cells) != len(w.columns) {
		w.err = fmt.Errorf("output: row of %d cells for %d columns", len(cells), len(w.columns))
	}
	if w.err == nil {
		w.err = w.form.row(cells)
	}
	return w.err
}

// Close prints what is still due (a table's rows, the end of a JSON array)
// and returns the first error of any call. It does not close the io.Writer.
func (w *Writer) Close() error {
	if w.err == nil {
		w.err = w.form.end()
	}
	return w.err
}

// Field is a named value of one record.
type Field struct {
	Name  string
	Value any
}

// F makes a Field.
func F(name string, value any) Field { return Field{name, value} }

// Record prints one thing with its properties: in a table a line for each
// ("name: value", values aligned; a list gets a line for each element), in
// JSON and JSON lines one object, elsewhere a header and one row.
func Record(out io.Writer, f Format, fields ...Field) error {
	switch f {
	case Table, Wide:
		return recordTable(out, fields)
	case YAML:
		return writeYAML(out, fieldsNode(fields))
	case JSON, JSONL:
		line, err := appendObject(nil, fields)
		if err != nil {
			return err
		}
		_, err = out.Write(append(line, '\n'))
		return err
	}
	names, cells := make([]string, len(fields)), make([]any, len(fields))
	for i, fl := range fields {
		names[i], cells[i] = fl.Name, fl.Value
	}
	w := New(out, f, names...)
	w.Row(cells...)
	return w.Close()
}
