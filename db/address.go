package db

import (
	"cmp"
	"strings"
)

// Address is a user at a domain, as in an address of record without scheme.
type Address struct {
	User   string
	Domain string
}

// ParseAddress reads user@domain, with or without "sip:" or "sips:" before it
// and without parameters or a port. When s has no @, domain is taken. The
// domain is lowered; the user part keeps its case. Anything that cannot be
// stored is a *[FieldError].
func ParseAddress(s, domain string) (Address, error) {
	rest := s
	if i := strings.IndexByte(rest, ':'); i >= 0 {
		if scheme := strings.ToLower(rest[:i]); scheme == "sip" || scheme == "sips" {
			rest = rest[i+1:]
		}
	}
	a := Address{User: rest, Domain: domain}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		a = Address{User: rest[:i], Domain: rest[i+1:]}
	}
	a.Domain = strings.ToLower(a.Domain)
	return a, a.Check()
}

// Check says with a *[FieldError] what is wrong with the address, nil when it
// can be stored.
func (a Address) Check() error {
	if err := CheckUser("user", a.User); err != nil {
		return err
	}
	return CheckDomain("domain", a.Domain)
}

// String is user@domain.
func (a Address) String() string { return a.User + "@" + a.Domain }

// MarshalText writes user@domain.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads user@domain.
func (a *Address) UnmarshalText(b []byte) error {
	v, err := ParseAddress(string(b), "")
	if err == nil {
		*a = v
	}
	return err
}

// Compare orders by domain, then user, as lists are printed.
func (a Address) Compare(b Address) int {
	return cmp.Or(strings.Compare(a.Domain, b.Domain), strings.Compare(a.User, b.User))
}
