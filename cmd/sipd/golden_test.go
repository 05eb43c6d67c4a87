package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sipd/router/sip"
	"sipd/rpc"
	"sipd/rpc/rpctest"
)

var goldenConfig = strings.Replace(httpOnSIP, "{ sl_send_reply", `{
	if (method == "INVITE") {
		dlg_manage();
		set_dlg_profile("caller", "$fU");
		t_relay();
		exit;
	}
	if (method == "ACK") { exit; }
	sl_send_reply`, 1) + `
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "kex.so"
loadmodule "counters.so"
loadmodule "statistics.so"
loadmodule "debugger.so"
loadmodule "corex.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "maxfwd.so"
loadmodule "cfg_rpc.so"
loadmodule "db_sqlite.so"
loadmodule "rr.so"
loadmodule "dialog.so"
loadmodule "domain.so"
loadmodule "dispatcher.so"
loadmodule "permissions.so"
loadmodule "htable.so"
loadmodule "mtree.so"
loadmodule "nathelper.so"
loadmodule "rtpengine.so"
loadmodule "cfgutils.so"
loadmodule "presence.so"
loadmodule "pike.so"
modparam("domain|dispatcher|permissions|htable|mtree|presence", "db_url", "DBURL")
modparam("permissions", "db_mode", 1)
modparam("htable", "htable", "a=>size=4;autoexpire=7200;")
modparam("htable", "htable", "b=>size=4;dbtable=htable;")
modparam("mtree", "mtree", "name=mt;dbtable=mtree")
modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:16099")
modparam("rtpengine", "rtpengine_tout_ms", 10)
modparam("rtpengine", "rtpengine_retr", 1)
modparam("dialog", "profiles_with_value", "caller")
modparam("domain", "register_myself", 0)
modparam("tm", "fr_timer", 600000)
modparam("tm", "fr_inv_timer", 600000)
modparam("usrloc", "preload", "location")
modparam("counters", "script_counter", "scr.cnt1 first script counter")
modparam("statistics", "variable", "mystat")
modparam("debugger", "mod_hash_size", 5)
modparam("debugger", "mod_level_mode", 1)
modparam("ctl", "binrpc", "unixs:DIR/ctl")
modparam("ctl", "binrpc", "unixd:DIR/ctl.d")
modparam("ctl", "binrpc", "tcp:127.0.0.1:TCPPORT")
modparam("ctl", "binrpc", "udp:127.0.0.1:UDPPORT")
modparam("ctl", "fifo", "fifo:DIR/pipe")
modparam("ctl", "fifo", "unixs:DIR/lines")
modparam("jsonrpcs", "transport", 7)
modparam("jsonrpcs", "fifo_name", "DIR/json_fifo")
modparam("jsonrpcs", "dgram_socket", "DIR/json.sock")
modparam("jsonrpcs", "listen", "http://127.0.0.1:JSONPORT")
modparam("xmlrpc", "listen", "http://127.0.0.1:XMLPORT")
modparam("pv", "shvset", "gv=i:5")
modparam("pv", "shvset", "gs=s:hello")
custom.var1 = 1 desc "first"
custom.var2 = "default string" desc "second custom variable"
custom.nodesc = 7
custom[1].var1 = 15
custom[1].var2 = "specific"
custom[2].var1 = 20
other.limit = 100
alias=example.test
auto_aliases=no
`

// goldenRows are the tables that the recorded server had, whose set of
// destinations without attributes stood first under the number 2.
var goldenRows = []string{
	"INSERT INTO address (grp, ip_addr, mask, port, tag) VALUES (1, '127.0.0.1', 32, 0, 'local'), (2, '192.0.2.7', 32, 0, NULL), (1, '10.1.0.0', 16, 5060, 'net'), (2, 'trusted.test', 32, 0, 'dom')",
	"INSERT INTO trusted (src_ip, proto, from_pattern, ruri_pattern, tag, priority) VALUES ('127.0.0.1', 'any', '^sip:.*', NULL, 'tt', 0)",
	"INSERT INTO dispatcher (setid, destination, flags, priority, attrs) VALUES (1, 'sip:127.0.0.1:16090', 0, 5, 'duid=a;weight=50'), (1, 'sip:127.0.0.1:16091', 0, 10, 'duid=b'), (0, 'sip:127.0.0.1:16092;transport=tcp', 8, 0, '')",
	"INSERT INTO mtree (tprefix, tvalue) VALUES ('1', 'nanp'), ('49', 'germany'), ('4930', 'berlin')",
	"INSERT INTO domain (domain, did) VALUES ('example.test', 'example.test'), ('beta.test', 'beta.test'), ('alpha.test', 'alpha.test')",
	"INSERT INTO domain_attrs (did, name, type, value) VALUES ('alpha.test', 'color', 2, 'red')",
	"INSERT INTO htable (key_name, key_type, value_type, key_value, expires) VALUES ('alice', 0, 0, 'wonder', 0), ('bob', 0, 1, '42', 0)",
}

// callsOtherwise are recorded calls that answer otherwise here, on all wires or
// on one, and why.
var callsOtherwise = map[string]string{
	`system.methodSignature ["core.uptime"]`:             "a real 5.6.3 has no signatures and faults; here each method has one",
	`cfg.diff [] XML-RPC`:                                "several values are an array",
	`dns.debug [] XML-RPC`:                               "several values are an array",
	`dns.debug_all [] XML-RPC`:                           "several values are an array",
	`ul.dump ["brief"] XML-RPC`:                          "a list of named values is an array of structures: a real Kamailio's reply has members in an array, which is no XML-RPC",
	`cfg.get ["tm"]`:                                     "the group is declared in another order, with relay_100 among it",
	`cfg.help ["core", "debug"] XML-RPC`:                 "several values are an array: a real Kamailio's reply is no XML-RPC",
	`cfg.help ["custom", "var2"] XML-RPC`:                "several values are an array",
	`cfg.help ["custom", "nodesc"] XML-RPC`:              "several values are an array",
	`dns.mem_info [] XML-RPC`:                            "several values are an array",
	`cfg.help ["core"] JSON-RPC`:                         "a missing parameter is a fault",
	`cfg.help ["core"] XML-RPC`:                          "a missing parameter is a fault",
	`cfg.set_now_int ["custom"] JSON-RPC`:                "a missing parameter is a fault",
	`cfg.set_now_int ["custom"] XML-RPC`:                 "a missing parameter is a fault",
	`cfg.set_now_int ["custom", "var1", "abc"] JSON-RPC`: "text for a number is a fault",
	`core.printi ["x"] JSON-RPC`:                         "text for a number is a fault",
	`core.printi ["x"] XML-RPC`:                          "text for a number is a fault",
	`core.prints [5] JSON-RPC`:                           "a number for a text is taken",
	`core.prints [5] XML-RPC`:                            "a number for a text is a fault",
	`cfg.set_now_int ["custom", "var1", "abc"] line`:     "text that is no number is 0",
	`core.printi ["x"] line`:                             "text that is no number is 0",
	`core.prints [5] line`:                               "each argument is text",
	`core.echo [1.5] line`:                               "each argument is text",
	`dlg.dlg_list [] JSON-RPC`:                           "a missing parameter is a fault",
	`dlg.dlg_list [] XML-RPC`:                            "a missing parameter is a fault",
	`dlg.is_alive ["dlg-call-1", "uactag", "uastag"]`:    "nobody acknowledged the dialog, which is not confirmed therefore",
	`dlg.profile_list ["caller"] JSON-RPC`:               "the dialogs stand in another order",
	`dlg.profile_list ["caller"] XML-RPC`:                "the dialogs stand in another order",
	`dlg.end_dlg ["x", "y"] JSON-RPC`:                    "text for a number is a fault",
	`dlg.end_dlg ["x", "y"] line`:                        "text that is no number is 0",
	`htable.seti ["a", "k2", "notint"] JSON-RPC`:         "text for a number is a fault",
	`htable.seti ["a", "k2", "notint"] line`:             "text that is no number is 0",
	`mtree.match ["mt", "4930123", 0] XML-RPC`:           "several values are an array",
	`tm.t_uac_wait line`:                                 "the answer is waited for; a real ctl cannot over any of its wires",
	`cfg.reset ["registrar"]`:                            "a real 5.6.3 cannot reset it",
	`stats.fetch ["all"]`:                                "other statistics are there",
	`tm.t_uac_start ["OPTIONS", "sip:uas@127.0.0.1:16090", ".", ".", "From: <sip:rpc@example.test>\r\nTo: <sip:uas@127.0.0.1:16090>\r\n"] BinRPC`:      "a body that is left out is none",
	`tm.t_uac_start ["OPTIONS", "sip:uas@127.0.0.1:16090", ".", ".", "From: <sip:rpc@example.test>\r\nTo: <sip:uas@127.0.0.1:16090>\r\n"] line`:        "a body that is left out is none",
	`tm.t_uac_wait_block ["OPTIONS", "sip:uas@127.0.0.1:16090", ".", ".", "From: <sip:rpc@example.test>\r\nTo: <sip:uas@127.0.0.1:16090>\r\n"] BinRPC`: "a body that is left out is none",
	`tm.t_uac_wait_block ["OPTIONS", "sip:uas@127.0.0.1:16090", ".", ".", "From: <sip:rpc@example.test>\r\nTo: <sip:uas@127.0.0.1:16090>\r\n"] line`:   "a body that is left out is none",
	`ul.add ["location", "dave", "sip:dave@127.0.0.1:16085", 600, 1, "", 0, 0, 0]`:                                                                     "a whole number is taken for q",
}

// excuse is the key of callsOtherwise that a call over a kind of wire has, "" for
// none.
func excuse(rec rpctest.Call, kind string) string {
	for _, key := range []string{rec.Title, rec.Title + " " + kind, rec.Method + " " + kind} {
		if callsOtherwise[key] != "" {
			return key
		}
	}
	return ""
}

// goldenState are calls made in front of a recorded one, so that the daemon is in
// the state in which the recorded one was.
var goldenState = map[string][]string{
	"cfg.diff.txt 1": {
		"cfg.set_delayed custom var1 50", "cfg.set_delayed custom var2 later",
		"cfg.set_delayed custom[1] var1 51", "cfg.set_delayed other limit 7",
	},
	"htable.seti.txt 2":    {"htable.seti a k1 42", "htable.sets a k2 text"},
	"rtpengine.show.txt 0": {"rtpengine.enable udp:127.0.0.1:16099 1"},
	"htable.setex.txt 0":   {"htable.sets a k1 text"},
	"cfg.diff.txt 2":       {"cfg.rollback"},
	"dns.debug.txt 0":      {"dns.delete_all", "dns.add_a added.test 300 192.0.2.9 0", "dns.add_a localhost 60 127.0.0.1 1"},
	"dns.view.txt 0":       {"dns.delete_all", "dns.add_a added.test 300 192.0.2.9 0", "dns.add_a localhost 60 127.0.0.1 1"},
	"tm.list.txt 0":        {"tm.t_uac_start OPTIONS sip:SILENT . . 'From: <sip:rpc@example.test>\r\nTo: <sip:a@b>\r\n' ''"},
}

// sections are the parts of a recorded call, by their heads.
func sections(t *testing.T, file string) []map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(rpctest.Dir(t), file))
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, block := range strings.Split("\n"+string(data), "\n== call ")[1:] {
		s := make(map[string]string)
		for _, part := range strings.Split(block, "\n== ")[1:] {
			head, body, _ := strings.Cut(part, "\n")
			s[head] = body
		}
		out = append(out, s)
	}
	return out
}

// httpBody is what stands below the header of a recorded reply.
func httpBody(recorded string) string {
	_, body, _ := strings.Cut(recorded, "\n\n")
	return body
}

// TestGolden makes every recorded call whose method is here, in the order of the
// recording (kamcmd's call first), and compares names, types and order, and of
// faults code and text. Each round takes a wire of each kind and a daemon that
// nobody called before: calls change what the next one answers.
func TestGolden(t *testing.T) {
	used := make(map[string]bool) // reasons that a differing answer had
	rounds := 0
	for _, wires := range [][]string{
		{"unixs", "json http", "xml http"},
		{"tcp", "json sip", "xml sip"},
		{"unixd", "json datagram", "xml http"},
		{"udp", "json pipe", "xml sip"},
		{"line pipe", "json http", "xml http"},
		{"line stream", "json sip", "xml sip"},
	} {
		t.Run(strings.Join(wires, ", "), func(t *testing.T) {
			goldenRound(t, wires, used)
			rounds++
		})
	}
	for key, why := range callsOtherwise {
		if rounds == 6 && !used[key] {
			t.Errorf("%s answers as recorded; it is said to answer otherwise: %s", key, why)
		}
	}
}

func goldenRound(t *testing.T, wires []string, used map[string]bool) {
	files, err := filepath.Glob(filepath.Join(rpctest.Dir(t), "[a-z]*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	g := serveGolden(t)
	known, err := g.bin(t, "unixs").Call(t.Context(), "system.listMethods")
	if err != nil {
		t.Fatal(err)
	}
	for _, aor := range []string{"alice", "bob"} {
		g.sipcmd(t, "ul.add", "location", aor, "sip:"+aor+"@127.0.0.1:16081", "3600", "0.7", "", "0", "0", "-1")
	}
	g.dialogs(t)
	open := dialPatiently(t, "tcp", g.Addr) // for core.tcp_list
	defer open.Close()
	g.sipcmd(t, "dns.add_a", "localhost", "60", "127.0.0.1", "1")
	compared := make(map[string]int)
	for _, path := range files {
		file := filepath.Base(path)
		parts := sections(t, file)
		for i, rec := range rpctest.Calls(t, file) {
			if !slices.Contains(known, rpc.Value(rpc.String(rec.Method))) || rec.Method == "core.kill" || rec.Reply == nil {
				continue
			}
			for _, line := range goldenState[fmt.Sprintf("%s %d", file, i)] {
				g.sipcmd(t, g.words(line)...)
			}
			for j, a := range rec.Args {
				if text, ok := a.(rpc.String); ok {
					rec.Args[j] = rpc.String(g.here(string(text)))
				}
			}
			_, _ = g.bin(t, "unixs").Call(t.Context(), rec.Method, rec.Args...) // as kamcmd did first
			for _, wire := range wires {
				a, ok := g.ask(t, wire, rec, parts[i])
				if !ok {
					continue
				}
				if key := excuse(rec, a.kind); key != "" {
					if !a.same {
						used[key] = true
					}
					continue
				}
				compared[wire]++
				if !a.same {
					t.Errorf("%s over %s answers\n%s\nwant\n%s", rec.Title, wire, a.got, a.want)
				}
			}
		}
	}
	for _, wire := range wires {
		if compared[wire] < 100 {
			t.Errorf("only %d answers were compared over %s", compared[wire], wire)
		}
	}
}

// answering is the address of a phone that answers everything with 200.
func answering(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := conn.LocalAddr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFromUDP(b)
			if err != nil {
				return
			}
			if m, err := sip.Parse(string(b[:n])); err == nil && m.IsRequest() && m.Method() != sip.ACK {
				_, _ = conn.WriteToUDP(m.AppendReply(nil, &sip.Reply{Code: 200, ToTag: "uastag", Extra: "Contact: <sip:uas@" + addr + ">\r\n"}), from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return addr
}
