package pv

// ScanVar is the length of the variable that starts s: "$ru", "$hdr(X-A)",
// "$(hdr(Via)[1]{s.len})", "$f.x[2]", "$?"; 0 when s does not start with one.
// It knows no names: it says where the token ends.
func ScanVar(s string) int {
	if len(s) < 2 || s[0] != '$' {
		return 0
	}
	switch {
	case s[1] == '?':
		return 2
	case s[1] == '(':
		return scanGroup(s, 1, '(', ')')
	case !isNameStart(s[1]):
		return 0
	}
	i := scanName(s, 1)
	if i < len(s) && s[i] == '(' {
		if n := scanGroup(s, i, '(', ')'); n > 0 {
			return n
		}
		return i
	}
	if i < len(s) && s[i] == '[' {
		if n := scanIndex(s, i); n > 0 {
			return n
		}
	}
	return i
}

// ScanSelect is the length of the select that starts s:
// "@from.uri.params[\"x\"]"; 0 when s does not start with one.
func ScanSelect(s string) int {
	if len(s) < 2 || s[0] != '@' || !isNameStart(s[1]) {
		return 0
	}
	i := 1
	for {
		for i < len(s) && isNameByte(s[i]) {
			i++
		}
		for i < len(s) && s[i] == '[' {
			n := scanIndex(s, i)
			if n == 0 {
				return i
			}
			i = n
		}
		if i+1 >= len(s) || s[i] != '.' || !isNameByte(s[i+1]) {
			return i
		}
		i++
	}
}

func isNameStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
}

func isNameByte(c byte) bool { return isNameStart(c) || c >= '0' && c <= '9' }

// scanName is where a name with dots that starts at i ends. A dot belongs to it
// only when a letter or digit follows.
func scanName(s string, i int) int {
	for i < len(s) {
		if !isNameByte(s[i]) && (s[i] != '.' || i+1 >= len(s) || !isNameByte(s[i+1])) {
			break
		}
		i++
	}
	return i
}

// scanGroup is behind the bracket that closes the one at i; 0 when there is none.
func scanGroup(s string, i int, open, closing byte) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case open:
			depth++
		case closing:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// scanIndex is behind the [index] at i: [], [*], a signed number, a quoted
// key, a variable; 0 when it is none of these.
func scanIndex(s string, i int) int {
	j := i + 1
	if j < len(s) && (s[j] == '"' || s[j] == '\'') {
		q := s[j]
		for j++; j < len(s) && s[j] != q; j++ {
			if s[j] == '\n' {
				return 0
			}
		}
		j++
	} else if j < len(s) && s[j] == '$' {
		n := ScanVar(s[j:])
		if n == 0 {
			return 0
		}
		j += n
	} else {
		for j < len(s) && (isNameByte(s[j]) || s[j] == '-' || s[j] == '*' || s[j] == ' ') {
			j++
		}
	}
	for j < len(s) && s[j] == ' ' {
		j++
	}
	if j < len(s) && s[j] == ']' {
		return j + 1
	}
	return 0
}
