// Package statistics is the module with which a script keeps statistics of its
// own, and changes those of the daemon.
package statistics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/stat"
)

// group is where the script's statistics stand, as in Kamailio.
const group = "script"

type statistics struct {
	declared []stat.Def
	stats    *stat.Registry
	log      *slog.Logger
}

// New makes the module.
func New() module.Module { return new(statistics) }

// Exports lists what the module brings.
func (m *statistics) Exports() *module.Exports {
	name := module.Arg{Name: "statistic", Type: module.ArgFormat}
	return &module.Exports{
		Name: "statistics",
		Help: "statistics of the script's own",
		Params: []module.Param{
			{Name: "variable", Help: "declares a statistic: NAME, or NAME/no_reset for one that a reset leaves alone; repeatable", Value: m.declare},
		},
		Functions: []module.Function{
			{
				Name: "update_stat", Help: "add a number to a statistic",
				Args: []module.Arg{name, {Name: "number", Type: module.ArgFormat}}, In: run.AnyRoute, New: m.newUpdate,
			},
			{Name: "reset_stat", Help: "set a statistic to zero", Args: []module.Arg{name}, In: run.AnyRoute, New: m.newReset},
		},
	}
}

// declare reads a modparam variable.
func (m *statistics) declare(text string) error {
	name, flag, flagged := strings.Cut(text, "/")
	if name == "" || strings.ContainsAny(name, " \t\r\n:") {
		return fmt.Errorf("statistic %q: write NAME or NAME/no_reset", text)
	}
	if flagged && flag != "no_reset" {
		return fmt.Errorf("statistic %q: unknown flag %q; there is no_reset", text, flag)
	}
	m.declared = append(m.declared, stat.Def{
		Name: name, Help: "statistic of the script", Keep: flagged, Source: new(stat.Counter),
	})
	return nil
}

// Init declares the statistics.
func (m *statistics) Init(_ context.Context, h *module.Host) error {
	m.stats, m.log = h.Stat, h.Log
	return h.Stat.Declare(group, m.declared...)
}

// target is a statistic that a script changes.
type target struct {
	stat.Writable
	entry stat.Entry
}

func (m *statistics) find(name string) (target, error) {
	e, ok := m.stats.Lookup(group, name)
	if !ok {
		e, ok = m.stats.Find(name)
	}
	if !ok {
		return target{}, fmt.Errorf(`there is no statistic %s; declare it: modparam("statistics", "variable", "%[1]s")`, name)
	}
	w, ok := e.Source.(stat.Writable)
	if !ok {
		return target{}, fmt.Errorf("%s:%s is computed when it is read; a script cannot change it", e.Group, name)
	}
	return target{w, e}, nil
}

// finder is how a call finds its statistic: at load when the name is constant.
func (m *statistics) finder(a module.Args) (func(*run.Context) (target, bool), error) {
	if a[0].IsConst {
		t, err := m.find(a[0].Const.Text())
		if err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
		return func(*run.Context) (target, bool) { return t, true }, nil
	}
	return func(c *run.Context) (target, bool) {
		t, err := m.find(a.Str(c, 0))
		if err != nil {
			m.log.LogAttrs(context.Background(), slog.LevelError, "statistic not changed", slog.Any("err", err))
		}
		return t, err == nil
	}, nil
}

var errZero = errors.New("adding 0 changes nothing")

// number reads what is added: a number with or without a sign.
func number(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number to add; write 1, +1 or -1", text)
	}
	return n, nil
}

func (m *statistics) newUpdate(a module.Args) (run.Func, error) {
	find, err := m.finder(a)
	if err != nil {
		return nil, err
	}
	var constant int64
	if a[1].IsConst {
		if constant, err = number(a[1].Const.Text()); err == nil && constant == 0 {
			err = errZero
		}
		if err != nil {
			return nil, &module.ArgError{I: 1, Err: err}
		}
	}
	return func(c *run.Context) int {
		n := constant
		if n == 0 {
			var err error
			if n, err = number(a.Str(c, 1)); err != nil {
				m.log.LogAttrs(context.Background(), slog.LevelError, "statistic not changed", slog.Any("err", err))
				return -1
			}
		}
		t, ok := find(c)
		if !ok {
			return -1
		}
		t.Add(n)
		return 1
	}, nil
}

func (m *statistics) newReset(a module.Args) (run.Func, error) {
	find, err := m.finder(a)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		t, ok := find(c)
		if !ok {
			return -1
		}
		t.entry.Reset() // leaves one with no_reset alone
		return 1
	}, nil
}
