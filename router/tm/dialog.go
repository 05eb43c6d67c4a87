package tm

import (
	"fmt"
	"slices"
	"strings"

	"sipd/router/sip"
	"sipd/router/transport"
)

// Dialog is what requests of our own inside a dialog need to know of it (RFC
// 3261 §12). It is no state machine: the owner counts and keeps it.
type Dialog struct {
	CallID string
	// Local and Remote are From and To of our requests, tags included.
	Local, Remote string
	// Target is the remote target, the peer's Contact.
	Target string
	// Routes is the route set in the order of our requests.
	Routes []string
	// Seq is the CSeq number of the last request sent, 0 before one.
	Seq    uint32
	Socket *transport.Socket
}

// Request makes the next request of the dialog: Seq goes up, but an ACK has the
// number of its INVITE.
func (d *Dialog) Request(method string) *Request {
	if method != "ACK" {
		d.Seq++
	}
	return &Request{
		Method: method, URI: d.Target, Socket: d.Socket, From: d.Local, To: d.Remote,
		CallID: d.CallID, CSeq: d.Seq, Routes: d.Routes,
	}
}

// DialogOfReply is the dialog that a reply to our request makes (RFC 3261
// §12.1.2): req as it was sent, rpl with a To-tag.
func DialogOfReply(req, rpl *sip.Message) (*Dialog, error) {
	cs, err := req.CSeq()
	if err != nil {
		return nil, fmt.Errorf("dialog of a reply: %w", err)
	}
	d := &Dialog{CallID: req.CallID(), Local: valueOf(req, sip.HdrFrom), Remote: valueOf(rpl, sip.HdrTo), Seq: cs.Num, Target: req.RequestURI()}
	if uri := contactOf(rpl); uri != "" {
		d.Target = uri
	}
	if d.Routes, err = recorded(rpl); err != nil {
		return nil, fmt.Errorf("dialog of a reply: %w", err)
	}
	slices.Reverse(d.Routes)
	return d, nil
}

// DialogOfRequest is the dialog that our reply to a request makes (RFC 3261
// §12.1.1). toTag is the tag of that reply; a request in a dialog has it
// already.
func DialogOfRequest(req *sip.Message, toTag string) (*Dialog, error) {
	d := &Dialog{CallID: req.CallID(), Local: valueOf(req, sip.HdrTo), Remote: valueOf(req, sip.HdrFrom), Target: contactOf(req)}
	if d.Target == "" {
		return nil, fmt.Errorf("dialog of a request: %w: it has no Contact", sip.ErrAbsent)
	}
	if req.ToTag() == "" {
		d.Local = bracketed(d.Local) + ";tag=" + toTag
	}
	var err error
	if d.Routes, err = recorded(req); err != nil {
		return nil, fmt.Errorf("dialog of a request: %w", err)
	}
	return d, nil
}

// valueOf is the value of the first header of a kind in one line.
func valueOf(m *sip.Message, k sip.HeaderKind) string {
	h := m.First(k)
	if h == nil {
		return ""
	}
	return strings.NewReplacer("\r\n", "", "\n", "").Replace(m.Value(h))
}

// contactOf is the URI of the first contact, "" without one.
func contactOf(m *sip.Message) string {
	it := m.ContactIter()
	if it.Next() && !it.Contact().Star {
		return it.Contact().URI
	}
	return ""
}

// recorded are the values of Record-Route.
func recorded(m *sip.Message) ([]string, error) {
	var list []string
	it := m.Routes(sip.HdrRecordRoute)
	for it.Next() {
		n := it.NameAddr()
		list = append(list, m.Raw()[n.Start:n.End])
	}
	return list, it.Err()
}
