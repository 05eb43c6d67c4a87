package dbtext

import (
	"reflect"
	"strings"
	"testing"
)

var plain = format{delim: ':', maxField: 16384}

const sample = "id(int,auto) name(str) flag(double) desc(str,null)\n" +
	"1:nick:0.34:a\\tgood\\: friend\n2:cole:-3.75:colleague\n3:bob:2.50:\n"

func TestParse(t *testing.T) {
	cols, rows, err := plain.parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	if want := []column{{"id", kindInt, false, true}, {"name", kindStr, false, false}, {"flag", kindDouble, false, false}, {"desc", kindStr, true, false}}; !reflect.DeepEqual(cols, want) {
		t.Errorf("columns %+v", cols)
	}
	if want := [][]any{{int64(1), "nick", 0.34, "a\tgood: friend"}, {int64(2), "cole", -3.75, "colleague"}, {int64(3), "bob", 2.5, nil}}; !reflect.DeepEqual(rows, want) {
		t.Errorf("rows %v", rows)
	}
	f := folder{fmt: plain}
	if text := string(f.text(cols, rows)); text != sample {
		t.Errorf("written again:\n%s", text)
	}
}

func TestHeader(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{" a(int)  b (STRING , NULL) c(Blob,n) t(timestamp,null) \n", "a(int) b(string,null) c(blob,null) t(time,null)\n"},
		{"a(string) b(str) c(i,auto) d(i,null)", "a(string) b(str) c(int,auto) d(int,null)\n"},
	} {
		cols, _, err := plain.parse(tt.in)
		if got := string(appendHeader(nil, cols)); err != nil || got != tt.want {
			t.Errorf("%q: %q %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestRows(t *testing.T) {
	const head = "n(int,auto) a(str) b(str,null) c(str,null)\n"
	empty := format{delim: '|', empty: true, maxField: 8}
	for _, tt := range []struct {
		f    format
		in   string
		want []any
	}{
		{plain, "5::x:\n", []any{int64(5), "", "x", nil}},
		{plain, ":y::z", []any{int64(1), "y", nil, "z"}},
		{plain, "-7:y:b:z:\n", []any{int64(-7), "y", "b", "z"}},
		{plain, "7:y\n", []any{int64(7), "y", "", nil}},
		{plain, `7:\n\r\t\0\\\::b:` + "\xff\n", []any{int64(7), "\n\r\t\x00\\:", "b", "\xff"}},
		{empty, "7|a:b||\n", []any{int64(7), "a:b", "", ""}},
	} {
		_, rows, err := tt.f.parse(head + tt.in)
		if err != nil || len(rows) != 1 || !reflect.DeepEqual(rows[0], tt.want) {
			t.Errorf("%q: %q %v, want %q", tt.in, rows, err, tt.want)
		}
	}
	_, rows, err := plain.parse(head + ":a:b:c\n7:a:b:c\n:a:b:c\n")
	if err != nil || rows[0][0] != int64(8) || rows[2][0] != int64(9) {
		t.Errorf("numbers of rows without one: %v %v", rows, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		line     int
	}{
		{"", "names no columns", 1},
		{"  \n", "names no columns", 1},
		{"Read me first.\n", "names no columns", 1},
		{"a b(int)\n", "names no columns", 1},
		{"a(int\n", "not closed by )", 1},
		{"a()\n", "has no type", 1},
		{"a(char)\n", "unknown type", 1},
		{"a(str,auto)\n", "unknown attribute", 1},
		{"a(int,auto) b(int,auto)\n", "second column with auto", 1},
		{"a(int) A(str)\n", "two columns", 1},
		{"a(int)\n1\n\nx\n", "whole number", 4},
		{"a(int)\n99999999999999999999\n", "whole number", 2},
		{"a(int)\n+1\n", "whole number", 2},
		{"a(int) b(int)\n1:\n", "it is empty", 2},
		{"a(int) b(int)\n1\n", "ends before the field b", 2},
		{"a(double)\n1e5\n", "not a number", 2},
		{"a(double)\n1.-\n", "not a number", 2},
		{"a(str)\nx:y\n", "more than 1 fields", 2},
		{"a(str)\n\\x\n", "unknown escape", 2},
		{"a(str)\nx\\\n", "ends with a backslash", 2},
		{"a(str)\n" + strings.Repeat("x", 16384) + "\n", "file_buffer_size", 2},
	} {
		_, _, err := plain.parse(tt.in)
		e, ok := err.(*formatError)
		if !ok || e.line != tt.line || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: %v; want line %d, %s", tt.in, err, tt.line, tt.want)
		}
	}
}

// FuzzParse: what is written is read as the same.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("a(str,null) b(blob) c(int,null) d(time)\n::5:6:\n\\0\n")
	f.Fuzz(func(t *testing.T, data string) {
		cols, rows, err := plain.parse(data)
		if err != nil {
			if e, ok := err.(*formatError); !ok || e.line < 1 || e.line > 1+strings.Count(data, "\n")+1 {
				t.Fatalf("%#v", err)
			}
			return
		}
		x := folder{fmt: plain}
		text := string(x.text(cols, rows))
		cols2, rows2, err := plain.parse(text)
		if err != nil || !reflect.DeepEqual(cols, cols2) {
			t.Fatalf("%q: %v", text, err)
		}
		if again := string(x.text(cols2, rows2)); again != text || len(rows2) != len(rows) {
			t.Fatalf("%q and %q", text, again)
		}
	})
}
