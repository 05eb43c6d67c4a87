package textopsx

import (
	"strings"

	"sipd/router/module"
	"sipd/router/run"
)

func newFnmatch(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		fold := false
		if a.Has(2) {
			flags := a.Str(c, 2)
			fold = flags != "" && flags[0]|0x20 == 'i'
		}
		return code(match(a.Str(c, 1), a.Str(c, 0), fold))
	}, nil
}

// match says whether a whole text has the form of a pattern as fnmatch(3) reads
// it without flags: * ? [a-z] [!a-z] and backslashes; neither slashes nor dots
// are special. Octets are characters. It takes time in proportion to the product
// of the two lengths at most.
func match(pattern, text string, fold bool) bool {
	if fold {
		pattern, text = strings.ToLower(pattern), strings.ToLower(text)
	}
	p, t := 0, 0
	star, from := -1, 0 // behind the last *, and where in the text it ends for now
	for {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, from = p, t
			continue
		}
		if t == len(text) {
			return p == len(pattern)
		}
		if n, ok := matchOne(pattern[p:], text[t]); ok {
			p, t = p+n, t+1
			continue
		}
		if star < 0 {
			return false
		}
		from++
		p, t = star, from
	}
}

// matchOne says whether the first item of a pattern, which is not *, stands for
// b, and how long it is.
func matchOne(pattern string, b byte) (n int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		if n, ok := matchSet(pattern, b); n > 0 {
			return n, ok
		}
	case '\\':
		if len(pattern) == 1 {
			return 0, false
		}
		return 2, pattern[1] == b
	}
	return 1, pattern[0] == b
}

// matchSet reads "[…]". n is 0 when nothing closes it: then it is a plain
// bracket.
func matchSet(pattern string, b byte) (n int, ok bool) {
	i, not := 1, false
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		i, not = 2, true
	}
	for first := i; i < len(pattern); {
		if pattern[i] == ']' && i > first {
			return i + 1, ok != not
		}
		if name, rest, found := strings.Cut(pattern[i:], ":]"); found && strings.HasPrefix(name, "[:") {
			ok = ok || inClass(name[2:], b)
			i = len(pattern) - len(rest)
			continue
		}
		lo, next := member(pattern, i)
		hi := lo
		if next+1 < len(pattern) && pattern[next] == '-' && pattern[next+1] != ']' {
			hi, next = member(pattern, next+1)
		}
		ok = ok || lo <= b && b <= hi
		i = next
	}
	return 0, false
}

// member is the octet at i of a set, and where the next one begins.
func member(pattern string, i int) (b byte, next int) {
	if pattern[i] == '\\' && i+1 < len(pattern) {
		i++
	}
	return pattern[i], i + 1
}

// inClass knows the classes of POSIX, of ASCII.
func inClass(name string, b byte) bool {
	lower, upper, digit := b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9'
	switch name {
	case "alpha":
		return lower || upper
	case "digit":
		return digit
	case "alnum":
		return lower || upper || digit
	case "lower":
		return lower
	case "upper":
		return upper
	case "xdigit":
		return digit || b|0x20 >= 'a' && b|0x20 <= 'f'
	case "space":
		return b == ' ' || b >= '\t' && b <= '\r'
	case "blank":
		return b == ' ' || b == '\t'
	case "punct":
		return b > ' ' && b < 0x7f && !lower && !upper && !digit
	case "graph":
		return b > ' ' && b < 0x7f
	case "print":
		return b >= ' ' && b < 0x7f
	case "cntrl":
		return b < ' ' || b == 0x7f
	}
	return false
}
