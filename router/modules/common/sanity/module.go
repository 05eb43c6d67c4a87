// Package sanity is the module that tells broken requests from sound ones before
// the script works on them, and answers them.
package sanity

import (
	"context"
	"errors"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

type sanity struct {
	checks    int
	uriChecks int
	require   string
	autodrop  int
	noreply   int

	extensions []string
	hooks      *module.Hooks
	slot       int // in Context.Slots: the *fault that sanity_reply sends
}

// New makes the module; it is what the list of modules names.
func New() module.Module { return &sanity{checks: 3047, uriChecks: 7, autodrop: 1, slot: -1} }

// Exports lists what the module brings.
func (s *sanity) Exports() *module.Exports {
	in := run.RequestRoute | run.ReplyRoute | run.CoreReplyRoute
	return &module.Exports{
		Name: "sanity",
		Help: "checks messages for what RFC 3261 demands",
		Params: []module.Param{
			{Name: "default_checks", Help: "checks made by sanity_check(), a sum of bits", Value: &s.checks, Max: allChecks},
			{Name: "uri_checks", Help: "URIs looked at: 1 request URI, 2 From, 4 To, 8 Contact", Value: &s.uriChecks, Max: 15},
			{Name: "proxy_require", Help: "extensions that Proxy-Require may name, with commas between them", Value: &s.require},
			{Name: "autodrop", Help: "1 ends the script when a check fails, 0 answers -1", Value: &s.autodrop, Max: 1},
			{Name: "noreply", Help: "1 leaves the reply to sanity_reply()", Value: &s.noreply, Max: 1},
		},
		Functions: []module.Function{
			{
				Name: "sanity_check", Help: "check the message; a request that fails is answered",
				Args: []module.Arg{
					{Name: "checks", Type: module.ArgInt, Optional: true},
					{Name: "uri_checks", Type: module.ArgInt, Optional: true},
				},
				In: in, New: s.newCheck,
			},
			{Name: "sanity_reply", Help: "send the reply that the failed check asks for, where noreply is 1", In: in, New: s.newReply},
		},
		Needs: []string{"sl"},
	}
}

// Init takes the list of extensions apart.
func (s *sanity) Init(_ context.Context, h *module.Host) error {
	for _, e := range strings.Split(s.require, ",") {
		if e = strings.TrimSpace(e); e != "" {
			s.extensions = append(s.extensions, e)
		}
	}
	s.hooks = h.Hooks
	if s.noreply != 0 {
		s.slot = h.Env.NewSlot()
	}
	return nil
}

func (s *sanity) newCheck(a module.Args) (run.Func, error) {
	for i, limit := range []int{allChecks, 15} {
		if a.Has(i) && a[i].IsConst {
			if n := a[i].Const.Int(); n < 0 || n > limit {
				return nil, &module.ArgError{I: i, Err: errors.New("not a sum of the checks there are")}
			}
		}
	}
	return func(c *run.Context) int {
		f := check(c, a.Int(c, 0, s.checks), a.Int(c, 1, s.uriChecks), s.extensions)
		if f == nil {
			return 1
		}
		if s.noreply != 0 {
			c.Slots[s.slot] = f
		} else {
			s.reply(c, f)
		}
		if s.autodrop != 0 {
			return 0
		}
		return -1
	}, nil
}

func (s *sanity) newReply(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if s.slot < 0 {
			return 1 // the check has replied
		}
		f, ok := c.Slots[s.slot].(*fault)
		if !ok || !s.reply(c, f) {
			return -1
		}
		c.Slots[s.slot] = nil
		return 1
	}, nil
}

// reply answers a request through its transaction where there is one; replies
// and ACKs are not answered.
func (s *sanity) reply(c *run.Context, f *fault) bool {
	if !c.Msg.IsRequest() || c.Msg.Method() == sip.ACK {
		return true
	}
	c.ReplyExtra += f.extra
	if s.hooks.Stateful != nil {
		if done, err := s.hooks.Stateful(c, f.code, f.reason); done {
			return err == nil
		}
	}
	return s.hooks.Stateless != nil && s.hooks.Stateless(c, f.code, f.reason) == nil
}
