package pv

import (
	"log/slog"
	"slices"
	"strings"

	"sipd/router/pv"
	"sipd/router/run"
)

// family is one kind of extended attributes: $xavp, $xavi or $xavu. They share a
// store, in which pv.XKey names their records.
type family struct{ class string }

var (
	xavp = family{"xavp"}
	xavi = family{"xavi"}
	xavu = family{"xavu"}
)

// root is a record's name in the store.
func (f family) root(name string) string { return pv.XKey(f.class, name) }

// field is a field's name in a record.
func (f family) field(name string) string {
	if f == xavi {
		return strings.ToLower(name)
	}
	return name
}

// top is the newest record of a name; nil when there is none.
func (f family) top(c *run.Context, name string) *run.XRecord {
	return c.XAVPs.Record(f.root(name), 0)
}

func (f family) push(c *run.Context, name string, r run.XRecord) {
	if c.XAVPs == nil {
		c.XAVPs = new(run.XAVPs)
	}
	if f == xavu { // one value a name
		c.XAVPs.Drop(f.root(name), run.AllValues)
	}
	c.XAVPs.Push(f.root(name), r)
}

// isPlain says that a record is a value, not fields.
func isPlain(r run.XRecord) bool { return len(r) == 1 && r[0].Name == "" }

// setField gives a field of the newest record a value, in place of the newest
// one it has. A record that is a plain value makes room for one with the field.
func (f family) setField(c *run.Context, name, field string, v run.Value) bool {
	if name == "" || field == "" {
		return false
	}
	field = f.field(field)
	r := f.top(c, name)
	if r != nil && isPlain(*r) {
		c.XAVPs.Drop(f.root(name), 0)
		r = nil
	}
	if r == nil {
		f.push(c, name, run.XRecord{{Name: field, Value: v.Keep()}})
		return true
	}
	r.Delete(field, 0)
	r.Add(field, v.Keep())
	return true
}

// dropField removes the newest value of a field of the newest record.
func (f family) dropField(c *run.Context, name, field string) {
	if r := f.top(c, name); r != nil && field != "" {
		r.Delete(f.field(field), 0)
	}
}

// explodeParams pushes a record with the parameters of "a=1;b=2", the first one
// newest; false when there are none.
func (f family) explodeParams(c *run.Context, text, name string) bool {
	text = strings.TrimSuffix(text, ";")
	if text == "" || name == "" {
		return false
	}
	var r run.XRecord
	pv.EachParam(text, ';', func(param, value string) bool {
		r = append(r, run.XField{Name: f.field(strings.Clone(param)), Value: run.Str(value).Keep()})
		return true
	})
	if len(r) == 0 {
		return false
	}
	slices.Reverse(r)
	f.push(c, name, r)
	return true
}

// implodeParams writes the newest record as "a=1;b=2;", the newest field first;
// "" where there are no fields.
func (f family) implodeParams(c *run.Context, name string) string {
	r := f.top(c, name)
	if r == nil || isPlain(*r) {
		return ""
	}
	var b strings.Builder
	for i := len(*r) - 1; i >= 0; i-- {
		v := (*r)[i].Value
		b.WriteString((*r)[i].Name)
		if v.IsInt() || v.Text() != "" {
			b.WriteByte('=')
			if v.IsInt() { // without a sign, as in Kamailio
				v = run.Str(unsigned(v.Int()))
			}
			b.WriteString(v.Text())
		}
		b.WriteByte(';')
	}
	return b.String()
}

// explodeList pushes a record with a field v for each item of a list, the first
// item newest; any octet of separators ends an item, empty ones are left out.
func (f family) explodeList(c *run.Context, list, separators, mode, name string) bool {
	if list == "" || separators == "" || name == "" {
		return false
	}
	r := run.XRecord{}
	for list != "" {
		i := strings.LastIndexAny(list, separators)
		item := list[i+1:]
		if strings.HasPrefix(mode, "t") {
			item = strings.Trim(item, " \t\r\n")
		}
		if item != "" {
			r.Add("v", run.Str(item).Keep())
		}
		list = list[:max(i, 0)]
	}
	f.push(c, name, r)
	return true
}

// copyTo copies record i of a name to another name: below those it has, or over
// record at when at is not negative. Its fields keep their order.
func (f family) copyTo(c *run.Context, from string, i int, to string, at int, replace bool) bool {
	src := c.XAVPs.Record(f.root(from), i)
	if src == nil || len(*src) == 0 || to == "" {
		return false
	}
	r := append(run.XRecord(nil), *src...)
	if !replace {
		c.XAVPs.PushBelow(f.root(to), r)
		return true
	}
	dst := c.XAVPs.Record(f.root(to), at)
	if dst == nil {
		return false
	}
	*dst = r
	return true
}

// print writes all attributes of the family to the log, a line each.
func (f family) print(c *run.Context, log *slog.Logger) {
	for _, key := range c.XAVPs.Names() {
		name, ok := pv.XName(f.class, key)
		if !ok {
			continue
		}
		for n := range c.XAVPs.Count(key) {
			r := *c.XAVPs.Record(key, n)
			if isPlain(r) {
				log.Info("$"+f.class, "name", name, "index", n, "value", r[0].Value.Format())
				continue
			}
			for i := len(r) - 1; i >= 0; i-- {
				log.Info("$"+f.class, "name", name, "index", n, "field", r[i].Name, "value", r[i].Value.Format())
			}
		}
	}
}
