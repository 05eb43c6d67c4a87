package module

import (
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"sipd/router/cfg"
	"sipd/router/run"
)

// Flavour tells the module folders of the merged project apart: where SER and
// Kamailio have a module of the same name, the module path chooses.
type Flavour uint8

// The module folders.
const (
	Common Flavour = iota
	SER
	Kamailio
)

// String is the folder's name.
func (f Flavour) String() string { return [...]string{"common", "ser", "kamailio"}[f] }

// Available is an entry of the list of modules this daemon was built with.
type Available struct {
	Name    string
	Flavour Flavour
	New     func() Module
}

// Set is the modules that one configuration loads, in order of loading.
type Set struct {
	available []Available
	prefer    Flavour
	loaded    []Loaded
	byName    map[string]int
}

// Loaded is one module of a Set.
type Loaded struct {
	Name    string
	Flavour Flavour
	Module  Module
	Exports *Exports
	// ParamsSet names the parameters that the configuration set.
	ParamsSet map[string]bool
}

// NewSet makes an empty set that loads from the list given. Until SetPath says
// otherwise the Kamailio flavour is preferred.
func NewSet(available []Available) *Set {
	return &Set{available: available, prefer: Kamailio, byName: make(map[string]int)}
}

// SetPath reads a loadpath (mpath): the first component that ends in modules_s
// or modules_k chooses the flavour that is preferred from here on.
func (s *Set) SetPath(path string) {
	for _, dir := range strings.Split(path, ":") {
		switch dir = strings.TrimRight(dir, "/"); {
		case strings.HasSuffix(dir, "modules_s"):
			s.prefer = SER
			return
		case strings.HasSuffix(dir, "modules_k"):
			s.prefer = Kamailio
			return
		}
	}
}

// ErrLoaded is returned by Load for a module that is loaded already.
var ErrLoaded = errors.New("module is loaded already")

// UnknownModuleError says that the daemon was built without a module. Similar
// is the nearest name that exists, if any; Advice what is known of a module of
// SER or Kamailio, and what does its work here.
type UnknownModuleError struct{ Name, Similar, Advice string }

func (e *UnknownModuleError) Error() string {
	if e.Advice != "" {
		return e.Advice
	}
	msg := fmt.Sprintf("unknown module %q", e.Name)
	if e.Similar != "" {
		msg += fmt.Sprintf("; did you mean %q?", e.Similar)
	}
	return msg
}

// BaseName strips folders and ".so" from what stands in a loadmodule line.
func BaseName(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		path = path[i+1:]
	}
	return strings.TrimSuffix(path, ".so")
}

// Load makes an instance of the module that a loadmodule line names: "tm",
// "tm.so", or a path to it, whose folder may choose the flavour.
func (s *Set) Load(path string) (*Loaded, error) {
	name, prefer := BaseName(path), s.prefer
	if strings.Contains(path, "/modules_s/") || strings.Contains(path, "/ser/modules/") {
		prefer = SER
	} else if strings.Contains(path, "/modules_k/") {
		prefer = Kamailio
	}
	if i, ok := s.byName[name]; ok {
		return &s.loaded[i], ErrLoaded
	}
	var pick *Available
	for i := range s.available {
		if a := &s.available[i]; a.Name == name && (pick == nil || a.Flavour == prefer) {
			pick = a
		}
	}
	if pick == nil {
		return nil, &UnknownModuleError{name, Similar(name, s.Names()), advice(name, s.Names())}
	}
	m := pick.New()
	s.byName[name] = len(s.loaded)
	s.loaded = append(s.loaded, Loaded{
		Name: name, Flavour: pick.Flavour, Module: m, Exports: m.Exports(),
		ParamsSet: make(map[string]bool),
	})
	return &s.loaded[len(s.loaded)-1], nil
}

// Names lists the modules this daemon was built with, sorted, each once.
func (s *Set) Names() []string {
	seen := make(map[string]bool)
	var names []string
	for _, a := range s.available {
		if !seen[a.Name] {
			seen[a.Name] = true
			names = append(names, a.Name)
		}
	}
	sort.Strings(names)
	return names
}

// Available lists the modules this daemon was built with; the list must not be
// changed.
func (s *Set) Available() []Available { return s.available }

// Loaded lists the modules in order of loading.
func (s *Set) Loaded() []Loaded { return s.loaded }

// Get finds a loaded module by name.
func (s *Set) Get(name string) *Loaded {
	if i, ok := s.byName[name]; ok {
		return &s.loaded[i]
	}
	return nil
}

// Function finds a function of a loaded module by name and number of
// arguments. When the name exists with another number, fn is nil and wrong is
// one of that name; when no loaded module has the name, both are nil.
func (s *Set) Function(name string, nargs int) (fn, wrong *Function, owner string) {
	for i := range s.loaded {
		fs := s.loaded[i].Exports.Functions
		for j := range fs {
			if fs[j].Name != name {
				continue
			}
			if lo, hi := fs[j].Arity(); nargs >= lo && (hi < 0 || nargs <= hi) {
				return &fs[j], nil, s.loaded[i].Name
			}
			wrong, owner = &fs[j], s.loaded[i].Name
		}
	}
	return nil, wrong, owner
}

// FunctionNames lists the functions of the loaded modules, for suggestions.
func (s *Set) FunctionNames() []string {
	var names []string
	for i := range s.loaded {
		for _, f := range s.loaded[i].Exports.Functions {
			names = append(names, f.Name)
		}
	}
	return names
}

// WhoExports says which modules that are not loaded have a function of that
// name, for the hint "It needs: loadmodule …".
func (s *Set) WhoExports(function string) []string {
	var names []string
	for _, a := range s.available {
		if _, ok := s.byName[a.Name]; ok {
			continue
		}
		for _, f := range a.New().Exports().Functions {
			if f.Name == function {
				names = append(names, a.Name)
				break
			}
		}
	}
	return names
}

// Arity is the least and the largest number of arguments; hi is -1 when there
// is no upper bound.
func (f *Function) Arity() (lo, hi int) {
	hi = len(f.Args)
	lo = hi
	for i, a := range f.Args {
		if a.Optional {
			lo = min(lo, i)
		}
		if a.Rest {
			lo, hi = min(lo, i), -1
		}
	}
	return lo, hi
}

// SetParam applies one modparam. pattern is anchored to whole module names
// ("a|b" sets several). All that matches must have the parameter.
func (s *Set) SetParam(pattern, param string, v run.Value) error {
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return fmt.Errorf("module pattern %q: %w", pattern, err)
	}
	matched := false
	for i := range s.loaded {
		l := &s.loaded[i]
		if !re.MatchString(l.Name) {
			continue
		}
		matched = true
		if err := l.setParam(param, v); err != nil {
			return err
		}
	}
	if !matched {
		hint := ""
		for _, a := range s.available {
			if re.MatchString(a.Name) {
				hint = fmt.Sprintf("; put loadmodule \"%s.so\" before this line", a.Name)
				break
			}
		}
		return fmt.Errorf("no loaded module matches %q%s", pattern, hint)
	}
	return nil
}

func (l *Loaded) setParam(name string, v run.Value) error {
	for i := range l.Exports.Params {
		p := &l.Exports.Params[i]
		if p.Name != name {
			continue
		}
		l.ParamsSet[name] = true
		if err := p.Set(v); err != nil {
			return fmt.Errorf("parameter %q of module %s: %w", name, l.Name, err)
		}
		return nil
	}
	names := make([]string, 0, len(l.Exports.Params))
	for _, p := range l.Exports.Params {
		names = append(names, p.Name)
	}
	msg := fmt.Sprintf("module %s has no parameter %q", l.Name, name)
	if sim := Similar(name, names); sim != "" {
		msg += fmt.Sprintf("; did you mean %q?", sim)
	}
	return errors.New(msg)
}

// Set assigns a value as one modparam line does.
func (p *Param) Set(v run.Value) error {
	switch t := p.Value.(type) {
	case *int:
		n, err := p.number(v)
		if err == nil {
			*t = n
		}
		return err
	case *bool:
		n, err := p.number(v)
		if err == nil {
			*t = n != 0
		}
		return err
	case *string:
		*t = v.Text()
	case *[]string:
		*t = append(*t, v.Text())
	case *cfg.Int:
		n, err := p.number(v)
		if err != nil {
			return err
		}
		if (t.Min != 0 || t.Max != 0) && (n < t.Min || n > t.Max) {
			return fmt.Errorf("%d is out of range %d..%d", n, t.Min, t.Max)
		}
		t.Default = n
	case *cfg.Str:
		t.Default = v.Text()
	case func(int) error:
		n, err := p.number(v)
		if err != nil {
			return err
		}
		return t(n)
	case func(string) error:
		return t(v.Text())
	default:
		return fmt.Errorf("its declaration has an unknown type %T", p.Value)
	}
	return nil
}

func (p *Param) number(v run.Value) (int, error) {
	if v.IsStr() {
		if _, ok := run.ParseInt(v.Text()); !ok || v.Text() == "" {
			return 0, fmt.Errorf("wants a number, not %q", v.Text())
		}
	}
	n := v.Int()
	if (p.Min != 0 || p.Max != 0) && (n < p.Min || n > p.Max) {
		return 0, fmt.Errorf("%d is out of range %d..%d", n, p.Min, p.Max)
	}
	return n, nil
}

// Similar finds the name nearest to a misspelt one: at most a third of its
// letters away, else "".
func Similar(name string, names []string) string {
	best, dist := "", len(name)/3+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < dist {
			best, dist = n, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, changes and swaps of
// neighbours that lead from a to b.
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
