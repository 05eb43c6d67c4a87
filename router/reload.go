package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/transport"
	"sipd/rpc"
)

// line is what the configurations of one daemon share: a reload replaces the
// Router and keeps the line.
type line struct {
	// front is what control wires look methods up in: those of the current
	// configuration.
	front     *rpc.Registry
	current   atomic.Pointer[Router]
	transport *transport.Manager
	logs      sharedLog
	messageID atomic.Uint64
	started   time.Time
	reloads   atomic.Int64 // that succeeded
	stop      atomic.Pointer[context.CancelFunc]

	// reloading is held while a reload goes on.
	reloading sync.Mutex
	serving   chan struct{}   // closed when the fields below are set
	ctx       context.Context // of Serve
	group     *errgroup.Group
	old       sync.WaitGroup // configurations that still have messages
}

// sharedLog is a log that several configurations write to.
type sharedLog struct {
	log    *slog.Logger
	syslog bool
	key    string // what it was opened for
}

// runningModule is the Serve of a module.
type runningModule struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

// startLine remembers what modules of later configurations run in.
func (l *line) startLine(ctx context.Context, g *errgroup.Group) {
	l.started = time.Now()
	l.ctx, l.group = ctx, g
	close(l.serving)
}

func newLine() *line { return &line{front: rpc.NewRegistry(), serving: make(chan struct{})} }

// closeLine ends the transport and the configurations that there are.
func (l *line) closeLine() error {
	l.reloading.Lock() // one that goes on comes to its end first
	defer l.reloading.Unlock()
	_ = l.group.Wait() // what that reload may have started; Serve has the error
	l.old.Wait()
	return errors.Join(l.transport.Close(), l.current.Load().closeModules(nil))
}

// enterScript is the configuration of now, which is not closed before its
// running is counted down.
func (l *line) enterScript() *Router {
	for {
		r := l.current.Load()
		r.running.Inc()
		if r == l.current.Load() {
			return r
		}
		r.running.Dec() // a reload came between
	}
}

// receive gives a message to the configuration of now.
func (l *line) receive(b []byte, rcv transport.Received) {
	r := l.enterScript()
	defer r.running.Dec()
	r.receive(b, rcv)
}

// foreign gives it an HTTP request.
func (l *line) foreign(raw string, rcv transport.Received, w io.Writer) (keep bool) {
	r := l.enterScript()
	defer r.running.Dec()
	return r.foreign(raw, rcv, w)
}

// enter puts r into service.
func (r *Router) enter() {
	r.front.Follow(r.registry)
	for _, f := range r.atStart {
		f()
	}
	r.atStart = nil
	r.current.Store(r)
}

// ended is err, unless it says only that ctx ended what was going on.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// tookOver says whether a module has what its predecessor held.
func tookOver(m module.Module) bool {
	s, ok := m.(module.Successor)
	return ok && s.TookOver()
}

// runModules starts what modules run; one that took over from before goes on as
// it is.
func (r *Router) runModules(before *Router) {
	for i := range r.set.Loaded() {
		l := &r.set.Loaded()[i]
		s, ok := l.Module.(module.Server)
		if !ok {
			continue
		}
		if before != nil && tookOver(l.Module) {
			if m := before.serverOf(l.Name); m != nil {
				r.servers = append(r.servers, m)
				continue
			}
		}
		ctx, cancel := context.WithCancel(r.ctx)
		m := &runningModule{name: l.Name, cancel: cancel, done: make(chan struct{})}
		r.servers = append(r.servers, m)
		r.group.Go(func() error {
			defer close(m.done)
			if err := ended(ctx, s.Serve(ctx)); err != nil {
				return fmt.Errorf("module %s: %w", l.Name, err)
			}
			return nil
		})
	}
}

// serverOf is the running part of a module, nil for none.
func (r *Router) serverOf(name string) *runningModule {
	for _, m := range r.servers {
		if m.name == name {
			return m
		}
	}
	return nil
}

// Reload reads the configuration again and puts it into service: messages from
// then on run by the new one, transactions and messages in flight finish by the
// old. Registered contacts, transactions, items of htables, shared variables,
// counters, and values that an operator set at run time stay. When it returns
// an error, a *ListedError for mistakes of the configuration, nothing has
// changed.
func (l *line) Reload(ctx context.Context) error {
	if !l.reloading.TryLock() {
		return errors.New("a reload is going on already")
	}
	defer l.reloading.Unlock()
	select {
	case <-l.serving:
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.ctx.Err() != nil {
		return errors.New("the daemon is ending")
	}
	old := l.current.Load()
	if old.opt.Config == "-" {
		return errors.New("the configuration came from standard input, which cannot be read twice")
	}
	_, _ = systemd.SdNotify(false, systemd.SdNotifyReloading) // nobody waits for it
	defer func() { _, _ = systemd.SdNotify(false, systemd.SdNotifyReady) }()
	r := newRouter(old.opt, l)
	r.before = old
	if err := r.load(ctx); err != nil {
		old.log.LogAttrs(ctx, slog.LevelError, "configuration not reloaded: the one before stays in service", slog.Any("err", err))
		return errors.Join(err, r.closeModules(nil))
	}
	l.swap(old, r)
	l.reloads.Add(1)
	r.log.LogAttrs(ctx, run.LevelNotice, "configuration reloaded", slog.String("config", r.opt.Config))
	return nil
}

// swap puts r in old's place.
func (l *line) swap(old, r *Router) {
	r.settings.Inherit(old.settings)
	r.stats.Inherit(old.stats)
	// What both would run must not run twice: timers, listeners of the same
	// address.
	for _, m := range old.servers {
		if !tookOver(r.module(m.name)) {
			m.cancel()
			<-m.done
		}
	}
	r.runModules(old)
	r.enter()
	r.transport.Follow(r.settings)
	r.before = nil
	l.old.Go(func() { l.retire(old, r) })
}

// graceStep is the pause between two looks whether a configuration has messages
// left.
const graceStep = 50 * time.Millisecond

// retire closes a configuration when its last message is done.
func (l *line) retire(old, next *Router) {
	tick := time.NewTicker(graceStep)
	defer tick.Stop()
	for old.running.Value() > 0 || old.busy() {
		select {
		case <-l.ctx.Done():
			goto end
		case <-tick.C:
		}
	}
end:
	if err := old.closeModules(next); err != nil {
		old.log.LogAttrs(context.Background(), slog.LevelError, "the configuration before the reload was not closed", slog.Any("err", err))
	}
}

// busy says that modules still work for messages of this configuration.
func (r *Router) busy() bool {
	return slices.ContainsFunc(r.inited, func(m module.Module) bool {
		d, ok := m.(module.Drainer)
		return ok && d.Busy()
	})
}

// rebind checks that the sockets stay, and takes them over: they are opened at
// the start only.
func (r *Router) rebind(ctx context.Context, eps []endpoint) error {
	sockets := r.transport.Sockets()
	var was, want []string
	for _, s := range sockets {
		was = append(was, socketText(s.Proto, s.HostPort(), s.Name, s.AdvHost, s.AdvPort))
	}
	for i, e := range eps {
		host, port := e.spec.AdvHost, e.spec.AdvPort
		if host == "" {
			host, port = r.conf.Str("advertised_address"), uint16(r.conf.Int("advertised_port"))
		}
		addr := e.addr.String()
		if e.addr.Port() == 0 && i < len(sockets) {
			addr = sockets[i].HostPort() // the system chose
		}
		want = append(want, socketText(e.proto, addr, e.spec.Name, host, port))
	}
	if !slices.Equal(was, want) {
		return fmt.Errorf("%s: a reload cannot change what is listened on (%s, now %s); restart the daemon", r.opt.Config,
			strings.Join(was, " "), strings.Join(want, " "))
	}
	for _, s := range sockets {
		r.myself.addSocket(s)
		if r.conf.Int("auto_aliases") != 0 {
			r.addNames(ctx, s)
		}
	}
	return r.fixed()
}

func socketText(p transport.Proto, addr, name, advHost string, advPort uint16) string {
	s := p.String() + ":" + addr
	if advHost != "" {
		s += fmt.Sprintf(" advertise %s:%d", advHost, advPort)
	}
	if name != "" {
		s += " name " + name
	}
	return s
}

// startOnly are the core parameters that count from a start on.
var startOnly = []string{
	"children", "tcp_children", "mhomed", "server_id", "user", "group", "chroot", "workdir", "open_files_limit", "rundir",
	"rpc_credentials", "rpc_certificate", "rpc_private_key", "rpc_ca_list",
}

// fixed refuses changes of parameters that count from a start on.
func (r *Router) fixed() error {
	var names []string
	for _, n := range startOnly {
		if r.conf.Int(n) != r.before.conf.Int(n) || r.conf.Str(n) != r.before.conf.Str(n) {
			names = append(names, n)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("%s: %w", r.opt.Config, &module.RestartError{Params: names})
	}
	return nil
}
