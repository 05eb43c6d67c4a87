package pv

import (
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// CoreTrans are the transformations that module pv brings. An undefined value
// stays undefined; formats print it as nothing.
func CoreTrans() []TransDef {
	return []TransDef{
		{Class: "s", Help: "strings", New: newStringTrans},
		{Class: "uri", Help: "parts of a URI", New: newURITrans},
		{Class: "param", Help: "parts of a list name=value;…", New: newParamTrans},
		{Class: "nameaddr", Help: `parts of "name" <uri>`, New: newNameAddrTrans},
		{Class: "tobody", Help: "parts of a To header's body", New: newToBodyTrans},
		{Class: "line", Help: "lines of a text", New: newLineTrans},
		{Class: "urialias", Help: "the alias parameter of a URI, address~port~protocol", New: newAliasTrans},
		{Class: "sock", Help: "parts of protocol:address:port", New: newSockTrans},
	}
}

// onText makes a Transform of a function on text.
func onText(f func(s string) run.Value) Transform {
	return func(_ *run.Context, v run.Value) run.Value {
		if v.IsNull() {
			return v
		}
		return f(v.Text())
	}
}

func textToText(f func(s string) string) Transform {
	return onText(func(s string) run.Value { return run.Str(f(s)) })
}

// --- uri

var uriTransMembers = []string{
	"user", "username", "passwd", "password", "host", "domain", "port", "params", "param", "headers", "transport",
	"ttl", "uparam", "maddr", "method", "lr", "r2", "scheme", "tosocket", "duri", "saor", "suri",
}

func newURITrans(member string, a *TransArgs) (Transform, error) {
	if member == "param" {
		name, err := a.Str()
		if err != nil {
			return nil, err
		}
		return func(c *run.Context, v run.Value) run.Value {
			return onURI(v, func(u *sip.URI) run.Value {
				s, _ := u.Param(name.Str(c))
				return run.Str(s)
			})
		}, nil
	}
	param := func(name string) func(u *sip.URI) string {
		return func(u *sip.URI) string { s, _ := u.Param(name); return s }
	}
	part := map[string]func(u *sip.URI) string{
		"user":      func(u *sip.URI) string { return u.User },
		"username":  func(u *sip.URI) string { return u.User },
		"passwd":    func(u *sip.URI) string { return u.Password },
		"password":  func(u *sip.URI) string { return u.Password },
		"host":      func(u *sip.URI) string { return u.Host },
		"domain":    func(u *sip.URI) string { return u.Host },
		"params":    func(u *sip.URI) string { return u.Params },
		"headers":   func(u *sip.URI) string { return u.Headers },
		"transport": param("transport"),
		"ttl":       param("ttl"),
		"uparam":    param("user"),
		"maddr":     param("maddr"),
		"method":    param("method"),
		"lr":        param("lr"),
		"r2":        param("r2"),
		"scheme":    func(u *sip.URI) string { s, _, _ := strings.Cut(u.Raw(), ":"); return s },
		"tosocket":  uriSocket,
		"duri":      func(u *sip.URI) string { return uriBase(u, "") + uriTransportParam(u) },
		"saor":      func(u *sip.URI) string { return u.Scheme.String() + ":" + userAt(u) + u.Host },
		"suri":      func(u *sip.URI) string { return uriBase(u, userAt(u)) + uriTransportParam(u) },
	}[member]
	switch {
	case member == "port":
		return func(_ *run.Context, v run.Value) run.Value {
			return onURI(v, func(u *sip.URI) run.Value {
				if u.Port == 0 {
					return run.Str("")
				}
				return run.Int(int(u.Port))
			})
		}, nil
	case part == nil:
		return nil, a.Unknown("uri", member, uriTransMembers)
	}
	return func(_ *run.Context, v run.Value) run.Value {
		return onURI(v, func(u *sip.URI) run.Value { return run.Str(part(u)) })
	}, nil
}

func onURI(v run.Value, f func(*sip.URI) run.Value) run.Value {
	if v.IsNull() {
		return v
	}
	u, err := sip.ParseURI(v.Text())
	if err != nil {
		return run.Null
	}
	return f(&u)
}

func userAt(u *sip.URI) string {
	if u.User == "" {
		return ""
	}
	return u.User + "@"
}

func uriBase(u *sip.URI, user string) string { return u.Scheme.String() + ":" + user + hostPort(u) }

func uriTransportParam(u *sip.URI) string {
	if u.Transport == "" {
		return ""
	}
	return ";transport=" + u.Transport
}

// uriSocket is "" for a URI that names no transport, as in Kamailio.
func uriSocket(u *sip.URI) string {
	if u.Transport == "" {
		return ""
	}
	return uriTransport(u).Text() + ":" + u.Host + ":" + uriPort(u).Text()
}

// --- param

// EachParam calls f for the parameters of "a=1;b=\"x;y\";c": names without
// blanks, values without their quotes. It ends when f answers false.
func EachParam(s string, sep byte, f func(name, value string) bool) {
	for s != "" {
		end, eq, quoted := len(s), -1, byte(0)
	scan:
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case quoted != 0 && c == '\\':
				i++
			case quoted != 0:
				if c == quoted {
					quoted = 0
				}
			case (c == '"' || c == '\'') && eq >= 0:
				quoted = c
			case c == '=' && eq < 0:
				eq = i
			case c == sep:
				end = i
				break scan
			}
		}
		one := s[:end]
		s = strings.TrimPrefix(s[end:], string(sep))
		name, value := one, ""
		if eq >= 0 {
			name, value = one[:eq], unquote(strings.TrimSpace(one[eq+1:]))
		}
		if name = strings.TrimSpace(name); name == "" && value == "" {
			continue
		}
		if !f(name, value) {
			return
		}
	}
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// findParam is the value of a parameter; of several with one name the last
// wins, as in Kamailio. Names compare without case.
func findParam(s, name string, sep byte) (string, bool) {
	found, ok := "", false
	EachParam(s, sep, func(n, v string) bool {
		if strings.EqualFold(n, name) {
			found, ok = v, true
		}
		return true
	})
	return found, ok
}

func nthParam(s string, i int, sep byte) (name, value string, ok bool) {
	if i < 0 {
		if i += countParams(s, sep); i < 0 {
			return "", "", false
		}
	}
	EachParam(s, sep, func(n, v string) bool {
		if i == 0 {
			name, value, ok = n, v, true
		}
		i--
		return i >= 0
	})
	return name, value, ok
}

func countParams(s string, sep byte) int {
	n := 0
	EachParam(s, sep, func(string, string) bool { n++; return true })
	return n
}

func newParamTrans(member string, a *TransArgs) (Transform, error) {
	var arg TransArg
	var err error
	switch member {
	case "value", "in":
		arg, err = a.Str()
	case "valueat", "name":
		arg, err = a.Int()
	case "count":
	default:
		return nil, a.Unknown("param", member, []string{"value", "valueat", "name", "count", "in"})
	}
	if err != nil {
		return nil, err
	}
	sep := byte(';')
	if a.More() {
		if sep, err = a.Char(); err != nil {
			return nil, err
		}
	}
	return func(c *run.Context, v run.Value) run.Value {
		s := v.Text()
		if s == "" {
			return run.Null
		}
		switch member {
		case "value":
			x, _ := findParam(s, arg.Str(c), sep)
			return run.Str(x)
		case "in":
			if _, ok := findParam(s, arg.Str(c), sep); ok {
				return run.Int(1)
			}
			return run.Int(0)
		case "count":
			return run.Int(countParams(s, sep))
		}
		name, value, _ := nthParam(s, arg.Int(c), sep)
		if member == "name" {
			return run.Str(name)
		}
		return run.Str(value)
	}, nil
}

// --- nameaddr, tobody

func newNameAddrTrans(member string, a *TransArgs) (Transform, error) {
	part := map[string]func(s string, n *sip.NameAddr) run.Value{
		"name": func(s string, n *sip.NameAddr) run.Value {
			// As in Kamailio: all that stands before "<", blanks included.
			if i := strings.Index(s, "<"+n.URI); n.Display != "" && i >= 0 {
				return run.Str(s[:i])
			}
			return run.Str(n.Display)
		},
		"uri": func(_ string, n *sip.NameAddr) run.Value { return run.Str(n.URI) },
		"len": func(s string, n *sip.NameAddr) run.Value {
			i := strings.Index(s, n.URI) + len(n.URI)
			if i < len(s) && s[i] == '>' {
				i++
			}
			return run.Int(i)
		},
	}[member]
	if part == nil {
		return nil, a.Unknown("nameaddr", member, []string{"name", "uri", "len"})
	}
	return onText(func(s string) run.Value {
		n, err := sip.ParseNameAddr(firstOfList(s))
		if err != nil {
			return run.Null
		}
		return part(s, &n)
	}), nil
}

func newToBodyTrans(member string, a *TransArgs) (Transform, error) {
	part := map[string]func(n *sip.NameAddr) string{
		"uri":     func(n *sip.NameAddr) string { return n.URI },
		"display": func(n *sip.NameAddr) string { return n.Display },
		"tag":     func(n *sip.NameAddr) string { return n.Tag },
		"params":  func(n *sip.NameAddr) string { return strings.TrimPrefix(n.Params, ";") },
		"user":    func(n *sip.NameAddr) string { u, _ := parsed(n.URI); return u.User },
		"host":    func(n *sip.NameAddr) string { u, _ := parsed(n.URI); return u.Host },
	}[member]
	if part == nil {
		return nil, a.Unknown("tobody", member, []string{"uri", "user", "display", "host", "tag", "params"})
	}
	return onText(func(s string) run.Value {
		n, err := sip.ParseNameAddr(s)
		if err != nil {
			return run.Null
		}
		return run.Str(part(&n))
	}), nil
}

// --- line

func newLineTrans(member string, a *TransArgs) (Transform, error) {
	switch member {
	case "count":
		return onText(func(s string) run.Value {
			n := strings.Count(s, "\n")
			if s != "" && s[len(s)-1] != '\n' {
				n++
			}
			return run.Str(string(appendInt(nil, n))) // text, as in Kamailio
		}), nil
	case "at":
		i, err := a.Int()
		if err != nil {
			return nil, err
		}
		return func(c *run.Context, v run.Value) run.Value {
			if v.IsNull() {
				return v
			}
			return run.Str(lineAt(v.Text(), i.Int(c)))
		}, nil
	case "sw":
		prefix, err := a.Str()
		if err != nil {
			return nil, err
		}
		return func(c *run.Context, v run.Value) run.Value {
			if v.IsNull() {
				return v
			}
			p := prefix.Str(c)
			for rest := v.Text(); rest != ""; {
				line, after, _ := strings.Cut(rest, "\n")
				if strings.HasPrefix(line, p) {
					return run.Str(strings.TrimSuffix(line, "\r"))
				}
				rest = after
			}
			return run.Str("")
		}, nil
	}
	return nil, a.Unknown("line", member, []string{"count", "at", "sw"})
}

// lineAt is line i from 0, or from the end from -1, without its CRLF.
func lineAt(s string, i int) string {
	s = strings.TrimSuffix(s, "\n")
	if i < 0 {
		if i += strings.Count(s, "\n") + 1; i < 0 {
			return ""
		}
	}
	for ; i > 0; i-- {
		nl := strings.IndexByte(s, '\n')
		if nl < 0 {
			return ""
		}
		s = s[nl+1:]
	}
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r")
}

// --- sock

func newSockTrans(member string, a *TransArgs) (Transform, error) {
	part := map[string]func(proto, host, port string) string{
		"host":  func(_, host, _ string) string { return host },
		"port":  func(_, _, port string) string { return port },
		"proto": func(proto, _, _ string) string { return proto },
		"touri": func(proto, host, port string) string {
			uri := "sip:" + host
			if port != "" {
				uri += ":" + port
			}
			if proto != "" {
				uri += ";transport=" + proto
			}
			return uri
		},
	}[member]
	if part == nil {
		return nil, a.Unknown("sock", member, []string{"host", "port", "proto", "touri"})
	}
	return textToText(func(s string) string {
		proto := ""
		if p, rest, ok := strings.Cut(s, ":"); ok && isProto(p) {
			proto, s = p, rest
		}
		host, port := s, ""
		if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
			host, port = s[:i], s[i+1:]
		}
		return part(proto, host, port)
	}), nil
}

// --- urialias

// newAliasTrans compiles {urialias.encode}, the value of an alias parameter for
// a URI, and {urialias.decode}, the URI that such a value names.
func newAliasTrans(member string, a *TransArgs) (Transform, error) {
	switch member {
	case "encode":
		return onText(func(s string) run.Value {
			u, err := sip.ParseURI(s)
			if err != nil {
				return run.Null
			}
			p, ok := transport.ParseProto(u.Transport)
			if !ok {
				p = transport.UDP
			}
			return run.Str(u.Host + "~" + uriPort(&u).Text() + "~" + string(appendInt(nil, int(p))))
		}), nil
	case "decode":
		return onText(func(s string) run.Value {
			part := strings.Split(s, "~")
			if len(part) != 3 || part[0] == "" {
				return run.Null
			}
			n, ok := run.ParseInt(part[2])
			if !ok || n < 1 || n > int(transport.WSS) {
				return run.Null
			}
			uri := "sip:" + part[0] + ":" + part[1]
			if p := transport.Proto(n); p != transport.UDP {
				uri += ";transport=" + p.String()
			}
			return run.Str(uri)
		}), nil
	}
	return nil, a.Unknown("urialias", member, []string{"encode", "decode"})
}
