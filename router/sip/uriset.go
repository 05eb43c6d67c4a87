package sip

import (
	"strconv"
	"strings"
)

// The setters below are what the script's URI functions do: each takes a URI
// and answers a changed one. A URI that does not parse, and an argument that
// would not be a URI's part, is a *SyntaxError.

// open parses a URI that is to be changed.
func (u *URI) open(uri string) *SyntaxError {
	if err := u.parse(uri); err != nil {
		return err
	}
	if u.Scheme == SchemeOther || u.Scheme == URN {
		return syntax("URI", 0, "a URI of this scheme cannot be rewritten")
	}
	return nil
}

// close prints the changed URI unless there was an error: one allocation.
func (u *URI) close(err *SyntaxError) (string, error) {
	if err != nil {
		return "", err
	}
	var buf [512]byte
	return string(u.AppendTo(buf[:0])), nil
}

// checkPart refuses what would end a part early.
func checkPart(part, forbidden string) *SyntaxError {
	for i := 0; i < len(part); i++ {
		if class[part[i]]&classURI == 0 || strings.IndexByte(forbidden, part[i]) >= 0 {
			return syntax("URI part", i, "a character that must be escaped")
		}
	}
	return nil
}

// checkUser is checkPart for the user, which in a tel URI is a number.
func (u *URI) checkUser(user, forbidden string) *SyntaxError {
	if u.isTel() {
		forbidden = "@:;?"
	}
	return checkPart(user, forbidden)
}

// SetUser replaces the user; a password stays, and goes when the user becomes
// empty.
func SetUser(uri, user string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	u.User = user
	if user == "" {
		if u.isTel() {
			return u.close(syntax("URI part", 0, "a tel URI needs a number"))
		}
		u.Password = ""
	}
	return u.close(u.checkUser(user, "@"))
}

// SetUserPass replaces user and password by "user" or "user:password".
func SetUserPass(uri, userpass string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	if u.isTel() {
		if userpass == "" {
			return u.close(syntax("URI part", 0, "a tel URI needs a number"))
		}
		u.User = userpass
		return u.close(u.checkUser(userpass, ""))
	}
	u.User, u.Password, _ = strings.Cut(userpass, ":")
	return u.close(checkPart(userpass, "@"))
}

func (u *URI) isTel() bool { return u.Scheme == TEL || u.Scheme == TELS }

// toSIP makes a sip URI with user=phone of a tel URI that gets a host; other
// URIs stay as they are.
func (u *URI) toSIP() {
	switch u.Scheme {
	case TEL:
		u.Scheme = SIP
	case TELS:
		u.Scheme = SIPS
	default:
		return
	}
	if u.Params != "" { // RFC 3261 §19.1.6: the number keeps its parameters
		u.User += ";" + u.Params
	}
	u.Params = "user=phone"
}

func (u *URI) addParam(p string) {
	if u.Params == "" {
		u.Params = p
	} else {
		u.Params += ";" + p
	}
}

func checkHost(host string) *SyntaxError {
	if host == "" || hostEnd(host, 0, len(host)) != len(host) {
		return syntax("host", 0, "not a host name or address")
	}
	return nil
}

// SetHost replaces the host; port and parameters stay. A tel URI becomes a sip
// URI with user=phone.
func SetHost(uri, host string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	u.Host = host
	u.toSIP()
	return u.close(checkHost(host))
}

// SplitHostPort takes "host", "host:port" or "[v6]:port" apart; port is 0 when
// not written.
func SplitHostPort(s string) (host string, port uint16, err error) {
	he := hostEnd(s, 0, len(s))
	if he == 0 {
		return "", 0, syntax("host", 0, "not a host name or address")
	}
	if he == len(s) {
		return s, 0, nil
	}
	n, ok := parseUint(s[he+1:], 65535)
	if s[he] != ':' || !ok {
		return "", 0, syntax("host", he, "a colon and a port up to 65535 were expected")
	}
	return s[:he], uint16(n), nil
}

func (u *URI) setHostPort(hostport string) *SyntaxError {
	host, port, err := SplitHostPort(hostport)
	if err != nil {
		return syntax("host", 0, "not host or host:port")
	}
	u.Host, u.Port = host, port
	u.toSIP()
	return nil
}

// SetHostPort replaces host and port by "host" or "host:port"; without a port
// the old one goes.
func SetHostPort(uri, hostport string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	return u.close(u.setHostPort(hostport))
}

// SetHostPortTrans is SetHostPort that also drops the transport parameter;
// hostport may carry new parameters behind ";".
func SetHostPortTrans(uri, hostport string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	hp, params, _ := strings.Cut(hostport, ";")
	if e := checkPart(params, "?@"); e != nil {
		return u.close(e)
	}
	if err := u.setHostPort(hp); err != nil {
		return u.close(err)
	}
	u.Params = withoutParam(u.Params, "transport")
	switch {
	case params == "":
	case u.Params == "":
		u.Params = params
	default: // the new ones go first, as in Kamailio
		u.Params = params + ";" + u.Params
	}
	return u.close(nil)
}

// withoutParam leaves one parameter out of "a;b=1;c".
func withoutParam(params, name string) string {
	var b []byte
	removed := false
	for s := params; s != ""; {
		var p string
		p, s, _ = strings.Cut(s, ";")
		k, _, _ := strings.Cut(p, "=")
		if equalFold(k, name) {
			removed = true
			continue
		}
		if len(b) > 0 {
			b = append(b, ';')
		}
		b = append(b, p...)
	}
	if !removed {
		return params
	}
	return string(b)
}

// SetPort replaces the port; "" removes it.
func SetPort(uri, port string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	if u.isTel() {
		return u.close(syntax("URI", 0, "a tel URI has no port"))
	}
	if port == "" {
		u.Port = 0
		return u.close(nil)
	}
	n, ok := parseUint(port, 65535)
	if !ok {
		return u.close(syntax("port", 0, "not a number up to 65535"))
	}
	u.Port = uint16(n)
	return u.close(nil)
}

// SetScheme replaces the scheme: sip, sips, tel, tels. A URI with a host does
// not become a tel URI.
func SetScheme(uri, scheme string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	for s := SIP; s <= TELS; s++ {
		if equalFold(s.String(), scheme) {
			tel := s == TEL || s == TELS
			if tel != u.isTel() {
				return u.close(syntax("scheme", 0, "a tel URI has no host, a sip URI needs one"))
			}
			u.Scheme = s
			return u.close(nil)
		}
	}
	return u.close(syntax("scheme", 0, "not sip, sips, tel or tels"))
}

// AddParam appends a URI parameter, "name" or "name=value".
func AddParam(uri, param string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	if param == "" {
		return u.close(syntax("URI parameter", 0, "it is empty"))
	}
	u.addParam(param)
	return u.close(checkPart(param, "?@"))
}

// RemoveParam leaves a URI parameter out.
func RemoveParam(uri, name string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	u.Params = withoutParam(u.Params, name)
	return u.close(nil)
}

// Prefix puts text before the user.
func Prefix(uri, prefix string) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	u.User = prefix + u.User
	return u.close(u.checkUser(prefix, "@:"))
}

// Strip takes n characters off the user's start; more than there are empty it.
func Strip(uri string, n int) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	return u.close(u.stripped(u.User[min(max(n, 0), len(u.User)):]))
}

// StripTail takes n characters off the user's end; more than there are empty it.
func StripTail(uri string, n int) (string, error) {
	var u URI
	if err := u.open(uri); err != nil {
		return "", err
	}
	return u.close(u.stripped(u.User[:len(u.User)-min(max(n, 0), len(u.User))]))
}

func (u *URI) stripped(user string) *SyntaxError {
	u.User = user
	if user == "" {
		if u.isTel() {
			return syntax("URI part", 0, "a tel URI needs a number")
		}
		u.Password = ""
	}
	return nil
}

// UserPhone adds user=phone to a sip URI that has no user parameter; others
// stay as they are.
func UserPhone(uri string) (string, error) {
	u, err := ParseURI(uri)
	if err != nil {
		return "", err
	}
	if u.isTel() || u.UserParam != "" || u.Scheme != SIP && u.Scheme != SIPS {
		return uri, nil
	}
	return AddParam(uri, "user=phone")
}

// AppendAddr appends "host:port", brackets as given; port 0 is left out.
func AppendAddr(dst []byte, host string, port uint16) []byte {
	dst = append(dst, host...)
	if port != 0 {
		dst = strconv.AppendUint(append(dst, ':'), uint64(port), 10)
	}
	return dst
}
