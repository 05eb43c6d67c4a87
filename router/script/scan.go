package script

import "strings"

// scanVar is the length of the variable that starts s ("$ru", "$hdr(X-A)",
// "$(hdr(Via)[1]{s.len})", "$f.x[2]", "$?"), 0 when there is none. What the
// name means is not its business.
func scanVar(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch {
	case s[1] == '?':
		return 2
	case s[1] == '(':
		return scanGroup(s, 1)
	case !isLetter(s[1]):
		return 0
	}
	i := 1
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '.' && i+1 < len(s) && (isLetter(s[i+1]) || isDigit(s[i+1]))) {
		i++
	}
	if i < len(s) && s[i] == '(' {
		if n := scanGroup(s, i); n > 0 {
			return n
		}
		return 0
	}
	if i < len(s) && s[i] == '[' {
		return scanIndex(s, i)
	}
	return i
}

// scanSelect is the length of the select that starts s, 0 when there is none.
func scanSelect(s string) int {
	if len(s) < 2 || !isLetter(s[1]) {
		return 0
	}
	i := 1
	for {
		for i < len(s) && (isLetter(s[i]) || isDigit(s[i])) {
			i++
		}
		for i < len(s) && s[i] == '[' {
			n := scanIndex(s, i)
			if n == i {
				return i
			}
			i = n
		}
		if i+1 >= len(s) || s[i] != '.' || !isLetter(s[i+1]) && !isDigit(s[i+1]) {
			return i
		}
		i++
	}
}

// scanGroup is behind the parenthesis that closes the one at i, 0 when none on
// the line does.
func scanGroup(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '\n':
			return 0
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// scanIndex is behind the [index] at i, or i when there is none on the line.
func scanIndex(s string, i int) int {
	for j := i + 1; j < len(s) && s[j] != '\n'; j++ {
		switch s[j] {
		case ']':
			return j + 1
		case '"', '\'':
			n := strings.IndexByte(s[j+1:], s[j])
			if n < 0 {
				return i
			}
			j += n + 1
		case ';', '{', '}':
			return i
		}
	}
	return i
}

// scanEventName is the length of an event route's name, like
// "tm:branch-failure:name", 0 when there is none.
func scanEventName(s string) int {
	if s == "" || !isLetter(s[0]) {
		return 0
	}
	i, colons := 0, 0
	for i < len(s) {
		switch c := s[i]; {
		case isLetter(c) || isDigit(c) || c == '-' && i > 0:
		case c == ':' && i+1 < len(s) && (isLetter(s[i+1]) || isDigit(s[i+1]) || s[i+1] == '-'):
			colons++
		default:
			if colons == 0 {
				return 0
			}
			return i
		}
		i++
	}
	if colons == 0 {
		return 0
	}
	return i
}
