package pv

import (
	"strconv"
	"strings"

	"sipd/router/run"
)

// xname is one name[index] of $xavp.
type xname struct {
	name   string
	kind   string // before the name in the store
	lower  bool   // names compare without case
	index  int    // run.AllValues for [*]
	has    bool
	eval   Getter // the index when it is a variable
	nameOf Getter // the name when it is a variable
}

func (x *xname) at(c *run.Context) int {
	if x.eval != nil {
		return x.eval(c).Int()
	}
	return x.index
}

func (x *xname) text(c *run.Context) string {
	if x.nameOf == nil {
		return x.name
	}
	s := x.nameOf(c).Text()
	if x.lower {
		s = strings.ToLower(s)
	}
	return x.kind + s
}

// fold makes names compare without case, and puts a kind before them.
func (x *xname) fold(kind string) {
	x.kind, x.lower, x.name = kind, true, kind+strings.ToLower(x.name)
}

// XKey is the name in the store of a record of $xavp, $xavi or $xavu (class), which
// share it.
func XKey(class, name string) string {
	switch class {
	case "xavi":
		return "i:" + strings.ToLower(name)
	case "xavu":
		return "u:" + name
	}
	return name
}

// XName is the name of a record of class by its name in the store; false where
// it is of another.
func XName(class, key string) (string, bool) {
	switch class {
	case "xavi":
		return strings.CutPrefix(key, "i:")
	case "xavu":
		return strings.CutPrefix(key, "u:")
	}
	return key, !strings.HasPrefix(key, "i:") && !strings.HasPrefix(key, "u:")
}

// newXAVP compiles $xavp(name[i]=>field[j]), and $xavi, whose names compare
// without case.
func newXAVP(n *Name) (Var, error) {
	if !n.HasInner {
		return Var{}, errf(0, "$xavp wants a name: $xavp(name=>field)")
	}
	first, second, deep := strings.Cut(n.Inner, "=>")
	rec, err := parseXName(n.Reg, first)
	if err != nil {
		return Var{}, err
	}
	if n.HasIndex { // $(xavp(x)[1])
		if rec.has {
			return Var{}, errf(0, "$xavp has two indexes")
		}
		rec.has, rec.index, rec.eval = true, n.Index, n.IndexEval
		if n.IndexAll {
			rec.index = run.AllValues
		}
	}
	insensitive := n.Class == "xavi"
	if insensitive {
		rec.fold("i:")
	}
	if !deep {
		return Var{Get: rec.get, Set: rec.set}, nil
	}
	if strings.Contains(second, "=>") {
		return Var{}, errf(len(first), "$xavp has two levels: $xavp(name=>field)")
	}
	field, err := parseXName(n.Reg, second)
	if err != nil {
		return Var{}, at(len(first)+2, err)
	}
	if insensitive {
		field.fold("")
	}
	f := &xfield{rec: rec, field: field}
	return Var{Get: f.get, Set: f.set}, nil
}

func parseXName(r *Registry, s string) (*xname, error) {
	s = strings.TrimSpace(s)
	x := new(xname)
	end := strings.IndexByte(s, '[')
	if strings.HasPrefix(s, "$") {
		v, took, err := r.parseVar(s, Kamailio, 1)
		if err != nil {
			return nil, err
		}
		x.nameOf, end = v.Get, took
		if took == len(s) {
			return x, nil
		}
	}
	if end < 0 {
		end = len(s)
	}
	x.name = strings.TrimSpace(s[:end])
	if x.name == "" {
		return nil, errf(0, "a name is missing in $xavp")
	}
	rest := strings.TrimSpace(s[end:])
	if rest == "" {
		return x, nil
	}
	if rest[0] != '[' || rest[len(rest)-1] != ']' {
		return nil, errf(end, "unexpected text behind the name in $xavp")
	}
	return x, x.parseIndex(r, strings.TrimSpace(rest[1:len(rest)-1]))
}

func (x *xname) parseIndex(r *Registry, s string) error {
	x.has = true
	switch {
	case s == "*":
		x.index = run.AllValues
	case strings.HasPrefix(s, "$"):
		v, took, err := r.parseVar(s, Kamailio, 1)
		if err != nil {
			return err
		}
		if took != len(s) {
			return errf(took, "unexpected text in an index")
		}
		x.eval = v.Get
	default:
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return errf(0, "an index of $xavp is a number from 0, * or a variable")
		}
		x.index = n
	}
	return nil
}

func (x *xname) record(c *run.Context) *run.XRecord {
	i := x.at(c)
	if i == run.AllValues {
		i = 0
	}
	return c.XAVPs.Record(x.text(c), i)
}

// get is a record's plain value, or a mark that there is one with fields.
func (x *xname) get(c *run.Context) run.Value {
	r := x.record(c)
	if r == nil {
		return run.Null
	}
	if len(*r) == 1 && (*r)[0].Name == "" {
		return (*r)[0].Value
	}
	return run.Str("<<xavp:" + x.text(c) + ">>")
}

func (x *xname) set(c *run.Context, v run.Value) bool {
	name := x.text(c)
	if v.IsNull() {
		c.XAVPs.Drop(name, x.at(c))
		return true
	}
	rec := run.XRecord{{Value: v}}
	switch {
	case x.has && x.at(c) == run.AllValues:
		c.XAVPs.Drop(name, run.AllValues)
	case x.has:
		r := x.record(c)
		if r != nil {
			*r = rec
		}
		return r != nil
	}
	x.push(c, rec)
	return true
}

func (x *xname) push(c *run.Context, rec run.XRecord) {
	if c.XAVPs == nil {
		c.XAVPs = new(run.XAVPs)
	}
	c.XAVPs.Push(x.text(c), rec)
}

type xfield struct{ rec, field *xname }

func (f *xfield) get(c *run.Context) run.Value {
	r := f.rec.record(c)
	if r == nil {
		return run.Null
	}
	i := f.field.at(c)
	if i != run.AllValues {
		return r.Get(f.field.text(c), i)
	}
	name, all := f.field.text(c), ""
	for i := len(*r) - 1; i >= 0; i-- {
		if (*r)[i].Name == name {
			if all != "" {
				all += ", "
			}
			all += (*r)[i].Value.Text()
		}
	}
	return str(all, all != "")
}

// set follows the elders: without an index on the record a new record is
// pushed, with one the field is pushed into it, with an index on the field
// that value is changed.
func (f *xfield) set(c *run.Context, v run.Value) bool {
	name := f.field.text(c)
	r := f.rec.record(c)
	switch {
	case v.IsNull():
		if r != nil {
			r.Delete(name, f.field.at(c))
		}
		return true
	case !f.rec.has:
		f.rec.push(c, run.XRecord{{Name: name, Value: v}})
		return true
	case r == nil:
		return false
	case f.field.has && f.field.at(c) == run.AllValues:
		r.Delete(name, run.AllValues)
	case f.field.has:
		return r.Set(name, f.field.at(c), v)
	}
	r.Add(name, v)
	return true
}
