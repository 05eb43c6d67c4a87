package sip

// Via is one via-value (RFC 3261 §20.42): "SIP/2.0/UDP host:port;branch=…".
type Via struct {
	// Protocol, Version and Transport as received: "SIP", "2.0", "UDP".
	Protocol, Version, Transport string
	// Host of sent-by; an IPv6 address with its brackets.
	Host string
	// Port of sent-by, 0 when not written.
	Port uint16
	// Params are all parameters as received, without the first ";".
	Params string
	// Branch, Received and RPort are parameters' values, "" when absent.
	Branch, Received, RPort string
	// HasRPort says that rport is there, with or without a value (RFC 3581).
	HasRPort bool
	// HasAlias says that alias is there (RFC 5923).
	HasAlias bool
	// I is the parameter i, by which the elders remember a connection.
	I string
	// Comment is the text in parentheses behind the parameters (RFC 2543), with
	// them.
	Comment string
	// Start and End are where the value stands: of messages' views in Raw.
	Start, End int

	hostPortEnd int  // behind sent-by
	paramEnd    int  // behind the last parameter, where one is added
	rport, rcvd Span // whole parameters, from their ";"
}

// SentByEnd is the place behind host and port.
func (v *Via) SentByEnd() int { return v.hostPortEnd }

// ParamEnd is the place behind the last parameter: where one may be added.
func (v *Via) ParamEnd() int { return v.paramEnd }

// Param finds a parameter; its value without quotes.
func (v *Via) Param(name string) (value string, ok bool) {
	value, ok = findParam(v.Params, name)
	return Unquote(value), ok
}

// Via is the topmost via-value; ErrAbsent without one.
func (m *Message) Via() (*Via, error) {
	if !m.have.has(viewVia) {
		m.have |= 1 << viewVia
		h := m.First(HdrVia)
		if h == nil {
			m.fault[viewVia] = ErrAbsent
		} else {
			m.fault[viewVia] = asError(m.via1.parse(m.raw, h.ValueStart(), h.ValueEnd()))
		}
	}
	if err := m.fault[viewVia]; err != nil {
		return nil, err
	}
	return &m.via1, nil
}

// Via2 is the second via-value, of the same field or the next; ErrAbsent
// without one.
func (m *Message) Via2() (*Via, error) {
	if !m.have.has(viewVia2) {
		m.have |= 1 << viewVia2
		m.fault[viewVia2] = m.parseVia2()
	}
	if err := m.fault[viewVia2]; err != nil {
		return nil, err
	}
	return &m.via2, nil
}

func (m *Message) parseVia2() error {
	v, err := m.Via()
	if err != nil {
		return err
	}
	h := m.First(HdrVia)
	i := skipLWS(m.raw, v.End, h.ValueEnd())
	if i < h.ValueEnd() { // parse left a comma there
		i = skipLWS(m.raw, i+1, h.ValueEnd())
	} else {
		if h = m.Next(h); h == nil {
			return ErrAbsent
		}
		i = h.ValueStart()
	}
	return asError(m.via2.parse(m.raw, i, h.ValueEnd()))
}

// topViaSpan is what goes when the topmost via-value goes: its field when it is
// the only one there, else the value and its comma.
func (m *Message) topViaSpan() (Span, error) {
	v, err := m.Via()
	if err != nil {
		return Span{}, err
	}
	h := m.First(HdrVia)
	i := skipLWS(m.raw, v.End, h.ValueEnd())
	if i >= h.ValueEnd() {
		return Span{h.Start(), h.End()}, nil
	}
	return Span{v.Start, skipLWS(m.raw, i+1, h.ValueEnd())}, nil
}

// asError keeps a nil *SyntaxError from becoming an error.
func asError(e *SyntaxError) error {
	if e == nil {
		return nil
	}
	return e
}

// ParseVia reads the first via-value of s.
func ParseVia(s string) (Via, error) {
	var v Via
	err := v.parse(s, skipLWS(s, 0, len(s)), len(s))
	return v, asError(err)
}

// parse reads the via-value at s[i:end], up to its end or a comma.
func (v *Via) parse(s string, i, end int) *SyntaxError {
	*v = Via{Start: i}
	var err *SyntaxError
	if v.Protocol, i, err = viaToken(s, i, end); err != nil {
		return err
	}
	if v.Version, i, err = viaPart(s, i, end); err != nil {
		return err
	}
	if v.Transport, i, err = viaPart(s, i, end); err != nil {
		return err
	}
	j := skipLWS(s, i, end)
	if j == i {
		return syntax("Via", i, "a blank was expected behind the transport")
	}
	if i, err = v.parseSentBy(s, j, end); err != nil {
		return err
	}
	return v.parseParams(s, i, end)
}

func viaToken(s string, i, end int) (string, int, *SyntaxError) {
	start := i
	for i < end && isToken(s[i]) {
		i++
	}
	if i == start {
		return "", i, syntax("Via", i, "protocol/version/transport was expected")
	}
	return s[start:i], i, nil
}

// viaPart reads SLASH token.
func viaPart(s string, i, end int) (string, int, *SyntaxError) {
	i = skipLWS(s, i, end)
	if i >= end || s[i] != '/' {
		return "", i, syntax("Via", i, "protocol/version/transport was expected")
	}
	return viaToken(s, skipLWS(s, i+1, end), end)
}

func (v *Via) parseSentBy(s string, i, end int) (int, *SyntaxError) {
	he := hostEnd(s, i, end)
	if he == i {
		return i, syntax("Via", i, "a host was expected")
	}
	v.Host = s[i:he]
	v.hostPortEnd = he
	i = skipLWS(s, he, end)
	if i >= end || s[i] != ':' {
		return i, nil
	}
	i = skipLWS(s, i+1, end)
	start := i
	for i < end && isDigit(s[i]) {
		i++
	}
	n, ok := parseUint(s[start:i], 65535)
	if !ok {
		return i, syntax("Via", start, "the port is not a number up to 65535")
	}
	v.Port = uint16(n)
	v.hostPortEnd = i
	return i, nil
}

// hostEnd is the place behind the host name, IPv4 address or IPv6 reference
// that starts at i; i itself when there is none.
func hostEnd(s string, i, end int) int {
	if i < end && s[i] == '[' {
		for j := i + 1; j < end; j++ {
			switch c := s[j]; {
			case c == ']':
				if j == i+1 {
					return i
				}
				return j + 1
			case class[c]&classHex == 0 && c != ':' && c != '.':
				return i
			}
		}
		return i
	}
	for i < end && class[s[i]]&classHost != 0 {
		i++
	}
	return i
}

func (v *Via) parseParams(s string, i, end int) *SyntaxError {
	v.paramEnd = v.hostPortEnd
	first := -1
	i = skipLWS(s, i, end)
	for i < end && s[i] == ';' {
		semi := i
		if first < 0 {
			first = i + 1
		}
		p, next := scanParam(s, i+1, end)
		if next < 0 {
			return syntax("Via", p.name, "a quoted string without end")
		}
		v.paramEnd = max(p.nameEnd, p.valEnd)
		v.known(s, &p, semi)
		i = next
	}
	if first >= 0 {
		v.Params = s[first:v.paramEnd]
	}
	v.End = v.paramEnd
	if i < end && s[i] == '(' {
		e := commentEnd(s, i, end)
		if e < 0 {
			return syntax("Via", i, "a comment without end")
		}
		v.Comment, v.End = s[i:e], e
		i = skipLWS(s, e, end)
	}
	if i < end && s[i] != ',' {
		return syntax("Via", i, "unexpected text behind the value")
	}
	return nil
}

// known keeps the parameters that have a field.
func (v *Via) known(s string, p *param, semi int) {
	name := s[p.name:p.nameEnd]
	whole := Span{semi, v.paramEnd}
	switch len(name) {
	case 1:
		if name[0]|0x20 == 'i' {
			v.I = p.text(s)
		}
	case 5:
		switch {
		case equalFold(name, "rport"):
			v.RPort, v.HasRPort, v.rport = p.text(s), true, whole
		case equalFold(name, "alias"):
			v.HasAlias = true
		}
	case 6:
		if equalFold(name, "branch") {
			v.Branch = p.text(s)
		}
	case 8:
		if equalFold(name, "received") {
			v.Received, v.rcvd = p.text(s), whole
		}
	}
}

// commentEnd is the place behind the comment that starts at i; comments nest.
func commentEnd(s string, i, end int) int {
	depth := 0
	for ; i < end; i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		case '\\':
			i++
		}
	}
	return -1
}
