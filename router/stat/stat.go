// Package stat holds the daemon's statistics: counters and gauges in groups,
// named as Kamailio names them (core:rcv_requests, usrloc:registered_users),
// read by the RPC methods stats.* and cnt.* and by the script's $stat(name).
//
// A counter is a word that its owner adds to; the registry only knows where it
// is. Modules list theirs among their exports.
package stat

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Counter counts events. It is safe for concurrent use; the zero value is
// ready. It fills a cache line of its own, so that receivers on different
// cores that count different things do not slow each other.
type Counter struct {
	n atomic.Int64
	_ [56]byte
}

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Dec takes one away, for counters of what exists now.
func (c *Counter) Dec() { c.n.Add(-1) }

// Add adds n.
func (c *Counter) Add(n int64) { c.n.Add(n) }

// Value is the count.
func (c *Counter) Value() int64 { return c.n.Load() }

// Reset sets the count to zero.
func (c *Counter) Reset() { c.n.Store(0) }

// Func is a gauge: a figure that is computed when someone asks. It must be
// quick and safe for concurrent use, and cannot be reset.
type Func func() int64

// Value calls the function.
func (f Func) Value() int64 { return f() }

// Source is where a statistic's figure comes from: a *[Counter] or a [Func].
type Source interface{ Value() int64 }

// Writable is a Source that a script may change: a counter, not a gauge.
type Writable interface {
	Source
	Add(n int64)
	Reset()
}

// resetter is a Source that can start again from zero.
type resetter interface{ Reset() }

// Def declares one statistic of a group.
type Def struct {
	// Name is the statistic's name within its group.
	Name string
	// Help is one line for cnt.help.
	Help string
	// Keep says that a reset leaves the figure alone, as Kamailio does with
	// counters of what exists now.
	Keep bool
	// Source is where the figure comes from.
	Source Source
}

// Entry is a declared statistic.
type Entry struct {
	Group string
	Def
}

// Reset starts again from zero, unless the statistic is a gauge or is kept;
// it says whether it did.
func (e Entry) Reset() bool {
	r, ok := e.Source.(resetter)
	if ok = ok && !e.Keep; ok {
		r.Reset()
	}
	return ok
}

// ErrTaken is a name that its group already has.
var ErrTaken = errors.New("statistic is declared twice")

// Registry knows all statistics of one daemon. It is safe for concurrent use.
type Registry struct {
	mu sync.RWMutex
	// mu guards the field below: each group's entries sorted by name.
	groups map[string][]Entry
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry { return &Registry{groups: make(map[string][]Entry)} }

// Declare adds statistics to a group. A name that is taken adds nothing and is
// ErrTaken.
func (r *Registry) Declare(group string, defs ...Def) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries := slices.Clone(r.groups[group])
	for _, d := range defs {
		i, taken := find(entries, d.Name)
		if taken {
			return fmt.Errorf("%s:%s: %w", group, d.Name, ErrTaken)
		}
		entries = slices.Insert(entries, i, Entry{group, d})
	}
	r.groups[group] = entries
	return nil
}

// Inherit goes on counting where old stands: counters that both have begin with
// the sum of both, those that are the same counter are left alone. Gauges are
// computed anyway.
func (r *Registry) Inherit(old *Registry) {
	for _, e := range old.All() {
		from, ok := e.Source.(*Counter)
		if !ok {
			continue
		}
		mine, found := r.Lookup(e.Group, e.Name)
		if to, ok := mine.Source.(*Counter); found && ok && to != from {
			to.Add(from.Value())
		}
	}
}

func find(entries []Entry, name string) (int, bool) {
	return slices.BinarySearchFunc(entries, name, func(e Entry, n string) int { return strings.Compare(e.Name, n) })
}

// Groups lists the names of the groups, sorted by octets.
func (r *Registry) Groups() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make([]string, 0, len(r.groups))
	for g := range r.groups {
		names = append(names, g)
	}
	slices.Sort(names)
	return names
}

// Group lists one group's statistics sorted by name; false when there is no
// such group. The list must not be changed.
func (r *Registry) Group(name string) ([]Entry, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	g, ok := r.groups[name]
	return g, ok
}

// All lists every statistic, sorted by group and name.
func (r *Registry) All() []Entry {
	var all []Entry
	for _, g := range r.Groups() {
		entries, _ := r.Group(g)
		all = append(all, entries...)
	}
	return all
}

// Lookup finds a statistic by group and name.
func (r *Registry) Lookup(group, name string) (Entry, bool) {
	g, _ := r.Group(group)
	if i, ok := find(g, name); ok {
		return g[i], true
	}
	return Entry{}, false
}

// Find finds a statistic by its name alone, in the first group that has it by
// name order: what $stat(name) and stats.get_statistics mean.
func (r *Registry) Find(name string) (Entry, bool) {
	for _, g := range r.Groups() {
		if e, ok := r.Lookup(g, name); ok {
			return e, true
		}
	}
	return Entry{}, false
}
