package sip

import (
	"net/netip"
	"strconv"
)

// PrintOptions are the changes that forwarding a message makes besides the
// script's edits. Texts are complete header lines with their line ends.
type PrintOptions struct {
	// RequestURI replaces the request URI; "" keeps it.
	RequestURI string
	// TopVia goes before the first Via.
	TopVia string
	// RemoveTopVia takes the topmost via-value away (replies on their way back).
	RemoveTopVia bool
	// Source is where the request came from: the topmost Via received gets
	// received when its host is another, and rport when it asks for it or
	// ForceRPort is set (RFC 3261 §18.2.1, RFC 3581). Zero changes nothing.
	Source     netip.AddrPort
	ForceRPort bool
	// Route goes before the first Route, or behind the Vias when there is none.
	Route string
	// Extra goes behind the last header.
	Extra string
	// NeedLength adds Content-Length when it is missing, and makes it right and
	// the only one: on a stream it delimits the message.
	NeedLength bool
	// Out says where the message goes out, for Edits.InsertLate: the daemon
	// gives its *transport.Socket.
	Out any
}

// maxOwn bounds the changes that PrintOptions make.
const maxOwn = 12

// printer merges lists of changes into one pass over the message.
type printer struct {
	m    *Message
	opt  *PrintOptions
	own  [maxOwn]change
	nown int
	body int // the printed body's length
}

// AppendTo prints the message with opt's changes (nil for none) and those of
// the lists, which are merged by place; at one place they come in the order of
// the lists, behind opt's own. What nobody touched is copied as received. What
// follows the body that Content-Length announces is left out. Content-Length is
// made right when the body's length changed.
func (m *Message) AppendTo(dst []byte, opt *PrintOptions, edits ...*Edits) []byte {
	p := printer{m: m, opt: opt}
	if opt != nil {
		p.prepare()
	}
	p.fixLength(edits)
	p.sort()
	return p.print(dst, edits)
}

func (p *printer) add(c change) {
	if p.nown < maxOwn {
		p.own[p.nown] = c
		p.nown++
	}
}

func (p *printer) insert(at int, text string) {
	if text != "" {
		p.add(change{start: at, end: at, text: text})
	}
}

func (p *printer) prepare() {
	m, o := p.m, p.opt
	if o.RequestURI != "" && m.request {
		p.add(change{start: m.uri.Start, end: m.uri.End, text: o.RequestURI})
	}
	viaStart := m.line.End
	if h := m.First(HdrVia); h != nil {
		viaStart = h.Start()
	}
	p.insert(viaStart, o.TopVia)
	if o.RemoveTopVia {
		if span, err := m.topViaSpan(); err == nil {
			p.add(change{start: span.Start, end: span.End})
		}
	} else if o.Source.IsValid() {
		if v, err := m.Via(); err == nil {
			p.addSource(v)
		}
	}
	if o.Route != "" {
		at := m.line.End
		if h := m.First(HdrRoute); h != nil {
			at = h.Start()
		} else if h := m.Last(HdrVia); h != nil {
			at = h.End()
		}
		p.insert(at, o.Route)
	}
	p.insert(m.HeaderEnd(), o.Extra)
}

// addSource notes what RFC 3261 §18.2.1 and RFC 3581 §4 have the receiver write
// into the topmost Via. As the elders, rport is filled where it stands and
// received goes to the end.
func (p *printer) addSource(v *Via) {
	received, rport := v.answer(p.opt.Source, p.opt.ForceRPort)
	if rport {
		if v.HasRPort {
			p.add(change{start: v.rport.Start, end: v.rport.End, op: opRPort})
		} else {
			p.add(change{start: v.paramEnd, end: v.paramEnd, op: opRPort})
		}
	}
	if received {
		if v.rcvd.End > 0 {
			p.add(change{start: v.rcvd.Start, end: v.rcvd.End, op: opReceived})
		} else {
			p.add(change{start: v.paramEnd, end: v.paramEnd, op: opReceived})
		}
	}
}

// answer says which parameters the receiver of a request adds to its topmost
// Via: received when the host is not the source address or the sender wrote
// rport or received, rport when the sender asked for it or force is set. As in
// Kamailio force alone adds no received that says what the host says.
func (v *Via) answer(src netip.AddrPort, force bool) (received, rport bool) {
	rport = v.HasRPort || force
	return v.HasRPort || v.rcvd.End > 0 || !v.hostIs(src.Addr()), rport
}

// NeedsReceived says whether the host of sent-by is not the address given:
// another one, or a name.
func (v *Via) NeedsReceived(src netip.Addr) bool { return !v.hostIs(src) }

func (v *Via) hostIs(addr netip.Addr) bool {
	a, ok := ParseHostAddr(v.Host)
	return ok && a == addr.Unmap().WithZone("")
}

// ParseHostAddr reads a host that is an IPv4 address or an IPv6 reference; ok is
// false for a name. It allocates nothing.
func ParseHostAddr(host string) (addr netip.Addr, ok bool) {
	if host == "" {
		return netip.Addr{}, false
	}
	if host[0] == '[' {
		if len(host) < 4 || host[len(host)-1] != ']' {
			return netip.Addr{}, false
		}
		host = host[1 : len(host)-1]
	} else {
		for i := 0; i < len(host); i++ { // a name would cost an error value
			if c := host[i]; !isDigit(c) && c != '.' && c != ':' && class[c]&classHex == 0 {
				return netip.Addr{}, false
			}
		}
		if !isDigit(host[0]) && host[0] != ':' && !isV6(host) {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

func isV6(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			return true
		}
	}
	return false
}

// fixLength finds out how long the printed body is and notes what is to be done
// about Content-Length.
func (p *printer) fixLength(edits []*Edits) {
	m := p.m
	start, end := m.body, m.bodyEnd()
	p.body = end - start
	changed := false
	for _, e := range edits {
		for i := range e.list {
			if c := &e.list[i]; c.start >= start && c.start <= end || c.end > start && c.start < start {
				p.body += len(c.text) - (min(c.end, end) - max(min(c.start, end), start))
				changed = true
			}
		}
	}
	need := p.opt != nil && p.opt.NeedLength
	h := m.First(HdrContentLength)
	if h == nil || deleted(edits, h.Start()) {
		if need {
			p.add(change{start: m.HeaderEnd(), end: m.HeaderEnd(), op: opLengthHdr})
		}
		return
	}
	if changed && p.body != m.length || need && p.body != m.length {
		p.add(change{start: h.ValueStart(), end: h.ValueEnd(), op: opLength})
	}
	if need { // two lengths are two readings of the stream
		for h = m.Next(h); h != nil; h = m.Next(h) {
			p.add(change{start: h.Start(), end: h.End()})
		}
	}
}

func deleted(edits []*Edits, at int) bool {
	for _, e := range edits {
		if e.deletes(at) {
			return true
		}
	}
	return false
}

// sort puts the own changes into order; there are few. Equal places keep their
// order, insertions before deletions.
func (p *printer) sort() {
	for i := 1; i < p.nown; i++ {
		for j := i; j > 0 && p.own[j].before(&p.own[j-1]); j-- {
			p.own[j], p.own[j-1] = p.own[j-1], p.own[j]
		}
	}
}

func (c *change) before(d *change) bool {
	if c.start != d.start {
		return c.start < d.start
	}
	if c.op == opLate || d.op == opLate {
		return d.op != opLate
	}
	return c.end == c.start && d.end > d.start
}

// print goes over the message once, taking the next change of all lists.
func (p *printer) print(dst []byte, edits []*Edits) []byte {
	raw, end := p.m.raw, p.m.bodyEnd()
	var places [8]int // where each list stands; more lists than that are rare
	at := places[:0]
	if len(edits) > len(places) {
		at = make([]int, 0, len(edits))
	}
	at = at[:len(edits)]
	pos, own := 0, 0
	for {
		var c *change
		which := -1
		if own < p.nown {
			c = &p.own[own]
		}
		for i, e := range edits {
			if at[i] < len(e.list) {
				if d := &e.list[at[i]]; c == nil || d.before(c) {
					c, which = d, i
				}
			}
		}
		if c == nil {
			break
		}
		if which < 0 {
			own++
		} else {
			at[which]++
		}
		if c.start > pos {
			stop := min(c.start, end)
			if stop > pos {
				dst = append(dst, raw[pos:stop]...)
			}
			pos = c.start
		}
		if c.end > c.start && c.end <= pos && pos > c.start {
			continue // all of it is left out by another list
		}
		dst = p.text(dst, c)
		pos = max(pos, c.end)
	}
	if pos < end {
		dst = append(dst, raw[pos:end]...)
	}
	return dst
}

func (p *printer) text(dst []byte, c *change) []byte {
	switch c.op {
	case opLength:
		return strconv.AppendInt(dst, int64(p.body), 10)
	case opLengthHdr:
		dst = append(dst, "Content-Length: "...)
		return append(strconv.AppendInt(dst, int64(p.body), 10), "\r\n"...)
	case opReceived:
		return appendReceived(dst, p.opt.Source)
	case opRPort:
		return appendRPort(dst, p.opt.Source)
	case opLate:
		if p.opt == nil {
			return c.late.AppendLate(dst, nil)
		}
		return c.late.AppendLate(dst, p.opt.Out)
	}
	return append(dst, c.text...)
}

func appendReceived(dst []byte, src netip.AddrPort) []byte {
	return src.Addr().Unmap().WithZone("").AppendTo(append(dst, ";received="...))
}

func appendRPort(dst []byte, src netip.AddrPort) []byte {
	return strconv.AppendUint(append(dst, ";rport="...), uint64(src.Port()), 10)
}
