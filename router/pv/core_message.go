package pv

import (
	"math"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
)

// messageVars are the parts of the message as it was received, beside those of
// single headers.
func messageVars() []Def {
	size := func(c *run.Context) run.Value { return run.Int(len(c.Msg.Body())) }
	return []Def{
		{Name: "msg", Help: "$msg(hdrs): a part of the message: buf fline hdrs body fpart lpart, or its size: len hdrc hdrs_len body_len", New: newMessagePart},
		{Name: "mbu", Help: "the whole message with the changes made so far", Simple: updatedMessage},
		{Name: "msgbuf", Help: "$msgbuf(n): octet n of the message, from 0", New: newMessageOctet},
		{Name: "bs", Help: "length of the body, octets", Simple: size},
		{Name: "mts", Help: `"rq" for a request, "rp" for a reply`, Simple: func(c *run.Context) run.Value {
			if c.Msg.IsRequest() {
				return run.Str("rq")
			}
			return run.Str("rp")
		}},
		{Name: "rmid", Help: "number of the method: INVITE is 1, CANCEL 2, ACK 4 …", Simple: func(c *run.Context) run.Value { return run.Int(int(c.Msg.Method())) }},
		{Name: "rsi", Help: "status code of a reply, 0 in a request", Simple: func(c *run.Context) run.Value { return run.Int(c.Msg.StatusCode()) }},
		{Name: "expires", Help: "$expires(min|max): least and most seconds of the contacts", New: newExpires},
		{Name: "via0", Help: "$via0(host): a part of the first Via", New: newViaPart},
		{Name: "via1", Help: "$via1(host): a part of the second Via", New: newViaPart},
		{Name: "viaZ", Help: "$viaZ(host): a part of the last Via", New: newViaPart},
		{Name: "rpl", Help: "$rpl(duri): where a reply goes: duri dhost dport dproto dprotoid; cntvia and cntrr count headers", New: newReplyHop},
	}
}

// headerText is the header without the first line and the empty line, and where
// it starts.
func headerText(m *sip.Message) (string, int) {
	start := m.FirstLine().End
	return strings.TrimSpace(m.Raw()[start:max(m.HeaderEnd(), start)]), start
}

func newMessagePart(n *Name) (Var, error) {
	size := func(f func(m *sip.Message) int) Getter {
		return func(c *run.Context) run.Value { return run.Int(f(c.Msg)) }
	}
	text := func(f func(m *sip.Message) string) Getter {
		return func(c *run.Context) run.Value { return run.Str(f(c.Msg)) }
	}
	return pick(n, map[string]Getter{
		"len":      size(func(m *sip.Message) int { return len(m.Raw()) }),
		"buf":      text((*sip.Message).Raw),
		"body":     func(c *run.Context) run.Value { return str(c.Msg.Body(), c.Msg.HasBody()) },
		"body_len": size(func(m *sip.Message) int { return len(m.Body()) }),
		"hdrs":     text(func(m *sip.Message) string { s, _ := headerText(m); return s }),
		"hdrs_len": size(func(m *sip.Message) int { s, _ := headerText(m); return len(s) }),
		"hdrc":     size(func(m *sip.Message) int { return len(m.Headers()) }),
		"fline":    text(firstLine),
		"fpart":    text(func(m *sip.Message) string { return strings.TrimSpace(m.Raw()[:m.HeaderEnd()]) }),
		"lpart": func(c *run.Context) run.Value {
			h := c.Msg.Headers()
			if len(h) == 0 {
				return run.Null
			}
			return run.Str(c.Msg.Raw()[h[0].Start():])
		},
	})
}

func firstLine(m *sip.Message) string {
	line := m.FirstLine()
	return strings.TrimSpace(m.Raw()[line.Start:line.End])
}

// updatedMessage prints the message with its pending changes, as it would leave
// but for what belongs to a branch (Via, Route).
func updatedMessage(c *run.Context) run.Value {
	return run.Str(string(c.Msg.AppendTo(nil, &sip.PrintOptions{RequestURI: c.Main.URI}, &c.Msg.Edits)))
}

func newMessageOctet(n *Name) (Var, error) {
	if !n.HasInner {
		return Var{}, errf(0, "$msgbuf wants a number: $msgbuf(0)")
	}
	at := func(*run.Context) (int, bool) { return 0, false }
	if eval := n.InnerEval; eval != nil {
		at = func(c *run.Context) (int, bool) { return eval(c).Int(), true }
	} else {
		i, ok := run.ParseInt(strings.TrimSpace(n.Inner))
		if !ok || i < 0 {
			return Var{}, errf(0, "$msgbuf(%s) does not exist", n.Inner).hint("octets are counted from 0")
		}
		at = func(*run.Context) (int, bool) { return i, true }
	}
	return Var{Get: func(c *run.Context) run.Value {
		i, ok := at(c)
		if raw := c.Msg.Raw(); ok && i >= 0 && i < len(raw) {
			return run.Str(raw[i : i+1])
		}
		return run.Null
	}}, nil
}

// newExpires compiles $expires(min) and $expires(max): over the expires of all
// contacts, those without one count with the header Expires; without contacts
// that header alone.
func newExpires(n *Name) (Var, error) {
	bound := func(want int) Getter {
		return func(c *run.Context) run.Value {
			least, most, ok := expiresRange(c.Msg)
			if !ok {
				return run.Null
			}
			return run.Int([]int{least, most}[want])
		}
	}
	return pick(n, map[string]Getter{"min": bound(0), "max": bound(1)})
}

func expiresRange(m *sip.Message) (least, most int, ok bool) {
	least = math.MaxInt
	see := func(n int) { least, most, ok = min(least, n), max(most, n), true }
	header, has := m.Expires()
	for it := m.ContactIter(); it.Next(); {
		text, own := it.Contact().Param("expires")
		if n, good := run.ParseInt(text); own && text != "" {
			if !good {
				return 0, 0, false
			}
			see(n)
		} else if has {
			see(header)
		}
	}
	if !ok && has {
		see(header)
	}
	return least, most, ok
}

// newViaPart compiles $via0(part), $via1(part) and $viaZ(part).
func newViaPart(n *Name) (Var, error) {
	find := map[string]func(m *sip.Message) (*sip.Via, error){"via0": (*sip.Message).Via, "via1": (*sip.Message).Via2, "viaZ": lastVia}[n.Class]
	text := func(f func(v *sip.Via) string) Getter {
		return func(c *run.Context) run.Value {
			v, err := find(c.Msg)
			if err != nil || v == nil {
				return run.Null
			}
			s := f(v)
			return str(s, s != "")
		}
	}
	number := func(f func(v *sip.Via) int) Getter {
		return func(c *run.Context) run.Value {
			v, err := find(c.Msg)
			if err != nil || v == nil {
				return run.Null
			}
			return run.Int(f(v))
		}
	}
	return pick(n, map[string]Getter{
		"host":     text(func(v *sip.Via) string { return v.Host }),
		"port":     number(viaPort),
		"proto":    text(func(v *sip.Via) string { return v.Transport }),
		"protoid":  number(func(v *sip.Via) int { return protoNumber(v.Transport) }),
		"branch":   text(func(v *sip.Via) string { return v.Branch }),
		"rport":    text(func(v *sip.Via) string { return v.RPort }),
		"received": text(func(v *sip.Via) string { return v.Received }),
		"i":        text(func(v *sip.Via) string { return v.I }),
	})
}

func viaPort(v *sip.Via) int {
	if v.Port == 0 {
		return 5060
	}
	return int(v.Port)
}

// lastVia is the Via of the one who sent the request; nil when there is none.
func lastVia(m *sip.Message) (*sip.Via, error) {
	h := m.Last(sip.HdrVia)
	if h == nil {
		return nil, nil
	}
	rest, last := m.Value(h), ""
	for rest != "" {
		last = firstOfList(rest)
		rest = strings.TrimPrefix(rest[len(last):], ",")
	}
	v, err := sip.ParseVia(strings.TrimSpace(last))
	return &v, err
}

// newReplyHop compiles $rpl(part): the second Via is where a reply goes.
func newReplyHop(n *Name) (Var, error) {
	hop := func(f func(v *sip.Via, host string, port int) run.Value) Getter {
		return func(c *run.Context) run.Value {
			if c.Msg.IsRequest() {
				return run.Null
			}
			v, err := c.Msg.Via2()
			if err != nil || v == nil {
				return run.Null
			}
			host, port := v.Host, viaPort(v)
			if v.Received != "" {
				host = v.Received
			}
			if p, ok := run.ParseInt(v.RPort); ok && v.RPort != "" {
				port = p
			}
			return f(v, host, port)
		}
	}
	count := func(name string) Getter {
		return func(c *run.Context) run.Value {
			if c.Msg.IsRequest() {
				return run.Null
			}
			return run.Int(countListed(c.Msg, name))
		}
	}
	proto := func(v *sip.Via) string { return strings.ToLower(v.Transport) }
	return pick(n, map[string]Getter{
		"duri": hop(func(v *sip.Via, host string, port int) run.Value {
			uri := appendInt(append([]byte("sip:"+host), ':'), port)
			return run.Str(string(uri) + ";transport=" + proto(v))
		}),
		"dhost":    hop(func(_ *sip.Via, host string, _ int) run.Value { return run.Str(host) }),
		"dport":    hop(func(_ *sip.Via, _ string, port int) run.Value { return run.Int(port) }),
		"dproto":   hop(func(v *sip.Via, _ string, _ int) run.Value { return run.Str(proto(v)) }),
		"dprotoid": hop(func(v *sip.Via, _ string, _ int) run.Value { return run.Int(protoNumber(v.Transport)) }),
		"cntvia":   count("Via"),
		"cntrr":    count("Record-Route"),
	})
}
