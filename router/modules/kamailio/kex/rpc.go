package kex

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"sipd/router/corerpc"
	"sipd/router/stat"
	"sipd/rpc"
)

// daemon is what the methods ask of the whole daemon.
type daemon interface {
	Modules() []string
	Workers() []corerpc.Worker
}

func (x *kex) methods() []*rpc.Method {
	which := []rpc.Param{
		{Name: "module", Type: rpc.TString, Optional: true, Help: `a module's name, "core" or "all"`},
		{Name: "kind", Type: rpc.TString, Optional: true, Help: `"shm" (the heap), "pkg" (always empty here) or "all"`},
	}
	const reply = `string: "Module: NAME", then struct {FUNCTION(LINE): int, …, Total: int} for each kind`
	return []*rpc.Method{
		{
			Name: "mod.stats", List: true, Params: which, Reply: reply, Example: "all shm", Handler: x.modStats(plain),
			Help: "Tells where in a module the memory in use was allocated, estimated from samples.",
		},
		{
			Name: "mod.mem_stats", List: true, Params: which, Reply: reply, Example: "usrloc shm", Handler: x.modStats(plain),
			Help: "Tells where in a module the memory in use was allocated, estimated from samples.",
		},
		{
			Name: "mod.mem_statsx", List: true, Params: which, Reply: reply, Example: "usrloc shm", Handler: x.modStats(counted),
			Help: "Tells where in a module the memory in use was allocated, and in how many pieces.",
		},
		{
			Name: "pkg.info", Help: "Tells what manages the memory of the process, and how much of it there is.",
			Reply: "struct {name: string, size: int}",
			Handler: func(_ context.Context, c *rpc.Call) error {
				c.Add(rpc.Struct{rpc.M("name", rpc.String("go")), rpc.M("size", rpc.Int(x.memory.Read().Total))})
				return nil
			},
		},
		{
			Name: "pkg.stats", List: true, Handler: x.pkgStats,
			Help: "Tells the memory of what runs. There is one process, so all of it shows at the first entry.",
			Params: []rpc.Param{
				{Name: "type", Type: rpc.TString, Optional: true, Help: `what the value is: "pid", "rank" or "index"`},
				{Name: "value", Type: rpc.TInt, Optional: true, Help: "the one to show"},
			},
			Reply:   "struct {entry, pid, rank, used, free, real_used, total_size, total_frags: int, desc: string}",
			Example: "index 0",
		},
	}
}

// plain shows a place as its octets, counted also as the number of pieces.
func plain(p stat.Place) rpc.Value { return rpc.Int(p.Bytes) }

func counted(p stat.Place) rpc.Value { return rpc.String(fmt.Sprintf("%d (%d)", p.Bytes, p.Objects)) }

func (x *kex) modStats(show func(stat.Place) rpc.Value) func(context.Context, *rpc.Call) error {
	return func(_ context.Context, c *rpc.Call) error {
		switch {
		case !c.Has(0):
			return &rpc.Fault{Code: 500, Text: `Module name or "all" needed`}
		case !c.Has(1):
			return &rpc.Fault{Code: 500, Text: `"pkg" or "shm" or "all" needed`}
		}
		names := []string{c.Str(0)}
		if c.Str(0) == "all" {
			names = append([]string{"core"}, x.daemon.Modules()...)
		}
		places := stat.Places()
		slices.SortFunc(places, func(a, b stat.Place) int { return int(b.Bytes - a.Bytes) })
		for _, n := range names {
			c.Add(rpc.String("Module: " + n))
			if kind := c.Str(1); kind == "pkg" || kind == "all" {
				c.Add(rpc.Struct{rpc.M("Total", rpc.Int(0))})
			}
			if kind := c.Str(1); kind == "shm" || kind == "all" {
				c.Add(modulePlaces(places, n, show))
			}
			c.Add(rpc.String(""))
		}
		return nil
	}
}

func modulePlaces(places []stat.Place, module string, show func(stat.Place) rpc.Value) rpc.Struct {
	var out rpc.Struct
	var total int64
	for _, p := range places {
		if p.Module == strings.ReplaceAll(module, "_", "") || p.Module == module {
			out = append(out, rpc.M(fmt.Sprintf("%s(%d)", p.Function, p.Line), show(p)))
			total += p.Bytes
		}
	}
	return append(out, rpc.M("Total", rpc.Int(total)))
}

func (x *kex) pkgStats(_ context.Context, c *rpc.Call) error {
	want := func(int, corerpc.Worker) bool { return true }
	if c.Has(0) {
		if !c.Has(1) {
			return &rpc.Fault{Code: 500, Text: "One more parameter expected"}
		}
		v := c.Int(1)
		switch c.Str(0) {
		case "pid":
			if v != os.Getpid() {
				return &rpc.Fault{Code: 500, Text: "No such pid"}
			}
			want = func(i int, _ corerpc.Worker) bool { return i == 0 } // the process, once
		case "rank":
			want = func(_ int, w corerpc.Worker) bool { return w.Rank == v }
		case "index":
			want = func(i int, _ corerpc.Worker) bool { return i == v }
		default:
			return &rpc.Fault{Code: 500, Text: "Invalid filter type"}
		}
	}
	for i, w := range x.daemon.Workers() {
		if !want(i, w) {
			continue
		}
		var m stat.Memory
		if i == 0 {
			m = x.memory.Read()
		}
		c.Add(rpc.Struct{
			rpc.M("entry", rpc.Int(i)), rpc.M("pid", rpc.Int(os.Getpid())), rpc.M("rank", rpc.Int(w.Rank)),
			rpc.M("used", rpc.Int(m.Used)), rpc.M("free", rpc.Int(m.Free)), rpc.M("real_used", rpc.Int(m.RealUsed)),
			rpc.M("total_size", rpc.Int(m.Total)), rpc.M("total_frags", rpc.Int(m.Fragments)),
			rpc.M("desc", rpc.String(w.Name)),
		})
	}
	return nil
}
