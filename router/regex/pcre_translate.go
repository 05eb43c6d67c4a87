package regex

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	maxPCRE       = 64 << 10 // octets of a pattern
	maxPCREDepth  = 200      // groups in groups
	maxPCRERepeat = 65535    // PCRE's own
	linearRepeat  = 1000     // the linear engine's
)

// pcreTranslator writes a pattern in the words that both engines share. Octets
// are characters 0 to 255; options are resolved here, so that letters fold as
// in the C locale and both engines run without options.
type pcreTranslator struct {
	in    string
	at    int
	out   []byte
	back  bool // for the engine that goes back
	flags pcreFlags
	// scopes are the open groups.
	scopes []pcreScope
	groups int            // opened so far
	names  map[string]int // of groups
	refs   int            // the highest group referred to
	refAt  int
	// atom is where in out the last thing begins that can be repeated; -1 none.
	atom int

	needsBack, tail bool
}

type pcreFlags struct {
	PCREFlags
	lazy bool // (?U)
}

type pcreScope struct {
	flags pcreFlags
	start int // in out
	look  bool
}

func translatePCRE(pattern string, f PCREFlags, back bool) (*pcreTranslator, error) {
	if len(pattern) > maxPCRE {
		return nil, errf(0, "the regular expression has %d octets, %d are the most", len(pattern), maxPCRE)
	}
	t := &pcreTranslator{in: pattern, back: back, flags: pcreFlags{PCREFlags: f}, atom: -1, names: map[string]int{}}
	for t.at < len(t.in) {
		if err := t.step(); err != nil {
			return nil, err
		}
	}
	if len(t.scopes) > 0 {
		return nil, errf(len(pattern), "a ) is missing")
	}
	if t.refs > t.groups {
		return nil, errf(t.refAt, "there is no group %d to refer to", t.refs)
	}
	return t, nil
}

// step translates the next thing of the pattern.
func (t *pcreTranslator) step() error {
	start, c := t.at, t.in[t.at]
	t.at++
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		return t.open()
	case ')':
		return t.close(start)
	case '|':
		t.out, t.atom = append(t.out, '|'), -1
	case '.':
		t.set(setOf(func(c byte) bool { return t.flags.DotAll || c != '\n' }))
	case '^':
		t.anchor("^")
	case '$':
		t.anchor("$")
		t.tail = t.tail || !t.flags.Multiline
	case '*', '+', '?':
		return t.repeat(start, string(c))
	case '{':
		if n := countLen(t.in[start:]); n > 0 {
			t.at = start + n
			return t.repeat(start, t.in[start:t.at])
		}
		t.literal(c)
	default:
		if t.flags.Extended && (isPCRESpace(c) || c == '#') {
			t.ignore(c)
			return nil
		}
		t.literal(c)
	}
	return nil
}

// ignore skips what does not count in an extended pattern: space and comments.
func (t *pcreTranslator) ignore(c byte) {
	if c != '#' {
		return
	}
	if n := strings.IndexByte(t.in[t.at:], '\n'); n >= 0 {
		t.at += n + 1
		return
	}
	t.at = len(t.in)
}

// literal writes one octet that matches itself.
func (t *pcreTranslator) literal(c byte) {
	t.atom = len(t.out)
	switch {
	case isLetter(c) && t.flags.Caseless:
		t.out = append(t.out, '[', c|0x20, c&^0x20, ']')
	case isPCREWord(c):
		t.out = append(t.out, c)
	default:
		t.out = fmt.Appendf(t.out, `\x%02x`, c)
	}
}

func (t *pcreTranslator) set(s *octetSet) {
	t.atom = len(t.out)
	t.out = s.appendTo(t.out)
}

func (t *pcreTranslator) anchor(s string) {
	t.atom = -1
	if t.flags.Multiline {
		s = "(?m:" + s + ")"
	}
	t.out = append(t.out, s...)
}

// countLen is the length of a {n}, {n,} or {n,m} at the start of s; 0: it is text.
func countLen(s string) int {
	end := strings.IndexByte(s, '}')
	if end < 2 {
		return 0
	}
	from, to, two := strings.Cut(s[1:end], ",")
	if !digits(from) || two && to != "" && !digits(to) {
		return 0
	}
	return end + 1
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// repeat writes a quantifier and what may follow it: ? (few) or + (no way back).
func (t *pcreTranslator) repeat(start int, q string) error {
	if t.atom < 0 {
		return errf(start, "there is nothing to repeat before %s", q)
	}
	if q[0] == '{' {
		from, to, _ := strings.Cut(q[1:len(q)-1], ",")
		for _, s := range []string{from, to} {
			n, err := strconv.Atoi("0" + s)
			if err != nil || n > maxPCRERepeat {
				return errf(start, "the count in %s is over %d", q, maxPCRERepeat)
			}
			t.needsBack = t.needsBack || n > linearRepeat
		}
		if a, _ := strconv.Atoi(from); to != "" && to < from {
			if b, _ := strconv.Atoi(to); b < a {
				return errf(start, "the counts in %s are in the wrong order", q)
			}
		}
	}
	lazy, possessive := t.flags.lazy, false
	if t.at < len(t.in) {
		switch t.in[t.at] {
		case '?':
			lazy = !lazy
			t.at++
		case '+':
			possessive = true
			t.at++
		}
	}
	t.out = append(t.out, q...)
	if lazy && !possessive {
		t.out = append(t.out, '?')
	}
	open := "(?:" // what is repeated may be repeated again only in a group
	if possessive {
		open, t.needsBack = "(?>", true
	}
	atom := string(t.out[t.atom:])
	t.out = append(append(append(t.out[:t.atom], open...), atom...), ')')
	t.atom = -1
	return nil
}

func (t *pcreTranslator) close(start int) error {
	if len(t.scopes) == 0 {
		return errf(start, "this ) has no ( before it")
	}
	s := t.scopes[len(t.scopes)-1]
	t.scopes = t.scopes[:len(t.scopes)-1]
	t.flags, t.atom = s.flags, s.start
	if s.look {
		t.atom = -1
	}
	t.out = append(t.out, ')')
	return nil
}
