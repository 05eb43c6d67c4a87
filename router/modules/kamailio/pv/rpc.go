package pv

import (
	"context"
	"slices"
	"strings"

	"sipd/router/run"
	"sipd/rpc"
)

// rpcGet answers one shared variable, or all of them sorted by name.
func (m *pvModule) rpcGet(_ context.Context, c *rpc.Call) error {
	type variable struct {
		name  string
		value run.Value
	}
	var all []variable
	m.vars.EachShared(func(name string, v run.Value) {
		if !c.Has(0) || c.Str(0) == name {
			all = append(all, variable{name, v})
		}
	})
	if c.Has(0) && len(all) == 0 {
		return rpc.Faultf(404, "Variable not found")
	}
	slices.SortFunc(all, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	var list rpc.Struct
	for _, v := range all {
		value, kind := rpc.Value(rpc.String(v.value.Text())), "string"
		if v.value.IsInt() {
			value, kind = rpc.Int(v.value.Int()), "int"
		}
		one := rpc.Struct{rpc.M("name", rpc.String(v.name)), rpc.M("type", rpc.String(kind)), rpc.M("value", value)}
		if c.Has(0) {
			c.Add(one)
			return nil
		}
		list = append(list, rpc.M("shv", one))
	}
	c.Add(rpc.Struct{rpc.M("items", list)})
	return nil
}

// rpcSet sets a shared variable; the texts of the faults are Kamailio's.
func (m *pvModule) rpcSet(_ context.Context, c *rpc.Call) error {
	for i, name := range []string{"varname", "type", "value"} {
		if !c.Has(i) {
			return rpc.Faultf(500, "Missing parameter %s (Parameters: varname type value)", name)
		}
	}
	v := run.Str(c.Str(2))
	switch c.Str(1) {
	case "str", "string":
	case "int":
		n, ok := run.ParseInt(c.Str(2))
		if !ok {
			return rpc.Faultf(500, "%q is not a number", c.Str(2))
		}
		v = run.Int(n)
	default:
		return rpc.Faultf(500, "Unknown parameter type (Types: int or str)")
	}
	m.vars.SetShared(c.Str(0), v)
	c.Add(rpc.String("Ok. Variable set to new value."))
	return nil
}
