package xmltree

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// String prints the document with a line for each element, but leaves elements
// with text in them as they are. Without a declared encoding what is not ASCII is
// written as references.
func (d *Document) String() string {
	p := printer{ascii: d.Encoding == ""}
	p.b = append(p.b, `<?xml version="1.0"`...)
	if d.Encoding != "" {
		p.b = append(append(append(p.b, ` encoding="`...), d.Encoding...), '"')
	}
	if d.Standalone == "yes" || d.Standalone == "no" {
		p.b = append(append(append(p.b, ` standalone="`...), d.Standalone...), '"')
	}
	p.b = append(p.b, "?>\n"...)
	for _, n := range d.Nodes {
		p.node(n, 0, true)
		p.b = append(p.b, '\n')
	}
	return string(p.b)
}

type printer struct {
	b     []byte
	ascii bool
}

func (p *printer) node(n *Node, level int, format bool) {
	switch n.Kind {
	case Text:
		p.escape(n.Text, false)
	case Comment:
		p.b = append(append(append(p.b, "<!--"...), n.Text...), "-->"...)
	case Instruction:
		p.b = append(append(p.b, "<?"...), n.Name...)
		if n.Text != "" {
			p.b = append(append(p.b, ' '), n.Text...)
		}
		p.b = append(p.b, "?>"...)
	case Element:
		p.element(n, level, format)
	}
}

func (p *printer) element(n *Node, level int, format bool) {
	p.b = append(append(p.b, '<'), n.tag()...)
	for _, ns := range n.Namespaces {
		p.b = append(p.b, " xmlns"...)
		if ns.Prefix != "" {
			p.b = append(append(p.b, ':'), ns.Prefix...)
		}
		p.quoted(ns.URI)
	}
	for _, a := range n.Attrs {
		p.b = append(append(p.b, ' '), qualified(a.Prefix, a.Name)...)
		p.quoted(a.Value)
	}
	if len(n.Children) == 0 {
		p.b = append(p.b, "/>"...)
		return
	}
	p.b = append(p.b, '>')
	format = format && !slices.ContainsFunc(n.Children, func(c *Node) bool { return c.Kind == Text })
	for _, c := range n.Children {
		if format {
			p.line(level + 1)
		}
		p.node(c, level+1, format)
	}
	if format {
		p.line(level)
	}
	p.b = append(append(append(p.b, "</"...), n.tag()...), '>')
}

func (p *printer) line(level int) {
	p.b = append(p.b, '\n')
	for range level {
		p.b = append(p.b, "  "...)
	}
}

func (p *printer) quoted(s string) {
	p.b = append(p.b, `="`...)
	p.escape(s, true)
	p.b = append(p.b, '"')
}

func (p *printer) escape(s string, attr bool) {
	for _, r := range s {
		switch {
		case r == '<':
			p.b = append(p.b, "&lt;"...)
		case r == '>':
			p.b = append(p.b, "&gt;"...)
		case r == '&':
			p.b = append(p.b, "&amp;"...)
		case r == '"' && attr:
			p.b = append(p.b, "&quot;"...)
		case r == '\r' || attr && (r == '\n' || r == '\t'):
			p.b = fmt.Appendf(p.b, "&#%d;", r)
		case r < utf8.RuneSelf:
			p.b = append(p.b, byte(r))
		case p.ascii:
			p.b = fmt.Appendf(p.b, "&#x%X;", r)
		default:
			p.b = utf8.AppendRune(p.b, r) // what is no UTF-8 becomes U+FFFD
		}
	}
}
