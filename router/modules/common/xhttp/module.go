// Package xhttp is the module that runs event_route[xhttp:request] for HTTP
// requests on the SIP port.
package xhttp

import (
	"context"
	"fmt"
	"io"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/web"
)

// requestRoute is the block that runs for each request.
const requestRoute = "xhttp:request"

// New makes the module; it is what the list of modules names.
func New() module.Module { return new(xhttp) }

type xhttp struct {
	match, skip string // regular expressions on the URL

	matchRE, skipRE *regex.Regexp
	env             *run.Env
}

// Exports lists what the module brings.
func (x *xhttp) Exports() *module.Exports {
	return &module.Exports{
		Name: "xhttp",
		Help: "runs event_route[xhttp:request] for HTTP requests on the SIP port",
		Params: []module.Param{
			{Name: "url_match", Help: "only URLs that match this regular expression", Value: &x.match, Check: x.check},
			{Name: "url_skip", Help: "no URLs that match this regular expression", Value: &x.skip, Check: x.check},
		},
		Functions: []module.Function{{
			Name: "xhttp_reply", Help: "answer the HTTP request", In: run.EventRoute | run.RequestRoute,
			Args: []module.Arg{
				{Name: "code", Type: module.ArgInt},
				{Name: "reason", Type: module.ArgFormat},
				{Name: "content_type", Type: module.ArgFormat},
				{Name: "body", Type: module.ArgFormat},
			},
			New: newReply,
		}},
		Vars: []pv.Def{{Name: "hu", Help: "URL of the HTTP request", Simple: url}},
	}
}

func (x *xhttp) check() (err error) {
	if x.match != "" {
		if x.matchRE, err = regex.Compile(x.match, 0); err != nil {
			return fmt.Errorf("url_match: %w", err)
		}
	}
	if x.skip != "" {
		if x.skipRE, err = regex.Compile(x.skip, 0); err != nil {
			return fmt.Errorf("url_skip: %w", err)
		}
	}
	return nil
}

// Init takes the place where HTTP requests are seen.
func (x *xhttp) Init(_ context.Context, h *module.Host) error {
	if err := x.check(); err != nil {
		return err
	}
	x.env = h.Env
	h.Hooks.HTTP = append(h.Hooks.HTTP, x.request)
	return nil
}

// request runs the event route. A request that the route does not answer is
// dropped: its connection is closed.
func (x *xhttp) request(c *run.Context) bool {
	r := web.Of(c)
	if r == nil || x.skipRE != nil && x.skipRE.Match(r.URL) || x.matchRE != nil && !x.matchRE.Match(r.URL) {
		return false
	}
	b := x.env.Block(run.EventRoute, requestRoute)
	if b == nil {
		return false
	}
	c.Route, c.RouteName = run.EventRoute, requestRoute
	b.Run(c)
	return true
}

func url(c *run.Context) run.Value {
	if r := web.Of(c); r != nil {
		return run.Str(r.URL)
	}
	return run.Null
}

func newReply(a module.Args) (run.Func, error) {
	if a[0].IsConst {
		if code := a[0].Const.Int(); code < 100 || code > 999 {
			return nil, &module.ArgError{I: 0, Err: fmt.Errorf("an HTTP status is between 100 and 999, not %s", a[0].Const.Text())}
		}
	}
	return func(c *run.Context) int {
		r := web.Of(c)
		code := a.Int(c, 0, 0)
		if r == nil || code < 100 || code > 999 {
			return -1
		}
		w := r.Start(c, code, a.Str(c, 1), a.Str(c, 2))
		if w == nil {
			return -1
		}
		_, _ = io.WriteString(w, a.Str(c, 3))
		if r.End() != nil {
			return -1
		}
		return 1
	}, nil
}
