package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sipd/router/cfg"
)

// conn is a stream connection. It is made with its peer's address and gets its
// net.Conn when accepted or connected (and, with TLS, when the handshake is
// done); until then writes are queued.
type conn struct {
	t        *tcpTable
	id       uint64
	sock     *Socket
	peer     netip.AddrPort
	local    netip.AddrPort
	incoming bool
	cancel   context.CancelFunc // ends the attempt to connect
	names    []netip.AddrPort   // guarded by tcpTable.mu

	used atomic.Int64 // when something was last read or written, Unix ns

	mu sync.Mutex
	// mu guards the fields below.
	nc      net.Conn
	raw     syscall.RawConn // nil with TLS: what is written is not what goes out
	queue   []byte          // waits to be written
	spare   []byte          // the writer's other buffer
	writing bool            // a writer is at work
	closed  bool
	last    bool // close when the queue is empty

	// For tryWrite, which the runtime calls with mu held.
	out   []byte
	n     int
	errno error
	try   func(fd uintptr) bool
}

func (t *tcpTable) newConn(s *Socket, peer netip.AddrPort) *conn {
	c := &conn{t: t, id: t.lastID.Add(1), sock: s, peer: peer}
	c.try = c.tryWrite
	c.touch()
	return c
}

func (c *conn) touch() { c.used.Store(time.Now().UnixNano()) }

// attachTCP is attach for a connection without TLS.
func (c *conn) attachTCP(nc *net.TCPConn) error {
	raw, err := c.t.m.tune(nc)
	if err != nil {
		return err
	}
	return c.attach(nc, raw)
}

// attach gives the connection its socket and starts writing what waits.
func (c *conn) attach(nc net.Conn, raw syscall.RawConn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.nc, c.raw = nc, raw
	c.startWriter()
	return nil
}

// tune sets the socket options of the group tcp; a kernel that does not know
// one works without.
func (m *Manager) tune(nc *net.TCPConn) (syscall.RawConn, error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return nil, err
	}
	v, snap := m.vars, m.snapshot()
	_ = nc.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: v.Keepalive.Bool(snap), Idle: seconds(v.Keepidle.Get(snap)),
		Interval: seconds(v.Keepintvl.Get(snap)), Count: orLess(v.Keepcnt.Get(snap)),
	})
	_ = control(raw, func(fd int) error {
		if n := v.Linger2.Get(snap); n > 0 {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_LINGER2, n)
		}
		if !v.DelayedAck.Bool(snap) {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		}
		return nil
	})
	return raw, nil
}

// seconds is a keepalive setting: 0 leaves the system's value, which package
// net wants as a negative number.
func seconds(n int) time.Duration { return time.Duration(orLess(n)) * time.Second }

func orLess(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// dial connects, then reads until the end.
func (c *conn) dial(ctx context.Context, snap *cfg.Snapshot) {
	defer c.cancel()
	m := c.t.m
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, rc syscall.RawConn) error {
		return control(rc, func(fd int) error {
			if n := m.vars.Syncnt.Get(snap); n > 0 {
				_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, n)
			}
			if m.vars.ReusePort.Bool(snap) {
				return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			}
			return nil
		})
	}}
	d.SetMultipathTCP(false)
	if a := c.sock.Addr.Addr(); !a.IsUnspecified() {
		port := 0
		if m.vars.ReusePort.Bool(snap) {
			port = int(c.sock.Addr.Port())
		}
		d.LocalAddr = &net.TCPAddr{IP: a.AsSlice(), Port: port, Zone: a.Zone()}
	}
	nc, err := d.DialContext(ctx, "tcp", c.peer.String())
	if err == nil {
		err = c.connected(ctx, nc)
	}
	if err != nil {
		m.stat.TCPConnectFailed.Inc()
		m.log.LogAttrs(ctx, slog.LevelInfo, "no connection; what waited for it is lost", slog.Any("dst", c.peer), slog.Any("err", err))
		c.close(err)
		return
	}
	m.stat.TCPConnected.Inc()
	c.read()
}

func (c *conn) connected(ctx context.Context, nc net.Conn) error {
	tc, ok := nc.(*net.TCPConn)
	if !ok {
		return errors.Join(ErrProto, nc.Close())
	}
	if local, ok := tc.LocalAddr().(*net.TCPAddr); ok {
		c.mu.Lock()
		c.local = unmap(local.AddrPort())
		c.mu.Unlock()
	}
	if err := c.open(ctx, tc); err != nil {
		return err
	}
	c.touch()
	return nil
}

// open puts the connection to use, behind a handshake with TLS. It closes tc
// when it fails.
func (c *conn) open(ctx context.Context, tc *net.TCPConn) error {
	if c.sock.Proto != TLS {
		if err := c.attachTCP(tc); err != nil {
			return errors.Join(err, tc.Close())
		}
		return nil
	}
	if _, err := c.t.m.tune(tc); err != nil {
		return errors.Join(err, tc.Close())
	}
	t, err := c.handshake(ctx, tc)
	if err != nil {
		return err
	}
	if err := c.attach(t, nil); err != nil {
		return errors.Join(err, tc.Close())
	}
	return nil
}

// write sends b, or queues what the kernel does not take. last asks to close
// behind it.
func (c *conn) write(b []byte, last bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.last {
		return ErrClosed
	}
	written := 0
	if c.raw != nil && !c.writing && len(c.queue) == 0 {
		n, err := c.writeNow(b)
		written = n
		if err != nil {
			c.closeLocked(err)
			return err
		}
		c.touch()
		b = b[n:]
	}
	if len(b) > 0 {
		if err := c.enqueue(b); err != nil {
			if written > 0 {
				c.closeLocked(err) // half a message was written: the stream is broken
			}
			return err
		}
	}
	c.last = c.last || last
	c.startWriter()
	return nil
}

// writeNow writes what the kernel takes at once. c.mu is held.
func (c *conn) writeNow(b []byte) (int, error) {
	c.out, c.n, c.errno = b, 0, nil
	err := c.raw.Write(c.try)
	c.out = nil
	if err == nil {
		err = c.errno
	}
	return c.n, err
}

// tryWrite writes without waiting; it answers true so that the runtime does
// not wait either.
func (c *conn) tryWrite(fd uintptr) bool {
	for {
		n, err := unix.Write(int(fd), c.out)
		switch err {
		case nil:
			c.n = n
		case unix.EINTR:
			continue
		case unix.EAGAIN:
		default:
			c.errno = os.NewSyscallError("write", err)
		}
		return true
	}
}

// enqueue keeps b for the writer, within the bounds. c.mu is held.
func (c *conn) enqueue(b []byte) error {
	t := c.t
	snap := t.m.snapshot()
	// With TLS all goes through the queue: one message of any size may, as the
	// kernel would have taken it without.
	atOnce := c.nc != nil && c.raw == nil && len(c.queue) == 0
	if !atOnce && len(c.queue)+len(b) > t.m.vars.ConnWQMax.Get(snap) || t.queued.Load()+int64(len(b)) > int64(t.m.vars.WQMax.Get(snap)) {
		t.m.stat.TCPQueueFull.Inc()
		return ErrQueueFull
	}
	t.queued.Add(int64(len(b)))
	c.queue = append(c.queue, b...)
	return nil
}

// startWriter starts a writer when there is work for it. c.mu is held.
func (c *conn) startWriter() {
	switch {
	case c.nc == nil || c.writing || c.closed:
	case len(c.queue) > 0:
		c.writing = true
		c.t.wg.Go(c.drain)
	case c.last:
		c.closeLocked(ErrClosed)
	}
}

// drain writes the queue and ends when it is empty.
func (c *conn) drain() {
	m := c.t.m
	for {
		c.mu.Lock()
		if len(c.queue) == 0 || c.closed {
			c.writing = false
			if c.last {
				c.closeLocked(ErrClosed)
			}
			c.mu.Unlock()
			return
		}
		batch := c.queue
		c.queue, c.spare = c.spare[:0], nil
		nc := c.nc
		c.mu.Unlock()

		deadline := time.Time{}
		if n := m.vars.SendTimeout.Get(m.snapshot()); n > 0 {
			deadline = time.Now().Add(time.Duration(n) * time.Second)
		}
		err := nc.SetWriteDeadline(deadline)
		if err == nil {
			_, err = nc.Write(batch)
		}
		c.t.queued.Add(-int64(len(batch)))
		c.touch()
		c.mu.Lock()
		if cap(batch) <= 64<<10 {
			c.spare = batch[:0]
		}
		c.mu.Unlock()
		if err != nil {
			m.log.LogAttrs(context.Background(), slog.LevelDebug, "a connection does not take data; closed", slog.Any("dst", c.peer), slog.Any("err", err))
			c.close(err)
		}
	}
}

// abandon gives the queue of a connection that was never used back.
func (c *conn) abandon() { c.close(ErrClosed) }

// close ends the connection; its goroutines end by that.
func (c *conn) close(why error) {
	c.mu.Lock()
	c.closeLocked(why)
	c.mu.Unlock()
	c.t.remove(c)
}

// closeLocked is close with c.mu held; who calls it alone leaves it to the
// reader to take the connection out of the table.
func (c *conn) closeLocked(why error) {
	if c.closed {
		return
	}
	c.closed = true
	c.t.queued.Add(-int64(len(c.queue)))
	c.queue = nil
	if c.cancel != nil {
		c.cancel()
	}
	if c.nc == nil {
		return
	}
	if err := c.nc.Close(); err != nil && !errors.Is(why, io.EOF) {
		c.t.m.log.LogAttrs(context.Background(), slog.LevelDebug, "close", slog.Any("src", c.peer), slog.Any("err", err))
	}
}
