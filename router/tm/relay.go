package tm

import (
	"sipd/router/forward"
	"sipd/router/run"
	"sipd/router/sip"
)

// Target is where t_relay's variants send to instead of the branch's own next
// hop: "sip:host:port;transport=tcp". "" for the own one.
type Target string

// Relay is t_relay(): it makes the transaction when there is none and sends the
// fork set. An ACK goes on without state; a CANCEL follows its INVITE. 1, 0 for
// a repetition, negative on failure with c.Err set.
func (tb *Table) Relay(c *run.Context, to Target) int {
	switch c.Route {
	case run.FailureRoute, run.BranchFailureRoute:
		t := Of(c)
		if t == nil {
			return -1
		}
		return t.fork(c, to)
	case run.RequestRoute:
	default:
		return -1
	}
	switch c.Msg.Method() {
	case sip.ACK:
		return tb.relayACK(c, to)
	case sip.CANCEL:
		if done, rc := tb.relayCancel(c); done {
			return rc
		}
	}
	t := Of(c)
	fresh := t == nil
	if fresh {
		if rc := tb.NewTransaction(c); rc <= 0 {
			return rc
		}
		t = Of(c)
	}
	t.trying(c)
	if rc := t.fork(c, to); rc < 0 {
		if fresh {
			t.relayErr, t.relayText = c.Err, c.ErrText
			if t.relayErr == 0 {
				t.relayErr = 500
			}
		}
		if c.Err >= 476 && c.Err <= 479 {
			return -c.Err // as Kamailio numbers them for $rc
		}
		return rc
	}
	return 1
}

// Replicate is t_replicate(): it relays a copy of the request, of which no reply
// goes upstream.
func (tb *Table) Replicate(c *run.Context, to Target) int {
	if c.Msg.Method() == sip.ACK || c.Msg.Method() == sip.CANCEL {
		return tb.Relay(c, to)
	}
	if Of(c) == nil {
		if rc := tb.NewTransaction(c); rc <= 0 {
			return rc
		}
	}
	t := Of(c)
	t.replicated = true
	return t.fork(c, to)
}

func (tb *Table) relayACK(c *run.Context, to Target) int {
	if found, _ := tb.Check(c); found == AckFailure {
		return 0
	}
	if to != "" {
		c.Main.DstURI = string(to)
	}
	return tb.net.Forward(c)
}

// fork starts a leg for the request URI, when it is new, and for each branch,
// and sends them.
func (t *Transaction) fork(c *run.Context, to Target) int {
	first := len(t.legs)
	t.flags = c.Flags
	if c.Route&(run.FailureRoute|run.BranchFailureRoute) == 0 {
		// What a failure route makes of them is for its own legs: the next one
		// sees the request as it was relayed first.
		t.main = c.Main
	}
	t.adv = sendOptions{c.SendSock, c.AdvHost, c.AdvPort, c.AddLocalRport, c.FwdNoConnect, c.RecordRoute}
	t.msg = c.Msg
	c.Err, c.ErrText = 0, ""
	if t.canceled {
		return c.Fail(487, "Request Terminated")
	}
	if c.RURINew {
		b := c.Main
		if b.URI == "" {
			b.URI = c.Msg.RequestURI()
		}
		if b.Sock == nil {
			b.Sock = c.SendSock
		}
		t.addLeg(c, b, to)
	}
	for i := range c.Branches {
		t.addLeg(c, c.Branches[i], to)
	}
	t.flags = c.Flags // with what the branch route made of them
	// As Kamailio: a branch route serves once, further legs need it armed again.
	t.armed1.branch, t.armed1.branchN = nil, ""
	c.RURINew = false
	clear(c.Branches)
	c.Branches = c.Branches[:0]
	if len(t.legs) == first {
		if c.Err == 0 {
			return c.Fail(500, "No branches for forwarding")
		}
		return -1
	}
	started := false
	for i := first; i < len(t.legs); i++ {
		if !forward.OnSend(c, t.legs[i].dest, t.legs[i].sent) {
			t.legs[i].code, t.legs[i].faked = 477, true
			continue
		}
		if t.start(i) == nil {
			started = true
		} else {
			t.failover(i) // the leg of the next address comes behind the others
		}
	}
	if !started {
		t.legs = t.legs[:first]
		return c.Fail(477, "Unfortunately error on sending to next hop occurred")
	}
	c.Err, c.ErrText = 0, ""
	t.firstOf = first
	t.relayed = true
	return 1
}

// addLeg runs the branch route, resolves and prints one leg; what fails is left
// in c.Err.
func (t *Transaction) addLeg(c *run.Context, b run.Branch, to Target) {
	i := len(t.legs)
	if i >= maxBranches {
		c.Fail(500, "Too many branches")
		return
	}
	if to != "" {
		b.DstURI = string(to)
	}
	l := branch{Branch: b}
	l.onReply, l.replyN, l.failN = t.armed1.reply, t.armed1.replyN, t.armed1.branchFailure
	var edits sip.Edits
	route := t.armed1.branch
	if route != nil {
		edits = c.Msg.Edits.Clone()
		if !t.branchRoute(c, route, i, &l) {
			c.Msg.Edits = edits
			return
		}
	}
	if err := t.printLeg(c, i, &l); err != nil {
		forward.Fail(c, err)
	}
	if route != nil {
		c.Msg.Edits = edits
	}
	if l.sent != nil {
		t.legs = append(t.legs, l)
	}
}

// printLeg resolves a leg and prints its request.
func (t *Transaction) printLeg(c *run.Context, i int, l *branch) error {
	d, others, err := t.table.net.Resolve(c, &l.Branch)
	if err != nil {
		return err
	}
	l.dest, l.others = d, others
	id := branchID{t.entry, t.label, i}
	var space [40]byte
	param := string(id.append(space[:0]))
	p, _ := t.table.buffers.Get().(*[]byte)
	if p == nil {
		p = new([]byte)
	}
	buf := t.table.net.AppendRequest((*p)[:0], c, &l.Branch, d, param)
	if o, ok := t.table.net.Oversize(d, len(buf)); ok { // RFC 3261 §18.1.1
		l.dest = o
		buf = t.table.net.AppendRequest(buf[:0], c, &l.Branch, o, param)
	}
	l.sent = append(make([]byte, 0, len(buf)), buf...)
	*p = buf
	t.table.buffers.Put(p)
	return nil
}

// branchRoute runs the branch route on one leg; it sees the leg as the request
// URI, and its changes are the leg's. false when it dropped it.
func (t *Transaction) branchRoute(c *run.Context, route run.Block, i int, l *branch) bool {
	was := c.Main
	kind, name, n, newURI, sock := c.Route, c.RouteName, c.Branch, c.RURINew, c.SendSock
	c.Main, c.Route, c.RouteName, c.Branch, c.SendSock = l.Branch, run.BranchRoute, t.armed1.branchN, i, l.Sock
	c.Dropped, c.Exited = false, false
	sflags := c.SFlags
	c.SFlags = 0 // script flags are of one route's run
	route.Run(c)
	c.SFlags = sflags
	ok := !c.Dropped
	l.Branch = c.Main
	if c.SendSock != nil {
		l.Sock = c.SendSock
	}
	if l.URI == "" {
		l.URI = c.Msg.RequestURI()
	}
	l.onReply, l.replyN, l.failN = t.armed1.reply, t.armed1.replyN, t.armed1.branchFailure
	c.Main = was
	c.Route, c.RouteName, c.Branch, c.RURINew, c.SendSock = kind, name, n, newURI, sock
	c.Dropped, c.Exited = false, false
	return ok
}

// start sends a leg and arms its timers; the error is the transport's.
func (t *Transaction) start(i int) error {
	b := &t.legs[i]
	if err := t.table.net.Send(b.dest, b.sent); err != nil {
		b.code, b.faked = 477, true
		return err
	}
	t.table.Count.UAC.Inc()
	now := t.table.now()
	if !b.dest.Proto.Reliable() {
		b.retrStep = t.retr1()
		b.retrAt = now + b.retrStep
	}
	b.frAt = t.capped(t.fr())
	return nil
}
