package regex

import (
	"strconv"
	"strings"
)

// wordEdge is \b for an engine whose own takes letters beyond ASCII for words.
const wordEdge = `(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))`

const noWordEdge = `(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))`

// escape translates what a backslash begins; it stands behind it.
func (t *pcreTranslator) escape() error {
	start := t.at - 1
	if t.at == len(t.in) {
		return errf(start, "a character is missing behind the backslash")
	}
	c := t.in[t.at]
	if s := escapedSet(c); s != nil {
		t.at++
		t.set(s)
		return nil
	}
	switch c {
	case 'b', 'B', 'A', 'z', 'Z', 'G':
		t.at++
		t.place(c)
	case 'K': // where the match is said to begin; we only say whether
		t.at++
		t.atom = -1
	case 'E':
		t.at++
	case 'Q':
		t.at++
		t.quoted()
	case 'N':
		t.at++
		t.set(setOf(func(c byte) bool { return c != '\n' }))
	case 'R':
		t.at++
		t.atom = len(t.out)
		t.out = append(t.out, `(?:\x0d\x0a|[\x0a-\x0d\x85-\x85])`...)
	case 'C', 'X', 'p', 'P', 'u', 'U', 'L', 'l':
		return errf(start, `\%c is not supported: the text is octets; name them in a class`, c)
	case 'g', 'k':
		return t.longReference(start)
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return t.numbered(start)
	default:
		v, err := t.escapedOctet(start)
		if err != nil {
			return err
		}
		t.literal(v)
	}
	return nil
}

// place writes a condition on the place.
func (t *pcreTranslator) place(c byte) {
	t.atom = -1
	s := `\` + string(c)
	switch {
	case c == 'G':
		s = `\A`
	case c == 'Z' && !t.back:
		s, t.tail = `\z`, true
	case c == 'b' && t.back:
		s = wordEdge
	case c == 'B' && t.back:
		s = noWordEdge
	}
	t.out = append(t.out, s...)
}

// quoted writes the text between \Q and \E.
func (t *pcreTranslator) quoted() {
	text, next, _ := strings.Cut(t.in[t.at:], `\E`)
	t.at = len(t.in) - len(next)
	for i := range len(text) {
		t.literal(text[i])
	}
}

// numbered is a reference \1, or an octet in octal when there are not so many groups.
func (t *pcreTranslator) numbered(start int) error {
	end := t.at
	for end < len(t.in) && end < t.at+4 && between(t.in[end], '0', '9') {
		end++
	}
	n, _ := strconv.Atoi(t.in[t.at:end])
	if n < 10 || n <= t.groups {
		t.at = end
		t.reference(start, n)
		return nil
	}
	if t.in[t.at] >= '8' {
		t.literal(t.in[t.at])
		t.at++
		return nil
	}
	v, err := t.octal(start)
	if err != nil {
		return err
	}
	t.literal(v)
	return nil
}

// longReference is \g1, \g{-1}, \g{name}, \k<name>, \k{name} or \k'name'.
func (t *pcreTranslator) longReference(start int) error {
	rest := t.in[t.at+1:]
	var name string
	n := 0
	switch {
	case strings.HasPrefix(rest, "{"):
		name, n = until(rest[1:], '}')
	case strings.HasPrefix(rest, "<") && t.in[t.at] == 'k':
		name, n = until(rest[1:], '>')
	case strings.HasPrefix(rest, "'") && t.in[t.at] == 'k':
		name, n = until(rest[1:], '\'')
	case t.in[t.at] == 'g' && (strings.HasPrefix(rest, "<") || strings.HasPrefix(rest, "'")):
		return errf(start, "recursion is not supported: write the group out")
	default:
		for n = 0; n < len(rest) && (between(rest[n], '0', '9') || n == 0 && rest[n] == '-'); n++ {
		}
		name = rest[:n]
		n-- // no bracket
	}
	group, err := strconv.Atoi(name)
	if err != nil || t.in[t.at] == 'k' {
		return t.namedRef(start, name, t.at+2+n, n)
	}
	if group < 0 {
		group += t.groups + 1
	}
	if group < 1 || group > maxPCRE {
		return errf(start, "there is no group %q to refer to", name)
	}
	t.at += 2 + n
	t.reference(start, group)
	return nil
}

// escapedOctet reads an escape that is one octet; it stands on its letter.
func (t *pcreTranslator) escapedOctet(start int) (byte, error) {
	c := t.in[t.at]
	if between(c, '0', '7') {
		return t.octal(start)
	}
	t.at++
	switch c {
	case 'a':
		return 7, nil
	case 'e':
		return 27, nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'x':
		return t.hex(start)
	case 'o':
		if strings.HasPrefix(t.in[t.at:], "{") {
			text, n := until(t.in[t.at+1:], '}')
			t.at += 1 + n
			return octet(start, text, 8)
		}
	case 'c':
		if t.at == len(t.in) {
			return 0, errf(start, `a character is missing behind \c`)
		}
		c = t.in[t.at]
		t.at++
		if between(c, 'a', 'z') {
			c &^= 0x20
		}
		return c ^ 0x40, nil
	}
	return c, nil
}

func (t *pcreTranslator) octal(start int) (byte, error) {
	end := t.at
	for end < len(t.in) && end < t.at+3 && between(t.in[end], '0', '7') {
		end++
	}
	text := t.in[t.at:end]
	t.at = end
	return octet(start, text, 8)
}

func (t *pcreTranslator) hex(start int) (byte, error) {
	if strings.HasPrefix(t.in[t.at:], "{") {
		text, n := until(t.in[t.at+1:], '}')
		t.at += 1 + n
		return octet(start, text, 16)
	}
	end := t.at
	for end < len(t.in) && end < t.at+2 && pcreClasses["xdigit"](t.in[end]) {
		end++
	}
	text := "0" + t.in[t.at:end]
	t.at = end
	return octet(start, text, 16)
}

func octet(start int, text string, base int) (byte, error) {
	n, err := strconv.ParseUint(text, base, 8)
	if err != nil {
		return 0, errf(start, "%q is not the number of an octet in base %d", text, base)
	}
	return byte(n), nil
}

// class translates a bracket expression; it stands behind the bracket.
func (t *pcreTranslator) class() error {
	start := t.at - 1
	negated := strings.HasPrefix(t.in[t.at:], "^")
	if negated {
		t.at++
	}
	set := new(octetSet)
	for first := true; ; first = false {
		if t.at >= len(t.in) {
			return errf(start, "the class is not closed by ]")
		}
		if t.in[t.at] == ']' && !first {
			t.at++
			break
		}
		if err := t.classItem(start, set); err != nil {
			return err
		}
	}
	if t.flags.Caseless {
		set.fold()
	}
	if negated {
		set = set.not()
	}
	t.set(set)
	return nil
}

// classItem reads an octet, a range or a class in a class.
func (t *pcreTranslator) classItem(start int, set *octetSet) error {
	from, sub, err := t.classOctet(start)
	if err != nil {
		return err
	}
	if sub != nil {
		set.add(sub)
		return nil
	}
	rest := t.in[t.at:]
	if len(rest) < 2 || rest[0] != '-' || rest[1] == ']' {
		set[from] = true
		return nil
	}
	at := t.at
	t.at++
	to, sub, err := t.classOctet(start)
	switch {
	case err != nil:
		return err
	case sub != nil:
		return errf(at, "a range in a class cannot end in a class; put the hyphen last")
	case to < from:
		return errf(at, "the range in the class is in the wrong order")
	default:
		set.addRange(from, to)
	}
	return nil
}

// classOctet reads one octet of a class, or a set that has a name.
func (t *pcreTranslator) classOctet(start int) (byte, *octetSet, error) {
	c := t.in[t.at]
	if s, n, err := posixClass(t.in[t.at:]); err != nil || n > 0 {
		if err != nil {
			return 0, nil, errf(t.at, "%v", err)
		}
		t.at += n
		return 0, s, nil
	}
	t.at++
	if c != '\\' {
		return c, nil, nil
	}
	if t.at == len(t.in) {
		return 0, nil, errf(start, "the class is not closed by ]")
	}
	if s := escapedSet(t.in[t.at]); s != nil {
		t.at++
		return 0, s, nil
	}
	switch t.in[t.at] {
	case 'b':
		t.at++
		return '\b', nil, nil
	case 'Q':
		t.at++
		s := new(octetSet)
		text, next, _ := strings.Cut(t.in[t.at:], `\E`)
		t.at = len(t.in) - len(next)
		for i := range len(text) {
			s[text[i]] = true
		}
		return 0, s, nil
	case 'E':
		t.at++
		return 0, new(octetSet), nil
	case 'p', 'P', 'X':
		return 0, nil, errf(t.at-1, `\%c is not supported: the text is octets; name them in a class`, t.in[t.at])
	}
	v, err := t.escapedOctet(t.at - 1)
	return v, nil, err
}

// posixClass reads [:name:] or [:^name:] at the start of s; n is 0 when there is none.
func posixClass(s string) (set *octetSet, n int, err error) {
	if !strings.HasPrefix(s, "[:") {
		return nil, 0, nil
	}
	end := strings.Index(s, ":]")
	if end < 2 {
		return nil, 0, nil
	}
	name := s[2:end]
	not := strings.HasPrefix(name, "^")
	if not {
		name = name[1:]
	}
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
		return nil, 0, nil
	}
	in := pcreClasses[name]
	if in == nil {
		return nil, 0, errf(0, "unknown class [:%s:]", name)
	}
	set = setOf(in)
	if not {
		set = set.not()
	}
	return set, end + 2, nil
}
