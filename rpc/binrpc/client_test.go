package binrpc

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"sipd/rpc"
)

func TestClientOverEveryTransport(t *testing.T) {
	s := serve(t, &Server{}, unixAddr(t, "unixs"), unixAddr(t, "unixd"),
		Address{Net: "tcp", Host: "127.0.0.1"}, Address{Net: "udp", Host: "127.0.0.1"})
	for _, k := range s.net.Addresses() {
		c, err := Dial(t.Context(), k, Options{Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			got, err := c.Call(t.Context(), "core.echo", rpc.String("one"), rpc.Int(-2))
			if err != nil || len(got) != 2 || got[0] != rpc.String("one") || got[1] != rpc.String("-2") {
				t.Errorf("%s: echo = %v, %v", k, got, err)
			}
		}
		_, err = c.Call(t.Context(), "no.such")
		if f, ok := errors.AsType[*rpc.Fault](err); !ok || *f != (rpc.Fault{Code: 500, Text: "command no.such not found"}) {
			t.Errorf("%s: unknown method = %v", k, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: Close = %v", k, err)
		}
		if c.remove != "" {
			if _, err := os.Lstat(c.remove); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: the local name %s was left behind", k, c.remove)
			}
		}
	}
}

func TestReplyInPieces(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	long := rpc.String(strings.Repeat("y", 4000))
	go func() {
		in := make([]byte, 1000)
		n, from, err := l.ReadFrom(in)
		if err != nil {
			return
		}
		h, _ := ParseHeader(in[:n])
		late, _ := AppendReply(nil, h.Cookie-1, []rpc.Value{rpc.String("late")}, 1<<20)
		_, _ = l.WriteTo(late, from)
		out, _ := AppendReply(nil, h.Cookie, []rpc.Value{long}, 1<<20)
		for len(out) > 0 {
			n := min(1500, len(out))
			_, _ = l.WriteTo(out[:n], from)
			out = out[n:]
		}
	}()
	c, err := Dial(t.Context(), Address{Net: "udp", Host: "127.0.0.1", Port: l.LocalAddr().(*net.UDPAddr).Port}, Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got, err := c.Call(t.Context(), "x"); err != nil || len(got) != 1 || got[0] != long {
		t.Errorf("Call = %d values, %v; want the whole text", len(got), err)
	}
}

func TestClientRefusesBadReplies(t *testing.T) {
	for _, tt := range []struct{ name, reply, want string }{
		{"another cookie", "a11003ff216100", "cookie"},
		{"a request", "COOKIE00", "type 0"},
		{"no packet", "474554202f", "corrupted"},
		{"closed", "", "EOF"},
		{"fault without text", "COOKIE31" + "1001", "without code and text"},
		{"broken record", "COOKIE13" + "41", "more data needed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer func() { _ = c.Close() }()
				h, _ := ParseHeader(readPacket(t, c))
				out := tt.reply
				if rest, ok := strings.CutPrefix(out, "COOKIE"); ok { // type, then body
					typ := map[string]byte{"00": typeRequest, "31": typeFault, "13": typeReply}[rest[:2]]
					p := open(nil)
					p.b = append(p.b, unhex(t, rest[2:])...)
					out = hex.EncodeToString(p.close(typ, h.Cookie))
				}
				_, _ = c.Write(unhex(t, out))
			})
			c, err := Dial(t.Context(), Address{Net: "tcp", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}, Options{Timeout: patience})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			_, err = c.Call(t.Context(), "x")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Call = %v, want an error about %q", err, tt.want)
			}
			if _, again := c.Call(t.Context(), "x"); !errors.Is(again, err) {
				t.Errorf("the next Call = %v, want the same error", again)
			}
		})
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := Dial(t.Context(), Address{Net: "udp", Host: "127.0.0.1", Port: l.LocalAddr().(*net.UDPAddr).Port}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		buf := make([]byte, 1000)
		_, _, _ = l.ReadFrom(buf) // the request is out: give up
		cancel()
		n, from, err := l.ReadFrom(buf)
		if err != nil {
			return
		}
		h, _ := ParseHeader(buf[:n])
		out, _ := AppendReply(nil, h.Cookie, nil, 100)
		_, _ = l.WriteTo(out, from)
	}()
	if _, err := c.Call(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Call whose context ended = %v, want context.Canceled", err)
	}
	if _, err := c.Call(t.Context(), "x"); err != nil {
		t.Errorf("the next call of a datagram client = %v, want nil", err)
	}
}
