package sip

// Header is one header field of a message: what it is and where it stands.
type Header struct {
	Kind HeaderKind
	next uint16 // index + 1 of the next of its kind; 0 for none

	start, nameEnd, value, valueEnd, end uint32
}

// Start is where the field starts in Raw.
func (h *Header) Start() int { return int(h.start) }

// End is the place behind the field and its line end.
func (h *Header) End() int { return int(h.end) }

// ValueStart is where the value starts, white space skipped.
func (h *Header) ValueStart() int { return int(h.value) }

// ValueEnd is where the value ends, white space and line end left out.
func (h *Header) ValueEnd() int { return int(h.valueEnd) }

// Headers are the fields in the order received. They must not be changed.
func (m *Message) Headers() []Header { return m.headers }

// Name is a field's name as received.
func (m *Message) Name(h *Header) string { return m.raw[h.start:h.nameEnd] }

// Value is a field's value as received: folded lines kept, outer white space
// left out.
func (m *Message) Value(h *Header) string { return m.raw[h.value:h.valueEnd] }

// First is the first field of a kind, nil when there is none.
func (m *Message) First(k HeaderKind) *Header {
	if k < headerKinds {
		if i := m.first[k]; i != 0 {
			return &m.headers[i-1]
		}
	}
	return nil
}

// Last is the last field of a kind, nil when there is none.
func (m *Message) Last(k HeaderKind) *Header {
	if k < headerKinds {
		if i := m.last[k]; i != 0 {
			return &m.headers[i-1]
		}
	}
	return nil
}

// Next is the next field of the same kind, for HdrOther the next of the same
// name; nil at the end.
func (m *Message) Next(h *Header) *Header {
	name := ""
	if h.Kind == HdrOther {
		name = m.Name(h)
	}
	for h.next != 0 {
		h = &m.headers[h.next-1]
		if name == "" || equalFold(m.Name(h), name) {
			return h
		}
	}
	return nil
}

// FindName is the first field of a name, written in any case, compact or full;
// nil when there is none. Next leads to the others.
func (m *Message) FindName(name string) *Header {
	k := KindOf(name)
	h := m.First(k)
	if k != HdrOther || h == nil {
		return h
	}
	for {
		if equalFold(m.Name(h), name) {
			return h
		}
		if h.next == 0 {
			return nil
		}
		h = &m.headers[h.next-1]
	}
}

// Count is the number of fields of a kind.
func (m *Message) Count(k HeaderKind) int {
	n := 0
	for h := m.First(k); h != nil; h = m.Next(h) {
		n++
	}
	return n
}

// HeaderEnd is the place behind the last header field, before the empty line:
// where fields are appended.
func (m *Message) HeaderEnd() int {
	if n := len(m.headers); n > 0 {
		return m.headers[n-1].End()
	}
	return m.line.End
}

// HasToken says whether one of the fields of a kind, each a comma-separated
// list (Supported, Require, Allow, …), names the token; case does not count.
func (m *Message) HasToken(k HeaderKind, token string) bool {
	for h := m.First(k); h != nil; h = m.Next(h) {
		for rest := m.Value(h); rest != ""; {
			var item string
			if item, rest = CutList(rest); equalFold(item, token) {
				return true
			}
		}
	}
	return false
}

// CutList takes the first item off a comma-separated list: trimmed, and what
// follows its comma. Commas in quoted strings and in <> do not count.
func CutList(s string) (item, rest string) {
	angle := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			if angle { // a quote inside a URI is not a quoted string
				continue
			}
			e := quotedEnd(s, i, len(s))
			if e < 0 {
				return trim(s), ""
			}
			i = e - 1
		case '<':
			angle = true
		case '>':
			angle = false
		case ',':
			if !angle {
				return trim(s[:i]), s[i+1:]
			}
		}
	}
	return trim(s), ""
}

// CSeq is the value of a CSeq header (RFC 3261 §20.16).
type CSeq struct {
	Num        uint32
	Method     Method
	MethodName string
}

// CSeq is the value of the CSeq header. The number must fit into 32 bits
// unsigned; that it must be below 2^31 is for sanity to say.
func (m *Message) CSeq() (CSeq, error) {
	if !m.have.has(viewCSeq) {
		m.have |= 1 << viewCSeq
		m.cseq = CSeq{}
		m.fault[viewCSeq] = m.parseCSeq()
	}
	return m.cseq, m.fault[viewCSeq]
}

func (m *Message) parseCSeq() error {
	h := m.First(HdrCSeq)
	if h == nil {
		return ErrAbsent
	}
	s, end := m.raw, h.ValueEnd()
	i := h.ValueStart()
	for i < end && isDigit(s[i]) {
		i++
	}
	n, ok := parseUint(s[h.ValueStart():i], 1<<32-1)
	if !ok {
		return syntax("CSeq", h.ValueStart(), "no number of at most 32 bits")
	}
	j := skipLWS(s, i, end)
	k := j
	for k < end && isToken(s[k]) {
		k++
	}
	if j == i || k == j || k != end {
		return syntax("CSeq", k, "a number, a blank and a method were expected")
	}
	name := s[j:k]
	m.cseq = CSeq{Num: uint32(n), Method: ParseMethod(name), MethodName: name}
	return nil
}

// MaxForwards is the value of Max-Forwards, 0 to 255, and where it stands;
// ErrAbsent without one.
func (m *Message) MaxForwards() (n int, h *Header, err error) {
	h = m.First(HdrMaxForwards)
	if h == nil {
		return 0, nil, ErrAbsent
	}
	v, ok := parseUint(m.Value(h), 255)
	if !ok {
		return 0, h, syntax("Max-Forwards", h.ValueStart(), "not a number from 0 to 255")
	}
	return int(v), h, nil
}

// Expires is the value of Expires in seconds; ok is false when there is none or
// it is not a number of 32 bits.
func (m *Message) Expires() (n int, ok bool) {
	h := m.First(HdrExpires)
	if h == nil {
		return 0, false
	}
	v, ok := parseUint(m.Value(h), 1<<32-1)
	return int(v), ok
}
