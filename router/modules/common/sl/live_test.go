package sl_test

import (
	"strings"
	"testing"

	"sipd/router/livetest"
)

const liveConfig = `
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"

request_route {
	if (is_method("ACK|NOTIFY")) {
		$du = $hdr(X-To);
		t_relay();
		exit;
	}
	if ($rU == "rr") {
		loose_route();
		append_to_reply("X-Dialog: $fti $tti $rdir(id) $rdir(name)\r\n");
		sl_send_reply("200", "OK");
		exit;
	}
	xlog("L_ERR", "tags $ci s=$ltt(s) t=$ltt(t) x=$ltt(x)\n");
	if ($rU == "state") {
		t_newtran();
		xlog("L_ERR", "state $ci s=$ltt(s) t=$ltt(t) x=$ltt(x)\n");
	}
	send_reply_mode("480", "Later", "1");
}
onreply_route {
	if ($(hdr(X-Code)) != $null) {
		$var(rc) = sl_forward_reply("$hdr(X-Code)", "Other");
		xlog("L_ERR", "forwarded $ci $rs: $var(rc)\n");
		if ($var(rc) > 0) drop;
	}
}
event_route[sl:filtered-ack] { xlog("L_ERR", "filtered $rm $ci\n"); }
event_route[sl:local-response] { xlog("L_ERR", "response $rs $rr $ci\n"); }
`

func request(method, user, id, extra string) string {
	return method + " sip:" + user + "@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK" + id + "\nFrom: <sip:a@x>;tag=ft\nTo: <sip:b@x>\nCall-ID: " +
		id + "\nCSeq: 1 " + method + "\nMax-Forwards: 70\n" + extra
}

// after is what follows a word of a line up to the next blank.
func after(line, word string) string {
	_, s, _ := strings.Cut(line, word)
	s, _, _ = strings.Cut(s, " ")
	return strings.TrimSpace(s)
}

// TestLive holds the variables, event routes and replies of sl and rr against a
// real Kamailio.
func TestLive(t *testing.T) {
	livetest.Each(t, liveConfig, func(t *testing.T, d *livetest.Daemon) {
		p, callee := d.Peer(t), d.Peer(t)
		p.Send(request("INVITE", "plain", "one", ""))
		reply := p.Want("SIP/2.0 480 Later")
		_, tag, _ := strings.Cut(livetest.Value(reply, "To"), "tag=")
		line := d.WantLog(t, "tags one")
		if s, x := after(line, " s="), after(line, " x="); s != tag || x != tag || after(line, " t=") != "<null>" {
			t.Errorf("the reply has the tag %q, the log says %s", tag, line)
		}
		d.WantLog(t, "response 480 Later one")
		p.Send(strings.Replace(request("ACK", "plain", "one", ""), "To: <sip:b@x>", "To: "+livetest.Value(reply, "To"), 1))
		d.WantLog(t, "filtered ACK one")

		p.Send(request("INVITE", "state", "two", ""))
		reply = p.Want("SIP/2.0 480 Later")
		_, tag, _ = strings.Cut(livetest.Value(reply, "To"), "tag=")
		line = d.WantLog(t, "state two")
		if after(line, " t=") != tag || after(line, " x=") != tag || after(line, " s=") == tag {
			t.Errorf("the transaction's reply has the tag %q, the log says %s", tag, line)
		}

		for _, tt := range []struct{ from, route, want string }{
			{"ft", "", "ft tt 1 downstream"},
			{"ft", "Route: <sip:ADDR;lr;ftag=ft>\n", "ft tt 1 downstream"},
			{"tt", "Route: <sip:ADDR;lr;ftag=ft>\n", "ft tt 2 upstream"},
			{"ft", "Route: <sip:elsewhere.test;lr;ftag=zz>\n", "ft tt 1 downstream"},
		} {
			to := map[string]string{"ft": "tt", "tt": "ft"}[tt.from]
			text := request("INFO", "rr", "rr"+tt.from, tt.route)
			text = strings.Replace(strings.Replace(text, "tag=ft\n", "tag="+tt.from+"\n", 1), "To: <sip:b@x>", "To: <sip:b@x>;tag="+to, 1)
			p.Send(text)
			if got := livetest.Value(p.Want("SIP/2.0 200 "), "X-Dialog"); got != tt.want {
				t.Errorf("from %s, %q: %q, want %q", tt.from, tt.route, got, tt.want)
			}
		}

		for _, tt := range []struct{ code, want, log string }{
			{"404", "SIP/2.0 404 Other", "forwarded m404 486: 1"},
			{"500", "SIP/2.0 486 Busy", "forwarded m500 486: -1"},
		} {
			p.Send(request("NOTIFY", "b", "m"+tt.code, "X-To: sip:"+callee.Addr()+"\n"))
			callee.Reply(callee.Want("NOTIFY "), 486, "Busy", "X-Code: "+tt.code)
			p.Want(tt.want)
			d.WantLog(t, tt.log)
		}
	})
}
