package regex

import (
	"errors"
	"strings"
	"testing"
)

func TestPCRE(t *testing.T) {
	for _, tt := range []struct {
		pattern, subject string
		want             bool
	}{
		{`^user[1234]$`, "user3", true},
		{`^user[1234]$`, "user3\n", true},
		{`^user[1234]\z`, "user3\n", false},
		{`^user[1234]\Z`, "user3\n", true},
		{`^user[1234]$`, "user3\n\n", false},
		{`^1\d{3}$`, "1234", true},
		{`^((\+|00)34)?900\d{6}$`, "0034900123456", true},
		{`(?i)^twinkle`, "Twinkle/1", true},
		{`^a(?i)b(?-i)c`, "aBc", true},
		{`^a(?i:b)c`, "aBC", false},
		{`(?i)[^a]`, "A", false},
		{`(?i)[[:upper:]]`, "a", true},
		{`(?x) a b # a comment
		   c`, "abc", true},
		{`(?x)a\ b[ ]c`, "a b c", true},
		{`a(?#no)b`, "ab", true},
		{`^(?!00)\d+$`, "0123", true},
		{`^(?!00)\d+$`, "00123", false},
		{`(?<=sip:)bob`, "sip:bob", true},
		{`(?<!sip:)bob`, "sip:bob", false},
		{`^(\d)\1$`, "77", true},
		{`^(\d)\1$`, "78", false},
		{`^(?<x>a|b)(c)\k<x>\2$`, "acac", true},
		{`^(?P<x>a|b)(?P=x)`, "bb", true},
		{`^(a)(?i)\1`, "aA", true},
		{`^(a|b)\g{-1}\g1$`, "bbb", true},
		{`^(a)?(?(1)b|c)$`, "ab", true},
		{`^(a)?(?(1)b|c)$`, "b", false},
		{`^(?(?=a)ab|cd)$`, "cd", true},
		{`^a++b`, "aaab", true},
		{`^a++ab`, "aaab", false},
		{`^(?>a+)ab`, "aaab", false},
		{`a{2,3}?b`, "aab", true},
		{`a{,3}`, "a{,3}", true},
		{`x{`, "x{", true},
		{`^a{1500}$`, strings.Repeat("a", 1500), true},
		{`\bbob\b`, "sip:bob@x", true},
		{`\bbob\b`, "\xe9bob\xe9", true},
		{`(?=b)\bbob\b`, "\xe9bob\xe9", true},
		{`^.{2}$`, "é", true}, // octets
		{`^[\xc3][\xa9]$`, "é", true},
		{`^é$`, "é", true},
		{`^[é]+$`, "é", true},
		{`(?i)^É$`, "é", false},
		{`\Qa.b\E+`, "a.bb", true},
		{`\Qa.b`, "axb", false},
		{`^\h\v\N\R$`, " \x0bx\r\n", true},
		{`^[\w\-.]+@[\d.]+$`, "a-b.c@192.0.2.1", true},
		{`^[]a]+$`, "]a", true},
		{`^[^]a]+$`, "bc", true},
		{`^[\Qa]\E]$`, "]", true},
		{`\x41\x{42}\103\o{104}\cI\e`, "ABCD\t\x1b", true},
		{`^.$`, "\n", false},
		{`(?s)^.$`, "\n", true},
		{`^b`, "a\nb", false},
		{`(?m)^b$`, "a\nb\nc", true},
		{`(?U)a+`, "aa", true},
		{`[\s\S]`, "\x0b", true},
		{`[[:^digit:]]`, "7", false},
		{`a|`, "", true},
		{``, "x", true},
		{`[^\x00-\xff]`, "x", false},
		{`\y`, "y", true},
		{`foo\Kbar`, "foobar", true},
	} {
		p, err := CompilePCRE(tt.pattern, PCREFlags{})
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
			continue
		}
		if got, err := p.Match(tt.subject); got != tt.want || err != nil {
			t.Errorf("%q on %q: %v %v", tt.pattern, tt.subject, got, err)
		}
	}
}

func TestPCREOptions(t *testing.T) {
	for _, tt := range []struct {
		f                PCREFlags
		pattern, subject string
	}{
		{PCREFlags{Caseless: true}, "^ALICE", "alice"},
		{PCREFlags{Multiline: true}, "^b$", "a\nb\nc"},
		{PCREFlags{DotAll: true}, "a.b", "a\nb"},
		{PCREFlags{Extended: true}, "a b", "ab"},
	} {
		for _, f := range []PCREFlags{tt.f, {}} {
			p, err := CompilePCRE(tt.pattern, f)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := p.Match(tt.subject); got != (f == tt.f) {
				t.Errorf("%q %+v: %v", tt.pattern, f, got)
			}
		}
	}
}

func TestPCRERefuses(t *testing.T) {
	for _, tt := range []struct {
		in, why string
		off     int
	}{
		{`(a`, "missing", 2},
		{`a)`, "no (", 1},
		{`*a`, "nothing to repeat", 0},
		{`a**`, "nothing to repeat", 2},
		{`[a`, "not closed", 0},
		{`[b-a]`, "wrong order", 2},
		{`[a-\d]`, "range", 2},
		{`[[:nope:]]`, "unknown class", 1},
		{`a{3,2}`, "wrong order", 1},
		{`a{70000}`, "over 65535", 1},
		{`(?R)`, "recursion", 0},
		{`(a)(?1)`, "recursion", 3},
		{`(*SKIP)a`, "verbs", 0},
		{`(?|a|b)`, "share", 0},
		{`\p{L}`, "not supported", 0},
		{`\2`, "no group 2", 0},
		{`\k<x>`, "no group", 0},
		{`(?<x>a)(?<x>b)`, "two groups", 7},
		{`(?q)`, "unknown option", 2},
		{`\`, "missing", 0},
		{`\x{100}`, "octet", 0},
		{strings.Repeat("(", 300), "in each other", 200},
	} {
		_, err := CompilePCRE(tt.in, PCREFlags{})
		e, ok := err.(*Error)
		if !ok || !strings.Contains(e.Msg, tt.why) || e.Off != tt.off {
			t.Errorf("%q: %#v; want %q at %d", tt.in, err, tt.why, tt.off)
		}
	}
}

// TestPCREEnds plays what takes a back-tracking engine years.
func TestPCREEnds(t *testing.T) {
	subject := strings.Repeat("a", 4000) + "!"
	for pattern, want := range map[string]error{
		`^(a+)+$`:       nil, // linear
		`^(?=a)(a+)+$`:  ErrPCRETime,
		`^(a|aa)+\1b$`:  ErrPCRETime,
		`^(?:a*)*(?!b)`: nil,
	} {
		p, err := CompilePCRE(pattern, PCREFlags{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Match(subject); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", pattern, err, want)
		}
	}
}

// FuzzPCRE holds the two engines against each other: what the linear one
// decides the other one must decide too.
func FuzzPCRE(f *testing.F) {
	for _, s := range []string{`^a|b$`, `(?i)[^\d-x]+?`, `(a)(?(1)b|c)\1`, `\Qx\E{2,}`, `(?<n>.)\k<n>`, `a++(?m)^`, `(?x) a #`} {
		f.Add(s, "abc\nxx")
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		if len(pattern) > 200 || len(subject) > 200 {
			return
		}
		p, err := CompilePCRE(pattern, PCREFlags{})
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Off < 0 || e.Off > len(pattern) {
				t.Fatalf("%q: %#v is not one of ours", pattern, err)
			}
			return
		}
		got, err := p.Match(subject)
		if err != nil || p.linear == nil || p.back == nil {
			return
		}
		both := &PCRE{back: p.back}
		if again, err := both.Match(subject); err == nil && again != got {
			t.Fatalf("%q on %q: %v and %v", pattern, subject, got, again)
		}
	})
}

func BenchmarkPCRE(b *testing.B) {
	p, err := CompilePCRE(`^sips?:\+?[0-9]{3,18}@.*`, PCREFlags{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, _ := p.Match("sip:+420123456789@gateway.example.com;user=phone"); !ok {
			b.Fatal("no match")
		}
	}
}
