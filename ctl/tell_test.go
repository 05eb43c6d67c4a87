package ctl

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// daemon is a control socket that answers the methods given, and keeps what was
// called.
func daemon(t *testing.T, methods map[string][]rpc.Value) (address string, called func() []string) {
	t.Helper()
	var mu sync.Mutex
	var calls []string
	reg := rpc.NewRegistry()
	for name, reply := range methods {
		err := reg.Add(&rpc.Method{Name: name, Handler: func(_ context.Context, c *rpc.Call) error {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, name)
			if reply == nil {
				return rpc.Faultf(500, "no such thing")
			}
			for _, v := range reply {
				c.Add(v)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "ctl")
	s := &binrpc.Server{Registry: reg, Log: slog.New(slog.DiscardHandler), File: binrpc.FileMode{UID: -1, GID: -1}}
	if err := s.Listen(t.Context(), binrpc.Address{Net: "unixs", Path: path}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ends with %v", err)
		}
	})
	return "unixs:" + path, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(calls)
	}
}

// TestTell: the servers that are named hear of a change; one that cannot makes
// exit code 4 and a message with the command that finishes.
func TestTell(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SIPCTL_DB", "sqlite:"+filepath.Join(t.TempDir(), "sip.db"))
	good, calls := daemon(t, map[string][]rpc.Value{"domain.reload": {}, "permissions.addressReload": {}, "ul.rm": nil})
	bad, _ := daemon(t, map[string][]rpc.Value{"domain.reload": nil})
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := Run(t.Context(), args, nil, &out, &out)
		return code, out.String()
	}
	if code, out := run("db", "create"); code != 0 {
		t.Fatal(out)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-s", good, "domain", "add", "example.com"}, ExitDone, "added domain example.com\n"},
		{[]string{"-s", good, "address", "add", "1", "192.0.2.1"}, ExitDone, "added network"},
		{[]string{"-s", good, "user", "add", "alice@example.com", "--no-password"}, ExitDone, "added user"},
		{[]string{"-s", good, "user", "rm", "alice@example.com"}, ExitDone, "removed user"}, // the fault: no such contact
		{[]string{"-s", bad, "-s", good, "domain", "add", "example.net"}, ExitNotLive, "to finish: sipctl -s " + bad + " rpc domain.reload"},
		{[]string{"-s", good, "--dry-run", "domain", "add", "example.org"}, ExitDone, "dry run"},
		{[]string{"-s", "unixs:" + t.TempDir() + "/none", "server", "uptime"}, ExitConnect, "no server answers"},
		{[]string{"-s", bad, "rpc", "domain.reload"}, ExitFailed, "no such thing"},
	} {
		code, out := run(tt.args...)
		if code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("sipctl %q exits with %d and prints %q; want %d and %q", tt.args, code, out, tt.code, tt.want)
		}
	}
	want := []string{"domain.reload", "permissions.addressReload", "ul.rm", "domain.reload"}
	if got := calls(); !slices.Equal(got, want) {
		t.Errorf("the server was called for %q, want %q", got, want)
	}
}

// TestReplies: what a server answers is rows, a record or an indented text.
func TestReplies(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	contact := func(uri string) rpc.Struct {
		return rpc.Struct{rpc.M("Contact", rpc.Struct{rpc.M("Address", rpc.String(uri)), rpc.M("Expires", rpc.Int(60)), rpc.M("Q", rpc.Double(0.5))})}
	}
	server, _ := daemon(t, map[string][]rpc.Value{
		"core.uptime":          {rpc.Struct{rpc.M("now", rpc.String("today")), rpc.M("uptime", rpc.Int(7))}},
		"core.psx":             {rpc.Struct{rpc.M("IDX", rpc.Int(0)), rpc.M("DSC", rpc.String("main"))}, rpc.Struct{rpc.M("IDX", rpc.Int(1)), rpc.M("DSC", rpc.String("timer"))}},
		"stats.get_statistics": {rpc.String("core:rcv_requests = 12"), rpc.String("sl:1xx_replies = 3")},
		"ul.lookup":            {rpc.Struct{rpc.M("AoR", rpc.String("1001")), rpc.M("Contacts", contact("sip:1001@192.0.2.1"))}},
		"system.listMethods":   {rpc.String("core.uptime"), rpc.String("domain.reload"), rpc.String("htable.reload")},
		"domain.reload":        {},
		"core.echo":            {rpc.String("1001"), rpc.Struct{rpc.M("a", rpc.Struct{rpc.M("b", rpc.Int(1))})}},
	})
	for _, tt := range []struct {
		line, want string
	}{
		{"server uptime", "now:     today\nuptime:  7\n"},
		{"server ps -o csv", "IDX,DSC\n0,main\n1,timer\n"},
		{"server stats core:", "group  name          value\ncore   rcv_requests  12\nsl     1xx_replies   3\n"},
		{"monitor -o jsonl", `{"group":"core","name":"rcv_requests","value":12}` + "\n" + `{"group":"sl","name":"1xx_replies","value":3}` + "\n"},
		{"ul show 1001@example.com -o tsv -C aor,contact,q", "aor\tcontact\tq\n1001\tsip:1001@192.0.2.1\t0.5\n"},
		{"server reload", "domain.reload on " + server + "\n"},
		{"rpc core.echo", "1001\na:\n  b: 1\n"},
		{"rpc core.echo 5 s:5 --dry-run", "dry run, nothing is called: core.echo 5 5\n"},
	} {
		var out bytes.Buffer
		if code := Run(t.Context(), append([]string{"-s", server}, strings.Fields(tt.line)...), nil, &out, &out); code != 0 || out.String() != tt.want {
			t.Errorf("sipctl %s exits with %d and prints\n%s\nwant\n%s", tt.line, code, out.String(), tt.want)
		}
	}
}

func TestFrame(t *testing.T) {
	last := []statistic{{"core", "rcv", int64(10)}, {"core", "drop", int64(1)}}
	now := []statistic{{"core", "drop", int64(1)}, {"core", "rcv", int64(30)}, {"x", "\x1b[2J", "word"}}
	got := frame("unixs:/x", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), last, now, 2*time.Second, 6)
	want := "unixs:/x  03:04:05  control-C ends\r\n\r\n" +
		"core:rcv                                             30        +10.0/s\r\n" +
		"core:drop                                             1\r\nand 1 more\r\n"
	if got != want {
		t.Errorf("frame is\n%q\nwant\n%q", got, want)
	}
}
