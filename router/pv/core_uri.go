package pv

import (
	"strconv"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// uriOf takes a URI apart; ok is false when there is none or it is broken.
type uriOf func(c *run.Context) (u sip.URI, ok bool)

// uriVars are the request line and the next hop.
func uriVars() []Def {
	ruri := func(c *run.Context) run.Value {
		if !c.Msg.IsRequest() {
			return run.Null
		}
		return run.Str(c.RURI())
	}
	user, host := uriPart(rURI, uriUser), uriPart(rURI, uriHost)
	return []Def{
		{Name: "rm", Help: "method", Simple: func(c *run.Context) run.Value { return str(c.Msg.MethodName(), c.Msg.MethodName() != "") }},
		{Name: "ru", Help: "request URI", Simple: ruri, SimpleSet: setRURI},
		{Name: "ruri", Help: "the same as $ru", Simple: ruri, SimpleSet: setRURI},
		{Name: "rU", Help: "user of the request URI", Simple: user, SimpleSet: rewrite(sip.SetUser)},
		{Name: "ruri.user", Help: "the same as $rU", Simple: user, SimpleSet: rewrite(sip.SetUser)},
		{Name: "rd", Help: "host of the request URI", Simple: host, SimpleSet: rewriteHost},
		{Name: "ruri.domain", Help: "the same as $rd", Simple: host, SimpleSet: rewriteHost},
		{Name: "rUl", Help: "length of $rU", Simple: length(user)},
		{Name: "rp", Help: "port of the request URI", Simple: uriPart(rURI, uriPort), SimpleSet: rewrite(sip.SetPort)},
		{Name: "rP", Help: "transport of the request URI, UDP when it names none", Simple: uriPart(rURI, uriTransport)},
		{Name: "rz", Help: "scheme of the request URI", Simple: uriPart(rURI, uriScheme)},
		{Name: "ou", Help: "request URI as received", Simple: func(c *run.Context) run.Value { return str(c.Msg.RequestURI(), c.Msg.IsRequest()) }},
		{Name: "ouri", Help: "the same as $ou", Simple: func(c *run.Context) run.Value { return str(c.Msg.RequestURI(), c.Msg.IsRequest()) }},
		{Name: "oUl", Help: "length of $oU", Simple: length(uriPart(oURI, uriUser))},
		{Name: "oU", Help: "user of the received request URI", Simple: uriPart(oURI, uriUser)},
		{Name: "od", Help: "host of the received request URI", Simple: uriPart(oURI, uriHost)},
		{Name: "op", Help: "port of the received request URI", Simple: uriPart(oURI, uriPort)},
		{Name: "oP", Help: "transport of the received request URI", Simple: uriPart(oURI, uriTransport)},
		{Name: "rv", Help: "SIP version of the first line", Simple: func(c *run.Context) run.Value { return run.Str(c.Msg.Version()) }},
		{Name: "rs", Help: "status code of a reply", Simple: func(c *run.Context) run.Value {
			if c.Msg.IsRequest() {
				return run.Null
			}
			return run.Int(c.Msg.StatusCode())
		}},
		{Name: "rr", Help: "reason phrase of a reply", Simple: func(c *run.Context) run.Value { return str(c.Msg.Reason(), !c.Msg.IsRequest()) }},
		{Name: "du", Help: "next hop URI", Simple: func(c *run.Context) run.Value { return str(c.Main.DstURI, c.Main.DstURI != "") }, SimpleSet: setDstURI},
		{Name: "duri", Help: "the same as $du", Simple: func(c *run.Context) run.Value { return str(c.Main.DstURI, c.Main.DstURI != "") }, SimpleSet: setDstURI},
		{Name: "dd", Help: "host of the next hop URI", Simple: uriPart(dURI, uriHost)},
		{Name: "dp", Help: "port of the next hop URI", Simple: uriPart(dURI, uriPort)},
		{Name: "dP", Help: "transport of the next hop URI", Simple: uriPart(dURI, uriTransport)},
		{Name: "nh", Help: "$nh(u|U|d|p|P): next hop: $du, else the request URI", New: newNextHop},
		{Name: "mt", Help: "1 for a request, 2 for a reply", Simple: func(c *run.Context) run.Value {
			if c.Msg.IsRequest() {
				return run.Int(1)
			}
			return run.Int(2)
		}},
	}
}

func rURI(c *run.Context) (sip.URI, bool) {
	if !c.Msg.IsRequest() {
		return sip.URI{}, false
	}
	u, err := c.ParsedRURI()
	if err != nil {
		return sip.URI{}, false
	}
	return *u, true
}

func oURI(c *run.Context) (sip.URI, bool) {
	if !c.Msg.IsRequest() {
		return sip.URI{}, false
	}
	return parsed(c.Msg.RequestURI())
}

func dURI(c *run.Context) (sip.URI, bool) { return parsed(c.Main.DstURI) }

func parsed(s string) (sip.URI, bool) {
	if s == "" {
		return sip.URI{}, false
	}
	u, err := sip.ParseURI(s)
	return u, err == nil
}

// nextHop is where the request goes: $du, else the request URI.
func nextHop(c *run.Context) string {
	if c.Main.DstURI != "" {
		return c.Main.DstURI
	}
	if !c.Msg.IsRequest() {
		return ""
	}
	return c.RURI()
}

func newNextHop(n *Name) (Var, error) {
	of := func(c *run.Context) (sip.URI, bool) { return parsed(nextHop(c)) }
	return pick(n, map[string]Getter{
		"u": func(c *run.Context) run.Value { return str(nextHop(c), nextHop(c) != "") },
		"U": uriPart(of, uriUser),
		"d": uriPart(of, uriHost),
		"p": uriPart(of, uriPort),
		"P": uriPart(of, uriTransport),
	})
}

func uriPart(of uriOf, part func(*sip.URI) run.Value) Getter {
	return func(c *run.Context) run.Value {
		u, ok := of(c)
		if !ok {
			return run.Null
		}
		return part(&u)
	}
}

// length is how many octets a part has; 0 when it is not there.
func length(part Getter) Getter {
	return func(c *run.Context) run.Value { return run.Int(len(part(c).Text())) }
}

func uriUser(u *sip.URI) run.Value { return str(u.User, u.User != "") }
func uriHost(u *sip.URI) run.Value { return str(u.Host, u.Host != "") }

// uriPort is the port as text, the transport's default when none is written
// (5060 with sips, as in Kamailio): the elders' $rp is a string too.
func uriPort(u *sip.URI) run.Value {
	if u.Port == 0 {
		if strings.EqualFold(u.Transport, "tls") {
			return run.Str("5061")
		}
		return run.Str("5060")
	}
	return run.Str(portText(u.Port))
}

func portText(p uint16) string {
	switch p {
	case 5060:
		return "5060"
	case 5061:
		return "5061"
	}
	return strconv.Itoa(int(p))
}

// uriTransport is the transport parameter as written; UDP when there is none,
// sips or not, as in Kamailio.
func uriTransport(u *sip.URI) run.Value {
	if u.Transport != "" {
		return run.Str(u.Transport)
	}
	return run.Str("UDP")
}

func uriScheme(u *sip.URI) run.Value { return run.Str(u.Scheme.String()) }

func setRURI(c *run.Context, v run.Value) bool {
	if !v.IsStr() || v.Text() == "" {
		return false
	}
	c.SetRURI(v.Text())
	return true
}

// rewrite makes a setter of a function that changes one part of a URI; null
// removes the part.
func rewrite(set func(uri, part string) (string, error)) Setter {
	return func(c *run.Context, v run.Value) bool {
		if !c.Msg.IsRequest() {
			return false
		}
		s, err := set(c.RURI(), v.Text())
		if err != nil {
			return false
		}
		c.SetRURI(s)
		return true
	}
}

func rewriteHost(c *run.Context, v run.Value) bool {
	return v.Text() != "" && rewrite(sip.SetHost)(c, v)
}

func setDstURI(c *run.Context, v run.Value) bool {
	if v.IsInt() {
		return false
	}
	c.SetDstURI(v.Text())
	return true
}
