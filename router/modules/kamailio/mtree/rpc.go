package mtree

import (
	"context"
	"log/slog"
	"strings"

	"sipd/router/run"
	"sipd/rpc"
)

// cellSize is the octets that Kamailio counts for a cell of a node.
const cellSize = 24

func fault(code int, text string) *rpc.Fault { return &rpc.Fault{Code: code, Text: text} }

func (m *mtree) methods() []*rpc.Method {
	name := rpc.Param{Name: "tname", Type: rpc.TString, Optional: true, Convert: true, Help: "the tree, or the beginning of names"}
	one, text := name, rpc.Param{Name: "tomatch", Type: rpc.TString, Convert: true, Help: "what to look up"}
	one.Optional = false
	return []*rpc.Method{
		{Name: "mtree.summary", Help: "Shows figures of the trees.", Params: []rpc.Param{name}, List: true, Reply: "list of struct {table: text, item: struct {ttype: int, memsize: int, nrnodes: int, nritems: int, reload_count: int, reload_time: int}}", Handler: m.summary},
		{Name: "mtree.list", Help: "Shows the prefixes of one tree, or of all.", Params: []rpc.Param{name}, List: true, Reply: "list of struct {tname: text, tprefix: text, tvalue: list of text or int}", Handler: m.list},
		{Name: "mtree.reload", Help: "Reads one tree, or all, again.", Params: []rpc.Param{name}, Changes: true, Reply: "text", Handler: m.reload},
		{Name: "mtree.match", Help: "Looks a text's prefixes up.", Params: []rpc.Param{one, text, {Name: "mode", Type: rpc.TInt, Help: "0 the longest, 2 all"}}, BadParams: fault(500, "Invalid Parameters"), Example: "routes 4930123 0", Reply: "text, struct {PREFIX: text, TVALUE: text or int}", Handler: m.rpcMatch},
	}
}

// begin is what the names of the trees meant begin with: the first parameter;
// "" for all without one.
func begin(c *rpc.Call) string {
	if c.Has(0) && c.Str(0) != "." {
		return c.Str(0)
	}
	return ""
}

func (m *mtree) named(c *rpc.Call) []*tree {
	begin := begin(c)
	var out []*tree
	for _, t := range m.all() {
		if strings.HasPrefix(t.name, begin) {
			out = append(out, t)
		}
	}
	return out
}

func value(v run.Value) rpc.Value {
	if v.IsInt() {
		return rpc.Int(v.Int())
	}
	return rpc.String(v.Text())
}

func (m *mtree) summary(_ context.Context, c *rpc.Call) error {
	if len(m.all()) == 0 {
		return fault(500, "Empty tree list")
	}
	list := m.named(c)
	if len(list) == 0 {
		return fault(404, "Tree not found")
	}
	for _, t := range list {
		c.Add(rpc.Struct{rpc.M("table", rpc.String(t.name)), rpc.M("item", rpc.Struct{
			rpc.M("ttype", rpc.Int(t.kind)), rpc.M("memsize", rpc.Int(t.nodes*len(m.chars)*cellSize+t.octets)),
			rpc.M("nrnodes", rpc.Int(t.nodes)), rpc.M("nritems", rpc.Int(t.items)),
			rpc.M("reload_count", rpc.Int(t.reloads)), rpc.M("reload_time", rpc.Int(t.loaded)),
		})})
	}
	return nil
}

func (m *mtree) list(_ context.Context, c *rpc.Call) error {
	if len(m.all()) == 0 {
		return fault(500, "Empty tree list.")
	}
	for _, t := range m.named(c) {
		t.head.each(m.chars, "", func(prefix string, x *cell) {
			values := rpc.Array{}
			for _, v := range x.values {
				values = append(values, value(v))
			}
			c.Add(rpc.Struct{rpc.M("tname", rpc.String(t.name)), rpc.M("tprefix", rpc.String(prefix)), rpc.M("tvalue", values)})
		})
	}
	return nil
}

func (m *mtree) reload(ctx context.Context, c *rpc.Call) error {
	failed, done := "Mtree Reload Failed", "Ok. Mtree reloaded."
	if len(m.specs) == 0 {
		failed, done = "Can not reload Mtrees from database.", "Ok. Mtrees reloaded."
	} else if len(m.named(c)) == 0 {
		return fault(500, "Can not find specified Mtree")
	}
	if err := m.loadAll(ctx, begin(c)); err != nil {
		m.host.Log.LogAttrs(ctx, slog.LevelError, "trees not loaded, the old ones stay in use", slog.String("module", "mtree"), slog.Any("err", err))
		return fault(500, failed)
	}
	c.Add(rpc.Text(done))
	return nil
}

func (m *mtree) rpcMatch(_ context.Context, c *rpc.Call) error {
	if len(m.all()) == 0 {
		return fault(500, "Empty tree list.")
	}
	text, mode := c.Str(1), c.Int(2)
	if mode != 0 && mode != 2 {
		return fault(500, "Invalid parameter 'mode'")
	}
	t := m.tree(c.Str(0))
	if t == nil {
		return fault(404, "Tree not found")
	}
	var found []rpc.Value
	one := func(n int, name string, v rpc.Value) {
		found = append(found, rpc.Struct{rpc.M("PREFIX", rpc.String(text[:n])), rpc.M(name, v)})
	}
	v, depth := t.longest(m.chars, text)
	switch {
	case t.kind == weightTree:
		list, _ := t.weighted(m.chars, text)
		t.walk(m.chars, text, func(n int, x *cell) {
			if len(x.values) > 0 {
				depth = n
			}
		})
		for _, d := range list {
			found = append(found, rpc.Struct{rpc.M("PREFIX", rpc.String(text[:depth])), rpc.M("WEIGHT", rpc.Int(d.weight)), rpc.M("DSTID", rpc.Int(d.id))})
		}
	case mode == 2:
		t.walk(m.chars, text, func(n int, x *cell) {
			for _, v := range x.values {
				one(n, "TVALUE", value(v))
			}
		})
	case !v.IsNull():
		one(depth, "TVALUE", value(v))
	}
	if len(found) == 0 {
		return fault(404, "Prefix not found")
	}
	c.Add(rpc.String(t.name))
	for _, v := range found {
		c.Add(v)
	}
	return nil
}
