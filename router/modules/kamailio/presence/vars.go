package presence

import (
	"errors"
	"fmt"
	"strings"

	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
)

// view is what a run knows: a subscription, and the reply to a NOTIFY.
type view struct {
	sub   *sub
	reply *sip.Message
}

// remember keeps a subscription for $subs.
func (m *mod) remember(c *run.Context, s *sub) {
	if m.subsVar == 1 {
		kept := *s
		c.Slots[m.slot] = &view{sub: &kept}
	}
}

func (m *mod) vars() []pv.Def {
	return []pv.Def{
		{Name: "subs", Help: "a field of the subscription that was handled or is told", New: m.newSubs},
		{Name: "notify_reply", Help: "a variable of the reply to a NOTIFY", RawInner: true, New: m.newReply},
	}
}

// seen is the subscription of a run, nil when there is none.
func (m *mod) seen(c *run.Context) *sub {
	if v, ok := c.Slots[m.slot].(*view); ok {
		return v.sub
	}
	if m.s == nil || m.subsVar == 0 || c.Route != run.EventRoute || c.Msg.MethodName() != "NOTIFY" {
		return nil
	}
	cseq, err := c.Msg.CSeq()
	if err != nil {
		return nil
	}
	if s, ok := m.s.sending.m.Load(flight{c.Msg.CallID(), cseq.Num}); ok {
		return s.(*sub)
	}
	return nil
}

var fields = map[string]func(*sub) run.Value{
	"uri":              func(s *sub) run.Value { return run.Str(s.presURI) },
	"pres_uri":         func(s *sub) run.Value { return run.Str(s.presURI) },
	"to_user":          func(s *sub) run.Value { return run.Str(s.toUser) },
	"to_domain":        func(s *sub) run.Value { return run.Str(s.toDomain) },
	"from_user":        func(s *sub) run.Value { return run.Str(s.fromUser) },
	"from_domain":      func(s *sub) run.Value { return run.Str(s.fromDomain) },
	"watcher_username": func(s *sub) run.Value { return run.Str(s.watcherUser) },
	"watcher_domain":   func(s *sub) run.Value { return run.Str(s.watcherDom) },
	"event":            func(s *sub) run.Value { return run.Str(s.event) },
	"event_id":         func(s *sub) run.Value { return run.Str(s.eventID) },
	"to_tag":           func(s *sub) run.Value { return run.Str(s.toTag) },
	"from_tag":         func(s *sub) run.Value { return run.Str(s.fromTag) },
	"callid":           func(s *sub) run.Value { return run.Str(s.callID) },
	"remote_cseq":      func(s *sub) run.Value { return run.Int(int(s.remoteCSeq)) },
	"local_cseq":       func(s *sub) run.Value { return run.Int(int(s.localCSeq)) },
	"contact":          func(s *sub) run.Value { return run.Str(s.contact) },
	"local_contact":    func(s *sub) run.Value { return run.Str(s.localContact) },
	"record_route":     func(s *sub) run.Value { return run.Str(s.recordRoute) },
	"expires":          func(s *sub) run.Value { return run.Int(int(max(0, s.expires-now()))) },
	"status":           func(s *sub) run.Value { return run.Int(int(s.status)) },
	"reason":           func(s *sub) run.Value { return run.Str(s.reason) },
	"version":          func(s *sub) run.Value { return run.Int(s.version) },
	"flags":            func(s *sub) run.Value { return run.Int(s.flags) },
	"user_agent":       func(s *sub) run.Value { return run.Str(s.user) },
	"sockinfo":         func(s *sub) run.Value { return run.Str(s.socket) },
}

func (m *mod) newSubs(n *pv.Name) (pv.Var, error) {
	f := fields[n.Inner]
	if f == nil {
		return pv.Var{}, fmt.Errorf("$subs has no field %q", n.Inner)
	}
	return pv.Var{Get: func(c *run.Context) run.Value {
		if s := m.seen(c); s != nil {
			return f(s)
		}
		return run.Null
	}}, nil
}

func (m *mod) newReply(n *pv.Name) (pv.Var, error) {
	inner := strings.TrimSpace(n.Inner)
	v, used, err := n.Reg.ParseVar(inner, pv.MaxCompat)
	if err != nil {
		return pv.Var{}, err
	}
	if used != len(inner) {
		return pv.Var{}, errors.New("$notify_reply takes one variable")
	}
	return pv.Var{Get: func(c *run.Context) run.Value {
		seen, ok := c.Slots[m.slot].(*view)
		if !ok || seen.reply == nil {
			return run.Null
		}
		request := c.Msg
		c.Msg = seen.reply
		defer func() { c.Msg = request }()
		return v.Get(c).Keep()
	}}, nil
}

// replyRoute runs for each reply to a NOTIFY.
const replyRoute = "presence:notify-reply"

// noReply stands for the reply that did not come.
const noReply = "SIP/2.0 408 TIMEOUT\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nFrom: invalid;\r\nTo: invalid\r\nCall-ID: invalid\r\nCSeq: 1 TIMEOUT\r\nContent-Length: 0\r\n\r\n"

// replyEvent runs the event route on the NOTIFY that was answered, and says
// whether it wants the subscription gone.
func (m *mod) replyEvent(s *sub, x *tm.Response) (wanted bool) {
	env := m.host.Env
	if env.Block == nil {
		return false
	}
	b := env.Block(run.EventRoute, replyRoute)
	if b == nil || x.T == nil {
		return false
	}
	defer m.caught()
	c := &run.Context{}
	c.Reset(env)
	if c.Msg.Parse(x.T.Request()) != nil {
		return false
	}
	v := &view{reply: x.Msg}
	if v.reply == nil {
		var err error
		if v.reply, err = sip.Parse(noReply); err != nil {
			return false
		}
	}
	if m.subsVar == 1 {
		v.sub = s
	}
	c.Cfg, c.Route, c.RouteName, c.Recv = env.Cfg.Snapshot(), run.EventRoute, replyRoute, x.Recv
	c.Slots[m.slot] = v
	b.Run(c)
	gone := m.setting(c, "delete_subscription")
	return gone.IsInt() && gone.Int() != 0
}
