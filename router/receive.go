package router

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"sipd/router/forward"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// receive takes one message from a transport worker: scratch is valid during
// the call only. It runs the hooks and the script to their end.
func (r *Router) receive(scratch []byte, rcv transport.Received) {
	if isKeepalive(scratch) {
		return
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
	// The one allocation of the way in: from here on everything is a substring.
	raw := string(scratch)
	if err := ctx.Msg.Parse(raw); err != nil {
		r.broken(ctx, raw, err)
		return
	}
	if ctx.Msg.IsRequest() {
		r.request(ctx)
	} else {
		r.reply(ctx)
	}
}

// finish gives the context back and stops a panic at the message that caused it.
func (r *Router) finish(ctx *run.Context, rcv transport.Received) {
	if p := recover(); p != nil {
		r.panics.Inc()
		callID := ""
		if ctx.Msg != nil {
			callID = ctx.Msg.CallID()
		}
		r.log.LogAttrs(context.Background(), run.LevelBug, "a message made the daemon panic; it was dropped",
			slog.Any("panic", p), slog.String("call_id", callID), slog.Any("src", rcv.Src),
			slog.String("place", fmt.Sprintf("%s:%d", ctx.File, ctx.Line)), slog.String("stack", string(debug.Stack())))
		return // a context in an unknown state is not used again
	}
	r.contexts.Put(ctx)
}

// isKeepalive knows the packets phones send to keep a NAT binding: CRLFs, or
// four zero octets.
func isKeepalive(b []byte) bool {
	if len(b) > 8 {
		return false
	}
	for _, c := range b {
		if c != '\r' && c != '\n' && c != 0 {
			return false
		}
	}
	return true
}

// broken counts a message that does not parse. A request that can be answered
// gets 400 (RFC 3261 §8.2, §16.3); anything else is dropped.
func (r *Router) broken(ctx *run.Context, raw string, err error) {
	r.core.BadHeaders.Inc()
	if r.log.Enabled(context.Background(), slog.LevelDebug) {
		r.log.LogAttrs(context.Background(), slog.LevelDebug, "message dropped",
			slog.Any("err", err), slog.Any("src", ctx.Recv.Src), slog.Int("size", len(raw)))
	}
	m := ctx.Msg
	if !m.IsRequest() || m.Method() == sip.ACK || m.CallID() == "" {
		return
	}
	if _, verr := m.Via(); verr != nil {
		return
	}
	if _, ferr := m.From(); ferr != nil {
		return
	}
	if _, terr := m.To(); terr != nil {
		return
	}
	if _, cerr := m.CSeq(); cerr != nil {
		return
	}
	if r.hooks.Stateless != nil {
		if serr := r.hooks.Stateless(ctx, 400, "Bad Request"); serr != nil {
			r.log.LogAttrs(context.Background(), slog.LevelDebug, "400 not sent", slog.Any("err", serr))
		}
	}
}

func (r *Router) request(ctx *run.Context) {
	m := ctx.Msg
	r.core.Request(m.MethodName())
	via, err := m.Via()
	if err != nil {
		r.broken(ctx, m.Raw(), err)
		return
	}
	if via.HasAlias && ctx.Recv.Conn != 0 {
		r.transport.ViaAlias(ctx.Recv, via.Port)
	}
	for _, h := range r.hooks.PreRequest {
		if !h(ctx) {
			return
		}
	}
	ctx.Route = run.RequestRoute
	r.program.request.Run(ctx)
	for _, h := range r.hooks.PostScript {
		h(ctx)
	}
}

func (r *Router) reply(ctx *run.Context) {
	method := ""
	if cs, err := ctx.Msg.CSeq(); err == nil {
		method = cs.MethodName
	}
	r.core.Reply(ctx.Msg.StatusCode(), method)
	if _, err := ctx.Msg.Via(); err != nil {
		r.broken(ctx, ctx.Msg.Raw(), err)
		return
	}
	if r.checkVia && !r.viaIsOurs(ctx.Msg) {
		r.core.DropReplies.Inc()
		return
	}
	for _, h := range r.hooks.PreReply {
		if !h(ctx) {
			return
		}
	}
	if r.hooks.OnReply != nil && r.hooks.OnReply(ctx, r.program.coreReply) {
		return
	}
	// No transaction: the reply goes the way its second Via says, unless the
	// script drops it.
	if r.hooks.OnReply == nil && r.program.coreReply != nil {
		ctx.Route = run.CoreReplyRoute
		r.program.coreReply.Run(ctx)
	}
	if ctx.Dropped {
		r.core.DropReplies.Inc()
		return
	}
	if err := forward.Reply(ctx); err != nil {
		r.core.ErrReplies.Inc()
		r.log.LogAttrs(context.Background(), slog.LevelDebug, "reply not forwarded",
			slog.String("call_id", ctx.Msg.CallID()), slog.Any("src", ctx.Recv.Src), slog.Any("err", err))
		return
	}
	r.core.FwdReplies.Inc()
}

func (r *Router) viaIsOurs(m *sip.Message) bool {
	v, err := m.Via()
	return err == nil && r.myself.match(v.Host, v.Port, transport.ProtoNone)
}
