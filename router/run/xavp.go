package run

import "slices"

// XAVPs are extended attributes ($xavp): by name a stack of records, each a
// list of fields.
type XAVPs struct {
	records map[string][]XRecord // top of the stack last
}

// XRecord is one record: fields in order of assignment; a field name may
// repeat. A record that is a plain value has one field without a name.
type XRecord []XField

// XField is a field of a record.
type XField struct {
	Name  string
	Value Value
}

// Reset forgets all records.
func (x *XAVPs) Reset() { clear(x.records) }

// Push puts a record on top of the stack of name.
func (x *XAVPs) Push(name string, r XRecord) {
	if x.records == nil {
		x.records = make(map[string][]XRecord)
	}
	x.records[name] = append(x.records[name], r)
}

// PushBelow puts a record under the stack of name.
func (x *XAVPs) PushBelow(name string, r XRecord) {
	x.Push(name, r)
	l := x.records[name]
	copy(l[1:], l)
	l[0] = r
}

// Names lists the names that have records, sorted.
func (x *XAVPs) Names() []string {
	if x == nil {
		return nil
	}
	var names []string
	for name, l := range x.records {
		if len(l) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Count is the number of records of a name.
func (x *XAVPs) Count(name string) int {
	if x == nil {
		return 0
	}
	return len(x.records[name])
}

// Record is the n-th record of a name from the top (0); nil when there is none.
func (x *XAVPs) Record(name string, n int) *XRecord {
	if x == nil {
		return nil
	}
	l := x.records[name]
	if n < 0 || n >= len(l) {
		return nil
	}
	return &l[len(l)-1-n]
}

// Drop removes the n-th record from the top; all when n is AllValues. It says
// whether there was one.
func (x *XAVPs) Drop(name string, n int) bool {
	if x == nil {
		return false
	}
	l := x.records[name]
	switch {
	case n == AllValues:
		delete(x.records, name)
		return len(l) > 0
	case n < 0 || n >= len(l):
		return false
	}
	i := len(l) - 1 - n
	if l = slices.Delete(l, i, i+1); len(l) == 0 {
		delete(x.records, name)
	} else {
		x.records[name] = l
	}
	return true
}

// field is the place of the n-th field of a name, newest first; -1 when there
// is none.
func (r XRecord) field(name string, n int) int {
	for i := len(r) - 1; i >= 0; i-- {
		if r[i].Name == name {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

// Get is the n-th value of a field, newest first; Null when there is none.
func (r XRecord) Get(name string, n int) Value {
	if i := r.field(name, n); i >= 0 {
		return r[i].Value
	}
	return Null
}

// Set changes the n-th value of a field; false when there is none.
func (r XRecord) Set(name string, n int, v Value) bool {
	i := r.field(name, n)
	if i >= 0 {
		r[i].Value = v
	}
	return i >= 0
}

// Add pushes a value of a field in front of the others.
func (r *XRecord) Add(name string, v Value) { *r = append(*r, XField{name, v}) }

// Delete removes the n-th value of a field, all when n is AllValues; it says
// whether there was one.
func (r *XRecord) Delete(name string, n int) bool {
	if n == AllValues {
		before := len(*r)
		*r = slices.DeleteFunc(*r, func(f XField) bool { return f.Name == name })
		return len(*r) < before
	}
	i := r.field(name, n)
	if i >= 0 {
		*r = slices.Delete(*r, i, i+1)
	}
	return i >= 0
}
