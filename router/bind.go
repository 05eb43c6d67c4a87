package router

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"

	"sipd/router/script"
	"sipd/router/transport"
)

// endpoints are the sockets of the listen lines, or of all interfaces when there
// are none. Nothing is opened: a check finds the mistakes of a start here.
func (r *Router) endpoints(ctx context.Context) ([]endpoint, error) {
	specs, err := r.listenSpecs()
	if err != nil {
		return nil, err
	}
	on, err := r.listening()
	if err != nil {
		return nil, err
	}
	return expandListen(ctx, specs, on)
}

// bind opens the sockets.
func (r *Router) bind(ctx context.Context, eps []endpoint) error {
	for _, e := range eps {
		s, err := r.transport.Listen(e.proto, e.addr)
		if err != nil {
			return fmt.Errorf("%s: %w", e.spec.Place, err)
		}
		s.Name, s.AdvHost, s.AdvPort = e.spec.Name, e.spec.AdvHost, e.spec.AdvPort
		if s.AdvHost == "" {
			s.AdvHost, s.AdvPort = r.conf.Str("advertised_address"), uint16(r.conf.Int("advertised_port"))
		}
		r.myself.addSocket(s)
		if r.conf.Int("auto_aliases") != 0 {
			r.addNames(ctx, s)
		}
	}
	return nil
}

// listening is which protocols the configuration turns on. TLS needs its module
// too; listen lines of TLS without enable_tls count for nothing, as with the
// elders, and are told.
func (r *Router) listening() (listening, error) {
	on := listening{
		port: uint16(r.conf.Int("port")), tlsPort: uint16(r.conf.Int("tls_port_no")),
		tcp: r.conf.Int("disable_tcp") == 0, tls: r.conf.Int("enable_tls") != 0 && r.conf.Int("disable_tls") == 0,
	}
	if on.tls && r.set.Get("tls") == nil {
		return on, fmt.Errorf(`%s: enable_tls needs module tls; put loadmodule "tls.so" into the configuration`, r.opt.Config)
	}
	if on.tls && !on.tcp {
		return on, fmt.Errorf("%s: enable_tls needs TCP, which is disabled (disable_tcp or -T)", r.opt.Config)
	}
	for _, l := range r.conf.Listens {
		if p, _ := transport.ParseProto(l.Proto); p == transport.TLS && !on.tls {
			r.log.LogAttrs(context.Background(), slog.LevelWarn, "TLS is off: not listening; write enable_tls=yes", slog.String("rule", l.Pos.String()))
		}
	}
	return on, nil
}

// listenSpecs turns listen lines into what is to be opened.
func (r *Router) listenSpecs() ([]listenSpec, error) {
	var specs []listenSpec
	for _, l := range r.conf.Listens {
		p := transport.ProtoNone
		if l.Proto != "" {
			p, _ = transport.ParseProto(l.Proto)
			if p != transport.UDP && p != transport.TCP && p != transport.TLS {
				return nil, &ListedError{script.ErrorList{{
					Pos: l.Pos, Msg: fmt.Sprintf("listen on %s is not served by this version", l.Proto), Hint: "udp, tcp and tls are",
				}}}
			}
		}
		for _, h := range l.Hosts {
			specs = append(specs, listenSpec{
				Proto: p, Host: h, Port: uint16(l.Port), AdvHost: l.AdvHost, AdvPort: uint16(l.AdvPort),
				Name: l.Name, Place: l.Pos.String(),
			})
		}
	}
	return specs, nil
}

// addNames makes the host names of a socket's address count as myself
// (auto_aliases), as its reverse look-up tells them.
func (r *Router) addNames(ctx context.Context, s *transport.Socket) {
	names, err := net.DefaultResolver.LookupAddr(ctx, s.Addr.Addr().String())
	if err != nil {
		return // an address without a name has no alias
	}
	slices.Sort(names)
	for _, n := range names {
		r.myself.add(strings.TrimSuffix(n, "."), s.Addr.Port(), transport.ProtoNone)
	}
}
