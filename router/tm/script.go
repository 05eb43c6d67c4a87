package tm

import (
	"errors"

	"sipd/router/run"
	"sipd/router/sip"
)

// What script functions and variables ask of transactions and set on them. A
// run that has no transaction yet sets it for the one it will make.

// OnFailure arms a failure_route; nil disarms.
func (tb *Table) OnFailure(c *run.Context, b run.Block, name string) {
	a := tb.arming(c)
	a.failure, a.failureN = b, name
	if t := Of(c); t != nil && b != nil {
		t.mayRunScript.Store(true)
	}
}

// OnBranchFailure arms an event_route[tm:branch-failure:NAME].
func (tb *Table) OnBranchFailure(c *run.Context, b run.Block, name string) {
	a := tb.arming(c)
	a.branchFailure, a.branchFailureN = b, name
	if t := Of(c); t != nil && b != nil {
		t.mayRunScript.Store(true)
	}
}

// ArmReply arms an onreply_route for the legs that start from now on.
func (tb *Table) ArmReply(c *run.Context, b run.Block, name string) {
	a := tb.arming(c)
	a.reply, a.replyN = b, name
}

// ArmBranch arms a branch_route for the legs that start from now on.
func (tb *Table) ArmBranch(c *run.Context, b run.Block, name string) {
	a := tb.arming(c)
	a.branch, a.branchN = b, name
}

// IsSet says whether a route of the kind is armed.
func (tb *Table) IsSet(c *run.Context, kind run.Kind) bool {
	a := tb.pending(c)
	if t := Of(c); t != nil {
		a = &t.armed1
	}
	if a == nil {
		return false
	}
	switch kind {
	case run.FailureRoute:
		return a.failure != nil
	case run.BranchRoute:
		return a.branch != nil
	case run.ReplyRoute:
		return a.reply != nil
	}
	return false
}

// SetFr sets fr_inv_timer and fr_timer of the transaction, ms; 0 leaves one.
// Legs that wait already wait as long from now on.
func (tb *Table) SetFr(c *run.Context, inv, fr int) {
	a := tb.arming(c)
	if inv > 0 {
		a.frInv = inv
	}
	if fr > 0 {
		a.fr = fr
	}
	if t := Of(c); t != nil && a == &t.armed1 {
		t.restartFr(inv, fr)
	}
}

// ResetFr goes back to the settings' timers.
func (tb *Table) ResetFr(c *run.Context) {
	a := tb.arming(c)
	a.fr, a.frInv = 0, 0
	if t := Of(c); t != nil && a == &t.armed1 {
		t.restartFr(1, 1)
	}
}

func (t *Transaction) restartFr(inv, fr int) {
	for i := range t.legs {
		switch b := &t.legs[i]; {
		case b.frAt == 0:
		case t.method == sip.INVITE && b.code >= 100 && inv > 0:
			b.frAt = t.capped(t.frInv())
		case b.code < 100 && fr > 0:
			b.frAt = t.capped(t.fr())
		}
	}
}

// SetLifetime bounds the life of the transaction, ms: the first for an
// INVITE, the second for any other; 0 leaves it.
func (tb *Table) SetLifetime(c *run.Context, inv, other int) {
	n := other
	if c.Msg.Method() == sip.INVITE {
		n = inv
	}
	if t := Of(c); t != nil {
		n = other
		if t.method == sip.INVITE {
			n = inv
		}
	}
	if n > 0 {
		tb.arming(c).life = n
	}
}

// ResetLifetime goes back to the settings'.
func (tb *Table) ResetLifetime(c *run.Context) { tb.arming(c).life = 0 }

// SetRetr sets T1 and T2 of the transaction, ms; 0 leaves one.
func (tb *Table) SetRetr(c *run.Context, t1, t2 int) {
	a := tb.arming(c)
	if t1 > 0 {
		a.retr1 = t1
	}
	if t2 > 0 {
		a.retr2 = t2
	}
}

// ResetRetr goes back to the settings'.
func (tb *Table) ResetRetr(c *run.Context) {
	a := tb.arming(c)
	a.retr1, a.retr2 = 0, 0
}

// SetAutoTrying says whether an INVITE is answered 100 by itself.
func (tb *Table) SetAutoTrying(c *run.Context, on bool) { tb.arming(c).no100 = !on }

// SetDisable6xx says whether a 6xx leaves the other legs alone.
func (tb *Table) SetDisable6xx(c *run.Context, on bool) { tb.arming(c).no6xx = on }

// SetFailureReply says whether a request that cannot be relayed is answered by
// itself.
func (tb *Table) SetFailureReply(c *run.Context, on bool) { tb.arming(c).noFailure = !on }

// SetCancelReason says whether the Reason of a received CANCEL is passed on.
func (tb *Table) SetCancelReason(c *run.Context, on bool) { tb.arming(c).noReason = !on }

// SetFailover says whether another address of a name is tried when the first
// fails.
func (tb *Table) SetFailover(c *run.Context, on bool) { tb.arming(c).noFailover = !on }

// Canceled says whether a CANCEL came.
func (t *Transaction) Canceled() bool { return t.canceled }

// Expired says whether a leg that rang was given up by a timer.
func (t *Transaction) Expired() bool { return t.expired }

// Status is the code of the last reply upstream, 0 before one.
func (t *Transaction) Status() int { return int(t.status.Load()) }

// Winner is the code and the leg of the reply that a failure route decides on.
func (t *Transaction) Winner() (code, leg int) { return t.winnerCode, t.winner }

// Legs is the number of legs so far.
func (t *Transaction) Legs() int { return len(t.legs) }

// Leg tells one leg's last code, whether that was made up by a timer, and its
// request URI.
func (t *Transaction) Leg(i int) (code int, faked bool, uri string) {
	if i < 0 || i >= len(t.legs) {
		return 0, false, ""
	}
	b := &t.legs[i]
	return b.code, b.faked, b.URI
}

// AnyTimeout says whether a leg of the last fork timed out.
func (t *Transaction) AnyTimeout() bool {
	for i := t.firstOf; i < len(t.legs); i++ {
		if t.TimedOut(i) {
			return true
		}
	}
	return false
}

// TimedOut says whether leg i was ended by a timer.
func (t *Transaction) TimedOut(i int) bool {
	return i >= 0 && i < len(t.legs) && t.legs[i].faked && t.legs[i].code == t.table.Settings.Reply408Code
}

// Replied says whether leg i had a provisional reply; as in Kamailio a final one
// does not count.
func (t *Transaction) Replied(i int) bool { return i >= 0 && i < len(t.legs) && t.legs[i].rang }

// AnyReplied says whether a leg of the last fork had a reply.
func (t *Transaction) AnyReplied() bool {
	for i := t.firstOf; i < len(t.legs); i++ {
		if t.Replied(i) {
			return true
		}
	}
	return false
}

// HasStatus says whether a leg that had a provisional reply, as Kamailio asks,
// ended with the code.
func (t *Transaction) HasStatus(code int) bool {
	for i := range t.legs {
		if t.legs[i].code == code && t.legs[i].rang {
			return true
		}
	}
	return false
}

// DropReplies makes the legs so far not count for the best reply: all of them,
// or those of the last fork.
func (t *Transaction) DropReplies(last bool) {
	first := 0
	if last {
		first = t.firstOf
	}
	for i := first; i < len(t.legs); i++ {
		t.legs[i].dropped = true
	}
}

// ReleaseNow is t_release(): the transaction is kept for repetitions only.
func (t *Transaction) ReleaseNow() {
	if t.waitAt == 0 {
		t.wait()
	}
}

// SaveEdits is t_save_lumps(): the edits so far stay for failure routes.
func (t *Transaction) SaveEdits(c *run.Context) { t.flags, t.main = c.Flags, c.Main }

// KeepContacts keeps what t_next_contacts has not taken yet for the transaction
// that the run will make.
func (tb *Table) KeepContacts(c *run.Context, rest []run.Branch) { tb.arming(c).contacts = rest }

// ErrReplied is a reply to a transaction that has had its final one.
var ErrReplied = errors.New("the transaction has its final reply")

// KeptContacts are those.
func (tb *Table) KeptContacts(c *run.Context) []run.Branch {
	if a := tb.pending(c); a != nil {
		return a.contacts
	}
	return nil
}
