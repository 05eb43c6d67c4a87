package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"sipd/rpc"
)

// DefaultPort is where TCP and UDP control sockets are unless told.
const DefaultPort = 2049

// Address is where a control socket is.
type Address struct {
	Net  string // "unixs" (stream), "unixd" (datagram), "tcp", "tls" or "udp"
	Path string // of unix sockets
	Host string // of the others; "" means any (listening) or this machine
	Port int
	// Access and Role are for listening: what is asked of callers from beyond
	// this machine, and the most that callers may do; None means Full.
	Access Access
	Role   rpc.Role
}

// ErrAddress is text that is no control address.
var ErrAddress = errors.New(`use unixs:PATH, unixd:PATH, tcp:[HOST:]PORT or udp:[HOST:]PORT`)

// ErrOption is an address with an option that does not exist.
var ErrOption = errors.New("an address takes the options ;access=guarded, ;access=token, ;access=open, ;role=read-only and ;role=full")

// ParseAddress reads an address as ctl and kamcmd do: "unix:" and "unixs:"
// (stream), "unixd:" (datagram), "tcp:" and "udp:" in letters of either case;
// a bare path is a stream socket, a bare host:port UDP; a lone number is a
// port. "tls:" is TCP with TLS. Options for listening may follow:
// ";access=open", ";role=read-only". The error is ErrAddress or ErrOption.
func ParseAddress(s string) (Address, error) {
	where, access, role, err := options(s)
	if err != nil {
		return Address{}, fmt.Errorf("control address %q: %w", s, err)
	}
	a, err := parsePlain(where)
	if err != nil {
		return Address{}, err
	}
	a.Access, a.Role = access, role
	return a, nil
}

// options takes the options off an address.
func options(s string) (where string, access Access, role rpc.Role, err error) {
	where = s
	for {
		i := strings.LastIndexByte(where, ';')
		if i < 0 {
			return where, access, role, nil
		}
		key, val, isOption := strings.Cut(where[i+1:], "=")
		switch strings.ToLower(key) {
		case "access":
			access, err = ParseAccess(val)
		case "role":
			role, err = rpc.ParseRole(val)
		default:
			if !isOption && strings.Contains(where, "/") { // of a path
				return where, access, role, nil
			}
			err = ErrOption
		}
		if err != nil {
			return where, access, role, err
		}
		where = where[:i]
	}
}

func parsePlain(s string) (Address, error) {
	bad := func() (Address, error) { return Address{}, fmt.Errorf("control address %q: %w", s, ErrAddress) }
	scheme, rest, ok := strings.Cut(s, ":")
	a := Address{Net: strings.ToLower(scheme)}
	switch {
	case ok && a.Net == "unix":
		a.Net = "unixs"
	case ok && (a.Net == "unixs" || a.Net == "unixd" || a.Net == "tcp" || a.Net == "tls" || a.Net == "udp"):
	case strings.Contains(s, "/"):
		a.Net, rest = "unixs", s
	default:
		a.Net, rest = "udp", s
	}
	if rest == "" {
		return bad()
	}
	if a.Net == "unixs" || a.Net == "unixd" {
		a.Path = rest
		return a, nil
	}
	a.Host, a.Port = rest, DefaultPort
	port := ""
	switch {
	case isNumber(rest):
		a.Host, port = "", rest
	case strings.HasSuffix(rest, "]") || !strings.Contains(rest, ":"):
		a.Host = strings.Trim(rest, "[]")
	default:
		var err error
		if a.Host, port, err = net.SplitHostPort(rest); err != nil {
			return bad()
		}
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return bad()
		}
		a.Port = int(n)
	}
	if a.Host == "*" {
		a.Host = ""
	}
	if !isHost(a.Host) {
		return bad()
	}
	return a, nil
}

// isHost says whether s may be a host's name or address.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

func isNumber(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// String is the address in the form that ParseAddress reads.
func (a Address) String() string {
	s := a.Net + ":" + a.Path
	if a.Path == "" {
		s = a.Net + ":" + a.HostPort()
	}
	if a.Access != Guarded {
		s += ";access=" + a.Access.String()
	}
	if a.Role != rpc.None {
		s += ";role=" + a.Role.String()
	}
	return s
}

// HostPort is the host and port of an address that has them.
func (a Address) HostPort() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// transport is what ctl.who calls the address's kind.
func (a Address) transport() string {
	switch a.Net {
	case "unixs":
		return "unix_stream"
	case "unixd":
		return "unix_dgram"
	}
	return a.Net
}
