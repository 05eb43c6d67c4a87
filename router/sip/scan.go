package sip

import "strings"

// Character classes of RFC 3261 §25.1.
const (
	classToken = 1 << iota // token
	classLWS               // SP, HTAB, CR, LF
	classDigit
	classHost // what may stand in a host name; "_" is not legal and seen
	classURI  // printable and not a delimiter of name-addr: no blanks, no <>"
	classHex
)

var class = buildClasses()

func buildClasses() (t [256]uint8) {
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= classToken | classHost
		t[c-0x20] |= classToken | classHost
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= classToken | classHost | classDigit | classHex
	}
	for _, c := range "-.!%*_+`'~" {
		t[c] |= classToken
	}
	for _, c := range "-._" {
		t[c] |= classHost
	}
	for _, c := range " \t\r\n" {
		t[c] |= classLWS
	}
	for c := 'a'; c <= 'f'; c++ {
		t[c] |= classHex
		t[c-0x20] |= classHex
	}
	for c := 0x21; c < 0x100; c++ {
		if c != '<' && c != '>' && c != '"' && c != 0x7f {
			t[c] |= classURI
		}
	}
	return t
}

func isToken(c byte) bool { return class[c]&classToken != 0 }
func isLWS(c byte) bool   { return class[c]&classLWS != 0 }
func isDigit(c byte) bool { return c-'0' <= 9 }

// skipLWS is the first place from i on, below end, that is not white space.
// Line ends count as such: inside a header field they are folding.
func skipLWS(s string, i, end int) int {
	for i < end && isLWS(s[i]) {
		i++
	}
	return i
}

// trimRight is end moved back over white space, not beyond i.
func trimRight(s string, i, end int) int {
	for end > i && isLWS(s[end-1]) {
		end--
	}
	return end
}

func trim(s string) string {
	i := skipLWS(s, 0, len(s))
	return s[i:trimRight(s, i, len(s))]
}

// equalFold compares ASCII without regard to case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if x, y := a[i], b[i]; x != y {
			if x |= 0x20; x != y|0x20 || x < 'a' || x > 'z' {
				return false
			}
		}
	}
	return true
}

// quotedEnd is the place behind the quoted string that starts at i (where the
// quote stands), or -1 when it does not end below end.
func quotedEnd(s string, i, end int) int {
	for i++; i < end; i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// Unquote takes the quotes off a quoted string and undoes its escapes; other
// text is answered as it is.
func Unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// param is one ";name=value" of a header: spans in the text it was read from.
// A parameter without a value has valEnd 0.
type param struct {
	name, nameEnd int
	val, valEnd   int
}

func (p *param) text(s string) string {
	if p.valEnd == 0 {
		return ""
	}
	return s[p.val:p.valEnd]
}

// scanParam reads the parameter whose name starts at i (behind the ";"), and
// answers the place behind it, white space skipped. It fails, with next < 0, on
// a quoted string without end; p.name is then where that starts.
func scanParam(s string, i, end int) (p param, next int) {
	i = skipLWS(s, i, end)
	p.name = i
	for i < end && isToken(s[i]) {
		i++
	}
	// Names that are not tokens are seen; take what is there up to a delimiter.
	for i < end && s[i] != '=' && s[i] != ';' && s[i] != ',' && s[i] != '"' && !isLWS(s[i]) {
		i++
	}
	p.nameEnd = i
	i = skipLWS(s, i, end)
	if i >= end || s[i] != '=' {
		return p, i
	}
	i = skipLWS(s, i+1, end)
	p.val = i
	if i < end && s[i] == '"' {
		e := quotedEnd(s, i, end)
		if e < 0 {
			p.name = i
			return p, -1
		}
		i = e
	} else {
		for i < end && s[i] != ';' && s[i] != ',' && !isLWS(s[i]) {
			i++
		}
	}
	p.valEnd = i
	return p, skipLWS(s, i, end)
}

// findParam looks for a parameter in "a=1;b;c=\"x\"", case-insensitively.
func findParam(s, name string) (value string, ok bool) {
	for i := 0; i < len(s); {
		if s[i] == ';' {
			i++
			continue
		}
		p, next := scanParam(s, i, len(s))
		if next < 0 {
			return "", false
		}
		if equalFold(s[p.name:p.nameEnd], name) {
			return p.text(s), true
		}
		if next <= i { // no progress on text that is not a parameter
			next = i + 1
		}
		i = next
	}
	return "", false
}

// parseUint reads decimal digits up to a bound; ok is false for anything else.
func parseUint(s string, bound uint64) (n uint64, ok bool) {
	if s == "" || len(s) > 20 {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
		if n > bound {
			return 0, false
		}
	}
	return n, true
}
