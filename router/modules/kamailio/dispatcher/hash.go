package dispatcher

import (
	"strconv"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// hash is the hash of Kamailio's dispatcher over one or two texts; never 0.
// Octets count as signed, as on the machines where it was measured.
func hash(x, y string) uint32 {
	h := partHash(x) + partHash(y)
	h = h + h>>11 + (h>>13 + h>>23)
	if h == 0 {
		return 1
	}
	return h
}

func partHash(s string) (h uint32) {
	at := func(i int) uint32 { return uint32(int32(int8(s[i]))) }
	i := 0
	for ; i+4 <= len(s); i += 4 {
		v := at(i)<<24 + at(i+1)<<16 + at(i+2)<<8 + at(i+3)
		h += v ^ v>>3
	}
	v := uint32(0)
	for ; i < len(s); i++ {
		v = v<<8 + at(i)
	}
	return h + (v ^ v>>3)
}

// uriHash hashes user and host; the port too unless it is the scheme's own.
func uriHash(u *sip.URI, userOnly bool) uint32 {
	if userOnly {
		return hash(u.User, "")
	}
	host := u.Host
	if u.Port != 0 && u.Port != defaultPort(u) {
		host += ":" + strconv.Itoa(int(u.Port))
	}
	return hash(u.User, host)
}

func defaultPort(u *sip.URI) uint16 {
	if u.Scheme == sip.SIPS {
		return 5061
	}
	return 5060
}

// hashOf is the hash of a message by algorithms 0 to 3, 5 and 7. found is false
// when what is hashed is not there, bad when the message cannot be dispatched.
func (d *dispatcher) hashOf(c *run.Context, alg int) (h uint32, found, bad bool) {
	userOnly := d.flags&flagUserOnly != 0
	switch alg {
	case 0:
		id := strings.TrimSpace(c.Msg.CallID())
		return hash(id, ""), id != "", id == ""
	case 1, 2:
		na, err := c.Msg.From()
		if alg == 2 {
			na, err = c.Msg.To()
		}
		if err != nil {
			return 0, false, true
		}
		u, err := sip.ParseURI(strings.TrimSpace(na.URI))
		if err != nil || u.Host == "" {
			return 0, false, true
		}
		return uriHash(&u, userOnly), true, false
	case 3:
		u, err := c.ParsedRURI()
		if err != nil || u.Host == "" {
			return 0, false, true
		}
		return uriHash(u, userOnly), true, false
	case 5:
		user := authUser(c.Msg)
		return hash(user, ""), user != "", false
	}
	if d.hashFormat == nil {
		return 0, false, true
	}
	text := strings.TrimSpace(d.hashFormat.Eval(c))
	return hash(text, ""), text != "", text == ""
}

// authUser is the user name of the credentials, without a domain.
func authUser(m *sip.Message) string {
	for _, kind := range []sip.HeaderKind{sip.HdrProxyAuthorization, sip.HdrAuthorization} {
		if h := m.First(kind); h != nil {
			if cred, err := sip.ParseCredentials(m.Value(h)); err == nil {
				return strings.TrimSpace(cred.User)
			}
		}
	}
	return ""
}
