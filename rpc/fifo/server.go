package fifo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"sipd/rpc"
	"sipd/rpc/socket"
)

// Server answers the line protocol on sockets (it is a [socket.Protocol]) and
// on named pipes (a [socket.PipeProtocol]).
type Server struct {
	// Registry has the methods.
	Registry *rpc.Registry
	// Log gets what the peer does not; nil means slog.Default.
	Log *slog.Logger
}

var (
	_ socket.Protocol     = (*Server)(nil)
	_ socket.PipeProtocol = (*Server)(nil)
)

// writeTime is how long a client may take to read a piece of its reply.
const writeTime = 30 * time.Second

// Name is fifo.
func (s *Server) Name() string { return "fifo" }

// Stream serves one connection: requests may come in pieces or several at
// once; each is answered behind the one before. One that does not end within
// MaxServed octets gets a fault, and the connection ends.
func (s *Server) Stream(ctx context.Context, c net.Conn, who *rpc.Caller) {
	var in []byte
	buf := make([]byte, 4096)
	out := bufio.NewWriter(&deadlineWriter{c})
	for {
		req, n, err := next(in)
		if err != nil {
			lineWriter{out}.status(400, "Request too long")
			_ = out.Flush()
			return
		}
		if n == 0 {
			if out.Flush() != nil {
				return
			}
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			in = append(in, buf[:n]...)
			continue
		}
		call := s.answer(ctx, out, who, &req)
		in = in[n:]
		if len(in) == 0 {
			in = nil // a long request is no reason to hold its memory
		}
		if call != nil && call.Deferred() {
			if out.Flush() != nil {
				return
			}
			call.Done()
		}
	}
}

// deadlineWriter gives each write its time: a client that takes nothing does
// not hold its reply in memory for good.
type deadlineWriter struct{ c net.Conn }

func (w *deadlineWriter) Write(b []byte) (int, error) {
	if err := w.c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return w.c.Write(b)
}

// maxDatagram is what a datagram holds.
const maxDatagram = 65507

// Datagram answers the first request of a datagram; one that does not end in
// it is ignored. A reply that no datagram holds is a fault that says so.
func (s *Server) Datagram(ctx context.Context, out []byte, who *rpc.Caller, in []byte) ([]byte, func()) {
	req, n, err := next(in)
	if n == 0 || err != nil {
		return out, nil
	}
	b := bytes.NewBuffer(out)
	w := bufio.NewWriter(&limitWriter{b, maxDatagram})
	call := s.answer(ctx, w, who, &req)
	if w.Flush() != nil {
		b.Truncate(len(out))
		w = bufio.NewWriter(b)
		f := rpc.TooLong("into a datagram", "use a stream socket (unixs: or tcp:) or a fifo, or ask for a part of it")
		lineWriter{w}.status(f.Code, f.Text)
		_ = w.Flush()
	}
	if call == nil {
		return b.Bytes(), nil
	}
	return b.Bytes(), call.Done
}

// limitWriter fails when more is written than there is room for.
type limitWriter struct {
	w    io.Writer
	room int
}

func (l *limitWriter) Write(b []byte) (int, error) {
	if len(b) > l.room {
		l.room = -1
		return 0, io.ErrShortWrite
	}
	l.room -= len(b)
	return l.w.Write(b)
}

// Cut takes the next request off what came through a pipe. A line that begins
// none is passed over alone: everybody writes here.
func (s *Server) Cut(data []byte) (n int, r socket.PipeRequest, err error) {
	if lf := bytes.IndexByte(data, '\n'); lf >= 0 && parse(data[:lf+1], lf).none {
		return lf + 1, r, nil
	}
	req, n, err := next(data)
	if errors.Is(err, errTooLong) {
		if lf := bytes.IndexByte(data[n:], '\n'); lf >= 0 {
			r.Reply = parse(data[n:], lf).reply
		}
		r.Answer = func(_ context.Context, w io.Writer, _ *rpc.Caller) func() {
			_, _ = io.WriteString(w, "400 Request too long\n")
			return nil
		}
		return n, r, err
	}
	if n == 0 || req.none {
		return n, r, nil
	}
	req.lines = bytes.Clone(req.lines) // data is used again
	r.Reply = req.reply
	r.Answer = func(ctx context.Context, w io.Writer, who *rpc.Caller) func() {
		out := bufio.NewWriter(w)
		call := s.answer(ctx, out, who, &req)
		_ = out.Flush() // what cannot be written, the pipe logs
		if call == nil {
			return nil
		}
		return call.Done
	}
	return n, r, nil
}

// Skip finds the end of a request that was too long.
func (s *Server) Skip(data []byte) (n int, done bool) {
	if end := requestEnd(data); end >= 0 {
		return end, true
	}
	if lf := bytes.LastIndexByte(data, '\n'); lf >= 0 {
		return lf + 1, false
	}
	return len(data), false
}

// answer writes the reply to one request. A panic is logged and answered, if
// nothing was written yet, by a fault.
func (s *Server) answer(ctx context.Context, out *bufio.Writer, who *rpc.Caller, req *request) (call *rpc.Call) {
	l := lineWriter{out}
	if req.none {
		l.status(200, "OK") // as the elders
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			s.log().LogAttrs(ctx, slog.LevelError, "a line request panicked", slog.String("peer", who.Peer),
				slog.Any("err", p), slog.String("stack", string(debug.Stack())))
			call = nil
		}
	}()
	w := rpc.Wire{Kind: rpc.Line, Log: s.Log}
	call, fault := w.Dispatch(ctx, s.Registry, who, req.method, &args{rest: req.lines})
	if fault != nil {
		l.status(fault.Code, fault.Text)
		return nil
	}
	l.status(200, "OK")
	for v := range call.Values() {
		if l.value(v); l.broken() {
			break
		}
	}
	return call
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
