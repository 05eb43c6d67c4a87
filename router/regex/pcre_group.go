package regex

import (
	"fmt"
	"strconv"
	"strings"
)

// open translates what a parenthesis begins; it stands behind it.
func (t *pcreTranslator) open() error {
	start := t.at - 1
	rest := t.in[t.at:]
	if strings.HasPrefix(rest, "*") {
		return errf(start, "verbs such as (*%s are not supported", leadingWord(rest[1:]))
	}
	if !strings.HasPrefix(rest, "?") {
		return t.capture(start, "", 0)
	}
	for _, o := range []struct {
		text, out string
		look      bool
	}{
		{"?:", "(?:", false},
		{"?>", "(?>", false},
		{"?=", "(?=", true},
		{"?!", "(?!", true},
		{"?<=", "(?<=", true},
		{"?<!", "(?<!", true},
	} {
		if strings.HasPrefix(rest, o.text) {
			t.needsBack = t.needsBack || o.text != "?:"
			return t.push(start, len(o.text), o.out, o.look)
		}
	}
	switch {
	case strings.HasPrefix(rest, "?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return errf(start, "the comment is not closed by )")
		}
		t.at += end + 1
		return nil
	case strings.HasPrefix(rest, "?P="):
		name, n := until(rest[3:], ')')
		return t.namedRef(start, name, t.at+3+n, n)
	case strings.HasPrefix(rest, "?P<"):
		return t.named(start, 3, '>')
	case strings.HasPrefix(rest, "?<"):
		return t.named(start, 2, '>')
	case strings.HasPrefix(rest, "?'"):
		return t.named(start, 2, '\'')
	case strings.HasPrefix(rest, "?("):
		return t.condition(start)
	case strings.HasPrefix(rest, "?|"):
		return errf(start, "groups that share a number, (?|, are not supported: number them one by one")
	case strings.HasPrefix(rest, "?P>"), strings.HasPrefix(rest, "?&"), strings.HasPrefix(rest, "?R"),
		len(rest) > 1 && (rest[1] >= '0' && rest[1] <= '9' || rest[1] == '+'), len(rest) > 2 && rest[1] == '-' && rest[2] >= '0' && rest[2] <= '9':
		return errf(start, "recursion is not supported: write the group out")
	}
	return t.options(start)
}

// push opens a group that is written as out; n octets are behind its parenthesis.
func (t *pcreTranslator) push(start, n int, out string, look bool) error {
	if len(t.scopes) >= maxPCREDepth {
		return errf(start, "more than %d groups in each other", maxPCREDepth)
	}
	t.at += n
	t.scopes = append(t.scopes, pcreScope{t.flags, len(t.out), look})
	t.out, t.atom = append(t.out, out...), -1
	return nil
}

func (t *pcreTranslator) capture(start int, name string, n int) error {
	t.groups++
	if name != "" {
		if t.names[name] != 0 {
			return errf(start, "there are two groups of the name %s", name)
		}
		t.names[name] = t.groups
	}
	return t.push(start, n, "(", false)
}

// named opens a group with a name, which stands n octets on. Both engines see
// numbers only.
func (t *pcreTranslator) named(start, n int, end byte) error {
	name, length := until(t.in[t.at+n:], end)
	if length == 0 || leadingWord(name) != name || name == "" || name[0] <= '9' {
		return errf(start, "the name of a group is letters, digits and _, closed by %c", end)
	}
	return t.capture(start, name, n+length)
}

// condition opens (?(1)yes|no), (?(<name>)…) or (?(?=look)yes|no).
func (t *pcreTranslator) condition(start int) error {
	t.needsBack = true
	rest := t.in[t.at+2:]
	if strings.HasPrefix(rest, "?=") || strings.HasPrefix(rest, "?!") || strings.HasPrefix(rest, "?<=") || strings.HasPrefix(rest, "?<!") {
		return t.push(start, 1, "(?", false) // the look-around is read next
	}
	name, n := until(rest, ')')
	if n == 0 {
		return errf(start, "the condition is not closed by )")
	}
	number, err := strconv.Atoi(name)
	if err != nil {
		if number = t.names[strings.Trim(name, "<>'")]; number == 0 {
			return errf(start, "the condition %q is neither the number nor the name of a group before it", name)
		}
	}
	t.refer(start, number)
	return t.push(start, 2+n, fmt.Sprintf("(?(%d)", number), false)
}

// options translates (?i), (?i-m) and (?i:…).
func (t *pcreTranslator) options(start int) error {
	f, on := t.flags, true
	for i := t.at + 1; i < len(t.in); i++ {
		switch c := t.in[i]; c {
		case '-':
			on = false
		case 'i':
			f.Caseless = on
		case 'm':
			f.Multiline = on
		case 's':
			f.DotAll = on
		case 'x':
			f.Extended = on
		case 'U':
			f.lazy = on
		case ')':
			t.at, t.flags, t.atom = i+1, f, -1
			return nil
		case ':':
			err := t.push(start, i+1-t.at, "(?:", false)
			t.flags = f
			return err
		default:
			return errf(i, "unknown option %c: there are i, m, s, x and U", c)
		}
	}
	return errf(start, "the group is not closed by )")
}

// until is s up to an octet, and the length with it; 0 when there is none.
func until(s string, end byte) (string, int) {
	if i := strings.IndexByte(s, end); i >= 0 {
		return s[:i], i + 1
	}
	return "", 0
}

// leadingWord is the letters, digits and underscores at the start of s.
func leadingWord(s string) string {
	i := 0
	for i < len(s) && isPCREWord(s[i]) {
		i++
	}
	return s[:i]
}

func (t *pcreTranslator) namedRef(start int, name string, next, n int) error {
	number := t.names[name]
	if n == 0 || number == 0 {
		return errf(start, "there is no group %q before it to refer to", name)
	}
	t.at = next
	t.reference(start, number)
	return nil
}

func (t *pcreTranslator) refer(start, group int) {
	t.needsBack = true
	if group > t.refs {
		t.refs, t.refAt = group, start
	}
}

// reference writes the text of a group once more.
func (t *pcreTranslator) reference(start, group int) {
	t.refer(start, group)
	t.atom = len(t.out)
	mode := "(?:"
	if t.flags.Caseless {
		mode = "(?i:"
	}
	t.out = fmt.Appendf(t.out, `%s\%d)`, mode, group)
}
