package serctl

import (
	"strconv"
	"strings"
)

// Bits of the flags columns.
const (
	flagServer    = 1   // the server loads the row
	flagDisabled  = 2   // switched off
	flagCanonical = 4   // the name or address to show
	flagTo        = 8   // the address may be called
	flagFrom      = 16  // the address may call
	flagWeb       = 32  // for the web interface
	flagDeleted   = 128 // marked, until a purge

	newDomain = flagServer | flagWeb
	newCred   = flagServer | flagWeb
	newURI    = flagServer | flagWeb | flagTo | flagFrom
)

// letters are the bits in the order in which they are printed, the highest
// first; "-" has no letter and no place.
const letters = "iqgmerxpwftcds"

var bitOf = map[byte]int64{
	'i': 1 << 13, 'q': 1 << 12, 'g': 1 << 11, 'm': 1 << 10, 'e': 1 << 9, 'r': 1 << 8, 'x': 1 << 7, 'p': 1 << 6, 'w': 1 << 5, 'f': 1 << 4, 't': 1 << 3, 'c': 1 << 2, 'd': 1 << 1, 's': 1,
}

// mask changes flags: (flags & and) | or. The bits of and are those of a
// signed number, so that it fits every engine's integer.
type mask struct{ and, or int64 }

var keep = mask{-1, 0}

func (m mask) on(flags int64) int64 { return (flags & m.and) | m.or }

// parseFlags reads a flag change: a number is the whole value, letters are set
// behind + and at first, cleared behind -; behind = they are the whole value
// (the elder means that too, but refuses every =).
func parseFlags(s string, given bool) (mask, error) {
	if !given {
		return keep, nil
	}
	if n, err := strconv.ParseInt(s, 0, 64); err == nil {
		if n < 0 || n > 0x7fffffff {
			return keep, fail("EIFLAG", s)
		}
		return mask{0, n}, nil
	}
	m, set := keep, true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+', '-':
			set = c == '+'
		case '=':
			m, set = mask{0, 0}, true
		default:
			bit, ok := bitOf[c]
			if !ok {
				return keep, fail("EIFLAG", string(rune(c)))
			}
			if set {
				m.or |= bit
				m.and |= bit
			} else {
				m.and &^= bit
				m.or &^= bit
			}
		}
	}
	return m, nil
}

// forms are the forms of flags, with the abbreviations that the elder takes.
func flagForm(s string) (string, error) {
	for _, f := range []struct {
		word, form string
		least      int
	}{{"raw", "raw", 1}, {"symbolic", "sym", 1}, {"hexadecimal", "hex", 1}, {"octal", "oct", 1}, {"decimal", "dec", 1}} {
		if s != "" && strings.HasPrefix(f.word, s) {
			return f.form, nil
		}
	}
	return "", fail("EFFORM", s)
}

// spellFlags writes flags in a form. The zeros are the elder's: hex and oct as
// Python 2 has them, dec without any digit for none.
func spellFlags(form, flags string) string {
	n, err := strconv.ParseInt(flags, 10, 64)
	if err != nil {
		return flags // NULL
	}
	switch form {
	case "sym":
		b := []byte(letters)
		for i, c := range b {
			if n&bitOf[c] == 0 {
				b[i] = '-'
			}
		}
		return string(b)
	case "hex":
		return "0x" + strconv.FormatInt(n, 16)
	case "oct":
		if n == 0 {
			return "0"
		}
		return "0" + strconv.FormatInt(n, 8)
	case "dec":
		return strings.TrimLeft(flags, "0")
	}
	return flags
}
