// Package xlog is the module that writes log lines with variables in them:
// xlog("L_INFO", "call from $fu to $ru\n").
package xlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

type xlog struct {
	prefix     string
	bufSize    int
	forceColor int
	longFormat int
	methods    int
}

// New makes the module.
func New() module.Module {
	return &xlog{prefix: "<script>: ", bufSize: 4096, methods: -1}
}

// Exports lists what the module brings.
func (x *xlog) Exports() *module.Exports {
	format := module.Arg{Name: "format", Type: module.ArgFormat}
	level := module.Arg{Name: "level", Type: module.ArgStr}
	e := &module.Exports{
		Name: "xlog",
		Help: "log lines with variables",
		Vars: []pv.Def{colourVar()},
		Params: []module.Param{
			{Name: "prefix", Help: "text before each line", Value: &x.prefix},
			{Name: "buf_size", Help: "longest line, octets; what is longer is cut", Value: &x.bufSize, Min: 64, Max: 1 << 20},
			{Name: "force_color", Help: "accepted; colours are never written to a log", Value: &x.forceColor},
			{Name: "long_format", Help: "1 puts the file too before the line number of xlogl and xdbgl", Value: &x.longFormat, Min: 0, Max: 1},
			{Name: "methods_filter", Help: "accepted; -1 is the only value", Value: &x.methods, Min: -1, Max: -1},
		},
	}
	for _, line := range []bool{false, true} {
		name, dbg, where := "xlog", "xdbg", ""
		if line {
			name, dbg, where = "xlogl", "xdbgl", ", with the line of the configuration"
		}
		e.Functions = append(
			e.Functions,
			x.function(name, "log at level L_ERR"+where, []module.Arg{format}, x.fixed(slog.LevelError, line)),
			x.function(name, "log at a level"+where, []module.Arg{level, format}, x.levelled(line)),
			x.function(dbg, "log at level L_DBG"+where, []module.Arg{format}, x.fixed(slog.LevelDebug, line)),
		)
	}
	for _, l := range levels {
		if l.function != "" {
			e.Functions = append(e.Functions,
				x.function(l.function, "log at level "+l.name, []module.Arg{format}, x.fixed(l.level, false)))
		}
	}
	return e
}

func (x *xlog) function(name, help string, args []module.Arg, compile func(module.Args) (run.Func, error)) module.Function {
	return module.Function{Name: name, Help: help, Args: args, In: run.AnyRoute, New: compile}
}

// levels are the elders' names with the values that the daemon's log handler
// maps back to them.
var levels = []struct {
	name, function string
	number         int // of the debug parameter's scale
	level          slog.Level
}{
	{"L_ALERT", "xalert", -5, 16},
	{"L_BUG", "xbug", -4, 14},
	{"L_CRIT2", "", -3, 12},
	{"L_CRIT", "xcrit", -2, 12},
	{"L_ERR", "xerr", -1, slog.LevelError},
	{"L_WARN", "xwarn", 0, slog.LevelWarn},
	{"L_NOTICE", "xnotice", 1, 2},
	{"L_INFO", "xinfo", 2, slog.LevelInfo},
	{"L_DBG", "", 3, slog.LevelDebug},
}

// Init does nothing: lines are written with what the run brings.
func (x *xlog) Init(context.Context, *module.Host) error { return nil }

func (x *xlog) fixed(level slog.Level, line bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		w := x.writer(line)
		return func(c *run.Context) int { return w.write(c, level, a[0]) }, nil
	}
}

// levelled compiles the form with a level: a name, a number, or a variable.
func (x *xlog) levelled(line bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		w := x.writer(line)
		if !a[0].IsConst {
			return func(c *run.Context) int {
				level, err := parseLevel(a[0].Eval(c).Text())
				if err != nil {
					level = slog.LevelError
				}
				return w.write(c, level, a[1])
			}, nil
		}
		level, err := parseLevel(a[0].Const.Text())
		if err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
		return func(c *run.Context) int { return w.write(c, level, a[1]) }, nil
	}
}

// parseLevel reads L_INFO, or a number of the debug parameter's scale. The
// elders look at the third letter only; so "L_WARNING" is L_WARN.
func parseLevel(s string) (slog.Level, error) {
	if n, err := strconv.Atoi(s); err == nil {
		n = min(max(n, -5), 3)
		for _, l := range levels {
			if l.number == n {
				return l.level, nil
			}
		}
	}
	for _, l := range levels {
		if strings.EqualFold(s, l.name) || len(s) > len("L_XX") && strings.HasPrefix(s, l.name) {
			return l.level, nil
		}
	}
	names := make([]string, 0, len(levels))
	for _, l := range levels {
		if l.name != "L_CRIT2" {
			names = append(names, l.name)
		}
	}
	if s == "" {
		return 0, errors.New("the log level is empty")
	}
	return 0, fmt.Errorf("log level %q: there are %s", s, strings.Join(names, " "))
}
