package presence

import (
	"context"
	"slices"
	"strings"

	events "sipd/router/presence"
	"sipd/rpc"
)

func fault(text string) *rpc.Fault { return &rpc.Fault{Code: 500, Text: text} }

func (m *mod) methods() []*rpc.Method {
	s := func(name string, optional bool) rpc.Param {
		return rpc.Param{Name: name, Type: rpc.TString, Convert: true, Optional: optional}
	}
	few := fault("Not enough parameters")
	return []*rpc.Method{
		{
			Name: "presence.cleanup", Help: "Removes what ended: states, subscriptions and watchers.", Changes: true,
			Handler: m.library0(func(ctx context.Context, c *rpc.Call) error {
				m.clean(ctx)
				m.update(ctx)
				c.Add(rpc.Text("Reload OK"))
				return nil
			}),
		},
		{
			Name: "presence.refreshWatchers", Help: "Tells the watchers of a presentity: type 0 looks at the rules again, 1 sends the state again, 2 reads a document that stands for it first.", Changes: true,
			Params:    []rpc.Param{s("presentity", false), s("event", false), {Name: "type", Type: rpc.TInt}, s("file_uri", true), s("file_name", true)},
			BadParams: few, Handler: m.library0(m.rpcRefresh),
		},
		{
			Name: "presence.updateWatchers", Help: "Looks at the rules of a presentity again, and tells the watchers for whom they changed.", Changes: true,
			Params: []rpc.Param{s("presentity", false), s("event", false)}, BadParams: few,
			Handler: m.library0(func(ctx context.Context, c *rpc.Call) error {
				if err := named(c); err != nil {
					return err
				}
				if err := m.updateWatchers(ctx, c.Str(0), c.Str(1)); err != nil {
					m.warn("watchers not updated", err)
					return fault("Processing error")
				}
				return nil
			}),
		},
		{
			Name: "presence.presentity_list", Help: "Lists the published states that are in memory (publ_cache 2).", List: true,
			Params: []rpc.Param{s("mode", true)},
			Handler: func(_ context.Context, c *rpc.Call) error {
				m.listStates(c, c.Str(0) == "full", func(*published) bool { return true })
				return nil
			},
		},
		{
			Name: "presence.presentity_show", Help: "Shows the published states of a user that are in memory.", List: true,
			Params: []rpc.Param{s("mode", false), s("user", false), s("domain", false)}, BadParams: few,
			Handler: func(_ context.Context, c *rpc.Call) error {
				full, err := mode(c)
				if err != nil {
					return err
				}
				m.listStates(c, full, func(p *published) bool { return p.user == c.Str(1) && p.domain == c.Str(2) })
				return nil
			},
		},
		{
			Name: "presence.watcher_list", Help: "Lists the subscriptions to a presentity.", List: true,
			Params: []rpc.Param{s("mode", false), s("presentity", false)}, BadParams: few,
			Handler: m.library0(m.listSubs),
		},
	}
}

// library0 is a handler that needs what is kept.
func (m *mod) library0(f func(context.Context, *rpc.Call) error) func(context.Context, *rpc.Call) error {
	return func(ctx context.Context, c *rpc.Call) error {
		if m.library || m.s == nil {
			return fault("the module has no database")
		}
		return f(ctx, c)
	}
}

func named(c *rpc.Call) error {
	switch {
	case c.Str(0) == "":
		return fault("Empty presentity URI")
	case c.Str(1) == "":
		return fault("Empty event parameter")
	}
	return nil
}

func (m *mod) rpcRefresh(ctx context.Context, c *rpc.Call) error {
	if err := named(c); err != nil {
		return err
	}
	if c.Int(2) == 2 {
		switch {
		case c.Len() < 5:
			return fault("No file uri or name parameters")
		case c.Str(3) == "":
			return fault("Empty file uri parameter")
		case c.Str(4) == "":
			return fault("Empty file name parameter")
		}
	}
	if err := m.refreshWatchers(ctx, c.Str(0), c.Str(1), c.Int(2), c.Str(3), c.Str(4)); err != nil {
		m.warn("watchers not refreshed", err)
		return fault("Execution failed")
	}
	return nil
}

func mode(c *rpc.Call) (full bool, err error) {
	switch c.Str(0) {
	case "full":
		return true, nil
	case "basic":
		return false, nil
	}
	return false, fault("Unknown output mode")
}

func (m *mod) listStates(c *rpc.Call, full bool, match func(*published) bool) {
	if m.s == nil {
		return
	}
	memory, ok := m.s.states.(*memoryStates)
	if !ok {
		return
	}
	list := memory.some(match)
	slices.SortFunc(list, func(a, b *published) int { return strings.Compare(a.ruid, b.ruid) })
	for _, p := range list {
		st := rpc.Struct{
			rpc.M("user", rpc.String(p.user)), rpc.M("domain", rpc.String(p.domain)), rpc.M("event", rpc.String(p.event)),
			rpc.M("etag", rpc.String(p.etag)), rpc.M("sender", rpc.String(p.sender)), rpc.M("expires", rpc.Int(int(p.expires))),
		}
		if full {
			st = append(st, rpc.M("received_time", rpc.Int(int(p.received))), rpc.M("priority", rpc.Int(p.priority)),
				rpc.M("ruid", rpc.String(p.ruid)), rpc.M("body", rpc.String(p.body)), rpc.M("hashid", rpc.Int(0)))
		}
		c.Add(st)
	}
}

func (m *mod) listSubs(ctx context.Context, c *rpc.Call) error {
	full, err := mode(c)
	if err != nil {
		return err
	}
	for _, e := range m.events.All() {
		list, err := m.s.subs.watching(ctx, c.Str(1), e.Name)
		if err != nil {
			return fault(err.Error())
		}
		slices.SortFunc(list, func(a, b *sub) int { return strings.Compare(a.callID, b.callID) })
		for _, s := range list {
			c.Add(describe(e, s, full))
		}
	}
	return nil
}

func describe(e *events.Event, s *sub, full bool) rpc.Struct {
	str := func(name, v string) rpc.Member { return rpc.M(name, rpc.String(v)) }
	num := func(name string, v int) rpc.Member { return rpc.M(name, rpc.Int(v)) }
	st := rpc.Struct{
		str("pres_uri", s.presURI), str("to_user", s.toUser), str("to_domain", s.toDomain), str("from_user", s.fromUser),
		str("from_domain", s.fromDomain), str("watcher_user", s.watcherUser), str("watcher_domain", s.watcherDom),
		str("contact", s.contact), str("event_id", s.eventID), str("callid", s.callID), str("user_agent", s.user),
		num("expires", int(s.expires)), num("status", int(s.status)), num("version", s.version), num("flags", s.flags),
	}
	if full {
		st = append(st, str("event", e.Name), str("reason", s.reason), str("to_tag", s.toTag), str("from_tag", s.fromTag),
			str("socket", s.socket), str("local_contact", s.localContact), str("record_route", s.recordRoute),
			num("remote_cseq", int(s.remoteCSeq)), num("local_cseq", int(s.localCSeq)))
	}
	return st
}
