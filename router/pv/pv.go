// Package pv evaluates what the script calls variables: pseudo-variables
// ($ru), attributes ($avp, $f.x), selects (@from.uri), transformations
// ({uri.user}) and the format strings that hold them. Everything is compiled
// when the configuration is read; what is left for a message is a call of a
// closure. Modules add their own by [Def], [SelectDef] and [TransDef].
package pv

import (
	"fmt"

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
	// Append writes the value into a format without making a string of it; nil
	// when Get is as good.
	Append func(dst []byte, c *run.Context) []byte
	// Const is set when the value never changes.
	Const bool
	// Quiet is set for variables with transformations: a format prints their
	// undefined value as nothing, not as "<null>".
	Quiet bool
	// Attr is set for attributes ($avp, $f.x): the list and name behind them.
	Attr *Attr
}

// Attr says which attribute a variable is.
type Attr struct {
	// Class is where writes go and Kamailio's reads look.
	Class run.AVPClass
	// Search lists the classes that a SER read looks through, in order.
	Search []run.AVPClass
	// Name is the attribute's name; Eval computes it when it is dynamic.
	Name run.AVPName
	Eval Getter
	// List is set for a whole list ("$fd").
	List bool
}

// Name is the parsed $name(inner)[index] that a Def compiles.
type Name struct {
	// Reg is the registry that compiles it, for variables in the inner name.
	Reg *Registry
	// Class is the name before the parenthesis: "avp" of $avp(x).
	Class string
	// Inner is the text in parentheses as written, HasInner says there were any.
	Inner    string
	HasInner bool
	// InnerEval evaluates Inner when it holds variables ($hdr($var(h))), else
	// nil. Defs with RawInner do not get it.
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
	// and index; SimpleSet and SimpleAppend are the Var's Set and Append.
	Simple       Getter
	SimpleSet    Setter
	SimpleAppend func(dst []byte, c *run.Context) []byte
	// RawInner leaves the inner name to New: it is not a format.
	RawInner bool
}

// SelectDef defines selects that start with Name ("from", "tm").
type SelectDef struct {
	Name string
	Help string
	// New compiles the parts behind the name; parts[0] is the name itself with
	// its index. What is left over when a value is a name-addr or a URI can be
	// compiled with Drill.
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

// Transform changes a value; run.Null comes in for undefined values.
type Transform func(*run.Context, run.Value) run.Value

// TransDef defines a class of transformations: {Class.member,args…}.
type TransDef struct {
	Class string
	Help  string
	// New compiles one use; it reads the arguments it wants from a.
	New func(member string, a *TransArgs) (Transform, error)
}

// Error is what a parser of this package found wrong, at octet Off of what it
// was given.
type Error struct {
	Off  int
	Msg  string
	Hint string
}

func (e *Error) Error() string {
	if e.Hint != "" {
		return e.Msg + "; " + e.Hint
	}
	return e.Msg
}

func errf(off int, format string, a ...any) *Error {
	return &Error{Off: off, Msg: fmt.Sprintf(format, a...)}
}

func (e *Error) hint(format string, a ...any) *Error {
	e.Hint = fmt.Sprintf(format, a...)
	return e
}

// at moves an error of a part that starts at off into the whole; other errors
// are wrapped.
func at(off int, err error) *Error {
	if e, ok := err.(*Error); ok {
		return &Error{Off: e.Off + off, Msg: e.Msg, Hint: e.Hint}
	}
	return &Error{Off: off, Msg: err.Error()}
}
