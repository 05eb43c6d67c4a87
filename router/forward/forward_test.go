package forward

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a manager with a UDP and a TCP socket, and a peer to send to.
type rig struct {
	m    *transport.Manager
	udp  *transport.Socket
	tcp  *transport.Socket
	peer *net.UDPConn
	env  run.Env
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{m: transport.NewManager(transport.Options{
		Handler:  func([]byte, transport.Received) {},
		Resolver: transport.NewResolver(transport.ResolverOptions{Servers: []string{"127.0.0.1:1"}, Hosts: t.TempDir() + "/none"}),
	})}
	var err error
	if r.udp, err = r.m.Listen(transport.UDP, netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	if r.tcp, err = r.m.Listen(transport.TCP, r.udp.Addr); err != nil {
		t.Fatal(err)
	}
	if r.peer, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	if err = r.peer.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.m.Close(), r.peer.Close()); err != nil {
			t.Error(err)
		}
	})
	r.env = run.Env{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Transport: r.m}
	return r
}

func (r *rig) context(t testing.TB, msg string) *run.Context {
	t.Helper()
	c := new(run.Context)
	c.Reset(&r.env)
	msg = strings.NewReplacer("\n", "\r\n", "PEER", r.peer.LocalAddr().String(), "US", r.udp.HostPort()).Replace(msg)
	if err := c.Msg.Parse(msg); err != nil {
		t.Fatalf("parse: %v\n%s", err, msg)
	}
	c.Recv = transport.Received{Proto: transport.UDP, Src: netip.MustParseAddrPort("192.0.2.9:7777"), Dst: r.udp.Addr, Sock: r.udp}
	return c
}

// received is the next message at the peer, addresses by name.
func (r *rig) received(t testing.TB) string {
	t.Helper()
	b := make([]byte, 65536)
	n, err := r.peer.Read(b)
	if err != nil {
		t.Fatalf("nothing came: %v", err)
	}
	return strings.NewReplacer("\r\n", "\n", r.peer.LocalAddr().String(), "PEER", r.udp.HostPort(), "US").Replace(string(b[:n]))
}

const invite = `INVITE sip:bob@PEER SIP/2.0
Via: SIP/2.0/UDP phone.example:5062;rport;branch=z9hG4bKabc
Max-Forwards: 70
From: <sip:alice@example.org>;tag=1
To: <sip:bob@example.org>
Call-ID: c1
CSeq: 7 INVITE
Content-Length: 0

`

func TestRequest(t *testing.T) {
	r := newRig(t)
	c := r.context(t, invite)
	branch := string(AppendBranch(nil, c.Msg))
	if rc := Request(c); rc != 1 {
		t.Fatalf("Request = %d, %d %s", rc, c.Err, c.ErrText)
	}
	want := strings.Replace(invite, "Via: SIP/2.0/UDP phone.example:5062;rport;branch=z9hG4bKabc",
		"Via: SIP/2.0/UDP US;branch="+branch+"\n"+
			"Via: SIP/2.0/UDP phone.example:5062;rport=7777;branch=z9hG4bKabc;received=192.0.2.9", 1)
	if got := r.received(t); got != want {
		t.Errorf("forwarded:\n%s\nwant:\n%s", got, want)
	}
	if !strings.HasPrefix(branch, Cookie) {
		t.Errorf("branch = %q, want the cookie in front", branch)
	}
}

func TestAppendRequest(t *testing.T) {
	r := newRig(t)
	c := r.context(t, invite)
	c.AddLocalRport = true
	c.AdvHost, c.AdvPort = "proxy.example", 5070
	c.Recv.Conn = 0x1f
	b := &run.Branch{URI: "sip:bob@192.0.2.5", Path: "<sip:edge;lr>,<sip:core;lr>"}
	var extra sip.Edits
	extra.Insert(c.Msg.HeaderEnd(), "X-Branch: 1\r\n")
	d := transport.Dest{Proto: transport.TCP, Addr: netip.MustParseAddrPort("192.0.2.5:5060"), Sock: r.tcp}
	got := strings.ReplaceAll(string(AppendRequest([]byte("before:"), c, b, d, Cookie+"x", &extra)), "\r\n", "\n")
	want := `before:INVITE sip:bob@192.0.2.5 SIP/2.0
Via: SIP/2.0/TCP proxy.example:5070;branch=z9hG4bKx;rport;i=1f
Via: SIP/2.0/UDP phone.example:5062;rport=7777;branch=z9hG4bKabc;received=192.0.2.9
Route: <sip:edge;lr>,<sip:core;lr>
Max-Forwards: 70
From: <sip:alice@example.org>;tag=1
To: <sip:bob@example.org>
Call-ID: c1
CSeq: 7 INVITE
Content-Length: 0
X-Branch: 1

`
	if got != want {
		t.Errorf("printed:\n%s\nwant:\n%s", got, want)
	}
}

// What belongs to one transaction has one branch; the next call has another.
func TestAppendBranch(t *testing.T) {
	r := newRig(t)
	branch := func(edit ...string) string {
		c := r.context(t, strings.NewReplacer(edit...).Replace(invite))
		return string(AppendBranch(nil, c.Msg))
	}
	first := branch()
	for _, tt := range []struct {
		name string
		edit []string
		same bool
	}{
		{"retransmission", []string{"Max-Forwards: 70", "Max-Forwards: 70"}, true},
		{"CANCEL", []string{"INVITE", "CANCEL"}, true},
		{"ACK to a failure", []string{"INVITE", "ACK", "To: <sip:bob@example.org>", "To: <sip:bob@example.org>;tag=2"}, true},
		{"another transaction", []string{"z9hG4bKabc", "z9hG4bKabd"}, false},
		{"another call", []string{"Call-ID: c1", "Call-ID: c2"}, false},
		{"another phone", []string{"phone.example", "fax.example"}, false},
	} {
		if got := branch(tt.edit...); (got == first) != tt.same {
			t.Errorf("%s: branch %s, the INVITE's is %s; want same=%v", tt.name, got, first, tt.same)
		}
	}
	old := branch(";branch=z9hG4bKabc", "")
	if old == first || old != branch(";branch=z9hG4bKabc", "", "INVITE", "CANCEL") || old == branch(";branch=z9hG4bKabc", "", "CSeq: 7", "CSeq: 8") {
		t.Error("without a branch (RFC 2543) the transaction is told by From, CSeq and request URI")
	}
}

func TestResolve(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		name   string
		branch run.Branch
		want   string // destination, or the code of the error
	}{
		{"address", run.Branch{URI: "sip:192.0.2.1"}, "udp 192.0.2.1:5060"},
		{"port", run.Branch{URI: "sip:192.0.2.1:5080"}, "udp 192.0.2.1:5080"},
		{"transport", run.Branch{URI: "sip:192.0.2.1;transport=TCP"}, "tcp 192.0.2.1:5060"},
		{"next hop", run.Branch{URI: "sip:192.0.2.1", DstURI: "sip:192.0.2.2:1234;lr"}, "udp 192.0.2.2:1234"},
		{"maddr", run.Branch{URI: "sip:a@b;maddr=192.0.2.3"}, "udp 192.0.2.3:5060"},
		{"connection", run.Branch{URI: "sip:192.0.2.1;transport=tcp", Conn: 5}, "tcp 192.0.2.1:5060"},
		{"no URI", run.Branch{URI: "bob"}, "479"},
		{"tel", run.Branch{URI: "tel:+4912345"}, "479"},
		{"unknown transport", run.Branch{URI: "sip:192.0.2.1;transport=pigeon"}, "479"},
		{"name of nobody", run.Branch{URI: "sip:nobody.invalid:5060"}, "478"},
		{"no socket for IPv6", run.Branch{URI: "sip:[2001:db8::1]"}, "477"},
		{"no socket for TLS", run.Branch{URI: "sips:192.0.2.1"}, "477"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := r.context(t, invite)
			d, err := ResolveOne(c, &tt.branch)
			got := d.Proto.String() + " " + d.Addr.String()
			if e, ok := errors.AsType[*Error](err); ok {
				got = e.Error()[:3]
				if e.Reason == "" || Fail(c, err) != -1 || c.Err != e.Code || c.ErrText != e.Reason {
					t.Errorf("Fail left %d %q for %v", c.Err, c.ErrText, e)
				}
			} else if d.Sock == nil || d.Sock.Proto != d.Proto || d.Conn != tt.branch.Conn {
				t.Errorf("dest = %+v, want a socket of its protocol and connection %d", d, tt.branch.Conn)
			}
			if got != tt.want {
				t.Errorf("ResolveOne = %s, want %s", got, tt.want)
			}
			ds, lerr := Resolve(c, &tt.branch)
			if (err == nil) != (lerr == nil) || err == nil && (len(ds) != 1 || ds[0] != d) {
				t.Errorf("Resolve = %v, %v; ResolveOne = %v, %v", ds, lerr, d, err)
			}
		})
	}
}

func TestRequestTo(t *testing.T) {
	r := newRig(t)
	peer := r.peer.LocalAddr().(*net.UDPAddr)
	c := r.context(t, strings.Replace(invite, "sip:bob@PEER", "sip:bob@192.0.2.77", 1))
	if rc := RequestTo(c, "udp", "127.0.0.1", peer.Port, true); rc != 1 {
		t.Fatalf("send = %d, %d %s", rc, c.Err, c.ErrText)
	}
	if got, want := r.received(t), strings.ReplaceAll(c.Msg.Raw(), "\r\n", "\n"); got != want {
		t.Errorf("send() changed the message:\n%s\nwant:\n%s", got, want)
	}
	if rc := RequestTo(c, "", "127.0.0.1", peer.Port, false); rc != 1 {
		t.Fatalf("forward = %d, %d %s", rc, c.Err, c.ErrText)
	}
	if got := r.received(t); !strings.Contains(got, "\nVia: SIP/2.0/UDP US;branch=z9hG4bK") || !strings.Contains(got, "INVITE sip:bob@192.0.2.77 ") {
		t.Errorf("forward() sent:\n%s", got)
	}
	for _, tt := range []struct {
		proto, host string
		port, code  int
	}{
		{"pigeon", "127.0.0.1", 1, CodeBadURI},
		{"udp", "127.0.0.1", 70000, CodeBadURI},
		{"udp", "nobody.invalid", 1, CodeUnresolvable},
		{"sctp", "127.0.0.1", 1, CodeSend},
	} {
		if rc := RequestTo(c, tt.proto, tt.host, tt.port, false); rc != -1 || c.Err != tt.code {
			t.Errorf("RequestTo(%s, %s, %d) = %d with %d, want -1 with %d", tt.proto, tt.host, tt.port, rc, c.Err, tt.code)
		}
	}
}

func TestTooBig(t *testing.T) {
	r := newRig(t)
	c := r.context(t, strings.Replace(invite, "Content-Length: 0\n\n", "X: "+strings.Repeat("x", 65200)+"\nContent-Length: 0\n\n", 1))
	if rc := Request(c); rc != -1 || c.Err != CodeTooBig {
		t.Errorf("Request = %d with %d %s, want 513", rc, c.Err, c.ErrText)
	}
}

// block is an onsend_route.
type block func(*run.Context)

func (b block) Run(c *run.Context) int { b(c); return 1 }

func TestOnSend(t *testing.T) {
	r := newRig(t)
	drop := true
	var to transport.Dest
	size := 0
	r.env.Block = func(kind run.Kind, _ string) run.Block {
		if kind != run.OnSendRoute {
			return nil
		}
		return block(func(c *run.Context) {
			to, size = c.Out.Dest, len(c.Out.Data)
			c.Dropped = drop
		})
	}
	c := r.context(t, invite)
	c.Route = run.RequestRoute
	if rc := Request(c); rc != 1 || c.Dropped || c.Route != run.RequestRoute {
		t.Errorf("Request = %d, dropped %v, route %v", rc, c.Dropped, c.Route)
	}
	if to.Addr.String() != r.peer.LocalAddr().String() || size < len(invite) {
		t.Errorf("the route saw %+v, %d octets", to, size)
	}
	drop = false
	c = r.context(t, strings.Replace(invite, "c1", "second", 1))
	Request(c)
	if got := r.received(t); !strings.Contains(got, "Call-ID: second") {
		t.Errorf("the first message at the peer is one that was dropped:\n%s", got)
	}
}

const ok200 = `SIP/2.0 200 OK
Via: SIP/2.0/UDP US;branch=z9hG4bKours
VIAS
From: <sip:alice@example.org>;tag=1
To: <sip:bob@example.org>;tag=2
Call-ID: c1
CSeq: 7 INVITE
Content-Length: 0

`

func TestReply(t *testing.T) {
	r := newRig(t)
	host, port, _ := strings.Cut(r.peer.LocalAddr().String(), ":")
	for _, via := range []string{
		"Via: SIP/2.0/UDP PEER;branch=z9hG4bKabc",
		"Via: SIP/2.0/UDP phone.example;received=" + host + ";rport=" + port,
		"Via: SIP/2.0/UDP phone.example:" + port + ";received=" + host,
		"Via: SIP/2.0/UDP PEER, SIP/2.0/UDP beyond.example",
	} {
		c := r.context(t, strings.Replace(ok200, "VIAS", via, 1))
		if err := Reply(c); err != nil {
			t.Errorf("%s: %v", via, err)
			continue
		}
		want := strings.Replace(ok200, "Via: SIP/2.0/UDP US;branch=z9hG4bKours\nVIAS", strings.ReplaceAll(via, r.peer.LocalAddr().String(), "PEER"), 1)
		if got := r.received(t); got != want {
			t.Errorf("forwarded:\n%s\nwant:\n%s", got, want)
		}
	}
}

func TestReplyRefused(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		via  string
		code int
	}{
		{"X-None: 1", CodeBadURI},
		{"Via: nonsense", CodeBadURI},
		{"Via: SIP/2.0/PIGEON 127.0.0.1", CodeBadURI},
		{"Via: SIP/2.0/UDP 127.0.0.1;rport=99999", CodeBadURI},
		{"Via: SIP/2.0/UDP 127.0.0.1;rport=x", CodeBadURI},
		{"Via: SIP/2.0/UDP nobody.invalid:5060", CodeUnresolvable},
		{"Via: SIP/2.0/UDP phone.example;received=nobody.invalid;rport=5060", CodeUnresolvable},
		{"Via: SIP/2.0/UDP [2001:db8::1]", CodeSend},
		{"Via: SIP/2.0/TLS 127.0.0.1", CodeSend},
	} {
		err := Reply(r.context(t, strings.Replace(ok200, "VIAS", tt.via, 1)))
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != tt.code {
			t.Errorf("%s: %v, want %d", tt.via, err, tt.code)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	r := newRig(b)
	c := r.context(b, invite)
	branch := Cookie + "0.123"
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		d, err := ResolveOne(c, &c.Main)
		if err != nil {
			b.Fatal(err)
		}
		buf = AppendRequest(buf[:0], c, &c.Main, d, branch)
	}
}

func BenchmarkReply(b *testing.B) {
	r := newRig(b)
	c := r.context(b, strings.Replace(ok200, "VIAS", "Via: SIP/2.0/UDP PEER;branch=z9hG4bKabc", 1))
	b.ReportAllocs()
	for b.Loop() {
		if err := Reply(c); err != nil {
			b.Fatal(err)
		}
	}
}
