// Package corex is the module of what used to be core statements: branches,
// send sockets, and the daemon's own view of its sockets.
package corex

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/stat"
	"sipd/rpc"
)

type corex struct {
	env    *run.Env
	log    *slog.Logger
	daemon daemon
	memory stat.MemoryReader

	subdomains []place
}

// New makes the module.
func New() module.Module { return new(corex) }

// Exports lists what the module brings.
func (x *corex) Exports() *module.Exports {
	return &module.Exports{
		Name: "corex",
		Help: "branches, send sockets, lists of sockets",
		Params: []module.Param{
			{Name: "alias_subdomains", Help: "a domain that is myself with all below it: [proto:]host[:port]; may be repeated", Value: x.addSubdomains},
		},
		Functions: append(socketFunctions(), []module.Function{
			{
				Name: "append_branch", Help: "add a branch to the fork set: the request URI, or a URI with a preference",
				Args: []module.Arg{
					{Name: "uri", Type: module.ArgFormat, Optional: true},
					{Name: "q", Type: module.ArgFormat, Optional: true},
				},
				In: run.RequestRoute | run.FailureRoute, New: newAppendBranch,
			},
			{Name: "has_ruri_user", Help: "true when the request URI has a user", In: run.AnyRoute, New: newHasUser},
		}...),
		Vars: vars(),
		RPC: append(x.memoryMethods(), []*rpc.Method{
			{
				Name: "corex.list_aliases", Help: "Lists the names that are myself besides the sockets.", List: true,
				Reply: "struct {PROTO, ADDR: string, PORT: int}", Handler: x.listAliases,
			},
			{
				Name: "corex.list_sockets", Help: "Lists the sockets.", List: true,
				Reply:   "struct {PROTO, NAME: string, ADDRLIST: struct {ADDR: string}, PORT, MCAST, MHOMED, VIRTUAL, SOCKNAME, ADVERTISE: string}",
				Handler: x.listSockets,
			},
			{
				Name: "corex.debug", Help: "Shows the log level, or sets it and shows the old and the new one.", Changes: true,
				Params: []rpc.Param{{Name: "level", Type: rpc.TInt, Optional: true, Help: "the new level"}},
				Reply:  "struct {debug: int}, or struct {old, new: int}", Example: "3", Handler: x.debug,
			},
		}...),
	}
}

// Init keeps the environment for the RPC methods.
func (x *corex) Init(_ context.Context, h *module.Host) error {
	x.env, x.log = h.Env, h.Log
	x.daemon, _ = h.Daemon.(daemon)
	if x.subdomains != nil {
		h.Hooks.Myself = append(h.Hooks.Myself, x.isSubdomain)
	}
	return nil
}

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

func newAppendBranch(a module.Args) (run.Func, error) {
	if a.Has(0) && a[0].IsConst && a[0].Const.Text() != "" {
		if _, err := sip.ParseURI(a[0].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
	}
	if a.Has(1) && a[1].IsConst {
		if _, err := parseQ(a[1].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 1, Err: err}
		}
	}
	return func(c *run.Context) int {
		q := run.QUnset
		if a.Has(1) {
			var err error
			if q, err = parseQ(a.Str(c, 1)); err != nil {
				return -1
			}
		}
		uri := a.Str(c, 0)
		if a.Has(0) && uri == "" && !a[0].IsConst {
			return -1 // a variable that is empty is not "the request URI"
		}
		return code(c.AppendBranch(uri, q))
	}, nil
}

// parseQ reads a preference from 0 to 1 with at most three decimals, in
// thousandths.
func parseQ(s string) (int, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("q %q is not a number from 0 to 1", s)
	}
	return int(f*1000 + 0.5), nil
}

func newHasUser(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		u, err := c.ParsedRURI()
		return code(err == nil && u.User != "")
	}, nil
}
