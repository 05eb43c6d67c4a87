// Package plain makes text from the network safe to print: at a terminal, which
// control characters would command, and in JSON. It imports nothing that takes
// time at the start of a program, for the sake of sipcmd's.
package plain

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Clean makes text from the network safe to show at a terminal: control
// characters (C0, DEL, C1), bytes that are not UTF-8, and the characters that
// turn the reading direction are written as \n, \t, \r, \xNN or \u{N}. Text
// without any comes back as it is.
func Clean(s string) string { return clean(s, "") }

// CleanLines is Clean that leaves line ends and tabs.
func CleanLines(s string) string { return clean(s, "\n\t") }

func clean(s, keep string) string {
	if !dirty(s, keep) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !Unsafe(r) || strings.ContainsRune(keep, r):
			b.WriteString(s[i : i+n])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		i += n
	}
	return b.String()
}

func dirty(s, keep string) bool {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || Unsafe(r) && !strings.ContainsRune(keep, r) {
			return true
		}
		i += n
	}
	return false
}

// Unsafe says what must not reach a terminal: it moves the cursor, changes
// settings, or shows text in another order than it is read.
func Unsafe(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 ||
		r == 0x061c || r >= 0x200e && r <= 0x200f || // bidi marks
		r >= 0x2028 && r <= 0x202e || // line and paragraph separator, embeddings
		r >= 0x2066 && r <= 0x2069 // isolates
}

// AppendJSON appends s as a JSON string. What would not be safe at a terminal
// is escaped; bytes that are not UTF-8 become U+FFFD.
func AppendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0 // s[start:i] needs no escape
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		r, n := utf8.DecodeRuneInString(s[i:])
		switch r {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = AppendRune(b, r)
		}
		i += n
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// AppendRune appends r, escaped as in JSON where it is not safe.
func AppendRune(b []byte, r rune) []byte {
	if Unsafe(r) {
		return fmt.Appendf(b, `\u%04x`, r)
	}
	return utf8.AppendRune(b, r)
}
