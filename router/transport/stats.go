package transport

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"sipd/router/stat"
)

// Counters are what the transports count.
type Counters struct {
	// UDPSendErrors are datagrams that the system did not take.
	UDPSendErrors stat.Counter
	// TCPAccepted and TCPConnected are connections that came and were made;
	// TCPRejected were refused for their number, TCPConnectFailed not made.
	TCPAccepted, TCPConnected, TCPRejected, TCPConnectFailed stat.Counter
	// TCPReceived are messages from streams, TCPPings keep-alive pings,
	// TCPBadData streams closed because of what came on them.
	TCPReceived, TCPPings, TCPBadData stat.Counter
	// TCPQueueFull are messages refused by the bound of a write queue.
	TCPQueueFull stat.Counter
	// TLSHandshakeFailed are connections given up because of their handshake.
	TLSHandshakeFailed stat.Counter
}

// Counters are the manager's.
func (m *Manager) Counters() *Counters { return &m.stat }

// Declare adds the statistics of the group "tcp", by the elders' names where
// they have them.
func (m *Manager) Declare(r *stat.Registry) error {
	c := &m.stat
	return r.Declare(
		"tcp",
		stat.Def{Name: "connect_success", Help: "connections made", Source: &c.TCPConnected},
		stat.Def{Name: "connect_failed", Help: "connections not made", Source: &c.TCPConnectFailed},
		stat.Def{Name: "passive_open", Help: "connections accepted", Source: &c.TCPAccepted},
		stat.Def{Name: "local_reject", Help: "connections refused because there were too many", Source: &c.TCPRejected},
		stat.Def{Name: "tls_handshake_failed", Help: "TLS handshakes that failed", Source: &c.TLSHandshakeFailed},
		stat.Def{Name: "sendq_full", Help: "messages refused because a write queue was full", Source: &c.TCPQueueFull},
		stat.Def{Name: "current_opened_connections", Help: "open connections", Source: stat.Func(func() int64 { return int64(m.tcp.count()) })},
		stat.Def{Name: "current_write_queue_size", Help: "octets waiting to be written", Source: stat.Func(m.tcp.queued.Load)},
	)
}

// ConnInfo is an open connection, as core.tcp_list shows it.
type ConnInfo struct {
	ID    uint64
	Proto Proto
	// State is "CONN_OK", "CONN_CONNECTING" or "CONN_CLOSING".
	State string
	// Timeout is the time until it is closed when nothing happens on it, of
	// Lifetime; both 0 when it is never.
	Timeout, Lifetime time.Duration
	// Refs is 1, and 1 more for a writer at work.
	Refs int
	// Src is the peer, Dst our address.
	Src, Dst netip.AddrPort
	// Incoming says that the peer connected.
	Incoming bool
	// Queued are octets waiting to be written.
	Queued int
	// Aliases are the further addresses it is known by.
	Aliases []netip.AddrPort
}

// Conns lists the open connections by number.
func (m *Manager) Conns() []ConnInfo {
	t := &m.tcp
	t.mu.RLock()
	list := make([]*conn, 0, len(t.byID))
	aliases := make(map[uint64][]netip.AddrPort)
	for _, c := range t.byID {
		list = append(list, c)
		for _, a := range c.names {
			if a != c.peer {
				aliases[c.id] = append(aliases[c.id], a)
			}
		}
	}
	t.mu.RUnlock()
	slices.SortFunc(list, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	out := make([]ConnInfo, 0, len(list))
	for _, c := range list {
		i := ConnInfo{ID: c.id, Proto: c.sock.Proto, State: "CONN_OK", Lifetime: max(c.lifetime(), 0), Refs: 1, Src: c.peer, Incoming: c.incoming, Aliases: aliases[c.id]}
		if until := c.idleUntil(); !until.IsZero() {
			i.Timeout = max(time.Until(until), 0)
		}
		c.mu.Lock()
		i.Dst, i.Queued = c.local, len(c.queue)
		switch {
		case c.closed || c.last:
			i.State = "CONN_CLOSING"
		case c.nc == nil:
			i.State = "CONN_CONNECTING"
		}
		if c.writing {
			i.Refs++
		}
		c.mu.Unlock()
		out = append(out, i)
	}
	return out
}

func (t *tcpTable) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byID)
}

// Queued is how many octets wait to be written on all connections.
func (m *Manager) Queued() int { return int(m.tcp.queued.Load()) }

// ConnOpen says whether a connection is open.
func (m *Manager) ConnOpen(id uint64) bool {
	m.tcp.mu.RLock()
	defer m.tcp.mu.RUnlock()
	return m.tcp.byID[id] != nil
}

// CloseConn closes a connection; false when there is none of that number.
func (m *Manager) CloseConn(id uint64) bool {
	m.tcp.mu.RLock()
	c := m.tcp.byID[id]
	m.tcp.mu.RUnlock()
	if c == nil {
		return false
	}
	c.close(ErrClosed)
	return true
}

// Alias makes the connection of a message known as one to its peer's address
// and the port given as well (RFC 5923): what goes there uses it. force does so
// whatever tcp_accept_aliases says (force_tcp_alias). It answers whether the
// connection has the alias now.
func (m *Manager) Alias(r Received, port uint16, force bool) bool {
	snap := m.snapshot()
	if r.Conn == 0 || !force && !m.vars.AcceptAliases.Bool(snap) {
		return false
	}
	t := &m.tcp
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.byID[r.Conn]
	const maxAliases = 12 // as the elders; a peer must not fill the table
	if c == nil || len(c.names) >= maxAliases {
		return false
	}
	return t.name(c, netip.AddrPortFrom(c.peer.Addr(), port), m.vars.AliasFlags.Get(snap) != 0)
}

// ViaAlias notes the alias that a request's topmost Via asks for, where
// tcp_accept_aliases allows it; port is that of sent-by, 0 when not written.
func (m *Manager) ViaAlias(r Received, port uint16) bool {
	if port == 0 {
		port = r.Proto.DefaultPort()
	}
	return m.Alias(r, port, false)
}

// ConnFrom says whether a connection is open and its peer has that address.
func (m *Manager) ConnFrom(id uint64, a netip.Addr) bool {
	m.tcp.mu.RLock()
	defer m.tcp.mu.RUnlock()
	c := m.tcp.byID[id]
	return c != nil && c.peer.Addr() == a
}
