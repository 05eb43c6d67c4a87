// Package kex is the module of the Kamailio core's extensions: branch and
// script flags, the next hop, and a few tests.
package kex

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sipd/router/corerpc"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/stat"
	"sipd/router/transport"
)

type kex struct {
	daemon daemon
	memory stat.MemoryReader
}

// New makes the module.
func New() module.Module { return new(kex) }

// Exports lists what the module brings.
func (x *kex) Exports() *module.Exports {
	flag := module.Arg{Name: "flag", Type: module.ArgInt}
	branch := module.Arg{Name: "branch", Type: module.ArgInt, Optional: true}
	bflag := []module.Arg{flag, branch}
	uri := module.Arg{Name: "uri", Type: module.ArgFormat}
	in := run.AnyRoute
	return &module.Exports{
		Name: "kex",
		Help: "branch and script flags, next hop, branches",
		Functions: []module.Function{
			{Name: "setbflag", Help: "set a branch flag; branch 0 is the request URI", Args: bflag, In: in, New: branchFlag(set)},
			{Name: "resetbflag", Help: "clear a branch flag", Args: bflag, In: in, New: branchFlag(reset)},
			{Name: "isbflagset", Help: "true when a branch flag is set", Args: bflag, In: in, New: branchFlag(isSet)},
			{Name: "setsflag", Help: "set a script flag", Args: bflag[:1], In: in, New: scriptFlag(set)},
			{Name: "resetsflag", Help: "clear a script flag", Args: bflag[:1], In: in, New: scriptFlag(reset)},
			{Name: "issflagset", Help: "true when a script flag is set", Args: bflag[:1], In: in, New: scriptFlag(isSet)},
			{Name: "setdsturi", Help: "set the next hop, as writing $du", Args: []module.Arg{uri}, In: in, New: newSetDstURI},
			{Name: "resetdsturi", Help: "clear the next hop", In: in, New: newResetDstURI},
			{Name: "isdsturiset", Help: "true when there is a next hop", In: in, New: newIsDstURISet},
			{
				Name: "pv_printf", Help: "write a formatted text into a variable", In: in, New: newPrintf,
				Args: []module.Arg{{Name: "variable", Type: module.ArgVar}, {Name: "format", Type: module.ArgFormat}},
			},
			{
				Name: "km_append_branch", Help: "append_branch under its older name", New: newAppendBranch,
				Args: []module.Arg{{Name: "uri", Type: module.ArgFormat, Optional: true}},
				In:   run.RequestRoute | run.FailureRoute,
			},
			{Name: "is_myself", Help: "true when the host of a URI names this daemon", Args: []module.Arg{uri}, In: in, New: newIsMyself},
			{
				Name: "setdebug", Help: "not supported: one log threshold serves all messages", In: in, New: refuseDebug,
				Args: []module.Arg{{Name: "level", Type: module.ArgInt}},
			},
			{Name: "resetdebug", Help: "not supported: see setdebug", In: in, New: refuseDebug},
		},
		RPC: x.methods(),
	}
}

// Init keeps the daemon for the RPC methods.
func (x *kex) Init(_ context.Context, h *module.Host) error {
	x.daemon, _ = h.Daemon.(daemon)
	if x.daemon == nil {
		x.daemon = alone{}
	}
	return nil
}

// alone is the daemon of a test that has none.
type alone struct{}

func (alone) Modules() []string         { return []string{"kex"} }
func (alone) Workers() []corerpc.Worker { return []corerpc.Worker{{Name: "main process - attendant"}} }

// refuseDebug says why a worker process's own log level does not exist here.
func refuseDebug(module.Args) (run.Func, error) {
	return nil, errors.New("the log level of single messages cannot be set: sipd has one threshold, " +
		"changed while it runs by: sipcmd cfg.set_now_int core debug 3")
}

// Operations on a word of flags.
func set(w *uint32, bit uint32) bool   { *w |= bit; return true }
func reset(w *uint32, bit uint32) bool { *w &^= bit; return true }
func isSet(w *uint32, bit uint32) bool { return *w&bit != 0 }

type flagOp func(w *uint32, bit uint32) bool

// flagBit answers the bit of the flag argument; 0 when it is out of range.
func flagBit(a module.Args) (func(*run.Context) uint32, error) {
	bit := func(n int) uint32 {
		if n < 0 || n > 31 {
			return 0
		}
		return 1 << n
	}
	if a[0].IsConst {
		b := bit(a[0].Const.Int())
		if b == 0 {
			return nil, &module.ArgError{I: 0, Err: fmt.Errorf("flag %s: flags are 0 to 31", a[0].Const.Text())}
		}
		return func(*run.Context) uint32 { return b }, nil
	}
	return func(c *run.Context) uint32 { return bit(a.Int(c, 0, -1)) }, nil
}

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

func branchFlag(op flagOp) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		bit, err := flagBit(a)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			b := bit(c)
			w := &c.Main.Flags
			if n := a.Int(c, 1, 0); n > 0 && n <= len(c.Branches) {
				w = &c.Branches[n-1].Flags
			} else if n != 0 {
				return -1
			}
			return code(b != 0 && op(w, b))
		}, nil
	}
}

func scriptFlag(op flagOp) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		bit, err := flagBit(a)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			b := bit(c)
			return code(b != 0 && op(&c.SFlags, b))
		}, nil
	}
}

func newSetDstURI(a module.Args) (run.Func, error) {
	if a[0].IsConst {
		if _, err := sip.ParseURI(a[0].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
	}
	return func(c *run.Context) int {
		uri := a.Str(c, 0)
		if uri == "" {
			return -1
		}
		c.SetDstURI(uri)
		return 1
	}, nil
}

func newResetDstURI(module.Args) (run.Func, error) {
	return func(c *run.Context) int { c.SetDstURI(""); return 1 }, nil
}

func newIsDstURISet(module.Args) (run.Func, error) {
	return func(c *run.Context) int { return code(c.Main.DstURI != "") }, nil
}

func newPrintf(a module.Args) (run.Func, error) {
	set := a[0].Var.Set
	return func(c *run.Context) int { return code(set(c, run.Str(a.Str(c, 1)))) }, nil
}

func newAppendBranch(a module.Args) (run.Func, error) {
	return func(c *run.Context) int { return code(c.AppendBranch(a.Str(c, 0), run.QUnset)) }, nil
}

// newIsMyself takes a URI, or host[:port] with an optional protocol before it.
func newIsMyself(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		s := a.Str(c, 0)
		if !strings.HasPrefix(s, "sip:") && !strings.HasPrefix(s, "sips:") {
			if p, rest, ok := strings.Cut(s, ":"); ok {
				if _, known := transport.ParseProto(p); known {
					s = rest
				}
			}
			s = "sip:" + s
		}
		u, err := sip.ParseURI(s)
		if err != nil {
			return -1
		}
		proto, _ := transport.ParseProto(u.Transport)
		return code(c.Env.Myself(u.Host, u.Port, proto))
	}, nil
}
