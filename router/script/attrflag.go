package script

import (
	"sipd/router/pv"
	"sipd/router/run"
)

// attrFlag compiles setavpflag($a, "name"), resetavpflag and isavpflagset: the
// first argument is an attribute or a string that names one, the second a flag
// declared by avpflags. It is the flag of the attribute's newest value.
func (x *compiler) attrFlag(e *Call) func(*run.Context) int {
	attr := x.attrArg(e.Args[0])
	mask, ok := x.attrFlagArg(e.Args[1])
	if attr == nil || !ok {
		return nil
	}
	if e.Name == "isavpflagset" {
		return func(c *run.Context) int {
			if class, name, ok := attr.Find(c); ok && c.AVPs.HasFlag(class, name, 0, mask) {
				return 1
			}
			return -1
		}
	}
	on := e.Name == "setavpflag"
	return func(c *run.Context) int {
		if class, name, ok := attr.Find(c); ok {
			c.AVPs.SetFlag(class, name, 0, mask, on)
			return 1
		}
		return -1
	}
}

// attrArg reads an argument that is an attribute.
func (x *compiler) attrArg(e Expr) *pv.Attr {
	if v, ok := e.(*Var); ok {
		p, ok := x.pvar(v)
		if !ok {
			return nil
		}
		if p.Attr != nil {
			return p.Attr
		}
	}
	if s, ok := e.(*StrLit); ok {
		a, err := pv.ParseAttrName(s.Value)
		if err != nil { // "$avp(name)"
			v, n, verr := x.conf.env.PV.ParseVar(s.Value, pv.Kamailio)
			if verr == nil && n == len(s.Value) && v.Attr != nil {
				return v.Attr
			}
			x.pvError(s.Pos, 1, err)
			return nil
		}
		if !a.List {
			return a
		}
	}
	x.errs.add(e.Position(), "an attribute was expected").hint("as $avp(name), $f.name, or its name in quotes")
	return nil
}

func (x *compiler) attrFlagArg(e Expr) (mask uint32, ok bool) {
	name, ok := constText(e)
	if n, isName := e.(*Name); isName {
		name, ok = n.Text, true
	}
	if !ok {
		x.errs.add(e.Position(), "the name of an attribute flag was expected")
		return 0, false
	}
	bit, ok := x.conf.AVPFlags[name]
	if !ok {
		var names []string
		for n := range x.conf.AVPFlags {
			names = append(names, n)
		}
		err := x.errs.add(e.Position(), "there is no attribute flag %q", name)
		if s := similar(name, names); s != "" {
			err.hint("did you mean %q?", s)
		} else {
			err.hint("declare it at the top of the file: avpflags %s;", name)
		}
	}
	return 1 << bit, ok
}
