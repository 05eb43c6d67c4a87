package sip

import (
	"net/netip"
	"strconv"
	"strings"
)

// Reply says what to answer to a request.
type Reply struct {
	// Code is the status, 100 to 699; Reason its phrase, "" for the usual one.
	Code   int
	Reason string
	// ToTag is added to To when that has none. TagHash, when not 0, follows it
	// as a dot and eight hexadecimal digits: a tag per request that costs no
	// string (see AppendTag).
	ToTag   string
	TagHash uint32
	// Extra are complete header lines with their line ends.
	Extra string
	// Server is a complete Server line, "" for none.
	Server string
	// Body and ContentType are the body, "" for none.
	Body, ContentType string
	// Source is where the request came from: it decides on received and rport
	// in the topmost Via as in PrintOptions. Zero leaves Via as it is.
	Source     netip.AddrPort
	ForceRPort bool
	// NoRecordRoute leaves Record-Route out of replies that would have it.
	NoRecordRoute bool
}

// AppendReply prints a reply to m, a request (RFC 3261 §8.2.6): all Via, From,
// To, Call-ID, CSeq as received; Record-Route in 101 to 299 (§12.1.1);
// Timestamp in 100 (§8.2.6.1). It goes over the headers once.
func (m *Message) AppendReply(dst []byte, r *Reply) []byte {
	dst = append(dst, "SIP/2.0 "...)
	dst = strconv.AppendInt(dst, int64(r.Code), 10)
	dst = append(dst, ' ')
	reason := r.Reason
	if reason == "" {
		reason = StatusText(r.Code)
	}
	dst = append(dst, oneLine(reason)...)
	dst = append(dst, "\r\n"...)
	topVia, to := true, true
	for i := range m.headers {
		h := &m.headers[i]
		switch h.Kind {
		case HdrVia:
			if topVia && r.Source.IsValid() {
				dst = m.appendTopVia(dst, h, r)
			} else {
				dst = m.appendField(dst, h)
			}
			topVia = false
		case HdrTo:
			if to {
				dst = m.appendTo(dst, h, r)
			}
			to = false
		case HdrFrom, HdrCallID, HdrCSeq:
			if m.First(h.Kind) == h {
				dst = m.appendField(dst, h)
			}
		case HdrRecordRoute:
			if r.Code > 100 && r.Code < 300 && !r.NoRecordRoute {
				dst = m.appendField(dst, h)
			}
		case HdrTimestamp:
			if r.Code == 100 {
				dst = m.appendField(dst, h)
			}
		}
	}
	dst = append(dst, r.Extra...)
	if r.Body != "" && r.ContentType != "" {
		dst = append(dst, "Content-Type: "...)
		dst = append(dst, r.ContentType...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, r.Server...)
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(r.Body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, r.Body...)
}

// oneLine cuts a phrase at a line end, so that it cannot become headers.
func oneLine(s string) string {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}

// appendField copies a header field and ends it with CRLF.
func (m *Message) appendField(dst []byte, h *Header) []byte {
	dst = append(dst, m.raw[h.start:h.valueEnd]...)
	return append(dst, "\r\n"...)
}

// appendTo copies the To field and adds a tag where there is none.
func (m *Message) appendTo(dst []byte, h *Header, r *Reply) []byte {
	if r.ToTag == "" || m.ToTag() != "" {
		return m.appendField(dst, h)
	}
	dst = append(dst, m.raw[h.start:h.valueEnd]...)
	dst = AppendTag(append(dst, ";tag="...), r.ToTag, r.TagHash)
	return append(dst, "\r\n"...)
}

// AppendTag appends a tag as Reply describes it.
func AppendTag(dst []byte, tag string, hash uint32) []byte {
	dst = append(dst, tag...)
	if hash == 0 {
		return dst
	}
	dst = append(dst, '.')
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[hash>>shift&15])
	}
	return dst
}

// appendTopVia copies the first Via field with received and rport written into
// its first value.
func (m *Message) appendTopVia(dst []byte, h *Header, r *Reply) []byte {
	v, err := m.Via()
	if err != nil {
		return m.appendField(dst, h)
	}
	received, rport := v.answer(r.Source, r.ForceRPort)
	pos := int(h.start)
	copyTo := func(end int) {
		dst = append(dst, m.raw[pos:end]...)
		pos = end
	}
	// The two parameters come in the order in which they stand.
	a, b := v.rport, v.rcvd
	aPort := true
	if b.End > 0 && (a.End == 0 || b.Start < a.Start) {
		a, b, aPort = b, a, false
	}
	for _, x := range [2]struct {
		span Span
		port bool
	}{{a, aPort}, {b, !aPort}} {
		switch {
		case x.span.End == 0:
		case x.port && rport:
			copyTo(x.span.Start)
			dst, pos = appendRPort(dst, r.Source), x.span.End
		case !x.port && received:
			copyTo(x.span.Start)
			dst, pos = appendReceived(dst, r.Source), x.span.End
		}
	}
	if rport && v.rport.End == 0 || received && v.rcvd.End == 0 {
		copyTo(v.paramEnd)
		if rport && v.rport.End == 0 {
			dst = appendRPort(dst, r.Source)
		}
		if received && v.rcvd.End == 0 {
			dst = appendReceived(dst, r.Source)
		}
	}
	copyTo(h.ValueEnd())
	return append(dst, "\r\n"...)
}

// AppendCancel prints the CANCEL for an INVITE that was sent: the same request
// URI, topmost Via, Route set, From, To, Call-ID and CSeq number (RFC 3261
// §9.1). reason is a complete Reason line, "" for none; as Kamailio's it stands
// last, and Max-Forwards is the INVITE's.
func AppendCancel(dst []byte, sent *Message, reason string) []byte {
	return appendHopRequest(dst, sent, "CANCEL", "", reason)
}

// AppendAck prints the ACK for a final reply other than 2xx to an INVITE that
// was sent (RFC 3261 §17.1.1.3). to is the value of the reply's To header.
func AppendAck(dst []byte, sent *Message, to string) []byte {
	return appendHopRequest(dst, sent, "ACK", to, "")
}

func appendHopRequest(dst []byte, sent *Message, method, to, extra string) []byte {
	dst = append(append(dst, method...), ' ')
	dst = append(dst, sent.RequestURI()...)
	dst = append(dst, " SIP/2.0\r\n"...)
	for i := range sent.headers {
		h := &sent.headers[i]
		switch h.Kind {
		case HdrVia:
			if sent.First(HdrVia) != h {
				continue
			}
			end := h.ValueEnd()
			if v, err := sent.Via(); err == nil {
				end = v.End
			}
			dst = append(dst, sent.raw[h.start:end]...)
			dst = append(dst, "\r\n"...)
		case HdrRoute:
			dst = sent.appendField(dst, h)
		case HdrTo:
			if to == "" {
				dst = sent.appendField(dst, h)
				continue
			}
			dst = append(dst, "To: "...)
			dst = append(dst, to...)
			dst = append(dst, "\r\n"...)
		case HdrFrom, HdrCallID, HdrMaxForwards:
			dst = sent.appendField(dst, h)
		case HdrCSeq:
			dst = append(dst, "CSeq: "...)
			if q, err := sent.CSeq(); err == nil {
				dst = strconv.AppendUint(dst, uint64(q.Num), 10)
			}
			dst = append(append(dst, ' '), method...)
			dst = append(dst, "\r\n"...)
		}
	}
	if sent.First(HdrMaxForwards) == nil {
		dst = append(dst, "Max-Forwards: 70\r\n"...)
	}
	dst = append(dst, "Content-Length: 0\r\n"...)
	dst = append(dst, extra...) // as Kamailio: what is added stands last
	return append(dst, "\r\n"...)
}
