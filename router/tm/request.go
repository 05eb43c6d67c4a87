package tm

import (
	"strconv"

	"sipd/router/run"
	"sipd/router/sip"
)

// Found is what a look-up of a request came to.
type Found uint8

// The answers.
const (
	None        Found = iota // of no transaction
	Repetition               // a request that has a transaction: absorbed
	AckFailure               // the ACK to a failure that was sent: absorbed
	AckDialog                // the ACK to a 2xx of a known INVITE: to be passed on
	CancelMatch              // a CANCEL whose INVITE is known
)

// Check looks the request of c up, answers a repetition with the last reply
// and swallows the ACK to a failure. A CANCEL that was not seen before matches
// when its INVITE is known.
func (tb *Table) Check(c *run.Context) (Found, *Transaction) {
	var k key
	if !c.Msg.IsRequest() || !tb.keyOf(c.Msg, &k) {
		return None, nil
	}
	return tb.check(&k, c)
}

func (tb *Table) check(k *key, c *run.Context) (Found, *Transaction) {
	if k.method == sip.ACK {
		if t := tb.lookup(k, sip.INVITE, ""); t != nil {
			return tb.ack(t, c)
		}
		if t := tb.lookupDialog(k); t != nil {
			t.ackedDialog(c)
			return AckDialog, t
		}
		return None, nil
	}
	if t := tb.lookup(k, k.method, k.methodName); t != nil {
		t.RetransmitReply()
		return Repetition, t
	}
	if k.method == sip.CANCEL {
		if t := tb.lookup(k, sip.INVITE, ""); t != nil {
			return CancelMatch, t
		}
	}
	return None, nil
}

// ack takes an ACK on the branch of its INVITE: to a failure it ends here; a
// peer that sends the one to a 2xx so is passed on.
func (tb *Table) ack(t *Transaction, c *run.Context) (Found, *Transaction) {
	switch status := t.status.Load(); {
	case status >= 300:
		t.Do(func(t *Transaction) { t.ackedBy() })
		return AckFailure, t
	case status >= 200:
		t.ackedDialog(c)
		return AckDialog, t
	}
	return AckFailure, t // before any final reply: nothing to acknowledge, nowhere to pass it
}

// ackedBy stops the repetition of the final reply.
func (t *Transaction) ackedBy() {
	t.acked = true
	t.retrAt, t.endAt = 0, 0
	if t.waitAt == 0 && t.status.Load() >= 200 {
		t.wait()
	}
}

// PreRequest is the hook before the script: it absorbs what needs no script,
// which are repetitions and the ACKs to failures. false means absorbed.
func (tb *Table) PreRequest(c *run.Context) bool {
	var k key
	if !tb.keyOf(c.Msg, &k) {
		return true
	}
	if k.method == sip.ACK {
		t := tb.lookup(&k, sip.INVITE, "")
		if t == nil || t.status.Load() < 300 {
			return true
		}
		t.Do(func(t *Transaction) { t.ackedBy() })
		return false
	}
	t := tb.lookup(&k, k.method, k.methodName)
	if t == nil {
		return true
	}
	t.RetransmitReply()
	return false
}

// NewTransaction makes the transaction of c's request and gives it to the run
// until Release: 1. 0 when the request is a repetition, which was answered;
// negative when it has no place in a transaction (an ACK, an incomplete
// message).
func (tb *Table) NewTransaction(c *run.Context) int {
	m := c.Msg
	t := &Transaction{table: tb, winner: -1}
	if !m.IsRequest() || !tb.keyOf(m, &t.key) {
		return -1
	}
	if t.method == sip.ACK {
		return -1
	}
	t.recv, t.replyDest, t.msg = c.Recv, c.ReplyDest(), m
	t.cfg, t.id, t.flags, t.forceR = c.Cfg, c.ID, c.Flags, c.ForceRport
	t.fromLine, t.toLine = line(m, sip.HdrFrom), line(m, sip.HdrTo)
	t.raw = m.Raw()
	t.born = tb.now()
	t.busy, t.script = true, c
	t.legs = t.branch0[:0]
	t.main = run.Branch{Q: run.QUnset}
	t.label = tb.label.Add(1)
	s := tb.shardOf(t.entry)
	s.mu.Lock()
	old := tb.find(s, &t.key, t.method, t.methodName)
	if old == nil {
		s.insert(t)
	}
	s.mu.Unlock()
	if old != nil {
		old.RetransmitReply()
		return 0
	}
	c.Take()
	t.avps, t.xavps = c.AVPs, c.XAVPs
	c.Tx = t
	if a := tb.pending(c); a != nil {
		t.armed1 = *a
		t.Contacts = a.contacts
		t.mayRunScript.Store(a.failure != nil || a.branchFailure != nil)
	}
	tb.Count.Created.Inc()
	tb.Count.UAS.Inc()
	t.watch(c)
	return 1
}

// trying answers an INVITE with 100, once.
func (t *Transaction) trying(c *run.Context) {
	s := t.table.Settings
	if t.method != sip.INVITE || t.armed1.no100 || t.replicated || t.status.Load() != 0 || !s.AutoInv100.Bool(t.cfg) {
		return
	}
	t.sendReply(c, 100, s.AutoInv100Reason.Get(t.cfg), "")
}

// NewTran is t_newtran(): the transaction. As in Kamailio an INVITE gets its 100
// when it is relayed, not here.
func (tb *Table) NewTran(c *run.Context) int {
	if Of(c) != nil {
		return -1
	}
	return tb.NewTransaction(c)
}

// Release is the hook behind the script: the run gives up what it created. A
// transaction that nothing came of is answered when sending failed, and kept
// for repetitions.
func (tb *Table) Release(c *run.Context) {
	if a, ok := c.Slots[tb.slot].(*armed); ok {
		c.Slots[tb.slot] = nil
		*a = armed{}
		tb.armeds.Put(a)
	}
	t := Of(c)
	if t == nil || t.script != c {
		return
	}
	t.script = nil
	if t.relayErr != 0 && t.status.Load() < 200 && !t.relayed && !t.armed1.noFailure && !t.replicated {
		code, text := unsent(t.relayErr, t.relayText)
		t.sendReply(c, code, text, "")
	} else if t.status.Load() < 200 && !t.relayed && t.waitAt == 0 {
		t.wait()
	}
	t.leave()
}

// unsent is how a request that could not be relayed is answered, in the
// words of the elders: the number in parentheses is that of their error.
func unsent(code int, text string) (int, string) {
	if code < 300 || code > 699 || code == 500 {
		return 500, "I'm terribly sorry, server error occurred (1/TM)"
	}
	if text == "" {
		text = sip.StatusText(code)
	}
	return code, text + " (" + strconv.Itoa(code) + "/TM)"
}

// pending is what the run armed before there was a transaction, nil for
// nothing.
func (tb *Table) pending(c *run.Context) *armed {
	a, _ := c.Slots[tb.slot].(*armed)
	return a
}

// Armed is where t_on_… and t_set_… write: the transaction of the run, else a
// place that NewTransaction takes over.
func (tb *Table) arming(c *run.Context) *armed {
	if t := Of(c); t != nil && (t.script == c || c.Route&(run.FailureRoute|run.BranchFailureRoute|run.BranchRoute|run.ReplyRoute) != 0) {
		return &t.armed1
	}
	if a := tb.pending(c); a != nil {
		return a
	}
	a, _ := tb.armeds.Get().(*armed)
	if a == nil {
		a = new(armed)
	}
	c.Slots[tb.slot] = a
	return a
}
