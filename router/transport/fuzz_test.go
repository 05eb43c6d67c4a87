package transport

import (
	"bytes"
	"io"
	"net/netip"
	"testing"

	"sipd/router/sip"
)

// FuzzReader feeds a stream in two pieces: each message handed on stands in the
// stream, in order, and is what the framer finds; a split changes nothing.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		message(1, 5) + message(2, 0), "\r\n\r\n" + message(3, 1), "\r\n\n\r", "GET / HTTP/1.1\r\n\r\n",
		"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n", "POST /x HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc" + message(4, 2),
	} {
		f.Add([]byte(s), 10, true)
		f.Add([]byte(s), 3, false)
	}
	f.Fuzz(func(t *testing.T, stream []byte, split int, noLength bool) {
		read := func(pieces ...[]byte) (got [][]byte) {
			v := newVars(t, nil)
			if noLength {
				v.set(t, "tcp.accept_no_cl", 1)
			}
			o := v.options(func(b []byte, _ Received) { got = append(got, bytes.Clone(b)) })
			o.Foreign = func(string, Received, io.Writer) bool { return true }
			o.TCP.MaxMessage = 4096
			m := NewManager(o)
			c := m.tcp.newConn(NewSocket(TCP, netip.MustParseAddrPort("127.0.0.1:5060")), netip.MustParseAddrPort("127.0.0.1:1"))
			r := reader{c: c, frame: sip.Framer{Max: 4096}}
			for _, p := range pieces {
				r.buf = append(r.buf[:r.n], p...)
				r.n = len(r.buf)
				if r.n > 0 && r.take() != nil {
					break
				}
			}
			return got
		}
		whole := read(stream)
		at := 0
		for _, b := range whole {
			i := bytes.Index(stream[at:], b)
			if len(b) == 0 || i < 0 {
				t.Fatalf("a message that is not in the stream: %q", b)
			}
			at += i + len(b)
		}
		if split < 0 || split > len(stream) {
			return
		}
		if parts := read(stream[:split], stream[split:]); len(parts) < len(whole) {
			t.Fatalf("split at %d: %d messages, %d without", split, len(parts), len(whole))
		}
	})
}
