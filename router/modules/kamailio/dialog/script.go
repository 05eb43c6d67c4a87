package dialog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/tm"
)

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

func (m *mod) functions() []module.Function {
	f := func(name, help string, in run.Kind, new func(module.Args) (run.Func, error), args ...module.Arg) module.Function {
		return module.Function{Name: name, Help: help, In: in, New: new, Args: args}
	}
	text := func(n string) module.Arg { return module.Arg{Name: n, Type: module.ArgFormat} }
	num := func(n string) module.Arg { return module.Arg{Name: n, Type: module.ArgInt} }
	profile := module.Arg{Name: "profile", Type: module.ArgConst}
	value := module.Arg{Name: "value", Type: module.ArgFormat, Optional: true}
	size := module.Arg{Name: "size", Type: module.ArgVar}
	const tell = run.RequestRoute | run.FailureRoute | run.ReplyRoute | run.CoreReplyRoute | run.BranchRoute
	all := run.AnyRoute
	return []module.Function{
		f("dlg_manage", "make a dialog of an INVITE, or find that of a request", run.RequestRoute, m.newManage),
		f("set_dlg_profile", "put the dialog into a profile", all, m.newSetProfile, profile, value),
		f("unset_dlg_profile", "take it out", tell, m.newUnsetProfile, profile, value),
		f("is_in_profile", "true when it is in", all, m.newIsIn, profile, value),
		f("get_profile_size", "how many dialogs are in a profile", all, m.newSize, profile, size),
		f("get_profile_size", "how many are in with a value", all, m.newSize, profile, text("value"), size),
		f("dlg_setflag", "set a flag of the dialog", all, m.newFlag(func(f *uint32, bit uint32) int { *f |= bit; return 1 }), num("flag")),
		f("dlg_resetflag", "reset it", all, m.newFlag(func(f *uint32, bit uint32) int { *f &^= bit; return 1 }), num("flag")),
		f("dlg_isflagset", "true when it is set", all, m.newFlag(func(f *uint32, bit uint32) int { return code(*f&bit != 0) }), num("flag")),
		f("dlg_bye", `send a BYE to "caller", "callee" or "all"`, all, m.newBye, module.Arg{Name: "side", Type: module.ArgConst}),
		f("dlg_get", "go on with another dialog", all, m.newGet, text("callid"), text("ftag"), text("ttag")),
		f("is_known_dlg", "true when the message is of a dialog", all, m.newKnown),
		f("dlg_set_timeout", "let the dialog end in some seconds", all, m.newTimeout, num("timeout")),
		f("dlg_set_timeout", "let a dialog end in some seconds", all, m.newTimeout, num("timeout"), num("h_entry"), num("h_id")),
		f("dlg_set_timeout_by_profile", "let the dialogs of a profile end", all, m.newTimeoutByProfile, profile, num("timeout")),
		f("dlg_set_timeout_by_profile", "let those with a value end", all, m.newTimeoutByProfile, profile, text("value"), num("timeout")),
		f("dlg_set_property", `"timeout-noreset": requests do not start the time anew`, all, m.newProperty(true), module.Arg{Name: "attr", Type: module.ArgFormat}),
		f("dlg_reset_property", "they do again", all, m.newProperty(false), module.Arg{Name: "attr", Type: module.ArgFormat}),
		f("dlg_set_ruri", "set the request URI to the Contact of whom the request goes to", all, m.newSetRURI),
		f("dlg_refer", "send a REFER, and a BYE behind it", all, m.newRefer, module.Arg{Name: "side", Type: module.ArgConst}, text("address")),
		f("dlg_bridge", "call one party and refer it to another", all, m.newBridge, text("from"), text("to"), text("op")),
		f("dlg_remote_profile", `count a call of another server: "add", "rm"`, all, m.newRemote, text("cmd"), text("profile"), text("value"), text("uid"), num("expires")),
		f("dlg_db_load_callid", "read a call from the database that another server wrote", all, m.newLoad, text("callid")),
		f("dlg_db_load_extra", "read all calls that other servers wrote", all, m.newLoad),
	}
}

// newLoad compiles dlg_db_load_callid and dlg_db_load_extra.
func (m *mod) newLoad(a module.Args) (run.Func, error) {
	if m.dbMode == 0 {
		return nil, errors.New(`there is no database to read calls from; set modparam("dialog", "db_mode", 1) and db_url`)
	}
	return func(c *run.Context) int {
		id := ""
		if len(a) > 0 {
			if id = a.Str(c, 0); id == "" {
				return -1
			}
		}
		if m.t.store == nil { // a configuration without a network
			return -1
		}
		if err := m.loadMore(context.Background(), id); err != nil {
			m.t.store.complainOnce(c, err)
			return -1
		}
		return 1
	}, nil
}

func (m *mod) newManage(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if c.Msg.ToTag() != "" {
			if m.run(c).d == nil {
				m.match(c)
			}
			return 1
		}
		d := m.begin(c)
		if d == nil {
			return -1
		}
		if t := tm.Of(c); t != nil && m.run(c).made {
			bind(d, t)
		}
		return 1
	}, nil
}

// profileArg finds the profile of argument 0.
func (m *mod) profileArg(a module.Args) (*profile, error) {
	name := a[0].Text
	if p := m.t.profile(name); p != nil {
		return p, nil
	}
	m.t.mu.Lock()
	var names []string
	for n := range m.t.profiles {
		names = append(names, n)
	}
	m.t.mu.Unlock()
	msg := fmt.Sprintf("there is no profile %q", name)
	if s := module.Similar(name, names); s != "" {
		msg += fmt.Sprintf("; did you mean %q?", s)
	} else {
		msg += fmt.Sprintf(`; define it: modparam("dialog", "profiles_with_value", %q)`, name)
	}
	return nil, &module.ArgError{I: 0, Err: errors.New(msg)}
}

func (m *mod) newSetProfile(a module.Args) (run.Func, error) {
	p, err := m.profileArg(a)
	if err != nil {
		return nil, err
	}
	if p.values && !a.Has(1) {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf("profile %q has values; give one: set_dlg_profile(%q, \"$fu\")", p.name, p.name)}
	}
	return func(c *run.Context) int {
		l := link{p: p}
		if p.values {
			l.value = run.Str(a.Str(c, 1)).Keep().Text()
			if l.value == "" {
				return -1
			}
		}
		d := m.current(c)
		if d == nil {
			if c.Route != run.RequestRoute {
				return -1
			}
			s := m.run(c) // it is put in when the dialog is made
			s.links = append(s.links, l)
			return 1
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.state == deleted {
			return -1
		}
		d.links = append([]link{l}, d.links...)
		d.dflags |= dfExpired
		d.dirty = true
		p.add(l.value, 1)
		return 1
	}, nil
}

func (m *mod) newUnsetProfile(a module.Args) (run.Func, error) {
	p, err := m.profileArg(a)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		d := m.current(c)
		if d == nil || c.Route == run.RequestRoute { // as Kamailio: not in these
			return -1
		}
		value := a.Str(c, 1)
		d.mu.Lock()
		defer d.mu.Unlock()
		for i, l := range d.links {
			if l.p == p && (!p.values || l.value == value) {
				d.links = append(d.links[:i:i], d.links[i+1:]...)
				d.dirty = true
				p.add(l.value, -1)
				return 1
			}
		}
		return -1
	}, nil
}

func (m *mod) newIsIn(a module.Args) (run.Func, error) {
	p, err := m.profileArg(a)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		d := m.current(c)
		if d == nil {
			return -1
		}
		value, has := a.Str(c, 1), p.values
		if has && value == "" {
			return -1
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, l := range d.links {
			if l.p == p && (!has || l.value == value) {
				return 1
			}
		}
		return -1
	}, nil
}

func (m *mod) newSize(a module.Args) (run.Func, error) {
	p, err := m.profileArg(a)
	if err != nil {
		return nil, err
	}
	last := len(a) - 1
	return func(c *run.Context) int {
		value := ""
		if last == 2 {
			value = a.Str(c, 1)
		}
		if p.values && value == "" { // as Kamailio, whose documentation promises all
			return -1
		}
		return code(a[last].Var.Set(c, run.Int(p.size(value, last == 2))))
	}, nil
}

func (m *mod) newFlag(f func(flags *uint32, bit uint32) int) func(module.Args) (run.Func, error) {
	bad := func(n int) bool { return n < 0 || n > 31 }
	return func(a module.Args) (run.Func, error) {
		if a[0].IsConst && bad(a[0].Const.Int()) {
			return nil, &module.ArgError{I: 0, Err: fmt.Errorf("flags are 0 to 31, not %d", a[0].Const.Int())}
		}
		return func(c *run.Context) int {
			n := a.Int(c, 0, -1)
			if bad(n) {
				return -1
			}
			bit := uint32(1) << n
			d := m.current(c)
			if d == nil {
				return f(&m.run(c).flags, bit)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			before := d.sflags
			rc := f(&d.sflags, bit)
			d.dirty = d.dirty || d.sflags != before
			return rc
		}, nil
	}
}

func (m *mod) newBye(a module.Args) (run.Func, error) {
	var send func(d *dialog) error
	switch strings.ToLower(a[0].Text) {
	case "caller":
		send = func(d *dialog) error { return m.byeOnce(d, caller) }
	case "callee":
		send = func(d *dialog) error { return m.byeOnce(d, callee) }
	case "all":
		send = func(d *dialog) error { return m.byeAll(d, "") }
	default:
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf(`a side is "caller", "callee" or "all", not %q`, a[0].Text)}
	}
	return func(c *run.Context) int {
		d := m.current(c)
		return code(d != nil && send(d) == nil)
	}, nil
}

func (m *mod) newGet(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		id, from, to := a.Str(c, 0), a.Str(c, 1), a.Str(c, 2)
		if id == "" || from == "" || to == "" {
			return -1
		}
		d, dir := m.t.byTags(id, from, to)
		if d == nil {
			return -1
		}
		s := m.run(c)
		s.d, s.dir, s.hasDir, s.made = d, dir, true, false
		s.shownDir = 1 + int(callee-dir) // 1 downstream, 2 upstream
		return 1
	}, nil
}

func (m *mod) newKnown(module.Args) (run.Func, error) {
	return func(c *run.Context) int { return code(m.current(c) != nil) }, nil
}

// setTimeout lets a dialog end in some seconds.
func (d *dialog) setTimeout(seconds int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lifetime = seconds
	d.changed()
	if d.state == confirmedNA || d.state == confirmed {
		d.expires = time.Now().Add(time.Duration(seconds) * time.Second)
	}
}

func (m *mod) newTimeout(a module.Args) (run.Func, error) {
	if a[0].IsConst && a[0].Const.Int() <= 0 {
		return nil, &module.ArgError{I: 0, Err: errors.New("a timeout is seconds, 1 or more")}
	}
	return func(c *run.Context) int {
		seconds := a.Int(c, 0, 0)
		if seconds <= 0 {
			return -1
		}
		d := (*dialog)(nil)
		if len(a) == 3 {
			d = m.t.byID(uint32(a.Int(c, 1, 0)), uint32(a.Int(c, 2, 0)))
		} else {
			d = m.current(c)
		}
		if d == nil {
			return -1
		}
		d.setTimeout(seconds)
		return 1
	}, nil
}

func (m *mod) newTimeoutByProfile(a module.Args) (run.Func, error) {
	p, err := m.profileArg(a)
	if err != nil {
		return nil, err
	}
	last := len(a) - 1
	return func(c *run.Context) int {
		seconds := a.Int(c, last, 0)
		if seconds <= 0 {
			return -1
		}
		value := ""
		if last == 2 {
			value = a.Str(c, 1)
		}
		for _, d := range m.t.in(p, value, last == 2) {
			d.setTimeout(seconds)
		}
		return 1
	}, nil
}

// in are the dialogs of a profile.
func (t *table) in(p *profile, value string, has bool) []*dialog {
	var list []*dialog
	for _, d := range t.all() {
		d.mu.Lock()
		for _, l := range d.links {
			if l.p == p && (!has || !p.values || l.value == value) {
				list = append(list, d)
				break
			}
		}
		d.mu.Unlock()
	}
	return list
}

// properties are the bits of iflags by the names that scripts have for them.
var properties = map[string]uint32{"ka-src": ifKASrc, "ka-dst": ifKADst, "timeout-noreset": ifNoReset}

func (m *mod) newProperty(on bool) func(module.Args) (run.Func, error) {
	set := func(flags *uint32, bit uint32) {
		if *flags &^= bit; on {
			*flags |= bit
		}
	}
	return func(a module.Args) (run.Func, error) {
		if a[0].IsConst && properties[a[0].Const.Text()] == 0 {
			return nil, &module.ArgError{I: 0, Err: fmt.Errorf(`properties are "ka-src", "ka-dst" and "timeout-noreset", not %q`, a[0].Const.Text())}
		}
		return func(c *run.Context) int {
			bit := properties[a.Str(c, 0)]
			if bit == 0 {
				return -1
			}
			d := m.current(c)
			if d == nil {
				set(&m.run(c).iflags, bit)
				return 1
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			set(&d.iflags, bit)
			d.dirty = true
			return 1
		}, nil
	}
}

func (m *mod) newSetRURI(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		d, dir := m.t.byTags(c.Msg.CallID(), c.Msg.FromTag(), c.Msg.ToTag())
		if s := m.run(c); s.d != nil && s.hasDir {
			d, dir = s.d, s.dir
		}
		if d == nil || !c.Msg.IsRequest() {
			return -1
		}
		d.mu.Lock()
		contact := d.legs[dir].contact
		d.mu.Unlock()
		if contact == "" {
			return -1
		}
		c.SetRURI(contact)
		return 1
	}, nil
}
