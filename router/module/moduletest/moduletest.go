// Package moduletest lets a module's tests call its functions the way a
// configuration does: modules with parameters, a message, compiled arguments;
// then look at the edits, the fork set, the replies and the log.
//
//	r := moduletest.New(t, textops.New())
//	r.Message("INVITE sip:bob@example.com SIP/2.0\n…")
//	if rc := r.Call("append_hf", "X-From: $fU\r\n"); rc != 1 { … }
//	if !strings.Contains(r.Printed(), "X-From: alice\r\n") { … }
package moduletest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/stat"
	"sipd/router/transport"
	"sipd/rpc"
)

// Rig is a daemon in a test: modules, one message, no sockets.
type Rig struct {
	// Ctx is the run of the message; Message makes a new one.
	Ctx *run.Context
	// At is when messages come; zero is now. A test that compares seconds sets it.
	At time.Time
	// Env and Host may be changed before Start.
	Env  *run.Env
	Host module.Host
	// Vars is the registry of variables; it has the core's and pv's own.
	Vars *pv.Registry
	RPC  *rpc.Registry
	Stat *stat.Registry
	// Replies are those sent through Hooks.Stateless, unless a module took
	// the hook.
	Replies []Reply

	t       testing.TB
	modules []module.Module
	started bool
	log     logBuffer
	blocks  map[string]run.Block
}

// Reply is a reply that was sent.
type Reply struct {
	Code   int
	Reason string
	// Extra is what append_to_reply collected.
	Extra string
}

// Expr is an argument written as an expression of one variable or select
// ("$var(x)", "@from.uri"), not as a string.
type Expr string

// New makes a rig with modules, in the order of loading. Set parameters and
// fields, then call Start, or let the first call do so.
func New(t testing.TB, modules ...module.Module) *Rig {
	t.Helper()
	r := &Rig{
		t: t, modules: modules,
		Vars: pv.NewRegistry(), RPC: rpc.NewRegistry(), Stat: stat.NewRegistry(),
		blocks: make(map[string]run.Block),
	}
	log := slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: noTime}))
	r.Env = &run.Env{
		Log: log, Cfg: cfg.NewStore(), Vars: run.NewVars(), MaxBranches: 12,
		Server: "Server: sipd\r\n", UserAgent: "User-Agent: sipd\r\n",
		Myself: func(host string, port uint16, _ transport.Proto) bool {
			return (host == "127.0.0.1" || host == "sipd.test") && (port == 0 || port == 5060)
		},
		Block: func(kind run.Kind, name string) run.Block { return r.blocks[blockKey(kind, name)] },
	}
	dir := t.TempDir()
	r.Host = module.Host{
		Log: log, Env: r.Env, Cfg: r.Env.Cfg, RPC: r.RPC, Stat: r.Stat, Vars: r.Vars,
		ConfigPath: dir + "/sipd.cfg", RunDir: dir, Module: r.Module,
		Hooks: &module.Hooks{Stateless: r.reply},
	}
	return r
}

func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (r *Rig) reply(c *run.Context, code int, reason string) error {
	r.Replies = append(r.Replies, Reply{code, reason, c.ReplyExtra})
	return nil
}

// Module finds a loaded module by name, nil when it is not there.
func (r *Rig) Module(name string) module.Module {
	for _, m := range r.modules {
		if m.Exports().Name == name {
			return m
		}
	}
	return nil
}

// Param sets a module parameter, as modparam does; value is an int or a string.
func (r *Rig) Param(mod, name string, value any) *Rig {
	r.t.Helper()
	if err := r.TryParam(mod, name, value); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// TryParam is Param for values that a module refuses.
func (r *Rig) TryParam(mod, name string, value any) error {
	r.t.Helper()
	m := r.Module(mod)
	if m == nil {
		r.t.Fatalf("moduletest: no module %q", mod)
	}
	params := m.Exports().Params
	for i := range params {
		if params[i].Name == name {
			return params[i].Set(toValue(r.t, value))
		}
	}
	return fmt.Errorf("module %s has no parameter %q", mod, name)
}

func toValue(t testing.TB, v any) run.Value {
	switch v := v.(type) {
	case int:
		return run.Int(v)
	case string:
		return run.Str(v)
	}
	t.Fatalf("moduletest: %T is neither int nor string", v)
	return run.Null
}

// Start initialises the modules; the first Message, Call or Var does it too.
func (r *Rig) Start() *Rig {
	r.t.Helper()
	if err := r.TryStart(); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// TryStart is Start for modules that refuse to start. What modules keep open
// is closed at the end of the test.
func (r *Rig) TryStart() error {
	if r.started {
		return nil
	}
	r.started = true
	for _, m := range r.modules {
		if err := r.declare(m.Exports()); err != nil {
			return err
		}
	}
	if !r.Vars.Has("ru") { // what module pv brings, so that formats can be tested without it
		if err := r.declare(&module.Exports{Vars: pv.CoreVars(), Trans: pv.CoreTrans()}); err != nil {
			return err
		}
	}
	for _, m := range r.modules {
		h := r.Host
		h.Name = m.Exports().Name
		for _, p := range m.Exports().Params {
			if p.Check != nil {
				if err := p.Check(); err != nil {
					return fmt.Errorf("%s: %s: %w", h.Name, p.Name, err)
				}
			}
		}
		if err := m.Init(r.t.Context(), &h); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		if c, ok := m.(module.Closer); ok {
			r.t.Cleanup(func() {
				if err := c.Close(); err != nil {
					r.t.Errorf("close %s: %v", h.Name, err)
				}
			})
		}
	}
	return nil
}

// declare does with a module's exports what the router does.
func (r *Rig) declare(e *module.Exports) error {
	for _, d := range e.Vars {
		if err := r.Vars.AddVar(d); err != nil {
			return err
		}
	}
	for _, d := range e.Selects {
		if err := r.Vars.AddSelect(d); err != nil {
			return err
		}
	}
	for _, d := range e.Trans {
		if err := r.Vars.AddTrans(d); err != nil {
			return err
		}
	}
	for i := range e.Params {
		group := e.Params[i].Group
		if group == "" {
			group = e.Name
		}
		if v, ok := e.Params[i].Value.(cfg.Var); ok {
			if err := r.Env.Cfg.Declare(group, e.Params[i].Name, v); err != nil {
				return err
			}
		}
	}
	if err := r.RPC.Add(e.RPC...); err != nil {
		return err
	}
	if len(e.Stats) > 0 {
		return r.Stat.Declare(e.Name, e.Stats...)
	}
	return nil
}

// Block defines a route block by a function.
func (r *Rig) Block(kind run.Kind, name string, f func(*run.Context) int) {
	r.blocks[blockKey(kind, name)] = block(f)
}

type block func(*run.Context) int

func (b block) Run(c *run.Context) int { return b(c) }

func blockKey(kind run.Kind, name string) string { return fmt.Sprint(kind, name) }

// Message starts a run with a message. Lone line feeds become CRLF. It comes
// from 192.0.2.1:5060 to 127.0.0.1:5060 over UDP; change Ctx.Recv for another.
func (r *Rig) Message(text string) *run.Context {
	r.t.Helper()
	r.Start()
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	if !strings.Contains(text, "\r\n\r\n") {
		text += "\r\n"
	}
	return r.Raw(text)
}

// Raw is Message for text that is taken as it is.
func (r *Rig) Raw(text string) *run.Context {
	r.t.Helper()
	r.Start()
	c := &run.Context{}
	if r.Ctx != nil {
		c.ScriptVars = r.Ctx.ScriptVars
		c.ID = r.Ctx.ID
	}
	id := c.ID + 1
	c.Reset(r.Env)
	if err := c.Msg.Parse(text); err != nil {
		r.t.Fatalf("moduletest: %v in message:\n%s", err, text)
	}
	c.ID = id
	c.SetNow(r.At)
	c.Cfg = r.Env.Cfg.Snapshot()
	c.Route = run.RequestRoute
	if !c.Msg.IsRequest() {
		c.Route = run.CoreReplyRoute
	}
	dst := netip.MustParseAddrPort("127.0.0.1:5060")
	c.Recv = transport.Received{
		Proto: transport.UDP, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: dst,
		Sock: transport.NewSocket(transport.UDP, dst),
	}
	r.Ctx = c
	return c
}

// Call compiles a call and runs it on the message. Arguments are ints, strings
// (compiled as the function declares: with variables expanded or not) and Expr.
func (r *Rig) Call(name string, args ...any) int {
	r.t.Helper()
	f, err := r.Compile(name, args...)
	if err != nil {
		r.t.Fatalf("moduletest: %s: %v", name, err)
	}
	if r.Ctx == nil {
		r.t.Fatal("moduletest: Call before Message")
	}
	return f(r.Ctx)
}

// Compile compiles a call as the configuration's compiler does.
func (r *Rig) Compile(name string, args ...any) (run.Func, error) {
	r.t.Helper()
	r.Start()
	fn := r.function(name, len(args))
	if fn == nil {
		return nil, fmt.Errorf("no function %s with %d arguments", name, len(args))
	}
	if r.Ctx != nil && fn.In&r.Ctx.Route == 0 {
		return nil, fmt.Errorf("%s may not stand in this route block", name)
	}
	var compiled module.Args
	for i, a := range args {
		e, err := r.arg(declared(fn, i), a)
		if err != nil {
			return nil, &module.ArgError{I: i, Err: err}
		}
		compiled = append(compiled, e)
	}
	return fn.New(compiled)
}

func declared(fn *module.Function, i int) *module.Arg {
	return &fn.Args[min(i, len(fn.Args)-1)]
}

func (r *Rig) function(name string, n int) *module.Function {
	for _, m := range r.modules {
		fs := m.Exports().Functions
		for i := range fs {
			if lo, hi := fs[i].Arity(); fs[i].Name == name && n >= lo && (hi < 0 || n <= hi) {
				return &fs[i]
			}
		}
	}
	return nil
}

func (r *Rig) arg(decl *module.Arg, a any) (module.Expr, error) {
	switch a := a.(type) {
	case int:
		return module.NumberArg(decl, a)
	case string:
		return module.StringArg(r.Vars, decl, a)
	case Expr:
		if strings.HasPrefix(string(a), "@") {
			get, _, err := r.Vars.ParseSelect(string(a))
			if err != nil {
				return module.Expr{}, err
			}
			return module.VarArg(decl, pv.Var{Name: string(a), Get: get})
		}
		v, _, err := r.Vars.ParseVar(string(a), pv.MaxCompat)
		if err != nil {
			return module.Expr{}, err
		}
		return module.VarArg(decl, v)
	}
	return module.Expr{}, fmt.Errorf("moduletest: argument of type %T", a)
}

// Var reads a variable or a select on the message.
func (r *Rig) Var(name string) run.Value {
	r.t.Helper()
	r.Start()
	e, err := r.arg(&module.Arg{}, Expr(name))
	if err != nil {
		r.t.Fatalf("moduletest: %s: %v", name, err)
	}
	return e.Eval(r.Ctx)
}

// SetVar assigns to a variable; value is an int, a string or nil for $null.
func (r *Rig) SetVar(name string, value any) {
	r.t.Helper()
	r.Start()
	e, err := r.arg(&module.Arg{Type: module.ArgVar}, Expr(name))
	if err != nil {
		r.t.Fatalf("moduletest: %s: %v", name, err)
	}
	v := run.Null
	if value != nil {
		v = toValue(r.t, value)
	}
	if !e.Var.Set(r.Ctx, v) {
		r.t.Errorf("moduletest: %s does not take %v", name, value)
	}
}

// Printed is the message with all edits applied, as it would be sent on
// without the transport's own changes.
func (r *Rig) Printed() string {
	return string(r.Ctx.Msg.AppendTo(nil, &sip.PrintOptions{RequestURI: r.Ctx.Main.URI}, &r.Ctx.Msg.Edits))
}

// RPCCall calls an RPC method with values as they come, without a wire.
func (r *Rig) RPCCall(name string, args ...rpc.Value) ([]rpc.Value, error) {
	r.t.Helper()
	r.Start()
	m, ok := r.RPC.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("no RPC method %s", name)
	}
	c := rpc.NewCall(m, "test", "moduletest", args)
	err := m.Handler(context.Background(), c)
	return c.Reply(), err
}

// Log is what was logged so far, one line each: level=… msg=… key=value.
func (r *Rig) Log() string { return r.log.String() }

type logBuffer struct {
	mu sync.Mutex
	// mu guards the field below.
	b bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Invite is a complete INVITE to start from.
const Invite = `INVITE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds
Max-Forwards: 70
From: "Alice" <sip:alice@example.com>;tag=1928301774
To: Bob <sip:bob@example.com>
Call-ID: a84b4c76e66710@192.0.2.1
CSeq: 314159 INVITE
Contact: <sip:alice@192.0.2.1:5060>
User-Agent: Phone 1.0
Content-Type: application/sdp
Content-Length: 21

v=0
o=- 1 1 IN IP4
`

// File reads a file of the test's testdata folder.
func File(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
