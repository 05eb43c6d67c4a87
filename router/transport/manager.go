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

	"golang.org/x/sync/errgroup"

	"sipd/router/cfg"
)

// Why a send can fail besides the system's own errors; match with errors.Is.
var (
	// ErrNoSocket: no listener has the protocol and address family.
	ErrNoSocket = errors.New("no socket for that protocol and address family")
	// ErrTooBig: the datagram is larger than the protocol or the path allows.
	ErrTooBig = errors.New("the message is too big for a datagram")
	// ErrClosed: the manager or the connection is closed.
	ErrClosed = errors.New("closed")
	// ErrQueueFull: the connection's write queue, or all of them together, hold
	// as much as they may.
	ErrQueueFull = errors.New("the write queue is full")
	// ErrNoConn: no connection is open and a new one is not allowed.
	ErrNoConn = errors.New("no open connection, and connecting is not allowed")
	// ErrTooManyConns: there are as many connections as may be.
	ErrTooManyConns = errors.New("too many connections")
	// ErrProto: the protocol is not served.
	ErrProto = errors.New("protocol is not served")
)

// Handler takes one message. b is valid during the call only: who keeps
// something of it makes its own copy.
type Handler func(b []byte, r Received)

// Options are what a Manager works with. The zero value of every field but
// Handler is usable.
type Options struct {
	// Log gets what goes wrong; nil is nowhere.
	Log *slog.Logger
	// UDPWorkers is how many handlers run at once for each UDP socket
	// (children); 0 means DefaultWorkers.
	UDPWorkers int
	// TCP are the settings of the stream transports.
	TCP TCPOptions
	// Cfg is where Core's and TCP.Vars' values are read at each use, so that
	// changes at run time count; nil means the defaults of both.
	Cfg *cfg.Store
	// Core is the group "core": DNS and MTU settings.
	Core *cfg.Core
	// Handler takes the messages.
	Handler Handler
	// Foreign gets what is not SIP on a stream: an HTTP request, header and body.
	// nil refuses it.
	Foreign Foreign
	// Resolver finds hosts; nil for one of the system's settings.
	Resolver *Resolver
	// Mhomed chooses the sending socket by the system's routing table.
	Mhomed bool
	// Wire stands for the network where there is none (a dry run); nil for the
	// real one.
	Wire Wire
}

// Wire is what a Manager uses instead of sockets and name servers.
type Wire interface {
	// Send takes what would be sent; d.Sock is the socket it would leave from.
	// b is valid during the call only.
	Send(d Dest, b []byte) error
	// Lookup is the address of a host name.
	Lookup(host string) (netip.Addr, bool)
}

// DefaultWorkers is how many workers a UDP socket has unless told.
const DefaultWorkers = 8

// TCPOptions are the settings of the stream transports.
type TCPOptions struct {
	// Workers is how many messages from streams are handled at once
	// (tcp_children); 0 means no bound.
	Workers int
	// Vars are the runtime variables of the group tcp; nil for their defaults.
	Vars *cfg.TCP
	// MaxMessage is the largest message on a stream in octets; 0 means 65535.
	MaxMessage int
}

// Manager owns the sockets. It is safe for concurrent use.
type Manager struct {
	opt      Options
	log      *slog.Logger
	cfg      atomic.Pointer[cfg.Store]
	core     *cfg.Core
	vars     *cfg.TCP
	list     atomic.Pointer[sockets]
	tcp      tcpTable
	stat     Counters
	security atomic.Pointer[Security]

	mu sync.Mutex
	// mu guards the fields below and changes of list.
	closed bool
}

// sockets are the listeners; the value is never changed.
type sockets struct {
	all []*Socket
	udp []*udpSocket
	tcp []*tcpListener
	// The default senders of each protocol, [0] for IPv4 and [1] for IPv6: the
	// first that is not a loopback address, as with the elders, else the first.
	def [WSS + 1][2]*Socket
}

// NewManager makes a manager without sockets.
func NewManager(o Options) *Manager {
	m := &Manager{opt: o, log: o.Log, core: o.Core, vars: o.TCP.Vars}
	store := o.Cfg
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.opt.UDPWorkers <= 0 {
		m.opt.UDPWorkers = DefaultWorkers
	}
	if store == nil || m.core == nil || m.vars == nil {
		own := cfg.NewStore()
		core, vars := new(cfg.Core), new(cfg.TCP)
		if err := errors.Join(core.Declare(own), vars.Declare(own)); err != nil {
			panic(err) // the tables of package cfg contradict themselves
		}
		// Values of an undeclared variable are its default.
		if store == nil {
			store, m.core, m.vars = own, nil, nil
		}
		if m.core == nil {
			m.core = core
		}
		if m.vars == nil {
			m.vars = vars
		}
	}
	if m.opt.Resolver == nil {
		m.opt.Resolver = NewResolver(ResolverOptions{Log: m.log})
	}
	m.opt.Resolver.core = m.core
	m.Follow(store)
	m.list.Store(new(sockets))
	m.tcp.init(m)
	return m
}

// Follow makes the manager read its settings from another store, that of a
// configuration which takes over. The groups core and tcp must have been
// declared in both before any other.
func (m *Manager) Follow(s *cfg.Store) {
	m.cfg.Store(s)
	m.opt.Resolver.cfg.Store(s)
}

// snapshot is the settings of now.
func (m *Manager) snapshot() *cfg.Snapshot { return m.cfg.Load().Snapshot() }

// Listen opens a socket; what arrives waits for Serve. Port 0 lets the system
// choose. The socket may be given a name and an advertised address before
// Serve.
func (m *Manager) Listen(p Proto, addr netip.AddrPort) (*Socket, error) {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	next := *m.list.Load()
	var s *Socket
	switch wired := m.opt.Wire != nil; {
	case wired:
		s = NewSocket(p, addr)
	case p == UDP:
		u, err := listenUDP(m, addr)
		if err != nil {
			return nil, listenError(p, addr, err)
		}
		s = u.sock
		next.udp = append(next.udp[:len(next.udp):len(next.udp)], u)
	case p == TCP || p == TLS:
		l, err := listenTCP(m, p, addr)
		if err != nil {
			return nil, listenError(p, addr, err)
		}
		s = l.sock
		next.tcp = append(next.tcp[:len(next.tcp):len(next.tcp)], l)
	default:
		return nil, fmt.Errorf("listen on %s:%s: %w", p, addr, ErrProto)
	}
	s.Index = len(next.all)
	next.all = append(next.all[:len(next.all):len(next.all)], s)
	next.setDefaults()
	m.list.Store(&next)
	return s, nil
}

// listenError says what to do about the usual causes.
func listenError(p Proto, addr netip.AddrPort, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "; another program (or another sipd) uses it: stop that one or listen on another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "; this machine does not have that address"
	case errors.Is(err, syscall.EACCES):
		hint = "; ports below 1024 need the right to bind them (CAP_NET_BIND_SERVICE)"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("listen on %s:%s: %w%s", p, addr, err, hint)
}

func (l *sockets) setDefaults() {
	l.def = [WSS + 1][2]*Socket{}
	for _, s := range l.all {
		if d := &l.def[s.Proto][family(s.Addr.Addr())]; *d == nil || (*d).Addr.Addr().IsLoopback() && !s.Addr.Addr().IsLoopback() {
			*d = s
		}
	}
}

// family is 0 for IPv4 and 1 for IPv6.
func family(a netip.Addr) int {
	if a.Is4() || a.Is4In6() {
		return 0
	}
	return 1
}

// Sockets lists the listeners in the order in which they were opened. The slice
// must not be changed.
func (m *Manager) Sockets() []*Socket { return m.list.Load().all }

// SocketFor finds the listener with an address; host may stand in brackets.
// Proto ProtoNone matches any, port 0 the protocol's default port or, when no
// socket has that, any. nil when there is none.
func (m *Manager) SocketFor(p Proto, host string, port uint16) *Socket {
	a, ok := parseLiteral(host)
	if !ok {
		return nil
	}
	return m.find(p, a, port)
}

func (m *Manager) find(p Proto, a netip.Addr, port uint16) *Socket {
	var other *Socket
	for _, s := range m.list.Load().all {
		if p != ProtoNone && s.Proto != p || s.Addr.Addr() != a {
			continue
		}
		switch n := s.Addr.Port(); {
		case n == port, port == 0 && n == s.Proto.DefaultPort():
			return s
		case port == 0 && other == nil:
			other = s
		}
	}
	return other
}

// Choose is the socket that Send would use, which a Via header has to name; nil
// when there is none of the protocol and address family. A socket in d that
// does not fit d's protocol is replaced by one with its address that does, as
// with the elders.
func (m *Manager) Choose(d Dest) *Socket {
	p := d.Proto
	if p == ProtoNone {
		p = UDP
	}
	fam := family(d.Addr.Addr())
	if s := d.Sock; s != nil && family(s.Addr.Addr()) == fam {
		if s.Proto == p {
			return s
		}
		if o := m.find(p, s.Addr.Addr(), s.Addr.Port()); o != nil {
			return o
		}
		if o := m.find(p, s.Addr.Addr(), 0); o != nil {
			return o
		}
	}
	if p > WSS {
		return nil
	}
	if m.opt.Mhomed {
		if s := m.routed(p, d.Addr); s != nil {
			return s
		}
	}
	return m.list.Load().def[p][fam]
}

// routed asks the system which of our addresses leads to a destination.
func (m *Manager) routed(p Proto, to netip.AddrPort) *Socket {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to)) // sends nothing
	if err != nil {
		return nil
	}
	defer c.Close()
	local, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil
	}
	return m.find(p, local.AddrPort().Addr().Unmap(), 0)
}

// Send sends b to d; b is not kept. A datagram goes out at once. On a stream
// what cannot be written at once is queued within bounds, and a connection is
// made where there is none: an error in that is logged, not returned.
func (m *Manager) Send(d Dest, b []byte) error {
	if m.opt.Wire != nil {
		if d.Sock = m.Choose(d); d.Sock == nil {
			return ErrNoSocket
		}
		return m.opt.Wire.Send(d, b)
	}
	switch d.Proto {
	case UDP, ProtoNone:
		s := d.Sock
		if s == nil || s.Proto != UDP || s.udp == nil || family(s.Addr.Addr()) != family(d.Addr.Addr()) {
			if s = m.Choose(d); s == nil || s.udp == nil {
				return ErrNoSocket
			}
		}
		return s.udp.send(d.Addr, b)
	case TCP, TLS:
		return m.tcp.send(d, b)
	}
	return fmt.Errorf("%s: %w", d.Proto, ErrProto)
}

// Serve receives until ctx ends. When it returns, all it started has ended and
// the sockets are closed.
func (m *Manager) Serve(ctx context.Context) error {
	l := m.list.Load()
	g, ctx := errgroup.WithContext(ctx)
	if len(l.udp) > 0 {
		g.Go(func() error { return m.serveUDP(ctx, l.udp) })
	}
	g.Go(func() error { return m.tcp.serve(ctx, l.tcp) })
	err := g.Wait()
	return errors.Join(err, m.Close())
}

// Close closes all sockets and connections. Serve does it too; a second call
// does nothing.
func (m *Manager) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	var errs []error
	l := m.list.Load()
	for _, u := range l.udp {
		errs = append(errs, u.close())
	}
	errs = append(errs, m.tcp.close(l.tcp))
	return errors.Join(errs...)
}

// Oversize is where a request of size octets goes instead of d when it is
// larger than core.udp_mtu allows for a datagram and core.udp_mtu_try_proto
// names a protocol that we have a socket of; ok is false when it goes to d. The
// message must be printed again: its Via names the protocol. When sending there
// fails, d is the way after all.
func (m *Manager) Oversize(d Dest, size int) (o Dest, ok bool) {
	if d.Proto != UDP {
		return d, false
	}
	snap := m.snapshot()
	mtu := m.core.UDPMTU.Get(snap)
	if mtu == 0 || size <= mtu {
		return d, false
	}
	o = d
	o.Proto, o.Conn = Proto(m.core.UDPMTUTryProto.Get(snap)), 0
	if o.Proto == UDP || o.Proto == ProtoNone {
		return d, false
	}
	o.Sock = m.Choose(o)
	return o, o.Sock != nil
}
