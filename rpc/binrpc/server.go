package binrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"

	"sipd/rpc"
)

// DefaultMaxConns is how many stream connections a server has at once; the
// next one is accepted and closed (as Kamailio).
const DefaultMaxConns = 128

// Server answers BinRPC on any number of sockets. Set the fields, call Listen
// for each socket, then Serve.
type Server struct {
	// Registry has the methods.
	Registry *rpc.Registry
	// AutoConvert converts parameters into what methods declare.
	AutoConvert bool
	// MaxBody bounds a reply's body in octets; 0 means DefaultMaxBody.
	MaxBody int
	// MaxConns bounds stream connections, all sockets together; 0 means
	// DefaultMaxConns.
	MaxConns int
	// File is the mode and owner of unix sockets.
	File FileMode
	// Log gets what the peer does not; nil means slog.Default.
	Log *slog.Logger

	mu sync.Mutex
	// mu guards the fields below.
	sockets []*socket
	conns   map[net.Conn]Conn
	seq     int // of the last connection
}

// socket is one that is open: a listener, or a datagram socket.
type socket struct {
	addr   Address
	stream net.Listener
	dgram  net.PacketConn
	file   *unixSocket
}

// Socket says where a server listens, in the words of ctl.listen.
type Socket struct {
	Transport string // unix_stream, unix_dgram, tcp, udp
	Address   string // path or IP address
	Port      string // "" for unix sockets
}

// Conn is an open stream connection, in the words of ctl.who.
type Conn struct {
	Socket
	Peer     string // "<anonymous unix socket>", a path or an IP address
	PeerPort string
	who      string // for the log
	seq      int    // in order of coming
}

// Listen opens a socket. A unix socket that another daemon lives on is an
// *[InUseError]; a stale one is replaced.
func (s *Server) Listen(ctx context.Context, a Address) error {
	k := &socket{addr: a}
	if err := s.open(ctx, k); err != nil {
		k.close()
		return err
	}
	s.mu.Lock()
	s.sockets = append(s.sockets, k)
	s.mu.Unlock()
	return nil
}

// list is the sockets as of now.
func (s *Server) list() []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sockets)
}

func (s *Server) open(ctx context.Context, k *socket) (err error) {
	var lc net.ListenConfig
	switch k.addr.Net {
	case "tcp":
		if k.stream, err = lc.Listen(ctx, "tcp", k.addr.hostPort()); err == nil {
			k.addr.Port = k.stream.Addr().(*net.TCPAddr).Port
		}
	case "udp":
		if k.dgram, err = lc.ListenPacket(ctx, "udp", k.addr.hostPort()); err == nil {
			k.addr.Port = k.dgram.LocalAddr().(*net.UDPAddr).Port
		}
	case "unixs", "unixd":
		if k.file, err = claim(k.addr.Path); err != nil {
			return err
		}
		return k.file.bind(s.File, func(name string) (err error) {
			if k.addr.Net == "unixd" {
				k.dgram, err = lc.ListenPacket(ctx, "unixgram", name)
				return err
			}
			if k.stream, err = lc.Listen(ctx, "unix", name); err == nil {
				k.stream.(*net.UnixListener).SetUnlinkOnClose(false)
			}
			return err
		})
	default:
		return fmt.Errorf("control address %s: %w", k.addr, ErrAddress)
	}
	if err != nil {
		return fmt.Errorf("control socket %s: %w", k.addr, err)
	}
	return nil
}

func (k *socket) close() {
	if k.stream != nil {
		_ = k.stream.Close()
	}
	if k.dgram != nil {
		_ = k.dgram.Close()
	}
	if k.file != nil {
		k.file.release()
	}
}

// Close closes the sockets of a server that is not serving.
func (s *Server) Close() {
	s.mu.Lock()
	sockets := s.sockets
	s.sockets = nil
	s.mu.Unlock()
	for _, k := range sockets {
		k.close()
	}
}

// Sockets lists where the server listens.
func (s *Server) Sockets() []Socket {
	sockets := s.list()
	out := make([]Socket, 0, len(sockets))
	for _, k := range sockets {
		out = append(out, k.addr.socket())
	}
	return out
}

func (a Address) socket() Socket {
	if a.Path != "" {
		return Socket{Transport: a.transport(), Address: a.Path}
	}
	host := a.Host
	if host == "" {
		host = "*"
	}
	return Socket{a.transport(), host, strconv.Itoa(a.Port)}
}

// Conns lists the open stream connections in the order they came.
func (s *Server) Conns() []Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.conns), func(a, b Conn) int { return a.seq - b.seq })
}

// Serve answers calls until ctx ends, then closes the sockets and removes
// their files. It returns when all it started has ended; an error is that of a
// socket that failed.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, k := range s.list() {
		if k.stream != nil {
			wg.Go(func() { cancel(s.accept(ctx, k, &wg)) })
			continue
		}
		for range datagramWorkers {
			wg.Go(func() { cancel(s.datagrams(ctx, k)) })
		}
	}
	<-ctx.Done()
	s.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// accept takes connections; each is served by a goroutine of its own.
func (s *Server) accept(ctx context.Context, k *socket, wg *sync.WaitGroup) error {
	for {
		c, err := k.stream.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() || isTransient(err) {
				s.log().LogAttrs(ctx, slog.LevelWarn, "control connection not accepted", slog.Any("err", err))
				pause(ctx)
				continue
			}
			return fmt.Errorf("control socket %s: %w", k.addr, err)
		}
		if !s.add(ctx, c, k) {
			_ = c.Close()
			continue
		}
		wg.Go(func() {
			defer s.remove(c)
			s.stream(ctx, c)
		})
	}
}

func (s *Server) add(ctx context.Context, c net.Conn, k *socket) bool {
	info := describe(c, k.addr)
	limit := s.MaxConns
	if limit == 0 {
		limit = DefaultMaxConns
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= limit {
		s.log().LogAttrs(ctx, slog.LevelWarn, "control connection refused: too many", slog.Int("limit", limit),
			slog.String("peer", info.who))
		return false
	}
	if ctx.Err() != nil {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[net.Conn]Conn)
	}
	s.seq++
	info.seq = s.seq
	s.conns[c] = info
	return true
}

func (s *Server) remove(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// stream serves one connection: requests may come in pieces or several at
// once, replies go out in order, those of one read in one write.
func (s *Server) stream(ctx context.Context, c net.Conn) {
	s.mu.Lock()
	peer := s.conns[c].who
	s.mu.Unlock()
	in := reader{r: c, max: MaxRequest}
	var out []byte
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
			s.refuse(c, append(out, corrupt(err)...))
			return
		}
		var ok bool
		var call *rpc.Call
		if out, call, ok = s.answer(ctx, out, peer, h, body); !ok {
			s.refuse(c, out)
			return
		}
		if call != nil {
			if call.Deferred() || len(out) > 1<<16 {
				if _, err := c.Write(out); err != nil {
					return
				}
				out = out[:0]
			}
			call.Done()
		}
		if cap(out) > 1<<17 {
			out = nil // one long reply is no reason to hold its memory for the connection's life
		}
	}
}

// refuse sends what is left and ends the connection. On TCP, octets that were
// not read would make the kernel drop what was just written, so they are read.
func (s *Server) refuse(c net.Conn, out []byte) {
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

// answer appends the reply to one request; ok is false when the connection is
// to be closed after it. A panic while a reply is made or written is logged and
// answered by a fault.
func (s *Server) answer(ctx context.Context, out []byte, peer string, h Header, body []byte) (reply []byte, call *rpc.Call, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			s.log().LogAttrs(ctx, slog.LevelError, "binrpc request panicked", slog.String("peer", peer),
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
	w := rpc.Wire{Kind: rpc.BinRPC, AutoConvert: s.AutoConvert, Log: s.Log}
	call, fault := rpc.Dispatch(ctx, s.Registry, &w, peer, string(method), &args)
	if fault != nil {
		return AppendFault(out, h.Cookie, fault), nil, true
	}
	limit := s.MaxBody
	if limit == 0 {
		limit = DefaultMaxBody
	}
	if reply, err = AppendReply(out, h.Cookie, call.Reply(), limit); err != nil {
		reply = AppendFault(out, h.Cookie, tooLarge(call.Reply(), limit))
	}
	return reply, call, true
}

// tooLarge is the fault in place of a reply that is too long.
func tooLarge(vals []rpc.Value, limit int) *rpc.Fault {
	format := "{"
	switch vals[len(vals)-1].(type) {
	case rpc.Stream:
		return rpc.Faultf(500, "reply is larger than %d KiB: ask for a part of it, or raise binrpc_max_body_size", limit>>10)
	case rpc.String, rpc.Null, rpc.Text:
		format = "s"
	case rpc.Int, rpc.Bool, rpc.Time:
		format = "d"
	case rpc.Double:
		format = "f"
	}
	// The words of Kamailio, by which clients and operators know the case.
	return rpc.Faultf(500, "Internal server error processing '%s': buffer too small (overflow) (-2)", format)
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
