package serctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/db"
	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// fakeServer serves the methods that ser_ctl calls and notes the calls.
func fakeServer(t *testing.T, name string, calls *[]string, broken ...string) string {
	t.Helper()
	reg := rpc.NewRegistry()
	replies := map[string][]rpc.Value{
		"core.version": {rpc.String("ser 2.1.0")}, "core.ps": {rpc.Int(1), rpc.String("main"), rpc.Int(2), rpc.String("udp receiver")},
		"core.uptime":  {rpc.Struct{{Name: "now", Value: rpc.String("Wed Nov 25\n")}, {Name: "up_since", Value: rpc.String("Tue Nov 24\n")}, {Name: "uptime", Value: rpc.Double(86400)}}},
		"core.shmmem":  {rpc.Struct{{Name: "total", Value: rpc.Int(32)}, {Name: "free", Value: rpc.Int(8)}}},
		"usrloc.stats": {rpc.Struct{{Name: "domain", Value: rpc.String("location")}, {Name: "users", Value: rpc.Int(7)}}},
		"tls.list": {rpc.Struct{
			{Name: "id", Value: rpc.Int(1)},
			{Name: "timeout", Value: rpc.Int(30)},
			{Name: "src_ip", Value: rpc.String("192.0.2.1")},
			{Name: "src_port", Value: rpc.Int(5061)},
			{Name: "dst_ip", Value: rpc.String("192.0.2.2")},
			{Name: "dst_port", Value: rpc.Int(4711)},
			{Name: "tls", Value: rpc.String("ok")},
		}},
		"usrloc.show_contacts": {
			rpc.Struct{{Name: "contact", Value: rpc.String("sip:a@192.0.2.7")}, {Name: "expires", Value: rpc.Int(60)}, {Name: "q", Value: rpc.Double(1)}},
			rpc.Struct{{Name: "contact", Value: rpc.String("sip:b@192.0.2.8")}, {Name: "expires", Value: rpc.Int(61)}, {Name: "q", Value: rpc.Double(0.5)}},
		},
		"usrloc.add_contact": nil, "usrloc.delete_uid": nil, "usrloc.delete_contact": nil, "core.kill": nil, "domain.reload": nil, "gflags.reload": nil,
		"pa.publish": {rpc.String("etag-1")}, "t.echo": nil, "tm.stats": {rpc.Struct{{Name: "current", Value: rpc.Int(3)}}},
	}
	for method, reply := range replies {
		m := &rpc.Method{Name: method, Params: []rpc.Param{{Name: "any", Type: rpc.TAny, Optional: true, Rest: true}}, List: true}
		m.Handler = func(_ context.Context, c *rpc.Call) error {
			line := name + " " + method
			for i := range c.Len() {
				line += fmt.Sprintf(" %T:%v", c.Arg(i), c.Arg(i))
			}
			*calls = append(*calls, strings.ReplaceAll(line, "rpc.", ""))
			for _, b := range broken {
				if b == method {
					return rpc.Faultf(500, "broken")
				}
			}
			if method == "t.echo" {
				for i := range c.Len() {
					c.Add(c.Arg(i))
				}
			}
			c.Add(reply...)
			return nil
		}
		if err := reg.Add(m); err != nil {
			t.Fatal(err)
		}
	}
	list := &rpc.Method{Name: "system.listMethods", List: true, Handler: func(_ context.Context, c *rpc.Call) error {
		for _, m := range []string{"core.uptime", "core.shmmem", "core.version", "usrloc.stats", "tm.stats", "domain.reload", "gflags.reload"} {
			c.Add(rpc.String(m))
		}
		return nil
	}}
	if err := reg.Add(list); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	s := &binrpc.Server{Registry: reg, Log: slog.New(slog.DiscardHandler), File: binrpc.FileMode{UID: -1, GID: -1}}
	if err := s.Listen(t.Context(), binrpc.Address{Net: "unixs", Path: path}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return "unixs:" + path
}

// TestServer: every command of ser_ctl and ser_rpc that talks to the server:
// what it prints and what it calls.
func TestServer(t *testing.T) {
	b := newBench(t, db.SQLite)
	var calls []string
	b.run("ser_domain add d1 example.com", "")
	b.run("ser_ctl user add alice@example.com -p x", "")
	t.Setenv("SERCTL_SER", fakeServer(t, "one", &calls))
	pidf := filepath.Join(t.TempDir(), "doc.xml")
	if err := os.WriteFile(pidf, []byte("<presence/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ line, out, calls string }{
		{"ser_ctl version", "ser 2.1.0\n", "one core.version"},
		{"ser_ctl ps", "1 main\n2 udp receiver\n", "one core.ps"},
		{"ser_ctl ps -t", "+----+---------------------+\n| id | process description |\n+----+---------------------+\n| 1  | main                |\n| 2  | udp receiver        |\n+----+---------------------+\n", "one core.ps"},
		{"ser_ctl uptime -R ;", "86400.0;Tue Nov 24;Wed Nov 25\n", "one core.uptime"},
		{"ser_ctl stat", "core.uptime now Wed Nov 25\ncore.uptime up_since Tue Nov 24\ncore.uptime uptime 86400.0\ncore.shmmem total 32\ncore.shmmem free 8\nusrloc.stats location : users 7\ntm.stats current 3\n", "one core.uptime|one core.shmmem|one usrloc.stats|one tm.stats"},
		{"ser_ctl st tm", "tm.stats current 3\n", "one tm.stats"},
		{"ser_ctl list_tls", "1 30 192.0.2.1:5061 192.0.2.2:4711 ok\n", "one tls.list"},
		{"ser_ctl lm", "core.uptime\ncore.shmmem\ncore.version\nusrloc.stats\ntm.stats\ndomain.reload\ngflags.reload\n", ""},
		{"ser_ctl list_methods -L ;", "core.uptime;core.shmmem;core.version;usrloc.stats;tm.stats;domain.reload;gflags.reload;", ""},
		{"ser_ctl kill", "", "one core.kill Int:15"},
		{"ser_ctl kill 9", "", "one core.kill Int:9"},
		{"ser_ctl reload", "", "one domain.reload|one gflags.reload"},
		{"ser_ctl usrloc add alice@example.com sip:a@192.0.2.7", "", "one usrloc.add_contact String:location String:alice@example.com String:sip:a@192.0.2.7 Int:0 Double:1 Int:128"},
		{"ser_ctl ul a alice@example.com sip:a@192.0.2.7 expires=60 q=0.5 flags=1", "", "one usrloc.add_contact String:location String:alice@example.com String:sip:a@192.0.2.7 Int:60 Double:0.5 Int:1"},
		{"ser_ctl usrloc show alice@example.com", "sip:a@192.0.2.7 60 1.0\nsip:b@192.0.2.8 61 0.5\n", "one usrloc.show_contacts String:location String:alice@example.com"},
		{"ser_ctl usrloc rm alice@example.com -U aliases", "", "one usrloc.delete_uid String:aliases String:alice@example.com"},
		{"ser_ctl usrloc rm alice@example.com sip:a@192.0.2.7", "", "one usrloc.delete_contact String:location String:alice@example.com String:sip:a@192.0.2.7"},
		{"ser_ctl publish alice@example.com " + pidf + " 3600", "'etag-1'\n", "one pa.publish String:registrar String:alice@example.com String:<presence/> Int:3600"},
		{"ser_ctl publish alice@example.com " + pidf + " 3600 etag-0 -t", "+--------+\n| value  |\n+--------+\n| etag-1 |\n+--------+\n", "one pa.publish String:registrar String:alice@example.com String:<presence/> Int:3600 String:etag-0"},
		{"ser_ctl domain add new.example.com www.new.example.com", "", "one domain.reload"},
		{"ser_ctl domain rm www.new.example.com new.example.com", "", "one domain.reload"},
		{"ser_rpc t.echo 5 1.5 text", "[5, 1.5, 'text']\n", "one t.echo Int:5 Double:1.5 String:text"},
		{`ser_rpc t.echo "5" 0x1f`, "['5', '0x1f']\n", "one t.echo String:5 String:0x1f"},
		{"ser_rpc core.uptime", `{'now': 'Wed Nov 25\n', 'up_since': 'Tue Nov 24\n', 'uptime': 86400.0}` + "\n", "one core.uptime"},
		{"ser_rpc core.shmmem -t", "+-------+-------+\n| key   | value |\n+-------+-------+\n| total | 32    |\n| free  | 8     |\n+-------+-------+\n", "one core.shmmem"},
		{"ser_rpc core.kill", "", "one core.kill"},
	} {
		calls = nil
		out, errs, code := b.run(tt.line, "")
		if code != 0 || out != tt.out || strings.Join(calls, "|") != tt.calls {
			t.Errorf("%s: exit %d\n%s%scalls %s\nwant\n%scalls %s", tt.line, code, out, errs, strings.Join(calls, "|"), tt.out, tt.calls)
		}
	}
	for line, want := range map[string]string{
		"ser_rpc no.such": "ser_rpc: no.such: 500", "ser_ctl usrloc add alice@example.com": "ser_ctl: contact: Argument required",
		"ser_ctl usrloc show nobody@example.com": "ser_ctl: username=nobody did=d1: No record found", "ser_ctl usrloc add alice@example.com sip:x q=much": "ser_ctl: q=much: Invalid argument",
		"ser_ctl kill soft": "ser_ctl: soft: Invalid argument", "ser_ctl publish u nofile 60": "ser_ctl: open nofile", "ser_ctl usrloc nonsense alice@example.com": "ser_ctl: nonsense: Invalid argument",
		"ser_ctl version -k key.pem": "ser_ctl: --ssl-key and --ssl-cert", "ser_rpc t.echo 'x": "",
	} {
		if _, errs, code := b.run(line, ""); want != "" && (code != 1 || !strings.HasPrefix(errs, want)) {
			t.Errorf("%s: exit %d, %s; want %s", line, code, errs, want)
		}
	}
}

// TestDomainStored: a server that cannot be told does not undo the change, and
// the message says what finishes it.
func TestDomainStored(t *testing.T) {
	b := newBench(t, db.SQLite)
	_, errs, code := b.run("ser_ctl domain add example.com", "")
	if code != 1 || !strings.Contains(errs, "the change is stored, but the server did not read it") || !strings.Contains(errs, "ser_ctl reload") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if out, _, _ := b.run("ser_domain show -C domain", ""); out != "example.com\n" {
		t.Errorf("stored is %q", out)
	}
}

// TestReloadSeveral: each server is called; one that fails is a warning and
// the exit is 1, or 0 as the elder's where that is asked for.
func TestReloadSeveral(t *testing.T) {
	b := newBench(t, db.SQLite)
	var calls []string
	one, two := fakeServer(t, "one", &calls), fakeServer(t, "two", &calls, "gflags.reload")
	line := "ser_ctl reload -A '" + one + " unix:/nonexistent " + two + "'"
	out, errs, code := b.run(line, "")
	if strings.Join(calls, "|") != "one domain.reload|one gflags.reload|two domain.reload|two gflags.reload" {
		t.Errorf("calls are %q", calls)
	}
	if code != 1 || !strings.Contains(errs, "WARNING: ListMethods on 'unix:/nonexistent' failed") || !strings.Contains(errs, "WARNING: Reload on '"+two+"' failed") || !strings.Contains(out, "'ser_ctl reload'") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	t.Setenv("SIPCTL_ELDER_EXIT", "old")
	if _, _, code := b.run(line, ""); code != 0 {
		t.Errorf("with the elder's exit codes it is %d", code)
	}
}

// TestAddresses: which server and database are meant.
func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"host:5060": "http://host:5060", " https://host/RPC2 ": "https://host/RPC2", "unix:/tmp/ser_ctl": "unix:/tmp/ser_ctl", "unixd:/tmp/x": "unixd:/tmp/x",
	} {
		if got := adjust(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	t.Setenv("SERCTL_SER", "")
	t.Setenv("OTHER_SER", "unixd:/tmp/other")
	for _, tt := range []struct{ args, want string }{
		{"x", "unix:/tmp/ser_ctl"}, {"x -S OTHER_SER", "unixd:/tmp/other"}, {"x -S OTHER_SER -s host", "http://host"}, {"x -j", "fifo:/tmp/ser_fifo"}, {"x -j -J /tmp/f", "fifo:/tmp/f"},
	} {
		o, _, err := readOptions(strings.Fields(tt.args))
		if err != nil {
			t.Fatal(err)
		}
		s := &session{opt: o}
		if got, err := s.server(); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.args, got, err, tt.want)
		}
	}
	o, _, _ := readOptions(nil)
	s := &session{opt: o, Surroundings: Surroundings{DefaultServer: func() (string, error) { return "unixs:/run/x", nil }, DefaultDB: func() (string, error) { return "", errors.New("broken") }}}
	if got, _ := s.server(); got != "unixs:/run/x" {
		t.Errorf("sipctl's own server is not taken: %q", got)
	}
	t.Setenv("SERCTL_DB", "")
	if _, err := s.open(t.Context()); err == nil || err.Error() != "broken" {
		t.Errorf("sipctl's own database is not taken: %v", err)
	}
}
