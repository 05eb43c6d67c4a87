package transport

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Tuning of the datagram workers.
const (
	// maxDatagram holds any UDP payload.
	maxDatagram = 65536
	// recvBuffer is asked of the kernel; it gives what it may.
	recvBuffer = 4 << 20
	// slowHandler is how long a handler runs to count as one that blocks: well
	// above what a request costs, well below a database's answer.
	slowHandler = 150 * time.Microsecond
	// slowWindow handlers after one that was slow, the handing over that it
	// started ends, unless slowShare of them were slow too. A thread that had to
	// wait for a processor looks slow as well, but not so often.
	slowWindow = 64
	slowShare  = slowWindow / 8
	// sampleEach says which share of fast handlers is timed.
	sampleEach = 16
	// tick is how often the monitor looks while messages come; after quietTicks
	// without any it sleeps until one does.
	tick       = 2 * time.Millisecond
	quietTicks = 512
	// sendPatience bounds how long a datagram waits for room in the kernel.
	sendPatience = 100 * time.Millisecond
)

// udpSocket is a UDP listener and what its workers share.
type udpSocket struct {
	m    *Manager
	sock *Socket
	conn *net.UDPConn
	raw  syscall.RawConn
	fd   int
	// users counts who uses fd; close makes it negative.
	users atomic.Int64

	done  chan struct{}
	token chan struct{} // holds one while nobody reads
	extra chan struct{} // one for each helper that may start
	mon   *monitor

	// turn grows with each message of a leader: odd while it handles one. The
	// monitor takes the lead away by making it even.
	turn atomic.Uint64
	// slow says that handlers block now and then, so the lead is handed over
	// before each.
	slow atomic.Bool
	// timed and late count handlers of this window, and the slow ones of them,
	// while slow. Two that end at once may lose a count, which does not matter.
	timed, late atomic.Int32
	// received and parks tell the monitor what goes on.
	received atomic.Uint64
}

func listenUDP(m *Manager, addr netip.AddrPort) (*udpSocket, error) {
	network := "udp4"
	if family(addr.Addr()) == 1 {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		s := &udpSocket{
			m: m, conn: conn, raw: raw, done: make(chan struct{}),
			token: make(chan struct{}, 1), extra: make(chan struct{}, 1),
		}
		s.token <- struct{}{}
		err = raw.Control(func(fd uintptr) {
			s.fd = int(fd)
			growBuffer(s.fd, recvBuffer)
		})
		if err == nil {
			local, _ := conn.LocalAddr().(*net.UDPAddr)
			s.sock = NewSocket(UDP, netip.AddrPortFrom(addr.Addr(), uint16(local.Port)))
			s.sock.udp = s
			return s, nil
		}
	}
	return nil, errors.Join(err, conn.Close())
}

// closedUsers is added to users when the socket is closed.
const closedUsers = -1 << 40

// enter protects the descriptor from being closed, and its number from being
// given to another file, while a system call uses it.
func (s *udpSocket) enter() bool {
	if s.users.Add(1) > 0 {
		return true
	}
	s.users.Add(-1)
	return false
}

func (s *udpSocket) leave() { s.users.Add(-1) }

// close waits for system calls under way, which do not block, and closes.
func (s *udpSocket) close() error {
	s.users.Add(closedUsers)
	for s.users.Load() != closedUsers {
		time.Sleep(10 * time.Microsecond)
	}
	return s.conn.Close()
}

// send sends one datagram.
func (s *udpSocket) send(to netip.AddrPort, b []byte) error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	errno := sendTo(s.fd, to, b)
	switch errno {
	case 0:
		return nil
	case syscall.EAGAIN:
		return s.sendPatiently(to, b)
	case syscall.EMSGSIZE:
		return ErrTooBig
	}
	s.m.stat.UDPSendErrors.Inc()
	return os.NewSyscallError("sendto", errno)
}

// sendPatiently waits a little for the kernel to have room.
func (s *udpSocket) sendPatiently(to netip.AddrPort, b []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(sendPatience)); err != nil {
		return err
	}
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	if err != nil {
		s.m.stat.UDPSendErrors.Inc()
	}
	return err
}

// serveUDP runs the workers of all sockets and their monitor.
func (m *Manager) serveUDP(ctx context.Context, list []*udpSocket) error {
	g, ctx := errgroup.WithContext(ctx)
	mon := &monitor{sockets: list, wake: make(chan struct{}, 1)}
	mon.asleep.Store(true)
	for _, s := range list {
		s.mon = mon
		for range m.opt.UDPWorkers {
			g.Go(func() error { return s.work() })
		}
	}
	g.Go(func() error { mon.run(ctx); return nil })
	<-ctx.Done()
	for _, s := range list {
		close(s.done)
		// The leader may be waiting for a datagram.
		if err := s.conn.SetReadDeadline(time.Unix(1, 0)); err != nil && !errors.Is(err, net.ErrClosed) {
			m.log.LogAttrs(ctx, slog.LevelError, "a socket cannot be stopped", slog.Any("dst", s.sock.Addr), slog.Any("err", err))
		}
	}
	return g.Wait()
}

// udpWorker is one worker's buffers.
type udpWorker struct {
	s     *udpSocket
	buf   []byte
	from  sockAddr
	n     int
	errno syscall.Errno
	try   func(fd uintptr) bool // tryRead as a value, made once
	count int
}

func (w *udpWorker) tryRead(fd uintptr) bool {
	w.n, w.errno = recvFrom(int(fd), w.buf, &w.from)
	return w.errno != syscall.EAGAIN
}

// work leads, helps, or waits to be needed.
func (s *udpSocket) work() error {
	w := &udpWorker{s: s}
	w.try = w.tryRead
	for {
		select {
		case <-s.done:
			return nil
		case <-s.token:
		case <-s.extra:
			w.help()
			continue
		}
		if err := w.lead(); err != nil {
			return err
		}
	}
}

func (s *udpSocket) stopped() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// lead reads and handles until the lead is gone: handed over because handlers
// are slow, taken away by the monitor, or because the socket was closed.
func (w *udpWorker) lead() error {
	s := w.s
	for {
		ok, err := w.read()
		if err != nil {
			s.token <- struct{}{}
			if s.stopped() || errors.Is(err, net.ErrClosed) {
				<-s.done
				return nil
			}
			return err
		}
		if !ok {
			continue
		}
		if s.slow.Load() {
			s.token <- struct{}{}
			w.handleTimed()
			return nil
		}
		mine := s.turn.Add(1)
		if s.mon.asleep.Load() {
			s.mon.rouse()
		}
		if w.count++; w.count%sampleEach == 0 {
			w.handleTimed()
		} else {
			w.handle()
		}
		if !s.turn.CompareAndSwap(mine, mine+1) {
			return nil // somebody else leads by now
		}
	}
}

// read takes one datagram, waiting for it; ok is false when it was not one.
func (w *udpWorker) read() (ok bool, err error) {
	if w.buf == nil {
		w.buf = make([]byte, maxDatagram)
	}
	if w.poll() {
		return w.errno == 0, w.fault()
	}
	if w.s.stopped() {
		return false, ErrClosed
	}
	if err := w.s.raw.Read(w.try); err != nil {
		return false, err
	}
	return w.errno == 0, w.fault()
}

// poll reads without waiting; false when nothing is there.
func (w *udpWorker) poll() bool {
	if !w.s.enter() {
		return false
	}
	ok := w.tryRead(uintptr(w.s.fd))
	w.s.leave()
	return ok
}

// fault is what an errno of a read means for the socket: nothing, mostly.
func (w *udpWorker) fault() error {
	switch w.errno {
	case 0, syscall.EINTR, syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENOBUFS, syscall.ENOMEM:
		return nil // reports about earlier sends, or shortage that passes
	}
	return os.NewSyscallError("recvfrom", w.errno)
}

func (w *udpWorker) handle() {
	w.s.received.Store(w.s.received.Load() + 1) // a hint for the monitor; lost counts do not matter
	w.s.m.opt.Handler(w.buf[:w.n], Received{Proto: UDP, Src: w.from.addrPort(), Dst: w.s.sock.Addr, Sock: w.s.sock})
}

// handleTimed is handle that notes whether handlers are slow these days.
func (w *udpWorker) handleTimed() {
	s := w.s
	start := time.Now()
	w.handle()
	isLate := time.Since(start) >= slowHandler
	if !s.slow.Load() {
		if isLate {
			s.startSlow()
		}
		return
	}
	if isLate {
		s.late.Add(1)
	}
	if s.timed.Add(1) >= slowWindow {
		if s.late.Load() < slowShare {
			s.slow.Store(false)
			return
		}
		s.startSlow()
	}
}

// startSlow begins a window of handing over.
func (s *udpSocket) startSlow() {
	s.timed.Store(0)
	s.late.Store(0)
	s.slow.Store(true)
}

// help handles what piled up beside the leader and ends when it is gone.
func (w *udpWorker) help() {
	if w.buf == nil {
		w.buf = make([]byte, maxDatagram)
	}
	for !w.s.stopped() && w.poll() {
		if w.errno == 0 {
			w.handle()
		} else if w.fault() != nil {
			return // the leader reports it
		}
	}
}

// monitor watches the sockets while messages come.
type monitor struct {
	sockets []*udpSocket
	asleep  atomic.Bool
	wake    chan struct{}
}

func (mo *monitor) rouse() {
	if mo.asleep.CompareAndSwap(true, false) {
		select {
		case mo.wake <- struct{}{}:
		default:
		}
	}
}

// busy says whether a leader is handling a message.
func (mo *monitor) busy() bool {
	for _, s := range mo.sockets {
		if s.turn.Load()&1 == 1 {
			return true
		}
	}
	return false
}

func (mo *monitor) run(ctx context.Context) {
	seen := make([]uint64, len(mo.sockets))
	counts := make([]uint64, len(mo.sockets))
	t := time.NewTicker(tick)
	defer t.Stop()
	quiet := quietTicks
	for {
		if quiet >= quietTicks {
			t.Stop()
			mo.asleep.Store(true)
			if mo.busy() { // a message came before it could be seen
				mo.rouse()
			}
			quiet = 0
			select {
			case <-ctx.Done():
				return
			case <-mo.wake:
				t.Reset(tick)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		quiet++
		for i, s := range mo.sockets {
			turn, n := s.turn.Load(), s.received.Load()
			if n != counts[i] || turn&1 == 1 {
				counts[i], quiet = n, 0
			}
			if turn&1 == 1 && turn == seen[i] && s.turn.CompareAndSwap(turn, turn+1) {
				s.startSlow()
				s.token <- struct{}{}
			}
			seen[i] = turn
			if s.m.opt.UDPWorkers > 1 && backlogged(s) {
				select {
				case s.extra <- struct{}{}:
				default:
				}
			}
		}
	}
}

func backlogged(s *udpSocket) bool {
	if !s.enter() {
		return false
	}
	defer s.leave()
	return backlog(s.fd)
}
