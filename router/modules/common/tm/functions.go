package tm

import (
	"fmt"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
)

// Where functions may stand.
const (
	inRequest = run.RequestRoute
	inFork    = run.RequestRoute | run.FailureRoute
	inTx      = run.RequestRoute | run.FailureRoute | run.BranchRoute | run.ReplyRoute | run.BranchFailureRoute | run.EventRoute
	inFailure = run.FailureRoute | run.BranchFailureRoute
)

// functions lists what the script can call.
func (m *mod) functions() []module.Function {
	f := func(name, help string, in run.Kind, do func(*run.Context) int) module.Function {
		return module.Function{Name: name, Help: help, In: in, New: func(module.Args) (run.Func, error) { return do, nil }}
	}
	list := []module.Function{
		f("t_relay", "relay with state to the fork set", inFork|run.BranchFailureRoute, func(c *run.Context) int { return m.table.Relay(c, "") }),
		f("t_forward_nonack", "the same as t_relay() for anything but an ACK", inFork, m.forwardNonACK),
		f("t_relay_cancel", "relay a CANCEL whose INVITE is known, and end the script", inRequest, m.relayCancel),
		f("t_newtran", "make the transaction; a repetition is answered and ends the script", inRequest, m.newTran),
		f("t_lookup_request", "true when the request has a transaction", inRequest, m.lookupRequest),
		f("t_lookup_cancel", "true when the INVITE of a CANCEL is known", inRequest, m.lookupCancel),
		f("t_check_trans", "absorb a repetition; true for a CANCEL or ACK whose INVITE is known", run.AnyRoute, m.checkTrans),
		f("t_release", "keep the transaction for repetitions only", inFork, func(c *run.Context) int { return with(c, (*tm.Transaction).ReleaseNow) }),
		f("t_retransmit_reply", "send the last reply again", inRequest, func(c *run.Context) int {
			return on(c, (*tm.Transaction).RetransmitReply)
		}),
		f("t_reset_fr", "the settings' timers again", inTx, func(c *run.Context) int { m.table.ResetFr(c); return 1 }),
		f("t_reset_retr", "the settings' repetition again", inTx, func(c *run.Context) int { m.table.ResetRetr(c); return 1 }),
		f("t_reset_max_lifetime", "the settings' longest life again", inTx, func(c *run.Context) int { m.table.ResetLifetime(c); return 1 }),
		f("t_is_canceled", "true when a CANCEL came", inTx, func(c *run.Context) int { return on(c, (*tm.Transaction).Canceled) }),
		f("t_is_expired", "true when fr_inv_timer or the longest life ended a branch", inTx, func(c *run.Context) int { return on(c, (*tm.Transaction).Expired) }),
		f("t_any_timeout", "true when a branch of the last fork timed out", inTx, func(c *run.Context) int { return on(c, (*tm.Transaction).AnyTimeout) }),
		f("t_any_replied", "true when a branch of the last fork replied", inTx, func(c *run.Context) int { return on(c, (*tm.Transaction).AnyReplied) }),
		f("t_branch_timeout", "true when this branch timed out", inFailure, func(c *run.Context) int {
			return on(c, func(t *tm.Transaction) bool { return t.TimedOut(c.Branch) })
		}),
		f("t_branch_replied", "true when this branch had a reply", inFailure, func(c *run.Context) int {
			return on(c, func(t *tm.Transaction) bool { return t.Replied(c.Branch) })
		}),
		f("t_is_retr_async_reply", "true when the reply repeats one that is suspended", run.ReplyRoute, func(c *run.Context) int {
			return on(c, func(t *tm.Transaction) bool { return t.RepeatsSuspended(c) })
		}),
		f("t_save_lumps", "keep the changes so far for failure routes", inRequest, func(c *run.Context) int {
			return with(c, func(t *tm.Transaction) { t.SaveEdits(c) })
		}),
		f("t_load_contacts", "take the fork set away, in groups of equal q for t_next_contacts()", inFork, m.loadContacts),
		f("t_next_contacts", "make the next group of contacts the fork set; -2 when none is left", inFork, m.nextContacts),
	}
	list = append(append(list, m.settersOf()...), m.moreFunctions()...)
	return append(append(list, m.copies()...), refusals()...)
}

// on asks the transaction of c.
func on(c *run.Context, ask func(*tm.Transaction) bool) int {
	if t := tm.Of(c); t != nil && ask(t) {
		return 1
	}
	return -1
}

// with does something to the transaction of c.
func with(c *run.Context, do func(*tm.Transaction)) int {
	t := tm.Of(c)
	if t == nil {
		return -1
	}
	do(t)
	return 1
}

func (m *mod) forwardNonACK(c *run.Context) int {
	if c.Msg.Method() == sip.ACK {
		return -1
	}
	return m.table.Relay(c, "")
}

func (m *mod) newTran(c *run.Context) int { return m.table.NewTran(c) }

func (m *mod) checkTrans(c *run.Context) int {
	if !c.Msg.IsRequest() {
		return on(c, func(*tm.Transaction) bool { return true })
	}
	if t := tm.Of(c); t != nil {
		return 1
	}
	switch found, _ := m.table.Check(c); found {
	case tm.Repetition, tm.AckFailure:
		return 0
	case tm.AckDialog, tm.CancelMatch:
		return 1
	}
	return -1
}

func (m *mod) lookupRequest(c *run.Context) int {
	switch found, _ := m.table.Check(c); found {
	case tm.Repetition, tm.AckFailure:
		return 1
	case tm.AckDialog:
		return -2
	}
	return -1
}

func (m *mod) lookupCancel(c *run.Context) int {
	if c.Msg.Method() != sip.CANCEL {
		return -1
	}
	if found, _ := m.table.Check(c); found == tm.CancelMatch || found == tm.Repetition {
		return 1
	}
	return -1
}

func (m *mod) relayCancel(c *run.Context) int {
	if c.Msg.Method() != sip.CANCEL {
		return -1
	}
	if found, _ := m.table.Check(c); found == tm.None {
		return 1
	}
	if m.table.Relay(c, "") < 0 {
		return -1
	}
	return 0
}

// settersOf are the functions with arguments that set something.
func (m *mod) settersOf() []module.Function {
	ms := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgInt} }
	opt := func(name string) module.Arg {
		return module.Arg{Name: name, Type: module.ArgInt, Optional: true}
	}
	two := func(name, help string, a, b module.Arg, set func(*run.Context, int, int)) module.Function {
		return module.Function{Name: name, Help: help, Args: []module.Arg{a, b}, In: inTx, New: func(args module.Args) (run.Func, error) {
			return func(c *run.Context) int { set(c, args.Int(c, 0, 0), args.Int(c, 1, 0)); return 1 }, nil
		}}
	}
	flag := func(name, help string, set func(*run.Context, bool)) module.Function {
		return module.Function{Name: name, Help: help, Args: []module.Arg{ms("on")}, In: inTx, New: func(args module.Args) (run.Func, error) {
			return func(c *run.Context) int { set(c, args.Int(c, 0, 0) != 0); return 1 }, nil
		}}
	}
	return []module.Function{
		two("t_set_fr", "set fr_inv_timer and fr_timer of this transaction, ms; 0 leaves one", ms("fr_inv_timer"), opt("fr_timer"), func(c *run.Context, a, b int) { m.table.SetFr(c, a, b) }),
		two("t_set_max_lifetime", "set the longest life of this transaction, ms: as INVITE, as another; 0 leaves one", ms("inv"), opt("noninv"), func(c *run.Context, a, b int) { m.table.SetLifetime(c, a, b) }),
		two("t_set_retr", "set T1 and T2 of this transaction, ms; 0 leaves one", ms("t1"), ms("t2"), func(c *run.Context, a, b int) { m.table.SetRetr(c, a, b) }),
		flag("t_set_auto_inv_100", "whether an INVITE is answered 100 by itself", func(c *run.Context, b bool) { m.table.SetAutoTrying(c, b) }),
		flag("t_set_disable_internal_reply", "whether a request that cannot be relayed is left unanswered", func(c *run.Context, b bool) { m.table.SetFailureReply(c, !b) }),
		flag("t_set_no_e2e_cancel_reason", "whether the Reason of a received CANCEL is left out", func(c *run.Context, b bool) { m.table.SetCancelReason(c, !b) }),
		flag("t_disable_e2e_cancel_reason", "the same as t_set_no_e2e_cancel_reason()", func(c *run.Context, b bool) { m.table.SetCancelReason(c, !b) }),
		flag("t_set_disable_failover", "whether the other addresses of a name are left alone (use_dns_failover)", func(c *run.Context, b bool) { m.table.SetFailover(c, !b) }),
		flag("t_set_disable_6xx", "whether a 6xx leaves the other branches alone", func(c *run.Context, b bool) { m.table.SetDisable6xx(c, b) }),
		m.arm("t_on_failure", "arm a failure_route; \"0\" disarms", run.FailureRoute, func(c *run.Context, b run.Block, n string) { m.table.OnFailure(c, b, n) }),
		m.arm("t_on_reply", "arm an onreply_route; \"0\" disarms", run.ReplyRoute, func(c *run.Context, b run.Block, n string) { m.table.ArmReply(c, b, n) }),
		m.arm("t_on_branch", "arm a branch_route; \"0\" disarms", run.BranchRoute, func(c *run.Context, b run.Block, n string) { m.table.ArmBranch(c, b, n) }),
		m.arm("t_on_branch_failure", "arm an event_route[tm:branch-failure:NAME]; \"0\" disarms", run.BranchFailureRoute, func(c *run.Context, b run.Block, n string) { m.table.OnBranchFailure(c, b, n) }),
	}
}

// arm is one of t_on_…: its argument names a route block.
func (m *mod) arm(name, help string, kind run.Kind, set func(*run.Context, run.Block, string)) module.Function {
	arg := []module.Arg{{Name: "route", Type: module.ArgRoute, Route: kind}}
	return module.Function{Name: name, Help: help, Args: arg, In: inTx, New: func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			n := a.Str(c, 0)
			if n == "" || n == "0" {
				set(c, nil, "")
				return 1
			}
			b := m.block(kind, n)
			if b == nil {
				return c.Fail(500, "")
			}
			set(c, b, n)
			return 1
		}, nil
	}}
}

func (m *mod) block(kind run.Kind, name string) run.Block {
	if m.env.Block == nil {
		return nil
	}
	if kind == run.BranchFailureRoute {
		if b := m.env.Block(kind, name); b != nil {
			return b
		}
		return m.env.Block(run.EventRoute, "tm:branch-failure:"+name)
	}
	return m.env.Block(kind, name)
}

// moreFunctions are those with arguments that do something.
func (m *mod) moreFunctions() []module.Function {
	reply := []module.Arg{{Name: "code", Type: module.ArgInt}, {Name: "reason", Type: module.ArgFormat}}
	list := []module.Function{
		{Name: "t_reply", Help: "reply through the transaction, which t_newtran() has made", Args: reply, In: inFork, New: m.newReply},
		{Name: "t_check_status", Help: "match the code of the reply, or of the winning one, with an expression", Args: []module.Arg{{Name: "re", Type: module.ArgStr}}, In: inTx, New: m.newCheckStatus},
		{Name: "t_grep_status", Help: "true when a branch ended with the code", Args: []module.Arg{{Name: "code", Type: module.ArgInt}}, In: inTx, New: m.newGrepStatus},
		{Name: "t_drop_replies", Help: "the replies so far do not count: \"n\" or nothing all, \"l\" those of the last fork", Args: []module.Arg{{Name: "which", Type: module.ArgStr, Optional: true}}, In: run.FailureRoute, New: newDropReplies},
		{Name: "t_is_set", Help: "true when a branch_route, onreply_route or failure_route is armed", Args: []module.Arg{{Name: "kind", Type: module.ArgConst}}, In: inTx, New: m.newIsSet},
	}
	to := func(proto string) module.Function {
		args := []module.Arg{{Name: "host", Type: module.ArgFormat}, {Name: "port", Type: module.ArgInt, Optional: true}}
		name := "t_relay_to_" + proto
		return module.Function{Name: name, Help: "relay to a host by " + proto, Args: args, In: inFork, New: m.newRelayTo(proto)}
	}
	relay := module.Function{Name: "t_relay", Help: "relay with state to a host", Args: []module.Arg{{Name: "host", Type: module.ArgFormat}, {Name: "port", Type: module.ArgInt}}, In: inFork, New: m.newRelayTo("")}
	addr := module.Function{Name: "t_relay_to", Help: "relay with state by flags or to \"proto:host:port\"", Args: []module.Arg{{Name: "where", Type: module.ArgFormat, Optional: true}, {Name: "flags", Type: module.ArgInt, Optional: true}}, In: inFork, New: m.newRelayAddr}
	return append(list, relay, addr, to("udp"), to("tcp"), to("tls"))
}

func (m *mod) newReply(a module.Args) (run.Func, error) {
	if a[0].IsConst {
		if n := a[0].Const.Int(); n < 100 || n > 699 {
			return nil, &module.ArgError{I: 0, Err: fmt.Errorf("a status code is between 100 and 699, not %s", a[0].Const.Text())}
		}
	}
	return func(c *run.Context) int {
		code, reason := a.Int(c, 0, 0), a.Str(c, 1)
		if code < 100 || code > 699 {
			code, reason = m.settings.DefaultCode.Get(c.Cfg), m.settings.DefaultReason.Get(c.Cfg)
		}
		if reason == "" {
			reason = sip.StatusText(code)
		}
		t := tm.Of(c)
		if t == nil {
			return -1 // as Kamailio: t_newtran() comes first
		}
		return t.Reply(c, code, reason)
	}, nil
}

func (m *mod) newCheckStatus(a module.Args) (run.Func, error) {
	last := regex.Last[*regex.Regexp]{Make: func(text string) (*regex.Regexp, error) { return regex.Compile(text, 0) }}
	if a[0].IsConst {
		if _, err := last.Get(a[0].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
	}
	return func(c *run.Context) int {
		t := tm.Of(c)
		if t == nil {
			return -1
		}
		re, err := last.Get(a.Str(c, 0))
		if err != nil {
			return -1
		}
		var code int
		switch {
		case !c.Msg.IsRequest():
			code = c.Msg.StatusCode()
		case c.Route&inFailure != 0:
			code, _ = t.Winner()
		default:
			code = t.Status()
		}
		if re.Match(strconv.Itoa(code)) {
			return 1
		}
		return -1
	}, nil
}

func (m *mod) newGrepStatus(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		code := a.Int(c, 0, 0)
		return on(c, func(t *tm.Transaction) bool { return t.HasStatus(code) })
	}, nil
}

func newDropReplies(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		last := strings.HasPrefix(a.Str(c, 0), "l")
		return with(c, func(t *tm.Transaction) { t.DropReplies(last) })
	}, nil
}

func (m *mod) newIsSet(a module.Args) (run.Func, error) {
	kinds := map[string]run.Kind{"branch_route": run.BranchRoute, "onreply_route": run.ReplyRoute, "failure_route": run.FailureRoute}
	kind, ok := kinds[a[0].Const.Text()]
	if !ok {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf("t_is_set takes branch_route, onreply_route or failure_route, not %q", a[0].Const.Text())}
	}
	return func(c *run.Context) int {
		if m.table.IsSet(c, kind) {
			return 1
		}
		return -1
	}, nil
}

// newRelayTo sends to a host instead of the next hop.
func (m *mod) newRelayTo(proto string) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			return m.table.Relay(c, target(proto, a.Str(c, 0), a.Int(c, 1, 0)))
		}, nil
	}
}

func target(proto, host string, port int) tm.Target {
	s := "sip:" + host
	if port > 0 {
		s += ":" + strconv.Itoa(port)
	}
	if proto != "" {
		s += ";transport=" + proto
	}
	return tm.Target(s)
}

// newRelayAddr is t_relay_to(["proto:host:port"][, flags]). The bits of flags
// are 1: no 100 by itself, 2: no reply by itself when nothing can be sent, 4: no
// other address of the name.
func (m *mod) newRelayAddr(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		where, flags := a.Str(c, 0), a.Int(c, 1, 0)
		if n, err := strconv.ParseInt(where, 0, 32); err == nil { // as Kamailio: flags alone
			where, flags = "", int(n)
		}
		if flags&1 != 0 {
			m.table.SetAutoTrying(c, false)
		}
		if flags&2 != 0 {
			m.table.SetFailureReply(c, false)
		}
		if flags&4 != 0 {
			m.table.SetFailover(c, false)
		}
		if where == "" {
			return m.table.Relay(c, "")
		}
		proto := ""
		if p, rest, ok := strings.Cut(where, ":"); ok {
			switch p {
			case "udp", "tcp", "tls":
				proto, where = p, rest
			}
		}
		host, port, err := sip.SplitHostPort(where)
		if err != nil {
			return c.Fail(400, "Bad Address")
		}
		return m.table.Relay(c, target(proto, host, int(port)))
	}, nil
}
