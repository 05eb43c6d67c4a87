package kamctl

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sipd/db"
	"sipd/rpc/peertest"
	"sipd/rpc/socket/sockettest"
)

// kamailioConf has what the live commands ask for. It answers OPTIONS, so that
// a ping has somebody to reach.
const kamailioConf = `
debug=0
log_stderror=yes
children=1
listen=udp:127.0.0.1:%[1]d
disable_tcp=yes
dns=no
rev_dns=no
auto_aliases=no
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib64/kamailio/modules/:/usr/lib/kamailio/modules/"
loadmodule "db_sqlite.so"
loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "domain.so"
loadmodule "permissions.so"
loadmodule "dispatcher.so"
loadmodule "dialplan.so"
loadmodule "dialog.so"
loadmodule "mtree.so"
loadmodule "ctl.so"
loadmodule "jsonrpcs.so"
modparam("ctl", "binrpc", "unixs:%[2]s/ctl")
modparam("jsonrpcs", "transport", 2)
modparam("jsonrpcs", "fifo_name", "%[2]s/rpc.fifo")
modparam("jsonrpcs", "fifo_reply_dir", "/tmp/")
modparam("usrloc", "db_mode", 0)
modparam("domain|permissions|dispatcher|dialplan|mtree", "db_url", "sqlite://%[3]s")
modparam("permissions", "db_mode", 1)
modparam("permissions|dispatcher|dialplan", "reload_delta", 0)
modparam("mtree", "mtree", "name=mtree;dbtable=mtree;type=0")
request_route { if (is_method("REGISTER")) save("location"); if (is_method("OPTIONS")) sl_send_reply("200", "Here"); else sl_send_reply("404", "Not here"); }
`

// startKamailio runs a Kamailio on a database until the test ends and gives
// the folder of its sockets and its port.
func startKamailio(t *testing.T, file string) (dir string, port int) {
	t.Helper()
	peertest.Path(t, "kamailio", "kamailio")
	dir = t.TempDir()
	port = sockettest.Port(t)
	conf := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(conf, fmt.Appendf(nil, kamailioConf, port, dir, file), 0o600); err != nil {
		t.Fatal(err)
	}
	peertest.Kamailio(t, conf, dir, func() bool {
		c, err := net.Dial("unix", dir+"/ctl")
		if err == nil {
			_ = c.Close()
			_, err = os.Stat(dir + "/rpc.fifo")
		}
		return err == nil
	})
	return dir, port
}

var volatile = []*regexp.Regexp{
	regexp.MustCompile(`("id": *)\d+`), regexp.MustCompile(`("(?:uptime|PID|Last-Modified|Expires|Keepalive|Last-Keepalive|Ruid|Call-ID|now)": *)[^,\n]*`),
	regexp.MustCompile(`((?:now|uptime|shmem:[a-z_]+|core:[a-z_]+|sl:[a-z_0-9A-Z]+|tm:[a-zA-Z_0-9]+)[ :=]+)[A-Z0-9][^",\t\n]*`),
}

func steady(s string) string {
	s = plain(s)
	for _, re := range volatile {
		s = re.ReplaceAllString(s, "$1*")
	}
	return strings.TrimLeft(regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`).ReplaceAllString(s, ""), "\n")
}

// TestLive gives the commands that talk to a daemon to both programs and the
// same Kamailio.
func TestLive(t *testing.T) {
	needElder(t)
	b := newBase(t, db.SQLite, "")
	for _, sql := range []string{
		"INSERT INTO domain (domain, did, last_modified) VALUES ('example.com', 'example.com', 0)",
		"INSERT INTO address (grp, ip_addr, mask, port, tag) VALUES (1, '192.0.2.1', 32, 5060, 'gw'), (2, '198.51.100.0', 24, 0, NULL)",
		"INSERT INTO trusted (src_ip, proto, from_pattern, tag) VALUES ('192.0.2.1', 'udp', '^sip:', 'gw1')",
		"INSERT INTO dispatcher (setid, destination, flags, priority, attrs, description) VALUES (1, 'sip:192.0.2.1', 8, 5, 'duid=a', ''), (1, 'sip:192.0.2.2', 8, 1, 'duid=b', '')",
		"INSERT INTO mtree (tprefix, tvalue) VALUES ('49', 'germany')",
		"INSERT INTO dialplan (dpid, pr, match_op, match_exp, match_len, subst_exp, repl_exp, attrs) VALUES (1, 1, 0, '110', 0, '', '', '')",
	} {
		if _, err := b.d.Writer().ExecContext(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	file := strings.TrimPrefix(b.d.Source(), "sqlite:")
	dir, port := startKamailio(t, file)
	rc, err := os.ReadFile(b.rc)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.rc, append(rc, "RPCFIFOPATH="+dir+"/rpc.fifo\nWATCH_PERIOD=1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []step{
		{args: "ul add alice sip:alice@192.0.2.7 3600", code: same},
		{args: "ul add 1001 sip:1001@192.0.2.8:5070;transport=tcp 3600 <sip:192.0.2.9;lr>", code: same},
		{args: "ul show", code: same},
		{args: "ul show alice", code: same},
		{args: "ul show 1001@example.com", code: same},
		{args: "ul show nobody", code: 1},
		{args: "ul show --brief", code: same},
		{args: "usrloc show a b c", code: same},
		{args: "ul add bob bob@x", code: same},
		{args: "ul add bob", code: same},
		{args: "ul", code: same},
		{args: "ul nonsense", code: same},
		{args: "online", code: same},
		{args: "ps", code: same},
		{args: "psa", code: same},
		{args: "uptime", code: same},
		{args: "stats", code: same},
		{args: "stats sl", code: same},
		{args: "stats nothing", code: same},
		{args: "srv sockets", code: same},
		{args: "srv aliases", code: same},
		{args: "srv rpclist", code: same},
		{args: "srv debug", code: same},
		{args: "srv debug 0", code: same},
		{args: "srv modules", code: same},
		{args: "srv version", code: same},
		{args: "srv", code: same},
		{args: "domain show", code: same},
		{args: "domain reload", code: same},
		{args: "trusted dump", code: same},
		{args: "trusted reload", code: same},
		{args: "address dump", code: same},
		{args: "address reload", code: same},
		{args: "dispatcher dump", code: same},
		{args: "dispatcher reload", code: same},
		{args: "mtree dump mtree", code: same},
		{args: "mtree reload mtree", code: same},
		{args: "dialplan reload", code: same},
		{args: "dialog show", code: same},
		{args: "dialog nonsense", code: same},
		{args: "cr dump", code: 1},
		{args: "cr reload", code: 1}, // no such method in this daemon
		{args: "rpc core.version", code: same},
		{args: "rpc core.prints a b", code: same},
		{args: "rpc core.printi 5 6", code: same},
		{args: "rpc core.prints s:6 'x y'", code: same},
		{args: "rpc no.such", code: 1},
		{args: "rpc cfg.get core nosuch", code: 1},
		{args: "rpc", code: same},
		{args: fmt.Sprintf("ping sip:127.0.0.1:%d", port), code: same},
		{args: "ping", code: same},
		{args: fmt.Sprintf("cisco_restart sip:127.0.0.1:%d", port), code: same},
		{args: "cisco_restart", code: same},
		{args: "alias show", code: same},
		{args: "alias show 300", code: 1},
		{args: "alias add 300 sip:x@192.0.2.1", code: 1},
		{args: "alias rm 300", code: 1}, // no such table in memory
		{args: "monitor 1", code: same},
		{args: "add dave pw", code: same},
		{args: "ul rm 1001 sip:1001@192.0.2.8:5070;transport=tcp", code: same},
		{args: "ul rm alice", code: same},
	} {
		args := words(s.args)
		want, wantCode := elder(t, b.rc, s.in, args...)
		if s.args == "add dave pw" { // each adds one of its own
			args[1] = "erin"
		}
		undo := map[string]string{"ul rm 1001": "ul add 1001 sip:1001@192.0.2.8:5070;transport=tcp 3600", "ul rm alice": "ul add alice sip:alice@192.0.2.7 3600"}
		for rm, add := range undo {
			if strings.HasPrefix(s.args, rm) {
				elder(t, b.rc, "", words(add)...)
			}
		}
		got, code := ours(t, b.rc, s.in, args...)
		if s.code != same {
			wantCode = s.code
		}
		got = strings.ReplaceAll(got, "erin", "dave")
		if code != wantCode || steady(got) != steady(want) {
			t.Errorf("kamctl %s prints, exit %d\n%s\nthe elder prints, exit %d wanted\n%s", s.args, code, steady(got), wantCode, steady(want))
		}
	}
	liveRemove(t, b)
	liveBinRPC(t, b, dir)
}

// liveRemove: a user goes with its contacts.
func liveRemove(t *testing.T, b *base) {
	t.Helper()
	for _, user := range []string{"dave", "erin"} {
		ours(t, b.rc, "", "ul", "add", user, "sip:x@192.0.2.7", "3600")
		run := ours
		if user == "dave" {
			run = elder
		}
		if out, code := run(t, b.rc, "", "rm", user); code != 0 {
			t.Errorf("rm %s: exit %d\n%s", user, code, out)
		}
		if out, code := ours(t, b.rc, "", "ul", "show", user); code != 1 || !strings.Contains(out, "404") && !strings.Contains(out, "not found") {
			t.Errorf("after rm %s its contacts are there: %s", user, out)
		}
	}
}

// liveBinRPC: without a pipe the same over BinRPC, in the same layout.
func liveBinRPC(t *testing.T, b *base, dir string) {
	t.Helper()
	want, _ := ours(t, b.rc, "", "uptime")
	t.Setenv("RPCADDRESS", "unixs:"+dir+"/ctl")
	got, code := ours(t, b.rc, "", "uptime")
	order := regexp.MustCompile(`(?m)^.*(now|up_since|uptime).*$`)
	if code != 0 || len(order.FindAllString(got, -1)) != 3 || strings.Count(got, "\n") != strings.Count(want, "\n") {
		t.Errorf("over BinRPC uptime prints, exit %d\n%s\nover the pipe\n%s", code, got, want)
	}
	if got, code := ours(t, b.rc, "", "rpc", "no.such"); code != 1 || !strings.Contains(got, `"code":`) {
		t.Errorf("over BinRPC a fault prints, exit %d\n%s", code, got)
	}
}

// TestNoDaemon: the words and the code of the elder when nobody is there, and
// the answers to what is refused.
func TestNoDaemon(t *testing.T) {
	needElder(t)
	b := newBase(t, db.SQLite, "RPCFIFOPATH=/nonexistent/rpc.fifo\n")
	for _, s := range []step{
		{args: "rpc core.version", code: same},
		{args: "ps", code: same},
		{args: "ul show", code: same},
		{args: "alias show", code: same},
		{args: "alias show 300", code: 1},
		{args: "alias add 300 sip:x@192.0.2.1", code: 1},
		{args: "alias rm 300", code: 1}, // no such table in memory
		{args: "monitor 1", code: same},
		{args: "add alice pw", code: same},
		{args: "rm alice", code: same},
		{args: "rm alice", code: same},
		{args: "rm", code: same},
	} {
		want, wantCode := elder(t, b.rc, "", words(s.args)...)
		if s.args == "rm alice" && wantCode == 2 { // one for each
			elder(t, b.rc, "", "add", "alice", "pw")
		}
		if s.args == "add alice pw" {
			elder(t, b.rc, "", "rm", "alice")
		}
		got, code := ours(t, b.rc, "", words(s.args)...)
		if code != wantCode || steady(got) != steady(want) {
			t.Errorf("kamctl %s prints, exit %d\n%s\nthe elder prints, exit %d\n%s", s.args, code, steady(got), wantCode, steady(want))
		}
	}
	for args, want := range map[string]string{
		"trap": "trap: processes are not stopped", "pstrap": "pstrap: processes are not stopped",
		"unixsock which": "unixsock: the management interface", "ser_mi which": "ser_mi: the management interface",
		"kamcmd": "kamcmd must take", "fifo which": "Error opening Kamailio's FIFO", "rpcprint": "rpcprint must take",
		"tls nonsense": "unknown TLS command nonsense", "tls rootCA /nonexistent": "Config directory (/nonexistent) does not exist",
		"tls userCERT":       "Missing user name parameter",
		"lcr eval_weights 0": "weight '0' is no integer from 1 to 254",
	} {
		if got, code := ours(t, b.rc, "", words(args)...); code == 0 || !strings.Contains(got, want) {
			t.Errorf("kamctl %s prints, exit %d\n%s\nwant %q", args, code, got, want)
		}
	}
}
