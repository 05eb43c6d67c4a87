package script

import (
	"sipd/router/cfg"
	"sipd/router/run"
)

// cfgGroup is the group of runtime variables that the first argument names.
func (x *compiler) cfgGroup(e *Call) *cfg.Group {
	name, ok := constText(e.Args[0])
	if !ok {
		x.errs.add(e.Args[0].Position(), "%s wants the name of a group as a constant text", e.Name)
		return nil
	}
	g, ok := x.conf.env.Cfg.Group(name)
	if !ok {
		x.errs.add(e.Args[0].Position(), "there is no group of runtime variables %q", name).
			hint("groups are modules, core, tcp, and those that the configuration declares: %s.limit = 10", name)
		return nil
	}
	return g
}

// cfgSelect compiles cfg_select("group", id): the message reads the instance
// in place of the default. An instance that is not there is -1, and changes
// nothing.
func (x *compiler) cfgSelect(e *Call) func(*run.Context) int {
	g, id := x.cfgGroup(e), x.numberArg(e.Args[1])
	if g == nil || id == nil {
		return nil
	}
	return func(c *run.Context) int {
		n, ok := id(c)
		if !ok || n < 0 || int64(n) > 1<<32-1 {
			return -1
		}
		snap, ok := c.Cfg.Select(g, uint32(n))
		if !ok {
			return -1
		}
		c.Cfg = snap
		return 1
	}
}

// cfgReset compiles cfg_reset("group"): the message reads the default again.
func (x *compiler) cfgReset(e *Call) func(*run.Context) int {
	g := x.cfgGroup(e)
	if g == nil {
		return nil
	}
	return func(c *run.Context) int {
		c.Cfg = c.Cfg.Unselect(g)
		return 1
	}
}
