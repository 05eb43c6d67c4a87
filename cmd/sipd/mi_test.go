package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// miConfig loads every module that had commands in 2010.
const miConfig = `
loadmodule "db_sqlite.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "siputils.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "kex.so"
loadmodule "statistics.so"
loadmodule "dialog.so"
loadmodule "domain.so"
loadmodule "dispatcher.so"
loadmodule "permissions.so"
loadmodule "htable.so"
loadmodule "mtree.so"
loadmodule "nathelper.so"
loadmodule "rtpproxy.so"
loadmodule "cfgutils.so"
loadmodule "presence.so"
loadmodule "presence_xml.so"
loadmodule "regex.so"
loadmodule "pike.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "mi_fifo.so"
loadmodule "mi_rpc.so"
modparam("usrloc", "preload", "location")
modparam("statistics", "variable", "mystat")
modparam("pv", "shvset", "gv=i:5")
modparam("pv", "shvset", "gs=s:hello")
modparam("domain|dispatcher|permissions|htable|mtree|presence|presence_xml", "db_url", "DBURL")
modparam("permissions", "db_mode", 1)
modparam("permissions", "reload_delta", 0)
modparam("dispatcher", "reload_delta", 0)
modparam("htable", "htable", "a=>size=4;")
modparam("htable", "htable", "b=>size=4;dbtable=htable;")
modparam("mtree", "mtree", "name=mt;dbtable=mtree")
modparam("rtpproxy", "rtpproxy_sock", "udp:127.0.0.1:9=2")
modparam("rtpproxy", "rtpproxy_tout", 1)
modparam("rtpproxy", "rtpproxy_retr", 1)
modparam("presence_xml", "force_active", 1)
modparam("cfgutils", "hash_file", "DIR/hashed")
modparam("dialog", "profiles_with_value", "caller")
modparam("ctl", "fifo", "fifo:DIR/ser_fifo")
modparam("mi_fifo", "fifo_name", "DIR/mi_fifo")
modparam("mi_fifo", "reply_indent", ">")
request_route {
	if (method == "REGISTER") { save("location"); exit; }
	if (method == "INVITE") { record_route(); dlg_manage(); set_dlg_profile("caller", "$fU"); }
	if (has_totag()) { loose_route(); } else { lookup("location"); }
	t_relay();
}
`

// miCommands are what 2010 answers, in this order on one daemon; "…" stands for
// what differs from run to run.
var miCommands = []struct{ in, want string }{
	{"no_such", "500 command 'no_such' not available"},
	{"uptime", "200 OK\nNow:: …\nUp since:: …\nUp time:: … [sec]"},
	{"version", "200 OK\nServer:: sipd …\nBuild:: …\nFlags:: …\nGIT:: …"},
	{"pwd", "200 OK\nWD:: /…"},
	{"arg", "200 OK\n…\n-f\n…"},
	{"ps", "200 OK\nProcess::  ID=0 PID=… Type=main process - attendant\n…"},
	{"debug", "200 OK\nDEBUG:: 0"},
	{"debug\nx", "400 Bad parameter"},
	{"debug\n1", "200 OK\nDEBUG:: 1"},
	{"debug", "200 OK\nDEBUG:: 1"},
	{"get_statistics\nusrloc:\nmystat", "200 OK\nusrloc:location_contacts = …\nusrloc:registered_users = 1\nscript:mystat = 0"},
	{"get_statistics\nnosuch", "404 Statistics Not Found"},
	{"get_statistics", "400 Too few or too many arguments"},
	{"reset_statistics\nmystat", "200 OK"},
	{"reset_statistics\nnosuch", "404 Statistics Not Found"},
	{"reset_statistics", "400 Too few or too many arguments"},

	{"ul_add\nlocation\nalice\nsip:alice@127.0.0.1:9\n600\n0.5\n0\n0\n0\n4294967295", "200 OK"},
	{"ul_add\nlocation\nalice\nsip:alice@127.0.0.1:9\n600\n0.5\n0\n0\n0", "400 Too few or too many arguments"},
	{"ul_add\nlocation\nalice\nsip:alice@127.0.0.1:9\nsoon\n0.5\n0\n0\n0\n0", "400 Bad parameter"},
	{"ul_add\nlocation\nalice\nsip:alice@127.0.0.1:9\n600\n2\n0\n0\n0\n0", "400 Bad parameter"},
	{"ul_add\nnosuch\nalice\nsip:alice@127.0.0.1:9\n600\n0.5\n0\n0\n0\n0", "404 Table not found"},
	{"ul_show_contact\nlocation\nalice", "200 OK\nContact:: <sip:alice@127.0.0.1:9>;q=0.5;expires=…;flags=0x0;cflags=0x0;socket=<NULL>;methods=0xFFFFFFFF;user_agent=<…>"},
	{"ul_show_contact\nlocation\nnobody", "404 AOR not found"},
	{"ul_show_contact\nnosuch\nalice", "404 Table not found"},
	{"ul_show_contact\nlocation", "400 Too few or too many arguments"},
	{"ul_dump", "200 OK\nDomain:: location table=… records=2 max_slot=…\n…>AOR:: alice\n>>Contact:: sip:alice@127.0.0.1:9 Q=0.5\n" +
		">>>Expires:: …\n>>>Callid:: …\n>>>Cseq:: 1\n>>>User-agent:: …\n>>>State:: CS_…\n>>>Flags:: 0\n>>>Cflag:: 0\n>>>Methods:: 4294967295…"},
	{"ul_dump\nbrief", "200 OK\nDomain:: location table=… records=2 max_slot=…\n>AOR:: …\n>AOR:: …"},
	{"ul_dump\nbrief\nx", "400 Too few or too many arguments"},
	{"ul_rm_contact\nlocation\nalice\nsip:x@y", "404 Contact not found"},
	{"ul_rm_contact\nlocation\nnobody\nsip:x@y", "404 AOR not found"},
	{"ul_rm_contact\nlocation\nalice", "400 Too few or too many arguments"},
	{"ul_rm_contact\nlocation\nalice\nsip:alice@127.0.0.1:9", "200 OK"},
	{"ul_rm\nlocation", "400 Too few or too many arguments"},
	{"ul_rm\nlocation\nalice", "200 OK"},
	{"ul_flush", "200 OK"},

	{"dlg_list", "200 OK\ndialog::  hash=…:…\n>state:: 4\n>ref_count:: …\n>timestart:: …\n>timeout:: …\n>callid:: …\n>from_uri:: sip:alice@example.com\n" +
		">from_tag:: …\n>caller_contact:: sip:alice@…\n>caller_cseq:: …\n>caller_route_set:: …\n>caller_bind_addr:: udp:…\n>callee_bind_addr:: udp:…\n" +
		">to_uri:: sip:bob@example.com\n>to_tag:: …\n>callee_contact:: sip:bob@…\n>callee_cseq:: …\n>callee_route_set:: …"},
	{"dlg_list_ctx", "200 OK\ndialog::  hash=…\n>callee_route_set:: …\n>context:: "},
	{"dlg_list\nCALLID", "200 OK\ndialog::  hash=…"},
	{"dlg_list\nnosuch", "404 Nu such dialog"},
	{"dlg_list\na\nb\nc", "400 Too few or too many arguments"},
	{"dlg_end_dlg\n1", "400 Too few or too many arguments"},
	{"dlg_end_dlg\nx\ny", "400 Bad parameter"},
	{"dlg_end_dlg\n9999\n9999", "404 Requested Dialog not found"},
	{"profile_get_size\ncaller", "200 OK\nprofile::  name=caller value= count=1"},
	{"profile_get_size\ncaller\nalice", "200 OK\nprofile::  name=caller value=alice count=1"},
	{"profile_get_size\ncaller\nv::", "400 Bad parameter"},
	{"profile_get_size\nnosuch", "404 Profile not found"},
	{"profile_get_size", "400 Too few or too many arguments"},
	{"profile_list_dlgs\ncaller\nalice", "200 OK\ndialog::  hash=…"},
	{"profile_list_dlgs\ncaller\nbob", "200 OK"},
	{"profile_list_dlgs\nnosuch", "404 Profile not found"},
	{"dlg_terminate_dlg", "400 Too few or too many arguments"},
	{"dlg_terminate_dlg\nnosuch", "404 Nu such dialog"},
	{"dlg_terminate_dlg\nCALLID\nx", "404 Nu such dialog"},
	{"dlg_terminate_dlg\nCALLID", "200 OK"},

	{"domain_dump", "200 OK\nexample.com"},
	{"domain_reload", "200 OK"},
	{"ds_list", "200 OK\nSET_NO:: 1\nSET:: 1\n>URI:: sip:127.0.0.1:9 flag=A priority=5 attrs=duid=a"},
	{"ds_set_state\ni\n1", "400 Too few or too many arguments"},
	{"ds_set_state\ni\nx\nsip:127.0.0.1:9", "500 bad group value"},
	{"ds_set_state\nv::\n1\nsip:127.0.0.1:9", "500 bad state value"},
	{"ds_set_state\n0\n1\nsip:127.0.0.1:8", "404 destination not found"},
	{"ds_set_state\nInactive\n1\nsip:127.0.0.1:9", "200 OK"},
	{"ds_list", "200 OK\nSET_NO:: 1\nSET:: 1\n>URI:: sip:127.0.0.1:9 flag=I priority=5 attrs=duid=a"},
	{"ds_reload", "200 OK"},
	{"address_dump", "200 OK\n… <1, 192.0.2.7, 0> [gw]"},
	{"subnet_dump", "200 OK\n   0 <2, 10.1.0.0, 16, 5060> []"},
	{"address_reload", "200 OK"},
	{"trusted_dump", "200 OK\n… <127.0.0.1, …, ^sip:.*, NULL>"},
	{"trusted_reload", "200 OK"},
	{"allow_uri\nnosuch\nsip:a@b\nsip:c@d", "200 OK"},
	{"allow_uri\nrules\nsip:a@b\nsip:c@d", "403 Forbidden"},
	{"allow_uri\nnosuch", "400 Too few or too many arguments"},
	{"mt_list\nmt", "200 OK\nMT::  TNAME=mt TPREFIX=49 TVALUE=germany"},
	{"mt_summary", "200 OK\nMT::  TNAME=mt MEMSIZE=… NRNODES=… NRITEMS=1"},
	{"mt_reload\nmt", "200 OK"},
	{"nh_enable_ping\n1", "400 NATping disabled from script"},
	{"nh_enable_ping", "400 Too few or too many arguments"},
	{"nh_enable_ping\nyes", "400 Bad parameter"},
	{"nh_show_rtpp", "200 OK\nudp:127.0.0.1:9::  set=0\n>index:: 0\n>disabled:: …\n>weight:: 2\n>recheck_ticks:: …"},
	{"nh_enable_rtpp\nudp:127.0.0.1:9\n0x1", "200 OK"},
	{"nh_enable_rtpp\nudp:127.0.0.1:8\n1", "404 RTP proxy not found"},
	{"nh_enable_rtpp\nudp:127.0.0.1:9\nx", "400 Bad parameter"},
	{"nh_enable_rtpp\nudp:127.0.0.1:9", "400 Too few or too many arguments"},
	{"pike_list", "200 OK"},
	{"sht_dump\na", "200 OK\nEntry:: …\n>k:: v"},
	{"sht_dump\nnosuch", "500 no such hash table"},
	{"sht_dump", "400 Too few or too many arguments"},
	{"sht_reload\nb", "200 OK"},
	{"sht_reload\nnosuch", "500 no such hash table"},
	{"sht_reload\na", "500 ERROR Reloading data"},

	{"shv_get", "200 OK\nVAR:: gs type=string value=hello\nVAR:: gv type=integer value=5"},
	{"shv_get\ngv", "200 OK\nVAR:: gv type=integer value=5"},
	{"shv_get\nnosuch", "404 Not found"},
	{"shv_set\nnosuch\nint\n1", "404 Not found"},
	{"shv_set\ngv\nint", "400 Too few or too many arguments"},
	{"shv_set\ngv\nint\nx", "500 bad integer value"},
	{"shv_set\ngs\nString\nbye", "200 OK"},
	{"shv_get\ngs", "200 OK\nVAR:: gs type=string value=bye"},
	{"set_gflag\n0x5", "200 OK"},
	{"set_gflag\n0", "400 Bad parameter"},
	{"set_gflag", "400 Too few or too many arguments"},
	{"get_gflags", "200 OK\n0x5\n5"},
	{"reset_gflag\n1", "200 OK"},
	{"is_gflag\n4", "200 OK\nTRUE"},
	{"is_gflag\n1", "200 OK\nFALSE"},
	{"rand_set_prob\n101", "400 Bad parameter"},
	{"rand_set_prob\n20", "200 OK"},
	{"rand_get_prob", "200 OK\nactual probability: 20 percent"},
	{"rand_reset_prob", "200 OK"},
	{"get_config_hash", "200 OK\n5d41402abc4b2a76b9719d911017c592"},
	{"check_config_hash", "200 OK\nThe actual config file hash is identical to the stored one."},
	{"refreshWatchers\nsip:a@b\npresence\n1", "200 OK"},
	{"refreshWatchers\nsip:a@b\nnosuch\n0", "500 command 'refreshWatchers' failed"},
	{"refreshWatchers\nsip:a@b", "500 command 'refreshWatchers' failed"},
	{"refreshWatchers\nu::\npresence\n0", "404 Empty presentity URI"},
	{"refreshWatchers\nsip:a@b\npresence\n0\n1", "400 Too many parameters"},
	{"cleanup", "200 OK"},
	{"regex_reload", "403 Group matching not enabled"},
	{"t_uac_cancel\nx\n1", "481 No such transaction"},
	{"t_uac_cancel\nx", "400 Too few or too many arguments"},
	{"t_reply\n486\nBusy\n1:1\ntag\n.", "404 Transaction not found"},
	{"t_uac_dlg\nOPTIONS\nbad\n.\n.\nx", "400 Invalid RURI"},
	{"t_hash", "500 No TM hash stats"},
}

// TestOldNames calls by the names of 2010, as its scripts do: RPC through the
// line protocol, MI through mi_fifo, each answer whole.
func TestOldNames(t *testing.T) {
	dir := t.TempDir()
	url := "sqlite://" + filepath.Join(dir, "sipd.db")
	sipctl(t, url, "", "db", "create", "--flavour", "kamailio", "--group", "standard,extra,presence")
	sipctl(t, url, "", "domain", "add", "example.com")
	for _, row := range []string{
		"INSERT INTO address (grp, ip_addr, mask, port, tag) VALUES (1, '192.0.2.7', 32, 0, 'gw'), (2, '10.1.0.0', 16, 5060, NULL)",
		"INSERT INTO trusted (src_ip, proto, from_pattern, ruri_pattern, tag, priority) VALUES ('127.0.0.1', 'any', '^sip:.*', NULL, NULL, 0)",
		"INSERT INTO dispatcher (setid, destination, flags, priority, attrs) VALUES (1, 'sip:127.0.0.1:9', 0, 5, 'duid=a')",
		"INSERT INTO mtree (tprefix, tvalue) VALUES ('49', 'germany')",
	} {
		sqlite(t, filepath.Join(dir, "sipd.db"), row)
	}
	config := configFile(t, strings.NewReplacer("DIR", dir, "DBURL", url).Replace(miConfig))
	for name, text := range map[string]string{dir + "/hashed": "hello", filepath.Dir(config) + "/rules.deny": "ALL : ALL\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, config, "-l", "udp:ADDR")
	ctx := within(t)
	alice, bob := s.Phone(t, "alice", ""), s.Phone(t, "bob", "")
	if _, err := bob.Register(ctx, 600); err != nil {
		t.Fatal(err)
	}
	call, err := alice.Invite(ctx, bob.AOR())
	if err != nil {
		t.Fatal(err)
	}
	wait(t, ctx, "the ACK", (<-bob.Ringing).Acked)
	s.sipcmd(t, "htable.sets", "a", "k", "v")
	called := make(map[string]bool)
	for _, tt := range miCommands {
		in := strings.ReplaceAll(tt.in, "CALLID", call.CallID())
		name, args, has := strings.Cut(in, "\n")
		called[name] = true
		if has {
			args += "\n"
		}
		got := overPipe(t, dir+"/mi_fifo", ":"+name+":REPLY\n"+args+"\n")
		if !like(tt.want+"\n\n", got) {
			t.Errorf("%q answers\n%s\nwant\n%s", in, got, tt.want)
		}
	}
	for name := range strings.FieldsSeq(s.sipcmd(t, "mi", "which")) {
		if !called[name] && name != "which" && name != "kill" {
			t.Errorf("the command %s is not compared", name)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{":usrloc.add_contact:REPLY\nlocation\ncarol\nsip:carol@127.0.0.1:9\n600\n0.5\n0\n0\n\n", "200 OK\n"},
		{":usrloc.show_contacts:REPLY\nlocation\ncarol\n\n", "200 OK\n…contact:sip\\ocarol@127.0.0.1\\o9…"},
		{":usrloc.stats:REPLY\n\n", "200 OK\n…\n"},
	} {
		if got := overPipe(t, dir+"/ser_fifo", tt.in); !like(tt.want, got) {
			t.Errorf("ser_fifo answers %q with\n%s\nwant %q", tt.in, got, tt.want)
		}
	}
	if got := overPipe(t, dir+"/mi_fifo", ":kill:REPLY\n\n"); got != "200 OK\n\n" {
		t.Errorf("kill answers %q", got)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("kill ends the daemon with %v", err)
	}
	s.stopped = true
}
