package sip

// NameAddr is an address as From, To, Contact, Route and others carry it:
// "Name" <uri>;params, or uri;params without brackets (RFC 3261 §20.10).
type NameAddr struct {
	// Display is the name as received, quotes kept; "" for none.
	Display string
	// URI is the address without brackets.
	URI string
	// Params are the header's parameters as received, without the first ";".
	Params string
	// Tag is the parameter tag.
	Tag string
	// Star is true for the "*" of a Contact.
	Star bool
	// Start and End are where the value stands, URIStart and URIEnd its URI: of
	// messages' views in Raw, else in the text that was parsed.
	Start, End       int
	URIStart, URIEnd int
	// ParamEnd is where a parameter may be added.
	ParamEnd int

	parsed bool
	uri    URI
	err    error
}

// ParseURI takes the URI apart; the answer is cached and valid as long as n.
func (n *NameAddr) ParseURI() (*URI, error) {
	if !n.parsed {
		n.uri, n.err = ParseURI(n.URI)
		n.parsed = true
	}
	if n.err != nil {
		return nil, n.err
	}
	return &n.uri, nil
}

// Param finds a parameter of the header; its value without quotes.
func (n *NameAddr) Param(name string) (value string, ok bool) {
	value, ok = findParam(n.Params, name)
	return Unquote(value), ok
}

// ParseNameAddr reads one address; nothing may follow it.
func ParseNameAddr(s string) (NameAddr, error) {
	var n NameAddr
	end := trimRight(s, 0, len(s))
	next, err := n.parse(s, 0, end)
	if err == nil && next < end {
		err = syntax("address", next, "more than one address")
	}
	if err != nil {
		return NameAddr{}, err
	}
	return n, nil
}

// From is the From header; ErrAbsent without one.
func (m *Message) From() (*NameAddr, error) { return m.address(&m.from, viewFrom, HdrFrom) }

// To is the To header; ErrAbsent without one.
func (m *Message) To() (*NameAddr, error) { return m.address(&m.to, viewTo, HdrTo) }

func (m *Message) address(n *NameAddr, v views, k HeaderKind) (*NameAddr, error) {
	if !m.have.has(v) {
		m.have |= 1 << v
		m.fault[v] = m.parseAddress(n, k)
	}
	if err := m.fault[v]; err != nil {
		return nil, err
	}
	return n, nil
}

func (m *Message) parseAddress(n *NameAddr, k HeaderKind) error {
	h := m.First(k)
	if h == nil {
		return ErrAbsent
	}
	next, err := n.parse(m.raw, h.ValueStart(), h.ValueEnd())
	if err == nil && next < h.ValueEnd() {
		err = syntax(k.String(), next, "more than one address")
	}
	if err != nil {
		err.What = k.String()
	}
	return asError(err)
}

// parse reads the address at s[i:end] and answers the place of the comma that
// ended it, or end.
func (n *NameAddr) parse(s string, i, end int) (next int, err *SyntaxError) {
	*n = NameAddr{}
	i = skipLWS(s, i, end)
	n.Start = i
	switch {
	case i >= end:
		return i, syntax("address", i, "it is empty")
	case s[i] == '"':
		e := quotedEnd(s, i, end)
		if e < 0 {
			return i, syntax("address", i, "a quoted string without end")
		}
		n.Display = s[i:e]
		if i = skipLWS(s, e, end); i >= end || s[i] != '<' {
			return i, syntax("address", i, "a URI in <> was expected behind the name")
		}
		i, err = n.parseBracketed(s, i, end)
	case s[i] == '*' && skipLWS(s, i+1, end) == end:
		n.Star = true
		n.End, n.ParamEnd = i+1, i+1
		n.URIStart, n.URIEnd = i, i+1
		n.URI = s[i : i+1]
		return end, nil
	default:
		if b := bracket(s, i, end); b >= 0 {
			n.Display = s[i:trimRight(s, i, b)]
			i, err = n.parseBracketed(s, b, end)
		} else {
			i, err = n.parseBare(s, i, end)
		}
	}
	if err != nil {
		return i, err
	}
	return n.parseParams(s, i, end)
}

// bracket looks for "<" behind an unquoted name; -1 when a URI without brackets
// stands there.
func bracket(s string, i, end int) int {
	for ; i < end; i++ {
		switch s[i] {
		case '<':
			return i
		case ':', ';', ',', '"', '>':
			return -1
		}
	}
	return -1
}

func (n *NameAddr) parseBracketed(s string, i, end int) (int, *SyntaxError) {
	us := skipLWS(s, i+1, end)
	j := us
	for j < end && class[s[j]]&classURI != 0 {
		j++
	}
	ue := j
	j = skipLWS(s, j, end)
	if j >= end || s[j] != '>' {
		return j, syntax("address", j, "a URI ended by > was expected")
	}
	if ue == us {
		return us, syntax("address", us, "the URI is empty")
	}
	n.URI, n.URIStart, n.URIEnd = s[us:ue], us, ue
	n.End = j + 1
	return j + 1, nil
}

// parseBare reads a URI without brackets: "," ";" and blanks end it (RFC 3261
// §20: the parameters then belong to the header).
func (n *NameAddr) parseBare(s string, i, end int) (int, *SyntaxError) {
	start := i
	for i < end && class[s[i]]&classURI != 0 && s[i] != ';' && s[i] != ',' {
		i++
	}
	if i == start {
		return i, syntax("address", i, "a URI was expected")
	}
	n.URI, n.URIStart, n.URIEnd, n.End = s[start:i], start, i, i
	return i, nil
}

func (n *NameAddr) parseParams(s string, i, end int) (int, *SyntaxError) {
	n.ParamEnd = n.End
	first := -1
	i = skipLWS(s, i, end)
	for i < end && s[i] == ';' {
		if first < 0 {
			first = i + 1
		}
		p, next := scanParam(s, i+1, end)
		if next < 0 {
			return p.name, syntax("address", p.name, "a quoted string without end")
		}
		n.ParamEnd = max(p.nameEnd, p.valEnd)
		if p.nameEnd-p.name == 3 && equalFold(s[p.name:p.nameEnd], "tag") {
			n.Tag = p.text(s)
		}
		i = next
	}
	if first >= 0 {
		n.Params = s[first:n.ParamEnd]
		n.End = n.ParamEnd
	}
	if i < end && s[i] != ',' {
		return i, syntax("address", i, "unexpected text behind the address")
	}
	return i, nil
}
