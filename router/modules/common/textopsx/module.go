// Package textopsx is the module with the less usual ways of editing messages:
// pending edits are made visible to the rest of the script, headers and lines of
// the body are walked through one by one, values within headers are changed, and
// replies get another status.
package textopsx

import (
	"context"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

type textopsx struct {
	slot int // of the iterators of a message
}

// New makes the module.
func New() module.Module { return new(textopsx) }

// Exports lists what the module brings.
func (x *textopsx) Exports() *module.Exports {
	re := module.Arg{Name: "regex", Type: module.ArgRegex, Optional: true}
	code := module.Arg{Name: "code", Type: module.ArgInt}
	replies := run.ReplyRoute | run.CoreReplyRoute
	flags := format("flags")
	flags.Optional = true
	e := &module.Exports{
		Name: "textopsx",
		Help: "apply pending edits at once; walk through headers and lines of the body; change the status of replies",
		Vars: []pv.Def{
			{Name: "hfitname", Help: "$hfitname(n): name of the header at which iterator n stands", RawInner: true, New: x.newHeaderVar((*sipMessage).Name)},
			{Name: "hfitbody", Help: "$hfitbody(n): value of the header at which iterator n stands", RawInner: true, New: x.newHeaderVar((*sipMessage).Value)},
			{Name: "blitval", Help: "$blitval(n): line of the body at which iterator n stands, with its line end", RawInner: true, New: x.newLineVar},
		},
		Functions: []module.Function{
			{
				Name: "msg_apply_changes", Help: "rebuild the message with all edits and the new request URI, so that the script sees them",
				In: run.RequestRoute | run.CoreReplyRoute, New: newApply,
			},
			{
				Name: "msg_set_buffer", Help: "put another message, given as its whole text, in the place of this one", Args: []module.Arg{format("message")},
				In: run.RequestRoute | run.CoreReplyRoute, New: newSetBuffer,
			},
			{Name: "change_reply_status", Help: "change status code and reason of a reply; 1xx and 2xx keep their class", Args: []module.Arg{code, format("reason")}, In: replies, New: newChangeStatus},
			{Name: "change_reply_status_code", Help: "change the status code of a reply; 1xx and 2xx keep their class", Args: []module.Arg{code}, In: replies, New: newChangeCode},
			{Name: "remove_body", Help: "remove the body; its Content-Type stays", In: editable, New: newRemoveBody},
			{Name: "keep_hf", Help: "remove all headers but those that SIP cannot do without and those whose name matches; answers -1", Args: []module.Arg{re}, In: editable, New: newKeepHF},
			{Name: "fnmatch", Help: `true when a text matches a pattern of the shell's form; flag "i" for any case`, Args: []module.Arg{format("text"), format("pattern"), flags}, In: run.AnyRoute, New: newFnmatch},
		},
	}
	e.Functions = append(e.Functions, valueFunctions()...)
	e.Functions = append(e.Functions, x.iteratorFunctions()...)
	return e
}

// Init gets the place where the iterators of a message are kept.
func (x *textopsx) Init(_ context.Context, h *module.Host) error {
	x.slot = h.Env.NewSlot()
	return nil
}

// editable are the blocks in which a message can be changed.
const editable = run.RequestRoute | run.ReplyRoute | run.CoreReplyRoute | run.FailureRoute | run.BranchRoute | run.OnSendRoute

func format(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgFormat} }

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}
