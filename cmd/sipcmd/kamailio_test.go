package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/rpc/peertest"
	"sipd/rpc/socket/sockettest"
)

// kamailio is a configuration with a control socket of each kind and a
// location table in memory.
const kamailioConf = `
debug=0
log_stderror=yes
children=1
listen=udp:127.0.0.1:%[1]d
listen=tcp:127.0.0.1:%[1]d
tcp_accept_no_cl=yes
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib64/kamailio/modules/:/usr/lib/kamailio/modules/"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "jsonrpcs.so"
loadmodule "xhttp.so"
loadmodule "xmlrpc.so"
modparam("xmlrpc", "mode", 1)
modparam("ctl", "binrpc", "unixs:%[2]s/ctl")
modparam("ctl", "binrpc", "unixd:%[2]s/ctld")
modparam("jsonrpcs", "transport", 0)
modparam("jsonrpcs", "fifo_name", "%[2]s/rpc.fifo")
modparam("jsonrpcs", "fifo_reply_dir", "%[2]s/")
modparam("jsonrpcs", "dgram_socket", "%[2]s/rpc.sock")
custom.var1 = 1 desc "a number"
request_route { if (is_method("REGISTER")) save("location"); sl_send_reply("404", "Not here"); }
event_route[xhttp:request] { if ($hu =~ "RPC2") dispatch_rpc(); else jsonrpc_dispatch(); }
`

// startKamailio runs a Kamailio with its sockets in a folder, and SIP and HTTP
// on a port, until the test ends.
func startKamailio(t *testing.T) (dir string, port int) {
	t.Helper()
	peertest.Path(t, "kamailio", "kamailio")
	dir = t.TempDir()
	port = sockettest.Port(t)
	conf := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(conf, fmt.Appendf(nil, kamailioConf, port, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	peertest.Kamailio(t, conf, dir, func() bool {
		return run([]string{"sipcmd", "-s", dir + "/ctl", "core.version"}, nil, io.Discard, io.Discard) == 0
	})
	return dir, port
}

// TestKamailio drives a real Kamailio, over each wire it has.
func TestKamailio(t *testing.T) {
	dir, port := startKamailio(t)
	sipcmd := func(t *testing.T, server string, args ...string) (stdout, stderr string, code int) {
		t.Helper()
		var out, errs bytes.Buffer
		code = run(append([]string{"sipcmd", "-s", server, "-D", dir}, args...), nil, &out, &errs)
		return out.String(), errs.String(), code
	}
	for _, server := range []string{
		"unixs:" + dir + "/ctl", "unixd:" + dir + "/ctld", "jsonrpc+unixd:" + dir + "/rpc.sock", "jsonrpc+fifo:" + dir + "/rpc.fifo",
		fmt.Sprintf("jsonrpc+http://127.0.0.1:%d/RPC", port), fmt.Sprintf("xmlrpc+http://127.0.0.1:%d/RPC2", port),
	} {
		t.Run(strings.SplitN(server, ":", 2)[0], func(t *testing.T) {
			for _, tt := range []struct {
				args []string
				want string
				code int
			}{
				{args: []string{"core.version"}, want: "kamailio "},
				{args: []string{"core.uptime"}, want: "\tuptime: "},
				{args: []string{"cfg.list"}, want: "custom: var1\n"},
				{args: []string{"cfg.set_now_int", "custom", "var1", "5"}},
				{args: []string{"cfg.get", "custom", "var1"}, want: "5\n"},
				{args: []string{"ul.add", "location", "alice", "sip:alice@127.0.0.1:5080", "i:3600", "d:0.5", ".", "i:0", "i:0", "i:0"}},
				{args: []string{"ul.dump"}, want: "sip:alice@127.0.0.1:5080"},
				{args: []string{"ul.lookup", "location", "nobody"}, code: 1},
				{args: []string{"ul.rm", "location", "alice"}},
				{args: []string{"no.such"}, code: 1},
				{args: []string{"system.listMethods"}, want: "core.echo\n"},
				{args: []string{"core.ppdefines_full"}, want: "\n}\n"}, // several datagrams
			} {
				out, errs, code := sipcmd(t, server, tt.args...)
				if code != tt.code || !strings.Contains(out, tt.want) || (code == 1) != strings.HasPrefix(errs, "error: ") {
					t.Errorf("%q: exit %d, %q, %q; want exit %d and %q", tt.args, code, out, errs, tt.code, tt.want)
				}
			}
			out, errs, code := sipcmd(t, server, "-o", "json", "core.uptime")
			var vals []struct{ Uptime int }
			if err := json.Unmarshal([]byte(out), &vals); err != nil || code != 0 || len(vals) != 1 {
				t.Errorf("-o json: %q, %q, %v", out, errs, err)
			}
		})
	}
	t.Run("as kamcmd", func(t *testing.T) {
		kamcmd := realKamcmd(t)
		t.Log("compared with ", kamcmd)
		for _, args := range [][]string{
			{"ps"},
			{"psx"},
			{"ver"},
			{"cfg.list"},
			{"listen"},
			{"help"},
			{"ls"},
			{"help", "ps"},
			{"?", "core.uptime"},
			{"no.such"},
			{"-f", `%v|%v\n`, "core.ps"},
			{"-f", `[%v]`, "core.psx"},
			{"cfg.get", "custom"},
			{"cfg.help", "core", "debug"},
			{"core.flags"},
			{"core.echo", "a", "5", "1.5", "s:5"},
			{"core.sockets_list"},
			{"tm.stats"},
			{"quit"},
			{"core.ppdefines_full"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			want, werr := exec.CommandContext(ctx, kamcmd, append([]string{"-s", dir + "/ctl"}, args...)...).Output()
			cancel()
			var out, errs bytes.Buffer
			code := run(append([]string{"kamcmd", "-s", dir + "/ctl"}, args...), nil, &out, &errs)
			if out.String() != string(want) || werr != nil || (code == 0) == strings.HasPrefix(out.String(), "error: ") {
				t.Errorf("%q: exit %d, %s\n%s\nkamcmd: %v\n%s", args, code, errs.String(), out.String(), werr, want)
			}
		}
	})
}

// realKamcmd finds the kamcmd that is not this program: testscript puts one
// into PATH that is.
func realKamcmd(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	us, err := os.Stat(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		path := filepath.Join(dir, "kamcmd")
		if st, err := os.Stat(path); err == nil && !os.SameFile(st, us) && strings.HasPrefix(output(path, "-V"), "version: kamcmd 1") {
			return path
		}
	}
	t.Skip("skipped: kamcmd is not installed")
	return ""
}

func output(path string, args ...string) string {
	out, err := exec.Command(path, args...).Output()
	if err != nil {
		return ""
	}
	return string(out)
}
