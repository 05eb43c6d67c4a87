package socket

import (
	"context"

	"sipd/rpc"
)

// LoginMethod is the RPC method by which a connection shows a token.
func LoginMethod() *rpc.Method {
	return &rpc.Method{
		Name: "ctl.login", Public: true,
		Help:    "Shows a token: the rest of the connection has the role of its credential. Answers name and role.",
		Params:  []rpc.Param{{Name: "token", Type: rpc.TString, Convert: true, Secret: true}},
		Handler: login,
	}
}

func login(_ context.Context, c *rpc.Call) error {
	if c.Caller == nil || c.Caller.Login == nil {
		return &rpc.Fault{Code: 403, Text: "tokens are not taken here: they would cross the network in the clear; use TLS"}
	}
	if !c.Caller.Login(c.Caller, c.Str(0)) {
		return &rpc.Fault{Code: 401, Text: "no credential has this token"}
	}
	c.Add(rpc.String(c.Caller.Name), rpc.String(c.Caller.Role.String()))
	return nil
}
