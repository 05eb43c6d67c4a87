package sip

import "strings"

// EqualURI compares two URIs as RFC 3261 §19.1.4 and, for tel, RFC 3966 §4 say.
// URIs that do not parse, and of other schemes, are equal when their text is.
func EqualURI(a, b string) bool {
	if a == b {
		return true
	}
	x, err := ParseURI(a)
	if err != nil {
		return false
	}
	y, err := ParseURI(b)
	if err != nil {
		return false
	}
	return x.Equal(&y)
}

// Equal is EqualURI on parsed URIs.
func (u *URI) Equal(v *URI) bool {
	if u.Scheme != v.Scheme {
		return false
	}
	switch u.Scheme {
	case SchemeOther:
		return u.raw == v.raw
	case URN:
		return equalFold(u.Host, v.Host)
	case TEL, TELS:
		return equalTel(u.User, v.User) && equalParams(u, v) && equalParams(v, u)
	}
	return equalEscaped(u.User, v.User) && equalEscaped(u.Password, v.Password) &&
		equalFold(u.Host, v.Host) && u.Port == v.Port &&
		equalParams(u, v) && equalParams(v, u) && equalHeaders(u.Headers, v.Headers)
}

// EqualAOR compares scheme (sip and sips alike), user, host and port, a missing
// port being the scheme's own: the address of record without its parameters.
func EqualAOR(a, b string) bool {
	x, err := ParseURI(a)
	if err != nil {
		return false
	}
	y, err := ParseURI(b)
	if err != nil {
		return false
	}
	return equalEscaped(x.User, y.User) && equalFold(x.Host, y.Host) &&
		x.PortOr(x.DefaultPort()) == y.PortOr(y.DefaultPort())
}

// equalEscaped compares case-sensitively with escapes undone.
func equalEscaped(a, b string) bool {
	for a != "" && b != "" {
		x, n := unescaped(a)
		y, k := unescaped(b)
		if x != y {
			return false
		}
		a, b = a[n:], b[k:]
	}
	return a == "" && b == ""
}

// equalFoldEscaped compares without regard to case with escapes undone.
func equalFoldEscaped(a, b string) bool {
	for a != "" && b != "" {
		x, n := unescaped(a)
		y, k := unescaped(b)
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
		a, b = a[n:], b[k:]
	}
	return a == "" && b == ""
}

// equalTel compares numbers without the visual separators of RFC 3966.
func equalTel(a, b string) bool {
	for {
		for a != "" && strings.IndexByte("-.()", a[0]) >= 0 {
			a = a[1:]
		}
		for b != "" && strings.IndexByte("-.()", b[0]) >= 0 {
			b = b[1:]
		}
		if a == "" || b == "" {
			return a == "" && b == ""
		}
		if a[0] != b[0] && (a[0]|0x20 != b[0]|0x20 || a[0]|0x20 < 'a' || a[0]|0x20 > 'z') {
			return false
		}
		a, b = a[1:], b[1:]
	}
}

// maxCompared bounds the parameters, and the headers, that are compared one with
// another: the work grows with the square of their number. URIs with more are
// equal when their text is.
const maxCompared = 64

// equalParams says whether v has the parameters of u: a parameter of both must
// be the same; one of u alone matters when it is user, ttl, method, maddr or
// transport (RFC 3261 §19.1.4), or the URI a tel URI.
func equalParams(u, v *URI) bool {
	if u.Params == v.Params {
		return true
	}
	if strings.Count(u.Params, ";") > maxCompared || strings.Count(v.Params, ";") > maxCompared {
		return false
	}
	for s := u.Params; s != ""; {
		var p string
		p, s, _ = strings.Cut(s, ";")
		name, value, _ := strings.Cut(p, "=")
		there, same := v.hasParam(name, value)
		if there && !same || !there && name != "" && (u.isTel() || decisive(name)) {
			return false
		}
	}
	return true
}

// hasParam says whether there is a parameter of that name, and one of that value.
func (u *URI) hasParam(name, value string) (there, same bool) {
	for s := u.Params; s != "" && !same; {
		var p string
		p, s, _ = strings.Cut(s, ";")
		k, v, _ := strings.Cut(p, "=")
		if equalFold(k, name) {
			there = true
			same = equalFoldEscaped(v, value)
		}
	}
	return there, same
}

func decisive(name string) bool {
	switch len(name) {
	case 3:
		return equalFold(name, "ttl")
	case 4:
		return equalFold(name, "user")
	case 5:
		return equalFold(name, "maddr")
	case 6:
		return equalFold(name, "method")
	case 9:
		return equalFold(name, "transport")
	}
	return false
}

// equalHeaders compares "a=1&b=2" in any order: headers are never ignored.
func equalHeaders(a, b string) bool {
	if a == b {
		return true
	}
	if strings.Count(a, "&") > maxCompared || strings.Count(b, "&") > maxCompared {
		return false
	}
	return headersWithin(a, b) && headersWithin(b, a)
}

func headersWithin(a, b string) bool {
	for a != "" {
		var h string
		h, a, _ = strings.Cut(a, "&")
		name, value, _ := strings.Cut(h, "=")
		if !hasHeader(b, name, value) {
			return false
		}
	}
	return true
}

func hasHeader(s, name, value string) bool {
	for s != "" {
		var h string
		h, s, _ = strings.Cut(s, "&")
		n, v, _ := strings.Cut(h, "=")
		if equalFoldEscaped(n, name) && equalEscaped(v, value) {
			return true
		}
	}
	return false
}
