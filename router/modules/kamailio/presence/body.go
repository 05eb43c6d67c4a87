package presence

import (
	"context"
	"slices"

	events "sipd/router/presence"
	"sipd/router/xmltree"
)

// body is the state of a presentity as watchers get it, "" when there is none. gone
// is a state that was removed and is shown for the last time, or nil; contact is
// the watcher's.
func (m *mod) body(ctx context.Context, e *events.Event, presURI string, gone *published, contact string) (string, error) {
	user, domain, err := userOf(presURI)
	if err != nil {
		return "", err
	}
	after := int64(0)
	if m.startupMode == 1 {
		after = now()
	}
	list, err := m.s.states.list(ctx, user, domain, e.Name, after)
	if err != nil {
		return "", err
	}
	if e.Aggregate == nil {
		if len(list) == 0 {
			return "", nil
		}
		last := list[len(list)-1]
		if e.Name == shared && last.sender != "" && last.sender == contact {
			return noDialogs(presURI), nil
		}
		return last.body, nil
	}
	offline := -1
	if gone != nil {
		offline = m.place(list, gone)
		list = slices.Insert(list, offline, gone)
	}
	bodies := make([]string, len(list))
	for i, p := range list {
		bodies[i] = p.body
	}
	return e.Aggregate(user, domain, bodies, offline)
}

// place is where a state stood among others.
func (m *mod) place(list []*published, gone *published) int {
	i := slices.IndexFunc(list, func(p *published) bool {
		if m.order == 1 {
			return p.priority > gone.priority
		}
		return p.received > gone.received
	})
	if i < 0 {
		return len(list)
	}
	return i
}

// State is what watchers of a presentity get, "" for nothing; for other modules.
func (m *mod) State(ctx context.Context, presURI, event string) (string, error) {
	e := m.events.Find(event)
	if e == nil || m.library {
		return "", nil
	}
	return m.body(ctx, e, presURI, nil, "")
}

// sphere is what the presentity's state says of its sphere, "" for nothing.
func (m *mod) sphere(ctx context.Context, presURI string) string {
	user, domain, err := userOf(presURI)
	if err != nil {
		return ""
	}
	list, err := m.s.states.list(ctx, user, domain, "presence", now())
	if err != nil || len(list) == 0 {
		return ""
	}
	d, err := xmltree.Parse(list[len(list)-1].body)
	if err != nil {
		return ""
	}
	return d.Root().Find("sphere").Content()
}
