package pv

import (
	"sipd/router/run"
	"sipd/router/sip"
)

// identityVars are the headers that say who calls, and the credentials.
func identityVars() []Def {
	ppi := func(c *run.Context) (sip.URI, bool) {
		n, ok := identity(c.Msg, sip.HdrPPI)
		if !ok {
			return sip.URI{}, false
		}
		return parsed(n.URI)
	}
	uri := func(k sip.HeaderKind) Getter {
		return func(c *run.Context) run.Value {
			n, ok := identity(c.Msg, k)
			return str(n.URI, ok)
		}
	}
	return []Def{
		{Name: "di", Help: "URI of Diversion", Simple: uri(sip.HdrDiversion)},
		{Name: "dir", Help: "reason of Diversion", Simple: identityParam(sip.HdrDiversion, "reason")},
		{Name: "dip", Help: "privacy of Diversion", Simple: identityParam(sip.HdrDiversion, "privacy")},
		{Name: "dic", Help: "counter of Diversion", Simple: identityParam(sip.HdrDiversion, "counter")},
		{Name: "ai", Help: "URI of P-Asserted-Identity", Simple: uri(sip.HdrPAI)},
		{Name: "pu", Help: "URI of P-Preferred-Identity", Simple: uri(sip.HdrPPI)},
		{Name: "pU", Help: "user of P-Preferred-Identity", Simple: uriPart(ppi, uriUser)},
		{Name: "pd", Help: "host of P-Preferred-Identity", Simple: uriPart(ppi, uriHost)},
		{Name: "pn", Help: "display name of P-Preferred-Identity", Simple: func(c *run.Context) run.Value {
			n, ok := identity(c.Msg, sip.HdrPPI)
			return str(n.Display, ok && n.Display != "")
		}},
		{Name: "re", Help: "URI of Remote-Party-ID", Simple: uri(sip.HdrRPID)},
		{Name: "rt", Help: "URI of Refer-To", Simple: uri(sip.HdrReferTo)},
		{Name: "au", Help: "user of the credentials, without domain", Simple: cred(func(k *sip.Credentials) string { return k.User })},
		{Name: "aU", Help: "user name of the credentials as sent", Simple: cred(func(k *sip.Credentials) string { return k.Username })},
		{Name: "ad", Help: "domain in the credentials' user name, else their realm", Simple: cred(credDomain)},
		{Name: "ar", Help: "realm of the credentials", Simple: cred(func(k *sip.Credentials) string { return k.Realm })},
		{Name: "adu", Help: "URI of the credentials", Simple: cred(func(k *sip.Credentials) string { return k.URI })},
		{Name: "aa", Help: "algorithm of the credentials", Simple: cred(func(k *sip.Credentials) string { return k.Algorithm })},
		{Name: "adn", Help: "nonce of the credentials", Simple: cred(func(k *sip.Credentials) string { return k.Nonce })},
		{Name: "adc", Help: "cnonce of the credentials", Simple: cred(func(k *sip.Credentials) string { return k.CNonce })},
		{Name: "adr", Help: "response of the credentials", Simple: cred(func(k *sip.Credentials) string { return k.Response })},
		{Name: "ado", Help: "opaque of the credentials", Simple: cred(func(k *sip.Credentials) string { return k.Opaque })},
		{Name: "AU", Help: "user of the credentials that were accepted, else of From", New: newAccount},
		{Name: "Au", Help: "user@realm of the credentials that were accepted, else user@host of From", New: newAccount},
	}
}

// identity is the first name-addr of a header.
func identity(m *sip.Message, k sip.HeaderKind) (sip.NameAddr, bool) {
	h := m.First(k)
	if h == nil {
		return sip.NameAddr{}, false
	}
	n, err := sip.ParseNameAddr(firstOfList(m.Value(h)))
	return n, err == nil
}

func identityParam(k sip.HeaderKind, name string) Getter {
	return func(c *run.Context) run.Value {
		n, ok := identity(c.Msg, k)
		if !ok {
			return run.Null
		}
		return str(n.Param(name))
	}
}

// credentials are those of Authorization, else of Proxy-Authorization.
func credentials(m *sip.Message) (sip.Credentials, bool) {
	h := m.First(sip.HdrAuthorization)
	if h == nil {
		if h = m.First(sip.HdrProxyAuthorization); h == nil {
			return sip.Credentials{}, false
		}
	}
	k, err := sip.ParseCredentials(m.Value(h))
	return k, err == nil
}

func cred(part func(*sip.Credentials) string) Getter {
	return func(c *run.Context) run.Value {
		k, ok := credentials(c.Msg)
		if !ok {
			return run.Null
		}
		s := part(&k)
		return str(s, s != "")
	}
}

func credDomain(k *sip.Credentials) string {
	if k.Domain != "" {
		return k.Domain
	}
	return k.Realm
}

// newAccount compiles $Au and $AU: who pays.
func newAccount(n *Name) (Var, error) {
	reg, whole := n.Reg, n.Class == "Au"
	return Var{Get: func(c *run.Context) run.Value {
		user, host, ok := "", "", false
		if reg.Authorized != nil {
			user, host, ok = reg.Authorized(c)
		}
		if !ok {
			u, good := fromURI(c)
			if !good {
				return run.Null
			}
			user, host = u.User, u.Host
		}
		if !whole {
			return run.Str(user)
		}
		return run.Str(user + "@" + host)
	}}, nil
}
