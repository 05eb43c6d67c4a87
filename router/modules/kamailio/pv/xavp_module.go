package pv

import (
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
)

// unsigned prints a number without a sign.
func unsigned(n int) string { return strconv.FormatUint(uint64(uint32(int32(n))), 10) }

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

// arg declares an argument in which variables are expanded.
func arg(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgFormat} }

// attributeFunctions work on extended attributes, whose names may be computed.
func (m *pvModule) attributeFunctions() []module.Function {
	list := []module.Function{
		attribute("xavp_slist_explode", "push a record with a field v for each item of a list; mode t trims", func(c *run.Context, a module.Args) bool {
			return xavp.explodeList(c, a.Str(c, 0), a.Str(c, 1), a.Str(c, 2), a.Str(c, 3))
		}, arg("list"), arg("separators"), arg("mode"), arg("name")),
		attribute("xavp_copy", "copy a record below those of another name, or over one of them", func(c *run.Context, a module.Args) bool {
			return xavp.copyTo(c, a.Str(c, 0), a.Int(c, 1, 0), a.Str(c, 2), a.Int(c, 3, 0), a.Has(3))
		}, arg("name"), module.Arg{Name: "index", Type: module.ArgInt}, arg("to"), module.Arg{Name: "to_index", Type: module.ArgInt, Optional: true}),
		attribute("pv_var_to_xavp", `make a record of a script variable, or of all with "*", in place of those of the name`, func(c *run.Context, a module.Args) bool {
			return m.varToXAVP(c, a.Str(c, 0), a.Str(c, 1))
		}, arg("variable"), arg("name")),
		attribute("pv_xavp_to_var", "give the script variables named as the fields of a name their values", func(c *run.Context, a module.Args) bool {
			return m.xavpToVar(c, a.Str(c, 0))
		}, arg("name")),
	}
	for _, f := range []family{xavp, xavu} {
		list = append(list, f.paramFunctions()...)
	}
	for _, f := range []family{xavp, xavi} {
		list = append(list, f.fieldFunctions()...)
	}
	for _, f := range []family{xavp, xavi, xavu} {
		list = append(list, attribute("pv_"+f.class+"_print", "write all $"+f.class+" to the log", func(c *run.Context, _ module.Args) bool {
			f.print(c, m.log)
			return true
		}))
	}
	return list
}

// attribute declares a function that answers 1, or -1 where it fails.
func attribute(name, help string, do func(*run.Context, module.Args) bool, args ...module.Arg) module.Function {
	return module.Function{Name: name, Help: help, Args: args, In: run.AnyRoute, New: func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int { return code(do(c, a)) }, nil
	}}
}

// paramFunctions turn texts of parameters into records and back.
func (f family) paramFunctions() []module.Function {
	return []module.Function{
		attribute(f.class+"_params_explode", `push a record with the fields of "a=1;b=2"`, func(c *run.Context, a module.Args) bool {
			return f.explodeParams(c, a.Str(c, 0), a.Str(c, 1))
		}, arg("params"), arg("name")),
		attribute(f.class+"_params_implode", `write the fields of a record as "a=1;b=2;" to a variable`, func(c *run.Context, a module.Args) bool {
			text := f.implodeParams(c, a.Str(c, 0))
			return text != "" && a[1].Var.Set(c, run.Str(text))
		}, arg("name"), module.Arg{Name: "variable", Type: module.ArgVar}),
	}
}

// fieldFunctions set and remove fields and records.
func (f family) fieldFunctions() []module.Function {
	return []module.Function{
		attribute(f.class+"_child_seti", "give a field of the newest record a number", func(c *run.Context, a module.Args) bool {
			return f.setField(c, a.Str(c, 0), a.Str(c, 1), run.Int(a.Int(c, 2, 0)))
		}, arg("name"), arg("field"), module.Arg{Name: "number", Type: module.ArgInt}),
		attribute(f.class+"_child_sets", "give a field of the newest record a text", func(c *run.Context, a module.Args) bool {
			return f.setField(c, a.Str(c, 0), a.Str(c, 1), run.Str(a.Str(c, 2)))
		}, arg("name"), arg("field"), arg("text")),
		attribute(f.class+"_rm", "remove the newest record of a name; true without one too", func(c *run.Context, a module.Args) bool {
			c.XAVPs.Drop(f.root(a.Str(c, 0)), 0)
			return true
		}, arg("name")),
		attribute(f.class+"_child_rm", "remove the newest value of a field; true without one too", func(c *run.Context, a module.Args) bool {
			f.dropField(c, a.Str(c, 0), a.Str(c, 1))
			return true
		}, arg("name"), arg("field")),
	}
}

// varToXAVP replaces the records of a name with one of script variables: the
// fields are named as they are; empty texts are left out of "*".
func (m *pvModule) varToXAVP(c *run.Context, variable, name string) bool {
	c.XAVPs.Drop(xavp.root(name), run.AllValues)
	if name == "" {
		return false
	}
	if variable != "*" {
		v, ok := m.registry.ScriptVar(variable)
		if !ok {
			return false
		}
		return xavp.setField(c, name, variable, v.Get(c))
	}
	var r run.XRecord
	for _, variable := range m.registry.ScriptVars() {
		v, ok := m.registry.ScriptVar(variable)
		if !ok || strings.HasPrefix(variable, "vn:") { // $vn has a store of its own
			continue
		}
		if x := v.Get(c); x.IsInt() || x.Text() != "" {
			r.Add(variable, x)
		}
	}
	if r != nil {
		xavp.push(c, name, r)
	}
	return true
}

// xavpToVar assigns the fields of all records of a name, the oldest last. A
// variable that the script names nowhere is left out: nothing could read it.
func (m *pvModule) xavpToVar(c *run.Context, name string) bool {
	key := xavp.root(name)
	if c.XAVPs.Count(key) == 0 {
		return false
	}
	for n := range c.XAVPs.Count(key) {
		r := *c.XAVPs.Record(key, n)
		if isPlain(r) {
			return false
		}
		for i := len(r) - 1; i >= 0; i-- {
			if v, ok := m.registry.ScriptVar(r[i].Name); ok {
				v.Set(c, r[i].Value)
			}
		}
	}
	return true
}
