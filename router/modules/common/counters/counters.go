// Package counters is the module with which a script counts what it likes: it
// declares counters and changes them. The methods that show them, cnt.*, are
// the daemon's own, for all its statistics are counters.
package counters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/stat"
)

type counters struct {
	group    string
	declared []counter
	stats    *stat.Registry
}

// counter is a counter that a modparam declares.
type counter struct{ group, name, help string }

// New makes the module.
func New() module.Module { return &counters{group: "script"} }

// Exports lists what the module brings.
func (m *counters) Exports() *module.Exports {
	const in = run.RequestRoute | run.ReplyRoute | run.CoreReplyRoute | run.FailureRoute | run.OnSendRoute | run.BranchRoute | run.EventRoute
	name := module.Arg{Name: "counter", Type: module.ArgConst}
	return &module.Exports{
		Name: "counters",
		Help: "counters of the script's own",
		Params: []module.Param{
			{Name: "script_cnt_grp_name", Help: "group of counters whose name has none; for the script_counter lines below it", Value: &m.group},
			{Name: "script_counter", Help: "declares a counter: [GROUP.]NAME, then a blank or a colon and what it counts; repeatable", Value: m.declare},
		},
		Functions: []module.Function{
			{Name: "cnt_inc", Help: "add one to a counter", Args: []module.Arg{name}, In: in, New: m.newInc},
			{Name: "cnt_add", Help: "add a number to a counter", Args: []module.Arg{name, {Name: "number", Type: module.ArgInt}}, In: in, New: m.newAdd},
			{Name: "cnt_reset", Help: "set a counter to zero", Args: []module.Arg{name}, In: in, New: m.newReset},
		},
	}
}

// declare reads a modparam script_counter.
func (m *counters) declare(text string) error {
	c := counter{group: m.group, name: text, help: "custom script counter."}
	i := strings.IndexByte(text, ':') // a colon goes before a blank, as in Kamailio
	if i < 0 {
		i = strings.IndexByte(text, ' ')
	}
	if i >= 0 {
		c.name = text[:i]
		if help := strings.TrimLeft(text[i+1:], " \t"); help != "" {
			c.help = help
		}
	}
	if group, name, ok := strings.Cut(c.name, "."); ok {
		c.group, c.name = group, name
	}
	if c.group == "" || c.name == "" || strings.ContainsAny(c.group+c.name, " \t\r\n") {
		return fmt.Errorf("counter %q: write NAME or GROUP.NAME, then a blank and what it counts", text)
	}
	m.declared = append(m.declared, c)
	return nil
}

// Init declares the counters. One that exists already is used as it is, with a
// word in the log.
func (m *counters) Init(ctx context.Context, h *module.Host) error {
	m.stats = h.Stat
	for _, c := range m.declared {
		err := h.Stat.Declare(c.group, stat.Def{Name: c.name, Help: c.help, Source: new(stat.Counter)})
		switch {
		case errors.Is(err, stat.ErrTaken):
			h.Log.LogAttrs(ctx, slog.LevelError, "counter is declared already", slog.String("counter", c.group+"."+c.name))
		case err != nil:
			return err
		}
	}
	return nil
}

// find is the counter that a call names.
func (m *counters) find(a module.Args) (stat.Writable, error) {
	group, name, ok := strings.Cut(a[0].Text, ".")
	if !ok {
		group, name = m.group, a[0].Text
	}
	e, ok := m.stats.Lookup(group, name)
	if !ok {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf(
			`there is no counter %s.%s; declare it: modparam("counters", "script_counter", "%[1]s.%[2]s")`, group, name)}
	}
	w, ok := e.Source.(stat.Writable)
	if !ok {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf("%s.%s is computed when it is read; a script cannot change it", group, name)}
	}
	return w, nil
}

func (m *counters) newInc(a module.Args) (run.Func, error) {
	c, err := m.find(a)
	return func(*run.Context) int {
		c.Add(1)
		return 1
	}, err
}

func (m *counters) newAdd(a module.Args) (run.Func, error) {
	c, err := m.find(a)
	return func(x *run.Context) int {
		c.Add(int64(a.Int(x, 1, 0)))
		return 1
	}, err
}

func (m *counters) newReset(a module.Args) (run.Func, error) {
	c, err := m.find(a)
	return func(*run.Context) int {
		c.Reset()
		return 1
	}, err
}
