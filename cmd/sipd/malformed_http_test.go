package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/router/transport/certtest"
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

// tlsHTTPConfig is httpConfig with TLS on all wires.
const tlsHTTPConfig = `#!KAMAILIO
enable_tls=yes
log_stderror=yes
tcp_connection_lifetime=600
listen=udp:127.0.0.1:UDPPORT
listen=tls:127.0.0.1:TLSPORT
rpc_certificate="server.pem"
loadmodule "tls.so"` + httpOnSIP + `modparam("tls", "config", "tls.cfg")
modparam("ctl", "binrpc", "tls:127.0.0.1:BINPORT")
modparam("xmlrpc", "listen", "https://127.0.0.1:XMLPORT")
modparam("jsonrpcs", "transport", 1)
modparam("jsonrpcs", "listen", "https://127.0.0.1:JSONPORT")
`

// httpWires is a daemon with httpConfig, or with tlsHTTPConfig.
type httpWires struct {
	*server
	network                string // "tcp" or "tls"
	conf                   string // folder of the pipes and sockets
	binrpc, xml, json, sip string // host:port
	xmlBodies, jsonText    []string
}

func serveHTTPWires(t *testing.T) httpWires {
	t.Helper()
	w := newHTTPWires(t)
	config, port := withPorts(t, strings.ReplaceAll(httpConfig, "DIR", w.conf))
	w.at(port)
	w.server = serve(t, configFile(t, config), "-l", "udp:ADDR", "-l", "tcp:ADDR")
	w.sip = w.Addr
	return w
}

func serveTLSWires(t *testing.T) httpWires {
	t.Helper()
	w := newHTTPWires(t)
	config, port := withPorts(t, tlsHTTPConfig)
	w.at(port)
	w.network, w.sip = "tls", fmt.Sprintf("127.0.0.1:%d", port["TLSPORT"])
	path := configFile(t, config)
	dir := filepath.Dir(path)
	certtest.Write(t, dir, "server.pem", certtest.New(t, "ca").Issue(t, time.Hour, "sip.example.com"))
	writeFile(t, filepath.Join(dir, "tls.cfg"), "[server:default]\ncertificate=server.pem\nprivate_key=server.pem\n")
	w.server = serve(t, path)
	return w
}

// at notes where the wires listen.
func (w *httpWires) at(port map[string]int) {
	addr := func(word string) string { return fmt.Sprintf("127.0.0.1:%d", port[word]) }
	w.binrpc, w.xml, w.json = addr("BINPORT"), addr("XMLPORT"), addr("JSONPORT")
}

func newHTTPWires(t *testing.T) httpWires {
	t.Helper()
	return httpWires{
		network: "tcp", conf: t.TempDir(),
		xmlBodies: []string{xmlCall, "<methodCall><methodName>x", "<methodCall><methodName>core.echo</methodName><params><param><value><array><data><value><i4>99999999999999999999</i4></value></data></array></value></param></params></methodCall>", "<!DOCTYPE a [<!ENTITY b \"&b;\">]><methodCall>&b;</methodCall>", strings.Repeat("<value><array><data>", 200)},
		jsonText:  []string{jsonCall, `{"jsonrpc":"2.0","method":"core.echo","params":["\\"],"id":1`, "[[[[[[[[", `{"jsonrpc":"2.0","method":"cfg.get","params":{"a":{"b":[1e999]}},"id":"\ud800"}`, `[` + strings.Repeat(jsonCall+",", 20) + `]`},
	}
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
	brokenHTTP(t, s)
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

// TestMalformedTLS does the same over HTTPS, and to BinRPC over TLS; the headers
// are those of a client that speaks no TLS.
func TestMalformedTLS(t *testing.T) {
	s := serveTLSWires(t)
	brokenHTTP(t, s)
	t.Run("BinRPC", func(t *testing.T) {
		hello := clientHello(t)
		first := func() {
			for i := range 9000 {
				if err := throw("tcp", s.binrpc, mangled([]string{hello, brokenBinRPC[0]}, i)); i%10 == 0 && err != nil {
					t.Fatalf("packet %d: %v\n%s", i, err, s.Log)
				}
			}
		}
		s.keepsMemory(t, "1000 packets inside TLS", first, func() {
			for i := range 1000 {
				c := dialPatiently(t, "tls", s.binrpc)
				_, _ = c.Write(mangled(brokenBinRPC, i))
				_ = c.Close()
			}
		})
		for _, w := range crowdWires(s) {
			w.askNew(t)
		}
	})
}

// clientHello is how a client of TLS begins.
func clientHello(t *testing.T) string {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	_ = server.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "x"}).Handshake() // ends with the pipe
		_ = client.Close()
	}()
	b := make([]byte, 16384)
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// brokenHTTP sends 1,000 broken headers and 9,000 broken bodies to each wire
// over HTTP.
func brokenHTTP(t *testing.T, s httpWires) {
	t.Helper()
	for _, w := range []struct {
		name, addr, path string
		seeds            []string
		call             string
	}{
		{"XML-RPC", s.xml, "/RPC2", s.xmlBodies, xmlCall},
		{"JSON-RPC", s.json, "/RPC", s.jsonText, jsonCall},
		{"XML-RPC on the SIP port", s.sip, "/RPC2", s.xmlBodies, xmlCall},
		{"JSON-RPC on the SIP port", s.sip, "/jsonrpc", s.jsonText, jsonCall},
	} {
		t.Run(w.name, func(t *testing.T) {
			headers := func() {
				for i := range 1000 {
					if err := throw("tcp", w.addr, mangled([]string{httpRequest(w.path, w.seeds[0])}, i)); i%10 == 0 && err != nil {
						t.Fatalf("header %d: %v\n%s", i, err, s.Log)
					}
				}
			}
			s.keepsMemory(t, "9000 bodies to "+w.name, headers, func() { brokenBodies(t, s.network, w.addr, w.path, w.seeds, w.call) })
		})
	}
}

// brokenBodies sends 9,000 of them, a good call behind every fourth.
func brokenBodies(t *testing.T, network, addr, path string, seeds []string, call string) {
	t.Helper()
	var c net.Conn
	var in *bufio.Reader
	connect := func() {
		c = dialPatiently(t, network, addr)
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
