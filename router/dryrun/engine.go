// Package dryrun runs a configuration without a network: messages go in by
// hand, what the daemon would send, log and do comes out as events. sipd explain
// and route tests stand on it.
package dryrun

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"sipd/router"
	"sipd/router/run"
	"sipd/router/script"
	"sipd/router/tm"
	"sipd/router/transport"
)

// Proxy is what a daemon without listen lines listens on in a dry run.
var Proxy = netip.MustParseAddrPort("127.0.0.1:15060")

// Options are what an [Engine] works with.
type Options struct {
	// Config is the configuration file, Text its text when it is not on disk.
	Config, Text string
	Defines      []string
	// Proxy replaces [Proxy] where the configuration has no listen line.
	Proxy netip.AddrPort
	// Hosts are names that resolve; every other name gets an address of
	// 198.51.100.0/24, unless OnlyHosts says that it has none.
	Hosts     map[string]netip.Addr
	OnlyHosts bool
	// Databases opens the databases that the configuration names, which it may
	// change; without, functions that need one fail.
	Databases bool
	// Debug sets core.debug, "" leaves it to the configuration.
	Debug string
	// Watch are variables to tell whenever they change, as "$ru".
	Watch []string
	// Trace tells each step of the script.
	Trace bool
}

// Event is something that a run did: exactly one of the fields is set.
type Event struct {
	Sent *Sent
	Log  *Log
	Step *script.Step
	// Var is a watched variable that changed.
	Var *Var
}

// Sent is a message that would have been sent.
type Sent struct {
	Proto    transport.Proto
	From, To netip.AddrPort
	Text     string
}

// Log is a line of the daemon's log.
type Log struct {
	Level  slog.Level
	Module string
	Text   string
	Attrs  []slog.Attr
}

// Var is a watched variable's new value.
type Var struct{ Name, Value string }

// Engine is a loaded configuration that runs without a network. It is used by
// one goroutine.
type Engine struct {
	opt    Options
	router *router.Router
	dir    string
	now    time.Duration
	watch  []watched
	names  map[string]netip.Addr

	mu sync.Mutex
	// mu guards the fields below.
	events []Event
	sent   []request
}

// New loads a configuration. The error is what router.Load answers: all
// mistakes of a configuration at once.
func New(ctx context.Context, opt Options) (*Engine, error) {
	e := &Engine{opt: opt, names: make(map[string]netip.Addr)}
	if !e.opt.Proxy.IsValid() {
		e.opt.Proxy = Proxy
	}
	dir, err := os.MkdirTemp("", "sipd-dry-")
	if err != nil {
		return nil, fmt.Errorf("folder for sockets: %w", err)
	}
	e.dir = dir
	dry := &router.Dry{Wire: (*wire)(e), Socket: e.opt.Proxy, Log: &logHandler{e: e}}
	if opt.Text != "" {
		dry.ReadFile = e.readFile
	}
	if opt.Trace || len(opt.Watch) > 0 {
		dry.Trace = e.step
	}
	r, err := router.Load(ctx, router.Options{
		Config: opt.Config, Defines: opt.Defines, Debug: opt.Debug, ServerID: -1, RunDir: dir, AutoAliases: "no",
		CheckOnly: !opt.Databases, Offline: !opt.Databases, Dry: dry,
	})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	e.router = r
	for _, name := range opt.Watch {
		w, err := newWatched(r, name)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
		e.watch = append(e.watch, w)
	}
	return e, nil
}

// Close ends the run and removes what it made.
func (e *Engine) Close() error {
	err := e.router.Close()
	if rerr := os.RemoveAll(e.dir); err == nil {
		err = rerr
	}
	return err
}

// Router is the daemon.
func (e *Engine) Router() *router.Router { return e.router }

// Sockets are what the daemon listens on.
func (e *Engine) Sockets() []*transport.Socket { return e.router.Sockets() }

// Socket finds the listening socket that a message to "to" comes in on; the
// first of the protocol when none has that address, nil when there is none of
// the protocol.
func (e *Engine) Socket(p transport.Proto, to netip.AddrPort) *transport.Socket {
	var first *transport.Socket
	for _, s := range e.Sockets() {
		if s.Proto != p {
			continue
		}
		if s.Addr == to {
			return s
		}
		if first == nil {
			first = s
		}
	}
	return first
}

// Receive runs one message that came from an address to a listening socket. It
// returns when the script has ended.
func (e *Engine) Receive(from netip.AddrPort, s *transport.Socket, msg string) {
	e.router.Deliver([]byte(msg), transport.Received{Proto: s.Proto, Src: from, Dst: s.Addr, Sock: s})
}

// Advance lets the time of transactions run: what is due within d happens, in
// order, before it returns.
func (e *Engine) Advance(d time.Duration) {
	const step = 50 * time.Millisecond
	m, ok := e.router.Module("tm").(interface{ Table() *tm.Table })
	if !ok || m.Table() == nil {
		return
	}
	for end := e.now + d; e.now < end; {
		e.now = min(e.now+step, end)
		m.Table().Advance(e.now)
		m.Table().Settle()
	}
}

// Events gives what happened since the last call, in order.
func (e *Engine) Events() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	evs := e.events
	e.events = nil
	return evs
}

func (e *Engine) add(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, ev)
}

// step keeps a step of the script and the variables that it changed.
func (e *Engine) step(c *run.Context, s *script.Step) {
	if e.opt.Trace {
		cp := *s
		e.add(Event{Step: &cp})
	}
	for i := range e.watch {
		if v, changed := e.watch[i].look(c); changed {
			e.add(Event{Var: &Var{e.watch[i].name, v}})
		}
	}
}

// readFile gives the configuration's text, and files it includes.
func (e *Engine) readFile(path string) (string, error) {
	if path == e.opt.Config {
		return e.opt.Text, nil
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// wire is the engine as the daemon's network.
type wire Engine

// Send keeps what would be sent.
func (w *wire) Send(d transport.Dest, b []byte) error {
	s := &Sent{d.Sock.Proto, d.Sock.Addr, d.Addr, string(b)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, Event{Sent: s})
	(*Engine)(w).remember(s)
	return nil
}

// Lookup makes an address for every name that it is not given.
func (w *wire) Lookup(host string) (netip.Addr, bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, ok := w.opt.Hosts[host]; ok {
		return a, true
	}
	if w.opt.OnlyHosts {
		return netip.Addr{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.names[host]
	if !ok {
		a = netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + len(w.names)%254)})
		w.names[host] = a
	}
	return a, true
}

// MadeUp are the names that were given an address because nothing else did.
func (e *Engine) MadeUp() map[string]netip.Addr {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := make(map[string]netip.Addr, len(e.names))
	for n, a := range e.names {
		m[n] = a
	}
	return m
}

// logHandler keeps the daemon's log lines.
type logHandler struct {
	e      *Engine
	module string
	attrs  []slog.Attr
}

func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	l := &Log{Level: r.Level, Module: h.module, Text: r.Message, Attrs: h.attrs[:len(h.attrs):len(h.attrs)]}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "module" {
			l.Module = a.Value.String()
		} else {
			l.Attrs = append(l.Attrs, a)
		}
		return true
	})
	h.e.add(Event{Log: l})
	return nil
}

func (h *logHandler) WithAttrs(as []slog.Attr) slog.Handler {
	n := &logHandler{h.e, h.module, h.attrs[:len(h.attrs):len(h.attrs)]}
	for _, a := range as {
		if a.Key == "module" {
			n.module = a.Value.String()
		} else {
			n.attrs = append(n.attrs, a)
		}
	}
	return n
}

// WithGroup is not used by the daemon.
func (h *logHandler) WithGroup(string) slog.Handler { return h }
