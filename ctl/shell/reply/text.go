package reply

import (
	"bufio"
	"io"
	"strings"

	"sipd/ctl/plain"
	"sipd/rpc"
)

// textForm prints a reply as kamcmd does: a value a line, a member as
// "name: value", structures in braces with a tab for each that a line stands
// in. Lists are printed alike: BinRPC carries most as structures.
type textForm struct {
	w     *bufio.Writer
	clean bool
	depth int
	buf   []byte
}

const tabs = "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t"

// start begins a line.
func (t *textForm) start(name string) []byte {
	b := t.buf[:0]
	for n := t.depth; n > 0; n -= len(tabs) {
		b = append(b, tabs[:min(n, len(tabs))]...)
	}
	if name != "" {
		b = append(append(b, name...), ": "...)
	}
	return b
}

func (t *textForm) line(b []byte) error {
	if t.clean {
		b = append(b[:0], plain.CleanLines(string(b))...)
	}
	t.buf = append(b, '\n')
	_, err := t.w.Write(t.buf)
	return err
}

func (t *textForm) Value(name string, v rpc.Value) error {
	return t.line(appendText(t.start(name), v))
}

func (t *textForm) Open(name string, _ bool) error {
	b := append(t.start(name), '{')
	t.depth++
	return t.line(b)
}

func (t *textForm) Close() error {
	t.depth--
	return t.line(append(t.start(""), '}'))
}

func (t *textForm) End() error { return t.w.Flush() }

// formatForm prints a reply through the format of -f, as kamcmd does: %v is
// the next piece (a value, a member as "name: value", a brace), %% a percent
// sign, \n and the like as in C. The format starts again as long as there are
// pieces; at its end missing ones are empty.
type formatForm struct {
	w     *bufio.Writer
	lits  []string // what stands between the %v
	at    int      // lits[:at+1] are printed
	used  bool     // up, the whole format
	clean bool
}

// NewFormat makes the form of option -f; clean as in [New].
func NewFormat(w io.Writer, format string, clean bool) Form {
	f := &formatForm{w: buffered(w), lits: parseFormat(format), clean: clean}
	f.w.WriteString(f.lits[0])
	return f
}

func (f *formatForm) piece(text string) error {
	if f.used {
		f.w.WriteString(f.lits[0])
		f.at = 0
	}
	if f.clean {
		text = plain.CleanLines(text)
	}
	_, err := f.w.WriteString(text)
	if f.at < len(f.lits)-1 {
		f.at++
		_, err = f.w.WriteString(f.lits[f.at]) // the first error stays
	}
	f.used = f.at == len(f.lits)-1
	return err
}

func named(name, text string) string {
	if name == "" {
		return text
	}
	return name + ": " + text
}

func (f *formatForm) Value(name string, v rpc.Value) error { return f.piece(named(name, Text(v))) }
func (f *formatForm) Open(name string, _ bool) error       { return f.piece(named(name, "{")) }
func (f *formatForm) Close() error                         { return f.piece("}") }

func (f *formatForm) End() error {
	for f.at < len(f.lits)-1 {
		f.at++
		f.w.WriteString(f.lits[f.at])
	}
	return f.w.Flush()
}

// parseFormat cuts a format into what stands between its %v: always one part
// more than there are %v.
func parseFormat(format string) []string {
	var lits []string
	var cur []byte
	for i := 0; i < len(format); i++ {
		c := format[i]
		if i+1 < len(format) && c == '%' && (format[i+1] == 'v' || format[i+1] == '%') {
			i++
			if format[i] == '%' {
				cur = append(cur, '%')
				continue
			}
			lits, cur = append(lits, string(cur)), nil
			continue
		}
		if i+1 < len(format) && c == '\\' {
			if j := strings.IndexByte(`ntr\abfv"`, format[i+1]); j >= 0 {
				cur = append(cur, "\n\t\r\\\a\b\f\v\""[j])
				i++
				continue
			}
		}
		cur = append(cur, c)
	}
	return append(lits, string(cur))
}

// Breaker is a form that ends in the middle of a reply as kamcmd's do.
type Breaker interface {
	// Break takes the place of End where a record could not be read.
	Break() error
}

// Break implements [Breaker].
func (t *textForm) Break() error { return t.w.Flush() }

// Break implements [Breaker]: kamcmd has printed what stands before the next
// value when it reads it.
func (f *formatForm) Break() error {
	if f.used {
		f.w.WriteString(f.lits[0])
	}
	f.w.WriteByte('\n')
	return f.w.Flush()
}

// Bracketer is a form that can print the array records of BinRPC, which no
// real daemon sends, as kamcmd prints them.
type Bracketer interface {
	// Bracket prints the beginning or the end of an array.
	Bracket(begin bool) error
}

// Bracket implements [Bracketer]: the opening bracket stands a step too deep.
func (t *textForm) Bracket(begin bool) error {
	if begin {
		t.depth++
		return t.line(append(t.start(""), '['))
	}
	t.depth--
	return t.line(append(t.start(""), ']'))
}

// Bracket implements [Bracketer].
func (f *formatForm) Bracket(begin bool) error {
	if begin {
		return f.piece("[")
	}
	return f.piece("]")
}
