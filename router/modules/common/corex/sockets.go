package corex

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// socketFunctions choose sockets, and say where a message came from.
func socketFunctions() []module.Function {
	socket := []module.Arg{{Name: "socket", Type: module.ArgFormat}}
	name := []module.Arg{{Name: "name", Type: module.ArgFormat}}
	address := []module.Arg{{Name: "address", Type: module.ArgFormat}}
	return []module.Function{
		{Name: "set_send_socket", Help: "send from this socket: [proto:]address[:port]", In: run.AnyRoute, New: choose(pv.FindSocket, sendFrom), Args: socket},
		{Name: "set_send_socket_name", Help: "send from the socket of this name", In: run.AnyRoute, New: choose(named, sendFrom), Args: name},
		{Name: "set_recv_socket", Help: "take the message as received on this socket: [proto:]address[:port]", In: run.AnyRoute, New: choose(pv.FindSocket, receivedOn), Args: socket},
		{Name: "set_recv_socket_name", Help: "take the message as received on the socket of this name", In: run.AnyRoute, New: choose(named, receivedOn), Args: name},
		{Name: "set_source_address", Help: "take the message as sent from [proto:]host[:port]", In: run.AnyRoute, New: newSetSource, Args: address},
		{Name: "is_socket_name", Help: "true when a socket has this name", In: run.AnyRoute, New: newIsSocketName, Args: name},
	}
}

// choose compiles a function that takes a socket. As in Kamailio one that is not
// there is a warning and the function is true.
func choose(find func(*run.Context, string) *transport.Socket, take func(*run.Context, *transport.Socket)) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			text := a.Str(c, 0)
			if text == "" {
				return -1
			}
			if s := find(c, text); s != nil {
				take(c, s)
			} else {
				c.Logger().Warn("no such socket; see sipcmd corex.list_sockets", "socket", text)
			}
			return 1
		}, nil
	}
}

func named(c *run.Context, name string) *transport.Socket {
	if c.Env == nil || c.Env.Transport == nil || name == "" {
		return nil
	}
	for _, s := range c.Env.Transport.Sockets() {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func sendFrom(c *run.Context, s *transport.Socket) { c.SendSock = s }

// receivedOn leaves out the connection: it is of another socket.
func receivedOn(c *run.Context, s *transport.Socket) {
	c.Recv.Sock, c.Recv.Dst, c.Recv.Proto, c.Recv.Conn = s, s.Addr, s.Proto, 0
}

func newIsSocketName(a module.Args) (run.Func, error) {
	return func(c *run.Context) int { return code(named(c, a.Str(c, 0)) != nil) }, nil
}

// place is [proto:]host[:port] taken apart; port 0 and ProtoNone where it has
// none.
type place struct {
	proto transport.Proto
	host  string
	port  uint16
}

func parsePlace(text string) (place, error) {
	var p place
	if proto, rest, ok := strings.Cut(text, ":"); ok {
		if known, ok := transport.ParseProto(proto); ok {
			p.proto, text = known, rest
		}
	}
	var err error
	if p.host, p.port, err = sip.SplitHostPort(text); err != nil {
		return p, fmt.Errorf("%q is not [proto:]host[:port]: %w", text, err)
	}
	if p.host == "" {
		return p, errors.New("a host is missing; write [proto:]host[:port]")
	}
	return p, nil
}

// newSetSource compiles set_source_address. Names are looked up.
func newSetSource(a module.Args) (run.Func, error) {
	if a[0].IsConst {
		if _, err := parsePlace(a[0].Const.Text()); err != nil {
			return nil, &module.ArgError{I: 0, Err: err}
		}
	}
	return func(c *run.Context) int {
		p, err := parsePlace(a.Str(c, 0))
		if err != nil {
			return -1
		}
		addr, err := netip.ParseAddr(strings.Trim(p.host, "[]"))
		if err != nil {
			if c.Env == nil || c.Env.Transport == nil {
				return -1
			}
			d, err := c.Env.Transport.ResolveOne(context.Background(), p.host, p.port, p.proto, false)
			if err != nil {
				c.Logger().Error("set_source_address", "address", p.host, "error", err)
				return -1
			}
			addr = d.Addr.Addr()
		}
		port := p.port
		if port == 0 { // answers go there
			port = c.Recv.Proto.DefaultPort()
		}
		c.Recv.Src = netip.AddrPortFrom(addr, port)
		return 1
	}, nil
}

// addSubdomains is the parameter alias_subdomains.
func (x *corex) addSubdomains(text string) error {
	p, err := parsePlace(text)
	if err == nil {
		x.subdomains = append(x.subdomains, p)
	}
	return err
}

// isSubdomain says whether host is a name of alias_subdomains or below one.
func (x *corex) isSubdomain(host string, port uint16, proto transport.Proto) bool {
	for _, p := range x.subdomains {
		if p.port != 0 && port != 0 && p.port != port || p.proto != 0 && proto != 0 && p.proto != proto {
			continue
		}
		above := len(host) - len(p.host)
		if above >= 0 && strings.EqualFold(host[above:], p.host) && (above == 0 || host[above-1] == '.') {
			return true
		}
	}
	return false
}
