package corerpc

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sipd/router/cfg"
	"sipd/router/stat"
	"sipd/router/transport"
	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a daemon that is in the state the recorded one was in.
type fake struct {
	args, modules []string
	workers       []Worker
	sockets       []Socket
	defines       []Define
	conns         []Conn
	signals       chan syscall.Signal
	resolver      *transport.Resolver
	broken        error // what a reload comes to
}

func (f *fake) Reload(context.Context) (string, int, error) {
	if f.broken != nil {
		return "", 0, f.broken
	}
	return "/etc/sipd/sipd.cfg", 3, nil
}

func (f *fake) Build() Build {
	return Build{Name: "sipd", Version: "1.2.3", Flags: []string{"USE_TCP", "USE_UDP"}}
}
func (f *fake) Started() time.Time                { return time.Now().Add(-90061 * time.Second) }
func (f *fake) Args() []string                    { return f.args }
func (f *fake) Modules() []string                 { return f.modules }
func (f *fake) Workers() []Worker                 { return f.workers }
func (f *fake) Sockets() []Socket                 { return f.sockets }
func (f *fake) Aliases() []Alias                  { return []Alias{{Host: "example.test"}} }
func (f *fake) Defines() []Define                 { return f.defines }
func (f *fake) TCP() TCP                          { return TCP{Readers: 1, Connections: f.conns} }
func (f *fake) Resolver() *transport.Resolver     { return f.resolver }
func (f *fake) Signal(s syscall.Signal) error     { f.signals <- s; return nil }
func recorded(t testing.TB, f string) []rpc.Value { return decode(t, rpctest.Calls(t, f)[0].Reply) }

func decode(t testing.TB, packet []byte) []rpc.Value {
	t.Helper()
	h, err := binrpc.ParseHeader(packet)
	if err != nil {
		t.Fatal(err)
	}
	d := binrpc.NewDecoder(packet[h.Size:])
	vals, err := d.All()
	if err != nil {
		t.Fatal(err)
	}
	return vals
}

func member(t testing.TB, v rpc.Value, name string) rpc.Value {
	t.Helper()
	s, _ := v.(rpc.Struct)
	for _, m := range s {
		if m.Name == name {
			return m.Value
		}
	}
	t.Fatalf("no member %s in %v", name, v)
	return nil
}

func text(t testing.TB, v rpc.Value, name string) string {
	t.Helper()
	s, _ := member(t, v, name).(rpc.String)
	return string(s)
}

// newFake takes the state from the recordings themselves.
func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{signals: make(chan syscall.Signal, 1), resolver: transport.NewResolver(transport.ResolverOptions{
		Servers: []string{"127.0.0.1:9"}, ResolvConf: os.DevNull, Hosts: os.DevNull, Timeout: time.Millisecond,
	})}
	for _, v := range recorded(t, "core.arg.txt") {
		f.args = append(f.args, string(v.(rpc.String)))
	}
	for _, v := range recorded(t, "core.modules.txt") {
		f.modules = append(f.modules, string(v.(rpc.String)))
	}
	slices.Reverse(f.modules)
	for _, v := range recorded(t, "core.psa.txt") {
		f.workers = append(f.workers, Worker{text(t, v, "description"), int(member(t, v, "rank").(rpc.Int))})
	}
	for _, m := range recorded(t, "core.sockets_list.txt")[0].(rpc.Struct) {
		port, _ := strconv.Atoi(text(t, m.Value, "port"))
		f.sockets = append(f.sockets, Socket{
			Proto: text(t, m.Value, "proto"), Address: text(t, m.Value, "address"), IP: text(t, m.Value, "ipaddress"), Port: port,
		})
	}
	for _, v := range recorded(t, "core.ppdefines_full.txt") {
		d := Define{text(t, v, "name"), text(t, v, "value")}
		if d.Value == "none" {
			d.Value = ""
		}
		f.defines = append(f.defines, d)
	}
	f.conns = []Conn{
		{ID: 1, State: "CONN_OK", Timeout: 2 * time.Second, Lifetime: 2 * time.Minute, References: 2, SrcIP: "127.0.0.1", SrcPort: 42158, DstIP: "127.0.0.1", DstPort: 16060},
		{ID: 2, TLS: true, State: "CONN_OK", SrcIP: "127.0.0.1", DstIP: "127.0.0.1"},
	}
	return f
}

// start serves all methods on a unix socket and gives a client and the address.
func start(t testing.TB, d Daemon) (*binrpc.Client, string) {
	t.Helper()
	store := cfg.NewStore()
	stats := stat.NewRegistry()
	reg := rpc.NewRegistry()
	if err := errors.Join(
		new(cfg.Core).Declare(store), new(cfg.TCP).Declare(store),
		Register(Source{Daemon: d, Registry: reg, Stats: stats, Cfg: store, Memory: new(stat.MemoryReader)}),
	); err != nil {
		t.Fatal(err)
	}
	declareRecorded(t, stats)
	s := &binrpc.Server{Registry: reg, File: binrpc.FileMode{UID: -1, GID: -1}, Log: slog.New(slog.DiscardHandler)}
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

// declareRecorded makes statistics with the names and figures of the recording.
func declareRecorded(t testing.TB, r *stat.Registry) {
	t.Helper()
	for _, v := range recorded(t, "stats.get_statistics.txt") {
		name, figure, _ := strings.Cut(string(v.(rpc.String)), " = ")
		group, name, _ := strings.Cut(name, ":")
		n, _ := strconv.ParseInt(figure, 10, 64)
		c := new(stat.Counter)
		c.Add(n)
		if err := r.Declare(group, stat.Def{Name: name, Source: c}); err != nil {
			t.Fatal(err)
		}
	}
}

// onlyShape are the calls whose values differ from daemon to daemon, or moved
// between the recordings.
var onlyShape = []string{
	"core.version.txt", "core.info.txt", "core.flags.txt", "core.uptime.txt", "core.runinfo.txt", "core.shmmem.txt",
	"core.ps.txt", "core.psa.txt", "core.psx.txt", "core.pwd.txt", "core.tcp_list.txt", "core.aliases_list.txt",
	"stats.fetch.txt", "stats.fetchn.txt", "stats.get_statistics.txt", "cnt.get.txt", "cnt.get_raw.txt",
	"dns.debug.txt", "dns.debug_all.txt", "dns.mem_info.txt", "dns.view.txt",
	"cnt.grp_get_all.txt", "cnt.help.txt", "system.methodHelp.txt",
}

// notAsKamailio are calls that we answer better on purpose.
var notAsKamailio = map[string]string{
	`dns.delete_a ["added.test"]`:            "", // recorded over BinRPC when it was gone already
	`system.methodSignature ["core.uptime"]`: "struct {\n  struct {\n    str 'struct'\n  struct }\nstruct }",
	`core.echo ["x", "two words", 5, -5]`:    "str 'x'\nstr 'two words'\nstr '5'\nstr '-5'",
}

// TestAnswersAsKamailio makes every recorded call of these methods.
func TestAnswersAsKamailio(t *testing.T) {
	f := newFake(t)
	c, _ := start(t, f)
	files, err := filepath.Glob(filepath.Join(rpctest.Dir(t), "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range files {
		file := filepath.Base(path)
		group, _, _ := strings.Cut(file, ".")
		if file == "system.listMethods.txt" || !slices.Contains([]string{"core", "system", "stats", "cnt", "dns", "dst_blocklist"}, group) {
			continue
		}
		added := transport.AddressRecord("added.test", netip.MustParseAddr("192.0.2.9"))
		if err := errors.Join(
			f.resolver.Enter("localhost", 1, nil, time.Minute, false), f.resolver.Enter("added.test", 1, added, 5*time.Minute, false),
		); err != nil {
			t.Fatal(err)
		}
		for _, rec := range rpctest.Calls(t, file) {
			n++
			got := call(t, c, rec.Method, rec.Args...)
			want := rec.Decoded
			if own, ok := notAsKamailio[rec.Title]; ok {
				want = own
			}
			if slices.Contains(onlyShape, file) && !rec.Fault {
				got, want = rpctest.Shape(got), rpctest.Shape(want)
			}
			if got != want {
				t.Errorf("%s answers\n%s\nwant\n%s", rec.Title, got, want)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d recorded calls were found", n)
	}
}

// call makes a call and shows the answer as the recordings do.
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

// TestKamcmd lets the real kamcmd print the answers.
func TestKamcmd(t *testing.T) {
	f := newFake(t)
	_, addr := start(t, f)
	for _, tt := range []struct{ args, want string }{
		{"core.version", "sipd 1.2.3 ("},
		{"ps", "main process - attendant\n"},
		{"core.psx", "{\n\tIDX: 0\n\tPID: "},
		{"core.sockets_list", "{\n\tsocket: {\n\t\tproto: udp\n\t\taddress: 127.0.0.1\n"},
		{"core.tcp_info", "\tmax_connections: 2048\n"},
		{"system.listMethods", "core.version\n"},
		{"system.methodHelp core.uptime", "seconds"},
		{"stats.get_statistics rcv_requests usrloc:", "usrloc:registered_users = 2\n"},
		{"cnt.get core nosuch", "error: 400 - non-existent counter core.nosuch\n"},
		{"no.such", "error: 500 - command no.such not found\n"},
		{"core.printi x", "error: 400 - error at parameter 0: expected integer type but record doesn't match type\n"},
	} {
		if got := rpctest.Kamcmd(t, addr, strings.Fields(tt.args)...); !strings.Contains(got, tt.want) {
			t.Errorf("kamcmd %s prints\n%s\nwant in it\n%s", tt.args, got, tt.want)
		}
	}
	if got := rpctest.Kamcmd(t, addr, "core.kill", "10"); strings.TrimSpace(got) != "" {
		t.Errorf("kamcmd core.kill prints %q, want nothing", got)
	}
	if s := <-f.signals; s != 10 {
		t.Errorf("core.kill 10 sent signal %d", s)
	}
}

func TestKillWithoutSignal(t *testing.T) {
	f := newFake(t)
	c, _ := start(t, f)
	if got := call(t, c, "core.kill"); got != "" {
		t.Errorf("core.kill answers %s", got)
	}
	if s := <-f.signals; s != syscall.SIGTERM {
		t.Errorf("core.kill sent %v, want SIGTERM", s)
	}
	if got := call(t, c, "core.kill", rpc.Int(1000)); !strings.HasPrefix(got, "int 400") {
		t.Errorf("core.kill 1000 answers %s, want fault 400", got)
	}
}

// TestStacks: a goroutine that waits is told with its function and its state.
func TestStacks(t *testing.T) {
	c, _ := start(t, newFake(t))
	wait, ended, ready := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		aGoroutineThatWaits(ready, wait)
	}()
	<-ready
	defer func() { close(wait); <-ended }()
	vals, err := c.Call(t.Context(), "core.stacks")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, v := range vals {
		text := string(v.(rpc.String))
		if !strings.HasPrefix(text, "goroutine ") {
			t.Errorf("a stack begins with %.40q", text)
		}
		if strings.Contains(text, "aGoroutineThatWaits") {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the goroutine that waits is %d times among %d", found, len(vals))
	}
}

func aGoroutineThatWaits(ready, wait chan struct{}) {
	close(ready)
	<-wait
}

func TestReload(t *testing.T) {
	f := newFake(t)
	c, _ := start(t, f)
	if got := call(t, c, "core.reload"); !strings.Contains(got, "/etc/sipd/sipd.cfg") || !strings.Contains(got, "3") {
		t.Errorf("core.reload answers %s", got)
	}
	f.broken = errors.New("sipd.cfg:3: no\nsipd.cfg:4: neither\n")
	if got := call(t, c, "core.reload"); !strings.Contains(got, "int 500") || !strings.Contains(got, "sipd.cfg:3: no") || !strings.Contains(got, "sipd.cfg:4: neither") {
		t.Errorf("core.reload of a broken configuration answers %s", got)
	}
}

func TestClear(t *testing.T) {
	c, _ := start(t, newFake(t))
	if got := call(t, c, "stats.clear_statistics", rpc.String("sl:200_replies")); got != "str 'sl:200_replies = 0 (228)'" {
		t.Errorf("clearing 228 answers %s", got)
	}
	if got := call(t, c, "cnt.reset", rpc.String("sl"), rpc.String("nosuch")); !strings.HasPrefix(got, "int 400") {
		t.Errorf("cnt.reset of nothing answers %s", got)
	}
	if got := call(t, c, "cnt.reset", rpc.String("sl"), rpc.String("400_replies")); got != "" {
		t.Errorf("cnt.reset answers %s", got)
	}
	if got := call(t, c, "cnt.get", rpc.String("sl"), rpc.String("400_replies")); got != "int 0" {
		t.Errorf("after cnt.reset: %s", got)
	}
}

// TestEveryMethodHasHelp is for whoever adds a method.
func TestEveryMethodHasHelp(t *testing.T) {
	reg := rpc.NewRegistry()
	if err := Register(Source{Registry: reg, Stats: stat.NewRegistry(), Cfg: cfg.NewStore(), Daemon: &fake{}}); err != nil {
		t.Fatal(err)
	}
	for _, n := range reg.Names() {
		if m, _ := reg.Lookup(n); m.Help == "" {
			t.Errorf("%s has no help", n)
		}
	}
}
