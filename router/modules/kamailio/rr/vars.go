package rr

import (
	"errors"
	"fmt"
	"strings"

	"sipd/router/pv"
	"sipd/router/run"
)

// vars are the variables that the module brings. They need the From tag in
// Record-Route, as is_direction does; without it every request goes downstream.
func (m *rr) vars() []pv.Def {
	tag := func(from, to func(c *run.Context) string) pv.Getter {
		return func(c *run.Context) run.Value {
			s := from(c)
			if m.Upstream(c) {
				s = to(c)
			}
			if s == "" {
				return run.Null
			}
			return run.Str(s)
		}
	}
	from := func(c *run.Context) string { return c.Msg.FromTag() }
	to := func(c *run.Context) string { return c.Msg.ToTag() }
	return []pv.Def{
		{Name: "rdir", Help: "$rdir(id|name): direction of a request within a dialog: 1 downstream, 2 upstream", New: m.newDirection},
		{Name: "fti", Help: "tag of the caller: of From in the request that began the dialog", Simple: tag(from, to)},
		{Name: "tti", Help: "tag of the callee: of To in the request that began the dialog", Simple: tag(to, from)},
	}
}

func (m *rr) newDirection(n *pv.Name) (pv.Var, error) {
	down, up := run.Int(1), run.Int(2)
	switch strings.TrimSpace(n.Inner) {
	case "id":
	case "name":
		down, up = run.Str("downstream"), run.Str("upstream")
	case "":
		return pv.Var{}, errors.New("$rdir wants id or name: $rdir(id)")
	default:
		return pv.Var{}, fmt.Errorf("$rdir(%s) does not exist; there are: id name", n.Inner)
	}
	return pv.Var{Get: func(c *run.Context) run.Value {
		if m.Upstream(c) {
			return up
		}
		return down
	}}, nil
}
