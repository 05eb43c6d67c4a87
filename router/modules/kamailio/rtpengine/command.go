package rtpengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
)

// sets are the sets that a message chose.
type sets struct{ first, second int }

func (m *mod) newSet(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		s := sets{first: a.Int(c, 0, 0), second: -1}
		if a.Has(1) {
			if s.second = a.Int(c, 1, 0); s.second == s.first {
				c.Logger().LogAttrs(context.Background(), slog.LevelError, "set_rtpengine_set: the two sets are one", slog.String("call_id", c.Msg.CallID()))
				return -1
			}
		}
		for _, want := range []int{s.first, s.second} {
			if want >= 0 && !m.has(want) {
				return -1
			}
		}
		c.Slots[m.slot] = s
		return 1
	}, nil
}

func (m *mod) has(set int) bool {
	for _, n := range *m.nodes.Load() {
		if n.set == set {
			return true
		}
	}
	return false
}

// newCommand compiles a function that sends one command.
func (m *mod) newCommand(command string) func(module.Args) (run.Func, error) {
	return func(a module.Args) (run.Func, error) {
		if a.Has(0) && a[0].IsConst {
			if _, err := parseFlags(a[0].Const.Text()); err != nil {
				return nil, &module.ArgError{I: 0, Err: err}
			}
		}
		return func(c *run.Context) int {
			f, err := parseFlags(a.Str(c, 0))
			if err == nil {
				err = m.run(c, command, f)
			}
			return m.result(c, command, err)
		}, nil
	}
}

// errNothing is a message that a command does not apply to.
var errNothing = errors.New("nothing to do for this message")

func (m *mod) result(c *run.Context, command string, err error) int {
	if err == nil {
		return 1
	}
	if !errors.Is(err, errNothing) {
		c.Logger().LogAttrs(context.Background(), slog.LevelError, "media relay: "+command+" failed",
			slog.String("module", "rtpengine"), slog.String("call_id", c.Msg.CallID()), slog.Any("err", err))
	}
	return -1
}

// run does what a function is called for.
func (m *mod) run(c *run.Context, command string, f *flags) error {
	switch command {
	case "manage":
		command = managed(c)
		if command == "" {
			return errNothing
		}
	case "answer":
		// As Kamailio: a request carries an answer only when it is an ACK or PRACK.
		if c.Msg.IsRequest() && !f.force && c.Msg.Method() != sip.ACK && c.Msg.Method() != sip.PRACK {
			return errNothing
		}
	case "info":
		command = "offer" // what 5.6 sends
		_, err := m.exchange(c, command, f, c.Msg.Body(), false)
		return err
	}
	if command == "offer" || command == "answer" {
		return m.describe(c, command, f)
	}
	reply, err := m.exchange(c, command, f, "", false)
	if err != nil {
		return err
	}
	if command == "query" || command == "delete" {
		m.qualities(c, reply)
	}
	if command == "play media" && m.vars.duration.Set != nil {
		n, ok := reply.get("duration").(int)
		if !ok {
			n = -1
		}
		m.vars.duration.Set(c, run.Int(n))
	}
	return nil
}

// managed is the command that rtpengine_manage sends for a message; "" for none.
func managed(c *run.Context) string {
	msg := c.Msg
	if c.Route == run.BranchFailureRoute {
		return ""
	}
	if c.Route == run.FailureRoute {
		return "delete"
	}
	sdp := msg.HasBody()
	if msg.IsRequest() {
		switch {
		case msg.Method() == sip.BYE || msg.Method() == sip.CANCEL:
			return "delete"
		case sdp && (msg.Method() == sip.ACK || msg.Method() == sip.PRACK):
			return "answer"
		case sdp && (msg.Method() == sip.INVITE || msg.Method() == sip.UPDATE):
			return "offer"
		}
		return ""
	}
	cseq, err := msg.CSeq()
	if err != nil || cseq.Method != sip.INVITE && cseq.Method != sip.UPDATE && cseq.Method != sip.PRACK {
		return ""
	}
	switch {
	case msg.StatusCode() >= 300:
		return "delete"
	case !sdp:
		return ""
	}
	if t := tm.Of(c); t != nil && !offered(t.Request()) {
		return "offer"
	}
	return "answer"
}

// offered says whether a request has a body.
func offered(raw string) bool {
	_, body, ok := strings.Cut(raw, "\r\n\r\n")
	return ok && body != ""
}

// describe sends a session description and puts the relay's into the message.
func (m *mod) describe(c *run.Context, command string, f *flags) error {
	text := c.Msg.Body()
	if m.vars.read.Get != nil {
		text = m.vars.read.Get(c).Text()
	}
	if text == "" {
		return errNothing
	}
	reply, err := m.exchange(c, command, f, text, false)
	if err == nil {
		if s, ok := c.Slots[m.slot].(sets); ok && s.second >= 0 {
			reply, err = m.exchange(c, command, f, reply.str("sdp"), true)
		}
	}
	if err != nil {
		return err
	}
	sdp := reply.str("sdp")
	if sdp == "" {
		return errors.New("the relay's answer has no session description")
	}
	if m.vars.write.Set != nil {
		m.vars.write.Set(c, run.Str(sdp))
		return nil
	}
	from, to := c.Msg.BodyOffset(), c.Msg.BodyOffset()+len(c.Msg.Body())
	if from == to {
		return errNothing
	}
	return c.Msg.Edits.Replace(from, to, sdp)
}

// exchange sends a command for the call to its relay, or to others of the set
// when that one does not answer.
func (m *mod) exchange(c *run.Context, command string, f *flags, sdp string, second bool) (dict, error) {
	d, callID, err := m.command(c, command, f, sdp)
	if err != nil {
		return nil, err
	}
	set := m.set(c, second)
	key := fmt.Sprintf("%s %d", callID, set)
	now := time.Now()
	var failed []*node
	var last error
	for range m.limit.Get(c.Cfg) {
		n := m.pick(c, key, callID, set, command, now, failed)
		if n == nil {
			break
		}
		reply, err := n.ask(context.Background(), d, m.wait(c), m.tries.Get(c.Cfg))
		if err != nil {
			last = err
			failed = append(failed, n)
			n.disabledUntil.Store(now.Unix() + int64(m.disableTimeout.Get(c.Cfg)))
			m.log.LogAttrs(context.Background(), slog.LevelWarn, "media relay does not answer; tried again later", slog.String("dst", n.url), slog.Any("err", err))
			m.calls.drop(key)
			continue
		}
		if m.vars.instance.Set != nil {
			m.vars.instance.Set(c, run.Str(n.url))
		}
		if r := reply.str("result"); r == "load limit" {
			last = fmt.Errorf("media relay %s is full", n.url)
			failed = append(failed, n)
			m.calls.drop(key)
			continue
		} else if r != "ok" && r != "pong" {
			return nil, fmt.Errorf("media relay %s: %s %s", n.url, r, reply.str("error-reason"))
		}
		if command == "delete" {
			m.calls.drop(key)
		} else {
			m.calls.put(key, n, now)
		}
		return reply, nil
	}
	if last == nil {
		last = fmt.Errorf("no media relay of set %d is up", set)
	}
	return nil, last
}

func (m *mod) wait(c *run.Context) time.Duration {
	return time.Duration(max(m.timeout.Get(c.Cfg), 1)) * time.Millisecond
}

// set is the set that the message chose.
func (m *mod) set(c *run.Context, second bool) int {
	if s, ok := c.Slots[m.slot].(sets); ok {
		if second {
			return s.second
		}
		return s.first
	}
	if m.vars.set.Get != nil {
		if v := m.vars.set.Get(c); !v.IsNull() {
			return v.Int()
		}
	}
	return m.setDefault
}

// pick is the relay to ask: the one that has the call, else by weight; when all
// are down and aggressive_redetection is on, one that answers a ping.
func (m *mod) pick(c *run.Context, key, callID string, set int, command string, now time.Time, failed []*node) *node {
	list := *m.nodes.Load()
	if n := m.calls.get(key, now); n != nil && !contains(failed, n) {
		switch {
		case n.up(now), m.allowOp == 1, m.allowOp == 2 && n.off.Load():
			return n
		}
	}
	if n := choose(list, set, callID, now, failed); n != nil {
		return n
	}
	if m.redetect.Get(c.Cfg) == 0 || len(failed) > 0 {
		return nil
	}
	for _, n := range list {
		if n.set == set && !n.off.Load() && m.alive(context.Background(), n) {
			return n
		}
	}
	return nil
}

// alive asks a relay whether it lives.
func (m *mod) alive(ctx context.Context, n *node) bool {
	snap := m.cfg.Snapshot()
	reply, err := n.ask(ctx, dict{{"command", "ping"}}, time.Duration(max(m.timeout.Get(snap), 1))*time.Millisecond, 1)
	if err != nil || reply.str("result") != "pong" {
		n.disabledUntil.Store(time.Now().Unix() + int64(m.disableTimeout.Get(snap)))
		return false
	}
	n.disabledUntil.Store(0)
	return true
}

// command makes the dictionary, in Kamailio's order.
func (m *mod) command(c *run.Context, command string, f *flags, sdp string) (d dict, callID string, err error) {
	msg := c.Msg
	d.add("supports", []any{"load limit"})
	if sdp != "" {
		d.add("sdp", sdp)
	}
	d = append(d, f.dict...)
	if len(f.direction) > 0 {
		d.add("direction", f.direction)
	}
	if len(f.list) > 0 {
		d.add("flags", f.list)
	}
	if f.transport.known {
		d.add("transport-protocol", f.transport.String())
	}
	if callID = f.callID; callID == "" {
		callID = msg.CallID()
	}
	if callID == "" {
		return nil, "", errors.New("the message has no Call-ID")
	}
	d.add("call-id", callID)
	if branch := m.branch(c, f.viaBranch); branch != "" {
		d.add("via-branch", branch)
	}
	family := "IP4"
	if c.Recv.Src.Addr().Is6() && !c.Recv.Src.Addr().Is4In6() {
		family = "IP6"
	}
	d.add("received-from", []any{family, c.Recv.Src.Addr().Unmap().String()})
	if err := m.tags(c, command, f, &d); err != nil {
		return nil, "", err
	}
	d.add("command", command)
	return d, callID, nil
}

// silent are the commands that carry no tag unless asked.
func silent(command string) bool {
	_, what, _ := strings.Cut(command, " ")
	return what == "media" && !strings.HasPrefix(command, "play") && !strings.HasPrefix(command, "stop") || command == "block DTMF" || command == "unblock DTMF" || strings.HasSuffix(command, "forwarding")
}

// tags names the parties: who offers is from.
func (m *mod) tags(c *run.Context, command string, f *flags, d *dict) error {
	from, to := f.fromTag, f.toTag
	if from == "" {
		from = c.Msg.FromTag()
	}
	if to == "" {
		to = c.Msg.ToTag()
	}
	if silent(command) {
		directional := false
		for _, w := range f.list {
			directional = directional || w == "directional"
		}
		if f.fromTag != "" || directional {
			d.add("from-tag", from)
		}
		return nil
	}
	if from == "" {
		return errors.New("the message has no From tag")
	}
	request := c.Msg.IsRequest()
	if request && command == "answer" || !request && command == "offer" {
		if to == "" {
			return errors.New("the message has no To tag")
		}
		from, to = to, from
	}
	d.add("from-tag", from)
	if to != "" && (command != "delete" || f.withTo) {
		d.add("to-tag", to)
	}
	return nil
}

// branch is the value of via-branch.
func (m *mod) branch(c *run.Context, which string) string {
	request := c.Msg.IsRequest()
	switch which {
	case "auto":
		which = "2"
		if request {
			which = "1"
		}
	case "auto-extra":
		which = "1"
		if request {
			which = "extra"
		}
	}
	switch which {
	case "1":
		if v, err := c.Msg.Via(); err == nil {
			return v.Branch
		}
	case "2":
		if v, err := c.Msg.Via2(); err == nil {
			return v.Branch
		}
	case "extra":
		if m.vars.extraID.Get != nil {
			return m.vars.extraID.Get(c).Text()
		}
	}
	return ""
}

// newQueryV compiles rtpengine_query_v().
func (m *mod) newQueryV(a module.Args) (run.Func, error) {
	format := a[0].Const.Text()
	if format != "j" && format != "jp" {
		return nil, &module.ArgError{I: 0, Err: fmt.Errorf(`want "j" or "jp", not %q`, format)}
	}
	to := a[1].Var
	return func(c *run.Context) int {
		reply, err := m.exchange(c, "query", &flags{}, "", false)
		if err != nil {
			return m.result(c, "query", err)
		}
		text := appendJSON(nil, reply)
		if format == "jp" {
			var out []byte
			if v, err := json.MarshalIndent(json.RawMessage(text), "", "\t"); err == nil {
				out = v
			}
			text = out
		}
		to.Set(c, run.Str(string(text)))
		return 1
	}, nil
}

// appendJSON writes a value of a relay's answer in JSON, keys in its order.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case dict:
		dst = append(dst, '{')
		for i, p := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSON(dst, p.key), ':')
			dst = appendJSON(dst, p.value)
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, e)
		}
		return append(dst, ']')
	}
	b, err := json.Marshal(v)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// stat is $rtpestat: the totals of the call.
func (m *mod) stat(c *run.Context) run.Value {
	reply, err := m.exchange(c, "query", &flags{}, "", false)
	if err != nil {
		return run.Null
	}
	totals, _ := reply.get("totals").(dict)
	var parts []string
	for _, kind := range []string{"RTP", "RTCP"} {
		d, ok := totals.get(kind).(dict)
		if !ok {
			return run.Null
		}
		n := func(key string) int { k, _ := d.get(key).(int); return k }
		parts = append(parts, fmt.Sprintf("%s: %d bytes, %d packets, %d errors", kind, n("bytes"), n("packets"), n("errors")))
	}
	return run.Str(strings.Join(parts, "; "))
}
