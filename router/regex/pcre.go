package regex

import (
	"errors"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// PCREFlags are the options of a Perl-compatible pattern that is not yet
// changed by a (?i) of its own.
type PCREFlags struct {
	Caseless, Multiline, DotAll, Extended bool
}

// PCRETime is how long one match of a pattern may take that needs to go back
// (look-around, references, atomic groups). Other patterns take linear time.
const PCRETime = 50 * time.Millisecond

// ErrPCRETime says that a match was given up after [PCRETime].
var ErrPCRETime = errors.New("the regular expression took too long on this text; write it without nested repetition")

// PCRE is a compiled Perl-compatible regular expression over octets, as the
// PCRE library without UTF mode. It is safe for concurrent use.
type PCRE struct {
	linear *regexp.Regexp  // nil when the pattern needs to go back
	back   *regexp2.Regexp // nil when linear does it all
	// tail says that the pattern looks at the end, where a last line feed
	// counts as outside: what linear cannot say.
	tail bool
}

// CompilePCRE compiles a Perl-compatible regular expression. Errors are *[Error].
// What the engines cannot do (recursion, verbs) is an error with words.
func CompilePCRE(pattern string, f PCREFlags) (*PCRE, error) {
	t, err := translatePCRE(pattern, f, false)
	if err != nil {
		return nil, err
	}
	p := &PCRE{tail: t.tail}
	if !t.needsBack {
		if p.linear, err = regexp.Compile(string(t.out)); err != nil {
			p.linear, t.needsBack = nil, true // its limits: counts and size
		}
	}
	if !t.needsBack && !t.tail {
		return p, nil
	}
	if t, err = translatePCRE(pattern, f, true); err != nil {
		return nil, err
	}
	if p.back, err = regexp2.Compile(string(t.out), regexp2.None); err != nil {
		return nil, errf(0, "this regular expression cannot be used: %v", err)
	}
	p.back.MatchTimeout = PCRETime
	return p, nil
}

// Match says whether the pattern is found in s; the error is [ErrPCRETime].
func (p *PCRE) Match(s string) (bool, error) {
	if p.linear != nil && (!p.tail || s == "" || s[len(s)-1] != '\n') {
		return p.linear.MatchString(octets(s)), nil
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	ok, err := p.back.MatchRunes(runes)
	if err != nil {
		return false, ErrPCRETime
	}
	return ok, nil
}

// octets writes each octet as the character of its number.
func octets(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			b := make([]byte, i, len(s)+len(s)/2)
			copy(b, s)
			for ; i < len(s); i++ {
				b = utf8.AppendRune(b, rune(s[i]))
			}
			return string(b)
		}
	}
	return s
}
