package ctl

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sipd/router/module"
	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/fifo"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func host(t testing.TB) *module.Host {
	t.Helper()
	return &module.Host{RPC: rpc.NewRegistry(), Log: slog.New(slog.DiscardHandler), RunDir: t.TempDir()}
}

// start serves m until the test ends.
func start(t testing.TB, m *ctl, h *module.Host) {
	t.Helper()
	if err := errors.Join(h.RPC.Add(m.Exports().RPC...), m.Init(t.Context(), h)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, m.Close()); err != nil {
			t.Errorf("Serve, Close = %v", err)
		}
	})
}

func instance() *ctl { return New().(*ctl) }

// TestKamcmdOnEverySocket asks by the real kamcmd, over each transport, who is
// there and where the daemon listens.
func TestKamcmdOnEverySocket(t *testing.T) {
	dir := t.TempDir()
	stream, dgram := filepath.Join(dir, "s"), filepath.Join(dir, "d")
	m := instance()
	m.binrpc = []string{stream, "unixd:" + dgram, "tcp:127.0.0.1:0", "udp:127.0.0.1:0"}
	h := host(t)
	start(t, m, h)
	socks := m.server.Sockets()
	tcp, udp := "127.0.0.1:"+socks[2].Port, "127.0.0.1:"+socks[3].Port
	listen := "binrpc\nunix_stream\n" + stream + "\n\nbinrpc\nunix_dgram\n" + dgram + "\n\n" +
		"binrpc\ntcp\n127.0.0.1\n" + socks[2].Port + "\nbinrpc\nudp\n127.0.0.1\n" + socks[3].Port + "\n"
	for _, addr := range []string{"unixs:" + stream, "unixd:" + dgram, "tcp:" + tcp, "udp:" + udp} {
		if got := rpctest.Kamcmd(t, addr, "ctl.listen"); got != listen {
			t.Errorf("kamcmd -s %s ctl.listen prints\n%s\nwant\n%s", addr, got, listen)
		}
	}
	want := "binrpc\nunix_stream\n<anonymous unix socket>\n\n" + stream + "\n\n"
	if got := rpctest.Kamcmd(t, "unixs:"+stream, "ctl.who"); !strings.Contains(got, want) {
		t.Errorf("kamcmd ctl.who prints\n%s\nwant in it\n%s", got, want)
	}
	got := rpctest.Kamcmd(t, "tcp:"+tcp, "who")
	if !strings.Contains(got, "[binrpc] tcp: 127.0.0.1 ") || !strings.Contains(got, " -> 127.0.0.1 "+socks[2].Port) {
		t.Errorf("kamcmd who over TCP prints\n%s", got)
	}
}

// TestShapesAsKamailio compares with the recorded answers.
func TestShapesAsKamailio(t *testing.T) {
	m, h := instance(), host(t)
	start(t, m, h)
	c, err := binrpc.Dial(t.Context(), binrpc.Address{Net: "unixs", Path: filepath.Join(h.RunDir, DefaultSocket)}, binrpc.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, file := range []string{"ctl.who.txt", "ctl.connections.txt"} {
		rec := rpctest.Calls(t, file)[0]
		vals, err := c.Call(t.Context(), rec.Method)
		if got, want := rpctest.Shape(rpctest.Show(vals)), rpctest.Shape(rec.Decoded); err != nil || got != want {
			t.Errorf("%s answers %v\n%s\nwant\n%s", rec.Method, err, got, want)
		}
	}
}

func TestOtherTransports(t *testing.T) {
	m, h := instance(), host(t)
	start(t, m, h)
	for _, tt := range []struct {
		method string
		fault  int
	}{{"ctl.who", 606}, {"ctl.connections", 606}, {"ctl.listen", 0}} {
		c, f := rpc.Dispatch(t.Context(), h.RPC, &rpc.Wire{Kind: rpc.JSONRPC}, "test", tt.method, rpc.Values())
		switch {
		case tt.fault != 0 && (f == nil || f.Code != tt.fault):
			t.Errorf("%s over JSON-RPC = %v, want fault %d", tt.method, f, tt.fault)
		case tt.fault == 0 && (f != nil || len(c.Reply()) != 0):
			t.Errorf("%s over JSON-RPC = %v, want nothing", tt.method, f)
		}
	}
}

func TestWrongParameters(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		set        func(*ctl)
	}{
		{"address", "tcp:host:port", func(m *ctl) { m.binrpc = []string{"unixs:/x", "tcp:host:port"} }},
		{"pipe", "needs a path", func(m *ctl) { m.fifo = []string{"fifo:x"} }},
		{"line protocol", "use unixs:PATH", func(m *ctl) { m.fifo = []string{"tcp:host:port"} }},
		{"user", "nosuchuser", func(m *ctl) { m.user = "nosuchuser" }},
		{"group", "nosuchgroup", func(m *ctl) { m.group = "nosuchgroup" }},
	} {
		m := instance()
		tt.set(m)
		err := m.Init(t.Context(), host(t))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Init = %v, want an error about %q", tt.name, err, tt.want)
		}
		checked := false
		for _, p := range m.Exports().Params {
			if p.Check != nil && p.Check() != nil {
				checked = true
			}
		}
		if !checked {
			t.Errorf("%s: no parameter check sees it", tt.name)
		}
	}
}

func TestCheckOpensNothing(t *testing.T) {
	m, h := instance(), host(t)
	h.CheckOnly = true
	if err := m.Init(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(h.RunDir); len(left) != 0 {
		t.Errorf("a check left %v", left)
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	m, h := instance(), host(t)
	start(t, m, h)
	second := instance()
	// Its first socket is free, its second is not: neither is left open.
	free := filepath.Join(t.TempDir(), "free")
	second.binrpc = []string{free, "unixs:" + filepath.Join(h.RunDir, DefaultSocket)}
	err := second.Init(t.Context(), host(t))
	if _, ok := errors.AsType[*binrpc.InUseError](err); !ok {
		t.Errorf("a second daemon on the socket: Init = %v, want an InUseError", err)
	}
	if _, err := os.Lstat(free); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the second daemon left its other socket open: %v", err)
	}
}

func TestOpenSocketMustBeMeant(t *testing.T) {
	for address, fine := range map[string]bool{
		"tcp:127.0.0.1:0": true, "udp:[::1]:0": true, "tcp:0": false, "udp:0.0.0.0:0": false,
		"tcp:0;access=open": true, "udp:0.0.0.0:0;access=open": true, "tcp:0;access=token": true, "udp:0;access=token": false,
		"tls:127.0.0.1:0": false,
	} {
		m := instance()
		m.binrpc = []string{address}
		err := m.Init(t.Context(), host(t))
		if (err == nil) != fine {
			t.Errorf("%s: Init = %v; want it to be fine: %v", address, err, fine)
		}
		_ = m.Close()
	}
}

// TestLineProtocol serves it on a pipe and on a socket, with BinRPC beside it.
func TestLineProtocol(t *testing.T) {
	m, h := instance(), host(t)
	path := filepath.Join(h.RunDir, "fifo")
	m.fifo = []string{"fifo:" + path, "tcp:127.0.0.1:0"}
	start(t, m, h)
	addrs := m.server.Addresses()
	c, err := net.Dial("tcp", addrs[1].HostPort())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, ":ctl.listen:\n\n:ctl.connections:\n\n"); err != nil {
		t.Fatal(err)
	}
	want := "200 OK\nbinrpc\nunix_stream\n" + addrs[0].Path + "\n\nfifo\ntcp\n127.0.0.1\n" + strconv.Itoa(addrs[1].Port) +
		"\nfifo\nfifo\n" + path + "\n\n200 OK\n1\n"
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Errorf("over TCP %q, %v; want %q", got[:n], err, want)
	}
	f, err := fifo.Dial(fifo.Pipe{Path: path, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	vals, err := f.Call(t.Context(), "ctl.connections")
	if err != nil || len(vals) != 1 || vals[0] != rpc.String("1") {
		t.Errorf("through the pipe: %v, %v", vals, err)
	}
}

func TestModeAndOwner(t *testing.T) {
	m, h := instance(), host(t)
	m.mode, m.user, m.group = 0o640, strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid())
	start(t, m, h)
	info, err := os.Stat(filepath.Join(h.RunDir, DefaultSocket))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the socket has mode %v, %v; want 0640", info.Mode(), err)
	}
}

func TestParametersReachTheServer(t *testing.T) {
	m, h := instance(), host(t)
	m.maxBody, m.autoConvert = 1, true
	echo := &rpc.Method{
		Name: "echo", Params: []rpc.Param{{Name: "text", Type: rpc.TString}},
		Handler: func(_ context.Context, c *rpc.Call) error { c.Add(c.Arg(0)); return nil },
	}
	if err := h.RPC.Add(echo); err != nil {
		t.Fatal(err)
	}
	start(t, m, h)
	c, err := binrpc.Dial(t.Context(), binrpc.Address{Net: "unixs", Path: filepath.Join(h.RunDir, DefaultSocket)}, binrpc.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if v, err := c.Call(t.Context(), "echo", rpc.Int(5)); err != nil || v[0] != rpc.String("5") {
		t.Errorf("autoconversion: %v, %v; want text 5", v, err)
	}
	if _, err := c.Call(t.Context(), "echo", rpc.String(strings.Repeat("x", 1100))); err == nil {
		t.Error("a reply above binrpc_max_body_size was sent")
	}
}
