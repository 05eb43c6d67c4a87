package cfgrpc

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordedStore has what the recorded server had, as far as the recordings
// look: the core groups, a few of modules, and those of its script.
func recordedStore(t testing.TB) *cfg.Store {
	t.Helper()
	s := cfg.NewStore()
	custom := cfg.Ref{Group: "custom"}
	one := cfg.Ref{Group: "custom", ID: 1, Instance: true}
	two := cfg.Ref{Group: "custom", ID: 2, Instance: true}
	err := errors.Join(
		s.DeclareCustom("custom", "var1", &cfg.Int{Default: 1, Help: "first"}),
		s.DeclareCustom("custom", "var2", &cfg.Str{Default: "default string", Help: "second custom variable"}),
		s.DeclareCustom("custom", "nodesc", &cfg.Int{Default: 7}),
		s.DeclareCustom("other", "limit", &cfg.Int{Default: 100}),
		s.Init(one, "var1", rpc.Int(15)),
		s.Init(one, "var2", rpc.String("specific")),
		s.Init(two, "var1", rpc.Int(20)),
		new(cfg.Core).Declare(s), new(cfg.TCP).Declare(s),
		s.Init(cfg.Ref{Group: "core"}, "debug", rpc.Int(2)),
		s.Declare("registrar", "default_expires", &cfg.Int{Default: 3600, Flags: cfg.Once}),
		s.Declare("tm", "ac_extra_hdrs", &cfg.Str{Null: true}),
		s.Declare("tm", "fr_timer", &cfg.Int{Default: 30000, Flags: cfg.Hidden}),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(custom, "var1"); err != nil {
		t.Fatal(err)
	}
	return s
}

// start serves the module's methods on a unix socket.
func start(t testing.TB, store *cfg.Store) (*binrpc.Client, string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	m := New()
	reg := rpc.NewRegistry()
	if err := errors.Join(
		reg.Add(m.Exports().RPC...),
		m.Init(t.Context(), &module.Host{Cfg: store, Log: log, RPC: reg}),
	); err != nil {
		t.Fatal(err)
	}
	s := &binrpc.Server{Registry: reg, File: binrpc.FileMode{UID: -1, GID: -1}, Log: log}
	a := binrpc.Address{Net: "unixs", Path: filepath.Join(t.TempDir(), "ctl")}
	if err := s.Listen(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	c, err := binrpc.Dial(t.Context(), a, binrpc.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return c, a.String()
}

func call(t *testing.T, c *binrpc.Client, method string, args ...rpc.Value) string {
	t.Helper()
	vals, err := c.Call(t.Context(), method, args...)
	if f, ok := errors.AsType[*rpc.Fault](err); ok {
		vals = []rpc.Value{rpc.Int(f.Code), rpc.String(f.Text)}
	} else if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return rpctest.Show(vals)
}

// TestGetAsKamailio makes the recorded calls of cfg.get that were made before
// anything was changed.
func TestGetAsKamailio(t *testing.T) {
	c, _ := start(t, recordedStore(t))
	n := 0
	for _, rec := range rpctest.Calls(t, "cfg.get.txt") {
		if rec.Title == `cfg.get ["tm"]` {
			continue // the whole group of a module that is not here
		}
		n++
		if got := call(t, c, rec.Method, rec.Args...); got != rec.Decoded {
			t.Errorf("%s answers\n%s\nwant\n%s", rec.Title, got, rec.Decoded)
		}
	}
	if n < 10 {
		t.Errorf("only %d recorded calls were found", n)
	}
}

// TestRecorded makes the recorded calls of each other method, each file from
// the state that its recording started in.
func TestRecorded(t *testing.T) {
	custom := cfg.Ref{Group: "custom"}
	one := cfg.Ref{Group: "custom", ID: 1, Instance: true}
	for _, tt := range []struct {
		file    string
		prepare func(*cfg.Store) error
		skip    string // a title that is left out
	}{
		{file: "cfg.help.txt", skip: `cfg.help ["core", "debug"]`},
		{file: "cfg.set_now_int.txt"},
		{file: "cfg.set_now_string.txt"},
		{file: "cfg.set.txt"},
		{file: "cfg.seti.txt"},
		{file: "cfg.sets.txt"},
		{file: "cfg.set_delayed.txt"},
		{file: "cfg.set_delayed_int.txt"},
		{file: "cfg.set_delayed_string.txt"},
		{file: "cfg.rollback.txt"},
		{file: "cfg.commit.txt"},
		{file: "cfg.add_group_inst.txt", prepare: func(s *cfg.Store) error {
			return errors.Join(s.Set(custom, "var1", rpc.Int(60)), s.Set(custom, "var2", rpc.String("by sets")))
		}},
		{file: "cfg.del_group_inst.txt"}, // recorded over BinRPC when it was gone already
		{file: "cfg.del.txt", prepare: func(s *cfg.Store) error {
			return errors.Join(s.Set(custom, "var1", rpc.Int(60)), s.AddInstance(cfg.Ref{Group: "custom", ID: 5, Instance: true}))
		}},
		{file: "cfg.diff.txt", prepare: func(s *cfg.Store) error {
			// Each change was made over four transports in the recording.
			errs := []error{
				s.Set(custom, "var1", rpc.Int(46)), s.Set(custom, "var2", rpc.String("by sets")), s.Set(one, "var1", rpc.Int(16)),
			}
			for _, d := range []struct {
				ref  cfg.Ref
				name string
				val  rpc.Value
			}{
				{custom, "var1", rpc.Int(50)},
				{custom, "var2", rpc.String("later")},
				{one, "var1", rpc.Int(51)},
				{cfg.Ref{Group: "other"}, "limit", rpc.Int(7)},
			} {
				for range 4 {
					errs = append(errs, s.SetDelayed(d.ref, d.name, d.val))
				}
			}
			return errors.Join(errs...)
		}},
		{file: "cfg.reset.txt", skip: `cfg.reset ["registrar"]`},
	} {
		t.Run(tt.file, func(t *testing.T) {
			store := recordedStore(t)
			if tt.prepare != nil {
				if err := tt.prepare(store); err != nil {
					t.Fatal(err)
				}
			}
			c, _ := start(t, store)
			for i, rec := range rpctest.Calls(t, tt.file) {
				if rec.Title == tt.skip {
					continue
				}
				if tt.file == "cfg.diff.txt" && i == 0 && rec.Decoded == "" {
					continue // the first was made when nothing waited
				}
				if got := call(t, c, rec.Method, rec.Args...); got != rec.Decoded {
					t.Errorf("%s answers\n%s\nwant\n%s", rec.Title, got, rec.Decoded)
				}
			}
		})
	}
}

// TestErrorsRecorded makes the recorded wrong calls of cfg.*.
func TestErrorsRecorded(t *testing.T) {
	c, _ := start(t, recordedStore(t))
	n := 0
	for _, rec := range rpctest.Calls(t, "_errors.txt") {
		if !strings.HasPrefix(rec.Method, "cfg.") {
			continue
		}
		n++
		if got := call(t, c, rec.Method, rec.Args...); got != rec.Decoded {
			t.Errorf("%s answers\n%s\nwant\n%s", rec.Title, got, rec.Decoded)
		}
	}
	if n < 8 {
		t.Errorf("only %d recorded calls were found", n)
	}
}

// TestDeletedInDiff is a delayed cfg.del: the new value is the default's.
func TestDeletedInDiff(t *testing.T) {
	store := recordedStore(t)
	c, _ := start(t, store)
	if got := call(t, c, "cfg.del_delayed", rpc.String("custom[1]"), rpc.String("var1")); got != "" {
		t.Fatalf("cfg.del_delayed answers %s", got)
	}
	want := "struct {\n  avp 'group name'\n  str 'custom'\n  avp 'group id'\n  int 1\n  avp 'variable name'\n  str 'var1'\n" +
		"  avp 'old value'\n  int 15\n  avp 'new value'\n  int 1\nstruct }"
	if got := call(t, c, "cfg.diff"); got != want {
		t.Errorf("cfg.diff answers\n%s\nwant\n%s", got, want)
	}
}

// TestReset is what the recorded server cannot do: groups of the script too.
func TestReset(t *testing.T) {
	store := recordedStore(t)
	c, _ := start(t, store)
	for _, group := range []string{"custom", "registrar"} {
		name := map[string]string{"custom": "var1", "registrar": "default_expires"}[group]
		before := call(t, c, "cfg.get", rpc.String(group), rpc.String(name))
		call(t, c, "cfg.seti", rpc.String(group), rpc.String(name), rpc.Int(777))
		if got := call(t, c, "cfg.reset", rpc.String(group)); got != "" {
			t.Errorf("cfg.reset %s answers %s", group, got)
		}
		if got := call(t, c, "cfg.get", rpc.String(group), rpc.String(name)); got != before {
			t.Errorf("after cfg.reset %s %s is %s, want %s", group, name, got, before)
		}
	}
}

// TestKamcmd lets the real kamcmd set, list and show.
func TestKamcmd(t *testing.T) {
	_, addr := start(t, recordedStore(t))
	for _, tt := range []struct{ args, want string }{
		{"cfg.list custom", "custom: var1\ncustom: var2\ncustom: nodesc\n"},
		{"cfg.get custom[1]", "{\n\tvar1: 15\n\tvar2: specific\n\tnodesc: 7\n}\n"},
		{"cfg.set_now_int core debug 3", "\n"},
		{"cfg.get core debug", "3\n"},
		{"cfg.get tm", "{\n\tac_extra_hdrs: <null string>\n}\n"},
		{"cfg.set_delayed_string custom var2 later", "\n"},
		{"cfg.diff", "{\n\tgroup name: custom\n\tvariable name: var2\n\told value: default string\n\tnew value: later\n}\n"},
		{"cfg.commit", "\n"},
		{"cfg.get custom var2", "later\n"},
		{"cfg.set_now_int core udp_mtu_try_proto 99", "error: 400 - Failed to set the variable\n"},
		{"cfg.get custom[x] var1", "error: 400 - Wrong group syntax. Use either \"group\", or \"group[id]\"\n"},
	} {
		if got := rpctest.Kamcmd(t, addr, strings.Fields(tt.args)...); got != tt.want && strings.TrimSpace(got) != strings.TrimSpace(tt.want) {
			t.Errorf("kamcmd %s prints\n%q\nwant\n%q", tt.args, got, tt.want)
		}
	}
	list := rpctest.Kamcmd(t, addr, "cfg.list")
	if !strings.HasPrefix(list, "tm: ac_extra_hdrs\n") || !strings.HasSuffix(strings.TrimSpace(list), "custom: nodesc") {
		t.Errorf("kamcmd cfg.list: groups are not newest first, the script's last:\n%s", list)
	}
}
