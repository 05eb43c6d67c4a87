package tm_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"sipd/router"
	"sipd/router/livetest"
)

// zone is a name server on the loopback.
type zone struct {
	mu sync.Mutex
	// mu guards the field below: records by name and type.
	records map[string][]string
}

func (z *zone) add(key, text string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records[key] = append(z.records[key], text)
}

// start serves it until the test ends.
func (z *zone) start(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: z, NotifyStartedFunc: func() { close(ready) }}
	done := make(chan error, 1)
	go func() { done <- s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(), <-done); err != nil {
			t.Error(err)
		}
	})
	return pc.LocalAddr().String()
}

func (z *zone) ServeDNS(w dns.ResponseWriter, in *dns.Msg) {
	q := in.Question[0]
	m := new(dns.Msg)
	m.SetReply(in)
	kind := dns.TypeToString[q.Qtype]
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, text := range z.records[strings.ToLower(q.Name)+" "+kind] {
		rr, err := dns.NewRR(q.Name + " 300 IN " + kind + " " + text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	if len(m.Answer) == 0 {
		m.SetRcode(in, dns.RcodeNameError)
	}
	_ = w.WriteMsg(m)
}

// TestDNSFailover: the servers of a domain by NAPTR and SRV, the first of which
// is busy and the second silent. A real Kamailio, with a name server in a
// namespace of its own, did the same in the same branches; it has no way to be
// told of one on another port.
func TestDNSFailover(t *testing.T) {
	z := &zone{records: map[string][]string{
		"naptr.test. NAPTR": {`10 10 "s" "SIP+D2U" "" _sip._udp.naptr.test.`},
		"a.test. A":         {"127.0.0.1"}, "b.test. A": {"127.0.0.1"}, "c.test. A": {"127.0.0.1"},
	}}
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
`, func(o *router.Options) { o.NameServers = []string{z.start(t)} })
	caller := d.Peer(t)
	for _, domain := range []string{"srv.test", "naptr.test"} {
		busy, silent, good := d.Peer(t), d.Peer(t), d.Peer(t)
		for i, p := range []*livetest.Peer{busy, silent, good} {
			z.add("_sip._udp."+domain+". SRV", fmt.Sprintf("%d 1 %d %c.test.", 10*(i+1), p.Port, 'a'+i))
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
