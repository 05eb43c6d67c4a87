package pv

import (
	"sipd/router/module"
	"sipd/router/run"
)

// staticFunctions work on $sbranch, a branch that the script puts together.
func staticFunctions() []module.Function {
	in := run.RequestRoute | run.FailureRoute | run.BranchRoute
	function := func(name, help string, f func(c *run.Context) int) module.Function {
		return module.Function{Name: name, Help: help, In: in, New: func(module.Args) (run.Func, error) { return f, nil }}
	}
	return []module.Function{
		function("sbranch_append", "add $sbranch to the fork set", func(c *run.Context) int {
			if c.Static == nil || c.Static.URI == "" || !c.AddBranch(*c.Static) {
				return -1
			}
			return 1
		}),
		function("sbranch_set_ruri", "make $sbranch the request URI, with its next hop, path, socket and flags", func(c *run.Context) int {
			if c.Static == nil || c.Static.URI == "" {
				return -1
			}
			c.SetRURI(c.Static.URI)
			c.Main, c.SendSock = *c.Static, c.Static.Sock
			return 1
		}),
		function("sbranch_reset", "forget $sbranch", func(c *run.Context) int {
			c.Static = nil
			return 1
		}),
	}
}
