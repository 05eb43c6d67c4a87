package tm

import (
	"errors"
	"fmt"

	"sipd/router/forward"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// Request is a request of the daemon's own: what a module sends without a
// message that came in. Method, URI, From and To must be given, all else has a
// default.
type Request struct {
	Method string
	// URI is the request URI; in a dialog the remote target.
	URI string
	// NextHop is the URI of an outbound proxy; "" goes to the first of Routes,
	// else to URI.
	NextHop string
	// Socket is where it leaves from; nil lets the transport choose.
	Socket *transport.Socket
	// From and To are the values of these headers, an address with or without
	// name and brackets. A From without tag is given one.
	From, To string
	// CallID and CSeq are made when they are "" and 0.
	CallID string
	CSeq   uint32
	// Routes is the route set, each an address as a Route header has it, the
	// first to be visited first. A strict router (RFC 3261 §12.2.1.1) is met as
	// it wants it.
	Routes []string
	// Headers are further header lines, each with CRLF, Content-Type of the body
	// among them. Those that the request is made of must not be there.
	Headers string
	Body    string

	// FrTimer and FrInvTimer replace the settings of that name, ms.
	FrTimer, FrInvTimer int
	// NoACK leaves the ACK to a 2xx to the caller, as bodies in it need.
	NoACK bool

	// Done is told the outcome, once: the final reply, or 408 when none came.
	// Provisional is told of each 1xx. Both run in a goroutine of the
	// transactions and hold up its replies, never the caller of Send; either may
	// be nil.
	Done, Provisional func(*Response)
}

// Response is what became of a request of our own.
type Response struct {
	Code   int
	Reason string
	// Msg is the reply, nil when a timer made the outcome up. It stays valid in
	// Done; Provisional takes a Clone of what it keeps.
	Msg *sip.Message
	// Recv says how the reply came in.
	Recv transport.Received
	T    *Transaction
}

// Why Send refuses a request, besides what *forward.Error tells of next hops.
var (
	// ErrDropped: event_route[tm:local-request] or onsend_route dropped it.
	ErrDropped = errors.New("the script dropped the request")
	// ErrRequest: it cannot be made into a message; the error says why.
	ErrRequest = errors.New("the request cannot be sent")
)

// Send sends a request of our own and answers its transaction (RFC 3261 §17.1):
// it is repeated, its failures are acknowledged, and a 2xx to an INVITE is,
// too. Through the transaction it can be cancelled. After an error nothing was
// sent and no function of r is called. An ACK has no transaction: nil.
func (tb *Table) Send(r *Request) (*Transaction, error) {
	m, next, err := tb.message(r)
	if err != nil {
		return nil, err
	}
	t := &Transaction{table: tb, winner: -1, local: true}
	t.ownKey(m)
	if t.method == sip.CANCEL {
		return nil, fmt.Errorf("%w: a CANCEL goes out through the transaction of its INVITE", ErrRequest)
	}
	c := tb.borrow()
	own := c.Msg
	defer func() {
		c.Msg = own
		tb.giveBack(c)
	}()
	t.own(c, m, r)
	b := run.Branch{URI: m.RequestURI(), DstURI: next, Sock: r.Socket, Q: run.QUnset}
	if t.method == sip.ACK {
		return nil, t.sendOnce(c, b)
	}
	tb.enter(t)
	if err := t.launch(c, b); err != nil {
		t.killed = true
		tb.remove(t)
		return nil, err
	}
	tb.Count.Local.Inc()
	t.script = nil
	t.letGo()
	return t, nil
}

// ownKey fills what the transaction is found by.
func (t *Transaction) ownKey(m *sip.Message) {
	k := &t.key
	k.method, k.methodName, k.ruri = m.Method(), m.MethodName(), m.RequestURI()
	k.callID, k.fromTag, k.toTag = m.CallID(), m.FromTag(), m.ToTag()
	if cs, err := m.CSeq(); err == nil {
		k.cseq = cs.Num
	}
	k.entry = t.table.entryOf(k.callID, k.cseq)
}

// own fills the transaction of a request of our own, and the run in which it is
// sent.
func (t *Transaction) own(c *run.Context, m *sip.Message, r *Request) {
	c.Msg, c.Cfg, c.Tx, c.Route = m, t.table.env.Cfg.Snapshot(), t, run.EventRoute
	t.msg, t.raw, t.cfg = m, m.Raw(), c.Cfg
	t.fromLine, t.toLine = line(m, sip.HdrFrom), line(m, sip.HdrTo)
	t.born, t.busy, t.script = t.table.now(), true, c
	t.legs = t.branch0[:0]
	t.avps = new(run.AVPs)
	t.main = run.Branch{Q: run.QUnset}
	t.label = t.table.label.Add(1)
	t.id = uint64(t.label)
	t.uac = &uac{done: r.Done, told: r.Provisional, noACK: r.NoACK}
	t.armed1.fr, t.armed1.frInv = r.FrTimer, r.FrInvTimer
	t.mayRunScript.Store(r.Done != nil) // its timers may call it: not in the ticker
}

// enter puts a transaction of our own into the table.
func (tb *Table) enter(t *Transaction) {
	s := tb.shardOf(t.entry)
	s.mu.Lock()
	s.insert(t)
	s.mu.Unlock()
	tb.Count.Created.Inc()
}

// launch prints the only leg, shows it to the script and sends it.
func (t *Transaction) launch(c *run.Context, b run.Branch) error {
	l := branch{Branch: b}
	if err := t.printLeg(c, 0, &l); err != nil {
		return err
	}
	if err := t.localRequest(c, &l); err != nil {
		return err
	}
	l.onReply, l.replyN = t.armed1.reply, t.armed1.replyN
	if !forward.OnSend(c, l.dest, l.sent) {
		return ErrDropped
	}
	t.legs = append(t.legs, l)
	t.relayed = true
	if err := t.start(0); err != nil {
		t.legs = t.legs[:0]
		return forward.SendError(err)
	}
	return nil
}

// sendOnce sends an ACK.
func (t *Transaction) sendOnce(c *run.Context, b run.Branch) error {
	l := branch{Branch: b}
	if err := t.printLeg(c, 0, &l); err != nil {
		return err
	}
	if err := t.localRequest(c, &l); err != nil {
		return err
	}
	return forward.SendError(t.table.net.Send(l.dest, l.sent))
}

// letGo ends the ownership of Send. What came meanwhile is left to a worker: the
// caller may hold locks that the functions of its request take.
func (t *Transaction) letGo() {
	t.schedule()
	t.mu.Lock()
	waiting := len(t.queue) > 0
	t.busy = false
	t.mu.Unlock()
	if !waiting {
		return
	}
	select {
	case t.table.jobs <- t:
	default:
		t.table.arm(t, t.table.now()+tick)
	}
}
