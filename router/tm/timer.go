package tm

import (
	"sipd/router/sip"
	"sipd/router/transport"
)

// due is the earliest of t's deadlines, 0 when it has none.
func (t *Transaction) due() int64 {
	var d int64
	least := func(at int64) {
		if at != 0 && (d == 0 || at < d) {
			d = at
		}
	}
	least(t.retrAt)
	least(t.endAt)
	least(t.waitAt)
	for i := range t.legs {
		b := &t.legs[i]
		least(b.retrAt)
		least(b.frAt)
		least(b.cancelAt)
		least(b.cancelEnd)
	}
	return d
}

// schedule arms the wheel for the earliest deadline. A transaction that has
// none, because nothing was ever sent, still wakes at the end of its life.
func (t *Transaction) schedule() {
	if t.killed {
		return
	}
	d := t.due()
	if d == 0 {
		d = t.born + t.life()
	}
	t.table.arm(t, d)
}

// life is how long the transaction may last.
func (t *Transaction) life() int64 {
	s := t.table.Settings
	n := t.armed1.life
	switch {
	case n > 0:
	case t.method == sip.INVITE:
		n = s.MaxInvLifetime.Get(t.cfg)
	default:
		n = s.MaxNonInvLifetime.Get(t.cfg)
	}
	return int64(n)
}

// capped is a deadline n milliseconds from now, at most the end of life.
func (t *Transaction) capped(n int) int64 {
	now := t.table.now()
	at := now + int64(n)
	if t.life() > 0 {
		at = min(at, t.born+t.life())
	}
	return max(at, now+1)
}

func (t *Transaction) retr1() int64 {
	if t.armed1.retr1 > 0 {
		return int64(t.armed1.retr1)
	}
	return int64(t.table.Settings.RetrTimer1.Get(t.cfg))
}

func (t *Transaction) retr2() int64 {
	if t.armed1.retr2 > 0 {
		return int64(t.armed1.retr2)
	}
	return int64(t.table.Settings.RetrTimer2.Get(t.cfg))
}

func (t *Transaction) fr() int {
	if t.armed1.fr > 0 {
		return t.armed1.fr
	}
	return t.table.Settings.FrTimer.Get(t.cfg)
}

func (t *Transaction) frInv() int {
	if t.armed1.frInv > 0 {
		return t.armed1.frInv
	}
	return t.table.Settings.FrInvTimer.Get(t.cfg)
}

// passed says whether a deadline is set and over.
func passed(at, now int64) bool { return at != 0 && at <= now }

// expire does what is due now.
func (t *Transaction) expire() {
	now := t.table.now()
	if t.killed {
		return
	}
	if passed(t.waitAt, now) {
		t.kill()
		return
	}
	if passed(t.endAt, now) {
		t.retrAt, t.endAt = 0, 0
		if t.waitAt == 0 {
			t.wait()
		}
	}
	if passed(t.retrAt, now) {
		t.RetransmitReply()
		t.retrStep = min(t.retrStep*2, t.retr2())
		t.retrAt = now + t.retrStep
	}
	timedOut := false
	for i := range t.legs {
		if t.expireLeg(i, now) {
			timedOut = true
		}
	}
	if timedOut {
		t.decide(nil, -1)
	}
	if t.due() == 0 && now >= t.born+t.life() {
		// Nothing was sent and nobody answered: it has no purpose left.
		t.kill()
	}
}

// expireLeg repeats the request or CANCEL of a leg, or ends it; true when the
// leg ended without a reply.
func (t *Transaction) expireLeg(i int, now int64) bool {
	b := &t.legs[i]
	if passed(b.cancelEnd, now) {
		b.cancelAt, b.cancelEnd = 0, 0
	}
	if passed(b.cancelAt, now) {
		t.send(b.dest, b.cancel)
		b.cancelStep = min(b.cancelStep*2, t.retr2())
		b.cancelAt = now + b.cancelStep
	}
	if passed(b.frAt, now) {
		b.frAt, b.retrAt = 0, 0
		if b.code >= 200 {
			return false
		}
		t.timeout(i)
		return true
	}
	if passed(b.retrAt, now) {
		t.send(b.dest, b.sent)
		// As the elders: T2 bounds INVITEs, too (RFC 3261 §17.1.1.2 lets them double on).
		b.retrStep = min(b.retrStep*2, t.retr2())
		b.retrAt = now + b.retrStep
	}
	return false
}

// timeout ends a leg that did not answer in time. An INVITE that rang is
// cancelled (RFC 3261 §16.8); one that never answered cannot be.
func (t *Transaction) timeout(i int) {
	b := &t.legs[i]
	rang := b.code >= 100
	if t.method == sip.INVITE && rang {
		t.expired = true
		t.cancelLeg(i, "") // as Kamailio: a timeout gives no Reason
	}
	b.code, b.faked = t.table.Settings.Reply408Code, true
	b.rpl = nil
	if !rang {
		t.failoverNow(i)
	}
}

// wait keeps the finished transaction for repetitions, then lets it go.
func (t *Transaction) wait() {
	if t.waitAt == 0 {
		t.table.Count.Waiting.Inc()
	}
	t.waitAt = t.table.now() + max(int64(t.table.Settings.WtTimer.Get(t.cfg)), 1)
	t.mayRunScript.Store(false)
}

// kill takes the transaction out of the table for good.
func (t *Transaction) kill() {
	if t.killed {
		return
	}
	t.killed = true
	if t.waitAt != 0 {
		t.table.Count.Waiting.Dec()
	}
	t.table.remove(t)
	if t.local {
		t.tellDone(nil, t.table.Settings.Reply408Code, transport.Received{}) // nobody is left waiting
	}
}

// send sends and leaves a failure to the timers.
func (t *Transaction) send(d transport.Dest, b []byte) bool {
	return len(b) > 0 && t.table.net.Send(d, b) == nil
}
