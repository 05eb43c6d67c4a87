package rr

import (
	"errors"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// state is what a request carries through its run: the Record-Route to be
// written and the Route that was followed.
type state struct {
	// own is the Record-Route of the request, branch those of branches, by the
	// branch that runs.
	own, branch *recorded
	branchIndex int
	// pending are the parameters that add_rr_param gave before record_route.
	pending string

	// route are the parameters of the own Route with their ";"; routed says
	// that there was one, next that the next hop came from a Route.
	route        string
	routed, next bool
	first        recorded // own of most requests
}

// recorded is one call of record_route. It is text when the message is printed:
// how many headers it is depends on the socket the request leaves by.
type recorded struct {
	m    *rr
	recv *transport.Socket
	kind kind
	sips bool
	user string
	// host are the addresses of a preset (outbound first), or the advertised one.
	host, host2 string
	// ftag is the From tag, params what the script adds, each with its ";".
	ftag, params string
	removed      bool
}

// kind tells which function asked.
type kind uint8

const (
	ownAddress kind = iota
	preset
	advertised
)

var (
	errParam  = errors.New(`a parameter is written with its semicolon: ";name=value"`)
	errDouble = errors.New(`two addresses need modparam("rr", "enable_double_rr", 1)`)
)

// state is the request's; it is made when first asked for.
func (m *rr) state(c *run.Context) *state {
	if s, ok := c.Slots[m.slot].(*state); ok {
		return s
	}
	s := new(state)
	c.Slots[m.slot] = s
	return s
}

// record adds a Record-Route before the first header; false when the request
// has one already. The caller fills what it gets.
func (m *rr) record(c *run.Context, k kind) (*recorded, bool) {
	s := m.state(c)
	if !c.Msg.IsRequest() || c.RecordRoute || s.own != nil && !s.own.removed {
		return nil, false
	}
	r := &s.first
	if s.own != nil || c.Route == run.BranchRoute {
		r = new(recorded)
	}
	if c.Route == run.BranchRoute {
		if s.branch != nil && s.branchIndex == c.Branch {
			return nil, false
		}
		s.branch, s.branchIndex = r, c.Branch
	} else {
		s.own, c.RecordRoute = r, true
	}
	*r = recorded{m: m, recv: c.Recv.Sock, kind: k, user: m.user(c), ftag: m.ftag(c, s), params: s.pending}
	if m.ignoreSIPS == 0 {
		uri := c.RURI()
		r.sips = len(uri) > 5 && uri[4] == ':' && strings.EqualFold(uri[:4], "sips")
	}
	at := c.Msg.FirstLine().End
	c.Msg.Edits.InsertLate(at, r)
	return r, true
}

// user is what add_username asks for.
func (m *rr) user(c *run.Context) string {
	if m.addUsername == 0 {
		return ""
	}
	if m.userAVP.Get != nil {
		if v := m.userAVP.Get(c); !v.IsNull() {
			return v.Text()
		}
	}
	if u, err := c.ParsedRURI(); err == nil && u.User != m.ignoreUser {
		return u.User
	}
	return ""
}

// ftag is the tag of whoever started the dialog: within one, a request that
// goes upstream has it in To.
func (m *rr) ftag(c *run.Context, s *state) string {
	if m.appendFromTag == 0 {
		return ""
	}
	if s.routed && upstream(c, s.route) {
		return c.Msg.ToTag()
	}
	return c.Msg.FromTag()
}

func (m *rr) newRecordRoute(a module.Args) (run.Func, error) {
	if err := checkParam(a, 0); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		r, ok := m.record(c, ownAddress)
		if !ok {
			return -1
		}
		if p := a.Str(c, 0); p != "" {
			r.params += withSemicolon(p)
		}
		return 1
	}, nil
}

func (m *rr) newPreset(a module.Args) (run.Func, error) {
	if a.Has(1) && m.doubleRR == 0 {
		return nil, &module.ArgError{I: 1, Err: errDouble}
	}
	return func(c *run.Context) int {
		host, second := a.Str(c, 0), a.Str(c, 1)
		if !isAddress(host) || a.Has(1) && !isAddress(second) {
			return -1
		}
		r, ok := m.record(c, preset)
		if !ok {
			return -1
		}
		r.host, r.host2 = host, second
		return 1
	}, nil
}

func (m *rr) newAdvertised(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		host := a.Str(c, 0)
		if !isAddress(host) {
			return -1
		}
		r, ok := m.record(c, advertised)
		if !ok {
			return -1
		}
		r.host = host
		return 1
	}, nil
}

func (m *rr) newRemove(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if s, ok := c.Slots[m.slot].(*state); ok && s.own != nil {
			s.own.removed = true
		}
		c.RecordRoute = false
		return 1
	}, nil
}

func (m *rr) newAddParam(a module.Args) (run.Func, error) {
	if err := checkParam(a, 0); err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		p := a.Str(c, 0)
		if p == "" || !clean(p) {
			return -1
		}
		m.AddParam(c, withSemicolon(p))
		return 1
	}, nil
}

// AddParam adds a parameter, with its semicolon, to the Record-Route that is
// there or that record_route adds later. Other modules ask by the name of this
// one.
func (m *rr) AddParam(c *run.Context, p string) {
	s := m.state(c)
	switch {
	case c.Route == run.BranchRoute && s.branch != nil && s.branchIndex == c.Branch:
		s.branch.params += p
	case s.own != nil && !s.own.removed:
		s.own.params += p
	default:
		s.pending += p
	}
}

// checkParam refuses constant text that would break the header.
func checkParam(a module.Args, i int) error {
	if a.Has(i) && a[i].IsConst {
		if t := a[i].Const.Text(); !strings.HasPrefix(t, ";") || !clean(t) {
			return &module.ArgError{I: i, Err: errParam}
		}
	}
	return nil
}

func withSemicolon(p string) string {
	if p[0] == ';' {
		return p
	}
	return ";" + p
}

// clean says whether text can stand inside <> of a header.
func clean(s string) bool { return !strings.ContainsAny(s, "<>\r\n ") }

func isAddress(s string) bool { return s != "" && clean(s) }

// AppendLate writes the header or, where the request leaves by another socket
// than it came in by, the two: the outgoing side first.
func (r *recorded) AppendLate(dst []byte, out any) []byte {
	if r.removed {
		return dst
	}
	send, _ := out.(*transport.Socket)
	if send == nil {
		send = r.recv
	}
	if send == nil { // a request of our own that is not being sent yet
		return dst
	}
	recv := r.recv
	if recv == nil {
		recv = send
	}
	switch r.kind {
	case preset:
		dst = r.given(dst, r.host, "", false)
		if r.host2 != "" {
			dst = r.given(dst, r.host2, "", false)
		}
		return dst
	case advertised:
		if r.m.doubleRR == 2 || r.m.doubleRR == 1 && send.Proto != recv.Proto {
			return r.given(r.given(dst, r.host, send.Proto.String(), true), r.host, recv.Proto.String(), true)
		}
		proto := "" // as Kamailio: none as long as the transport stays, be it TCP
		if send.Proto != recv.Proto {
			proto = recv.Proto.String()
		}
		return r.given(dst, r.host, proto, false)
	}
	if r.m.doubleRR == 2 || r.m.doubleRR == 1 && !same(send, recv) {
		return r.own(r.own(dst, send, true), recv, true)
	}
	return r.own(dst, recv, false)
}

// same says whether two sockets are one to the outside.
func same(a, b *transport.Socket) bool {
	return a == b || a.Proto == b.Proto && a.Addr == b.Addr
}

func (r *recorded) start(dst []byte) []byte {
	dst = append(dst, "Record-Route: <sip"...)
	if r.sips {
		dst = append(dst, 's')
	}
	dst = append(dst, ':')
	if r.user != "" {
		dst = append(append(dst, r.user...), '@')
	}
	return dst
}

// own writes a header for a socket.
func (r *recorded) own(dst []byte, s *transport.Socket, double bool) []byte {
	dst = append(r.start(dst), s.SentByHost()...)
	if p := s.SentByPort(); p != 5060 {
		dst = strconv.AppendUint(append(dst, ':'), uint64(p), 10)
	}
	switch s.Proto {
	case transport.UDP:
	case transport.WSS: // there is no transport of that name: RFC 7118 §5
		dst = append(dst, ";transport=ws"...)
	default:
		dst = append(append(dst, ";transport="...), s.Proto.String()...)
	}
	if r.m.socketNameMode != 0 && s.Name != "" {
		dst = append(append(dst, ";sn="...), s.Name...)
	}
	if double {
		dst = append(dst, ";r2=on"...)
	}
	dst = append(dst, r.m.lr...)
	return r.end(dst)
}

// given writes a header for an address that the script gave. The elder writes
// lr last here.
func (r *recorded) given(dst []byte, host, proto string, double bool) []byte {
	dst = append(r.start(dst), host...)
	if proto != "" {
		dst = append(append(dst, ";transport="...), proto...)
	}
	if double {
		dst = append(dst, ";r2=on"...)
	}
	dst = r.tail(dst)
	dst = append(dst, r.m.lr...)
	return append(dst, ">\r\n"...)
}

func (r *recorded) tail(dst []byte) []byte {
	if r.ftag != "" {
		dst = append(append(dst, ";ftag="...), r.ftag...)
	}
	return append(dst, r.params...)
}

func (r *recorded) end(dst []byte) []byte { return append(r.tail(dst), ">\r\n"...) }

var _ sip.Late = (*recorded)(nil)
