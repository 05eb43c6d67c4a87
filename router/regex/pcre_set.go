package regex

import "fmt"

// octetSet is a set of octets: what a class, an escape or a dot matches.
type octetSet [256]bool

func setOf(in func(c byte) bool) *octetSet {
	s := new(octetSet)
	for c := range s {
		s[c] = in(byte(c))
	}
	return s
}

func (s *octetSet) add(o *octetSet) {
	for c, in := range o {
		s[c] = s[c] || in
	}
}

func (s *octetSet) addRange(from, to byte) {
	for c := int(from); c <= int(to); c++ {
		s[c] = true
	}
}

func (s *octetSet) not() *octetSet {
	return setOf(func(c byte) bool { return !s[c] })
}

// fold makes the letters of ASCII count in either case.
func (s *octetSet) fold() {
	for c := 'a'; c <= 'z'; c++ {
		both := s[c] || s[c-0x20]
		s[c], s[c-0x20] = both, both
	}
}

// appendTo writes the set as a class of both engines.
func (s *octetSet) appendTo(out []byte) []byte {
	start := len(out)
	out = append(out, '[')
	for c := 0; c < 256; c++ {
		if !s[c] {
			continue
		}
		from := c
		for c < 255 && s[c+1] {
			c++
		}
		out = fmt.Appendf(out, `\x%02x-\x%02x`, from, c)
	}
	if len(out) == start+1 { // nothing: \x00 to \xff is all that is ever met
		return append(out[:start], `[^\x00-\xff]`...)
	}
	return append(out, ']')
}

func between(c, from, to byte) bool { return c >= from && c <= to }

func isLetter(c byte) bool { return between(c|0x20, 'a', 'z') }

func isPCREWord(c byte) bool { return isLetter(c) || between(c, '0', '9') || c == '_' }

func isPCRESpace(c byte) bool { return between(c, '\t', '\r') || c == ' ' }

// pcreClasses are the names in [[:name:]], of the C locale.
var pcreClasses = map[string]func(byte) bool{
	"alpha":  isLetter,
	"lower":  func(c byte) bool { return between(c, 'a', 'z') },
	"upper":  func(c byte) bool { return between(c, 'A', 'Z') },
	"alnum":  func(c byte) bool { return isLetter(c) || between(c, '0', '9') },
	"ascii":  func(c byte) bool { return c < 0x80 },
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  func(c byte) bool { return between(c, '0', '9') },
	"graph":  func(c byte) bool { return between(c, '!', '~') },
	"print":  func(c byte) bool { return between(c, ' ', '~') },
	"punct":  func(c byte) bool { return between(c, '!', '~') && !isLetter(c) && !between(c, '0', '9') },
	"space":  isPCRESpace,
	"word":   isPCREWord,
	"xdigit": func(c byte) bool { return between(c, '0', '9') || between(c|0x20, 'a', 'f') },
}

// escapedSet is the set that a backslash and a letter mean; nil for others.
func escapedSet(c byte) *octetSet {
	var in func(byte) bool
	switch c | 0x20 {
	case 'd':
		in = pcreClasses["digit"]
	case 'w':
		in = isPCREWord
	case 's':
		in = isPCRESpace
	case 'h':
		in = func(c byte) bool { return c == ' ' || c == '\t' || c == 0xa0 }
	case 'v':
		in = func(c byte) bool { return between(c, '\n', '\r') || c == 0x85 }
	default:
		return nil
	}
	if s := setOf(in); c >= 'a' {
		return s
	} else {
		return s.not()
	}
}
