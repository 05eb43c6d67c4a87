package script

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// frame is a text being read: a file, or a define's value.
type frame struct {
	src *Source
	off int
	// use is where the define was used; no Src for files.
	use Pos
	def *Define
	// conds is the depth of conditionals when the file was opened.
	conds int
}

// lexer turns texts into tokens. It knows nothing of directives: next stops at
// them and the preprocessor acts.
type lexer struct {
	errs, warns ErrorList
	flavour     Flavour
	// inEvent tells that the last two tokens were event_route and "[".
	inEvent bool
	// swallowed tells that a string or comment did not end.
	swallowed bool
	last      [2]string
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return c-'0' <= 9 }
func isHex(c byte) bool    { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// place is the position of src[off:end]: the place of use inside a define.
func (f *frame) place(off, end int) Pos {
	if f.use.Src != nil {
		return f.use
	}
	return Pos{f.src, off, end}
}

// scan results that are no tokens.
type scanned uint8

const (
	gotToken scanned = iota
	gotEnd
	gotDirective // frame.off stands behind "#!"
)

// scan reads one token from f into t, or stops in front of a directive's word.
func (l *lexer) scan(f *frame, t *token) scanned {
	s := f.src.Text
	start := f.off
	if l.skipBlank(f) {
		f.off += 2
		return gotDirective
	}
	i := f.off
	*t = token{flavour: l.flavour, src: f.src, off: i, def: f.def, glued: i == start && start > 0}
	t.nl = i == 0 || strings.IndexByte(s[start:i], '\n') >= 0
	if i >= len(s) {
		t.end, t.pos = i, f.place(i, i)
		return gotEnd
	}
	end := l.word(f, t, s, i)
	t.end = end
	f.off = end
	t.pos = f.place(i, end)
	if t.text == "" && t.kind != tString {
		t.text = s[i:end]
	}
	l.inEvent = t.kind == tLBracket && l.last[1] == "event_route"
	l.last[0], l.last[1] = l.last[1], t.text
	if t.kind == tString {
		l.last[1] = ""
	}
	return gotToken
}

// skipBlank moves over blanks, comments and characters that belong to no
// token; true when it stands in front of a directive.
func (l *lexer) skipBlank(f *frame) bool {
	s := f.src.Text
	for f.off < len(s) {
		i := f.off
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n':
			f.off++
		case c == '\\' && i+1 < len(s) && s[i+1] == '\n':
			f.off += 2
		case c == '\\' && strings.HasPrefix(s[i+1:], "\r\n"):
			f.off += 3
		case (c == '#' || c == '!') && i+1 < len(s) && s[i+1] == '!' && directiveAt(s, i+2) != "":
			return true
		case c == '#', c == '/' && strings.HasPrefix(s[i:], "//"):
			f.off = lineEnd(s, i)
		case c == '/' && strings.HasPrefix(s[i:], "/*"):
			l.comment(f)
		case c >= 0x80 || c < ' ' || c == '\\' || c == '`' || c == 0x7f:
			l.stray(f)
		default:
			return false
		}
	}
	return false
}

// comment moves over /* … */, which nests.
func (l *lexer) comment(f *frame) {
	s, start, depth := f.src.Text, f.off, 0
	for i := start; i+1 < len(s); {
		switch s[i : i+2] {
		case "/*":
			depth++
			i += 2
		case "*/":
			depth--
			i += 2
			if depth == 0 {
				f.off = i
				return
			}
		default:
			i++
		}
	}
	f.off = len(s)
	l.swallowed = true
	l.errs.add(f.place(start, start+2), "comment does not end").hint(`comments nest: each "/*" needs its "*/"`)
}

// stray skips a character that fits no token, as the elders' scanner does.
// No-break spaces and byte order marks are skipped without a word: seed
// configurations carry them.
func (l *lexer) stray(f *frame) {
	s := f.src.Text
	r, n := utf8.DecodeRuneInString(s[f.off:])
	if r != '\u00a0' && r != '\ufeff' && s[f.off] != 0xa0 {
		what := strconv.QuoteRune(r)
		if r == utf8.RuneError && n <= 1 {
			what = "octet 0x" + strconv.FormatUint(uint64(s[f.off]), 16)
		}
		l.warns.add(f.place(f.off, f.off+n), "%s belongs to no word and is skipped", what)
	}
	f.off += n
}

// word reads the token at i and answers its end.
func (l *lexer) word(f *frame, t *token, s string, i int) int {
	c := s[i]
	if l.inEvent {
		if n := scanEventName(s[i:]); n > 0 {
			t.kind = tEvent
			return i + n
		}
	}
	if isHex(c) || c == ':' || c == '[' {
		if n, ip := scanIP(s[i:]); n > 0 {
			t.kind, t.text = tIP, ip
			return i + n
		}
	}
	switch {
	case isLetter(c):
		t.kind = tIdent
		for i++; i < len(s) && (isLetter(s[i]) || isDigit(s[i])); i++ {
		}
		// uri:host, uri:port and msg:len are one word.
		for _, w := range [...]string{"uri:host", "uri:port", "msg:len"} {
			if end := t.off + len(w); end <= len(s) && s[t.off:end] == w && (end == len(s) || !isLetter(s[end]) && !isDigit(s[end])) {
				return end
			}
		}
		return i
	case isDigit(c):
		return l.number(f, t, s, i)
	case c == '"':
		return l.quoted(f, t, s, i)
	case c == '\'':
		t.kind, t.raw = tString, true
		j := strings.IndexByte(s[i+1:], '\'')
		if j < 0 {
			l.openString(f, i)
			t.text = s[i+1:]
			return len(s)
		}
		t.text = s[i+1 : i+1+j]
		return i + j + 2
	case c == '$':
		if n := scanVar(s[i:]); n > 0 {
			t.kind = tVar
			return i + n
		}
		// Read on behind what was meant to be the variable.
		n := 1
		for i+n < len(s) && strings.IndexByte(" \t\r\n;,=", s[i+n]) < 0 {
			n++
		}
		if n == 1 {
			l.errs.add(f.place(i, i+1), `"$" is not followed by a variable's name`)
		} else {
			l.errs.add(f.place(i, i+n), "%q is no variable: a bracket is not closed, or the name is odd", s[i:i+n])
		}
		t.kind, t.text = tVar, "$null"
		return i + n
	case c == '@':
		if n := scanSelect(s[i:]); n > 0 {
			t.kind = tSelect
			return i + n
		}
		l.errs.add(f.place(i, i+1), `"@" is not followed by a select's name`)
		t.kind, t.text = tSelect, "@ruri"
		return i + 1
	}
	return l.operator(t, s, i)
}

// operators by their first octet, longest first.
var operators = [256][]struct {
	text string
	kind kind
}{
	'{': {{"{", tLBrace}}, '}': {{"}", tRBrace}}, '(': {{"(", tLParen}}, ')': {{")", tRParen}},
	'[': {{"[", tLBracket}}, ']': {{"]", tRBracket}}, ';': {{";", tSemi}}, ',': {{",", tComma}},
	':': {{":", tColon}}, '.': {{".", tDot}}, '*': {{"*", tStar}}, '/': {{"/", tSlash}},
	'=': {{"==", tEq}, {"=~", tMatch}, {"=", tAssign}}, '+': {{"+=", tPlusAssign}, {"+", tPlus}}, '-': {{"-", tMinus}},
	'!': {{"!=", tNe}, {"!", tNot}}, '<': {{"<<", tShl}, {"<=", tLe}, {"<", tLt}}, '>': {{">>", tShr}, {">=", tGe}, {">", tGt}},
	'&': {{"&&", tAndAnd}, {"&", tAnd}}, '|': {{"||", tOrOr}, {"|", tOr}}, '^': {{"^", tXor}}, '~': {{"~", tTilde}},
	'?': {{"?", tQuestion}}, '%': {{"%", tQuestion}}, '#': {{"#", tQuestion}},
}

func (l *lexer) operator(t *token, s string, i int) int {
	for _, o := range operators[s[i]] {
		if strings.HasPrefix(s[i:], o.text) {
			t.kind = o.kind
			return i + len(o.text)
		}
	}
	t.kind = tQuestion
	return i + 1
}

// number reads 10, 0x1F, 017 and 101b. Values up to 2^32-1 wrap to 32 bits.
func (l *lexer) number(f *frame, t *token, s string, i int) int {
	t.kind = tNumber
	end, base, digits := i, 10, 0
	switch {
	case s[i] == '0' && i+2 < len(s) && s[i+1]|0x20 == 'x' && isHex(s[i+2]):
		base, digits = 16, i+2
		for end = i + 2; end < len(s) && isHex(s[end]); end++ {
		}
	default:
		for digits = i; end < len(s) && isDigit(s[end]); end++ {
		}
		text := s[i:end]
		if end < len(s) && s[end] == 'b' && strings.Trim(text, "01") == "" && (end+1 == len(s) || !isLetter(s[end+1]) && !isDigit(s[end+1])) {
			n, err := strconv.ParseUint(text, 2, 32)
			t.num = int32(uint32(n))
			if err != nil {
				l.errs.add(f.place(i, end+1), "number %s does not fit 32 bits", s[i:end+1])
			}
			return end + 1
		}
		if len(text) > 1 && text[0] == '0' && strings.Trim(text, "01234567") == "" {
			base = 8
		}
	}
	n, err := strconv.ParseUint(s[digits:end], base, 32)
	if err != nil {
		l.errs.add(f.place(i, end), "number %s does not fit 32 bits", s[i:end])
	}
	t.num = int32(uint32(n))
	return end
}

func (l *lexer) openString(f *frame, i int) {
	l.swallowed = true
	l.errs.add(f.place(i, i+1), "string does not end")
}

// quoted reads "…" with its escapes (script.md §2). An unknown escape keeps
// its backslash, and so does a single octal digit, which is a back-reference.
func (l *lexer) quoted(f *frame, t *token, s string, i int) int {
	t.kind = tString
	start := i
	i++
	plain := i
	var b []byte
	for i < len(s) {
		switch s[i] {
		case '"':
			if b == nil {
				t.text = s[plain:i]
			} else {
				t.text = string(append(b, s[plain:i]...))
			}
			return i + 1
		case '\\':
			b = append(b, s[plain:i]...)
			if b == nil {
				b = []byte{}
			}
			var n int
			b, n = escape(b, s[i:])
			i += n
			plain = i
		default:
			i++
		}
	}
	l.openString(f, start)
	t.text = string(append(b, s[plain:i]...))
	return i
}

// escape appends what the escape that starts s stands for, and answers its length.
func escape(b []byte, s string) ([]byte, int) {
	if len(s) < 2 {
		return append(b, '\\'), len(s)
	}
	switch c := s[1]; {
	case c == 'n':
		return append(b, '\n'), 2
	case c == 'r':
		return append(b, '\r'), 2
	case c == 't':
		return append(b, '\t'), 2
	case c == 'a':
		return append(b, '\a'), 2
	case c == '"' || c == '\\':
		return append(b, c), 2
	case c == '\n':
		return b, 2
	case c == '\r' && len(s) > 2 && s[2] == '\n':
		return b, 3
	case c == 'x' && len(s) > 2 && isHex(s[2]):
		n := 3
		if len(s) > 3 && isHex(s[3]) {
			n = 4
		}
		v, _ := strconv.ParseUint(s[2:n], 16, 8)
		return append(b, byte(v)), n
	case isOctal(c) && len(s) > 2 && isOctal(s[2]):
		n := 3
		if c <= '3' && len(s) > 3 && isOctal(s[3]) {
			n = 4
		}
		v, _ := strconv.ParseUint(s[1:n], 8, 8)
		return append(b, byte(v)), n
	}
	return append(b, '\\'), 1
}

func isOctal(c byte) bool { return c-'0' <= 7 }

// scanIP is the length of the address literal that starts s, and the address
// without brackets.
func scanIP(s string) (int, string) {
	if s[0] == '[' {
		j := strings.IndexByte(s[:min(len(s), 48)], ']')
		if j < 0 || strings.IndexByte(s[:j], ':') < 0 {
			return 0, ""
		}
		if a, err := netip.ParseAddr(s[1:j]); err != nil || a.Zone() != "" {
			return 0, ""
		}
		return j + 1, s[1:j]
	}
	n, colons, dots := 0, 0, 0
	for n < len(s) && n < 46 && (isHex(s[n]) || s[n] == ':' || s[n] == '.') {
		if s[n] == ':' {
			colons++
		}
		n++
	}
	if colons >= 2 && (n == len(s) || !isLetter(s[n])) {
		if _, err := netip.ParseAddr(s[:n]); err == nil {
			return n, s[:n]
		}
	}
	for n = 0; n < len(s) && n < 16 && (isDigit(s[n]) || s[n] == '.'); n++ {
		if s[n] == '.' {
			dots++
		}
	}
	if dots == 3 && (n == len(s) || !isLetter(s[n]) && s[n] != '-') {
		if a, err := netip.ParseAddr(s[:n]); err == nil && a.Is4() {
			return n, s[:n]
		}
	}
	return 0, ""
}
