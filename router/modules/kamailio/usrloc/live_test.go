package usrloc_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"sipd/router/livetest"
	"sipd/rpc"
)

const liveConfig = `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "kex.so"
loadmodule "textops.so"
loadmodule "ctl.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("ctl", "binrpc", "unix:DIR/ctl")
modparam("usrloc", "timer_interval", 1)
PARAMS
request_route {
	if ($fU != "plain") setbflag(7);
	save("location");
}
`

// register registers a user's phone.
func register(p *livetest.Peer, user string) {
	p.Send(fmt.Sprintf("REGISTER sip:ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK%[1]s\nFrom: <sip:%[1]s@b>;tag=1\nTo: <sip:%[1]s@b>\nCall-ID: %[1]s\nCSeq: 1 REGISTER\nMax-Forwards: 9\nContact: <sip:%[1]s@ME>\nExpires: 600\n", user))
	p.Want("SIP/2.0 200 ")
}

// number is a figure of what ul.lookup shows of a user, 0 when it shows none.
func number(t *testing.T, d *livetest.Daemon, user, name string) (n int) {
	t.Helper()
	v, err := d.RPC(t, "ul.lookup", rpc.String("location"), rpc.String(user))
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`\{` + name + ` (-?\d+)\}`).FindStringSubmatch(fmt.Sprint(v)); m != nil {
		fmt.Sscan(m[1], &n)
	}
	return n
}

// until waits until a figure is what is wanted.
func until(t *testing.T, d *livetest.Daemon, user, name string, wanted func(int) bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.Now().Add(time.Minute)
	for n := number(t, d, user, name); !wanted(n); n = number(t, d, user, name) {
		if time.Now().After(limit) {
			t.Fatalf("%s of %s stays %d", name, user, n)
		}
		<-tick.C
	}
}

// TestKeepalive: phones are pinged; one that answers is heard of, one that does not
// loses its contact. The contacts are pinged by usrloc or by nathelper.
func TestKeepalive(t *testing.T) {
	for _, tt := range []struct{ name, params, from, to string }{
		{"usrloc", `
modparam("usrloc", "ka_mode", 5)
modparam("usrloc", "ka_timeout", 3)
modparam("usrloc", "ka_domain", "home.test")
modparam("usrloc", "ka_loglevel", -1)
`, "<sip:server@kamailio.org>;tag=", "<sip:phone@home.test>"},
		{"nathelper", `
loadmodule "nathelper.so"
modparam("nathelper", "natping_interval", 1)
modparam("nathelper", "sipping_bflag", 7)
modparam("nathelper", "sipping_from", "sip:pinger@home.test")
modparam("nathelper", "keepalive_timeout", 3)
`, "sip:pinger@home.test", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			livetest.Each(t, strings.Replace(liveConfig, "PARAMS", tt.params, 1), func(t *testing.T, d *livetest.Daemon) {
				phone, silent := d.Peer(t), d.Peer(t)
				register(d.Peer(t), "plain") // nathelper sends it no request
				register(phone, "phone")
				register(silent, "silent")
				ping := phone.Want("OPTIONS sip:phone@" + phone.Addr() + " SIP/2.0")
				if from := livetest.Value(ping, "From"); !strings.Contains(from, tt.from) {
					t.Errorf("the ping is from %s, want %s", from, tt.from)
				}
				if to := livetest.Value(ping, "To"); tt.to != "" && to != tt.to {
					t.Errorf("the ping is to %s, want %s", to, tt.to)
				}
				before := number(t, d, "phone", "Last-Keepalive")
				phone.Reply(ping, 200, "OK")
				if tt.name == "usrloc" {
					line := d.WantLog(t, "keepalive roundtrip: ", " - ruid [uloc-", " to-uri: [sip:phone@home.test] remote-addr: [", fmt.Sprint(phone.Port))
					if !regexp.MustCompile(`roundtrip: \d+\.\d{6} sec - `).MatchString(line) {
						t.Errorf("the log says %s", line)
					}
				}
				// An answer to a ping of a later second shows.
				for n := 0; number(t, d, "phone", "Last-Keepalive") <= before; n++ {
					if n == 30 {
						t.Fatal("answers do not show in Last-Keepalive")
					}
					phone.Reply(phone.Want("OPTIONS "), 200, "OK")
				}
				if tt.name == "usrloc" {
					until(t, d, "phone", "KA-Roundtrip", func(n int) bool { return n > 0 })
				}
				until(t, d, "silent", "Expires", func(n int) bool { return n <= 10 })
				if n := number(t, d, "plain", "Expires"); d.Ours && tt.name == "nathelper" && n <= 10 { // a Kamailio ends it
					t.Errorf("a contact that gets no request ends in %d seconds", n)
				}
			})
		})
	}
}
