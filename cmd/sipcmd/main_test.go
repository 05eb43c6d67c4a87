package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sipd/rpc"
	"sipd/rpc/binrpc"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sipcmd": main, "kamcmd": main, "sercmd": main})
}

// TestScripts runs testdata/script against a daemon of a few methods.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			path := filepath.Join(env.WorkDir, "ctl")
			stop, err := serve(path)
			if err != nil {
				return err
			}
			env.Defer(stop)
			env.Setenv("CTL", path)
			env.Setenv("SIPCMD_SERVER", "unixs:"+path)
			return nil
		},
	})
}

// serve starts a daemon on a stream socket at path and a datagram socket at
// path + "d".
func serve(path string) (stop func(), err error) {
	reg := rpc.NewRegistry()
	if err := reg.Add(methods(reg)...); err != nil {
		return nil, err
	}
	s := &binrpc.Server{Registry: reg, Log: slog.New(slog.DiscardHandler), File: binrpc.FileMode{UID: -1, GID: -1}}
	ctx, cancel := context.WithCancel(context.Background())
	for _, a := range []binrpc.Address{{Net: "unixs", Path: path}, {Net: "unixd", Path: path + "d"}} {
		if err := s.Listen(ctx, a); err != nil {
			cancel()
			return nil, err
		}
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	return func() { cancel(); <-done }, nil
}

func methods(reg *rpc.Registry) []*rpc.Method {
	rest := []rpc.Param{{Name: "value", Type: rpc.TAny, Optional: true, Rest: true}}
	reply := func(vals ...rpc.Value) func(context.Context, *rpc.Call) error {
		return func(_ context.Context, c *rpc.Call) error { c.Add(vals...); return nil }
	}
	echo := func(_ context.Context, c *rpc.Call) error {
		for i := range c.Len() {
			c.Add(c.Arg(i))
		}
		return nil
	}
	text := func(name string) rpc.Param { return rpc.Param{Name: name, Type: rpc.TString} }
	types := func(_ context.Context, c *rpc.Call) error {
		for i := range c.Len() {
			c.Add(rpc.String(typeName(c.Arg(i))))
		}
		return nil
	}
	var counted atomic.Int64
	var gateway atomic.Value
	gateway.Store(rpc.String("192.0.2.10"))
	return []*rpc.Method{
		{Name: "core.version", Help: "Returns the version.", Handler: reply(rpc.String("sipd 0.1 (x86_64/linux)"))},
		{Name: "cfg.get", Help: "Returns the value of a variable.", Params: []rpc.Param{text("group"), text("name")}, Handler: func(_ context.Context, c *rpc.Call) error {
			if c.Str(0) != "pstn" || c.Str(1) != "gw_ip" {
				return rpc.Faultf(400, "Failed to get the variable")
			}
			c.Add(gateway.Load().(rpc.String))
			return nil
		}},
		{Name: "cfg.set_now_string", Params: []rpc.Param{text("group"), text("name"), text("value")}, Handler: func(_ context.Context, c *rpc.Call) error {
			gateway.Store(rpc.String(c.Str(2)))
			return nil
		}},
		{Name: "ul.lookup", Params: []rpc.Param{text("table"), text("aor")}, Handler: func(context.Context, *rpc.Call) error {
			return rpc.Faultf(404, "AOR not found")
		}},
		{Name: "core.uptime", Handler: reply(rpc.Struct{
			rpc.M("now", rpc.String("Mon Nov 23 00:46:50 2026")), rpc.M("up_since", rpc.String("Mon Nov 23 00:46:46 2026")), rpc.M("uptime", rpc.Int(4)),
		})},
		{Name: "core.ps", Handler: reply(rpc.Int(10348), rpc.String("main process"), rpc.Int(10351), rpc.String("udp receiver 0"))},
		{Name: "core.echo", Params: rest, Handler: echo},
		{Name: "types", Params: rest, Handler: types},
		{Name: "typed", Params: rest, Handler: types},
		{Name: "system.methodSignature", Params: []rpc.Param{text("method")}, Handler: func(_ context.Context, c *rpc.Call) error {
			if c.Str(0) != "typed" {
				return rpc.Faultf(500, "Not Implemented Yet")
			}
			c.Add(rpc.Array{rpc.String("array"), rpc.String("string"), rpc.String("int"), rpc.String("double")})
			return nil
		}},
		{Name: "count", Handler: func(_ context.Context, c *rpc.Call) error {
			c.Add(rpc.Int(counted.Add(1)))
			return nil
		}},
		{Name: "contacts", Handler: reply(location())},
		{Name: "empty", Handler: reply()},
		{Name: "evil", Handler: reply(rpc.String("\x1b]0;owned\a"))},
		{Name: "sleep", Handler: func(ctx context.Context, _ *rpc.Call) error { <-ctx.Done(); return nil }},
		{Name: "lookup", Params: []rpc.Param{text("user")}, Handler: func(_ context.Context, c *rpc.Call) error {
			return rpc.Faultf(404, "no user %s", c.Str(0))
		}},
		{Name: "system.listMethods", Handler: func(_ context.Context, c *rpc.Call) error {
			for _, n := range reg.Names() {
				c.Add(rpc.String(n))
			}
			return nil
		}},
		{Name: "system.methodHelp", Params: []rpc.Param{text("method")}, Handler: func(_ context.Context, c *rpc.Call) error {
			m, ok := reg.Lookup(c.Str(0))
			if !ok {
				return rpc.Faultf(400, "command not found")
			}
			c.Add(rpc.String(m.Help))
			return nil
		}},
		{Name: "cfg.list", Handler: reply(rpc.String("core: debug"), rpc.String("tm: fr_timer"))},
	}
}

// location is a small location table, in the shape of ul.dump.
func location() rpc.Value {
	contact := func(address string, q float64, more ...rpc.Member) rpc.Member {
		return rpc.M("Contact", append(rpc.Struct{rpc.M("Address", rpc.String(address)), rpc.M("Q", rpc.Double(q))}, more...))
	}
	info := func(aor string, contacts ...rpc.Member) rpc.Member {
		return rpc.M("Info", rpc.Struct{rpc.M("AoR", rpc.String(aor)), rpc.M("Contacts", rpc.Items(contacts))})
	}
	return rpc.Struct{rpc.M("Domains", rpc.Items{rpc.M("Domain", rpc.Struct{
		rpc.M("Domain", rpc.String("location")),
		rpc.M("AoRs", rpc.Items{
			info("alice", contact("sip:alice@192.0.2.1:5060", -1, rpc.M("KA", rpc.Int(1))), contact("sip:alice@192.0.2.2", 0.5)),
			info("bob", contact("sip:bob@192.0.2.9;ob", -1)),
		}),
	})})}
}

func typeName(v rpc.Value) string {
	switch v.(type) {
	case rpc.Int:
		return "int"
	case rpc.Double:
		return "double"
	case rpc.String:
		return "string"
	}
	return "other"
}

func TestProtectNumbers(t *testing.T) {
	for _, tt := range []struct{ in, want []string }{
		{[]string{"m", "-5", "-1.5", "-.5", "-x", "-"}, []string{"m", "\x00-5", "\x00-1.5", "\x00-.5", "-x", "-"}},
		{[]string{"m", "-5.", "-1.5.2", "-1e3"}, []string{"m", "-5.", "-1.5.2", "-1e3"}},
		{[]string{"-t", "-5", "m"}, []string{"-t", "-5", "m"}},
		{[]string{"-vs", "-5", "m"}, []string{"-vs", "-5", "m"}},
		{[]string{"m", "--", "-5"}, []string{"m", "--", "-5"}},
	} {
		got := protectNumbers(tt.in)
		for i := range tt.want {
			if got[i] != tt.want[i] {
				t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
				break
			}
		}
	}
}

func TestUsualSockets(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := existing([]string{filepath.Join(dir, "absent"), there}); got[0] != "unixs:"+there {
		t.Errorf("the socket that is there is not taken: %v", got)
	}
	if got := existing([]string{dir + "/a", dir + "/b"}); got[0] != "unixs:"+dir+"/a" {
		t.Errorf("without any: %v, want the first", got)
	}
}
