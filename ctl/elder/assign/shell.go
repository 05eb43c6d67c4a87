package assign

import (
	"fmt"
	"strings"
)

// Var is one assignment of a shell script.
type Var struct {
	Name, Value string
	Line        int
}

// Shell reads the assignments of a script of the Bourne shell in their order:
// NAME=VALUE, several on a line, export and readonly before them, with the
// shell's quotes and backslashes, comments, and ${NAME}, ${NAME:-WORD} and
// ${NAME-WORD} of earlier ones or, for names not assigned here, of env. Commands,
// command substitution, conditions and redirections are an *[Error].
func Shell(file, text string, env func(name string) (string, bool)) ([]Var, error) {
	if len(text) > MaxSize {
		return nil, &Error{file, 1, fmt.Sprintf("longer than %d bytes", MaxSize)}
	}
	if err := noNUL(file, text); err != nil {
		return nil, err
	}
	p := &shell{file: file, text: text, line: 1, env: env, now: make(map[string]string)}
	for {
		p.blanks()
		if p.at >= len(p.text) {
			return p.vars, nil
		}
		if err := p.statement(); err != nil {
			return nil, err
		}
	}
}

type shell struct {
	file, text string
	at, line   int
	depth      int // of ${…-WORD}
	env        func(string) (string, bool)
	now        map[string]string
	vars       []Var
}

func (p *shell) fail(format string, args ...any) error {
	return &Error{p.file, p.line, fmt.Sprintf(format, args...)}
}

// peek is the next byte, 0 at the end: the text has no NUL.
func (p *shell) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// next takes a byte and counts lines.
func (p *shell) next() byte {
	c := p.text[p.at]
	p.at++
	if c == '\n' {
		p.line++
	}
	return c
}

// blanks skips white space, line ends, ; and comments.
func (p *shell) blanks() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';':
			p.next()
		case c == '\\' && strings.HasPrefix(p.text[p.at:], "\\\n"):
			p.next()
			p.next()
		case c == '#':
			p.comment()
		default:
			return
		}
	}
}

func (p *shell) comment() {
	for p.at < len(p.text) && p.text[p.at] != '\n' {
		p.at++
	}
}

// statement reads one assignment, or export and what it exports.
func (p *shell) statement() error {
	start := p.at
	for p.at < len(p.text) && isName(p.text[p.at]) {
		p.at++
	}
	name := p.text[start:p.at]
	if name == "export" || name == "readonly" {
		if c := p.peek(); c == ' ' || c == '\t' {
			return p.exported()
		}
	}
	return p.assignment(name)
}

// exported reads what stands behind export: names, which change nothing, and
// assignments.
func (p *shell) exported() error {
	for {
		for p.peek() == ' ' || p.peek() == '\t' {
			p.at++
		}
		if !isLetter(p.peek()) {
			return p.end()
		}
		start := p.at
		for p.at < len(p.text) && isName(p.text[p.at]) {
			p.at++
		}
		if p.peek() != '=' {
			if p.peek() != ' ' && p.peek() != '\t' {
				return p.end()
			}
			continue
		}
		if err := p.assign(p.text[start:p.at]); err != nil {
			return err
		}
	}
}

// assignment reads the rest behind a name, which must be =VALUE.
func (p *shell) assignment(name string) error {
	switch c := p.peek(); {
	case name != "" && isLetter(name[0]) && c == '=':
		if err := p.assign(name); err != nil {
			return err
		}
		if isLetter(p.afterBlanks()) {
			return nil // another one; a command there is refused when its turn comes
		}
		return p.end()
	case name == "source" || name == "" && c == '.':
		return p.fail("it includes another file, which is not read here; put its settings into this one")
	case name == "":
		return p.fail("%q is no assignment; only NAME=VALUE is read here, nothing is run", c)
	case isDigit(name[0]):
		return p.fail("%s is no name: a name begins with a letter", name)
	case shellWords[name]:
		return p.fail("%s: conditions, loops and functions are not run; write the value that is wanted as NAME=VALUE", name)
	case c == ' ' && strings.HasPrefix(strings.TrimLeft(p.text[p.at:], " \t"), "="):
		return p.fail("%s: there must be no blank before the =", name)
	}
	return p.fail("%s is a command, which is not run; only NAME=VALUE is read here", name)
}

var shellWords = map[string]bool{
	"if": true, "then": true, "else": true, "elif": true, "fi": true, "case": true, "esac": true, "for": true,
	"while": true, "until": true, "do": true, "done": true, "function": true,
}

// afterBlanks is the byte behind blanks on this line.
func (p *shell) afterBlanks() byte {
	for i := p.at; i < len(p.text); i++ {
		if c := p.text[i]; c != ' ' && c != '\t' {
			return c
		}
	}
	return 0
}

// end wants nothing more on the line.
func (p *shell) end() error {
	for p.peek() == ' ' || p.peek() == '\t' || p.peek() == '\r' {
		p.at++
	}
	switch c := p.peek(); {
	case p.at >= len(p.text), c == '\n', c == ';', c == '#':
		return nil
	case strings.IndexByte("&|<>()", c) >= 0:
		return p.fail("%q: nothing is run here, so there is nothing to join or redirect; put quotes around the value", c)
	default:
		return p.fail("%q behind the value: put quotes around a value with blanks", c)
	}
}

func (p *shell) assign(name string) error {
	line := p.line
	p.at++ // the =
	if strings.HasPrefix(p.text[p.at:], "(") {
		return p.fail("%s: arrays are not read here", name)
	}
	value, err := p.word(0)
	if err != nil {
		return err
	}
	p.now[name] = value
	p.vars = append(p.vars, Var{name, value, line})
	return nil
}

// word reads a value up to a blank or, inside ${…}, to the brace that closes.
func (p *shell) word(closing byte) (string, error) {
	var b strings.Builder
	first := true
	for p.at < len(p.text) {
		c := p.text[p.at]
		if closing != 0 && c == closing || closing == 0 && strings.IndexByte(" \t\r\n;&|<>()", c) >= 0 {
			return b.String(), nil
		}
		if err := p.piece(&b, first); err != nil {
			return "", err
		}
		first = false
	}
	if closing != 0 {
		return "", p.fail("${ without its }")
	}
	return b.String(), nil
}

// piece reads one byte of a word, or what is quoted or expanded there.
func (p *shell) piece(b *strings.Builder, first bool) error {
	switch c := p.next(); c {
	case '\'':
		return p.single(b)
	case '"':
		return p.double(b)
	case '\\':
		if p.at >= len(p.text) {
			return p.fail("a backslash at the end of the file")
		}
		if c := p.next(); c != '\n' {
			b.WriteByte(c)
		}
	case '$', '`':
		return p.dollar(b, c)
	case '~':
		if next := p.peek(); first && (next == '/' || next == 0 || next == '\n') {
			home, _ := p.lookup("HOME")
			b.WriteString(home)
			return nil
		}
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
	return nil
}

func (p *shell) single(b *strings.Builder) error {
	line := p.line
	for p.at < len(p.text) {
		c := p.next()
		if c == '\'' {
			return nil
		}
		b.WriteByte(c)
	}
	return &Error{p.file, line, "the ' that begins here has no end"}
}

func (p *shell) double(b *strings.Builder) error {
	line := p.line
	for p.at < len(p.text) {
		switch c := p.next(); c {
		case '"':
			return nil
		case '\\':
			if p.at >= len(p.text) {
				continue
			}
			switch d := p.peek(); d {
			case '\n':
				p.next()
			case '$', '`', '"', '\\':
				p.next()
				b.WriteByte(d)
			default:
				b.WriteByte('\\')
			}
		case '$', '`':
			if err := p.dollar(b, c); err != nil {
				return err
			}
		default:
			b.WriteByte(c)
		}
	}
	return &Error{p.file, line, `the " that begins here has no end`}
}

const maxNesting = 20

// dollar expands what stands behind a $; c is the $ or a backquote.
func (p *shell) dollar(b *strings.Builder, c byte) error {
	switch d := p.peek(); {
	case c == '`' || d == '(':
		return p.fail("command substitution is not run; write the value itself, in '…' if a %q belongs to it", c)
	case isLetter(d):
		start := p.at
		for p.at < len(p.text) && isName(p.text[p.at]) {
			p.at++
		}
		v, _ := p.lookup(p.text[start:p.at])
		return p.expand(b, v)
	case d == '{':
		p.at++
		return p.braces(b)
	case isDigit(d) || d != 0 && strings.IndexByte("?$!#@*-", d) >= 0:
		return p.fail("$%c is of a running script; put the value into '…' if the $ belongs to it", d)
	}
	b.WriteByte('$')
	return nil
}

// braces reads NAME}, NAME:-WORD} or NAME-WORD}.
func (p *shell) braces(b *strings.Builder) error {
	start := p.at
	for p.at < len(p.text) && isName(p.text[p.at]) {
		p.at++
	}
	name := p.text[start:p.at]
	if name == "" || !isLetter(name[0]) {
		return p.fail("${%s: only ${NAME} and ${NAME:-WORD} are read here", name)
	}
	v, set := p.lookup(name)
	rest := p.text[p.at:]
	switch {
	case strings.HasPrefix(rest, "}"):
		p.at++
		return p.expand(b, v)
	case strings.HasPrefix(rest, ":-"), strings.HasPrefix(rest, ":="):
		p.at += 2
		set = set && v != ""
	case strings.HasPrefix(rest, "-"), strings.HasPrefix(rest, "="):
		p.at++
	default:
		return p.fail("${%s…: only ${NAME} and ${NAME:-WORD} are read here", name)
	}
	if p.depth++; p.depth > maxNesting {
		return p.fail("more than %d ${ inside each other", maxNesting)
	}
	word, err := p.word('}')
	p.depth--
	if err != nil {
		return err
	}
	p.at++ // the }
	if set {
		return p.expand(b, v)
	}
	return p.expand(b, word)
}

// expand adds a value, which may double with each line of a file.
func (p *shell) expand(b *strings.Builder, v string) error {
	if b.Len()+len(v) > MaxSize {
		return p.fail("the value is longer than %d bytes", MaxSize)
	}
	b.WriteString(v)
	return nil
}

func (p *shell) lookup(name string) (string, bool) {
	if v, ok := p.now[name]; ok {
		return v, true
	}
	return p.env(name)
}
