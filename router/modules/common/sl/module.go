// Package sl is the module that answers requests without a transaction: a
// reply is sent once and forgotten.
package sl

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"hash/maphash"
	"sync"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/stat"
	"sipd/router/transport"
	"sipd/rpc"
)

type sl struct {
	defaultCode   int
	defaultReason string
	bindTM        bool
	rich          int
	callbacks     [2]string
	events        func() events // looked up once

	tag   string // what every To-tag of this instance starts with
	seed  maphash.Seed
	hooks *module.Hooks
	send  func(transport.Dest, []byte) error
	count counters
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &sl{defaultCode: 500, defaultReason: "Internal Server Error", bindTM: true}
}

// Exports lists what the module brings.
func (s *sl) Exports() *module.Exports {
	reply := []module.Arg{{Name: "code", Type: module.ArgInt}, {Name: "reason", Type: module.ArgFormat}}
	in := run.RequestRoute | run.FailureRoute | run.BranchRoute
	return &module.Exports{
		Name: "sl",
		Help: "replies without state",
		Params: []module.Param{
			{Name: "default_code", Help: "status code where the one given is none", Value: &s.defaultCode, Min: 100, Max: 699},
			{Name: "default_reason", Help: "reason phrase where none is given", Value: &s.defaultReason},
			{Name: "bind_tm", Help: "1 lets send_reply answer through the transaction", Value: &s.bindTM},
			{Name: "rich_redirect", Help: "only 0: the contacts of a redirection have no flags or Path", Value: &s.rich, Max: 0},
			{Name: "event_callback_fl_ack", Help: "refused: write event_route[sl:filtered-ack]", Value: &s.callbacks[0], Check: s.noCallback},
			{Name: "event_callback_lres_sent", Help: "refused: write event_route[sl:local-response]", Value: &s.callbacks[1], Check: s.noCallback},
		},
		Functions: []module.Function{
			{Name: "sl_send_reply", Help: "reply without state", Args: reply, In: run.RequestRoute, New: s.newStateless},
			{Name: "sl_reply", Help: "the same as sl_send_reply", Args: reply, In: run.RequestRoute, New: s.newStateless},
			{Name: "send_reply", Help: "reply through the transaction where there is one, else without state", Args: reply, In: in, New: s.newSendReply},
			{Name: "send_reply_mode", Help: "send_reply, and for its connection: 1 none is opened for it, 2 it is closed behind it", Args: append(reply[:2:2], module.Arg{Name: "mode", Type: module.ArgInt}), In: in, New: s.newSendReplyMode},
			{Name: "sl_forward_reply", Help: "send the reply that came on now, with another code of its class and reason", Args: []module.Arg{
				{Name: "code", Type: module.ArgFormat, Optional: true},
				{Name: "reason", Type: module.ArgFormat, Optional: true},
			}, In: run.ReplyRoute | run.CoreReplyRoute, New: s.newForwardReply},
			{Name: "sl_reply_error", Help: "reply what the failure of the action before says", In: run.RequestRoute, New: s.newReplyError},
		},
		Vars: []pv.Def{{Name: "ltt", Help: "$ltt(x|s|t): To tag of a reply made here: of the transaction where there is one, without state, of the transaction", New: s.newTag}},
		RPC: []*rpc.Method{
			{Name: "sl.stats", Help: "Tells how many replies of each code were sent without state.", Handler: s.stats},
		},
		Stats: s.count.defs(),
	}
}

// Init picks the tag and takes its places in the daemon: replies without state
// for everybody, and the filter for their ACKs.
func (s *sl) Init(_ context.Context, h *module.Host) error {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	s.tag, s.seed = hex.EncodeToString(b[:]), maphash.MakeSeed()
	s.hooks = h.Hooks
	s.send = h.Env.Transport.Send
	s.events = sync.OnceValue(func() events { return findEvents(h.Env) })
	h.Hooks.Stateless = s.reply
	h.Hooks.PreRequest = append(h.Hooks.PreRequest, s.filterACK)
	return nil
}

func (s *sl) noCallback() error {
	if s.callbacks != [2]string{} {
		return errors.New("it is of other script languages; write event_route[sl:filtered-ack] and event_route[sl:local-response]")
	}
	return nil
}

// counters count replies by code, as Kamailio names them.
type counters struct {
	ones     stat.Counter // 1xx
	codes    [len(codes)]stat.Counter
	classes  [7]stat.Counter // others of 2xx to 6xx; 0: of no class
	sent     stat.Counter
	errors   stat.Counter // sl_reply_error
	failures stat.Counter
	acks     stat.Counter
}

// codes are those counted one by one.
var codes = [...]int{200, 202, 300, 301, 302, 400, 401, 403, 404, 407, 408, 483, 500}

var codeNames = [...]string{"200", "202", "300", "301", "302", "400", "401", "403", "404", "407", "408", "483", "500"}

var classNames = [...]string{"xxx", "", "2xx", "3xx", "4xx", "5xx", "6xx"}

func (n *counters) reply(code int) {
	n.sent.Inc()
	for i, c := range codes {
		if c == code {
			n.codes[i].Inc()
			return
		}
	}
	switch class := code / 100; {
	case class == 1:
		n.ones.Inc()
	case class > 1 && class < len(n.classes):
		n.classes[class].Inc()
	default:
		n.classes[0].Inc()
	}
}

func (n *counters) defs() []stat.Def {
	defs := []stat.Def{
		{Name: "1xx_replies", Help: "1xx replies", Source: &n.ones},
		{Name: "sent_replies", Help: "replies sent", Source: &n.sent},
		{Name: "sent_err_replies", Help: "replies sent by sl_reply_error", Source: &n.errors},
		{Name: "failures", Help: "replies that could not be sent", Source: &n.failures},
		{Name: "received_ACKs", Help: "ACKs to such replies, swallowed", Source: &n.acks},
	}
	for i, name := range codeNames {
		defs = append(defs, stat.Def{Name: name + "_replies", Help: name + " replies", Source: &n.codes[i]})
	}
	for i, name := range classNames {
		if name != "" {
			defs = append(defs, stat.Def{Name: name + "_replies", Help: "other " + name + " replies", Source: &n.classes[i]})
		}
	}
	return defs
}

// stats answers sl.stats: the codes, each class behind its own.
func (s *sl) stats(_ context.Context, c *rpc.Call) error {
	var list rpc.Struct
	class := 2
	flush := func(to int) {
		for ; class < to; class++ {
			list = append(list, rpc.M(classNames[class], rpc.Int(s.count.classes[class].Value())))
		}
	}
	for i, code := range codes {
		flush(code / 100)
		list = append(list, rpc.M(codeNames[i], rpc.Int(s.count.codes[i].Value())))
	}
	flush(len(classNames))
	c.Add(append(list, rpc.M("xxx", rpc.Int(s.count.classes[0].Value()))))
	return nil
}
