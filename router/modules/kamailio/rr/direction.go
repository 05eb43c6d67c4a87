package rr

import (
	"errors"
	"fmt"
	"strings"

	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
)

// paramsOf are a URI's parameters with the semicolon before the first.
func paramsOf(u *sip.URI) string {
	if u.Params == "" {
		return ""
	}
	raw := u.Raw()
	if i := strings.Index(raw, ";"+u.Params); i >= 0 {
		return raw[i : i+1+len(u.Params)]
	}
	return ";" + u.Params
}

// ownRoute are the parameters of the own Route: of the one that loose_route
// followed; where that has none, as a request URI behind a strict router, of the
// first when that is ours.
func (m *rr) ownRoute(c *run.Context) (params string, ok bool) {
	if s, ok := c.Slots[m.slot].(*state); ok && s.routed && s.route != "" {
		return s.route, true
	}
	if !c.Msg.IsRequest() {
		return "", false
	}
	it := c.Msg.Routes(sip.HdrRoute)
	if !it.Next() {
		return "", false
	}
	u, err := it.NameAddr().ParseURI()
	if err != nil || !m.mine(c, u) {
		return "", false
	}
	return paramsOf(u), true
}

func (m *rr) newCheckParam(a module.Args) (run.Func, error) {
	re, err := regex.Compile(a[0].Text, 0)
	if err != nil {
		return nil, &module.ArgError{I: 0, Err: err}
	}
	return func(c *run.Context) int {
		if params, ok := m.ownRoute(c); ok && params != "" && re.Match(params) {
			return 1
		}
		return -1
	}, nil
}

func (m *rr) newIsDirection(a module.Args) (run.Func, error) {
	up := strings.EqualFold(a[0].Text, "upstream")
	if !up && !strings.EqualFold(a[0].Text, "downstream") {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf(`a direction is "upstream" or "downstream", not %q`, a[0].Text)}
	}
	if m.appendFromTag == 0 {
		return nil, errors.New(`is_direction needs modparam("rr", "append_fromtag", 1)`)
	}
	return func(c *run.Context) int {
		params, ok := m.ownRoute(c)
		if (ok && upstream(c, params)) == up {
			return 1
		}
		return -1
	}, nil
}

// AppendsFromTag says whether Record-Route has the From tag, without which
// Upstream knows nothing. Other modules ask by the name of this one.
func (m *rr) AppendsFromTag() bool { return m.appendFromTag != 0 }

// Upstream says whether a request goes to the caller of its dialog.
func (m *rr) Upstream(c *run.Context) bool {
	params, ok := m.ownRoute(c)
	return ok && upstream(c, params)
}

// upstream says whether a request whose own Route has these parameters goes to
// the caller: its From tag is not the one that started the dialog.
func upstream(c *run.Context, params string) bool {
	for rest := params; rest != ""; {
		var p string
		p, rest, _ = strings.Cut(rest, ";")
		if name, tag, ok := strings.Cut(p, "="); ok && tag != "" && strings.EqualFold(name, "ftag") {
			from := c.Msg.FromTag()
			return from != "" && from != tag
		}
	}
	return false
}

func (m *rr) newNextHopRoute(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if s, ok := c.Slots[m.slot].(*state); ok && s.next {
			return 1
		}
		return -1
	}, nil
}
