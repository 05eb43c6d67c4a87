package tm

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipd/router/cfg"
	"sipd/router/forward"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
	"sipd/rpc"
)

// asked is a request of our own with what it was told.
type asked struct {
	*Request
	t    *Transaction
	told []string
}

// ask sends a request of our own; the test ends when that fails.
func (r *rig) ask(method string, edit func(*Request)) *asked {
	r.t.Helper()
	a := &asked{Request: &Request{Method: method, URI: "sip:bob@10.0.0.1", From: "sip:me@example.com", To: "<sip:bob@example.com>"}}
	note := func(x *Response) {
		how := "made"
		if x.Msg != nil {
			how = "got"
		}
		a.told = append(a.told, fmt.Sprint(how, " ", x.Code, " ", x.Reason))
	}
	a.Done, a.Provisional = note, note
	if edit != nil {
		edit(a.Request)
	}
	t, err := r.tb.Send(a.Request)
	if err != nil {
		r.t.Fatalf("%s not sent: %v", method, err)
	}
	a.t = t
	return a
}

func (a *asked) want(t *testing.T, what string) {
	t.Helper()
	if s := strings.Join(a.told, ", "); s != what {
		t.Errorf("told %q, want %q", s, what)
	}
	a.told = nil
}

var (
	ownTag    = regexp.MustCompile(`;tag=[0-9a-f]{16}-[0-9a-f]+`)
	ownCallID = regexp.MustCompile(`Call-ID: [0-9a-f]+-[0-9a-f]{16}\r\n`)
	ownBranch = regexp.MustCompile(`branch=z9hG4bK[0-9a-f]+\.[0-9a-f]+\.0`)
)

// masked is a message with what is made at random taken out.
func masked(s string) string {
	s = ownTag.ReplaceAllString(s, ";tag=TAG")
	s = ownCallID.ReplaceAllString(s, "Call-ID: ID\r\n")
	s = ownBranch.ReplaceAllString(s, "branch=BRANCH")
	return strings.ReplaceAll(s, "\r\n", "\n")
}

func TestSendPrints(t *testing.T) {
	r := newRig(t)
	r.env.UserAgent = "User-Agent: sipd\r\n"
	for _, tt := range []struct {
		name, want, to string
		edit           func(*Request)
	}{
		{"plain", `OPTIONS sip:bob@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=BRANCH
To: <sip:bob@example.com>
From: <sip:me@example.com>;tag=TAG
CSeq: 10 OPTIONS
Call-ID: ID
Max-Forwards: 70
Content-Length: 0
User-Agent: sipd

`, "10.0.0.1", nil},
		{"body and headers", `MESSAGE sip:bob@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=BRANCH
To: <sip:bob@example.com>;tag=b
From: "Me" <sip:me@example.com>;tag=mine
CSeq: 33 MESSAGE
Call-ID: given@here
Max-Forwards: 70
Content-Length: 5
User-Agent: sipd
Content-Type: text/plain
X-My: 1

hello`, "10.0.0.9", func(q *Request) {
			q.Method, q.From, q.To = "MESSAGE", `"Me" <sip:me@example.com>;tag=mine`, "<sip:bob@example.com>;tag=b"
			q.CSeq, q.CallID, q.Body = 33, "given@here", "hello"
			q.Headers, q.NextHop = "Content-Type: text/plain\r\nX-My: 1\r\n", "sip:10.0.0.9"
		}},
		{"loose route", `BYE sip:bob@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=BRANCH
To: <sip:bob@example.com>
From: <sip:me@example.com>;tag=TAG
CSeq: 10 BYE
Call-ID: ID
Route: <sip:10.0.0.7;lr>, <sip:10.0.0.8;lr>
Max-Forwards: 70
Content-Length: 0
User-Agent: sipd

`, "10.0.0.7", func(q *Request) {
			q.Method, q.Routes = "BYE", []string{"<sip:10.0.0.7;lr>", "<sip:10.0.0.8;lr>"}
		}},
		{"strict route", `BYE sip:10.0.0.7 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=BRANCH
To: <sip:bob@example.com>
From: <sip:me@example.com>;tag=TAG
CSeq: 10 BYE
Call-ID: ID
Route: <sip:10.0.0.8;lr>, <sip:bob@10.0.0.1>
Max-Forwards: 70
Content-Length: 0
User-Agent: sipd

`, "10.0.0.7", func(q *Request) {
			q.Method, q.Routes = "BYE", []string{"<sip:10.0.0.7>", "<sip:10.0.0.8;lr>"}
		}},
	} {
		r.ask("OPTIONS", tt.edit)
		out := r.take()
		if len(out) != 1 {
			t.Fatalf("%s: %d messages sent", tt.name, len(out))
		}
		if got := masked(out[0].raw); got != tt.want {
			t.Errorf("%s: sent\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		if a := out[0].d.Addr.Addr().String(); a != tt.to {
			t.Errorf("%s: sent to %s, want %s", tt.name, a, tt.to)
		}
	}
}

func TestSendRefuses(t *testing.T) {
	r := newRig(t)
	r.fail["10.9.9.9"] = true
	for _, tt := range []struct {
		name string
		edit func(*Request)
		want string
	}{
		{"no method", func(q *Request) { q.Method = "" }, "no method"},
		{"method of two words", func(q *Request) { q.Method = "A B" }, "no method"},
		{"CANCEL", func(q *Request) { q.Method = "CANCEL" }, "through the transaction"},
		{"no URI", func(q *Request) { q.URI = "bob" }, "no URI"},
		{"URI with a blank", func(q *Request) { q.URI = "sip:bob@10.0.0.1 SIP/2.0" }, "no URI"},
		{"From", func(q *Request) { q.From = "" }, "address"},
		{"line end in To", func(q *Request) { q.To = "<sip:a@b>\r\nX: y" }, "line end"},
		{"line end in Call-ID", func(q *Request) { q.CallID = "a\nb" }, "line end"},
		{"headers without end", func(q *Request) { q.Headers = "X: y" }, "no line end"},
		{"empty line", func(q *Request) { q.Headers = "X: y\r\n\r\nbody\r\n" }, "empty line"},
		{"second CSeq", func(q *Request) { q.Headers = "CSeq: 1 OPTIONS\r\n" }, "CSeq stands"},
		{"Via", func(q *Request) { q.Headers = "Via: SIP/2.0/UDP x\r\n" }, "not only headers"},
		{"no header", func(q *Request) { q.Headers = "what is this\r\n" }, "cannot be sent"},
		{"route", func(q *Request) { q.Routes = []string{"<nonsense>"} }, "route"},
		{"unresolvable", func(q *Request) { q.URI = "sip:nobody.invalid" }, "478"},
		{"unreachable", func(q *Request) { q.URI = "sip:10.9.9.9" }, "477"},
	} {
		q := &Request{
			Method: "OPTIONS", URI: "sip:bob@10.0.0.1", From: "sip:me@example.com", To: "sip:bob@example.com",
			Done: func(x *Response) { t.Errorf("%s: Done told of %d", tt.name, x.Code) },
		}
		tt.edit(q)
		tr, err := r.tb.Send(q)
		if err == nil || tr != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want an error with %q", tt.name, tr, err, tt.want)
		}
		if e, ok := errors.AsType[*forward.Error](err); !ok && !errors.Is(err, ErrRequest) {
			t.Errorf("%s: the error is neither a *forward.Error nor ErrRequest: %v %v", tt.name, e, err)
		}
	}
	r.want("")
	r.advance(time.Minute)
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

func TestSendNonInvite(t *testing.T) {
	r := newRig(t)
	a := r.ask("OPTIONS", nil)
	p := r.want("OPTIONS>10.0.0.1")[0]
	r.advance(500 * time.Millisecond)
	r.want("OPTIONS>10.0.0.1")
	r.reply(p, 100)
	a.want(t, "got 100 Trying")
	r.advance(3900 * time.Millisecond)
	r.want("")
	r.advance(100 * time.Millisecond) // T2 after a provisional reply
	r.want("OPTIONS>10.0.0.1")
	r.reply(p, 200)
	a.want(t, "got 200 OK")
	r.reply(p, 200)
	a.want(t, "")
	if a.t.Status() != 200 {
		t.Errorf("status %d", a.t.Status())
	}
	r.advance(6 * time.Second)
	r.want("")
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
	if n := r.tb.Count.Local.Value(); n != 1 {
		t.Errorf("%d local transactions counted", n)
	}
}

func TestSendTimesOut(t *testing.T) {
	r := newRig(t)
	a := r.ask("OPTIONS", nil)
	b := r.ask("OPTIONS", func(q *Request) { q.FrTimer = 1000 })
	r.advance(time.Second)
	a.want(t, "")
	b.want(t, "made 408 Request Timeout")
	r.advance(29 * time.Second)
	a.want(t, "made 408 Request Timeout")
	// 500, 1500, 3500, then every 4 seconds
	if n := len(r.take()); n != 2+1+9 {
		t.Errorf("%d messages sent, want 2 first ones, 1 and 9 repetitions", n)
	}
	r.advance(6 * time.Second)
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

func (r *rig) set(name string, n int) {
	r.t.Helper()
	if err := r.env.Cfg.Set(cfg.Ref{Group: "tm"}, name, rpc.Int(n)); err != nil {
		r.t.Fatal(err)
	}
}

// A reply that comes while Send is at work is told by a worker: the caller may
// hold what Done wants.
func TestSendAnsweredAtOnce(t *testing.T) {
	r := newRig(t)
	r.onSend = func(p packet) {
		if p.m.MethodName() == "OPTIONS" {
			r.reply(p, 200)
		}
	}
	var mu sync.Mutex
	mu.Lock()
	done := false
	a := r.ask("OPTIONS", func(q *Request) {
		q.Done = func(*Response) {
			mu.Lock()
			defer mu.Unlock()
			done = true
		}
	})
	mu.Unlock()
	r.drain()
	if !done || a.t.Status() != 200 {
		t.Errorf("done %v, status %d", done, a.t.Status())
	}
}

// TestSendConcurrent lets workers send, answer and cancel while the clock runs:
// each request has exactly one outcome and nothing stays.
func TestSendConcurrent(t *testing.T) {
	r := newRig(t)
	const each, workers = 200, 6
	var done atomic.Int64
	answered := make(chan packet, each*workers*4)
	r.onSend = func(p packet) {
		if p.m.IsRequest() && p.m.Method() != sip.ACK {
			answered <- p
		}
	}
	var wg, answers sync.WaitGroup
	for range 3 {
		answers.Go(func() {
			n := 0
			for p := range answered {
				if n++; n%5 == 0 {
					continue // lost
				}
				r.reply(p, []int{180, 200, 486, 404}[n%4])
				if n%4 == 0 && p.m.Method() != sip.BYE {
					r.reply(p, 200)
				}
			}
		})
	}
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				q := &Request{Method: "INVITE", URI: "sip:bob@10.0.0.1", From: "sip:me@example.com", To: "sip:bob@example.com", Done: func(*Response) { done.Add(1) }}
				if i%3 > 0 {
					q.Method = "OPTIONS"
				}
				tr, err := r.tb.Send(q)
				if err != nil {
					t.Error(err)
					return
				}
				if (i+w)%7 == 0 {
					tr.Do(func(t *Transaction) { t.Cancel("") })
				}
			}
		})
	}
	wg.Wait()
	r.mu.Lock()
	r.onSend = nil
	r.mu.Unlock()
	close(answered)
	answers.Wait()
	r.mute = true
	r.advance(400 * time.Second)
	if n := done.Load(); n != each*workers {
		t.Errorf("%d outcomes of %d requests", n, each*workers)
	}
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

// FuzzRequest: whatever modules give, a message comes out whose parts are those
// that were given, or an error.
func FuzzRequest(f *testing.F) {
	f.Add("OPTIONS", "sip:bob@10.0.0.1", "sip:a@b", "<sip:c@d>;tag=1", "id", "X-A: b\r\n", "body", "<sip:r;lr>")
	f.Add("A\r\n", "sip:b SIP/2.0", "\"a\" <sip:a@b>", "sip:a@b;tag=x", "a b", "\r\n", "\r\n\r\n", "<sip:r>")
	f.Add("BYE", "sip:a;b?c", "tel:1", "*", "", "Content-Length: 9\r\nVia: x\r\n", "", "")
	r := newRig(f)
	f.Fuzz(func(t *testing.T, method, uri, from, to, callID, headers, body, route string) {
		q := &Request{Method: method, URI: uri, From: from, To: to, CallID: callID, Headers: headers, Body: body}
		if route != "" {
			q.Routes = []string{route}
		}
		m, next, err := r.tb.message(q)
		if err != nil {
			if !errors.Is(err, ErrRequest) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if m.MethodName() != method || m.Body() != body || callID != "" && m.CallID() != strings.Trim(callID, " \t") {
			t.Fatalf("made of %+v\n%s", *q, m.Raw())
		}
		if route == "" && (m.RequestURI() != uri || next != "") {
			t.Fatalf("%q became %q", uri, m.RequestURI())
		}
		if n, err := m.From(); err != nil || n.Tag == "" {
			t.Fatalf("From of\n%s\nhas no tag (%v)", m.Raw(), err)
		}
	})
}

// BenchmarkSend is an OPTIONS of our own and its 200.
func BenchmarkSend(b *testing.B) {
	r := newRig(b)
	r.mute = true
	c := new(run.Context)
	b.ReportAllocs()
	for b.Loop() {
		q := &Request{Method: "OPTIONS", URI: "sip:bob@10.0.0.1", From: "sip:me@example.com", To: "sip:bob@10.0.0.1", Done: func(*Response) {}}
		t, err := r.tb.Send(q)
		if err != nil {
			b.Fatal(err)
		}
		c.Reset(r.env)
		rep := t.legs[0].message().AppendReply(nil, &sip.Reply{Code: 200, ToTag: "x"})
		if err := c.Msg.Parse(string(rep)); err != nil {
			b.Fatal(err)
		}
		c.Recv = transport.Received{Proto: transport.UDP, Sock: local}
		r.tb.OnReply(c, nil)
		r.tb.remove(t)
	}
}
