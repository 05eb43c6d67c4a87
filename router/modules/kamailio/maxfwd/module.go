// Package maxfwd is the module that limits how many hops a request may take
// (RFC 3261 §16.3).
package maxfwd

import (
	"context"
	"fmt"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/router/run"
)

type maxfwd struct {
	limit cfg.Int
	slot  int // in Context.Slots: the value the request goes on with
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &maxfwd{limit: cfg.Int{Default: 70, Min: 0, Max: 255, Help: "highest Max-Forwards value passed on, hops"}}
}

// Exports lists what the module brings.
func (m *maxfwd) Exports() *module.Exports {
	value := []module.Arg{{Name: "max_value", Type: module.ArgInt}}
	process := func(name, help string) module.Function {
		return module.Function{Name: name, Help: help, Args: value, In: run.RequestRoute | run.FailureRoute | run.BranchRoute, New: m.newProcess}
	}
	return &module.Exports{
		Name: "maxfwd",
		Help: "limits the hops of a request",
		Params: []module.Param{
			{Name: "max_limit", Help: "highest Max-Forwards value passed on, hops", Value: &m.limit},
		},
		Functions: []module.Function{
			process("mf_process_maxfwd_header", "decrement Max-Forwards, add it where missing; false when it was 0"),
			process("process_maxfwd", "the same as mf_process_maxfwd_header"),
			process("maxfwd_process", "the same as mf_process_maxfwd_header"),
			{Name: "is_maxfwd_lt", Help: "true when Max-Forwards is below a value", Args: value, In: run.RequestRoute | run.FailureRoute | run.BranchRoute, New: m.newIsLess},
			{Name: "mf_lowlimit", Help: "the same as is_maxfwd_lt", Args: value, In: run.RequestRoute | run.FailureRoute | run.BranchRoute, New: m.newIsLess},
			{Name: "maxfwd_at_least", Help: "the same as is_maxfwd_lt", Args: value, In: run.RequestRoute | run.FailureRoute | run.BranchRoute, New: m.newIsLess},
		},
	}
}

// Init reserves the place for the value.
func (m *maxfwd) Init(_ context.Context, h *module.Host) error {
	m.slot = h.Env.NewSlot()
	return nil
}

func (m *maxfwd) newProcess(a module.Args) (run.Func, error) {
	if a[0].IsConst {
		if n := a[0].Const.Int(); n < 1 || n > 255 {
			return nil, &module.ArgError{I: 0, Err: fmt.Errorf("Max-Forwards is between 1 and 255, not %s", a[0].Const.Text())}
		}
	}
	return func(c *run.Context) int {
		if n, done := c.Slots[m.slot].(int); done { // once per request, however often it is called
			return again(n)
		}
		add := min(max(a.Int(c, 0, 0), 1), 255)
		n, rc := process(c.Msg, add, m.limit.Get(c.Cfg))
		if rc > 0 {
			c.Slots[m.slot] = n
		}
		return rc
	}, nil
}

// again is the code for a request that was counted already.
func again(n int) int {
	if n <= 0 {
		return -1
	}
	return 1
}

func (m *maxfwd) newIsLess(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		n, known := c.Slots[m.slot].(int)
		if !known {
			var err error
			if n, err = value(c.Msg); err != nil {
				return code(err)
			}
		}
		if n < a.Int(c, 0, 0) {
			return 1
		}
		return -1
	}, nil
}
