package script

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// cond compiles a test with a condition keyword (script.md §13). Text compares
// without regard to case here, unlike in ordinary expressions.
func (x *compiler) cond(e *Cond) *operand {
	var t testFunc
	switch condKeywords[e.Keyword] {
	case condStr:
		t = x.condText(e)
	case condIP:
		t = x.condAddr(e)
	case condInt, condProto:
		t = x.condNumber(e)
	}
	if t == nil {
		return nil
	}
	return fromTest(t)
}

// signed turns a plain test into a testFunc, negated for !=.
func signed(op Op, f func(c *run.Context) bool) testFunc {
	if op == OpNe {
		return func(c *run.Context) (bool, bool) { return !f(c), true }
	}
	return func(c *run.Context) (bool, bool) { return f(c), true }
}

// textKeywords read the text behind a keyword; ok is false when the message
// has none, and then every test is false.
func (x *compiler) textKeyword(word string) func(c *run.Context) (s string, ok bool) {
	switch word {
	case "method":
		return func(c *run.Context) (string, bool) { return c.Msg.MethodName(), true }
	case "from_uri":
		return func(c *run.Context) (string, bool) { return addrURI(c.Msg.From()) }
	case "to_uri":
		return func(c *run.Context) (string, bool) { return addrURI(c.Msg.To()) }
	}
	// uri and status are one word of the language.
	if x.statusTexts == nil {
		x.statusTexts = new([700]string)
		for i := 100; i < 700; i++ {
			x.statusTexts[i] = strconv.Itoa(i)
		}
	}
	texts := x.statusTexts
	return func(c *run.Context) (string, bool) {
		if c.Msg.IsRequest() {
			return c.RURI(), true
		}
		if n := c.Msg.StatusCode(); n >= 0 && n < len(texts) {
			return texts[n], true
		}
		return "", false
	}
}

func addrURI(n *sip.NameAddr, err error) (string, bool) {
	if err != nil {
		return "", false
	}
	return n.URI, true
}

func (x *compiler) condText(e *Cond) testFunc {
	if n, ok := e.Right.(*Name); ok && n.Text == "myself" {
		return myselfURI(e)
	}
	text := x.textKeyword(e.Keyword)
	if n, ok := e.Right.(*Name); ok { // method == INVITE
		want := n.Text
		return signed(e.Op, func(c *run.Context) bool {
			s, ok := text(c)
			return ok && strings.EqualFold(s, want)
		})
	}
	r := x.expr(e.Right)
	if r == nil {
		return nil
	}
	if e.Op == OpMatch {
		if r.typ == intType {
			x.errs.add(e.Right.Position(), `"=~" wants a string, not a number`)
			return nil
		}
		find := x.matcher(e.Right, r, regex.IgnoreCase)
		if find == nil {
			return nil
		}
		return func(c *run.Context) (bool, bool) {
			s, ok := text(c)
			if !ok {
				return false, true
			}
			return find(c, s)
		}
	}
	if r.konst {
		want := r.val.Text()
		return signed(e.Op, func(c *run.Context) bool {
			s, ok := text(c)
			return ok && strings.EqualFold(s, want)
		})
	}
	ne := e.Op == OpNe
	return func(c *run.Context) (bool, bool) {
		v, ok := r.eval(c)
		if !ok {
			return false, false
		}
		s, has := text(c)
		return (has && strings.EqualFold(s, v.Text())) != ne, true
	}
}

// myselfURI compiles uri == myself and its like.
func myselfURI(e *Cond) testFunc {
	switch e.Keyword {
	case "from_uri":
		return signed(e.Op, func(c *run.Context) bool { return ownAddr(c)(c.Msg.From()) })
	case "to_uri":
		return signed(e.Op, func(c *run.Context) bool { return ownAddr(c)(c.Msg.To()) })
	}
	return signed(e.Op, func(c *run.Context) bool {
		u, err := c.ParsedRURI()
		return err == nil && ownURI(c, u)
	})
}

func ownAddr(c *run.Context) func(n *sip.NameAddr, err error) bool {
	return func(n *sip.NameAddr, err error) bool {
		if err != nil {
			return false
		}
		u, err := n.ParseURI()
		return err == nil && ownURI(c, u)
	}
}

// ownURI says whether host and port of a URI are ours. A port that is not
// written is 5060, or 5061 with sips and tls.
func ownURI(c *run.Context, u *sip.URI) bool {
	port := u.Port
	if port == 0 {
		port = 5060
		if u.Scheme == sip.SIPS || strings.EqualFold(u.Transport, "tls") {
			port = 5061
		}
	}
	return c.Env.Myself != nil && c.Env.Myself(u.Host, port, transport.ProtoNone)
}

// condAddr compiles src_ip and its like.
func (x *compiler) condAddr(e *Cond) testFunc {
	addr := x.addrKeyword(e)
	if addr == nil {
		return nil
	}
	switch r := e.Right.(type) {
	case *Name: // myself
		return signed(e.Op, func(c *run.Context) bool { return ownSocket(c, addr(c)) })
	case *Addr:
		if _, err := netip.ParseAddr(r.Host); err != nil {
			return x.addrText(e, addr, r.Host)
		}
		p, err := network(r.Host, r.Mask)
		if err != nil {
			x.errs.add(r.Pos, "%v", err)
			return nil
		}
		if e.Op == OpMatch {
			x.errs.add(r.Pos, `"=~" wants a regular expression in quotes`)
			return nil
		}
		return signed(e.Op, func(c *run.Context) bool { return p.Contains(addr(c)) })
	}
	r := x.expr(e.Right)
	if r == nil {
		return nil
	}
	if r.typ == intType {
		x.errs.add(e.Right.Position(), "%q is compared with an address, not a number", e.Keyword)
		return nil
	}
	if e.Op == OpMatch {
		find := x.matcher(e.Right, r, regex.IgnoreCase)
		if find == nil {
			return nil
		}
		return func(c *run.Context) (bool, bool) { return find(c, addr(c).String()) }
	}
	if r.konst {
		return x.addrText(e, addr, r.val.Text())
	}
	ne := e.Op == OpNe
	return func(c *run.Context) (bool, bool) {
		v, ok := r.eval(c)
		if !ok {
			return false, false
		}
		return x.sameHost(c, addr(c), v.Text()) != ne, true
	}
}

// addrText compares with the text of an address, a network or a host.
func (x *compiler) addrText(e *Cond, addr func(*run.Context) netip.Addr, text string) testFunc {
	host, mask, _ := strings.Cut(text, "/")
	if p, err := network(strings.Trim(host, "[]"), mask); err == nil {
		return signed(e.Op, func(c *run.Context) bool { return p.Contains(addr(c)) })
	}
	if e.Op == OpMatch {
		return nil
	}
	return signed(e.Op, func(c *run.Context) bool { return x.sameHost(c, addr(c), text) })
}

// sameHost compares an address with a name by all addresses of that name.
func (x *compiler) sameHost(c *run.Context, a netip.Addr, text string) bool {
	host, mask, _ := strings.Cut(text, "/")
	if p, err := network(strings.Trim(host, "[]"), mask); err == nil {
		return p.Contains(a)
	}
	if x.conf.env.Resolve == nil || host == "" {
		return false
	}
	as, err := x.conf.env.Resolve(context.Background(), host)
	if err != nil {
		x.prog.rep.report(c, "host does not resolve", host)
		return false
	}
	for _, b := range as {
		if a == b.Unmap() {
			return true
		}
	}
	return false
}

// network reads an address with an optional mask: bits or an address.
func network(host, mask string) (netip.Prefix, error) {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}, errNoAddr(host)
	}
	a = a.Unmap()
	if mask == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	if n, err := strconv.Atoi(mask); err == nil {
		if n < 0 || n > a.BitLen() {
			return netip.Prefix{}, errBits{n, a.BitLen()}
		}
		return netip.PrefixFrom(a, n), nil
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || m.Unmap().BitLen() != a.BitLen() {
		return netip.Prefix{}, errNoMask(mask)
	}
	bits, ones, ended := 0, true, false
	for _, b := range m.Unmap().AsSlice() {
		for i := 7; i >= 0; i-- {
			if b&(1<<i) != 0 {
				ones = ones && !ended
				bits++
			} else {
				ended = true
			}
		}
	}
	if !ones {
		return netip.Prefix{}, errNoMask(mask)
	}
	return netip.PrefixFrom(a, bits), nil
}

type errNoAddr string

func (e errNoAddr) Error() string { return strconv.Quote(string(e)) + " is no address" }

type errNoMask string

func (e errNoMask) Error() string { return strconv.Quote(string(e)) + " is no netmask" }

type errBits struct{ n, most int }

func (e errBits) Error() string {
	return "a network has 0 to " + strconv.Itoa(e.most) + " bits, not " + strconv.Itoa(e.n)
}

func (x *compiler) addrKeyword(e *Cond) func(*run.Context) netip.Addr {
	switch e.Keyword {
	case "src_ip":
		return func(c *run.Context) netip.Addr { return c.Recv.Src.Addr().Unmap() }
	case "dst_ip":
		return func(c *run.Context) netip.Addr { return c.Recv.Dst.Addr().Unmap() }
	}
	if !x.onSend(e) {
		return nil
	}
	if e.Keyword == "to_ip" {
		return func(c *run.Context) netip.Addr { return c.Out.Dest.Addr.Addr().Unmap() }
	}
	return func(c *run.Context) netip.Addr { return outSocket(c).Addr().Unmap() }
}

// onSend checks that what speaks of the message being sent stands where one is.
func (x *compiler) onSend(e *Cond) bool {
	if x.cur.kind == RouteOnSend || x.cur.kind == RouteRequest && x.cur.name != "" {
		return true
	}
	x.errs.add(e.Pos, "%s is only known in onsend_route", e.Keyword)
	return false
}

func outSocket(c *run.Context) netip.AddrPort {
	if s := c.Out.Dest.Sock; s != nil {
		return s.Addr
	}
	return netip.AddrPort{}
}

// ownSocket says whether an address is one that we listen on.
func ownSocket(c *run.Context, a netip.Addr) bool {
	if c.Env.Transport == nil {
		return false
	}
	for _, s := range c.Env.Transport.Sockets() {
		if s.Addr.Addr().Unmap() == a {
			return true
		}
	}
	return false
}

// The numbers of address families that af is compared with.
const (
	familyINET  = 2
	familyINET6 = 10
)

func family(a netip.Addr) int {
	if a.Unmap().Is4() {
		return familyINET
	}
	return familyINET6
}

// condNumber compiles ports, msg:len, af and proto.
func (x *compiler) condNumber(e *Cond) testFunc {
	read := x.numberKeyword(e)
	if read == nil {
		return nil
	}
	want := x.condOperand(e)
	if want == nil {
		return nil
	}
	var f func(m, n int) bool
	switch e.Op {
	case OpEq:
		f = func(m, n int) bool { return m == n }
	case OpNe:
		f = func(m, n int) bool { return m != n }
	case OpLt:
		f = func(m, n int) bool { return m < n }
	case OpGt:
		f = func(m, n int) bool { return m > n }
	case OpLe:
		f = func(m, n int) bool { return m <= n }
	case OpGe:
		f = func(m, n int) bool { return m >= n }
	}
	return func(c *run.Context) (bool, bool) {
		n, ok := want(c)
		return ok && f(read(c), n), ok
	}
}

func (x *compiler) numberKeyword(e *Cond) func(*run.Context) int {
	onSend := x.cur.kind == RouteOnSend
	switch e.Keyword {
	case "src_port":
		return func(c *run.Context) int { return int(c.Recv.Src.Port()) }
	case "dst_port":
		return func(c *run.Context) int { return int(c.Recv.Dst.Port()) }
	case "proto":
		return func(c *run.Context) int { return int(c.Recv.Proto) }
	case "af":
		return func(c *run.Context) int { return family(c.Recv.Src.Addr()) }
	case "msg:len":
		if onSend { // the size as sent
			return func(c *run.Context) int { return len(c.Out.Data) }
		}
		return func(c *run.Context) int { return len(c.Msg.Raw()) }
	}
	if !x.onSend(e) {
		return nil
	}
	switch e.Keyword {
	case "to_port":
		return func(c *run.Context) int { return int(c.Out.Dest.Addr.Port()) }
	case "snd_port":
		return func(c *run.Context) int { return int(outSocket(c).Port()) }
	case "snd_proto":
		return func(c *run.Context) int { return int(c.Out.Dest.Proto) }
	}
	return func(c *run.Context) int { return family(c.Out.Dest.Addr.Addr()) } // snd_af
}

// maxLen is max_len of old configurations: the size of a receive buffer.
const maxLen = 65535

// condOperand is the right side of a number's test.
func (x *compiler) condOperand(e *Cond) intFunc {
	fixed := func(n int) intFunc { return func(*run.Context) (int, bool) { return n, true } }
	if n, ok := e.Right.(*Name); ok {
		proto := condKeywords[e.Keyword] == condProto
		if p, isProto := transport.ParseProto(n.Text); isProto && proto {
			return fixed(int(p))
		}
		switch w := strings.ToUpper(n.Text); {
		case w == "INET" && strings.HasSuffix(e.Keyword, "af"):
			return fixed(familyINET)
		case w == "INET6" && strings.HasSuffix(e.Keyword, "af"):
			return fixed(familyINET6)
		case n.Text == "max_len" && e.Keyword == "msg:len":
			return fixed(maxLen)
		}
		x.errs.add(n.Pos, "%s cannot be compared with %s", e.Keyword, n.Text).hint("as in %s", condExample(e.Keyword))
		return nil
	}
	r := x.expr(e.Right)
	if r == nil {
		return nil
	}
	if r.typ == strType {
		x.errs.add(e.Right.Position(), "%q is compared with a number, not a string", e.Keyword)
		return nil
	}
	return x.intOf(r)
}
