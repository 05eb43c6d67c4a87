package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"sipd/router/cfg"
)

// acceptPause is how long an acceptor rests when the system refuses (no
// descriptors left): connections end in the meantime.
const acceptPause = 100 * time.Millisecond

// tcpListener is a listener of TCP or TLS.
type tcpListener struct {
	sock *Socket
	ln   *net.TCPListener
}

func listenTCP(m *Manager, p Proto, addr netip.AddrPort) (*tcpListener, error) {
	network := "tcp4"
	if family(addr.Addr()) == 1 {
		network = "tcp6"
	}
	snap := m.snapshot()
	lc := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error {
			if m.vars.ReusePort.Bool(snap) {
				if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
					return fmt.Errorf("tcp_reuse_port: %w", err)
				}
			}
			if n := m.vars.DeferAccept.Get(snap); n > 0 {
				if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, n); err != nil {
					return fmt.Errorf("tcp_defer_accept: %w", err)
				}
			}
			return nil
		})
	}}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), network, addr.String()) // does not wait: the address is literal
	if err != nil {
		return nil, err
	}
	local, _ := ln.Addr().(*net.TCPAddr)
	l := &tcpListener{ln: ln.(*net.TCPListener), sock: NewSocket(p, netip.AddrPortFrom(addr.Addr(), uint16(local.Port)))}
	return l, nil
}

// control runs f on a descriptor and gives its error.
func control(c syscall.RawConn, f func(fd int) error) error {
	var err error
	if cerr := c.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// tcpTable is the connections.
type tcpTable struct {
	m       *Manager
	lastID  atomic.Uint64
	queued  atomic.Int64  // octets in all write queues
	workers chan struct{} // one for each handler that runs; nil for no bound
	wg      sync.WaitGroup

	mu sync.RWMutex
	// mu guards the fields below.
	byID   map[uint64]*conn
	byAddr map[peerKey]*conn // peers and aliases
	secure int               // how many have TLS
	closed bool
}

// peerKey is what a connection is found by: TLS is not TCP to the same place.
type peerKey struct {
	proto Proto
	addr  netip.AddrPort
}

func (t *tcpTable) init(m *Manager) {
	t.m = m
	t.byID = make(map[uint64]*conn)
	t.byAddr = make(map[peerKey]*conn)
	if n := m.opt.TCP.Workers; n > 0 {
		t.workers = make(chan struct{}, n)
	}
}

// serve accepts until ctx ends, then closes everything and waits for it.
func (t *tcpTable) serve(ctx context.Context, list []*tcpListener) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range list {
		g.Go(func() error { return t.accept(ctx, l) })
	}
	<-ctx.Done()
	err := t.close(list)
	return errors.Join(err, g.Wait())
}

func (t *tcpTable) accept(ctx context.Context, l *tcpListener) error {
	for {
		c, err := l.ln.AcceptTCP()
		if err == nil {
			t.incoming(l, c)
			continue
		}
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil
		}
		t.m.log.LogAttrs(ctx, slog.LevelWarn, "a connection was not accepted", slog.Any("dst", l.sock.Addr), slog.Any("err", err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(acceptPause):
		}
	}
}

// incoming takes an accepted connection into the table.
func (t *tcpTable) incoming(l *tcpListener, nc *net.TCPConn) {
	peer, _ := nc.RemoteAddr().(*net.TCPAddr)
	local, _ := nc.LocalAddr().(*net.TCPAddr)
	if peer == nil || local == nil {
		_ = nc.Close() // it is gone already
		return
	}
	c := t.newConn(l.sock, unmap(peer.AddrPort()))
	c.local = unmap(local.AddrPort())
	c.incoming = true
	secure := l.sock.Proto == TLS
	ctx := context.Background()
	if secure { // the handshake ends when the connection is closed
		ctx, c.cancel = context.WithCancel(ctx)
	}
	err := t.add(c)
	if err == nil && !secure {
		err = c.attachTCP(nc)
	}
	if err != nil {
		t.m.refused(c, err)
		_ = nc.Close() // refused: nobody cares how
		c.close(err)
		return
	}
	if secure {
		t.wg.Go(func() { c.welcome(ctx, nc) })
		return
	}
	t.m.stat.TCPAccepted.Inc()
	t.wg.Go(c.read)
}

// refused counts and logs an incoming connection that cannot be served.
func (m *Manager) refused(c *conn, err error) {
	m.stat.TCPRejected.Inc()
	m.log.LogAttrs(context.Background(), slog.LevelDebug, "a connection was refused", slog.Any("src", c.peer), slog.Any("err", err))
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// add makes the connection known by number and peer, if there is room.
func (t *tcpTable) add(c *conn) error {
	snap := t.m.snapshot()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	if len(t.byID) >= t.m.vars.MaxConnections.Get(snap) {
		return ErrTooManyConns
	}
	if c.sock.Proto == TLS {
		if t.secure >= t.m.vars.MaxTLSConnections.Get(snap) {
			return ErrTooManyConns
		}
		t.secure++
	}
	t.byID[c.id] = c
	t.name(c, c.peer, t.m.vars.NewConnAliasFlags.Get(snap) != 0)
	return nil
}

// name makes c the connection to an address. One that is there already is
// replaced when replace is set. t.mu is held.
func (t *tcpTable) name(c *conn, a netip.AddrPort, replace bool) bool {
	key := peerKey{c.sock.Proto, a}
	switch old := t.byAddr[key]; {
	case old == c:
		return true
	case old != nil && !replace:
		return false
	}
	t.byAddr[key] = c
	c.names = append(c.names, a)
	return true
}

// remove forgets the connection.
func (t *tcpTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[c.id] != c {
		return
	}
	delete(t.byID, c.id)
	if c.sock.Proto == TLS {
		t.secure--
	}
	for _, a := range c.names {
		if key := (peerKey{c.sock.Proto, a}); t.byAddr[key] == c {
			delete(t.byAddr, key)
		}
	}
	c.names = nil
}

// find is the open connection that d may use, nil for none.
func (t *tcpTable) find(d Dest) *conn {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if d.Conn != 0 {
		if c := t.byID[d.Conn]; c != nil {
			return c
		}
	}
	return t.byAddr[peerKey{d.Proto, unmap(d.Addr)}]
}

// send writes to the connection that fits, or connects.
func (t *tcpTable) send(d Dest, b []byte) error {
	for range 2 { // a connection may close between find and write
		c := t.find(d)
		if c == nil {
			break
		}
		if err := c.write(b, d.Close); !errors.Is(err, ErrClosed) {
			return err
		}
		t.remove(c)
	}
	snap := t.m.snapshot()
	if d.NoConnect || t.m.vars.NoConnect.Bool(snap) || !d.Addr.IsValid() {
		return ErrNoConn
	}
	s := t.m.Choose(d)
	if s == nil {
		return ErrNoSocket
	}
	c := t.newConn(s, unmap(d.Addr))
	ctx, cancel := t.dialContext(snap)
	c.cancel = cancel
	t.mu.RLock()
	other := t.byAddr[peerKey{s.Proto, c.peer}]
	t.mu.RUnlock()
	if other != nil { // somebody else was faster
		cancel()
		return other.write(b, d.Close)
	}
	if err := c.write(b, d.Close); err != nil {
		cancel()
		return err
	}
	if err := t.add(c); err != nil {
		cancel()
		c.abandon()
		return err
	}
	t.wg.Go(func() { c.dial(ctx, snap) })
	return nil
}

// dialContext bounds a connection attempt; conn.close cancels it.
func (t *tcpTable) dialContext(snap *cfg.Snapshot) (context.Context, context.CancelFunc) {
	ctx := context.Background() // an attempt outlives the message that caused it
	if n := t.m.vars.ConnectTimeout.Get(snap); n > 0 {
		return context.WithTimeout(ctx, time.Duration(n)*time.Second)
	}
	return context.WithCancel(ctx)
}

// close closes listeners and connections and waits for their goroutines.
func (t *tcpTable) close(list []*tcpListener) error {
	t.mu.Lock()
	t.closed = true
	all := make([]*conn, 0, len(t.byID))
	for _, c := range t.byID {
		all = append(all, c)
	}
	t.mu.Unlock()
	var errs []error
	for _, l := range list {
		if err := l.ln.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for _, c := range all {
		c.close(ErrClosed)
	}
	t.wg.Wait()
	return errors.Join(errs...)
}
