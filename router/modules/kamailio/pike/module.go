// Package pike is the module that detects floods: it counts the requests of
// each source address and tells the script of those over a limit.
package pike

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/stat"
	"sipd/rpc"
)

type pike struct {
	unit, density, latency, logLevel int

	log    *slog.Logger
	level  slog.Level
	tree   *tree
	epoch  time.Time
	blocks stat.Counter
}

// New makes the module; it is what the list of modules names.
func New() module.Module { return &pike{unit: 2, density: 30, latency: 120} }

// Exports lists what the module brings.
func (p *pike) Exports() *module.Exports {
	option := []rpc.Param{{Name: "options", Type: rpc.TString, Optional: true}}
	return &module.Exports{
		Name: "pike",
		Help: "detects floods by source address",
		Params: []module.Param{
			{Name: "sampling_time_unit", Help: "seconds in which requests are counted", Value: &p.unit, Min: 1, Max: 3600},
			{Name: "reqs_density_per_unit", Help: "how many of one address are fine in that time", Value: &p.density, Min: 1, Max: 1 << 24},
			{Name: "remove_latency", Help: "seconds an address is remembered behind its last request", Value: &p.latency, Min: 1, Max: 86400},
			{Name: "pike_log_level", Help: "level of the lines that tell of blocking: -1 error, 0 warning, 1 notice", Value: &p.logLevel, Min: -5, Max: 3},
		},
		Functions: []module.Function{
			{Name: "pike_check_req", Help: "count a request of the source address; false when there are too many", In: run.RequestRoute | run.EventRoute, New: p.newCheck},
			{Name: "pike_check_ip", Help: "count a request of an address", Args: []module.Arg{{Name: "ip", Type: module.ArgFormat}}, In: run.RequestRoute | run.EventRoute, New: p.newCheckIP},
		},
		RPC: []*rpc.Method{
			{Name: "pike.top", Help: "Shows addresses: those over the limit (HOT), close to it (WARM), or ALL.", Params: option, Handler: p.top},
			{Name: "pike.list", Help: "The same as pike.top.", Params: option, Handler: p.top},
		},
		Stats: []stat.Def{{Name: "blocked_ips", Help: "how often an address began to be blocked", Source: &p.blocks}},
	}
}

// Init prepares the counters.
func (p *pike) Init(_ context.Context, h *module.Host) error {
	p.log, p.level, p.epoch = h.Log, run.LogLevel(p.logLevel), time.Now()
	if old, ok := h.Old.(*pike); ok && len(module.Changed(old, p)) == 0 {
		p.tree, p.epoch = old.tree, old.epoch
		return nil
	}
	p.tree = &tree{max: p.density, timeout: int64(p.latency)}
	return nil
}

// now is in seconds since the start.
func (p *pike) now() int64 { return int64(time.Since(p.epoch) / time.Second) }

// Serve begins a unit each sampling_time_unit.
func (p *pike) Serve(ctx context.Context) error {
	tick := time.NewTicker(time.Duration(p.unit) * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			p.tree.next(p.now(), func(a netip.Addr) { p.tell("PIKE - UNBLOCKing ip", a) })
		}
	}
}

func (p *pike) tell(msg string, a netip.Addr) {
	p.log.LogAttrs(context.Background(), p.level, msg, slog.String("module", "pike"), slog.Any("src", a))
}

func (p *pike) check(a netip.Addr) int {
	v := p.tree.mark(a.Unmap(), p.now())
	if v == blocks {
		p.blocks.Inc()
		p.tell("PIKE - BLOCKing ip", a)
	}
	return int(v)
}

func (p *pike) newCheck(module.Args) (run.Func, error) {
	return func(c *run.Context) int { return p.check(c.Recv.Src.Addr()) }, nil
}

func (p *pike) newCheckIP(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		addr, ok := sip.ParseHostAddr(a.Str(c, 0))
		if !ok {
			return -1
		}
		return p.check(addr)
	}, nil
}

// top serves pike.top.
func (p *pike) top(_ context.Context, c *rpc.Call) error {
	option := "HOT"
	if c.Has(0) {
		option = c.Str(0)
	}
	if option != "ALL" && option != "HOT" && option != "WARM" {
		return &rpc.Fault{Code: 500, Text: "Bad argument. Select: ALL, HOT or WARM"}
	}
	list, now := rpc.Array{}, p.now()
	p.tree.each(func(a netip.Addr, n *node) {
		status := ""
		switch {
		case p.tree.hot(n):
			status = "HOT"
		case p.tree.warm(n):
			status = "WARM"
		}
		if option == "ALL" || option == status {
			list = append(list, rpc.Struct{
				rpc.M("ip_addr", rpc.String(a.String())), rpc.M("leaf_hits_prev", rpc.Int(n.leafHits[prev])),
				rpc.M("leaf_hits_curr", rpc.Int(n.leafHits[curr])), rpc.M("expires", rpc.Int(n.expires-now)), rpc.M("status", rpc.String(status)),
			})
		}
	})
	c.Add(rpc.Struct{rpc.M("max_hits", rpc.Int(p.density)), rpc.M("list", list), rpc.M("number_of_rows", rpc.Int(len(list)))})
	return nil
}
