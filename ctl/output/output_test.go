package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"sipd/ctl/plain"
)

func TestFormats(t *testing.T) {
	when := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		f    Format
		want string
	}{
		{Table, "name   port  tags  seen                  note\n" +
			"alice  5060  a, b  2026-11-24T08:00:00Z\n" +
			"b b    -1                                \\x1b[2Jx\\n\n"},
		{JSON, `[{"name":"alice","port":5060,"tags":["a","b"],"seen":"2026-11-24T08:00:00Z","note":null},` + "\n" +
			`{"name":"b b","port":-1,"tags":null,"seen":null,"note":"\u001b[2Jx\n"}]` + "\n"},
		{JSONL, `{"name":"alice","port":5060,"tags":["a","b"],"seen":"2026-11-24T08:00:00Z","note":null}` + "\n" +
			`{"name":"b b","port":-1,"tags":null,"seen":null,"note":"\u001b[2Jx\n"}` + "\n"},
		{Wide, "name   port  tags  seen                  note\n" +
			"alice  5060  a, b  2026-11-24T08:00:00Z\n" +
			"b b    -1                                \\x1b[2Jx\\n\n"},
		{YAML, "- name: alice\n  port: 5060\n  tags:\n    - a\n    - b\n  seen: \"2026-11-24T08:00:00Z\"\n  note: null\n" +
			"- name: b b\n  port: -1\n  tags: null\n  seen: null\n  note: \"\\e[2Jx\\n\"\n"},
		{CSV, "name,port,tags,seen,note\nalice,5060,\"a, b\",2026-11-24T08:00:00Z,\nb b,-1,,,\"\x1b[2Jx\n\"\n"},
		{TSV, "name\tport\ttags\tseen\tnote\nalice\t5060\ta, b\t2026-11-24T08:00:00Z\t\nb b\t-1\t\t\t\\x1b[2Jx\\n\n"},
	} {
		var b bytes.Buffer
		w := New(&b, tt.f, "name", "port", "tags", "seen", "note")
		w.Row("alice", 5060, []string{"a", "b"}, when, nil)
		w.Row("b b", int8(-1), nil, nil, "\x1b[2Jx\n")
		if err := w.Close(); err != nil || b.String() != tt.want {
			t.Errorf("%s: got %v\n%q, want\n%q", tt.f, err, b.String(), tt.want)
		}
	}
}

func TestNoRows(t *testing.T) {
	for f, want := range map[Format]string{
		Table: "a  b\n", JSON: "[]\n", JSONL: "", YAML: "[]\n", CSV: "a,b\n", TSV: "a\tb\n",
	} {
		var b bytes.Buffer
		if err := New(&b, f, "a", "b").Close(); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v; want %q", f, b.String(), err, want)
		}
	}
}

func TestRecord(t *testing.T) {
	fields := []Field{F("user", "alice"), F("aliases", []string{"a", "b"}), F("none", []string{}), F("n", 1)}
	for f, want := range map[Format]string{
		Table: "user:     alice\naliases:  a\n          b\nn:        1\n",
		JSON:  `{"user":"alice","aliases":["a","b"],"none":[],"n":1}` + "\n",
		YAML:  "user: alice\naliases:\n  - a\n  - b\nnone: []\nn: 1\n",
		CSV:   "user,aliases,none,n\nalice,\"a, b\",,1\n",
	} {
		var b bytes.Buffer
		if err := Record(&b, f, fields...); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v; want %q", f, b.String(), err, want)
		}
	}
}

// Rows after the window look as those before it.
func TestLongTable(t *testing.T) {
	var b bytes.Buffer
	w := New(&b, Table, "id", "name", "x")
	for i := range window + 3 {
		w.Row(fmt.Sprintf("%06d", i), "é日本", "end")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != window+4 {
		t.Fatalf("%d lines, want %d", len(lines), window+4)
	}
	first, last := lines[1], lines[len(lines)-1]
	if first[6:] != last[6:] {
		t.Errorf("first row %q and last row %q differ in layout", first, last)
	}
}

func TestErrors(t *testing.T) {
	if err := New(&bytes.Buffer{}, JSON, "a").Row(1, 2); err == nil {
		t.Error("a row of two cells for one column is taken")
	}
	if err := New(&bytes.Buffer{}, "xml", "a").Close(); err == nil || !strings.Contains(err.Error(), "jsonl") {
		t.Errorf("unknown format: %v, want an error that names the formats", err)
	}
	for _, f := range Formats() {
		w := New(brokenPipe{}, Format(f), "a")
		for range 5000 {
			w.Row("x")
		}
		if err := w.Close(); !errors.Is(err, errPipe) {
			t.Errorf("%s on a broken pipe: %v, want %v", f, err, errPipe)
		}
	}
}

var errPipe = errors.New("broken pipe")

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

// FuzzCells: whatever a cell holds, no control character is printed where
// people look, and programs read back what was written.
func FuzzCells(f *testing.F) {
	for _, s := range []string{"", "a", "a,b\"c", "\x1b[31m", "\u009b", "é\xff", "a\r\nb", "\\t", "=1+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b bytes.Buffer
		for _, form := range []Format{YAML, Table, TSV, JSON} {
			b.Reset()
			w := New(&b, form, "c", "d")
			w.Row(s, "x")
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			body := strings.ReplaceAll(strings.ReplaceAll(b.String(), "\n", ""), "\t", "")
			if !utf8.ValidString(body) || strings.ContainsFunc(body, plain.Unsafe) {
				t.Fatalf("%s prints %q", form, b.String())
			}
			if form == YAML {
				var rows []map[string]any
				if err := yaml.Unmarshal(b.Bytes(), &rows); err != nil || rows[0]["c"] != strings.ToValidUTF8(s, "\ufffd") {
					t.Fatalf("YAML of %q is %q, reads back as %q, %v", s, b.String(), rows, err)
				}
			}
		}
		var rows []map[string]string
		if err := json.Unmarshal(b.Bytes(), &rows); err != nil || rows[0]["c"] != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Fatalf("JSON of %q reads back as %q, %v", s, rows, err)
		}
		b.Reset()
		w := New(&b, CSV, "c", "d")
		w.Row(s, "x")
		w.Close()
		recs, err := csv.NewReader(&b).ReadAll()
		// The reader of encoding/csv takes a CR before LF away.
		if err != nil || strings.ReplaceAll(recs[1][0], "\r", "") != strings.ReplaceAll(s, "\r", "") {
			t.Fatalf("CSV of %q reads back as %q, %v", s, recs, err)
		}
	})
}
