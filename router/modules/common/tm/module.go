// Package tm is the module of transactions for the script: stateful relaying
// and replying, forking, failure routes, timers. The work is in package
// router/tm; this folder names its functions.
package tm

import (
	"context"
	"fmt"
	"log/slog"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/tm"
)

type mod struct {
	settings *tm.Settings
	table    *tm.Table
	env      *run.Env
	old      ignored
	contacts contacts
	network  tm.Network // tests set one
	log      *slog.Logger
	tookOver bool
}

// New makes the module; it is what the list of modules names.
func New() module.Module { return &mod{settings: tm.NewSettings()} }

// Table is the daemon's table of transactions, for modules that ask for it by
// name; nil before Init.
func (m *mod) Table() *tm.Table { return m.table }

// Exports lists what the module brings.
func (m *mod) Exports() *module.Exports {
	e := &module.Exports{
		Name:      "tm",
		Help:      "transactions: stateful relaying, forking, failure routes",
		Params:    m.params(),
		Functions: m.functions(),
		Selects:   m.selects(),
		RPC:       m.methods(),
	}
	return e
}

func (m *mod) params() []module.Param {
	s := m.settings
	var list []module.Param
	s.EachVar(func(name string, v cfg.Var) {
		list = append(list, module.Param{Name: name, Help: v.Describe(), Value: v})
	})
	list = append(list,
		module.Param{Name: "reply_408_code", Help: "code of the reply when a branch timed out", Value: &s.Reply408Code, Min: 400, Max: 699},
		module.Param{Name: "reply_408_reason", Help: "its reason phrase", Value: &s.Reply408Reason},
		module.Param{Name: "remap_503_500", Help: "a 503 from downstream goes upstream as 500", Value: &s.Remap503},
		module.Param{Name: "faked_reply_prio", Help: "how far behind real replies of its class a timeout stands when the best is chosen; 1000 is a class", Value: &s.FakedReplyPrio, Min: -4000, Max: 4000},
		module.Param{Name: "failure_reply_mode", Help: "which replies of earlier legs count: 0 all, 1 none, 2 not those of the last fork, 3 only those of the newest fork", Value: &s.FailureReplyMode, Max: 3},
	)
	list = append(list, m.contacts.params()...)
	return append(list, m.old.params()...)
}

// Init makes the table and takes its places in the daemon.
func (m *mod) Init(_ context.Context, h *module.Host) error {
	if err := m.settings.Check(); err != nil {
		return err
	}
	if err := m.old.check(); err != nil {
		return err
	}
	if h.Hooks.OnReply != nil {
		return fmt.Errorf("another module keeps transactions already; load one of them")
	}
	if m.network == nil {
		m.network = tm.NewNetwork(h.Env.Transport)
	}
	m.env, m.log = h.Env, h.Log
	if old, ok := h.Old.(*mod); ok {
		m.table = old.table.Succeed(h.Env, m.settings, m.network)
	} else {
		m.table = tm.New(h.Env, m.settings, m.network)
	}
	m.tookOver = h.Old != nil
	h.Hooks.PreRequest = append(h.Hooks.PreRequest, m.table.PreRequest)
	h.Hooks.OnReply = m.table.OnReply
	h.Hooks.Stateful = m.stateful
	h.Hooks.PostScript = append(h.Hooks.PostScript, m.table.Release)
	return nil
}

// TookOver says that the transactions are those of the configuration before.
func (m *mod) TookOver() bool { return m.tookOver }

// Busy says that transactions still run by this configuration.
func (m *mod) Busy() bool { return m.table.Live() > 0 }

// Serve lets the timers run.
func (m *mod) Serve(ctx context.Context) error { return m.table.Serve(ctx) }

// stateful answers for everybody who has a transaction.
func (m *mod) stateful(c *run.Context, code int, reason string) (bool, error) {
	t := tm.Of(c)
	if t == nil || !c.Msg.IsRequest() {
		return false, nil
	}
	if t.Reply(c, code, reason) < 0 {
		return true, fmt.Errorf("send %d: %w", code, tm.ErrReplied)
	}
	return true, nil
}
