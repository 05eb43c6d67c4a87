package siputils

import (
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// uriFunctions look at URIs and change them.
func (s *siputils) uriFunctions() []module.Function {
	name := format("name")
	all := run.AnyRoute
	ruri := run.RequestRoute | run.FailureRoute | run.BranchRoute
	variable := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgVar} }
	return []module.Function{
		{Name: "uri_param", Help: "true when the request URI has a parameter: without a value, or with the one given", Args: []module.Arg{name, optional(format("value"))}, In: ruri, New: newURIParam},
		{Name: "uri_param_any", Help: "true when the request URI has a parameter, with a value or without", Args: []module.Arg{name}, In: ruri, New: newURIParamAny},
		{Name: "add_uri_param", Help: "add name or name=value to the request URI", Args: []module.Arg{format("parameter")}, In: run.RequestRoute, New: newAddURIParam},
		{Name: "get_uri_param", Help: "write a parameter's value into a variable", Args: []module.Arg{name, variable("variable")}, In: run.RequestRoute | run.BranchRoute, New: newGetURIParam},
		{Name: "uri_param_rm", Help: "remove a parameter of the request URI", Args: []module.Arg{name}, In: ruri, New: newURIParamRm},
		{Name: "tel2sip", Help: "make a sip URI of a tel URI", Args: []module.Arg{format("uri"), format("host"), variable("result")}, In: run.RequestRoute | run.FailureRoute | run.BranchRoute | run.ReplyRoute | run.CoreReplyRoute, New: newTel2SIP},
		{Name: "is_uri", Help: "true for a URI", Args: []module.Arg{format("uri")}, In: all, New: test(isURI, -1)},
		{Name: "is_uri_user_e164", Help: "true when a URI's user is + and 2 to 15 digits", Args: []module.Arg{format("uri")}, In: all, New: test(userIsE164, -1)},
		{Name: "is_gruu", Help: "1 for a public GRUU, 2 for a temporary one: the request URI, or the URI given", Args: []module.Arg{optional(format("uri"))}, In: all, New: newIsGRUU},
		{Name: "set_uri_user", Help: "replace the user of the URI in a variable", Args: []module.Arg{variable("uri"), format("user")}, In: all, New: setURI(sip.SetUserPass)},
		{Name: "set_uri_host", Help: "replace the host of the URI in a variable", Args: []module.Arg{variable("uri"), format("host")}, In: all, New: setURI(setHost)},
	}
}

func isURI(s string) bool {
	u, err := sip.ParseURI(s)
	return err == nil && u.Scheme != sip.SchemeOther
}

func userIsE164(s string) bool {
	u, err := sip.ParseURI(s)
	return err == nil && isE164(u.User)
}

// param finds a parameter of the request URI; as in Kamailio, upper and lower
// case differ.
func param(c *run.Context, name string) (value string, hasValue, ok bool) {
	u, err := c.ParsedRURI()
	if err != nil || name == "" {
		return "", false, false
	}
	for rest := u.Params; rest != ""; {
		var p string
		p, rest, _ = strings.Cut(rest, ";")
		if n, v, hasValue := strings.Cut(p, "="); n == name {
			return v, hasValue, true
		}
	}
	return "", false, false
}

func newURIParam(a module.Args) (run.Func, error) {
	if a.Has(1) {
		return func(c *run.Context) int {
			v, hasValue, ok := param(c, a.Str(c, 0))
			return code(ok && hasValue && v == a.Str(c, 1))
		}, nil
	}
	return func(c *run.Context) int {
		_, hasValue, ok := param(c, a.Str(c, 0))
		return code(ok && !hasValue)
	}, nil
}

func newURIParamAny(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		_, _, ok := param(c, a.Str(c, 0))
		return code(ok)
	}, nil
}

func newGetURIParam(a module.Args) (run.Func, error) {
	set := a[1].Var.Set
	return func(c *run.Context) int {
		v, _, ok := param(c, a.Str(c, 0))
		return code(ok && set(c, run.Str(v)))
	}, nil
}

func newAddURIParam(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		p := strings.TrimPrefix(a.Str(c, 0), ";")
		if p == "" {
			return 1
		}
		uri, err := sip.AddParam(c.RURI(), p)
		if err != nil {
			return -1
		}
		c.SetRURI(uri)
		return 1
	}, nil
}

func newURIParamRm(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		name := a.Str(c, 0)
		if _, _, ok := param(c, name); !ok {
			return 1
		}
		uri, err := sip.RemoveParam(c.RURI(), name)
		if err != nil {
			return -1
		}
		c.SetRURI(uri)
		return 1
	}, nil
}

// newTel2SIP answers 1 converted, 2 it is no tel URI, -1 it is broken.
func newTel2SIP(a module.Args) (run.Func, error) {
	set := a[2].Var.Set
	return func(c *run.Context) int {
		uri, ok := tel2sip(a.Str(c, 0), a.Str(c, 1))
		if uri == "" {
			if ok {
				return 2
			}
			return -1
		}
		return code(set(c, run.Str(uri)))
	}, nil
}

// tel2sip makes a sip URI of a tel URI (RFC 3261 §19.1.6): visual separators go,
// parameters become lower case. Of another URI it answers "" and true.
func tel2sip(uri, host string) (string, bool) {
	if len(uri) < 4 || !strings.EqualFold(uri[:4], "tel:") {
		return "", true
	}
	number, params, _ := strings.Cut(uri[4:], ";")
	number = strings.Map(func(r rune) rune {
		if strings.ContainsRune("-.()", r) {
			return -1
		}
		return r
	}, number)
	if number == "" || host == "" {
		return "", false
	}
	b := "sip:" + number
	if params != "" {
		b += ";" + strings.ToLower(params)
	}
	return b + "@" + host + ";user=phone", true
}

func newIsGRUU(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		uri := c.RURI()
		if a.Has(0) {
			uri = a.Str(c, 0)
		}
		u, err := sip.ParseURI(uri)
		switch {
		case err != nil || !u.HasGR:
			return -1
		case u.GR != "":
			return 1
		}
		return 2
	}, nil
}

// setHost replaces the port too when there is one in the new text.
func setHost(uri, host string) (string, error) {
	if _, port, err := sip.SplitHostPort(host); err == nil && port != 0 {
		return sip.SetHostPort(uri, host)
	}
	return sip.SetHost(uri, host)
}

func setURI(change func(uri, part string) (string, error)) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		v := a[0].Var
		return func(c *run.Context) int {
			uri, err := change(v.Get(c).Text(), a.Str(c, 1))
			return code(err == nil && v.Set(c, run.Str(uri)))
		}, nil
	}
}
