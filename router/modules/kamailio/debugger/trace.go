package debugger

import (
	"context"
	"fmt"
	"log/slog"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

// action sees each action of the script before it is executed.
func (d *debugger) action(c *run.Context, a *module.Action) {
	if d.trace.Load() {
		d.traceLine(c, a)
	}
	if d.stop.active.Load() {
		d.stop.at(c, a)
	}
}

// traceLine logs an action in the elders' form.
func (d *debugger) traceLine(c *run.Context, a *module.Action) {
	ctx, level := context.Background(), run.LogLevel(d.level)
	if !d.log.Enabled(ctx, level) {
		return
	}
	file := ""
	if d.format == 0 {
		file = "c=[" + a.File + "] "
	}
	name := c.RouteName
	if name == "" {
		name = "DEFAULT_ROUTE"
	}
	d.write(level, fmt.Sprintf("%sdbg_cfg_trace(): %s=[%s] %sl=%d a=%d n=%s", d.prefix, routeWord(c.Route), name, file, a.Line, a.Type, a.Name))
}

// write logs a line of the module, with the level's name that the
// configuration wants.
func (d *debugger) write(level slog.Level, text string) {
	if d.levelName == "" {
		d.log.LogAttrs(context.Background(), level, text)
		return
	}
	d.log.LogAttrs(context.Background(), level, text, slog.String("level_name", d.levelName))
}

// routeWord is Kamailio's word for a kind of route.
func routeWord(k run.Kind) string {
	switch {
	case k&run.BranchFailureRoute != 0:
		return "branch_failure_route"
	case k&run.FailureRoute != 0:
		return "failure_route"
	case k&(run.ReplyRoute|run.CoreReplyRoute) != 0:
		return "onreply_route"
	case k&run.BranchRoute != 0:
		return "branch_route"
	case k&run.OnSendRoute != 0:
		return "onsend_route"
	case k&run.EventRoute != 0:
		return "event_route"
	case k&run.RequestRoute != 0:
		return "request_route"
	}
	return "unknown_route"
}

// assigned logs a variable behind an assignment.
func (d *debugger) assigned(c *run.Context, v *pv.Var) {
	level := run.LogLevel(d.level)
	if v.Get != nil && d.log.Enabled(context.Background(), level) {
		d.write(level, fmt.Sprintf("%s%s:%d %s", d.prefix, c.File, c.Line, shown(v.Name, v.Get(c))))
	}
}

// shown is a variable in the words of dbg.bp eval.
func shown(name string, v run.Value) string {
	switch {
	case v.IsNull():
		return name + " : t=null"
	case v.IsInt():
		return fmt.Sprintf("%s : t=int v=%d", name, v.Int())
	}
	return name + " : t=str v=" + v.Text()
}
