package htable

import (
	"context"
	"strings"

	"sipd/router/run"
	"sipd/rpc"
)

func fault(text string) *rpc.Fault { return &rpc.Fault{Code: 500, Text: text} }

func (h *htable) methods() []*rpc.Method {
	s := func(name string) rpc.Param { return rpc.Param{Name: name, Type: rpc.TString, Convert: true} }
	d := func(name string) rpc.Param { return rpc.Param{Name: name, Type: rpc.TInt} }
	one := []rpc.Param{s("htable")}
	key := []rpc.Param{s("htable"), s("key")}
	m := func(name, help string, params []rpc.Param, bad string, f func(context.Context, *table, *rpc.Call) error) *rpc.Method {
		return &rpc.Method{
			Name: "htable." + name, Help: help, Params: params, BadParams: fault(bad), Changes: name != "get" && name != "dump",
			List: name == "dump", Handler: func(ctx context.Context, c *rpc.Call) error {
				t := h.byName[c.Str(0)]
				if t == nil {
					return fault("No such htable")
				}
				return f(ctx, t, c)
			},
		}
	}
	const noName, noKey, noValue = "No htable name given", "Not enough parameters (htable name & key name", "Not enough parameters (htable name, key name and value)"
	const noAll = "Not enough parameters (htable name, key name, value and expire)"
	text := func(c *rpc.Call, s string) error { c.Add(rpc.Text(s)); return nil }
	return []*rpc.Method{
		m("get", "Shows an item.", key, noKey, get),
		m("delete", "Removes an item.", key, noKey, func(_ context.Context, t *table, c *rpc.Call) error {
			if !t.remove(keyOf(c)) {
				return &rpc.Fault{Code: 404, Text: "Key not found in htable."}
			}
			return text(c, "Ok. Key deleted.")
		}),
		m("sets", "Sets an item to a text.", append(key[:2:2], s("value")), noValue, func(_ context.Context, t *table, c *rpc.Call) error {
			t.set(keyOf(c), run.Str(c.Str(2)))
			return text(c, "Ok. Key set to new value.")
		}),
		m("seti", "Sets an item to a number.", append(key[:2:2], d("value")), noValue, func(_ context.Context, t *table, c *rpc.Call) error {
			t.set(keyOf(c), run.Int(c.Int(2)))
			return text(c, "Ok. Key set to new value.")
		}),
		m("setex", "Lets an item end in some seconds.", append(key[:2:2], d("expire")), "Not enough parameters (htable name, key name and expire)", func(_ context.Context, t *table, c *rpc.Call) error {
			if !t.setExpires(keyOf(c), c.Int(2)) {
				return fault("Failed to set expire for the item")
			}
			return text(c, "Ok")
		}),
		m("setxs", "Sets an item to a text that ends in some seconds.", append(key[:2:2], s("value"), d("expire")), noAll, func(_ context.Context, t *table, c *rpc.Call) error {
			t.put(keyOf(c), run.Str(c.Str(2)), ends(t, c.Int(3)))
			return text(c, "Ok. Key set to new value.")
		}),
		m("setxi", "Sets an item to a number that ends in some seconds.", append(key[:2:2], d("value"), d("expire")), noAll, func(_ context.Context, t *table, c *rpc.Call) error {
			t.put(keyOf(c), run.Int(c.Int(2)), ends(t, c.Int(3)))
			return text(c, "Ok. Key set to new value.")
		}),
		m("dump", "Shows a table by slots.", one, noName, dump),
		m("flush", "Empties a table.", one, noName, func(_ context.Context, t *table, c *rpc.Call) error {
			t.removeAll(nil)
			return text(c, "Ok. Htable flushed.")
		}),
		m("reload", "Reads a table from the database again.", one, noName, func(ctx context.Context, t *table, c *rpc.Call) error {
			if err := h.reload(ctx, t); err != nil {
				return err
			}
			return text(c, "Ok. Htable reloaded.")
		}),
		m("store", "Writes a table to the database.", one, noName, func(ctx context.Context, t *table, c *rpc.Call) error {
			if err := h.canWrite(t); err != nil {
				return err
			}
			if err := h.store(ctx, t); err != nil {
				return fault(err.Error())
			}
			return text(c, "Ok. Htable successfully stored to DB.")
		}),
		{Name: "htable.listTables", Help: "Lists the tables.", List: true, Handler: h.list},
		{Name: "htable.stats", Help: "Counts the items of the tables.", List: true, Handler: h.stats},
	}
}

// keyOf is a key as clients write it: s: keeps a number text.
func keyOf(c *rpc.Call) string { return strings.TrimPrefix(c.Str(1), "s:") }

func get(_ context.Context, t *table, c *rpc.Call) error {
	v, expires, ok := t.item(keyOf(c))
	if !ok {
		return fault("Key name doesn't exist in htable.")
	}
	flags, value := 2, rpc.Value(rpc.String(v.Text()))
	if v.IsInt() {
		flags, value = 0, rpc.Int(v.Int())
	}
	c.Add(rpc.Struct{rpc.M("item", rpc.Struct{
		rpc.M("name", rpc.String(keyOf(c))), rpc.M("value", value), rpc.M("flags", rpc.Int(flags)), rpc.M("expire", rpc.String(stamp(expires))),
	})})
	return nil
}

func dump(_ context.Context, t *table, c *rpc.Call) error {
	list := t.entries(nil)
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].slot == list[0].slot {
			n++
		}
		items := rpc.Array{}
		for _, e := range list[:n] {
			value, typ := rpc.Value(rpc.String(e.value.Text())), "str"
			if e.value.IsInt() {
				value, typ = rpc.Int(e.value.Int()), "int"
			}
			items = append(items, rpc.Struct{rpc.M("name", rpc.String(e.key)), rpc.M("value", value), rpc.M("type", rpc.String(typ))})
		}
		c.Add(rpc.Struct{rpc.M("entry", rpc.Int(list[0].slot)), rpc.M("size", rpc.Int(n)), rpc.M("slot", items)})
		list = list[n:]
	}
	return nil
}

// list shows the newest definition first, as Kamailio.
func (h *htable) list(_ context.Context, c *rpc.Call) error {
	for i := len(h.tables) - 1; i >= 0; i-- {
		t, update := h.tables[i], 0
		if t.updateExpire {
			update = 1
		}
		c.Add(rpc.Struct{
			rpc.M("name", rpc.String(t.name)), rpc.M("dbtable", rpc.String(t.dbTable)), rpc.M("dbmode", rpc.Int(t.dbMode)),
			rpc.M("expire", rpc.Int(t.autoexpire)), rpc.M("updateexpire", rpc.Int(update)), rpc.M("size", rpc.Int(len(t.locks))), rpc.M("dmqreplicate", rpc.Int(0)),
		})
	}
	return nil
}

func (h *htable) stats(_ context.Context, c *rpc.Call) error {
	for i := len(h.tables) - 1; i >= 0; i-- {
		t := h.tables[i]
		fill := make([]int, len(t.locks))
		all := t.entries(nil)
		for _, e := range all {
			fill[e.slot]++
		}
		least, most := len(all), 0
		for _, n := range fill {
			least, most = min(least, n), max(most, n)
		}
		c.Add(rpc.Struct{
			rpc.M("name", rpc.String(t.name)), rpc.M("slots", rpc.Int(len(t.locks))), rpc.M("all", rpc.Int(len(all))),
			rpc.M("min", rpc.Int(least)), rpc.M("max", rpc.Int(most)),
		})
	}
	return nil
}

func (h *htable) reload(ctx context.Context, t *table) error {
	switch {
	case h.conn == nil || h.conn.DB == nil:
		return fault("No htable db_url")
	case t.dbTable == "":
		return fault("No htable dbtable")
	}
	fresh := newTable(t.def)
	if err := h.load(ctx, fresh); err != nil {
		return fault(err.Error())
	}
	have := make(map[string]bool)
	for _, e := range fresh.entries(nil) {
		have[e.key] = true
		t.put(e.key, e.value, e.expires)
	}
	t.removeAll(func(k string, _ run.Value) bool { return !have[k] })
	h.event("htable:reloaded:"+t.name, nil)
	return nil
}
