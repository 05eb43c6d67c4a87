package registrar

import (
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// maxAOR is the longest address of record, octets.
const maxAOR = 512

// aor makes the key of usrloc from a URI: the user, unescaped, with the domain
// where usrloc wants it; in lower case unless case counts. code is codeOK, or
// what is wrong.
func (r *registrar) aor(c *run.Context, u *sip.URI) (string, code) {
	user := u.User
	if strings.IndexByte(user, '%') >= 0 {
		user = sip.UnescapeUser(user)
	}
	if !r.caseSensitive.Bool(c.Cfg) {
		user = lower(user)
	}
	if r.useDomain {
		host := lower(u.Host)
		if p := r.realmPrefix.Get(c.Cfg); p != "" {
			host = strings.TrimPrefix(host, p)
		}
		if user == "" {
			user = host
		} else {
			user += "@" + host
		}
	}
	if len(user) > maxAOR {
		return "", codeAORLength
	}
	return user, codeOK
}

// lower is strings.ToLower for ASCII alone: other octets are the user's.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
