package tm

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
)

// copies are the functions that send something besides the request's own way:
// copies of it to another place, requests of our own; and small ones that ask.
func (m *mod) copies() []module.Function {
	plain := func(name, help string, in run.Kind, do func(*run.Context) int) module.Function {
		return module.Function{Name: name, Help: help, In: in, New: func(module.Args) (run.Func, error) { return do, nil }}
	}
	list := []module.Function{
		plain("t_replicate", "relay a copy of the request whose replies end here", inRequest, func(c *run.Context) int { return m.table.Replicate(c, "") }),
		{Name: "t_replicate", Help: "the same to a URI", Args: []module.Arg{{Name: "uri", Type: module.ArgFormat}}, In: inRequest, New: m.newReplicateURI},
		plain("t_get_status_code", "the code of the last reply as return code; -1 without one", inTx, statusCode),
		plain("t_clean", "drop transactions that are past their life", run.AnyRoute, func(*run.Context) int { m.table.Clean(); return 1 }),
		{Name: "t_send_reply", Help: "make the transaction where there is none, and reply", Args: []module.Arg{{Name: "code", Type: module.ArgInt}, {Name: "reason", Type: module.ArgFormat}}, In: inFork, New: m.newSendReply},
		{Name: "t_uac_send", Help: "send a request: method, request URI, next hop, socket, headers, body", Args: textArgs("method", "ruri", "nexthop", "send_socket", "headers", "body"), In: run.AnyRoute, New: m.newUACSend},
	}
	place := textArgs("protocol", "host_port")
	list = append(
		list,
		plain("t_forward_nonack_uri", "the same as t_forward_nonack()", inRequest, m.forwardNonACK),
		plain("t_use_uac_headers", "has no effect: CANCEL and ACK are made from the request as it was sent", run.AnyRoute, func(*run.Context) int { return 1 }),
		module.Function{Name: "t_relay_to_avp", Help: "relay to a host:port by a protocol", Args: place, In: inRequest, New: newPlace(m.relayTo)},
		module.Function{Name: "t_forward_nonack_to", Help: "relay anything but an ACK to a host:port by a protocol", Args: place, In: inRequest, New: newPlace(m.forwardTo)},
		module.Function{Name: "t_replicate_to", Help: "relay a copy of the request to a host:port by a protocol", Args: place, In: inRequest, New: newPlace(m.replicateTo)},
	)
	for _, proto := range []string{"", "udp", "tcp", "tls"} {
		suffix := ""
		if proto != "" {
			suffix = "_" + proto
		}
		to := []module.Arg{{Name: "host", Type: module.ArgFormat}, {Name: "port", Type: module.ArgInt}}
		list = append(
			list,
			module.Function{Name: "t_replicate" + suffix, Help: "relay a copy of the request to a host", Args: to, In: inRequest, New: m.newReplicateTo(proto)},
			module.Function{Name: "t_forward_nonack" + suffix, Help: "relay anything but an ACK to a host", Args: to, In: inFork, New: m.newForwardTo(proto)},
		)
	}
	return list
}

func textArgs(names ...string) []module.Arg {
	as := make([]module.Arg, len(names))
	for i, n := range names {
		as[i] = module.Arg{Name: n, Type: module.ArgFormat}
	}
	return as
}

func statusCode(c *run.Context) int {
	t := tm.Of(c)
	if t == nil || t.Status() == 0 {
		return -1
	}
	return t.Status()
}

func (m *mod) newReplicateURI(a module.Args) (run.Func, error) {
	return func(c *run.Context) int { return m.table.Replicate(c, tm.Target(a.Str(c, 0))) }, nil
}

func (m *mod) newReplicateTo(proto string) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			return m.table.Replicate(c, target(proto, a.Str(c, 0), a.Int(c, 1, 0)))
		}, nil
	}
}

func (m *mod) newForwardTo(proto string) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			if c.Msg.Method() == sip.ACK {
				return -1
			}
			return m.table.Relay(c, target(proto, a.Str(c, 0), a.Int(c, 1, 0)))
		}, nil
	}
}

func (m *mod) relayTo(c *run.Context, to tm.Target) int { return m.table.Relay(c, to) }

func (m *mod) replicateTo(c *run.Context, to tm.Target) int { return m.table.Replicate(c, to) }

func (m *mod) forwardTo(c *run.Context, to tm.Target) int {
	if c.Msg.Method() == sip.ACK {
		return -1
	}
	return m.table.Relay(c, to)
}

// newPlace is a function that takes a protocol and a host with a port.
func newPlace(do func(*run.Context, tm.Target) int) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		return func(c *run.Context) int {
			proto, where := strings.ToLower(a.Str(c, 0)), a.Str(c, 1)
			host, port, err := sip.SplitHostPort(where)
			switch {
			case err != nil:
				return c.Fail(400, "Bad Address")
			case proto != "udp" && proto != "tcp" && proto != "tls":
				return c.Fail(400, "Bad Protocol")
			}
			return do(c, target(proto, host, int(port)))
		}, nil
	}
}

func (m *mod) newSendReply(a module.Args) (run.Func, error) {
	reply, err := m.newReply(a)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		if tm.Of(c) == nil {
			if rc := m.table.NewTran(c); rc <= 0 {
				return rc
			}
		}
		return reply(c)
	}, nil
}

// newUACSend is t_uac_send(): it takes what tm.t_uac_start takes and waits for
// nothing.
func (m *mod) newUACSend(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		q, err := m.uacRequest(func(i int) string { return a.Str(c, i) }, uacCall{})
		if err == nil {
			_, err = m.table.Send(q)
		}
		if err != nil {
			m.log.LogAttrs(context.Background(), slog.LevelError, "request not sent", slog.String("method", a.Str(c, 0)), slog.Any("err", err))
			return -1
		}
		return 1
	}, nil
}

// refusals are functions of the elders that are not here, with what to use.
func refusals() []module.Function {
	var list []module.Function
	for _, r := range []struct {
		name, why string
		args      int
	}{
		{"t_relay_to_sctp", "SCTP is not served; use t_relay_to_udp, t_relay_to_tcp or t_relay_to_tls", 2},
		{"t_replicate_sctp", "SCTP is not served; use t_replicate_udp, t_replicate_tcp or t_replicate_tls", 2},
		{"t_forward_nonack_sctp", "SCTP is not served; use t_forward_nonack_udp, t_forward_nonack_tcp or t_forward_nonack_tls", 2},
		{"t_next_contact_flow", "t_next_contacts() gives each flow as a contact of its own", 0},
		{"t_write_req", "no application reads requests from a pipe; use xlog or module jsonrpcs", 2},
		{"t_write_unix", "no application reads requests from a socket; use xlog or module jsonrpcs", 2},
	} {
		list = append(list, module.Function{
			Name: r.name, Help: "refused: " + r.why, In: run.AnyRoute, Args: textArgs(strings.Fields("first second")[:r.args]...),
			New: func(module.Args) (run.Func, error) { return nil, fmt.Errorf("%s is not known here; %s", r.name, r.why) },
		})
	}
	return list
}
