// Package regex compiles the regular expressions of the configuration
// language: POSIX extended ones with the GNU escapes, as regcomp(3) reads them,
// on top of Go's engine. Whoever needs a regular expression that an operator
// wrote (the script's =~ and case /…, textops, dialplan) compiles it here.
package regex

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Mode changes how an expression matches.
type Mode uint8

const (
	// Fold ignores case (REG_ICASE).
	Fold Mode = 1 << iota
	// Newline makes ^ and $ match at every line, and keeps "." and [^…] from
	// matching LF (REG_NEWLINE).
	Newline
	// DotNL lets "." and [^…] match LF though Newline is given.
	DotNL
)

// Compile compiles a POSIX extended expression; matches are leftmost-longest.
// Back-references in the expression, which Go cannot do, are an error.
func Compile(expr string, mode Mode) (*regexp.Regexp, error) {
	goExpr, err := Translate(expr, mode)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(goExpr)
	if err != nil {
		msg := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, fmt.Errorf("regular expression %q: %s", expr, msg)
	}
	re.Longest()
	return re, nil
}

// Translate writes a POSIX extended expression in Go's syntax.
func Translate(expr string, mode Mode) (string, error) {
	t := &translator{in: expr, mode: mode, atom: -1}
	flags := ""
	if mode&Fold != 0 {
		flags += "i"
	}
	if mode&Newline != 0 {
		flags += "m"
	}
	if mode&Newline == 0 || mode&DotNL != 0 {
		flags += "s"
	}
	t.out = append(t.out, "(?"+flags+")"...)
	for t.i < len(t.in) {
		if err := t.step(); err != nil {
			return "", fmt.Errorf("regular expression %q: %w", expr, err)
		}
	}
	if len(t.groups) > 0 {
		return "", fmt.Errorf("regular expression %q: missing )", expr)
	}
	return string(t.out), nil
}

type translator struct {
	in     string
	i      int
	mode   Mode
	out    []byte
	groups []int
	// atom is where the last thing that a repetition can follow starts in
	// out, -1 for nothing; repeated says that it has one already.
	atom     int
	repeated bool
}

func (t *translator) emit(s string) {
	t.atom, t.repeated = len(t.out), false
	t.out = append(t.out, s...)
}

func (t *translator) step() error {
	c := t.in[t.i]
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.bracket()
	case '(':
		t.groups = append(t.groups, len(t.out))
		t.out = append(t.out, '(')
		t.atom = -1
	case ')':
		if len(t.groups) == 0 {
			t.emit(`\)`) // as glibc
			break
		}
		n := len(t.groups) - 1
		t.out = append(t.out, ')')
		t.atom, t.repeated = t.groups[n], false
		t.groups = t.groups[:n]
	case '|':
		t.out = append(t.out, '|')
		t.atom = -1
	case '^', '$':
		t.out = append(t.out, c)
		t.atom = -1
	case '*', '+', '?':
		t.repeat(string(c))
	case '{':
		if n, op := interval(t.in[t.i:]); n > 0 {
			t.i += n - 1
			t.repeat(op)
			break
		}
		t.emit(`\{`)
	case '.':
		t.emit(".")
	default:
		t.literal()
		return nil
	}
	t.i++
	return nil
}

// literal copies one character; Go repeats runes, not octets.
func (t *translator) literal() {
	_, n := utf8.DecodeRuneInString(t.in[t.i:])
	if n == 1 && t.in[t.i] >= utf8.RuneSelf { // a stray octet
		t.emit(fmt.Sprintf(`\x{%x}`, t.in[t.i]))
	} else {
		t.emit(regexp.QuoteMeta(t.in[t.i : t.i+n]))
	}
	t.i += n
}

func (t *translator) repeat(op string) {
	if t.atom < 0 { // nothing to repeat: the character itself, as glibc
		if op == "*" || op == "+" || op == "?" {
			t.emit(`\` + op)
		}
		return
	}
	if t.repeated {
		// a** is legal here and means something else in Go: wrap it.
		wrapped := "(?:" + string(t.out[t.atom:]) + ")"
		t.out = append(t.out[:t.atom], wrapped...)
	}
	t.out = append(t.out, op...)
	t.repeated = true
}

// interval reads {m}, {m,}, {m,n} and {,n}.
func interval(s string) (int, string) {
	end := strings.IndexByte(s, '}')
	if end < 2 {
		return 0, ""
	}
	lo, hi, comma := strings.Cut(s[1:end], ",")
	if strings.Trim(lo, "0123456789") != "" || strings.Trim(hi, "0123456789") != "" || !comma && lo == "" || len(lo) > 5 || len(hi) > 5 {
		return 0, ""
	}
	if !comma {
		return end + 1, s[:end+1]
	}
	if lo == "" {
		lo = "0"
	}
	return end + 1, "{" + lo + "," + hi + "}"
}

func (t *translator) escape() error {
	if t.i+1 == len(t.in) {
		return errors.New("ends with a backslash")
	}
	c := t.in[t.i+1]
	t.i += 2
	switch c {
	case 'w', 'W', 's', 'S':
		t.emit(`\` + string(c))
	case 'b', 'B':
		t.out = append(t.out, '\\', c)
		t.atom = -1
	case '<', '>':
		t.out = append(t.out, `\b`...)
		t.atom = -1
	case '`':
		t.out = append(t.out, `\A`...)
		t.atom = -1
	case '\'':
		t.out = append(t.out, `\z`...)
		t.atom = -1
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return fmt.Errorf(`back-reference \%c is not supported`, c)
	default:
		t.i-- // any other character stands for itself
		t.literal()
	}
	return nil
}

// bracket reads a bracket expression. A backslash in it is an ordinary
// character.
func (t *translator) bracket() error {
	s := t.in
	i := t.i + 1
	var b strings.Builder
	b.WriteByte('[')
	if i < len(s) && s[i] == '^' {
		b.WriteByte('^')
		if t.mode&Newline != 0 && t.mode&DotNL == 0 {
			b.WriteString(`\n`)
		}
		i++
	}
	for first := true; ; first = false {
		if i >= len(s) {
			return errors.New("missing ]")
		}
		c := s[i]
		if c == ']' && !first {
			break
		}
		if c == '[' && i+1 < len(s) && strings.IndexByte(":.=", s[i+1]) >= 0 {
			end := strings.Index(s[i+2:], s[i+1:i+2]+"]")
			if end < 0 {
				return errors.New("missing ]")
			}
			name := s[i+2 : i+2+end]
			if s[i+1] == ':' {
				b.WriteString("[:" + name + ":]")
			} else {
				b.WriteString(classQuote(name))
			}
			i += end + 4
			continue
		}
		if c == '-' && !first && i+1 < len(s) && s[i+1] != ']' {
			b.WriteByte('-')
			i++
			continue
		}
		b.WriteString(classQuote(string(c)))
		if c >= 0x80 { // keep whole characters
			b.Reset()
			return t.wideBracket()
		}
		i++
	}
	b.WriteByte(']')
	t.emit(b.String())
	t.i = i + 1
	return nil
}

// wideBracket is bracket for classes with characters beyond ASCII.
func (t *translator) wideBracket() error {
	end := strings.IndexByte(t.in[t.i+2:], ']')
	if end < 0 {
		return errors.New("missing ]")
	}
	body := t.in[t.i+1 : t.i+2+end]
	t.emit("[" + strings.ReplaceAll(strings.ToValidUTF8(body, ""), `\`, `\\`) + "]")
	t.i += end + 3
	return nil
}

func classQuote(s string) string {
	if strings.ContainsAny(s, `\[]^-`) {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if strings.IndexByte(`\[]^-`, s[i]) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(s[i])
		}
		return b.String()
	}
	return s
}
