// Package cfg holds the variables that an operator changes while the daemon
// runs (cfg.set_now_int and its family): groups of integers and strings, set
// now or gathered and committed at once, with a range, a check and a callback
// each, and with instances (tm[1]) that follow the default where they hold
// nothing of their own.
//
// Readers never lock. A message takes one [Snapshot] when it starts and reads
// every variable from it, so it never sees half a change. A declared variable
// is its own handle: [Int.Get] and [Str.Get] are two indexed loads.
//
// Modules and the core declare before traffic starts; the RPC side
// (modules/common/cfg_rpc) and the script (custom groups) speak names.
//
// Locking: Store.mu is held while a change is made and while its callbacks
// run; a callback may take snapshots but must not change the store.
package cfg

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"sipd/rpc"
)

// What a change or a look-up may be refused for; match with errors.Is.
var (
	ErrUnknown    = errors.New("no such group or variable")
	ErrNoInstance = errors.New("no such group instance")
	ErrHidden     = errors.New("variable is not readable")
	ErrReadOnly   = errors.New("variable is read-only")
	ErrOnce       = errors.New("variable cannot be set in an instance")
	ErrRange      = errors.New("value is out of range")
	ErrConvert    = errors.New("value cannot be converted to the variable's type")
	ErrRefused    = errors.New("value was refused")
	ErrTaken      = errors.New("variable is declared twice")
	ErrOwner      = errors.New("group belongs to someone else")
)

// Store is all runtime variables of one daemon. It is safe for concurrent use.
type Store struct {
	snap atomic.Pointer[Snapshot]

	mu sync.Mutex
	// mu guards the fields below and the lists inside the groups.
	groups  []*Group // by index; [0] stays nil
	byName  map[string]*Group
	delayed []change
}

// NewStore makes a store without variables.
func NewStore() *Store {
	s := &Store{groups: []*Group{nil}, byName: make(map[string]*Group)}
	s.snap.Store(&Snapshot{groups: []*values{new(values)}})
	return s
}

// Snapshot is the values as of now. It never changes: take one per message or
// per timer run.
func (s *Store) Snapshot() *Snapshot { return s.snap.Load() }

// Snapshot is one consistent set of values, maybe with instances selected.
// The zero value and nil give every variable its default.
type Snapshot struct {
	groups []*values // by group index; [0] is empty, for undeclared variables
}

// values is what one group, or one instance of it, holds. It is immutable
// once published.
type values struct {
	ints []int
	strs []text
	// start holds what reset returns to; default values only.
	startInts []int
	startStrs []text
	// instances of the group by id; default values only.
	instances map[uint32]*values
	// of is the default that instance id follows, nil for default values
	// themselves; own tells by variable index what the instance holds itself.
	of  *values
	id  uint32
	own []bool
}

// text is a string variable's value; a null one prints as "<null string>".
type text struct {
	s    string
	null bool
}

// Group is one group of variables: a module, a part of the core, or a group
// that the script declared.
type Group struct {
	name   string
	index  int
	custom bool
	vars   []Var // in order of declaration
	byName map[string]Var
}

// Name is the group's name as RPC and scripts spell it.
func (g *Group) Name() string { return g.name }

// Declare adds a variable to a group, which it makes when it is the first.
// The variable is the handle to read it by; it must not be declared anywhere
// else. Errors: ErrTaken, ErrOwner (the script declared a group of that name),
// ErrRange.
func (s *Store) Declare(group, name string, v Var) error {
	return s.declare(group, name, v, false)
}

// DeclareCustom is Declare for variables that a script brings
// (`pstn.gw_ip = "" desc "…"`). Their groups are apart from those of modules.
func (s *Store) DeclareCustom(group, name string, v Var) error {
	return s.declare(group, name, v, true)
}

func (s *Store) declare(group, name string, v Var, custom bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.base().group != 0 {
		return fmt.Errorf("declare %s.%s: %w", group, name, ErrTaken)
	}
	g := s.byName[group]
	if g != nil && g.custom != custom {
		return fmt.Errorf("declare %s.%s: %w", group, name, ErrOwner)
	}
	if g != nil && g.byName[name] != nil {
		return fmt.Errorf("declare %s.%s: %w", group, name, ErrTaken)
	}
	if err := v.checkDefault(); err != nil {
		return fmt.Errorf("declare %s.%s: %w", group, name, err)
	}
	if g == nil {
		g = &Group{name: group, index: len(s.groups), custom: custom, byName: make(map[string]Var)}
		s.groups = append(s.groups, g)
		s.byName[group] = g
	}
	d := s.draft()
	if len(d.groups) <= g.index {
		d.groups = append(d.groups, &values{})
		d.mine = append(d.mine, false)
	}
	vals := d.group(g)
	*v.base() = ref{g: g, name: name, group: g.index, index: len(g.vars)}
	v.grow(vals)
	for _, in := range vals.instances {
		v.grow(in)
		in.own = append(in.own, false)
	}
	g.vars = append(g.vars, v)
	g.byName[name] = v
	s.publish(d)
	return nil
}

// Lookup finds a variable by name.
func (s *Store) Lookup(group, name string) (Var, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.byName[group]; g != nil {
		v, ok := g.byName[name]
		return v, ok
	}
	return nil, false
}

// Group finds a group by name.
func (s *Store) Group(name string) (*Group, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.byName[name]
	return g, ok
}

// Variable is one line of List.
type Variable struct {
	Group string
	Var   Var
}

// List is every variable of one group, or of all when group is "". Groups come
// newest first, those of the script last, as Kamailio lists them; variables in
// order of declaration. An unknown group gives an empty list.
func (s *Store) List(group string) []Variable {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Variable
	for _, custom := range []bool{false, true} {
		for _, g := range slices.Backward(s.groups[1:]) {
			if g.custom != custom || (group != "" && group != g.name) {
				continue
			}
			for _, v := range g.vars {
				out = append(out, Variable{g.name, v})
			}
		}
	}
	return out
}

// Get is the value of one variable, through the instance when r names one.
// Errors: ErrUnknown, ErrNoInstance, ErrHidden.
func (s *Store) Get(r Ref, name string) (rpc.Value, error) {
	if v, ok := s.Lookup(r.Group, name); ok && v.flags()&Hidden != 0 {
		return nil, fmt.Errorf("%s.%s: %w", r.Group, name, ErrHidden)
	}
	return s.Show(r, name)
}

// Show is Get for the daemon itself: it reads what is hidden too. Errors:
// ErrUnknown, ErrNoInstance.
func (s *Store) Show(r Ref, name string) (rpc.Value, error) {
	v, ok := s.Lookup(r.Group, name)
	if !ok {
		return nil, fmt.Errorf("%s.%s: %w", r.Group, name, ErrUnknown)
	}
	snap, err := s.view(r)
	if err != nil {
		return nil, err
	}
	return v.Value(snap), nil
}

// GetGroup is all readable variables of a group in order of declaration.
// Errors: ErrUnknown, ErrNoInstance.
func (s *Store) GetGroup(r Ref) (rpc.Struct, error) {
	snap, err := s.view(r)
	if err != nil {
		return nil, err
	}
	all := s.List(r.Group)
	out := make(rpc.Struct, 0, len(all))
	for _, l := range all {
		if l.Var.flags()&Hidden == 0 {
			out = append(out, rpc.M(l.Var.Name(), l.Var.Value(snap)))
		}
	}
	return out, nil
}

// view is the snapshot of now with r's instance selected.
func (s *Store) view(r Ref) (*Snapshot, error) {
	g, ok := s.Group(r.Group)
	if !ok {
		return nil, fmt.Errorf("%s: %w", r, ErrUnknown)
	}
	snap := s.Snapshot()
	if !r.Instance {
		return snap, nil
	}
	if snap, ok = snap.Select(g, r.ID); !ok {
		return nil, fmt.Errorf("%s: %w", r, ErrNoInstance)
	}
	return snap, nil
}

// Select is the same snapshot with instance id of g in place of its default
// (cfg_select of the script). False, and s itself, when there is no such
// instance.
func (s *Snapshot) Select(g *Group, id uint32) (*Snapshot, bool) {
	if s == nil || g.index >= len(s.groups) {
		return s, false
	}
	base := s.groups[g.index]
	if base.of != nil { // another instance is selected: its siblings hang on the default
		base = base.of
	}
	in, ok := base.instances[id]
	if !ok {
		return s, false
	}
	return s.with(g, in), true
}

// Unselect is the same snapshot with the default of g (cfg_reset of the
// script).
func (s *Snapshot) Unselect(g *Group) *Snapshot {
	if s == nil || g.index >= len(s.groups) || s.groups[g.index].of == nil {
		return s
	}
	return s.with(g, s.groups[g.index].of)
}

// Selected is the instance of g that is selected, if any.
func (s *Snapshot) Selected(g *Group) (uint32, bool) {
	if s == nil || g.index >= len(s.groups) {
		return 0, false
	}
	v := s.groups[g.index]
	return v.id, v.of != nil
}

func (s *Snapshot) with(g *Group, v *values) *Snapshot {
	groups := slices.Clone(s.groups)
	groups[g.index] = v
	return &Snapshot{groups: groups}
}

// draft is the next snapshot while it is made: groups are copied when first
// touched.
type draft struct {
	groups []*values
	mine   []bool
}

func (s *Store) draft() *draft {
	groups := slices.Clone(s.snap.Load().groups)
	return &draft{groups: groups, mine: make([]bool, len(groups))}
}

// group is the values of g, to be written.
func (d *draft) group(g *Group) *values {
	if !d.mine[g.index] {
		d.groups[g.index] = d.groups[g.index].clone()
		d.mine[g.index] = true
	}
	return d.groups[g.index]
}

func (v *values) clone() *values {
	c := &values{
		ints: slices.Clone(v.ints), strs: slices.Clone(v.strs),
		startInts: slices.Clone(v.startInts), startStrs: slices.Clone(v.startStrs),
	}
	if len(v.instances) > 0 {
		c.instances = make(map[uint32]*values, len(v.instances))
		for id, in := range v.instances {
			c.instances[id] = &values{
				ints: slices.Clone(in.ints), strs: slices.Clone(in.strs),
				of: c, id: id, own: slices.Clone(in.own),
			}
		}
	}
	return c
}

func (s *Store) publish(d *draft) {
	s.snap.Store(&Snapshot{groups: d.groups})
}

// Instances lists the ids of a group's instances, ascending.
func (s *Store) Instances(group string) []uint32 {
	g, ok := s.Group(group)
	if !ok {
		return nil
	}
	return slices.Sorted(maps.Keys(s.Snapshot().groups[g.index].instances))
}
