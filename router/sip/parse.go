package sip

import "strings"

// Parse reads a message. It goes over raw once and allocates nothing once m has
// room for the headers. What is wrong is a *SyntaxError; the index then holds
// what could be read, so that a request can still be answered 400.
func (m *Message) Parse(raw string) error {
	m.Reset()
	maxSize := m.Limits.MaxSize
	if maxSize <= 0 {
		maxSize = DefaultMaxSize
	}
	if len(raw) > maxSize {
		return syntax("message", maxSize, "larger than the limit MaxSize")
	}
	m.raw = raw
	m.body = len(raw)
	i := 0
	for i < len(raw) && (raw[i] == '\r' || raw[i] == '\n') { // RFC 3261 §7.5
		i++
	}
	eol := strings.IndexByte(raw[i:], '\n')
	if eol < 0 {
		return syntax("first line", len(raw), "no line end")
	}
	m.line = Span{i, i + eol + 1}
	err := m.parseFirstLine(i, lineEnd(raw, i, i+eol))
	if err != nil && !m.request && m.status == 0 {
		return err
	}
	if herr := m.parseHeaders(i + eol + 1); err == nil {
		err = herr
	}
	if err == nil { // a typed nil must not become an error
		return nil
	}
	return err
}

// lineEnd is the end of a line's text: before the CR, if there is one.
func lineEnd(s string, start, lf int) int {
	if lf > start && s[lf-1] == '\r' {
		return lf - 1
	}
	return lf
}

// parseFirstLine reads a request line or a status line in raw[i:end].
func (m *Message) parseFirstLine(i, end int) *SyntaxError {
	raw := m.raw
	start := i
	if end-i >= 4 && equalFold(raw[i:i+4], "SIP/") {
		return m.parseStatusLine(i, end)
	}
	for i < end && isToken(raw[i]) {
		i++
	}
	if i == start || i >= end || raw[i] != ' ' {
		return syntax("request line", i, "a method and a blank were expected")
	}
	m.request = true
	m.methodName = raw[start:i]
	m.method = ParseMethod(m.methodName)
	i++
	m.uri.Start = i
	for i < end && raw[i] > ' ' {
		i++
	}
	m.uri.End = i
	if i == m.uri.Start {
		return syntax("request line", i, "no request URI behind exactly one blank")
	}
	if i >= end || raw[i] != ' ' {
		return syntax("request line", i, "no version behind the request URI")
	}
	i++
	m.version = raw[i:end]
	if !isVersion(m.version) {
		return syntax("request line", i, "the version is not SIP/n.n")
	}
	return nil
}

func (m *Message) parseStatusLine(i, end int) *SyntaxError {
	raw := m.raw
	start := i
	for i < end && raw[i] != ' ' {
		i++
	}
	m.version = raw[start:i]
	if !isVersion(m.version) {
		return syntax("status line", start, "the version is not SIP/n.n")
	}
	if end-i < 4 || !isDigit(raw[i+1]) || !isDigit(raw[i+2]) || !isDigit(raw[i+3]) {
		return syntax("status line", i, "a code of three digits was expected")
	}
	code := int(raw[i+1]-'0')*100 + int(raw[i+2]-'0')*10 + int(raw[i+3]-'0')
	i += 4
	if code < 100 || code > 699 {
		return syntax("status line", i-3, "the code is not between 100 and 699")
	}
	if i < end {
		if raw[i] != ' ' {
			return syntax("status line", i, "a code of three digits was expected")
		}
		i++
	}
	m.status = code
	m.reason = raw[i:end]
	return nil
}

// isVersion knows "SIP/" digits "." digits, letters in any case (RFC 3261 §7.1).
func isVersion(s string) bool {
	if s == "SIP/2.0" {
		return true
	}
	if len(s) < 7 || len(s) > 12 || !equalFold(s[:4], "SIP/") {
		return false
	}
	dot := strings.IndexByte(s, '.')
	if dot < 5 || dot == len(s)-1 {
		return false
	}
	for i := 4; i < len(s); i++ {
		if i != dot && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// parseHeaders indexes the header fields from i on. A field that cannot be read
// is left out of the index and reported at the end.
func (m *Message) parseHeaders(i int) (err *SyntaxError) {
	raw := m.raw
	limit := m.Limits.MaxHeaders
	if limit <= 0 {
		limit = DefaultMaxHeaders
	}
	for i < len(raw) {
		if raw[i] == '\n' {
			m.body = i + 1
			return err
		}
		if raw[i] == '\r' && i+1 < len(raw) && raw[i+1] == '\n' {
			m.body = i + 2
			return err
		}
		if len(m.headers) == limit {
			return syntax("header", i, "more header fields than the limit MaxHeaders")
		}
		start := i
		for i < len(raw) && isToken(raw[i]) {
			i++
		}
		nameEnd := i
		for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t') { // HCOLON, RFC 3261 §25.1
			i++
		}
		colon := i
		end := fieldEnd(raw, i)
		if nameEnd == start || colon >= len(raw) || raw[colon] != ':' {
			if err == nil {
				err = syntax("header", colon, "a name and a colon were expected")
			}
			i = max(end, start+1)
			continue
		}
		vs := skipLWS(raw, colon+1, end)
		if vs == end { // an empty value stands behind the colon, not on the next line
			vs = colon + 1
		}
		m.add(Header{
			Kind: KindOf(raw[start:nameEnd]), start: uint32(start), nameEnd: uint32(nameEnd),
			value: uint32(vs), valueEnd: uint32(trimRight(raw, vs, end)), end: uint32(end),
		})
		i = end
	}
	if err == nil {
		err = syntax("message", len(raw), "it ends before the empty line behind the header")
	}
	return err
}

// fieldEnd is the place behind the header field that goes on at i: behind its
// line end, or those of its folded lines.
func fieldEnd(raw string, i int) int {
	for {
		lf := strings.IndexByte(raw[i:], '\n')
		if lf < 0 {
			return len(raw)
		}
		i += lf + 1
		if i >= len(raw) || raw[i] != ' ' && raw[i] != '\t' {
			return i
		}
	}
}

// add puts a field into the index.
func (m *Message) add(h Header) {
	m.headers = append(m.headers, h)
	n := uint16(len(m.headers))
	if l := m.last[h.Kind]; l == 0 {
		m.first[h.Kind] = n
		if h.Kind == HdrContentLength {
			m.length = parseLength(m.raw[h.value:h.valueEnd])
		}
	} else {
		m.headers[l-1].next = n
	}
	m.last[h.Kind] = n
}

func parseLength(s string) int {
	n, ok := parseUint(s, 1<<30)
	if !ok {
		return lengthBad
	}
	return int(n)
}
