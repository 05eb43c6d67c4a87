package tm

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sipd/router/run"
	"sipd/router/transport"
)

// spread makes every name have further addresses.
func (r *rig) spread(hosts ...string) {
	for _, h := range hosts {
		r.others = append(r.others, transport.Dest{Proto: transport.UDP, Addr: netip.MustParseAddrPort(h + ":5060"), Sock: local})
	}
}

// TestFailoverTimeout: an address that does not answer is followed by the next,
// in a branch of its own with the same request; a late answer of the first still
// counts.
func TestFailoverTimeout(t *testing.T) {
	r := newRig(t)
	r.spread("10.0.0.2", "10.0.0.3")
	r.request(invite, func(c *run.Context) {
		r.tb.SetFr(c, 0, 2000)
		r.tb.Relay(c, "")
	})
	first := r.want("100 INVITE>10.0.0.1")[1]
	r.advance(1900 * time.Millisecond)
	r.want("INVITE>10.0.0.1 INVITE>10.0.0.1")
	r.advance(200 * time.Millisecond)
	second := r.want("INVITE>10.0.0.2")[0]
	swap := strings.NewReplacer(".0;", ".N;", ".1;", ".N;", ".0\r", ".N\r", ".1\r", ".N\r").Replace
	if a, b := swap(first.raw), swap(second.raw); a != b || first.raw == second.raw {
		t.Errorf("the second address got\n%s\nthe first\n%s", second.raw, first.raw)
	}
	r.reply(second, 180)
	r.want("180")
	r.advance(10 * time.Second) // it rings: no other address is tried
	r.want("")
	r.reply(second, 200)
	r.want("200")
}

// TestFailoverExhausted: the best of all answers goes upstream.
func TestFailoverExhausted(t *testing.T) {
	r := newRig(t)
	r.spread("10.0.0.2", "10.0.0.3")
	r.request(invite, r.relay)
	leg := r.want("100 INVITE>10.0.0.1")[1]
	r.reply(leg, 503)
	leg = r.want("ACK>10.0.0.1 INVITE>10.0.0.2")[1]
	r.reply(leg, 503)
	leg = r.want("ACK>10.0.0.2 INVITE>10.0.0.3")[1]
	r.reply(leg, 404)
	r.want("ACK>10.0.0.3 404")
}

// TestFailover503: the last address is busy, too.
func TestFailover503(t *testing.T) {
	r := newRig(t)
	r.spread("10.0.0.2")
	r.request(invite, r.relay)
	leg := r.want("100 INVITE>10.0.0.1")[1]
	r.reply(leg, 503)
	leg = r.want("ACK>10.0.0.1 INVITE>10.0.0.2")[1]
	r.reply(leg, 503)
	r.want("ACK>10.0.0.2 500")
}

// TestFailoverSend: an address that cannot be sent to.
func TestFailoverSend(t *testing.T) {
	r := newRig(t)
	r.spread("10.0.0.2", "10.0.0.3")
	r.fail["10.0.0.1"], r.fail["10.0.0.2"] = true, true
	r.request(invite, r.relay)
	leg := r.want("100 INVITE>10.0.0.3")[1]
	r.reply(leg, 200)
	r.want("200")

	r.fail["10.0.0.3"] = true
	r.request(strings.ReplaceAll(strings.ReplaceAll(invite, "abc", "abd"), "call1", "call2"), r.relay)
	if out := r.take(); len(out) != 2 || out[1].m.StatusCode() != 477 && out[1].m.StatusCode() != 500 {
		t.Errorf("nothing can be sent to: %v", out)
	}
}

// TestFailoverOff: the script says no, and a cancelled call goes nowhere else.
func TestFailoverOff(t *testing.T) {
	r := newRig(t)
	r.spread("10.0.0.2")
	r.request(invite, func(c *run.Context) {
		r.tb.SetFailover(c, false)
		r.tb.Relay(c, "")
	})
	leg := r.want("100 INVITE>10.0.0.1")[1]
	r.reply(leg, 503)
	r.want("ACK>10.0.0.1 500")

	second := strings.ReplaceAll(strings.ReplaceAll(invite, "abc", "abd"), "call1", "call2")
	r.request(second, r.relay)
	leg = r.want("100 INVITE>10.0.0.1")[1]
	r.reply(leg, 100)
	r.request(strings.ReplaceAll(second, "INVITE", "CANCEL"), func(c *run.Context) { r.tb.Relay(c, "") })
	r.want("200 CANCEL>10.0.0.1")
	r.reply(leg, 503)
	r.want("ACK>10.0.0.1 500")
}
