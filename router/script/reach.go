package script

import (
	"strings"

	"sipd/router/run"
)

// use is a call of a function that may not stand in every kind of route.
type use struct {
	pos  Pos
	name string
	in   run.Kind
}

// kindWords names route kinds for people.
var kindWords = []struct {
	kind run.Kind
	word string
}{
	{run.RequestRoute, "route"},
	{run.ReplyRoute, "onreply_route[NAME]"},
	{run.CoreReplyRoute, "reply_route"},
	{run.FailureRoute, "failure_route"},
	{run.BranchRoute, "branch_route"},
	{run.OnSendRoute, "onsend_route"},
	{run.EventRoute, "event_route"},
	{run.BranchFailureRoute, "event_route[tm:branch-failure:NAME]"},
}

func kindList(k run.Kind) string {
	var words []string
	for _, w := range kindWords {
		if k&w.kind != 0 {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}

// reachability finds routes that nothing calls, and functions in routes that
// are only reached from where the function cannot work. A route[NAME] counts as
// each kind of block it is called from.
func (x *compiler) reachability() {
	dynamic := false
	kinds := make(map[*block]run.Kind)
	var visit func(b *block, k run.Kind)
	visit = func(b *block, k run.Kind) {
		if kinds[b]&k == k {
			return
		}
		kinds[b] |= k
		dynamic = dynamic || b.dynamic
		for _, to := range b.calls {
			if to.kind == RouteRequest {
				visit(to, k)
			} else {
				visit(to, to.runKind()) // armed, not called
			}
		}
	}
	for _, b := range x.prog.order {
		if b.name == "" || b.kind == RouteEvent || b.kind == RouteOnSend {
			k := b.runKind()
			if b.kind == RouteEvent {
				k |= run.RequestRoute // as Kamailio: what works in a request route may stand there
			}
			visit(b, k)
		}
	}
	for _, b := range x.prog.order {
		k := kinds[b]
		if k == 0 && (b.kind != RouteRequest || !dynamic) && !x.conf.modulePs[b.name] && x.check {
			x.conf.Warnings.add(b.pos, "%s[%s] is never used", b.kind, b.name)
		}
		if k == 0 || dynamic && b.kind == RouteRequest && b.name != "" {
			k = run.AnyRoute
			if b.kind != RouteRequest {
				k = b.runKind()
			}
		}
		if x.conf.modulePs[b.name] {
			k |= run.EventRoute | run.RequestRoute
		}
		for _, u := range b.uses {
			if u.in&k == 0 {
				x.errs.add(u.pos, "%s() cannot be used in %s", u.name, kindList(k)).hint("it works in %s", kindList(u.in))
			}
		}
	}
}
