package cfgutils

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/rpc"
)

func random(*run.Context) run.Value { return run.Int(int(rand.Int32())) }

func (u *cfgutils) newSetProb(a module.Args) (run.Func, error) {
	if !a[0].IsConst {
		return nil, &module.ArgError{Err: errors.New("the percentage must be a constant; change it at run time by cfgutils.rand_set_prob")}
	}
	n := a[0].Const.Int()
	if n < 0 || n > 100 {
		return nil, &module.ArgError{Err: fmt.Errorf("a percentage is 0 to 100, not %d", n)}
	}
	return func(*run.Context) int {
		u.prob.Store(int32(n))
		return 1
	}, nil
}

func (u *cfgutils) resetProb(*run.Context) int {
	u.prob.Store(int32(u.initialProb))
	return 1
}

// getProb answers the percentage; as in Kamailio that of 0 ends the script.
func (u *cfgutils) getProb(*run.Context) int { return int(u.prob.Load()) }

func (u *cfgutils) event(*run.Context) int { return code(rand.Int32N(100) < u.prob.Load()) }

func (u *cfgutils) chanceMethods() []*rpc.Method {
	percent := []rpc.Param{{Name: "percent", Type: rpc.TInt, Optional: true, Help: "0 to 100"}}
	return []*rpc.Method{
		{Name: "cfgutils.rand_set_prob", Help: "Sets how often rand_event is true.", Params: percent, Changes: true, Example: "25", Handler: u.rpcSetProb},
		{
			Name: "cfgutils.rand_reset_prob", Help: "Sets initial_probability again.", Changes: true,
			Handler: func(context.Context, *rpc.Call) error { u.resetProb(nil); return nil },
		},
		{
			Name: "cfgutils.rand_get_prob", Help: "Shows how often rand_event is true.", Reply: `string: "actual probability: N percent"`,
			Handler: func(_ context.Context, c *rpc.Call) error {
				c.Add(rpc.String(fmt.Sprintf("actual probability: %d percent", u.prob.Load())))
				return nil
			},
		},
	}
}

// rpcSetProb sets the percentage; the texts of the faults are Kamailio's.
func (u *cfgutils) rpcSetProb(_ context.Context, c *rpc.Call) error {
	if !c.Has(0) {
		return rpc.Faultf(500, "Invalid Parameters")
	}
	n := c.Int(0)
	if n < 0 || n > 100 {
		return rpc.Faultf(500, "Invalid Percent")
	}
	u.prob.Store(int32(n))
	return nil
}

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}
