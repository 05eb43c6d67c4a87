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

// names puts records of hosts into the name cache.
func (g *gateways) names(t *testing.T, ip string, hosts ...string) {
	t.Helper()
	for _, h := range hosts {
		g.must(t, "dns.add_a", rpc.String(h), rpc.Int(600), rpc.String(ip), rpc.Int(0))
	}
}

// TestNames: names of hosts are looked up at load, by each question or by a timer,
// as ds_dns_mode says; with 8 SRV records tell port and protocol.
func TestNames(t *testing.T) {
	for _, tt := range []struct {
		mode    int
		then    string // is the old address from the list when the name has another
		service string // is the port of the SRV record from the list, as source and as URI
		peer    bool   // ask this of Kamailio too: it asks no SRV any more when it once found a port
	}{
		{1, "yes", "no yes", true},
		{2, "no", "no yes", true},
		{4, "no", "no yes", true},
		{9, "yes", "yes yes", true},
		{10, "no", "yes yes", false},
		{12, "no", "yes yes", false},
	} {
		t.Run(fmt.Sprint(tt.mode), func(t *testing.T) {
			config := fmt.Sprintf(`
modparam("dispatcher", "ds_dns_mode", %d)
modparam("dispatcher", "ds_dns_interval", 1)
request_route {
	if (is_method("OPTIONS")) {
		$var(name) = "no"; $var(source) = "no"; $var(uri) = "no";
		if (ds_is_from_list("1", "3")) $var(name) = "yes";
		if (ds_is_from_list("3", "0")) $var(source) = "yes";
		if (ds_is_from_list("3", "0", "sip:svc.gw.test;transport=udp")) $var(uri) = "yes";
		append_to_reply("X-Name: $var(name)\r\nX-Service: $var(source) $var(uri)\r\n");
		sl_send_reply("200", "OK");
		exit;
	}
	ds_select_dst("$rU", "4");
	t_relay();
}
`, tt.mode)
			eachGateways(t, config, func(t *testing.T, g *gateways) {
				p, gw := g.Peer(t), g.Peer(t)
				one, svc := "sip:one.gw.test:"+fmt.Sprint(gw.Port), "sip:svc.gw.test;transport=udp"
				g.names(t, "127.0.0.1", "one.gw.test", "two.gw.test")
				g.names(t, "127.0.0.7", "svc.gw.test")
				g.must(t, "dns.add_srv", rpc.String("_sip._udp.svc.gw.test"), rpc.Int(600), rpc.Int(1), rpc.Int(1), rpc.Int(p.Port), rpc.String("two.gw.test"), rpc.Int(0))
				g.load(t, "1 "+one+"\n3 "+svc+"\n")
				n := 0
				ask := func(name string) {
					t.Helper()
					n++
					p.Send(request("OPTIONS", "sip:x@example.com", "ask", "", n))
					r := p.Want("SIP/2.0 200 ")
					if got := livetest.Value(r, "X-Name"); got != name {
						t.Errorf("question %d: from one.gw.test %s, want %s", n, got, name)
					}
					if got := livetest.Value(r, "X-Service"); (g.Ours || tt.peer) && got != tt.service {
						t.Errorf("question %d: from svc.gw.test %s, want %s", n, got, tt.service)
					}
				}
				ask("yes")
				p.Send(request("INVITE", "sip:1@example.com", "by-name", "", 1)) // requests go to names
				gw.Reply(gw.Want("INVITE "), 486, "Busy")
				gw.Want("ACK ")
				p.Want("SIP/2.0 486 ")
				p.Send(request("ACK", "sip:1@example.com", "by-name", ";tag=peer", 1))
				g.must(t, "dns.delete_a", rpc.String("one.gw.test"))
				g.names(t, "127.0.0.9", "one.gw.test")
				if tt.mode&4 != 0 {
					g.until(t, one, "IPADDR", "127.0.0.9")
				}
				ask(tt.then)
			})
		})
	}
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

// TestCongestion: with cc=1 the share of a gateway shrinks by what its answers to
// pings take longer than they did.
func TestCongestion(t *testing.T) {
	eachGateways(t, `
modparam("dispatcher", "ds_ping_interval", 2)
modparam("dispatcher", "ds_probing_mode", 1)
modparam("dispatcher", "ds_ping_latency_stats", 1)
modparam("dispatcher", "ds_latency_estimator_alpha", 0)
modparam("tm", "fr_timer", 600000)
request_route {
	ds_select_dst("1", "11");
	append_to_reply("X-To: $du\r\n");
	sl_send_reply("200", "OK");
}
`, func(t *testing.T, g *gateways) {
		alice, a, b := g.Peer(t), g.Peer(t), g.Peer(t)
		slow, quick := "sip:"+a.Addr(), "sip:"+b.Addr()
		g.load(t, "1 "+slow+" 8 2 weight=60;rweight=60;cc=1;latency=500\n1 "+quick+" 8 1 weight=40;rweight=40;cc=1;latency=500\n")
		share := func() (n int) {
			t.Helper()
			for i := range 100 {
				alice.Send(request("OPTIONS", "sip:x@example.com", "share", "", i+1))
				if livetest.Value(alice.Want("SIP/2.0 200 "), "X-To") == slow {
					n++
				}
			}
			return n
		}
		if n := share(); n != 60 {
			t.Errorf("at first %d of 100 go to the slow one, want 60", n)
		}
		// Answers that take a second are half a second above the average.
		for limit := time.Now().Add(time.Minute); field(g.shown(t, slow), "RWEIGHT") != "0"; {
			if time.Now().After(limit) {
				t.Fatal("a gateway whose answers are late keeps its weight")
			}
			ping := a.Want("OPTIONS ")
			<-time.After(time.Second)
			a.Reply(ping, 200, "OK")
		}
		if n := share(); n != 0 {
			t.Errorf("%d of 100 go to the congested one, want none", n)
		}
		for limit := time.Now().Add(time.Minute); field(g.shown(t, slow), "RWEIGHT") != "60"; {
			if time.Now().After(limit) {
				t.Fatal("a gateway whose answers come in time again does not get its weight back")
			}
			a.Reply(a.Want("OPTIONS "), 200, "OK")
		}
		if n := share(); n != 60 {
			t.Errorf("at last %d of 100 go to the slow one, want 60", n)
		}
		// When all are late they have shares by how late they are.
		late := func(list, uri string) (weight, ms int) {
			t.Helper()
			shown := entry(t, list, uri)
			var now, average float64
			for to, name := range map[any]string{&weight: "RWEIGHT", &now: "EST", &average: "AVG"} {
				if _, err := fmt.Sscan(field(shown, name), to); err != nil {
					t.Fatalf("%s: %v in %s", name, err, shown)
				}
			}
			return weight, int(now - average)
		}
		for limit := time.Now().Add(time.Minute); ; {
			list := g.list(t)
			wa, ma := late(list, slow)
			wb, mb := late(list, quick)
			if ma >= 60 && mb >= 40 {
				x, y := (ma+mb)*16/ma, (ma+mb)*16/mb // one more or less: these were rounded
				if max(wa-x, x-wa, wb-y, y-wb) <= 1 {
					break
				}
			}
			if time.Now().After(limit) {
				t.Fatalf("%d and %d ms too late have the weights %d and %d", ma, mb, wa, wb)
			}
			pa, pb := a.Want("OPTIONS "), b.Want("OPTIONS ")
			<-time.After(time.Second)
			a.Reply(pa, 200, "OK")
			b.Reply(pb, 200, "OK")
		}
	})
}
