package router

import (
	"context"
	"log/slog"
	"net/netip"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/transport"
)

// dryLog lets through what core.debug lets through.
type dryLog struct {
	slog.Handler
	level func() int
}

// Enabled says whether a line of the level is to be written.
func (h dryLog) Enabled(_ context.Context, l slog.Level) bool { return threshold(l) <= h.level() }

// WithAttrs adds attributes to each line.
func (h dryLog) WithAttrs(as []slog.Attr) slog.Handler {
	return dryLog{h.Handler.WithAttrs(as), h.level}
}

// bindDry makes the sockets of a run without a network whose configuration has
// no listen line.
func (r *Router) bindDry() error {
	for _, p := range []transport.Proto{transport.UDP, transport.TCP} {
		if p == transport.TCP && r.conf.Int("disable_tcp") != 0 {
			continue
		}
		s, err := r.transport.Listen(p, r.opt.Dry.Socket)
		if err != nil {
			return err
		}
		r.myself.addSocket(s)
	}
	return nil
}

// wire is the network's stand-in, nil when there is a network.
func (r *Router) wire() transport.Wire {
	if r.opt.Dry == nil {
		return nil
	}
	return r.opt.Dry.Wire
}

// Deliver runs one message as if it had come from the network. It is for dry
// runs: the caller's goroutine is the worker.
func (r *Router) Deliver(b []byte, rcv transport.Received) { r.receive(b, rcv) }

// Sockets lists what the daemon listens on; the slice must not be changed.
func (r *Router) Sockets() []*transport.Socket { return r.transport.Sockets() }

// Module finds a loaded module by name, nil when it is not there.
func (r *Router) Module(name string) module.Module { return r.module(name) }

// lookupDry is the address of a host name in a dry run.
func (r *Router) lookupDry(host string) ([]netip.Addr, error) {
	a, ok := r.opt.Dry.Wire.Lookup(host)
	if !ok {
		return nil, &transport.ResolveError{Host: host, Err: transport.ErrNoRecords}
	}
	return []netip.Addr{a}, nil
}

// Vars are the variables that the configuration knows.
func (r *Router) Vars() *pv.Registry { return r.vars }
