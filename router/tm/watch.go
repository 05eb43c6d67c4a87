package tm

import (
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// Watcher is told what becomes of transactions that requests from the network
// make: module acc writes records of it. All of its functions run as the owner
// of the transaction; nil ones are passed over.
type Watcher struct {
	// New is asked when a request made a transaction; c is its run. true: tell
	// the rest.
	New func(c *run.Context, t *Transaction) bool
	// Ready is told of what Reply is told of, before it is sent: whoever must know
	// of it when the next request comes. It holds the reply up.
	Ready func(c *run.Context, e *Event)
	// Reply is told of replies upstream, after they were sent: provisional ones,
	// finals, and the 2xx of further legs, but no repetitions.
	Reply func(c *run.Context, e *Event)
	// Failed is told that all legs have failed, before a failure route may go on.
	Failed func(c *run.Context, e *Event)
	// Acked is told of the first ACK to a 2xx; c is on the ACK.
	Acked func(c *run.Context, e *Event)
}

// Event is what a Watcher is told. The run that comes with it is on the request,
// with the attributes of the transaction and the request URI of the leg; the
// flags that it leaves there are the transaction's.
type Event struct {
	T    *Transaction
	Code int
	// Reason is the reason phrase that went out.
	Reason string
	// Reply is what was received, nil for replies made here; Recv says how, when
	// Watcher.Reply is told.
	Reply *sip.Message
	Recv  transport.Received
	// ToTag is the tag of To upstream, "" when it has none.
	ToTag string
	// Leg is the leg that replied, -1 for none.
	Leg int
}

// maxWatchers bounds the bits of Transaction.watched.
const maxWatchers = 8

// Watch adds a watcher; modules do so at start. It panics when there are more
// than eight, a fault of the daemon's own.
func (tb *Table) Watch(w *Watcher) {
	if len(tb.watchers) == maxWatchers {
		panic("tm: too many watchers")
	}
	tb.watchers = append(tb.watchers, w)
}

// watch asks who is interested in a new transaction.
func (t *Transaction) watch(c *run.Context) {
	for i, w := range t.table.watchers {
		if w.New == nil || w.New(c, t) {
			t.watched |= 1 << i
		}
	}
}

// tell runs f of each watcher on the request of the transaction. from is the
// run that brought the event about; when that is one of the request itself its
// flags and its request URI count.
func (t *Transaction) tell(from *run.Context, e *Event, f func(*Watcher) func(*run.Context, *Event)) {
	if t.watched == 0 {
		return
	}
	c := t.table.borrow()
	own, avps, xavps := c.Msg, c.AVPs, c.XAVPs
	t.environment(c)
	c.Route, c.Branch = run.RequestRoute, e.Leg
	c.Main.URI = ""
	request := from != nil && from.Tx == any(t) && from.Msg == t.msg
	if request {
		c.Flags, c.SFlags, c.Main, c.AVPs, c.XAVPs = from.Flags, from.SFlags, from.Main, from.AVPs, from.XAVPs
	}
	if e.Leg >= 0 && e.Leg < len(t.legs) {
		c.Main = t.legs[e.Leg].Branch
	}
	before := c.Flags
	for i, w := range t.table.watchers {
		if g := f(w); t.watched&(1<<i) != 0 && g != nil {
			g(c, e)
		}
	}
	if c.Flags != before {
		t.flags = c.Flags
		if request {
			from.Flags = c.Flags
		}
	}
	c.Msg, c.AVPs, c.XAVPs = own, avps, xavps
	t.table.giveBack(c)
}

func (w *Watcher) ready() func(*run.Context, *Event) { return w.Ready }

func (w *Watcher) reply() func(*run.Context, *Event) { return w.Reply }

func (w *Watcher) failed() func(*run.Context, *Event) { return w.Failed }

// tellReply tells of a reply that was received and goes upstream: c is on it.
func (t *Transaction) tellReply(c *run.Context, code int, f func(*Watcher) func(*run.Context, *Event)) {
	if t.watched == 0 {
		return
	}
	leg := c.Branch
	if leg < 0 {
		leg = t.winner
	}
	m := c.Msg
	t.tell(nil, &Event{T: t, Code: code, Reason: m.Reason(), Reply: m, Recv: c.Recv, ToTag: m.ToTag(), Leg: leg}, f)
}

// tellOwn tells of a reply that is made here.
func (t *Transaction) tellOwn(c *run.Context, code int, reason string, f func(*Watcher) func(*run.Context, *Event)) {
	if t.watched == 0 || code <= 100 {
		return
	}
	e := Event{T: t, Code: code, Reason: reason, ToTag: t.LocalTag(), Leg: -1}
	if c.ToTagOverride != "" {
		e.ToTag = c.ToTagOverride
	} else if tag := t.msg.ToTag(); tag != "" {
		e.ToTag = tag
	}
	if code >= 300 && t.winner < len(t.legs) {
		e.Leg = t.winner // as Kamailio: the record names the leg that decided
	}
	t.tell(c, &e, f)
}

// tellFailed tells that all legs have failed.
func (t *Transaction) tellFailed() {
	if t.watched == 0 {
		return
	}
	b := &t.legs[t.winner]
	e := Event{T: t, Code: b.code, Reply: b.rpl, Leg: t.winner}
	if b.rpl != nil {
		e.Reason, e.ToTag = b.rpl.Reason(), b.rpl.ToTag()
	} else {
		e.Reason, e.ToTag = t.fakedReason(b.code), t.LocalTag()
	}
	t.tell(nil, &e, (*Watcher).failed)
}

// ackedDialog takes the ACK to a 2xx and tells of the first. c may be gone when
// the owner comes to it, so what is needed of it is taken along.
func (t *Transaction) ackedDialog(c *run.Context) {
	raw, recv, id := c.Msg.Raw(), c.Recv, c.ID
	t.Do(func(t *Transaction) {
		if t.watched != 0 && !t.acked {
			t.tellAcked(raw, recv, id)
		}
		t.ackedBy()
	})
}

func (t *Transaction) tellAcked(raw string, recv transport.Received, id uint64) {
	m, err := sip.Parse(raw)
	if err != nil {
		return
	}
	c := t.table.borrow()
	own, avps, xavps := c.Msg, c.AVPs, c.XAVPs
	c.Msg, c.AVPs, c.XAVPs, c.Flags = m, t.avps, t.xavps, t.flags
	c.Recv, c.ID, c.Cfg, c.Route = recv, id, t.cfg, run.RequestRoute
	e := Event{T: t, Code: t.Status(), Reason: sip.StatusText(t.Status()), ToTag: m.ToTag(), Leg: -1}
	for i, w := range t.table.watchers {
		if t.watched&(1<<i) != 0 && w.Acked != nil {
			w.Acked(c, &e)
		}
	}
	c.Msg, c.AVPs, c.XAVPs = own, avps, xavps
	t.table.giveBack(c)
}
