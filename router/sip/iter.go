package sip

// AddrIter goes over the addresses of all fields of a kind, one by one: Route,
// Record-Route, Path, P-Asserted-Identity and the like.
//
//	it := m.Routes(sip.HdrRoute)
//	for it.Next() {
//		use(it.NameAddr())
//	}
//	if err := it.Err(); err != nil { … }
type AddrIter struct {
	m   *Message
	h   *Header
	pos int
	cur NameAddr
	err error
}

// RouteIter is the iterator over Route and Record-Route values.
type RouteIter = AddrIter

// Routes starts an iteration over the addresses of a kind of header.
func (m *Message) Routes(k HeaderKind) AddrIter {
	it := AddrIter{m: m, h: m.First(k)}
	if it.h != nil {
		it.pos = it.h.ValueStart()
	}
	return it
}

// Next goes to the next address; false at the end and on an error.
func (it *AddrIter) Next() bool {
	if it.h == nil || it.err != nil {
		return false
	}
	raw := it.m.raw
	for {
		end := it.h.ValueEnd()
		i := it.pos
		for i < end && (raw[i] == ',' || isLWS(raw[i])) { // empty items of a list are passed over
			i++
		}
		if i < end {
			next, err := it.cur.parse(raw, i, end)
			if err != nil {
				err.What = it.h.Kind.String()
				it.err = err
				return false
			}
			it.pos = next
			return true
		}
		if it.h = it.m.Next(it.h); it.h == nil {
			return false
		}
		it.pos = it.h.ValueStart()
	}
}

// NameAddr is the current address; it is overwritten by Next.
func (it *AddrIter) NameAddr() *NameAddr { return &it.cur }

// Header is the field that the current address stands in.
func (it *AddrIter) Header() *Header { return it.h }

// Err is the error that ended the iteration, nil at its regular end.
func (it *AddrIter) Err() error { return it.err }

// DeleteValues edits away the first n addresses of a kind of header: whole
// fields where all their values go, else values with their commas.
func (m *Message) DeleteValues(k HeaderKind, n int) error {
	it := m.Routes(k)
	var h *Header
	inField := 0
	for ; n > 0 && it.Next(); n-- {
		if it.h != h {
			h, inField = it.h, 0
		}
		inField++
		next := skipLWS(m.raw, it.pos, h.ValueEnd())
		if next >= h.ValueEnd() { // that was the field's last
			if err := m.Edits.Delete(h.Start(), h.End()); err != nil {
				return err
			}
			inField = 0
		}
	}
	if it.err != nil {
		return it.err
	}
	if inField > 0 {
		return m.Edits.Delete(h.ValueStart(), skipLWS(m.raw, it.pos+1, h.ValueEnd()))
	}
	return nil
}

// Contact is one value of a Contact header with what registrars and forkers
// read of it.
type Contact struct {
	NameAddr
	// Q is the preference in thousandths, QAbsent when not given.
	Q int
	// Expires is the parameter in seconds; HasExpires says it is there and a number.
	Expires    int
	HasExpires bool
	// Instance is +sip.instance without quotes and brackets kept; RegID is
	// reg-id, 0 when absent (RFC 5626).
	Instance string
	RegID    int
	// Received is the parameter received without quotes.
	Received string
	// Methods is the parameter methods without quotes.
	Methods string
}

// QAbsent is the q of a contact that has none.
const QAbsent = -1

// ContactIter goes over all values of all Contact headers.
type ContactIter struct {
	AddrIter
	c Contact
}

// ContactIter starts an iteration over the contacts.
func (m *Message) ContactIter() ContactIter { return ContactIter{AddrIter: m.Routes(HdrContact)} }

// Next goes to the next contact; false at the end and on an error.
func (it *ContactIter) Next() bool {
	if !it.AddrIter.Next() {
		return false
	}
	if err := it.c.fill(&it.cur); err != nil {
		it.err = err
		return false
	}
	return true
}

// Contact is the current contact; it is overwritten by Next.
func (it *ContactIter) Contact() *Contact { return &it.c }

func (c *Contact) fill(n *NameAddr) error {
	*c = Contact{NameAddr: *n, Q: QAbsent}
	s := n.Params
	base := n.ParamEnd - len(s)
	for i := 0; i < len(s); {
		if s[i] == ';' || isLWS(s[i]) {
			i++
			continue
		}
		p, next := scanParam(s, i, len(s))
		if next < 0 {
			return syntax("Contact", base+p.name, "a quoted string without end")
		}
		if next <= i {
			next = i + 1
		}
		i = next
		v := p.text(s)
		switch name := s[p.name:p.nameEnd]; {
		case equalFold(name, "q"):
			q, ok := ParseQ(v)
			if !ok {
				return syntax("Contact", base+p.val, "q is not a number from 0 to 1")
			}
			c.Q = q
		case equalFold(name, "expires"):
			// RFC 3261 §10.2.1.1: a malformed value counts as 3600
			x, ok := parseUint(v, 1<<32-1)
			if !ok {
				x = 3600
			}
			c.Expires, c.HasExpires = int(x), true
		case equalFold(name, "+sip.instance"):
			c.Instance = Unquote(v)
		case equalFold(name, "reg-id"):
			x, _ := parseUint(v, 1<<31-1)
			c.RegID = int(x)
		case equalFold(name, "received"):
			c.Received = Unquote(v)
		case equalFold(name, "methods"):
			c.Methods = Unquote(v)
		}
	}
	return nil
}

// ParseQ reads a q-value, "0.75", into thousandths (RFC 3261 §25.1: at most
// three digits behind the point; more are cut off).
func ParseQ(s string) (int, bool) {
	if s == "" {
		return 0, false
	}
	n, i := 0, 0
	switch s[0] {
	case '0', '1':
		n, i = int(s[0]-'0')*1000, 1
	case '.':
	default:
		return 0, false
	}
	if i == len(s) {
		return n, true
	}
	if s[i] != '.' {
		return 0, false
	}
	unit := 100
	for i++; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		n += int(s[i]-'0') * unit
		unit /= 10
	}
	return n, n <= 1000 && s != "."
}

// AppendQ prints thousandths as a q-value: 700 is "0.7".
func AppendQ(dst []byte, q int) []byte {
	if q >= 1000 {
		return append(dst, '1')
	}
	if q <= 0 {
		return append(dst, '0')
	}
	dst = append(dst, '0', '.', byte('0'+q/100))
	if q%100 != 0 {
		dst = append(dst, byte('0'+q/10%10))
	}
	if q%10 != 0 {
		dst = append(dst, byte('0'+q%10))
	}
	return dst
}
