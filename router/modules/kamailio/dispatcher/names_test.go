package dispatcher_test

import (
	"fmt"
	"testing"

	"sipd/router/livetest"
	"sipd/rpc"
)

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
