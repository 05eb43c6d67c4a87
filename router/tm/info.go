package tm

import (
	"sipd/router/run"
	"sipd/router/sip"
)

// Info is what lists show of a transaction.
type Info struct {
	Index, Label int
	Method       string
	From, To     string // header lines as received
	CallID, CSeq string
	Local        bool
	Flags, Legs  int
	// Until is when it ends at the latest, in ticks of 20 ms since the start.
	Until int64
}

// Info tells about the transaction; any goroutine may ask.
func (t *Transaction) Info() Info {
	i := Info{
		Index: int(t.entry), Label: int(t.label), Method: t.methodName, Local: t.local,
		CallID: "Call-ID: " + t.callID + "\r\n",
		CSeq:   "CSeq: " + run.Int(int(t.cseq)).Text(),
		Until:  t.armed.Load(), Flags: 2, Legs: 1,
		From: t.fromLine, To: t.toLine,
	}
	if t.method == sip.INVITE {
		i.Flags = 65
	}
	return i
}

func line(m *sip.Message, k sip.HeaderKind) string {
	if h := m.First(k); h != nil {
		return m.Raw()[h.Start():h.End()]
	}
	return ""
}

// Method is the request's method.
func (t *Transaction) Method() string { return t.methodName }

// ID is the index and label by which RPC names the transaction.
func (t *Transaction) ID() (index, label uint32) { return t.entry, t.label }

// LocalTag is the To-tag of replies made here.
func (t *Transaction) LocalTag() string {
	return string(sip.AppendTag(nil, t.table.tag, t.tagHash()))
}

// tagHash is the transaction's part of that tag, never 0.
func (t *Transaction) tagHash() uint32 { return t.label<<1 | 1 }

// Request is the request as received; the owner may ask for it and the others
// below.
func (t *Transaction) Request() string { return t.msg.Raw() }

// Message is the request.
func (t *Transaction) Message() *sip.Message { return t.msg }

// LastReply is the last reply as sent upstream.
func (t *Transaction) LastReply() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.reply)
}

// LegRequest is the request of a leg as it was sent.
func (t *Transaction) LegRequest(i int) string {
	if i < 0 || i >= len(t.legs) {
		return ""
	}
	return string(t.legs[i].sent)
}

// LegReply is the failure that a leg ended with, "" for none.
func (t *Transaction) LegReply(i int) string {
	if m := t.LegMessage(i); m != nil {
		return m.Raw()
	}
	return ""
}

// LegMessage is the failure that a leg ended with, nil for none.
func (t *Transaction) LegMessage(i int) *sip.Message {
	if i < 0 || i >= len(t.legs) {
		return nil
	}
	return t.legs[i].rpl
}

// Cancel cancels all open legs, as a CANCEL of the caller would; reason is a
// Reason line, "" for none. It is for the owner.
func (t *Transaction) Cancel(reason string) { t.cancelAll(reason) }

// Clean drops transactions that are past their life and wait for nothing.
func (tb *Table) Clean() {
	tb.Each(func(t *Transaction) bool {
		t.post(event{kind: evTimer})
		return true
	})
}

// Answer sends a reply from outside of the script: tag is the To-tag, "" for
// the transaction's own, extra complete header lines. false when the final
// reply was sent already.
func (t *Transaction) Answer(code int, reason, tag, extra, body string) bool {
	if t.status.Load() >= 200 || t.local {
		return false
	}
	t.Do(func(t *Transaction) {
		c := t.table.borrow()
		own := c.Msg
		c.Msg, c.ToTagOverride, c.ReplyExtra, c.ReplyBody = t.msg, tag, extra, body
		c.Cfg = t.cfg
		t.Reply(c, code, reason)
		c.Msg = own
		t.table.giveBack(c)
	})
	return true
}

// Flags are the transaction's message flags; SetFlags replaces them.
func (t *Transaction) Flags() uint32 { return t.flags }

// SetFlags replaces the transaction's message flags.
func (t *Transaction) SetFlags(f uint32) { t.flags = f }

// LegRuid is the record id of the stored contact that a leg went to.
func (t *Transaction) LegRuid(i int) string {
	if i < 0 || i >= len(t.legs) {
		return ""
	}
	return t.legs[i].Ruid
}

// LegFlags are the branch flags of a leg.
func (t *Transaction) LegFlags(i int) uint32 {
	if i < 0 || i >= len(t.legs) {
		return 0
	}
	return t.legs[i].Flags
}

// Invite is a copy of the INVITE that c's CANCEL or ACK belongs to, nil when it
// is not known.
func (tb *Table) Invite(c *run.Context) *sip.Message {
	var k key
	if !tb.keyOf(c.Msg, &k) {
		return nil
	}
	t := tb.lookup(&k, sip.INVITE, "")
	if t == nil && k.method == sip.ACK {
		t = tb.lookupDialog(&k)
	}
	if t == nil {
		return nil
	}
	m, err := sip.Parse(t.raw)
	if err != nil {
		return nil
	}
	return m
}
