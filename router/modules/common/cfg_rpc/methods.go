package cfgrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"sipd/router/cfg"
	"sipd/rpc"
)

// The faults, in the elders' words: clients show them.
var (
	faultParams   = &rpc.Fault{Code: 500, Text: "Failed to get the parameters"}
	faultSyntax   = &rpc.Fault{Code: 400, Text: `Wrong group syntax. Use either "group", or "group[id]"`}
	faultNeedID   = &rpc.Fault{Code: 400, Text: `Wrong group syntax. Use "group[id]"`}
	faultGet      = &rpc.Fault{Code: 400, Text: "Failed to get the variable"}
	faultHidden   = &rpc.Fault{Code: 400, Text: "Variable exists, but it is not readable via RPC interface"}
	faultHelp     = &rpc.Fault{Code: 400, Text: "Failed to get the variable description"}
	faultSet      = &rpc.Fault{Code: 400, Text: "Failed to set the variable"}
	faultDelete   = &rpc.Fault{Code: 400, Text: "Failed to delete the value"}
	faultAddGroup = &rpc.Fault{Code: 400, Text: "Failed to add the group instance"}
	faultDelGroup = &rpc.Fault{Code: 400, Text: "Failed to delete the group instance"}
)

// methods is the methods cfg.*, in order of their names.
func (m *cfgRPC) methods() []*rpc.Method {
	group := rpc.Param{Name: "group", Type: rpc.TString, Help: "a group, or an instance of it: group[id]"}
	variable := rpc.Param{Name: "variable", Type: rpc.TString, Help: "the variable's name"}
	optional := func(p rpc.Param) rpc.Param { p.Optional = true; return p }
	two := []rpc.Param{group, variable}
	value := func(t rpc.Type) []rpc.Param {
		return []rpc.Param{group, variable, {Name: "value", Type: t, Help: "the new value"}}
	}
	setter := func(name, help string, t rpc.Type, set func(cfg.Ref, string, rpc.Value) error) *rpc.Method {
		example := "core debug 3"
		if t == rpc.TString {
			example = "tm default_reason Overload"
		}
		return &rpc.Method{Name: name, Help: help, Params: value(t), Changes: true, Example: example, Handler: m.set(set)}
	}
	now := func(r cfg.Ref, name string, v rpc.Value) error { return m.store.Set(r, name, v) }
	later := func(r cfg.Ref, name string, v rpc.Value) error { return m.store.SetDelayed(r, name, v) }
	const waits = ", at the next cfg.commit"
	return []*rpc.Method{
		{
			Name: "cfg.add_group_inst", Example: "tm[1]", Help: "Makes an instance, group[id], that follows the default.", Changes: true,
			Params:  []rpc.Param{group},
			Handler: m.instance(func(r cfg.Ref) error { return m.store.AddInstance(r) }, faultAddGroup),
		},
		{
			Name: "cfg.commit", Help: "Makes all delayed changes at once.", Changes: true,
			Handler: func(context.Context, *rpc.Call) error { m.store.Commit(); return nil },
		},
		{
			Name: "cfg.del", Example: "tm[1] fr_timer", Help: "Makes a variable of an instance follow the default again.", Changes: true, Params: two,
			Handler: m.delete(func(r cfg.Ref, name string) error { return m.store.Delete(r, name) }),
		},
		{
			Name: "cfg.del_delayed", Example: "tm[1] fr_timer", Help: "Makes a variable of an instance follow the default again" + waits + ".",
			Changes: true, Params: two,
			Handler: m.delete(func(r cfg.Ref, name string) error { return m.store.DeleteDelayed(r, name) }),
		},
		{
			Name: "cfg.del_group_inst", Example: "tm[1]", Help: "Removes an instance, group[id].", Changes: true, Params: []rpc.Param{group},
			Handler: m.instance(func(r cfg.Ref) error { return m.store.DelInstance(r) }, faultDelGroup),
		},
		{Name: "cfg.diff", Reply: "values: struct {group name: string, group id: int (of an instance), variable name: string, old value, new value: int or string}", Help: "Shows the delayed changes: what is and what will be.", Handler: m.diff},
		{
			Name: "cfg.get", Reply: "int or string, or struct {NAME: int or string, …}", Example: "core debug", Help: "Shows a variable, or all of a group or an instance.",
			Params: []rpc.Param{group, optional(variable)}, BadParams: faultParams, Handler: m.get,
		},
		{Name: "cfg.help", Reply: "values: string, string: what it is for, its type", Example: "core debug", Help: "Says what a variable is for, and its type.", Params: two, Handler: m.help},
		{
			Name: "cfg.list", Reply: "string: GROUP: NAME", Example: "core", Help: "Lists the variables, of one group or all.", List: true,
			Params: []rpc.Param{optional(group)}, Handler: m.list,
		},
		{
			Name: "cfg.reset", Example: "tm", Help: "Sets the variables of a group to the values they started with.", Changes: true,
			Params: []rpc.Param{group}, Handler: m.reset,
		},
		{
			Name: "cfg.rollback", Help: "Drops all delayed changes.", Changes: true,
			Handler: func(context.Context, *rpc.Call) error { m.store.Rollback(); return nil },
		},
		setter("cfg.set", "Sets a variable.", rpc.TAny, now),
		setter("cfg.set_delayed", "Sets a variable"+waits+".", rpc.TAny, later),
		setter("cfg.set_delayed_int", "Sets a variable by a number"+waits+".", rpc.TInt, later),
		setter("cfg.set_delayed_string", "Sets a variable by a text"+waits+".", rpc.TString, later),
		setter("cfg.set_now_int", "Sets a variable by a number.", rpc.TInt, now),
		setter("cfg.set_now_string", "Sets a variable by a text.", rpc.TString, now),
		setter("cfg.seti", "Sets a variable by a number.", rpc.TInt, now),
		setter("cfg.sets", "Sets a variable by a text.", rpc.TString, now),
	}
}

func (m *cfgRPC) list(_ context.Context, c *rpc.Call) error {
	if c.Has(0) && c.Str(0) == "" {
		return nil // no group has no name; "" to the store means all
	}
	for _, v := range m.store.List(c.Str(0)) {
		c.Add(rpc.String(v.Group + ": " + v.Var.Name()))
	}
	return nil
}

func (m *cfgRPC) help(_ context.Context, c *rpc.Call) error {
	v, ok := m.store.Lookup(c.Str(0), c.Str(1))
	if !ok {
		return faultHelp
	}
	if text := v.Describe(); text != "" {
		c.Add(rpc.String(text))
	} else {
		c.Add(rpc.Null{})
	}
	kind := "integer"
	if _, isText := v.(*cfg.Str); isText {
		kind = "string"
	}
	c.Add(rpc.String("(parameter type is " + kind + ")"))
	return nil
}

func (m *cfgRPC) get(_ context.Context, c *rpc.Call) error {
	r, err := cfg.ParseRef(c.Str(0))
	if err != nil {
		return faultSyntax
	}
	var v rpc.Value
	if c.Has(1) {
		v, err = m.store.Get(r, c.Str(1))
	} else {
		v, err = m.store.GetGroup(r)
	}
	switch {
	case errors.Is(err, cfg.ErrHidden):
		return faultHidden
	case err != nil:
		return faultGet
	}
	c.Add(v)
	return nil
}

func (m *cfgRPC) set(set func(cfg.Ref, string, rpc.Value) error) func(context.Context, *rpc.Call) error {
	return func(ctx context.Context, c *rpc.Call) error {
		r, err := cfg.ParseRef(c.Str(0))
		if err != nil {
			return faultSyntax
		}
		before := m.now(r, c.Str(1))
		err = set(r, c.Str(1), c.Arg(2))
		if err == nil {
			c.Changed(r.String()+"."+c.Str(1), before, fmt.Sprint(c.Arg(2)))
		}
		return m.fault(ctx, c, err, faultSet)
	}
}

// now is a variable's value for the log, read or not.
func (m *cfgRPC) now(r cfg.Ref, name string) string {
	v, err := m.store.Show(r, name)
	if err != nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (m *cfgRPC) delete(del func(cfg.Ref, string) error) func(context.Context, *rpc.Call) error {
	return func(ctx context.Context, c *rpc.Call) error {
		r, err := cfg.ParseRef(c.Str(0))
		if err != nil || !r.Instance {
			return faultNeedID
		}
		return m.fault(ctx, c, del(r, c.Str(1)), faultDelete)
	}
}

func (m *cfgRPC) instance(do func(cfg.Ref) error, fault *rpc.Fault) func(context.Context, *rpc.Call) error {
	return func(ctx context.Context, c *rpc.Call) error {
		r, err := cfg.ParseRef(c.Str(0))
		if err != nil || !r.Instance {
			return faultNeedID
		}
		return m.fault(ctx, c, do(r), fault)
	}
}

// reset leaves an unknown group without a word, as Kamailio does.
func (m *cfgRPC) reset(ctx context.Context, c *rpc.Call) error {
	if err := m.store.Reset(c.Str(0)); err != nil {
		m.log.LogAttrs(ctx, slog.LevelInfo, "runtime variables not reset", slog.Any("err", err))
	}
	return nil
}

func (m *cfgRPC) diff(_ context.Context, c *rpc.Call) error {
	for _, d := range m.store.Diff() {
		s := rpc.Struct{rpc.M("group name", rpc.String(d.Ref.Group))}
		if d.Ref.Instance {
			s = append(s, rpc.M("group id", rpc.Int(d.Ref.ID)))
		}
		c.Add(append(s, rpc.M("variable name", rpc.String(d.Name)), rpc.M("old value", d.Old), rpc.M("new value", d.New)))
	}
	return nil
}

// fault is what the caller sees of an error: the elders' words, which say
// nothing of the reason. That goes to the log.
func (m *cfgRPC) fault(ctx context.Context, c *rpc.Call, err error, fault *rpc.Fault) error {
	if err == nil {
		return nil
	}
	m.log.LogAttrs(ctx, slog.LevelInfo, "runtime variable not changed", slog.String("method", c.Method.Name), slog.Any("err", err))
	return fault
}
