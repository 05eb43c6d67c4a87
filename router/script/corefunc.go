package script

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// coreFunc is a function of the language itself (script.md §14).
type coreFunc struct {
	lo, hi int // number of arguments
	in     run.Kind
	// refuse says why a call is a mistake; "" compiles it.
	refuse string
	make   func(x *compiler, e *Call) func(c *run.Context) int
}

// coreCall compiles a call of a core function. It leaves $rc alone.
func (x *compiler) coreCall(e *Call, f *coreFunc) callFunc {
	if len(e.Args) < f.lo || len(e.Args) > f.hi {
		x.arity(e, f.lo, f.hi)
		return nil
	}
	if f.refuse != "" {
		x.errs.add(e.NamePos, "%s is not supported", e.Name).hint("%s", f.refuse)
		return nil
	}
	x.cur.uses = append(x.cur.uses, use{e.NamePos, e.Name, f.in})
	g := f.make(x, e)
	if g == nil {
		return nil
	}
	at := placeOf(e.Pos)
	return func(c *run.Context) (int, bool) {
		at.enter(c)
		code := g(c)
		return code, !c.Exited
	}
}

const (
	onRequest = run.RequestRoute | run.FailureRoute | run.BranchRoute | run.OnSendRoute | run.EventRoute | run.BranchFailureRoute
	anywhere  = run.AnyRoute
)

// coreFuncs is the table of core functions by each of their names.
func coreFuncs() map[string]*coreFunc {
	t := make(map[string]*coreFunc)
	add := func(names string, f coreFunc) {
		for n := range strings.FieldsSeq(names) {
			t[n] = &f
		}
	}
	setter := func(names string, set func(uri, arg string) (string, error)) {
		add(names, coreFunc{1, 1, onRequest, "", func(x *compiler, e *Call) func(*run.Context) int { return x.uriSetter(e, set) }})
	}
	setter("rewritehost sethost seth", sip.SetHost)
	setter("rewritehostport sethostport sethp", sip.SetHostPort)
	setter("rewritehostporttrans sethostporttrans sethpt", sip.SetHostPortTrans)
	setter("rewriteuser setuser setu", sip.SetUser)
	setter("rewriteuserpass setuserpass setup", sip.SetUserPass)
	setter("rewriteport setport setp", sip.SetPort)
	setter("prefix", sip.Prefix)
	setter("rewriteuri seturi", func(_, uri string) (string, error) {
		_, err := sip.ParseURI(uri)
		return uri, err
	})
	add("userphone", coreFunc{0, 0, onRequest, "", func(x *compiler, _ *Call) func(*run.Context) int {
		return x.setURI(func(c *run.Context) (string, error) { return sip.UserPhone(c.RURI()) })
	}})
	add("strip", coreFunc{1, 1, onRequest, "", func(x *compiler, e *Call) func(*run.Context) int { return x.stripper(e, sip.Strip) }})
	add("strip_tail", coreFunc{1, 1, onRequest, "", func(x *compiler, e *Call) func(*run.Context) int { return x.stripper(e, sip.StripTail) }})
	add("revert_uri", coreFunc{0, 0, onRequest, "", done(func(c *run.Context) { c.RevertRURI() })})
	add("append_branch", coreFunc{0, 2, onRequest, "", (*compiler).appendBranch})

	add("force_rport add_rport", coreFunc{0, 0, anywhere, "", done(func(c *run.Context) { c.ForceRport = true })})
	add("add_local_rport", coreFunc{0, 0, anywhere, "", done(func(c *run.Context) { c.AddLocalRport = true })})
	add("set_forward_no_connect", coreFunc{0, 0, anywhere, "", done(func(c *run.Context) { c.FwdNoConnect = true })})
	add("set_reply_no_connect", coreFunc{0, 0, anywhere, "", done(func(c *run.Context) { c.RplNoConnect = true })})
	add("set_forward_close", coreFunc{0, 0, anywhere, "", done(func(c *run.Context) { c.FwdClose = true })})
	add("set_reply_close", coreFunc{0, 0, anywhere, "", done(func(c *run.Context) { c.RplClose = true })})
	add("force_tcp_alias add_tcp_alias", coreFunc{0, 1, anywhere, "", (*compiler).tcpAlias})
	add("force_send_socket", coreFunc{1, 1, anywhere, "", (*compiler).sendSocket})
	add("set_advertised_address", coreFunc{1, 1, anywhere, "", (*compiler).advertise})
	add("set_advertised_port", coreFunc{1, 1, anywhere, "", (*compiler).advertise})

	add("setflag", coreFunc{1, 1, anywhere, "", (*compiler).flag})
	add("resetflag", coreFunc{1, 1, anywhere, "", (*compiler).flag})
	add("isflagset", coreFunc{1, 1, anywhere, "", (*compiler).flag})
	add("setavpflag resetavpflag isavpflagset", coreFunc{2, 2, anywhere, "", (*compiler).attrFlag})
	add("log", coreFunc{1, 2, anywhere, "", (*compiler).log})
	add("error", coreFunc{2, 2, anywhere, "", (*compiler).logError})
	add("cfg_select", coreFunc{2, 2, anywhere, "", (*compiler).cfgSelect})
	add("cfg_reset", coreFunc{1, 1, anywhere, "", (*compiler).cfgReset})
	add("len_gt", coreFunc{1, 1, anywhere, "", (*compiler).lenGT})

	for name, proto := range map[string]string{"": "", "_udp": "udp", "_tcp": "tcp"} {
		add("forward"+name, coreFunc{0, 2, onRequest, "", forwarder(proto, false)})
		add("send"+name, coreFunc{1, 2, onRequest, "", forwarder(proto, true)})
	}
	for names, why := range map[string]string{
		"forward_tls forward_sctp send_tls send_sctp": "this version forwards over UDP and TCP",
		"exec":              "run commands outside of the daemon; it must not wait for them",
		"udp_mtu_try_proto": "set the core parameter udp_mtu_try_proto",
	} {
		add(names, coreFunc{lo: 0, hi: 2, refuse: why})
	}
	return t
}

// done makes a function without arguments that always succeeds.
func done(f func(c *run.Context)) func(*compiler, *Call) func(*run.Context) int {
	return func(*compiler, *Call) func(*run.Context) int {
		return func(c *run.Context) int {
			f(c)
			return 1
		}
	}
}

// textArg compiles an argument that is text.
func (x *compiler) textArg(e Expr) func(c *run.Context) (string, bool) {
	if s, ok := constText(e); ok {
		return func(*run.Context) (string, bool) { return s, true }
	}
	o := x.expr(e)
	if o == nil {
		return nil
	}
	return func(c *run.Context) (string, bool) {
		v, ok := o.eval(c)
		return v.Text(), ok
	}
}

// numberArg compiles an argument that is a number; a flag may be named.
func (x *compiler) numberArg(e Expr) intFunc {
	fixed := func(n int) intFunc { return func(*run.Context) (int, bool) { return n, true } }
	switch e := e.(type) {
	case *Name:
		if bit, ok := x.conf.Flags[e.Text]; ok {
			return fixed(bit)
		}
		x.errs.add(e.Pos, "%q is no number and no declared flag", e.Text).hint("declare it: flags %s;", e.Text)
		return nil
	case *StrLit:
		if bit, ok := x.conf.Flags[e.Value]; ok {
			return fixed(bit)
		}
		n, ok := run.ParseInt(strings.TrimSpace(e.Value))
		if !ok {
			x.errs.add(e.Pos, "a number was expected, not %q", e.Value)
			return nil
		}
		return fixed(n)
	}
	o := x.expr(e)
	if o == nil {
		return nil
	}
	if o.typ == strType {
		x.errs.add(e.Position(), "a number was expected, not a string")
		return nil
	}
	return x.intOf(o)
}

// setURI compiles a change of the request URI.
func (x *compiler) setURI(change func(c *run.Context) (string, error)) func(*run.Context) int {
	rep := &x.prog.rep
	return func(c *run.Context) int {
		uri, err := change(c)
		if err != nil {
			rep.report(c, "request URI not changed", err.Error())
			return -1
		}
		c.SetRURI(uri)
		return 1
	}
}

func (x *compiler) uriSetter(e *Call, set func(uri, arg string) (string, error)) func(*run.Context) int {
	arg := x.textArg(e.Args[0])
	if arg == nil {
		return nil
	}
	return x.setURI(func(c *run.Context) (string, error) {
		s, ok := arg(c)
		if !ok {
			return "", fmt.Errorf("the argument of %s has no value", e.Name)
		}
		return set(c.RURI(), s)
	})
}

func (x *compiler) stripper(e *Call, strip func(uri string, n int) (string, error)) func(*run.Context) int {
	arg := x.numberArg(e.Args[0])
	if arg == nil {
		return nil
	}
	return x.setURI(func(c *run.Context) (string, error) {
		n, ok := arg(c)
		if !ok || n < 0 {
			return "", fmt.Errorf("%s wants a number of characters", e.Name)
		}
		return strip(c.RURI(), n)
	})
}

func (x *compiler) appendBranch(e *Call) func(*run.Context) int {
	uri := func(*run.Context) (string, bool) { return "", true }
	q := func(*run.Context) (string, bool) { return "", true }
	for i, to := range []*func(*run.Context) (string, bool){&uri, &q} {
		if i < len(e.Args) {
			if *to = x.textArg(e.Args[i]); *to == nil {
				return nil
			}
		}
	}
	rep := &x.prog.rep
	return func(c *run.Context) int {
		u, ok := uri(c)
		text, ok2 := q(c)
		if !ok || !ok2 {
			return -1
		}
		prio := run.QUnset
		if text != "" {
			if prio, ok = sip.ParseQ(text); !ok {
				rep.report(c, "q is no number between 0 and 1", text)
				return -1
			}
		}
		if !c.AppendBranch(u, prio) {
			rep.report(c, "the fork set is full", u)
			return -1
		}
		return 1
	}
}

func (x *compiler) tcpAlias(e *Call) func(*run.Context) int {
	port := func(*run.Context) (int, bool) { return 0, true }
	if len(e.Args) > 0 {
		if port = x.numberArg(e.Args[0]); port == nil {
			return nil
		}
	}
	return func(c *run.Context) int {
		n, ok := port(c)
		if n == 0 {
			n = int(c.Recv.Proto.DefaultPort())
			if v, err := c.Msg.Via(); err == nil && v.Port != 0 {
				n = int(v.Port)
			}
		}
		if !ok || n < 0 || n > 65535 || !c.Env.Transport.Alias(c.Recv, uint16(n), true) {
			return -1
		}
		return 1
	}
}

func (x *compiler) sendSocket(e *Call) func(*run.Context) int {
	var proto, host string
	var port int
	switch a := e.Args[0].(type) {
	case *Addr:
		proto, host, port = a.Proto, a.Host, a.Port
	case *StrLit:
		var ok bool
		if proto, host, port, ok = splitAddr(a.Value); !ok {
			x.errs.add(a.Pos, "%q is no address", a.Value).hint("write udp:192.0.2.1:5060")
			return nil
		}
	default:
		x.errs.add(a.Position(), "force_send_socket wants an address").hint("write udp:192.0.2.1:5060; a computed one is assigned to $fs")
		return nil
	}
	p, _ := transport.ParseProto(proto)
	rep := &x.prog.rep
	return func(c *run.Context) int {
		s := c.Env.Transport.SocketFor(p, host, uint16(port))
		if s == nil {
			rep.report(c, "no such listening socket", host)
			return -1
		}
		c.SendSock = s
		return 1
	}
}

func (x *compiler) advertise(e *Call) func(*run.Context) int {
	arg := x.textArg(e.Args[0])
	if arg == nil {
		return nil
	}
	isPort := e.Name == "set_advertised_port"
	return func(c *run.Context) int {
		s, ok := arg(c)
		if !ok {
			return -1
		}
		if !isPort {
			c.AdvHost = s
			return 1
		}
		n, ok := run.ParseInt(s)
		if !ok || n < 1 || n > 65535 {
			return -1
		}
		c.AdvPort = uint16(n)
		return 1
	}
}

func (x *compiler) flag(e *Call) func(*run.Context) int {
	arg := x.numberArg(e.Args[0])
	if arg == nil {
		return nil
	}
	rep, name := &x.prog.rep, e.Name
	return func(c *run.Context) int {
		n, ok := arg(c)
		if !ok || n < 0 || n > 31 {
			rep.report(c, "a flag is between 0 and 31", name)
			return -1
		}
		bit := uint32(1) << n
		switch name {
		case "setflag":
			c.Flags |= bit
		case "resetflag":
			c.Flags &^= bit
		default:
			if c.Flags&bit == 0 {
				return -1
			}
		}
		return 1
	}
}

// log compiles log([level,] "text"): plain text, no variables in it.
func (x *compiler) log(e *Call) func(*run.Context) int {
	level := func(*run.Context) (int, bool) { return 4, true } // below debug, as in Kamailio
	if len(e.Args) == 2 {
		if level = x.numberArg(e.Args[0]); level == nil {
			return nil
		}
	}
	text := x.textArg(e.Args[len(e.Args)-1])
	if text == nil {
		return nil
	}
	return func(c *run.Context) int {
		n, ok := level(c)
		s, ok2 := text(c)
		if !ok || !ok2 {
			return -1
		}
		if l := run.LogLevel(n); c.Env.Log.Enabled(context.Background(), l) {
			c.Env.Log.LogAttrs(context.Background(), l, s)
		}
		return 1
	}
}

func (x *compiler) logError(e *Call) func(*run.Context) int {
	a, b := x.textArg(e.Args[0]), x.textArg(e.Args[1])
	if a == nil || b == nil {
		return nil
	}
	return func(c *run.Context) int {
		s, _ := a(c)
		t, _ := b(c)
		c.Env.Log.LogAttrs(context.Background(), slog.LevelError, "script error", slog.String("what", s), slog.String("detail", t))
		return 1
	}
}

func (x *compiler) lenGT(e *Call) func(*run.Context) int {
	limit := func(*run.Context) (int, bool) { return maxLen, true }
	if n, ok := e.Args[0].(*Name); !ok || n.Text != "max_len" {
		if limit = x.numberArg(e.Args[0]); limit == nil {
			return nil
		}
	}
	return func(c *run.Context) int {
		n, ok := limit(c)
		if ok && len(c.Msg.Raw()) >= n {
			return 1
		}
		return -1
	}
}

// forwarder compiles forward() and send() for a protocol.
func forwarder(proto string, plain bool) func(*compiler, *Call) func(*run.Context) int {
	return func(x *compiler, e *Call) func(*run.Context) int {
		fwd := x.conf.env.Forward
		if fwd == nil {
			x.errs.add(e.NamePos, "%s is not available here", e.Name)
			return nil
		}
		t := Target{Proto: proto, Plain: plain}
		if len(e.Args) == 0 {
			return func(c *run.Context) int { return fwd(c, t) }
		}
		fromURI := false
		switch a := e.Args[0].(type) {
		case *Name:
			if fromURI = a.Text == "uri:host"; !fromURI {
				t.Host = a.Text
			}
		case *Addr:
			t.Host, t.Port = a.Host, a.Port
			if a.Proto != "" {
				t.Proto = a.Proto
			}
		case *StrLit:
			p, host, port, ok := splitAddr(a.Value)
			if !ok {
				x.errs.add(a.Pos, "%q is no host", a.Value)
				return nil
			}
			t.Host, t.Port = host, port
			if p != "" {
				t.Proto = p
			}
		default:
			x.errs.add(a.Position(), "%s wants a host", e.Name).hint("a computed one goes into $du: $du = \"sip:\" + …; forward();")
			return nil
		}
		portURI := fromURI && len(e.Args) == 1
		port := func(*run.Context) (int, bool) { return t.Port, true }
		if len(e.Args) == 2 {
			if n, ok := e.Args[1].(*Name); ok && n.Text == "uri:port" {
				portURI = true
			} else if port = x.numberArg(e.Args[1]); port == nil {
				return nil
			}
		}
		return func(c *run.Context) int {
			to := t
			n, ok := port(c)
			if !ok || n < 0 || n > 65535 {
				return -1
			}
			to.Port = n
			if fromURI || portURI {
				u, err := c.ParsedRURI()
				if err != nil {
					return c.Fail(479, "Regretfully, we were not able to process the URI")
				}
				if fromURI {
					to.Host = u.Host
				}
				if portURI {
					to.Port = int(u.Port)
				}
			}
			return fwd(c, to)
		}
	}
}
