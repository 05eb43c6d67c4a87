package registrar_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sipd/router/livetest"
)

const liveConfig = `
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "timer_interval", 1)
modparam("registrar", "min_expires", 1)
PARAM
request_route {
	if (is_method("REGISTER")) { save("location"); exit; }
	if (lookup("location")) sl_send_reply("200", "Here"); else sl_send_reply("404", "Gone");
}
`

// register registers a contact over a connection of its own.
func register(t *testing.T, d *livetest.Daemon, expires int) net.Conn {
	t.Helper()
	c := dial(t, d.Addr)
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	me := c.LocalAddr().String()
	fmt.Fprintf(c, "REGISTER sip:%[1]s SIP/2.0\r\nVia: SIP/2.0/TCP %[2]s;branch=z9hG4bK1\r\nFrom: <sip:bob@h>;tag=1\r\nTo: <sip:bob@h>\r\nCall-ID: tcp\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 9\r\n"+
		"Contact: <sip:bob@%[2]s;transport=tcp>\r\nExpires: %[3]d\r\nContent-Length: 0\r\n\r\n", d.Addr, me, expires)
	b := make([]byte, 4096)
	reply := ""
	for !strings.HasSuffix(reply, "\r\n\r\n") {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		reply += string(b[:n])
	}
	if !strings.HasPrefix(reply, "SIP/2.0 200 ") {
		t.Fatalf("REGISTER is answered\n%s", reply)
	}
	return c
}

// dial connects; Kamailio listens over UDP first.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(time.Minute); ; <-tick.C {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}

// ask is the reply to a request to bob.
func ask(p *livetest.Peer, n int) string {
	p.Send(fmt.Sprintf("OPTIONS sip:bob@h SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bKask%[1]d\nFrom: <sip:a@h>;tag=1\nTo: <sip:bob@h>\nCall-ID: ask\nCSeq: %[1]d OPTIONS\nMax-Forwards: 9\n", n))
	return p.Recv()
}

// TestLostConnection: a contact whose connection is gone is not found, or goes.
func TestLostConnection(t *testing.T) {
	for _, param := range []string{`modparam("registrar", "lookup_filter_mode", 2)`, `modparam("usrloc", "handle_lost_tcp", 1)`} {
		t.Run(param, func(t *testing.T) {
			livetest.Each(t, strings.Replace(liveConfig, "PARAM", param, 1), func(t *testing.T, d *livetest.Daemon) {
				c, p := register(t, d, 600), d.Peer(t)
				if got := ask(p, 1); !strings.HasPrefix(got, "SIP/2.0 200 ") {
					t.Fatalf("while there is a connection:\n%s", got)
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for n, limit := 2, time.Now().Add(time.Minute); !strings.HasPrefix(ask(p, n), "SIP/2.0 404 "); n++ {
					if time.Now().After(limit) {
						t.Fatal("the contact is still found")
					}
					<-tick.C
				}
			})
		})
	}
}

// TestCloseExpired: the connection of a contact that ends is closed.
func TestCloseExpired(t *testing.T) {
	config := strings.Replace(liveConfig, "PARAM", `modparam("usrloc", "close_expired_tcp", 1)`, 1)
	livetest.Each(t, config, func(t *testing.T, d *livetest.Daemon) {
		if _, err := register(t, d, 1).Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the connection ends with %v", err)
		}
	})
}
