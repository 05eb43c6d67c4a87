package sip

import (
	"strconv"
	"strings"
)

// Scheme is a URI's scheme.
type Scheme uint8

// The schemes that the daemon routes by. SchemeOther is every other one.
const (
	SchemeOther Scheme = iota
	SIP
	SIPS
	TEL
	TELS
	URN
)

var schemeNames = [...]string{"", "sip", "sips", "tel", "tels", "urn"}

// String is the scheme in lower case, without the colon; "" for SchemeOther.
func (s Scheme) String() string { return schemeNames[s] }

// URI is a SIP, SIPS, tel or urn URI taken apart (RFC 3261 §19.1, RFC 3966).
// All parts are as written, escapes kept.
type URI struct {
	Scheme Scheme
	// User is the part before ":" or "@"; of a tel URI the number.
	User, Password string
	// Host is a name, an IPv4 address, or an IPv6 address in brackets; of a urn
	// what follows "urn:"; "" of a tel URI.
	Host string
	// Port is 0 when not written.
	Port uint16
	// Params are the URI parameters, without the first ";"; Headers what
	// follows "?".
	Params, Headers string

	// The values of well-known parameters, "" when absent.
	Transport, UserParam, Method, TTL, MAddr, GR string
	// LR, R2, OB and HasGR say that the parameter is there.
	LR, R2, OB, HasGR bool

	raw string
}

// ParseURI takes a URI apart and allocates nothing. A URI of a scheme that the
// daemon does not route is accepted (SchemeOther, only String works on it); what
// has no scheme or breaks the grammar is a *SyntaxError.
func ParseURI(s string) (URI, error) {
	var u URI
	if err := u.parse(s); err != nil {
		return u, err
	}
	return u, nil
}

func (u *URI) parse(s string) *SyntaxError {
	u.raw = s
	i := 0
	for i < len(s) && isSchemeChar(s[i]) {
		i++
	}
	if i == 0 || i >= len(s) || s[i] != ':' {
		return syntax("URI", i, "a scheme and a colon were expected")
	}
	switch {
	case i == 3 && equalFold(s[:3], "sip"):
		u.Scheme = SIP
	case i == 4 && equalFold(s[:4], "sips"):
		u.Scheme = SIPS
	case i == 3 && equalFold(s[:3], "tel"):
		u.Scheme = TEL
	case i == 4 && equalFold(s[:4], "tels"):
		u.Scheme = TELS
	case i == 3 && equalFold(s[:3], "urn"):
		u.Scheme = URN
	}
	for j := i + 1; j < len(s); j++ {
		if class[s[j]]&classURI == 0 {
			return syntax("URI", j, "a character that must be escaped")
		}
	}
	switch u.Scheme {
	case SIP, SIPS:
		return u.parseSIP(s, i+1)
	case TEL, TELS:
		return u.parseTel(s, i+1)
	case URN:
		u.Host = s[i+1:]
	}
	if i+1 == len(s) {
		return syntax("URI", i+1, "nothing behind the scheme")
	}
	return nil
}

func isSchemeChar(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c) || c == '+' || c == '-' || c == '.'
}

func (u *URI) parseSIP(s string, i int) *SyntaxError {
	if at := strings.IndexByte(s[i:], '@'); at >= 0 {
		user := s[i : i+at]
		if c := strings.IndexByte(user, ':'); c >= 0 {
			user, u.Password = user[:c], user[c+1:]
		}
		u.User = user
		i += at + 1
	}
	he := hostEnd(s, i, len(s))
	if he == i {
		return syntax("URI", i, "a host was expected")
	}
	u.Host = s[i:he]
	i = he
	if i < len(s) && s[i] == ':' {
		i++
		start := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		n, ok := parseUint(s[start:i], 65535)
		if !ok {
			return syntax("URI", start, "the port is not a number up to 65535")
		}
		u.Port = uint16(n)
	}
	return u.parseTail(s, i)
}

// parseTail reads ";params" and "?headers".
func (u *URI) parseTail(s string, i int) *SyntaxError {
	if i < len(s) && s[i] == ';' {
		end := len(s)
		if q := strings.IndexByte(s[i:], '?'); q >= 0 {
			end = i + q
		}
		u.Params = s[i+1 : end]
		u.knownParams(u.Params)
		i = end
	}
	if i < len(s) && s[i] == '?' {
		u.Headers = s[i+1:]
		i = len(s)
	}
	if i < len(s) {
		return syntax("URI", i, "unexpected text behind host and port")
	}
	return nil
}

func (u *URI) knownParams(s string) {
	for s != "" {
		var p string
		if i := strings.IndexByte(s, ';'); i >= 0 {
			p, s = s[:i], s[i+1:]
		} else {
			p, s = s, ""
		}
		name, value := p, ""
		if i := strings.IndexByte(p, '='); i >= 0 {
			name, value = p[:i], p[i+1:]
		}
		switch len(name) {
		case 2:
			switch {
			case equalFold(name, "lr"):
				u.LR = true
			case equalFold(name, "r2"):
				u.R2 = true
			case equalFold(name, "ob"):
				u.OB = true
			case equalFold(name, "gr"):
				u.GR, u.HasGR = value, true
			}
		case 3:
			if equalFold(name, "ttl") {
				u.TTL = value
			}
		case 4:
			if equalFold(name, "user") {
				u.UserParam = value
			}
		case 5:
			if equalFold(name, "maddr") {
				u.MAddr = value
			}
		case 6:
			if equalFold(name, "method") {
				u.Method = value
			}
		case 9:
			if equalFold(name, "transport") {
				u.Transport = value
			}
		}
	}
}

func (u *URI) parseTel(s string, i int) *SyntaxError {
	end := strings.IndexByte(s[i:], ';')
	if end < 0 {
		end = len(s)
	} else {
		end += i
	}
	if end == i {
		return syntax("URI", i, "a number was expected")
	}
	if bad := strings.IndexAny(s[i:end], ":?"); bad >= 0 {
		return syntax("URI", i+bad, "a character that a number does not have")
	}
	if bad := strings.IndexByte(s[i:], '@'); bad >= 0 {
		return syntax("URI", i+bad, "a character that must be escaped")
	}
	u.User = s[i:end]
	if end < len(s) {
		u.Params = s[end+1:]
		u.knownParams(u.Params)
	}
	return nil
}

// Param finds a URI parameter, case-insensitively; its value as written.
func (u *URI) Param(name string) (value string, ok bool) {
	for s := u.Params; s != ""; {
		var p string
		p, s, _ = strings.Cut(s, ";")
		k, v, _ := strings.Cut(p, "=")
		if equalFold(k, name) {
			return v, true
		}
	}
	return "", false
}

// PortOr is the port, or def when none is written.
func (u *URI) PortOr(def uint16) uint16 {
	if u.Port == 0 {
		return def
	}
	return u.Port
}

// DefaultPort is 5061 for sips and transport tls, else 5060.
func (u *URI) DefaultPort() uint16 {
	if u.Scheme == SIPS || equalFold(u.Transport, "tls") || equalFold(u.Transport, "wss") {
		return 5061
	}
	return 5060
}

// HostPort is "host", or "host:port" when a port is written.
func (u *URI) HostPort() string {
	if u.Port == 0 {
		return u.Host
	}
	return u.Host + ":" + strconv.Itoa(int(u.Port))
}

// Raw is the text that was parsed.
func (u *URI) Raw() string { return u.raw }

// AppendTo prints the URI from its parts.
func (u *URI) AppendTo(dst []byte) []byte {
	if u.Scheme == SchemeOther {
		return append(dst, u.raw...)
	}
	dst = append(append(dst, u.Scheme.String()...), ':')
	if u.Scheme == TEL || u.Scheme == TELS {
		dst = append(dst, u.User...)
		return u.appendTail(dst)
	}
	if u.User != "" || u.Password != "" {
		dst = append(dst, u.User...)
		if u.Password != "" {
			dst = append(append(dst, ':'), u.Password...)
		}
		dst = append(dst, '@')
	} else if strings.IndexByte(u.Params, '@') >= 0 || strings.IndexByte(u.Headers, '@') >= 0 {
		dst = append(dst, '@') // or what stands before that one would be the user
	}
	dst = append(dst, u.Host...)
	if u.Port != 0 {
		dst = strconv.AppendUint(append(dst, ':'), uint64(u.Port), 10)
	}
	return u.appendTail(dst)
}

func (u *URI) appendTail(dst []byte) []byte {
	if u.Params != "" {
		dst = append(append(dst, ';'), u.Params...)
	}
	if u.Headers != "" {
		dst = append(append(dst, '?'), u.Headers...)
	}
	return dst
}

// String prints the URI from its parts.
func (u *URI) String() string { return string(u.AppendTo(nil)) }

// UnescapeUser undoes %hh escapes; a percent sign that starts none is kept.
func UnescapeUser(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c, n := unescaped(s[i:])
		b = append(b, c)
		i += n
	}
	return string(b)
}

// unescaped is the first character of s with its escape undone, and how many
// octets that took.
func unescaped(s string) (c byte, n int) {
	if s[0] == '%' && len(s) >= 3 {
		hi, ok1 := hexDigit(s[1])
		lo, ok2 := hexDigit(s[2])
		if ok1 && ok2 {
			return hi<<4 | lo, 3
		}
	}
	return s[0], 1
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
