package regex

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The grammar, as glibc's regcomp reads it with REG_EXTENDED:
//
//	alternatives := branch { '|' branch }
//	branch       := { piece }
//	piece        := atom { '*' | '+' | '?' | '{m,n}' }
//	atom         := '(' alternatives ')' | '[' set ']' | '.' | '^' | '$' | '\' char | char
//
// A ) without its partner is an ordinary character.

const (
	maxDepth  = 200
	maxLength = 16 << 10
)

type translator struct {
	in    string
	i     int
	flags Flags
	depth int
}

// node is the translation of a part, with what \< and \> need to know of
// their neighbours.
type node struct {
	text string
	// first and last say that every match begins or ends with a word
	// character, and so is not empty.
	first, last bool
	// nullable says that the part may match nothing.
	nullable bool
	// edge is '<' or '>' for the word edges, something else for other places.
	edge byte
	// off is where the part starts in the pattern.
	off int
}

func (t *translator) translate() (string, error) {
	if len(t.in) > maxLength {
		return "", errf(maxLength, "regular expression is longer than %d octets", maxLength)
	}
	if !utf8.ValidString(t.in) {
		return "", errf(0, "regular expression is not valid UTF-8")
	}
	n, err := t.alternatives(true)
	if err != nil {
		return "", err
	}
	if t.flags&IgnoreCase != 0 {
		return "(?i)" + n.text, nil
	}
	return n.text, nil
}

func (t *translator) alternatives(top bool) (node, error) {
	if t.depth++; t.depth > maxDepth {
		return node{}, errf(t.i, "groups are nested more than %d deep", maxDepth)
	}
	defer func() { t.depth-- }()
	all := node{first: true, last: true, off: t.i}
	for i := 0; ; i++ {
		n, err := t.branch(top)
		if err != nil {
			return node{}, err
		}
		if i > 0 {
			all.text += "|"
		}
		all.text += n.text
		all.first = all.first && n.first
		all.last = all.last && n.last
		all.nullable = all.nullable || n.nullable
		if t.i == len(t.in) || t.in[t.i] != '|' {
			return all, nil
		}
		t.i++
	}
}

func (t *translator) branch(top bool) (node, error) {
	var parts []node
	start := t.i
	for t.i < len(t.in) {
		c := t.in[t.i]
		if c == '|' || c == ')' && !top {
			break
		}
		n, err := t.piece()
		if err != nil {
			return node{}, err
		}
		parts = append(parts, n)
	}
	return join(parts, start)
}

// join makes one node of pieces that follow each other and checks that the
// word edges among them mean the same as Go's \b.
func join(parts []node, off int) (node, error) {
	all := node{nullable: true, off: off}
	for i, p := range parts {
		if p.edge == '<' && !startsWord(parts[i+1:]) {
			return node{}, errf(p.off, `\< must stand before a letter, a digit, _ or \w`)
		}
		if p.edge == '>' && !endsWord(parts[:i]) {
			return node{}, errf(p.off, `\> must stand behind a letter, a digit, _ or \w`)
		}
		all.text += p.text
		all.nullable = all.nullable && p.nullable
	}
	all.first, all.last = startsWord(parts), endsWord(parts)
	return all, nil
}

func startsWord(parts []node) bool {
	for _, p := range parts {
		if p.text != "" && !isAssertion(p) {
			return p.first
		}
	}
	return false
}

func endsWord(parts []node) bool {
	for i := len(parts) - 1; i >= 0; i-- {
		if p := parts[i]; p.text != "" && !isAssertion(p) {
			return p.last
		}
	}
	return false
}

func isAssertion(p node) bool { return p.edge != 0 }

func (t *translator) piece() (node, error) {
	n, err := t.atom()
	if err != nil {
		return node{}, err
	}
	for t.i < len(t.in) {
		op, least, err := t.repeat()
		if err != nil {
			return node{}, err
		}
		if op == "" {
			break
		}
		if n.edge != 0 {
			return node{}, errf(n.off, "a place cannot be repeated")
		}
		// A group around each atom: a second operator would mean "lazy" to Go.
		n.text = "(?:" + n.text + ")" + op
		if least == 0 {
			n.nullable, n.first, n.last = true, false, false
		}
	}
	return n, nil
}

// repeat reads a repetition operator; "" when there is none.
func (t *translator) repeat() (op string, least int, err error) {
	switch c := t.in[t.i]; c {
	case '*', '?':
		t.i++
		return string(c), 0, nil
	case '+':
		t.i++
		return "+", 1, nil
	case '{':
		return t.interval()
	}
	return "", 0, nil
}

// maxRepeat is the largest count that Go's engine takes.
const maxRepeat = 1000

func (t *translator) interval() (string, int, error) {
	start := t.i
	end := strings.IndexByte(t.in[t.i:], '}')
	if end < 0 {
		return "", 0, errf(start, "{ is not closed")
	}
	body := t.in[t.i+1 : t.i+end]
	t.i += end + 1
	lo, hi, two := strings.Cut(body, ",")
	least, most := 0, -1
	var err error
	if lo != "" || !two {
		if least, err = count(lo); err != nil {
			return "", 0, errf(start, "{%s} is not a repetition: write {2}, {2,} or {2,5}", body)
		}
	}
	if most = least; two {
		if most = -1; hi != "" {
			if most, err = count(hi); err != nil || most < least {
				return "", 0, errf(start, "{%s} is not a repetition: write {2}, {2,} or {2,5}", body)
			}
		}
	}
	if max(least, most) > maxRepeat {
		return "", 0, errf(start, "a repetition of more than %d times is not supported", maxRepeat)
	}
	op := "{" + strconv.Itoa(least)
	switch {
	case most < 0:
		op += ","
	case most != least:
		op += "," + strconv.Itoa(most)
	}
	return op + "}", least, nil
}

func count(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 15)
	return int(n), err
}

func (t *translator) atom() (node, error) {
	start := t.i
	c, size := utf8.DecodeRuneInString(t.in[t.i:])
	t.i += size
	switch c {
	case '(':
		n, err := t.alternatives(false)
		if err != nil {
			return node{}, err
		}
		if t.i == len(t.in) {
			return node{}, errf(start, "( is not closed")
		}
		t.i++
		n.text, n.off = "("+n.text+")", start
		return n, nil
	case '[':
		return t.set(start)
	case '.':
		if t.flags&Newline != 0 {
			return node{text: `[^\n]`, off: start}, nil
		}
		return node{text: "(?s:.)", off: start}, nil
	case '^':
		if t.flags&Newline != 0 {
			return node{text: "(?m:^)", nullable: true, edge: '^', off: start}, nil
		}
		return node{text: `\A`, nullable: true, edge: '^', off: start}, nil
	case '$':
		if t.flags&Newline != 0 {
			return node{text: "(?m:$)", nullable: true, edge: '^', off: start}, nil
		}
		return node{text: `\z`, nullable: true, edge: '^', off: start}, nil
	case '\\':
		return t.escape(start)
	case '*', '+', '?', '{':
		return node{}, errf(start, "nothing to repeat before %c", c)
	}
	return literal(c, start), nil
}

func literal(c rune, off int) node {
	word := isWord(c)
	return node{text: quote(c), first: word, last: word, off: off}
}

func isWord(c rune) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// quote writes a character so that Go takes it as itself, in and outside of sets.
func quote(c rune) string {
	switch {
	case c < ' ' || c == 0x7f:
		return `\x` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15])
	case c < utf8.RuneSelf && !isWord(c) && c != ' ':
		return `\` + string(c)
	}
	return string(c)
}

// escape reads what follows a backslash: the GNU classes and edges; any other
// character stands for itself.
func (t *translator) escape(start int) (node, error) {
	if t.i == len(t.in) {
		return node{}, errf(start, "a character is missing behind the backslash")
	}
	c, size := utf8.DecodeRuneInString(t.in[t.i:])
	t.i += size
	switch c {
	case 'w':
		return node{text: `[0-9A-Za-z_]`, first: true, last: true, off: start}, nil
	case 'W':
		return node{text: t.negated(`0-9A-Za-z_`), off: start}, nil
	case 's':
		return node{text: `[\t\n\v\f\r ]`, off: start}, nil
	case 'S':
		return node{text: t.negated(`\t\n\v\f\r `), off: start}, nil
	case 'b':
		return node{text: `\b`, nullable: true, edge: 'b', off: start}, nil
	case 'B':
		return node{text: `\B`, nullable: true, edge: 'B', off: start}, nil
	case '<', '>':
		return node{text: `\b`, nullable: true, edge: byte(c), off: start}, nil
	case '`':
		return node{text: `\A`, nullable: true, edge: '^', off: start}, nil
	case '\'':
		return node{text: `\z`, nullable: true, edge: '^', off: start}, nil
	}
	if c >= '1' && c <= '9' {
		return node{}, errf(start, `\%c: a pattern cannot refer back to what it matched`, c)
	}
	return literal(c, start), nil
}

func (t *translator) negated(members string) string {
	if t.flags&Newline != 0 {
		members += `\n`
	}
	return "[^" + members + "]"
}

// set reads a bracket expression; t.i is behind the [.
func (t *translator) set(start int) (node, error) {
	negate := strings.HasPrefix(t.in[t.i:], "^")
	if negate {
		t.i++
	}
	var b strings.Builder
	word := !negate
	for first := true; ; first = false {
		if t.i >= len(t.in) {
			return node{}, errf(start, "[ is not closed")
		}
		if t.in[t.i] == ']' && !first {
			t.i++
			break
		}
		isWord, err := t.member(&b)
		if err != nil {
			return node{}, err
		}
		word = word && isWord
	}
	text := "[" + b.String() + "]"
	if negate {
		text = t.negated(b.String())
	}
	return node{text: text, first: word, last: word, off: start}, nil
}

var posixClasses = map[string]bool{ // name: only word characters
	"alnum": true, "alpha": true, "digit": true, "lower": true, "upper": true, "xdigit": true,
	"blank": false, "cntrl": false, "graph": false, "print": false, "punct": false, "space": false,
}

// member reads one character, range or class of a set and appends it to b.
func (t *translator) member(b *strings.Builder) (word bool, err error) {
	start := t.i
	if strings.HasPrefix(t.in[t.i:], "[:") {
		end := strings.Index(t.in[t.i:], ":]")
		if end < 0 {
			return false, errf(start, "[: is not closed by :]")
		}
		name := t.in[t.i+2 : t.i+end]
		word, ok := posixClasses[name]
		if !ok {
			return false, errf(start, "unknown character class [:%s:]", name)
		}
		t.i += end + 2
		b.WriteString("[:" + name + ":]")
		return word, nil
	}
	lo, err := t.element()
	if err != nil {
		return false, err
	}
	hi := lo
	if rest := t.in[t.i:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
		t.i++
		if hi, err = t.element(); err != nil {
			return false, err
		}
		if hi < lo {
			return false, errf(start, "the range %c-%c is the wrong way round", lo, hi)
		}
	}
	b.WriteString(quote(lo))
	if hi != lo {
		b.WriteString("-" + quote(hi))
	}
	return wordRange(lo, hi), nil
}

// element reads one character of a set, also as [.x.] or [=x=].
func (t *translator) element() (rune, error) {
	start := t.i
	if rest := t.in[t.i:]; strings.HasPrefix(rest, "[.") || strings.HasPrefix(rest, "[=") {
		closing := rest[1:2] + "]"
		end := strings.Index(rest[2:], closing)
		if end < 0 {
			return 0, errf(start, "%s is not closed by %s", rest[:2], closing)
		}
		c, size := utf8.DecodeRuneInString(rest[2:])
		if size != end {
			return 0, errf(start, "only single characters may stand in %s%s", rest[:2], closing)
		}
		t.i += end + 4
		return c, nil
	}
	c, size := utf8.DecodeRuneInString(t.in[t.i:])
	t.i += size
	return c, nil
}

func wordRange(lo, hi rune) bool {
	in := func(a, z rune) bool { return lo >= a && hi <= z }
	return in('0', '9') || in('A', 'Z') || in('a', 'z') || lo == '_' && hi == '_'
}
