package presencexml

import (
	"errors"
	"slices"
	"strings"
	"time"

	"sipd/router/presence"
	"sipd/router/xmltree"
)

// provide is what the names of transformations start with.
const provide = "provide-"

// Filter takes out of a body what the watcher's rule does not provide: persons,
// services (tuples), devices, and other elements by their names.
func (m *mod) Filter(rules string, w *presence.Watcher, body string) (string, error) {
	if m.forceActive {
		return body, nil
	}
	rule, err := find(rules, w, time.Now())
	if err != nil || rule == nil {
		return body, err
	}
	d, err := xmltree.Parse(body)
	if err != nil {
		return "", err
	}
	root := d.Root().Find("presence")
	if root == nil {
		return "", errors.New("the state has no element presence")
	}
	if t := rule.Child("transformations"); t != nil {
		for _, n := range t.Children {
			if name, ok := strings.CutPrefix(n.Name, provide); ok && n.Kind == xmltree.Element {
				transform(root, n, name)
			}
		}
	}
	return d.String(), nil
}

// transform does what one transformation says of the elements that it is about.
func transform(root, t *xmltree.Node, name string) {
	all := "all-" + name
	switch {
	case strings.EqualFold(name, "services"):
		name = "tuple"
	case strings.HasPrefix(name, "persons"):
		name = "person"
	case strings.HasPrefix(name, "devices"):
		name = "device"
	}
	first := root.Find(name)
	if first == nil || first.Parent == nil {
		return
	}
	word := strings.TrimSpace(t.Content())
	if strings.EqualFold(word, "true") || t.Child(all) != nil {
		return
	}
	none := strings.EqualFold(word, "false")
	first.Parent.RemoveFunc(func(n *xmltree.Node) bool {
		return n.Is(name) && (none || !slices.ContainsFunc(t.Children, func(p *xmltree.Node) bool { return names(p, n) }))
	})
}

// names says whether what a transformation provides is an element.
func names(p, n *xmltree.Node) bool {
	want := p.Content()
	switch {
	case p.Is("class"):
		return has(n.Find("class"), want)
	case p.Is("deviceID"):
		return has(n.Find("deviceID"), want)
	case p.Is("occurence-id"), p.Is("occurrence-id"):
		id, ok := n.Attr("id")
		return ok && strings.EqualFold(id, want)
	case p.Is("service-uri"):
		return has(n.Find("contact"), want)
	case p.Is("service-uri-scheme"):
		scheme, _, ok := strings.Cut(n.Find("contact").Content(), ":")
		return ok && strings.EqualFold(scheme, want)
	}
	return false
}

func has(n *xmltree.Node, text string) bool { return n != nil && strings.EqualFold(n.Content(), text) }
