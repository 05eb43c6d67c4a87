// Package xmltree holds small XML documents as trees that are read, joined and
// printed: presence documents and the rules about them. What comes in is foreign:
// documents have limits, and one with a document type, which could bring entities
// that grow, is refused. What is printed is printed as libxml2 does, which
// Kamailio uses.
package xmltree

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The limits of a document: octets, elements inside elements, and nodes.
const (
	MaxSize  = 256 << 10
	MaxDepth = 64
	MaxNodes = 20000
)

// ErrLimit is what Parse wraps when a document is larger than the limits.
var ErrLimit = errors.New("the document is larger than what is taken")

// Kind is what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Element Kind = iota
	Text
	Comment
	Instruction
)

// Attr is an attribute that declares no namespace.
type Attr struct{ Prefix, Name, Value string }

// Namespace is a declaration: xmlns:Prefix="URI".
type Namespace struct{ Prefix, URI string }

// Node is an element with what is in it, or a text, comment or processing
// instruction.
type Node struct {
	Kind         Kind
	Prefix, Name string // of an element; Name is the target of an instruction
	Namespaces   []Namespace
	Attrs        []Attr
	Text         string // of all but elements
	Children     []*Node
	Parent       *Node
}

// Document is a whole document.
type Document struct {
	// Encoding is that of its declaration, "" for none.
	Encoding string
	// Standalone is "yes", "no" or "" when it is not declared.
	Standalone string
	// Nodes are those of the top: one element, comments and instructions.
	Nodes []*Node
}

// Parse reads a document. Errors of documents that are none are those of
// encoding/xml.
func Parse(text string) (*Document, error) {
	if len(text) > MaxSize {
		return nil, ErrLimit
	}
	p := parser{dec: xml.NewDecoder(strings.NewReader(text)), doc: new(Document)}
	p.dec.CharsetReader = charset
	for {
		t, err := p.dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := p.token(t); err != nil {
			return nil, err
		}
	}
	if p.at != nil {
		return nil, fmt.Errorf("<%s> is not closed", p.at.tag())
	}
	if p.doc.Root() == nil {
		return nil, errors.New("it has no element")
	}
	return p.doc, nil
}

// charset takes what is an encoding of its own besides UTF-8.
func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii", "utf8":
		return r, nil
	case "iso-8859-1", "latin1":
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		var out strings.Builder
		for _, c := range b {
			out.WriteRune(rune(c))
		}
		return strings.NewReader(out.String()), nil
	}
	return nil, fmt.Errorf("encoding %q is not known; use UTF-8", label)
}

// parser builds a document from tokens.
type parser struct {
	dec   *xml.Decoder
	doc   *Document
	at    *Node // the element that is open
	depth int
	nodes int
}

func (p *parser) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.StartElement:
		return p.open(t)
	case xml.EndElement:
		if p.at == nil || p.at.Prefix != t.Name.Space || p.at.Name != t.Name.Local {
			return fmt.Errorf("</%s> closes nothing", qualified(t.Name.Space, t.Name.Local))
		}
		p.at = p.at.Parent
		p.depth--
	case xml.CharData:
		return p.text(string(t))
	case xml.Comment:
		return p.add(&Node{Kind: Comment, Text: string(t)})
	case xml.ProcInst:
		if t.Target == "xml" {
			p.declaration(string(t.Inst))
			return nil
		}
		return p.add(&Node{Kind: Instruction, Name: t.Target, Text: string(t.Inst)})
	case xml.Directive:
		return errors.New("a document type is not taken")
	}
	return nil
}

// open adds an element and goes into it.
func (p *parser) open(t xml.StartElement) error {
	if p.at == nil && p.doc.Root() != nil {
		return fmt.Errorf("<%s> is a second root", qualified(t.Name.Space, t.Name.Local))
	}
	n := &Node{Prefix: t.Name.Space, Name: t.Name.Local}
	seen := make(map[xml.Name]bool, len(t.Attr))
	for _, a := range t.Attr {
		if seen[a.Name] {
			return fmt.Errorf("attribute %s stands twice", qualified(a.Name.Space, a.Name.Local))
		}
		seen[a.Name] = true
		switch {
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			n.Namespaces = append(n.Namespaces, Namespace{"", a.Value})
		case a.Name.Space == "xmlns":
			n.Namespaces = append(n.Namespaces, Namespace{a.Name.Local, a.Value})
		default:
			n.Attrs = append(n.Attrs, Attr{a.Name.Space, a.Name.Local, a.Value})
		}
	}
	if err := p.add(n); err != nil {
		return err
	}
	p.at = n
	if p.depth++; p.depth > MaxDepth {
		return ErrLimit
	}
	return nil
}

func (p *parser) text(s string) error {
	if p.at == nil {
		if strings.TrimLeft(s, " \t\r\n") != "" {
			return errors.New("text stands outside the element")
		}
		return nil
	}
	if k := len(p.at.Children); k > 0 && p.at.Children[k-1].Kind == Text {
		p.at.Children[k-1].Text += s
		return nil
	}
	return p.add(&Node{Kind: Text, Text: s})
}

func (p *parser) add(n *Node) error {
	if p.nodes++; p.nodes > MaxNodes {
		return ErrLimit
	}
	if p.at == nil {
		p.doc.Nodes = append(p.doc.Nodes, n)
		return nil
	}
	n.Parent = p.at
	p.at.Children = append(p.at.Children, n)
	return nil
}

// declaration reads what stands in <?xml …?>. What was in another encoding is
// UTF-8 now.
func (p *parser) declaration(s string) {
	if value(s, "encoding") != "" {
		p.doc.Encoding = "UTF-8"
	}
	p.doc.Standalone = value(s, "standalone")
}

// value is a pseudo-attribute of a declaration.
func value(s, name string) string {
	_, s, ok := strings.Cut(s, name)
	if !ok {
		return ""
	}
	s, ok = strings.CutPrefix(strings.TrimLeft(s, " \t\r\n"), "=")
	if s = strings.TrimLeft(s, " \t\r\n"); !ok || s == "" || s[0] != '"' && s[0] != '\'' {
		return ""
	}
	v, _, _ := strings.Cut(s[1:], s[:1])
	return v
}

// Root is the document's element.
func (d *Document) Root() *Node {
	for _, n := range d.Nodes {
		if n.Kind == Element {
			return n
		}
	}
	return nil
}

func qualified(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + ":" + name
}

func (n *Node) tag() string { return qualified(n.Prefix, n.Name) }
