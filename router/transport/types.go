package transport

import (
	"net/netip"
	"strconv"
	"strings"
)

// Proto is a transport protocol. The numbers are those of the elders, seen in
// proto comparisons and socket lists.
type Proto uint8

// The protocols.
const (
	ProtoNone Proto = 0
	UDP       Proto = 1
	TCP       Proto = 2
	TLS       Proto = 3
	SCTP      Proto = 4
	WS        Proto = 5
	WSS       Proto = 6
)

var protoNames = [...]string{"none", "udp", "tcp", "tls", "sctp", "ws", "wss"}

// String is the lower-case name, as in "udp:127.0.0.1:5060".
func (p Proto) String() string {
	if int(p) < len(protoNames) {
		return protoNames[p]
	}
	return "unknown"
}

// Upper is the name as a Via header spells it.
func (p Proto) Upper() string {
	switch p {
	case UDP:
		return "UDP"
	case TCP:
		return "TCP"
	case TLS:
		return "TLS"
	case SCTP:
		return "SCTP"
	case WS:
		return "WS"
	case WSS:
		return "WSS"
	}
	return "NONE"
}

// Reliable says whether the transport itself repeats lost data.
func (p Proto) Reliable() bool { return p != UDP && p != ProtoNone }

// DefaultPort is 5061 for TLS and WSS, 5060 otherwise.
func (p Proto) DefaultPort() uint16 {
	if p == TLS || p == WSS {
		return 5061
	}
	return 5060
}

// ParseProto reads a protocol name in any case.
func ParseProto(s string) (Proto, bool) {
	for p, n := range protoNames {
		if p != 0 && strings.EqualFold(s, n) {
			return Proto(p), true
		}
	}
	return ProtoNone, false
}

// Socket is one address the daemon listens on. It does not change after start.
type Socket struct {
	Proto Proto
	Addr  netip.AddrPort
	// AdvHost and AdvPort replace the address in Via and Record-Route when a
	// listen line advertises them.
	AdvHost string
	AdvPort uint16
	// Name is the socket's name in the configuration, "" when it has none.
	Name string
	// Index is the position in the list of sockets.
	Index int

	hostPort string
	full     string
	udp      *udpSocket // nil unless a Manager opened it
}

// NewSocket fills the texts that messages and listings need.
func NewSocket(p Proto, addr netip.AddrPort) *Socket {
	s := &Socket{Proto: p, Addr: addr}
	s.hostPort = addr.String()
	s.full = p.String() + ":" + s.hostPort
	return s
}

// String is "udp:127.0.0.1:5060".
func (s *Socket) String() string { return s.full }

// HostPort is "127.0.0.1:5060", or "[::1]:5060".
func (s *Socket) HostPort() string { return s.hostPort }

// SentByHost is the host that Via and Record-Route carry, in brackets when it
// is an IPv6 address.
func (s *Socket) SentByHost() string {
	if s.AdvHost != "" {
		return s.AdvHost
	}
	if s.Addr.Addr().Is6() && !s.Addr.Addr().Is4In6() {
		return "[" + s.Addr.Addr().String() + "]"
	}
	return s.Addr.Addr().Unmap().String()
}

// SentByPort is the port that Via and Record-Route carry.
func (s *Socket) SentByPort() uint16 {
	if s.AdvPort != 0 {
		return s.AdvPort
	}
	return s.Addr.Port()
}

// SentBy is host:port for a Via header; the port is always written.
func (s *Socket) SentBy() string { return string(s.AppendSentBy(nil)) }

// AppendSentBy appends SentBy without an allocation.
func (s *Socket) AppendSentBy(dst []byte) []byte {
	switch a := s.Addr.Addr(); {
	case s.AdvHost != "":
		dst = append(dst, s.AdvHost...)
	case a.Is6() && !a.Is4In6():
		dst = append(a.AppendTo(append(dst, '[')), ']')
	default:
		dst = a.Unmap().AppendTo(dst)
	}
	return strconv.AppendUint(append(dst, ':'), uint64(s.SentByPort()), 10)
}

// Received says how a message came in.
type Received struct {
	Proto Proto
	Src   netip.AddrPort
	Dst   netip.AddrPort
	// Sock is the listener it came in on.
	Sock *Socket
	// Conn is the stream connection's id, 0 for datagrams.
	Conn uint64
}

// Dest is a place to send to.
type Dest struct {
	Proto Proto
	Addr  netip.AddrPort
	// Sock is the socket to send from; nil lets the transport choose.
	Sock *Socket
	// Conn is the stream connection to use when it is still open, 0 for any.
	Conn uint64
	// NoConnect forbids opening a new connection.
	NoConnect bool
	// Close asks for the connection to be closed after the send.
	Close bool
}

// IsValid says whether there is an address.
func (d Dest) IsValid() bool { return d.Addr.IsValid() }
