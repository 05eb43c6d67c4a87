// Package router is the daemon: it reads a configuration, binds modules and
// sockets, receives messages and runs the script for each, until it is told to
// stop. Whatever else sipd does is in the rooms below this one.
package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/script"
	"sipd/router/stat"
	"sipd/rpc"
	"sipd/rpc/socket"
)

// Router is a daemon with one configuration: Load makes it, Serve runs it and
// those that Reload puts in its place, Close ends it.
type Router struct {
	*line
	opt Options
	// before is the configuration that this one is to replace, while it is
	// loaded; nil at the start.
	before *Router

	log *slog.Logger
	// syslog says that log goes there.
	syslog    bool
	moduleLog moduleLog
	conf      *script.Config
	set       *module.Set

	settings *cfg.Store
	coreCfg  cfg.Core
	tcpCfg   cfg.TCP
	debug    atomic.Int64 // core.debug of now

	registry *rpc.Registry
	guard    *socket.Guard // of the control wires
	stats    *stat.Registry
	core     stat.Core
	memory   stat.MemoryReader
	panics   stat.Counter

	vars     *pv.Registry
	env      run.Env
	hooks    module.Hooks
	myself   aliases
	checkVia bool
	program  struct {
		request   run.Block
		coreReply run.Block
	}

	contexts sync.Pool
	running  stat.Counter // messages in the script now
	inited   []module.Module
	atStart  []func()         // what modules do when this is put into service
	servers  []*runningModule // what Serve runs of modules
}

// ListedError is the mistakes of a configuration, each with its place.
type ListedError struct{ script.ErrorList }

// Listed says that the text stands for itself: each line names its file.
func (ListedError) Listed() bool { return true }

// Unwrap gives the mistakes.
func (e ListedError) Unwrap() []error { return e.ErrorList.Unwrap() }

// Load reads and checks the configuration and makes everything ready to serve;
// nothing listens when it fails. A *ListedError holds all mistakes of the
// configuration; any other error says what else stood in the way.
func Load(ctx context.Context, opt Options) (*Router, error) {
	r := newRouter(opt, newLine())
	if err := r.load(ctx); err != nil {
		if cerr := r.Close(); cerr != nil {
			err = errors.Join(err, cerr)
		}
		return nil, err
	}
	return r, nil
}

func newRouter(opt Options, l *line) *Router {
	return &Router{line: l, opt: opt, settings: cfg.NewStore(), registry: rpc.NewRegistry(), stats: stat.NewRegistry()}
}

func (r *Router) load(ctx context.Context) error {
	if err := r.declareCore(); err != nil {
		return err
	}
	if err := r.readConfig(); err != nil {
		return err
	}
	if err := r.startLog(); err != nil {
		return err
	}
	if err := r.prepareEnv(); err != nil {
		return err
	}
	if err := r.declareModules(); err != nil {
		return err
	}
	if err := r.listen(ctx); err != nil {
		return err
	}
	if err := r.initModules(ctx); err != nil {
		return err
	}
	if err := r.compile(); err != nil {
		return err
	}
	if r.before == nil {
		r.enter()
	}
	return nil
}

// listen opens the sockets, or finds out whether they could be named when the
// configuration is only checked.
func (r *Router) listen(ctx context.Context) error {
	dry := r.opt.Dry
	if dry != nil && len(r.conf.Listens) == 0 && dry.Socket.IsValid() {
		return r.bindDry()
	}
	eps, err := r.endpoints(ctx)
	if err != nil || r.opt.CheckOnly && dry == nil {
		return err
	}
	if r.before != nil {
		return r.rebind(ctx, eps)
	}
	if err := r.bind(ctx, eps); err != nil || dry != nil {
		return err
	}
	return r.settle()
}

// compile makes the program and finds the blocks that every message needs.
func (r *Router) compile() error {
	prog, err := r.conf.Compile()
	if err != nil {
		return listed(err)
	}
	r.env.Block = prog.Block
	r.program.request = prog.Block(run.RequestRoute, "")
	r.program.coreReply = prog.Block(run.CoreReplyRoute, "")
	if r.program.request == nil {
		return fmt.Errorf("%s: there is no request route; write one: request_route { … }", r.opt.Config)
	}
	return nil
}

// listed makes an error list one whose text stands for itself.
func listed(err error) error {
	var l script.ErrorList
	if errors.As(err, &l) {
		return &ListedError{l}
	}
	return err
}

// Serve runs the daemon until ctx ends, core.kill ends it, or one of its parts
// fails.
func (r *Router) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.stop.Store(&cancel)
	if err := r.writePID(); err != nil {
		return errors.Join(err, r.Close())
	}
	defer r.removePID()
	g, ctx := errgroup.WithContext(ctx)
	r.startLine(ctx, g)
	r.runModules(nil)
	g.Go(func() error { return r.transport.Serve(ctx) })
	r.ready()
	err := ended(ctx, g.Wait())
	r.stopping()
	return errors.Join(err, r.closeLine())
}

// Close ends what Load opened. Serve calls it.
func (r *Router) Close() error {
	var errs []error
	if r.transport != nil && r.before == nil {
		errs = append(errs, r.transport.Close())
	}
	return errors.Join(append(errs, r.closeModules(nil))...)
}

// closeModules closes the modules, the last first. What next, the instance that
// took over, holds now stays open.
func (r *Router) closeModules(next *Router) error {
	var errs []error
	for _, m := range slices.Backward(r.inited) {
		name := m.Exports().Name
		switch {
		case next != nil && tookOver(next.module(name)):
			continue
		case r.before != nil && tookOver(m): // a reload that came to nothing: the sockets are the old one's
			continue
		}
		if c, ok := m.(module.Closer); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, fmt.Errorf("module %s: %w", name, err))
			}
		}
	}
	r.inited = nil
	return errors.Join(errs...)
}

// initModules calls Init of each loaded module: in the order of their lines, but
// those behind that others build on. One that cannot start does not keep the
// others from telling their own mistakes, unless they need it.
func (r *Router) initModules(ctx context.Context) error {
	var errs []error
	failed := make(map[string]bool)
	var shared []string // what several modules stumble over
	for _, l := range r.initOrder() {
		if slices.ContainsFunc(l.Exports.Needs, func(n string) bool { return failed[n] }) {
			failed[l.Name] = true
			continue
		}
		err := r.initModule(ctx, l)
		if err == nil {
			r.inited = append(r.inited, l.Module)
			continue
		}
		failed[l.Name] = true
		if s, ok := errors.AsType[*module.SharedError](err); ok {
			if slices.Contains(shared, s.Error()) {
				continue
			}
			shared = append(shared, s.Error())
		}
		errs = append(errs, r.moduleError(l, err))
	}
	return errors.Join(errs...)
}

// initOrder lists the loaded modules so that each comes behind those it needs.
func (r *Router) initOrder() []*module.Loaded {
	var order []*module.Loaded
	seen := make(map[string]bool)
	var visit func(l *module.Loaded)
	visit = func(l *module.Loaded) {
		if seen[l.Name] {
			return
		}
		seen[l.Name] = true
		for _, name := range slices.Concat(l.Exports.Needs, l.Exports.After) {
			if n := r.set.Get(name); n != nil {
				visit(n)
			}
		}
		order = append(order, l)
	}
	for i := range r.set.Loaded() {
		visit(&r.set.Loaded()[i])
	}
	return order
}

func (r *Router) initModule(ctx context.Context, l *module.Loaded) error {
	for j := range l.Exports.Params {
		p := &l.Exports.Params[j]
		if p.Check == nil {
			continue
		}
		if err := p.Check(); err != nil {
			return fmt.Errorf("parameter %s: %w", p.Name, err)
		}
	}
	r.env.Claim(l.Name)
	return l.Module.Init(ctx, r.host(l.Name))
}

// moduleError says which module stopped the start.
func (r *Router) moduleError(l *module.Loaded, err error) error {
	return fmt.Errorf("%s: module %s: %w", r.opt.Config, l.Name, err)
}

func (r *Router) host(name string) *module.Host {
	h := &module.Host{
		Name: name, Log: r.log.With(slog.String("module", name)),
		Env: &r.env, Cfg: r.settings, RPC: r.front, Stat: r.stats, Vars: r.vars,
		Guard: r.guard, ConfigPath: r.opt.Config, LogTo: r.logTo, ModuleLog: &r.moduleLog, RunDir: r.runDir(),
		CheckOnly: r.opt.CheckOnly, Offline: r.opt.Offline, Dry: r.opt.Dry != nil,
		Module: r.module, Hooks: &r.hooks, Daemon: (*daemon)(r),
		AtStart: func(f func()) { r.atStart = append(r.atStart, f) },
	}
	if r.before != nil {
		h.Old = r.before.module(name)
		r.atStart = append(r.atStart, func() { h.Old = nil }) // or it would keep all that were before alive
	}
	return h
}

// module finds a loaded module, nil when it is not there.
func (r *Router) module(name string) module.Module {
	if l := r.set.Get(name); l != nil {
		return l.Module
	}
	return nil
}
