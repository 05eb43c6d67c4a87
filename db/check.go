package db

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// CheckUser tells whether v can be the user part of a SIP address (RFC 3261
// §25.1 "user": unreserved, escaped, user-unreserved). Bytes above 127 are
// allowed when they are valid UTF-8, as old databases have them. field names
// the value in the error.
func CheckUser(field, v string) error {
	if v == "" {
		return &FieldError{field, "", "is empty"}
	}
	if !utf8.ValidString(v) {
		return &FieldError{field, v, "is not valid UTF-8"}
	}
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == ' ' || c == '\t':
			return &FieldError{field, v, "has a blank"}
		case c < ' ' || c == 0x7f:
			return &FieldError{field, v, "has a control character"}
		case c >= 0x80, isAlnum(c), strings.IndexByte("-_.!~*'()&=+$,;?/%#", c) >= 0:
		default:
			return &FieldError{field, v, fmt.Sprintf("has a %q, which the user part of a SIP address cannot have", c)}
		}
	}
	for i, r := range v {
		if r >= 0x80 && r < 0xa0 {
			return &FieldError{field, v, fmt.Sprintf("has a control character at byte %d", i)}
		}
	}
	return nil
}

// CheckDomain tells whether v can be a host: letters, digits, "-", "_" and "." in
// labels, or an IPv6 reference in brackets (RFC 3261 §25.1 "host").
func CheckDomain(field, v string) error {
	switch {
	case v == "":
		return &FieldError{field, "", "is empty"}
	case len(v) > 253:
		return &FieldError{field, v, "is longer than 253 bytes, the most a domain name has"}
	case v[0] == '[':
		return checkIPv6(field, v)
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(v, "."), ".") {
		if label == "" {
			return &FieldError{field, v, "has an empty label"}
		}
		if len(label) > 63 {
			return &FieldError{field, v, "has a label longer than 63 bytes"}
		}
		if label[0] == '-' || label[len(label)-1] == '-' {
			return &FieldError{field, v, "has a label that begins or ends with a hyphen"}
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; !isAlnum(c) && c != '-' && c != '_' {
				return &FieldError{field, v, fmt.Sprintf("has a %q, which a domain cannot have", c)}
			}
		}
	}
	return nil
}

// CheckText tells whether v can be stored as free text: valid UTF-8 without
// control characters.
func CheckText(field, v string) error {
	if !utf8.ValidString(v) {
		return &FieldError{field, v, "is not valid UTF-8"}
	}
	for _, r := range v {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return &FieldError{field, v, "has a control character"}
		}
	}
	return nil
}

// CheckLength tells whether v fits a column of size characters (not bytes:
// what VARCHAR counts). It is asked before the database is, because MySQL
// without strict mode cuts the end off and SQLite stores what does not fit.
func CheckLength(field, v string, size int) error {
	if n := utf8.RuneCountInString(v); n > size {
		return &FieldError{field, v, fmt.Sprintf("has %d characters, the column holds %d", n, size)}
	}
	return nil
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// checkIPv6 takes an address in brackets, without a zone: a zone means
// something on one machine only.
func checkIPv6(field, v string) error {
	if in, ok := strings.CutSuffix(v[1:], "]"); ok {
		if a, err := netip.ParseAddr(in); err == nil && a.Is6() && a.Zone() == "" {
			return nil
		}
	}
	return &FieldError{field, v, "is not an IPv6 address in brackets"}
}

// CheckGroup tells whether v can be the name of a group (ACL): a word without
// blanks that fits the column.
func CheckGroup(v string, size int) error {
	const field = "group"
	if v == "" {
		return &FieldError{field, "", "is empty"}
	}
	if strings.ContainsAny(v, " \t") {
		return &FieldError{field, v, "has a blank"}
	}
	if err := CheckText(field, v); err != nil {
		return err
	}
	return CheckLength(field, v, size)
}
