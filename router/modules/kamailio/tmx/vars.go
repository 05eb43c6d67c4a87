package tmx

import (
	"fmt"
	"strings"

	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
)

func (x *tmx) vars() []pv.Def {
	return []pv.Def{
		{Name: "T_branch_idx", Help: "index of the branch in branch, reply and failure routes", Simple: branchIndex},
		{Name: "T_reply_code", Help: "code of the reply, in a failure route of the winning one", Simple: replyCode},
		{Name: "T_reply_reason", Help: "reason phrase of the reply, in a failure route of the winning one", Simple: replyReason},
		{Name: "T_reply_last", Help: "last reply code of the branch", Simple: lastCode},
		{Name: "T_branch", Help: "$T_branch(uri|flags|ruid): request URI, branch flags and record id of the branch that replied", New: newBranchField},
		{Name: "T_reply_ruid", Help: "record id of the contact that the branch went to", Simple: replyRuid},
		{Name: "T", Help: "$T(id_index|id_label|id_label_n|id_index_n|reply_code|reply_reason|reply_last|reply_type|branch_index|method)", New: newField},
		{Name: "T_req", Help: "$T_req(pv): a variable of the request", New: x.on(request), RawInner: true},
		{Name: "T_rpl", Help: "$T_rpl(pv): a variable of the reply that the failure route decides on", New: x.on(reply), RawInner: true},
		{Name: "T_inv", Help: "$T_inv(pv): a variable of the INVITE that a CANCEL or ACK belongs to", New: x.on(x.invite), RawInner: true},
	}
}

// branchIndex is the index of the branch, where there is none that of the next
// one, as Kamailio counts.
func branchIndex(c *run.Context) run.Value {
	switch {
	case c.Route == run.RequestRoute:
		return run.Int(len(c.Branches))
	case c.Route == run.FailureRoute:
		if t := tm.Of(c); t != nil {
			return run.Int(t.Legs() + len(c.Branches))
		}
	}
	return run.Int(c.Branch) // -1 without one
}

func replyCode(c *run.Context) run.Value {
	if !c.Msg.IsRequest() {
		return run.Int(c.Msg.StatusCode())
	}
	t := tm.Of(c)
	if t == nil {
		return run.Int(0)
	}
	if c.Route&(run.FailureRoute|run.BranchFailureRoute) != 0 {
		code, _ := t.Winner()
		return run.Int(code)
	}
	return run.Int(t.Status())
}

func replyReason(c *run.Context) run.Value {
	m := reply(c)
	if m != nil {
		return run.Str(m.Reason())
	}
	if code := replyCode(c).Int(); code >= 100 {
		return run.Str(sip.StatusText(code))
	}
	return run.Null
}

func lastCode(c *run.Context) run.Value {
	t := tm.Of(c)
	if t == nil || c.Branch < 0 {
		return run.Null
	}
	code, _, _ := t.Leg(c.Branch)
	return run.Int(code)
}

func replyRuid(c *run.Context) run.Value {
	t := tm.Of(c)
	if t == nil {
		return run.Null
	}
	if r := t.LegRuid(c.Branch); r != "" {
		return run.Str(r)
	}
	return run.Null
}

// newBranchField compiles $T_branch(name).
func newBranchField(n *pv.Name) (pv.Var, error) {
	of := func(f func(t *tm.Transaction, i int) run.Value) (pv.Var, error) {
		return pv.Var{Get: func(c *run.Context) run.Value {
			t := tm.Of(c)
			if t == nil {
				return run.Null
			}
			i := c.Branch
			if c.Route == run.FailureRoute {
				_, i = t.Winner()
			}
			if i < 0 || i >= t.Legs() {
				return run.Null
			}
			return f(t, i)
		}}, nil
	}
	switch n.Inner {
	case "uri":
		return of(func(t *tm.Transaction, i int) run.Value { _, _, uri := t.Leg(i); return run.Str(uri) })
	case "ruid":
		return of(func(t *tm.Transaction, i int) run.Value {
			if r := t.LegRuid(i); r != "" {
				return run.Str(r)
			}
			return run.Null
		})
	case "flags":
		return of(func(t *tm.Transaction, i int) run.Value { return run.Int(int(t.LegFlags(i))) })
	}
	return pv.Var{}, fmt.Errorf("$T_branch has uri, flags and ruid, no %q", n.Inner)
}

// newField compiles $T(name).
func newField(n *pv.Name) (pv.Var, error) {
	var get pv.Getter
	id := func(f func(index, label uint32) run.Value) pv.Getter {
		return func(c *run.Context) run.Value {
			if t := tm.Of(c); t != nil {
				return f(t.ID())
			}
			return run.Null
		}
	}
	switch n.Inner {
	case "id_index", "id_index_n":
		get = id(func(i, _ uint32) run.Value { return run.Int(int(i)) })
	case "id_label", "id_label_n":
		get = id(func(_, l uint32) run.Value { return run.Int(int(l)) })
	case "reply_code":
		get = replyCode
	case "reply_reason":
		get = replyReason
	case "reply_last":
		get = lastCode
	case "branch_index":
		get = branchIndex
	case "reply_type": // 1: made here, 0: received
		get = func(c *run.Context) run.Value {
			if t := tm.Of(c); t != nil && c.Msg.IsRequest() && reply(c) == nil {
				return run.Int(1)
			}
			return run.Int(0)
		}
	case "method":
		get = func(c *run.Context) run.Value {
			if t := tm.Of(c); t != nil {
				return run.Str(t.Method())
			}
			return run.Null
		}
	case "ruid":
		get = replyRuid
	default:
		return pv.Var{}, fmt.Errorf("$T has no %q; it has id_index, id_label, reply_code, reply_reason, reply_last, reply_type, branch_index, method, ruid", n.Inner)
	}
	return pv.Var{Get: get}, nil
}

// on compiles a variable that is read on another message of the transaction.
func (x *tmx) on(which func(*run.Context) *sip.Message) func(*pv.Name) (pv.Var, error) {
	return func(n *pv.Name) (pv.Var, error) {
		inner := n.Inner
		if !strings.HasPrefix(inner, "$") { // $T_req(si) for $T_req($si)
			inner = "$" + inner
		}
		v, used, err := n.Reg.ParseVar(inner, pv.Kamailio)
		if err != nil {
			return pv.Var{}, err
		}
		if used != len(inner) {
			return pv.Var{}, fmt.Errorf("$%s takes one variable, there is more in %q", n.Class, n.Inner)
		}
		return pv.Var{Get: func(c *run.Context) run.Value {
			m := which(c)
			if m == nil {
				return run.Null
			}
			own, main := c.Msg, c.Main
			c.Msg = m
			if m != own {
				c.Main = run.Branch{Q: run.QUnset}
			}
			val := v.Get(c)
			c.Msg, c.Main = own, main
			return val
		}}, nil
	}
}

func request(c *run.Context) *sip.Message {
	if t := tm.Of(c); t != nil {
		return t.Message()
	}
	return nil
}

func reply(c *run.Context) *sip.Message {
	if !c.Msg.IsRequest() {
		return c.Msg
	}
	t := tm.Of(c)
	if t == nil {
		return nil
	}
	_, leg := t.Winner()
	if c.Route == run.BranchFailureRoute {
		leg = c.Branch
	}
	return t.LegMessage(leg)
}

func (x *tmx) invite(c *run.Context) *sip.Message {
	if !c.Msg.IsRequest() {
		return nil
	}
	return x.table.Invite(c)
}
