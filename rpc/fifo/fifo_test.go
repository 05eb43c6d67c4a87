package fifo

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func TestAppendRequest(t *testing.T) {
	got, err := AppendRequest(nil, "core.prints", "r", []rpc.Value{
		rpc.String("a b:c,d"), rpc.Int(-5), rpc.Double(1.5), rpc.Bool(true), rpc.String("x\ny\\\t"),
		rpc.Struct{rpc.M("uri", rpc.String("sip:a,b")), rpc.M("n", rpc.Int(1))},
	})
	const want = ":core.prints:r\na b:c,d\n-5\n1.5\n1\nx\\ny\\\\\\t\nuri:sip\\ca\\ob,n:1\n\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for name, bad := range map[string][]rpc.Value{
		"empty":  {rpc.String("")},
		"blank":  {rpc.String("a ")},
		"array":  {rpc.Array{}},
		"nested": {rpc.Struct{rpc.M("a", rpc.Struct{})}},
		"long":   {rpc.String(strings.Repeat("x", MaxRequest))},
	} {
		if _, err := AppendRequest(nil, "m", "r", bad); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v, want ErrRequest", name, err)
		}
	}
	for _, m := range []string{"", "a:b", "a\n:b"} {
		if _, err := AppendRequest(nil, m, "r", nil); !errors.Is(err, ErrRequest) {
			t.Errorf("method %q: %v, want ErrRequest", m, err)
		}
	}
}

func TestParseReply(t *testing.T) {
	for _, tt := range []struct {
		in    string
		want  []rpc.Value
		fault *rpc.Fault
		bad   bool
	}{
		{in: "200 OK\n"},
		{in: "200 OK\na\\nb\n\n5", want: []rpc.Value{rpc.String("a\nb"), rpc.String(""), rpc.String("5")}},
		{in: "500 Command 'x' not found\n", fault: &rpc.Fault{Code: 500, Text: "Command 'x' not found"}},
		{in: "", bad: true},
		{in: "hello\n", bad: true},
		{in: "-20 x", bad: true},
		{in: "20", bad: true},
	} {
		got, err := ParseReply([]byte(tt.in))
		fault, _ := errors.AsType[*rpc.Fault](err)
		if diff := cmp.Diff(tt.want, got) + cmp.Diff(tt.fault, fault); diff != "" || tt.bad != (err != nil && fault == nil) {
			t.Errorf("%q: %v\n%s", tt.in, err, diff)
		}
	}
}

// TestGolden reads the replies that Kamailio's code means to send.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(rpctest.Dir(t), "_line.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range strings.Split(string(data), "\n== reply\n")[1:] {
		reply, _, _ := strings.Cut(block, "\n== ")
		if len(reply) < 4 || reply[3] != ' ' {
			continue // nothing came
		}
		n++
		vals, err := ParseReply([]byte(reply))
		f, isFault := errors.AsType[*rpc.Fault](err)
		switch {
		case strings.HasPrefix(reply, "200 ") && err != nil:
			t.Errorf("%.60q: %v", reply, err)
		case !strings.HasPrefix(reply, "200 ") && (!isFault || !strings.Contains(reply, f.Text)):
			t.Errorf("%.60q: %v, %v; want a fault", reply, vals, err)
		}
		if strings.Contains(reply, "up_since:") {
			line := strings.Split(reply, "\n")[1]
			s, ok := ParseStruct(line)
			if !ok || len(s) != 3 || s[2].Name != "now" || !strings.Contains(string(s[2].Value.(rpc.String)), "00:4") {
				t.Errorf("core.uptime reads as %v", s)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d recorded replies were found", n)
	}
}

// daemon reads requests from a pipe and answers through the one they name.
func daemon(t *testing.T, answer func(request []string) string) Pipe {
	t.Helper()
	dir := t.TempDir()
	p := Pipe{Path: filepath.Join(dir, "ctl"), ReplyDir: dir}
	if err := unix.Mkfifo(p.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(p.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(in)
		var req []string
		for lines.Scan() {
			if lines.Text() == "stop" {
				return
			}
			if lines.Text() != "" {
				req = append(req, lines.Text())
				continue
			}
			name := req[0][strings.LastIndexByte(req[0], ':')+1:]
			out, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|unix.O_NONBLOCK, 0)
			if err == nil {
				_, _ = out.WriteString(answer(req))
				_ = out.Close()
			}
			req = nil
		}
	}()
	t.Cleanup(func() { _, _ = in.WriteString("stop\n"); <-done; in.Close() })
	return p
}

func TestClient(t *testing.T) {
	long := strings.Repeat("x", 200_000) // more than a pipe holds
	p := daemon(t, func(req []string) string {
		switch {
		case strings.HasPrefix(req[0], ":no."):
			return "500 Command 'no.such' not found\n"
		case strings.HasPrefix(req[0], ":long:"):
			return "200 OK\n" + long + "\n"
		}
		return "200 OK\n" + strings.Join(req[1:], "\n") + "\n"
	})
	c, err := Dial(p)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		got, err := c.Call(t.Context(), "core.prints", rpc.String("a\nb"), rpc.Int(5))
		if diff := cmp.Diff([]rpc.Value{rpc.String("a\nb"), rpc.String("5")}, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	if got, err := c.Call(t.Context(), "long"); err != nil || len(got) != 1 || string(got[0].(rpc.String)) != long {
		t.Errorf("a long reply: %d values, %v", len(got), err)
	}
	_, err = c.Call(t.Context(), "no.such")
	if f, ok := errors.AsType[*rpc.Fault](err); !ok || f.Code != 500 {
		t.Errorf("unknown method: %v, want fault 500", err)
	}
	left, err := filepath.Glob(filepath.Join(p.ReplyDir, "sipcmd_*"))
	if err != nil || len(left) > 0 {
		t.Errorf("reply pipes are left behind: %v %v", left, err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	p := Pipe{Path: filepath.Join(dir, "ctl"), ReplyDir: dir}
	if _, err := Dial(p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no pipe: %v, want ErrNotExist", err)
	}
	if err := unix.Mkfifo(p.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(p); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody reads: %v, want ECONNREFUSED", err)
	}
	in, err := os.OpenFile(p.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	p.Timeout = 20 * time.Millisecond
	c, err := Dial(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), "core.version"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a daemon that does not answer: %v, want DeadlineExceeded", err)
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(Pipe{Path: plain}); err == nil {
		t.Error("a plain file passes as a fifo")
	}
}

func FuzzParseReply(f *testing.F) {
	for _, s := range []string{"", "200 OK\n", "200 OK\na\\nb\n5\n", "500 bug\n", "200 OK\na:b,c:d\\o\n", "200 \\", "404\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		vals, err := ParseReply(in)
		if err != nil && vals != nil {
			t.Fatalf("values %v with error %v", vals, err)
		}
		total := 0
		for _, v := range vals {
			s := string(v.(rpc.String))
			total += len(s)
			// What was read can be sent: written and read again it is the same.
			if got := Unescape(Escape(s)); got != s {
				t.Fatalf("%q escapes and unescapes to %q", s, got)
			}
			if st, ok := ParseStruct(s); ok && len(st) == 0 {
				t.Fatalf("%q is a structure without members", s)
			}
		}
		if total > len(in) {
			t.Fatalf("%d octets out of %d", total, len(in))
		}
	})
}
