package router

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"sipd/router/transport"
)

// listenSpec is one address of a listen line or an -l option, as written.
type listenSpec struct {
	Proto   transport.Proto // ProtoNone: udp, and tcp unless it is disabled
	Host    string          // address, host name or interface name; "" or "*": all interfaces
	Port    uint16          // 0: the port parameter
	AdvHost string
	AdvPort uint16
	Name    string
	Place   string // where it was written, for errors
}

// endpoint is a resolved listenSpec: one socket to open.
type endpoint struct {
	proto transport.Proto
	addr  netip.AddrPort
	spec  *listenSpec
}

// listening is which protocols are on and their ports where a line has none.
type listening struct {
	port, tlsPort uint16
	tcp, tls      bool
}

// protos are those of a line; none when what it names is off.
func (l *listening) protos(s *listenSpec) []transport.Proto {
	switch {
	case s.Proto == transport.TLS && !l.tls, s.Proto == transport.TCP && !l.tcp:
		return nil
	case s.Proto != transport.ProtoNone:
		return []transport.Proto{s.Proto}
	}
	list := []transport.Proto{transport.UDP}
	if l.tcp {
		list = append(list, transport.TCP)
	}
	if l.tls {
		list = append(list, transport.TLS)
	}
	return list
}

// portOf is where a line's protocol listens.
func (l *listening) portOf(s *listenSpec, p transport.Proto) uint16 {
	n := s.Port
	switch {
	case n != 0 && s.Proto == transport.ProtoNone && p == transport.TLS:
		n++ // as the elders: TLS is one above the port of a line for all protocols
	case n == 0 && p == transport.TLS:
		n = l.tlsPort
	case n == 0:
		n = l.port
	}
	if n == 0 {
		n = p.DefaultPort()
	}
	return n
}

// expandListen turns what is written into sockets to open: interface names
// become their addresses, host names are looked up, and without any line
// every address of every interface is taken. Duplicates are dropped.
func expandListen(ctx context.Context, specs []listenSpec, on listening) ([]endpoint, error) {
	if len(specs) == 0 {
		specs = []listenSpec{{Host: "*", Place: "the default (no listen line)"}}
	}
	var eps []endpoint
	for i := range specs {
		s := &specs[i]
		addrs, err := hostAddrs(ctx, s.Host)
		if err != nil {
			return nil, fmt.Errorf("%s: listen: %w", s.Place, err)
		}
		if s.Proto == transport.TCP && !on.tcp {
			return nil, fmt.Errorf("%s: listen on tcp, but TCP is disabled (disable_tcp or -T)", s.Place)
		}
		for _, p := range on.protos(s) {
			n := on.portOf(s, p)
			for _, a := range addrs {
				e := endpoint{p, netip.AddrPortFrom(a, n), s}
				if !slices.ContainsFunc(eps, func(o endpoint) bool { return o.proto == e.proto && o.addr == e.addr }) {
					eps = append(eps, e)
				}
			}
		}
	}
	return eps, nil
}

// hostAddrs resolves a listen host. An interface's link-local IPv6 addresses
// are left out, as they need a zone that SIP cannot write.
func hostAddrs(ctx context.Context, host string) ([]netip.Addr, error) {
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	if host == "" || host == "*" {
		ias, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("list interfaces: %w", err)
		}
		return usable(ias), nil
	}
	if ifc, err := net.InterfaceByName(host); err == nil {
		ias, err := ifc.Addrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of interface %s: %w", host, err)
		}
		if as := usable(ias); len(as) > 0 {
			return as, nil
		}
		return nil, fmt.Errorf("interface %s has no usable address", host)
	}
	as, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("%q is no address, no interface, and no host that resolves: %w", host, err)
	}
	return []netip.Addr{as[0].Unmap()}, nil
}

func usable(ias []net.Addr) []netip.Addr {
	var out []netip.Addr
	for _, ia := range ias {
		n, ok := ia.(*net.IPNet)
		if !ok {
			continue
		}
		if a, ok := netip.AddrFromSlice(n.IP); ok && !a.IsLinkLocalUnicast() {
			out = append(out, a.Unmap())
		}
	}
	return out
}
