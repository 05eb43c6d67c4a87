package presence

import (
	"context"
	"encoding/base64"
	"strconv"

	events "sipd/router/presence"
	"sipd/router/xmltree"
)

// winfo is the document of watchers (RFC 3858): of all, or of one that changed.
func (m *mod) winfo(ctx context.Context, e *events.Event, s, changed *sub) (string, error) {
	state := "full"
	var list []*xmltree.Node
	if changed != nil {
		state = "partial"
		list = append(list, watcherNode(events.URI(changed.watcherUser, changed.watcherDom), changed.callID, changed.status))
	} else {
		var err error
		if list, err = m.allWatchers(ctx, e.Peer, s.presURI); err != nil {
			return "", err
		}
	}
	d := xmltree.Document{Nodes: []*xmltree.Node{{
		Name: "watcherinfo", Namespaces: []xmltree.Namespace{{URI: "urn:ietf:params:xml:ns:watcherinfo"}},
		Attrs: []xmltree.Attr{{Name: "version", Value: strconv.Itoa(s.version)}, {Name: "state", Value: state}},
		Children: []*xmltree.Node{{
			Name:     "watcher-list",
			Attrs:    []xmltree.Attr{{Name: "resource", Value: s.presURI}, {Name: "package", Value: e.Peer.Name}},
			Children: list,
		}},
	}}}
	return d.String(), nil
}

// allWatchers are those who subscribe, and those who once did and wait.
func (m *mod) allWatchers(ctx context.Context, of *events.Event, presURI string) ([]*xmltree.Node, error) {
	subs, err := m.s.subs.watching(ctx, presURI, of.Name)
	if err != nil {
		return nil, err
	}
	var list []*xmltree.Node
	here := make(map[string]bool)
	for _, s := range subs {
		if s.expires < now() {
			continue
		}
		uri := events.URI(s.watcherUser, s.watcherDom)
		here[uri] = true
		list = append(list, watcherNode(uri, s.callID, s.status))
	}
	if m.s.watchers == nil {
		return list, nil
	}
	waiting, err := m.s.watchers.list(ctx, presURI, of.Name, true)
	if err != nil {
		return nil, err
	}
	for _, w := range waiting {
		if uri := w.URI(); !here[uri] {
			list = append(list, watcherNode(uri, base64.StdEncoding.EncodeToString([]byte(uri)), events.Waiting))
		}
	}
	return list, nil
}

func watcherNode(uri, id string, status events.Status) *xmltree.Node {
	n := &xmltree.Node{Name: "watcher", Attrs: []xmltree.Attr{
		{Name: "id", Value: id}, {Name: "event", Value: "subscribe"}, {Name: "status", Value: status.String()},
	}}
	n.SetContent(uri)
	return n
}
