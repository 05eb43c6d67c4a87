package pv

import (
	"strings"

	"sipd/router/run"
)

// newXAVU compiles $xavu(name) and $xavu(name=>field): unlike $xavp each name
// has one value, and assigning replaces it.
func newXAVU(n *Name) (Var, error) {
	if !n.HasInner {
		return Var{}, errf(0, "$xavu wants a name: $xavu(name=>field)")
	}
	if n.HasIndex {
		return Var{}, errf(0, "$xavu has no index: each name has one value")
	}
	first, second, deep := strings.Cut(n.Inner, "=>")
	if strings.Contains(second, "=>") {
		return Var{}, errf(len(first), "$xavu has two levels: $xavu(name=>field)")
	}
	name, err := parseXName(n.Reg, first)
	if err != nil {
		return Var{}, err
	}
	field := new(xname)
	if deep {
		if field, err = parseXName(n.Reg, second); err != nil {
			return Var{}, at(len(first)+2, err)
		}
	}
	if name.has || field.has {
		return Var{}, errf(0, "$xavu has no index: each name has one value")
	}
	x := &xavu{name, field, deep}
	return Var{Get: x.get, Set: x.set}, nil
}

// xavu is a compiled $xavu. It lives in the store of $xavp, under a name that
// no $xavp can have.
type xavu struct {
	name, field *xname
	deep        bool
}

func (x *xavu) key(c *run.Context) string { return XKey("xavu", x.name.text(c)) }

func (x *xavu) get(c *run.Context) run.Value {
	key := x.key(c)
	r := c.XAVPs.Record(key, 0)
	if r == nil {
		return run.Null
	}
	if v := r.Get(x.field.text(c), 0); x.deep || !v.IsNull() {
		return v
	}
	return run.Str("<<xavu:" + x.name.text(c) + ">>")
}

func (x *xavu) set(c *run.Context, v run.Value) bool {
	key := x.key(c)
	r := c.XAVPs.Record(key, 0)
	switch {
	case v.IsNull() && !x.deep:
		c.XAVPs.Drop(key, run.AllValues)
		return true
	case r != nil && !x.deep:
		*r = run.XRecord{{Value: v}}
		return true
	case r != nil:
		field := x.field.text(c)
		r.Delete("", run.AllValues) // a plain value makes room for fields
		r.Delete(field, run.AllValues)
		if !v.IsNull() {
			r.Add(field, v)
		}
		return true
	case v.IsNull():
		return true
	}
	if c.XAVPs == nil {
		c.XAVPs = new(run.XAVPs)
	}
	c.XAVPs.Push(key, run.XRecord{{Name: x.field.text(c), Value: v}})
	return true
}
