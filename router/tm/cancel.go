package tm

import (
	"strconv"

	"sipd/router/run"
	"sipd/router/sip"
)

// relayCancel is t_relay() of a CANCEL: it is answered 200 and its INVITE's
// legs are cancelled. done is false when it has no INVITE here and is to be
// relayed as any request.
func (tb *Table) relayCancel(c *run.Context) (done bool, rc int) {
	var k key
	if !tb.keyOf(c.Msg, &k) {
		return true, -1
	}
	inv := tb.lookup(&k, sip.INVITE, "")
	if inv == nil {
		switch tb.Settings.UnmatchedCancel.Get(c.Cfg) {
		case 1:
			return true, tb.net.Forward(c)
		case 2:
			return true, 1
		}
		return false, 0
	}
	t := Of(c)
	if t == nil || t.script != c {
		if rc := tb.NewTransaction(c); rc <= 0 {
			return true, rc
		}
		t = Of(c)
	}
	open := inv.status.Load() < 200
	text := "canceling"
	if !open {
		text = "ok -- no more pending branches"
	}
	t.sendReply(c, 200, text, "")
	reason := ""
	if tb.Settings.E2ECancelReason.Bool(c.Cfg) {
		reason = headerLines(c.Msg, sip.HdrReason)
	}
	inv.Do(func(t *Transaction) {
		if t.armed1.noReason {
			reason = ""
		}
		t.cancelAll(reason)
	})
	return true, 1
}

// headerLines are all fields of a kind as received.
func headerLines(m *sip.Message, k sip.HeaderKind) string {
	h := m.First(k)
	if h == nil {
		return ""
	}
	s := m.Raw()[h.Start():h.End()]
	for h = m.Next(h); h != nil; h = m.Next(h) {
		s += m.Raw()[h.Start():h.End()]
	}
	return s
}

// cancelAll cancels the whole transaction: what the caller's CANCEL does.
func (t *Transaction) cancelAll(reason string) {
	if t.status.Load() >= 200 {
		return
	}
	t.canceled = true
	t.cancelPending(reason)
	if len(t.legs) == 0 && t.script == nil {
		// Nothing was sent: nobody downstream will say 487.
		c := t.table.borrow()
		own := c.Msg
		c.Msg = t.msg
		t.sendReply(c, 487, "Request Terminated", "")
		c.Msg = own
		t.table.giveBack(c)
		return
	}
	t.decide(nil, -1) // legs that a fake 487 ended
}

// cancelPending cancels the legs without a final reply.
func (t *Transaction) cancelPending(reason string) {
	for i := range t.legs {
		if t.legs[i].code < 200 {
			t.cancelLeg(i, reason)
		}
	}
}

// CancelBranches cancels legs without a final reply: all, all but one, or only
// that one. It answers how many.
func (t *Transaction) CancelBranches(keep, only int) int {
	n := 0
	for i := range t.legs {
		if t.legs[i].code < 200 && i != keep && (only < 0 || i == only) {
			t.cancelLeg(i, "")
			n++
		}
	}
	return n
}

// cancelLeg cancels one leg: at once when it has answered, else as
// cancel_b_method says (RFC 3261 §9.1: not before a provisional reply).
func (t *Transaction) cancelLeg(i int, reason string) {
	b := &t.legs[i]
	if b.cancelWanted || t.method != sip.INVITE {
		return
	}
	b.cancelWanted, b.cancelReason = true, reason
	if len(b.sent) == 0 { // of a suspended request: nobody was asked
		b.retrAt, b.frAt = 0, 0
		b.code, b.faked = 487, true
		return
	}
	if b.code >= 100 {
		t.sendCancel(b)
		return
	}
	switch t.table.Settings.CancelBMethod.Get(t.cfg) {
	case 0:
		b.retrAt, b.frAt = 0, 0
		b.code, b.faked = 487, true
	case 2:
		t.sendCancel(b)
	}
}

// sendCancel sends the CANCEL of a leg and repeats it until it is answered.
func (t *Transaction) sendCancel(b *branch) {
	m := b.message()
	if m == nil {
		return
	}
	b.cancel = sip.AppendCancel(nil, m, b.cancelReason)
	t.send(b.dest, b.cancel)
	now := t.table.now()
	b.cancelEnd = now + int64(t.table.Settings.FrTimer.Get(t.cfg))
	if !b.dest.Proto.Reliable() {
		b.cancelStep = t.retr1()
		b.cancelAt = now + b.cancelStep
	}
	// An INVITE that goes unanswered after its CANCEL is given up (RFC 3261
	// §9.1: 64*T1).
	b.frAt = min(b.frAt, t.capped(t.fr()))
	if b.frAt == 0 && b.code < 200 {
		b.frAt = t.capped(t.fr())
	}
}

// cancelReply takes the reply to a leg's CANCEL.
func (b *branch) cancelReply(code int) {
	b.cancelAt = 0
	if code >= 200 {
		b.cancelEnd, b.cancelDone = 0, true
	}
}

// localReason is the Reason line of a CANCEL of our own, "" when switched off.
func (t *Transaction) localReason(code int, text string) string {
	if code == 0 || !t.table.Settings.LocalCancelReason.Bool(t.cfg) {
		return ""
	}
	s := "Reason: SIP;cause=" + strconv.Itoa(code)
	if text != "" {
		s += `;text="` + text + `"`
	}
	return s + "\r\n"
}
