package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"sipd/router/cfg"
	"sipd/rpc"
)

// vars are runtime variables for a manager, as the daemon has them.
type vars struct {
	store *cfg.Store
	core  cfg.Core
	tcp   cfg.TCP
}

func newVars(t testing.TB, set map[string]int) *vars {
	t.Helper()
	v := &vars{store: cfg.NewStore()}
	if err := errors.Join(v.core.Declare(v.store), v.tcp.Declare(v.store)); err != nil {
		t.Fatal(err)
	}
	for name, n := range set {
		v.set(t, name, n)
	}
	return v
}

func (v *vars) set(t testing.TB, name string, n int) {
	t.Helper()
	group, name, _ := strings.Cut(name, ".")
	if err := v.store.Set(cfg.Ref{Group: group}, name, rpc.Int(n)); err != nil {
		t.Fatalf("set %s.%s: %v", group, name, err)
	}
}

func (v *vars) options(h Handler) Options {
	return Options{Handler: h, Cfg: v.store, Core: &v.core, TCP: TCPOptions{Vars: &v.tcp}}
}

// message is a request with a body of n octets.
func message(id, n int) string {
	return fmt.Sprintf("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK%d\r\nContent-Length: %d\r\n\r\n%s",
		id, n, strings.Repeat("b", n))
}

func dial(t testing.TB, s *Socket) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.HostPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func expect(t testing.TB, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v; want %q", b[:n], err, want)
	}
}

func expectClosed(t testing.TB, c net.Conn) {
	t.Helper()
	b := make([]byte, 1)
	if n, err := c.Read(b); n != 0 || err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("read = %d, %v; want the connection closed", n, err)
	} else if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		t.Fatal("the connection was not closed")
	}
}

// until waits for what happens in another goroutine.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("it never came: %s", what)
		}
	}
}

func echoServer(t testing.TB, addr string, set map[string]int) (*Manager, *Socket, *vars) {
	t.Helper()
	v := newVars(t, set)
	var m *Manager
	m = NewManager(v.options(func(b []byte, r Received) {
		if err := m.Send(Dest{Proto: r.Proto, Addr: r.Src, Sock: r.Sock, Conn: r.Conn}, b); err != nil {
			t.Logf("echo: %v", err)
		}
	}))
	s := listen(t, m, TCP, addr)
	serve(t, m)
	return m, s, v
}

func TestTCPEcho(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			m, s, _ := echoServer(t, addr, nil)
			c := dial(t, s)
			for i, size := range []int{0, 10, 5000, 60000} {
				msg := message(i, size)
				go func() { _, _ = c.Write([]byte(msg)) }()
				expect(t, c, msg)
			}
			list := m.Conns()
			if len(list) != 1 || list[0].Src.String() != c.LocalAddr().String() || list[0].Dst != s.Addr ||
				list[0].State != "CONN_OK" || !list[0].Incoming || list[0].Lifetime != 120*time.Second || list[0].Timeout <= 0 {
				t.Errorf("Conns = %+v", list)
			}
		})
	}
}

// Messages come in pieces of any size, and several at once.
func TestTCPFraming(t *testing.T) {
	_, s, _ := echoServer(t, "127.0.0.1:0", nil)
	c := dial(t, s)
	all := message(1, 7) + message(2, 0) + "\r\n" + message(3, 30)
	for i := range len(all) {
		if _, err := c.Write([]byte(all[i : i+1])); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, c, message(1, 7)+message(2, 0)+message(3, 30))
	if _, err := c.Write([]byte(message(4, 1) + message(5, 2) + message(6, 3))); err != nil {
		t.Fatal(err)
	}
	expect(t, c, message(4, 1)+message(5, 2)+message(6, 3))
}

func TestTCPPing(t *testing.T) {
	_, s, v := echoServer(t, "127.0.0.1:0", nil)
	c := dial(t, s)
	_, _ = c.Write([]byte("\r\n\r\n"))
	expect(t, c, "\r\n")
	v.set(t, "tcp.crlf_ping", 0)
	_, _ = c.Write([]byte("\r\n\r\n" + message(1, 0)))
	expect(t, c, message(1, 0))
}

func TestTCPBadData(t *testing.T) {
	noLength := "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n\r\n"
	for _, tt := range []struct {
		name, data string
		set        map[string]int
	}{
		{"no length", noLength, nil},
		{"two lengths", "OPTIONS sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\nxx", map[string]int{"tcp.accept_no_cl": 1}},
		{"too long", "OPTIONS sip:a SIP/2.0\r\nContent-Length: 70000\r\n\r\n", nil},
		{"no end", strings.Repeat("x", 70000), nil},
		{"http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, s, _ := echoServer(t, "127.0.0.1:0", tt.set)
			c := dial(t, s)
			go func() { _, _ = c.Write([]byte(tt.data)) }()
			expectClosed(t, c)
		})
	}
	t.Run("no length, accepted", func(t *testing.T) {
		_, s, _ := echoServer(t, "127.0.0.1:0", map[string]int{"tcp.accept_no_cl": 1})
		c := dial(t, s)
		_, _ = c.Write([]byte(noLength))
		expect(t, c, noLength)
	})
}

func TestTCPForeign(t *testing.T) {
	got := make(chan string, 4)
	o := newVars(t, nil).options(func([]byte, Received) { got <- "a message" })
	long := strings.Repeat("x", 4<<20) // more than any queue holds
	o.Foreign = func(request string, _ Received, w io.Writer) bool {
		got <- request
		_, _ = io.WriteString(w, long)
		return !strings.HasPrefix(request, "LAST")
	}
	m := NewManager(o)
	s := listen(t, m, TCP, "127.0.0.1:0")
	serve(t, m)
	c := dial(t, s)
	get, post, last := "GET /x HTTP/1.1\r\n\r\n", "POST /RPC2 HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", "LAST / HTTP/1.1\r\n\r\n"
	_, _ = c.Write([]byte(get + post + last))
	answer := make([]byte, len(long))
	for _, want := range []string{get, post, last} {
		if first := <-got; first != want {
			t.Errorf("Foreign got %q, want %q", first, want)
		}
		if n, err := io.ReadFull(c, answer); err != nil || string(answer) != long {
			t.Errorf("of the answer came %d octets, %v", n, err)
		}
	}
	if _, err := c.Read(answer); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v, want the end of the connection", err)
	}
}

func TestTCPExpectContinue(t *testing.T) {
	o := newVars(t, nil).options(func([]byte, Received) {})
	o.Foreign = func(request string, _ Received, w io.Writer) bool {
		_, _ = io.WriteString(w, request[len(request)-5:])
		return true
	}
	m := NewManager(o)
	s := listen(t, m, TCP, "127.0.0.1:0")
	serve(t, m)
	c := dial(t, s)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	want := "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("before the body: %q, %v", got, err)
	}
	_, _ = io.WriteString(c, "hello")
	if _, err := io.ReadFull(c, got[:5]); err != nil || string(got[:5]) != "hello" {
		t.Errorf("after the body: %q, %v", got[:5], err)
	}
}

// Two managers: the first connects once, and the answer uses that connection.
func TestTCPReuse(t *testing.T) {
	_, far, _ := echoServer(t, "127.0.0.1:0", nil)
	got := make(chan Received, 10)
	near := NewManager(newVars(t, nil).options(func(_ []byte, r Received) { got <- r }))
	listen(t, near, TCP, "127.0.0.1:0")
	serve(t, near)
	to := Dest{Proto: TCP, Addr: far.Addr}
	if err := near.Send(Dest{Proto: TCP, Addr: far.Addr, NoConnect: true}, []byte("x")); !errors.Is(err, ErrNoConn) {
		t.Errorf("Send without a connection = %v, want ErrNoConn", err)
	}
	for i := range 5 {
		if err := near.Send(to, []byte(message(i, 3000))); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		if r := <-got; r.Src != far.Addr || r.Conn == 0 {
			t.Errorf("Received = %+v, want from %s on a connection", r, far.Addr)
		}
	}
	list := near.Conns()
	if len(list) != 1 || list[0].Incoming || list[0].Src != far.Addr {
		t.Fatalf("Conns = %+v, want one that was made", list)
	}
	to.NoConnect = true
	if err := near.Send(to, []byte(message(9, 0))); err != nil {
		t.Errorf("Send on the open connection: %v", err)
	}
	<-got
	to.Close = true
	if err := near.Send(to, []byte(message(9, 0))); err != nil {
		t.Error(err)
	}
	until(t, "the connection goes", func() bool { return len(near.Conns()) == 0 })
}

func TestTCPConnectFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().(*net.TCPAddr).AddrPort()
	_ = ln.Close()
	m, _, v := echoServer(t, "127.0.0.1:0", nil)
	if err := m.Send(Dest{Proto: TCP, Addr: nobody}, []byte("x")); err != nil {
		t.Fatalf("Send = %v; the attempt fails later", err)
	}
	until(t, "the failure is counted", func() bool { return m.Counters().TCPConnectFailed.Value() == 1 })
	until(t, "the connection goes", func() bool { return len(m.Conns()) == 0 })
	if q := m.Queued(); q != 0 {
		t.Errorf("Queued = %d after the failure, want 0", q)
	}
	v.set(t, "tcp.no_connect", 1)
	if err := m.Send(Dest{Proto: TCP, Addr: nobody}, []byte("x")); !errors.Is(err, ErrNoConn) {
		t.Errorf("Send with tcp_no_connect = %v, want ErrNoConn", err)
	}
}

func TestTCPMaxConnections(t *testing.T) {
	m, s, v := echoServer(t, "127.0.0.1:0", map[string]int{"tcp.max_connections": 1})
	first := dial(t, s)
	_, _ = first.Write([]byte(message(1, 0)))
	expect(t, first, message(1, 0))
	expectClosed(t, dial(t, s))
	if n := m.Counters().TCPRejected.Value(); n != 1 {
		t.Errorf("rejected = %d, want 1", n)
	}
	if err := m.Send(Dest{Proto: TCP, Addr: netip.MustParseAddrPort("127.0.0.1:9")}, []byte("x")); !errors.Is(err, ErrTooManyConns) {
		t.Errorf("Send = %v, want ErrTooManyConns", err)
	}
	v.set(t, "tcp.max_connections", 2)
	second := dial(t, s)
	_, _ = second.Write([]byte(message(2, 0)))
	expect(t, second, message(2, 0))
}

func TestTCPIdle(t *testing.T) {
	_, s, _ := echoServer(t, "127.0.0.1:0", map[string]int{"tcp.connection_lifetime": 1})
	expectClosed(t, dial(t, s))
}

// A peer that does not read must not take memory without end, nor a worker.
func TestTCPQueueBound(t *testing.T) {
	accepted := make(chan Received, 1)
	v := newVars(t, map[string]int{"tcp.conn_wq_max": 20000})
	m := NewManager(v.options(func(_ []byte, r Received) { accepted <- r }))
	s := listen(t, m, TCP, "127.0.0.1:0")
	serve(t, m)
	c := dial(t, s)
	_, _ = c.Write([]byte(message(1, 0)))
	r := <-accepted
	d := Dest{Proto: TCP, Addr: r.Src, Conn: r.Conn}
	var err error
	for range 10000 {
		if err = m.Send(d, []byte(message(2, 8000))); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrQueueFull) {
		t.Fatalf("Send = %v, want ErrQueueFull", err)
	}
	if q := m.Queued(); q > 3*20000 {
		t.Errorf("Queued = %d, want about conn_wq_max", q)
	}
	if !m.CloseConn(r.Conn) || m.CloseConn(r.Conn) || m.ConnOpen(r.Conn) {
		t.Error("CloseConn closes once")
	}
	until(t, "the queue is given back", func() bool { return m.Queued() == 0 })
}

func TestTCPAlias(t *testing.T) {
	accepted := make(chan Received, 1)
	v := newVars(t, nil)
	m := NewManager(v.options(func(_ []byte, r Received) { accepted <- r }))
	s := listen(t, m, TCP, "127.0.0.1:0")
	serve(t, m)
	c := dial(t, s)
	_, _ = c.Write([]byte(message(1, 0)))
	r := <-accepted
	alias := Dest{Proto: TCP, Addr: netip.MustParseAddrPort("127.0.0.1:5999"), NoConnect: true}
	if m.ViaAlias(r, 5999) {
		t.Error("an alias was taken though tcp_accept_aliases is off")
	}
	if err := m.Send(alias, []byte("x")); !errors.Is(err, ErrNoConn) {
		t.Errorf("Send = %v, want ErrNoConn", err)
	}
	v.set(t, "tcp.accept_aliases", 1)
	if !m.ViaAlias(r, 5999) {
		t.Fatal("the alias was refused")
	}
	if err := m.Send(alias, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	expect(t, c, "hello")
	if list := m.Conns(); len(list) != 1 || len(list[0].Aliases) != 1 || list[0].Aliases[0] != alias.Addr {
		t.Errorf("Conns = %+v, want the alias shown", list)
	}
	_ = c.Close()
	until(t, "the alias goes with the connection", func() bool { return errors.Is(m.Send(alias, []byte("x")), ErrNoConn) })
}

func TestOversize(t *testing.T) {
	v := newVars(t, map[string]int{"core.udp_mtu": 1300, "core.udp_mtu_try_proto": 2})
	m := NewManager(v.options(nil))
	defer m.Close()
	u := listen(t, m, UDP, "127.0.0.1:0")
	d := Dest{Proto: UDP, Addr: netip.MustParseAddrPort("127.0.0.1:9"), Sock: u}
	if o, ok := m.Oversize(d, 2000); ok {
		t.Errorf("Oversize = %+v without a TCP socket", o)
	}
	s := listen(t, m, TCP, u.HostPort())
	if o, ok := m.Oversize(d, 1301); !ok || o.Proto != TCP || o.Sock != s || o.Addr != d.Addr {
		t.Errorf("Oversize(1301) = %+v, %v; want TCP", o, ok)
	}
	if o, ok := m.Oversize(d, 1300); ok {
		t.Errorf("Oversize(1300) = %+v; it fits", o)
	}
}
