package tm

import (
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// Suspend is t_suspend(): the request, or in a reply route the reply, waits for
// a Continue. A request gets a leg that goes nowhere, so that fr_timer ends the
// wait, as Kamailio counts it. 1, also when a CANCEL came before; negative when
// there is nothing to suspend.
func (tb *Table) Suspend(c *run.Context) int {
	if c.Route == run.FailureRoute || c.Route == run.BranchFailureRoute {
		return -1 // as Kamailio: not the request that a failure route sees
	}
	t := Of(c)
	if t == nil {
		if !c.Msg.IsRequest() || tb.NewTransaction(c) <= 0 {
			return -1
		}
		t = Of(c)
	}
	switch {
	case t.canceled:
		return 1
	case t.status.Load() >= 200:
		return -1
	case !c.Msg.IsRequest():
		return t.suspendReply(c)
	case len(t.legs) >= maxBranches:
		return -1
	}
	t.trying(c)
	t.main, t.flags, t.msg = c.Main, c.Flags, c.Msg
	t.adv = sendOptions{c.SendSock, c.AdvHost, c.AdvPort, c.AddLocalRport, c.FwdNoConnect, c.RecordRoute}
	t.paused = pause{leg: len(t.legs), newURI: c.RURINew}
	b := c.Main
	b.URI = c.RURI()
	t.legs = append(t.legs, branch{Branch: b, frAt: t.capped(t.fr())})
	t.relayed = true // it is answered in time, whatever comes
	t.suspended.Store(true)
	return 1
}

// pause is where a suspended run stood.
type pause struct {
	leg    int
	newURI bool         // the request URI makes a leg
	reply  *sip.Message // a reply that waits, nil for a request
	recv   transport.Received
	id     uint64
}

func (t *Transaction) suspendReply(c *run.Context) int {
	if c.Branch < 0 || c.Branch >= len(t.legs) {
		return -1
	}
	c.Take() // the message waits
	t.paused = pause{leg: c.Branch, reply: c.Msg, recv: c.Recv, id: c.ID}
	t.suspended.Store(true)
	return 1
}

// Suspended says whether the transaction waits for a Continue.
func (t *Transaction) Suspended() bool { return t.suspended.Load() }

// RepeatsSuspended says whether c's reply is one of those that wait, again.
func (t *Transaction) RepeatsSuspended(c *run.Context) bool {
	p := &t.paused
	return t.suspended.Load() && p.reply != nil && p.leg == c.Branch && p.reply.StatusCode() == c.Msg.StatusCode()
}

// Continue is t_continue(): it runs a route block on what was suspended, now or
// when the present owner of the transaction lets go. false when there is no such
// transaction, it is answered already, or it is not suspended.
func (tb *Table) Continue(index, label uint32, route run.Block, name string) bool {
	t := tb.FindID(index, label)
	if t == nil || t.status.Load() >= 200 || !t.suspended.CompareAndSwap(true, false) {
		return false
	}
	t.Do(func(t *Transaction) {
		switch {
		case t.killed || t.canceled:
		case t.paused.reply != nil:
			t.continueReply(route, name)
		default:
			t.continueRequest(route, name)
		}
	})
	return true
}

// continueRequest goes on with a request in a route block, as a failure route
// does.
func (t *Transaction) continueRequest(route run.Block, name string) {
	p := t.paused
	b := &t.legs[p.leg]
	if b.code >= 200 {
		return // it was given up by a timer
	}
	// It does not count for the best reply.
	b.code, b.faked, b.dropped, b.frAt = 500, true, true, 0
	t.routeAgain(route, name, run.FailureRoute, p.leg, p.newURI)
	if t.status.Load() >= 200 || t.waitAt != 0 {
		return
	}
	for i := range t.legs {
		if t.legs[i].code < 200 {
			return
		}
	}
	// Nothing is open, so no final reply would come.
	c := t.table.borrow()
	own := c.Msg
	c.Msg = t.msg
	code, text := unsent(0, "")
	t.sendReply(c, code, text, "")
	c.Msg = own
	t.table.giveBack(c)
}

// continueReply runs a route block on the reply that waited, then deals with it
// as if it had come now.
func (t *Transaction) continueReply(route run.Block, name string) {
	p := t.paused
	t.paused = pause{leg: -1}
	c := t.table.borrow()
	own := c.Msg
	c.Msg, c.Recv, c.ID, c.Cfg = p.reply, p.recv, p.id, t.cfg
	c.Tx, c.Branch = t, p.leg
	t.runReplyRoute(c, p.leg, route, name)
	if !t.suspended.Load() && t.legs[p.leg].code < 200 {
		t.conclude(c, p.leg)
	}
	c.Msg = own
	t.table.giveBack(c)
}

// Drop is t_drop(): the transaction ends with a code that is not sent.
func (t *Transaction) Drop(code int) {
	t.status.Store(int32(code))
	t.ReleaseNow()
}

// Leg i as the request URI of c: what t_reuse_branch() makes of a failed one.
func (t *Transaction) Reuse(c *run.Context, i int) bool {
	if i < 0 || i >= len(t.legs) {
		return false
	}
	b := t.legs[i].Branch
	b.DstURI, b.Sock = c.Main.DstURI, c.Main.Sock
	c.Main, c.RURINew = b, true
	return true
}
