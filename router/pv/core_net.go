package pv

import (
	"net/netip"
	"strconv"
	"strings"

	"sipd/router/run"
	"sipd/router/transport"
)

// networkVars are where the message came from and where it came in.
func networkVars() []Def {
	srcIP := func(dst []byte, c *run.Context) []byte { return appendBareIP(dst, c.Recv.Src.Addr()) }
	dstIP := func(dst []byte, c *run.Context) []byte { return appendBareIP(dst, c.Recv.Dst.Addr()) }
	advIP := func(dst []byte, c *run.Context) []byte {
		if s := c.Recv.Sock; s != nil {
			return append(dst, s.SentByHost()...)
		}
		return appendIP(dst, c.Recv.Dst.Addr())
	}
	advPort := func(c *run.Context) int {
		if s := c.Recv.Sock; s != nil {
			return int(s.SentByPort())
		}
		return int(c.Recv.Dst.Port())
	}
	proto := func(c *run.Context) run.Value { return run.Str(c.Recv.Proto.String()) }
	return []Def{
		appended("si", "source address", srcIP),
		appended("src_ip", "the same as $si", srcIP),
		appended("siz", "source address, IPv6 in brackets", func(dst []byte, c *run.Context) []byte { return appendIP(dst, c.Recv.Src.Addr()) }),
		{Name: "sp", Help: "source port", Simple: func(c *run.Context) run.Value { return run.Int(int(c.Recv.Src.Port())) }},
		appended("Ri", "local address the message came to", dstIP),
		{Name: "Rp", Help: "local port the message came to", Simple: func(c *run.Context) run.Value { return run.Int(int(c.Recv.Dst.Port())) }},
		appended("RAi", "advertised address of the local socket", advIP),
		{Name: "RAp", Help: "advertised port of the local socket", Simple: func(c *run.Context) run.Value { return run.Int(advPort(c)) }},
		{Name: "pr", Help: "transport protocol", Simple: proto},
		{Name: "proto", Help: "the same as $pr", Simple: proto},
		{Name: "prid", Help: "number of the transport protocol: UDP is 1, TCP 2, TLS 3, SCTP 4, WS 5, WSS 6", Simple: func(c *run.Context) run.Value { return run.Int(int(c.Recv.Proto)) }},
		{Name: "af", Help: "$af or $af(id): address family, 2 for IPv4 and 10 for IPv6; $af(name): its name", New: newFamily},
		{Name: "conid", Help: "number of the connection that the message came over", Simple: func(c *run.Context) run.Value {
			if c.Recv.Conn == 0 {
				return run.Null
			}
			return run.Int(int(c.Recv.Conn))
		}},
		appended("Ras", "local socket as protocol:address:port", func(dst []byte, c *run.Context) []byte {
			return appendAddrPort(append(append(dst, c.Recv.Proto.String()...), ':'), c.Recv.Dst)
		}),
		appended("su", "source as sip:address:port", func(dst []byte, c *run.Context) []byte {
			return appendSockURI(dst, c.Recv.Src, transport.ProtoNone)
		}),
		appended("sut", "source as sip:address:port;transport=", func(dst []byte, c *run.Context) []byte {
			return appendSockURI(dst, c.Recv.Src, c.Recv.Proto)
		}),
		appended("sas", "source as protocol:address:port", func(dst []byte, c *run.Context) []byte {
			return appendAddrPort(append(append(dst, c.Recv.Proto.String()...), ':'), c.Recv.Src)
		}),
		appended("Ru", "local socket as sip:address:port", func(dst []byte, c *run.Context) []byte {
			return appendSockURI(dst, c.Recv.Dst, transport.ProtoNone)
		}),
		appended("Rut", "local socket as sip:address:port;transport=", func(dst []byte, c *run.Context) []byte {
			return appendSockURI(dst, c.Recv.Dst, c.Recv.Proto)
		}),
		appended("RAu", "advertised socket as sip:address:port", func(dst []byte, c *run.Context) []byte {
			dst = append(advIP(append(dst, "sip:"...), c), ':')
			return appendInt(dst, advPort(c))
		}),
		appended("RAut", "advertised socket as sip:address:port;transport=", func(dst []byte, c *run.Context) []byte {
			dst = append(advIP(append(dst, "sip:"...), c), ':')
			dst = append(appendInt(dst, advPort(c)), ";transport="...)
			return append(dst, c.Recv.Proto.String()...)
		}),
		{Name: "Rn", Help: "name of the local socket", Simple: func(c *run.Context) run.Value {
			if s := c.Recv.Sock; s != nil && s.Name != "" {
				return run.Str(s.Name)
			}
			return run.Null
		}},
		{Name: "fs", Help: "forced send socket as protocol:address:port", Simple: func(c *run.Context) run.Value {
			if c.SendSock == nil {
				return run.Null
			}
			return run.Str(c.SendSock.String())
		}, SimpleSet: setSendSocket},
		{Name: "fsn", Help: "name of the forced send socket", Simple: func(c *run.Context) run.Value {
			return str(forced(c).Name, forced(c).Name != "")
		}, SimpleSet: setSendSocketName},
		{Name: "fsp", Help: "port of the forced send socket, 0 for none", Simple: func(c *run.Context) run.Value { return run.Int(int(forced(c).Addr.Port())) }},
		{Name: "snd", Help: "$snd(ip): where a message is being sent to (onsend_route)", New: newSending},
		{Name: "sndto", Help: "the same as $snd", New: newSending},
		{Name: "sndfrom", Help: "$sndfrom(ip): the socket a message is being sent from (onsend_route)", New: newSending},
		{Name: "rcv", Help: "$rcv(srcip): how a datagram came in (event_route of received data)", New: newReceived},
		{Name: "K", Help: "$K(UDP): the number of a protocol or address family", New: newConstant},
	}
}

// appended defines a variable that is built from pieces: formats get it
// without a string in between.
func appended(name, help string, f func(dst []byte, c *run.Context) []byte) Def {
	return Def{Name: name, Help: help, SimpleAppend: f, Simple: func(c *run.Context) run.Value {
		var b [96]byte
		return run.Str(string(f(b[:0], c)))
	}}
}

func appendBareIP(dst []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return dst
	}
	return a.Unmap().AppendTo(dst)
}

// appendIP prints an address, IPv6 in brackets.
func appendIP(dst []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return dst
	}
	if a = a.Unmap(); a.Is6() {
		return append(a.AppendTo(append(dst, '[')), ']')
	}
	return a.AppendTo(dst)
}

func appendAddrPort(dst []byte, a netip.AddrPort) []byte {
	return strconv.AppendUint(append(appendIP(dst, a.Addr()), ':'), uint64(a.Port()), 10)
}

func appendSockURI(dst []byte, a netip.AddrPort, p transport.Proto) []byte {
	dst = appendAddrPort(append(dst, "sip:"...), a)
	if p != transport.ProtoNone {
		dst = append(append(dst, ";transport="...), p.String()...)
	}
	return dst
}

func family(c *run.Context) run.Value { return run.Int(familyOf(c.Recv.Dst.Addr())) }

func familyOf(a netip.Addr) int {
	if a.Is6() && !a.Is4In6() {
		return 10
	}
	return 2
}

// protoNumber is the number of a protocol by its name in a Via, 0 for others.
func protoNumber(name string) int {
	p, _ := transport.ParseProto(name)
	return int(p)
}

func newFamily(n *Name) (Var, error) {
	if !n.HasInner {
		return Var{Get: family}, nil
	}
	return pick(n, map[string]Getter{"id": family, "name": func(c *run.Context) run.Value {
		if family(c).Int() == 10 {
			return run.Str("IPv6")
		}
		return run.Str("IPv4")
	}})
}

// newSending compiles $sndto(part) and $sndfrom(part); they are undefined
// where nothing is being sent.
func newSending(n *Name) (Var, error) {
	end := func(c *run.Context) netip.AddrPort { return c.Out.Dest.Addr }
	if n.Class == "sndfrom" {
		end = func(c *run.Context) netip.AddrPort {
			if s := c.Out.Dest.Sock; s != nil {
				return s.Addr
			}
			return netip.AddrPort{}
		}
	}
	on := func(f func(c *run.Context, a netip.AddrPort) run.Value) Getter {
		return func(c *run.Context) run.Value {
			if a := end(c); a.IsValid() {
				return f(c, a)
			}
			return run.Null
		}
	}
	return pick(n, map[string]Getter{
		"ip":     on(func(_ *run.Context, a netip.AddrPort) run.Value { return run.Str(a.Addr().Unmap().String()) }),
		"port":   on(func(_ *run.Context, a netip.AddrPort) run.Value { return run.Int(int(a.Port())) }),
		"af":     on(func(_ *run.Context, a netip.AddrPort) run.Value { return run.Int(familyOf(a.Addr())) }),
		"proto":  on(func(c *run.Context, _ netip.AddrPort) run.Value { return run.Int(int(c.Out.Dest.Proto)) }),
		"sproto": on(func(c *run.Context, _ netip.AddrPort) run.Value { return run.Str(c.Out.Dest.Proto.String()) }),
		"len":    on(func(c *run.Context, _ netip.AddrPort) run.Value { return run.Int(len(c.Out.Data)) }),
		"buf":    on(func(c *run.Context, _ netip.AddrPort) run.Value { return run.Str(string(c.Out.Data)) }),
	})
}

// newReceived compiles $rcv(part). As in Kamailio it is about data on its way
// into the daemon, and undefined in the routes of messages ($si and its like
// have the same there).
func newReceived(n *Name) (Var, error) {
	none := fixed(run.Null)
	return pick(n, map[string]Getter{
		"buf": none, "len": none, "proto": none, "sproto": none, "srcip": none, "srcport": none, "rcvip": none, "rcvport": none, "af": none,
	})
}

func newConstant(n *Name) (Var, error) {
	four, six := fixed(run.Int(2)), fixed(run.Int(10))
	consts := map[string]Getter{"INET": four, "INET6": six, "IPv4": four, "IPv6": six}
	for p := transport.UDP; p <= transport.WSS; p++ {
		consts[strings.ToUpper(p.String())] = fixed(run.Int(int(p)))
	}
	return pick(n, consts)
}

// setSendSocket takes "udp:10.0.0.1:5060", with the protocol optional, when it
// names a listening socket; null lets the transport choose again.
func setSendSocket(c *run.Context, v run.Value) bool {
	if v.Text() == "" {
		c.SendSock = nil
		return true
	}
	s := FindSocket(c, v.Text())
	if s != nil {
		c.SendSock = s
	}
	return s != nil
}

// forced is the socket that $fs forces; an empty one when there is none.
func forced(c *run.Context) transport.Socket {
	if c.SendSock == nil {
		return transport.Socket{}
	}
	return *c.SendSock
}

// setSendSocketName takes the name of a listening socket.
func setSendSocketName(c *run.Context, v run.Value) bool {
	if v.Text() == "" {
		c.SendSock = nil
		return v.IsNull()
	}
	if c.Env.Transport == nil {
		return false
	}
	s := namedSocket(c, v.Text())
	if s != nil {
		c.SendSock = s
	}
	return s != nil
}

// FindSocket finds the listening socket that text names: [proto:]addr[:port],
// or the socket's own name. nil when there is none.
func FindSocket(c *run.Context, text string) *transport.Socket {
	if c.Env == nil || c.Env.Transport == nil {
		return nil
	}
	proto, addr := transport.ProtoNone, text
	if p, rest, ok := strings.Cut(text, ":"); ok {
		if pr, known := transport.ParseProto(p); known {
			proto, addr = pr, rest
		}
	}
	want, err := netip.ParseAddrPort(addr)
	if err != nil {
		ip, err := netip.ParseAddr(strings.Trim(addr, "[]"))
		if err != nil && !strings.ContainsAny(addr, ".:") {
			return namedSocket(c, text)
		}
		want = netip.AddrPortFrom(ip, 0)
	}
	for _, s := range c.Env.Transport.Sockets() {
		port := want.Port()
		if port == 0 {
			port = s.Proto.DefaultPort()
		}
		if (proto == transport.ProtoNone || s.Proto == proto) && s.Addr.Addr().Unmap() == want.Addr().Unmap() && s.Addr.Port() == port {
			return s
		}
	}
	return nil
}

func namedSocket(c *run.Context, name string) *transport.Socket {
	for _, s := range c.Env.Transport.Sockets() {
		if s.Name != "" && s.Name == name {
			return s
		}
	}
	return nil
}
