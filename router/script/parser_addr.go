package script

import (
	"strconv"
	"strings"
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// host reads a bare host name: words, numbers, dots and dashes without blanks
// between them.
func (p *parser) host() string {
	t := p.tok()
	if t.kind == tIP || t.kind == tString {
		p.next()
		return t.text
	}
	var b strings.Builder
	for first := true; ; first = false {
		t := p.tok()
		switch t.kind {
		case tIdent, tNumber:
		case tDot, tMinus:
			if first {
				return b.String()
			}
		case tIP: // 10.0.0.1.example.net is no address
			if first {
				return b.String()
			}
		default:
			return b.String()
		}
		if !first && !t.glued {
			return b.String()
		}
		b.WriteString(t.src.Text[t.off:t.end])
		p.next()
	}
}

// hostEnd is how many tokens a bare host at the current token takes.
func (p *parser) hostEnd() int {
	n := 0
	for {
		t := p.peek(n)
		switch t.kind {
		case tIdent, tNumber, tDot, tMinus:
			if n > 0 && !t.glued {
				return n
			}
			n++
		default:
			return n
		}
	}
}

// port reads ":number"; "*" is 0, any.
func (p *parser) port() int {
	if p.got(tStar) {
		return 0
	}
	t := p.tok()
	if t.kind == tString { // a define in quotes
		if n, err := strconv.ParseUint(t.text, 10, 16); err == nil && n > 0 {
			p.next()
			return int(n)
		}
	}
	if !p.want(tNumber) {
		return 0
	}
	if t.num < 1 || t.num > 65535 {
		p.fail(t.pos, "port %d is not in 1..65535", t.num)
	}
	return int(t.num)
}

// proto reads "udp:" and the like where it stands; "*:" is "".
func (p *parser) proto() string {
	if p.peek(1).kind != tColon {
		return ""
	}
	t := p.tok()
	if t.kind == tStar {
		p.next()
		p.next()
		return ""
	}
	name, ok := protoWords[t.text]
	if t.kind != tIdent || !ok {
		return ""
	}
	p.next()
	p.next()
	return name
}

func (p *parser) listen() Item {
	it := &Listen{Pos: p.next().pos}
	p.want(tAssign)
	for {
		it.Addrs = append(it.Addrs, p.listenAddr())
		if p.lost || !p.moreAddrs() {
			break
		}
	}
	it.Pos = it.Pos.to(p.prev())
	return it
}

// moreAddrs says whether another address of the line follows: old
// configurations list several behind one listen= or alias=.
func (p *parser) moreAddrs() bool {
	t := p.tok()
	switch t.kind {
	case tIP, tString:
		return true
	case tStar, tLParen:
		return !t.nl
	case tComma:
		return false
	case tIdent:
		if protoWords[t.text] != "" && p.peek(1).kind == tColon {
			return true
		}
		if keywords[t.text] {
			return false
		}
		k := p.peek(p.hostEnd()).kind
		return k != tAssign && k != tLBracket && k != tLBrace && k != tLParen && !t.nl
	}
	return false
}

func (p *parser) listenAddr() ListenAddr {
	t := p.tok()
	a := ListenAddr{Pos: t.pos}
	a.Proto = p.proto()
	switch {
	case p.got(tStar):
		a.Hosts = []string{"*"}
	case p.got(tLParen):
		for {
			a.Hosts = append(a.Hosts, p.addrHost())
			if p.lost || !p.got(tComma) {
				break
			}
		}
		p.want(tRParen)
	case t.kind == tString && p.tok() == t && strings.ContainsRune(t.text, ':'):
		p.next()
		p.listenString(&a, t)
	default:
		a.Hosts = []string{p.addrHost()}
	}
	if !p.lost && p.got(tColon) {
		a.Port = p.port()
	}
	for !p.lost {
		switch {
		case p.tok().is("advertise") || p.tok().is("ADVERTISE"):
			p.next()
			a.AdvHost = p.addrHost()
			if p.got(tColon) {
				a.AdvPort = p.port()
			}
			continue
		case p.tok().is("name") && p.peek(1).kind == tString:
			p.next()
			a.Name, _ = p.str()
			continue
		case p.tok().is("virtual"):
			p.next()
			a.Virtual = true
			continue
		}
		break
	}
	a.Pos = a.Pos.to(p.prev())
	return a
}

// addrHost reads a host where an address is expected.
func (p *parser) addrHost() string {
	if t := p.tok(); t.nl && t.kind == tIdent && p.startsItem(t) {
		p.fail(p.prev(), "an address is missing here")
		return ""
	}
	t := p.tok()
	h := p.host()
	switch {
	case h == "":
		p.unexpected("an address, a host or an interface")
	case strings.Trim(h, "0123456789") == "":
		p.fail(t.pos, "number %s is no address, host or interface", h)
		return ""
	case t.kind == tString && !isHost(h):
		p.fail(t.pos, "%q is no address, host or interface", h)
	}
	return h
}

// listenString reads "udp:10.0.0.1:5060" out of a string.
func (p *parser) listenString(a *ListenAddr, t *token) {
	proto, host, port, ok := splitAddr(t.text)
	if !ok {
		p.fail(t.pos, "%q is no address to listen on", t.text).hint(`as in "udp:10.0.0.1:5060"`)
		return
	}
	a.Proto, a.Hosts, a.Port = proto, []string{host}, port
}

// splitAddr takes [proto:]host[:port] apart.
func splitAddr(s string) (proto, host string, port int, ok bool) {
	if w, rest, found := strings.Cut(s, ":"); found && protoWords[w] != "" {
		proto, s = protoWords[w], rest
	}
	if n, ip := 0, ""; s != "" {
		if n, ip = scanIP(s); n > 0 {
			host, s = ip, s[n:]
		} else {
			n = strings.IndexByte(s, ':')
			if n < 0 {
				n = len(s)
			}
			host, s = s[:n], s[n:]
		}
	}
	if !isHost(host) {
		return "", "", 0, false
	}
	if s == "" || s == ":*" {
		return proto, host, 0, true
	}
	if s[0] != ':' {
		return "", "", 0, false
	}
	n, err := strconv.ParseUint(s[1:], 10, 16)
	if err != nil || n == 0 {
		return "", "", 0, false
	}
	return proto, host, int(n), true
}

// isHost says whether s looks like a host, an interface or an address.
func isHost(s string) bool {
	if s == "" || !isLetter(s[0]) && !isDigit(s[0]) && s[0] != ':' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '.' && c != '-' && (c != ':' || strings.Count(s, ":") < 2) {
			return false
		}
	}
	if strings.Contains(s, ":") {
		n, _ := scanIP(s)
		return n == len(s)
	}
	return true
}

func (p *parser) alias() Item {
	it := &Alias{Pos: p.next().pos}
	p.want(tAssign)
	for {
		t := p.tok()
		n := AliasName{Pos: t.pos}
		n.Proto = p.proto()
		if t.kind == tString && p.tok() == t {
			p.next()
			var ok bool
			if n.Proto, n.Host, n.Port, ok = splitAddr(t.text); !ok {
				p.fail(t.pos, "%q is no host name", t.text)
			}
		} else {
			n.Host = p.addrHost()
		}
		if !p.lost && p.got(tColon) {
			n.Port = p.port()
		}
		n.Pos = n.Pos.to(p.prev())
		it.Names = append(it.Names, n)
		if p.lost || !p.moreAddrs() {
			break
		}
	}
	it.Pos = it.Pos.to(p.prev())
	return it
}

// addr reads an address, a network or a socket as an expression:
// 10.0.0.1, 10.0.0.0/8, host.example.net:5060, udp:10.0.0.1.
func (p *parser) addr() *Addr {
	a := &Addr{Pos: p.tok().pos}
	a.Proto = p.proto()
	a.Host = p.addrHost()
	if p.at(tSlash) && !p.lost {
		p.next()
		switch t := p.tok(); t.kind {
		case tNumber, tIP:
			a.Mask = t.text
			p.next()
		default:
			p.unexpected("a netmask or a number of bits")
		}
	}
	if !p.lost && p.at(tColon) && (p.peek(1).kind == tNumber || p.peek(1).kind == tStar) {
		p.next()
		a.Port = p.port()
	}
	a.Pos = a.Pos.to(p.prev())
	return a
}
