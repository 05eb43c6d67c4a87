package tm

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sipd/router/run"
)

// TestConcurrent lets workers make, answer and cancel transactions that they
// share, while the clock runs.
func TestConcurrent(t *testing.T) {
	r := newRig(t)
	route := blockFunc(func(c *run.Context) int {
		c.AVPs.Add(run.AVPFromURI, run.AVPName{S: "n"}, run.Int(1), 0)
		return 1
	})
	const calls, workers = 300, 6
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range calls {
				text := strings.NewReplacer("z9hG4bKabc", fmt.Sprint("z9hG4bK", i), "call1", fmt.Sprint("call", i)).Replace(invite)
				if w == 1 {
					text = cancelOf(text)
				}
				r.request(text, func(c *run.Context) {
					r.tb.OnFailure(c, route, "F")
					r.tb.ArmReply(c, route, "R")
					r.fork("10.0.0.2")(c)
				})
				for j, p := range r.take() {
					if p.m.IsRequest() && p.m.MethodName() != "ACK" {
						r.reply(p, []int{180, 200, 486, 603}[(i+j+w)%4])
					}
				}
			}
		})
	}
	wg.Wait()
	r.mute = true
	r.advance(200 * time.Second)
	if n := r.tb.Len(); n != 0 {
		t.Errorf("%d transactions left", n)
	}
}

func TestServeEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.tb.Serve(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// BenchmarkTransaction is an INVITE relayed, 180 and 200 on their way back.
func BenchmarkTransaction(b *testing.B) {
	r := newRig(b)
	r.mute = true
	c := r.ctx(invite)
	raw := c.Msg.Raw()
	via := "z9hG4bKabc"
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		c.Reset(r.env)
		text := strings.Replace(raw, via, fmt.Sprint("z9hG4bK", n), 1)
		if err := c.Msg.Parse(text); err != nil {
			b.Fatal(err)
		}
		c.Route, c.Recv = run.RequestRoute, r.recv()
		r.tb.PreRequest(c)
		r.tb.Relay(c, "")
		t := Of(c)
		r.tb.Release(c)
		sent := t.legs[0].message()
		for _, code := range []int{180, 200} {
			c.Reset(r.env)
			rep := strings.ReplaceAll(replyTo(sent, code, ""), "\n", "\r\n")
			if err := c.Msg.Parse(rep); err != nil {
				b.Fatal(err)
			}
			r.tb.OnReply(c, nil)
		}
		r.tb.remove(t)
	}
}
