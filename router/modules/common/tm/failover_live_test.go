package tm_test

import (
	"fmt"
	"strings"
	"testing"

	"sipd/router"
	"sipd/router/livetest"
	"sipd/router/transport/dnstest"
)

// TestDNSFailover: the servers of a domain by NAPTR and SRV, the first of which
// is busy and the second silent. A real Kamailio, with a name server in a
// namespace of its own, did the same in the same branches; it has no way to be
// told of one on another port.
func TestDNSFailover(t *testing.T) {
	z := dnstest.Start(t, map[string][]string{
		"naptr.test. NAPTR": {`10 10 "s" "SIP+D2U" "" _sip._udp.naptr.test.`},
		"a.test. A":         {"127.0.0.1"}, "b.test. A": {"127.0.0.1"}, "c.test. A": {"127.0.0.1"},
	})
	d := livetest.StartWith(t, `
use_dns_failover=yes
dns_try_naptr=yes
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
modparam("tm", "fr_timer", 2500)
request_route {
	if (is_method("ACK")) { t_relay(); exit; }
	t_relay();
}
`, func(o *router.Options) { o.NameServers = []string{z.Addr} })
	caller := d.Peer(t)
	for _, domain := range []string{"srv.test", "naptr.test"} {
		busy, silent, good := d.Peer(t), d.Peer(t), d.Peer(t)
		for i, p := range []*livetest.Peer{busy, silent, good} {
			z.Add("_sip._udp."+domain+". SRV", fmt.Sprintf("%d 1 %d %c.test.", 10*(i+1), p.Port, 'a'+i))
		}
		caller.Send("INVITE sip:bob@" + domain + " SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK" + domain +
			"\nFrom: <sip:a@x>;tag=f\nTo: <sip:b@x>\nCall-ID: " + domain + "\nCSeq: 1 INVITE\nMax-Forwards: 70\n")
		busy.Reply(busy.Want("INVITE sip:bob@"+domain), 503, "Busy")
		silent.Want("INVITE sip:bob@" + domain)
		got := good.Want("INVITE sip:bob@" + domain)
		if via := livetest.Value(got, "Via"); !strings.HasSuffix(via, ".2") {
			t.Errorf("the third address is in another branch than the third: %s", via)
		}
		good.Reply(got, 200, "OK")
		caller.Want("SIP/2.0 200 ")
	}
}
