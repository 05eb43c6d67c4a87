package dialog

import (
	"context"
	"strconv"
	"strings"
	"time"

	"sipd/router/regex"
	"sipd/rpc"
)

func fault(code int, text string) *rpc.Fault { return &rpc.Fault{Code: code, Text: text} }

const one = "struct {h_entry: int, h_id: int, ref: int, call-id: text, from_uri: text, to_uri: text, state: int, start_ts: int, init_ts: int, end_ts: int, duration: int, timeout: int, lifetime: int, dflags: int, sflags: int, iflags: int, caller: struct {tag: text, contact: text, cseq: text, route_set: text, socket: text}, callee: struct, profiles: list, variables: list}"

func (m *mod) methods() []*rpc.Method {
	str := func(name, help string) rpc.Param {
		return rpc.Param{Name: name, Help: help, Type: rpc.TString, Convert: true}
	}
	num := func(name, help string) rpc.Param { return rpc.Param{Name: name, Help: help, Type: rpc.TInt} }
	opt := func(p rpc.Param) rpc.Param { p.Optional = true; return p }
	tags := []rpc.Param{str("callid", "Call-ID"), str("ftag", "tag of the caller"), str("ttag", "tag of the callee")}
	match := []rpc.Param{str("mkey", "ruri, furi, turi, callid or start_ts"), str("mop", "eq, re, sw; gt or lt for start_ts"), str("mval", "the value"), opt(num("n", "at most so many"))}
	single := []rpc.Param{str("callid", "Call-ID"), opt(str("ft", "tag of the caller"))}
	profile := []rpc.Param{str("profile_name", "the profile"), opt(str("value", "the value"))}
	invalid := fault(500, "Invalid parameters")
	return []*rpc.Method{
		{Name: "dlg.list", Help: "Lists all dialogs.", List: true, Reply: one, Handler: m.rpcList},
		{Name: "dlg.list_ctx", Help: "Lists all dialogs; no module adds to them.", List: true, Reply: one, Handler: m.rpcList},
		{Name: "dlg.list_match", Help: "Lists the dialogs that match.", List: true, Params: match, BadParams: invalid, Example: "furi sw sip:alice@", Reply: one, Handler: m.rpcMatch},
		{Name: "dlg.list_match_ctx", Help: "Lists the dialogs that match; no module adds to them.", List: true, Params: match, BadParams: invalid, Example: "furi sw sip:alice@", Reply: one, Handler: m.rpcMatch},
		{Name: "dlg.dlg_list", Help: "Shows the dialog with a Call-ID.", Params: single, Example: "abc@192.0.2.1", Reply: one, Handler: m.rpcOne},
		{Name: "dlg.dlg_list_ctx", Help: "Shows the dialog with a Call-ID; no module adds to it.", Params: single, Example: "abc@192.0.2.1", Reply: one, Handler: m.rpcOne},
		{Name: "dlg.briefing", Help: "Lists all dialogs in short.", List: true, Params: []rpc.Param{opt(str("fmt", "members: f from_uri, t to_uri, c call-id, F and T tags, I S E times, s state"))}, Reply: "struct {h_entry: int, h_id: int, from_uri: text, to_uri: text, call-id: text, from_tag: text, to_tag: text}", Handler: m.rpcBriefing},
		{Name: "dlg.end_dlg", Help: "Ends a dialog with BYEs, by its two numbers.", Params: []rpc.Param{num("h_entry", "first number"), num("h_id", "second number"), opt(str("rpc_extra_hdrs", "header lines of the BYEs"))}, BadParams: invalid, Changes: true, Example: "342 56", Handler: m.rpcEnd},
		{Name: "dlg.terminate_dlg", Help: "Ends a dialog with BYEs, by Call-ID and tags.", Params: tags, BadParams: fault(400, "Need a Callid ,from tag ,to tag"), Changes: true, Example: "abc a b", Handler: m.rpcTerminate},
		{Name: "dlg.bridge_dlg", Help: "Calls one party, refers it to another, and leaves the call.", Params: []rpc.Param{str("from", "whom to call"), str("to", "to whom it is referred"), opt(str("op", "outbound proxy; . for none")), opt(str("bd", "session description; . for one without media, _ for none"))}, BadParams: invalid, Changes: true, Example: "sip:alice@example.com sip:bob@example.com .", Handler: m.rpcBridge},
		{Name: "dlg.dump_file", Help: "Appends all dialogs to a file, a line of JSON each.", Params: []rpc.Param{str("output_file_name", "the file")}, Changes: true, Example: "/tmp/dialogs.json", Handler: m.rpcDump},
		{Name: "dlg.is_alive", Help: "Says whether a dialog stands.", Params: tags, BadParams: fault(400, "Too few parameters (required callid, from-tag, to-tag)"), Example: "abc a b", Reply: "text", Handler: m.rpcAlive},
		{Name: "dlg.set_state", Help: "Forces the state of a dialog; nobody is told.", Params: append(tags[:3:3], opt(num("sval", "1 to 5; 5 is ended"))), BadParams: fault(400, "Need the callid, from tag,to tag and state"), Changes: true, Example: "abc a b 5", Reply: "text", Handler: m.rpcSetState},
		{Name: "dlg.profile_get_size", Help: "Shows how many dialogs are in a profile.", Params: profile, Example: "caller", Reply: "int", Handler: m.rpcProfileSize},
		{Name: "dlg.profile_list", Help: "Lists the dialogs of a profile.", List: true, Params: profile, Example: "caller", Reply: one, Handler: m.rpcProfileList},
		{Name: "dlg.stats_active", Help: "Shows how many dialogs are in which state.", Params: []rpc.Param{opt(num("dlg_own", "accepted; all are this daemon's own"))}, Reply: "struct {starting: int, connecting: int, answering: int, ongoing: int, all: int}", Handler: m.rpcActive},
	}
}

func orNull(known bool, s string) rpc.Value {
	if !known {
		return rpc.Null{}
	}
	return rpc.String(s)
}

func (l *leg) shown() rpc.Struct {
	return rpc.Struct{
		rpc.M("tag", orNull(l.known, l.tag)), rpc.M("contact", orNull(l.known, l.contact)), rpc.M("cseq", orNull(l.known, l.cseq)),
		rpc.M("route_set", orNull(l.known, strings.Join(l.routes, ","))), rpc.M("socket", orNull(l.known, l.socket)),
	}
}

// shown is a dialog as dlg.list has it.
func (d *dialog) shown() rpc.Struct {
	d.mu.Lock()
	defer d.mu.Unlock()
	duration := time.Duration(0)
	switch {
	case !d.ended.IsZero() && !d.started.IsZero():
		duration = d.ended.Sub(d.started)
	case !d.started.IsZero():
		duration = time.Since(d.started)
	}
	profiles, variables := rpc.Array{}, rpc.Array{}
	for _, l := range d.links {
		if l.p.values {
			profiles = append(profiles, rpc.Struct{rpc.M(l.p.name, rpc.String(l.value))})
		} else {
			profiles = append(profiles, rpc.String(l.p.name))
		}
	}
	if d.state != deleted {
		for _, v := range d.vars {
			variables = append(variables, rpc.Struct{rpc.M(v.key, rpc.String(v.value))})
		}
	}
	return rpc.Struct{
		rpc.M("h_entry", rpc.Int(d.entry)), rpc.M("h_id", rpc.Int(d.id)), rpc.M("ref", rpc.Int(d.refs())), rpc.M("call-id", rpc.String(d.callID)),
		rpc.M("from_uri", rpc.String(d.fromURI)), rpc.M("to_uri", rpc.String(d.toURI)), rpc.M("state", rpc.Int(d.state)),
		rpc.M("start_ts", rpc.Int(unix(d.started))), rpc.M("init_ts", rpc.Int(unix(d.born))), rpc.M("end_ts", rpc.Int(unix(d.ended))),
		rpc.M("duration", rpc.Int(duration/time.Second)), rpc.M("timeout", rpc.Int(unix(d.expires))), rpc.M("lifetime", rpc.Int(d.lifetime)),
		rpc.M("dflags", rpc.Int(d.dflags)), rpc.M("sflags", rpc.Int(d.sflags)), rpc.M("iflags", rpc.Int(d.iflags)),
		rpc.M("caller", d.legs[caller].shown()), rpc.M("callee", d.legs[callee].shown()),
		rpc.M("profiles", profiles), rpc.M("variables", variables),
	}
}

func (m *mod) rpcList(_ context.Context, c *rpc.Call) error {
	for _, d := range m.t.all() {
		c.Add(d.shown())
	}
	return nil
}

func (m *mod) rpcOne(_ context.Context, c *rpc.Call) error {
	id, tag := c.Str(0), c.Str(1)
	for _, d := range m.t.all() {
		if d.callID == id && (!c.Has(1) || d.legs[caller].tag == tag) {
			c.Add(d.shown())
			return nil
		}
	}
	return nil
}

// matcher compiles key, operator and value of dlg.list_match.
func matcher(key, op, value string) (func(*dialog) bool, *rpc.Fault) {
	if key == "" || op == "" || value == "" {
		return nil, fault(500, "Invalid parameters")
	}
	text, ok := map[string]func(*dialog) string{
		"ruri": func(d *dialog) string { return d.reqURI }, "furi": func(d *dialog) string { return d.fromURI },
		"turi": func(d *dialog) string { return d.toURI }, "callid": func(d *dialog) string { return d.callID }, "start_ts": nil,
	}[key]
	if !ok {
		return nil, fault(500, "Invalid matching key parameter")
	}
	number := func(f func(have, want int64) bool) func(*dialog) bool {
		want, err := strconv.ParseInt(value, 10, 64)
		return func(d *dialog) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return err == nil && f(unix(d.started), want)
		}
	}
	var test func(*dialog) bool
	switch op {
	case "eq":
		test = func(d *dialog) bool { return text(d) == value }
	case "sw":
		test = func(d *dialog) bool { return strings.HasPrefix(text(d), value) }
	case "re":
		re, err := regex.Compile(value, regex.IgnoreCase)
		if err != nil {
			return nil, fault(500, "Invalid matching value parameter")
		}
		test = func(d *dialog) bool { return re.Match(text(d)) }
	case "gt":
		test = number(func(have, want int64) bool { return have > want })
	case "lt":
		test = number(func(have, want int64) bool { return have < want })
	default:
		return nil, fault(500, "Invalid matching operator parameter")
	}
	switch number := op == "gt" || op == "lt"; {
	case text == nil && !number:
		return nil, fault(500, "Matching operator not supported with start_ts key")
	case text != nil && number:
		return nil, fault(500, "Matching operator not supported")
	}
	return test, nil
}

func (m *mod) rpcMatch(_ context.Context, c *rpc.Call) error {
	test, bad := matcher(c.Str(0), c.Str(1), c.Str(2))
	if bad != nil {
		return bad
	}
	limit, n := 0, 0
	if c.Has(3) {
		limit = c.Int(3)
	}
	for _, d := range m.t.all() {
		if !test(d) {
			continue
		}
		c.Add(d.shown())
		if n++; n == limit {
			break
		}
	}
	if n == 0 {
		return fault(404, "Not found")
	}
	return nil
}

func (m *mod) rpcBriefing(_ context.Context, c *rpc.Call) error {
	format := "ftcFT"
	if c.Has(0) {
		format = c.Str(0)
	}
	for _, d := range m.t.all() {
		c.Add(d.brief(format))
	}
	return nil
}

func (d *dialog) brief(format string) rpc.Struct {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := rpc.Struct{rpc.M("h_entry", rpc.Int(d.entry)), rpc.M("h_id", rpc.Int(d.id))}
	for _, f := range format {
		switch f {
		case 'f':
			s = append(s, rpc.M("from_uri", rpc.String(d.fromURI)))
		case 't':
			s = append(s, rpc.M("to_uri", rpc.String(d.toURI)))
		case 'c':
			s = append(s, rpc.M("call-id", rpc.String(d.callID)))
		case 'F':
			s = append(s, rpc.M("from_tag", rpc.String(d.legs[caller].tag)))
		case 'T': // as Kamailio: it is the caller's too
			s = append(s, rpc.M("to_tag", rpc.String(d.legs[caller].tag)))
		case 'I':
			s = append(s, rpc.M("init_ts", rpc.Int(unix(d.born))))
		case 'S':
			s = append(s, rpc.M("start_ts", rpc.Int(unix(d.started))))
		case 'E':
			s = append(s, rpc.M("end_ts", rpc.Int(unix(d.ended))))
		case 's':
			s = append(s, rpc.M("state", rpc.Int(d.state)))
		}
	}
	return s
}

func (m *mod) rpcEnd(_ context.Context, c *rpc.Call) error {
	d := m.t.byID(uint32(c.Int(0)), uint32(c.Int(1)))
	if d == nil {
		return fault(404, "Dialog not found")
	}
	more := ""
	if c.Has(2) && c.Str(2) != "" {
		if more = c.Str(2); !strings.HasSuffix(more, "\r\n") {
			more += "\r\n"
		}
		if !lines(more) {
			return fault(500, "Invalid parameters")
		}
	}
	return m.endBy(c, d, more)
}

// endBy sends the BYEs of an RPC call. As with Kamailio it answers nothing when
// they cannot be sent; the log says why.
func (m *mod) endBy(_ *rpc.Call, d *dialog, more string) error {
	if err := m.byeAll(d, more); err != nil {
		m.log.Warn("dialog not ended with a BYE to both", "module", "dialog", "call_id", d.callID, "err", err)
	}
	return nil
}

func (m *mod) rpcTerminate(_ context.Context, c *rpc.Call) error {
	d, _ := m.t.byTags(c.Str(0), c.Str(1), c.Str(2))
	if d == nil {
		return fault(500, "Couldnt find callid in dialog")
	}
	return m.endBy(c, d, "")
}

func (m *mod) rpcAlive(_ context.Context, c *rpc.Call) error {
	d, _ := m.t.byTags(c.Str(0), c.Str(1), c.Str(2))
	if d == nil {
		return fault(404, "Dialog not found")
	}
	d.mu.Lock()
	s := d.state
	d.mu.Unlock()
	if s != confirmed {
		return fault(500, "Dialog not in confirmed state")
	}
	c.Add(rpc.String("Alive"))
	return nil
}

func (m *mod) rpcSetState(_ context.Context, c *rpc.Call) error {
	s := deleted
	if c.Has(3) {
		s = state(c.Int(3))
	}
	if s < unconfirmed || s > deleted {
		return fault(500, "Invalid state value")
	}
	d, _ := m.t.byTags(c.Str(0), c.Str(1), c.Str(2))
	if d == nil {
		return fault(500, "Dialog not found")
	}
	now := time.Now()
	d.mu.Lock()
	before := d.state
	d.state = s
	d.changed()
	if s == deleted && before != deleted {
		d.ended, d.lingered = now, now.Add(linger)
		d.leave()
	}
	d.mu.Unlock()
	m.forced(before, s)
	c.Changed("state of "+c.Str(0), strconv.Itoa(int(before)), strconv.Itoa(int(s)))
	c.Add(rpc.String("Done"))
	return nil
}

// forced keeps the figures when a state was set by hand.
func (m *mod) forced(before, after state) {
	figure := func(s state, n int64) {
		switch s {
		case early:
			m.t.early.Add(n)
		case confirmedNA, confirmed:
			m.t.active.Add(n)
		}
	}
	figure(before, -1)
	figure(after, 1)
}

func (m *mod) rpcProfileSize(_ context.Context, c *rpc.Call) error {
	p := m.t.profile(c.Str(0))
	if p == nil {
		return rpc.Faultf(404, "Profile not found: %s", c.Str(0))
	}
	value := ""
	if c.Has(1) {
		value = c.Str(1)
	}
	c.Add(rpc.Int(p.size(value, c.Has(1))))
	return nil
}

func (m *mod) rpcProfileList(_ context.Context, c *rpc.Call) error {
	p := m.t.profile(c.Str(0))
	if p == nil {
		return rpc.Faultf(404, "Profile not found: %s", c.Str(0))
	}
	value := ""
	if c.Has(1) {
		value = c.Str(1)
	}
	for _, d := range m.t.in(p, value, c.Has(1)) {
		c.Add(d.shown())
	}
	return nil
}

func (m *mod) rpcActive(_ context.Context, c *rpc.Call) error {
	var n [deleted + 1]int
	for _, d := range m.t.all() {
		d.mu.Lock()
		n[d.state]++
		d.mu.Unlock()
	}
	c.Add(rpc.Struct{
		rpc.M("starting", rpc.Int(n[unconfirmed])), rpc.M("connecting", rpc.Int(n[early])), rpc.M("answering", rpc.Int(n[confirmedNA])),
		rpc.M("ongoing", rpc.Int(n[confirmed])), rpc.M("all", rpc.Int(n[unconfirmed]+n[early]+n[confirmedNA]+n[confirmed])),
	})
	return nil
}
