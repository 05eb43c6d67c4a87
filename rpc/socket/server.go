// Package socket is where control wires listen: unix sockets, TCP, TLS, UDP,
// and HTTP over them. It knows who is at the other end, what a caller from
// beyond this machine must show (see Guard), how many may come, and how to end;
// what is said on a connection is the wire's own affair (Protocol).
package socket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"sipd/rpc"
)

// DefaultMaxConns is how many stream connections a server has at once; the
// next one is accepted and closed. (Kamailio has 128.)
const DefaultMaxConns = 2048

// Protocol is what is spoken on a socket.
type Protocol interface {
	// Name is what ctl.who calls it: "binrpc", "fifo".
	Name() string
	// Stream serves one connection to its end; the caller closes it.
	Stream(ctx context.Context, c net.Conn, who *rpc.Caller)
	// Datagram appends the answer to one datagram, nothing for none. done, when
	// it is not nil, is called after the answer was sent.
	Datagram(ctx context.Context, out []byte, who *rpc.Caller, in []byte) (answer []byte, done func())
}

// Server listens on any number of sockets for one or more protocols. Set the
// fields, call Listen for each socket, then Serve.
type Server struct {
	// MaxConns bounds stream connections, all sockets together; 0 means
	// DefaultMaxConns.
	MaxConns int
	// File is the mode and owner of unix sockets.
	File FileMode
	// Guard knows the credentials; nil knows nobody.
	Guard *Guard
	// Workers is how many datagrams of one socket are served at once; 0 means 2.
	Workers int
	// DatagramWait bounds the wait for a datagram client whose queue is full; 0
	// means 2 seconds.
	DatagramWait time.Duration
	// Log gets what the peer does not; nil means slog.Default.
	Log *slog.Logger

	mu sync.Mutex
	// mu guards the fields below.
	sockets []*open
	conns   map[net.Conn]Conn
	seq     int // of the last connection
}

// open is a socket that is open: a listener, or a datagram socket.
type open struct {
	addr   Address
	proto  Protocol
	stream net.Listener
	dgram  net.PacketConn
	file   *unixSocket
}

// Socket says where a server listens, in the words of ctl.listen.
type Socket struct {
	Handler   string // binrpc, fifo
	Transport string // unix_stream, unix_dgram, tcp, udp
	Address   string // path or IP address
	Port      string // "" for unix sockets
}

// Conn is an open stream connection, in the words of ctl.who.
type Conn struct {
	Socket
	Peer     string // "<anonymous unix socket>", a path or an IP address
	PeerPort string
	seq      int // in order of coming
}

// ErrNotOpen is a socket that the network would reach without TLS, where the
// configuration does not say that this is meant.
var ErrNotOpen = errors.New("the network would reach it without TLS and credentials; listen on 127.0.0.1 or a unix socket, or with tls:, " +
	"or say what you mean after the address: ;access=token takes tokens in the clear, ;access=open lets everybody do everything")

// ErrNoCertificate is a tls: address without a certificate.
var ErrNoCertificate = errors.New("tls: needs a certificate: set rpc_certificate and rpc_private_key")

// Check says whether the configuration allows to listen at a.
func (s *Server) Check(a Address) error {
	switch {
	case a.Path != "" || loopback(a.Host) && a.Net != "tls":
		return nil
	case a.Net == "tls" && (s.Guard == nil || s.Guard.TLS == nil):
		return fmt.Errorf("control socket %s: %w", a, ErrNoCertificate)
	case a.Net == "tls", a.Access == Open, a.Net == "tcp" && a.Access == Token:
		return nil
	case a.Net == "udp" && a.Access == Token:
		return fmt.Errorf("control socket %s: datagrams cannot show a token, so use tls: or tcp: instead", a)
	}
	return fmt.Errorf("control socket %s: %w", a, ErrNotOpen)
}

// loopback says whether only this machine can reach a host.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Listen opens a socket for a protocol. A unix socket that another daemon lives
// on is an *[InUseError]; a stale one is replaced.
func (s *Server) Listen(ctx context.Context, a Address, p Protocol) error {
	if err := s.Check(a); err != nil {
		return err
	}
	k := &open{addr: a, proto: p}
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
func (s *Server) list() []*open {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sockets)
}

func (s *Server) open(ctx context.Context, k *open) (err error) {
	var lc net.ListenConfig
	switch k.addr.Net {
	case "tcp", "tls":
		if k.stream, err = lc.Listen(ctx, "tcp", k.addr.HostPort()); err == nil {
			k.addr.Port = k.stream.Addr().(*net.TCPAddr).Port
		}
	case "udp":
		if k.dgram, err = lc.ListenPacket(ctx, "udp", k.addr.HostPort()); err == nil {
			k.addr.Port = k.dgram.LocalAddr().(*net.UDPAddr).Port
		}
	case "unixs", "unixd":
		return s.openUnix(ctx, k)
	default:
		return fmt.Errorf("control address %s: %w", k.addr, ErrAddress)
	}
	if err != nil {
		return fmt.Errorf("control socket %s: %w", k.addr, err)
	}
	return nil
}

func (s *Server) openUnix(ctx context.Context, k *open) (err error) {
	if k.file, err = claim(k.addr.Path); err != nil {
		return err
	}
	var lc net.ListenConfig
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
}

func (k *open) close() {
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
		out = append(out, k.socket())
	}
	return out
}

// Addresses lists where the server listens, with the ports that the system
// chose, in the order of the calls of Listen.
func (s *Server) Addresses() []Address {
	var out []Address
	for _, k := range s.list() {
		out = append(out, k.addr)
	}
	return out
}

func (k *open) socket() Socket {
	if k.addr.Path != "" {
		return Socket{k.proto.Name(), k.addr.transport(), k.addr.Path, ""}
	}
	host := k.addr.Host
	if host == "" {
		host = "*"
	}
	return Socket{k.proto.Name(), k.addr.transport(), host, strconv.Itoa(k.addr.Port)}
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
	workers := s.Workers
	if workers == 0 {
		workers = 2
	}
	var wg sync.WaitGroup
	for _, k := range s.list() {
		if k.stream != nil {
			wg.Go(func() { cancel(s.accept(ctx, k, &wg)) })
			continue
		}
		for range workers {
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

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}
