package binrpc

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sipd/rpc"
)

func newServer(t *testing.T) *Server {
	t.Helper()
	return &Server{Registry: registry(t), File: FileMode{UID: -1, GID: -1}}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	for _, kind := range []string{"unixs", "unixd"} {
		a := unixAddr(t, kind)
		serve(t, &Server{}, a)
		for _, other := range []string{"unixs", "unixd"} {
			err := newServer(t).Listen(t.Context(), Address{Net: other, Path: a.Path})
			if in, ok := errors.AsType[*InUseError](err); !ok || in.Path != a.Path {
				t.Errorf("%s on the living %s = %v, want an InUseError", other, kind, err)
			}
		}
		c, err := Dial(t.Context(), a, Options{Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), "core.flags"); err != nil {
			t.Errorf("the living daemon no longer answers: %v", err)
		}
		_ = c.Close()
	}
}

// TestForeignDaemonIsRefused is a daemon that knows nothing of our lock.
func TestForeignDaemonIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, kind := range []string{"unixs", "unixd"} {
		err := newServer(t).Listen(t.Context(), Address{Net: kind, Path: path})
		if _, ok := errors.AsType[*InUseError](err); !ok {
			t.Errorf("%s on a foreign daemon's socket = %v, want an InUseError", kind, err)
		}
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the foreign socket was removed: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	serve(t, &Server{}, Address{Net: "unixs", Path: path})
	if readPacket(t, sent(t, Address{Net: "unixs", Path: path}, "core.flags")) == nil {
		t.Error("no answer on the replaced socket")
	}
}

func sent(t *testing.T, a Address, method string) net.Conn {
	t.Helper()
	c := connect(t, a)
	b, _ := AppendRequest(nil, 1, method, nil)
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ctl")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newServer(t).Listen(t.Context(), Address{Net: "unixs", Path: path}); err == nil {
		t.Error("Listen replaced a file that is no socket")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Errorf("the file now holds %q, %v", data, err)
	}
}

func TestSocketMode(t *testing.T) {
	for _, tt := range []struct{ set, want os.FileMode }{{0, 0o600}, {0o660, 0o660}, {0o666, 0o666}} {
		a := unixAddr(t, "unixs")
		serve(t, &Server{File: FileMode{Mode: tt.set, UID: os.Getuid(), GID: os.Getgid()}}, a)
		info, err := os.Stat(a.Path)
		if err != nil || info.Mode().Perm() != tt.want {
			t.Errorf("mode %o made %v, %v; want %o", tt.set, info.Mode(), err, tt.want)
		}
	}
}

func TestLongPaths(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 200))
	if err := newServer(t).Listen(t.Context(), Address{Net: "unixs", Path: dir}); err == nil || !strings.Contains(err.Error(), "107") {
		t.Errorf("a path that no socket may have: %v", err)
	}
	dir = t.TempDir()
	dir = filepath.Join(dir, strings.Repeat("d", max(1, 107-3-len(dir))))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"unixs", "unixd"} {
		a := Address{Net: kind, Path: filepath.Join(dir, kind[4:])}
		serve(t, &Server{}, a)
		c, err := Dial(t.Context(), a, Options{Timeout: patience, LocalDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), "core.flags"); err != nil {
			t.Errorf("%s at a path of %d octets: %v", kind, len(a.Path), err)
		}
		_ = c.Close()
	}
}

func TestServeCleansUp(t *testing.T) {
	a := unixAddr(t, "unixs")
	s := newServer(t)
	if err := s.Listen(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Errorf("Serve = %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(a.Path))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestReplacedSocketIsNotRemoved is the end of a daemon whose socket somebody
// else has put a new one in place of.
func TestReplacedSocketIsNotRemoved(t *testing.T) {
	a := unixAddr(t, "unixs")
	s := newServer(t)
	if err := s.Listen(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(a.Path); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", a.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	s.Close()
	if _, err := os.Lstat(a.Path); err != nil {
		t.Errorf("the other's socket was removed: %v", err)
	}
}

// TestRaceOfStarters lets many daemons start at once on one stale socket.
func TestRaceOfStarters(t *testing.T) {
	a := unixAddr(t, "unixs")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.Path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	servers := make([]*Server, 16)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range servers {
		servers[i] = newServer(t)
		wg.Go(func() {
			err := servers[i].Listen(t.Context(), a)
			if _, ok := errors.AsType[*InUseError](err); err == nil {
				won.Add(1)
			} else if !ok {
				t.Errorf("starter %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d starters got the socket, want 1", won.Load())
	}
	for _, s := range servers {
		s.Close()
	}
}

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Address
		bad  bool
	}{
		{in: "unixs:/run/x", want: Address{Net: "unixs", Path: "/run/x"}},
		{in: "unix:/run/x", want: Address{Net: "unixs", Path: "/run/x"}},
		{in: "UnixD:/run/x", want: Address{Net: "unixd", Path: "/run/x"}},
		{in: "/run/x", want: Address{Net: "unixs", Path: "/run/x"}},
		{in: "./x:y", want: Address{Net: "unixs", Path: "./x:y"}},
		{in: "tcp:127.0.0.1:2046", want: Address{Net: "tcp", Host: "127.0.0.1", Port: 2046}},
		{in: "TCP:localhost", want: Address{Net: "tcp", Host: "localhost", Port: 2049}},
		{in: "tcp:2046", want: Address{Net: "tcp", Port: 2046}},
		{in: "udp:*:2046", want: Address{Net: "udp", Port: 2046}},
		{in: "udp:[::1]:2046", want: Address{Net: "udp", Host: "::1", Port: 2046}},
		{in: "tcp:[::1]", want: Address{Net: "tcp", Host: "::1", Port: 2049}},
		{in: "localhost:2046", want: Address{Net: "udp", Host: "localhost", Port: 2046}},
		{in: "localhost", want: Address{Net: "udp", Host: "localhost", Port: 2049}},
		{in: "", bad: true},
		{in: "tcp:", bad: true},
		{in: "tcp:host:port", bad: true},
		{in: "tcp:[::1", bad: true},
		{in: "tcp:ho st:1", bad: true},
		{in: "tcp:host:70000", bad: true},
		{in: "tcp:::1:2", bad: true},
	} {
		got, err := ParseAddress(tt.in)
		if got != tt.want || errors.Is(err, ErrAddress) != tt.bad {
			t.Errorf("ParseAddress(%q) = %+v, %v; want %+v, bad=%v", tt.in, got, err, tt.want, tt.bad)
		}
		if !tt.bad {
			if again, err := ParseAddress(got.String()); err != nil || again != got {
				t.Errorf("ParseAddress(%q), which %q printed, = %+v, %v", got.String(), tt.in, again, err)
			}
		}
	}
}

// FuzzParseAddress: what is read is printed so that it reads the same.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"unixs:/run/x", "tcp:1:2", "udp:[::1]:3", "host", "tcp:*", "[", "tcp:[]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%q is %+v, printed %q, read again %+v, %v", s, a, a.String(), again, err)
		}
	})
}

// BenchmarkUnixRoundTrip is a call on a kept connection, client and server in
// one process.
func BenchmarkUnixRoundTrip(b *testing.B) {
	a := unixAddr(b, "unixs")
	serve(b, &Server{}, a)
	c, err := Dial(b.Context(), a, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Call(context.WithoutCancel(b.Context()), "core.echo", rpc.String("x")); err != nil {
			b.Fatal(err)
		}
	}
}
