package script

import (
	"fmt"
	"sort"
	"strings"
)

// Source is one text that was read: the configuration, a file it includes, or
// the text of a define.
type Source struct {
	// Name is the path as it is shown to people.
	Name string
	Text string
	// From is where the include stands; no Src for the configuration itself.
	From Pos

	index int   // order of opening, for sorting
	lines []int // offsets of line starts, made on demand
}

func (s *Source) lineStarts() []int {
	if s.lines == nil {
		s.lines = append(s.lines, 0)
		for i := 0; i < len(s.Text); i++ {
			if s.Text[i] == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	}
	return s.lines
}

// lineCol is the line and column, both from 1, of an offset. Columns count
// octets.
func (s *Source) lineCol(off int) (line, col int) {
	ls := s.lineStarts()
	i := sort.SearchInts(ls, off+1) - 1
	return i + 1, off - ls[i] + 1
}

// Line is the text of a line (from 1) without its end.
func (s *Source) Line(n int) string {
	ls := s.lineStarts()
	if n < 1 || n > len(ls) {
		return ""
	}
	end := len(s.Text)
	if n < len(ls) {
		end = ls[n] - 1
	}
	return strings.TrimSuffix(s.Text[ls[n-1]:end], "\r")
}

// Pos is a stretch of a source: octets Off up to End. What came out of a define
// has the place where the define was used.
type Pos struct {
	Src      *Source
	Off, End int
}

// IsValid says whether the position is known.
func (p Pos) IsValid() bool { return p.Src != nil }

// File is the path of the source, "" when unknown.
func (p Pos) File() string {
	if p.Src == nil {
		return ""
	}
	return p.Src.Name
}

// Line is the line of the start, from 1; 0 when unknown.
func (p Pos) Line() int {
	if p.Src == nil {
		return 0
	}
	l, _ := p.Src.lineCol(p.Off)
	return l
}

// Col is the column of the start in octets, from 1; 0 when unknown.
func (p Pos) Col() int {
	if p.Src == nil {
		return 0
	}
	_, c := p.Src.lineCol(p.Off)
	return c
}

// EndLine and EndCol are the place behind the last octet.
func (p Pos) EndLine() int {
	if p.Src == nil {
		return 0
	}
	l, _ := p.Src.lineCol(p.End)
	return l
}

// EndCol is the column behind the last octet, from 1.
func (p Pos) EndCol() int {
	if p.Src == nil {
		return 0
	}
	_, c := p.Src.lineCol(p.End)
	return c
}

// String is file:line:col.
func (p Pos) String() string {
	if p.Src == nil {
		return "?"
	}
	l, c := p.Src.lineCol(p.Off)
	return fmt.Sprintf("%s:%d:%d", p.Src.Name, l, c)
}

// to is the stretch from p to the end of q, when both are of one source.
func (p Pos) to(q Pos) Pos {
	if p.Src == q.Src && q.End > p.End {
		p.End = q.End
	}
	return p
}

// part is the stretch of n octets at off inside p, for errors found by those
// who parse a token's text. A stretch that does not fit (the text came out of
// a define) is the whole of p.
func (p Pos) part(off, n int) Pos {
	if p.Src == nil || off < 0 || p.Off+off > p.End {
		return p
	}
	q := Pos{p.Src, p.Off + off, p.Off + off + n}
	q.End = min(max(q.End, q.Off), p.End)
	return q
}

// Error is a mistake in a configuration.
type Error struct {
	Pos Pos
	// Msg says what is wrong.
	Msg string
	// Hint says what to do about it; may be "".
	Hint string
}

// Error is the mistake with its place, the source line and a caret:
//
//	sipd.cfg:42:9: unknown function "t_relai"
//	    if (!t_relai()) {
//	         ^~~~~~~ did you mean "t_relay"?
func (e *Error) Error() string {
	if !e.Pos.IsValid() {
		if e.Hint != "" {
			return e.Msg + "; " + e.Hint
		}
		return e.Msg
	}
	var b strings.Builder
	line, col := e.Pos.Src.lineCol(e.Pos.Off)
	fmt.Fprintf(&b, "%s:%d:%d: %s", e.Pos.Src.Name, line, col, e.Msg)
	text := e.Pos.Src.Line(line)
	body := strings.TrimLeft(text, " \t\b\u00a0")
	indent := len(text) - len(body)
	at := col - 1 - indent
	if at < 0 || at > len(body) {
		at = min(max(at, 0), len(body))
	}
	b.WriteString("\n    ")
	b.WriteString(printable(body))
	b.WriteString("\n    ")
	for _, r := range printable(body[:at]) {
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteByte('^')
	if n := min(e.Pos.End, e.Pos.Off+len(body)-at) - e.Pos.Off - 1; n > 0 {
		b.WriteString(strings.Repeat("~", len([]rune(printable(body[at:at+n+1])))-1))
	}
	if e.Hint != "" {
		b.WriteByte(' ')
		b.WriteString(e.Hint)
	}
	return b.String()
}

// printable keeps a source line from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
}

// ErrorList is all mistakes of a run, in order of the sources.
type ErrorList []*Error

// Error lists the mistakes, each as [Error.Error] has it.
func (l ErrorList) Error() string {
	var b strings.Builder
	for i, e := range l {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// Unwrap gives the mistakes to errors.As.
func (l ErrorList) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// sort puts the list in order of sources and places, and drops repetitions.
func (l ErrorList) sort() ErrorList {
	sort.SliceStable(l, func(i, j int) bool {
		a, b := l[i].Pos, l[j].Pos
		if a.Src != b.Src {
			return a.Src != nil && b.Src != nil && a.Src.index < b.Src.index
		}
		return a.Off < b.Off
	})
	out := l[:0]
	for i, e := range l {
		if i == 0 || *e != *out[len(out)-1] {
			out = append(out, e)
		}
	}
	return out
}

// maxErrors is how many mistakes are told; a file with more is no configuration.
const maxErrors = 200

func (l *ErrorList) add(p Pos, format string, a ...any) *Error {
	e := &Error{Pos: p, Msg: fmt.Sprintf(format, a...)}
	if len(*l) < maxErrors {
		*l = append(*l, e)
	}
	return e
}

func (e *Error) hint(format string, a ...any) {
	e.Hint = fmt.Sprintf(format, a...)
}
