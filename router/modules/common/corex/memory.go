package corex

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"sipd/router/stat"
	"sipd/rpc"
)

// mostPlaces is how many places a summary logs, the largest first.
const mostPlaces = 30

// memoryMethods are the methods about memory. What the elders share among
// processes is the heap here.
func (x *corex) memoryMethods() []*rpc.Method {
	return []*rpc.Method{
		{
			Name: "corex.pkg_summary", Help: "Writes to the log where the memory in use was allocated.",
			Params: []rpc.Param{
				{Name: "type", Type: rpc.TString, Help: `"pid", "rank" or "idx"; there is one process, so all are the same`},
				{Name: "value", Type: rpc.TInt, Help: "number of the process"},
			},
			BadParams: &rpc.Fault{Code: 400, Text: "Selector and value not provided"}, Example: "idx 0", Handler: x.pkgSummary,
		},
		{Name: "corex.shm_status", Help: "Writes the figures of the memory to the log.", Handler: x.shmStatus},
		{Name: "corex.shm_summary", Help: "Writes to the log where the memory in use was allocated.", Handler: x.shmSummary},
		{
			Name: "shm.info", Help: "Tells what manages the memory, and how much of it there is.", Reply: "struct {name: string, size: double}",
			Handler: func(_ context.Context, c *rpc.Call) error {
				c.Add(rpc.Struct{rpc.M("name", rpc.String("go")), rpc.M("size", rpc.Double(x.memory.Read().Total))})
				return nil
			},
		},
		{
			Name: "shm.stats", Help: "Tells the figures of the memory, octets.",
			Reply: "struct {total, free, used, real_used, max_used, fragments: double}", Handler: x.shmStats,
		},
		{
			Name: "shm.report", Help: "Tells the figures of the memory, and its largest and smallest user as far as samples tell.",
			Reply: "struct {total_size, free_size_s, used_size_s, real_used_s, max_used_s, free_frags, used_frags, total_frags, " +
				"max_used_frag_size: int, max_used_frag_file, max_used_frag_func, max_used_frag_mname: string, max_used_frag_line: int, …}",
			Handler: x.shmReport,
		},
	}
}

func (x *corex) shmStats(_ context.Context, c *rpc.Call) error {
	m := x.memory.Read()
	c.Add(rpc.Struct{
		rpc.M("total", rpc.Double(m.Total)), rpc.M("free", rpc.Double(m.Free)), rpc.M("used", rpc.Double(m.Used)),
		rpc.M("real_used", rpc.Double(m.RealUsed)), rpc.M("max_used", rpc.Double(m.MaxUsed)),
		rpc.M("fragments", rpc.Double(m.Fragments)),
	})
	return nil
}

func (x *corex) shmReport(_ context.Context, c *rpc.Call) error {
	m, places := x.memory.Read(), largest()
	out := rpc.Struct{
		rpc.M("total_size", rpc.Int(m.Total)), rpc.M("free_size_s", rpc.Int(m.Free)), rpc.M("used_size_s", rpc.Int(m.Used)),
		rpc.M("real_used_s", rpc.Int(m.RealUsed)), rpc.M("max_used_s", rpc.Int(m.MaxUsed)),
		rpc.M("free_frags", rpc.Int(m.Fragments)), rpc.M("used_frags", rpc.Int(len(places))),
		rpc.M("total_frags", rpc.Int(m.Fragments+int64(len(places)))),
	}
	if len(places) > 0 {
		out = append(out, fragment("max_used_frag", places[0])...)
		out = append(out, fragment("min_used_frag", places[len(places)-1])...)
	}
	c.Add(out)
	return nil
}

// fragment shows a place in the elders' members.
func fragment(name string, p stat.Place) rpc.Struct {
	return rpc.Struct{
		rpc.M(name+"_size", rpc.Int(p.Bytes)), rpc.M(name+"_file", rpc.String(p.Module)),
		rpc.M(name+"_func", rpc.String(p.Function)), rpc.M(name+"_mname", rpc.String(p.Module)),
		rpc.M(name+"_line", rpc.Int(p.Line)),
	}
}

// largest is where memory was allocated, the largest first.
func largest() []stat.Place {
	places := stat.Places()
	slices.SortFunc(places, func(a, b stat.Place) int { return int(b.Bytes - a.Bytes) })
	return places
}

func (x *corex) pkgSummary(ctx context.Context, c *rpc.Call) error {
	switch c.Str(0) {
	case "pid", "rank", "idx":
		return x.shmSummary(ctx, c)
	}
	return &rpc.Fault{Code: 500, Text: "Unsupported selector type"}
}

func (x *corex) shmSummary(ctx context.Context, _ *rpc.Call) error {
	places := largest()
	for _, p := range places[:min(len(places), mostPlaces)] {
		x.log.LogAttrs(ctx, slog.LevelInfo, "memory in use", slog.String("module", p.Module),
			slog.String("place", fmt.Sprintf("%s(%d)", p.Function, p.Line)), slog.Int64("bytes", p.Bytes), slog.Int64("objects", p.Objects))
	}
	return nil
}

func (x *corex) shmStatus(ctx context.Context, _ *rpc.Call) error {
	m := x.memory.Read()
	x.log.LogAttrs(ctx, slog.LevelInfo, "memory", slog.Int64("total", m.Total), slog.Int64("free", m.Free),
		slog.Int64("used", m.Used), slog.Int64("real_used", m.RealUsed), slog.Int64("max_used", m.MaxUsed))
	return nil
}
