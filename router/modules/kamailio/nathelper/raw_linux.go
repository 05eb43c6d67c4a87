package nathelper

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// rawSocket sends datagrams that come from an address of anybody's.
type rawSocket struct {
	fd   int
	from netip.AddrPort
}

func openRaw(from netip.AddrPort) (*rawSocket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("natping_socket needs a raw socket, which the daemon may not open: give it CAP_NET_RAW (setcap cap_net_raw+ep, or AmbientCapabilities of its unit): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("natping_socket: %w", err)
	}
	return &rawSocket{fd, from}, nil
}

// send sends to an IPv4 address.
func (r *rawSocket) send(to netip.AddrPort, payload []byte) error {
	return unix.Sendto(r.fd, datagram(r.from, to, payload), 0, &unix.SockaddrInet4{Addr: to.Addr().As4()})
}

func (r *rawSocket) close() error { return unix.Close(r.fd) }
