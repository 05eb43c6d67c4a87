package pv

import (
	"strconv"
	"strings"
	"sync/atomic"

	"sipd/router/cfg"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/rpc"
)

// messageSelects are the message as a whole, Via and the credentials.
func messageSelects() []SelectDef {
	return []SelectDef{
		{Name: "msg", Help: "the message", New: newMsgSelect},
		{Name: "via", Help: "@via[n]: the n-th Via, from 1", New: newViaSelect},
		{Name: "authorization", Help: `@authorization["realm"]: credentials`, New: func(p []SelectPart) (Getter, error) {
			return newCredSelect(p, sip.HdrAuthorization)
		}},
		{Name: "proxy_authorization", Help: `@proxy_authorization["realm"]: credentials`, New: func(p []SelectPart) (Getter, error) {
			return newCredSelect(p, sip.HdrProxyAuthorization)
		}},
	}
}

var msgMembers = []string{"first_line", "flags", "len", "id", "type", "header", "body"}

func newMsgSelect(p []SelectPart) (Getter, error) {
	if len(p) == 1 {
		return func(c *run.Context) run.Value { return run.Str(c.Msg.Raw()) }, nil
	}
	switch p[1].Name {
	case "first_line":
		return leaf(func(c *run.Context) run.Value {
			line, _, _ := strings.Cut(c.Msg.Raw(), "\r\n")
			return run.Str(line)
		}, p, 2)
	case "flags":
		return leaf(func(c *run.Context) run.Value { return run.Str(strconv.FormatUint(uint64(c.Flags), 10)) }, p, 2)
	case "len":
		return leaf(func(c *run.Context) run.Value { return run.Str(strconv.Itoa(len(c.Msg.Raw()))) }, p, 2)
	case "id":
		if len(p) == 3 && p[2].Name == "hex" {
			return func(c *run.Context) run.Value { return run.Str(strconv.FormatUint(c.ID, 16)) }, nil
		}
		return leaf(func(c *run.Context) run.Value { return run.Str(strconv.FormatUint(c.ID, 10)) }, p, 2)
	case "type":
		return leaf(func(c *run.Context) run.Value {
			if c.Msg.IsRequest() {
				return run.Str("1")
			}
			return run.Str("2")
		}, p, 2)
	case "header":
		return newMsgHeader(p)
	case "body":
		return newMsgBody(p)
	}
	return nil, unknownPart(p, 1, msgMembers...)
}

// newMsgHeader compiles @msg.header["X-A"][n], @msg.header.x_a and what can be
// drilled from there.
func newMsgHeader(p []SelectPart) (Getter, error) {
	name, i := "", 0
	next := 2
	switch {
	case p[1].HasKey:
		name = p[1].Key
	case len(p) > 2:
		name = strings.ReplaceAll(p[2].Name, "_", "-")
		if i = p[2].Index; i > 0 {
			i--
		}
		next = 3
	default:
		return nil, errf(0, `@msg.header wants a name: @msg.header["Subject"]`)
	}
	return Drill(namedHeader(name, i), p, next)
}

// newMsgBody compiles @msg.body and @msg.body.sdp.line["a"].
func newMsgBody(p []SelectPart) (Getter, error) {
	if len(p) == 2 {
		return func(c *run.Context) run.Value { return str(c.Msg.Body(), c.Msg.Body() != "") }, nil
	}
	if len(p) != 4 || p[2].Name != "sdp" || p[3].Name != "line" || !p[3].HasKey {
		return nil, errf(0, `unknown select behind @msg.body`).hint(`there is @msg.body.sdp.line["c"]`)
	}
	prefix := p[3].Key + "="
	return func(c *run.Context) run.Value {
		for rest := c.Msg.Body(); rest != ""; {
			line, after, _ := strings.Cut(rest, "\n")
			if v, ok := strings.CutPrefix(line, prefix); ok {
				return run.Str(strings.TrimSuffix(v, "\r"))
			}
			rest = after
		}
		return run.Null
	}, nil
}

var viaMembers = []string{"name", "version", "transport", "host", "port", "comment", "params", "branch", "received", "rport", "i", "alias"}

// newViaSelect compiles @via[n].member: n counts via-values over all Via
// headers from 1, or from the last, -1.
func newViaSelect(p []SelectPart) (Getter, error) {
	n := 1
	if p[0].HasIndex {
		n = p[0].Index
	}
	value := func(c *run.Context) (string, bool) {
		i := n - 1
		if n < 0 {
			i = countListed(c.Msg, "Via") + n
		}
		found, ok := "", false
		if i < 0 {
			return "", false
		}
		eachListed(c.Msg, "Via", func(v string) bool {
			if i == 0 {
				found, ok = v, true
			}
			i--
			return i >= 0
		})
		return found, ok
	}
	if len(p) == 1 {
		return func(c *run.Context) run.Value { return str(value(c)) }, nil
	}
	member, next := p[1].Name, 2
	if member == "params" {
		member, next = paramName(p, 1)
		if member == "" {
			member = "params"
		}
	} else if !strings.Contains(" "+strings.Join(viaMembers, " ")+" ", " "+member+" ") {
		return nil, unknownPart(p, 1, viaMembers...)
	}
	return leaf(func(c *run.Context) run.Value {
		s, ok := value(c)
		if !ok {
			return run.Null
		}
		return viaMember(s, member)
	}, p, next)
}

// viaMember takes one via-value apart: "SIP/2.0/UDP host:port;params (comment)".
func viaMember(s, member string) run.Value {
	proto, rest, _ := strings.Cut(s, " ")
	if i := strings.IndexAny(rest, ";"); i >= 0 && strings.HasSuffix(strings.TrimSpace(proto), "/") {
		proto, rest, _ = strings.Cut(strings.TrimSpace(s), "\t")
	}
	name, proto, _ := strings.Cut(proto, "/")
	version, transport, _ := strings.Cut(proto, "/")
	comment := ""
	if i := strings.LastIndexByte(rest, '('); i >= 0 && strings.HasSuffix(rest, ")") {
		comment, rest = rest[i+1:len(rest)-1], strings.TrimSpace(rest[:i])
	}
	hostport, params, _ := strings.Cut(strings.TrimSpace(rest), ";")
	host, port := strings.TrimSpace(hostport), ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, port = host[:i], host[i+1:]
	}
	switch member {
	case "name":
		return str(name, name != "")
	case "version":
		return str(version, version != "")
	case "transport":
		return str(transport, transport != "")
	case "host":
		return str(host, host != "")
	case "port":
		return str(port, port != "")
	case "comment":
		return str(comment, comment != "")
	case "params":
		return str(params, params != "")
	}
	return str(findParam(params, member, ';'))
}

var credMembers = []string{"username", "realm", "nonce", "uri", "cnonce", "nc", "response", "opaque", "algorithm", "qop"}

// newCredSelect compiles @authorization["realm"].username.user and its family;
// without a realm the first credentials are read.
func newCredSelect(p []SelectPart, k sip.HeaderKind) (Getter, error) {
	realm := p[0].Key
	find := func(c *run.Context) (sip.Credentials, bool) {
		if realm != "" {
			_, cr, ok := c.Msg.CredentialsFor(realm, k)
			return cr, ok
		}
		h := c.Msg.First(k)
		if h == nil {
			return sip.Credentials{}, false
		}
		cr, err := sip.ParseCredentials(c.Msg.Value(h))
		return cr, err == nil
	}
	if len(p) == 1 {
		return func(c *run.Context) run.Value {
			h := c.Msg.First(k)
			if realm != "" {
				h, _, _ = c.Msg.CredentialsFor(realm, k)
			}
			if h == nil {
				return run.Null
			}
			return run.Str(c.Msg.Value(h))
		}, nil
	}
	parts := map[string]func(*sip.Credentials) string{
		"username": func(c *sip.Credentials) string { return c.Username },
		"realm":    func(c *sip.Credentials) string { return c.Realm },
		"nonce":    func(c *sip.Credentials) string { return c.Nonce },
		"uri":      func(c *sip.Credentials) string { return c.URI },
		"cnonce":   func(c *sip.Credentials) string { return c.CNonce },
		"nc":       func(c *sip.Credentials) string { return c.NC },
		"response": func(c *sip.Credentials) string { return c.Response },
		"opaque":   func(c *sip.Credentials) string { return c.Opaque },
		"qop":      func(c *sip.Credentials) string { return c.QOP },
		"algorithm": func(c *sip.Credentials) string {
			return c.Algorithm
		},
	}
	part, next := parts[p[1].Name], 2
	if part == nil {
		return nil, unknownPart(p, 1, credMembers...)
	}
	if p[1].Name == "username" && len(p) > 2 {
		switch next = 3; p[2].Name {
		case "user":
			part = func(c *sip.Credentials) string { return c.User }
		case "domain":
			part = func(c *sip.Credentials) string { return c.Domain }
		default:
			return nil, unknownPart(p, 2, "user", "domain")
		}
	}
	return leaf(func(c *run.Context) run.Value {
		cr, ok := find(c)
		s := part(&cr)
		return str(s, ok && s != "")
	}, p, next)
}

type atomicVar = atomic.Pointer[cfg.Var]

// newCfgSelect compiles @cfg_get.group.name. Whether the variable exists is
// decided when the script runs: a group of the script may be declared after its
// first use. The handle is looked up once.
func newCfgSelect(p []SelectPart) (Getter, error) {
	if len(p) != 3 || p[1].HasKey || p[2].HasIndex || p[2].HasKey {
		return nil, errf(0, "@cfg_get wants a group and a name: @cfg_get.pstn.gw_ip")
	}
	group, name := p[1].Name, p[2].Name
	var found atomicVar
	return func(c *run.Context) run.Value {
		v := found.Load()
		if v == nil {
			if c.Env == nil || c.Env.Cfg == nil {
				return run.Null
			}
			x, ok := c.Env.Cfg.Lookup(group, name)
			if !ok {
				return run.Null
			}
			v = &x
			found.Store(v)
		}
		return cfgValue(*v, c.Cfg)
	}, nil
}

// newCfgSelected compiles @cfg_selected.group: the number of the instance that
// cfg_select picked for this message, nothing while it reads the default.
func newCfgSelected(p []SelectPart) (Getter, error) {
	if len(p) != 2 || p[1].HasKey || p[1].HasIndex {
		return nil, errf(0, "@cfg_selected wants a group: @cfg_selected.tm")
	}
	group := p[1].Name
	var found atomic.Pointer[cfg.Group]
	return func(c *run.Context) run.Value {
		g := found.Load()
		if g == nil {
			if c.Env == nil || c.Env.Cfg == nil {
				return run.Null
			}
			var ok bool
			if g, ok = c.Env.Cfg.Group(group); !ok {
				return run.Null
			}
			found.Store(g)
		}
		id, ok := c.Cfg.Selected(g)
		if !ok {
			return run.Null
		}
		return run.Str(strconv.FormatUint(uint64(id), 10))
	}, nil
}

func cfgValue(v cfg.Var, s *cfg.Snapshot) run.Value {
	switch v := v.(type) {
	case *cfg.Int:
		return run.Str(strconv.Itoa(v.Get(s)))
	case *cfg.Str:
		return run.Str(v.Get(s))
	}
	if v, ok := v.Value(s).(rpc.String); ok {
		return run.Str(string(v))
	}
	return run.Null
}
