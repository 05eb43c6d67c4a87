package tm

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sipd/router/forward"
	"sipd/router/module/moduletest"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
	"sipd/router/transport"
	"sipd/rpc"
)

// wire keeps what is sent.
type wire struct {
	t   testing.TB
	out []*sip.Message
}

func (w *wire) Resolve(c *run.Context, b *run.Branch) (transport.Dest, []transport.Dest, error) {
	d, err := w.resolve(c, b)
	return d, nil, err
}

func (w *wire) AppendVia(dst []byte, c *run.Context, d transport.Dest, branch string) []byte {
	return forward.AppendVia(dst, c, d, branch)
}

func (w *wire) resolve(c *run.Context, b *run.Branch) (transport.Dest, error) {
	next := forward.Next(c, b)
	if strings.Contains(next, "nowhere") {
		return transport.Dest{}, &forward.Error{Code: 478, Reason: "Unresolvable destination"}
	}
	sock := c.Recv.Sock
	if sock == nil { // a request of our own
		sock = transport.NewSocket(transport.UDP, netip.MustParseAddrPort("127.0.0.1:5060"))
	}
	return transport.Dest{Proto: transport.UDP, Addr: netip.MustParseAddrPort("10.0.0.1:5060"), Sock: sock}, nil
}

func (w *wire) AppendRequest(dst []byte, c *run.Context, b *run.Branch, d transport.Dest, branch string, extra ...*sip.Edits) []byte {
	return forward.AppendRequest(dst, c, b, d, branch, extra...)
}

func (w *wire) Oversize(d transport.Dest, _ int) (transport.Dest, bool) { return d, false }

func (w *wire) Forward(*run.Context) int { return 1 }

func (w *wire) Send(_ transport.Dest, b []byte) error {
	m, err := sip.Parse(string(b))
	if err != nil {
		w.t.Errorf("sent what does not parse: %v\n%s", err, b)
		return err
	}
	w.out = append(w.out, m)
	return nil
}

func (w *wire) words() string {
	var s []string
	for _, m := range w.out {
		if m.IsRequest() {
			s = append(s, m.MethodName()+" "+m.RequestURI())
		} else {
			s = append(s, fmt.Sprint(m.StatusCode(), " ", m.Reason()))
		}
	}
	w.out = nil
	return strings.Join(s, ", ")
}

func newRig(t testing.TB) (*moduletest.Rig, *mod, *wire) {
	t.Helper()
	m := New().(*mod)
	w := &wire{t: t}
	m.network = w
	return moduletest.New(t, m), m, w
}

// end is what the router does behind the script.
func end(r *moduletest.Rig) {
	for _, h := range r.Host.Hooks.PostScript {
		h(r.Ctx)
	}
}

func TestRelay(t *testing.T) {
	r, m, w := newRig(t)
	r.Message(moduletest.Invite)
	if rc := r.Call("t_relay"); rc != 1 {
		t.Fatalf("t_relay: %d", rc)
	}
	end(r)
	if s := w.words(); s != "100 trying -- your call is important to us, INVITE sip:bob@example.com" {
		t.Errorf("sent %q", s)
	}
	if m.table.Len() != 1 {
		t.Errorf("%d transactions", m.table.Len())
	}
	r.Message(moduletest.Invite)
	if rc := r.Call("t_check_trans"); rc != 0 {
		t.Errorf("t_check_trans of a repetition: %d", rc)
	}
}

func TestFunctions(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []any
		want int
		sent string
	}{
		{"t_reply", []any{404, "Nobody $rU"}, -1, ""},
		{"t_newtran", nil, 1, ""},
		{"t_send_reply", []any{404, "Nobody $rU"}, 1, "404 Nobody bob"},
		{"t_get_status_code", nil, -1, ""},
		{"t_clean", nil, 1, ""},
		{"t_replicate", nil, 1, "INVITE sip:bob@example.com"},
		{"t_replicate", []any{"sip:10.0.0.7"}, 1, "INVITE sip:bob@example.com"},
		{"t_replicate_tcp", []any{"10.0.0.7", 5070}, 1, "INVITE sip:bob@example.com"},
		{"t_replicate", []any{"nowhere.invalid", 5070}, -1, ""},
		{"t_forward_nonack_udp", []any{"10.0.0.9", 5070}, 1, "100 trying -- your call is important to us, INVITE sip:bob@example.com"},
		{"t_uac_send", []any{"OPTIONS", "sip:$rU@10.0.0.1", ".", ".", "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n", ""}, 1, "OPTIONS sip:bob@10.0.0.1"},
		{"t_uac_send", []any{"OPTIONS", "sip:$rU@10.0.0.1", ".", ".", "From: <sip:a@b>\r\n", ""}, -1, ""},
		{"t_set_disable_internal_reply", []any{1}, 1, ""},
		{"t_set_no_e2e_cancel_reason", []any{1}, 1, ""},
		{"t_disable_e2e_cancel_reason", []any{1}, 1, ""},
		{"t_set_disable_failover", []any{1}, 1, ""},
		{"t_check_trans", nil, -1, ""},
		{"t_lookup_request", nil, -1, ""},
		{"t_lookup_cancel", nil, -1, ""},
		{"t_relay_cancel", nil, -1, ""},
		{"t_is_canceled", nil, -1, ""},
		{"t_is_expired", nil, -1, ""},
		{"t_set_fr", []any{1000, 500}, 1, ""},
		{"t_set_retr", []any{100, 200}, 1, ""},
		{"t_set_max_lifetime", []any{1000}, 1, ""},
		{"t_reset_fr", nil, 1, ""},
		{"t_set_auto_inv_100", []any{0}, 1, ""},
		{"t_relay_to_udp", []any{"10.0.0.9", 5070}, 1, "100 trying -- your call is important to us, INVITE sip:bob@example.com"},
		{"t_relay", []any{"nowhere.invalid", 5070}, -478, "100 trying -- your call is important to us, 478 Unresolvable destination (478/TM)"},
		{"t_relay_to", []any{"udp:10.0.0.9:5070", 1}, 1, "INVITE sip:bob@example.com"},
		{"t_relay_to", []any{"0x1"}, 1, "INVITE sip:bob@example.com"},
		{"t_relay_to", []any{"nowhere.invalid", 3}, -478, ""},
		{"t_relay_to_avp", []any{"udp", "10.0.0.9:5070"}, 1, "100 trying -- your call is important to us, INVITE sip:bob@example.com"},
		{"t_relay_to_avp", []any{"sctp", "10.0.0.9:5070"}, -1, ""},
		{"t_forward_nonack_to", []any{"UDP", "10.0.0.9"}, 1, "100 trying -- your call is important to us, INVITE sip:bob@example.com"},
		{"t_replicate_to", []any{"udp", "10.0.0.9:5070"}, 1, "INVITE sip:bob@example.com"},
		{"t_forward_nonack_uri", nil, 1, "100 trying -- your call is important to us, INVITE sip:bob@example.com"},
		{"t_use_uac_headers", nil, 1, ""},
		{"t_is_set", []any{"failure_route"}, -1, ""},
		{"t_grep_status", []any{486}, -1, ""},
		{"t_next_contacts", nil, -2, ""},
	} {
		r, _, w := newRig(t)
		r.Message(moduletest.Invite)
		if rc := r.Call(tt.name, tt.args...); rc != tt.want {
			t.Errorf("%s%v: %d, want %d", tt.name, tt.args, rc, tt.want)
		}
		end(r)
		if s := w.words(); s != tt.sent {
			t.Errorf("%s%v sent %q, want %q", tt.name, tt.args, s, tt.sent)
		}
	}
}

// TestSerial forks by q: the highest first, equal ones together.
func TestSerial(t *testing.T) {
	r, _, w := newRig(t)
	c := r.Message(moduletest.Invite)
	c.SetRURI("sip:a@h")
	c.Main.Q = 500
	c.AddBranch(run.Branch{URI: "sip:b@h", Q: 1000})
	c.AddBranch(run.Branch{URI: "sip:c@h", Q: 500})
	if rc := r.Call("t_load_contacts"); rc != 1 {
		t.Fatalf("t_load_contacts: %d", rc)
	}
	for _, want := range []string{"sip:b@h", "sip:a@h sip:c@h"} {
		if rc := r.Call("t_next_contacts"); rc != 1 {
			t.Fatalf("t_next_contacts: %d", rc)
		}
		got := c.RURI()
		for _, b := range c.Branches {
			got += " " + b.URI
		}
		if got != want {
			t.Errorf("contacts %q, want %q", got, want)
		}
		r.Call("t_relay")
	}
	if rc := r.Call("t_next_contacts"); rc != -2 {
		t.Errorf("behind the last: %d", rc)
	}
	end(r)
	if s := w.words(); s != "100 trying -- your call is important to us, INVITE sip:b@h, INVITE sip:a@h, INVITE sip:c@h" {
		t.Errorf("sent %q", s)
	}
}

func TestRefused(t *testing.T) {
	for name, val := range map[string]string{"fr_timer_avp": "i:1", "fr_inv_timer_avp": "i:1", "on_sl_reply": "R"} {
		r, _, _ := newRig(t)
		r.Param("tm", name, val)
		if err := r.TryStart(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	r, _, _ := newRig(t)
	if _, err := r.Compile("t_reply", 99, "x"); err == nil {
		t.Error("t_reply(99) compiles")
	}
	if _, err := r.Compile("t_is_set", "route"); err == nil {
		t.Error(`t_is_set("route") compiles`)
	}
}

func TestStateful(t *testing.T) {
	r, _, w := newRig(t)
	r.Message(moduletest.Invite)
	if done, _ := r.Host.Hooks.Stateful(r.Ctx, 404, "x"); done {
		t.Error("answered without a transaction")
	}
	r.Call("t_newtran")
	if done, err := r.Host.Hooks.Stateful(r.Ctx, 404, "x"); !done || err != nil {
		t.Errorf("with one: %v, %v", done, err)
	}
	if _, err := r.Host.Hooks.Stateful(r.Ctx, 404, "x"); !errors.Is(err, tm.ErrReplied) {
		t.Errorf("a second final reply: %v", err)
	}
	end(r)
	if s := w.words(); s != "404 x" {
		t.Errorf("sent %q", s)
	}
}

func TestRPC(t *testing.T) {
	r, _, w := newRig(t)
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		code   int
		text   string
	}{
		{"tm.cancel", []rpc.Value{rpc.String("nosuch"), rpc.String("1 INVITE")}, 400, "Transaction not found"},
		{"tm.cancel", nil, 400, "Callid and CSeq expected as parameters"},
		{"tm.reply", []rpc.Value{rpc.Int(200), rpc.String("OK"), rpc.String("1:2"), rpc.String("tag"), rpc.String(""), rpc.String("")}, 481, "No such transaction"},
		{"tm.reply_callid", []rpc.Value{rpc.Int(200), rpc.String("OK"), rpc.String("nosuch"), rpc.String("1 INVITE"), rpc.String("tag"), rpc.String(""), rpc.String("")}, 404, "Transaction not found"},
		{"tm.hash_stats", nil, 500, "Hash statistics not supported (tryrecompiling with -DTM_HASH_STATS)"},
	} {
		_, err := r.RPCCall(tt.method, tt.args...)
		f, ok := errors.AsType[*rpc.Fault](err)
		if !ok || f.Code != tt.code || f.Error() != tt.text && f.Text != tt.text {
			t.Errorf("%s%v: %v, want %d %s", tt.method, tt.args, err, tt.code, tt.text)
		}
	}
	r.Message(moduletest.Invite)
	r.Call("t_relay")
	end(r)
	w.words()
	got, err := r.RPCCall("tm.stats")
	if err != nil || fmt.Sprint(got[0].(rpc.Struct)[0]) != "{current 1}" {
		t.Errorf("tm.stats: %v, %v", got, err)
	}
	if got, err = r.RPCCall("tm.list"); err != nil || len(got) != 1 {
		t.Errorf("tm.list: %v, %v", got, err)
	}
	if _, err = r.RPCCall("tm.reply_callid", rpc.Int(480), rpc.String("Later"), rpc.String("a84b4c76e66710@192.0.2.1"), rpc.String("314159 INVITE"), rpc.String("t"), rpc.String("X-A: 1"), rpc.String("")); err != nil {
		t.Error(err)
	}
	if s := w.words(); s != "480 Later" {
		t.Errorf("tm.reply_callid sent %q", s)
	}
}

func TestSelects(t *testing.T) {
	r, _, _ := newRig(t)
	r.Message(moduletest.Invite)
	r.Call("t_relay")
	for name, want := range map[string]string{
		"@tm.method": "INVITE", "@tm.uas.status": "100", "@tm.uac.count": "1",
		"@tm.uac[0].uri": "sip:bob@example.com", "@tm.uac[-1].status": "0", "@tm.uac[7].uri": "",
	} {
		if got := r.Var(name).Text(); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	end(r)
}

// What is refused says what to use instead.
func TestRefusals(t *testing.T) {
	for _, f := range refusals() {
		if _, err := f.New(nil); err == nil || !strings.Contains(err.Error(), f.Name+" is not known here; ") {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	for _, o := range []ignored{{event: "x"}, {eventReply: "x"}, {append: "x"}, {rich: 1}, {onSL: "x"}, {frAVP: "x"}} {
		if o.check() == nil {
			t.Errorf("%+v is not refused", o)
		}
	}
}
