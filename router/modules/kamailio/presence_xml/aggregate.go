package presencexml

import (
	"errors"
	"fmt"
	"strings"

	"sipd/router/xmltree"
)

// aggregate makes one PIDF document of several, the newest last; offline is the
// index of one whose publisher goes, or -1.
func (m *mod) aggregate(user, domain string, bodies []string, offline int) (string, error) {
	if len(bodies) == 0 {
		if !m.forceDummy {
			return "", nil
		}
		bodies = []string{fmt.Sprintf(dummy, escaper.Replace(user))}
	}
	docs := make([]*xmltree.Document, len(bodies))
	for i, b := range bodies {
		d, err := xmltree.Parse(b)
		if err != nil {
			return "", fmt.Errorf("a state of %s@%s: %w", user, domain, err)
		}
		if i == offline {
			if d, err = closed(d); err != nil {
				return "", fmt.Errorf("a state of %s@%s: %w", user, domain, err)
			}
			// As Kamailio, which prints it with a line for each element and reads it again.
			if d, err = xmltree.Parse(d.String()); err != nil {
				return "", err
			}
		}
		docs[i] = d
	}
	if m.singleBody {
		return m.single(docs)
	}
	return join(docs)
}

var errNoPresence = errors.New("it has no element presence")

// join adds what is in the older documents to the newest. One whose first tuple
// is in there already is left out.
func join(docs []*xmltree.Document) (string, error) {
	newest := docs[len(docs)-1]
	root := newest.Root().Find("presence")
	if root == nil {
		return "", errNoPresence
	}
	for i := len(docs) - 2; i >= 0; i-- {
		from := docs[i].Root().Find("presence")
		if from == nil {
			return "", errNoPresence
		}
		known, err := knows(root, from.Child("tuple"))
		if err != nil {
			return "", err
		}
		if known {
			continue
		}
		for _, n := range from.Children {
			root.Add(n.Copy(true))
		}
	}
	return newest.String(), nil
}

// knows says whether there is a tuple with the id of another.
func knows(root, tuple *xmltree.Node) (bool, error) {
	if tuple == nil {
		return false, nil
	}
	id, ok := tuple.Attr("id")
	if !ok {
		return false, errNoID
	}
	for _, t := range root.Elements("tuple") {
		have, ok := t.Attr("id")
		if !ok {
			return false, errNoID
		}
		if strings.EqualFold(have, id) {
			return true, nil
		}
	}
	return false, nil
}

var errNoID = errors.New("a tuple has no id")

// closed is the document of somebody who goes: the first tuple, with its status
// closed.
func closed(d *xmltree.Document) (*xmltree.Document, error) {
	root := d.Root().Find("presence")
	if root == nil {
		return nil, errNoPresence
	}
	basic, tuple, status := root.Find("basic"), root.Find("tuple"), root.Find("status")
	if basic == nil || tuple == nil || status == nil {
		return nil, errors.New("it has no tuple with a status")
	}
	basic.SetContent("closed")
	p, t := root.Copy(false), tuple.Copy(false)
	t.Add(status.Copy(true))
	p.Add(t)
	return &xmltree.Document{Nodes: []*xmltree.Node{p}}, nil
}

// single is the document that matters most: the one whose element has the text
// that stands last among the priorities.
func (m *mod) single(docs []*xmltree.Document) (string, error) {
	best := len(docs) - 1
	if m.priorities == "" || m.lookUp == "" {
		return docs[best].String(), nil
	}
	rank := -1
	for i := len(docs) - 1; i >= 0; i-- {
		root := docs[i].Root().Find("presence")
		if root == nil {
			return "", errNoPresence
		}
		n := root.Find(m.lookUp)
		if n == nil {
			if i == best {
				break // the newest does not say: it is shown
			}
			continue
		}
		if r := strings.Index(m.priorities, n.Content()); r > rank {
			best, rank = i, r
		}
	}
	return docs[best].String(), nil
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// dummy is the state of who publishes nothing, with the user as its entity.
const dummy = `<?xml version="1.0" encoding="UTF-8"?>` +
	`<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"` +
	` xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:c="urn:ietf:params:xml:ns:pidf:cipid" entity="%s">` +
	`<tuple xmlns="urn:ietf:params:xml:ns:pidf" id="615293b33c62dec073e05d9421e9f48b"><status><basic>open</basic></status></tuple>` +
	`<note xmlns="urn:ietf:params:xml:ns:pidf">Available</note>` +
	`<dm:person xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" id="1">` +
	`<rpid:activities/><dm:note>Available</dm:note></dm:person></presence>`
