package web

import (
	"io"

	"sipd/router/run"
	"sipd/router/transport"
	"sipd/rpc"
	"sipd/rpc/socket"
)

// Caller is who sent the request, as the daemon's guard sees it. Where it is
// nobody who may call, the request is answered (401, 403) and the answer nil.
func (r *Request) Caller(c *run.Context, g *socket.Guard, access socket.Access, most rpc.Role) *rpc.Caller {
	o := socket.Origin{Peer: c.Recv.Src.String(), Addr: c.Recv.Src.Addr(), TLS: c.Recv.Proto == transport.TLS || c.Recv.Proto == transport.WSS}
	if o.TLS && c.Env.Transport != nil {
		if state, ok := c.Env.Transport.TLSState(c.Recv.Conn); ok && len(state.PeerCertificates) > 0 {
			o.Cert = state.PeerCertificates[0]
		}
	}
	who, fault := g.Authorize(o, access, most, r.Header)
	if fault == nil {
		return who
	}
	if fault.Code == 401 {
		c.ReplyExtra += "WWW-Authenticate: Bearer realm=\"sipd\"\r\n"
	}
	if w := r.Start(c, fault.Code, fault.Text, "text/plain"); w != nil {
		_, _ = io.WriteString(w, fault.Text+"\n")
		_ = r.End()
	}
	return nil
}
