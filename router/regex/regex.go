// Package regex gives configurations the regular expressions they were written
// for: the POSIX extended dialect of regcomp with the GNU additions, leftmost
// and longest, on top of Go's linear-time engine. What that engine cannot do
// (back-references in a pattern) is an error when the configuration is read.
// [PCRE] is the Perl-compatible dialect, where the elder uses that.
// [Subst] is the sed-like /pattern/replacement/flags of the subst functions.
package regex

import (
	"fmt"
	"regexp"
)

// Flags choose how a pattern is compiled.
type Flags uint8

const (
	// IgnoreCase makes letters match in either case (REG_ICASE).
	IgnoreCase Flags = 1 << iota
	// Newline makes ^ and $ match at the ends of lines too, and keeps . and
	// negated sets from matching a newline (REG_NEWLINE). Without it a newline
	// is a character like any other.
	Newline
)

// Regexp is a compiled pattern. It is safe for concurrent use.
type Regexp struct {
	re *regexp.Regexp
}

// Error says what is wrong with a pattern, at octet Off of it.
type Error struct {
	Off int
	Msg string
}

func (e *Error) Error() string { return e.Msg }

func errf(off int, format string, a ...any) *Error {
	return &Error{off, fmt.Sprintf(format, a...)}
}

// Compile translates and compiles a POSIX extended regular expression. Errors
// are *[Error].
func Compile(pattern string, f Flags) (*Regexp, error) {
	t := &translator{in: pattern, flags: f}
	goText, err := t.translate()
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(goText)
	if err != nil { // its limits: repetition counts and size
		return nil, errf(0, "regular expression is too large: %v", err)
	}
	re.Longest()
	return &Regexp{re: re}, nil
}

// MustCompile is Compile for patterns of our own.
func MustCompile(pattern string, f Flags) *Regexp {
	r, err := Compile(pattern, f)
	if err != nil {
		panic(fmt.Sprintf("regex: %q: %v", pattern, err))
	}
	return r
}

// Match says whether the pattern is found in s.
func (r *Regexp) Match(s string) bool { return r.re.MatchString(s) }

// Find is where the pattern first matches in s; ok is false when it does not.
func (r *Regexp) Find(s string) (start, end int, ok bool) {
	m := r.re.FindStringIndex(s)
	if m == nil {
		return 0, 0, false
	}
	return m[0], m[1], true
}

// FindAll is where the pattern matches in s, from left to right without
// overlap; n limits how many, below 0 none.
func (r *Regexp) FindAll(s string, n int) [][]int { return r.re.FindAllStringIndex(s, n) }

// Submatches is the first match and its groups as pairs of offsets, -1 for a
// group that took no part; nil when there is no match.
func (r *Regexp) Submatches(s string) []int { return r.re.FindStringSubmatchIndex(s) }

// Groups is the number of parenthesised groups.
func (r *Regexp) Groups() int { return r.re.NumSubexp() }
