package binrpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what must happen at once; a test that reaches it failed.
const patience = 10 * time.Second

// registry has the methods that the recordings call.
func registry(t testing.TB) *rpc.Registry {
	t.Helper()
	echo := func(_ context.Context, c *rpc.Call) error {
		for i := range c.Len() {
			c.Add(c.Arg(i))
		}
		return nil
	}
	repeat := func(typ rpc.Type, convert bool) []rpc.Param {
		return []rpc.Param{{Name: "value", Type: typ, Optional: true, Convert: convert, Rest: true}}
	}
	r := rpc.NewRegistry()
	err := r.Add(
		&rpc.Method{Name: "core.echo", Params: repeat(rpc.TString, true), Handler: echo},
		&rpc.Method{Name: "core.prints", Params: repeat(rpc.TString, false), Handler: echo},
		&rpc.Method{Name: "core.printi", Params: repeat(rpc.TInt, false), Handler: echo},
		&rpc.Method{Name: "core.flags", Handler: func(_ context.Context, c *rpc.Call) error {
			c.Add(rpc.String("flags"))
			return nil
		}},
		&rpc.Method{Name: "core.uptime", Handler: func(_ context.Context, c *rpc.Call) error {
			c.Add(rpc.Struct{rpc.M("uptime", rpc.Int(17))})
			return nil
		}},
		&rpc.Method{
			Name: "cfg.get", Params: []rpc.Param{{Name: "group", Type: rpc.TString}},
			BadParams: &rpc.Fault{Code: 500, Text: "Failed to get the parameters"}, Handler: echo,
		},
		&rpc.Method{Name: "test.panic", Handler: func(context.Context, *rpc.Call) error { panic("on purpose") }},
		&rpc.Method{Name: "test.panic_later", Handler: func(_ context.Context, c *rpc.Call) error {
			c.Add(rpc.Stream(func(func(rpc.Member) bool) { panic("on purpose") }))
			return nil
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serve starts a server on the addresses and returns it; the test's end stops it.
func serve(t testing.TB, s *Server, addrs ...Address) *Server {
	t.Helper()
	if s.Registry == nil {
		s.Registry = registry(t)
	}
	s.Log = slog.New(slog.DiscardHandler)
	if s.File == (FileMode{}) {
		s.File = FileMode{UID: -1, GID: -1}
	}
	for _, a := range addrs {
		if err := s.Listen(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return s
}

func unixAddr(t testing.TB, kind string) Address {
	t.Helper()
	return Address{Net: kind, Path: filepath.Join(t.TempDir(), "ctl")}
}

// connect opens a raw connection.
func connect(t testing.TB, a Address) net.Conn {
	t.Helper()
	network, to := a.Net, a.Path
	if a.Path == "" {
		to = a.HostPort()
	} else {
		network = "unix"
	}
	c, err := net.Dial(network, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// readPacket reads one packet; nil at the end of the stream.
func readPacket(t testing.TB, c io.Reader) []byte {
	t.Helper()
	b := make([]byte, minHeader)
	if _, err := io.ReadFull(c, b); err != nil {
		if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("read: %v", err)
		}
		return nil
	}
	for {
		h, err := ParseHeader(b)
		n := 1
		if err == nil {
			if n = h.Size + h.Len - len(b); n == 0 {
				return b
			}
		}
		more := make([]byte, n)
		if _, err := io.ReadFull(c, more); err != nil {
			t.Fatalf("read after %x: %v", b, err)
		}
		b = append(b, more...)
	}
}

// notAsKamailio are the recorded cases where a real server misbehaves, with
// what ours answers: "" for what the test leaves out.
var notAsKamailio = map[string]string{
	"null string 01, then a string":                        "a110050111002" + "17a00",
	"string that is not ended by a zero, another after it": fault("error at parameter 0: expected string type but bad record"),
	"method name not ended by a zero":                      fault("bad request method: bad record"),
	"int where double is expected (ul.add q)":              "",
	"3 octets only": "",
	"4 octets only": "",
	"body length larger than what is sent: waits":                      "",
	"method name of 300 octets: the fault text would be over 255":      "",
	"method name with an outer length although short: 91 05, a1 00 05": "",
}

func fault(text string) string {
	return hex.EncodeToString(AppendFault(nil, 1, &rpc.Fault{Code: 400, Text: text}))
}

type exchange struct {
	title     string
	sent, got []string
	closed    bool
}

// readExchanges reads the stream cases of the recorded odd packets.
func readExchanges(t *testing.T) []exchange {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(rpctest.Dir(t), "_binrpc.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange
	for _, block := range strings.Split("\n"+string(data), "\n== ")[1:] {
		title, body, _ := strings.Cut(block, "\n")
		if strings.HasPrefix(title, "unixd:") || strings.HasPrefix(title, "udp:") || strings.Contains(body, "octets)") {
			continue
		}
		e := exchange{title: title, closed: strings.Contains(body, "the server closed the connection")}
		for _, line := range strings.Split(body, "\n") {
			if h, ok := strings.CutPrefix(line, "> "); ok {
				e.sent = append(e.sent, h)
			} else if h, ok := strings.CutPrefix(line, "< "); ok {
				e.got = append(e.got, h)
			}
		}
		out = append(out, e)
	}
	return out
}

// TestOddPackets plays the recorded odd, broken and split packets to the
// server and wants the recorded answers.
func TestOddPackets(t *testing.T) {
	a := unixAddr(t, "unixs")
	serve(t, &Server{}, a)
	n := 0
	for _, e := range readExchanges(t) {
		want := e.got
		if own, differs := notAsKamailio[e.title]; differs {
			if own == "" {
				continue
			}
			want = []string{own}
			e.closed = strings.Contains(e.title, "method name")
		}
		n++
		t.Run(e.title, func(t *testing.T) {
			c := connect(t, a)
			for _, h := range e.sent {
				if _, err := c.Write(unhex(t, h)); err != nil {
					t.Fatal(err)
				}
			}
			for i, w := range want {
				got := readPacket(t, c)
				if !sameReply(got, unhex(t, w)) {
					t.Errorf("answer %d is\n%x\nwant\n%s", i, got, w)
				}
			}
			if e.closed {
				if more := readPacket(t, c); more != nil {
					t.Errorf("after it came %x, want the end of the connection", more)
				}
				return
			}
			// Nothing else came, and the connection is of use.
			echo, _ := AppendRequest(nil, 9, "core.echo", []rpc.Value{rpc.String("alive")})
			if _, err := c.Write(echo); err != nil {
				t.Fatal(err)
			}
			alive, _ := AppendReply(nil, 9, []rpc.Value{rpc.String("alive")}, 100)
			if got := readPacket(t, c); !bytes.Equal(got, alive) {
				t.Errorf("the next request got %x, want %x", got, alive)
			}
		})
	}
	if n < 55 {
		t.Errorf("only %d cases were found", n)
	}
}

// sameReply compares packets; what core.flags and core.uptime answer is not
// compared.
func sameReply(got, want []byte) bool {
	if bytes.Contains(want, []byte("USE_TCP")) {
		return bytes.Contains(got, []byte("flags"))
	}
	if bytes.Contains(want, []byte("up_since")) {
		return bytes.Contains(got, []byte("uptime"))
	}
	return bytes.Equal(got, want)
}

func TestSizes(t *testing.T) {
	a := unixAddr(t, "unixs")
	serve(t, &Server{MaxBody: DefaultMaxBody}, a)
	overflow := tooLong(true, DefaultMaxBody).Text
	for _, tt := range []struct {
		name string
		text int
		want string // fault text, or "" for an echo
	}{
		{"a reply of exactly the limit", 32764, ""},
		{"a reply one over the limit", 32765, overflow},
		{"a reply far over the limit", 40000, overflow},
		{"a long method in the fault", -300, "command " + strings.Repeat("m", 246)},
	} {
		method, arg := "core.echo", strings.Repeat("x", max(tt.text, 0))
		if tt.text < 0 {
			method = strings.Repeat("m", -tt.text)
		}
		c, err := Dial(t.Context(), a, Options{Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		vals, err := c.Call(t.Context(), method, rpc.String(arg))
		if f, ok := errors.AsType[*rpc.Fault](err); ok != (tt.want != "") || (ok && f.Text != tt.want) {
			t.Errorf("%s: %v, want fault %q", tt.name, err, tt.want)
		} else if !ok && (len(vals) != 1 || vals[0] != rpc.String(arg)) {
			t.Errorf("%s: not the same came back", tt.name)
		}
		_ = c.Close()
	}
}

func TestLongestRequest(t *testing.T) {
	a := unixAddr(t, "unixs")
	serve(t, &Server{}, a)
	for _, tt := range []struct {
		total    int
		answered bool
	}{{65534, true}, {65535, true}, {65536, false}, {1 << 20, false}} {
		c := connect(t, a)
		p := open(nil)
		p.b = appendText(p.b, tString, "core.flags")
		p.b = appendText(p.b, tString, strings.Repeat("x", tt.total-len(p.b)-4-10))
		for len(p.close(typeRequest, 1)) < tt.total {
			p.b = append(p.b, 0) // ints after the last parameter
		}
		packet := p.close(typeRequest, 1)
		go func() { _, _ = c.Write(packet) }()
		got := readPacket(t, c)
		if (got != nil) != tt.answered {
			t.Errorf("a request of %d octets got %.40x; answered should be %v", len(packet), got, tt.answered)
		}
	}
}

// TestHostilePackets are those that hang or end a real server.
func TestHostilePackets(t *testing.T) {
	a := unixAddr(t, "unixs")
	serve(t, &Server{}, a)
	c := connect(t, a)
	if _, err := c.Write(unhex(t, "a10e8c5db0c04960a58bfaea")); err != nil {
		t.Fatal(err)
	}
	if got := readPacket(t, c); got != nil {
		t.Errorf("a length of 2.3 GB got %x, want the end of the connection", got)
	}
	c = connect(t, a)
	body := "91086366672e67657400" + "e1027e96be9e956c"
	if _, err := c.Write(unhex(t, fmt.Sprintf("a100%02x01", len(body)/2)+body)); err != nil {
		t.Fatal(err)
	}
	want := AppendFault(nil, 1, &rpc.Fault{Code: 500, Text: "Failed to get the parameters"})
	if got := readPacket(t, c); !bytes.Equal(got, want) {
		t.Errorf("a record of negative length got %x, want %x", got, want)
	}
}

func TestPanicIsAFault(t *testing.T) {
	a := unixAddr(t, "unixs")
	serve(t, &Server{}, a)
	c, err := Dial(t.Context(), a, Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, m := range []string{"test.panic", "test.panic_later"} {
		_, err := c.Call(t.Context(), m)
		if f, ok := errors.AsType[*rpc.Fault](err); !ok || f.Code != 500 || strings.Contains(f.Text, "purpose") {
			t.Errorf("%s: %v, want fault 500 without the reason", m, err)
		}
	}
	if v, err := c.Call(t.Context(), "core.echo", rpc.String("x")); err != nil || len(v) != 1 {
		t.Errorf("after panics: %v, %v", v, err)
	}
}

func TestConnectionLimit(t *testing.T) {
	a := unixAddr(t, "unixs")
	s := serve(t, &Server{MaxConns: 2}, a)
	echo, _ := AppendRequest(nil, 1, "core.flags", nil)
	var open []net.Conn
	for range 2 {
		c := connect(t, a)
		if _, err := c.Write(echo); err != nil || readPacket(t, c) == nil {
			t.Fatal("a connection within the limit was not served", err)
		}
		open = append(open, c)
	}
	if got := len(s.Conns()); got != 2 {
		t.Errorf("Conns = %d, want 2", got)
	}
	if got := readPacket(t, connect(t, a)); got != nil {
		t.Errorf("the third connection got %x, want its end", got)
	}
	_ = open[0].Close()
	for { // the server sees the end in its own time; patience is the connection's
		c := connect(t, a)
		if _, err := c.Write(echo); err == nil && readPacket(t, c) != nil {
			break
		}
	}
}

func TestConnsTellWhoIsThere(t *testing.T) {
	a := unixAddr(t, "unixs")
	s := serve(t, &Server{}, a, Address{Net: "tcp", Host: "127.0.0.1"}, Address{Net: "udp", Host: "127.0.0.1"}, unixAddr(t, "unixd"))
	socks := s.Sockets()
	if len(socks) != 4 || socks[0] != (Socket{Handler: "binrpc", Transport: "unix_stream", Address: a.Path}) || socks[1].Transport != "tcp" ||
		socks[2].Transport != "udp" || socks[3].Transport != "unix_dgram" || socks[1].Port == "0" {
		t.Errorf("Sockets = %+v", socks)
	}
	for i, want := range []string{"<anonymous unix socket>", "127.0.0.1"} {
		c := connect(t, s.net.Addresses()[i])
		flags, _ := AppendRequest(nil, 1, "core.flags", nil)
		if _, err := c.Write(flags); err != nil || readPacket(t, c) == nil {
			t.Fatal("not served", err)
		}
		found := false
		for _, got := range s.Conns() {
			found = found || got.Socket == socks[i] && got.Peer == want && (got.PeerPort != "") == (i == 1)
		}
		if !found {
			t.Errorf("no connection of %s at %+v in %+v", want, socks[i], s.Conns())
		}
	}
}

// TestDatagrams sends what deserves no answer and then something that does.
func TestDatagrams(t *testing.T) {
	s := serve(t, &Server{}, Address{Net: "udp", Host: "127.0.0.1"})
	for _, tt := range []struct{ name, in, want string }{
		{"half a packet", "a1002201910a636f7265", ""},
		{"three octets", "a10001", ""},
		{"garbage", "6761726261676521", "a1302300200190911e62616420726571756573743a20636f72727570746564207061636b657400"},
		{"two in one: the second is ignored", "a1000f01910a636f72652e6563686f00213100a1000f02910a636f72652e6563686f00213200", "a1100301213100"},
		{"octets after the packet", "a1000f01910a636f72652e6563686f002131007878", "a1100301213100"},
		{"no method", "a1000001", "a1303301200190912e6261642072657175657374206d6574686f643a20656e64206f66207061636b657420656e636f756e746572656400"},
	} {
		c := connect(t, s.net.Addresses()[0])
		if _, err := c.Write(unhex(t, tt.in)); err != nil {
			t.Fatal(err)
		}
		if tt.want == "" { // the answer to the next one must be the first to come
			tt.want = "a1100309213900"
			if _, err := c.Write(unhex(t, "a1000f09910a636f72652e6563686f00213900")); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, 1<<16)
		n, err := c.Read(buf)
		if err != nil || hex.EncodeToString(buf[:n]) != tt.want {
			t.Errorf("%s: %x, %v; want %s", tt.name, buf[:n], err, tt.want)
		}
	}
}

// TestReplyInPieces is a server that spreads one reply over several datagrams,
// after a late reply to somebody else.
// replies is what a server writes for a stream, read from r.
func replies(ctx context.Context, s *Server, r io.Reader) []byte {
	in := reader{r: r, max: MaxRequest}
	var out []byte
	for {
		h, body, err := in.buffered()
		if errors.Is(err, ErrShort) {
			if in.fill() != nil {
				return out
			}
			continue
		}
		if err != nil {
			return append(out, corrupt(err)...)
		}
		var ok bool
		if out, _, ok = s.answer(ctx, out, nil, s.wire(), rpc.Trusted("fuzz"), h, body); !ok {
			return out
		}
	}
}

// FuzzStream reads any octets as a stream of requests: however they are cut
// into pieces the same answers come, and each answer is a reply or a fault
// that a client can read.
func FuzzStream(f *testing.F) {
	for _, s := range []string{
		"a1000f01910a636f72652e6563686f00216100",
		"a1000f01910a636f72652e6563686f00213100a1000f02910a636f72652e6563686f00213200a1000a0391086e6f2e7375636800",
		"a10e8c5db0c04960a58bfaea", "474554202f20485454502f312e300d0a0d0a", "a1000001", "a1100d77910b636f72652e666c61677300",
		"a1002301910c636f72652e7072696e74690050010000000760ff00000001ff7000000000000001",
		"a1000f01910c746573742e70616e696300",
	} {
		f.Add(unhexLoose(s))
	}
	s := &Server{Registry: registry(f), Log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole := replies(t.Context(), s, bytes.NewReader(in))
		if pieces := replies(t.Context(), s, iotest.OneByteReader(bytes.NewReader(in))); !bytes.Equal(whole, pieces) {
			t.Fatalf("at once:\n%x\nin pieces:\n%x", whole, pieces)
		}
		for rest := whole; len(rest) > 0; {
			h, err := ParseHeader(rest)
			if err != nil || h.Size+h.Len > len(rest) || (!h.Reply() && !h.Fault()) {
				t.Fatalf("the server wrote %x: %+v, %v", rest, h, err)
			}
			d := NewDecoder(rest[h.Size : h.Size+h.Len])
			if _, err := d.All(); err != nil {
				t.Fatalf("the server wrote a body that cannot be read: %x: %v", rest, err)
			}
			rest = rest[h.Size+h.Len:]
		}
	})
}
