package dispatcher

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"sipd/router/run"
)

// event is what $dsv tells inside the event routes.
type event struct {
	code   int
	reason string
	reply  bool // a reply came, no timer
}

// stateOf is the state of a destination, 0 when there is none.
func (d *dispatcher) stateOf(set int, uri string) int {
	s := d.sets.Load().byID[set]
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.find(uri); x != nil {
		return x.flags
	}
	return 0
}

// report is what a ping or the script found a destination in: state is what it
// is to be. A failure (trying) counts up to probing_threshold, what follows an
// outage up to inactive_threshold. c is the message that told, nil for pings.
func (d *dispatcher) report(c *run.Context, set int, uri string, state int, e event) bool {
	s := d.sets.Load().byID[set]
	if s == nil {
		return false
	}
	snap := d.host.Cfg.Snapshot()
	s.mu.Lock()
	x := s.find(uri)
	if x == nil {
		s.mu.Unlock()
		return false
	}
	before := x.flags
	after := x.next(state, d.probingThreshold.Get(snap), d.inactiveThreshold.Get(snap))
	s.setFlags(x, after)
	s.mu.Unlock()
	switch {
	case !out(before) && out(after):
		d.host.Log.LogAttrs(context.Background(), slog.LevelWarn, "destination is down", slog.String("module", "dispatcher"),
			slog.Int("set", set), slog.String("dst", x.uri), slog.Int("code", e.code))
		d.runEvent(c, "dispatcher:dst-down", x.uri, e)
	case out(before) && !out(after):
		d.host.Log.LogAttrs(context.Background(), slog.LevelInfo, "destination is up", slog.String("module", "dispatcher"),
			slog.Int("set", set), slog.String("dst", x.uri))
		d.runEvent(c, "dispatcher:dst-up", x.uri, e)
	}
	return true
}

// next counts, and answers the flags that follow a report; the caller holds the
// set's mu.
func (x *dest) next(state, fails, successes int) int {
	flags := x.flags &^ stateBits
	failed, was := state&trying != 0, x.flags&inactive != 0
	if failed && was { // it has to become active before it can be tried again
		state = state&^trying | inactive
	}
	if state&disabled != 0 {
		flags |= disabled
	} else {
		flags |= state & stateBits
	}
	switch {
	case state&trying != 0:
		x.count++
		if x.count >= fails {
			flags = flags&^trying | inactive
			x.count = 0
		}
	case !failed && was:
		x.count++
		if x.count < successes {
			flags |= inactive | x.flags&probing
		} else {
			x.count = 0
		}
	default:
		x.count = 0
	}
	return flags
}

// mark is ds_mark_dst: the current destination gets a state.
func (d *dispatcher) mark(c *run.Context, state int) int {
	if d.flags&flagFailover == 0 || !d.keepsRecords() {
		return -1
	}
	r, ok := d.top(c)
	if !ok {
		return -1
	}
	e := event{code: 820}
	if !c.Msg.IsRequest() {
		e = event{c.Msg.StatusCode(), c.Msg.Reason(), true}
	}
	if !d.report(c, r.set, r.uri, state, e) {
		return -1
	}
	return 1
}

// parseState reads the letters of ds_mark_dst: a, i, d, t, p.
func parseState(s string) (flags int, err error) {
	for _, r := range strings.ToLower(s) {
		switch r {
		case 'a':
			flags = 0
		case 'i':
			flags |= inactive
		case 'd':
			flags |= disabled
		case 't':
			flags |= trying
		case 'p':
			flags |= probing
		default:
			return 0, fmt.Errorf("%q is no state; want letters of a (active), i (inactive), d (disabled), t (trying), p (probing)", s)
		}
	}
	return flags, nil
}

// eventRequest is the message of event routes that no message caused.
const eventRequest = "OPTIONS sip:you@kamailio.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKdispatcher\r\n" +
	"From: <sip:you@kamailio.org>;tag=dispatcher\r\nTo: <sip:you@kamailio.org>\r\nCall-ID: dispatcher\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

// runEvent runs an event route: on the message that told, or on one whose
// request URI is the destination.
func (d *dispatcher) runEvent(c *run.Context, name, uri string, e event) {
	env := d.host.Env
	if env.Block == nil {
		return
	}
	b := env.Block(run.EventRoute, name)
	if b == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			d.host.Log.LogAttrs(context.Background(), slog.LevelError, "event route panicked", slog.String("module", "dispatcher"),
				slog.String("err", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
		}
	}()
	if c == nil {
		c = &run.Context{}
		c.Reset(env)
		if c.Msg.Parse(eventRequest) != nil {
			return
		}
		c.Cfg = env.Cfg.Snapshot()
		c.SetRURI(uri)
	}
	route, routeName, exited, dropped, held := c.Route, c.RouteName, c.Exited, c.Dropped, c.Slots[d.slot]
	c.Route, c.RouteName, c.Slots[d.slot] = run.EventRoute, name, &e
	b.Run(c)
	c.Route, c.RouteName, c.Exited, c.Dropped, c.Slots[d.slot] = route, routeName, exited, dropped, held
}
