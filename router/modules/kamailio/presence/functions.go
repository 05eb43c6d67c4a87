package presence

import (
	"context"
	"errors"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/stat"
)

// counters are the module's figures.
type counters struct{ publishes, subscribes, notifies, failed stat.Counter }

// figure is a counter that goes on over reloads.
type figure struct {
	m    *mod
	pick func(*counters) *stat.Counter
}

// Value is the count.
func (f figure) Value() int64 { return f.pick(f.m.count).Value() }

// Reset starts again from zero.
func (f figure) Reset() { f.pick(f.m.count).Reset() }

func (m *mod) stats() []stat.Def {
	def := func(name, help string, pick func(*counters) *stat.Counter) stat.Def {
		return stat.Def{Name: name, Help: help, Source: figure{m, pick}}
	}
	return []stat.Def{
		def("publishes", "PUBLISH requests handled", func(c *counters) *stat.Counter { return &c.publishes }),
		def("subscribes", "SUBSCRIBE requests handled", func(c *counters) *stat.Counter { return &c.subscribes }),
		def("notifies", "NOTIFY requests sent", func(c *counters) *stat.Counter { return &c.notifies }),
		def("failed_notifies", "NOTIFY requests that could not be sent", func(c *counters) *stat.Counter { return &c.failed }),
	}
}

func (m *mod) functions() []module.Function {
	uri := func(name string, optional bool) module.Arg {
		return module.Arg{Name: name, Type: module.ArgFormat, Optional: optional}
	}
	presentity, event := uri("presentity", false), uri("event", false)
	return []module.Function{
		{
			Name: "handle_publish", Help: "keep a published state, answer the PUBLISH, and tell the watchers",
			Args: []module.Arg{uri("sender", true)}, In: run.RequestRoute,
			New: m.served(func(c *run.Context, a module.Args) int { return m.publish(c, a.Str(c, 0)) }),
		},
		{
			Name: "handle_subscribe", Help: "keep a subscription, answer the SUBSCRIBE, and send a NOTIFY",
			Args: []module.Arg{uri("watcher", true)}, In: run.RequestRoute,
			New: m.served(func(c *run.Context, a module.Args) int { return m.subscribe(c, a.Str(c, 0)) }),
		},
		{
			Name: "pres_auth_status", Help: "1 when a watcher is allowed, 2 pending, 3 blocked, 5 politely blocked, by the rules",
			Args: []module.Arg{uri("watcher", false), presentity}, In: run.RequestRoute,
			New: m.served(func(c *run.Context, a module.Args) int {
				st, err := m.authStatus(context.Background(), a.Str(c, 0), a.Str(c, 1))
				return m.result(c, int(st), err)
			}),
		},
		{
			Name: "pres_refresh_watchers", Help: "type 0: look at the rules again; 1: send the state again; 2: read a document that stands for the state first",
			Args: []module.Arg{presentity, event, {Name: "type", Type: module.ArgInt}, uri("file_uri", true), uri("file_name", true)},
			In:   run.AnyRoute, New: m.newRefresh,
		},
		{
			Name: "pres_update_watchers", Help: "look at the rules of a presentity again, and tell the watchers for whom they changed",
			Args: []module.Arg{presentity, event}, In: run.AnyRoute,
			New: m.served(func(c *run.Context, a module.Args) int {
				return m.result(c, 1, m.updateWatchers(context.Background(), a.Str(c, 0), a.Str(c, 1)))
			}),
		},
		{
			Name: "pres_has_subscribers", Help: "true when somebody watches a presentity",
			Args: []module.Arg{presentity, event}, In: run.AnyRoute,
			New: m.served(func(c *run.Context, a module.Args) int {
				if m.events.Find(a.Str(c, 1)) == nil {
					return -1
				}
				list, err := m.s.subs.watching(context.Background(), a.Str(c, 0), a.Str(c, 1))
				if err == nil && len(list) == 0 {
					return -1
				}
				return m.result(c, 1, err)
			}),
		},
	}
}

var errLibrary = errors.New(`the module has no database; set modparam("presence", "db_url", "…")`)

// served compiles a call that needs what is kept.
func (m *mod) served(f func(*run.Context, module.Args) int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		if m.library {
			return nil, &module.SharedError{Err: errLibrary}
		}
		return func(c *run.Context) int { return f(c, a) }, nil
	}
}

func (m *mod) newRefresh(a module.Args) (run.Func, error) {
	if a[2].IsConst {
		kind := a[2].Const.Int()
		if files := len(a) == 5; files != (kind == 2) || len(a) == 4 {
			return nil, &module.ArgError{I: 2, Err: errors.New("file_uri and file_name go with type 2, and with no other")}
		}
	}
	return m.served(func(c *run.Context, a module.Args) int {
		kind := a.Int(c, 2, 0)
		if (len(a) == 5) != (kind == 2) {
			return -1
		}
		return m.result(c, 1, m.refreshWatchers(context.Background(), a.Str(c, 0), a.Str(c, 1), kind, a.Str(c, 3), a.Str(c, 4)))
	})(a)
}

// result is a code, or -1 with a line in the log.
func (m *mod) result(c *run.Context, code int, err error) int {
	if err != nil {
		m.failed.Log(c, err)
		return -1
	}
	return code
}
