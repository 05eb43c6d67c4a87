package assign

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Setting is one assignment of a Python program. Value is a string, an int64,
// a bool or nil (None).
type Setting struct {
	Name  string
	Value any
	Line  int
}

// Python reads the assignments of a Python program in their order: NAME =
// VALUE, where VALUE is a string with any of Python's quotes, several of them
// side by side or joined with +, a whole number, True, False or None. Comments,
// parentheses around a value and ; between assignments are fine. Anything else
// (import, calls, conditions, lists) is an *[Error].
func Python(file, text string) ([]Setting, error) {
	if len(text) > MaxSize {
		return nil, &Error{file, 1, fmt.Sprintf("longer than %d bytes", MaxSize)}
	}
	if err := noNUL(file, text); err != nil {
		return nil, err
	}
	p := &python{file: file, text: strings.TrimPrefix(text, "\ufeff"), line: 1}
	var out []Setting
	for {
		p.lines()
		if p.at >= len(p.text) {
			return out, nil
		}
		s, err := p.assignment()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
}

type python struct {
	file, text string
	at, line   int
	open       int // parentheses
}

func (p *python) fail(format string, args ...any) error {
	return &Error{p.file, p.line, fmt.Sprintf(format, args...)}
}

func (p *python) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// lines skips empty lines, comments and ;.
func (p *python) lines() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '\n':
			p.line++
			p.at++
		case '\r', ';', '\f':
			p.at++
		case ' ', '\t':
			// Blanks alone on a line, or before a comment, say nothing; before a
			// statement they are wrong, as Python itself says.
			rest := strings.TrimLeft(p.text[p.at:], " \t\r\f")
			if rest != "" && rest[0] != '\n' && rest[0] != '#' && !p.afterSemicolon() {
				return
			}
			p.at = len(p.text) - len(rest)
		case '#':
			p.comment()
		default:
			return
		}
	}
}

func (p *python) afterSemicolon() bool { return p.at > 0 && p.text[p.at-1] == ';' }

func (p *python) comment() {
	for p.at < len(p.text) && p.text[p.at] != '\n' {
		p.at++
	}
}

// blanks skips what may stand between two tokens.
func (p *python) blanks() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\f':
			p.at++
		case c == '\\' && strings.HasPrefix(p.text[p.at:], "\\\n"), c == '\\' && strings.HasPrefix(p.text[p.at:], "\\\r\n"):
			p.at += strings.IndexByte(p.text[p.at:], '\n') + 1
			p.line++
		case c == '\n' && p.open > 0:
			p.at++
			p.line++
		case c == '#' && p.open > 0:
			p.comment()
		default:
			return
		}
	}
}

func (p *python) name() string {
	start := p.at
	for p.at < len(p.text) && isName(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at]
}

func (p *python) assignment() (Setting, error) {
	s := Setting{Line: p.line}
	if c := p.peek(); c == ' ' || c == '\t' {
		return s, p.fail("an indented line: settings begin at the first column")
	}
	s.Name = p.name()
	if s.Name == "" || isDigit(s.Name[0]) {
		r, _ := utf8.DecodeRuneInString(p.text[p.at:])
		return s, p.fail("%q is no assignment; only NAME = VALUE is read here, nothing is run", r)
	}
	p.blanks()
	if p.peek() != '=' || strings.HasPrefix(p.text[p.at:], "==") {
		if pythonWords[s.Name] {
			return s, p.fail("%s: this file is not run as a program; only NAME = VALUE is read here", s.Name)
		}
		return s, p.fail("%s is not followed by =; only NAME = VALUE is read here, nothing is run", s.Name)
	}
	p.at++
	var err error
	if s.Value, err = p.sum(); err != nil {
		return s, err
	}
	p.blanks()
	switch c := p.peek(); {
	case p.at >= len(p.text), c == '\n', c == ';', c == '#':
		return s, nil
	case c == ',':
		return s, p.fail("%s: lists are not read here; several servers stand in one string, with blanks between them", s.Name)
	default:
		r, _ := utf8.DecodeRuneInString(p.text[p.at:])
		return s, p.fail("%s: %q behind the value; only strings, numbers, True, False and None are read here", s.Name, r)
	}
}

var pythonWords = map[string]bool{
	"import": true, "from": true, "def": true, "class": true, "if": true, "for": true, "while": true, "try": true,
	"print": true, "exec": true, "del": true, "with": true, "global": true, "pass": true, "raise": true, "assert": true,
}

// sum reads values joined with +, which joins strings and adds numbers.
func (p *python) sum() (any, error) {
	v, err := p.value()
	for err == nil {
		p.blanks()
		if p.peek() != '+' {
			break
		}
		p.at++
		var w any
		if w, err = p.value(); err != nil {
			break
		}
		switch a := v.(type) {
		case string:
			b, ok := w.(string)
			if !ok {
				return nil, p.fail("a string and something else cannot be joined with +")
			}
			if len(a)+len(b) > MaxSize {
				return nil, p.fail("the value is longer than %d bytes", MaxSize)
			}
			v = a + b
		default:
			return nil, p.fail("+ is read between strings only")
		}
	}
	return v, err
}

func (p *python) value() (any, error) {
	p.blanks()
	switch c := p.peek(); {
	case c == '(':
		if p.open++; p.open > maxNesting {
			return nil, p.fail("more than %d parentheses inside each other", maxNesting)
		}
		p.at++
		v, err := p.sum()
		if err != nil {
			return nil, err
		}
		p.blanks()
		if p.peek() != ')' {
			return nil, p.fail("a parenthesis without its end, or a list, which is not read here")
		}
		p.at++
		p.open--
		return v, nil
	case c == '\'' || c == '"':
		return p.strings("")
	case isDigit(c) || c == '-':
		return p.number()
	case isLetter(c):
		return p.word()
	case p.at >= len(p.text) || c == '\n':
		return nil, p.fail("the value is missing")
	case c == '[' || c == '{':
		return nil, p.fail("lists and dictionaries are not read here; several servers stand in one string, with blanks between them")
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return nil, p.fail("%q begins no value; only strings, numbers, True, False and None are read here", r)
}

// word reads True, False, None or the prefix of a string.
func (p *python) word() (any, error) {
	name := p.name()
	if q := p.peek(); q == '\'' || q == '"' {
		prefix := strings.ToLower(name)
		switch prefix {
		case "r", "u", "b", "ur", "br":
			return p.strings(prefix)
		}
	}
	switch name {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	}
	p.blanks()
	if p.peek() == '(' || p.peek() == '.' {
		return nil, p.fail("%s: functions are not called here; write the value itself", name)
	}
	return nil, p.fail("%s: other names are not looked up here; write the value itself", name)
}

func (p *python) number() (any, error) {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	for p.at < len(p.text) && isName(p.text[p.at]) {
		p.at++
	}
	text := strings.TrimRight(p.text[start:p.at], "lL")
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil || strings.Contains(text, "_") || p.peek() == '.' {
		return nil, p.fail("%s is no whole number of 64 bits", text)
	}
	return n, nil
}

// strings reads one string and those that follow it without a +.
func (p *python) strings(prefix string) (any, error) {
	var b strings.Builder
	for {
		if err := p.string(&b, prefix); err != nil {
			return nil, err
		}
		p.blanks()
		mark := p.at
		prefix = strings.ToLower(p.name())
		if q := p.peek(); q != '\'' && q != '"' || len(prefix) > 2 || strings.Trim(prefix, "rub") != "" {
			p.at = mark
			return b.String(), nil
		}
	}
}

// string reads one string; prefix is what stands before its quote.
func (p *python) string(b *strings.Builder, prefix string) error {
	line := p.line
	quote := p.text[p.at : p.at+1]
	if strings.HasPrefix(p.text[p.at:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	p.at += len(quote)
	raw, unicode := strings.Contains(prefix, "r"), strings.Contains(prefix, "u")
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case strings.HasPrefix(p.text[p.at:], quote):
			p.at += len(quote)
			return nil
		case c == '\n' && len(quote) == 1:
			return &Error{p.file, line, "the string has no end on its line"}
		case c == '\\' && p.at+1 < len(p.text):
			if err := p.escape(b, raw, unicode); err != nil {
				return err
			}
		default:
			if c == '\n' {
				p.line++
			}
			b.WriteByte(c)
			p.at++
		}
	}
	return &Error{p.file, line, "the string that begins here has no end"}
}

const simpleEscapes = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v"

// escape reads a backslash and what it stands for.
func (p *python) escape(b *strings.Builder, raw, unicode bool) error {
	c := p.text[p.at+1]
	p.at += 2
	if c == '\n' {
		p.line++
	}
	if raw {
		b.WriteByte('\\')
		b.WriteByte(c)
		return nil
	}
	switch {
	case c == '\n':
		return nil
	case c == 'x':
		return p.code(b, 2, false)
	case unicode && c == 'u':
		return p.code(b, 4, true)
	case unicode && c == 'U':
		return p.code(b, 8, true)
	case '0' <= c && c <= '7':
		n := int(c - '0')
		for i := 0; i < 2 && '0' <= p.peek() && p.peek() <= '7'; i++ {
			n = n*8 + int(p.peek()-'0')
			p.at++
		}
		b.WriteByte(byte(n))
		return nil
	}
	for i := 0; i < len(simpleEscapes); i += 2 {
		if simpleEscapes[i] == c {
			b.WriteByte(simpleEscapes[i+1])
			return nil
		}
	}
	// As Python: an escape that it does not know stays as it is.
	b.WriteByte('\\')
	b.WriteByte(c)
	return nil
}

// code reads n hex digits: a byte, or a character.
func (p *python) code(b *strings.Builder, n int, character bool) error {
	if p.at+n > len(p.text) {
		return p.fail("an escape without its %d hex digits", n)
	}
	v, err := strconv.ParseUint(p.text[p.at:p.at+n], 16, 32)
	if err != nil {
		return p.fail("an escape without its %d hex digits", n)
	}
	p.at += n
	if character {
		b.WriteRune(rune(v))
	} else {
		b.WriteByte(byte(v))
	}
	return nil
}
