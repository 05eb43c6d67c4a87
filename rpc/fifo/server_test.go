package fifo

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sipd/rpc"
	"sipd/rpc/rpctest"
	"sipd/rpc/socket"
)

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
	say := func(v ...rpc.Value) func(context.Context, *rpc.Call) error {
		return func(_ context.Context, c *rpc.Call) error { c.Add(v...); return nil }
	}
	text := func(s string) rpc.Value { return rpc.String(s) }
	sock := func(proto string, port string) rpc.Struct {
		return rpc.Struct{
			rpc.M("proto", text(proto)), rpc.M("address", text("127.0.0.1")), rpc.M("ipaddress", text("127.0.0.1")), rpc.M("port", text(port)),
			rpc.M("mcast", text("no")), rpc.M("mhomed", text("no")), rpc.M("virtual", text("no")),
		}
	}
	r := rpc.NewRegistry()
	str := rpc.Param{Name: "text", Type: rpc.TString}
	err := r.Add(
		&rpc.Method{Name: "core.version", Handler: say(text("kamailio 5.6.3 (x86_64/linux) "))},
		&rpc.Method{Name: "core.pwd", Handler: say(text("/run/kamailio/work"))},
		&rpc.Method{Name: "core.sockets_list", Handler: say(rpc.Struct{
			rpc.M("socket", sock("udp", "16060")), rpc.M("socket", sock("tcp", "16060")), rpc.M("socket", sock("tls", "16061")),
		})},
		&rpc.Method{Name: "core.shmmem", Handler: func(context.Context, *rpc.Call) error {
			return &rpc.Fault{Code: 500, Text: "bad param, (use b|k|m|g)"}
		}},
		&rpc.Method{
			Name: "system.methodHelp", Params: []rpc.Param{str}, BadParams: &rpc.Fault{Code: 400, Text: "command not found"},
			Handler: say(text("Returns the description of running processes.")),
		},
		&rpc.Method{Name: "cfg.set_now_int", Params: []rpc.Param{str, str, {Name: "n", Type: rpc.TInt}}, Handler: say()},
		&rpc.Method{Name: "stats", Handler: func(_ context.Context, c *rpc.Call) error {
			c.Printf("sl:1xx_replies = %d", 0)
			c.Printf("sl:200_replies = %d", 4)
			return nil
		}},
		&rpc.Method{Name: "echo.strings", Params: []rpc.Param{{Type: rpc.TString, Optional: true, Rest: true}}, Handler: echo},
		&rpc.Method{Name: "echo.ints", Params: []rpc.Param{{Type: rpc.TInt, Optional: true, Rest: true}}, Handler: echo},
		&rpc.Method{Name: "echo.struct", Params: []rpc.Param{{Type: rpc.TStruct}}, Handler: echo},
		&rpc.Method{Name: "values", Handler: say(rpc.Int(-1), rpc.Double(0.7), rpc.Bool(true), rpc.Null{}, text("a\tb\nc\\"),
			rpc.Struct{rpc.M("a:b", text("x,y")), rpc.M("n", rpc.Null{}), rpc.M("list", rpc.Array{rpc.Int(1), rpc.Int(2)})})},
		&rpc.Method{Name: "test.panic", Handler: func(context.Context, *rpc.Call) error { panic("on purpose") }},
		&rpc.Method{Name: "endless", List: true, Handler: say(rpc.Each(func(yield func(rpc.Value) bool) {
			for i := 0; yield(rpc.Int(i)); i++ {
			}
		}))},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newServer(t testing.TB) *Server {
	t.Helper()
	return &Server{Registry: registry(t), Log: slog.New(slog.DiscardHandler)}
}

// run serves until the test ends.
func run(t testing.TB, serve func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
}

// listen serves the line protocol on loopback and gives the addresses.
func listen(t testing.TB, nets ...string) []socket.Address {
	t.Helper()
	s := &socket.Server{Log: slog.New(slog.DiscardHandler), File: socket.FileMode{UID: -1, GID: -1}}
	for _, n := range nets {
		if err := s.Listen(t.Context(), socket.Address{Net: n, Host: "127.0.0.1"}, newServer(t)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, s.Serve)
	return s.Addresses()
}

func dialLine(t testing.TB, a socket.Address) net.Conn {
	t.Helper()
	c, err := net.Dial(a.Net, a.HostPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

type lineCase struct{ title, request, reply string }

// recordedLines reads _line.txt.
func recordedLines(t *testing.T) []lineCase {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(rpctest.Dir(t), "_line.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var out []lineCase
	for _, block := range strings.Split(string(data), "\n== request\n") {
		if len(out) > 0 {
			req, rest, _ := strings.Cut(block, "\n== reply\n")
			reply, _, _ := strings.Cut(rest, "\n== ")
			c := &out[len(out)-1]
			c.request = strings.NewReplacer("\\r\\n\n", "\r\n", "\\n\n", "\n").Replace(req + "\n")
			c.reply = strings.TrimRight(reply, "\n")
		}
		titles := strings.Split(block, "\n== ")
		out = append(out, lineCase{title: titles[len(titles)-1]})
	}
	return out[:len(out)-1]
}

// TestGoldenLines plays what the fake methods here can answer of the recorded
// calls.
func TestGoldenLines(t *testing.T) {
	played := map[string]bool{
		"tcp core.version": true, "tcp core.shmmem": true, "tcp core.sockets_list": true, "tcp no result": true,
		"tcp missing parameter: 200 OK, nothing done": true, "tcp unknown": true, "tcp missing parameter": true,
		"tcp system.methodHelp": true, "tcp second command without an empty line: it is a parameter": true,
		"tcp two requests in one write": true, "tcp CR LF line ends": true, "tcp reply name on tcp: not used": true,
		"tcp no colon": true, "tcp no second colon": true, "tcp empty command": true, "tcp forbidden reply name": true,
		"udp call": true, "udp garbage": true,
	}
	addrs := listen(t, "tcp", "udp")
	n := 0
	for _, c := range recordedLines(t) {
		if !played[c.title] {
			continue
		}
		n++
		a := addrs[0]
		if strings.HasPrefix(c.title, "udp") {
			a = addrs[1]
		}
		conn := dialLine(t, a)
		end := ":no.such:\n\n" // what comes behind the reply shows that it ended
		if a.Net == "udp" {
			end = ""
		}
		if _, err := io.WriteString(conn, strings.TrimRight(c.request, "\n")+"\n\n"+end); err != nil {
			t.Fatal(err)
		}
		got := readReply(t, conn, end != "")
		if got = strings.TrimRight(got, "\n"); got != c.reply {
			t.Errorf("%s: %q answers\n%s\nwant\n%s", c.title, c.request, got, c.reply)
		}
	}
	if n != len(played) {
		t.Errorf("%d of %d cases were found", n, len(played))
	}
}

func readReply(t testing.TB, c net.Conn, toMark bool) string {
	t.Helper()
	var got strings.Builder
	buf := make([]byte, 1<<16)
	const mark = "500 Command 'no.such' not found\n"
	for {
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if s := got.String(); !toMark || strings.HasSuffix(s, mark) && (strings.Count(s, mark) > 1 || !strings.HasPrefix(s, mark)) {
			return strings.TrimSuffix(s, mark)
		} else if err != nil || strings.HasPrefix(s, mark+mark) {
			return s
		}
		if got.String() == mark { // it may be the answer, or the mark alone
			_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		}
	}
}

func TestValuesAndArguments(t *testing.T) {
	a := listen(t, "tcp")[0]
	for _, tt := range []struct{ request, reply string }{
		{":values:\n\n", "200 OK\n-1\n0.700000\n1\n\na\\tb\\nc\\\\\nn:<null string>,a\\ob:x\\cy,list:1,2\n"},
		{":stats:\n\n", "200 OK\nsl:1xx_replies = 0sl:200_replies = 4"},
		{":echo.strings:\na b\t \r\nx:y,z\nback\\\\slash\nnew\\nline\n\n", "200 OK\na b\nx:y,z\nback\\\\slash\nnew\\nline\n"},
		{":echo.strings:\n\\c\\o\n\n", "200 OK\n:,\n"},
		{":echo.strings:\ngood\nbad\\qescape\nrest\n\n", "200 OK\ngood\n"},
		{":echo.ints:\n5\n-6\n0x10\n010\n12abc\nabc\n\n", "200 OK\n5\n-6\n16\n8\n12\n0\n"},
		{":echo.struct:\nname:va\\clue,n:1\n\n", "200 OK\nn:1,name:va\\olue\n"},
		{":echo.struct:\nno structure\n\n", "400 Invalid parameter value on line 2\n"},
		{":echo.strings:\n" + strings.Repeat("y", 5000) + "\n\n", "200 OK\n" + strings.Repeat("y", 5000) + "\n"},
	} {
		c := dialLine(t, a)
		if _, err := io.WriteString(c, tt.request+":core.pwd:\n\n"); err != nil {
			t.Fatal(err)
		}
		want := tt.reply + "200 OK\n/run/kamailio/work\n"
		got := make([]byte, len(want))
		if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Errorf("%.60q answers\n%s (%v)\nwant\n%s", tt.request, got[:n], err, want)
		}
	}
}

func TestTooLongOnAStream(t *testing.T) {
	c := dialLine(t, listen(t, "tcp")[0])
	go func() { _, _ = io.WriteString(c, ":core.prints:\n"+strings.Repeat("x", 70000)) }()
	line, _ := bufio.NewReader(c).ReadString('\n')
	if line != "400 Request too long\n" {
		t.Errorf("70000 octets without an end: %q", line)
	}
}

// TestDatagramTooSmall wants a reply that no datagram holds to say so.
func TestDatagramTooSmall(t *testing.T) {
	c := dialLine(t, listen(t, "udp")[0])
	if _, err := io.WriteString(c, ":endless:\n\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	n, err := c.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "413 the reply does not fit into a datagram: use a stream") {
		t.Errorf("answer %q, %v", buf[:n], err)
	}
}

// TestStreamEndsWithItsReader wants an endless reply to end with the client,
// and to leave others alone.
func TestStreamEndsWithItsReader(t *testing.T) {
	a := listen(t, "tcp")[0]
	slow := dialLine(t, a)
	if _, err := io.WriteString(slow, ":endless:\n\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(slow).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	other := dialLine(t, a)
	if _, err := io.WriteString(other, ":core.pwd:\n\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(other).ReadString('\n'); line != "200 OK\n" {
		t.Errorf("beside a slow client: %q, %v", line, err)
	}
	_ = slow.Close() // the end of the test waits for the server
}

// pipe serves a named pipe with replies in its own folder.
func pipe(t testing.TB, set func(*socket.Pipe)) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	p := &socket.Pipe{
		Path: filepath.Join(dir, "fifo"), ReplyDir: dir + "/", Proto: newServer(t),
		File: socket.FileMode{UID: -1, GID: -1}, Log: slog.New(slog.DiscardHandler), Wait: time.Millisecond,
	}
	if set != nil {
		set(p)
	}
	if err := p.Open(); err != nil {
		t.Fatal(err)
	}
	run(t, p.Serve)
	return p.Path, dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := io.WriteString(f, text); err != nil {
		t.Fatal(err)
	}
}

// reader makes a reply pipe and opens it for reading.
func reader(t testing.TB, path string) *os.File {
	t.Helper()
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	_ = f.SetReadDeadline(time.Now().Add(patience))
	return f
}

func want(t testing.TB, what string, r io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != text {
		t.Errorf("%s: %q, %v; want %q", what, got[:n], err, text)
	}
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

const version = "200 OK\nkamailio 5.6.3 (x86_64/linux) \n"

// TestShellScript is what operators' scripts do.
func TestShellScript(t *testing.T) {
	path, dir := pipe(t, func(p *socket.Pipe) { p.Retries = 10000 }) // cat starts in its own time
	script := fmt.Sprintf(`mkfifo %[2]s/ser_receiver_1
	(echo ":core.version:ser_receiver_1"; echo) > %[1]s
	cat %[2]s/ser_receiver_1
	printf ':echo.ints:ser_receiver_1\n1\n2\n\n' > %[1]s
	cat %[2]s/ser_receiver_1`, path, dir)
	out, err := exec.CommandContext(within(t), "sh", "-c", script).CombinedOutput()
	if err != nil || string(out) != version+"200 OK\n1\n2\n" {
		t.Errorf("the script printed %q, %v", out, err)
	}
}

func TestPipe(t *testing.T) {
	path, dir := pipe(t, nil)
	if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeNamedPipe|0o600 {
		t.Errorf("the pipe is %v, %v; want 0600", info.Mode(), err)
	}
	r := reader(t, filepath.Join(dir, "r"))
	write(t, path, "garbage\n\n:core.version:r\n\n")
	want(t, "garbage before", r, version)
	write(t, path, "garbage\n:core.version:r\n\n")
	want(t, "a line of garbage before", r, version)
	write(t, path, ":core.version:r\n\n:core.pwd:r\n\n")
	want(t, "two in one", r, version+"200 OK\n/run/kamailio/work\n")
	for _, piece := range []string{":core.", "version:r", "\n", "\n"} {
		write(t, path, piece)
	}
	want(t, "in pieces", r, version)
	write(t, path, ":no.such:r\n\n")
	want(t, "unknown", r, "500 Command 'no.such' not found\n")
	write(t, path, ":echo.strings:r\n"+strings.Repeat("x", 70000)+"\nmore\n\n:core.version:r\n\n")
	want(t, "too long", r, "400 Request too long\n")
	want(t, "after one that was too long", r, version)
	write(t, path, ":test.panic:r\n\n:core.version:r\n\n")
	want(t, "after a panic", r, "500 internal server error\n"+version)
}

// TestRefusedReplies wants each trick to get nothing, and the next request its
// answer.
func TestRefusedReplies(t *testing.T) {
	path, dir := pipe(t, nil)
	good := reader(t, filepath.Join(dir, "good"))
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	linked := reader(t, filepath.Join(dir, "linked"))
	if err := os.Link(filepath.Join(dir, "linked"), filepath.Join(dir, "second")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "good"), filepath.Join(dir, "symbolic")); err != nil {
		t.Fatal(err)
	}
	tricks := []string{"plain", "linked", "symbolic", "absent", "x.y", "a/b", `a\b`, "../good", "fifo"}
	if os.Getuid() == 0 {
		foreign := reader(t, filepath.Join(dir, "foreign"))
		if err := os.Chown(filepath.Join(dir, "foreign"), 12345, 12345); err != nil {
			t.Fatal(err)
		}
		tricks = append(tricks, "foreign")
		defer func() { wantNothing(t, "foreign", foreign) }()
	}
	for _, name := range tricks {
		write(t, path, ":core.version:"+name+"\n\n:core.version:good\n\n")
		want(t, "after "+name, good, version)
	}
	wantNothing(t, "linked", linked)
	wantNothing(t, "good", good)
	if b, err := os.ReadFile(plain); err != nil || len(b) != 0 {
		t.Errorf("the plain file got %q, %v", b, err)
	}
}

func wantNothing(t testing.TB, name string, f *os.File) {
	t.Helper()
	_ = f.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, _ := f.Read(make([]byte, 100)); n > 0 {
		t.Errorf("%s got %d octets", name, n)
	}
}

// TestSilentClient: one that does not read its reply holds up nobody.
func TestSilentClient(t *testing.T) {
	path, dir := pipe(t, nil)
	silent := reader(t, filepath.Join(dir, "silent"))
	good := reader(t, filepath.Join(dir, "good"))
	write(t, path, ":endless:silent\n\n:core.version:good\n\n")
	want(t, "beside a silent client", good, version)
	want(t, "the silent client's reply", silent, "200 OK\n0\n1\n")
}

func TestSecondDaemonOnAPipe(t *testing.T) {
	path, _ := pipe(t, nil)
	second := &socket.Pipe{Path: path, Proto: newServer(t), File: socket.FileMode{UID: -1, GID: -1}}
	if err := second.Open(); err == nil || !strings.Contains(err.Error(), "in use by another daemon") {
		t.Errorf("a second daemon: %v", err)
	}
	stale := filepath.Join(t.TempDir(), "stale")
	if err := unix.Mkfifo(stale, 0o600); err != nil {
		t.Fatal(err)
	}
	third := &socket.Pipe{Path: stale, Proto: newServer(t), File: socket.FileMode{UID: -1, GID: -1}}
	if err := third.Open(); err != nil {
		t.Errorf("a stale pipe: %v", err)
	}
	third.Close()
	if _, err := os.Lstat(stale); !os.IsNotExist(err) {
		t.Errorf("the pipe was left behind: %v", err)
	}
}

// FuzzServe reads any octets as requests, whole and octet by octet: the same
// answers come, each begins with a status, and nothing is left out of step.
func FuzzServe(f *testing.F) {
	for _, s := range []string{":core.version:x\n\n", ":echo.struct:\na:b,c\\o:d\n\n", "\n\n::\n\n:values:\r\n\r\n", ":echo.ints:\n0x\n\n:x", "a\n:b"} {
		f.Add([]byte(s))
	}
	s := newServer(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Contains(in, []byte("endless")) {
			return
		}
		var want bytes.Buffer
		w := bufio.NewWriter(&want)
		for data := in; ; {
			req, n, err := next(data)
			if n == 0 || err != nil {
				break
			}
			before := want.Len()
			s.answer(t.Context(), w, rpc.Trusted("fuzz"), &req)
			_ = w.Flush()
			if got := want.Bytes()[before:]; !bytes.HasPrefix(got, []byte("200 OK\n")) && (len(got) < 5 || got[3] != ' ') {
				t.Fatalf("%q answers %q", data[:n], got)
			}
			data = data[n:]
		}
		var got bytes.Buffer
		w = bufio.NewWriter(&got)
		var data []byte
		for _, b := range in {
			data = append(data, b)
			req, n, err := next(data)
			if err != nil {
				break
			}
			if n > 0 {
				s.answer(t.Context(), w, rpc.Trusted("fuzz"), &req)
				data = data[n:]
			}
		}
		_ = w.Flush()
		if got.String() != want.String() {
			t.Fatalf("at once %q, in pieces %q", want.String(), got.String())
		}
	})
}
