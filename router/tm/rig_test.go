package tm

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"sipd/router/cfg"
	"sipd/router/forward"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// rig is a table with a clock driven by hand and a network that keeps what is
// sent.
type rig struct {
	t     testing.TB
	tb    *Table
	env   *run.Env
	clock time.Duration

	mu sync.Mutex
	// mu guards the fields below.
	out  []packet
	fail map[string]bool // hosts that cannot be sent to
	mute bool
	// others are further destinations of every name.
	others []transport.Dest
	// onSend is told of each message, in the sender's goroutine.
	onSend func(packet)

	blocks map[blockKey]run.Block
}

type packet struct {
	d   transport.Dest
	raw string
	m   *sip.Message
}

type blockKey struct {
	kind run.Kind
	name string
}

type blockFunc func(*run.Context) int

func (f blockFunc) Run(c *run.Context) int { return f(c) }

var local = transport.NewSocket(transport.UDP, netip.MustParseAddrPort("127.0.0.1:5060"))

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, fail: map[string]bool{}, blocks: map[blockKey]run.Block{}}
	r.env = &run.Env{Cfg: cfg.NewStore(), MaxBranches: 12, Server: "Server: sipd\r\n"}
	r.env.Block = func(k run.Kind, name string) run.Block { return r.blocks[blockKey{k, name}] }
	s := NewSettings()
	s.EachVar(func(name string, v cfg.Var) {
		if err := r.env.Cfg.Declare("tm", name, v); err != nil {
			t.Fatal(err)
		}
	})
	r.tb = New(r.env, s, r)
	return r
}

func (r *rig) AppendVia(dst []byte, c *run.Context, d transport.Dest, branch string) []byte {
	return forward.AppendVia(dst, c, d, branch)
}

func (r *rig) Resolve(c *run.Context, b *run.Branch) (transport.Dest, []transport.Dest, error) {
	d, err := r.resolve(c, b)
	return d, r.others, err
}

func (r *rig) resolve(c *run.Context, b *run.Branch) (transport.Dest, error) {
	u, err := sip.ParseURI(forward.Next(c, b))
	if err != nil {
		return transport.Dest{}, &forward.Error{Code: 479, Reason: "bad uri"}
	}
	a, err := netip.ParseAddr(u.Host)
	if err != nil {
		return transport.Dest{}, &forward.Error{Code: 478, Reason: "Unresolvable destination"}
	}
	d := transport.Dest{Proto: transport.UDP, Addr: netip.AddrPortFrom(a, u.PortOr(5060)), Sock: local}
	if u.Transport == "tcp" {
		d.Proto = transport.TCP
	}
	return d, nil
}

func (r *rig) AppendRequest(dst []byte, c *run.Context, b *run.Branch, d transport.Dest, branch string, extra ...*sip.Edits) []byte {
	return forward.AppendRequest(dst, c, b, d, branch, extra...)
}

func (r *rig) Oversize(d transport.Dest, _ int) (transport.Dest, bool) { return d, false }

func (r *rig) Forward(c *run.Context) int {
	r.record(packet{raw: "stateless", m: c.Msg})
	return 1
}

func (r *rig) Send(d transport.Dest, b []byte) error {
	if r.mute {
		return nil
	}
	m, err := sip.Parse(string(b))
	if err != nil {
		r.t.Errorf("sent what does not parse: %v\n%s", err, b)
		return nil
	}
	r.mu.Lock()
	bad := r.fail[d.Addr.Addr().String()]
	r.mu.Unlock()
	if bad {
		return errors.New("no route")
	}
	p := packet{d, string(b), m}
	r.record(p)
	r.mu.Lock()
	f := r.onSend
	r.mu.Unlock()
	if f != nil {
		f(p)
	}
	return nil
}

func (r *rig) record(p packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = append(r.out, p)
}

// take answers what was sent since the last call.
func (r *rig) take() []packet {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.out
	r.out = nil
	return out
}

// want compares what was sent since the last call with one word for each:
// "INVITE>10.0.0.1" or "180".
func (r *rig) want(what string) []packet {
	r.t.Helper()
	out := r.take()
	var got []string
	for _, p := range out {
		switch {
		case p.raw == "stateless":
			got = append(got, "stateless")
		case p.m.IsRequest():
			got = append(got, p.m.MethodName()+">"+p.d.Addr.Addr().String())
		default:
			got = append(got, fmt.Sprint(p.m.StatusCode()))
		}
	}
	if s := strings.Join(got, " "); s != what {
		r.t.Errorf("sent %q, want %q", s, what)
	}
	return out
}

// advance lets time pass in ticks.
func (r *rig) advance(d time.Duration) {
	for end := r.clock + d; r.clock < end; {
		r.clock += tick * time.Millisecond
		r.tb.Advance(r.clock)
		r.drain()
	}
}

// drain does what the workers would.
func (r *rig) drain() {
	for {
		select {
		case t := <-r.tb.jobs:
			t.post(event{kind: evTimer})
		default:
			return
		}
	}
}

const invite = `INVITE sip:bob@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc
Max-Forwards: 70
From: <sip:alice@example.com>;tag=a1
To: <sip:bob@example.com>
Call-ID: call1
CSeq: 1 INVITE
Contact: <sip:alice@192.0.2.1>
Content-Length: 0

`

// ctx makes a run of a request or reply.
func (r *rig) ctx(text string) *run.Context {
	r.t.Helper()
	c := new(run.Context)
	c.Reset(r.env)
	if err := c.Msg.Parse(strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		r.t.Fatalf("%v in\n%s", err, text)
	}
	c.Cfg = r.env.Cfg.Snapshot()
	c.Route = run.RequestRoute
	c.Recv = transport.Received{Proto: transport.UDP, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: local.Addr, Sock: local}
	return c
}

// request runs a request as the router does, script being the request route;
// false when the hook absorbed it.
func (r *rig) request(text string, script func(*run.Context)) bool {
	r.t.Helper()
	c := r.ctx(text)
	if !r.tb.PreRequest(c) {
		return false
	}
	script(c)
	r.tb.Release(c)
	return true
}

// relay is the plain script.
func (r *rig) relay(c *run.Context) { r.tb.Relay(c, "") }

// fork relays to more hosts at once.
func (r *rig) fork(hosts ...string) func(*run.Context) {
	return func(c *run.Context) {
		for _, h := range hosts {
			c.AddBranch(run.Branch{URI: "sip:bob@" + h, Q: run.QUnset})
		}
		r.tb.Relay(c, "")
	}
}

// reply answers a request that was sent.
func (r *rig) reply(p packet, code int, extra ...string) bool {
	r.t.Helper()
	text := replyTo(p.m, code, strings.Join(extra, ""))
	c := r.ctx(text)
	return r.tb.OnReply(c, nil)
}

func replyTo(m *sip.Message, code int, extra string) string {
	rep := sip.Reply{Code: code, Extra: extra}
	if code > 100 {
		rep.ToTag = "callee"
	}
	return strings.ReplaceAll(string(m.AppendReply(nil, &rep)), "\r\n", "\n")
}

func (r *rig) recv() transport.Received {
	return transport.Received{Proto: transport.UDP, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: local.Addr, Sock: local}
}
