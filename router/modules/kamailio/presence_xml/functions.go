package presencexml

import (
	"context"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/xmltree"
)

func (m *mod) functions() []module.Function {
	check := func(name, help, arg string, f func(root *xmltree.Node, want string) int) module.Function {
		return module.Function{
			Name: name, Help: help, In: run.AnyRoute,
			Args: []module.Arg{{Name: "presentity", Type: module.ArgFormat}, {Name: arg, Type: module.ArgFormat}},
			New: func(a module.Args) (run.Func, error) {
				return func(c *run.Context) int { return m.check(c, a.Str(c, 0), a.Str(c, 1), f) }, nil
			},
		}
	}
	return []module.Function{
		check("pres_check_basic", "true when a tuple of a presentity has a basic status that starts with a text", "status", basic),
		check("pres_check_activities", "true when a person of a presentity has an activity; -2 when it has none at all", "activity", activities),
	}
}

// check looks into the state of a presentity.
func (m *mod) check(c *run.Context, presURI, want string, f func(*xmltree.Node, string) int) int {
	if m.server == nil { // passive_mode
		return -1
	}
	body, err := m.server.State(context.Background(), presURI, "presence")
	if err != nil {
		m.failed.Log(c, err)
		return -1
	}
	if body == "" {
		return -1
	}
	d, err := xmltree.Parse(body)
	if err != nil {
		m.failed.Log(c, err)
		return -1
	}
	return f(d.Root(), want)
}

func basic(root *xmltree.Node, want string) int {
	for _, t := range siblings(root, "tuple") {
		b := t.Find("basic")
		if b == nil {
			return -1
		}
		if v := b.Content(); len(v) >= len(want) && strings.EqualFold(v[:len(want)], want) {
			return 1
		}
	}
	return -1
}

func activities(root *xmltree.Node, want string) int {
	rc := -2
	for _, p := range siblings(root, "person") {
		a := p.Find("activities")
		if a == nil || len(a.Children) == 0 {
			break
		}
		if rc == -2 {
			rc = -1
		}
		if a.Find(want) != nil {
			return 1
		}
	}
	return rc
}

// siblings are the first element of a name, and those of the name beside it.
func siblings(root *xmltree.Node, name string) []*xmltree.Node {
	n := root.Find(name)
	if n == nil || n.Parent == nil {
		return nil
	}
	return n.Parent.Elements(name)
}
