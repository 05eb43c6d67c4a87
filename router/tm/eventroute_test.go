package tm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sipd/router/run"
)

func TestLocalRequestRoute(t *testing.T) {
	r := newRig(t)
	seen := ""
	r.blocks[blockKey{run.EventRoute, "tm:local-request"}] = blockFunc(func(c *run.Context) int {
		seen = fmt.Sprint(c.Msg.MethodName(), " ", c.Recv.Src, " ", c.Main.DstURI)
		switch c.Msg.MethodName() {
		case "PUBLISH":
			c.Dropped = true
		case "MESSAGE":
			c.Msg.Edits.Insert(c.Msg.HeaderEnd(), "X-Ev: 1\r\n")
			c.SetRURI("sip:changed@10.0.0.77")
			r.tb.ArmReply(c, blockFunc(func(c *run.Context) int { seen = "reply route"; return 1 }), "R")
		case "INFO":
			c.AdvHost = "proxy.example"
		}
		return 1
	})
	a := r.ask("MESSAGE", func(q *Request) { q.NextHop = "sip:10.0.0.9" })
	if want := "MESSAGE 127.0.0.1:5060 sip:10.0.0.9"; seen != want {
		t.Errorf("the route saw %q, want %q", seen, want)
	}
	p := r.want("MESSAGE>10.0.0.9")[0]
	want := `MESSAGE sip:changed@10.0.0.77 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=BRANCH
To: <sip:bob@example.com>
From: <sip:me@example.com>;tag=TAG
CSeq: 10 MESSAGE
Call-ID: ID
Max-Forwards: 70
Content-Length: 0
X-Ev: 1

`
	if got := masked(p.raw); got != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
	r.reply(p, 200)
	a.want(t, "got 200 OK")
	if seen != "reply route" {
		t.Error("the reply route of event_route[tm:local-request] was not run")
	}
	if tr, err := r.tb.Send(&Request{Method: "PUBLISH", URI: "sip:a@10.0.0.1", From: "sip:a@b", To: "sip:a@b"}); !errors.Is(err, ErrDropped) || tr != nil {
		t.Errorf("a dropped request: %v, %v", tr, err)
	}
	r.want("")
	r.ask("INFO", nil)
	if p = r.want("INFO>10.0.0.1")[0]; !strings.Contains(p.raw, "\r\nVia: SIP/2.0/UDP proxy.example:5060;branch=z9hG4bK") || strings.Count(p.raw, "Via:") != 1 {
		t.Errorf("with another address advertised:\n%s", p.raw)
	}
}

func TestLocalResponseRoute(t *testing.T) {
	r := newRig(t)
	var seen []string
	r.blocks[blockKey{run.EventRoute, "tm:local-response"}] = blockFunc(func(c *run.Context) int {
		seen = append(seen, fmt.Sprint(c.Msg.StatusCode(), " sent=", len(r.out)))
		return 1
	})
	r.request(invite, r.relay)
	p := r.want("100 INVITE>10.0.0.1")[1]
	r.reply(p, 183)
	r.reply(p, 486) // relayed: not made here
	r.take()
	r.request(strings.NewReplacer("INVITE", "INFO", "call1", "call2").Replace(invite), func(c *run.Context) {
		r.tb.NewTransaction(c)
		Of(c).Reply(c, 404, "Nobody")
	})
	if got := strings.Join(seen, ", "); got != "100 sent=1, 404 sent=1" {
		t.Errorf("the route saw %s", got)
	}
}
