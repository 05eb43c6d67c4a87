package dialog_test

import (
	"strings"
	"testing"

	"sipd/router/livetest"
)

// transfers is a configuration whose calls are bridged and referred.
func transfers(to string) string {
	return strings.Replace(with(`
modparam("dialog", "bridge_controller", "sip:boss@c.test")
modparam("dialog", "bridge_contact", "sip:boss@ADDR")
`), `if (is_method("INVITE")) {`, `if (is_method("OPTIONS")) {
		if ($rU == "bridge" && dlg_bridge("sip:alice@$si:$sp", "sip:else@d.test", "")) sl_send_reply("200", "Bridged");
		exit;
	}
	if (is_method("INVITE")) {`, 1) + to
}

// TestBridge: the parties see what Kamailio sends.
func TestBridge(t *testing.T) {
	livetest.Each(t, transfers(""), func(t *testing.T, d *livetest.Daemon) {
		p := d.Peer(t)
		p.Send(request("OPTIONS", "sip:bridge@ADDR", "start", "", "", 1))
		var inv string
		for range 2 { // in either order
			if m := p.Recv(); strings.HasPrefix(m, "INVITE ") {
				inv = m
			} else if !strings.HasPrefix(m, "SIP/2.0 200 Bridged") {
				t.Fatalf("came\n%s", m)
			}
		}
		check := func(msg string, want map[string]string) {
			t.Helper()
			for name, want := range want {
				if got := livetest.Value(msg, name); got != want {
					t.Errorf("%s is %q, want %q\n%s", name, got, want, msg)
				}
			}
		}
		if !strings.HasPrefix(inv, "INVITE sip:alice@"+p.Addr()+" SIP/2.0\r\n") || !strings.Contains(inv, "c=IN IP4 0.0.0.0\r\n") {
			t.Errorf("the INVITE is\n%s", inv)
		}
		from := livetest.Value(inv, "From")
		if !strings.Contains(from, "sip:boss@c.test") {
			t.Errorf("From is %q", from)
		}
		check(inv, map[string]string{"Contact": "<sip:boss@" + d.Addr + ">", "Content-Type": "application/sdp"})
		p.Reply(inv, 200, "OK", "Contact: <sip:bob@ME;x=y>")
		p.Want("ACK sip:bob@" + p.Addr() + ";x=y SIP/2.0")
		ref := p.Want("REFER sip:bob@" + p.Addr() + ";x=y SIP/2.0")
		check(ref, map[string]string{
			"Referred-By": "sip:boss@c.test", "Refer-To": "sip:else@d.test", "Contact": "<sip:boss@" + d.Addr + ">",
			"Call-ID": livetest.Value(inv, "Call-ID"), "CSeq": next(t, inv, 1) + " REFER",
		})
		p.Reply(ref, 202, "Accepted")
		bye := p.Want("BYE sip:bob@" + p.Addr() + ";x=y SIP/2.0")
		check(bye, map[string]string{"CSeq": next(t, inv, 2) + " BYE"})
		p.Reply(bye, 200, "OK")
	})
}

// next is the CSeq number n behind that of a message.
func next(t *testing.T, msg string, n int) string {
	t.Helper()
	s, _, _ := strings.Cut(livetest.Value(msg, "CSeq"), " ")
	for ; n > 0; n-- {
		if len(s) != 2 && len(s) != 1 {
			t.Fatalf("CSeq %q", s)
		}
		s = string(append([]byte(s[:len(s)-1]), s[len(s)-1]+1))
	}
	return s
}

// TestRefer: the REFER goes to the other party than is named, as with Kamailio.
func TestRefer(t *testing.T) {
	cfg := strings.Replace(transfers(""), `if (is_method("NOTIFY")) {`, `if (is_method("UPDATE")) {
			dlg_refer("caller", "sip:else@d.test");
			sl_send_reply("200", "Referred");
			exit;
		}
		if (is_method("NOTIFY")) {`, 1)
	livetest.Each(t, cfg, func(t *testing.T, d *livetest.Daemon) {
		p, q := d.Peer(t), d.Peer(t)
		route := call(t, p, q, "bob", "moved")
		p.Send(request("UPDATE", "sip:bob@"+q.Addr(), "moved", ";tag=peer", route, 5))
		ref := q.Want("REFER sip:bob@" + q.Addr() + " SIP/2.0")
		for name, want := range map[string]string{"Referred-By": "sip:boss@c.test", "Refer-To": "sip:else@d.test", "Contact": "<sip:boss@" + d.Addr + ">", "CSeq": "6 REFER"} {
			if got := livetest.Value(ref, name); got != want {
				t.Errorf("%s of the REFER is %q, want %q\n%s", name, got, want, ref)
			}
		}
		q.Reply(ref, 202, "Accepted")
		bye := q.Want("BYE sip:bob@" + q.Addr() + " SIP/2.0")
		if got := livetest.Value(bye, "CSeq"); got != "7 BYE" {
			t.Errorf("CSeq of the BYE is %q\n%s", got, bye)
		}
		q.Reply(bye, 200, "OK")
	})
}
