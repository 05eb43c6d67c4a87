package socket

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// handshakeTime is how long a TLS handshake may take.
	handshakeTime = 10 * time.Second
	// datagramWrite bounds the wait for a datagram client whose queue is full.
	datagramWrite = 2 * time.Second
)

// accept takes connections; each is served by a goroutine of its own.
func (s *Server) accept(ctx context.Context, k *open, wg *sync.WaitGroup) error {
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
		info, origin := describe(c, k)
		if !s.add(ctx, c, info, origin.Peer) {
			_ = c.Close()
			continue
		}
		wg.Go(func() {
			defer s.remove(c)
			s.serve(ctx, c, k, origin)
		})
	}
}

// serve does the handshake, finds out who calls, and hands the connection to
// its protocol.
func (s *Server) serve(ctx context.Context, c net.Conn, k *open, o Origin) {
	defer s.recovered(ctx, o.Peer)
	if k.addr.Net == "tls" {
		t := tls.Server(c, s.Guard.TLS)
		hctx, cancel := context.WithTimeout(ctx, handshakeTime)
		err := t.HandshakeContext(hctx)
		cancel()
		if err != nil {
			s.log().LogAttrs(ctx, slog.LevelInfo, "control connection: TLS failed", slog.String("peer", o.Peer), slog.Any("err", err))
			return
		}
		o.TLS = true
		if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 {
			o.Cert = certs[0]
		}
		c = t
	}
	k.proto.Stream(ctx, c, s.Guard.Admit(o, k.addr.Access, k.addr.Role))
}

// recovered keeps a panic to the connection or datagram that caused it.
func (s *Server) recovered(ctx context.Context, peer string) {
	if p := recover(); p != nil {
		s.log().LogAttrs(ctx, slog.LevelError, "a control request panicked", slog.String("peer", peer),
			slog.Any("err", p), slog.String("stack", string(debug.Stack())))
	}
}

func (s *Server) add(ctx context.Context, c net.Conn, info Conn, who string) bool {
	limit := s.MaxConns
	if limit == 0 {
		limit = DefaultMaxConns
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= limit {
		s.log().LogAttrs(ctx, slog.LevelWarn, "control connection refused: too many", slog.Int("limit", limit),
			slog.String("peer", who))
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

// datagrams serves one datagram socket.
func (s *Server) datagrams(ctx context.Context, k *open) error {
	in := make([]byte, 1<<16)
	var out []byte
	for {
		n, from, err := k.dgram.ReadFrom(in)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if isTransient(err) {
				pause(ctx)
				continue
			}
			return fmt.Errorf("control socket %s: %w", k.addr, err)
		}
		out = s.datagram(ctx, out[:0], k, from, in[:n])
	}
}

// datagram answers one datagram.
func (s *Server) datagram(ctx context.Context, out []byte, k *open, from net.Addr, in []byte) []byte {
	o := Origin{Peer: k.addr.transport()}
	if from != nil && from.String() != "" {
		o.Peer = from.String()
	}
	defer s.recovered(ctx, o.Peer)
	if u, ok := from.(*net.UDPAddr); ok {
		o.Addr = u.AddrPort().Addr()
	}
	out, done := k.proto.Datagram(ctx, out, s.Guard.Admit(o, k.addr.Access, k.addr.Role), in)
	if len(out) > 0 && from != nil && from.String() != "" {
		_ = k.dgram.SetWriteDeadline(time.Now().Add(cmp.Or(s.DatagramWait, datagramWrite)))
		if _, err := k.dgram.WriteTo(out, from); err != nil {
			s.log().LogAttrs(ctx, slog.LevelDebug, "control reply not sent", slog.Any("dst", from), slog.Any("err", err))
		}
	}
	if done != nil {
		done()
	}
	if cap(out) > 1<<17 {
		return nil
	}
	return out
}

// describe says who is at the other end of a connection.
func describe(c net.Conn, k *open) (Conn, Origin) {
	d := Conn{Socket: k.socket()}
	var o Origin
	switch p := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		d.Peer, d.PeerPort = p.IP.String(), strconv.Itoa(p.Port)
		o.Peer = p.String()
		o.Addr, _ = netip.AddrFromSlice(p.IP)
		if own, ok := c.LocalAddr().(*net.TCPAddr); ok {
			d.Address = own.IP.String()
		}
	case *net.UnixAddr:
		d.Peer = "<anonymous unix socket>"
		if p.Name != "" && p.Name != "@" {
			d.Peer = p.Name
		}
		o.Peer = "unix"
		if cred := Credentials(c); cred != nil {
			o.Peer = fmt.Sprintf("unix uid=%d pid=%d", cred.Uid, cred.Pid)
		}
	}
	return d, o
}

// Credentials are those of the process at the other end of a unix socket; nil
// on other connections.
func Credentials(c net.Conn) *syscall.Ucred {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil
	}
	var cred *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); cerr != nil || err != nil {
		return nil
	}
	return cred
}

// isTransient says whether a socket may work again after an error.
func isTransient(err error) bool {
	for _, e := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR,
		syscall.ECONNREFUSED, syscall.EPROTO,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pause waits before a socket that failed for want of resources is tried again.
func pause(ctx context.Context) {
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
