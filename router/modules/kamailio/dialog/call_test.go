package dialog_test

import (
	"fmt"
	"strings"
	"testing"

	"sipd/router/livetest"
)

const config = `
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "dialog.so"
modparam("dialog", "dlg_flag", 4)
modparam("dialog", "profiles_with_value", "caller ; other")
modparam("dialog", "profiles_no_value", "calls")
modparam("dialog", "timeout_avp", "$avp(limit)")
modparam("dialog", "dlg_extra_hdrs", "X-Ended: yes\r\n")
EXTRA
request_route {
	if (has_totag()) {
		loose_route();
		if (is_method("INFO")) {
			get_profile_size("caller", "$fU", "$var(n)");
			get_profile_size("calls", "$var(all)");
			xlog("L_ERR", "info known=$dlg(callid) state=$dlg(state) var=$dlg_var(x) from=$dlg(from_tag) to=$dlg(to_tag) n=$var(n) all=$var(all) count=$DLG_count status=$DLG_status;\n");
			if (is_in_profile("caller", "$fU")) xlog("L_ERR", "info in caller;\n");
			if (!is_in_profile("caller", "nobody")) xlog("L_ERR", "info not nobody;\n");
			if (dlg_isflagset("3") && !dlg_isflagset("5")) xlog("L_ERR", "info flags;\n");
			unset_dlg_profile("calls");
			get_profile_size("calls", "$var(all)");
			xlog("L_ERR", "info then all=$var(all);\n");
		}
		if (is_method("NOTIFY")) {
			xlog("L_ERR", "notify $dlg(state);\n");
			if (dlg_bye("all")) xlog("L_ERR", "byes sent;\n");
			sl_send_reply("200", "Ended");
			exit;
		}
		t_relay();
		exit;
	}
	if (is_method("CANCEL")) {
		if (t_relay_cancel()) exit;
		exit;
	}
	if (is_method("INVITE")) {
		if ($rU == "flag") {
			setflag(4);
		} else if ($rU == "short") {
			$avp(limit) = 2;
			$dlg_ctx(timeout_bye) = 1;
			$dlg_ctx(timeout_route) = "LATE";
			dlg_manage();
		} else if ($rU == "none") {
			dlg_manage();
			sl_send_reply("404", "None");
			exit;
		} else {
			$dlg_var(x) = "kept";
			dlg_manage();
			dlg_setflag("3");
			set_dlg_profile("caller", "$fU");
			set_dlg_profile("calls");
		}
		record_route();
	}
	t_relay();
}
route[LATE] { xlog("L_ERR", "late $dlg(callid) var=$dlg_var(x);\n"); }
event_route[dialog:start] { xlog("L_ERR", "event start $dlg(callid) state=$dlg(state);\n"); }
event_route[dialog:end] { xlog("L_ERR", "event end $dlg(callid);\n"); }
event_route[dialog:failed] { xlog("L_ERR", "event failed $dlg(callid);\n"); }
`

func with(extra string) string {
	return strings.Replace(strings.Replace(config, "EXTRA", extra, 1), "if (t_relay_cancel()) exit;", "t_relay();", 1)
}

// request is a request of the caller; route is "" or a Route header.
func request(method, uri, id, to, route string, seq int) string {
	branch := method
	if method == "ACK" && route == "" { // of a refusal
		branch = "INVITE"
	}
	return fmt.Sprintf("%s %s SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%s%s%d\n%sMax-Forwards: 70\nFrom: <sip:alice@a.test>;tag=f1\nTo: <sip:bob@b.test>%s\nCall-ID: %s\nCSeq: %d %s\nContact: <sip:alice@ME>\n",
		method, uri, id, branch, seq, route, to, id, seq, method)
}

// call sets up a call; route is the Route of requests in it.
func call(t *testing.T, p, q *livetest.Peer, user, id string) (route string) {
	t.Helper()
	p.Send(request("INVITE", "sip:"+user+"@"+q.Addr(), id, "", "", 1))
	inv := q.Want("INVITE sip:" + user + "@")
	rr := livetest.Value(inv, "Record-Route")
	q.Reply(inv, 180, "Ringing", "Contact: <sip:bob@ME>")
	p.Want("SIP/2.0 180 ")
	q.Reply(inv, 200, "OK", "Contact: <sip:bob@ME>", "Record-Route: "+rr)
	p.Want("SIP/2.0 200 ")
	if rr != "" {
		route = "Route: " + rr + "\n"
	}
	p.Send(request("ACK", "sip:bob@"+q.Addr(), id, ";tag=peer", route, 1))
	q.Want("ACK ")
	return route
}

func TestCall(t *testing.T) {
	livetest.Each(t, with(""), func(t *testing.T, d *livetest.Daemon) {
		p, q := d.Peer(t), d.Peer(t)
		route := call(t, p, q, "bob", "one")
		if !strings.Contains(route, ";did=") {
			t.Fatalf("no did in %q", route)
		}
		d.WantLog(t, "event start one state=3;")
		p.Send(request("INFO", "sip:bob@"+q.Addr(), "one", ";tag=peer", route, 2))
		q.Reply(q.Want("INFO "), 200, "OK")
		p.Want("SIP/2.0 200 ")
		d.WantLog(t, "info known=one state=4 var=kept from=f1 to=peer n=1 all=1 count=1 status=4;")
		d.WantLog(t, "info in caller;")
		d.WantLog(t, "info not nobody;")
		d.WantLog(t, "info flags;")
		d.WantLog(t, "info then all=1;")
		p.Send(request("BYE", "sip:bob@"+q.Addr(), "one", ";tag=peer", route, 3))
		q.Reply(q.Want("BYE "), 200, "OK")
		p.Want("SIP/2.0 200 ")
		d.WantLog(t, "event end one;")

		// A refused call.
		p.Send(request("INVITE", "sip:bob@"+q.Addr(), "two", "", "", 1))
		q.Reply(q.Want("INVITE "), 486, "Busy")
		q.Want("ACK ")
		p.Want("SIP/2.0 486 ")
		d.WantLog(t, "event failed two;")
		p.Send(request("ACK", "sip:bob@"+q.Addr(), "two", ";tag=peer", "", 1))

		// By the flag.
		if route := call(t, p, q, "flag", "three"); !strings.Contains(route, ";did=") {
			t.Errorf("dlg_flag makes no dialog: %q", route)
		}
		d.WantLog(t, "event start three ")
	})
}

// TestByes: a call that lasts too long and one that the script ends are ended
// with a BYE to each side.
func TestByes(t *testing.T) {
	livetest.Each(t, with(""), func(t *testing.T, d *livetest.Daemon) {
		p, q := d.Peer(t), d.Peer(t)
		want := func(b, from, to, cseq string) {
			t.Helper()
			for name, want := range map[string]string{"From": from, "To": to, "CSeq": cseq, "X-Ended": "yes", "Route": "", "Max-Forwards": "70"} {
				if got := livetest.Value(b, name); got != want && (name != "Max-Forwards" || got != "69") {
					t.Errorf("%s of the BYE is %q, want %q\n%s", name, got, want, b)
				}
			}
		}
		alice, bob := "<sip:alice@a.test>;tag=f1", "<sip:bob@b.test>;tag=peer"
		ended := func(id string) {
			t.Helper()
			a := p.Want("BYE sip:alice@" + p.Addr() + " SIP/2.0")
			b := q.Want("BYE sip:bob@" + q.Addr() + " SIP/2.0")
			d.WantLog(t, "event end "+id+";")
			want(a, bob, alice, "1 BYE")
			want(b, alice, bob, "2 BYE")
			p.Reply(a, 200, "OK")
			q.Reply(b, 200, "OK")
		}
		call(t, p, q, "short", "late")
		ended("late")
		d.WantLog(t, "late late ")
		route := call(t, p, q, "bob", "script")
		p.Send(request("NOTIFY", "sip:bob@"+q.Addr(), "script", ";tag=peer", route, 1))
		d.WantLog(t, "byes sent;")
		ended("script")
	})
}

// TestMatchByTags: with dlg_match_mode 2 there is no cookie, and requests are
// found all the same.
func TestMatchByTags(t *testing.T) {
	cfg := strings.Replace(with(`modparam("dialog", "dlg_match_mode", 2)`), "loose_route();", "loose_route(); dlg_manage();", 1)
	livetest.Each(t, cfg, func(t *testing.T, d *livetest.Daemon) {
		p, q := d.Peer(t), d.Peer(t)
		route := call(t, p, q, "bob", "tags")
		if strings.Contains(route, "did=") {
			t.Errorf("there is a did: %q", route)
		}
		p.Send(request("BYE", "sip:bob@"+q.Addr(), "tags", ";tag=peer", route, 3))
		q.Reply(q.Want("BYE "), 200, "OK")
		p.Want("SIP/2.0 200 ")
		d.WantLog(t, "event end tags;")
	})
}
