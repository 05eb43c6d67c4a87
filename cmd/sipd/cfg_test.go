package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// request is one that the daemon answers; extra are more header lines.
func request(method, uri, id, extra string) string {
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:alice@sipd.test>;tag=%s\r\nTo: <sip:alice@sipd.test>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n%sContent-Length: 0\r\n\r\n",
		method, uri, id, id, id, method, extra)
}

// ask sends a request of its own transaction and gives the first reply.
func (s *server) ask(t *testing.T, method, uri, id, extra string) string {
	t.Helper()
	c := send(t, s.Addr, request(method, uri, id, extra))
	defer func(c net.Conn) { _ = c.Close() }(c)
	return answer(t, c)
}

const instancesConfig = `

loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
custom.limit = 10 desc "a limit"
custom.text = "default"
custom[5].limit = 20
request_route {
	$var(a) = "";
	if (!cfg_select("custom", 9)) { $var(a) = "no9"; }
	$var(b) = $sel(cfg_get.custom.limit) + "[" + $sel(cfg_selected.custom) + "]";
	$var(id) = 5;
	cfg_select("custom", $var(id));
	$var(c) = @cfg_get.custom.limit + @cfg_get.custom.text + "[" + @cfg_selected.custom + "]";
	cfg_reset("custom");
	$var(d) = @cfg_get.custom.limit;
	sl_send_reply("200", "$var(a) $var(b) $var(c) $var(d)");
}
`

// TestInstances reads group instances as a real Kamailio does: by selecting one
// for a message, and with values of the default where it has none of its own.
func TestInstances(t *testing.T) {
	s := serve(t, configFile(t, instancesConfig), "-l", "udp:ADDR")
	for i, step := range []struct{ change, want string }{
		{"", "SIP/2.0 200 no9 10[] 20default[5] 10\r\n"},
		{"cfg.set_now_int custom limit 11", "SIP/2.0 200 no9 11[] 20default[5] 11\r\n"},
		{"cfg.set_now_int custom[5] limit 21", "SIP/2.0 200 no9 11[] 21default[5] 11\r\n"},
		{"cfg.set_now_string custom text other", "SIP/2.0 200 no9 11[] 21other[5] 11\r\n"},
		{"cfg.del custom[5] limit", "SIP/2.0 200 no9 11[] 11other[5] 11\r\n"},
		{"cfg.add_group_inst custom[9]", "SIP/2.0 200  11[9] 11other[5] 11\r\n"},
		{"cfg.del_group_inst custom[9]", "SIP/2.0 200 no9 11[] 11other[5] 11\r\n"},
		{"cfg.reset custom", "SIP/2.0 200 no9 10[] 10default[5] 10\r\n"}, // a real 5.6.3 dies of it
		{"cfg.set_delayed_int custom limit 12", "SIP/2.0 200 no9 10[] 10default[5] 10\r\n"},
		{"cfg.commit", "SIP/2.0 200 no9 12[] 12default[5] 12\r\n"},
	} {
		if step.change != "" {
			s.sipcmd(t, strings.Fields(step.change)...)
		}
		if got := s.ask(t, "OPTIONS", "sip:sipd.test", fmt.Sprint("i", i), ""); !strings.HasPrefix(got, step.want) {
			t.Errorf("after %q the reply begins %.60q, want %q", step.change, got, step.want)
		}
	}
}

const variablesConfig = `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
request_route {
	if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
	if (is_method("REGISTER")) { save("location"); exit; }
	if (is_method("INVITE")) { t_relay(); exit; }
	$var(n) = 0;
	while ($var(n) < 1000) { $var(n) = $var(n) + 1; }
	sl_send_reply("200", "turns $var(n)");
}
`

// TestVariablesTakeEffect changes variables of several groups and wants the
// next request to be treated by them.
func TestVariablesTakeEffect(t *testing.T) {
	s := serve(t, configFile(t, variablesConfig), "-l", "udp:ADDR")
	silent := send(t, "127.0.0.1:9").LocalAddr().String() // a socket that never answers
	const contact = "Contact: <sip:alice@127.0.0.1:%d>\r\n"
	for i, step := range []struct {
		change             string
		method, uri, extra string
		want               string
	}{
		{"", "OPTIONS", "sip:sipd.test", "", "SIP/2.0 200 turns 100\r\n"},
		{"core max_while_loops 7", "OPTIONS", "sip:sipd.test", "", "SIP/2.0 200 turns 7\r\n"},
		{"core max_while_loops 2000", "OPTIONS", "sip:sipd.test", "", "SIP/2.0 200 turns 1000\r\n"},
		{"", "REGISTER", "sip:sipd.test", fmt.Sprintf(contact, 1), ";expires=3600\r\n"},
		{"registrar default_expires 1800", "REGISTER", "sip:sipd.test", fmt.Sprintf(contact, 1), ";expires=1800\r\n"},
		{"registrar max_expires 900", "REGISTER", "sip:sipd.test", fmt.Sprintf(contact, 1), ";expires=900\r\n"},
		{"registrar min_expires 300", "REGISTER", "sip:sipd.test", "Expires: 61\r\n" + fmt.Sprintf(contact, 1), ";expires=300\r\n"},
		{"registrar max_contacts 1", "REGISTER", "sip:sipd.test", fmt.Sprintf(contact, 2), "SIP/2.0 503 "},
		{"registrar retry_after 77", "REGISTER", "sip:sipd.test", fmt.Sprintf(contact, 2), "Retry-After: 77\r\n"},
		{"registrar max_contacts 2", "REGISTER", "sip:sipd.test", fmt.Sprintf(contact, 2), "SIP/2.0 200 OK\r\n"},
		{"", "INVITE", "sip:x@" + silent, "", "SIP/2.0 100 trying -- your call is important to us\r\n"},
		{"tm auto_inv_100_reason Trying", "INVITE", "sip:x@" + silent, "", "SIP/2.0 100 Trying\r\n"},
		{"tm auto_inv_100 0", "INVITE", "sip:x@127.0.0.1:70000", "", "SIP/2.0 4"},
	} {
		if step.change != "" {
			s.sipcmd(t, append([]string{"cfg.set"}, strings.Fields(step.change)...)...)
		}
		if got := s.ask(t, step.method, step.uri, fmt.Sprint("v", i), step.extra); !strings.Contains(got, step.want) {
			t.Errorf("after %q %s got\n%s\nwant in it %q", step.change, step.method, got, step.want)
		}
	}
	for _, bad := range []string{"maxfwd max_limit 256", "registrar default_q 1001", "tm default_code 700", "core udp_mtu 65536", "tcp async 0"} {
		if out := s.kamcmd(t, append([]string{"cfg.set"}, strings.Fields(bad)...)...); out != "error: 400 - Failed to set the variable\n" {
			t.Errorf("cfg.set %s: %q, want fault 400", bad, out)
		}
	}
}
