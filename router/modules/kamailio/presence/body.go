package presence

import (
	"context"

	events "sipd/router/presence"
	"sipd/router/xmltree"
)

// body is the state of a presentity as watchers get it, "" when there is none.
// offline is the tag of a state that goes, "" for none; contact is the watcher's.
func (m *mod) body(ctx context.Context, e *events.Event, presURI, offline, contact string) (string, error) {
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
	bodies, gone := make([]string, len(list)), -1
	for i, p := range list {
		bodies[i] = p.body
		if offline != "" && p.etag == offline {
			gone = i
		}
	}
	return e.Aggregate(user, domain, bodies, gone)
}

// State is what watchers of a presentity get, "" for nothing; for other modules.
func (m *mod) State(ctx context.Context, presURI, event string) (string, error) {
	e := m.events.Find(event)
	if e == nil || m.library {
		return "", nil
	}
	return m.body(ctx, e, presURI, "", "")
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
