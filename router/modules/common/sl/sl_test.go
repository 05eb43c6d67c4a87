package sl

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sipd/router/module/moduletest"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
	"sipd/rpc"
)

type sent struct {
	dest transport.Dest
	msg  *sip.Message
}

// newRig is a daemon with sl whose replies are caught.
func newRig(t testing.TB) (*moduletest.Rig, *sl, *[]sent) {
	t.Helper()
	s := New().(*sl)
	r := moduletest.New(t, s)
	r.Start()
	out := new([]sent)
	s.send = func(d transport.Dest, b []byte) error {
		m, err := sip.Parse(string(b))
		if err != nil {
			t.Errorf("the reply does not parse: %v\n%s", err, b)
		}
		*out = append(*out, sent{d, m})
		return nil
	}
	return r, s, out
}

func last(t testing.TB, out *[]sent) sent {
	t.Helper()
	if len(*out) == 0 {
		t.Fatal("no reply was sent")
	}
	return (*out)[len(*out)-1]
}

func TestReply(t *testing.T) {
	r, _, out := newRig(t)
	r.Message(moduletest.Invite)
	r.Ctx.ReplyExtra = "X-A: 1\r\n"
	if rc := r.Call("sl_send_reply", 404, "Nobody $rU"); rc != 1 {
		t.Fatalf("code %d", rc)
	}
	got := last(t, out)
	m := got.msg
	if m.StatusCode() != 404 || m.Reason() != "Nobody bob" || m.FindName("X-A") == nil || m.FindName("Server") == nil {
		t.Errorf("reply %q", m.Raw())
	}
	if got.dest.Addr.String() != "192.0.2.1:5060" || got.dest.Proto != transport.UDP || got.dest.Sock == nil {
		t.Errorf("sent to %+v", got.dest)
	}
}

func TestDestination(t *testing.T) {
	for _, tt := range []struct{ via, want string }{
		{"SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1", "192.0.2.1:5070"},
		{"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", "192.0.2.1:5060"},
		{"SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1", "192.0.2.1:5060"},
	} {
		r, _, out := newRig(t)
		r.Message(strings.Replace(moduletest.Invite, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds", tt.via, 1))
		r.Call("sl_reply", "486", "Busy")
		if got := last(t, out).dest.Addr.String(); got != tt.want {
			t.Errorf("Via %s: reply goes to %s, want %s", tt.via, got, tt.want)
		}
	}
}

// TestTagAndACK: a repetition gets the same tag, its ACK is swallowed, others pass.
func TestTagAndACK(t *testing.T) {
	r, s, out := newRig(t)
	tags := map[string]bool{}
	for range 2 {
		r.Message(moduletest.Invite)
		r.Call("sl_send_reply", 404, "Not Found")
		tags[last(t, out).msg.ToTag()] = true
	}
	if len(tags) != 1 || tags[""] {
		t.Fatalf("tags %v", tags)
	}
	tag := last(t, out).msg.ToTag()
	ack := func(tag, branch string) bool {
		text := strings.NewReplacer("INVITE", "ACK", "To: Bob <sip:bob@example.com>", "To: Bob <sip:bob@example.com>;tag="+tag, "z9hG4bK776asdhds", branch).Replace(moduletest.Invite)
		return s.filterACK(r.Message(text))
	}
	if ack(tag, "z9hG4bK776asdhds") {
		t.Error("the ACK to our reply passes")
	}
	if !ack(tag, "z9hG4bKother") || !ack(tag+"0", "z9hG4bK776asdhds") || !ack("x", "z9hG4bK776asdhds") {
		t.Error("an ACK to another reply is swallowed")
	}
	if n := s.count.acks.Value(); n != 1 {
		t.Errorf("%d ACKs counted, want 1", n)
	}
	r.Message(strings.Replace(moduletest.Invite, "z9hG4bK776asdhds", "z9hG4bKother", 1))
	r.Call("sl_send_reply", 404, "Not Found")
	if other := last(t, out).msg.ToTag(); other == tag {
		t.Error("another transaction has the same tag")
	}
}

func TestNoReplyToACK(t *testing.T) {
	r, _, out := newRig(t)
	r.Message(strings.ReplaceAll(moduletest.Invite, "INVITE", "ACK"))
	if rc := r.Call("sl_send_reply", 404, "x"); rc != -1 || len(*out) != 0 {
		t.Errorf("code %d, %d replies", rc, len(*out))
	}
}

func TestProvisionalHasNoTag(t *testing.T) {
	r, _, out := newRig(t)
	r.Message(moduletest.Invite)
	r.Call("sl_send_reply", 100, "Trying")
	if tag := last(t, out).msg.ToTag(); tag != "" {
		t.Errorf("100 has the tag %q", tag)
	}
}

func TestRedirect(t *testing.T) {
	r, _, out := newRig(t)
	r.Message(moduletest.Invite)
	r.Ctx.SetRURI("sip:one@h")
	r.Ctx.AppendBranch("sip:two@h", 500)
	r.Call("sl_send_reply", 302, "Moved")
	h := last(t, out).msg.First(sip.HdrContact)
	if h == nil || last(t, out).msg.Value(h) != "<sip:one@h>, <sip:two@h>;q=0.5" {
		t.Errorf("reply %q", last(t, out).msg.Raw())
	}
}

func TestSendReply(t *testing.T) {
	r, s, out := newRig(t)
	var stateful []int
	known := true
	r.Host.Hooks.Stateful = func(_ *run.Context, code int, _ string) (bool, error) {
		if known {
			stateful = append(stateful, code)
		}
		return known, nil
	}
	r.Message(moduletest.Invite)
	if rc := r.Call("send_reply", 486, "Busy"); rc != 1 || fmt.Sprint(stateful) != "[486]" || len(*out) != 0 {
		t.Errorf("with a transaction: code %d, stateful %v, %d without state", rc, stateful, len(*out))
	}
	known = false
	if rc := r.Call("send_reply", 487, "x"); rc != 1 || len(*out) != 1 {
		t.Errorf("without a transaction: code %d, %d without state", rc, len(*out))
	}
	known, s.bindTM = true, false
	if rc := r.Call("send_reply", 488, "x"); rc != 1 || len(*out) != 2 {
		t.Errorf("bind_tm=0: code %d, %d without state", rc, len(*out))
	}
}

func TestReplyError(t *testing.T) {
	for _, tt := range []struct {
		err  int
		text string
		want string
	}{
		{0, "", "500 I'm terribly sorry, server error occurred (1/SL)"},
		{478, "", "478 Unresolvable destination (478/SL)"},
		{477, "", "477 Unfortunately error on sending to next hop occurred (477/SL)"},
		{400, "Bad URI", "400 Bad URI (400/SL)"},
	} {
		r, s, out := newRig(t)
		r.Message(moduletest.Invite)
		r.Ctx.Err, r.Ctx.ErrText = tt.err, tt.text
		rc := r.Call("sl_reply_error")
		m := last(t, out).msg
		if got := fmt.Sprint(m.StatusCode(), " ", m.Reason()); got != tt.want || rc != 1 {
			t.Errorf("error %d: %q (%d), want %q", tt.err, got, rc, tt.want)
		}
		if s.count.errors.Value() != 1 {
			t.Errorf("error %d: not counted", tt.err)
		}
	}
}

func TestSendFails(t *testing.T) {
	r, s, _ := newRig(t)
	s.send = func(transport.Dest, []byte) error { return errors.New("no route") }
	r.Message(moduletest.Invite)
	if rc := r.Call("sl_send_reply", 404, "x"); rc != -1 || r.Ctx.Err != 477 || s.count.failures.Value() != 1 || s.count.sent.Value() != 0 {
		t.Errorf("code %d, error %d, %d failures, %d sent", rc, r.Ctx.Err, s.count.failures.Value(), s.count.sent.Value())
	}
}

func TestDefaults(t *testing.T) {
	r, _, out := newRig(t)
	r.Message(moduletest.Invite)
	if _, err := r.Compile("sl_send_reply", 99, "x"); err == nil {
		t.Error("code 99 compiles")
	}
	r.SetVar("$var(c)", "junk")
	r.Call("sl_send_reply", "$var(c)", "")
	if m := last(t, out).msg; m.StatusCode() != 500 || m.Reason() != "Internal Server Error" {
		t.Errorf("got %d %q", m.StatusCode(), m.Reason())
	}
}

func TestStats(t *testing.T) {
	r, _, _ := newRig(t)
	for _, code := range []int{200, 200, 404, 410, 603, 180} {
		r.Message(moduletest.Invite)
		r.Call("sl_send_reply", code, "x")
	}
	got, err := r.RPCCall("sl.stats")
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	text := ""
	for _, m := range got[0].(rpc.Struct) {
		text += fmt.Sprintf("%s:%d ", m.Name, m.Value)
	}
	want := "200:2 202:0 2xx:0 300:0 301:0 302:0 3xx:0 400:0 401:0 403:0 404:1 407:0 408:0 483:0 4xx:1 500:0 5xx:0 6xx:1 xxx:0 "
	if text != want {
		t.Errorf("sl.stats\n got %s\nwant %s", text, want)
	}
	for name, n := range map[string]int64{"200_replies": 2, "1xx_replies": 1, "sent_replies": 6} {
		if e, ok := r.Stat.Lookup("sl", name); !ok || e.Source.Value() != n {
			t.Errorf("statistic %s is not %d", name, n)
		}
	}
}

func BenchmarkReply(b *testing.B) {
	r, s, _ := newRig(b)
	s.send = func(transport.Dest, []byte) error { return nil }
	c := r.Message(moduletest.Invite)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.reply(c, 200, "OK"); err != nil {
			b.Fatal(err)
		}
	}
}
