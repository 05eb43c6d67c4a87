package dialog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
	"sipd/rpc"
)

// hold is the session that a bridged party is offered first: no media.
const hold = "v=0\r\no=sipd 0 0 IN IP4 0.0.0.0\r\ns=sipd\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 9 RTP/AVP 8 0\r\n" +
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"

// bridge calls one party, refers it to another and leaves the call. It answers
// when the INVITE is sent. proxy is "" or the URI of an outbound proxy.
func (m *mod) bridge(from, to, proxy, body string) error {
	for _, uri := range []string{from, to} {
		if strings.ContainsAny(uri, "\r\n") {
			return errors.New("an address has no line breaks")
		}
	}
	return m.send(&tm.Request{
		Method: "INVITE", URI: from, From: "<" + m.bridgeController + ">", To: "<" + from + ">", NextHop: proxy,
		Headers: "Contact: <" + m.bridgeContact + ">\r\nContent-Type: application/sdp\r\n", Body: body,
		Done: func(x *tm.Response) {
			if x.Code >= 300 || x.Msg == nil {
				return
			}
			d, err := tm.DialogOfReply(x.T.Message(), x.Msg)
			if err == nil {
				d.Socket = x.Recv.Sock
				err = m.refer(d, "", to)
			}
			if err != nil {
				m.log.LogAttrs(context.Background(), slog.LevelWarn, "bridged party not referred", slog.String("module", "dialog"), slog.Any("err", err))
			}
		},
	})
}

// refer sends a REFER in a dialog and, whatever the answer is, a BYE behind it.
func (m *mod) refer(d *tm.Dialog, next, to string) error {
	r := d.Request("REFER")
	r.Headers = "Referred-By: " + m.bridgeController + "\r\nRefer-To: " + to + "\r\nContact: <" + m.bridgeContact + ">\r\n"
	r.NextHop = next
	r.Done = func(*tm.Response) {
		bye := d.Request("BYE")
		bye.NextHop = next
		if err := m.send(bye); err != nil {
			m.log.LogAttrs(context.Background(), slog.LevelWarn, "no BYE after the REFER", slog.String("module", "dialog"),
				slog.String("call_id", d.CallID), slog.Any("err", err))
		}
	}
	return m.send(r)
}

// newRefer compiles dlg_refer.
func (m *mod) newRefer(a module.Args) (run.Func, error) {
	side, ok := map[string]side{"caller": caller, "callee": callee}[strings.ToLower(a[0].Text)]
	if !ok {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf(`a side is "caller" or "callee", not %q`, a[0].Text)}
	}
	return func(c *run.Context) int {
		d, to := m.current(c), strings.Clone(a.Str(c, 1))
		if d == nil || to == "" || strings.ContainsAny(to, "\r\n") {
			return -1
		}
		d.mu.Lock()
		td, next, err := m.inDialog(d, side.other()) // as Kamailio: it goes to the other one
		d.mu.Unlock()
		if err == nil {
			err = m.refer(td, next, to)
		}
		if err != nil {
			c.Logger().LogAttrs(context.Background(), slog.LevelWarn, "REFER not sent", slog.String("module", "dialog"),
				slog.String("call_id", d.callID), slog.Any("err", err))
		}
		return code(err == nil)
	}, nil
}

// newBridge compiles dlg_bridge.
func (m *mod) newBridge(a module.Args) (run.Func, error) {
	for i := range 3 {
		if !a[i].IsConst || i == 2 && a[i].Const.Text() == "" {
			continue
		}
		if _, err := sip.ParseURI(a[i].Const.Text()); err != nil {
			return nil, &module.ArgError{I: i, Err: err}
		}
	}
	return func(c *run.Context) int {
		from, to, proxy := strings.Clone(a.Str(c, 0)), strings.Clone(a.Str(c, 1)), strings.Clone(a.Str(c, 2))
		if from == "" || to == "" {
			return -1
		}
		if err := m.bridge(from, to, proxy, hold); err != nil {
			c.Logger().LogAttrs(context.Background(), slog.LevelWarn, "call not bridged", slog.String("module", "dialog"), slog.Any("err", err))
			return -1
		}
		return 1
	}, nil
}

// rpcBridge serves dlg.bridge_dlg. As with Kamailio it answers nothing, also
// when the INVITE cannot be sent: the log says why.
func (m *mod) rpcBridge(_ context.Context, c *rpc.Call) error {
	proxy, body := "", hold
	if c.Has(2) && c.Str(2) != "." {
		proxy = c.Str(2)
	}
	if c.Has(3) {
		switch c.Str(3) {
		case ".", "":
		case "_":
			body = ""
		default:
			body = c.Str(3)
		}
	}
	if err := m.bridge(c.Str(0), c.Str(1), proxy, body); err != nil {
		m.log.Warn("call not bridged", "module", "dialog", "err", err)
	}
	return nil
}
