package db

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// HA1 is MD5(user:realm:password) in lower-case hex, what digest
// authentication needs to know of a password (RFC 2617 §3.2.2.2). Called with
// user@domain as user it is HA1B, for phones that send their whole address
// as digest username.
func HA1(user, realm, password string) string {
	sum := md5.Sum([]byte(user + ":" + realm + ":" + password))
	return hex.EncodeToString(sum[:])
}

// Secrets are the columns that a password becomes.
type Secrets struct{ HA1, HA1B, Plain string }

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
	case p.HA1 != "" && !isHex32(p.HA1), p.HA1B != "" && !isHex32(p.HA1B):
		return fail("hash (ha1) is not 32 hex digits")
	case p.Plain == "":
		return Secrets{HA1: strings.ToLower(p.HA1), HA1B: strings.ToLower(p.HA1B)}, nil
	case strings.ContainsFunc(p.Plain, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fail("has a control character")
	}
	s := Secrets{HA1: HA1(a.User, realm, p.Plain), HA1B: HA1(a.String(), realm, p.Plain)}
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
// secrets of a at realm. A row with clear text only counts as well.
func (s Secrets) Match(a Address, realm, password string) bool {
	want := s.HA1
	if want == "" && s.Plain != "" {
		want = HA1(a.User, realm, s.Plain)
	}
	return want != "" && subtle.ConstantTimeCompare([]byte(strings.ToLower(want)), []byte(HA1(a.User, realm, password))) == 1
}

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

func isHex32(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
