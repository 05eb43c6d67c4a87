package tm

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sipd/router/sip"
)

const recordRoute = "Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>\nContact: <sip:bob@10.0.0.5:5080>\n"

func TestSendInvite(t *testing.T) {
	r := newRig(t)
	a := r.ask("INVITE", nil)
	p := r.want("INVITE>10.0.0.1")[0]
	r.reply(p, 180)
	a.want(t, "got 180 Ringing")
	r.reply(p, 200, recordRoute)
	a.want(t, "got 200 OK")
	ack := r.want("ACK>10.0.0.7")[0]
	want := `ACK sip:bob@10.0.0.5:5080 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=BRANCH
To: <sip:bob@example.com>;tag=callee
From: <sip:me@example.com>;tag=TAG
CSeq: 10 ACK
Call-ID: ID
Route: <sip:10.0.0.7;lr>, <sip:10.0.0.8;lr>
Max-Forwards: 70
Content-Length: 0

`
	if got := masked(ack.raw); got != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
	if v, _ := ack.m.Via(); strings.Contains(p.raw, v.Branch) {
		t.Error("the ACK to a 2xx has the branch of its INVITE")
	}
	r.advance(30 * time.Second) // the 2xx may be repeated for 64*T1
	r.reply(p, 200, recordRoute)
	if again := r.want("ACK>10.0.0.7"); again[0].raw != ack.raw {
		t.Error("the ACK to a repetition is another one")
	}
	r.advance(4 * time.Second)
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

// A proxy that forks lets two phones answer: one call goes on, the other ends.
func TestSendInviteTwoDialogs(t *testing.T) {
	r := newRig(t)
	a := r.ask("INVITE", nil)
	p := r.want("INVITE>10.0.0.1")[0]
	r.reply(p, 200)
	r.want("ACK>10.0.0.1")
	c := r.ctx(strings.Replace(replyTo(p.m, 200, "Contact: <sip:bob@10.0.0.6>\n"), "tag=callee", "tag=other", 1))
	r.tb.OnReply(c, nil)
	out := r.want("ACK>10.0.0.6 BYE>10.0.0.6")
	if cs, _ := out[1].m.CSeq(); cs.Num != 11 || out[1].m.ToTag() != "other" {
		t.Errorf("the BYE is\n%s", out[1].raw)
	}
	a.want(t, "got 200 OK")
}

func TestSendInviteFails(t *testing.T) {
	r := newRig(t)
	a := r.ask("INVITE", nil)
	p := r.want("INVITE>10.0.0.1")[0]
	r.reply(p, 503)
	a.want(t, "got 503 Service Unavailable")
	ack := r.want("ACK>10.0.0.1")[0]
	if v, _ := ack.m.Via(); !strings.Contains(p.raw, v.Branch) {
		t.Error("the ACK to a failure has not the branch of its INVITE")
	}
	r.advance(31 * time.Second) // timer D
	r.reply(p, 503)
	r.want("ACK>10.0.0.1")
	a.want(t, "")
	r.advance(2 * time.Second)
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

func TestSendInviteCancel(t *testing.T) {
	r := newRig(t)
	a := r.ask("INVITE", nil)
	p := r.want("INVITE>10.0.0.1")[0]
	a.t.Do(func(t *Transaction) { t.Cancel("") })
	r.want("") // RFC 3261 §9.1: not before a provisional reply
	r.reply(p, 180)
	cancel := r.want("CANCEL>10.0.0.1")[0]
	r.reply(cancel, 200)
	r.reply(p, 487)
	r.want("ACK>10.0.0.1")
	a.want(t, "got 487 Request Terminated")
}

// A 2xx that comes when nobody waits any more makes a call that is ended.
func TestSendInviteLateAnswer(t *testing.T) {
	r := newRig(t)
	a := r.ask("INVITE", func(q *Request) { q.FrTimer = 1000 })
	p := r.want("INVITE>10.0.0.1")[0]
	r.advance(time.Second)
	a.want(t, "made 408 Request Timeout")
	r.take()
	r.reply(p, 200)
	r.want("ACK>10.0.0.1 BYE>10.0.0.1")
	a.want(t, "")
}

func TestSendNoACK(t *testing.T) {
	r := newRig(t)
	a := r.ask("INVITE", func(q *Request) { q.NoACK = true })
	p := r.want("INVITE>10.0.0.1")[0]
	r.reply(p, 200)
	a.want(t, "got 200 OK")
	r.want("")
	d, err := DialogOfReply(a.t.Message(), r.ctx(replyTo(p.m, 200, recordRoute)).Msg)
	if err != nil {
		t.Fatal(err)
	}
	if tr, err := r.tb.Send(d.Request("ACK")); tr != nil || err != nil {
		t.Errorf("ACK: %v, %v", tr, err)
	}
	r.want("ACK>10.0.0.7")
}

func TestLocalAckMode(t *testing.T) {
	for mode, want := range []string{"10.0.0.7", "10.0.0.1", "192.0.2.1"} {
		r := newRig(t)
		r.set("local_ack_mode", mode)
		r.ask("INVITE", nil)
		p := r.want("INVITE>10.0.0.1")[0]
		r.reply(p, 200, recordRoute)
		r.want("ACK>" + want)
	}
}

func TestDialogOfRequest(t *testing.T) {
	m, err := sip.Parse(strings.ReplaceAll(strings.Replace(invite, "Contact:", "Record-Route: <sip:10.0.0.7;lr>,<sip:10.0.0.8;lr>\nContact:", 1), "\n", "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := DialogOfRequest(m, "ours")
	if err != nil {
		t.Fatal(err)
	}
	d.Seq = 6
	q := d.Request("NOTIFY")
	got := fmt.Sprint(q.URI, " ", q.From, " ", q.To, " ", q.CallID, " ", q.CSeq, " ", q.Routes)
	if want := "sip:alice@192.0.2.1 <sip:bob@example.com>;tag=ours <sip:alice@example.com>;tag=a1 call1 7 [<sip:10.0.0.7;lr> <sip:10.0.0.8;lr>]"; got != want {
		t.Errorf("request %s\nwant %s", got, want)
	}
	if m, err = sip.Parse(strings.ReplaceAll(strings.Replace(invite, "Contact: <sip:alice@192.0.2.1>\n", "", 1), "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err = DialogOfRequest(m, "ours"); !errors.Is(err, sip.ErrAbsent) {
		t.Errorf("without Contact: %v", err)
	}
}
