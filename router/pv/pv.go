// Package pv evaluates what the script calls variables: pseudo-variables
// ($ru), attributes ($avp, $f.x), selects (@from.uri), transformations
// ({uri.user}) and the format strings that hold them. Modules add their own by
// Def, SelectDef and TransDef.
package pv

import (
	"sipd/router/run"
)

// Getter reads a variable.
type Getter func(*run.Context) run.Value

// Setter writes a variable; run.Null deletes or resets it. It answers false
// when the value cannot be taken (the script logs and goes on).
type Setter func(*run.Context, run.Value) bool

// Var is a compiled variable: name, inner name, index and transformations are
// bound at load.
type Var struct {
	// Name is the text as written, for messages.
	Name string
	Get  Getter
	// Set is nil for read-only variables and for those with transformations.
	Set Setter
	// Const is set when the value never changes.
	Const bool
}

// Name is the parsed $name(inner)[index] that a Def compiles.
type Name struct {
	// Class is the name before the parenthesis: "avp" of $avp(x).
	Class string
	// Inner is the text in parentheses as written, HasInner says there were any.
	Inner    string
	HasInner bool
	// InnerEval evaluates Inner when it holds variables ($hdr($var(h))), else nil.
	InnerEval Getter
	// Index is a number, IndexAll for [*]; HasIndex says it was written.
	// IndexEval is set when the index is a variable.
	Index     int
	IndexAll  bool
	HasIndex  bool
	IndexEval Getter
}

// Def defines a pseudo-variable class.
type Def struct {
	Name string
	Help string
	// New compiles one use.
	New func(n *Name) (Var, error)
	// Simple may be given instead of New for a variable without inner name
	// and index.
	Simple    Getter
	SimpleSet Setter
}

// SelectDef defines selects that start with Name ("from", "tm").
type SelectDef struct {
	Name string
	Help string
	// New compiles the parts behind the name.
	New func(parts []SelectPart) (Getter, error)
}

// SelectPart is one .name[index] of a select.
type SelectPart struct {
	Name     string
	Index    int
	Key      string // ["key"]
	HasIndex bool
	HasKey   bool
}

// TransDef defines a class of transformations: {Class.member,args…}.
type TransDef struct {
	Class string
	Help  string
	// New compiles one use; args are constants or variables.
	New func(member string, args []Getter, text []string) (func(*run.Context, run.Value) run.Value, error)
}
