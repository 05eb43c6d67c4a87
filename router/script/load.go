package script

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/rpc"
)

// Env is what a configuration is loaded into. Modules, PV and Cfg are filled
// by Load; everything must be fresh for each configuration.
type Env struct {
	// Modules are the modules there are; loadmodule lines load from it.
	Modules *module.Set
	// PV knows the variables; those of loaded modules are added.
	PV *pv.Registry
	// Cfg holds the runtime variables. The groups core and tcp must be declared
	// already: core parameters become their start values. Custom variables are
	// declared by Load.
	Cfg *cfg.Store
	// MaxWhileLoops is the handle of core.max_while_loops, nil for 100 turns.
	MaxWhileLoops *cfg.Int
	// Forward relays statelessly: core functions forward() and send(). Nil
	// makes calls of them a mistake.
	Forward func(*run.Context, Target) int
	// Resolve looks up the addresses of a host, for src_ip == "host.name".
	// Nil makes such a comparison false.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Trace is told each step of each run; nil for none, which costs nothing.
	Trace TraceFunc
	// Hooks are asked for Action and Assigned when the program is compiled,
	// after the modules started; nil for none.
	Hooks *module.Hooks
}

// Target is where forward() and send() send to.
type Target struct {
	// Proto is "udp", "tcp", "tls", "sctp", or "" for what the URI says.
	Proto string
	// Host and Port name the destination. Host "" means the outbound URI ($du),
	// else the request URI. Port 0 is the protocol's default.
	Host string
	Port int
	// Plain sends the message as it is, without a Via of ours (send).
	Plain bool
}

// Config is a configuration whose top level was executed and whose routes were
// checked.
type Config struct {
	File *File
	// Listens and Aliases are all listen and alias addresses in order.
	Listens []ListenAddr
	Aliases []AliasName
	// Flags and AVPFlags are the declared names with their bits.
	Flags, AVPFlags map[string]int
	// Warnings are oddities that do not keep the daemon from starting.
	Warnings ErrorList

	env      *Env
	settings map[string]run.Value
	defs     map[string]run.Value
	modulePs map[string]bool // texts given to modparam: they may name routes
	errs     ErrorList
	loadedAt map[string]Pos
}

// Load executes a configuration's top level: it loads modules, sets their
// parameters, keeps core parameters, declares flags and custom variables. Then
// it checks all routes. The error is an [ErrorList] of everything that is
// wrong; the Config is usable only without one.
func Load(f *File, env *Env) (*Config, error) {
	c := &Config{
		File: f, env: env, settings: make(map[string]run.Value), defs: make(map[string]run.Value),
		Flags: make(map[string]int), AVPFlags: make(map[string]int),
		modulePs: make(map[string]bool), loadedAt: make(map[string]Pos),
	}
	c.Warnings = slices.Clone(f.Warnings)
	for i := range coreSettings {
		s := &coreSettings[i]
		if !s.separate() {
			name, _, _ := strings.Cut(s.names, " ")
			c.defs[name] = s.defValue()
		}
	}
	c.hints()
	c.names()
	// Flags first: modparam may name them before they are declared.
	for _, it := range f.Items {
		switch it := it.(type) {
		case *Flags:
			c.declareFlags(it.Names, c.Flags, 32, "flag")
		case *AVPFlags:
			c.declareFlags(it.Names, c.AVPFlags, 18, "avpflag")
		}
	}
	for _, it := range f.Items {
		c.item(it)
	}
	c.needs()
	c.lint()
	_, errs := c.compile(true)
	c.errs = append(c.errs, errs...)
	c.Warnings = c.Warnings.sort()
	if len(c.errs) > 0 {
		return c, c.errs.sort()
	}
	return c, nil
}

// names lets variables find defines and flags by their names.
func (c *Config) names() {
	defines := make(map[string]string, len(c.File.Defines))
	for _, d := range c.File.Defines {
		defines[d.Name] = d.Value
	}
	c.env.PV.Define = func(name string) (string, bool) { text, ok := defines[name]; return text, ok }
	c.env.PV.Flag = func(name string) (int, bool) { n, ok := c.Flags[name]; return n, ok }
}

// Int is a core parameter that is a number or a boolean (0, 1); its default
// when the configuration does not set it.
func (c *Config) Int(name string) int { return c.get(name).Int() }

// Str is a core parameter that is text.
func (c *Config) Str(name string) string { return c.get(name).Text() }

// Has says whether the configuration sets a core parameter.
func (c *Config) Has(name string) bool {
	_, ok := c.settings[name]
	return ok
}

// SetSetting sets a core parameter as a command line option does (-n, -m, …),
// by what it is called in the configuration.
func (c *Config) SetSetting(name, value string) error {
	s, key := findSetting(name)
	if s == nil {
		return fmt.Errorf("unknown core parameter %q", name)
	}
	v, err := s.value(Const{Kind: ConstStr, Str: value})
	if err != nil {
		return fmt.Errorf("core parameter %s %w", name, err)
	}
	c.settings[key] = v
	if s.live != "" {
		return s.start(c.env.Cfg, v)
	}
	return nil
}

func (c *Config) get(name string) run.Value {
	if v, ok := c.settings[name]; ok {
		return v
	}
	return c.defs[name]
}

func (c *Config) item(it Item) {
	switch it := it.(type) {
	case *Setting:
		c.set(it)
	case *Listen:
		c.Listens = append(c.Listens, it.Addrs...)
	case *Alias:
		c.Aliases = append(c.Aliases, it.Names...)
	case *CustomVar:
		c.customVar(it)
	case *LoadPath:
		c.env.Modules.SetPath(it.Path)
	case *LoadModule:
		c.loadModule(it)
	case *ModParam:
		c.modParam(it)
	}
}

func (c *Config) set(it *Setting) {
	s, name := findSetting(it.Name)
	if s == nil {
		e := c.errs.add(it.NamePos, "unknown core parameter %q", it.Name)
		if right := wrongSettings[it.Name]; right != "" {
			e.hint("it is called %s", right)
		} else if sim := similar(it.Name, settingNames()); sim != "" {
			e.hint("did you mean %q?", sim)
		}
		return
	}
	v, err := s.value(it.Value)
	if err != nil {
		c.errs.add(it.Value.Pos, "core parameter %s %v", it.Name, err)
		return
	}
	c.settings[name] = v
	if why, tell, does := without(it.Name); tell && v.Text() != does && v.Text() != "" {
		c.Warnings.add(it.NamePos, "core parameter %s has no effect", it.Name).hint("%s", why)
	}
	switch {
	case s.note == old:
		c.Warnings.add(it.NamePos, "core parameter %s has no effect", it.Name).hint("set it with modparam(%q, …)", "tls")
	case s.live != "":
		if err := s.start(c.env.Cfg, v); err != nil {
			c.errs.add(it.Value.Pos, "core parameter %s: %v", it.Name, err)
		}
	}
}

func (c *Config) declareFlags(names []FlagName, into map[string]int, limit int, what string) {
	used := make(map[int]bool)
	for _, bit := range into {
		used[bit] = true
	}
	for _, f := range names {
		if _, ok := into[f.Name]; ok {
			c.errs.add(f.Pos, "%s %s is declared twice", what, f.Name)
			continue
		}
		bit := f.Bit
		if bit < 0 {
			for bit = 0; used[bit]; bit++ {
			}
		}
		if bit >= limit {
			c.errs.add(f.Pos, "more than %d %ss", limit, what)
			continue
		}
		used[bit] = true
		into[f.Name] = bit
	}
}

func (c *Config) customVar(it *CustomVar) {
	if it.Instance != nil {
		ref := cfg.Ref{Group: it.Group, ID: uint32(*it.Instance), Instance: true}
		err := c.env.Cfg.AddInstance(ref)
		if err == nil {
			err = c.env.Cfg.Init(ref, it.Name, constRPC(it.Value))
		}
		if err != nil {
			c.errs.add(it.Pos, "%s[%d].%s: %v", it.Group, *it.Instance, it.Name, err)
		}
		return
	}
	var v cfg.Var
	if it.Value.Kind == ConstInt {
		v = &cfg.Int{Default: int(it.Value.Int), Help: it.Desc}
	} else {
		v = &cfg.Str{Default: it.Value.Str, Help: it.Desc}
	}
	switch err := c.env.Cfg.DeclareCustom(it.Group, it.Name, v); {
	case errors.Is(err, cfg.ErrTaken):
		c.errs.add(it.Pos, "variable %s.%s is declared twice", it.Group, it.Name)
	case errors.Is(err, cfg.ErrOwner):
		c.errs.add(it.Pos, "group %s belongs to the daemon or to a module", it.Group).hint("choose another group name")
	case err != nil:
		c.errs.add(it.Pos, "%v", err)
	}
}

func constRPC(v Const) rpc.Value {
	if v.Kind == ConstInt {
		return rpc.Int(v.Int)
	}
	return rpc.String(v.Str)
}

func constValue(v Const) run.Value {
	if v.Kind == ConstInt {
		return run.Int(int(v.Int))
	}
	return run.Str(v.Str)
}

func (c *Config) loadModule(it *LoadModule) {
	l, err := c.env.Modules.Load(it.Path)
	switch e := (*module.UnknownModuleError)(nil); {
	case errors.Is(err, module.ErrLoaded):
		er := c.errs.add(it.PathPos, "module %s is loaded already", l.Name)
		if at := c.loadedAt[l.Name]; at.IsValid() {
			er.hint("at %s", at)
		}
		return
	case errors.As(err, &e) && e.Advice != "":
		c.errs.add(it.PathPos, "%s", e.Advice)
		return
	case errors.As(err, &e):
		er := c.errs.add(it.PathPos, "unknown module %q", e.Name)
		if e.Similar != "" {
			er.hint("did you mean %q?", e.Similar)
		}
		return
	case err != nil:
		c.errs.add(it.PathPos, "%v", err)
		return
	}
	c.loadedAt[l.Name] = it.Pos
	for _, d := range l.Exports.Vars {
		c.exported(it, c.env.PV.AddVar(d))
	}
	for _, d := range l.Exports.Selects {
		c.exported(it, c.env.PV.AddSelect(d))
	}
	for _, d := range l.Exports.Trans {
		c.exported(it, c.env.PV.AddTrans(d))
	}
}

func (c *Config) exported(it *LoadModule, err error) {
	if err != nil {
		c.errs.add(it.PathPos, "module %s: %v", module.BaseName(it.Path), err)
	}
}

func (c *Config) modParam(it *ModParam) {
	v := constValue(it.Value)
	if _, flag := c.Flags[v.Text()]; it.Value.Kind == ConstWord && !flag {
		c.errs.add(it.Value.Pos, "%s is neither a text nor a number, and no #!define made it one", it.Value.Str).
			hint("put it in quotes, or write #!define %s before", it.Value.Str)
		return
	}
	if v.IsStr() {
		c.modulePs[v.Text()] = true
	}
	err := c.env.Modules.SetParam(it.Module, it.Param, v)
	if bit, ok := c.Flags[v.Text()]; ok && err != nil && v.IsStr() {
		// SER modules take flags by name: modparam("acc_db", "log_flag", "FLAG_ACC").
		err = c.env.Modules.SetParam(it.Module, it.Param, run.Int(bit))
	}
	if err == nil {
		return
	}
	pos, msg, hint := it.Value.Pos, err.Error(), ""
	if i := strings.Index(msg, "; "); i >= 0 {
		msg, hint = msg[:i], msg[i+2:]
	}
	switch {
	case strings.HasPrefix(msg, "no loaded module") || strings.HasPrefix(msg, "module pattern"):
		pos = it.ModulePos
	case strings.Contains(msg, " has no parameter "):
		pos = it.ParamPos
	}
	c.errs.add(pos, "%s", msg).hint("%s", hint)
}

// needs checks that modules which cannot work alone find their companions.
func (c *Config) needs() {
	for _, l := range c.env.Modules.Loaded() {
		for _, n := range l.Exports.Needs {
			if c.env.Modules.Get(n) == nil {
				c.errs.add(c.loadedAt[l.Name], "module %s needs module %s", l.Name, n).hint(`put loadmodule "%s.so" before this line`, n)
			}
		}
	}
}

// hints lets package pv say which module a missing variable would come from.
func (c *Config) hints() {
	c.env.PV.Elsewhere = func(kind, name string) string {
		for _, a := range c.env.Modules.Available() {
			if c.env.Modules.Get(a.Name) != nil {
				continue
			}
			ex := a.New().Exports()
			var has bool
			switch kind {
			case "$":
				has = slices.ContainsFunc(ex.Vars, func(d pv.Def) bool { return d.Name == name })
			case "@":
				has = slices.ContainsFunc(ex.Selects, func(d pv.SelectDef) bool { return strings.EqualFold(d.Name, name) })
			case "{":
				has = slices.ContainsFunc(ex.Trans, func(d pv.TransDef) bool { return d.Class == name })
			}
			if has {
				return a.Name
			}
		}
		return ""
	}
}
