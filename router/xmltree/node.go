package xmltree

import (
	"slices"
	"strings"
)

// Names of elements are compared without their prefix and without case, as
// Kamailio does.

// Is says whether the node is an element of a name.
func (n *Node) Is(name string) bool { return n.Kind == Element && strings.EqualFold(n.Name, name) }

// Child is the first element of a name in the node, nil when there is none.
func (n *Node) Child(name string) *Node {
	for _, c := range n.Children {
		if c.Is(name) {
			return c
		}
	}
	return nil
}

// Find is the first element of a name at or below the node, in the order of the
// text; nil when there is none.
func (n *Node) Find(name string) *Node {
	if n.Is(name) {
		return n
	}
	for _, c := range n.Children {
		if f := c.Find(name); f != nil {
			return f
		}
	}
	return nil
}

// Elements are the elements in the node that have a name.
func (n *Node) Elements(name string) []*Node {
	var list []*Node
	for _, c := range n.Children {
		if c.Is(name) {
			list = append(list, c)
		}
	}
	return list
}

// Attr is the value of an attribute by its name without prefix.
func (n *Node) Attr(name string) (string, bool) {
	for _, a := range n.Attrs {
		if strings.EqualFold(a.Name, name) {
			return a.Value, true
		}
	}
	return "", false
}

// Content is all text in the node; of a nil node it is "".
func (n *Node) Content() string {
	if n == nil {
		return ""
	}
	if n.Kind != Element {
		if n.Kind == Text {
			return n.Text
		}
		return ""
	}
	if len(n.Children) == 1 {
		return n.Children[0].Content()
	}
	var b strings.Builder
	for _, c := range n.Children {
		b.WriteString(c.Content())
	}
	return b.String()
}

// SetContent replaces what is in the node by a text.
func (n *Node) SetContent(text string) {
	n.Children = []*Node{{Kind: Text, Text: text, Parent: n}}
}

// Add puts a node behind those in n. A text behind a text becomes part of it.
func (n *Node) Add(c *Node) {
	if k := len(n.Children); k > 0 && c.Kind == Text && n.Children[k-1].Kind == Text {
		n.Children[k-1].Text += c.Text
		return
	}
	c.Parent = n
	n.Children = append(n.Children, c)
}

// RemoveFunc takes the nodes in n out for which del says so.
func (n *Node) RemoveFunc(del func(*Node) bool) { n.Children = slices.DeleteFunc(n.Children, del) }

// Copy is the node alone or with all that is in it (deep), as a tree of its own:
// namespaces that the copy uses and that are declared around the node are
// declared in it.
func (n *Node) Copy(deep bool) *Node {
	root := &Node{}
	n.copyInto(root, root, deep)
	return root
}

func (n *Node) copyInto(dst, root *Node, deep bool) {
	*dst = Node{
		Kind: n.Kind, Prefix: n.Prefix, Name: n.Name, Text: n.Text, Parent: dst.Parent,
		Namespaces: slices.Clone(n.Namespaces), Attrs: slices.Clone(n.Attrs),
	}
	if n.Kind != Element {
		return
	}
	n.declare(dst, root, n.Prefix)
	for _, a := range n.Attrs {
		if a.Prefix != "" {
			n.declare(dst, root, a.Prefix)
		}
	}
	if !deep {
		return
	}
	dst.Children = make([]*Node, len(n.Children))
	for i, c := range n.Children {
		dst.Children[i] = &Node{Parent: dst}
		c.copyInto(dst.Children[i], root, true)
	}
}

// declare declares a prefix at root when the copy does not see it.
func (n *Node) declare(dst, root *Node, prefix string) {
	if _, ok := dst.namespace(prefix); ok {
		return
	}
	if uri, ok := n.namespace(prefix); ok {
		root.Namespaces = append(root.Namespaces, Namespace{prefix, uri})
	}
}

// namespace is the URI of a prefix at the node.
func (n *Node) namespace(prefix string) (string, bool) {
	for ; n != nil; n = n.Parent {
		for _, ns := range n.Namespaces {
			if ns.Prefix == prefix {
				return ns.URI, true
			}
		}
	}
	return "", false
}
