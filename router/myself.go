package router

import (
	"net/netip"
	"strings"

	"sipd/router/transport"
)

// aliases answers "is that me": the listening sockets and the alias lines
// (script.md §13). It does not change after start.
type aliases struct {
	hosts map[string][]aliasEntry
}

type aliasEntry struct {
	proto transport.Proto // ProtoNone matches any
	port  uint16          // 0 matches any
}

func (a *aliases) add(host string, port uint16, p transport.Proto) {
	if a.hosts == nil {
		a.hosts = make(map[string][]aliasEntry)
	}
	h := canonicalHost(host)
	e := aliasEntry{p, port}
	for _, old := range a.hosts[h] {
		if old == e {
			return
		}
	}
	a.hosts[h] = append(a.hosts[h], e)
}

// addSocket makes a socket's address, and what it advertises, count as myself
// with its port; any protocol matches, as in Kamailio.
func (a *aliases) addSocket(s *transport.Socket) {
	a.add(s.Addr.Addr().Unmap().String(), s.Addr.Port(), transport.ProtoNone)
	if s.AdvHost != "" {
		a.add(s.AdvHost, s.SentByPort(), transport.ProtoNone)
	}
}

// match says whether host:port is this daemon. A port that was not written is
// the protocol's default.
func (a *aliases) match(host string, port uint16, p transport.Proto) bool {
	es, ok := a.hosts[host]
	if !ok {
		if es, ok = a.hosts[canonicalHost(host)]; !ok {
			return false
		}
	}
	if port == 0 {
		port = p.DefaultPort()
	}
	for _, e := range es {
		if (e.port == 0 || e.port == port) && (e.proto == transport.ProtoNone || p == transport.ProtoNone || e.proto == p) {
			return true
		}
	}
	return false
}

// list is for core.aliases_list: entries in no order.
func (a *aliases) list(f func(host string, port uint16, p transport.Proto)) {
	for h, es := range a.hosts {
		for _, e := range es {
			f(h, e.port, e.proto)
		}
	}
}

// canonicalHost lowers names and writes addresses one way, without brackets.
func canonicalHost(h string) string {
	if len(h) > 2 && h[0] == '[' && h[len(h)-1] == ']' {
		h = h[1 : len(h)-1]
	}
	if strings.IndexByte(h, ':') >= 0 {
		if ip, err := netip.ParseAddr(h); err == nil {
			return ip.Unmap().String()
		}
	}
	return strings.ToLower(h)
}
