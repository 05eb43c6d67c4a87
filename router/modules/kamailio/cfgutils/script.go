package cfgutils

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/stat"
)

// newCoreHash compiles core_hash: a slot number from 1, as the elders' tables
// of 2 to the power of size slots have it.
func newCoreHash(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		slots := uint32(2)
		if n := a.Int(c, 2, 0); n > 0 {
			slots = 1 << (n & 31) // as a shift of 32 bits
		}
		return int(int32(pv.CoreHash(a.Str(c, 0), a.Str(c, 1))&(slots-1) + 1))
	}, nil
}

func (u *cfgutils) newRouteExists(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		return code(u.route(a.Str(c, 0)) != nil)
	}, nil
}

// route finds a request route, nil when there is none. "0" is the main one, ""
// is none.
func (u *cfgutils) route(name string) run.Block {
	switch name {
	case "":
		return nil
	case "0":
		name = ""
	}
	return u.host.Env.Block(run.RequestRoute, name)
}

// newRouteIfExists compiles route_if_exists: the code is the route's; exit
// there ends the script here.
func (u *cfgutils) newRouteIfExists(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		b := u.route(a.Str(c, 0))
		if b == nil {
			return -1
		}
		rc := b.Run(c)
		if c.Exited || c.Dropped {
			return 0
		}
		return rc
	}, nil
}

// abort ends the script with a line in the log. The elders' ends the server
// there; ours dies of no script.
func (u *cfgutils) abort(c *run.Context) int {
	u.host.Log.LogAttrs(context.Background(), slog.LevelError, "abort() ends the script, not the daemon",
		slog.String("module", "cfgutils"), slog.String("route", c.RouteName), slog.Int("line", c.Line), slog.String("call_id", c.Msg.CallID()))
	return 0
}

func (u *cfgutils) privateMemory(*run.Context) int {
	u.host.Log.Info("there is no private memory; shm_status tells of the heap", slog.String("module", "cfgutils"))
	return 1
}

func (u *cfgutils) memoryStatus(*run.Context) int {
	m := u.memory.Read()
	u.host.Log.LogAttrs(context.Background(), slog.LevelInfo, "memory", slog.String("module", "cfgutils"),
		slog.Int64("total", m.Total), slog.Int64("used", m.Used), slog.Int64("free", m.Free))
	return 1
}

// summaryLines bounds what one call writes into the log.
const summaryLines = 30

func (u *cfgutils) memorySummary(c *run.Context) int {
	places := stat.Places()
	slices.SortFunc(places, func(a, b stat.Place) int { return cmp.Compare(b.Bytes, a.Bytes) })
	for _, p := range places[:min(len(places), summaryLines)] {
		u.host.Log.LogAttrs(context.Background(), slog.LevelInfo, "memory in use", slog.String("module", "cfgutils"),
			slog.String("by", p.Function), slog.Int64("octets", p.Bytes), slog.Int64("pieces", p.Objects))
	}
	return u.memoryStatus(c)
}
