package tm

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"sipd/router/forward"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
	"sipd/router/transport"
	"sipd/rpc"
)

// reply says what a caller of tm.t_uac_… waits for.
type reply uint8

const (
	noReply  reply = iota // none: it is answered when the request is out
	allReply              // the whole reply (tm.t_uac_wait)
	outcome               // code and reason (tm.t_uac_wait_block)
)

// call is one call of them.
type uacCall struct {
	reply      reply
	noACK, hex bool
	// at is where its parameters begin.
	at        int
	fr, frInv int // ms
}

// uacMethods are the methods that send a request: three ways to wait, each with
// forms that leave the ACK of an INVITE out and that take the body in
// hexadecimal.
func (m *mod) uacMethods() []*rpc.Method {
	var list []*rpc.Method
	for _, w := range []struct {
		name, help, answers string
		reply               reply
	}{
		{"start", "Sends a request and answers at once", "", noReply},
		{"wait", "Sends a request and answers when its final reply comes: code, reason, remote target, next hop, routes, the reply", "int, string", allReply},
		{"wait_block", "Sends a request and answers the code and reason of its final reply", "struct {code: int, text: string}", outcome},
	} {
		for _, f := range []struct {
			suffix, help string
			noACK, hex   bool
		}{
			{"", "", false, false},
			{"_hex", ", the body given in hexadecimal", false, true},
			{"_noack", ", without the ACK to a 2xx", true, false},
			{"_noack_hex", ", without the ACK to a 2xx, the body given in hexadecimal", true, true},
		} {
			u := uacCall{reply: w.reply, noACK: f.noACK, hex: f.hex}
			list = append(list, &rpc.Method{
				Name: "tm.t_uac_" + w.name + f.suffix, Help: w.help + f.help + ".", Reply: w.answers,
				List: w.reply == allReply, Changes: true, Params: uacParams(), Example: uacExample,
				Handler: func(ctx context.Context, c *rpc.Call) error { return m.uac(ctx, c, u) },
			})
		}
	}
	attrs := rpc.Param{Name: "attrs", Type: rpc.TString, Optional: true, Help: "mode=start, wait or block; cbflags=noack; rpflags=1 (hexadecimal body); fr_timeout=MS; fr_inv_timeout=MS"}
	return append(list, &rpc.Method{
		Name: "tm.t_uac_attrs", Help: "Sends a request as attributes say that come first.", Changes: true, Reply: "as the method of that mode",
		Params: append([]rpc.Param{attrs}, uacParams()...), Example: "mode=block;fr_timeout=2000 " + uacExample, Handler: m.uacAttrs,
	})
}

const uacExample = `OPTIONS sip:alice@127.0.0.1:5080 . . "From: <sip:ping@example.net>\r\nTo: <sip:alice@example.net>\r\n"`

func uacParams() []rpc.Param {
	var ps []rpc.Param
	for _, p := range [][2]string{
		{"method", ""},
		{"ruri", "request URI"},
		{"nexthop", `URI to send to, "." for the request URI`},
		{"send_socket", `socket to send from, "." for any`},
		{"headers", "header lines, From and To among them; !! is the sending socket"},
		{"body", ""},
	} {
		ps = append(ps, rpc.Param{Name: p[0], Help: p[1], Type: rpc.TString, Optional: true})
	}
	return ps
}

// uacAttrs reads the attributes; as in Kamailio what it does not know is passed
// over.
func (m *mod) uacAttrs(ctx context.Context, c *rpc.Call) error {
	if c.Len() < 6 {
		return rpc.Faultf(400, "too few parameters (%d/5)", -c.Len())
	}
	u := uacCall{at: 1}
	for part := range strings.SplitSeq(c.Str(0), ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, _ := strconv.Atoi(v)
		switch strings.ToLower(name) {
		case "mode":
			u.reply = map[string]reply{"wait": allReply, "block": outcome}[strings.ToLower(v)]
		case "cbflags":
			u.noACK = strings.EqualFold(v, "noack")
		case "rpflags":
			u.hex = n&1 != 0
		case "fr_timeout":
			u.fr = n
		case "fr_inv_timeout":
			u.frInv = n
		}
	}
	return m.uac(ctx, c, u)
}

// uac sends the request of a call. Faults are those of a real 5.6.3.
func (m *mod) uac(ctx context.Context, c *rpc.Call, u uacCall) error {
	if u.reply == allReply && c.Wire == rpc.BinRPC.String() {
		// as a real one, whose clients know this fault
		return rpc.Faultf(600, "Reply wait/async mode not supported by this rpc transport")
	}
	if n := c.Len() - u.at; n < 5 {
		return rpc.Faultf(400, "too few parameters (%d/5)", -n)
	}
	q, err := m.uacRequest(func(i int) string { return c.Str(u.at + i) }, u)
	if err != nil {
		return err
	}
	done := make(chan *tm.Response, 1)
	if u.reply != noReply {
		q.Done = func(x *tm.Response) { done <- x }
	}
	t, err := m.table.Send(q)
	switch {
	case err != nil:
		return sendFault(err)
	case u.reply == noReply:
		return nil
	case t == nil: // an ACK
		return rpc.Faultf(500, "No response")
	}
	select {
	case x := <-done:
		if u.reply == outcome {
			c.Add(rpc.Struct{rpc.M("code", rpc.Int(x.Code)), rpc.M("text", rpc.String(x.Reason))})
		} else {
			answerWhole(c, x)
		}
		return nil
	case <-ctx.Done():
		return rpc.Faultf(500, "No response")
	}
}

// uacRequest reads the parameters of a call.
func (m *mod) uacRequest(arg func(int) string, u uacCall) (*tm.Request, error) {
	q := &tm.Request{Method: arg(0), URI: arg(1), Body: arg(5), NoACK: u.noACK, FrTimer: u.fr, FrInvTimer: u.frInv}
	if q.Method == "" {
		return nil, rpc.Faultf(400, "Empty method")
	}
	if _, err := sip.ParseURI(q.URI); err != nil {
		return nil, rpc.Faultf(400, `Invalid request uri "%s"`, q.URI)
	}
	if u.hex {
		b, err := hex.DecodeString(strings.Join(strings.Fields(q.Body), ""))
		if err != nil {
			return nil, rpc.Faultf(400, "Invalid hexa body")
		}
		q.Body = string(b)
	}
	if hop := arg(2); hop != "." && hop != "" {
		if _, err := sip.ParseURI(hop); err != nil || strings.ContainsAny(hop, " \t\r\n") {
			return nil, rpc.Faultf(400, `Invalid next-hop uri "%s"`, hop)
		}
		q.NextHop = hop
	}
	if s := arg(3); s != "." && s != "" {
		var err error
		if q.Socket, err = m.socket(s); err != nil {
			return nil, err
		}
	}
	return q, m.uacHeaders(q, arg(4))
}

// socket finds a listening socket by "proto:host:port", of which protocol and
// port may be missing.
func (m *mod) socket(s string) (*transport.Socket, error) {
	p, rest := transport.ProtoNone, s
	if name, more, ok := strings.Cut(s, ":"); ok {
		if known, is := transport.ParseProto(name); is {
			p, rest = known, more
		}
	}
	host, port, err := sip.SplitHostPort(rest)
	if err != nil || host == "" || host[0] == '(' {
		return nil, rpc.Faultf(400, `Invalid send socket "%s"`, s)
	}
	if m.env.Transport != nil {
		if sock := m.env.Transport.SocketFor(p, host, port); sock != nil {
			return sock, nil
		}
	}
	return nil, rpc.Faultf(400, `No local socket for "%s"`, s)
}

// uacHeaders takes what the request is made of out of the header lines.
func (m *mod) uacHeaders(q *tm.Request, text string) error {
	text = strings.TrimRight(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n"), "\r\n")
	h, err := sip.Parse("X sip:x SIP/2.0\r\n" + text + "\r\n\r\n")
	if err != nil || text == "" || strings.Contains(text, "\r\n\r\n") {
		return rpc.Faultf(400, "Invalid headers")
	}
	if err := checkUAC(q, h); err != nil {
		return err
	}
	var rest strings.Builder
	for i := range h.Headers() {
		f := &h.Headers()[i]
		switch f.Kind {
		case sip.HdrFrom, sip.HdrTo, sip.HdrCallID, sip.HdrCSeq, sip.HdrContentLength, sip.HdrRoute:
		default:
			rest.WriteString(h.Raw()[f.Start():f.End()])
		}
	}
	it := h.Routes(sip.HdrRoute)
	for it.Next() {
		n := it.NameAddr()
		q.Routes = append(q.Routes, h.Raw()[n.Start:n.End])
	}
	if it.Err() != nil {
		return rpc.Faultf(400, "Invalid headers")
	}
	q.From, q.To, q.CallID = h.Value(h.First(sip.HdrFrom)), h.Value(h.First(sip.HdrTo)), h.CallID()
	if cs, err := h.CSeq(); err == nil {
		q.CSeq = cs.Num
	}
	q.Headers = rest.String()
	if strings.Contains(q.Headers, "!!") {
		return m.nameSocket(q)
	}
	return nil
}

// checkUAC is what a real one checks, in its order.
func checkUAC(q *tm.Request, h *sip.Message) error {
	switch {
	case q.Body != "" && h.First(sip.HdrContentType) == nil:
		return rpc.Faultf(400, "Content-Type missing")
	case q.Body != "" && h.First(sip.HdrContentLength) != nil:
		return rpc.Faultf(400, "Content-Length disallowed")
	case h.First(sip.HdrVia) != nil:
		return rpc.Faultf(400, "Via disallowed")
	case h.First(sip.HdrTo) == nil:
		return rpc.Faultf(400, "To missing")
	case h.First(sip.HdrFrom) == nil:
		return rpc.Faultf(400, "From missing")
	}
	if n, err := h.From(); err != nil {
		return rpc.Faultf(400, "Error in From")
	} else if _, err = n.ParseURI(); err != nil {
		return rpc.Faultf(400, "Error in From")
	}
	if n, err := h.To(); err != nil {
		return rpc.Faultf(400, "Error in To")
	} else if _, err = n.ParseURI(); err != nil {
		return rpc.Faultf(400, "Error in To")
	}
	if h.First(sip.HdrCSeq) != nil {
		cs, err := h.CSeq()
		if err != nil {
			return rpc.Faultf(400, "Non-numerical CSeq")
		}
		if cs.MethodName != q.Method {
			return rpc.Faultf(400, "CSeq method mismatch")
		}
	}
	return nil
}

// nameSocket puts the address of the sending socket for each "!!".
func (m *mod) nameSocket(q *tm.Request) error {
	c := new(run.Context)
	c.Reset(m.env)
	b := run.Branch{URI: q.URI, DstURI: q.NextHop, Sock: q.Socket}
	d, _, err := m.network.Resolve(c, &b)
	if err != nil {
		return rpc.Faultf(500, "Failed to build headers block")
	}
	q.Headers = strings.ReplaceAll(q.Headers, "!!", d.Sock.SentBy())
	return nil
}

// answerWhole answers as tm.t_uac_wait: with a 2xx the dialog that it makes,
// too.
func answerWhole(c *rpc.Call, x *tm.Response) {
	c.Add(rpc.Int(x.Code), rpc.String(x.Reason))
	switch {
	case x.Msg == nil:
		c.Add(rpc.String(""), rpc.String(""), rpc.String(""), rpc.String(""))
		return
	case x.Code/100 == 2:
		target, next, routes := dialogOf(x.Msg)
		c.Add(rpc.String(target), rpc.String(next), rpc.String(routes))
	}
	c.Add(rpc.String(x.Msg.Raw()[x.Msg.FirstLine().End:]))
}

// dialogOf is where the next request of the dialog goes; without a Contact
// there is none.
func dialogOf(m *sip.Message) (target, next, routes string) {
	d, err := tm.DialogOfReply(m, m)
	if err != nil || m.First(sip.HdrContact) == nil {
		return "", "", ""
	}
	target, list, next, err := d.Request("BYE").Routing()
	if err != nil {
		return "", "", ""
	}
	if next == "" {
		next = target
	}
	if len(list) > 0 {
		routes = "Route: " + strings.Join(list, ", ")
	}
	return target, next, routes
}

// sendFault is why a request was not sent. The numbers in parentheses are those
// of a real one.
func sendFault(err error) error {
	if errors.Is(err, tm.ErrDropped) {
		return rpc.Faultf(500, "No error (0/RPC/UAC)")
	}
	e, ok := errors.AsType[*forward.Error](err)
	switch {
	case !ok:
		return rpc.Faultf(400, "%s", err)
	case e.Code == forward.CodeUnresolvable, errors.Is(err, transport.ErrNoSocket):
		return rpc.Faultf(500, "I'm terribly sorry, server error occurred (7/RPC/UAC)")
	}
	return rpc.Faultf(e.Code, "%s (%d/RPC/UAC)", e.Reason, e.Code)
}
