// Package textopsx is the module that makes pending edits visible to the rest
// of the script.
package textopsx

import (
	"context"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

type textopsx struct{}

// New makes the module.
func New() module.Module { return textopsx{} }

// Exports lists what the module brings.
func (textopsx) Exports() *module.Exports {
	return &module.Exports{
		Name: "textopsx",
		Help: "apply pending edits at once",
		Functions: []module.Function{{
			Name: "msg_apply_changes", Help: "rebuild the message with all edits and the new request URI, so that the script sees them",
			In: run.RequestRoute | run.CoreReplyRoute, New: newApply,
		}},
	}
}

// Init has nothing to do.
func (textopsx) Init(context.Context, *module.Host) error { return nil }

// newApply compiles msg_apply_changes: the message is printed and parsed
// again. As in Kamailio the request URI of the new message is the current one.
// Once there is a transaction the message belongs to it and stays.
func newApply(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if c.Tx != nil {
			return -1
		}
		text := string(c.Msg.AppendTo(nil, &sip.PrintOptions{RequestURI: c.Main.URI}, &c.Msg.Edits))
		next := new(sip.Message)
		if next.Parse(text) != nil {
			return -1
		}
		c.Msg = next
		if c.Main.URI != "" {
			isNew := c.RURINew
			c.RevertRURI()
			c.RURINew = isNew
		}
		return 1
	}, nil
}
