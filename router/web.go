package router

import (
	"context"
	"io"
	"log/slog"

	"sipd/router/run"
	"sipd/router/transport"
	"sipd/router/web"
)

// foreign takes an HTTP request from a SIP port: modules that want it (xhttp,
// xmlrpc) run the script on a message that stands for it.
func (r *Router) foreign(raw string, rcv transport.Received, w io.Writer) (keep bool) {
	if len(r.hooks.HTTP) == 0 {
		return false // as the elders without such a module: closed without a word
	}
	req, err := web.Parse(raw, rcv)
	if err != nil {
		r.log.LogAttrs(context.Background(), slog.LevelDebug, "HTTP request refused", slog.Any("src", rcv.Src), slog.Any("err", err))
		web.Refuse(w, err)
		return false
	}
	ctx, _ := r.contexts.Get().(*run.Context)
	if ctx == nil {
		ctx = new(run.Context)
	}
	ctx.Reset(&r.env)
	defer r.finish(ctx, rcv)
	ctx.Recv = rcv
	ctx.ID = r.messageID.Add(1)
	ctx.Cfg = r.settings.Snapshot()
	if err := ctx.Msg.Parse(req.Message()); err != nil {
		web.Refuse(w, err)
		return false
	}
	return req.Serve(ctx, w, func(ctx *run.Context) bool {
		for _, h := range r.hooks.HTTP {
			if h(ctx) {
				return true
			}
		}
		return false
	})
}
