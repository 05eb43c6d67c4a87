package dialog

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sipd/router/pv"
	"sipd/router/stat"
)

// linger is how long a dialog stays listed after its end: as long as the
// transaction that ended it takes repetitions.
const linger = 5 * time.Second

// table is all dialogs. The order of locks is an entry's mu, a dialog's, a
// profile's; none is held over I/O or the script.
type table struct {
	entries []entry

	active, early              atomic.Int64
	processed, expired, failed stat.Counter
	mu                         sync.Mutex // guards profiles
	profiles                   map[string]*profile
	step, start                uint32
	store                      *store // nil without a database
}

// entry is the dialogs whose Call-IDs have one hash.
type entry struct {
	mu   sync.Mutex
	list []*dialog
	next uint32
}

func newTable(size int, start, step uint32) *table {
	t := &table{entries: make([]entry, size), profiles: make(map[string]*profile), step: max(step, 1), start: start}
	for i := range t.entries {
		t.entries[i].next = rand.Uint32N(10000)*t.step + start
	}
	return t
}

func (t *table) entryOf(callID string) uint32 {
	return pv.CoreHash(callID, "") & uint32(len(t.entries)-1)
}

// add numbers a dialog and puts it in.
func (t *table) add(d *dialog) {
	d.entry = t.entryOf(d.callID)
	e := &t.entries[d.entry]
	e.mu.Lock()
	defer e.mu.Unlock()
	for d.id = 0; d.id == 0; {
		d.id = e.next
		e.next += t.step
	}
	e.list = append(e.list, d)
}

// insert puts a numbered dialog in; false when there is one with its numbers.
func (t *table) insert(d *dialog) bool {
	e := &t.entries[d.entry]
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.list {
		if x.id == d.id {
			return false
		}
	}
	// Numbers of another server's series do not move this one's.
	if (t.step == 1 || (d.id-t.start)%t.step == 0) && e.next <= d.id {
		e.next = d.id + t.step
	}
	e.list = append(e.list, d)
	return true
}

func (t *table) remove(d *dialog) {
	e := &t.entries[d.entry]
	e.mu.Lock()
	e.list = slices.DeleteFunc(e.list, func(x *dialog) bool { return x == d })
	e.mu.Unlock()
}

// byID is a dialog by its two numbers.
func (t *table) byID(n, id uint32) *dialog {
	if n >= uint32(len(t.entries)) {
		return nil
	}
	e := &t.entries[n]
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.list {
		if d.id == id {
			return d
		}
	}
	return nil
}

// byTags is the dialog of a message, and which party the message goes to. Of
// several a living one is preferred.
func (t *table) byTags(callID, from, to string) (found *dialog, dir side) {
	e := &t.entries[t.entryOf(callID)]
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.list {
		d.mu.Lock()
		s, ok := d.direction(callID, from, to)
		gone := d.state == deleted
		d.mu.Unlock()
		if ok && !gone {
			return d, s
		}
		if ok {
			found, dir = d, s
		}
	}
	return found, dir
}

// all are the dialogs in the order of their entries.
func (t *table) all() []*dialog {
	var list []*dialog
	for i := range t.entries {
		e := &t.entries[i]
		e.mu.Lock()
		list = append(list, e.list...)
		e.mu.Unlock()
	}
	return list
}

// profile counts dialogs, by value when it has values.
type profile struct {
	name   string
	values bool
	mu     sync.Mutex
	count  map[string]int
	total  int
	remote []remote // calls of other servers, which are counted too
}

func (p *profile) add(value string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
	if !p.values {
		return
	}
	if p.count[value] += n; p.count[value] <= 0 {
		delete(p.count, value)
	}
}

// size is how many dialogs are in it; with a value those with that one.
func (p *profile) size(value string, has bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.values && has {
		return p.count[value]
	}
	return p.total
}

// profile is a profile by name, nil when it is not defined.
func (t *table) profile(name string) *profile {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.profiles[name]
}

// define adds a profile; one that is there stays with its dialogs.
func (t *table) define(name string, values bool) (ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.profiles[name]; p != nil {
		return p.values == values
	}
	t.profiles[name] = &profile{name: name, values: values, count: make(map[string]int)}
	return true
}
