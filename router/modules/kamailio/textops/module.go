// Package textops is the module that reads and edits messages as text: headers
// and bodies are searched, replaced, added and removed. A change is an edit of
// the received octets, made when the message is sent; what the script reads
// afterwards is still the message as it came (msg_apply_changes of textopsx is
// the exception).
package textops

import (
	"context"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

type textops struct {
	vars *pv.Registry
}

// New makes the module.
func New() module.Module { return new(textops) }

// Exports lists what the module brings.
func (x *textops) Exports() *module.Exports {
	e := &module.Exports{
		Name:  "textops",
		Help:  "search and edit headers and bodies",
		Trans: []pv.TransDef{{Class: "re", Help: "regular expressions: {re.subst,/pattern/replacement/flags}", New: newReTrans}},
	}
	e.Functions = append(e.Functions, x.searchFunctions()...)
	e.Functions = append(e.Functions, x.headerFunctions()...)
	e.Functions = append(e.Functions, x.variableFunctions()...)
	e.Functions = append(e.Functions, x.textFunctions()...)
	e.Functions = append(e.Functions, x.bodyFunctions()...)
	e.Functions = append(e.Functions, x.testFunctions()...)
	return e
}

// Init keeps the registry: replacement texts hold variables.
func (x *textops) Init(_ context.Context, h *module.Host) error {
	x.vars = h.Vars
	return nil
}

// editable are the blocks in which a message can be changed.
const editable = run.RequestRoute | run.ReplyRoute | run.CoreReplyRoute | run.FailureRoute | run.BranchRoute | run.OnSendRoute

// Shorthands for the tables of functions.
func format(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgFormat} }
func regexArg() module.Arg          { return module.Arg{Name: "regex", Type: module.ArgRegex} }
func constant(name string) module.Arg {
	return module.Arg{Name: name, Type: module.ArgConst}
}

func optional(a module.Arg) module.Arg {
	a.Optional = true
	return a
}

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}
