package presence

import (
	"context"

	"sipd/router/xmltree"
)

// shared is the event of shared lines, which has rules of its own.
const shared = "dialog;sla"

// others says that the state of a shared line stays as it is: it has a dialog of
// somebody else, and the new state has none.
func (m *mod) others(ctx context.Context, p *publication) (bool, error) {
	if p.event.Name != shared {
		return false, nil
	}
	old, err := m.s.states.get(ctx, p.state.stateKey)
	if err != nil {
		return false, err
	}
	if old == nil {
		return false, errConditional
	}
	if p.state.body == "" || hasDialog(p.state.body) || !hasDialog(old.body) {
		return false, nil
	}
	return p.state.sender != "" && p.state.sender != old.sender, nil
}

// hasDialog says whether a document of dialogs has one.
func hasDialog(body string) bool {
	d, err := xmltree.Parse(body)
	return err == nil && d.Root().Child("dialog") != nil
}

// noDialogs is a document of dialogs without one.
func noDialogs(presURI string) string {
	d := xmltree.Document{Nodes: []*xmltree.Node{{
		Name:       "dialog-info",
		Namespaces: []xmltree.Namespace{{URI: "urn:ietf:params:xml:ns:dialog-info"}},
		Attrs:      []xmltree.Attr{{Name: "version", Value: "1"}, {Name: "state", Value: "full"}, {Name: "entity", Value: presURI}},
	}}}
	return d.String()
}
