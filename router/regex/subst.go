package regex

import (
	"strings"

	"sipd/router/run"
)

// Appender appends a piece of replacement text that is computed when the
// script runs.
type Appender func(dst []byte, c *run.Context) []byte

// VarParser compiles the variable at the start of s, which begins with $, and
// says how many octets it took.
type VarParser func(s string) (Appender, int, error)

// Subst is a compiled /pattern/replacement/flags.
type Subst struct {
	re    *Regexp
	parts []piece
	all   bool
}

// piece is constant text, a group of the match, or something computed.
type piece struct {
	text   string
	group  int // -1: none
	append Appender
}

// ParseSubst compiles a sed-like expression. Any character may stand for the
// slashes; a backslash before it makes it an ordinary one. Flags: g replaces
// every match, i ignores case, s lets a dot match a newline. In the
// replacement \1 to \9 are groups, \0 is the whole match, \n \r \t and \\ are
// characters; $ starts a variable when vars is not nil. Errors are *[Error].
func ParseSubst(s string, vars VarParser) (*Subst, error) {
	if len(s) < 3 {
		return nil, errf(0, "a substitution is /pattern/replacement/flags")
	}
	delim := s[0]
	if delim == '\\' || delim >= 0x80 {
		return nil, errf(0, "%q cannot separate the parts of a substitution", delim)
	}
	mid := nextDelim(s, 1, delim)
	if mid < 0 {
		return nil, errf(len(s), "the replacement is missing: /pattern/replacement/")
	}
	end := nextDelim(s, mid+1, delim)
	if end < 0 {
		return nil, errf(len(s), "the replacement is not closed by %c", delim)
	}
	sub := new(Subst)
	f := Newline
	for i := end + 1; i < len(s); i++ {
		switch s[i] {
		case 'g':
			sub.all = true
		case 'i':
			f |= IgnoreCase
		case 's':
			f &^= Newline
		default:
			return nil, errf(i, "unknown flag %c: there are g, i and s", s[i])
		}
	}
	var err error
	if sub.re, err = Compile(s[1:mid], f); err != nil {
		return nil, moved(err, 1)
	}
	if err = sub.replacement(s[mid+1:end], delim, vars); err != nil {
		return nil, moved(err, mid+1)
	}
	return sub, nil
}

func moved(err error, off int) error {
	if e, ok := err.(*Error); ok {
		return &Error{e.Off + off, e.Msg}
	}
	return errf(off, "%v", err)
}

// nextDelim is the next delimiter from i on that has no backslash before it.
func nextDelim(s string, i int, delim byte) int {
	for ; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case delim:
			return i
		}
	}
	return -1
}

func (sub *Subst) replacement(s string, delim byte, vars VarParser) error {
	text := []byte(nil)
	flush := func() {
		if len(text) > 0 {
			sub.parts = append(sub.parts, piece{text: string(text), group: -1})
			text = nil
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			switch e := s[i]; {
			case e >= '0' && e <= '9':
				n := int(e - '0')
				if n > sub.re.Groups() {
					return errf(i-1, `\%d: the pattern has only %d groups`, n, sub.re.Groups())
				}
				flush()
				sub.parts = append(sub.parts, piece{group: n})
			case e == delim:
				text = append(text, e)
			case e == 'n':
				text = append(text, '\n')
			case e == 'r':
				text = append(text, '\r')
			case e == 't':
				text = append(text, '\t')
			default:
				text = append(text, e)
			}
		case c == '$' && vars != nil && strings.HasPrefix(s[i:], "$$"):
			text = append(text, '$')
			i++
		case c == '$' && vars != nil:
			a, n, err := vars(s[i:])
			if err != nil {
				return moved(err, i)
			}
			flush()
			sub.parts = append(sub.parts, piece{group: -1, append: a})
			i += n - 1
		default:
			text = append(text, c)
		}
	}
	flush()
	return nil
}

// Edit is one replacement: octets Start to End of the subject become Text.
type Edit struct {
	Start, End int
	Text       string
}

// Edits are the replacements in s from left to right; matches of nothing do
// not count. Nil when there is none.
func (sub *Subst) Edits(c *run.Context, s string) []Edit {
	n := 1
	if sub.all {
		n = -1
	}
	var out []Edit
	for _, m := range sub.re.re.FindAllStringSubmatchIndex(s, n) {
		if m[0] == m[1] {
			continue
		}
		out = append(out, Edit{m[0], m[1], sub.text(c, s, m)})
	}
	return out
}

func (sub *Subst) text(c *run.Context, s string, m []int) string {
	if len(sub.parts) == 1 && sub.parts[0].append == nil && sub.parts[0].group < 0 {
		return sub.parts[0].text
	}
	var b []byte
	for _, p := range sub.parts {
		switch {
		case p.append != nil:
			b = p.append(b, c)
		case p.group < 0:
			b = append(b, p.text...)
		case m[2*p.group] >= 0:
			b = append(b, s[m[2*p.group]:m[2*p.group+1]]...)
		}
	}
	return string(b)
}

// Replace is s with the replacements made, and how many there were.
func (sub *Subst) Replace(c *run.Context, s string) (string, int) {
	edits := sub.Edits(c, s)
	if len(edits) == 0 {
		return s, 0
	}
	b := make([]byte, 0, len(s)+len(edits)*16)
	at := 0
	for _, e := range edits {
		b = append(append(b, s[at:e.Start]...), e.Text...)
		at = e.End
	}
	return string(append(b, s[at:]...)), len(edits)
}
