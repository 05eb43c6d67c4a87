package forward

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// Reply forwards c.Msg, a reply, the way its second Via says, our own taken
// off. Errors are *Error: there is nobody to answer them to.
func Reply(c *run.Context) error {
	d, err := ReplyDest(c)
	if err != nil {
		return err
	}
	p, _ := buffers.Get().(*[]byte)
	opt, _ := options.Get().(*sip.PrintOptions)
	opt.RemoveTopVia, opt.NeedLength = true, d.Proto.Reliable()
	b := c.Msg.AppendTo((*p)[:0], opt, &c.Msg.Edits)
	putOptions(opt)
	err = SendError(c.Env.Transport.Send(d, b))
	putBuffer(p, b)
	return err
}

// ReplyDest is where a reply received goes (RFC 3261 §18.2.2, RFC 3581 §4): the
// second Via's received, else its host; its rport, else its port, else the
// protocol's. On a stream the connection whose number our own Via carries comes
// first.
func ReplyDest(c *run.Context) (transport.Dest, error) {
	v, err := c.Msg.Via2()
	if err != nil {
		return transport.Dest{}, fail(CodeBadURI, fmt.Errorf("%w: %w", errNoVia2, err))
	}
	p, ok := transport.ParseProto(v.Transport)
	if !ok {
		return transport.Dest{}, fail(CodeBadURI, fmt.Errorf("the second Via has the transport %q", v.Transport))
	}
	host := v.Received
	if host == "" {
		host = v.Host
	}
	port := v.Port
	if v.RPort != "" {
		n, err := strconv.ParseUint(v.RPort, 10, 16)
		if err != nil || n == 0 {
			return transport.Dest{}, fail(CodeBadURI, fmt.Errorf("the second Via's rport %q is no port", v.RPort))
		}
		port = uint16(n)
	}
	d, err := replyAddr(c, host, port, p)
	if err != nil {
		return d, err
	}
	if p.Reliable() {
		if own, err := c.Msg.Via(); err == nil && own.I != "" {
			if n, err := strconv.ParseUint(own.I, 16, 64); err == nil && c.Env.Transport.ConnFrom(n, d.Addr.Addr()) {
				d.Conn = n
			}
		}
	}
	d.NoConnect, d.Close = c.RplNoConnect, c.RplClose
	if s := c.SendSock; s != nil {
		d.Sock = s
	} else if s := c.Recv.Sock; s != nil && s.Proto == d.Proto {
		d.Sock = s
	}
	if d.Sock = c.Env.Transport.Choose(d); d.Sock == nil {
		return d, fail(CodeSend, fmt.Errorf("%s to %s: %w", d.Proto, d.Addr, transport.ErrNoSocket))
	}
	return d, nil
}

// replyAddr resolves a Via's host. A port rules SRV out (RFC 3263 §5).
func replyAddr(c *run.Context, host string, port uint16, p transport.Proto) (transport.Dest, error) {
	// received carries IPv6 addresses with and without brackets.
	if a, ok := sip.ParseHostAddr(hostOnly(host)); ok {
		if port == 0 {
			port = p.DefaultPort()
		}
		return transport.Dest{Proto: p, Addr: netip.AddrPortFrom(a, port)}, nil
	}
	d, err := c.Env.Transport.ResolveOne(context.Background(), host, port, p, false)
	if err != nil {
		return d, fail(CodeUnresolvable, err)
	}
	return d, nil
}
