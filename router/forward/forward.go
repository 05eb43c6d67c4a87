// Package forward sends requests and replies on without keeping state: it finds
// the next hop (RFC 3261 §16.6), prints what leaves, and knows the way back of
// a reply (§18.2.2). Package tm uses the same steps for its branches.
//
// Nothing edits the message: received and rport of the topmost Via, our own Via
// and the Route set of a Path are written while it is printed.
package forward

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// The codes of errors, as the elders number them for sl_reply_error.
const (
	CodeSend         = 477 // the message could not be sent
	CodeUnresolvable = 478 // the next hop's host does not resolve, or is not served
	CodeBadURI       = 479 // the next hop is not a URI to send to
	CodeTooBig       = 513 // larger than the transport carries (RFC 3261 §21.5.7)
)

// Error is why a message cannot be forwarded: a SIP code and a reason for the
// sender, and the cause for the log.
type Error struct {
	Code   int
	Reason string
	Err    error
}

// Error tells the reason and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%d %s", e.Code, e.Reason)
	}
	return fmt.Sprintf("%d %s: %v", e.Code, e.Reason, e.Err)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// reasons are the elders' phrases.
var reasons = map[int]string{
	CodeSend:         "Unfortunately error on sending to next hop occurred",
	CodeUnresolvable: "Unresolvable destination",
	CodeBadURI:       "Regretfully, we were not able to process the URI",
	CodeTooBig:       "Message Too Large",
}

func fail(code int, err error) *Error { return &Error{Code: code, Reason: reasons[code], Err: err} }

// SendError makes an *Error of what Manager.Send answered; nil for nil.
func SendError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, transport.ErrTooBig):
		return fail(CodeTooBig, err)
	}
	return fail(CodeSend, err)
}

// Fail notes err for sl_reply_error and answers -1, the script's false.
func Fail(c *run.Context, err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return c.Fail(e.Code, e.Reason)
	}
	return c.Fail(500, sip.StatusText(500))
}

// Next is the next hop of a branch: its DstURI, else its URI, else the request
// URI. b nil is the request URI's own branch.
func Next(c *run.Context, b *run.Branch) string {
	if b == nil {
		b = &c.Main
	}
	switch {
	case b.DstURI != "":
		return b.DstURI
	case b.URI != "":
		return b.URI
	}
	return c.RURI()
}

// Resolve turns a branch's next hop into destinations in order of preference
// (RFC 3263), each with the socket to send from: the branch's, else the one
// forced for the message, else the one it came in on when protocol and address
// family fit, else the transport's choice. Errors are *Error.
func Resolve(c *run.Context, b *run.Branch) ([]transport.Dest, error) {
	if b == nil {
		b = &c.Main
	}
	host, port, p, sips, err := target(Next(c, b))
	if err != nil {
		return nil, err
	}
	ds, rerr := c.Env.Transport.Resolve(context.Background(), host, port, p, sips) // the resolver has its own deadline
	if rerr != nil {
		return nil, fail(CodeUnresolvable, rerr)
	}
	out := ds[:0:0]
	for _, d := range ds {
		if err = complete(c, b, &d); err == nil {
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		return nil, err
	}
	return out, nil
}

// ResolveOne is the first destination of Resolve. When the next hop is an
// address it allocates nothing.
func ResolveOne(c *run.Context, b *run.Branch) (transport.Dest, error) {
	if b == nil {
		b = &c.Main
	}
	host, port, p, sips, err := target(Next(c, b))
	if err != nil {
		return transport.Dest{}, err
	}
	d, rerr := c.Env.Transport.ResolveOne(context.Background(), host, port, p, sips)
	if rerr != nil {
		return d, fail(CodeUnresolvable, rerr)
	}
	if complete(c, b, &d) == nil {
		return d, nil
	}
	// A family or protocol that we have no socket of: another record may do.
	ds, err := Resolve(c, b)
	if err != nil {
		return transport.Dest{}, err
	}
	return ds[0], nil
}

// target takes a next hop apart: host (maddr when there is one), port (0 when
// not written), protocol (ProtoNone when not written).
func target(uri string) (host string, port uint16, p transport.Proto, sips bool, err error) {
	u, perr := sip.ParseURI(uri)
	if perr != nil {
		return "", 0, 0, false, fail(CodeBadURI, perr)
	}
	if u.Scheme != sip.SIP && u.Scheme != sip.SIPS {
		return "", 0, 0, false, fail(CodeBadURI, errors.New("only sip and sips URIs tell a next hop"))
	}
	host, port, sips = u.Host, u.Port, u.Scheme == sip.SIPS
	if u.MAddr != "" {
		host = u.MAddr
	}
	if u.Transport != "" {
		known := false
		if p, known = transport.ParseProto(u.Transport); !known {
			return "", 0, 0, false, fail(CodeBadURI, fmt.Errorf("transport %q is not known", u.Transport))
		}
	}
	if sips && (p == transport.TCP || p == transport.ProtoNone) {
		p = transport.TLS
	}
	return host, port, p, sips, nil
}

// complete chooses the socket and fills the send options.
func complete(c *run.Context, b *run.Branch, d *transport.Dest) error {
	d.Conn, d.NoConnect, d.Close = b.Conn, c.FwdNoConnect, c.FwdClose
	switch {
	case b.Sock != nil:
		d.Sock = b.Sock
	case c.SendSock != nil:
		d.Sock = c.SendSock
	default:
		d.Sock = c.Recv.Sock
		if d.Sock != nil && d.Sock.Proto != d.Proto {
			d.Sock = nil // the elders look for the same address only when told to
		}
	}
	if d.Sock = c.Env.Transport.Choose(*d); d.Sock == nil {
		return fail(CodeSend, fmt.Errorf("%s to %s: %w", d.Proto, d.Addr, transport.ErrNoSocket))
	}
	return nil
}

// hostOnly is a URI's or Via's host without its brackets.
func hostOnly(h string) string { return strings.TrimSuffix(strings.TrimPrefix(h, "["), "]") }
