package dbtext_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sipd/router/livetest"
	"sipd/rpc/rpctest"
)

// script shows what each module finds in its table: the request's user says
// which is asked.
const script = `
loadmodule "db_text.so"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "permissions.so"
loadmodule "domain.so"
loadmodule "alias_db.so"
loadmodule "group.so"
loadmodule "speeddial.so"
loadmodule "htable.so"
loadmodule "dispatcher.so"
loadmodule "acc.so"
loadmodule "ctl.so"
modparam("ctl", "binrpc", "unix:DIR/ctl")
modparam("usrloc", "timer_interval", 1)
modparam("usrloc|auth_db|permissions|domain|alias_db|group|speeddial|htable|dispatcher|acc", "db_url", "text://FOLDER")
modparam("usrloc", "db_mode", USRLOC)
modparam("usrloc", "use_domain", 1)
modparam("usrloc", "db_insert_null", 1)
modparam("auth_db", "calculate_ha1", 1)
modparam("auth_db", "password_column", "password")
modparam("auth_db", "use_domain", 1)
modparam("group|speeddial", "use_domain", 1)
modparam("htable", "htable", "t=>size=4;dbtable=htable;")
modparam("dispatcher", "force_dst", 1)
request_route {
	$var(r) = "no";
	if (is_method("REGISTER")) {
		if (!auth_check("$td", "subscriber", "0")) {
			auth_challenge("$td", "0");
			exit;
		}
		save("location");
		exit;
	}
	switch ($rU) {
		case "address":
			if (allow_address("1", "192.0.2.7", "5060")) $var(r) = "all ports";
			if (allow_address("1", "198.51.100.200", "5070")) $var(r) = $var(r) + ", the net";
			if (allow_address("1", "198.51.100.200", "5071")) $var(r) = $var(r) + ", another port";
		break;
		case "domain":
			if (is_domain_local("example.com")) $var(r) = "local";
			if (is_domain_local("example.net")) $var(r) = "all";
		break;
		case "info":
			$rd = "example.com";
			if (alias_db_lookup("dbaliases")) $var(r) = $ru;
		break;
		case "group":
			$ru = "sip:alice@example.com";
			if (is_user_in("Request-URI", "pstn")) $var(r) = "pstn";
			if (is_user_in("Request-URI", "free")) $var(r) = "free";
		break;
		case "12":
			$rd = "example.com";
			if (sd_lookup("speed_dial", "sip:alice@example.com")) $var(r) = $ru;
		break;
		case "htable":
			$var(r) = $(sht(t=>city){s.substr,4,0}) + " " + $sht(t=>count);
		break;
		case "dispatcher":
			if (ds_select_dst("1", "8")) $var(r) = $du;
		break;
		case "acc":
			acc_db_request("200 counted", "acc");
			$var(r) = "counted";
		break;
		case "alice":
			$rd = "example.com";
			if (lookup("location")) $var(r) = $ru;
		break;
	}
	append_to_reply("X-Found: $var(r)\r\n");
	sl_send_reply("299", "Found");
	exit;
}
`

var found = map[string]string{
	"address": "all ports, the net", "domain": "local", "info": "sip:alice@example.com", "group": "pstn",
	"12": "sip:carol@example.com", "htable": "York: NY 42", "dispatcher": "sip:192.0.2.9:5080", "acc": "counted",
}

func ask(p *livetest.Peer, user string) string {
	p.Send("OPTIONS sip:" + user + "@ADDR SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bK" + user + "\nFrom: <sip:alice@example.com>;tag=1\n" +
		"To: <sip:x@example.com>;tag=2\nCall-ID: ask-" + user + "\nCSeq: 1 OPTIONS\nMax-Forwards: 9\n")
	return livetest.Value(p.Want("SIP/2.0 299"), "X-Found")
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func register(p *livetest.Peer, contact string) string {
	request := func(n int, more string) {
		p.Send(fmt.Sprintf("REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP ME;branch=z9hG4bKreg%d\nFrom: <sip:alice@example.com>;tag=1\n"+
			"To: <sip:alice@example.com>\nCall-ID: reg:1\nCSeq: %d REGISTER\nContact: <%s>;q=0.5;expires=3000\nUser-Agent: Phone\nMax-Forwards: 9\n%s", n, n, contact, more))
	}
	nonce := "ME"
	n := 0
	for ; strings.Contains(nonce, "ME"); n++ { // a word that Send replaces
		request(n, "")
		nonce = regexp.MustCompile(`nonce="([^"]+)"`).FindStringSubmatch(p.Want("SIP/2.0 401"))[1]
	}
	answer := md5hex(md5hex("alice:example.com:se:cret") + ":" + nonce + ":" + md5hex("REGISTER:sip:example.com"))
	request(n, fmt.Sprintf("Authorization: Digest username=\"alice\", realm=\"example.com\", nonce=\"%s\", uri=\"sip:example.com\", response=\"%s\"\n", nonce, answer))
	return p.Want("SIP/2.0 200")
}

func tables(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/tables")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func rows(t *testing.T, dir, table string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, table))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")[1:]
}

// dump asks the daemon to write its tables until one of them has so many rows:
// usrloc writes when its timer comes, and Kamailio's end is not to be relied on.
func dump(t *testing.T, d *livetest.Daemon, dir, table string, want int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(time.Minute); ; <-tick.C {
		if reply, err := d.RPC(t, "db_text.dump"); err != nil || rpctest.Show(reply) != "str 'Dump OK'" {
			t.Fatal(rpctest.Show(reply), err)
		}
		if len(rows(t, dir, table)) == want {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%s has %q", table, rows(t, dir, table))
		}
	}
}

// TestKamailio: what one daemon writes the other one reads, whichever is first.
func TestKamailio(t *testing.T) {
	type start func(t testing.TB, config string) *livetest.Daemon
	daemons := map[string]start{"sipd": livetest.Start, "kamailio": livetest.Kamailio}
	for _, names := range [][2]string{{"sipd", "sipd"}, {"sipd", "kamailio"}, {"kamailio", "sipd"}, {"kamailio", "kamailio"}} {
		for mode := 1; mode <= 3; mode++ {
			t.Run(fmt.Sprintf("%s then %s, usrloc %d", names[0], names[1], mode), func(t *testing.T) {
				dir := tables(t)
				config := strings.NewReplacer("FOLDER", dir, "USRLOC", fmt.Sprint(mode)).Replace(script)
				ok := t.Run("first", func(t *testing.T) {
					d := daemons[names[0]](t, config)
					p := d.Peer(t)
					for user, want := range found {
						if got := ask(p, user); got != want {
							t.Errorf("%s: %q, want %q", user, got, want)
						}
					}
					if m := register(p, "sip:alice@192.0.2.1:5070"); !strings.Contains(m, "<sip:alice@192.0.2.1:5070>") {
						t.Error(m)
					}
					dump(t, d, dir, "location", 1)
					dump(t, d, dir, "acc", 1)
				})
				if !ok {
					return
				}
				if got := rows(t, dir, "location"); len(got) != 1 || !strings.Contains(got[0], ":alice:example.com:sip\\:alice@192.0.2.1\\:5070:::") || !strings.Contains(got[0], ":0.50:reg\\:1:") {
					t.Errorf("location: %q", got)
				}
				if got := rows(t, dir, "acc"); len(got) != 1 || !strings.HasPrefix(got[0], "1:OPTIONS:1:2:ask-acc:200:counted:1") {
					t.Errorf("acc: %q", got)
				}
				t.Run("second", func(t *testing.T) {
					d := daemons[names[1]](t, config)
					p := d.Peer(t)
					// Kamailio takes messages before it has read the contacts.
					got, want := ask(p, "alice"), "sip:alice@192.0.2.1:5070"
					for limit := time.Now().Add(time.Minute); !d.Ours && got == "no" && time.Now().Before(limit); {
						got = ask(p, "alice")
					}
					if got != want {
						t.Errorf("%q, want %q", got, want)
					}
					ask(p, "acc")
					dump(t, d, dir, "acc", 2)
				})
				if got := rows(t, dir, "acc"); len(got) != 2 || !strings.HasPrefix(got[0], "2:OPTIONS") {
					t.Errorf("acc: %q", got)
				}
			})
		}
	}
}
