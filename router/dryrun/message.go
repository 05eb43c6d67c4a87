package dryrun

import (
	"fmt"
	"net/netip"
	"strings"

	"sipd/router/sip"
	"sipd/router/transport"
)

// Message is a message to run, with where it came from and went to.
type Message struct {
	Proto transport.Proto
	// From and To are invalid when nothing says what they were.
	From, To netip.AddrPort
	Text     string
}

// stranger is who sent a message that does not say.
var stranger = netip.MustParseAddrPort("192.0.2.1:5060")

// FromText makes a message of a text file: line ends become CR LF, and a
// missing empty line behind the header is added.
func FromText(text string) Message {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	if !strings.Contains(text, "\r\n\r\n") {
		text = strings.TrimRight(text, "\r\n") + "\r\n\r\n"
	}
	return Message{Proto: transport.UDP, Text: strings.TrimLeft(text, "\r\n")}
}

// source is where the message came from: as captured, else as its Via says.
func (m *Message) source(sm *sip.Message) netip.AddrPort {
	if m.From.IsValid() || !sm.IsRequest() {
		return m.From
	}
	v, err := sm.Via()
	if err != nil {
		return stranger
	}
	a, ok := sip.ParseHostAddr(v.Host)
	if !ok {
		a = stranger.Addr()
	}
	port := v.Port
	if port == 0 {
		port = 5060
	}
	return netip.AddrPortFrom(a, port)
}

// Run runs a message. It answers where it was taken to come from, and an error
// when it cannot be run: no listening socket has its protocol.
//
// A reply is fitted to the request that this engine sent: whoever captured or
// wrote it saw another branch.
func (e *Engine) Run(m Message) (from netip.AddrPort, err error) {
	s := e.Socket(m.Proto, m.To)
	if s == nil {
		return from, fmt.Errorf("the configuration listens on no %s address", m.Proto)
	}
	var sm sip.Message
	text := m.Text
	if perr := sm.Parse(text); perr == nil && !sm.IsRequest() {
		text, from = e.fit(&sm, m.From)
	}
	if !from.IsValid() {
		from = m.source(&sm)
	}
	if !from.IsValid() {
		from = stranger
	}
	e.Receive(from, s, text)
	return from, nil
}

// request is a request that the engine sent, for replies to fit to.
type request struct {
	callID, method, via string
	cseq                uint32
	to                  netip.AddrPort
}

// remember keeps what a reply to a request needs.
func (e *Engine) remember(s *Sent) {
	var m sip.Message
	if m.Parse(s.Text) != nil || !m.IsRequest() {
		return
	}
	cs, err := m.CSeq()
	h := m.First(sip.HdrVia)
	if err != nil || h == nil {
		return
	}
	e.sent = append(e.sent, request{m.CallID(), cs.MethodName, m.Value(h), cs.Num, s.To})
	if len(e.sent) > 4096 {
		e.sent = e.sent[1:]
	}
}

// fit gives a reply the topmost Via of the request that it answers: the last
// one with its Call-ID and CSeq that went to where the reply comes from.
func (e *Engine) fit(m *sip.Message, from netip.AddrPort) (text string, src netip.AddrPort) {
	cs, err := m.CSeq()
	h := m.First(sip.HdrVia)
	if err != nil || h == nil {
		return m.Raw(), from
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := len(e.sent) - 1; i >= 0; i-- {
		r := &e.sent[i]
		if r.callID != m.CallID() || r.cseq != cs.Num || r.method != cs.MethodName || from.IsValid() && r.to != from {
			continue
		}
		raw := m.Raw()
		_, rest, more := strings.Cut(raw[h.ValueStart():h.ValueEnd()], ",")
		if more { // the others of the same line
			rest = "," + rest
		}
		return raw[:h.ValueStart()] + r.via + rest + raw[h.ValueEnd():], r.to
	}
	return m.Raw(), from
}
