package livetest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"sipd/router/sip"
)

// Peer is a UDP socket that sends and receives SIP as text.
type Peer struct {
	t    testing.TB
	d    *Daemon
	conn *net.UDPConn
	seen map[string]bool // what came
	// Port is its own; ME in what it sends becomes its address.
	Port int
}

// Peer opens a peer of the daemon.
func (d *Daemon) Peer(t testing.TB) *Peer {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &Peer{t: t, d: d, conn: c, Port: c.LocalAddr().(*net.UDPAddr).Port}
}

// Addr is the peer's host:port.
func (p *Peer) Addr() string { return fmt.Sprintf("127.0.0.1:%d", p.Port) }

// Send sends a message: lone line feeds become CRLF, ME and ADDR are the peer's
// and the daemon's address, an empty line is put behind headers, Content-Length
// is added where there is none.
func (p *Peer) Send(text string) {
	p.t.Helper()
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	head, body, ok := strings.Cut(text, "\r\n\r\n")
	if !ok {
		head = strings.TrimRight(head, "\r\n")
	}
	if !strings.Contains(head, "Content-Length:") {
		head += fmt.Sprintf("\r\nContent-Length: %d", len(body))
	}
	text = p.d.Expand(strings.ReplaceAll(head+"\r\n\r\n"+body, "ME", p.Addr()))
	p.Raw([]byte(text))
}

// Raw sends octets.
func (p *Peer) Raw(b []byte) {
	p.t.Helper()
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.d.Port}
	if _, err := p.conn.WriteToUDP(b, to); err != nil {
		p.t.Fatal(err)
	}
}

// Recv is the next datagram.
func (p *Peer) Recv() string {
	p.t.Helper()
	s, ok := p.within(patience)
	if !ok {
		p.t.Fatalf("nothing came to %s", p.Addr())
	}
	return s
}

func (p *Peer) within(d time.Duration) (string, bool) {
	p.t.Helper()
	b := make([]byte, 65536)
	if err := p.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		p.t.Fatal(err)
	}
	n, _, err := p.conn.ReadFromUDP(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", false
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b[:n]), true
}

// Want is the next message, which must start with a text. 100s before it are
// passed over, and what is sent again because the test was slow: requests, and
// replies that are not wanted.
func (p *Peer) Want(prefix string) string {
	p.t.Helper()
	for {
		s := p.Recv()
		again := p.seen[s]
		if p.seen == nil {
			p.seen = make(map[string]bool)
		}
		p.seen[s] = true
		switch {
		case again && !strings.HasPrefix(s, "SIP/2.0 "):
		case strings.HasPrefix(s, prefix):
			return s
		case !again && !strings.HasPrefix(s, "SIP/2.0 100 "):
			p.t.Fatalf("came:\n%s\nwanted: %s", s, prefix)
		}
	}
}

// Nothing fails when a datagram comes before another one that the test sends
// itself and reads back; it sends an OPTIONS that the daemon must answer.
func (p *Peer) Nothing(probe, answer string) {
	p.t.Helper()
	p.Send(probe)
	p.Want(answer)
}

// Reply answers a request that came, with a To tag when its To has none.
func (p *Peer) Reply(request string, code int, reason string, extra ...string) {
	p.t.Helper()
	m, err := sip.Parse(request)
	if err != nil {
		p.t.Fatal(err)
	}
	r := sip.Reply{Code: code, Reason: reason, ToTag: "peer"}
	if code == 100 {
		r.ToTag = ""
	}
	for _, e := range extra {
		r.Extra += p.d.Expand(strings.ReplaceAll(e, "ME", p.Addr())) + "\r\n"
	}
	p.Raw(m.AppendReply(nil, &r))
}

// Value is the value of the first header of a name in a message, "" for none.
func Value(msg, name string) string {
	head, _, _ := strings.Cut(msg, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		n, v, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Adopt is a peer of another daemon as a peer of this one: the same socket.
func (d *Daemon) Adopt(p *Peer) *Peer {
	return &Peer{t: p.t, d: d, conn: p.conn, Port: p.Port}
}
