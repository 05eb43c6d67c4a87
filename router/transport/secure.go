package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// ErrNoTLS: no module gives connections their TLS settings.
var ErrNoTLS = errors.New(`TLS has no settings; put loadmodule "tls.so" into the configuration`)

// Security gives each new connection its TLS settings; module tls is one. Its
// methods are called from many goroutines.
type Security interface {
	// Server is for a connection that peer made to one of our sockets.
	Server(local, peer netip.AddrPort) (*tls.Config, error)
	// Client is for a connection that we make to peer.
	Client(peer netip.AddrPort) (*tls.Config, error)
	// HandshakeTime bounds a handshake.
	HandshakeTime() time.Duration
	// Lifetime is how long a connection may be idle; 0: as long as one of TCP.
	Lifetime() time.Duration
}

// Secure sets where TLS settings come from: those of the handshakes from now on.
func (m *Manager) Secure(s Security) { m.security.Store(&s) }

// secured is where they come from; nil for nowhere.
func (m *Manager) secured() Security {
	if s := m.security.Load(); s != nil {
		return *s
	}
	return nil
}

// TLSState is the TLS state of an open connection; false when there is none of
// that number or it has no TLS.
func (m *Manager) TLSState(id uint64) (tls.ConnectionState, bool) {
	m.tcp.mu.RLock()
	c := m.tcp.byID[id]
	m.tcp.mu.RUnlock()
	if c == nil {
		return tls.ConnectionState{}, false
	}
	c.mu.Lock()
	t, ok := c.nc.(*tls.Conn)
	c.mu.Unlock()
	if !ok {
		return tls.ConnectionState{}, false
	}
	return t.ConnectionState(), true
}

// handshake makes a TLS connection of a TCP connection. It closes nc when it
// fails; c.cancel ends it early.
func (c *conn) handshake(ctx context.Context, nc *net.TCPConn) (*tls.Conn, error) {
	t, err := c.secured(nc)
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, c.t.m.secured().HandshakeTime())
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.t.m.stat.TLSHandshakeFailed.Inc()
		_ = nc.Close() // the failed handshake is what counts
		return nil, fmt.Errorf("TLS handshake with %s: %w", c.peer, err)
	}
	return t, nil
}

func (c *conn) secured(nc *net.TCPConn) (*tls.Conn, error) {
	s := c.t.m.secured()
	switch {
	case s == nil:
		return nil, ErrNoTLS
	case c.incoming:
		conf, err := s.Server(c.local, c.peer)
		if err != nil {
			return nil, err
		}
		return tls.Server(nc, conf), nil
	}
	conf, err := s.Client(c.peer)
	if err != nil {
		return nil, err
	}
	return tls.Client(nc, conf), nil
}

// welcome finishes an accepted TLS connection and reads from it.
func (c *conn) welcome(ctx context.Context, nc *net.TCPConn) {
	defer c.cancel()
	m := c.t.m
	t, err := c.handshake(ctx, nc)
	if err == nil {
		if err = c.attach(t, nil); err != nil {
			_ = nc.Close() // the daemon stops
		}
	}
	if err != nil {
		m.refused(c, err)
		c.close(err)
		return
	}
	m.stat.TCPAccepted.Inc()
	c.read()
}

// MaxTLS is how many TLS connections there may be: tcp.max_tls_connections.
func (m *Manager) MaxTLS() int { return m.vars.MaxTLSConnections.Get(m.snapshot()) }
