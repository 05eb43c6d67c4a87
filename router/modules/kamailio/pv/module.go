// Package pv is the module that brings the pseudo-variables and
// transformations of the Kamailio flavour. What they do is in sipd/router/pv;
// here are their list, the parameters that preset variables, and the functions
// that test them.
package pv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/stat"
	"sipd/rpc"
)

type pvModule struct {
	shared, script []preset
	stats          *stat.Registry
	vars           *run.Vars
	registry       *pv.Registry
	log            *slog.Logger
}

// preset is a variable with the value it starts with.
type preset struct {
	name  string
	value run.Value
}

// New makes the module.
func New() module.Module { return new(pvModule) }

// Exports lists what the module brings.
func (m *pvModule) Exports() *module.Exports {
	one := []module.Arg{{Name: "variable", Type: module.ArgRead}}
	writable := []module.Arg{{Name: "variable", Type: module.ArgVar}}
	return &module.Exports{
		Name: "pv",
		Help: "pseudo-variables and transformations",
		Params: []module.Param{
			{Name: "shvset", Help: `start value of a shared variable: "name=i:7" or "name=s:text"`, Value: m.presetTo(&m.shared)},
			{Name: "varset", Help: `start value of a script variable: "name=i:7" or "name=s:text"`, Value: m.presetTo(&m.script)},
		},
		Functions: slices.Concat(staticFunctions(), m.attributeFunctions(), []module.Function{
			{Name: "pv_isset", Help: "true when the variable is defined", Args: one, In: run.AnyRoute, New: newIsSet},
			{Name: "is_int", Help: "true when the variable is a number", Args: one, In: run.AnyRoute, New: newIsInt},
			{Name: "not_empty", Help: "true when the variable is a text of at least one octet", Args: one, In: run.AnyRoute, New: newNotEmpty},
			{Name: "pv_unset", Help: "reset the variable, as assigning $null", Args: writable, In: run.AnyRoute, New: newUnset},
			{
				Name: "typeof", Help: `true when the variable's type is "int", "str" or "null"`, In: run.AnyRoute, New: newTypeof,
				Args: []module.Arg{{Name: "variable", Type: module.ArgRead}, {Name: "type", Type: module.ArgConst}},
			},
		}),
		Vars:  append(pv.CoreVars(), pv.Def{Name: "stat", Help: "$stat(name): a statistic", New: m.newStat}),
		Trans: pv.CoreTrans(),
		RPC: []*rpc.Method{
			{
				Name: "pv.shvGet", Help: "Get the value of a shared variable (all, if no parameter)",
				Params: []rpc.Param{{Name: "name", Type: rpc.TString, Optional: true}}, Handler: m.rpcGet,
			},
			{
				Name: "pv.shvSet", Help: "Set the value of a shared variable", Changes: true,
				Params: []rpc.Param{
					{Name: "name", Type: rpc.TString, Optional: true},
					{Name: "type", Type: rpc.TString, Optional: true},
					{Name: "value", Type: rpc.TString, Optional: true, Convert: true},
				},
				Handler: m.rpcSet,
			},
		},
	}
}

// Init presets the variables.
func (m *pvModule) Init(_ context.Context, h *module.Host) error {
	m.stats, m.vars, m.registry, m.log = h.Stat, h.Env.Vars, h.Vars, h.Log
	for _, p := range m.shared {
		if h.Old != nil && h.Env.Vars.Has(p.name) { // a reload leaves what the script made of it
			continue
		}
		h.Env.Vars.SetShared(p.name, p.value)
	}
	for _, p := range m.script {
		h.Vars.Preset(p.name, p.value)
	}
	return nil
}

// presetTo reads "name=i:7" or "name=s:text".
func (m *pvModule) presetTo(list *[]preset) func(string) error {
	return func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		kind, text, typed := strings.Cut(value, ":")
		if !ok || !typed || strings.TrimSpace(name) == "" {
			return errors.New(`wants "name=i:7" or "name=s:text"`)
		}
		p := preset{name: strings.TrimSpace(name), value: run.Str(text)}
		switch kind {
		case "s":
		case "i":
			n, ok := run.ParseInt(text)
			if !ok || text == "" {
				return fmt.Errorf("%q is not a number", text)
			}
			p.value = run.Int(n)
		default:
			return fmt.Errorf("type %q: there are i and s", kind)
		}
		*list = append(*list, p)
		return nil
	}
}

// test compiles a function that looks at one variable.
func test(a module.Args, ok func(run.Value) bool) (run.Func, error) {
	get := a[0].Eval
	return func(c *run.Context) int {
		if ok(get(c)) {
			return 1
		}
		return -1
	}, nil
}

func newIsSet(a module.Args) (run.Func, error) {
	return test(a, func(v run.Value) bool { return !v.IsNull() })
}

func newIsInt(a module.Args) (run.Func, error) { return test(a, run.Value.IsInt) }

func newNotEmpty(a module.Args) (run.Func, error) {
	return test(a, func(v run.Value) bool { return v.IsStr() && v.Text() != "" })
}

func newTypeof(a module.Args) (run.Func, error) {
	is, ok := map[string]func(run.Value) bool{
		"int": run.Value.IsInt, "str": run.Value.IsStr, "string": run.Value.IsStr, "null": run.Value.IsNull,
	}[a[1].Text]
	if !ok {
		return nil, &module.ArgError{I: 1, Err: fmt.Errorf("type %q: there are int, str and null", a[1].Text)}
	}
	return test(a, is)
}

func newUnset(a module.Args) (run.Func, error) {
	set := a[0].Var.Set
	return func(c *run.Context) int {
		if set(c, run.Null) {
			return 1
		}
		return -1
	}, nil
}

// newStat compiles $stat(name). Other modules may declare theirs later, so the
// name is looked up when it is first read.
func (m *pvModule) newStat(n *pv.Name) (pv.Var, error) {
	if !n.HasInner || n.InnerEval != nil {
		return pv.Var{}, errors.New("$stat wants a constant name: $stat(rcv_requests)")
	}
	name := n.Inner
	var found atomic.Pointer[stat.Entry]
	return pv.Var{Get: func(*run.Context) run.Value {
		e := found.Load()
		if e == nil {
			if e = m.findStat(name); e == nil {
				return run.Null
			}
			found.Store(e)
		}
		return run.Int(int(e.Source.Value()))
	}}, nil
}

func (m *pvModule) findStat(name string) *stat.Entry {
	all := m.stats.All()
	i := slices.IndexFunc(all, func(e stat.Entry) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}
