// Package module is what a loadable module looks like: the exports it declares
// as data, the services it finds on its Host, and the list by which the
// configuration loads it by name. It is the only thing a module and the router
// share. A new module starts as a copy of the smallest one
// (docs/writing-a-module.md).
package module

import (
	"context"
	"log/slog"

	"sipd/router/cfg"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/stat"
	"sipd/router/transport"
	"sipd/rpc"
	"sipd/rpc/socket"
)

// Module is one loaded instance. New of the module's package makes it.
type Module interface {
	// Exports is data: it may be called before Init and more than once, and
	// its Params point into the instance.
	Exports() *Exports
	// Init runs after all modparams are set and before the script is
	// compiled, in the order of the loadmodule lines. It validates, opens what
	// it needs and registers hooks on the host. ctx ends when start-up is given up.
	Init(ctx context.Context, h *Host) error
}

// Server is implemented by modules that run something of their own: timers,
// sockets. Serve returns when ctx ends and all it started has ended.
type Server interface {
	Serve(ctx context.Context) error
}

// Closer is implemented by modules that hold resources; Close runs after all
// Serve methods returned, in reverse order of loading.
type Closer interface {
	Close() error
}

// Successor is implemented by modules that hold what must outlive a reload:
// sockets, transactions, contacts. At a reload the new instance finds the one
// before as Host.Old in Init, and may take over what that holds.
type Successor interface {
	// TookOver says that Init did so. The running Serve of the instance before
	// goes on in place of this one's, and neither its Close is called nor, when
	// the reload comes to nothing, this one's.
	TookOver() bool
}

// Drainer is implemented by modules that go on working for messages of a
// configuration which a reload replaced.
type Drainer interface {
	// Busy says that there still are such messages.
	Busy() bool
}

// Exports is everything a module adds to the daemon.
type Exports struct {
	// Name is the name in loadmodule, without ".so".
	Name string
	// Help says in a sentence what the module is for.
	Help      string
	Params    []Param
	Functions []Function
	Vars      []pv.Def
	Selects   []pv.SelectDef
	Trans     []pv.TransDef
	RPC       []*rpc.Method
	Stats     []stat.Def
	// Needs names modules without which this one cannot work; After those that
	// it works with where they are loaded. Their Init runs before this one's,
	// whatever the order of the loadmodule lines.
	Needs, After []string
}

// Param is a module parameter (modparam).
type Param struct {
	Name string
	Help string
	// Value points at the instance's variable: *int, *bool, *string, *[]string
	// (each modparam appends), *cfg.Int or *cfg.Str (a runtime variable of the
	// group named Group, or as the module; the modparam sets its start value).
	// What it points at before the configuration is read is the default.
	// A func(int) error or func(string) error is called for each modparam.
	Value any
	// Min and Max bound an integer when they are not both 0.
	Min, Max int
	// Group overrides the runtime group's name.
	Group string
	// Check validates the final value at configuration check; may be nil.
	Check func() error
}

// ArgType is what a function's argument takes and how it is compiled.
type ArgType uint8

const (
	// ArgInt takes a number, a numeric string, or an expression.
	ArgInt ArgType = iota
	// ArgStr takes a string constant as it is (not expanded) or an expression.
	ArgStr
	// ArgFormat takes a string in which variables are expanded ("$rU@$fd"), or
	// an expression. With Arg.Route set it names a route block when it runs; a
	// constant that names none is an error at configuration check.
	ArgFormat
	// ArgConst takes a string constant only; it is not expanded.
	ArgConst
	// ArgVar takes a variable that can be written, bare or in a string: "$avp(x)", $var(y).
	ArgVar
	// ArgRoute takes the name of a route block of the kind in Arg.Route; a
	// constant that names no block is an error at configuration check.
	ArgRoute
	// ArgRegex takes a constant POSIX extended regular expression.
	ArgRegex
	// ArgAny takes whatever is there, compiled as ArgFormat.
	ArgAny
	// ArgRead takes a variable that is read with its type (defined or not,
	// number or text), bare or in a string; Expr.Var is set.
	ArgRead
)

// Arg declares one argument.
type Arg struct {
	Name     string
	Type     ArgType
	Optional bool     // this and all that follow may be missing
	Rest     bool     // the last one only: repeats
	Route    run.Kind // for ArgRoute, and an ArgFormat that names a block
}

// Function is a script function.
type Function struct {
	Name string
	Help string
	Args []Arg
	// In says in which route kinds a call may stand.
	In run.Kind
	// New compiles a call with these arguments. An *ArgError points at an argument.
	New func(args Args) (run.Func, error)
}

// ArgError is an error of New about argument I (from 0).
type ArgError struct {
	I   int
	Err error
}

func (e *ArgError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ArgError) Unwrap() error { return e.Err }

// SharedError is an error of New about what several calls use, a database's
// tables: it is told once, where it is met first.
type SharedError struct{ Err error }

func (e *SharedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *SharedError) Unwrap() error { return e.Err }

// Args are the compiled arguments of one call.
type Args []Expr

// Expr is a compiled argument: a constant or something to evaluate.
type Expr struct {
	// IsConst says that Const is its value for ever.
	IsConst bool
	Const   run.Value
	// Text is the argument's constant text as written, "" for expressions.
	Text string
	// Eval evaluates; set for constants too.
	Eval func(*run.Context) run.Value
	// Var is set for ArgVar.
	Var pv.Var
}

// Has says whether argument i was given.
func (a Args) Has(i int) bool { return i < len(a) }

// Int evaluates argument i as a number; def when it was not given.
func (a Args) Int(c *run.Context, i, def int) int {
	if i >= len(a) {
		return def
	}
	if a[i].IsConst {
		return a[i].Const.Int()
	}
	return a[i].Eval(c).Int()
}

// Str evaluates argument i as text; "" when it was not given or undefined.
func (a Args) Str(c *run.Context, i int) string {
	if i >= len(a) {
		return ""
	}
	if a[i].IsConst {
		return a[i].Const.Text()
	}
	return a[i].Eval(c).Text()
}

// Host is what a module finds at Init. The router fills it.
type Host struct {
	// Name is the module's own name.
	Name string
	Log  *slog.Logger
	Env  *run.Env
	Cfg  *cfg.Store
	RPC  *rpc.Registry
	// Guard says who may call over the control wires that a module serves.
	Guard *socket.Guard
	Stat  *stat.Registry
	// Vars are the variables, selects and transformations of the configuration.
	// At Init those of the modules loaded so far are in it, when functions are
	// compiled all of them.
	Vars *pv.Registry
	// ConfigPath is the configuration file; relative paths are taken from its folder.
	ConfigPath string
	// LogTo gives a logger for another syslog facility ("LOG_LOCAL1"); the
	// daemon's own when it does not log to syslog. nil in tests.
	LogTo func(facility string) (*slog.Logger, error)
	// ModuleLog changes levels and facilities of single modules; nil in tests.
	ModuleLog ModuleLog
	// RunDir is where control sockets live by default.
	RunDir string
	// Offline says that databases are not to be opened, whose tables cannot be
	// checked then.
	Offline bool
	// CheckOnly says that the configuration is only checked (sipd -c): Init
	// validates, and opens nothing that a running daemon may hold.
	CheckOnly bool
	// Dry says that the configuration runs without a network (sipd explain,
	// route tests): Init opens no sockets and no FIFOs, and Serve is not called.
	Dry bool

	// Old is this module's instance in the configuration that a reload
	// replaces, nil at the start and for a module that was not loaded. Init may
	// read it, but must leave it as it is: the reload may still fail. It is nil
	// again once the new configuration serves.
	Old Module
	// AtStart calls a function when everything has succeeded and the
	// configuration is put into service: what must not be done for one that is
	// given up. nil in tests; use Host.WhenServing.
	AtStart func(func())

	// Module finds another loaded module by name, nil when it is not loaded:
	// registrar asks for usrloc and asserts the interface it needs.
	Module func(name string) Module
	// Hooks are the places where modules see messages before or after the script.
	Hooks *Hooks
	// Daemon gives what needs the whole daemon (shutdown, reload, facts for RPC).
	Daemon any
}

// WhenServing calls f when the configuration is put into service.
func (h *Host) WhenServing(f func()) {
	if h.AtStart == nil {
		f()
		return
	}
	h.AtStart(f)
}

// ModuleLog is what the log does with the lines of single modules, by name;
// "core" is the lines that no module writes.
type ModuleLog interface {
	// SetLevels replaces all levels of modules, on the scale of core.debug.
	SetLevels(map[string]int)
	// SetFacilities replaces all facilities of modules; without syslog they
	// are checked and change nothing.
	SetFacilities(map[string]string) error
	// CheckFacility says whether syslog has a facility of that name.
	CheckFacility(name string) error
	// Level is core.debug, Facility the daemon's own.
	Level() int
	Facility() string
}

// Action is a step of the script: a call or a statement.
type Action struct {
	File string
	Line int
	// Type is the number that Kamailio 5.6 gives such actions, Name its word:
	// a function's name, or "if", "assign", "return".
	Type int
	Name string
}

// Hooks are called by the router for each message. They are filled during Init
// and fixed afterwards.
type Hooks struct {
	// PreRequest run before the request route, in order; false ends the
	// processing (the message was swallowed): sl's ACK filter.
	PreRequest []func(*run.Context) bool
	// PreReply run before the reply route; a hook that answers false drops the reply.
	PreReply []func(*run.Context) bool
	// OnReply is tm's: it sees each reply first; true means it belonged to a
	// transaction and was dealt with. It runs the default reply route itself
	// (through coreReply, which may be nil) before it acts.
	OnReply func(ctx *run.Context, coreReply run.Block) bool
	// Stateful sends a reply through the transaction of ctx when there is one;
	// nil until tm registers it. done is false when there is no transaction.
	Stateful func(ctx *run.Context, code int, reason string) (done bool, err error)
	// Stateless sends a reply without state; sl registers it.
	Stateless func(ctx *run.Context, code int, reason string) error
	// PostScript run after the request route, whatever its end (tm releases
	// its hold on the transaction).
	PostScript []func(*run.Context)
	// Action is called before each action of the script, debugger's; nil
	// mostly, which costs nothing. It is set during Init.
	Action func(*run.Context, *Action)
	// Assigned is called after each assignment with the variable as it is
	// written; nil mostly. It is set during Init.
	Assigned func(c *run.Context, v *pv.Var)
	// Myself are further names of this daemon (uri == myself): module domain
	// adds the domains that it serves.
	Myself []func(host string, port uint16, proto transport.Proto) bool
	// HTTP see HTTP requests on the SIP port, in order; the context's Foreign is
	// the request (*web.Request). One that answers true has dealt with it.
	HTTP []func(*run.Context) bool
}
