package registrar

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"sipd/router/run"
	"sipd/router/usrloc"
)

// expiredRoute is the block that runs for each contact that ended.
const expiredRoute = "usrloc:contact-expired"

// expiredRequest is the message that it runs on.
const expiredRequest = "OPTIONS sip:expired@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKexpired\r\n" +
	"From: <sip:expired@127.0.0.1>;tag=expired\r\nTo: <sip:expired@127.0.0.1>\r\nCall-ID: expired\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

// expired runs event_route[usrloc:contact-expired] with $ulc(exp=>…).
func (r *registrar) expired(table string, k *usrloc.Contact) {
	env := r.host.Env
	if env.Block == nil {
		return
	}
	b := env.Block(run.EventRoute, expiredRoute)
	if b == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			r.host.Log.LogAttrs(context.Background(), slog.LevelError, "event route panicked", slog.String("module", "registrar"),
				slog.String("err", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
		}
	}()
	c := &run.Context{}
	c.Reset(env)
	if c.Msg.Parse(expiredRequest) != nil {
		return
	}
	c.Cfg, c.Route, c.RouteName = env.Cfg.Snapshot(), run.EventRoute, expiredRoute
	c.Slots[r.ulcSlot] = profiles{"exp": {table: r.loc.Locations().Lookup(table), aor: k.AOR(), list: []*usrloc.Contact{k}}}
	b.Run(c)
}
