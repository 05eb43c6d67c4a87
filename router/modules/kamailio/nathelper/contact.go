package nathelper

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

func code(ok bool) int {
	if ok {
		return 1
	}
	return -1
}

// hostText is an address as it stands in URIs.
func hostText(a netip.Addr) string {
	if a = a.Unmap(); a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// firstContact is the first contact with its URI; found is false without one,
// and for "*".
func firstContact(m *sip.Message) (c *sip.Contact, u sip.URI, found bool, err error) {
	it := m.ContactIter()
	if !it.Next() {
		return nil, u, false, it.Err()
	}
	c = it.Contact()
	if c.Star {
		return nil, u, false, nil
	}
	u, err = sip.ParseURI(c.URI)
	return c, u, err == nil, err
}

// hostPortAt is where host and port of a contact's URI stand in the message.
func hostPortAt(m *sip.Message, c *sip.Contact) (start, end int) {
	raw := m.Raw()
	i := c.URIStart + strings.IndexByte(c.URI, ':') + 1
	end = c.URIEnd
	if k := strings.IndexAny(raw[i:end], ";?"); k >= 0 {
		end = i + k
	}
	start = i
	if k := strings.LastIndexByte(raw[i:end], '@'); k >= 0 {
		start = i + k + 1
	}
	return start, end
}

// bracketed says whether a contact's URI stands in angle brackets.
func bracketed(m *sip.Message, c *sip.Contact) bool {
	return c.URIStart > 0 && m.Raw()[c.URIStart-1] == '<'
}

// newFixContact compiles fix_nated_contact: host and port become those that the
// message came from.
func (n *nathelper) newFixContact(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		k, _, found, err := firstContact(c.Msg)
		if err != nil {
			return -1
		}
		if !found {
			return -1
		}
		start, end := hostPortAt(c.Msg, k)
		src := c.Recv.Src
		return code(c.Msg.Edits.Replace(start, end, hostText(src.Addr())+":"+strconv.Itoa(int(src.Port()))) == nil)
	}, nil
}

// newFixRegister compiles fix_nated_register.
func (n *nathelper) newFixRegister(module.Args) (run.Func, error) {
	if n.received == nil {
		return nil, fmt.Errorf(`fix_nated_register needs an attribute; set modparam("nathelper|registrar", "received_avp", "$avp(RECEIVED)")`)
	}
	return func(c *run.Context) int { return code(n.received(c, run.Str(sourceURI(c)))) }, nil
}

// sourceURI is where the message came from.
func sourceURI(c *run.Context) string {
	s := "sip:" + hostText(c.Recv.Src.Addr()) + ":" + strconv.Itoa(int(c.Recv.Src.Port()))
	if p := c.Recv.Proto; p != transport.UDP {
		s += ";transport=" + p.String()
	}
	return s
}

// newReceived compiles add_rcv_param; flag 1 makes it a parameter of the URI.
func (n *nathelper) newReceived(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		it := c.Msg.ContactIter()
		inURI := a.Int(c, 0, 0) != 0
		for it.Next() {
			k := it.Contact()
			if k.Star {
				return 1
			}
			uri := sourceURI(c)
			if inURI {
				c.Msg.Edits.Insert(k.URIEnd, ";received="+strings.NewReplacer(":", "%3A", ";", "%3B", "=", "%3D").Replace(uri))
				continue
			}
			at := k.URIEnd
			if bracketed(c.Msg, k) {
				at++
			}
			c.Msg.Edits.Insert(at, `;received="`+uri+`"`)
		}
		return code(it.Err() == nil)
	}, nil
}

// aliasOf is the parameter for an address: alias=IP~PORT~PROTO.
func (n *nathelper) aliasOf(ip, port string, proto transport.Proto) string {
	return ";" + n.alias + "=" + ip + "~" + port + "~" + strconv.Itoa(int(proto))
}

// newAlias compiles add_contact_alias and set_contact_alias. A contact that has
// the address already gets none: 2.
func (n *nathelper) newAlias(set bool) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			param, u, k, rc := n.contactAlias(c, a, set)
			if rc != 1 {
				return rc
			}
			_, end := hostPortAt(c.Msg, k)
			if set {
				end = k.URIEnd
				if i := strings.IndexByte(c.Msg.Raw()[k.URIStart:end], '?'); i >= 0 {
					end = k.URIStart + i
				}
			}
			_ = u
			if !bracketed(c.Msg, k) {
				c.Msg.Edits.Insert(k.URIStart, "<")
				c.Msg.Edits.Insert(end, param)
				c.Msg.Edits.Insert(k.URIEnd, ">")
				return 1
			}
			c.Msg.Edits.Insert(end, param)
			return 1
		}, nil
	}
}

// contactAlias is the parameter that the first contact needs; rc is 1 when it
// does, 2 when not, -1 on errors.
func (n *nathelper) contactAlias(c *run.Context, a module.Args, set bool) (param string, u sip.URI, k *sip.Contact, rc int) {
	k, u, found, err := firstContact(c.Msg)
	switch {
	case err != nil:
		return "", u, nil, -1
	case !found:
		return "", u, nil, 2
	}
	if !set && a.Has(2) {
		addr, ok := sip.ParseHostAddr(a.Str(c, 0))
		port := a.Int(c, 1, 0)
		proto, ok2 := transport.ParseProto(a.Str(c, 2))
		if !ok || !ok2 || port < 1 || port > 65535 {
			return "", u, nil, -1
		}
		return n.aliasOf(hostText(addr), strconv.Itoa(port), proto), u, k, 1
	}
	src := c.Recv.Src
	addr, ok := sip.ParseHostAddr(u.Host)
	proto := transport.ProtoNone // as Kamailio: without the parameter it is not the same
	if u.Transport != "" {
		proto, _ = transport.ParseProto(u.Transport)
	}
	if ok && addr == src.Addr().Unmap() && u.PortOr(proto.DefaultPort()) == src.Port() && proto == c.Recv.Proto {
		return "", u, nil, 2
	}
	return n.aliasOf(hostText(src.Addr()), strconv.Itoa(int(src.Port())), c.Recv.Proto), u, k, 1
}

// newAliasVar compiles set_alias_to_pv.
func (n *nathelper) newAliasVar(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		param, _, k, rc := n.contactAlias(c, nil, true)
		if rc != 1 {
			return rc
		}
		return code(a[0].Var.Set(c, run.Str(k.URI+param)))
	}, nil
}

// newHandle compiles handle_ruri_alias: 2 when there is no such parameter.
// mode 0 takes the first, others the last.
func (n *nathelper) newHandle(a module.Args) (run.Func, error) {
	name := n.alias + "="
	return func(c *run.Context) int {
		uri := c.RURI()
		start, end := -1, 0
		for i := strings.IndexByte(uri, ';'); i >= 0 && i < len(uri); {
			j := len(uri)
			if k := strings.IndexAny(uri[i+1:], ";?"); k >= 0 {
				j = i + 1 + k
			}
			if strings.HasPrefix(uri[i+1:j], name) {
				start, end = i, j
				if a.Int(c, 0, 0) == 0 {
					break
				}
			}
			if j == len(uri) || uri[j] == '?' {
				break
			}
			i = j
		}
		if start < 0 {
			return 2
		}
		to, ok := aliasTarget(uri[start+1+len(name) : end])
		if !ok {
			return -1
		}
		c.SetDstURI(to)
		c.SetRURI(uri[:start] + uri[end:])
		return 1
	}, nil
}

// aliasTarget makes a URI of IP~PORT~PROTO.
func aliasTarget(s string) (string, bool) {
	part := strings.Split(s, "~")
	if len(part) != 3 {
		return "", false
	}
	addr, ok := sip.ParseHostAddr(part[0])
	port, err := strconv.ParseUint(part[1], 10, 16)
	proto, err2 := strconv.Atoi(part[2])
	if !ok || err != nil || err2 != nil || port == 0 || proto < int(transport.UDP) || proto > int(transport.WSS) {
		return "", false
	}
	to := "sip:" + hostText(addr) + ":" + part[1]
	if p := transport.Proto(proto); p != transport.UDP {
		to += ";transport=" + p.String()
	}
	return to, true
}

func routeCount(c *run.Context) run.Value {
	n := 0
	it := c.Msg.Routes(sip.HdrRecordRoute)
	for it.Next() {
		n++
	}
	return run.Int(n)
}

func topCount(c *run.Context) run.Value {
	it := c.Msg.Routes(sip.HdrRecordRoute)
	if !it.Next() {
		return run.Int(0)
	}
	u, err := it.NameAddr().ParseURI()
	if err == nil && u.R2 {
		return run.Int(2)
	}
	return run.Int(1)
}
