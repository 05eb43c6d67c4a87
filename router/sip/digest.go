package sip

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"strings"
)

// Credentials are the fields of an Authorization or Proxy-Authorization value,
// or of a challenge (RFC 8760, RFC 7616). Quotes are taken off.
type Credentials struct {
	// Scheme as received: "Digest".
	Scheme                            string
	Username, Realm, Nonce, URI       string
	Response, CNonce, NC, QOP, Opaque string
	Algorithm                         string
	Domains, Stale, Userhash, Auth    string // Domains is "domain" of a challenge, Auth what follows another scheme
	// User and Domain are Username taken apart at "@"; Domain "" without one.
	User, Domain string
}

// IsDigest says whether the scheme is Digest.
func (c *Credentials) IsDigest() bool { return equalFold(c.Scheme, "Digest") }

// ParseCredentials reads the value of an Authorization, Proxy-Authorization,
// WWW-Authenticate or Proxy-Authenticate header. Of a field given twice the
// first counts; unknown ones are passed over.
func ParseCredentials(value string) (Credentials, error) {
	var c Credentials
	if err := c.parse(value); err != nil {
		return Credentials{}, err
	}
	return c, nil
}

func (c *Credentials) parse(s string) *SyntaxError {
	end := trimRight(s, 0, len(s))
	i := skipLWS(s, 0, end)
	start := i
	for i < end && isToken(s[i]) {
		i++
	}
	if i == start {
		return syntax("credentials", i, "a scheme was expected")
	}
	c.Scheme = s[start:i]
	i = skipLWS(s, i, end)
	if !c.IsDigest() {
		c.Auth = s[i:end]
		return nil
	}
	for i < end {
		if s[i] == ',' || isLWS(s[i]) {
			i++
			continue
		}
		p, next := scanParam(s, i, end)
		if next < 0 {
			return syntax("credentials", p.name, "a quoted string without end")
		}
		if p.nameEnd == p.name || p.valEnd == 0 {
			return syntax("credentials", i, "name=value was expected")
		}
		if next < end && s[next] != ',' {
			return syntax("credentials", next, "a comma was expected")
		}
		c.set(s[p.name:p.nameEnd], s[p.val:p.valEnd])
		i = next
	}
	c.User = c.Username
	if at := strings.IndexByte(c.Username, '@'); at >= 0 {
		c.User, c.Domain = c.Username[:at], c.Username[at+1:]
	}
	return nil
}

// set keeps a field, the first of its name.
func (c *Credentials) set(name, value string) {
	var f *string
	switch len(name) {
	case 2:
		if equalFold(name, "nc") {
			f = &c.NC
		}
	case 3:
		switch {
		case equalFold(name, "uri"):
			f = &c.URI
		case equalFold(name, "qop"):
			f = &c.QOP
		}
	case 5:
		switch {
		case equalFold(name, "realm"):
			f = &c.Realm
		case equalFold(name, "nonce"):
			f = &c.Nonce
		case equalFold(name, "stale"):
			f = &c.Stale
		}
	case 6:
		switch {
		case equalFold(name, "cnonce"):
			f = &c.CNonce
		case equalFold(name, "opaque"):
			f = &c.Opaque
		case equalFold(name, "domain"):
			f = &c.Domains
		}
	case 8:
		switch {
		case equalFold(name, "username"):
			f = &c.Username
		case equalFold(name, "response"):
			f = &c.Response
		case equalFold(name, "userhash"):
			f = &c.Userhash
		}
	case 9:
		if equalFold(name, "algorithm") {
			f = &c.Algorithm
		}
	}
	if f != nil && *f == "" {
		*f = Unquote(value)
	}
}

// CredentialsFor finds the digest credentials for a realm among the fields of a
// kind. Fields that do not parse are passed over.
func (m *Message) CredentialsFor(realm string, k HeaderKind) (*Header, Credentials, bool) {
	for h := m.First(k); h != nil; h = m.Next(h) {
		var c Credentials
		if c.parse(m.Value(h)) == nil && c.IsDigest() && c.Realm == realm {
			return h, c, true
		}
	}
	return nil, Credentials{}, false
}

// Algorithm is a digest algorithm.
type Algorithm uint8

// The algorithms of RFC 8760, and their session forms.
const (
	UnknownAlgorithm Algorithm = iota
	MD5
	MD5Sess
	SHA256
	SHA256Sess
	SHA512256
	SHA512256Sess
)

var algorithmNames = [...]string{"", "MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"}

// ParseAlgorithm recognises an algorithm's name in any case; "" is MD5.
func ParseAlgorithm(s string) Algorithm {
	if s == "" {
		return MD5
	}
	for a := MD5; a <= SHA512256Sess; a++ {
		if equalFold(algorithmNames[a], s) {
			return a
		}
	}
	return UnknownAlgorithm
}

// String is the name as it is written in a header.
func (a Algorithm) String() string { return algorithmNames[a] }

// Session says whether the algorithm's HA1 contains nonce and cnonce.
func (a Algorithm) Session() bool { return a == MD5Sess || a == SHA256Sess || a == SHA512256Sess }

// HexLen is the length of a hash in hexadecimal.
func (a Algorithm) HexLen() int {
	if a <= MD5Sess {
		return 2 * md5.Size
	}
	return 2 * sha256.Size
}

const hexDigits = "0123456789abcdef"

// appendHash appends the lower-case hexadecimal hash of data.
func (a Algorithm) appendHash(dst, data []byte) []byte {
	var sum [32]byte
	n := 32
	switch a {
	case SHA256, SHA256Sess:
		sum = sha256.Sum256(data)
	case SHA512256, SHA512256Sess:
		sum = sha512.Sum512_256(data)
	default:
		s := md5.Sum(data)
		n = copy(sum[:], s[:])
	}
	for _, b := range sum[:n] {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// joined appends parts with colons between them.
func joined(dst []byte, parts ...string) []byte {
	for i, p := range parts {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, p...)
	}
	return dst
}

func (a Algorithm) hash(parts ...string) string {
	var in [512]byte
	var out [64]byte
	return string(a.appendHash(out[:0], joined(in[:0], parts...)))
}

// HA1 is the hash of user, realm and password in lower-case hexadecimal, as
// databases keep it.
func HA1(alg Algorithm, user, realm, password string) string { return alg.hash(user, realm, password) }

// HA1Session makes HA1 of a session algorithm from the stored HA1.
func HA1Session(alg Algorithm, ha1, nonce, cnonce string) string { return alg.hash(ha1, nonce, cnonce) }

// HA2 is the hash of method and URI; for qop auth-int of the body, too.
func HA2(alg Algorithm, method, uri, qop, body string) string {
	if equalFold(qop, "auth-int") {
		return alg.hash(method, uri, alg.hash(body))
	}
	return alg.hash(method, uri)
}

// Response is what a client that knows ha1 must answer to a challenge: ha1 as
// HA1 makes it (session algorithms are taken care of here), the other fields
// from c, which the client chose.
func Response(alg Algorithm, ha1 string, c *Credentials, method, body string) string {
	if alg.Session() {
		ha1 = HA1Session(alg, ha1, c.Nonce, c.CNonce)
	}
	ha2 := HA2(alg, method, c.URI, c.QOP, body)
	if c.QOP == "" {
		return alg.hash(ha1, c.Nonce, ha2)
	}
	return alg.hash(ha1, c.Nonce, c.NC, c.CNonce, c.QOP, ha2)
}

// Verify says whether the credentials' response is that of a client that knows
// ha1. It compares in constant time; an unknown algorithm is false.
func (c *Credentials) Verify(ha1, method, body string) bool {
	alg := ParseAlgorithm(c.Algorithm)
	if alg == UnknownAlgorithm || len(c.Response) != alg.HexLen() {
		return false
	}
	want := Response(alg, ha1, c, method, body)
	var got [64]byte
	for i := 0; i < len(c.Response); i++ {
		b := c.Response[i]
		if b >= 'A' && b <= 'F' {
			b |= 0x20
		}
		got[i] = b
	}
	return subtle.ConstantTimeCompare(got[:len(c.Response)], []byte(want)) == 1
}
