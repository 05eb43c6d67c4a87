package run

import (
	"net/netip"

	"sipd/router/transport"
)

// ReplyDest is where replies to the request go: the address it came from, the
// port that it came from when the topmost Via asks for that (rport, RFC 3581)
// or force_rport was called, else the port that the Via names (RFC 3261
// §18.2.2). On a stream the connection is preferred and the address serves when
// that is closed.
func (c *Context) ReplyDest() transport.Dest {
	d := transport.Dest{
		Proto: c.Recv.Proto, Addr: c.Recv.Src, Sock: c.Recv.Sock, Conn: c.Recv.Conn,
		NoConnect: c.RplNoConnect, Close: c.RplClose,
	}
	v, err := c.Msg.Via()
	if err != nil || c.ForceRport || v.HasRPort {
		return d
	}
	port := v.Port
	if port == 0 {
		port = d.Proto.DefaultPort()
	}
	d.Addr = netip.AddrPortFrom(d.Addr.Addr(), port)
	return d
}
