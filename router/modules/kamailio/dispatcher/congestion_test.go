package dispatcher_test

import (
	"fmt"
	"testing"
	"time"

	"sipd/router/livetest"
)

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
