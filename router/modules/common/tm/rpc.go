package tm

import (
	"context"
	"strconv"
	"strings"

	"sipd/router/sip"
	"sipd/router/tm"
	"sipd/rpc"
)

func (m *mod) methods() []*rpc.Method {
	s := func(names ...string) []rpc.Param {
		var ps []rpc.Param
		for _, n := range names {
			ps = append(ps, rpc.Param{Name: n, Type: rpc.TString})
		}
		return ps
	}
	return []*rpc.Method{
		{Name: "tm.stats", Help: "Tells the figures of transactions.", Handler: m.stats},
		{Name: "tm.list", Help: "Lists the transactions.", Handler: m.list},
		{Name: "tm.clean", Help: "Drops transactions that are past their life.", Handler: m.clean},
		{Name: "tm.hash_stats", Help: "Is answered as by a daemon built without it.", Handler: hashStats},
		{Name: "tm.cancel", Help: "Cancels the INVITE with a Call-ID and a CSeq.", Params: []rpc.Param{{Name: "callid", Type: rpc.TString, Optional: true}, {Name: "cseq", Type: rpc.TString, Optional: true}}, Handler: m.cancel},
		{Name: "tm.reply", Help: "Answers the transaction with an index:label.", Params: append([]rpc.Param{{Name: "code", Type: rpc.TInt}}, s("reason", "ti", "tag", "headers", "body")...), Handler: m.replyTo},
		{Name: "tm.reply_callid", Help: "Answers the transaction with a Call-ID and a CSeq.", Params: append([]rpc.Param{{Name: "code", Type: rpc.TInt}}, s("reason", "callid", "cseq", "totag", "hdrs", "body")...), Handler: m.replyCall},
	}
}

func (m *mod) stats(_ context.Context, c *rpc.Call) error {
	n := &m.table.Count
	created, freed := n.Created.Value(), n.Freed.Value()
	waiting := n.Waiting.Value()
	current := max(created-freed-waiting, 0)
	out := rpc.Struct{
		rpc.M("current", rpc.Int(current)),
		rpc.M("waiting", rpc.Int(waiting)),
		rpc.M("total", rpc.Int(created)),
		rpc.M("total_local", rpc.Int(n.Local.Value())),
		rpc.M("rpl_received", rpc.Int(n.Received.Value())),
		rpc.M("rpl_generated", rpc.Int(n.Generated.Value())),
		rpc.M("rpl_sent", rpc.Int(n.Generated.Value()+n.Relayed.Value())),
	}
	for class := 6; class >= 2; class-- {
		out = append(out, rpc.M(strconv.Itoa(class)+"xx", rpc.Int(n.Class[class].Value())))
	}
	c.Add(append(out,
		rpc.M("created", rpc.Int(created)),
		rpc.M("freed", rpc.Int(freed)),
		rpc.M("delayed_free", rpc.Int(0)),
	))
	return nil
}

func (m *mod) list(_ context.Context, c *rpc.Call) error {
	m.table.Each(func(t *tm.Transaction) bool {
		i := t.Info()
		uas := "yes"
		if i.Local {
			uas = "no"
		}
		c.Add(rpc.Struct{
			rpc.M("cell", rpc.String("0x"+strconv.FormatUint(uint64(i.Index)<<32|uint64(i.Label), 16))),
			rpc.M("tindex", rpc.Int(i.Index)),
			rpc.M("tlabel", rpc.Int(i.Label)),
			rpc.M("method", rpc.String(i.Method)),
			rpc.M("from", rpc.String(i.From)),
			rpc.M("to", rpc.String(i.To)),
			rpc.M("callid", rpc.String(i.CallID)),
			rpc.M("cseq", rpc.String(i.CSeq)),
			rpc.M("uas_request", rpc.String(uas)),
			rpc.M("tflags", rpc.Int(i.Flags)),
			rpc.M("outgoings", rpc.Int(i.Legs)),
			rpc.M("ref_count", rpc.Int(1)),
			rpc.M("lifetime", rpc.Int(i.Until)),
		})
		return true
	})
	return nil
}

func (m *mod) clean(context.Context, *rpc.Call) error {
	m.table.Clean()
	return nil
}

func hashStats(context.Context, *rpc.Call) error {
	return rpc.Faultf(500, "Hash statistics not supported (tryrecompiling with -DTM_HASH_STATS)")
}

// parseCSeq reads "1 INVITE", or the number alone.
func parseCSeq(s string) (n uint32, method string, ok bool) {
	num, method, _ := strings.Cut(strings.TrimSpace(s), " ")
	v, err := strconv.ParseUint(num, 10, 32)
	return uint32(v), strings.TrimSpace(method), err == nil
}

func (m *mod) cancel(_ context.Context, c *rpc.Call) error {
	if c.Len() < 2 || c.Str(0) == "" || c.Str(1) == "" {
		return rpc.Faultf(400, "Callid and CSeq expected as parameters")
	}
	n, method, ok := parseCSeq(c.Str(1))
	if !ok {
		return rpc.Faultf(400, "Transaction not found")
	}
	t := m.table.FindCall(c.Str(0), n, method)
	if t == nil {
		return rpc.Faultf(400, "Transaction not found")
	}
	t.Do(func(t *tm.Transaction) { t.Cancel("") })
	return nil
}

func (m *mod) replyTo(_ context.Context, c *rpc.Call) error {
	index, label, ok := strings.Cut(c.Str(2), ":")
	i, err1 := strconv.ParseUint(index, 10, 32)
	l, err2 := strconv.ParseUint(label, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return rpc.Faultf(404, "Reason syntax: trans_id is index:label")
	}
	t := m.table.FindID(uint32(i), uint32(l))
	if t == nil {
		return rpc.Faultf(481, "No such transaction")
	}
	return answer(t, c, c.Str(3), c.Str(4), c.Str(5))
}

func (m *mod) replyCall(_ context.Context, c *rpc.Call) error {
	n, method, ok := parseCSeq(c.Str(3))
	if !ok {
		return rpc.Faultf(404, "Transaction not found")
	}
	t := m.table.FindCall(c.Str(2), n, method)
	if t == nil {
		return rpc.Faultf(404, "Transaction not found")
	}
	return answer(t, c, c.Str(4), c.Str(5), c.Str(6))
}

func answer(t *tm.Transaction, c *rpc.Call, tag, headers, body string) error {
	code := c.Int(0)
	if code < 100 || code > 699 {
		return rpc.Faultf(400, "Reply code is between 100 and 699")
	}
	reason := c.Str(1)
	if reason == "" {
		reason = sip.StatusText(code)
	}
	if headers != "" && !strings.HasSuffix(headers, "\n") {
		headers += "\r\n"
	}
	if !t.Answer(code, reason, tag, headers, body) {
		return rpc.Faultf(500, "Reply failed")
	}
	return nil
}
