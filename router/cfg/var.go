package cfg

import (
	"fmt"
	"strconv"

	"sipd/rpc"
)

// Flags of a variable.
type Flags uint8

const (
	// Atomic variables are single words that Kamailio may change in the middle
	// of a request. Here every change waits for the next message; the flag is
	// kept as documentation.
	Atomic Flags = 1 << iota
	// ReadOnly variables are set by the configuration file alone.
	ReadOnly
	// Once forbids values in instances (CFG_CB_ONLY_ONCE of the elders).
	Once
	// Hidden variables are set but not read over RPC: in Kamailio, those with
	// a change check.
	Hidden
)

// Var is a declared variable: an *[Int] or a *[Str].
type Var interface {
	// Name is the variable's name inside its group.
	Name() string
	// GroupName is the name of its group, "" before it is declared.
	GroupName() string
	// Describe is the help text.
	Describe() string
	// Value is what s holds for it: rpc.Int, rpc.String or rpc.Null.
	Value(s *Snapshot) rpc.Value

	base() *ref
	flags() Flags
	// checkDefault verifies Default against the range.
	checkDefault() error
	// grow appends the default to the values of the group or an instance.
	grow(*values)
	// convert makes v this variable's type, checks range and asks Check.
	convert(v rpc.Value) (rpc.Value, error)
	// put writes a converted value; start marks it as what reset returns to.
	put(to *values, v rpc.Value, start bool)
	// inherit copies the value from one to another.
	inherit(to, from *values)
	// restore writes the start value into to.
	restore(to *values)
	// changed calls the callback with the value before and after.
	changed(old, now rpc.Value)
}

// ref is where a declared variable lives.
type ref struct {
	g     *Group
	name  string
	group int // index of the group, 0 when not declared
	slot  int // index among the group's ints or strs
	index int // index among the group's variables
}

// Name is the variable's name inside its group, "" before it is declared.
func (r *ref) Name() string { return r.name }

// GroupName is the name of its group, "" before it is declared.
func (r *ref) GroupName() string {
	if r.g == nil {
		return ""
	}
	return r.g.name
}

func (r *ref) base() *ref { return r }

// Int is a whole number. Declare it as a field or variable and read it with
// Get; it must not be copied after that.
type Int struct {
	// Default is the value before anyone sets it.
	Default int
	// Min and Max bound it; both 0 means no bounds.
	Min, Max int
	// Help is one line for cfg.help.
	Help string
	// Flags, see there.
	Flags Flags
	// Check sees a value before it is set: it returns the value to store, or an
	// error to refuse it.
	Check func(v int) (int, error)
	// Changed runs after the default instance was set, also to the same value.
	// It must not change the store.
	Changed func(old, now int)
	// ByName turns a word into a value, for variables set by name
	// (log_facility).
	ByName func(word string) (int, error)

	ref
}

// Get is the value in s; the default when the variable is not declared there.
func (v *Int) Get(s *Snapshot) int {
	if s != nil && uint(v.group) < uint(len(s.groups)) {
		if g := s.groups[v.group]; uint(v.slot) < uint(len(g.ints)) {
			return g.ints[v.slot]
		}
	}
	return v.Default
}

// Bool is Get as a truth value: anything but 0.
func (v *Int) Bool(s *Snapshot) bool { return v.Get(s) != 0 }

// Describe is the help text.
func (v *Int) Describe() string { return v.Help }

// Value is Get as an RPC value.
func (v *Int) Value(s *Snapshot) rpc.Value { return rpc.Int(v.Get(s)) }

func (v *Int) flags() Flags { return v.Flags }

// checkDefault does nothing: several elders' defaults lie outside of their
// ranges on purpose (udp_mtu_try_proto is 0 of 1..4 until someone sets it).
func (v *Int) checkDefault() error {
	if v.Min > v.Max {
		return fmt.Errorf("range %d..%d is empty: %w", v.Min, v.Max, ErrRange)
	}
	return nil
}

func (v *Int) grow(to *values) {
	v.slot = len(to.ints)
	to.ints = append(to.ints, v.Default)
	if to.of == nil {
		to.startInts = append(to.startInts, v.Default)
	}
}

func (v *Int) convert(val rpc.Value) (rpc.Value, error) {
	var n int
	switch val := val.(type) {
	case rpc.Int:
		n = int(val)
	case rpc.Bool:
		if val {
			n = 1
		}
	case rpc.String:
		var err error
		if n, err = v.parse(string(val)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%T for a number: %w", val, ErrConvert)
	}
	if (v.Min != 0 || v.Max != 0) && (n < v.Min || n > v.Max) {
		return nil, fmt.Errorf("%d is not in %d..%d: %w", n, v.Min, v.Max, ErrRange)
	}
	if v.Check != nil {
		var err error
		if n, err = v.Check(n); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return rpc.Int(n), nil
}

// parse reads a whole decimal number of 32 bits, or a name.
func (v *Int) parse(word string) (int, error) {
	if v.ByName != nil {
		if n, err := v.ByName(word); err == nil {
			return n, nil
		}
	}
	n, err := strconv.ParseInt(word, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number: %w", word, ErrConvert)
	}
	return int(n), nil
}

func (v *Int) put(to *values, val rpc.Value, start bool) {
	to.ints[v.slot] = int(val.(rpc.Int))
	if start && to.of == nil {
		to.startInts[v.slot] = to.ints[v.slot]
	}
}

func (v *Int) inherit(to, from *values) { to.ints[v.slot] = from.ints[v.slot] }
func (v *Int) restore(to *values)       { to.ints[v.slot] = to.startInts[v.slot] }

func (v *Int) changed(old, now rpc.Value) {
	if v.Changed != nil {
		v.Changed(int(old.(rpc.Int)), int(now.(rpc.Int)))
	}
}

// Str is a text. Declare it as a field or variable and read it with Get; it
// must not be copied after that.
type Str struct {
	// Default is the value before anyone sets it.
	Default string
	// Null says that the default is the absent string: reads as "", shows as
	// "<null string>".
	Null bool
	// Help is one line for cfg.help.
	Help string
	// Flags, see there.
	Flags Flags
	// Check sees a value before it is set: it returns the value to store, or an
	// error to refuse it.
	Check func(v string) (string, error)
	// Changed runs after the default instance was set, also to the same value.
	// It must not change the store.
	Changed func(old, now string)

	ref
}

// Get is the value in s, "" for the absent string; the default when the
// variable is not declared there.
func (v *Str) Get(s *Snapshot) string {
	if s != nil && uint(v.group) < uint(len(s.groups)) {
		if g := s.groups[v.group]; uint(v.slot) < uint(len(g.strs)) {
			return g.strs[v.slot].s
		}
	}
	return v.Default
}

// Describe is the help text.
func (v *Str) Describe() string { return v.Help }

// Value is Get as an RPC value, rpc.Null for the absent string.
func (v *Str) Value(s *Snapshot) rpc.Value {
	if s != nil && uint(v.group) < uint(len(s.groups)) {
		if g := s.groups[v.group]; uint(v.slot) < uint(len(g.strs)) {
			return g.strs[v.slot].value()
		}
	}
	return v.start().value()
}

// start is the default; a text that someone put there is not absent.
func (v *Str) start() text { return text{v.Default, v.Null && v.Default == ""} }

func (t text) value() rpc.Value {
	if t.null {
		return rpc.Null{}
	}
	return rpc.String(t.s)
}

func (v *Str) flags() Flags        { return v.Flags }
func (v *Str) checkDefault() error { return nil }

func (v *Str) grow(to *values) {
	t := v.start()
	v.slot = len(to.strs)
	to.strs = append(to.strs, t)
	if to.of == nil {
		to.startStrs = append(to.startStrs, t)
	}
}

func (v *Str) convert(val rpc.Value) (rpc.Value, error) {
	var t string
	switch val := val.(type) {
	case rpc.String:
		t = string(val)
	case rpc.Int:
		t = strconv.FormatInt(int64(val), 10)
	case rpc.Null:
		return val, nil
	default:
		return nil, fmt.Errorf("%T for a text: %w", val, ErrConvert)
	}
	if v.Check != nil {
		var err error
		if t, err = v.Check(t); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return rpc.String(t), nil
}

func (v *Str) put(to *values, val rpc.Value, start bool) {
	t := text{null: true}
	if s, ok := val.(rpc.String); ok {
		t = text{s: string(s)}
	}
	to.strs[v.slot] = t
	if start && to.of == nil {
		to.startStrs[v.slot] = t
	}
}

func (v *Str) inherit(to, from *values) { to.strs[v.slot] = from.strs[v.slot] }
func (v *Str) restore(to *values)       { to.strs[v.slot] = to.startStrs[v.slot] }

func (v *Str) changed(old, now rpc.Value) {
	if v.Changed != nil {
		o, _ := old.(rpc.String)
		n, _ := now.(rpc.String)
		v.Changed(string(o), string(n))
	}
}
