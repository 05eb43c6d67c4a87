package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what must happen at once.
const patience = 10 * time.Second

// serve runs a manager until the test ends.
func serve(t testing.TB, m *Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve did not return")
		}
	})
}

func listen(t testing.TB, m *Manager, p Proto, addr string) *Socket {
	t.Helper()
	s, err := m.Listen(p, netip.MustParseAddrPort(addr))
	if err != nil {
		if strings.HasPrefix(addr, "[") && errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Skip("no IPv6 here")
		}
		t.Fatalf("Listen(%s, %s): %v", p, addr, err)
	}
	return s
}

func echo(m **Manager) Handler {
	return func(b []byte, r Received) {
		if err := (*m).Send(Dest{Proto: r.Proto, Addr: r.Src, Sock: r.Sock, Conn: r.Conn}, b); err != nil {
			panic(err)
		}
	}
}

func udpClient(t testing.TB, to *Socket) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to.Addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(t testing.TB, c net.Conn, msg string) string {
	t.Helper()
	if _, err := c.Write([]byte(msg)); err != nil {
		t.Fatalf("write: %v", err)
	}
	b := make([]byte, 65536)
	n, err := c.Read(b)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b[:n])
}

func TestUDPEcho(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			var m *Manager
			var got atomic.Pointer[Received]
			m = NewManager(Options{Handler: func(b []byte, r Received) {
				got.Store(&r)
				echo(&m)(b, r)
			}})
			s := listen(t, m, UDP, addr)
			serve(t, m)
			c := udpClient(t, s)
			for i := range 100 {
				want := fmt.Sprintf("message %d", i)
				if have := ask(t, c, want); have != want {
					t.Fatalf("echo = %q, want %q", have, want)
				}
			}
			r := got.Load()
			if r.Src != c.LocalAddr().(*net.UDPAddr).AddrPort() || r.Dst != s.Addr || r.Sock != s || r.Proto != UDP {
				t.Errorf("Received = %+v, want src %s dst %s", r, c.LocalAddr(), s.Addr)
			}
			big := strings.Repeat("x", 60000)
			if have := ask(t, c, big); have != big {
				t.Errorf("a large datagram came back with %d octets, want %d", len(have), len(big))
			}
		})
	}
}

// One handler that blocks must not keep others from running.
func TestUDPBlockedHandler(t *testing.T) {
	release := make(chan struct{})
	var m *Manager
	m = NewManager(Options{UDPWorkers: 4, Handler: func(b []byte, r Received) {
		if string(b) == "block" {
			<-release
		}
		echo(&m)(b, r)
	}})
	s := listen(t, m, UDP, "127.0.0.1:0")
	serve(t, m)
	blocked := udpClient(t, s)
	for range 3 {
		if _, err := blocked.Write([]byte("block")); err != nil {
			t.Fatal(err)
		}
	}
	c := udpClient(t, s)
	for range 200 {
		ask(t, c, "go on")
	}
	close(release)
	b := make([]byte, 10)
	for range 3 {
		if n, err := blocked.Read(b); err != nil || string(b[:n]) != "block" {
			t.Fatalf("blocked message: %q, %v", b[:n], err)
		}
	}
	for range 200 { // and the socket goes on as before
		ask(t, c, "go on")
	}
}

func TestListenErrors(t *testing.T) {
	m := NewManager(Options{})
	defer m.Close()
	s := listen(t, m, UDP, "127.0.0.1:0")
	for _, tt := range []struct {
		p    Proto
		addr netip.AddrPort
		want string
	}{
		{UDP, s.Addr, "another program"},
		{UDP, netip.MustParseAddrPort("192.0.2.1:5060"), "does not have that address"},
		{SCTP, s.Addr, "not served"},
	} {
		if _, err := m.Listen(tt.p, tt.addr); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.addr.String()) {
			t.Errorf("Listen(%s, %s) = %v, want the address and %q", tt.p, tt.addr, err, tt.want)
		}
	}
}

func TestSendErrors(t *testing.T) {
	m := NewManager(Options{})
	s := listen(t, m, UDP, "127.0.0.1:0")
	to := netip.MustParseAddrPort("127.0.0.1:9")
	for _, tt := range []struct {
		name string
		d    Dest
		size int
		want error
	}{
		{"too big", Dest{Proto: UDP, Addr: to}, 65535, ErrTooBig},
		{"family", Dest{Proto: UDP, Addr: netip.MustParseAddrPort("[::1]:9")}, 1, ErrNoSocket},
		{"protocol", Dest{Proto: SCTP, Addr: to}, 1, ErrProto},
		{"no TCP socket", Dest{Proto: TCP, Addr: to}, 1, ErrNoSocket},
	} {
		if err := m.Send(tt.d, make([]byte, tt.size)); !errors.Is(err, tt.want) {
			t.Errorf("%s: Send = %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Send(Dest{Proto: UDP, Addr: to, Sock: s}, []byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("Send after Close = %v, want ErrClosed", err)
	}
	if _, err := m.Listen(UDP, s.Addr); !errors.Is(err, ErrClosed) {
		t.Errorf("Listen after Close = %v, want ErrClosed", err)
	}
}

func TestChoose(t *testing.T) {
	m := NewManager(Options{})
	defer m.Close()
	u1 := listen(t, m, UDP, "127.0.0.1:0")
	u2 := listen(t, m, UDP, "127.0.0.2:0")
	t2 := listen(t, m, TCP, u2.HostPort())
	to := netip.MustParseAddrPort("127.0.0.9:5060")
	for _, tt := range []struct {
		name string
		d    Dest
		want *Socket
	}{
		{"default", Dest{Proto: UDP, Addr: to}, u1},
		{"given", Dest{Proto: UDP, Addr: to, Sock: u2}, u2},
		{"given, other protocol", Dest{Proto: TCP, Addr: to, Sock: u2}, t2},
		{"given, no counterpart", Dest{Proto: TCP, Addr: to, Sock: u1}, t2},
		{"other family", Dest{Proto: UDP, Addr: netip.MustParseAddrPort("[::1]:5060"), Sock: u1}, nil},
		{"not served", Dest{Proto: WS, Addr: to}, nil},
	} {
		if got := m.Choose(tt.d); got != tt.want {
			t.Errorf("%s: Choose = %v, want %v", tt.name, got, tt.want)
		}
	}
	if s := m.SocketFor(TCP, "127.0.0.2", u2.Addr.Port()); s != t2 {
		t.Errorf("SocketFor(tcp) = %v, want %v", s, t2)
	}
	if s := m.SocketFor(ProtoNone, "127.0.0.2", 0); s != u2 {
		t.Errorf("SocketFor(any, no port) = %v, want %v", s, u2)
	}
	if s := m.SocketFor(UDP, "localhost", 0); s != nil {
		t.Errorf("SocketFor(name) = %v, want none", s)
	}
}

// BenchmarkUDPEcho is the cost of a datagram there and back, client included.
func BenchmarkUDPEcho(b *testing.B) {
	for _, window := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			var m *Manager
			m = NewManager(Options{Handler: func(d []byte, r Received) {
				_ = m.Send(Dest{Proto: UDP, Addr: r.Src, Sock: r.Sock}, d)
			}})
			s := listen(b, m, UDP, "127.0.0.1:0")
			serve(b, m)
			c := udpClient(b, s)
			if err := c.SetDeadline(time.Time{}); err != nil {
				b.Fatal(err)
			}
			msg, in := []byte(strings.Repeat("x", 400)), make([]byte, 2048)
			for range window {
				_, _ = c.Write(msg)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Read(in); err != nil {
					b.Fatal(err)
				}
				_, _ = c.Write(msg)
			}
		})
	}
}

// Receiving, handling and answering a datagram allocates nothing.
func TestUDPAllocs(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			var m *Manager
			m = NewManager(Options{Handler: func(b []byte, r Received) {
				_ = m.Send(Dest{Proto: UDP, Addr: r.Src, Sock: r.Sock}, b)
			}})
			s := listen(t, m, UDP, addr)
			serve(t, m)
			c := udpClient(t, s)
			msg, in := []byte("hello"), make([]byte, 100)
			turn := func() {
				if _, err := c.Write(msg); err != nil {
					t.Error(err)
				}
				if _, err := c.Read(in); err != nil {
					t.Error(err)
				}
			}
			for range 100 {
				turn()
			}
			if n := testing.AllocsPerRun(500, turn); n != 0 {
				t.Errorf("a datagram costs %v allocations, want none", n)
			}
		})
	}
}

// What piles up behind a leader that is busy is helped with.
func TestUDPBacklog(t *testing.T) {
	m := NewManager(Options{})
	defer m.Close()
	s := listen(t, m, UDP, "127.0.0.1:0")
	c := udpClient(t, s)
	if backlogged(s.udp) {
		t.Error("an idle socket has a backlog")
	}
	big := make([]byte, 32<<10)
	for range 1000 {
		if _, err := c.Write(big); err != nil {
			t.Fatal(err)
		}
		if backlogged(s.udp) {
			return
		}
	}
	t.Error("1000 datagrams of 32 KiB make no backlog")
}

// Handlers that block one after another: all workers take part.
func TestUDPParallel(t *testing.T) {
	const workers = 4
	in := make(chan struct{}, workers)
	out := make(chan struct{})
	m := NewManager(Options{UDPWorkers: workers, Handler: func([]byte, Received) {
		in <- struct{}{}
		<-out
	}})
	s := listen(t, m, UDP, "127.0.0.1:0")
	serve(t, m)
	c := udpClient(t, s)
	for range workers {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range workers {
		select {
		case <-in:
		case <-time.After(patience):
			t.Fatalf("%d handlers run at once, want %d", i, workers)
		}
	}
	close(out)
}
