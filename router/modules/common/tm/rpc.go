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
			ps = append(ps, rpc.Param{Name: n, Type: rpc.TString, Optional: true})
		}
		return ps
	}
	// What is missing is told by name, as a real one does.
	code := []rpc.Param{{Name: "code", Type: rpc.TInt, Help: "100 to 699", Optional: true}}
	return append(m.uacMethods(), []*rpc.Method{
		{
			Name: "tm.stats", Help: "Tells the figures of transactions.", Handler: m.stats,
			Reply: "struct {current, waiting, total, total_local, rpl_received, rpl_generated, rpl_sent, 6xx, 5xx, 4xx, 3xx, 2xx, created, freed, delayed_free: int}",
		},
		{
			Name: "tm.list", Help: "Lists the transactions.", List: true, Handler: m.list,
			Reply: "struct {cell: string, tindex, tlabel: int, method, from, to, callid, cseq, uas_request: string, tflags, outgoings, ref_count, lifetime: int}",
		},
		{Name: "tm.clean", Help: "Drops transactions that are past their life.", Changes: true, Handler: m.clean},
		{Name: "tm.hash_stats", Help: "Is answered as by a daemon built without it.", Handler: hashStats},
		{
			Name: "tm.cancel", Help: "Cancels the INVITE with a Call-ID and a CSeq.", Changes: true,
			Params: []rpc.Param{
				{Name: "callid", Type: rpc.TString, Optional: true, Help: "its Call-ID"},
				{Name: "cseq", Type: rpc.TString, Convert: true, Optional: true, Help: `its CSeq, "1 INVITE" or the number alone`},
			},
			Example: `3c26700857a87f84@10.10.4.12 "1 INVITE"`, Handler: m.cancel,
		},
		{
			Name: "tm.reply", Help: "Answers the transaction with an index:label.", Changes: true,
			Params:  append(code, s("reason", "ti", "tag", "headers", "body")...),
			Example: `486 "Busy Here" 35102:1564837584 "" "" ""`, Handler: m.replyTo,
		},
		{
			Name: "tm.reply_callid", Help: "Answers the transaction with a Call-ID and a CSeq.", Changes: true,
			Params:  append(code[:1:1], s("reason", "callid", "cseq", "totag", "hdrs", "body")...),
			Example: `486 "Busy Here" 3c26700857a87f84@10.10.4.12 "1 INVITE" "" "" ""`, Handler: m.replyCall,
		},
		{
			Name: "tm.retransmit_reply", Help: "Sends the last reply of the transaction with an index:label again.", Changes: true,
			Params: s("ti"), Example: "35102:1564837584", Handler: m.resendTo,
		},
		{
			Name: "tm.retransmit_reply_callid", Help: "Sends the last reply of the transaction with a Call-ID and a CSeq again.", Changes: true,
			Params: s("callid", "cseq"), Example: `3c26700857a87f84@10.10.4.12 "1 INVITE"`, Handler: m.resendCall,
		},
	}...)
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

// list streams the transactions as Kamailio shows them.
func (m *mod) list(_ context.Context, c *rpc.Call) error {
	c.Add(rpc.Each(func(yield func(rpc.Value) bool) {
		m.table.Each(func(t *tm.Transaction) bool { return yield(shown(t)) })
	}))
	return nil
}

func shown(t *tm.Transaction) rpc.Struct {
	i := t.Info()
	uas := "yes"
	if i.Local {
		uas = "no"
	}
	return rpc.Struct{
		rpc.M("cell", rpc.String("0x"+strconv.FormatUint(uint64(i.Index)<<32|uint64(i.Label), 16))),
		rpc.M("tindex", rpc.Int(i.Index)),
		rpc.M("tlabel", rpc.Int(int32(i.Label))), // as the elders: no number of BinRPC is larger
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
	}
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

// byID finds the transaction that "index:label" names.
func (m *mod) byID(id string) (*tm.Transaction, error) {
	index, label, ok := strings.Cut(id, ":")
	i, err1 := strconv.ParseUint(index, 10, 32)
	l, err2 := strconv.ParseUint(label, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return nil, rpc.Faultf(400, "Invalid transaction ID")
	}
	if t := m.table.FindID(uint32(i), uint32(l)); t != nil {
		return t, nil
	}
	return nil, rpc.Faultf(481, "No such transaction")
}

// byCall finds the transaction with a Call-ID and a CSeq.
func (m *mod) byCall(callID, cseq string) (*tm.Transaction, error) {
	n, method, ok := parseCSeq(cseq)
	if ok {
		if t := m.table.FindCall(callID, n, method); t != nil {
			return t, nil
		}
	}
	return nil, rpc.Faultf(404, "Transaction not found")
}

// missing is the fault of the first parameter that a call lacks.
func missing(c *rpc.Call, names ...string) error {
	for i, n := range names {
		if !c.Has(i) {
			return rpc.Faultf(400, "%s expected", n)
		}
	}
	return nil
}

func (m *mod) replyTo(_ context.Context, c *rpc.Call) error {
	if err := missing(c, "Reply code", "Reason phrase", "Transaction ID", "To tag"); err != nil {
		return err
	}
	t, err := m.byID(c.Str(2))
	if err != nil {
		return err
	}
	return answer(t, c, c.Str(3), c.Str(4), c.Str(5))
}

func (m *mod) replyCall(_ context.Context, c *rpc.Call) error {
	if err := missing(c, "Reply code", "Reason phrase", "Call-ID", "CSeq", "To tag"); err != nil {
		return err
	}
	t, err := m.byCall(c.Str(2), c.Str(3))
	if err != nil {
		return err
	}
	return answer(t, c, c.Str(4), c.Str(5), c.Str(6))
}

func (m *mod) resendTo(_ context.Context, c *rpc.Call) error {
	if err := missing(c, "Transaction ID"); err != nil {
		return err
	}
	t, err := m.byID(c.Str(0))
	if err != nil {
		return err
	}
	return resend(t)
}

func (m *mod) resendCall(_ context.Context, c *rpc.Call) error {
	if err := missing(c, "Call-ID", "CSeq"); err != nil {
		return err
	}
	t, err := m.byCall(c.Str(0), c.Str(1))
	if err != nil {
		return err
	}
	return resend(t)
}

// resend sends the last reply again.
func resend(t *tm.Transaction) error {
	if !t.RetransmitReply() {
		return rpc.Faultf(500, "Reply retransmission failed")
	}
	return nil
}

func answer(t *tm.Transaction, c *rpc.Call, tag, headers, body string) error {
	code := c.Int(0)
	if code < 100 || code > 699 {
		return rpc.Faultf(500, "Reply failed")
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
