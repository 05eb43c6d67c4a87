package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sipd/cmd/sipd/internal/phone"
)

// wiresConfig serves every wire: HTTP on the SIP port for SER's and Kamailio's
// ways, and the pipes and sockets of both.
const wiresConfig = `#!KAMAILIO
log_stderror=yes
tcp_accept_no_cl=yes
listen=LISTEN
listen=LISTEN_TCP
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xhttp.so"
loadmodule "xmlrpc.so"
loadmodule "jsonrpcs.so"
loadmodule "ctl.so"
modparam("xhttp", "url_skip", "^/RPC2")
modparam("xmlrpc", "route", "RPC")
modparam("xmlrpc", "url_match", "^/RPC2")
modparam("jsonrpcs", "transport", 7)
modparam("ctl", "fifo", "fifo:DIR/ser_fifo")

request_route {
	sl_send_reply("200", "OK");
}

route[RPC] {
	if (method == "POST" && src_ip == 127.0.0.1) {
		if (msg:len >= 8192) {
			sl_reply("513", "Request to big");
			drop;
		}
		dispatch_rpc();
		drop;
	}
}

event_route[xhttp:request] {
	if ($hu =~ "^/jsonrpc") {
		jsonrpc_dispatch();
		exit;
	}
	xhttp_reply("200", "OK", "text/plain", "you asked for $hu with $rm\n");
}
`

func serveWires(t testing.TB) *server {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "wires.cfg")
	text := strings.ReplaceAll(wiresConfig, "DIR", dir)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, path, "-A", "LISTEN=udp:ADDR", "-A", "LISTEN_TCP=tcp:ADDR")
	s.Conf = dir
	return s
}

// post sends a body to the SIP port and gives status and answer.
func post(t testing.TB, s *server, path, body string) (string, string) {
	t.Helper()
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Post("http://"+s.Addr+path, "text/xml", strings.NewReader(body))
	if err != nil {
		t.Fatalf("POST %s: %v\n%s", path, err, s.Log)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("POST %s: %v", path, err)
	}
	return resp.Status, string(b)
}

// TestHTTPOnTheSIPPort calls as scripts of both flavours serve it.
func TestHTTPOnTheSIPPort(t *testing.T) {
	s := serveWires(t)
	for _, tt := range []struct{ path, body, status, want string }{
		{"/RPC2", xmlCall, "200 OK", "<string>sipd "},
		{"/RPC2", "<!--" + strings.Repeat("x", 9000) + "-->" + xmlCall, "513 Request to big", ""},
		{"/RPC2", "<methodCall><methodName>no.such</methodName></methodCall>", "200 OK", "Method Not Found"},
		{"/jsonrpc", jsonCall, "200 OK", `"result":	"sipd `},
		{"/jsonrpc", `{"jsonrpc":"2.0","method":"no.such","id":1}`, "500 Method Not Found", `"code":	500`},
		{"/jsonrpc", `{"jsonrpc":"2.0","method":"core.version"}`, "204 No Content", ""},
		{"/hello", "", "200 OK", "you asked for /hello with POST\n"},
	} {
		status, got := post(t, s, tt.path, tt.body)
		if status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("POST %s %.60s answers %s\n%s\nwant %s, in it %s", tt.path, tt.body, status, got, tt.status, tt.want)
		}
	}
	ctx, cancel := phone.Within(20 * time.Second)
	defer cancel()
	if err := s.Phone(t, "probe", "").Options(ctx); err != nil {
		t.Errorf("SIP beside HTTP: %v", err)
	}
}

// command runs a program and gives what it printed.
func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", filepath.Base(name), args, err, out)
	}
	return string(out)
}

// TestKamcli drives sipd by Kamailio's Python client.
func TestKamcli(t *testing.T) {
	kamcli := peer(t, "kamcli", "kamcli")
	s := serveWires(t)
	config := filepath.Join(s.Dir, "kamcli.ini")
	sock := filepath.Join(s.Dir, "kamailio_rpc.sock")
	ini := fmt.Sprintf("[main]\n[ctl]\ntype=jsonrpc\nkamgroup=root\n[jsonrpc]\ntransport=socket\npath=%s/kamailio_rpc.fifo\nrplnamebase=kamailio_rpc.fifo.reply\nrpldir=/tmp\nsrvaddr=%s\nrcvaddr=%s/kamcli.sock\noutformat=json\n", s.Dir, sock, s.Dir)
	if err := os.WriteFile(config, []byte(ini), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"rpc", "core.version"}, "sipd "},
		{[]string{"uptime"}, "up_since"},
		{[]string{"rpc", "cfg.get", "core", "debug"}, ""},
		{[]string{"rpc", "no.such"}, "Method Not Found"},
	} {
		got := command(t, kamcli, append([]string{"-c", config}, tt.args...)...)
		if !strings.Contains(got, tt.want) {
			t.Errorf("kamcli %q prints\n%s\nwant in it %s\n%s", tt.args, got, tt.want, s.Log)
		}
	}
}

// TestKamctl drives sipd by Kamailio's shell client.
func TestKamctl(t *testing.T) {
	kamctl := peer(t, "kamctl", "kamailio")
	s := serveWires(t)
	rc := filepath.Join(s.Dir, "kamctlrc")
	text := fmt.Sprintf("SIP_DOMAIN=example.com\nDBENGINE=DBTEXT\nDB_PATH=%s\nRPCFIFOPATH=%s/kamailio_rpc.fifo\nCTLENGINE=RPCFIFO\n", s.Dir, s.Dir)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), kamctl, "rpc", "core.version")
	cmd.Env = append(os.Environ(), "KAMCTLRC="+rc, "HOME="+s.Dir)
	cmd.Dir = s.Dir
	if err := os.WriteFile(filepath.Join(s.Dir, ".kamctlrc"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "sipd ") {
		t.Errorf("kamctl rpc core.version: %v\n%s\n%s", err, out, s.Log)
	}
}

// TestPythonXMLRPC drives sipd by Python's client.
func TestPythonXMLRPC(t *testing.T) {
	python := peer(t, "python3", "python3")
	s := serveWires(t)
	script := fmt.Sprintf(`
import xmlrpc.client
p = xmlrpc.client.ServerProxy("http://%s/RPC2")
print(p.core.version())
print(p.core.echo("é<&", 5))
print("core.version" in p.system.listMethods())
m = xmlrpc.client.MultiCall(p)
m.core.version()
m.core.echo("twice")
print(list(m())[1])
try:
    p.no.such()
except xmlrpc.client.Fault as f:
    print(f.faultCode, f.faultString)
`, s.Addr)
	got := command(t, python, "-c", script)
	for _, want := range []string{"sipd ", "['é<&', '5']", "True", "twice", "500 Method Not Found"} {
		if !strings.Contains(got, want) {
			t.Errorf("Python prints\n%s\nwant in it %s", got, want)
		}
	}
}

// TestScriptFifo is what twenty-year-old scripts do.
func TestScriptFifo(t *testing.T) {
	s := serveWires(t)
	reply := "sipd_test_" + filepath.Base(s.Dir)
	defer func() { _ = os.Remove("/tmp/" + reply) }()
	script := fmt.Sprintf(`mkfifo /tmp/%[2]s; cat /tmp/%[2]s & printf ':core.version:%[2]s\n\n' > %[1]s/ser_fifo; wait`, s.Conf, reply)
	if got := command(t, "sh", "-c", script); !strings.HasPrefix(got, "200 OK\nsipd ") {
		t.Errorf("the script prints %q\n%s", got, s.Log)
	}
}

// TestMalformed throws broken octets at every stream wire and wants the next
// request to be answered, and the memory to stay where it was.
func TestMalformed(t *testing.T) {
	s := serveWires(t)
	seeds := slices.Concat(brokenBinRPC[:2], brokenLines[:1], []string{`{"jsonrpc":"2.0","method":"core.echo","params":["\\"]`, "<methodCall><methodName>x", "[[[[[[[["})
	flood := func(n int) {
		for i := range n {
			b := mangled(seeds, i)
			for network, addr := range map[string]string{"unix": s.Ctl, "unixgram": filepath.Join(s.Dir, "kamailio_rpc.sock")} {
				if err := throw(network, addr, b); err != nil {
					t.Fatalf("packet %d to %s: %v\n%s", i, addr, err, s.Log)
				}
			}
			if i%10 == 0 {
				_ = throw("tcp", s.Addr, []byte(httpRequest("/RPC2", string(b)))) // the next request tells
			}
		}
	}
	s.keepsMemory(t, "10000 packets", func() { flood(1000) }, func() { flood(9000) })
	if got := s.sipcmd(t, "core.version"); !strings.HasPrefix(got, "sipd ") {
		t.Errorf("after it core.version is %q", got)
	}
	if _, got := post(t, s, "/RPC2", xmlCall); !strings.Contains(got, "sipd ") {
		t.Errorf("after it XML-RPC answers %s", got)
	}
}
