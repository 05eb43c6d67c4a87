package jsonrpcs

import (
	"context"
	"errors"
	"io"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/web"
	"sipd/rpc"
)

func (m *jsonrpcs) newDispatch(module.Args) (run.Func, error) {
	if !m.serves(overHTTP) {
		return nil, errors.New(`jsonrpc_dispatch() needs HTTP among the transports: modparam("jsonrpcs", "transport", 7)`)
	}
	return func(c *run.Context) int {
		r := web.Of(c)
		if r == nil || r.Answered() {
			return -1
		}
		who := r.Caller(c, m.guard, m.policy, m.most)
		if who == nil {
			return -1
		}
		begun := false
		done := m.server.Answer(context.Background(), who, []byte(r.Body), func(status int, reason string) io.Writer { // the script's run has no context
			begun = true
			return r.Start(c, status, reason, contentType)
		})
		if !begun { // a notification
			r.Start(c, 204, "No Content", "")
		}
		err := r.End()
		if done != nil {
			done()
		}
		if err != nil {
			return -1
		}
		return 1
	}, nil
}

// result is the answer to jsonrpc_exec.
type result struct {
	code       int
	text, body string
}

func (m *jsonrpcs) newExec(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		r := &result{code: 204, text: "No Content"}
		var body strings.Builder
		done := m.server.Answer(context.Background(), rpc.Trusted("script"), []byte(a.Str(c, 0)), func(status int, reason string) io.Writer {
			r.code, r.text = status, reason
			return &body
		})
		r.body = body.String()
		c.Slots[m.slot] = r
		if done != nil {
			done()
		}
		return 1
	}, nil
}

func (m *jsonrpcs) newResult(n *pv.Name) (pv.Var, error) {
	var get func(*result) run.Value
	switch n.Inner {
	case "code":
		get = func(r *result) run.Value { return run.Int(r.code) }
	case "text":
		get = func(r *result) run.Value { return run.Str(r.text) }
	case "body":
		get = func(r *result) run.Value { return run.Str(r.body) }
	default:
		return pv.Var{}, errors.New("$jsonrpl has code, text and body")
	}
	return pv.Var{Get: func(c *run.Context) run.Value {
		if r, ok := c.Slots[m.slot].(*result); ok {
			return get(r)
		}
		return run.Null
	}}, nil
}
