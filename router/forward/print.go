package forward

import (
	"strconv"
	"sync"
	"unsafe"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// Cookie starts the branch parameters of RFC 3261 (§8.1.1.7).
const Cookie = "z9hG4bK"

// AppendRequest prints c.Msg with its edits as it leaves for a branch: the
// branch's request URI, our Via in front, received and rport in the Via below,
// Route headers from the branch's Path. branch is our Via's branch parameter as
// a whole, with the cookie. extra are further edits (of a branch_route). What
// is appended to dst is complete; d.Sock must be set (Resolve does).
func AppendRequest(dst []byte, c *run.Context, b *run.Branch, d transport.Dest, branch string, extra ...*sip.Edits) []byte {
	if b == nil {
		b = &c.Main
	}
	scratch := appendVia(c.TakeScratch(), c, d, branch)
	opt, _ := options.Get().(*sip.PrintOptions)
	*opt = sip.PrintOptions{
		RequestURI: b.URI,
		TopVia:     noCopy(scratch),
		Source:     c.Recv.Src,
		ForceRPort: c.ForceRport,
		NeedLength: d.Proto.Reliable(),
		Out:        d.Sock,
	}
	if b.Path != "" {
		opt.Route = "Route: " + b.Path + "\r\n"
	}
	var room [6]*sip.Edits
	lists := append(append(room[:0], &c.Msg.Edits), extra...)
	dst = c.Msg.AppendTo(dst, opt, lists...)
	putOptions(opt)
	c.GiveScratch(scratch)
	return dst
}

// options are kept for the next message, because AppendTo makes them escape.
var options = sync.Pool{New: func() any { return new(sip.PrintOptions) }}

func putOptions(o *sip.PrintOptions) {
	*o = sip.PrintOptions{} // it must hold no message
	options.Put(o)
}

// noCopy is b as a string that lives as long as b is not changed.
func noCopy(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// AppendVia appends the Via header line that AppendRequest puts in front, with
// its line end.
func AppendVia(dst []byte, c *run.Context, d transport.Dest, branch string) []byte {
	return appendVia(dst, c, d, branch)
}

func appendVia(dst []byte, c *run.Context, d transport.Dest, branch string) []byte {
	dst = append(append(dst, "Via: SIP/2.0/"...), d.Proto.Upper()...)
	dst = append(dst, ' ')
	if c.AdvHost == "" && c.AdvPort == 0 {
		dst = d.Sock.AppendSentBy(dst)
	} else {
		host, port := c.AdvHost, c.AdvPort
		if host == "" {
			host = d.Sock.SentByHost()
		}
		if port == 0 {
			port = d.Sock.SentByPort()
		}
		dst = append(append(dst, host...), ':')
		dst = strconv.AppendUint(dst, uint64(port), 10)
	}
	dst = append(append(dst, ";branch="...), branch...)
	if c.AddLocalRport {
		dst = append(dst, ";rport"...)
	}
	if c.Recv.Conn != 0 {
		// As the elders: the number of the connection that the request came on,
		// so that its replies find it (see Reply).
		dst = strconv.AppendUint(append(dst, ";i="...), c.Recv.Conn, 16)
	}
	return append(dst, "\r\n"...)
}
