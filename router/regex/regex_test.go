package regex

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"sipd/router/run"
)

// TestAsGlibc plays patterns and subjects whose answers were recorded (C locale) from
// glibc's regcomp and regexec: testdata/glibc.json, lines of pattern, flags (2
// ignore case, 4 newline), subject, "from-to", "-" or "bad".
func TestAsGlibc(t *testing.T) {
	data, err := os.ReadFile("testdata/glibc.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][4]any
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, tt := range cases {
		if tt[0] == `\n` || tt[0] == `\t` || tt[0] == `\d+` {
			continue // glibc does not fold the case of an escaped letter; we do
		}
		pattern, flags, subject, want := tt[0].(string), int(tt[1].(float64)), tt[2].(string), tt[3].(string)
		var f Flags
		if flags&2 != 0 {
			f |= IgnoreCase
		}
		if flags&4 != 0 {
			f |= Newline
		}
		got := "-"
		r, err := Compile(pattern, f)
		if err != nil {
			got = "bad"
		} else if from, to, ok := r.Find(subject); ok {
			got = fmt.Sprintf("%d-%d", from, to)
		}
		if got != want {
			t.Errorf("pattern %q flags %d on %q: %s, glibc says %s (err %v)", pattern, flags, subject, got, want, err)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, tt := range []struct {
		in, why string
		off     int
	}{
		{in: `(a)\1`, why: "refer back", off: 3},
		{in: `a{1001}`, why: "1000 times", off: 1},
		{in: `[a`, why: "not closed", off: 0},
		{in: `x[[:nope:]]`, why: "unknown character class", off: 2},
		{in: `a|*`, why: "nothing to repeat", off: 2},
		{in: `\<.`, why: "must stand before a letter", off: 0},
		{in: "a\\", why: "missing behind the backslash", off: 1},
		{in: "a\xff", why: "UTF-8", off: 0},
		{in: strings.Repeat("(", 300) + strings.Repeat(")", 300), why: "nested", off: 200},
	} {
		_, err := Compile(tt.in, 0)
		e, ok := err.(*Error)
		if !ok || !strings.Contains(e.Msg, tt.why) || e.Off != tt.off {
			t.Errorf("Compile(%q) = %#v; want %q at %d", tt.in, err, tt.why, tt.off)
		}
	}
}

func TestSubst(t *testing.T) {
	vars := func(s string) (Appender, int, error) {
		if !strings.HasPrefix(s, "$x") {
			return nil, 0, fmt.Errorf("unknown variable %s", s)
		}
		return func(dst []byte, _ *run.Context) []byte { return append(dst, "XX"...) }, 2, nil
	}
	for _, tt := range []struct {
		expr, in, want string
		n              int
	}{
		{`/[a-z]+/X/`, "abc,def", "X,def", 1},
		{`/[a-z]+/X/g`, "abc,def", "X,X", 2},
		{`/ABC/X/i`, "abc", "X", 1},
		{`/ABC/X/`, "abc", "abc", 0},
		{`!(a)(b)!\2\1$x!g`, "abab", "baXXbaXX", 2},
		{`/a\/b/c\/d/`, "a/b", "c/d", 1},
		{`/b/\0\0/`, "abc", "abbc", 1},
		{`/b/$$\\\n/`, "b", "$\\\n", 1},
		{`/^x/y/g`, "x\nx", "y\ny", 2},
		{`/a.b/-/`, "a\nb", "a\nb", 0},
		{`/a.b/-/s`, "a\nb", "-", 1},
		{`/x*/-/g`, "ab", "ab", 0},
		{`/(a)|(b)/[\1\2]/g`, "ab", "[a][b]", 2},
		{`/.*$/Z/`, "line\r\nnext", "Z\nnext", 1}, // the CR goes with the line, as in Kamailio
	} {
		s, err := ParseSubst(tt.expr, vars)
		if err != nil {
			t.Errorf("ParseSubst(%q): %v", tt.expr, err)
			continue
		}
		if got, n := s.Replace(nil, tt.in); got != tt.want || n != tt.n {
			t.Errorf("%s on %q = %q, %d; want %q, %d", tt.expr, tt.in, got, n, tt.want, tt.n)
		}
	}
}

func TestParseSubstRefuses(t *testing.T) {
	for _, tt := range []struct {
		in  string
		off int
	}{
		{"", 0},
		{"/a", 0},
		{"/a/b", 4},
		{"/a/b/q", 5},
		{"/(/b/", 1},
		{"/a/\\1/", 3},
		{`\a\b\`, 0},
	} {
		_, err := ParseSubst(tt.in, nil)
		if e, ok := err.(*Error); !ok || e.Off != tt.off {
			t.Errorf("ParseSubst(%q) = %#v; want an error at %d", tt.in, err, tt.off)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"a|ab", "[[:digit:]]{3,5}", `\<foo\>`, "(a*)+?", "[]^-]"} {
		f.Add(s, "abc foo", true)
	}
	f.Fuzz(func(t *testing.T, pattern, subject string, newline bool) {
		var fl Flags
		if newline {
			fl = Newline
		}
		r, err := Compile(pattern, fl)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Off < 0 || e.Off > len(pattern) || strings.Contains(e.Msg, "parsing regexp") {
				t.Fatalf("Compile(%q): error %#v is not one of ours", pattern, err)
			}
			return
		}
		from, to, ok := r.Find(subject)
		if ok != r.Match(subject) || ok && (from < 0 || from > to || to > len(subject)) {
			t.Fatalf("%q on %q: %d-%d %v", pattern, subject, from, to, ok)
		}
	})
}

func FuzzSubst(f *testing.F) {
	f.Add(`/[a-z]+/X\0/g`, "abc,def")
	f.Add(`!(a)(b)!\2\1!gis`, "ab")
	f.Fuzz(func(t *testing.T, expr, in string) {
		s, err := ParseSubst(expr, nil)
		if err != nil {
			return
		}
		at := 0
		for _, e := range s.Edits(nil, in) {
			if e.Start < at || e.End <= e.Start || e.End > len(in) {
				t.Fatalf("%q on %q: edit %+v after %d", expr, in, e, at)
			}
			at = e.End
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	r := MustCompile(`^sips?:\+?[0-9]{3,18}@.*`, IgnoreCase)
	b.ReportAllocs()
	for b.Loop() {
		r.Match("sip:+420123456789@gateway.example.com;user=phone")
	}
}
