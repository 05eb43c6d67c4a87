package rr

import (
	"log/slog"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// What loose_route answers.
const (
	codeRouted    = 1
	codeFailed    = -1
	codePreloaded = -3 // outside a dialog, and no Route is left
)

// mode tells the three functions apart.
type mode uint8

const (
	looseRoute mode = iota
	loosePreloaded
	looseOnly // the previous hop is never taken for a strict router
)

func (m *rr) newLoose(how mode) func(module.Args) (run.Func, error) {
	return func(module.Args) (run.Func, error) {
		return func(c *run.Context) int { return m.loose(c, how) }, nil
	}
}

func (m *rr) newLooseMode(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if a.Int(c, 0, 0) == 1 {
			return m.loose(c, looseOnly)
		}
		return m.loose(c, looseRoute)
	}, nil
}

func (m *rr) loose(c *run.Context, how mode) int {
	rc := m.follow(c, how)
	if rc != codeFailed && m.onRoute != nil {
		m.tell(c)
	}
	if how != loosePreloaded {
		return rc
	}
	if rc == codePreloaded {
		return 1
	}
	return -1
}

// OnRoute asks to be told of requests that loose_route followed because the first
// Route was this daemon's, with the parameters of that Route. Other modules ask
// by the name of this one.
func (m *rr) OnRoute(f func(c *run.Context, params string)) { m.onRoute = append(m.onRoute, f) }

func (m *rr) tell(c *run.Context) {
	if s := m.state(c); s.routed {
		for _, f := range m.onRoute {
			f(c, s.route)
		}
	}
}

// route is one Route value.
type route struct {
	text       string // the URI
	uri        sip.URI
	start, end int // where the value stands
}

// routes reads the Route values into buf; ok is false when there are none or
// one of them is broken. As in Kamailio a Route without <> is.
func routes(msg *sip.Message, buf []route) (list []route, ok bool) {
	list = buf[:0]
	it := msg.Routes(sip.HdrRoute)
	for it.Next() {
		n := it.NameAddr()
		if n.URIStart == 0 || msg.Raw()[n.URIStart-1] != '<' {
			return nil, false
		}
		uri, err := sip.ParseURI(n.URI)
		if err != nil {
			return nil, false
		}
		list = append(list, route{text: n.URI, uri: uri, start: n.Start, end: n.End})
	}
	return list, it.Err() == nil && len(list) > 0
}

func (m *rr) follow(c *run.Context, how mode) int {
	if !c.Msg.IsRequest() || c.Msg.First(sip.HdrRoute) == nil {
		return codeFailed
	}
	var buf [3]route
	list, ok := routes(c.Msg, buf[:0])
	if !ok {
		return codeFailed
	}
	preloaded := c.Msg.ToTag() == ""
	if !preloaded && how != looseOnly {
		if u, err := c.ParsedRURI(); err == nil && u.Host != "" && m.mine(c, u) {
			return m.afterStrict(c, list)
		}
	}
	return m.afterLoose(c, list, preloaded)
}

// afterLoose follows a request whose previous hop left the request URI alone
// (RFC 3261 §16.4): own Routes go, the next one says where to.
func (m *rr) afterLoose(c *run.Context, list []route, preloaded bool) int {
	done := 0
	if top := &list[0]; m.mine(c, &top.uri) {
		s := m.state(c)
		s.route, s.routed = paramsOf(&top.uri), true
		done = 1
		if m.doubleRR != 0 && top.uri.R2 {
			if len(list) > 1 {
				m.force(c, &list[1].uri)
			}
			done = 2
		} else if m.forceSend != 0 {
			m.force(c, &top.uri)
		}
		if done >= len(list) {
			remove(c.Msg, len(list))
			if preloaded {
				return codePreloaded
			}
			return codeRouted
		}
		s.next = true
	}
	next := &list[done]
	if next.uri.LR {
		remove(c.Msg, done)
		c.SetDstURI(next.text)
		return codeRouted
	}
	// the next hop is a strict router: it wants its own address as request URI
	// and the real one as last Route (RFC 3261 §16.6 step 6)
	remove(c.Msg, done+1)
	appendRoute(c.Msg, c.RURI())
	c.SetRURI(next.text)
	return codeRouted
}

// afterStrict follows a request whose previous hop, a strict router, put an
// address of ours into the request URI (RFC 3261 §16.4): the real request URI is
// the last Route.
func (m *rr) afterStrict(c *run.Context, list []route) int {
	u, err := c.ParsedRURI()
	if err != nil {
		return codeFailed
	}
	s := m.state(c)
	s.route, s.routed = paramsOf(u), true
	done := 0
	if m.doubleRR != 0 && u.R2 && m.mine(c, &list[0].uri) { // the second of two own addresses
		m.force(c, &list[0].uri)
		done = 1
	}
	if done >= len(list) {
		return codeFailed
	}
	next := &list[done]
	if !next.uri.LR {
		remove(c.Msg, done+1)
		c.SetRURI(next.text)
		return codeRouted
	}
	last := &list[len(list)-1]
	c.SetDstURI(next.text)
	c.SetRURI(last.text)
	remove(c.Msg, done)
	if len(list) > done {
		removeLast(c.Msg, list, done)
	}
	return codeRouted
}

// remove takes the first n Routes out. What an earlier call took out stays out.
func remove(msg *sip.Message, n int) {
	if n > 0 {
		_ = msg.DeleteValues(sip.HdrRoute, n) // fails only where it is out already
	}
}

// removeLast takes the last Route out, with its field when that is all of it
// that is left; the first done of the list are out already.
func removeLast(msg *sip.Message, list []route, done int) {
	last := &list[len(list)-1]
	h := msg.Last(sip.HdrRoute)
	for h != nil && (last.start < h.Start() || last.start >= h.End()) { // empty fields may follow
		h = before(msg, h)
	}
	if h == nil {
		return
	}
	if len(list) > done+1 {
		if prev := &list[len(list)-2]; prev.start >= h.Start() { // leave the others of the field
			_ = msg.Edits.Delete(prev.end, last.end)
			return
		}
	}
	if done > 0 && list[done-1].start >= h.Start() { // the field's head is out already
		_ = msg.Edits.Delete(last.start, h.End())
		_ = msg.Edits.Delete(h.Start(), h.ValueStart())
		return
	}
	_ = msg.Edits.Delete(h.Start(), h.End())
}

// before is the Route field before h, nil when h is the first.
func before(msg *sip.Message, h *sip.Header) *sip.Header {
	var prev *sip.Header
	for x := msg.First(sip.HdrRoute); x != nil && x != h; x = msg.Next(x) {
		prev = x
	}
	return prev
}

// appendRoute adds a Route behind the others.
func appendRoute(msg *sip.Message, uri string) {
	if h := msg.Last(sip.HdrRoute); h != nil {
		msg.Edits.Insert(h.End(), "Route: <"+uri+">\r\n")
	}
}

// mine says whether a URI names this daemon.
func (m *rr) mine(c *run.Context, u *sip.URI) bool {
	if m.ignoreUser != "" && u.User == m.ignoreUser {
		return false
	}
	return u.Scheme != sip.TEL && c.Env.Myself(u.Host, u.Port, proto(u))
}

// proto is the transport a URI asks for, ProtoNone when it does not say.
func proto(u *sip.URI) transport.Proto {
	if u.Transport == "" {
		return transport.ProtoNone
	}
	p, _ := transport.ParseProto(u.Transport)
	return p
}

// force makes the request leave by the socket that an own Route names.
func (m *rr) force(c *run.Context, u *sip.URI) {
	if s := m.socket(c, u); s != nil {
		c.SendSock = s
		return
	}
	if m.warnMismatch != 0 && m.log != nil {
		m.log.Warn("own Route names no socket of this daemon",
			slog.String("call_id", c.Msg.CallID()), slog.String("uri", u.Raw()))
	}
}

// socket is the listener that a URI names, nil when there is none.
func (m *rr) socket(c *run.Context, u *sip.URI) *transport.Socket {
	if c.Env.Transport == nil {
		return nil
	}
	return find(c.Env.Transport.Sockets(), u, m.socketNameMode != 0)
}

// find is the socket that a URI names: by name where sockets carry them, by
// address, or by the address that it advertises.
func find(all []*transport.Socket, u *sip.URI, byName bool) *transport.Socket {
	if byName {
		if name, ok := u.Param("sn"); ok && name != "" {
			for _, s := range all {
				if s.Name == name {
					return s
				}
			}
		}
	}
	p := proto(u)
	if p == transport.ProtoNone {
		p = transport.UDP
		if u.Scheme == sip.SIPS {
			p = transport.TLS
		}
	}
	addr, isAddr := sip.ParseHostAddr(u.Host)
	port := u.PortOr(p.DefaultPort())
	for _, s := range all {
		if s.Proto != p {
			continue
		}
		if isAddr && s.Addr.Addr().Unmap() == addr && s.Addr.Port() == port {
			return s
		}
		if s.AdvHost != "" && strings.EqualFold(s.AdvHost, u.Host) && s.SentByPort() == port {
			return s
		}
	}
	return nil
}
