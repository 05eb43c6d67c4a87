package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/router/transport/certtest"
)

// securedConfig serves the wires that other machines reach, guarded as they
// are unless told otherwise.
const securedConfig = `#!KAMAILIO
enable_tls=yes
log_stderror=yes
debug=2
listen=udp:127.0.0.1:UDPPORT
listen=tls:HOST:TLSPORT
rpc_credentials="credentials"
rpc_certificate="server.pem"
rpc_ca_list="ca.pem"
loadmodule "tls.so"
loadmodule "cfg_rpc.so"` + httpOnSIP + `modparam("tls", "config", "tls.cfg")
modparam("ctl", "binrpc", "tls:HOST:BINPORT")
modparam("jsonrpcs", "transport", 1)
modparam("jsonrpcs", "listen", "https://HOST:JSONPORT")
modparam("xmlrpc", "listen", "https://HOST:XMLPORT")
`

// otherAddress is an address of this machine that is no loopback: who calls
// from it is trusted no more than another machine.
func otherAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("skipped: this machine has no address but loopback")
	return ""
}

// TestSecuredWires runs sipcmd from beyond loopback over each wire that has
// TLS, with tokens and client certificates of both roles, and without any.
func TestSecuredWires(t *testing.T) {
	host := otherAddress(t)
	ca := certtest.New(t, "ca")
	config, port := withPorts(t, strings.ReplaceAll(securedConfig, "HOST", host))
	at := func(word string) string { return fmt.Sprintf("%s:%d", host, port[word]) }
	path := configFile(t, config)
	dir := filepath.Dir(path)
	roots := ca.Write(t, dir, "ca.pem")
	certtest.Write(t, dir, "server.pem", ca.Issue(t, time.Hour, "sip.example.com", host))
	writeFile(t, filepath.Join(dir, "tls.cfg"), "[server:default]\ncertificate=server.pem\nprivate_key=server.pem\nverify_certificate=1\nca_list=ca.pem\n")
	ops, panel := ca.Issue(t, time.Hour, "ops"), ca.Issue(t, time.Hour, "panel")
	cert := func(c tls.Certificate) string { return fmt.Sprintf("cert:%x", sha256.Sum256(c.Certificate[0])) }
	token := func(s string) string { return fmt.Sprintf("token:%x", sha256.Sum256([]byte(s))) }
	writeFile(t, filepath.Join(dir, "credentials"), "ops full "+cert(ops)+"\npanel read-only "+cert(panel)+"\nboss full "+token("all")+"\nmonitor read-only "+token("some")+"\n")
	args := map[string][]string{
		"nothing": nil, "ops": {"--cert", certtest.Write(t, dir, "ops.pem", ops)}, "panel": {"--cert", certtest.Write(t, dir, "panel.pem", panel)},
	}
	for name, text := range map[string]string{"boss": "all", "monitor": "some", "guess": "guess"} {
		file := filepath.Join(dir, name)
		writeFile(t, file, text+"\n")
		args[name] = []string{"--token-file", file}
	}
	s := serve(t, path)

	for _, addr := range []string{
		"tls:" + at("BINPORT"), "jsonrpc+https://" + at("JSONPORT") + "/RPC", "xmlrpc+https://" + at("XMLPORT") + "/RPC2",
		"jsonrpc+https://" + at("TLSPORT") + "/jsonrpc", "xmlrpc+https://" + at("TLSPORT") + "/RPC2",
	} {
		call := func(who string, words ...string) (string, int) {
			cmd := exec.CommandContext(t.Context(), tool(t, "sipcmd"), append(append([]string{"-s", addr, "--ca", roots}, args[who]...), words...)...)
			out, _ := cmd.CombinedOutput()
			return string(out), cmd.ProcessState.ExitCode()
		}
		read, change := []string{"core.version"}, []string{"cfg.set_now_int", "core", "debug", "2"}
		for _, tt := range []struct {
			who  string
			call []string
			code int
			want string
		}{
			{"ops", read, 0, "sipd "},
			{"ops", change, 0, ""},
			{"boss", read, 0, "sipd "},
			{"boss", change, 0, ""},
			{"panel", read, 0, "sipd "},
			{"panel", change, 1, "403 - cfg.set_now_int changes the daemon and the role of panel at "},
			{"monitor", read, 0, "sipd "},
			{"monitor", change, 1, "403 - cfg.set_now_int changes the daemon and the role of monitor at "},
			{"nothing", read, -1, "credential"},
			{"guess", read, -1, "credential"},
		} {
			out, code := call(tt.who, tt.call...)
			if tt.code >= 0 && code != tt.code || tt.code < 0 && code == 0 || !strings.Contains(out, tt.want) {
				t.Errorf("%s: %s calls %v: exit %d and\n%swant %d and %q\n%s", addr, tt.who, tt.call, code, out, tt.code, tt.want, s.Log)
			}
		}
	}
	for _, want := range []string{"ops at ", "boss at ", "monitor at "} {
		if !strings.Contains(s.Log.String(), want) {
			t.Errorf("the log does not say that %q called:\n%s", want, s.Log)
		}
	}
}
