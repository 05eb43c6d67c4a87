package db

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Algorithm is a digest algorithm (RFC 8760 §2.2). The zero value is MD5.
type Algorithm string

// The algorithms.
const (
	MD5       Algorithm = ""
	SHA256    Algorithm = "SHA-256"
	SHA512256 Algorithm = "SHA-512-256"
)

// ParseAlgorithm reads the name of an algorithm, in any case.
func ParseAlgorithm(s string) (Algorithm, error) {
	switch strings.ToUpper(s) {
	case "", "MD5":
		return MD5, nil
	case "SHA-256", "SHA256":
		return SHA256, nil
	case "SHA-512-256", "SHA512-256":
		return SHA512256, nil
	}
	return MD5, fmt.Errorf("algorithm %q: want MD5, SHA-256 or SHA-512-256", s)
}

// HA1 is the hash of user:realm:password in lower-case hex, what digest
// authentication needs to know of a password (RFC 7616 §3.4.2). Called with
// user@domain as user it is HA1B, for phones that send their whole address
// as digest username.
func (a Algorithm) HA1(user, realm, password string) string {
	text := []byte(user + ":" + realm + ":" + password)
	switch a {
	case SHA256:
		sum := sha256.Sum256(text)
		return hex.EncodeToString(sum[:])
	case SHA512256:
		sum := sha512.Sum512_256(text)
		return hex.EncodeToString(sum[:])
	}
	sum := md5.Sum(text)
	return hex.EncodeToString(sum[:])
}

// HA1 is that of MD5.
func HA1(user, realm, password string) string { return MD5.HA1(user, realm, password) }

// Secrets are the columns that a password becomes. The last two have a place
// in few tables; where it is there, all are written together, so that no old
// password keeps working beside a new one.
type Secrets struct{ HA1, HA1B, Plain, SHA256, SHA512256 string }

// Secrets computes what is stored for a at realm. The password column of the
// flavour holds size characters. Errors are a *[FieldError] that never shows
// the password.
func (p Password) Secrets(a Address, realm string, size int) (Secrets, error) {
	fail := func(why string) (Secrets, error) { return Secrets{}, &FieldError{Field: "password", Why: why} }
	switch {
	case p.None:
		return Secrets{}, nil
	case p.Plain == "" && p.HA1 == "":
		return fail("is empty")
	case p.HA1 != "" && !isHash(p.HA1), p.HA1B != "" && !isHash(p.HA1B):
		return fail("hash (ha1) is neither 32 nor 64 hex digits")
	case p.Plain == "":
		return Secrets{HA1: strings.ToLower(p.HA1), HA1B: strings.ToLower(p.HA1B)}, nil
	case strings.ContainsFunc(p.Plain, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fail("has a control character")
	}
	s := Secrets{
		HA1: p.Algorithm.HA1(a.User, realm, p.Plain), HA1B: p.Algorithm.HA1(a.String(), realm, p.Plain),
		SHA256: SHA256.HA1(a.User, realm, p.Plain), SHA512256: SHA512256.HA1(a.User, realm, p.Plain),
	}
	if p.HA1 != "" { // a migrated one whose hash is of another realm stays as it is
		s.HA1, s.HA1B = strings.ToLower(p.HA1), strings.ToLower(p.HA1B)
	}
	if p.Keep {
		if !utf8.ValidString(p.Plain) {
			return fail("is not valid UTF-8, so it can be kept hashed only")
		}
		if utf8.RuneCountInString(p.Plain) > size {
			return fail("is too long to be kept in clear; hashed it would fit")
		}
		s.Plain = p.Plain
	}
	return s, nil
}

// Match tells in constant time whether password is the one behind the stored
// secrets of a at realm, whichever algorithm they are of: the length of a hash
// tells MD5 from the others. A row with clear text only counts as well.
func (s Secrets) Match(a Address, realm, password string) bool {
	want := strings.ToLower(s.HA1)
	switch {
	case want == "" && s.Plain != "":
		return subtle.ConstantTimeCompare([]byte(s.Plain), []byte(password)) == 1
	case len(want) == 64:
		return same(want, SHA256.HA1(a.User, realm, password)) || same(want, SHA512256.HA1(a.User, realm, password))
	}
	return want != "" && same(want, HA1(a.User, realm, password))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Kind names what is stored, without showing it.
func (s Secrets) Kind() string {
	switch {
	case s.HA1 != "" && s.Plain != "":
		return "ha1+plain"
	case s.HA1 != "":
		return "ha1"
	case s.Plain != "":
		return "plain"
	}
	return "none"
}

// isHash tells the 32 hex digits of MD5 or the 64 of the others.
func isHash(s string) bool {
	return (len(s) == 32 || len(s) == 64) && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// SecretColumns are the columns that a password becomes: those that a site has
// for the other algorithms (has says which) are written with the usual ones, or
// an old password would go on working.
func SecretColumns(has func(column string) bool) []string {
	out := []string{"password", "ha1", "ha1b"}
	for _, c := range []string{"ha1_sha256", "ha1_sha512t256"} {
		if has(c) {
			out = append(out, c)
		}
	}
	return out
}

// Values are the secrets in the order of columns that SecretColumns named.
func (s Secrets) Values(columns []string) []any {
	out := make([]any, len(columns))
	for i, c := range columns {
		switch c {
		case "password":
			out[i] = s.Plain
		case "ha1":
			out[i] = s.HA1
		case "ha1b":
			out[i] = s.HA1B
		case "ha1_sha256":
			out[i] = s.SHA256
		case "ha1_sha512t256":
			out[i] = s.SHA512256
		}
	}
	return out
}
