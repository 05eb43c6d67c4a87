package dialog

import (
	"fmt"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

func (m *mod) vars() []pv.Def {
	return []pv.Def{
		{Name: "DLG_count", Help: "answered calls that have not ended", Simple: func(*run.Context) run.Value { return run.Int(int(m.t.active.Load())) }},
		{Name: "DLG_status", Help: "the state of the dialog, 1 to 5", Simple: m.ofRouted(func(d *dialog) run.Value { return run.Int(int(d.state)) })},
		{Name: "DLG_lifetime", Help: "seconds since the answer", Simple: m.ofRouted(func(d *dialog) run.Value {
			if d.started.IsZero() {
				return run.Int(0)
			}
			return run.Int(int(time.Since(d.started) / time.Second))
		})},
		{Name: "dlg", Help: "$dlg(attribute) of the dialog", New: m.newDlg},
		{Name: "dlg_ctx", Help: "$dlg_ctx(attribute) of the run: on, flags, timeout, timeout_bye, timeout_route can be set", New: m.newCtx},
		{Name: "dlg_var", Help: "$dlg_var(name): a variable that the dialog keeps; $null removes it", New: m.newVar},
	}
}

// ofRouted reads from the dialog that was found for this message.
func (m *mod) ofRouted(f func(d *dialog) run.Value) pv.Getter {
	return func(c *run.Context) run.Value {
		d := m.current(c)
		if d == nil {
			return run.Null
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		return f(d)
	}
}

func textOr(s string) run.Value {
	if s == "" {
		return run.Null
	}
	return run.Str(s)
}

// attributes are those of $dlg, in the order of the documentation.
var attributes = map[string]func(d *dialog) run.Value{
	"h_id":          func(d *dialog) run.Value { return run.Int(int(d.id)) },
	"h_entry":       func(d *dialog) run.Value { return run.Int(int(d.entry)) },
	"ref":           func(d *dialog) run.Value { return run.Int(d.refs()) },
	"state":         func(d *dialog) run.Value { return run.Int(int(d.state)) },
	"dflags":        func(d *dialog) run.Value { return run.Int(int(d.dflags)) },
	"sflags":        func(d *dialog) run.Value { return run.Int(int(d.sflags)) },
	"callid":        func(d *dialog) run.Value { return textOr(d.callID) },
	"lifetime":      func(d *dialog) run.Value { return run.Int(d.lifetime) },
	"start_ts":      func(d *dialog) run.Value { return run.Int(int(unix(d.started))) },
	"toroute":       func(d *dialog) run.Value { return run.Int(0) },
	"from_uri":      func(d *dialog) run.Value { return textOr(d.fromURI) },
	"to_uri":        func(d *dialog) run.Value { return textOr(d.toURI) },
	"from_tag":      func(d *dialog) run.Value { return textOr(d.legs[caller].tag) },
	"to_tag":        func(d *dialog) run.Value { return textOr(d.legs[callee].tag) },
	"from_cseq":     func(d *dialog) run.Value { return textOr(d.legs[caller].cseq) },
	"to_cseq":       func(d *dialog) run.Value { return textOr(d.legs[callee].cseq) },
	"from_contact":  func(d *dialog) run.Value { return textOr(d.legs[caller].contact) },
	"to_contact":    func(d *dialog) run.Value { return textOr(d.legs[callee].contact) },
	"from_bindaddr": func(d *dialog) run.Value { return textOr(d.legs[caller].socket) },
	"to_bindaddr":   func(d *dialog) run.Value { return textOr(d.legs[callee].socket) },
	"from_rs":       func(d *dialog) run.Value { return textOr(strings.Join(d.legs[caller].routes, ",")) },
	"to_rs":         func(d *dialog) run.Value { return textOr(strings.Join(d.legs[callee].routes, ",")) },
}

// refs is what Kamailio's counter of references shows of a dialog at rest.
func (d *dialog) refs() int {
	if d.state == confirmedNA || d.state == confirmed {
		return 2
	}
	return 1
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// unknown is the error of an attribute that there is not.
func unknown(class, name string, names []string) error {
	if s := module.Similar(name, names); s != "" {
		return fmt.Errorf("$%s has no %q; did you mean $%s(%s)?", class, name, class, s)
	}
	return fmt.Errorf("$%s has no %q", class, name)
}

func (m *mod) newDlg(n *pv.Name) (pv.Var, error) {
	f, ok := attributes[n.Inner]
	if !ok {
		var names []string
		for k := range attributes {
			names = append(names, k)
		}
		return pv.Var{}, unknown("dlg", n.Inner, names)
	}
	return pv.Var{Get: m.ofRouted(f)}, nil
}

func (m *mod) newCtx(n *pv.Name) (pv.Var, error) {
	num := func(get func(s *perRun) int, set func(s *perRun, n int)) pv.Var {
		v := pv.Var{Get: func(c *run.Context) run.Value { return run.Int(get(m.run(c))) }}
		if set != nil {
			v.Set = func(c *run.Context, x run.Value) bool {
				set(m.run(c), x.Int())
				return true
			}
		}
		return v
	}
	switch n.Inner {
	case "on":
		return num(func(s *perRun) int { return s.on }, func(s *perRun, n int) { s.on = n }), nil
	case "flags":
		return num(func(s *perRun) int { return int(s.flags) }, func(s *perRun, n int) { s.flags = uint32(n) }), nil
	case "timeout":
		return num(func(s *perRun) int { return s.timeout }, func(s *perRun, n int) { s.timeout = n }), nil
	case "timeout_bye":
		return num(func(s *perRun) int { return max(code(s.bye), 0) }, func(s *perRun, n int) { s.bye = n != 0 }), nil
	case "timeout_route_id":
		return num(func(s *perRun) int { return max(code(s.route != ""), 0) }, nil), nil
	case "set":
		return num(func(s *perRun) int { return max(code(s.d != nil), 0) }, nil), nil
	case "dir":
		// as Kamailio: dlg_get alone sets it
		return num(func(s *perRun) int { return s.shownDir }, nil), nil
	case "timeout_route":
		return pv.Var{
			Get: func(c *run.Context) run.Value { return textOr(m.run(c).route) },
			Set: func(c *run.Context, x run.Value) bool {
				name := x.Text()
				if m.host.Env.Block(run.RequestRoute, name) == nil {
					name = "" // as Kamailio: a route that there is not is none
				}
				m.run(c).route = strings.Clone(name)
				return true
			},
		}, nil
	}
	return pv.Var{}, unknown("dlg_ctx", n.Inner, []string{"on", "flags", "timeout", "timeout_bye", "timeout_route", "timeout_route_id", "set", "dir"})
}

func (m *mod) newVar(n *pv.Name) (pv.Var, error) {
	name := func(*run.Context) string { return n.Inner }
	if n.InnerEval != nil {
		name = func(c *run.Context) string { return strings.Clone(n.InnerEval(c).Text()) }
	} else if n.Inner == "" {
		return pv.Var{}, fmt.Errorf("want a name: $dlg_var(name)")
	}
	return pv.Var{
		Get: func(c *run.Context) run.Value {
			d := m.current(c)
			if d == nil {
				return lookUp(m.run(c).vars, name(c))
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			return lookUp(d.vars, name(c))
		},
		Set: func(c *run.Context, v run.Value) bool {
			key, value := name(c), strings.Clone(v.Text())
			d := m.current(c)
			if d == nil {
				s := m.run(c)
				s.vars = assign(s.vars, key, value, v.IsNull())
				return true
			}
			d.mu.Lock()
			d.vars = assign(d.vars, key, value, v.IsNull())
			d.changedVars()
			d.mu.Unlock()
			m.save(d)
			return true
		},
	}, nil
}

func lookUp(list []variable, key string) run.Value {
	if i := find(list, key); i >= 0 {
		return run.Str(list[i].value)
	}
	return run.Null
}
