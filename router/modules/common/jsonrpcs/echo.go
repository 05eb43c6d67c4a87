package jsonrpcs

import (
	"context"

	"sipd/rpc"
)

// echoMethod is the elders' method for trying a client: it answers a text and
// a number that it was given.
func echoMethod() *rpc.Method {
	return &rpc.Method{
		Name: "jsonrpc.echo", Help: "Answers a text and a number as they came.", List: true,
		Params:  []rpc.Param{{Name: "text", Type: rpc.TString, Optional: true}, {Name: "number", Type: rpc.TInt, Optional: true}},
		Reply:   "string, then int",
		Example: "abc 5",
		Handler: func(_ context.Context, c *rpc.Call) error {
			if c.Has(0) {
				c.Add(rpc.String(c.Str(0)))
			}
			if c.Has(1) {
				c.Add(rpc.Int(c.Int(1)))
			}
			return nil
		},
	}
}
