package pv

import (
	"strconv"
	"strings"

	"sipd/router/run"
)

// attrClasses are the prefixes of SER attributes (script.md §15): where writes
// go and where reads look.
var attrClasses = map[string]struct {
	class    run.AVPClass
	search   []run.AVPClass
	readOnly bool
}{
	"":   {run.AVPFromURI, searchFrom, false},
	"f":  {run.AVPFromURI, searchFrom, false},
	"t":  {run.AVPToURI, searchTo, false},
	"fr": {run.AVPFromURI, []run.AVPClass{run.AVPFromURI}, false},
	"fu": {run.AVPFromUser, []run.AVPClass{run.AVPFromUser}, false},
	"fd": {run.AVPFromDomain, []run.AVPClass{run.AVPFromDomain}, true},
	"tr": {run.AVPToURI, []run.AVPClass{run.AVPToURI}, false},
	"tu": {run.AVPToUser, []run.AVPClass{run.AVPToUser}, false},
	"td": {run.AVPToDomain, []run.AVPClass{run.AVPToDomain}, true},
	"g":  {run.AVPGlobal, []run.AVPClass{run.AVPGlobal}, true},
}

var (
	searchFrom = []run.AVPClass{run.AVPFromURI, run.AVPFromUser, run.AVPFromDomain, run.AVPGlobal}
	searchTo   = []run.AVPClass{run.AVPToURI, run.AVPToUser, run.AVPToDomain, run.AVPGlobal}
)

// ParseAVP reads a SER attribute at the start of s: "$x", "$f.x",
// "$fu.uid[1]", "$x[]". Without an index the newest value is read; the C code
// reads an attribute of several values as undefined, which breaks its own
// shipped configuration.
func (r *Registry) ParseAVP(s string) (Var, int, error) {
	if len(s) < 2 || s[0] != '$' || !isNameStart(s[1]) {
		return Var{}, 0, errf(0, "an attribute is $ and a name, as in $f.uid")
	}
	end := scanName(s, 1)
	prefix, name, dotted := strings.Cut(s[1:end], ".")
	if !dotted {
		prefix, name = "", prefix
	}
	cls, ok := attrClasses[prefix]
	if !ok {
		return Var{}, 0, errf(1, "unknown attribute list %q", prefix).
			hint("the lists are f, t, fr, fu, fd, tr, tu, td and g")
	}
	if i := strings.IndexByte(name, '.'); i >= 0 { // "$f.x.example.com": the name ends at the dot
		end -= len(name) - i
		name = name[:i]
	}
	idx := attrIndex{}
	n := end
	if n < len(s) && s[n] == '[' {
		var err error
		if idx, n, err = parseAttrIndex(s, n); err != nil {
			return Var{}, 0, err
		}
	}
	a := &Attr{Class: cls.class, Search: cls.search, Name: run.AVPName{S: name}}
	v := Var{Name: s[:n], Attr: a, Get: a.serGetter(idx)}
	if !cls.readOnly {
		v.Set = a.serSetter(idx)
	}
	return v, n, nil
}

// ParseAttrName reads what string parameters of SER modules name attributes
// by: "$tu.uid", "tu.uid", and "$fd" for a whole list.
func ParseAttrName(s string) (*Attr, error) {
	name := strings.TrimPrefix(s, "$")
	prefix, rest, dotted := strings.Cut(name, ".")
	if cls, ok := attrClasses[prefix]; ok && prefix != "" && !dotted {
		return &Attr{Class: cls.class, Search: cls.search, List: true}, nil
	}
	if !dotted {
		prefix, rest = "", name
	}
	cls, ok := attrClasses[prefix]
	if !ok {
		return nil, errf(0, "unknown attribute list %q", prefix).hint("the lists are f, t, fr, fu, fd, tr, tu, td and g")
	}
	if rest == "" || scanName("$"+rest, 1) != len(rest)+1 {
		return nil, errf(0, "%q does not name an attribute", s)
	}
	return &Attr{Class: cls.class, Search: cls.search, Name: run.AVPName{S: rest}}, nil
}

type attrIndex struct {
	has, all bool
	n        int // 1 is the oldest, -1 the newest
}

func parseAttrIndex(s string, i int) (attrIndex, int, error) {
	end := strings.IndexByte(s[i:], ']')
	if end < 0 {
		return attrIndex{}, 0, errf(i, "the index is not closed").hint("a ] is missing")
	}
	text := strings.TrimSpace(s[i+1 : i+end])
	n := i + end + 1
	if text == "" || text == "*" {
		return attrIndex{has: true, all: true}, n, nil
	}
	x, err := strconv.Atoi(text)
	if err != nil || x == 0 {
		return attrIndex{}, 0, errf(i+1, "an attribute's index is a number from 1 (oldest) or -1 (newest)")
	}
	return attrIndex{has: true, n: x}, n, nil
}

// stack turns an index counted from the oldest, 1, into one that AVPs.Get
// takes.
func (x attrIndex) stack() int {
	switch {
	case !x.has:
		return 0
	case x.n > 0:
		return -x.n
	}
	return -x.n - 1
}

func (a *Attr) serGetter(x attrIndex) Getter {
	name, search := a.Name, a.Search
	if x.all {
		return func(c *run.Context) run.Value {
			cls, ok := c.AVPs.Find(search, name)
			if !ok {
				return run.Null
			}
			return joinAVP(c.AVPs, cls, name, ", ")
		}
	}
	n := x.stack()
	return func(c *run.Context) run.Value {
		for _, cls := range search {
			if c.AVPs.Count(cls, name) > 0 {
				return c.AVPs.Get(cls, name, n)
			}
		}
		return run.Null
	}
}

func (a *Attr) serSetter(x attrIndex) Setter {
	name, cls := a.Name, a.Class
	n := x.stack()
	return func(c *run.Context, v run.Value) bool {
		switch {
		case v.IsNull() && x.has && !x.all:
			c.AVPs.DeleteAt(cls, name, n)
		case v.IsNull():
			c.AVPs.Delete(cls, name)
		case x.has && !x.all:
			return c.AVPs.Set(cls, name, n, v)
		default:
			c.AVPs.Delete(cls, name)
			c.AVPs.Add(cls, name, v, 0)
		}
		return true
	}
}

// joinAVP is all values of a name, newest first.
func joinAVP(a *run.AVPs, cls run.AVPClass, name run.AVPName, sep string) run.Value {
	if a.Count(cls, name) == 1 {
		return run.Str(a.Get(cls, name, 0).Text())
	}
	var b strings.Builder
	first := true
	a.Each(cls, func(n run.AVPName, v run.Value, _ uint32) bool {
		if n == name {
			if !first {
				b.WriteString(sep)
			}
			first = false
			b.WriteString(v.Text())
		}
		return true
	})
	if first {
		return run.Null
	}
	return run.Str(b.String())
}

// newAVP compiles $avp(name).
func newAVP(n *Name) (Var, error) {
	if !n.HasInner {
		return Var{}, errf(0, "$avp wants a name: $avp(name)")
	}
	a := &Attr{Class: run.AVPFromURI, Search: attrClasses["fr"].search}
	if n.InnerEval != nil {
		a.Eval = n.InnerEval
	} else {
		list, inner, dotted := strings.Cut(n.Inner, ".")
		cls, known := attrClasses[list]
		if dotted = dotted && known && list != "" && inner != ""; dotted { // $avp(tu.uid)
			a.Class, a.Search = cls.class, cls.search
		} else {
			inner = n.Inner
		}
		name, err := avpName(inner)
		if err != nil {
			return Var{}, err
		}
		a.Name = name
		if dotted && cls.readOnly {
			return Var{Attr: a, Get: a.kamGetter(n)}, nil
		}
	}
	return Var{Attr: a, Get: a.kamGetter(n), Set: a.kamSetter(n)}, nil
}

// avpName reads name, s:name or i:80.
func avpName(s string) (run.AVPName, error) {
	if t, ok := strings.CutPrefix(s, "i:"); ok {
		n, err := strconv.Atoi(t)
		if err != nil {
			return run.AVPName{}, errf(2, "%q is not a number", t).hint("i: names an attribute by number, s: by text")
		}
		return run.AVPName{N: n, Num: true}, nil
	}
	s = strings.TrimPrefix(s, "s:")
	if s == "" {
		return run.AVPName{}, errf(0, "the attribute's name is empty")
	}
	return run.AVPName{S: s}, nil
}

// name is the attribute's name in this run; false when it is undefined.
func (a *Attr) name(c *run.Context) (run.AVPName, bool) {
	if a.Eval == nil {
		return a.Name, true
	}
	switch v := a.Eval(c); {
	case v.IsInt():
		return run.AVPName{N: v.Int(), Num: true}, true
	case v.IsStr() && v.Text() != "":
		return run.AVPName{S: strings.TrimPrefix(v.Text(), "s:")}, true
	}
	return run.AVPName{}, false
}

// Find is where a message has the attribute: the first list with the name; ok is
// false when none has it.
func (a *Attr) Find(c *run.Context) (class run.AVPClass, name run.AVPName, ok bool) {
	name, ok = a.name(c)
	if !ok {
		return 0, name, false
	}
	class, ok = c.AVPs.Find(a.Search, name)
	return class, name, ok
}

func (a *Attr) kamGetter(x *Name) Getter {
	class := a.Class
	if a.Eval == nil && !x.HasIndex { // the common case
		name := a.Name
		return func(c *run.Context) run.Value { return c.AVPs.Get(class, name, 0) }
	}
	return func(c *run.Context) run.Value {
		name, ok := a.name(c)
		if !ok {
			return run.Null
		}
		if x.IndexAll {
			return joinAVP(c.AVPs, class, name, ", ")
		}
		n := x.At(c)
		if n < 0 {
			return run.Null
		}
		return c.AVPs.Get(class, name, n)
	}
}

func (a *Attr) kamSetter(x *Name) Setter {
	class := a.Class
	return func(c *run.Context, v run.Value) bool {
		name, ok := a.name(c)
		if !ok {
			return false
		}
		avps := c.AVPs
		// As Kamailio 5.6: an index other than * does not choose a value; a
		// value is pushed, null removes the newest.
		if x.IndexAll {
			avps.Delete(class, name)
		} else if v.IsNull() {
			avps.DeleteAt(class, name, 0)
		}
		if !v.IsNull() {
			avps.Add(class, name, v, 0)
		}
		return true
	}
}

// At is the index in this run, 0 when none was written.
func (n *Name) At(c *run.Context) int {
	if n.IndexEval != nil {
		return n.IndexEval(c).Int()
	}
	return n.Index
}
