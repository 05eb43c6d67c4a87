package tm

import (
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// uac is what the transaction of a request of our own has besides.
type uac struct {
	done, told func(*Response) // nil when there is nobody to tell, or was told
	noACK      bool
	acks       []localAck
}

// localAck is the ACK to one 2xx, kept for its repetitions: dialogs are told
// apart by the To-tag.
type localAck struct {
	tag  string
	dest transport.Dest
	buf  []byte
}

// tellProvisional tells of a 1xx to a request of our own. c is on the reply.
func (t *Transaction) tellProvisional(c *run.Context, code int) {
	if f := t.uac.told; f != nil {
		f(&Response{Code: code, Reason: c.Msg.Reason(), Msg: c.Msg, Recv: c.Recv, T: t})
	}
}

// finishLocal ends a request of our own with an outcome.
func (t *Transaction) finishLocal(m *sip.Message, code int, recv transport.Received) {
	if t.status.Load() < 200 && code/100 < len(t.table.Count.Class) {
		t.table.Count.Class[code/100].Inc()
	}
	t.status.Store(int32(code))
	t.tellDone(m, code, recv)
	if t.waitAt == 0 {
		t.wait()
		t.linger()
	}
}

// tellDone tells whoever asked for the request how it ended, once.
func (t *Transaction) tellDone(m *sip.Message, code int, recv transport.Received) {
	f := t.uac.done
	t.uac.done, t.uac.told = nil, nil
	if f == nil {
		return
	}
	r := Response{Code: code, Reason: t.fakedReason(code), Msg: m, Recv: recv, T: t}
	if m != nil {
		r.Reason = m.Reason()
	}
	f(&r)
}

// linger keeps an INVITE of our own for as long as its final reply may be
// repeated and wants its ACK (timers D and M of RFC 3261 §17.1.1.2, RFC 6026
// §7.2).
func (t *Transaction) linger() {
	if t.method != sip.INVITE || t.legs[0].faked || t.legs[0].dest.Proto.Reliable() && t.status.Load() >= 300 {
		return
	}
	t.waitAt = max(t.waitAt, t.table.now()+64*t.retr1())
}

// acknowledge answers a 2xx to an INVITE of our own (RFC 3261 §13.2.2.4), its
// repetitions with the same ACK. A 2xx of another dialog, from a proxy that
// forked, or one that comes when the request has failed already, is acknowledged
// and that call is ended: nobody here waits for it.
func (t *Transaction) acknowledge(c *run.Context) {
	tag := c.Msg.ToTag()
	for i := range t.uac.acks {
		if a := &t.uac.acks[i]; a.tag == tag {
			t.send(a.dest, a.buf)
			return
		}
	}
	if t.uac.noACK || len(t.uac.acks) == maxBranches {
		return
	}
	d, err := DialogOfReply(t.msg, c.Msg)
	if err != nil {
		return
	}
	d.Socket = t.legs[0].dest.Sock
	a := localAck{tag: tag}
	if a.dest, a.buf, err = t.printAck(c, d); err != nil {
		return
	}
	t.uac.acks = append(t.uac.acks, a)
	t.send(a.dest, a.buf)
	if len(t.uac.acks) > 1 || t.status.Load() >= 200 {
		// It was sent or there is nobody to hear of it; the dialog ends anyway.
		_, _ = t.table.Send(d.Request("BYE"))
	}
}

// printAck prints the ACK to the 2xx that c is on. Where it goes is
// local_ack_mode's: 0 as RFC 3261 says, 1 where the INVITE went, 2 where the
// reply came from.
func (t *Transaction) printAck(c *run.Context, d *Dialog) (transport.Dest, []byte, error) {
	m, next, err := t.table.message(d.Request("ACK"))
	if err != nil {
		return transport.Dest{}, nil, err
	}
	tb := t.table
	ac := tb.borrow()
	own := ac.Msg
	defer func() {
		ac.Msg = own
		tb.giveBack(ac)
	}()
	ac.Msg, ac.Cfg, ac.Tx, ac.Route = m, t.cfg, t, run.EventRoute
	l := branch{Branch: run.Branch{URI: m.RequestURI(), DstURI: next, Sock: d.Socket, Q: run.QUnset}}
	switch tb.Settings.LocalAckMode.Get(t.cfg) {
	case 1:
		l.dest = t.legs[0].dest
	case 2:
		l.dest = transport.Dest{Proto: c.Recv.Proto, Addr: c.Recv.Src, Sock: c.Recv.Sock, Conn: c.Recv.Conn}
	default:
		if l.dest, _, err = tb.net.Resolve(ac, &l.Branch); err != nil {
			return l.dest, nil, err
		}
	}
	// A transaction of its own, so a branch of its own (RFC 3261 §13.2.2.4).
	id := branchID{t.entry, tb.label.Add(1), 0}
	return l.dest, tb.net.AppendRequest(nil, ac, &l.Branch, l.dest, id.String()), nil
}
