package ctl

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sipd/db"
)

var fuzzColumns = []string{"user", "password", "aliases", "attributes"}

// readAll reads to the end. An error that ends it names its line, if one does.
func readAll(t *testing.T, next func() (record, error)) []record {
	t.Helper()
	var out []record
	line := 0
	for {
		r, err := next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if mistake, ok := errors.AsType[*lineError](err); ok && mistake.line < line {
			t.Fatalf("the mistake %v is before line %d, which was read", mistake, line)
		}
		if err != nil {
			return out
		}
		if r.line <= line {
			t.Fatalf("line %d comes after line %d", r.line, line)
		}
		line = r.line
		for name := range r.cell {
			if !slices.Contains(fuzzColumns, name) {
				t.Fatalf("line %d has column %q, which nobody asked for", r.line, name)
			}
		}
		if r.err != nil && len(r.cell) > 0 {
			t.Fatalf("line %d is refused (%v) and has cells", r.line, r.err)
		}
		if r.err == nil {
			out = append(out, r)
		}
	}
}

func sameCells(t *testing.T, got, want []record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("written and read again there are %d records, before %d", len(got), len(want))
	}
	for i := range want {
		if !maps.Equal(got[i].cell, want[i].cell) {
			t.Fatalf("record %q is read again as %q", want[i].cell, got[i].cell)
		}
	}
}

// FuzzReadCSV: what is read is the same when it is written and read again; the
// rest is refused with its line.
func FuzzReadCSV(f *testing.F) {
	for _, s := range []string{"user,password\na@b,x\n", "\ufeffuser,aliases\n\"a\"\"b\",\"c\nd\"\n", "user\n\"open", "password\nx\n", "user,user\na,b\n", "user,nothing\n", "", "user,password\r\na,b,c\r\n,\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		recs := readAll(t, readCSV(strings.NewReader(text), fuzzColumns, 1))
		if len(recs) == 0 {
			return
		}
		head := slices.Sorted(maps.Keys(recs[0].cell))
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		_ = w.Write(head) // to memory
		for _, r := range recs {
			row := make([]string, len(head))
			for i, h := range head {
				// A line end in a cell is \n to csv, whatever it was.
				row[i] = strings.ReplaceAll(r.cell[h], "\r\n", "\n")
				r.cell[h] = row[i]
			}
			_ = w.Write(row)
		}
		w.Flush()
		if len(head) == 1 && slices.ContainsFunc(recs, func(r record) bool { return r.cell[head[0]] == "" }) {
			return // an empty line, which csv passes over
		}
		sameCells(t, readAll(t, readCSV(&b, fuzzColumns, 1)), recs)
	})
}

// FuzzReadJSONL: likewise.
func FuzzReadJSONL(f *testing.F) {
	for _, s := range []string{`{"user":"a@b","aliases":["x","y"],"attributes":[{"name":"n","value":"v"}]}`, `{"user":null}` + "\n\n" + `{"user":5}`, `{"user":"\ud83d"}`, `{"nothing":1}`, `[]`, `{"aliases":["a b"]}`, `{"user":true} {}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		recs := readAll(t, readJSONL(strings.NewReader(text), fuzzColumns))
		var b bytes.Buffer
		for _, r := range recs {
			line, err := json.Marshal(r.cell)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
		sameCells(t, readAll(t, readJSONL(&b, fuzzColumns)), recs)
	})
}

// FuzzAttrs: NAME=VALUE is cut at the first =, and nothing of it is lost.
func FuzzAttrs(f *testing.F) {
	for _, s := range []string{"a=b", "=", "a=b=c", "none", "ü=€", "a="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		attrs, err := parseAttrs(&cobra.Command{Use: "attr"}, []string{word}, db.AttrString)
		switch {
		case err != nil && strings.Contains(word, "="):
			t.Errorf("%q is refused: %v", word, err)
		case err == nil && (len(attrs) != 1 || attrs[0].Name+"="+attrs[0].Value != word || strings.Contains(attrs[0].Name, "=")):
			t.Errorf("%q is %+v", word, attrs)
		}
	})
}
