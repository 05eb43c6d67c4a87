package forward

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/cespare/xxhash/v2"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// buffers are for messages on their way out; Send does not keep them.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

// maxPooled keeps rare large messages from staying in memory.
const maxPooled = 16 << 10

func putBuffer(p *[]byte, b []byte) {
	if cap(b) <= maxPooled {
		*p = b[:0]
		buffers.Put(p)
	}
}

// Request forwards c.Msg without state to its next hop (the script's
// forward()): 1, or -1 with c.Err set. Where several addresses are known and
// the first cannot be sent to, the next is tried. Max-Forwards is the script's
// business, as with the elders.
func Request(c *run.Context) int {
	d, err := ResolveOne(c, &c.Main)
	if err != nil {
		return Fail(c, err)
	}
	if err = sendRequest(c, d); err == nil {
		return 1
	}
	ds, rerr := Resolve(c, &c.Main)
	if rerr != nil || len(ds) < 2 {
		return Fail(c, err)
	}
	for _, d := range ds[1:] {
		if err = sendRequest(c, d); err == nil {
			return 1
		}
	}
	return Fail(c, err)
}

// RequestTo forwards c.Msg without state to a host (forward(host, port)) or,
// with plain, sends it there as it was received (send(host, port)). proto ""
// and host "" take what the next hop's URI says; port 0 is looked up, or the
// protocol's. It answers as Request.
func RequestTo(c *run.Context, proto, host string, port int, plain bool) int {
	p := transport.ProtoNone
	if proto != "" {
		known := false
		if p, known = transport.ParseProto(proto); !known {
			return Fail(c, fail(CodeBadURI, fmt.Errorf("protocol %q is not known", proto)))
		}
	}
	if port < 0 || port > 65535 {
		return Fail(c, fail(CodeBadURI, fmt.Errorf("port %d is not one", port)))
	}
	n := uint16(port)
	if host == "" {
		h, up, upr, _, err := target(Next(c, &c.Main))
		if err != nil {
			return Fail(c, err)
		}
		host = h
		if n == 0 {
			n = up
		}
		if p == transport.ProtoNone {
			p = upr
		}
	}
	d, err := c.Env.Transport.ResolveOne(context.Background(), host, n, p, false)
	if err != nil {
		return Fail(c, fail(CodeUnresolvable, err))
	}
	if err := complete(c, &c.Main, &d); err != nil {
		return Fail(c, err)
	}
	if plain {
		err = sendPlain(c, d)
	} else {
		err = sendRequest(c, d)
	}
	if err != nil {
		return Fail(c, err)
	}
	return 1
}

func sendPlain(c *run.Context, d transport.Dest) error {
	p, _ := buffers.Get().(*[]byte)
	b := append((*p)[:0], c.Msg.Raw()...)
	err := SendError(c.Env.Transport.Send(d, b))
	putBuffer(p, b)
	return err
}

// sendRequest prints and sends, by another transport when the datagram is
// larger than udp_mtu.
func sendRequest(c *run.Context, d transport.Dest) error {
	p, _ := buffers.Get().(*[]byte)
	var branch [len(Cookie) + 20]byte
	key := string(AppendBranch(branch[:0], c.Msg))
	b := AppendRequest((*p)[:0], c, &c.Main, d, key)
	defer func() { putBuffer(p, b) }()
	if o, ok := c.Env.Transport.Oversize(d, len(b)); ok {
		// RFC 3261 §18.1.1: if the other transport is refused, by UDP after all.
		b = AppendRequest(b[:0], c, &c.Main, o, key)
		if !OnSend(c, o, b) || c.Env.Transport.Send(o, b) == nil {
			return nil
		}
		b = AppendRequest(b[:0], c, &c.Main, d, key)
	} else if !OnSend(c, d, b) {
		return nil
	}
	return SendError(c.Env.Transport.Send(d, b))
}

// OnSend runs the script's onsend_route for a message that is about to go to d;
// false when the script dropped it. It is for requests of others that go out for
// the first time, as with the elders.
func OnSend(c *run.Context, d transport.Dest, data []byte) bool {
	if c.Env.Block == nil {
		return true
	}
	block := c.Env.Block(run.OnSendRoute, "")
	if block == nil {
		return true
	}
	route, name, rc, exited, dropped := c.Route, c.RouteName, c.RC, c.Exited, c.Dropped
	c.Route, c.RouteName, c.Exited, c.Dropped = run.OnSendRoute, "", false, false
	c.Out = run.Outgoing{Dest: d, Data: data}
	block.Run(c)
	keep := !c.Dropped
	c.Out = run.Outgoing{}
	c.Route, c.RouteName, c.RC, c.Exited, c.Dropped = route, name, rc, exited, dropped
	return keep
}

// AppendBranch appends the branch parameter of a request that is forwarded
// without state (RFC 3261 §16.11): a hash of what does not change between
// retransmissions, and is the same for an INVITE, its CANCEL and the ACK to its
// failure, so that the next hop sees them as one transaction.
func AppendBranch(dst []byte, m *sip.Message) []byte {
	var h xxhash.Digest
	h.Reset()
	add := func(s string) {
		_, _ = h.WriteString(s) // a hash does not fail
		_, _ = h.WriteString("\x00")
	}
	via, err := m.Via()
	if err == nil && len(via.Branch) > len(Cookie) && via.Branch[:len(Cookie)] == Cookie {
		add(via.Branch)
		add(via.Host)
	} else {
		if err == nil {
			add(m.Raw()[via.Start:via.End])
		}
		add(m.FromTag())
		if q, err := m.CSeq(); err == nil {
			var num [10]byte
			add(string(strconv.AppendUint(num[:0], uint64(q.Num), 10)))
		}
		add(m.RequestURI())
	}
	add(m.CallID())
	dst = append(dst, Cookie+"0."...)
	return strconv.AppendUint(dst, h.Sum64(), 16)
}

// errNoVia2 is a reply to a request of our own that nobody waits for.
var errNoVia2 = errors.New("there is no second Via to send the reply to")
