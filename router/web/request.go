// Package web is HTTP on the SIP port: a request is made into a message that
// the script can run on, as the elders do, and what answers it (a script's
// reply, or a module's) goes back as an HTTP response.
package web

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"sipd/router/run"
	"sipd/router/transport"
)

// Request is an HTTP request while the script runs on it.
type Request struct {
	// Method and URL are those of the request line; Version is 1.0 or 1.1.
	Method, URL, Version string
	Header               http.Header
	Body                 string

	via      string // that stands for the client in the message
	w        *writer
	answered bool
	keep     bool
}

// requestURI is that of the message, as the elders have it; nothing is sent there.
const requestURI = "sip:127.0.0.1:9"

// Parse reads a request that a stream delivered whole. The error is for the
// log: what does not parse is answered by Refuse.
func Parse(raw string, rcv transport.Received) (*Request, error) {
	h, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return nil, err
	}
	if len(h.TransferEncoding) > 0 {
		return nil, fmt.Errorf("transfer encoding %s: a body needs a Content-Length here", strings.Join(h.TransferEncoding, ", "))
	}
	r := &Request{
		Method: h.Method, URL: h.RequestURI, Header: h.Header, keep: !h.Close,
		Version: strconv.Itoa(h.ProtoMajor) + "." + strconv.Itoa(h.ProtoMinor),
		via:     "SIP/2.0/" + rcv.Proto.Upper() + " " + rcv.Src.String(),
	}
	if _, body, ok := strings.Cut(raw, "\r\n\r\n"); ok {
		r.Body = body
	} else if _, body, ok := strings.Cut(raw, "\n\n"); ok {
		r.Body = body
	}
	if r.Header.Get("Host") == "" && h.Host != "" {
		r.Header.Set("Host", h.Host)
	}
	return r, nil
}

// Message is the text of the message that the script sees: a request of the
// HTTP method with a Via made of the client's address, the header fields, and
// the body.
func (r *Request) Message() string {
	var b strings.Builder
	b.WriteString(r.Method + " " + requestURI + " SIP/2.0\r\nVia: " + r.via + "\r\n")
	for name, values := range r.Header {
		switch name {
		case "Via", "Content-Length", "From", "To", "Cseq", "Call-Id", "Route", "Record-Route", "Contact":
			continue // words that mean another thing in SIP, or that are written below
		}
		for _, v := range values {
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(r.Body)) + "\r\n\r\n")
	b.WriteString(r.Body)
	return b.String()
}

// Answered says whether a reply was sent.
func (r *Request) Answered() bool { return r.answered }

// Of is the request that a script runs on; nil where it runs on SIP.
func Of(c *run.Context) *Request {
	r, _ := c.Foreign.(*Request)
	return r
}
