package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"

	"sipd/router/cfg"
	"sipd/router/sip"
)

// ResolverOptions are what a Resolver works with.
type ResolverOptions struct {
	Log *slog.Logger
}

// Resolver finds hosts.
type Resolver struct {
	opt  ResolverOptions
	cfg  *cfg.Store
	core *cfg.Core
}

// NewResolver makes a resolver.
func NewResolver(o ResolverOptions) *Resolver { return &Resolver{opt: o} }

func (r *Resolver) bind(s *cfg.Store, c *cfg.Core) { r.cfg, r.core = s, c }

// parseLiteral reads an IPv4 address or an IPv6 address with or without
// brackets, without an allocation.
func parseLiteral(host string) (netip.Addr, bool) { return sip.ParseHostAddr(host) }

// ResolveOne is the first destination of Resolve; for an address it allocates
// nothing.
func (m *Manager) ResolveOne(ctx context.Context, host string, port uint16, p Proto, sips bool) (Dest, error) {
	if a, ok := parseLiteral(host); ok {
		return literalDest(a, port, p, sips), nil
	}
	l, err := m.Resolve(ctx, host, port, p, sips)
	if err != nil {
		return Dest{}, err
	}
	return l[0], nil
}

// Resolve finds where a URI's host is.
func (m *Manager) Resolve(ctx context.Context, host string, port uint16, p Proto, sips bool) ([]Dest, error) {
	if a, ok := parseLiteral(host); ok {
		return []Dest{literalDest(a, port, p, sips)}, nil
	}
	return nil, fmt.Errorf("%q does not resolve", host)
}

func literalDest(a netip.Addr, port uint16, p Proto, sips bool) Dest {
	if p == ProtoNone {
		p = UDP
		if sips {
			p = TLS
		}
	}
	if port == 0 {
		port = p.DefaultPort()
	}
	return Dest{Proto: p, Addr: netip.AddrPortFrom(a, port)}
}
