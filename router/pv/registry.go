package pv

import (
	"fmt"
	"slices"
	"strings"

	"sipd/router/run"
)

// Registry knows every variable, select and transformation that a
// configuration may use. It is filled while modules are loaded and only read
// afterwards.
type Registry struct {
	vars    map[string]*Def
	selects map[string]*SelectDef
	trans   map[string]*TransDef

	// xl are the %-specifiers of two letters.
	xl map[string]Var

	// slots are the indexes of $var names in Context.ScriptVars.
	slots map[string]int

	// presets are the start values of $var names.
	presets map[string]run.Value

	// Seen is told each variable that is compiled; nil mostly. A debugger sets
	// it to know what a configuration uses.
	Seen func(Var)

	// Authorized is who sent the message by the credentials that were accepted;
	// nil where no module checks any.
	Authorized func(c *run.Context) (user, realm string, ok bool)

	// Define answers what a name is defined as in the preprocessor, for $def;
	// nil knows none.
	Define func(name string) (text string, ok bool)

	// Flag is the number of a flag that the configuration gave a name; nil knows
	// none.
	Flag func(name string) (n int, ok bool)

	// Version is what $version tells.
	Version Version

	// Elsewhere answers in which module a missing variable, select or
	// transformation is to be found, for the hint of an error; nil or ""
	// when nobody knows. kind is "$", "@" or "{".
	Elsewhere func(kind, name string) string
}

// NewRegistry makes a registry with what needs no module: $null, $rc and its
// other names, $_s, $def, $env, and the core's selects.
func NewRegistry() *Registry {
	r := &Registry{
		vars:    make(map[string]*Def),
		selects: make(map[string]*SelectDef),
		trans:   make(map[string]*TransDef),
		slots:   make(map[string]int),
		xl:      makeXLVars(),
	}
	for _, d := range builtinVars() {
		r.vars[d.Name] = &d
	}
	for _, d := range coreSelects(r) {
		r.selects[d.Name] = &d
	}
	return r
}

// AddVar adds a variable; a name that is taken is an error.
func (r *Registry) AddVar(d Def) error {
	if _, ok := r.vars[d.Name]; ok {
		return fmt.Errorf("variable $%s is defined twice", d.Name)
	}
	if d.New == nil && d.Simple == nil {
		return fmt.Errorf("variable $%s has no getter", d.Name)
	}
	r.vars[d.Name] = &d
	return nil
}

// AddSelect adds a select; a name that is taken is an error.
func (r *Registry) AddSelect(d SelectDef) error {
	if _, ok := r.selects[d.Name]; ok {
		return fmt.Errorf("select @%s is defined twice", d.Name)
	}
	r.selects[d.Name] = &d
	return nil
}

// AddTrans adds a transformation class; a name that is taken is an error.
func (r *Registry) AddTrans(d TransDef) error {
	if _, ok := r.trans[d.Class]; ok {
		return fmt.Errorf("transformation {%s.…} is defined twice", d.Class)
	}
	r.trans[d.Class] = &d
	return nil
}

// Has says whether there is a pseudo-variable class of that name: the rule
// that tells a bare $name from an attribute when no flavour is chosen.
func (r *Registry) Has(name string) bool {
	_, ok := r.vars[name]
	return ok
}

// HasSelect says whether there is a select that starts with name.
func (r *Registry) HasSelect(name string) bool {
	_, ok := r.selects[strings.ToLower(name)]
	return ok
}

// Names lists the pseudo-variables, sorted.
func (r *Registry) Names() []string { return sortedKeys(r.vars) }

// SelectNames lists the selects, sorted.
func (r *Registry) SelectNames() []string { return sortedKeys(r.selects) }

// TransNames lists the transformation classes, sorted.
func (r *Registry) TransNames() []string { return sortedKeys(r.trans) }

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Preset gives a $var its start value, before variables are compiled.
func (r *Registry) Preset(name string, v run.Value) {
	if r.presets == nil {
		r.presets = make(map[string]run.Value)
	}
	r.presets[name] = v
}

// slot is the index of a script variable in Context.ScriptVars.
func (r *Registry) slot(key string) int {
	i, ok := r.slots[key]
	if !ok {
		i = len(r.slots)
		r.slots[key] = i
	}
	return i
}

// ScriptVars lists the $var names in use by index.
func (r *Registry) ScriptVars() []string {
	names := make([]string, len(r.slots))
	for n, i := range r.slots {
		names[i] = n
	}
	return names
}

// ScriptVar is $var(name) where the configuration uses it; ok is false for a name
// that it does not.
func (r *Registry) ScriptVar(name string) (v Var, ok bool) {
	if _, ok = r.slots[name]; !ok {
		return Var{}, false
	}
	v, err := newScriptVar(&Name{Class: "var", Inner: name, HasInner: true, Reg: r})
	return v, err == nil
}

// elsewhere is the hint for something missing.
func (r *Registry) elsewhere(kind, name string, names []string) string {
	if r.Elsewhere != nil {
		if m := r.Elsewhere(kind, name); m != "" {
			return fmt.Sprintf("it needs: loadmodule %q", m+".so")
		}
	}
	if kind == "$" && !r.Has("ru") && slices.ContainsFunc(CoreVars(), func(d Def) bool { return d.Name == name }) {
		return `it needs: loadmodule "pv.so"`
	}
	if s := similar(name, names); s != "" {
		return fmt.Sprintf("did you mean %s%s?", kind, s)
	}
	return ""
}

// similar is the name nearest to a misspelt one: one change in short names,
// else a third of the letters.
func similar(name string, names []string) string {
	best, dist := "", max(len(name)/3, 1)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < dist && d < len(name) {
			best, dist = n, d
		}
	}
	return best
}

// distance counts the insertions, deletions and changes from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag = row[j]
			row[j] = min(row[j]+1, row[j-1]+1, cost)
		}
	}
	return row[len(b)]
}

// fixed makes a Getter of a value that never changes.
func fixed(v run.Value) Getter { return func(*run.Context) run.Value { return v } }
