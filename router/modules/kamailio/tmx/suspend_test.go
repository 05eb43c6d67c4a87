package tmx_test

import (
	"fmt"
	"strings"
	"testing"

	"sipd/router/livetest"
)

// suspendConfig suspends every INVITE, and replies that say so; an OPTIONS
// continues the last one in the route that its user names.
const suspendConfig = `
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
modparam("tm", "fr_timer", FRms)

request_route {
	if (is_method("OPTIONS")) {
		$var(rc) = t_continue("$shv(index)", "$shv(label)", "$rU");
		sl_send_reply("200", "rc $var(rc)");
		exit;
	}
	if (is_method("CANCEL")) {
		t_relay_cancel();
		exit;
	}
	if (!is_method("INVITE")) exit;
	append_hf("X-Before: yes\r\n");
	$avp(kept) = "kept";
	$du = $hdr(X-Callee);
	setflag(3);
	t_on_failure("F");
	t_on_reply("R");
	$var(rc) = t_suspend();
	$shv(index) = $T(id_index);
	$shv(label) = $T(id_label);
	xlog("L_ERR", "suspended $ci: $var(rc)\n");
}

route[RELAY] {
	append_hf("X-After: $avp(kept)\r\n");
	if (isflagset(3)) append_hf("X-Flag: set\r\n");
	if (t_is_failure_route()) append_hf("X-Kind: failure\r\n");
	t_on_failure("F");
	t_relay();
}
route[BUSY] { t_reply("486", "Not now"); }
route[NOTHING] { xlog("L_ERR", "nothing\n"); }
route[TWICE] {
	xlog("L_ERR", "twice: $T(id_index)\n");
}
route[HEADER] { append_hf("X-Resumed: $rs\r\n"); }

failure_route[F] {
	xlog("L_ERR", "failed $ci: $T_reply_code\n");
	if ($T_reply_code == 486) t_reply("480", "Gone");
}
onreply_route[R] {
	if (t_is_retr_async_reply()) {
		xlog("L_ERR", "again $ci $rs\n");
		drop;
	}
	if ($(hdr(X-Suspend)) == "yes") {
		$var(rc) = t_suspend();
		$shv(index) = $T(id_index);
		$shv(label) = $T(id_label);
		xlog("L_ERR", "reply suspended $ci: $var(rc)\n");
	}
}
`

type suspendTest struct {
	*testing.T
	d              *livetest.Daemon
	caller, callee *livetest.Peer
	n              int
}

func eachSuspend(t *testing.T, fr string, f func(s *suspendTest)) {
	livetest.Each(t, strings.ReplaceAll(suspendConfig, "FRms", fr), func(t *testing.T, d *livetest.Daemon) {
		f(&suspendTest{T: t, d: d, caller: d.Peer(t), callee: d.Peer(t)})
	})
}

// request is one in a call of the test.
func (s *suspendTest) request(method, user string) string {
	return fmt.Sprintf("%s sip:%s@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bKs%d\nFrom: <sip:a@x>;tag=f%d\nTo: <sip:b@x>\nCall-ID: call-%d\nCSeq: 1 %s\nMax-Forwards: 70\nX-Callee: sip:%s\n",
		method, user, s.n, s.n, s.n, method, s.callee.Addr())
}

// invite sends an INVITE and waits until it is suspended.
func (s *suspendTest) invite() {
	s.Helper()
	s.n++
	s.caller.Send(s.request("INVITE", "bob"))
	s.d.WantLog(s.T, fmt.Sprintf("suspended call-%d: 1", s.n))
	if got := s.caller.Recv(); !strings.HasPrefix(got, "SIP/2.0 100 ") {
		s.Fatalf("the INVITE is answered %s", got)
	}
}

// resume continues in a route and answers what t_continue() came to.
func (s *suspendTest) resume(route string) string {
	s.Helper()
	p := s.d.Peer(s)
	p.Send(strings.ReplaceAll(s.request("OPTIONS", route), "Call-ID: ", "Call-ID: "+route+"-"))
	rc, _, _ := strings.Cut(strings.TrimPrefix(p.Want("SIP/2.0 200 "), "SIP/2.0 200 "), "\r\n")
	return rc
}

func (s *suspendTest) wantResume(route, rc string) {
	s.Helper()
	if got := s.resume(route); got != rc {
		s.Errorf("t_continue to %s: %q, want %q", route, got, rc)
	}
}

// finish acknowledges a failure.
func (s *suspendTest) finish(final string) {
	s.caller.Send(strings.Replace(strings.Replace(s.request("ACK", "bob"), "To: <sip:b@x>", "To: "+livetest.Value(final, "To"), 1), "Max", "X-A: b\nMax", 1))
}

// TestSuspend holds t_suspend() and t_continue() of requests against a real
// Kamailio.
func TestSuspend(t *testing.T) {
	eachSuspend(t, "20000", func(s *suspendTest) {
		s.invite()
		s.wantResume("RELAY", "rc 1")
		got := s.callee.Want("INVITE sip:bob@")
		for name, want := range map[string]string{"X-Before": "yes", "X-After": "kept", "X-Flag": "set", "X-Kind": "failure"} {
			if v := livetest.Value(got, name); v != want {
				s.Errorf("%s of the INVITE that goes on is %q, want %q", name, v, want)
			}
		}
		if b := livetest.Value(got, "Via"); !strings.Contains(b, ".1") {
			s.Errorf("the leg is not the second one: Via %s", b)
		}
		s.wantResume("RELAY", "rc -1") // it is not suspended any more
		s.callee.Reply(got, 180, "Ringing")
		s.caller.Want("SIP/2.0 180 ")
		s.callee.Reply(got, 486, "Busy Here")
		s.callee.Want("ACK ")
		s.d.WantLog(s.T, fmt.Sprintf("failed call-%d: 486", s.n))
		s.finish(s.caller.Want("SIP/2.0 480 Gone"))

		s.invite()
		s.wantResume("BUSY", "rc 1")
		s.finish(s.caller.Want("SIP/2.0 486 Not now"))

		s.invite()
		s.wantResume("NOTHING", "rc 1")
		s.finish(s.caller.Want("SIP/2.0 500 "))

		s.invite()
		s.wantResume("MISSING", "rc -1")
		s.caller.Send(s.request("CANCEL", "bob"))
		for range 2 { // the 487 and the 200 to the CANCEL, in either order
			if got := s.caller.Want("SIP/2.0 "); strings.HasPrefix(got, "SIP/2.0 487 Request canceled") {
				s.finish(got)
			} else if !strings.HasPrefix(got, "SIP/2.0 200 ") {
				s.Errorf("the CANCEL is followed by %s", got)
			}
		}
		s.wantResume("RELAY", "rc -1") // it has its final reply
		s.n++
		s.callee.Nothing(s.request("OPTIONS", "RELAY"), "SIP/2.0 200 ")
	})
}

// TestSuspendTimeout: nobody continues.
func TestSuspendTimeout(t *testing.T) {
	eachSuspend(t, "700", func(s *suspendTest) {
		s.invite()
		s.d.WantLog(s.T, fmt.Sprintf("failed call-%d: 408", s.n))
		s.finish(s.caller.Want("SIP/2.0 408 "))
		s.wantResume("RELAY", "rc -1")
	})
}

// TestSuspendReply holds those of replies.
func TestSuspendReply(t *testing.T) {
	eachSuspend(t, "20000", func(s *suspendTest) {
		for _, code := range []int{183, 200} {
			s.invite()
			s.wantResume("RELAY", "rc 1")
			got := s.callee.Want("INVITE sip:bob@")
			s.callee.Reply(got, code, "Wait", "X-Suspend: yes")
			s.d.WantLog(s.T, fmt.Sprintf("reply suspended call-%d: 1", s.n))
			s.callee.Reply(got, code, "Wait", "X-Suspend: yes")
			s.d.WantLog(s.T, fmt.Sprintf("again call-%d %d", s.n, code))
			s.wantResume("HEADER", "rc 1")
			reply := s.caller.Want(fmt.Sprintf("SIP/2.0 %d Wait", code))
			if v := livetest.Value(reply, "X-Resumed"); v != fmt.Sprint(code) {
				s.Errorf("the %d has X-Resumed %q", code, v)
			}
			if code < 200 {
				s.callee.Reply(got, 404, "Gone")
				s.callee.Want("ACK ")
				s.finish(s.caller.Want("SIP/2.0 404 "))
			}
		}
	})
}
