package mi

import (
	"bytes"
	"context"
	"net"

	"sipd/rpc"
	"sipd/rpc/socket"
)

var _ socket.Protocol = (*Server)(nil)

// Name is mi.
func (s *Server) Name() string { return "mi" }

// Stream serves nothing: the interface never had a stream socket.
func (s *Server) Stream(context.Context, net.Conn, *rpc.Caller) {}

// Datagram answers the command in a datagram: ":command:", the arguments, and
// an empty line, which may be missing. A reply that does not fit says so.
func (s *Server) Datagram(ctx context.Context, out []byte, who *rpc.Caller, in []byte) ([]byte, func()) {
	r, found, _ := next(append(bytes.Clone(in), "\n\n"...))
	if !found {
		return out, nil
	}
	b := bytes.NewBuffer(out)
	done := s.answer(ctx, b, who, &r)
	if b.Len()-len(out) > maxDatagram {
		b.Truncate(len(out))
		b.WriteString("413 the reply does not fit into a datagram: use mi_fifo, or ask for a part of it\n\n")
	}
	return b.Bytes(), done
}
