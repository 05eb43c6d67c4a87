package tmx_test

import (
	"strings"
	"testing"

	"sipd/router/livetest"
)

// TestDropAndReuse: a request that is dropped is not answered, repeated or not;
// a branch that failed is tried again by t_reuse_branch().
func TestDropAndReuse(t *testing.T) {
	livetest.Each(t, `
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
request_route {
	if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
	if (is_method("ACK")) { t_relay(); exit; }
	if ($rU == "drop") {
		t_newtran();
		xlog("L_ERR", "dropping $ci\n");
		t_drop("503");
		exit;
	}
	$ru = "sip:bob@" + $hdr(X-Callee);
	t_on_branch_failure("again");
	t_relay();
}
event_route[tm:branch-failure:again] {
	xlog("L_ERR", "failed $ru $T_branch(uri)\n");
	if (t_check_status("486") && t_reuse_branch()) {
		append_hf("X-Again: yes\r\n");
		t_relay();
	}
}
`, func(t *testing.T, d *livetest.Daemon) {
		caller, callee := d.Peer(t), d.Peer(t)
		request := func(method, user string) string {
			return method + " sip:" + user + "@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK" + user + method + "\nFrom: <sip:a@x>;tag=f\nTo: <sip:b@x>\nCall-ID: " +
				user + "\nCSeq: 1 " + method + "\nMax-Forwards: 70\nX-Callee: " + callee.Addr() + "\n"
		}
		caller.Send(request("INVITE", "drop"))
		d.WantLog(t, "dropping drop")
		caller.Send(request("INVITE", "drop"))
		caller.Nothing(request("OPTIONS", "drop"), "SIP/2.0 200 ")
		if n := strings.Count(d.Log(), "dropping drop"); n != 1 {
			t.Errorf("the script saw the dropped INVITE %d times", n)
		}

		caller.Send(request("INVITE", "bob"))
		first := callee.Want("INVITE sip:bob@" + callee.Addr())
		callee.Reply(first, 486, "Busy")
		callee.Want("ACK ")
		again := callee.Want("INVITE sip:bob@" + callee.Addr())
		if livetest.Value(again, "X-Again") != "yes" || livetest.Value(again, "Via") == livetest.Value(first, "Via") {
			t.Errorf("tried again with %s", again)
		}
		callee.Reply(again, 200, "OK")
		caller.Want("SIP/2.0 200 ")
	})
}
