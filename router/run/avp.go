package run

// AVPClass names one of the attribute lists (script.md §15).
type AVPClass uint8

// The lists: caller and callee track, by URI, user and domain, and the global one.
const (
	AVPFromURI AVPClass = iota // $fr. and $avp()
	AVPFromUser
	AVPFromDomain
	AVPToURI
	AVPToUser
	AVPToDomain
	AVPGlobal
	avpClasses
)

// AVPName is an attribute's name: text, or a number ($avp(i:80)).
type AVPName struct {
	S   string
	N   int
	Num bool
}

// AVPs are the attributes of a transaction. The newest value of a name comes
// first.
type AVPs struct {
	lists [avpClasses][]avp
}

type avp struct {
	name  AVPName
	value Value
	flags uint32
}

// Reset forgets all values and keeps the memory.
func (a *AVPs) Reset() {
	for i := range a.lists {
		clear(a.lists[i])
		a.lists[i] = a.lists[i][:0]
	}
}

// Get is the n-th value of a name counted from the newest (0); negative counts
// from the oldest (-1). Null when there is none.
func (a *AVPs) Get(c AVPClass, name AVPName, n int) Value {
	if i := a.at(c, name, n); i >= 0 {
		return a.lists[c][i].value
	}
	return Null
}

// Add pushes a value in front of the others of its name.
func (a *AVPs) Add(c AVPClass, name AVPName, v Value, flags uint32) {
	a.lists[c] = append(a.lists[c], avp{name, v, flags})
}

// at is the place of the n-th value in its list, counted as Get counts; -1
// when there is none.
func (a *AVPs) at(c AVPClass, name AVPName, n int) int {
	l := a.lists[c]
	if n < 0 {
		for i := range l {
			if l[i].name == name {
				if n++; n == 0 {
					return i
				}
			}
		}
		return -1
	}
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].name == name {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

// Set changes the n-th value of a name, counted as Get counts, and keeps its
// flags; false when there is none.
func (a *AVPs) Set(c AVPClass, name AVPName, n int, v Value) bool {
	i := a.at(c, name, n)
	if i >= 0 {
		a.lists[c][i].value = v
	}
	return i >= 0
}

// DeleteAt removes the n-th value of a name, counted as Get counts; false when
// there is none.
func (a *AVPs) DeleteAt(c AVPClass, name AVPName, n int) bool {
	i := a.at(c, name, n)
	if i < 0 {
		return false
	}
	l := a.lists[c]
	copy(l[i:], l[i+1:])
	l[len(l)-1] = avp{}
	a.lists[c] = l[:len(l)-1]
	return true
}

// Find is the first of the classes that has the name; ok is false when none has.
func (a *AVPs) Find(classes []AVPClass, name AVPName) (c AVPClass, ok bool) {
	for _, c := range classes {
		if a.at(c, name, 0) >= 0 {
			return c, true
		}
	}
	return 0, false
}

// SetFlag sets or clears flag bits on the values of a name: all of them when n
// is AllValues, else the n-th. It answers how many values there were.
func (a *AVPs) SetFlag(c AVPClass, name AVPName, n int, mask uint32, on bool) int {
	touched := 0
	change := func(x *avp) {
		touched++
		if on {
			x.flags |= mask
		} else {
			x.flags &^= mask
		}
	}
	if n != AllValues {
		if i := a.at(c, name, n); i >= 0 {
			change(&a.lists[c][i])
		}
		return touched
	}
	for i := range a.lists[c] {
		if a.lists[c][i].name == name {
			change(&a.lists[c][i])
		}
	}
	return touched
}

// HasFlag says whether a value of the name has one of the flag bits: any of
// them when n is AllValues, else the n-th.
func (a *AVPs) HasFlag(c AVPClass, name AVPName, n int, mask uint32) bool {
	if n != AllValues {
		i := a.at(c, name, n)
		return i >= 0 && a.lists[c][i].flags&mask != 0
	}
	for i := range a.lists[c] {
		if x := &a.lists[c][i]; x.name == name && x.flags&mask != 0 {
			return true
		}
	}
	return false
}

// AllValues stands for every value of a name where an index is asked for.
const AllValues = int(^uint(0) >> 1)

// Each calls f for the values of one list, newest first, until it answers false.
func (a *AVPs) Each(c AVPClass, f func(name AVPName, v Value, flags uint32) bool) {
	for i := len(a.lists[c]) - 1; i >= 0; i-- {
		if x := &a.lists[c][i]; !f(x.name, x.value, x.flags) {
			return
		}
	}
}

// Count is the number of values of a name.
func (a *AVPs) Count(c AVPClass, name AVPName) int {
	n := 0
	for i := range a.lists[c] {
		if a.lists[c][i].name == name {
			n++
		}
	}
	return n
}

// Delete removes all values of a name and says how many there were.
func (a *AVPs) Delete(c AVPClass, name AVPName) int {
	l := a.lists[c]
	kept := l[:0]
	for _, x := range l {
		if x.name != name {
			kept = append(kept, x)
		}
	}
	n := len(l) - len(kept)
	clear(l[len(kept):])
	a.lists[c] = kept
	return n
}

// Clear empties one list.
func (a *AVPs) Clear(c AVPClass) {
	clear(a.lists[c])
	a.lists[c] = a.lists[c][:0]
}
