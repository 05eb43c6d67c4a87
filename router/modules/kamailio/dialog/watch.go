package dialog

import (
	"sipd/router/call"
	"sipd/router/run"
	"sipd/router/tm"
)

// theCall is a dialog as other modules see it.
type theCall struct {
	m *mod
	d *dialog
}

func (x theCall) CallID() string { return x.d.callID }

func (x theCall) Var(name string) (string, bool) {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	if i := find(x.d.vars, name); i >= 0 {
		return x.d.vars[i].value, true
	}
	return "", false
}

func (x theCall) SetVar(name, value string) {
	x.d.mu.Lock()
	x.d.vars = assign(x.d.vars, name, value, false)
	x.d.changedVars()
	x.d.mu.Unlock()
	x.m.save(x.d)
}

// tell calls one function of each watcher. The run that is told knows the dialog.
func (m *mod) tell(c *run.Context, d *dialog, f func(w *call.Watcher) func(*run.Context, call.Call)) {
	if len(m.watchers) == 0 {
		return
	}
	if c != nil {
		s := m.run(c)
		before := s.d
		s.d = d
		defer func() { s.d = before }()
	}
	for _, w := range m.watchers {
		if g := f(w); g != nil {
			g(c, theCall{m, d})
		}
	}
}

func (m *mod) tellCreated(c *run.Context, d *dialog) {
	m.tell(c, d, func(w *call.Watcher) func(*run.Context, call.Call) { return w.Created })
}

func (m *mod) tellConfirmed(c *run.Context, d *dialog) {
	m.tell(c, d, func(w *call.Watcher) func(*run.Context, call.Call) { return w.Confirmed })
}

func (m *mod) tellEnded(c *run.Context, d *dialog) {
	m.tell(c, d, func(w *call.Watcher) func(*run.Context, call.Call) { return w.Ended })
}

// tellFailed tells on the reply that came, as Kamailio: on the INVITE when there
// is none.
func (m *mod) tellFailed(c *run.Context, e *tm.Event, d *dialog) {
	if len(m.watchers) == 0 {
		return
	}
	failed := func(w *call.Watcher) func(*run.Context, call.Call) { return w.Failed }
	if e.Reply == nil {
		m.tell(c, d, failed)
		return
	}
	own := c.Msg
	c.Msg = e.Reply
	m.tell(c, d, failed)
	c.Msg = own
}

// tellEndConfirmed tells once that a BYE was answered.
func (m *mod) tellEndConfirmed(c *run.Context, d *dialog) {
	d.mu.Lock()
	again := d.confirmedEnd
	d.confirmedEnd = true
	d.mu.Unlock()
	if !again {
		m.tell(c, d, func(w *call.Watcher) func(*run.Context, call.Call) { return w.EndConfirmed })
	}
}

// tellOwnBye tells that a BYE of the daemon itself was answered, or got no answer.
func (m *mod) tellOwnBye(x *tm.Response, d *dialog) {
	if len(m.watchers) == 0 {
		return
	}
	c := &run.Context{}
	c.Reset(m.host.Env)
	if x == nil || x.T == nil || c.Msg.Parse(x.T.Message().Raw()) != nil {
		return
	}
	c.Cfg, c.Route = m.host.Env.Cfg.Snapshot(), run.RequestRoute
	m.tellEndConfirmed(c, d)
}

func (m *mod) tellExpired(d *dialog, confirmed bool) {
	for _, w := range m.watchers {
		if w.Expired != nil {
			w.Expired(theCall{m, d}, confirmed)
		}
	}
}
