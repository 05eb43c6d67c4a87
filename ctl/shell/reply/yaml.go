package reply

import (
	"bufio"
	"fmt"
	"strings"

	"sipd/ctl/plain"
	"sipd/rpc"
)

// yamlForm prints a reply as a YAML sequence of its values, in block style,
// with the same content as JSON. It is written here because a library wants
// the whole document first; strings that need quotes are JSON strings, which
// are YAML too.
type yamlForm struct {
	w    *bufio.Writer
	n    int // values at the top
	open []yamlGroup
	buf  []byte
}

type yamlGroup struct {
	list   bool
	n      int  // members so far
	inline bool // the first member stands on the line of the dash before it
	indent int
}

// begin writes the line's start up to where the value stands.
func (y *yamlForm) begin(b []byte, name string) []byte {
	if len(y.open) == 0 {
		y.n++
		return append(b, "- "...)
	}
	g := &y.open[len(y.open)-1]
	switch {
	case g.n == 0 && g.inline:
	case g.n == 0:
		b = append(b, '\n')
		fallthrough
	default:
		b = append(b, strings.Repeat(" ", g.indent)...)
	}
	g.n++
	if g.list {
		b = append(b, "- "...)
		if name == "" {
			return b
		}
	}
	return append(appendPlain(b, name), ':')
}

func (y *yamlForm) write(b []byte) error {
	y.buf = b
	_, err := y.w.Write(b)
	return err
}

func (y *yamlForm) Value(name string, v rpc.Value) error {
	b := y.begin(y.buf[:0], name)
	if b[len(b)-1] == ':' {
		b = append(b, ' ')
	}
	return y.write(append(appendYAML(b, v), '\n'))
}

func (y *yamlForm) Open(name string, list bool) error {
	b := y.begin(y.buf[:0], name)
	g := yamlGroup{list: list, indent: 2, inline: b[len(b)-1] == ' '}
	if n := len(y.open); n > 0 {
		g.indent += y.open[n-1].indent
		if y.open[n-1].list && name != "" {
			g.indent += 2 // below the name, which stands behind a dash
		}
	}
	y.open = append(y.open, g)
	return y.write(b)
}

func (y *yamlForm) Close() error {
	g := y.open[len(y.open)-1]
	y.open = y.open[:len(y.open)-1]
	if g.n > 0 {
		return nil
	}
	empty := "{}\n"
	if g.list {
		empty = "[]\n"
	}
	if !g.inline {
		empty = " " + empty
	}
	return y.write(append(y.buf[:0], empty...))
}

func (y *yamlForm) End() error {
	if y.n == 0 {
		y.w.WriteString("[]\n")
	}
	return y.w.Flush()
}

func appendYAML(b []byte, v rpc.Value) []byte {
	switch v := v.(type) {
	case rpc.Double:
		if n, ok := appendNumber(b, float64(v)); ok {
			return n
		}
		return append(b, map[string]string{"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}[fmt.Sprint(float64(v))]...)
	case rpc.String:
		return appendPlain(b, string(v))
	case rpc.Text:
		return appendPlain(b, string(v))
	case rpc.Bytes:
		return appendPlain(b, octets(v))
	}
	return appendJSON(b, v)
}

// appendPlain writes text without quotes where every reader of YAML 1.1 and
// 1.2 takes it for that text, else as a JSON string.
func appendPlain(b []byte, s string) []byte {
	if isPlain(s) {
		return append(b, s...)
	}
	return plain.AppendJSON(b, s)
}

// isPlain is narrow on purpose: it begins with a letter, holds no character
// with a meaning, and is no word that stands for a value.
func isPlain(s string) bool {
	if s == "" || len(s) > 200 || !isLetter(s[0]) || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && (c < '0' || c > '9') && !strings.ContainsRune("_./@+-=()<>; ", rune(c)) && !(c == ':' && i+1 < len(s) && s[i+1] != ' ') {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
		return false
	}
	return true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
