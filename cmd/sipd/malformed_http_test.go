package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// httpConfig serves both protocols over HTTP on listeners of their own and on
// the SIP port.
const httpConfig = `#!KAMAILIO` + httpOnSIP + `modparam("ctl", "binrpc", "unixs:DIR/ctl")
modparam("ctl", "binrpc", "tcp:127.0.0.1:BINPORT")
modparam("ctl", "fifo", "unixs:DIR/lines")
modparam("xmlrpc", "listen", "http://127.0.0.1:XMLPORT")
modparam("jsonrpcs", "transport", 3)
modparam("jsonrpcs", "fifo_name", "DIR/json_fifo")
modparam("jsonrpcs", "listen", "http://127.0.0.1:JSONPORT")
`

// httpOnSIP serves both protocols over HTTP on the SIP port.
const httpOnSIP = `
tcp_accept_no_cl=yes
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xhttp.so"
loadmodule "xmlrpc.so"
loadmodule "jsonrpcs.so"
loadmodule "ctl.so"
modparam("xhttp", "url_skip", "^/RPC2")
modparam("xmlrpc", "route", "RPC")
modparam("xmlrpc", "url_match", "^/RPC2")
request_route { sl_send_reply("200", "OK"); }
route[RPC] { dispatch_rpc(); }
event_route[xhttp:request] { jsonrpc_dispatch(); }
`

// httpWires is a daemon with httpConfig.
type httpWires struct {
	*server
	conf                string // folder of the pipes and sockets
	binrpc, xml, json   string // host:port
	xmlBodies, jsonText []string
}

func serveHTTPWires(t *testing.T) httpWires {
	t.Helper()
	w := httpWires{
		conf:      t.TempDir(),
		xmlBodies: []string{xmlCall, "<methodCall><methodName>x", "<methodCall><methodName>core.echo</methodName><params><param><value><array><data><value><i4>99999999999999999999</i4></value></data></array></value></param></params></methodCall>", "<!DOCTYPE a [<!ENTITY b \"&b;\">]><methodCall>&b;</methodCall>", strings.Repeat("<value><array><data>", 200)},
		jsonText:  []string{jsonCall, `{"jsonrpc":"2.0","method":"core.echo","params":["\\"],"id":1`, "[[[[[[[[", `{"jsonrpc":"2.0","method":"cfg.get","params":{"a":{"b":[1e999]}},"id":"\ud800"}`, `[` + strings.Repeat(jsonCall+",", 20) + `]`},
	}
	config, port := withPorts(t, strings.ReplaceAll(httpConfig, "DIR", w.conf))
	addr := func(word string) string { return fmt.Sprintf("127.0.0.1:%d", port[word]) }
	w.binrpc, w.xml, w.json = addr("BINPORT"), addr("XMLPORT"), addr("JSONPORT")
	w.server = serve(t, configFile(t, config), "-l", "udp:ADDR", "-l", "tcp:ADDR")
	return w
}

const (
	xmlCall  = "<methodCall><methodName>core.version</methodName></methodCall>"
	jsonCall = `{"jsonrpc":"2.0","method":"core.version","id":1}`
)

// httpRequest is a POST in octets.
func httpRequest(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// askHTTP sends a request on a connection and gives the answer's body.
func askHTTP(c net.Conn, in *bufio.Reader, path, body string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, httpRequest(path, body)); err != nil {
		return "", err
	}
	return readHTTP(in)
}

// TestMalformedHTTP sends 10,000 broken bodies and headers to XML-RPC and
// JSON-RPC over HTTP, on listeners of their own and on the SIP port, and to the
// pipe of JSON-RPC. A good call follows each fourth body on its connection.
func TestMalformedHTTP(t *testing.T) {
	s := serveHTTPWires(t)
	for _, w := range []struct {
		name, addr, path string
		seeds            []string
		call             string
	}{
		{"XML-RPC", s.xml, "/RPC2", s.xmlBodies, xmlCall},
		{"JSON-RPC", s.json, "/RPC", s.jsonText, jsonCall},
		{"XML-RPC on the SIP port", s.Addr, "/RPC2", s.xmlBodies, xmlCall},
		{"JSON-RPC on the SIP port", s.Addr, "/jsonrpc", s.jsonText, jsonCall},
	} {
		t.Run(w.name, func(t *testing.T) {
			headers := func() {
				for i := range 1000 {
					if err := throw("tcp", w.addr, mangled([]string{httpRequest(w.path, w.seeds[0])}, i)); i%10 == 0 && err != nil {
						t.Fatalf("header %d: %v\n%s", i, err, s.Log)
					}
				}
			}
			s.keepsMemory(t, "9000 bodies to "+w.name, headers, func() { brokenBodies(t, w.addr, w.path, w.seeds, w.call) })
		})
	}
	t.Run("JSON-RPC on a pipe", func(t *testing.T) {
		pipe := s.conf + "/json_fifo"
		for i := range 10000 {
			if err := throw("fifo", pipe, append(mangled(s.jsonText, i), '\n')); err != nil {
				t.Fatalf("request %d: %v\n%s", i, err, s.Log)
			}
		}
		// The last may be half a request, of which the rest has five seconds.
		if got := command(t, tool(t, "sipcmd"), "-t", "20", "-s", "jsonrpc+fifo:"+pipe, "core.version"); !strings.HasPrefix(got, "sipd ") {
			t.Errorf("after it core.version is %q", got)
		}
	})
}

// brokenBodies sends 9,000 of them, a good call behind every fourth.
func brokenBodies(t *testing.T, addr, path string, seeds []string, call string) {
	t.Helper()
	var c net.Conn
	var in *bufio.Reader
	connect := func() {
		c = dialPatiently(t, "tcp", addr)
		in = bufio.NewReader(c)
	}
	connect()
	for i := range 9000 {
		broken := mangled(seeds, i)
		if _, err := askHTTP(c, in, path, string(broken)); err != nil { // the daemon may close
			_ = c.Close()
			connect()
		}
		if i%4 != 0 {
			continue
		}
		if got, err := askHTTP(c, in, path, call); err != nil || !strings.Contains(got, "sipd ") {
			t.Fatalf("behind %q core.version is %q, %v", broken, got, err)
		}
	}
	_ = c.Close()
}
