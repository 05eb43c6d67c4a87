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
	l := a.lists[c]
	if n < 0 {
		for i := range l {
			if l[i].name == name {
				if n++; n == 0 {
					return l[i].value
				}
			}
		}
		return Null
	}
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].name == name {
			if n == 0 {
				return l[i].value
			}
			n--
		}
	}
	return Null
}

// Add pushes a value in front of the others of its name.
func (a *AVPs) Add(c AVPClass, name AVPName, v Value, flags uint32) {
	a.lists[c] = append(a.lists[c], avp{name, v, flags})
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
