package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/rpc"
)

const serverShort = "The running server: figures, processes, settings, reload"

// serverVerbs ask the server for one method each.
var serverVerbs = []verb{
	{name: "uptime", short: "Show since when it runs", method: "core.uptime"},
	{name: "ps", short: "Show its processes or workers", method: "core.psx"},
	{name: "psa", short: "Show its processes or workers with all attributes", method: "core.psa"},
	{name: "version", short: "Show its version", method: "core.version"},
	{name: "info", short: "Show version, build and flags", method: "core.info"},
	{name: "runinfo", short: "Show version, clock and run time", method: "core.runinfo"},
	{name: "stats", short: "Show statistics: all, GROUP: or single ones", method: "stats.get_statistics", args: "s:NAME?...", example: "all"},
	{name: "sockets", short: "Show the addresses it listens on", method: "corex.list_sockets"},
	{name: "aliases", short: "Show the host names that count as its own", method: "corex.list_aliases"},
	{name: "modules", short: "Show the loaded modules", method: "core.modules"},
	{name: "debug", short: "Show or set the debug level", method: "corex.debug", args: "i:LEVEL?", example: "3"},
	{name: "methods", aliases: []string{"rpclist", "rpcmethods"}, short: "Show the methods that it knows", method: "system.listMethods"},
	{name: "help", short: "Tell what a method is for", method: "system.methodHelp", args: "s:METHOD", example: "core.uptime"},
	{name: "defines", short: "Show the names that are defined for its configuration", method: "core.ppdefines"},
	{name: "rundetails", short: "Show version, clock, run time and memory of a Kamailio", method: "core.rundetails"},
	{name: "shm", short: "Show shared memory", method: "core.shmmem", args: "s:UNIT?", example: "m"},
	{name: "tcpoptions", short: "Show the settings of TCP", method: "core.tcp_options"},
	{name: "pkg", short: "Show private memory of the processes", method: "pkg.stats"},
	{name: "tcp", short: "Show figures of TCP", method: "core.tcp_info"},
	{name: "connections", short: "Show the TCP and TLS connections", method: "core.tcp_list"},
	{name: "tm", short: "Show figures of transactions", method: "tm.stats"},
	{name: "pike", short: "Show the sources that module pike watches", method: "pike.top", args: "s:MODE?", example: "ALL"},
	{name: "kill", short: "End it with a signal (default 15)", method: "core.kill", args: "i:SIGNAL?", example: "15"},
}

func (a *App) serverCommand() *cobra.Command {
	var subs []*cobra.Command
	for i := range serverVerbs {
		v := &serverVerbs[i]
		c := v.command(a)
		if v.name == "stats" {
			c.RunE = func(cmd *cobra.Command, words []string) error {
				if len(words) == 0 {
					words = []string{"all"}
				}
				return a.serverStats(cmd.Context(), words)
			}
		}
		subs = append(subs, c)
	}
	reload := &cobra.Command{
		Use: "reload [MODULE...]", Short: "Let it read again what it has read at start: all, or of these modules", Args: want(0, -1),
		Example: "  sipctl server reload\n  sipctl server reload domain dispatcher",
		RunE:    func(cmd *cobra.Command, args []string) error { return a.serverReload(cmd.Context(), args) },
	}
	subs = append(subs, reload, a.trapCommand(), group("var", "Shared variables of scripts ($shv)",
		(&verb{name: "get", short: "Show one variable, or all", method: "pv.shvGet", args: "s:NAME?", example: "x"}).command(a),
		(&verb{name: "set", short: "Set a variable to a text", method: "pv.shvSet", args: "s:NAME s=str s:TEXT", example: "x hello"}).command(a),
		(&verb{name: "seti", short: "Set a variable to a number", method: "pv.shvSet", args: "s:NAME s=int i:NUMBER", example: "x 7"}).command(a)),
		group("setting", "Settings that change while it runs",
			(&verb{name: "list", short: "List the settings, of a group or all", method: "cfg.list", args: "s:GROUP?", example: "core"}).command(a),
			(&verb{name: "get", short: "Show a setting", method: "cfg.get", args: "s:GROUP s:NAME", example: "core debug"}).command(a),
			(&verb{name: "set", short: "Set a number", method: "cfg.set_now_int", args: "s:GROUP s:NAME i:NUMBER", example: "core debug 3"}).command(a),
			(&verb{name: "sets", short: "Set a text", method: "cfg.set_now_string", args: "s:GROUP s:NAME s:TEXT", example: "core log_name x"}).command(a),
			(&verb{name: "help", short: "Tell what a setting is for", method: "cfg.help", args: "s:GROUP s:NAME", example: "core debug"}).command(a)))
	return group("server", serverShort, subs...)
}

// serverStats turns "group:name = value" into rows.
func (a *App) serverStats(ctx context.Context, names []string) error {
	var args []rpc.Value
	for _, n := range names {
		args = append(args, rpc.String(n))
	}
	if a.opt.dryRun {
		return a.askAll(ctx, "stats.get_statistics", args...)
	}
	l, err := a.list(&listFlags{}, []string{"group", "name", "value"})
	if err != nil {
		return err
	}
	var errs []error
	for _, server := range a.servers() {
		vals, err := a.ask(ctx, server, "stats.get_statistics", args...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, st := range statistics(vals) {
			if err := l.row(st.group, st.name, st.value); err != nil {
				return err
			}
		}
	}
	return errors.Join(append(errs, l.close())...)
}

type statistic struct {
	group, name string
	value       any
}

// statistics reads the lines of stats.get_statistics.
func statistics(vals []rpc.Value) []statistic {
	var out []statistic
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case string:
			name, value, _ := strings.Cut(v, "=")
			group, name, _ := strings.Cut(strings.TrimSpace(name), ":")
			st := statistic{group, name, strings.TrimSpace(value)}
			if n, err := freeValue(strings.TrimSpace(value)); err == nil {
				if i, ok := n.(rpc.Int); ok {
					st.value = int64(i)
				}
			}
			out = append(out, st)
		}
	}
	for _, v := range vals {
		walk(plain(v))
	}
	return out
}

// serverReload calls every method whose name ends in .reload and the like, on
// every server. All of them are tried; what failed is told.
func (a *App) serverReload(ctx context.Context, modules []string) error {
	var errs []error
	for _, server := range a.servers() {
		vals, err := a.ask(ctx, server, "system.listMethods")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		methods := reloads(vals, modules)
		for _, m := range modules {
			if !slices.ContainsFunc(methods, func(x string) bool { return strings.HasPrefix(x, m+".") }) {
				errs = append(errs, fmt.Errorf("module %s of %s has nothing to reload; to see the methods: sipctl server methods", m, server))
			}
		}
		for _, m := range methods {
			if !a.opt.dryRun {
				if _, err := a.ask(ctx, server, m); err != nil {
					errs = append(errs, err)
					continue
				}
			}
			if err := a.say("%s on %s", m, server); err != nil {
				return err
			}
		}
	}
	return errors.Join(errs...)
}

// reloadMethods are those that take no parameter.
var reloadMethods = []string{"reload", "addressReload", "trustedReload", "reload_routes", "reg_reload", "reload_blocklist"}

// needName are methods called reload that want to be told of what.
var needName = []string{"htable.reload", "mtree.reload", "db_berkeley.reload"}

func reloads(vals []rpc.Value, modules []string) []string {
	var out []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case string:
			module, method, _ := strings.Cut(v, ".")
			if slices.Contains(reloadMethods, method) && !slices.Contains(needName, v) && (len(modules) == 0 || slices.Contains(modules, module)) {
				out = append(out, v)
			}
		}
	}
	for _, v := range vals {
		walk(plain(v))
	}
	return out
}
