package binrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"

	"sipd/rpc"
	"sipd/rpc/socket"
)

// Server answers BinRPC. It is a [socket.Protocol]; Listen and Serve are for
// those who have no [socket.Server] of their own.
type Server struct {
	// Registry has the methods.
	Registry *rpc.Registry
	// AutoConvert converts parameters into what methods declare.
	AutoConvert bool
	// MaxBody bounds a reply's body in octets; 0 means MaxReplyBody.
	MaxBody int
	// Log gets what the peer does not; nil means slog.Default.
	Log *slog.Logger
	// MaxConns, File and Guard are those of the [socket.Server] of Listen.
	MaxConns int
	File     FileMode
	Guard    *socket.Guard

	net socket.Server
}

var _ socket.Protocol = (*Server)(nil)

// Name is binrpc.
func (s *Server) Name() string { return "binrpc" }

// Listen opens a socket. A unix socket that another daemon lives on is an
// *[InUseError]; a stale one is replaced.
func (s *Server) Listen(ctx context.Context, a Address) error {
	s.net.MaxConns, s.net.File, s.net.Guard, s.net.Log = s.MaxConns, s.File, s.Guard, s.Log
	return s.net.Listen(ctx, a, s)
}

// Serve answers calls until ctx ends; see [socket.Server.Serve].
func (s *Server) Serve(ctx context.Context) error { return s.net.Serve(ctx) }

// Close closes the sockets of a server that is not serving.
func (s *Server) Close() { s.net.Close() }

// Sockets lists where the server listens.
func (s *Server) Sockets() []Socket { return s.net.Sockets() }

// Conns lists the open stream connections in the order they came.
func (s *Server) Conns() []Conn { return s.net.Conns() }

// Stream serves one connection: requests may come in pieces or several at
// once, replies go out in order, those of one read in one write.
func (s *Server) Stream(ctx context.Context, c net.Conn, who *rpc.Caller) {
	in := reader{r: c, max: MaxRequest}
	w := s.wire()
	var out []byte
	var pages pages
	defer pages.drop()
	for {
		h, body, err := in.buffered()
		if errors.Is(err, ErrShort) {
			if len(out) > 0 {
				if _, werr := c.Write(out); werr != nil {
					return
				}
				out = out[:0]
			}
			if err = in.fill(); err == nil {
				continue
			}
		}
		if err != nil {
			refuse(c, append(out, corrupt(err)...))
			return
		}
		var ok bool
		var call *rpc.Call
		at := len(out)
		if out, call, ok = s.answer(ctx, out, &pages, w, who, h, body); !ok {
			refuse(c, out)
			return
		}
		if len(out)-at > elderReply && isElder(c) {
			out = AppendFault(out[:at], h.Cookie, elderFault(len(out)-at))
		}
		if len(out) > 1<<16 || call != nil && call.Deferred() {
			if _, err := c.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		if call != nil {
			call.Done()
		}
		if len(out) == 0 && cap(out) > 1<<18 {
			out = nil // one long reply is no reason to hold its memory for the connection's life
		}
	}
}

func (s *Server) wire() *rpc.Wire {
	return &rpc.Wire{Kind: rpc.BinRPC, AutoConvert: s.AutoConvert, Log: s.Log}
}

// elderReply is the longest reply that kamcmd and sercmd read, header included.
const elderReply = 128 << 10

// isElder says whether a client of this machine is kamcmd or sercmd. What
// nobody can know, over TCP, is not asked: they then say so themselves.
func isElder(c net.Conn) bool {
	cred := socket.Credentials(c)
	if cred == nil {
		return false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cred.Pid))
	if err != nil {
		return false
	}
	switch strings.TrimSpace(string(name)) {
	case "kamcmd", "sercmd":
		return true
	}
	return false
}

func elderFault(n int) *rpc.Fault {
	return rpc.TooLong(fmt.Sprintf("into the 128 KiB that this client reads (it has %d)", n>>10), "use sipcmd, or ask for a part of it")
}

// refuse sends what is left and ends the connection. On TCP, octets that were
// not read would make the kernel drop what was just written, so they are read.
func refuse(c net.Conn, out []byte) {
	if len(out) > 0 {
		_, _ = c.Write(out)
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite()
		_ = t.SetReadDeadline(deadline(lingerTime))
		_, _ = io.CopyN(io.Discard, t, MaxRequest)
	}
}

// corrupt is the fault for a header that is none; nothing for a connection
// that ended, failed, or announced more than it may.
func corrupt(err error) []byte {
	var ce *CorruptError
	if errors.As(err, &ce) {
		return AppendFault(nil, ce.Cookie, &rpc.Fault{Code: 400, Text: "bad request: corrupted packet"})
	}
	return nil
}

// Datagram answers one datagram: a packet each, nothing for cut ones. A reply
// that no datagram holds is a fault that says so.
func (s *Server) Datagram(ctx context.Context, out []byte, who *rpc.Caller, in []byte) ([]byte, func()) {
	h, err := ParseHeader(in)
	switch {
	case errors.Is(err, ErrShort):
		return out, nil
	case err != nil:
		return append(out, corrupt(err)...), nil
	case len(in)-h.Size < h.Len:
		return out, nil
	}
	at := len(out)
	out, call, _ := s.answer(ctx, out, nil, s.wire(), who, h, in[h.Size:h.Size+h.Len])
	if len(out)-at > MaxDatagram {
		out = AppendFault(out[:at], h.Cookie, tooLong(false, MaxDatagram))
	}
	if call == nil {
		return out, nil
	}
	return out, call.Done
}

// answer appends the reply to one request; ok is false when the connection is
// to be closed after it. A panic while a reply is made or written is logged and
// answered by a fault. pages is nil where there is no connection.
func (s *Server) answer(ctx context.Context, out []byte, pages *pages, w *rpc.Wire, who *rpc.Caller, h Header, body []byte) (reply []byte, call *rpc.Call, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			s.log().LogAttrs(ctx, slog.LevelError, "binrpc request panicked", slog.String("peer", who.Peer),
				slog.Any("err", p), slog.String("stack", string(debug.Stack())))
			reply = AppendFault(out, h.Cookie, &rpc.Fault{Code: 500, Text: "internal server error"})
			call, ok = nil, true
		}
	}()
	if h.Type != typeRequest {
		return append(out, corrupt(&CorruptError{h.Cookie})...), nil, false
	}
	args := NewDecoder(body)
	first, err := args.Next()
	method, isText := first.(rpc.String)
	switch {
	case errors.Is(err, io.EOF):
		err = rpc.ErrEnd
	case err == nil && !isText:
		err = rpc.ErrType
	}
	if err != nil {
		return AppendFault(out, h.Cookie, rpc.Faultf(400, "bad request method: %s", err)), nil, false
	}
	if method == rpc.PageMethod {
		if reply, call, ok = s.page(ctx, out, pages, w, who, h, &args); ok {
			return reply, call, true
		}
	}
	call, fault := w.Dispatch(ctx, s.Registry, who, string(method), &args)
	if fault != nil {
		return AppendFault(out, h.Cookie, fault), nil, true
	}
	limit := s.MaxBody
	if limit == 0 {
		limit = MaxReplyBody
	}
	if reply, err = appendCall(out, h.Cookie, call, limit); err != nil {
		reply = AppendFault(out, h.Cookie, tooLong(pages != nil, limit))
	}
	return reply, call, true
}

// tooLong is the fault in place of a reply that is too long.
func tooLong(stream bool, limit int) *rpc.Fault {
	if stream {
		return rpc.TooLong(fmt.Sprintf("into the %d KiB of one packet", limit>>10),
			"use sipcmd, which fetches it in pieces, ask for a part of it, or raise binrpc_max_body_size of module ctl")
	}
	return rpc.TooLong(fmt.Sprintf("into a datagram (%d KiB)", limit>>10),
		"use a stream socket (unixs: or tcp:), or ask for a part of it")
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
