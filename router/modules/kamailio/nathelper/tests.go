package nathelper

import (
	"net/netip"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// The tests of nat_uac_test.
const (
	testContact = 1 << iota
	testReceived
	testVia
	testSDP
	testPort
	testSource
	testWS
	testContactPort
	testSDPSource
	testDest
	allTests = 1<<iota - 1
)

var privateNets = [...]netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/29"),
}

var reservedNet = netip.MustParsePrefix("192.0.0.0/24")

func (n *nathelper) private(host string) bool {
	a, ok := sip.ParseHostAddr(host)
	return ok && n.privateAddr(a)
}

func (n *nathelper) privateAddr(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range privateNets {
		if p.Contains(a) {
			return true
		}
	}
	return n.addrMode == 1 && reservedNet.Contains(a)
}

func (n *nathelper) newPrivate(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		ip := a.Str(c, 0)
		if ip == "" {
			return -2
		}
		return code(n.private(ip))
	}, nil
}

// newTest compiles nat_uac_test.
func (n *nathelper) newTest(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		flags := a.Int(c, 0, 0)
		return code(flags&allTests != 0 && (n.viaTests(c, flags) || n.contactTests(c, flags) || n.bodyTests(c, flags) ||
			flags&testSource != 0 && n.privateAddr(c.Recv.Src.Addr()) ||
			flags&testWS != 0 && (c.Recv.Proto == transport.WS || c.Recv.Proto == transport.WSS) ||
			flags&testDest != 0 && otherDest(c)))
	}, nil
}

func (n *nathelper) viaTests(c *run.Context, flags int) bool {
	if flags&(testPort|testReceived|testVia) == 0 {
		return false
	}
	v, err := c.Msg.Via()
	if err != nil {
		return false
	}
	port := v.Port
	if port == 0 {
		port = 5060
	}
	src := c.Recv.Src
	if flags&testPort != 0 && src.Port() != port {
		return true
	}
	addr, ok := sip.ParseHostAddr(v.Host)
	return flags&testReceived != 0 && (!ok || addr != src.Addr().Unmap()) || flags&testVia != 0 && n.private(v.Host)
}

func (n *nathelper) contactTests(c *run.Context, flags int) bool {
	if flags&(testContact|testContactPort) == 0 {
		return false
	}
	_, u, found, err := firstContact(c.Msg)
	if err != nil || !found {
		return false
	}
	return flags&testContact != 0 && n.private(u.Host) || flags&testContactPort != 0 && c.Recv.Src.Port() != u.PortOr(u.DefaultPort())
}

func (n *nathelper) bodyTests(c *run.Context, flags int) bool {
	if flags&(testSDP|testSDPSource) == 0 || !c.Msg.HasBody() {
		return false
	}
	body := c.Msg.Body()
	d, err := sip.ParseSDP(body)
	if err != nil {
		return false
	}
	check := func(a sip.SDPAddr) bool {
		if a.End == 0 {
			return false
		}
		host := body[a.Start:a.End]
		addr, ok := sip.ParseHostAddr(host)
		return flags&testSDP != 0 && n.private(host) || flags&testSDPSource != 0 && ok && !addr.IsUnspecified() && addr != c.Recv.Src.Addr().Unmap()
	}
	if len(d.Media) == 0 {
		return check(d.Conn)
	}
	for i := range d.Media {
		if a, ok := d.Addr(i); ok && check(a) {
			return true
		}
	}
	return false
}

// otherDest says whether a request goes elsewhere than its URI says, or over a
// WebSocket.
func otherDest(c *run.Context) bool {
	if !c.Msg.IsRequest() {
		return false
	}
	u, err := c.ParsedRURI()
	if err != nil {
		return false
	}
	to := *u
	if c.Main.DstURI != "" {
		if to, err = sip.ParseURI(c.Main.DstURI); err != nil {
			return false
		}
	}
	if p, ok := transport.ParseProto(to.Transport); ok && (p == transport.WS || p == transport.WSS) {
		return true
	}
	return c.Main.DstURI != "" && (to.Host != u.Host || to.PortOr(5060) != u.PortOr(5060))
}

// The flags of fix_nated_sdp.
const (
	sdpDirection = 1 << iota
	sdpMedia
	sdpMark
	sdpOrigin
)

// newFixSDP compiles fix_nated_sdp.
func (n *nathelper) newFixSDP(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if !c.Msg.HasBody() {
			return -1
		}
		ip := c.Recv.Src.Addr().Unmap()
		if a.Has(1) {
			var ok bool
			if ip, ok = sip.ParseHostAddr(a.Str(c, 1)); !ok {
				return -1
			}
		}
		return code(n.fixSDP(c.Msg, a.Int(c, 0, 0), ip))
	}, nil
}

func (n *nathelper) fixSDP(m *sip.Message, flags int, ip netip.Addr) bool {
	body, at := m.Body(), m.BodyOffset()
	d, err := sip.ParseSDP(body)
	if err != nil {
		return false
	}
	tail, ok := "", true
	if flags&sdpDirection != 0 {
		tail += "a=direction:active\r\n"
	}
	if flags&sdpMark != 0 {
		tail += n.nortpproxy
	}
	set := func(x sip.SDPAddr) {
		if x.End == 0 || body[x.Start:x.End] == ip.String() {
			return
		}
		ok = ok && m.Edits.Replace(at+x.Start, at+x.End, ip.String()) == nil
		if x.V6 != ip.Is6() {
			family := "IP4"
			if ip.Is6() {
				family = "IP6"
			}
			ok = ok && m.Edits.Replace(at+x.Type.Start, at+x.Type.End, family) == nil
		}
	}
	if flags&sdpMedia != 0 {
		old := sip.SDPAddr{}
		for _, x := range append([]sip.SDPAddr{d.Conn}, mediaConns(&d)...) {
			if x.End > 0 && body[x.Start:x.End] != "0.0.0.0" { // on hold
				set(x)
				old = x
			}
		}
		if n.oldIP && old.End > 0 {
			name := "a=oldmediaip:"
			if old.V6 {
				name = "a=oldmediaip6:"
			}
			tail += name + body[old.Start:old.End] + "\r\n"
		}
	}
	if flags&sdpOrigin != 0 {
		set(d.Origin)
	}
	if tail != "" {
		if body[len(body)-1] != '\n' {
			tail = "\r\n" + tail
		}
		m.Edits.Insert(at+len(body), tail)
	}
	return ok
}

func mediaConns(d *sip.SDP) []sip.SDPAddr {
	var list []sip.SDPAddr
	for i := range d.Media {
		list = append(list, d.Media[i].Conn)
	}
	return list
}
