// Package tmx is the module around transactions: their variables, counters,
// and functions on branches and on other transactions. It needs module tm.
package tmx

import (
	"context"
	"errors"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/stat"
	"sipd/router/tm"
)

type tmx struct{ table *tm.Table }

// New makes the module; it is what the list of modules names.
func New() module.Module { return new(tmx) }

// tables is what tmx needs of module tm.
type tables interface{ Table() *tm.Table }

// Exports lists what the module brings.
func (x *tmx) Exports() *module.Exports {
	return &module.Exports{
		Name:      "tmx",
		Help:      "variables, counters and more functions of transactions",
		Functions: x.functions(),
		Vars:      x.vars(),
		Stats:     x.stats(),
		Needs:     []string{"tm"},
	}
}

// Init finds the table.
func (x *tmx) Init(_ context.Context, h *module.Host) error {
	t, ok := h.Module("tm").(tables)
	if !ok || t.Table() == nil {
		return errors.New(`it needs the table of transactions: put loadmodule "tm.so" before it`)
	}
	x.table = t.Table()
	return nil
}

// stats are the counters, read from the table that Init found.
func (x *tmx) stats() []stat.Def {
	of := func(get func(*tm.Stats) int64) stat.Func {
		return func() int64 {
			if x.table == nil {
				return 0
			}
			return get(&x.table.Count)
		}
	}
	defs := []stat.Def{
		{Name: "UAS_transactions", Help: "transactions of received requests", Source: of(func(s *tm.Stats) int64 { return s.UAS.Value() })},
		{Name: "UAC_transactions", Help: "branches sent", Source: of(func(s *tm.Stats) int64 { return s.UAC.Value() })},
		{Name: "inuse_transactions", Help: "transactions in memory", Source: of(func(s *tm.Stats) int64 { return s.Created.Value() - s.Freed.Value() })},
		{Name: "active_transactions", Help: "transactions without final reply", Source: of(func(s *tm.Stats) int64 {
			return max(s.Created.Value()-s.Freed.Value()-s.Waiting.Value(), 0)
		})},
		{Name: "received_replies", Help: "replies of transactions received", Source: of(func(s *tm.Stats) int64 { return s.Received.Value() })},
		{Name: "relayed_replies", Help: "replies relayed", Source: of(func(s *tm.Stats) int64 { return s.Relayed.Value() })},
		{Name: "local_replies", Help: "replies made here", Source: of(func(s *tm.Stats) int64 { return s.Generated.Value() })},
	}
	for i, name := range []string{"2xx", "3xx", "4xx", "5xx", "6xx"} {
		class := i + 2
		defs = append(defs, stat.Def{Name: name + "_transactions", Help: "transactions that ended with " + name, Source: of(func(s *tm.Stats) int64 { return s.Class[class].Value() })})
	}
	return defs
}

// Where functions may stand.
const inTx = run.RequestRoute | run.FailureRoute | run.BranchRoute | run.ReplyRoute | run.BranchFailureRoute | run.EventRoute
