package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"

	"sipd/router/cfg"
	"sipd/router/corerpc"
	"sipd/router/forward"
	"sipd/router/module"
	"sipd/router/modules"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/script"
	"sipd/router/stat"
	"sipd/router/transport"
)

// declareCore makes the variables, counters and methods that every daemon has.
func (r *Router) declareCore() error {
	r.coreCfg.Debug.Changed = func(_, now int) { r.debug.Store(int64(now)) }
	return errors.Join(
		r.coreCfg.Declare(r.settings),
		r.tcpCfg.Declare(r.settings),
		r.core.Declare(r.stats),
		stat.DeclareMemory(r.stats, func() stat.Memory { return r.memory.Read() }),
		r.stats.Declare("sipd", stat.Def{Name: "panics", Help: "messages dropped because of a fault of the daemon", Source: &r.panics}),
		corerpc.Register(corerpc.Source{
			Daemon: (*daemon)(r), Registry: r.registry, Stats: r.stats, Cfg: r.settings, Memory: &r.memory,
		}),
	)
}

// readConfig reads the configuration and what the command line adds to it,
// loads the modules it names and checks all of it. Mistakes of every step come
// together.
func (r *Router) readConfig() error {
	cl, errs := readCommandLine(&r.opt)
	read, trace := readFile, script.TraceFunc(nil)
	if d := r.opt.Dry; d != nil {
		trace = d.Trace
		if d.ReadFile != nil {
			read = d.ReadFile
		}
	}
	file, err := script.Parse(read, r.opt.Config, &script.Options{
		Defines: r.opt.Defines, Predefined: predefined, Getenv: os.LookupEnv,
	})
	if file == nil {
		return err
	}
	errs = appendErrors(errs, err)
	file.Items = slices.Concat(cl.before, file.Items, cl.after)
	if r.opt.DBURL != "" {
		if err := redirect(file, r.opt.DBURL, script.Pos{}); err != nil {
			return fmt.Errorf("--db-url: %w", err)
		}
	}

	r.set = module.NewSet(modules.List())
	if r.opt.LoadPath != "" {
		r.set.SetPath(r.opt.LoadPath)
	}
	r.vars = pv.NewRegistry()
	r.vars.Version = pv.Version{Number: buildVersion, Full: Version(), Revision: revision()}
	conf, err := script.Load(file, &script.Env{
		Modules: r.set, PV: r.vars, Cfg: r.settings, MaxWhileLoops: &r.coreCfg.MaxWhileLoops,
		Forward: forwardTo, Resolve: r.resolveHost, Trace: trace, Hooks: &r.hooks,
	})
	errs = appendErrors(errs, err)
	if len(errs) > 0 {
		if conf != nil && r.opt.Warn != nil {
			r.warn(conf.Warnings)
		}
		return &ListedError{errs}
	}
	if err != nil {
		return err
	}
	r.conf = conf
	if r.opt.DBURL != "" {
		if err := redirectDefaults(r.set, r.opt.DBURL); err != nil {
			return fmt.Errorf("--db-url: %w", err)
		}
	}
	if len(cl.listens) > 0 {
		conf.Listens = cl.listens
	}
	conf.Aliases = append(conf.Aliases, cl.aliases...)
	return applyOptions(conf, &r.opt)
}

// predefined are the names that exist before the configuration is read: our own,
// and those by which Kamailio's configurations ask for the release.
var predefined = []string{"SIPD", "KAMAILIO_5", "KAMAILIO_5_6", "KAMAILIO_5_6_3"}

func appendErrors(errs script.ErrorList, err error) script.ErrorList {
	var l script.ErrorList
	if errors.As(err, &l) {
		errs = append(errs, l...)
	}
	return errs
}

func readFile(path string) (string, error) {
	if path == "-" {
		b, err := io.ReadAll(os.Stdin)
		return string(b), err
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// forwardTo serves the script's forward() and send().
func forwardTo(c *run.Context, t script.Target) int {
	if t.Host == "" && t.Proto == "" && !t.Plain {
		return forward.Request(c)
	}
	return forward.RequestTo(c, t.Proto, t.Host, t.Port, t.Plain)
}

func (r *Router) resolveHost(ctx context.Context, host string) ([]netip.Addr, error) {
	if r.opt.Dry != nil {
		return r.lookupDry(host)
	}
	return hostAddrs(ctx, host)
}

// startLog opens the log that the configuration asks for; one that takes over
// goes on with the log there is, when it asks for the same.
func (r *Router) startLog() error {
	r.moduleLog.r = r
	defer func() { r.log = r.moduleLog.ruled(r.log) }()
	r.debug.Store(int64(r.coreCfg.Debug.Get(r.settings.Snapshot())))
	key := fmt.Sprint(r.conf.Int("log_stderror") != 0 || r.opt.CheckOnly, " ", r.conf.Str("log_facility"), " ", r.logName())
	if r.logs.log == nil || r.logs.key != key {
		r.logs = r.openLog()
		r.logs.key = key
	}
	r.log, r.syslog = r.logs.log, r.logs.syslog
	return r.warnings()
}

func (r *Router) openLog() sharedLog {
	level := r.logLevel
	if d := r.opt.Dry; d != nil {
		return sharedLog{log: slog.New(dryLog{d.Log, level})}
	}
	name := r.logName()
	w := r.opt.Stderr
	if w == nil {
		w = io.Discard
	}
	if r.conf.Int("log_stderror") != 0 || r.opt.CheckOnly {
		return sharedLog{log: NewLogger(w, name, level)}
	}
	log, err := NewSyslogger(r.conf.Str("log_facility"), name, level)
	if err != nil {
		// A machine without syslog (a container) still has a stderr.
		log = NewLogger(w, name, level)
		log.LogAttrs(context.Background(), slog.LevelWarn, "no syslog; logging to stderr", slog.Any("err", err))
		return sharedLog{log: log}
	}
	return sharedLog{log: log, syslog: true}
}

// logLevel is core.debug of the configuration in service, of r's own until
// there is one.
func (r *Router) logLevel() int {
	if now := r.current.Load(); now != nil {
		r = now
	}
	return int(r.debug.Load())
}

// logTo is the logger for a facility of syslog.
func (r *Router) logTo(facility string) (*slog.Logger, error) {
	if !r.syslog {
		return r.log, checkFacility(facility)
	}
	return NewSyslogger(facility, r.logName(), r.logLevel)
}

func (r *Router) logName() string {
	if name := r.conf.Str("log_name"); name != "" {
		return name
	}
	return "sipd"
}

// warnings tells the oddities of the configuration that do not stop the start.
func (r *Router) warnings() error {
	r.warn(r.conf.Warnings)
	return nil
}

func (r *Router) warn(list script.ErrorList) {
	for _, e := range list {
		switch {
		case r.opt.Warn != nil:
			r.opt.Warn(e)
		case r.opt.Stderr != nil:
			told := *e
			told.Msg = "warning: " + e.Msg
			fmt.Fprintln(r.opt.Stderr, strings.TrimRight(told.Error(), "\n"))
		}
	}
}

// prepareEnv fills what every message's run finds.
func (r *Router) prepareEnv() error {
	c := r.conf
	var err error
	if r.guard, err = r.openGuard(); err != nil {
		return fmt.Errorf("%s: %w", r.opt.Config, err)
	}
	r.checkVia = c.Int("check_via") != 0
	signature := fmt.Sprintf("sipd (%s (%s/linux))", buildVersion, arch())
	server, agent := c.Str("server_header"), c.Str("user_agent_header")
	if server == "" && c.Int("server_signature") != 0 {
		server = "Server: " + signature
	}
	if agent == "" && c.Int("server_signature") != 0 {
		agent = "User-Agent: " + signature
	}
	if r.before == nil {
		r.transport = r.newTransport()
	}
	if err := r.transport.Declare(r.stats); err != nil {
		return err
	}
	r.env = run.Env{
		Log: r.log, Cfg: r.settings, Transport: r.transport, Myself: r.isMyself,
		ServerID: c.Int("server_id"), MaxBranches: c.Int("max_branches"),
		Server: headerLine(server), UserAgent: headerLine(agent),
		Block: func(run.Kind, string) run.Block { return nil }, Vars: run.NewVars(), Places: new(run.Places),
	}
	if r.before != nil {
		r.env.Vars, r.env.Places = r.before.env.Vars, r.before.env.Places
	}
	if err := r.prefixLog(); err != nil {
		return err
	}
	for _, a := range c.Aliases {
		p, _ := transport.ParseProto(a.Proto)
		r.myself.add(a.Host, uint16(a.Port), p)
	}
	return nil
}

// prefixLog reads log_prefix, a format of variables. A dry run shows lines
// without it.
func (r *Router) prefixLog() error {
	text := r.conf.Str("log_prefix")
	if text == "" {
		return nil
	}
	f, err := r.vars.ParseFormat(text, pv.Kamailio)
	if err != nil {
		return fmt.Errorf("%s: log_prefix: %w", r.opt.Config, err)
	}
	if r.opt.Dry == nil {
		r.env.LogPrefix, r.env.LogPrefixOnce = f.Eval, r.conf.Int("log_prefix_mode") == 0
	}
	return nil
}

func (r *Router) newTransport() *transport.Manager {
	c := r.conf
	log := r.log.With(slog.String("module", "transport"))
	return transport.NewManager(transport.Options{
		Resolver: transport.NewResolver(transport.ResolverOptions{Log: log, Servers: r.opt.NameServers}),
		Log:      log, UDPWorkers: c.Int("children"),
		TCP: transport.TCPOptions{Workers: c.Int("tcp_children"), Vars: &r.tcpCfg}, Cfg: r.settings, Core: &r.coreCfg,
		Handler: r.line.receive, Foreign: r.line.foreign, Mhomed: c.Int("mhomed") != 0, Wire: r.wire(),
	})
}

// isMyself says whether host:port is this daemon: a socket, an alias, or what a
// module adds.
func (r *Router) isMyself(host string, port uint16, p transport.Proto) bool {
	if r.myself.match(host, port, p) {
		return true
	}
	for _, h := range r.hooks.Myself {
		if h(host, port, p) {
			return true
		}
	}
	return false
}

func headerLine(s string) string {
	if s == "" {
		return ""
	}
	return strings.TrimRight(s, "\r\n") + "\r\n"
}

// declareModules makes the runtime variables, methods and counters of the
// loaded modules known.
func (r *Router) declareModules() error {
	for i := range r.set.Loaded() {
		l := &r.set.Loaded()[i]
		for j := range l.Exports.Params {
			p := &l.Exports.Params[j]
			v, ok := p.Value.(cfg.Var)
			if !ok {
				continue
			}
			group := p.Group
			if group == "" {
				group = l.Name
			}
			if err := r.settings.Declare(group, p.Name, v); err != nil {
				return r.moduleError(l, fmt.Errorf("runtime variable %s.%s: %w", group, p.Name, err))
			}
		}
		if err := r.registry.Add(l.Exports.RPC...); err != nil {
			return r.moduleError(l, err)
		}
		if len(l.Exports.Stats) > 0 {
			if err := r.stats.Declare(l.Name, l.Exports.Stats...); err != nil {
				return r.moduleError(l, err)
			}
		}
	}
	return nil
}
