// Package auth is the module of digest authentication (RFC 3261 §22, RFC 8760):
// it makes challenges, keeps nonces and checks responses. Where the passwords
// come from is the script's or another module's matter (auth_db).
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

type auth struct {
	secret                          string
	expire, drift                   int
	protectContacts                 int
	challengeAttr                   string
	proxyHeader, wwwHeader          string
	qop                             string
	checksReg, checksNoDlg, checkIn int
	nonceCount, oneTime             bool
	ncSize, ncOrder                 int
	otnSize, otnOrder               int
	pools                           int
	stateless                       bool
	realmPrefix                     string
	useDomain                       bool
	algorithm                       string
	authInfo                        bool

	alg    sip.Algorithm
	named  bool // the algorithm is written into challenges
	attr   run.AVPName
	nonces *nonces
	hooks  *module.Hooks
	slot   int // of the accepted header
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &auth{
		expire: 300, drift: 3, challengeAttr: "$digest_challenge",
		proxyHeader: "Proxy-Authenticate", wwwHeader: "WWW-Authenticate",
		ncSize: 1 << 20, otnSize: 1 << 20, pools: 1,
	}
}

// Exports lists what the module brings.
func (a *auth) Exports() *module.Exports {
	return &module.Exports{Name: "auth", Help: "digest challenges and checks", Params: a.params(), Functions: a.functions()}
}

func (a *auth) params() []module.Param {
	const in = "what a nonce is bound to: 1 request URI, 2 Call-ID, 4 From tag, 8 source address; for "
	return []module.Param{
		{Name: "secret", Help: "key of the nonces; random when it is not set", Value: &a.secret},
		{Name: "nonce_expire", Help: "seconds for which a nonce is good", Value: &a.expire, Min: 1, Max: 1 << 30},
		{Name: "nonce_auth_max_drift", Help: "seconds by which a nonce may come from the future", Value: &a.drift, Min: 0, Max: 1 << 30},
		{Name: "auth_checks_register", Help: in + "REGISTER", Value: &a.checksReg, Min: 0, Max: 15},
		{Name: "auth_checks_no_dlg", Help: in + "requests outside of a dialog", Value: &a.checksNoDlg, Min: 0, Max: 15},
		{Name: "auth_checks_in_dlg", Help: in + "requests in a dialog", Value: &a.checkIn, Min: 0, Max: 15},
		{Name: "nonce_count", Help: "1 takes each nonce count (nc) once", Value: &a.nonceCount},
		{Name: "one_time_nonce", Help: "1 takes each nonce once", Value: &a.oneTime},
		{Name: "nc_array_size", Help: "how many nonces are followed by their count", Value: &a.ncSize, Min: 1, Max: 1 << 26},
		{Name: "nc_array_order", Help: "the same as a power of two; 0: see nc_array_size", Value: &a.ncOrder, Min: 0, Max: 26},
		{Name: "otn_in_flight_no", Help: "how many nonces are followed by one_time_nonce", Value: &a.otnSize, Min: 1, Max: 1 << 26},
		{Name: "otn_in_flight_order", Help: "the same as a power of two; 0: see otn_in_flight_no", Value: &a.otnOrder, Min: 0, Max: 26},
		{Name: "nid_pool_no", Help: "accepted without effect: one counter serves all workers", Value: &a.pools, Min: 1, Max: 64},
		{Name: "challenge_attr", Help: "attribute that gets the challenge of a failed pv_…_authenticate", Value: &a.challengeAttr},
		{Name: "proxy_challenge_header", Help: "name of the header of a 407", Value: &a.proxyHeader, Check: func() error { return headerName(a.proxyHeader) }},
		{Name: "www_challenge_header", Help: "name of the header of a 401", Value: &a.wwwHeader, Check: func() error { return headerName(a.wwwHeader) }},
		{Name: "qop", Help: "auth, auth-int or nothing: quality of protection where the flags of a challenge ask for none", Value: &a.qop, Check: a.checkQOP},
		{Name: "force_stateless_reply", Help: "1 sends challenges without the transaction", Value: &a.stateless},
		{Name: "realm_prefix", Help: "taken off the front of realms", Value: &a.realmPrefix},
		{Name: "use_domain", Help: "1 lets pv_auth_check compare domains as well as users", Value: &a.useDomain},
		{Name: "algorithm", Help: "MD5, SHA-256 or SHA-512-256", Value: &a.algorithm, Check: a.checkAlgorithm},
		{Name: "add_authinfo_hdr", Help: "1 adds Authentication-Info to the replies of accepted requests", Value: &a.authInfo},
		{Name: "protect_contacts", Help: "accepted without effect, as in Kamailio; see auth_checks_register", Value: &a.protectContacts},
	}
}

func (a *auth) functions() []module.Function {
	realm := module.Arg{Name: "realm", Type: module.ArgFormat}
	flags := module.Arg{Name: "flags", Type: module.ArgInt}
	password := module.Arg{Name: "password", Type: module.ArgFormat}
	challenge := []module.Arg{realm, flags}
	pv := []module.Arg{realm, password, flags, {Name: "method", Type: module.ArgFormat, Optional: true}}
	in := run.RequestRoute
	return []module.Function{
		{Name: "www_challenge", Help: "answer 401 with a challenge", Args: challenge, In: in, New: a.newChallenge(www)},
		{Name: "proxy_challenge", Help: "answer 407 with a challenge", Args: challenge, In: in, New: a.newChallenge(proxy)},
		{Name: "auth_challenge", Help: "answer 401 to REGISTER, 407 to others", Args: challenge, In: in, New: a.newChallenge(byMethod)},
		{
			Name: "auth_get_www_authenticate", Help: "put the header of a 401 into a variable", In: in,
			Args: []module.Arg{realm, flags, {Name: "result", Type: module.ArgVar}}, New: a.newGet,
		},
		{Name: "has_credentials", Help: "tell whether the request has credentials for a realm", Args: []module.Arg{realm}, In: in, New: a.newHas},
		{Name: "consume_credentials", Help: "remove the header with the accepted credentials", In: in, New: a.newConsume},
		{Name: "pv_www_authenticate", Help: "check Authorization against a password", Args: pv, In: in, New: a.newPV(www)},
		{Name: "pv_www_authorize", Help: "the same as pv_www_authenticate", Args: pv[:3], In: in, New: a.newPV(www)},
		{Name: "pv_proxy_authenticate", Help: "check Proxy-Authorization against a password", Args: pv, In: in, New: a.newPV(proxy)},
		{Name: "pv_proxy_authorize", Help: "the same as pv_proxy_authenticate", Args: pv[:3], In: in, New: a.newPV(proxy)},
		{
			Name: "pv_auth_check", Help: "the one of both that fits the method, and compare the user with From and To", In: in,
			Args: []module.Arg{realm, password, flags, {Name: "checks", Type: module.ArgInt}}, New: a.newPVCheck,
		},
	}
}

// Init prepares key and memory of the nonces.
func (a *auth) Init(_ context.Context, h *module.Host) error {
	a.hooks = h.Hooks
	a.slot = h.Env.NewSlot()
	h.Vars.Authorized = a.Authorized
	a.attr = attrName(a.challengeAttr)
	if a.alg == sip.UnknownAlgorithm {
		a.alg = sip.MD5
	}
	if old, ok := h.Old.(*auth); ok && len(module.Changed(old, a)) == 0 {
		a.nonces = old.nonces // those that phones hold stay good
		return nil
	}
	key := sha256.Sum256([]byte(a.secret))
	if a.secret == "" {
		if _, err := rand.Read(key[:]); err != nil {
			return err
		}
	}
	a.nonces = &nonces{expire: int64(a.expire), drift: int64(a.drift)}
	a.nonces.setKey(key)
	if a.nonceCount {
		a.nonces.counts = newRing(a.ncSize, a.ncOrder)
	}
	if a.oneTime {
		a.nonces.once = newRing(a.otnSize, a.otnOrder)
	}
	return nil
}

func (a *auth) checkQOP() error {
	switch a.qop {
	case "", "auth", "auth-int":
		return nil
	}
	return fmt.Errorf("%q: want auth, auth-int or nothing", a.qop)
}

func (a *auth) checkAlgorithm() error {
	a.alg, a.named = sip.ParseAlgorithm(a.algorithm), a.algorithm != ""
	if a.alg == sip.UnknownAlgorithm || a.alg.Session() {
		return fmt.Errorf("%q: want MD5, SHA-256 or SHA-512-256", a.algorithm)
	}
	return nil
}

func headerName(v string) error {
	if v == "" || strings.ContainsAny(v, " \t:\r\n") {
		return fmt.Errorf("%q is not the name of a header", v)
	}
	return nil
}

// attrName reads "$digest_challenge", "$avp(name)", "$avp(s:name)" or a name.
func attrName(s string) run.AVPName {
	s = strings.TrimPrefix(s, "$")
	if in, ok := strings.CutPrefix(s, "avp("); ok {
		s = strings.TrimSuffix(in, ")")
	}
	s = strings.TrimPrefix(s, "s:")
	if in, ok := strings.CutPrefix(s, "i:"); ok {
		if n, ok := run.ParseInt(in); ok {
			return run.AVPName{N: n, Num: true}
		}
	}
	return run.AVPName{S: s}
}
