// Package router is the daemon: it reads a configuration, binds modules and
// sockets, receives messages and runs the script for each, until it is told to
// stop. Whatever else sipd does is in the rooms below this one.
package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/script"
	"sipd/router/stat"
	"sipd/router/transport"
	"sipd/rpc"
	"sipd/rpc/socket"
)

// Router is a daemon: Load makes it, Serve runs it once, Close ends it.
type Router struct {
	opt Options
	log *slog.Logger
	// syslog says that log goes there.
	syslog bool
	conf   *script.Config
	set    *module.Set

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

	vars      *pv.Registry
	env       run.Env
	hooks     module.Hooks
	transport *transport.Manager
	myself    aliases
	checkVia  bool
	program   struct {
		request   run.Block
		coreReply run.Block
	}

	contexts  sync.Pool
	messageID atomic.Uint64
	started   time.Time
	stop      atomic.Pointer[context.CancelFunc]
	inited    []module.Module
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
	r := &Router{opt: opt, settings: cfg.NewStore(), registry: rpc.NewRegistry(), stats: stat.NewRegistry()}
	if err := r.load(ctx); err != nil {
		if cerr := r.Close(); cerr != nil {
			err = errors.Join(err, cerr)
		}
		return nil, err
	}
	return r, nil
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
	return r.compile()
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
	r.started = time.Now()
	if err := r.writePID(); err != nil {
		return errors.Join(err, r.Close())
	}
	defer r.removePID()
	g, ctx := errgroup.WithContext(ctx)
	for i := range r.set.Loaded() {
		l := &r.set.Loaded()[i]
		if s, ok := l.Module.(module.Server); ok {
			g.Go(func() error {
				if err := s.Serve(ctx); err != nil {
					return fmt.Errorf("module %s: %w", l.Name, err)
				}
				return nil
			})
		}
	}
	g.Go(func() error { return r.transport.Serve(ctx) })
	r.ready()
	err := g.Wait()
	r.stopping()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, r.Close())
}

// Close ends what Load opened. Serve calls it.
func (r *Router) Close() error {
	var errs []error
	if r.transport != nil {
		errs = append(errs, r.transport.Close())
	}
	for i := len(r.inited) - 1; i >= 0; i-- {
		if c, ok := r.inited[i].(module.Closer); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, fmt.Errorf("module %s: %w", r.inited[i].Exports().Name, err))
			}
		}
	}
	r.inited = nil
	return errors.Join(errs...)
}

// initModules calls Init of each loaded module, in order.
func (r *Router) initModules(ctx context.Context) error {
	for i := range r.set.Loaded() {
		l := &r.set.Loaded()[i]
		for j := range l.Exports.Params {
			p := &l.Exports.Params[j]
			if p.Check == nil {
				continue
			}
			if err := p.Check(); err != nil {
				return r.moduleError(l, fmt.Errorf("parameter %s: %w", p.Name, err))
			}
		}
		if err := l.Module.Init(ctx, r.host(l.Name)); err != nil {
			return r.moduleError(l, err)
		}
		r.inited = append(r.inited, l.Module)
	}
	return nil
}

// moduleError says which module stopped the start.
func (r *Router) moduleError(l *module.Loaded, err error) error {
	return fmt.Errorf("%s: module %s: %w", r.opt.Config, l.Name, err)
}

func (r *Router) host(name string) *module.Host {
	return &module.Host{
		Name: name, Log: r.log.With(slog.String("module", name)),
		Env: &r.env, Cfg: r.settings, RPC: r.registry, Stat: r.stats, Vars: r.vars,
		Guard: r.guard, ConfigPath: r.opt.Config, LogTo: r.logTo, RunDir: r.runDir(),
		CheckOnly: r.opt.CheckOnly, Dry: r.opt.Dry != nil,
		Module: r.module, Hooks: &r.hooks, Daemon: (*daemon)(r),
	}
}

// module finds a loaded module, nil when it is not there.
func (r *Router) module(name string) module.Module {
	if l := r.set.Get(name); l != nil {
		return l.Module
	}
	return nil
}
