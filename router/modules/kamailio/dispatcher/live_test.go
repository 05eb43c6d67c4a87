package dispatcher_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sipd/router/livetest"
	"sipd/rpc"
)

// These tests run against sipd and a Kamailio: what both do is the same.

const liveConfig = `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "ctl.so"
loadmodule "dispatcher.so"
modparam("ctl", "binrpc", "unix:DIR/ctl")
modparam("tm", "retr_timer1", 60000)
modparam("tm", "retr_timer2", 60000)
modparam("dispatcher", "list_file", "LIST")
modparam("dispatcher", "flags", 2)
modparam("dispatcher", "reload_delta", 0)
`

// gateways is a daemon with a list of destinations that a test writes.
type gateways struct {
	*livetest.Daemon
	file string
}

// eachGateways runs f with a daemon whose list has a set nobody uses.
func eachGateways(t *testing.T, config string, f func(t *testing.T, g *gateways)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dispatcher.list")
	write := func(t *testing.T, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = "99 sip:127.0.0.1:9 16\n"
	write(t, nobody)
	config = strings.ReplaceAll(liveConfig, "LIST", file) + config
	livetest.Each(t, config, func(t *testing.T, d *livetest.Daemon) {
		defer write(t, nobody)
		f(t, &gateways{d, file})
	})
}

// load puts the list in use.
func (g *gateways) load(t *testing.T, list string) {
	t.Helper()
	if err := os.WriteFile(g.file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := g.RPC(t, "dispatcher.reload"); err != nil {
		t.Fatal(err)
	}
}

// must is an RPC that is not refused.
func (g *gateways) must(t *testing.T, method string, args ...rpc.Value) string {
	t.Helper()
	v, err := g.RPC(t, method, args...)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return fmt.Sprint(v)
}

// shown is what dispatcher.list full says of a destination, from its URI on.
func (g *gateways) shown(t *testing.T, uri string) string {
	t.Helper()
	return entry(t, g.list(t), uri)
}

func (g *gateways) list(t *testing.T) string {
	t.Helper()
	return g.must(t, "dispatcher.list", rpc.String("full"))
}

// entry is what a list says of a destination.
func entry(t *testing.T, list, uri string) string {
	t.Helper()
	_, of, ok := strings.Cut(list, "{URI "+uri+"}")
	if !ok {
		t.Fatalf("%s is not in the list: %s", uri, list)
	}
	of, _, _ = strings.Cut(of, "{URI ")
	return of
}

// field is a field of what is shown of a destination.
func field(shown, name string) string {
	m := regexp.MustCompile(`\{` + name + ` ([^{}]*)\}`).FindStringSubmatch(shown)
	if m == nil {
		return ""
	}
	return m[1]
}

// until asks for a destination until a field has a value.
func (g *gateways) until(t *testing.T, uri, name, want string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	got := ""
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); <-tick.C {
		if got = field(g.shown(t, uri), name); got == want {
			return
		}
	}
	t.Fatalf("%s of %s is %s, want %s", name, uri, got, want)
}

// request is one of alice's to a user.
func request(method, uri, id, tag string, cseq int) string {
	return fmt.Sprintf("%s %s SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%s%s%d\nMax-Forwards: 70\nFrom: <sip:alice@example.com>;tag=f1\nTo: <sip:bob@example.com>%s\nCall-ID: %s\nCSeq: %d %s\nContact: <sip:alice@ME>\n",
		method, uri, method, id, cseq, tag, id, cseq, method)
}

// wantCall is the next message that is no ping.
func wantCall(p *livetest.Peer, prefix string) string {
	for {
		if s := p.Recv(); !strings.HasPrefix(s, "OPTIONS ") {
			if !strings.HasPrefix(s, prefix) {
				return "wanted " + prefix + ", came:\n" + s
			}
			return s
		}
	}
}

// talk answers the INVITE that comes to a gateway, and has the call through.
func talk(t *testing.T, alice, gw *livetest.Peer, id string) {
	t.Helper()
	invite := wantCall(gw, "INVITE ")
	if !strings.HasPrefix(invite, "INVITE ") || livetest.Value(invite, "Call-ID") != id {
		t.Fatalf("INVITE of %s: %s", id, invite)
	}
	gw.Reply(invite, 200, "OK", "Contact: <sip:gw@ME>")
	alice.Want("SIP/2.0 200 ")
	alice.Send(request("ACK", "sip:gw@"+gw.Addr(), id, ";tag=peer", 1))
	if ack := wantCall(gw, "ACK "); !strings.HasPrefix(ack, "ACK ") {
		t.Fatal(ack)
	}
	alice.Send(request("BYE", "sip:gw@"+gw.Addr(), id, ";tag=peer", 2))
	bye := wantCall(gw, "BYE ")
	gw.Reply(bye, 200, "OK")
	alice.Want("SIP/2.0 200 ")
}

// TestCallFailsOver: a call goes to the next gateway when the first one is silent
// or refuses; that one is left alone until its pings are answered.
func TestCallFailsOver(t *testing.T) {
	eachGateways(t, `
modparam("dispatcher", "ds_ping_interval", 1)
modparam("dispatcher", "ds_probing_mode", 2)
modparam("dispatcher", "ds_ping_from", "sip:pinger@example.com")
request_route {
	if (has_totag()) { t_relay(); exit; }
	if (!ds_select_dst("1", "8")) { sl_send_reply("480", "No Destination"); exit; }
	if ($rU == "late") t_set_fr("0", "500"); else t_set_fr("0", "60000");
	t_on_failure("NEXT");
	t_relay();
}
failure_route[NEXT] {
	if (!t_check_status("408|503")) exit;
	ds_mark_dst("ip");
	if (!ds_next_dst()) exit;
	t_set_fr("0", "60000");
	t_on_failure("NEXT");
	t_relay();
}
event_route[dispatcher:dst-down] { xlog("L_ERR", "down $rm $rU $dsv(code) $dsv(flags) $xavp(_dsdst_=>uri);\n"); }
event_route[dispatcher:dst-up] { xlog("L_ERR", "up $rm $ru $dsv(code) $dsv(reason) $dsv(flags);\n"); }
`, func(t *testing.T, g *gateways) {
		alice, a, b := g.Peer(t), g.Peer(t), g.Peer(t)
		first, second := "sip:"+a.Addr(), "sip:"+b.Addr()
		g.load(t, "1 "+first+" 0 10\n1 "+second+" 0 5\n")
		flags := func(wantA, wantB string) {
			t.Helper()
			if x, y := field(g.shown(t, first), "FLAGS"), field(g.shown(t, second), "FLAGS"); x != wantA || y != wantB {
				t.Errorf("the gateways are %s and %s, want %s and %s", x, y, wantA, wantB)
			}
		}
		// The first is silent.
		alice.Send(request("INVITE", "sip:late@example.com", "silent", "", 1))
		a.Want("INVITE sip:late@example.com ")
		talk(t, alice, b, "silent")
		g.WantLog(t, "down INVITE late 820 0 "+first+";")
		flags("IP", "AX")
		// It is pinged: a refusal leaves it down, an answer brings it back.
		ping := a.Want("OPTIONS " + first + " ")
		if got := livetest.Value(ping, "From"); !strings.HasPrefix(got, "<sip:pinger@example.com>") {
			t.Errorf("the ping is from %s", got)
		}
		a.Reply(ping, 503, "Not Yet")
		a.Reply(a.Want("OPTIONS "), 200, "Fine")
		g.WantLog(t, "up OPTIONS "+first+" 200 Fine 1;")
		flags("AX", "AX")
		// It refuses.
		alice.Send(request("INVITE", "sip:bob@example.com", "refused", "", 1))
		invite := wantCall(a, "INVITE ")
		a.Reply(invite, 503, "Busy")
		if ack := wantCall(a, "ACK "); !strings.HasPrefix(ack, "ACK ") {
			t.Fatal(ack)
		}
		talk(t, alice, b, "refused")
		g.WantLog(t, "down INVITE bob 820 0 "+first+";")
		flags("IP", "AX")
		// The second is asked alone, and when it refuses there is nobody.
		alice.Send(request("INVITE", "sip:bob@example.com", "last", "", 1))
		b.Reply(b.Want("INVITE "), 503, "Busy Too")
		b.Want("ACK ")
		alice.Want("SIP/2.0 500 Service Unavailable") // a proxy does not pass a 503 on (RFC 3261 §16.7)
		alice.Send(request("ACK", "sip:bob@example.com", "last", ";tag=peer", 1))
		g.WantLog(t, "down INVITE bob 820 0 "+second+";")
		flags("IP", "IP")
		alice.Send(request("INVITE", "sip:bob@example.com", "nobody", "", 1))
		alice.Want("SIP/2.0 480 No Destination")
	})
}

// TestOrder: in which order algorithms choose, and go on from there: answers of a
// Kamailio 5.6.3.
func TestOrder(t *testing.T) {
	eachGateways(t, `
request_route {
	$var(all) = "none";
	if (ds_select_dst("$(rU{s.select,0,-})", "$(rU{s.select,1,-})")) {
		$var(all) = $(du{s.select,2,:});
		while (ds_next_dst()) $var(all) = $var(all) + " " + $(du{s.select,2,:});
	}
	append_to_reply("X-All: $var(all)\r\n");
	sl_send_reply("200", "OK");
}
`, func(t *testing.T, g *gateways) {
		p := g.Peer(t)
		g.load(t, `
1 sip:127.0.0.1:11 8 20 latency=100
1 sip:127.0.0.1:12 8 19 latency=10
1 sip:127.0.0.1:13 8 18 latency=500;cc=1
1 sip:127.0.0.1:14 8 0 latency=9
1 sip:127.0.0.1:15 1 30
1 sip:127.0.0.1:16 8 4 latency=1000
2 sip:127.0.0.1:21 0 10 latency=5
2 sip:127.0.0.1:22 0 10 latency=6
2 sip:127.0.0.1:23 0 10 latency=11
3 sip:127.0.0.1:31 0 3 rweight=10
3 sip:127.0.0.1:32 0 2 rweight=33
3 sip:127.0.0.1:33 0 1 rweight=60
4 sip:127.0.0.1:41 0 3 weight=20
4 sip:127.0.0.1:42 0 2 weight=50
4 sip:127.0.0.1:43 0 1 weight=10
5 sip:127.0.0.1:51 1 1
`)
		n := 0
		ask := func(user string) string {
			t.Helper()
			n++
			p.Send(request("OPTIONS", "sip:"+user+"@example.com", "order", "", n))
			return livetest.Value(p.Want("SIP/2.0 200 "), "X-All")
		}
		for _, tt := range []struct {
			user string
			want []string
		}{
			{"1-13", []string{"12 13 11 16 14", "12 13 11 16 14"}},
			{"2-13", []string{"22 21 23", "21 22 23", "22 21 23"}},
			{"5-13", []string{"none"}},
			{"1-8", []string{"11 12 13 16 14", "11 12 13 16 14"}},
			{"2-4", []string{"21 23 22", "23 22 21", "22 21 23", "21 23 22"}},
			{"77-4", []string{"none"}},
		} {
			for i, want := range tt.want {
				if got := ask(tt.user); got != want {
					t.Errorf("%s, %d: %s, want %s", tt.user, i, got, want)
				}
			}
		}
		for _, tt := range []struct {
			user string
			want map[string]int
		}{
			{"3-11", map[string]int{"31": 9, "32": 32, "33": 59}},
			{"4-9", map[string]int{"41": 20, "42": 50, "43": 30}},
		} {
			got := map[string]int{}
			for range 100 {
				first, _, _ := strings.Cut(ask(tt.user), " ")
				got[first]++
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("%s: %v, want %v", tt.user, got, tt.want)
			}
		}
	})
}

// TestParallel: all of a set get the call; who answers has it.
func TestParallel(t *testing.T) {
	eachGateways(t, `
request_route {
	if (has_totag()) { t_relay(); exit; }
	if ($rU == "uri") ds_select_domain("1", "12"); else ds_select_dst("1", "12");
	t_relay();
}
`, func(t *testing.T, g *gateways) {
		for _, user := range []string{"next-hop", "uri"} {
			alice, a, b := g.Peer(t), g.Peer(t), g.Peer(t)
			g.load(t, "1 sip:"+a.Addr()+" 0 2\n1 sip:"+b.Addr()+" 0 1\n")
			alice.Send(request("INVITE", "sip:"+user+"@example.com", user, "", 1))
			atA, atB := a.Want("INVITE "), b.Want("INVITE ")
			for invite, gw := range map[string]*livetest.Peer{atA: a, atB: b} {
				want := "INVITE sip:next-hop@example.com SIP/2.0"
				if user == "uri" {
					want = "INVITE sip:uri@" + gw.Addr() + " SIP/2.0"
				}
				if !strings.HasPrefix(invite, want) {
					t.Errorf("came:\n%s\nwanted: %s", invite, want)
				}
			}
			a.Reply(atA, 180, "Ringing") // so that there is something to cancel
			alice.Want("SIP/2.0 180 ")
			b.Reply(atB, 200, "OK", "Contact: <sip:gw@ME>")
			alice.Want("SIP/2.0 200 ")
			a.Reply(a.Want("CANCEL "), 200, "OK")
			a.Reply(atA, 487, "Request Terminated")
			a.Want("ACK ")
			alice.Send(request("ACK", "sip:gw@"+b.Addr(), user, ";tag=peer", 1))
			b.Want("ACK ")
		}
	})
}

// TestLoad: algorithm 10 chooses who has the fewest calls; BYE ends the count.
func TestLoad(t *testing.T) {
	eachGateways(t, `
modparam("dispatcher", "ds_hash_size", 4)
request_route {
	ds_load_update();
	if (has_totag()) { t_relay(); exit; }
	if (!ds_select_dst("1", "10")) { sl_send_reply("486", "Full"); exit; }
	t_on_reply("COUNT");
	t_on_failure("NEXT");
	t_relay();
}
onreply_route[COUNT] { ds_load_update(); }
failure_route[NEXT] {
	if (t_check_status("480")) {
		if (ds_next_dst()) { t_on_reply("COUNT"); t_on_failure("NEXT"); t_relay(); }
		exit;
	}
	ds_load_unset();
}
`, func(t *testing.T, g *gateways) {
		alice, a, b := g.Peer(t), g.Peer(t), g.Peer(t)
		first, second := "sip:"+a.Addr(), "sip:"+b.Addr()
		g.load(t, "1 "+first+" 0 2 duid=a;maxload=2\n1 "+second+" 0 1 duid=b;maxload=1\n")
		loads := func(want string) {
			t.Helper()
			if got := field(g.shown(t, first), "DLGLOAD") + " " + field(g.shown(t, second), "DLGLOAD"); got != want {
				t.Errorf("loads %s, want %s", got, want)
			}
		}
		begin := func(id string, gw *livetest.Peer) {
			t.Helper()
			alice.Send(request("INVITE", "sip:bob@example.com", id, "", 1))
			gw.Reply(gw.Want("INVITE "), 200, "OK", "Contact: <sip:gw@ME>")
			alice.Want("SIP/2.0 200 ")
			alice.Send(request("ACK", "sip:gw@"+gw.Addr(), id, ";tag=peer", 1))
			gw.Want("ACK ")
		}
		begin("one", a)
		loads("1 0")
		begin("two", b)
		loads("1 1")
		begin("three", a)
		loads("2 1")
		alice.Send(request("INVITE", "sip:bob@example.com", "four", "", 1))
		alice.Want("SIP/2.0 486 Full")
		alice.Send(request("BYE", "sip:gw@"+b.Addr(), "two", ";tag=peer", 2))
		b.Reply(b.Want("BYE "), 200, "OK")
		alice.Want("SIP/2.0 200 ")
		loads("2 0")
		// A call that moves on is counted where it goes, and not at all when nobody takes it.
		alice.Send(request("BYE", "sip:gw@"+a.Addr(), "one", ";tag=peer", 2))
		a.Reply(a.Want("BYE "), 200, "OK")
		alice.Want("SIP/2.0 200 ")
		loads("1 0")
		alice.Send(request("INVITE", "sip:bob@example.com", "five", "", 1))
		b.Reply(b.Want("INVITE "), 480, "Not Here")
		b.Want("ACK ")
		invite := a.Want("INVITE ")
		loads("2 0")
		a.Reply(invite, 486, "Busy")
		a.Want("ACK ")
		alice.Want("SIP/2.0 486 ")
		loads("1 0")
	})
}
