package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"sipd/router/transport/certtest"
)

// keys are TLS settings with one certificate for both sides.
type keys struct {
	server, client *tls.Config
	limit          time.Duration
}

func (k *keys) Server(_, _ netip.AddrPort) (*tls.Config, error) { return k.server, nil }

func (k *keys) Client(netip.AddrPort) (*tls.Config, error) {
	if k.client == nil {
		return nil, errors.New("no client settings")
	}
	return k.client, nil
}

func (k *keys) HandshakeTime() time.Duration { return k.limit }

func (k *keys) Lifetime() time.Duration { return time.Hour }

func newKeys(t testing.TB) *keys {
	t.Helper()
	ca := certtest.New(t, "ca")
	return &keys{
		server: &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, time.Hour, "example.com")}},
		client: &tls.Config{RootCAs: ca.Pool(), ServerName: "example.com"},
		limit:  patience,
	}
}

// secured is a manager with a TLS socket that answers each message with it.
func secured(t *testing.T, v *vars, k *keys, got chan Received) (*Manager, *Socket) {
	t.Helper()
	var m *Manager
	o := v.options(func(b []byte, r Received) {
		if got != nil {
			got <- r
		}
		if err := m.Send(Dest{Proto: r.Proto, Addr: r.Src, Sock: r.Sock, Conn: r.Conn}, b); err != nil {
			t.Logf("Send over the connection: %v", err) // the peer may be gone; who waits for the echo fails
		}
	})
	m = NewManager(o)
	m.Secure(k)
	s := listen(t, m, TLS, "127.0.0.1:0")
	serve(t, m)
	return m, s
}

func dialTLS(t *testing.T, s *Socket, k *keys) *tls.Conn {
	t.Helper()
	c := tls.Client(dial(t, s), k.client)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTLS sends messages both ways over one connection, large ones too.
func TestTLS(t *testing.T) {
	got := make(chan Received, 10)
	k := newKeys(t)
	m, s := secured(t, newVars(t, nil), k, got)
	c := dialTLS(t, s, k)
	for i, size := range []int{0, 100, 40000} {
		text := message(i, size)
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		expect(t, c, text)
		r := <-got
		if r.Proto != TLS || r.Sock != s {
			t.Fatalf("received over %s on %v, want TLS on %v", r.Proto, r.Sock, s)
		}
		st, ok := m.TLSState(r.Conn)
		if !ok || st.Version != tls.VersionTLS13 || !st.HandshakeComplete {
			t.Errorf("TLSState = %+v, %v; want TLS 1.3, done", st, ok)
		}
	}
	if st := m.Counters(); st.TCPAccepted.Value() != 1 {
		t.Errorf("%d connections accepted, want 1", st.TCPAccepted.Value())
	}
	if conns := m.Conns(); len(conns) != 1 || conns[0].Proto != TLS {
		t.Errorf("Conns = %+v, want one of TLS", conns)
	}
}

// TestTLSConnect sends to a peer: the connection is made, then used again, and
// not for TCP to the same place.
func TestTLSConnect(t *testing.T) {
	k := newKeys(t)
	got := make(chan Received, 10)
	_, s := secured(t, newVars(t, nil), k, got)
	from := NewManager(newVars(t, nil).options(func([]byte, Received) {}))
	from.Secure(k)
	listen(t, from, TLS, "127.0.0.1:0")
	listen(t, from, TCP, "127.0.0.1:0")
	serve(t, from)
	for i := range 3 {
		if err := from.Send(Dest{Proto: TLS, Addr: s.Addr}, []byte(message(i, 10))); err != nil {
			t.Fatal(err)
		}
	}
	first := <-got
	for range 2 {
		if r := <-got; r.Conn != first.Conn {
			t.Errorf("message over connection %d, want %d again", r.Conn, first.Conn)
		}
	}
	if err := from.Send(Dest{Proto: TCP, Addr: s.Addr, NoConnect: true}, []byte(message(9, 0))); !errors.Is(err, ErrNoConn) {
		t.Errorf("TCP to the peer of a TLS connection: %v, want ErrNoConn", err)
	}
}

// TestTLSRefused: what is no TLS, what nobody trusts, and what takes too long
// end the connection, and others go on.
func TestTLSRefused(t *testing.T) {
	k := newKeys(t)
	k.limit = 200 * time.Millisecond
	m, s := secured(t, newVars(t, nil), k, nil)
	plain := dial(t, s)
	if _, err := plain.Write([]byte(message(1, 0))); err != nil {
		t.Fatal(err)
	}
	readToEnd(t, plain)
	readToEnd(t, dial(t, s)) // says nothing
	other := newKeys(t)
	if err := tls.Client(dial(t, s), other.client).Handshake(); err == nil {
		t.Error("a client that does not trust the certificate connects")
	}
	until(t, "failed handshakes counted", func() bool { return m.Counters().TLSHandshakeFailed.Value() == 3 })
	c := dialTLS(t, s, k)
	if _, err := c.Write([]byte(message(2, 0))); err != nil {
		t.Fatal(err)
	}
	expect(t, c, message(2, 0))
}

// readToEnd reads until the peer closes.
func readToEnd(t *testing.T, c net.Conn) {
	t.Helper()
	b := make([]byte, 1024)
	for {
		if _, err := c.Read(b); err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				t.Fatal("the connection was not closed")
			}
			return
		}
	}
}

// TestTLSLimits: as many connections as tcp.max_tls_connections allows, and
// none without settings.
func TestTLSLimits(t *testing.T) {
	k := newKeys(t)
	m, s := secured(t, newVars(t, map[string]int{"tcp.max_tls_connections": 1}), k, nil)
	first := dialTLS(t, s, k)
	if err := tls.Client(dial(t, s), k.client).Handshake(); err == nil {
		t.Error("a second connection was accepted")
	}
	_ = first.Close()
	until(t, "the connection is gone", func() bool { return len(m.Conns()) == 0 })
	dialTLS(t, s, k)

	bare := NewManager(newVars(t, nil).options(func([]byte, Received) {}))
	b := listen(t, bare, TLS, "127.0.0.1:0")
	serve(t, bare)
	if err := tls.Client(dial(t, b), k.client).Handshake(); err == nil {
		t.Error("a handshake succeeds without settings")
	}
}
