package tm

import (
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// OnReply is the hook that sees each reply first. It runs the default reply
// route, then hands the reply to its transaction. true: dealt with.
func (tb *Table) OnReply(c *run.Context, coreReply run.Block) bool {
	if coreReply != nil {
		c.Route = run.CoreReplyRoute
		coreReply.Run(c)
		if c.Dropped {
			return true
		}
	}
	t, i := tb.matchReply(c.Msg)
	if t == nil {
		return false
	}
	tb.Count.Received.Inc()
	direct := t.enter(func() event {
		c.Take() // the message waits in the queue
		return event{kind: evReply, branch: i, msg: c.Msg, recv: c.Recv, id: c.ID}
	})
	if direct {
		c.Tx, c.Branch = t, i
		t.onReply(c, i)
		c.Tx = nil
		t.leave()
	}
	return true
}

// onReply does what a reply to leg i asks for. c.Msg is the reply.
func (t *Transaction) onReply(c *run.Context, i int) {
	if i >= len(t.legs) || t.killed {
		return
	}
	b := &t.legs[i]
	code := c.Msg.StatusCode()
	if cs, err := c.Msg.CSeq(); err != nil || cs.Method == sip.CANCEL && t.method != sip.CANCEL {
		b.cancelReply(code)
		return
	}
	if code >= 200 {
		b.retrAt, b.frAt = 0, 0
		if t.method == sip.INVITE && code >= 300 {
			t.sendACK(c, b) // hop by hop, for each repetition (RFC 3261 §17.1.1.3)
		}
		if b.code >= 200 {
			t.again(c, i, code)
			return
		}
	} else if !t.provisional(b, code) {
		return
	}
	if b.onReply != nil && !t.replyRoute(c, i) && code < 200 || t.holds(i) {
		return
	}
	t.conclude(c, i)
}

// holds says whether a reply of leg i waits for a Continue.
func (t *Transaction) holds(i int) bool {
	return t.suspended.Load() && t.paused.reply != nil && t.paused.leg == i
}

// conclude takes the reply that c is on as what leg i came to.
func (t *Transaction) conclude(c *run.Context, i int) {
	code := c.Msg.StatusCode()
	b := &t.legs[i]
	b.code, b.faked = code, false
	switch {
	case code < 200 && t.local:
		t.tellProvisional(c, code)
	case code < 200:
		if (code > 100 || t.table.Settings.Relay100.Bool(t.cfg)) && t.status.Load() < 200 && !t.canceled {
			t.relay(c, code)
		}
	case code < 300:
		t.succeed(c, i, code)
	default:
		c.Take()
		b.rpl = c.Msg
		if t.local {
			recv := c.Recv
			b.recv = &recv
		}
		if code == 503 && !t.local {
			t.failoverNow(i)
		}
		t.decide(c, i)
	}
}

// again deals with a final reply to a leg that has ended: a repeated 2xx, or a
// late one, is passed on (RFC 6026 §7.1, §16.7); anything else ends here.
func (t *Transaction) again(c *run.Context, i, code int) {
	if t.legs[i].onReply != nil { // as Kamailio: for repetitions, too
		t.replyRoute(c, i)
	}
	b := &t.legs[i] // the route may have started legs
	if code/100 != 2 || t.method != sip.INVITE {
		return
	}
	if t.local {
		t.acknowledge(c)
		return
	}
	if t.status.Load()/100 != 2 && t.status.Load() >= 200 {
		// A failure went upstream already: the call is up nevertheless.
		t.retrAt, t.endAt = 0, 0
	}
	t.legs[i].code, t.legs[i].faked = code, false
	watched := t.watched
	if tag := c.Msg.ToTag(); watched != 0 && tag == b.tag {
		t.watched = 0 // a repetition is no news
	} else if watched != 0 {
		t.legs[i].tag = tag
	}
	t.relay(c, code)
	t.watched = watched
}

// provisional takes a 1xx: no more repetitions, and more time. false when it
// is to be passed over.
func (t *Transaction) provisional(b *branch, code int) bool {
	if b.code >= 200 {
		return false
	}
	b.rang = true
	s := t.table.Settings
	if t.method == sip.INVITE {
		b.retrAt = 0
		if b.code < 100 || s.RestartFr.Bool(t.cfg) {
			b.frAt = t.capped(t.frInv())
		}
	} else if b.retrAt != 0 {
		b.retrStep = t.retr2() // RFC 3261 §17.1.2.2
		b.retrAt = t.table.now() + b.retrStep
	}
	if b.code < 100 {
		b.code = 100
	}
	if b.cancelWanted && b.cancel == nil {
		t.sendCancel(b) // all that the reply is good for
		return false
	}
	return true
}

// replyRoute runs leg i's onreply_route; false when it dropped the reply. The
// route may start legs, which moves those there are.
func (t *Transaction) replyRoute(c *run.Context, i int) bool {
	return t.runReplyRoute(c, i, t.legs[i].onReply, t.legs[i].replyN)
}

func (t *Transaction) runReplyRoute(c *run.Context, i int, route run.Block, name string) bool {
	avps, xavps, flags, bflags := c.AVPs, c.XAVPs, c.Flags, c.Main.Flags
	c.AVPs, c.XAVPs, c.Flags, c.Main.Flags = t.avps, t.xavps, t.flags, t.legs[i].Flags
	c.Route, c.RouteName = run.ReplyRoute, name
	c.Dropped, c.Exited = false, false
	route.Run(c)
	t.avps, t.xavps, t.flags, t.legs[i].Flags = c.AVPs, c.XAVPs, c.Flags, c.Main.Flags
	c.AVPs, c.XAVPs, c.Flags, c.Main.Flags = avps, xavps, flags, bflags
	ok := !c.Dropped
	c.Dropped, c.Exited = false, false
	return ok
}

// succeed passes a 2xx on at once and ends the other legs.
func (t *Transaction) succeed(c *run.Context, i, code int) {
	t.winner, t.winnerCode = i, code
	if t.watched != 0 {
		t.legs[i].tag = c.Msg.ToTag()
	}
	first := t.status.Load() < 200
	if t.local {
		if t.method == sip.INVITE {
			t.acknowledge(c)
		}
		c.Take()
		t.finishLocal(c.Msg, code, c.Recv)
	} else if first || t.method == sip.INVITE {
		t.relay(c, code)
	}
	if first {
		t.cancelPending(t.localReason(200, "Call completed elsewhere"))
		if t.waitAt == 0 {
			t.wait()
		}
	}
}

// relay sends c's reply upstream without our Via, and keeps it.
func (t *Transaction) relay(c *run.Context, code int) {
	opt := sip.PrintOptions{RemoveTopVia: true, NeedLength: t.replyDest.Proto.Reliable()}
	buf := c.TakeScratch()
	buf = c.Msg.AppendTo(buf, &opt, &c.Msg.Edits)
	t.table.Count.Relayed.Inc()
	t.tellReply(c, code, (*Watcher).ready)
	t.upstream(code, buf)
	c.GiveScratch(buf)
	t.tellReply(c, code, (*Watcher).reply)
}

// upstream keeps a reply for repetitions and sends it.
func (t *Transaction) upstream(code int, buf []byte) {
	if t.replicated {
		t.status.Store(int32(code))
		return
	}
	t.mu.Lock()
	t.reply = append(t.reply[:0], buf...)
	t.mu.Unlock()
	if code >= 200 && t.status.Load() < 200 && code/100 < len(t.table.Count.Class) {
		t.table.Count.Class[code/100].Inc()
	}
	t.status.Store(int32(code))
	t.send(t.replyDest, buf)
}

// RetransmitReply sends the last reply upstream again; false when there is
// none. Any goroutine may call it.
func (t *Transaction) RetransmitReply() bool {
	if t.local {
		return false
	}
	var space [1500]byte
	t.mu.Lock()
	buf := append(space[:0], t.reply...)
	t.mu.Unlock()
	return t.send(t.replyDest, buf)
}

// sendReply answers the request from here. The owner calls it; c gives reply
// options when it is the run of the request.
func (t *Transaction) sendReply(c *run.Context, code int, reason, extra string) bool {
	if t.local {
		return false
	}
	r := sip.Reply{
		Code: code, Reason: reason, Extra: extra, Server: t.table.env.Server,
		Source: t.recv.Src, ForceRPort: t.forceR || c.ForceRport,
	}
	if c.Msg == t.msg {
		r.Extra += c.ReplyExtra
		r.Body, r.ContentType = c.ReplyBody, c.ReplyType
	}
	if code > 100 {
		r.ToTag, r.TagHash = t.table.tag, t.tagHash()
		if c.ToTagOverride != "" {
			r.ToTag, r.TagHash = c.ToTagOverride, 0
		}
	}
	buf := t.msg.AppendReply(c.TakeScratch(), &r)
	t.table.Count.Generated.Inc()
	t.tellOwn(c, code, reason, (*Watcher).ready)
	t.upstream(code, buf)
	t.localResponse(buf)
	c.GiveScratch(buf)
	if code >= 200 {
		t.finished(code, true)
	}
	t.tellOwn(c, code, reason, (*Watcher).reply)
	return true
}

// finished arms what follows a final reply upstream: its repetition until the
// ACK comes, and the end of the transaction.
func (t *Transaction) finished(code int, own bool) {
	if t.method != sip.INVITE || code < 300 && !own || t.replicated {
		if t.waitAt == 0 {
			t.wait()
		}
		return
	}
	now := t.table.now()
	t.endAt = now + int64(t.table.Settings.FrTimer.Get(t.cfg))
	if !t.replyDest.Proto.Reliable() || code < 300 {
		t.retrStep = t.retr1()
		t.retrAt = now + t.retrStep
	}
	t.mayRunScript.Store(false)
}

// Reply is t_reply(): it answers through the transaction and cancels what is
// still open when the answer is final. It is for the owner.
func (t *Transaction) Reply(c *run.Context, code int, reason string) int {
	if old := t.status.Load(); old >= 200 {
		return -1
	}
	if code >= 200 {
		t.winnerCode = code
		t.cancelPending(t.localReason(code, reason))
	}
	if !t.sendReply(c, code, reason, "") {
		return -1
	}
	return 1
}

// sendACK acknowledges a failure hop by hop.
func (t *Transaction) sendACK(c *run.Context, b *branch) {
	sent := b.message()
	if sent == nil {
		return
	}
	to := ""
	if h := c.Msg.First(sip.HdrTo); h != nil {
		to = c.Msg.Value(h)
	}
	buf := sip.AppendAck(c.TakeScratch(), sent, to)
	t.send(b.dest, buf)
	c.GiveScratch(buf)
}

// message is the request of the leg as it went out.
func (b *branch) message() *sip.Message {
	if len(b.sent) == 0 {
		return nil
	}
	m, err := sip.Parse(string(b.sent))
	if err != nil {
		return nil
	}
	return m
}

// class4 are the codes of 4xx that come before all others: what they ask for
// can be done (RFC 3261 §16.7).
func class4(code int) bool {
	switch code {
	case 401, 407, 415, 420, 484:
		return true
	}
	return false
}

// rank orders failures; the lowest is the best.
func rank(code int) int {
	switch code / 100 {
	case 6:
		return 1000 + code%100
	case 4:
		if class4(code) {
			return 4000 + code%100
		}
		return 4100 + code%100
	}
	return code/100*1000 + code%100
}

// rank orders the ends of legs; what a timer made up stands behind as
// faked_reply_prio says.
func (t *Transaction) rank(b *branch) int {
	if b.faked {
		return rank(b.code) + t.table.Settings.FakedReplyPrio
	}
	return rank(b.code)
}

// pick is the best reply among the legs from first on; pending says that one
// is still open. -1 when there is none.
func (t *Transaction) pick(first int) (best int, pending bool) {
	best = -1
	for i := first; i < len(t.legs); i++ {
		b := &t.legs[i]
		if b.dropped {
			continue
		}
		if b.code < 200 {
			return -1, true
		}
		if best < 0 || t.rank(b) < t.rank(&t.legs[best]) {
			best = i
		}
	}
	return best, false
}

// decide looks whether all legs have ended and sends the best failure
// upstream, unless a failure route goes on. i is the leg that ended, -1 when
// timers ended some; c is the reply's run, nil then.
func (t *Transaction) decide(c *run.Context, i int) {
	if i >= 0 && t.legs[i].code >= 600 && !t.legs[i].faked && !t.armed1.no6xx && !t.table.Settings.Disable6xx.Bool(t.cfg) {
		t.cancelPending(t.localReason(t.legs[i].code, ""))
	}
	if i >= 0 && t.status.Load() < 200 && t.legs[i].failN != nil {
		t.winner, t.winnerCode = i, t.legs[i].code
		t.failureRoute(t.legs[i].failN, t.armed1.branchFailureN, run.BranchFailureRoute, i)
	}
	if t.status.Load() >= 200 {
		return
	}
	for {
		best, pending := t.pick(0)
		if pending || best < 0 {
			return
		}
		t.winner, t.winnerCode = best, t.legs[best].code
		t.tellFailed()
		route := t.armed1.failure
		if route == nil || t.local {
			break
		}
		name := t.armed1.failureN
		t.armed1.failure, t.armed1.failureN = nil, ""
		before := len(t.legs)
		if t.failureRoute(route, name, run.FailureRoute, best); t.status.Load() >= 200 {
			return
		}
		t.mayRunScript.Store(t.armed1.failure != nil || t.armed1.branchFailure != nil)
		if len(t.legs) > before {
			t.forget(before)
		} else {
			if best, _ = t.pick(0); best >= 0 {
				t.winner, t.winnerCode = best, t.legs[best].code
			}
			break
		}
	}
	t.fail()
	_ = c
}

// forget leaves the replies of earlier legs out of the choice, as
// failure_reply_mode says; a new fork starts at leg n.
func (t *Transaction) forget(n int) {
	switch t.table.Settings.FailureReplyMode {
	case 1, 3:
		for i := range n {
			t.legs[i].dropped = true
		}
	case 2:
		if t.winner >= 0 && t.winner < n {
			t.legs[t.winner].dropped = true
		}
	}
}

// fail sends the winning failure upstream.
func (t *Transaction) fail() {
	b := &t.legs[t.winner]
	code := b.code
	if t.local {
		var recv transport.Received
		if b.recv != nil {
			recv = *b.recv
		}
		t.finishLocal(b.rpl, code, recv)
		return
	}
	c := t.table.borrow()
	own := c.Msg
	switch {
	case b.rpl == nil:
		c.Msg = t.msg
		t.sendReply(c, code, t.fakedReason(code), "")
	case code == 503 && t.table.Settings.Remap503: // RFC 3261 §16.7.6
		c.Msg = t.msg
		t.sendReply(c, 500, sip.StatusText(503), "") // as Kamailio: the words of the 503
	default:
		c.Msg = b.rpl
		t.relayFailure(c, code)
	}
	c.Msg = own
	t.table.giveBack(c)
}

func (t *Transaction) fakedReason(code int) string {
	if code == t.table.Settings.Reply408Code {
		return t.table.Settings.Reply408Reason
	}
	if code == 487 {
		return "Request canceled" // the words of the elders
	}
	return sip.StatusText(code)
}

// relayFailure passes a failure on; a challenge takes those of the other legs
// along (RFC 3261 §16.7.7).
func (t *Transaction) relayFailure(c *run.Context, code int) {
	if (code == 401 || code == 407) && len(t.legs) > 1 && t.table.Settings.AggregateChallenges.Bool(t.cfg) {
		if s, n := t.challenges(); n > 1 {
			// As Kamailio: the reply is one of our own, with the challenges of all.
			reply := c.Msg
			c.Msg = t.msg
			t.sendReply(c, code, sip.StatusText(code), s)
			c.Msg = reply
			return
		}
	}
	t.relay(c, code)
	t.finished(code, false)
}

// challenges are the challenge headers of the legs that have some, and how many
// legs those are.
func (t *Transaction) challenges() (text string, legs int) {
	var s strings.Builder
	for i := range t.legs {
		b := &t.legs[i]
		if b.rpl == nil || b.dropped || b.code != 401 && b.code != 407 {
			continue
		}
		legs++
		for _, k := range []sip.HeaderKind{sip.HdrWWWAuthenticate, sip.HdrProxyAuthenticate} {
			for h := b.rpl.First(k); h != nil; h = b.rpl.Next(h) {
				s.WriteString(b.rpl.Raw()[h.Start():h.End()])
			}
		}
	}
	return s.String(), legs
}
