package auth

import (
	"crypto/sha256"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// kind is which pair of headers a function works with.
type kind uint8

const (
	www kind = iota
	proxy
	byMethod // www for REGISTER, proxy for others
)

func (k kind) of(c *run.Context) kind {
	switch {
	case k != byMethod:
		return k
	case c.Msg.Method() == sip.REGISTER:
		return www
	}
	return proxy
}

// header is where the credentials of the kind are.
func (k kind) header() sip.HeaderKind {
	if k == www {
		return sip.HdrAuthorization
	}
	return sip.HdrProxyAuthorization
}

// Flags of a challenge.
const (
	flagAuth    = 1
	flagAuthInt = 2
	flagQuiet   = 4 // no 500 on failure
	flagStale   = 16
)

func (a *auth) qopOf(flags int) string {
	switch {
	case flags&flagAuthInt != 0:
		return "auth-int"
	case flags&flagAuth != 0:
		return "auth"
	}
	return a.qop
}

// challenge is a complete header line.
func (a *auth) challenge(c *run.Context, realm, qop string, stale bool, k kind) string {
	name := a.wwwHeader
	if k == proxy {
		name = a.proxyHeader
	}
	b := c.TakeScratch()
	b = append(b, name...)
	b = append(b, `: Digest realm="`...)
	b = appendQuoted(b, a.realm(realm))
	b = append(b, `", nonce="`...)
	b = a.appendNonce(b, c)
	b = append(b, '"')
	if qop != "" {
		b = append(append(append(b, `, qop="`...), qop...), '"')
	}
	if a.named {
		b = append(append(b, ", algorithm="...), a.alg.String()...)
	}
	if stale {
		b = append(b, ", stale=true"...)
	}
	line := string(append(b, "\r\n"...))
	c.GiveScratch(b)
	return line
}

func (a *auth) appendNonce(b []byte, c *run.Context) []byte {
	if checks := a.checks(c); checks != 0 {
		return a.nonces.appendNew(b, c.Now().Unix(), true, parts(c, checks))
	}
	return a.nonces.appendNew(b, c.Now().Unix(), false, [sha256.Size]byte{})
}

// appendQuoted escapes what would end a quoted string and leaves out what would
// end a line.
func appendQuoted(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\\':
			b = append(b, '\\', s[i])
		case '\r', '\n':
		default:
			b = append(b, s[i])
		}
	}
	return b
}

func (a *auth) realm(realm string) string { return strings.TrimPrefix(realm, a.realmPrefix) }

// checks are the parts of the request that a nonce is bound to.
func (a *auth) checks(c *run.Context) int {
	switch {
	case c.Msg.Method() == sip.REGISTER:
		return a.checksReg
	case c.Msg.ToTag() != "":
		return a.checkIn
	}
	return a.checksNoDlg
}

// parts is the hash of what the checks name.
func parts(c *run.Context, checks int) [sha256.Size]byte {
	b := c.TakeScratch()
	add := func(s string) {
		n := len(s) // the length before the text keeps parts apart
		b = append(append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)), s...)
	}
	b = append(b, byte(checks))
	if checks&1 != 0 {
		add(c.Msg.RequestURI())
	}
	if checks&2 != 0 {
		add(c.Msg.CallID())
	}
	if checks&4 != 0 {
		add(c.Msg.FromTag())
	}
	if checks&8 != 0 {
		ip := c.Recv.Src.Addr().Unmap().As16()
		b = append(b, ip[:]...)
	}
	sum := sha256.Sum256(b)
	c.GiveScratch(b)
	return sum
}

// reply answers with a header, through the transaction where there is one.
func (a *auth) reply(c *run.Context, code int, reason, header string) error {
	extra := c.ReplyExtra
	c.ReplyExtra += header
	defer func() { c.ReplyExtra = extra }()
	if a.hooks.Stateful != nil && !a.stateless {
		if done, err := a.hooks.Stateful(c, code, reason); done {
			return err
		}
	}
	if a.hooks.Stateless == nil {
		return errNoSL
	}
	return a.hooks.Stateless(c, code, reason)
}

// newChallenge compiles www_challenge and the like: 1 answered, -1 no realm, -3
// the challenge, -4 the 500 could not be sent.
func (a *auth) newChallenge(k kind) func(module.Args) (run.Func, error) {
	return func(args module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			realm, flags, k := args.Str(c, 0), args.Int(c, 1, 0), k.of(c)
			rc := -1
			if realm != "" {
				code, reason := 401, "Unauthorized"
				if k == proxy {
					code, reason = 407, "Proxy Authentication Required"
				}
				err := a.reply(c, code, reason, a.challenge(c, realm, a.qopOf(flags), flags&flagStale != 0, k))
				if err == nil {
					return 1
				}
				rc = -3
				logFailure(c, "challenge not sent", err)
			} else {
				logFailure(c, "a challenge needs a realm", nil)
			}
			if flags&flagQuiet == 0 {
				if err := a.reply(c, 500, "Internal Server Error", ""); err != nil {
					rc = -4
				}
			}
			return rc
		}, nil
	}
}

// newGet compiles auth_get_www_authenticate.
func (a *auth) newGet(args module.Args) (run.Func, error) {
	set := args[2].Var.Set
	return func(c *run.Context) int {
		realm, flags := args.Str(c, 0), args.Int(c, 1, 0)
		if realm == "" {
			logFailure(c, "a challenge needs a realm", nil)
			return -1
		}
		if !set(c, run.Str(a.challenge(c, realm, a.qopOf(flags), flags&flagStale != 0, www))) {
			return -1
		}
		return 1
	}, nil
}
