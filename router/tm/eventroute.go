package tm

import (
	"fmt"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// The event routes.
const (
	evLocalRequest  = "tm:local-request"
	evLocalResponse = "tm:local-response"
)

// event finds an event route, nil when there is none.
func (tb *Table) event(name string) run.Block {
	if tb.env.Block == nil {
		return nil
	}
	return tb.env.Block(run.EventRoute, name)
}

// localRequest shows a request of our own to event_route[tm:local-request]. As
// in Kamailio its changes of headers, body, request URI and socket count, those
// of the next hop do not: where the request goes is settled.
func (t *Transaction) localRequest(c *run.Context, l *branch) error {
	route := t.table.event(evLocalRequest)
	if route == nil {
		return nil
	}
	m, err := sip.Parse(string(l.sent))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	plain := c.Msg
	c.Take()
	c.Msg, c.Main = m, l.Branch
	c.Main.URI, c.RURINew = "", false
	c.SendSock, c.RouteName = l.Branch.Sock, evLocalRequest
	s := l.dest.Sock
	c.Recv = transport.Received{Proto: l.dest.Proto, Src: s.Addr, Dst: l.dest.Addr, Sock: s}
	c.AVPs, c.XAVPs = t.avps, t.xavps
	route.Run(c)
	t.avps, t.xavps, t.flags = c.AVPs, c.XAVPs, c.Flags
	c.Recv, c.Exited = transport.Received{}, false
	if c.Dropped {
		return ErrDropped
	}
	if c.Main.URI == "" && m.Edits.Len() == 0 && c.SendSock == l.Branch.Sock && c.AdvHost == "" && c.AdvPort == 0 && !c.AddLocalRport {
		c.Msg = plain
		return nil
	}
	return t.printAgain(c, l)
}

// printAgain prints the leg with the event route's changes.
func (t *Transaction) printAgain(c *run.Context, l *branch) error {
	v, err := c.Msg.Via()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	l.URI = c.RURI()
	if c.SendSock != l.Branch.Sock {
		l.Branch.Sock = c.SendSock
		if l.dest, _, err = t.table.net.Resolve(c, &l.Branch); err != nil {
			return err
		}
	}
	h := c.Msg.First(sip.HdrVia)
	param := v.Branch
	if err := c.Msg.Edits.Delete(h.Start(), h.End()); err != nil {
		return fmt.Errorf("%w: the Via is not the script's to change: %w", ErrRequest, err)
	}
	l.sent = t.table.net.AppendRequest(nil, c, &l.Branch, l.dest, param)
	m, err := sip.Parse(string(l.sent))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	c.Msg = m
	if m.Method() == t.method {
		t.msg, t.raw, t.ruri = m, m.Raw(), m.RequestURI()
		t.fromLine, t.toLine = line(m, sip.HdrFrom), line(m, sip.HdrTo)
	}
	return nil
}

// localResponse shows a reply that was made and sent here to
// event_route[tm:local-response].
func (t *Transaction) localResponse(buf []byte) {
	route := t.table.event(evLocalResponse)
	if route == nil {
		return
	}
	m, err := sip.Parse(string(buf))
	if err != nil {
		return
	}
	c := t.table.borrow()
	own, avps, xavps := c.Msg, c.AVPs, c.XAVPs
	c.Msg, c.AVPs, c.XAVPs, c.Flags, c.Cfg, c.ID = m, t.avps, t.xavps, t.flags, t.cfg, t.id
	c.Recv, c.Route, c.RouteName, c.Tx = t.recv, run.EventRoute, evLocalResponse, t
	route.Run(c)
	t.avps, t.xavps, t.flags = c.AVPs, c.XAVPs, c.Flags
	c.Msg, c.AVPs, c.XAVPs = own, avps, xavps
	t.table.giveBack(c)
}
