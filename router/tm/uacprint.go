package tm

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"sipd/router/sip"
)

// firstCSeq is the CSeq of requests outside of a dialog, Kamailio's.
const firstCSeq = 10

// message makes the message of a request, without a Via, and its next hop. The
// order of the headers is Kamailio's.
func (tb *Table) message(r *Request) (m *sip.Message, next string, err error) {
	if err := r.check(); err != nil {
		return nil, "", err
	}
	uri, routes, next, err := r.Routing()
	if err != nil {
		return nil, "", err
	}
	buf := make([]byte, 0, 256+len(r.Headers)+len(r.Body)+len(r.From)+len(r.To)+len(uri))
	add := func(parts ...string) {
		for _, s := range parts {
			buf = append(buf, s...)
		}
	}
	add(r.Method, " ", uri, " SIP/2.0\r\nTo: ", bracketed(r.To), "\r\nFrom: ", bracketed(r.From))
	if n, perr := sip.ParseNameAddr(r.From); perr != nil || n.Tag == "" {
		add(";tag=", tb.tag, "-")
		buf = strconv.AppendUint(buf, rand.Uint64(), 16)
	}
	add("\r\nCSeq: ")
	seq := r.CSeq
	if seq == 0 {
		seq = firstCSeq
	}
	buf = strconv.AppendUint(buf, uint64(seq), 10)
	add(" ", r.Method, "\r\nCall-ID: ")
	if r.CallID != "" {
		add(r.CallID)
	} else {
		buf = strconv.AppendUint(buf, rand.Uint64(), 16)
		add("-", tb.tag)
	}
	add("\r\n")
	for i, rt := range routes {
		if i == 0 {
			add("Route: ", rt)
		} else {
			add(", ", rt)
		}
	}
	if len(routes) > 0 {
		add("\r\n")
	}
	if !r.has("Max-Forwards") {
		add("Max-Forwards: 70\r\n")
	}
	add("Content-Length: ")
	buf = strconv.AppendInt(buf, int64(len(r.Body)), 10)
	add("\r\n", tb.env.UserAgent, r.Headers, "\r\n", r.Body)
	m, err = sip.Parse(string(buf))
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return m, next, r.checkMessage(m)
}

// has says whether the further headers begin one of that name.
func (r *Request) has(name string) bool {
	for line := range strings.Lines(r.Headers) {
		if n, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return true
		}
	}
	return false
}

// bracketed puts an address without brackets into them, so that parameters
// behind it are the header's.
func bracketed(addr string) string {
	if strings.ContainsAny(addr, "<") {
		return addr
	}
	uri, params, _ := strings.Cut(addr, ";tag=")
	if params != "" {
		return "<" + uri + ">;tag=" + params
	}
	return "<" + addr + ">"
}

// check finds what would not become one message.
func (r *Request) check() error {
	switch {
	case r.Method == "" || strings.ContainsFunc(r.Method, func(c rune) bool { return c <= ' ' || c > '~' }):
		return fmt.Errorf("%w: %q is no method", ErrRequest, r.Method)
	case strings.ContainsAny(r.From+r.To+r.CallID+strings.Join(r.Routes, ""), "\r\n"):
		return fmt.Errorf("%w: a line end stands in From, To, Call-ID or Route", ErrRequest)
	case r.Headers != "" && !strings.HasSuffix(r.Headers, "\r\n"):
		return fmt.Errorf("%w: the last of the further headers has no line end", ErrRequest)
	case strings.HasPrefix(r.Headers, "\r\n"), strings.Contains(r.Headers, "\r\n\r\n"), strings.Contains(r.Headers, "\n\n"):
		return fmt.Errorf("%w: an empty line stands among the further headers", ErrRequest)
	}
	if _, err := sip.ParseURI(r.URI); err != nil || strings.ContainsAny(r.URI, " \t\r\n<>\"") {
		return fmt.Errorf("%w: %q is no URI to ask", ErrRequest, r.URI)
	}
	for _, a := range []string{r.From, r.To} {
		n, err := sip.ParseNameAddr(a)
		if err == nil {
			_, err = n.ParseURI()
		}
		if err != nil {
			return fmt.Errorf("%w: address %q: %w", ErrRequest, a, err)
		}
	}
	return nil
}

// checkMessage finds headers that are there twice because Headers has them.
func (r *Request) checkMessage(m *sip.Message) error {
	for _, k := range []sip.HeaderKind{sip.HdrFrom, sip.HdrTo, sip.HdrCallID, sip.HdrCSeq, sip.HdrMaxForwards, sip.HdrContentLength} {
		if m.Count(k) != 1 {
			return fmt.Errorf("%w: %s stands among the further headers", ErrRequest, k)
		}
	}
	if m.First(sip.HdrVia) != nil || m.Body() != r.Body {
		return fmt.Errorf("%w: the further headers are not only headers", ErrRequest)
	}
	return nil
}

// Routing applies the route set (RFC 3261 §12.2.1.1): the request URI, the
// Route values, the next hop ("" is the request URI).
func (r *Request) Routing() (uri string, routes []string, next string, err error) {
	uri, routes, next = r.URI, r.Routes, r.NextHop
	if len(routes) == 0 {
		return uri, routes, next, nil
	}
	first, err := sip.ParseNameAddr(routes[0])
	if err != nil {
		return "", nil, "", fmt.Errorf("%w: route %q: %w", ErrRequest, routes[0], err)
	}
	u, err := first.ParseURI()
	if err != nil {
		return "", nil, "", fmt.Errorf("%w: route %q: %w", ErrRequest, routes[0], err)
	}
	if _, loose := u.Param("lr"); loose {
		if next == "" {
			next = first.URI
		}
		return uri, routes, next, nil
	}
	return first.URI, append(append([]string(nil), routes[1:]...), "<"+uri+">"), next, nil
}
