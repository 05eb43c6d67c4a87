package nathelper

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"sipd/router/sip"
)

// Pings of natping_socket say that they come from an address that the daemon does
// not listen on, such as the one that several servers share: they leave over a raw
// socket, with IP and UDP headers of our own.

// parseRaw reads [udp:]ADDRESS[:PORT] of IPv4.
func parseRaw(text string) (netip.AddrPort, error) {
	host, port, err := sip.SplitHostPort(strings.TrimPrefix(text, "udp:"))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("natping_socket: %w", err)
	}
	a, ok := sip.ParseHostAddr(host)
	if !ok || !a.Is4() {
		return netip.AddrPort{}, fmt.Errorf("natping_socket: %q is no IPv4 address", host)
	}
	if port == 0 {
		port = 5060
	}
	return netip.AddrPortFrom(a, port), nil
}

const (
	ipHeader  = 20
	udpHeader = 8
	protoUDP  = 17
	rawTTL    = 69 // Kamailio's
)

// datagram is an IPv4 packet with a UDP datagram (RFC 791, RFC 768), without
// checksum of UDP: over IPv4 it may be left out.
func datagram(from, to netip.AddrPort, payload []byte) []byte {
	b := make([]byte, ipHeader+udpHeader, ipHeader+udpHeader+len(payload))
	b[0] = 4<<4 | ipHeader/4
	binary.BigEndian.PutUint16(b[2:], uint16(cap(b)))
	b[8], b[9] = rawTTL, protoUDP
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	binary.BigEndian.PutUint16(b[10:], checksum(b[:ipHeader]))
	udp := b[ipHeader:]
	binary.BigEndian.PutUint16(udp, from.Port())
	binary.BigEndian.PutUint16(udp[2:], to.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(udpHeader+len(payload)))
	return append(b, payload...)
}

// checksum is that of RFC 1071 over an even number of octets.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
