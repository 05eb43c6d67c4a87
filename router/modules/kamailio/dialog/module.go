// Package dialog is the module that knows which calls there are: it follows an
// INVITE to the BYE, counts calls in profiles, and ends those that last too
// long.
package dialog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sipd/router/call"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/stat"
	"sipd/router/tm"
)

type mod struct {
	params

	host *module.Host
	log  *slog.Logger
	tm   *tm.Table
	rr   recordRoute
	t    *table
	slot int
	send func(*tm.Request) error
	// owner says that this instance closes the database, serving that it was put
	// into service; cleared that the tables were emptied in db_mode 3.
	owner, serving, cleared atomic.Bool
	watchers                []*call.Watcher
	// timeout is timeout_avp, Get nil without one.
	timeout    pv.Var
	ruriFormat *pv.Format // ruri_pvar, nil for the request URI
}

// recordRoute is what is needed of module rr.
type recordRoute interface {
	// AddParam adds to the Record-Route of a request.
	AddParam(c *run.Context, param string)
	// OnRoute is told of requests that loose_route followed, with the parameters
	// of the own Route.
	OnRoute(f func(c *run.Context, params string))
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	m := &mod{params: defaults}
	for i := range columnParams {
		m.columns[i] = columnParams[i][1]
	}
	return m
}

// Exports lists what the module brings.
func (m *mod) Exports() *module.Exports {
	return &module.Exports{
		Name: "dialog", Help: "knows which calls there are, counts and ends them",
		Params: m.list(), Functions: m.functions(), Vars: m.vars(), RPC: m.methods(), Stats: m.stats(),
		Needs: []string{"tm", "rr"},
	}
}

func (m *mod) stats() []stat.Def {
	// the table is there after Init only
	of := func(f func(t *table) int64) stat.Func {
		return func() int64 {
			if m.t == nil {
				return 0
			}
			return f(m.t)
		}
	}
	return []stat.Def{
		{Name: "active_dialogs", Help: "answered calls that have not ended", Keep: true, Source: of(func(t *table) int64 { return t.active.Load() })},
		{Name: "early_dialogs", Help: "calls that ring", Keep: true, Source: of(func(t *table) int64 { return t.early.Load() })},
		{Name: "processed_dialogs", Help: "calls since the start", Source: of(func(t *table) int64 { return t.processed.Value() })},
		{Name: "expired_dialogs", Help: "calls that lasted too long", Source: of(func(t *table) int64 { return t.expired.Value() })},
		{Name: "failed_dialogs", Help: "calls that were not answered", Source: of(func(t *table) int64 { return t.failed.Value() })},
	}
}

// Init checks the parameters and asks tm and rr to tell of calls.
func (m *mod) Init(ctx context.Context, h *module.Host) error {
	m.host, m.log = h, h.Log
	t, ok := h.Module("tm").(interface{ Table() *tm.Table })
	if !ok {
		return errors.New(`needs module tm; put loadmodule "tm.so" before loadmodule "dialog.so"`)
	}
	m.tm = t.Table()
	m.send = func(r *tm.Request) error {
		_, err := m.tm.Send(r)
		return err
	}
	if m.rr, ok = h.Module("rr").(recordRoute); !ok {
		return errors.New(`needs module rr; put loadmodule "rr.so" before loadmodule "dialog.so"`)
	}
	if err := m.check(); err != nil {
		return err
	}
	if m.timeoutAVP != "" {
		v, n, err := h.Vars.ParseVar(m.timeoutAVP, pv.Kamailio)
		if err == nil && (n != len(m.timeoutAVP) || v.Attr == nil) {
			err = errors.New("it must be an attribute, like $avp(dlg_timeout)")
		}
		if err != nil {
			return fmt.Errorf("timeout_avp %q: %w", m.timeoutAVP, err)
		}
		m.timeout = v
	}
	if m.ruri != "$ru" {
		f, err := h.Vars.ParseFormat(m.ruri, pv.Kamailio)
		if err != nil {
			return fmt.Errorf("ruri_pvar %q: %w", m.ruri, err)
		}
		m.ruriFormat = f
	}
	if err := m.inherit(h); err != nil {
		return err
	}
	if err := m.profiles(); err != nil {
		return err
	}
	if h.Old == nil {
		if err := m.openDB(ctx, h); err != nil {
			return err
		}
	}
	m.slot = h.Env.NewSlot()
	m.tm.Watch(&tm.Watcher{New: m.created, Ready: m.replied, Reply: m.byeReplied})
	h.Hooks.PostScript = append(h.Hooks.PostScript, m.afterScript)
	if m.matchMode != matchNone {
		m.rr.OnRoute(m.routed)
	}
	return nil
}

// inherit makes the table, or goes on with that of the configuration before.
func (m *mod) inherit(h *module.Host) error {
	old, ok := h.Old.(*mod)
	if !ok {
		start := uint32(m.idStart)
		if m.idStart < 0 {
			start = uint32(h.Env.ServerID)
		}
		m.t = newTable(m.hashSize, start, uint32(m.idStep))
		return nil
	}
	var changed []string
	for _, name := range module.Changed(old, m) {
		if fixed[name] || strings.HasSuffix(name, "_column") {
			changed = append(changed, name)
		}
	}
	if changed != nil {
		return &module.RestartError{Params: changed}
	}
	m.t = old.t
	h.WhenServing(func() {
		m.owner.Store(old.owner.Swap(false))
		m.serving.Store(true)
		m.cleared.Store(old.cleared.Load())
	})
	return nil
}

// fixed are the parameters, besides the names of columns, that count from a
// start on.
var fixed = map[string]bool{
	"hash_size": true, "h_id_start": true, "h_id_step": true,
	"db_mode": true, "db_url": true, "table_name": true, "vars_table_name": true,
}

// WatchCalls adds a watcher of calls; modules do so in Init.
func (m *mod) WatchCalls(w *call.Watcher) { m.watchers = append(m.watchers, w) }

// profiles defines the profiles.
func (m *mod) profiles() error {
	for _, x := range []struct {
		param, list string
		values      bool
	}{{"profiles_with_value", m.withValue, true}, {"profiles_no_value", m.noValue, false}} {
		for name := range strings.SplitSeq(x.list, ";") {
			name, _, _ = strings.Cut(strings.TrimSpace(name), "/") // "/s" and "/b" are of replication
			if name == "" {
				continue
			}
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
				return fmt.Errorf("%s: a profile's name has letters, digits, - and _, not %q", x.param, name)
			}
			if !m.t.define(name, x.values) {
				return fmt.Errorf("%s: profile %q was defined with and without values; give one of them another name", x.param, name)
			}
		}
	}
	return nil
}

// Serve ends the dialogs whose time is over, and writes what waits.
func (m *mod) Serve(ctx context.Context) error {
	var others sync.WaitGroup
	defer others.Wait()
	if s := m.t.store; s != nil && s.mode != atShutdown {
		others.Go(func() { m.keep(ctx) })
	}
	if m.kaTimer > 0 && m.kaInterval > 0 {
		others.Go(func() { m.keepAlive(ctx) })
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			now := time.Now()
			m.sweep(now)
			m.t.sweepRemote(now)
		}
	}
}
