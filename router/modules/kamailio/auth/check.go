package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// Codes of the checks, as Kamailio 5 has them.
const (
	codeOK            = 1
	codeError         = -1
	codePassword      = -2
	codeStale         = -4
	codeNoCredentials = -5
	codeReused        = -6
	codeMismatch      = -8
)

var errNoSL = errors.New(`no module sends replies; put loadmodule "sl.so" into the configuration`)

func logFailure(c *run.Context, msg string, err error) {
	log := c.Logger()
	if !log.Enabled(context.Background(), slog.LevelError) {
		return
	}
	attrs := []slog.Attr{slog.String("module", "auth"), slog.String("call_id", c.Msg.CallID())}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	log.LogAttrs(context.Background(), slog.LevelError, msg, attrs...)
}

// HA1 finds the hash of user, realm and password for credentials, for the
// algorithm alg. A code other than 1 ends the check and is its result.
type HA1 = func(cred *sip.Credentials, alg sip.Algorithm) (ha1 string, code int)

// Authenticate checks the credentials that a request has for a realm: those of
// Authorization, or of Proxy-Authorization when proxied. method is what the
// client hashed, "" for the request's own. Other modules find it by the name of
// this one (Host.Module("auth")).
//
// It answers 1 when they are good (and for ACK and CANCEL, which nobody can
// challenge), -1 for an error (header or nonce broken), -2 for a wrong password,
// -4 for a nonce that is out of date, -5 without credentials for the realm, -6
// for a nonce used before; and what ha1 answers.
func (a *auth) Authenticate(c *run.Context, realm string, proxied bool, method string, ha1 HA1) int {
	k := www
	if proxied {
		k = proxy
	}
	return a.authenticate(c, realm, k, method, ha1)
}

func (a *auth) authenticate(c *run.Context, realm string, k kind, method string, ha1 HA1) int {
	if m := c.Msg.Method(); m == sip.ACK || m == sip.CANCEL {
		return codeOK
	}
	if realm == "" {
		logFailure(c, "a check of credentials needs a realm", nil)
		return codeError
	}
	h, cred, code := a.credentials(c, a.realm(realm), k.header())
	if code != codeOK {
		return code
	}
	if code := a.preCheck(c, &cred); code != codeOK {
		return code
	}
	hash, code := ha1(&cred, a.alg)
	if code != codeOK {
		return code
	}
	if method == "" {
		method = c.Msg.MethodName()
	}
	if !cred.Verify(hash, method, bodyFor(c, &cred)) {
		return codePassword
	}
	c.Slots[a.slot] = h
	if a.authInfo {
		a.addAuthInfo(c, &cred, hash)
	}
	return codeOK
}

// bodyFor is the body where the response covers it.
func bodyFor(c *run.Context, cred *sip.Credentials) string {
	if strings.EqualFold(cred.QOP, "auth-int") {
		return c.Msg.Body()
	}
	return ""
}

// credentials finds those for the realm. A header that cannot be read counts as
// an error only when no other is for the realm.
func (a *auth) credentials(c *run.Context, realm string, k sip.HeaderKind) (*sip.Header, sip.Credentials, int) {
	if h, cred, ok := c.Msg.CredentialsFor(realm, k); ok {
		return h, cred, codeOK
	}
	for h := c.Msg.First(k); h != nil; h = c.Msg.Next(h) {
		if _, err := sip.ParseCredentials(c.Msg.Value(h)); err != nil {
			return nil, sip.Credentials{}, codeError
		}
	}
	return nil, sip.Credentials{}, codeNoCredentials
}

// preCheck looks whether the credentials are complete and their nonce good.
func (a *auth) preCheck(c *run.Context, cred *sip.Credentials) int {
	alg := a.alg
	if cred.Algorithm == "" {
		cred.Algorithm = alg.String() // as Kamailio: the client means what it was asked for
	} else {
		alg = sip.ParseAlgorithm(cred.Algorithm)
	}
	if alg != a.alg && alg != a.alg+1 { // a session form stands behind its plain one
		return codeError
	}
	nc, counted := uint32(0), cred.QOP != ""
	if counted {
		var ok bool
		if nc, ok = parseCount(cred.NC); !ok || cred.CNonce == "" {
			return codeError
		}
		if !strings.EqualFold(cred.QOP, "auth") && !strings.EqualFold(cred.QOP, "auth-int") {
			return codeError
		}
	}
	if cred.Username == "" || cred.Nonce == "" || cred.URI == "" || len(cred.Response) != alg.HexLen() {
		return codeError
	}
	checks := a.checks(c)
	switch a.nonces.check(cred.Nonce, c.Now().Unix(), checks != 0, func() [sha256.Size]byte { return parts(c, checks) }, nc, counted) {
	case nonceGood:
		return codeOK
	case nonceExpired:
		return codeStale
	case nonceUsed:
		return codeReused
	}
	return codeError
}

// parseCount reads a nonce count: eight hexadecimal digits (RFC 7616 §3.4).
func parseCount(s string) (uint32, bool) {
	if len(s) != 8 {
		return 0, false
	}
	var n uint32
	for i := 0; i < len(s); i++ {
		d := s[i]
		switch {
		case d >= '0' && d <= '9':
			d -= '0'
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			d = d | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		n = n<<4 | uint32(d)
	}
	return n, true
}

// addAuthInfo puts Authentication-Info (RFC 7616 §3.5) into the replies: proof
// that this server knows the password too, and with one_time_nonce the next
// nonce.
func (a *auth) addAuthInfo(c *run.Context, cred *sip.Credentials, ha1 string) {
	b := c.TakeScratch()
	b = append(b, "Authentication-Info: "...)
	start := len(b)
	if a.nonces.once != nil {
		b = a.appendNonce(append(b, `nextnonce="`...), c)
		b = append(b, '"')
	}
	if cred.QOP != "" {
		if len(b) > start {
			b = append(b, ", "...)
		}
		b = append(append(b, "qop="...), cred.QOP...)
		b = append(append(append(b, `, rspauth="`...), sip.Response(sip.ParseAlgorithm(cred.Algorithm), ha1, cred, "", "")...), '"')
		b = appendQuoted(append(b, `, cnonce="`...), cred.CNonce)
		b = append(append(b, `", nc=`...), cred.NC...)
	}
	if len(b) > start {
		c.ReplyExtra += string(append(b, "\r\n"...))
	}
	c.GiveScratch(b)
}

// Identity compares the user of the accepted credentials with the users of the
// request: To of REGISTER and PUBLISH, where From must be the same (in PUBLISH
// the request URI too), else From; with domain the hosts of these as well. It
// answers 1, -1 when something cannot be read, -8 when they differ.
func (a *auth) Identity(c *run.Context, domain bool) int {
	h, ok := c.Slots[a.slot].(*sip.Header)
	if !ok {
		return codeOK // ACK and CANCEL come without
	}
	cred, err := sip.ParseCredentials(c.Msg.Value(h))
	if err != nil {
		return codeError
	}
	from, ok := uriOf(c.Msg.From())
	if !ok {
		return codeError
	}
	register, publish := c.Msg.Method() == sip.REGISTER, c.Msg.Method() == sip.PUBLISH
	if !register && !publish {
		return same(cred.User == from.User)
	}
	to, ok := uriOf(c.Msg.To())
	if !ok {
		return codeError
	}
	good := cred.User == to.User && sameUser(&from, &to, domain)
	if publish && good {
		uri, err := c.ParsedRURI()
		if err != nil {
			return codeError
		}
		good = sameUser(&from, uri, domain)
	}
	return same(good)
}

func same(ok bool) int {
	if ok {
		return codeOK
	}
	return codeMismatch
}

func sameUser(a, b *sip.URI, domain bool) bool {
	return a.User == b.User && (!domain || strings.EqualFold(a.Host, b.Host))
}

func uriOf(n *sip.NameAddr, err error) (sip.URI, bool) {
	if err != nil {
		return sip.URI{}, false
	}
	u, err := sip.ParseURI(n.URI)
	return u, err == nil
}

// newHas compiles has_credentials.
func (a *auth) newHas(args module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		realm := a.realm(args.Str(c, 0))
		for _, k := range [...]sip.HeaderKind{sip.HdrProxyAuthorization, sip.HdrAuthorization} {
			if _, _, ok := c.Msg.CredentialsFor(realm, k); ok {
				return 1
			}
		}
		return -1
	}, nil
}

// newConsume compiles consume_credentials.
func (a *auth) newConsume(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		h, ok := c.Slots[a.slot].(*sip.Header)
		if !ok {
			if m := c.Msg.Method(); m != sip.ACK && m != sip.CANCEL {
				logFailure(c, "there are no accepted credentials to consume", nil)
			}
			return -1
		}
		if err := c.Msg.Edits.Delete(h.Start(), h.End()); err != nil {
			return -1
		}
		c.Slots[a.slot] = nil
		return 1
	}, nil
}

// Flags of the pv_ functions.
const (
	pvHA1     = 1
	pvNoQOP   = 2
	pvAuth    = 4
	pvAuthInt = 8
	pvStale   = 16
)

// pv checks against a password and leaves a challenge in the attribute when
// that fails and the flags ask for one.
func (a *auth) pv(c *run.Context, realm, password string, flags int, k kind, method string) int {
	if password == "" { // an undefined variable must let nobody in
		logFailure(c, "a check of credentials needs a password", nil)
		return codeError
	}
	code := a.authenticate(c, realm, k, method, func(cred *sip.Credentials, alg sip.Algorithm) (string, int) {
		if flags&pvHA1 != 0 {
			return password, codeOK
		}
		return sip.HA1(alg, cred.Username, cred.Realm, password), codeOK
	})
	if code > 0 || flags&(pvNoQOP|pvAuth|pvAuthInt) == 0 || realm == "" {
		return code
	}
	qop := a.qop
	switch {
	case flags&pvAuthInt != 0:
		qop = "auth-int"
	case flags&pvAuth != 0:
		qop = "auth"
	}
	header := a.challenge(c, realm, qop, code == codeStale || flags&pvStale != 0, k)
	c.AVPs.Delete(run.AVPFromURI, a.attr)
	c.AVPs.Add(run.AVPFromURI, a.attr, run.Str(header), 0)
	return code
}

// newPV compiles pv_www_authenticate and the like.
func (a *auth) newPV(k kind) func(module.Args) (run.Func, error) {
	return func(args module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			return a.pv(c, args.Str(c, 0), args.Str(c, 1), args.Int(c, 2, 0), k, args.Str(c, 3))
		}, nil
	}
}

// newPVCheck compiles pv_auth_check.
func (a *auth) newPVCheck(args module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		code := a.pv(c, args.Str(c, 0), args.Str(c, 1), args.Int(c, 2, 0), byMethod.of(c), "")
		if code == codeOK && args.Int(c, 3, 0)&1 != 0 {
			return a.Identity(c, a.useDomain)
		}
		return code
	}, nil
}

// Authorized is the user and the realm of the credentials that were accepted,
// as long as nobody consumed them; ok is false when there are none. Other
// modules ask by the name of this one.
func (a *auth) Authorized(c *run.Context) (user, realm string, ok bool) {
	h, ok := c.Slots[a.slot].(*sip.Header)
	if !ok {
		return "", "", false
	}
	cred, err := sip.ParseCredentials(c.Msg.Value(h))
	if err != nil {
		return "", "", false
	}
	return cred.User, cred.Realm, true
}
