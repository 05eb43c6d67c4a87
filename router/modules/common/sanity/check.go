package sanity

import (
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// The checks. 8 and 16, version and protocol of Via, look at nothing, as in
// Kamailio: a Via of another version is not SIP to begin with.
const (
	checkVersion  = 1
	checkScheme   = 2
	checkRequired = 4
	checkMethod   = 32
	checkCSeq     = 64
	checkLength   = 128
	checkExpires  = 256
	checkRequire  = 512
	checkURIs     = 1024
	checkDigest   = 2048
	checkTags     = 4096
	checkAuth     = 8192
	checkVia      = 16384

	allChecks = 1<<15 - 1
)

// The URIs of checkURIs.
const (
	uriRequest = 1
	uriFrom    = 2
	uriTo      = 4
	uriContact = 8
)

// fault is what is wrong with a message, as the reply says it. The texts are
// those that Kamailio sends.
type fault struct {
	code   int
	reason string
	extra  string // header lines
}

func bad(reason string) *fault { return &fault{code: 400, reason: reason} }

// check makes the checks asked for; nil when the message passes all.
func check(c *run.Context, checks, uris int, extensions []string) *fault {
	m := c.Msg
	if checks&checkVia != 0 {
		if v, err := m.Via(); err != nil || v.Host == "" {
			return bad("Bad Headers")
		}
	}
	if m.IsRequest() {
		if f := checkLine(c, checks); f != nil {
			return f
		}
	}
	if checks&(checkMethod|checkCSeq) != 0 {
		if f := checkSequence(m, checks); f != nil {
			return f
		}
	}
	if checks&checkLength != 0 && !lengthRight(m) {
		return bad("Content-Length mis-match")
	}
	if checks&checkExpires != 0 {
		if h := m.First(sip.HdrExpires); h != nil && !number(m.Value(h)) {
			return bad("Expires value is illegal")
		}
	}
	if checks&checkRequire != 0 {
		if f := unsupported(m, extensions); f != nil {
			return f
		}
	}
	if checks&checkURIs != 0 {
		if f := parseURIs(c, uris); f != nil {
			return f
		}
	}
	if checks&(checkDigest|checkAuth) != 0 {
		if f := credentials(m, checks); f != nil {
			return f
		}
	}
	if checks&checkTags != 0 {
		return tags(m)
	}
	return nil
}

func checkLine(c *run.Context, checks int) *fault {
	m := c.Msg
	if checks&checkVersion != 0 && m.Version() != "SIP/2.0" {
		return &fault{code: 505, reason: "Version Not Supported (R-URI)"}
	}
	if checks&checkScheme != 0 {
		u, err := c.ParsedRURI()
		if err != nil || u.Scheme == sip.SchemeOther {
			return bad("Bad Request URI")
		}
	}
	if checks&checkRequired != 0 {
		for _, k := range [...]sip.HeaderKind{sip.HdrTo, sip.HdrFrom, sip.HdrCSeq, sip.HdrCallID, sip.HdrVia} {
			if m.First(k) == nil {
				return bad("Missing Required Header in Request")
			}
		}
	}
	return nil
}

func checkSequence(m *sip.Message, checks int) *fault {
	h := m.First(sip.HdrCSeq)
	if h == nil {
		return nil // checkRequired says so
	}
	num, method, _ := strings.Cut(m.Value(h), " ")
	if i := strings.IndexAny(num, "\t\r\n"); i >= 0 {
		num, method = num[:i], num[i:]
	}
	if checks&checkMethod != 0 && m.IsRequest() && strings.TrimSpace(method) != m.MethodName() {
		return bad("CSeq method does not match request method")
	}
	if checks&checkCSeq != 0 && !number(num) {
		return bad("CSeq number is illegal")
	}
	return nil
}

// number says whether a text is an unsigned number of 32 bits (RFC 3261
// §20.16, §20.19).
func number(s string) bool {
	if s == "" || len(s) > 10 {
		return false
	}
	var n uint64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n < 1<<32
}

// lengthRight compares Content-Length with what came behind the headers.
func lengthRight(m *sip.Message) bool {
	if m.First(sip.HdrContentLength) == nil {
		return true
	}
	n, ok := m.ContentLength()
	return ok && n == len(m.Raw())-m.BodyOffset()
}

// unsupported lists the extensions that a proxy on the way must understand and
// this one does not (RFC 3261 §16.3 item 5).
func unsupported(m *sip.Message, extensions []string) *fault {
	var missing []string
	for h := m.First(sip.HdrProxyRequire); h != nil; h = m.Next(h) {
		for rest := m.Value(h); rest != ""; {
			var item string
			if item, rest, _ = strings.Cut(rest, ","); !knows(extensions, strings.TrimSpace(item)) {
				missing = append(missing, strings.TrimSpace(item))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &fault{code: 420, reason: "Bad Proxy Require Extension", extra: "Unsupported: " + strings.Join(missing, ", ") + "\r\n"}
}

func knows(list []string, name string) bool {
	if name == "" {
		return true
	}
	for _, e := range list {
		if strings.EqualFold(e, name) {
			return true
		}
	}
	return false
}

func parseURIs(c *run.Context, uris int) *fault {
	m := c.Msg
	if uris&uriRequest != 0 && m.IsRequest() {
		if u, err := c.ParsedRURI(); err != nil || u.Scheme == sip.SchemeOther {
			return bad("Bad Request URI")
		}
	}
	if uris&uriFrom != 0 && !parses(m.From()) {
		return bad("Invalid From Header")
	}
	if uris&uriTo != 0 && !parses(m.To()) {
		return bad("Ivalid To Header") // as Kamailio spells it: scripts of peers may look for it
	}
	if uris&uriContact != 0 && m.First(sip.HdrContact) != nil {
		it := m.ContactIter()
		for it.Next() {
			if !it.Contact().Star && !parses(&it.Contact().NameAddr, nil) {
				return bad("Bad Contact URI")
			}
		}
		if it.Err() != nil {
			return bad("Bad Contact Header")
		}
	}
	return nil
}

func parses(n *sip.NameAddr, err error) bool {
	if err != nil {
		return false
	}
	u, err := n.ParseURI()
	return err == nil && u.Scheme != sip.SchemeOther
}

// credentials checks those of a digest; checkDigest wants no others.
func credentials(m *sip.Message, checks int) *fault {
	for _, k := range [...]sip.HeaderKind{sip.HdrAuthorization, sip.HdrProxyAuthorization} {
		if checks&checkDigest == 0 && k == sip.HdrProxyAuthorization {
			break
		}
		for h := m.First(k); h != nil; h = m.Next(h) {
			v := m.Value(h)
			cr, err := sip.ParseCredentials(v)
			switch {
			case err != nil:
				return bad("Bad Auth Header")
			case !cr.IsDigest():
				if checks&checkDigest != 0 {
					return bad("Bad Auth Credentials")
				}
			default:
				if f := digest(&cr, v); f != nil {
					return f
				}
			}
		}
	}
	return nil
}

// digest tells whether what RFC 2617 demands is there: with qop also nc and
// cnonce.
func digest(c *sip.Credentials, value string) *fault {
	for _, f := range [...]struct{ value, name, empty string }{
		{c.Username, "username", "Auth Empty User"},
		{c.Nonce, "nonce", "Auth Empty Nonce"},
		{c.Response, "response", "Auth Empty Response"},
		{c.Realm, "realm", ""},
		{c.URI, "uri", ""},
	} {
		switch {
		case f.value != "":
		case !hasField(value, f.name):
			return bad("Bad Auth Credentials")
		case f.empty != "":
			return bad(f.empty)
		}
	}
	if c.QOP != "" && (c.NC == "" || c.CNonce == "") {
		return bad("Bad Auth Credentials")
	}
	return nil
}

// hasField says whether credentials that parse have a field, empty or not.
func hasField(value, name string) bool {
	_, list, _ := strings.Cut(value, " ")
	for rest := list; rest != ""; {
		var item string
		item, rest = sip.CutList(rest)
		if n, _, ok := strings.Cut(item, "="); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return true
		}
	}
	return false
}

func tags(m *sip.Message) *fault {
	if n, err := m.From(); err == nil && manyTags(n.Params) {
		return bad("Many From Tag Params")
	}
	if n, err := m.To(); err == nil && manyTags(n.Params) {
		return bad("Many To Tag Params")
	}
	return nil
}

// manyTags counts the tags among a header's parameters.
func manyTags(params string) bool {
	n, quoted, start := 0, false, 0
	for i := 0; i <= len(params); i++ {
		if i < len(params) && params[i] == '\\' && quoted {
			i++
			continue
		}
		if i < len(params) && params[i] == '"' {
			quoted = !quoted
		}
		if i < len(params) && (params[i] != ';' || quoted) {
			continue
		}
		if i > len(params) {
			break
		}
		name, _, _ := strings.Cut(params[start:i], "=")
		if strings.EqualFold(strings.TrimSpace(name), "tag") {
			n++
		}
		start = i + 1
	}
	return n > 1
}
