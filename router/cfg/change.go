package cfg

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sipd/rpc"
)

// Ref names a group, or one instance of it.
type Ref struct {
	Group    string
	ID       uint32
	Instance bool
}

// ErrSyntax is text that is neither "group" nor "group[id]".
var ErrSyntax = errors.New(`use "group" or "group[id]"`)

// ParseRef reads "group" or "group[id]", id an unsigned 32-bit number. An
// error is ErrSyntax.
func ParseRef(s string) (Ref, error) {
	name, rest, ok := strings.Cut(s, "[")
	if !ok {
		return Ref{Group: s}, nil
	}
	digits, after, ok := strings.Cut(rest, "]")
	id, err := strconv.ParseUint(digits, 10, 32)
	if !ok || after != "" || err != nil || name == "" {
		return Ref{}, fmt.Errorf("%q: %w", s, ErrSyntax)
	}
	return Ref{Group: name, ID: uint32(id), Instance: true}, nil
}

func (r Ref) String() string {
	if r.Instance {
		return r.Group + "[" + strconv.FormatUint(uint64(r.ID), 10) + "]"
	}
	return r.Group
}

// change is one variable to be set, or to follow the default again.
type change struct {
	ref Ref
	g   *Group
	v   Var
	val rpc.Value // converted; nil: delete from the instance
}

// Set changes a variable at once: rpc.Int, rpc.Bool, rpc.String or rpc.Null,
// converted to the variable's type. Errors: ErrUnknown, ErrNoInstance,
// ErrReadOnly, ErrOnce, ErrConvert, ErrRange, ErrRefused.
func (s *Store) Set(r Ref, name string, val rpc.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.prepare(r, name, val)
	if err != nil {
		return err
	}
	s.apply([]change{c}, false)
	return nil
}

// SetDelayed keeps a change for Commit. The value is checked now; errors as
// of Set.
func (s *Store) SetDelayed(r Ref, name string, val rpc.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.prepare(r, name, val)
	if err != nil {
		return err
	}
	s.delayed = append(s.delayed, c)
	return nil
}

// Init sets the value a variable starts with: from a module parameter, a core
// parameter or the script, before traffic. Read-only variables too; no
// callback runs; an instance that is named is made. Reset returns to it.
func (s *Store) Init(r Ref, name string, val rpc.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, v, err := s.find(r, name)
	if err != nil {
		return err
	}
	if r.Instance && v.flags()&Once != 0 {
		return fmt.Errorf("%s.%s: %w", r, name, ErrOnce)
	}
	if val, err = v.convert(val); err != nil {
		return fmt.Errorf("%s.%s: %w", r, name, err)
	}
	d := s.draft()
	if r.Instance {
		d.addInstance(g, r.ID)
	}
	d.write(change{r, g, v, val}, true)
	s.publish(d)
	return nil
}

// Delete makes a variable of an instance follow the default again. One that
// already does is no error. Errors: ErrUnknown, ErrNoInstance, ErrReadOnly.
func (s *Store) Delete(r Ref, name string) error { return s.remove(r, name, false) }

// DeleteDelayed keeps a Delete for Commit.
func (s *Store) DeleteDelayed(r Ref, name string) error { return s.remove(r, name, true) }

func (s *Store) remove(r Ref, name string, delayed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, v, err := s.find(r, name)
	switch {
	case err != nil:
		return err
	case !r.Instance || !s.hasInstance(g, r.ID):
		return fmt.Errorf("%s.%s: %w", r, name, ErrNoInstance)
	case v.flags()&ReadOnly != 0:
		return fmt.Errorf("%s.%s: %w", r, name, ErrReadOnly)
	}
	c := change{ref: r, g: g, v: v}
	if delayed {
		s.delayed = append(s.delayed, c)
	} else {
		s.apply([]change{c}, false)
	}
	return nil
}

// Commit makes all delayed changes at once, in order. None waiting is fine.
func (s *Store) Commit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.delayed) > 0 {
		s.apply(s.delayed, false)
		s.delayed = nil
	}
}

// Rollback drops the delayed changes.
func (s *Store) Rollback() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delayed = nil
}

// Change is one delayed change: what the variable is now and what it will be.
type Change struct {
	Ref      Ref
	Name     string
	Old, New rpc.Value
}

// Diff lists the delayed changes in the order they were made; a variable set
// twice is there twice.
func (s *Store) Diff() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := s.Snapshot()
	out := make([]Change, 0, len(s.delayed))
	for _, c := range s.delayed {
		now := snap
		if c.ref.Instance {
			now, _ = snap.Select(c.g, c.ref.ID)
		}
		d := Change{Ref: c.ref, Name: c.v.Name(), Old: c.v.Value(now), New: c.val}
		if c.val == nil {
			d.New = c.v.Value(snap)
		}
		out = append(out, d)
	}
	return out
}

// AddInstance makes an empty instance; one that is there stays as it is.
// Errors: ErrUnknown, ErrSyntax when r names no instance.
func (s *Store) AddInstance(r Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.byName[r.Group]
	switch {
	case !r.Instance:
		return fmt.Errorf("%s: %w", r, ErrSyntax)
	case g == nil:
		return fmt.Errorf("%s: %w", r, ErrUnknown)
	case s.hasInstance(g, r.ID):
		return nil
	}
	d := s.draft()
	d.addInstance(g, r.ID)
	s.publish(d)
	return nil
}

// DelInstance removes an instance, and the delayed changes for it. Errors:
// ErrUnknown, ErrNoInstance, ErrSyntax.
func (s *Store) DelInstance(r Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.byName[r.Group]
	switch {
	case !r.Instance:
		return fmt.Errorf("%s: %w", r, ErrSyntax)
	case g == nil:
		return fmt.Errorf("%s: %w", r, ErrUnknown)
	case !s.hasInstance(g, r.ID):
		return fmt.Errorf("%s: %w", r, ErrNoInstance)
	}
	s.delayed = slices.DeleteFunc(s.delayed, func(c change) bool { return c.ref == r })
	d := s.draft()
	delete(d.group(g).instances, r.ID)
	s.publish(d)
	return nil
}

// Reset puts the changeable variables of a group's default back to the values
// they started with. Error: ErrUnknown.
func (s *Store) Reset(group string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.byName[group]
	if g == nil {
		return fmt.Errorf("%s: %w", group, ErrUnknown)
	}
	var cs []change
	for _, v := range g.vars {
		if v.flags()&ReadOnly == 0 {
			cs = append(cs, change{ref: Ref{Group: group}, g: g, v: v})
		}
	}
	s.apply(cs, true)
	return nil
}

// Inherit takes over what an operator set in old: values that are not those
// that old started with, where s starts with the same, and the instances of
// groups. What s does not have or take is left out. Callbacks run.
func (s *Store) Inherit(old *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, mine := old.Snapshot(), s.Snapshot()
	d := s.draft()
	var cs []change
	for _, l := range old.List("") {
		r := Ref{Group: l.Group}
		g, _ := old.Group(l.Group)
		if s.byName[l.Group] == nil {
			continue
		}
		start := startOf(was, g, l.Var)
		if now := l.Var.Value(was); now != start {
			if c, err := s.prepare(r, l.Var.Name(), now); err == nil && startOf(mine, c.g, c.v) == start {
				cs = append(cs, c)
			}
		}
		for id, in := range was.groups[g.index].instances {
			d.addInstance(s.byName[l.Group], id)
			if in.own[l.Var.base().index] {
				cs = append(cs, change{ref: Ref{Group: l.Group, ID: id, Instance: true}, v: l.Var, val: l.Var.Value(was.with(g, in))})
			}
		}
	}
	s.publish(d)
	ok := cs[:0]
	for _, c := range cs {
		if c, err := s.prepare(c.ref, c.v.Name(), c.val); err == nil {
			ok = append(ok, c)
		}
	}
	s.apply(ok, false)
}

// startOf is what a variable of a group started with.
func startOf(snap *Snapshot, g *Group, v Var) rpc.Value {
	vals := snap.groups[g.index].clone()
	v.restore(vals)
	return v.Value(snap.with(g, vals))
}

// find looks a variable up; s.mu is held.
func (s *Store) find(r Ref, name string) (*Group, Var, error) {
	if g := s.byName[r.Group]; g != nil {
		if v := g.byName[name]; v != nil {
			return g, v, nil
		}
	}
	return nil, nil, fmt.Errorf("%s.%s: %w", r, name, ErrUnknown)
}

// prepare checks a change and converts its value; s.mu is held.
func (s *Store) prepare(r Ref, name string, val rpc.Value) (change, error) {
	g, v, err := s.find(r, name)
	switch {
	case err != nil:
		return change{}, err
	case v.flags()&ReadOnly != 0:
		return change{}, fmt.Errorf("%s.%s: %w", r, name, ErrReadOnly)
	case r.Instance && v.flags()&Once != 0:
		return change{}, fmt.Errorf("%s.%s: %w", r, name, ErrOnce)
	case r.Instance && !s.hasInstance(g, r.ID):
		return change{}, fmt.Errorf("%s.%s: %w", r, name, ErrNoInstance)
	}
	if val, err = v.convert(val); err != nil {
		return change{}, fmt.Errorf("%s.%s: %w", r, name, err)
	}
	return change{r, g, v, val}, nil
}

func (s *Store) hasInstance(g *Group, id uint32) bool {
	_, ok := s.Snapshot().groups[g.index].instances[id]
	return ok
}

// apply publishes the changes as one and then runs the callbacks; s.mu is
// held. With restore, each variable goes back to its start value.
func (s *Store) apply(cs []change, restore bool) {
	old := s.Snapshot()
	d := s.draft()
	for _, c := range cs {
		if restore {
			vals := d.group(c.g)
			c.v.restore(vals)
			d.follow(c.g, c.v)
		} else {
			d.write(c, false)
		}
	}
	s.publish(d)
	now := s.Snapshot()
	for _, c := range cs {
		if !c.ref.Instance {
			c.v.changed(c.v.Value(old), c.v.Value(now))
		}
	}
}

// write makes one change in the draft.
func (d *draft) write(c change, start bool) {
	vals := d.group(c.g)
	if !c.ref.Instance {
		c.v.put(vals, c.val, start)
		d.follow(c.g, c.v)
		return
	}
	in := vals.instances[c.ref.ID]
	if in.own[c.v.base().index] = c.val != nil; c.val != nil {
		c.v.put(in, c.val, start)
	} else {
		c.v.inherit(in, vals)
	}
}

// follow hands a default on to the instances that have no value of their own.
func (d *draft) follow(g *Group, v Var) {
	vals := d.group(g)
	for _, in := range vals.instances {
		if !in.own[v.base().index] {
			v.inherit(in, vals)
		}
	}
}

// addInstance makes an instance that follows the default in everything.
func (d *draft) addInstance(g *Group, id uint32) {
	vals := d.group(g)
	if _, there := vals.instances[id]; there {
		return
	}
	if vals.instances == nil {
		vals.instances = make(map[uint32]*values)
	}
	vals.instances[id] = &values{
		ints: slices.Clone(vals.ints), strs: slices.Clone(vals.strs),
		of: vals, id: id, own: make([]bool, len(g.vars)),
	}
}

// NewValue is a variable and what it is to be.
type NewValue struct {
	Ref   Ref
	Name  string
	Value rpc.Value
}

// Convert is the value as the variable would keep it, or why it takes it not.
// Errors are those of Set.
func (s *Store) Convert(r Ref, name string, val rpc.Value) (rpc.Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.prepare(r, name, val)
	return c.val, err
}

// SetAll changes variables at once: a message sees all of it or nothing. Errors
// are those of Set, and then nothing was changed.
func (s *Store) SetAll(values []NewValue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cs := make([]change, 0, len(values))
	var errs []error
	for _, v := range values {
		c, err := s.prepare(v.Ref, v.Name, v.Value)
		cs, errs = append(cs, c), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil || len(cs) == 0 {
		return err
	}
	s.apply(cs, false)
	return nil
}
