package siputils

import (
	"encoding/base64"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// contactFunctions hide contacts in URIs of this daemon and find them there.
func (s *siputils) contactFunctions() []module.Function {
	in := run.RequestRoute | run.ReplyRoute | run.CoreReplyRoute
	name := format("name")
	return []module.Function{
		{Name: "encode_contact", Help: "put the parts of each contact into the user of a URI at a host", Args: []module.Arg{format("prefix"), format("host")}, In: in, New: s.newEncode},
		{Name: "decode_contact", Help: "undo encode_contact in the request URI", In: run.RequestRoute, New: s.newDecode},
		{Name: "decode_contact_header", Help: "undo encode_contact in each contact", In: in | run.FailureRoute, New: s.newDecodeHeader},
		{Name: "contact_param_encode", Help: "put each contact into a parameter of a URI", Args: []module.Arg{name, format("uri")}, In: in, New: newParamEncode},
		{Name: "contact_param_decode", Help: "undo contact_param_encode in each contact", Args: []module.Arg{name}, In: in, New: newParamDecode},
		{Name: "contact_param_decode_ruri", Help: "undo contact_param_encode in the request URI", Args: []module.Arg{name}, In: run.RequestRoute, New: newParamDecodeRURI},
		{Name: "contact_param_rm", Help: "remove a parameter of each contact's URI", Args: []module.Arg{name}, In: in, New: newParamRm},
	}
}

// rewrite replaces each contact's URI by what change makes of it; one that it
// answers false for ends the work with -1. A message without contacts, or with
// "*", passes.
func rewrite(m *sip.Message, change func(uri string) (string, bool)) int {
	it := m.ContactIter()
	for it.Next() {
		n := it.Contact()
		if n.Star {
			return 1
		}
		uri, ok := change(n.URI)
		if !ok {
			return -1
		}
		if uri == n.URI {
			continue
		}
		bare := n.URIStart == 0 || m.Raw()[n.URIStart-1] != '<'
		if bare && strings.ContainsAny(uri, ";?,") { // its parameters would become the header's
			uri = "<" + uri + ">"
		}
		if m.Edits.Replace(n.URIStart, n.URIEnd, uri) != nil {
			return -1
		}
	}
	return code(it.Err() == nil)
}

func (s *siputils) newEncode(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		prefix, host := a.Str(c, 0), a.Str(c, 1)
		return rewrite(c.Msg, func(uri string) (string, bool) { return encode(uri, prefix, host, s.separator) })
	}, nil
}

// encode makes sip:PREFIX*USER*PASSWORD*HOST*PORT*TRANSPORT@host; parameters
// but transport are lost.
func encode(uri, prefix, host, sep string) (string, bool) {
	u, err := sip.ParseURI(uri)
	if err != nil || u.Scheme != sip.SIP && u.Scheme != sip.SIPS || host == "" {
		return "", false
	}
	_, port, _ := strings.Cut(u.HostPort()[len(u.Host):], ":")
	return u.Scheme.String() + ":" + strings.Join([]string{prefix, u.User, u.Password, u.Host, port, u.Transport}, sep) + "@" + host, true
}

// decode undoes encode; what follows the host stays.
func decode(uri, sep string) (string, bool) {
	u, err := sip.ParseURI(uri)
	if err != nil || u.User == "" {
		return "", false
	}
	user := u.User
	if u.Password != "" { // a separator may be part of neither
		user += ":" + u.Password
	}
	f := strings.Split(user, sep)
	if len(f) != 6 || f[3] == "" {
		return "", false
	}
	b := u.Scheme.String() + ":"
	if f[1] != "" {
		b += f[1]
		if f[2] != "" {
			b += ":" + f[2]
		}
		b += "@"
	}
	b += f[3]
	if f[4] != "" {
		b += ":" + f[4]
	}
	if f[5] != "" {
		b += ";transport=" + f[5]
	}
	if u.Params != "" {
		b += ";" + u.Params
	}
	if u.Headers != "" {
		b += "?" + u.Headers
	}
	return b, isURI(b)
}

func (s *siputils) newDecode(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		uri, ok := decode(c.RURI(), s.separator)
		if ok {
			c.SetRURI(uri)
		}
		return code(ok)
	}, nil
}

func (s *siputils) newDecodeHeader(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		return rewrite(c.Msg, func(uri string) (string, bool) { return decode(uri, s.separator) })
	}, nil
}

func newParamEncode(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name, at := a.Str(c, 0), a.Str(c, 1)
		return rewrite(c.Msg, func(uri string) (string, bool) {
			return at + ";" + name + "=" + base64.RawURLEncoding.EncodeToString([]byte(uri)), isURI(at) && name != ""
		})
	}, nil
}

// paramDecode finds the URI in a parameter; ok is false when the parameter is
// there and holds none. A URI without the parameter stays.
func paramDecode(uri, name string) (string, bool) {
	u, err := sip.ParseURI(uri)
	if err != nil {
		return "", false
	}
	v, ok := u.Param(name)
	if !ok {
		return uri, true
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(v, "=."))
	if err != nil || !isURI(string(b)) || strings.ContainsAny(string(b), "<>\r\n") {
		return "", false
	}
	return string(b), true
}

func newParamDecode(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name := a.Str(c, 0)
		return rewrite(c.Msg, func(uri string) (string, bool) { return paramDecode(uri, name) })
	}, nil
}

func newParamDecodeRURI(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		uri, ok := paramDecode(c.RURI(), a.Str(c, 0))
		if !ok || uri == c.RURI() {
			return -1
		}
		c.SetRURI(uri)
		return 1
	}, nil
}

func newParamRm(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name := a.Str(c, 0)
		return rewrite(c.Msg, func(uri string) (string, bool) {
			u, err := sip.ParseURI(uri)
			if err != nil {
				return "", false
			}
			if _, ok := u.Param(name); !ok {
				return uri, true
			}
			uri, err = sip.RemoveParam(uri, name)
			return uri, err == nil
		})
	}, nil
}
