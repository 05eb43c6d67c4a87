package tm

import (
	"strings"
	"testing"
	"time"

	"sipd/router/run"
)

func TestCall(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.relay)
	out := r.want("100 INVITE>10.0.0.1")
	leg := out[1]
	if n := len(leg.raw); !strings.Contains(leg.raw, "received") && n == 0 {
		t.Error("no request")
	}
	if !r.reply(leg, 180) {
		t.Error("the 180 has no transaction")
	}
	up := r.want("180")[0]
	if strings.Count(up.raw, "Via:") != 1 || up.d.Addr.String() != "192.0.2.1:5060" {
		t.Errorf("180 upstream to %v:\n%s", up.d.Addr, up.raw)
	}
	r.reply(leg, 200)
	r.want("200")
	r.reply(leg, 200) // repetition: passed on
	r.want("200")
	if r.request(invite, r.relay) {
		t.Error("a repeated INVITE runs the script")
	}
	r.want("200")
	r.advance(6 * time.Second)
	r.want("")
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

func TestRetransmit(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.relay)
	leg := r.want("100 INVITE>10.0.0.1")[1]
	r.advance(400 * time.Millisecond)
	r.want("")
	r.advance(200 * time.Millisecond)
	r.want("INVITE>10.0.0.1")
	r.advance(time.Second)
	r.want("INVITE>10.0.0.1")
	r.reply(leg, 100)
	r.advance(5 * time.Second)
	r.want("")
}

func TestTimeout(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.relay)
	r.advance(31 * time.Second)
	out := r.take()
	last := out[len(out)-1]
	if last.m.StatusCode() != 408 {
		t.Errorf("last sent %q", last.raw)
	}
}

func TestRingTimeout(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.relay)
	leg := r.want("100 INVITE>10.0.0.1")[1]
	r.reply(leg, 180)
	r.want("180")
	r.advance(121 * time.Second)
	var words []string
	for _, p := range r.take() {
		if p.m.IsRequest() {
			words = append(words, p.m.MethodName())
		} else if p.m.StatusCode() == 408 {
			words = append(words, "408")
		}
	}
	if s := strings.Join(words, " "); !strings.HasPrefix(s, "CANCEL 408") {
		t.Errorf("sent %q", s)
	}
}

func ackOf(invite, tag string) string {
	return strings.NewReplacer("INVITE sip", "ACK sip", "CSeq: 1 INVITE", "CSeq: 1 ACK",
		"To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag="+tag).Replace(invite)
}

func TestFailure(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.relay)
	leg := r.want("100 INVITE>10.0.0.1")[1]
	r.reply(leg, 486)
	out := r.want("ACK>10.0.0.1 486")
	if out[0].m.ToTag() != "callee" {
		t.Errorf("ACK %q", out[0].raw)
	}
	r.reply(leg, 486) // repeated: acknowledged again, not passed on
	r.want("ACK>10.0.0.1")
	r.advance(600 * time.Millisecond)
	r.want("486")
	if r.request(ackOf(invite, "callee"), r.relay) {
		t.Error("the ACK to a failure runs the script")
	}
	r.advance(4 * time.Second)
	r.want("")
	r.advance(3 * time.Second)
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

func TestFork(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.fork("10.0.0.2", "10.0.0.3"))
	out := r.want("100 INVITE>10.0.0.1 INVITE>10.0.0.2 INVITE>10.0.0.3")
	r.reply(out[1], 180)
	r.reply(out[2], 180)
	r.want("180 180")
	r.reply(out[2], 200)
	r.want("200 CANCEL>10.0.0.1")
	r.reply(out[3], 180) // rings late: cancelled now
	r.want("CANCEL>10.0.0.3")
	r.reply(out[1], 487)
	r.reply(out[3], 487)
	r.want("ACK>10.0.0.1 ACK>10.0.0.3")
}

func TestBest(t *testing.T) {
	for _, tt := range []struct {
		codes []int
		want  int
	}{
		{[]int{404, 486, 480}, 404},
		{[]int{503, 486}, 486},
		{[]int{302, 404}, 302},
		{[]int{486, 600}, 600},
		{[]int{404, 407}, 407},
		{[]int{503, 503}, 500},
	} {
		r := newRig(t)
		hosts := []string{"10.0.0.2", "10.0.0.3"}[:len(tt.codes)-1]
		r.request(invite, r.fork(hosts...))
		out := r.take()
		for i, code := range tt.codes {
			r.reply(out[i+1], code)
		}
		got := r.take()
		if last := got[len(got)-1]; last.m.StatusCode() != tt.want {
			t.Errorf("%v: %d upstream, want %d", tt.codes, last.m.StatusCode(), tt.want)
		}
	}
}

func TestChallenges(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.fork("10.0.0.2"))
	out := r.take()
	r.reply(out[1], 401, "WWW-Authenticate: Digest realm=\"a\"\r\n")
	r.reply(out[2], 407, "Proxy-Authenticate: Digest realm=\"b\"\r\n")
	got := r.take()
	last := got[len(got)-1]
	if !strings.Contains(last.raw, `realm="a"`) || !strings.Contains(last.raw, `realm="b"`) {
		t.Errorf("challenges are missing:\n%s", last.raw)
	}
}

func cancelOf(invite string) string {
	return strings.NewReplacer("INVITE sip", "CANCEL sip", "CSeq: 1 INVITE", "CSeq: 1 CANCEL",
		"Contact: <sip:alice@192.0.2.1>\n", "Reason: SIP;cause=200\n").Replace(invite)
}

func TestCancel(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.relay)
	leg := r.want("100 INVITE>10.0.0.1")[1]
	r.reply(leg, 180)
	r.want("180")
	r.request(cancelOf(invite), r.relay)
	out := r.want("200 CANCEL>10.0.0.1")
	if !strings.Contains(out[1].raw, "Reason: SIP;cause=200") {
		t.Errorf("CANCEL has no Reason:\n%s", out[1].raw)
	}
	if out[0].m.Method().String() != "CANCEL" {
		t.Errorf("200 to %s", out[0].m.MethodName())
	}
	if r.request(cancelOf(invite), r.relay) {
		t.Error("a repeated CANCEL runs the script")
	}
	r.want("200")
	r.reply(out[1], 200)
	r.reply(leg, 487)
	r.want("ACK>10.0.0.1 487")
}

func TestCancelBeforeReply(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.relay)
	leg := r.want("100 INVITE>10.0.0.1")[1]
	r.request(cancelOf(invite), r.relay)
	r.want("200")
	r.reply(leg, 100)
	r.want("CANCEL>10.0.0.1")
	r.reply(leg, 200) // crossed: the call is up
	r.want("200")
}

func TestUnmatchedCancel(t *testing.T) {
	r := newRig(t)
	r.request(cancelOf(invite), r.relay)
	r.want("CANCEL>10.0.0.1")
}

func TestACKToSuccess(t *testing.T) {
	r := newRig(t)
	r.request(invite, r.relay)
	r.reply(r.take()[1], 200)
	r.take()
	ack := strings.Replace(ackOf(invite, "callee"), "z9hG4bKabc", "z9hG4bKother", 1)
	r.request(ack, func(c *run.Context) {
		if f, _ := r.tb.Check(c); f != AckDialog {
			t.Errorf("the ACK is found as %d", f)
		}
		r.relay(c)
	})
	r.want("stateless")
}

func TestFailureRoute(t *testing.T) {
	r := newRig(t)
	ran := 0
	route := blockFunc(func(c *run.Context) int {
		ran++
		if code, _ := Of(c).Winner(); code != 486 {
			t.Errorf("winner is %d", code)
		}
		if v := c.AVPs.Get(run.AVPFromURI, run.AVPName{S: "x"}, 0); v.Text() != "1" {
			t.Errorf("the attribute is %q", v.Text())
		}
		if rc := r.tb.Relay(c, ""); rc > 0 {
			t.Error("a bare t_relay in a failure route has a branch")
		}
		c.SetRURI("sip:voicemail@10.0.0.9")
		if rc := r.tb.Relay(c, ""); rc != 1 {
			t.Errorf("relay answers %d", rc)
		}
		return 1
	})
	r.request(invite, func(c *run.Context) {
		c.AVPs.Add(run.AVPFromURI, run.AVPName{S: "x"}, run.Str("1"), 0)
		r.tb.OnFailure(c, route, "F")
		r.relay(c)
	})
	r.reply(r.take()[1], 486)
	leg := r.want("ACK>10.0.0.1 INVITE>10.0.0.9")[1]
	if ran != 1 || leg.m.RequestURI() != "sip:voicemail@10.0.0.9" {
		t.Errorf("ran %d times, sent\n%s", ran, leg.raw)
	}
	if !strings.HasSuffix(viaBranch(leg), ".1") {
		t.Errorf("branch %s", viaBranch(leg))
	}
	r.reply(leg, 404)
	r.want("ACK>10.0.0.9 404")
}

func viaBranch(p packet) string {
	v, err := p.m.Via()
	if err != nil {
		return ""
	}
	return v.Branch
}

func TestFailureRouteReplies(t *testing.T) {
	r := newRig(t)
	route := blockFunc(func(c *run.Context) int { return Of(c).Reply(c, 480, "Later") })
	r.request(invite, func(c *run.Context) { r.tb.OnFailure(c, route, "F"); r.relay(c) })
	r.reply(r.take()[1], 486)
	r.want("ACK>10.0.0.1 480")
}

func TestTimeoutRunsFailureRoute(t *testing.T) {
	r := newRig(t)
	var replied, timedOut bool
	route := blockFunc(func(c *run.Context) int {
		replied, timedOut = Of(c).Replied(c.Branch), Of(c).TimedOut(c.Branch)
		return 1
	})
	r.request(invite, func(c *run.Context) { r.tb.OnFailure(c, route, "F"); r.tb.SetFr(c, 0, 2000); r.relay(c) })
	r.take()
	r.advance(1900 * time.Millisecond)
	r.want("INVITE>10.0.0.1 INVITE>10.0.0.1")
	r.advance(200 * time.Millisecond)
	r.want("408")
	if replied || !timedOut {
		t.Errorf("replied %v, timed out %v", replied, timedOut)
	}
}

func TestBranchRoute(t *testing.T) {
	r := newRig(t)
	route := blockFunc(func(c *run.Context) int {
		if c.RURI() == "sip:bob@10.0.0.2" {
			c.Dropped = true
			return 0
		}
		c.Msg.Edits.Insert(c.Msg.HeaderEnd(), "X-Branch: "+run.Int(c.Branch).Text()+"\r\n")
		return 1
	})
	r.request(invite, func(c *run.Context) { r.tb.ArmBranch(c, route, "B"); r.fork("10.0.0.2", "10.0.0.3")(c) })
	out := r.want("100 INVITE>10.0.0.1 INVITE>10.0.0.3")
	for i, p := range out[1:] {
		if n := strings.Count(p.raw, "X-Branch:"); n != 1 || !strings.Contains(p.raw, "X-Branch: "+run.Int(i).Text()) {
			t.Errorf("leg %d:\n%s", i, p.raw)
		}
	}
}

func TestReplyRoute(t *testing.T) {
	r := newRig(t)
	route := blockFunc(func(c *run.Context) int {
		if c.Msg.StatusCode() == 183 || c.Msg.StatusCode() == 200 {
			c.Dropped = true
		}
		return 1
	})
	r.request(invite, func(c *run.Context) { r.tb.ArmReply(c, route, "R"); r.relay(c) })
	leg := r.take()[1]
	r.reply(leg, 183)
	r.want("")
	r.reply(leg, 180)
	r.want("180")
	r.reply(leg, 200) // drop counts for provisional replies only
	r.want("200")
}

func TestRelayFails(t *testing.T) {
	r := newRig(t)
	r.request(strings.Replace(invite, "10.0.0.1", "nowhere.invalid", 1), func(c *run.Context) {
		if rc := r.tb.Relay(c, ""); rc >= 0 || c.Err != 478 {
			t.Errorf("code %d, error %d", rc, c.Err)
		}
	})
	r.want("100 478")
	r.advance(40 * time.Second)
	r.take()
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

func TestSendFails(t *testing.T) {
	r := newRig(t)
	r.fail["10.0.0.1"] = true
	r.request(invite, func(c *run.Context) {
		if rc := r.tb.Relay(c, ""); rc >= 0 || c.Err != 477 {
			t.Errorf("code %d, error %d", rc, c.Err)
		}
	})
	r.want("100 477")
}

func TestNewTranReply(t *testing.T) {
	r := newRig(t)
	bye := strings.ReplaceAll(invite, "INVITE", "BYE")
	r.request(bye, func(c *run.Context) {
		if rc := r.tb.NewTran(c); rc != 1 {
			t.Errorf("t_newtran answers %d", rc)
		}
		Of(c).Reply(c, 200, "OK")
	})
	first := r.want("200")[0]
	if r.request(bye, r.relay) {
		t.Error("a repetition runs the script")
	}
	if again := r.want("200")[0]; again.raw != first.raw {
		t.Errorf("repeated reply differs:\n%s\n%s", first.raw, again.raw)
	}
	r.advance(6 * time.Second)
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

// TestOldPeer matches by RFC 2543.
func TestOldPeer(t *testing.T) {
	r := newRig(t)
	old := strings.Replace(invite, ";branch=z9hG4bKabc", "", 1)
	r.request(old, r.relay)
	leg := r.want("100 INVITE>10.0.0.1")[1]
	if r.request(old, r.relay) {
		t.Error("a repetition runs the script")
	}
	r.want("100")
	if !r.request(strings.Replace(old, "call1", "call2", 1), r.relay) {
		t.Error("another call is taken for a repetition")
	}
	r.take()
	r.reply(leg, 404)
	r.want("ACK>10.0.0.1 404")
	if r.request(ackOf(old, "callee"), r.relay) {
		t.Error("the ACK runs the script")
	}
}

// TestReplyDuringScript: a reply that comes while the script still runs is
// done behind it.
func TestReplyDuringScript(t *testing.T) {
	r := newRig(t)
	r.request(invite, func(c *run.Context) {
		r.relay(c)
		leg := r.want("100 INVITE>10.0.0.1")[1]
		r.reply(leg, 180)
		r.reply(leg, 200)
		r.want("")
	})
	r.want("180 200")
}

// A replicated request is relayed and its replies end here; the repetition of it
// is absorbed.
func TestReplicate(t *testing.T) {
	r := newRig(t)
	replicate := func(c *run.Context) { r.tb.Replicate(c, "sip:10.0.0.9") }
	r.request(invite, replicate)
	p := r.want("INVITE>10.0.0.9")[0]
	if r.request(invite, replicate) {
		t.Error("a repetition came to the script")
	}
	r.reply(p, 180)
	r.reply(p, 486)
	r.want("ACK>10.0.0.9")
	r.advance(6 * time.Second)
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

// t_set_disable_internal_reply and t_set_no_e2e_cancel_reason.
func TestSetters(t *testing.T) {
	r := newRig(t)
	r.request(strings.Replace(invite, "10.0.0.1", "nobody.invalid", 1), func(c *run.Context) {
		r.tb.SetFailureReply(c, false)
		r.tb.Relay(c, "")
	})
	r.want("100")
	other := strings.NewReplacer("call1", "call2", "z9hG4bKabc", "z9hG4bKdef").Replace(invite)
	r.request(other, func(c *run.Context) {
		r.tb.SetCancelReason(c, false)
		r.tb.Relay(c, "")
	})
	r.reply(r.want("100 INVITE>10.0.0.1")[1], 180)
	r.take()
	r.request(strings.Replace(cancelOf(other), "Content-Length", "Reason: SIP;cause=200\nContent-Length", 1), r.relay)
	if out := r.want("200 CANCEL>10.0.0.1"); len(out) == 2 && strings.Contains(out[1].raw, "Reason:") {
		t.Errorf("the Reason is passed on:\n%s", out[1].raw)
	}
}

// A timeout stands behind the real failures of other legs, as faked_reply_prio
// says.
func TestFakedReplyPrio(t *testing.T) {
	for prio, want := range map[int]string{2000: "500", 0: "408"} {
		r := newRig(t)
		r.tb.Settings.FakedReplyPrio = prio
		r.request(invite, r.fork("10.0.0.2"))
		p := r.want("100 INVITE>10.0.0.1 INVITE>10.0.0.2")[1]
		r.reply(p, 500)
		r.take()
		r.mute = true
		r.advance(29 * time.Second)
		r.mute = false
		r.advance(time.Second)
		r.want(want)
	}
}
