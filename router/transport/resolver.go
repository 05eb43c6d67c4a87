package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sipd/router/cfg"
	"sipd/router/sip"
)

// maxDests bounds the destinations of one look-up: a zone must not make us try
// for ever.
const maxDests = 16

// ResolveError is why a host has no address.
type ResolveError struct {
	Host string
	// Err is the cause: ErrNoRecords, or what went wrong when asking.
	Err error
}

// Error names the host and the cause.
func (e *ResolveError) Error() string { return fmt.Sprintf("resolve %q: %v", e.Host, e.Err) }

// Unwrap is the cause.
func (e *ResolveError) Unwrap() error { return e.Err }

// Resolver finds hosts by RFC 3263 with a cache. It is safe for concurrent use.
type Resolver struct {
	opt   ResolverOptions
	log   *slog.Logger
	cfg   atomic.Pointer[cfg.Store]
	core  *cfg.Core
	cache cache
	files files
}

// ResolverOptions are where a Resolver asks. The zero value is the system's
// settings.
type ResolverOptions struct {
	Log *slog.Logger
	// Servers are name servers, address and port, used instead of those of
	// ResolvConf.
	Servers []string
	// ResolvConf and Hosts are the files to read, /etc/resolv.conf and
	// /etc/hosts unless given.
	ResolvConf, Hosts string
	// Timeout is how long one server may take for one question; 0 leaves it to
	// core.dns_retr_time and resolv.conf.
	Timeout time.Duration
}

// NewResolver makes a resolver; NewManager gives it the runtime variables.
func NewResolver(o ResolverOptions) *Resolver {
	if o.ResolvConf == "" {
		o.ResolvConf = "/etc/resolv.conf"
	}
	if o.Hosts == "" {
		o.Hosts = "/etc/hosts"
	}
	r := &Resolver{opt: o, log: o.Log}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.core = new(cfg.Core)
	return r
}

// parseLiteral reads an IPv4 address or an IPv6 address with or without
// brackets, without an allocation.
func parseLiteral(host string) (netip.Addr, bool) { return sip.ParseHostAddr(host) }

func literalDest(a netip.Addr, port uint16, p Proto, sips bool) Dest {
	if p == ProtoNone {
		p = plainProto(sips)
	}
	if port == 0 {
		port = p.DefaultPort()
	}
	return Dest{Proto: p, Addr: netip.AddrPortFrom(a, port)}
}

// plainProto is the protocol of a URI that names none, when nothing else tells
// (RFC 3263 §4.1).
func plainProto(sips bool) Proto {
	if sips {
		return TLS
	}
	return UDP
}

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

// Resolve finds where a URI's host is, in order of preference (RFC 3263): port
// is 0 and p ProtoNone when the URI does not write them. Without a port SRV
// records are asked, of p or of each protocol served, the preferred first; then
// addresses. NAPTR comes before that where core.dns_try_naptr is set. Addresses
// of a family that no socket has are not asked. At least one destination, or a
// *ResolveError.
func (m *Manager) Resolve(ctx context.Context, host string, port uint16, p Proto, sips bool) ([]Dest, error) {
	if a, ok := parseLiteral(host); ok {
		return []Dest{literalDest(a, port, p, sips)}, nil
	}
	if w := m.opt.Wire; w != nil {
		a, ok := w.Lookup(host)
		if !ok {
			return nil, &ResolveError{host, ErrNoRecords}
		}
		return []Dest{literalDest(a, port, p, sips)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	q := query{r: m.opt.Resolver, snap: m.snapshot(), name: strings.TrimSuffix(host, ".")}
	q.served, q.v4, q.v6 = m.served()
	ds, err := q.resolve(ctx, port, p, sips)
	if err == nil && len(ds) == 0 {
		err = ErrNoRecords
	}
	if err != nil {
		return nil, &ResolveError{host, err}
	}
	return ds, nil
}

// Failover says whether further addresses of a name are to be tried when one
// fails: use_dns_failover, which as with the elders needs the cache.
func (m *Manager) Failover(s *cfg.Snapshot) bool {
	return m.core != nil && m.core.UseDNSFailover.Bool(s) && m.core.UseDNSCache.Bool(s)
}

// served tells the protocols and address families that there are sockets of;
// both families when there are no sockets at all.
func (m *Manager) served() (protos []Proto, v4, v6 bool) {
	l := m.list.Load()
	for p := UDP; p <= TLS; p++ {
		if l.def[p] != [2]*Socket{} {
			protos = append(protos, p)
		}
		v4 = v4 || l.def[p][0] != nil
		v6 = v6 || l.def[p][1] != nil
	}
	if !v4 && !v6 {
		v4, v6 = true, true
	}
	return protos, v4, v6
}
