package router_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sipd/router"
	"sipd/router/livetest"
	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/rpctest"
)

// reloadModules is what both configurations of a test load.
const reloadModules = `
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "htable.so"
loadmodule "auth.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "kex.so"
modparam("ctl", "binrpc", "unixs:DIR/ctl")
modparam("htable", "htable", "seen=>size=4;")
modparam("tm", "wt_timer", 1000)
modparam("pv", "shvset", "turns=i:1")
custom.color = "red" desc "a color"
`

// reloadRoutes answers and fails with a word that tells which configuration runs.
func reloadRoutes(word string) string {
	return reloadModules + fmt.Sprintf(`
request_route {
	if (is_method("REGISTER")) { save("location"); exit; }
	if (is_method("OPTIONS")) {
		$sht(seen=>$ci) = 1;
		$shv(turns) = $shv(turns) + 1;
		sl_send_reply("200", "%[1]s $shv(turns) $sht(seen=>first) $sel(cfg_get.custom.color)");
		exit;
	}
	if (is_method("INVITE")) {
		if (!lookup("location")) { sl_send_reply("404", "%[1]s"); exit; }
		t_on_failure("FAILED");
	}
	t_relay();
}
failure_route[FAILED] { t_reply("600", "%[1]s failed"); }
`, word)
}

const (
	options = `OPTIONS sip:ADDR SIP/2.0
Via: SIP/2.0/UDP ME;branch=z9hG4bK-%[1]s
From: <sip:a@test>;tag=a
To: <sip:b@test>
Call-ID: %[1]s
CSeq: 1 OPTIONS
`
	register = `REGISTER sip:ADDR SIP/2.0
Via: SIP/2.0/UDP ME;branch=z9hG4bK-reg
From: <sip:bob@ADDR>;tag=a
To: <sip:bob@ADDR>
Call-ID: reg
CSeq: 1 REGISTER
Contact: <sip:bob@ME>
Expires: 600
`
	invite = `INVITE sip:bob@ADDR SIP/2.0
Via: SIP/2.0/UDP ME;branch=z9hG4bK-%[1]s
Max-Forwards: 70
From: <sip:alice@ADDR>;tag=a
To: <sip:bob@ADDR>
Call-ID: %[1]s
CSeq: 1 INVITE
Contact: <sip:alice@ME>
`
)

// TestReload: what is new runs from then on, what was begun ends as it began,
// and nothing that the daemon knows is lost.
func TestReload(t *testing.T) {
	d := livetest.Start(t, reloadRoutes("old"))
	client := control(t, d)
	alice, bob := d.Peer(t), d.Peer(t)
	alice.Send(fmt.Sprintf(options, "first"))
	alice.Want("SIP/2.0 200 old 2 1 red")
	bob.Send(register)
	bob.Want("SIP/2.0 200 ")
	alice.Send(fmt.Sprintf(invite, "begun"))
	call := bob.Want("INVITE ")
	rpcText(t, client, "cfg.set", "custom", "color", "blue")

	if err := d.Reload(t, reloadRoutes("new")+"route {"); err == nil || !strings.Contains(err.Error(), "test.cfg:") {
		t.Fatalf("a broken configuration is reloaded: %v", err)
	}
	alice.Send(fmt.Sprintf(options, "second"))
	alice.Want("SIP/2.0 200 old 3 1 blue")

	if err := d.Reload(t, reloadRoutes("new")); err != nil {
		t.Fatal(err)
	}
	alice.Send(fmt.Sprintf(options, "third"))
	alice.Want("SIP/2.0 200 new 4 1 blue")
	bob.Reply(call, 486, "Busy Here")
	bob.Want("ACK ")
	alice.Want("SIP/2.0 600 old failed")
	alice.Send(fmt.Sprintf(invite, "later"))
	bob.Reply(bob.Want("INVITE "), 486, "Busy Here")
	bob.Want("ACK ")
	alice.Want("SIP/2.0 600 new failed")

	if got := rpcText(t, client, "stats.get_statistics", "sl:200_replies"); !strings.Contains(got, "= 4") {
		t.Errorf("answers counted: %s, want 4", got)
	}
	if got := rpcText(t, client, "core.reload"); !strings.Contains(got, "2") {
		t.Errorf("core.reload answers %s, want the second", got)
	}
	if got := rpcText(t, client, "cfg.get", "custom", "color"); !strings.Contains(got, "blue") {
		t.Errorf("custom.color is %s", got)
	}
}

// TestReloadRefused: what counts from a start on only is named, and nothing
// changes.
func TestReloadRefused(t *testing.T) {
	d := livetest.Start(t, reloadRoutes("old"))
	for _, tt := range []struct{ config, want string }{
		{strings.Replace(reloadRoutes("new"), `"unixs:DIR/ctl"`, `"unixs:DIR/other"`, 1), "module ctl: a reload cannot change binrpc; restart"},
		{"children=7\n" + reloadRoutes("new"), "a reload cannot change children; restart"},
		{"listen=udp:127.0.0.1:1\n" + reloadRoutes("new"), "a reload cannot change what is listened on (udp:"},
		{reloadRoutes("new") + `modparam("usrloc", "timer_interval", 7)`, "module usrloc: a reload cannot change timer_interval; restart"},
		{strings.Replace(reloadRoutes("new"), "t_relay()", "t_relais()", 1), `did you mean "t_relay"?`},
	} {
		if err := d.Reload(t, tt.config); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("reload: %v, want %q", err, tt.want)
		}
	}
	alice := d.Peer(t)
	alice.Send(fmt.Sprintf(options, "first"))
	alice.Want("SIP/2.0 200 old 2 1 red")
}

// TestReloadUnderLoad: a thousand reloads while requests and calls go on lose
// none of them, and leave no memory behind.
func TestReloadUnderLoad(t *testing.T) {
	turns := 1000
	if testing.Short() {
		turns = 50
	}
	d := livetest.Start(t, reloadRoutes("old"))
	bob := d.Peer(t)
	bob.Send(register)
	bob.Want("SIP/2.0 200 ")
	var stop atomic.Bool
	done := make(chan int, 2)
	go func() { // requests, one after the other
		p, n := d.Peer(t), 0
		for ; !stop.Load(); n++ {
			p.Send(fmt.Sprintf(options, fmt.Sprint("o", n)))
			p.Want("SIP/2.0 200 ")
		}
		done <- n
	}()
	go func() { // calls that fail in the route of the configuration they began in
		alice, n := d.Peer(t), 0
		for ; !stop.Load(); n++ {
			alice.Send(fmt.Sprintf(invite, fmt.Sprint("i", n)))
			bob.Reply(bob.Want("INVITE "), 486, "Busy Here")
			bob.Want("ACK ")
			alice.Want("SIP/2.0 600 ")
			alice.Send(fmt.Sprintf(strings.Replace(strings.Replace(invite, "INVITE", "ACK", 2), "To: <sip:bob@ADDR>", "To: <sip:bob@ADDR>;tag=x", 1), fmt.Sprint("i", n)))
		}
		done <- n
	}()
	var after20 uint64
	for i := range turns {
		if err := d.Reload(t, reloadRoutes(fmt.Sprint("turn", i))); err != nil {
			t.Fatal(err)
		}
		if i == 20 {
			after20 = heap()
		}
	}
	stop.Store(true)
	requests, calls := <-done, <-done
	// What transactions still hold is let go of when wt_timer ends them.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for now := heap(); now > after20+8<<20; now = heap() {
		select {
		case <-limit:
			t.Fatalf("the heap grew from %d to %d MiB in %d reloads", after20>>20, now>>20, turns)
		case <-tick.C:
		}
	}
	t.Logf("%d and %d requests and calls in %d reloads", requests, calls, turns)
}

// control is a client of the daemon's control socket.
func control(t *testing.T, d *livetest.Daemon) *binrpc.Client {
	t.Helper()
	a, err := binrpc.ParseAddress("unixs:" + d.Dir + "/ctl")
	if err != nil {
		t.Fatal(err)
	}
	c, err := binrpc.Dial(t.Context(), a, binrpc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// rpcText is the reply to a call with textual parameters.
func rpcText(t *testing.T, c *binrpc.Client, method string, args ...string) string {
	t.Helper()
	vals := make([]rpc.Value, 0, len(args))
	for _, a := range args {
		vals = append(vals, rpc.String(a))
	}
	reply, err := c.Call(t.Context(), method, vals...)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return rpctest.Show(reply)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestInitOrder: what others build on is ready before them, in whatever order
// the configuration loads them.
func TestInitOrder(t *testing.T) {
	config := reloadRoutes("any")
	for _, name := range []string{"tm", "usrloc"} {
		line := fmt.Sprintf("loadmodule \"%s.so\"\n", name)
		config = strings.Replace(config, line, "", 1)
		config = strings.Replace(config, "modparam(", line+"modparam(", 1)
	}
	config = "loadmodule \"acc.so\"\nloadmodule \"tmx.so\"\n" + config
	d := livetest.Start(t, config)
	bob := d.Peer(t)
	bob.Send(register)
	bob.Want("SIP/2.0 200 ")
}

// TestReloadEndsServe: a module that says that its context ended, when a reload
// ends its Serve, does not end the daemon; another error is told.
func TestReloadEndsServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if err := router.Ended(ctx, context.Canceled); err == nil {
		t.Error("a context that goes on cannot have ended anything")
	}
	cancel()
	failed := errors.New("the socket is gone")
	if err := router.Ended(ctx, fmt.Errorf("serve: %w", context.Canceled)); err != nil {
		t.Errorf("the end of the context is told: %v", err)
	}
	if err := router.Ended(ctx, failed); !errors.Is(err, failed) {
		t.Errorf("a failure while the context ends is lost: %v", err)
	}
}
