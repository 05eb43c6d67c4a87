package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/rpc/binrpc"
	"sipd/rpc/fifo"
	"sipd/rpc/rpctest"
)

// golden is a daemon with every wire.
type golden struct {
	*server
	port    map[string]int
	uas     string // address of a phone that answers
	silent  string // and of one that does not
	clients map[string]*binrpc.Client
}

func serveGolden(t *testing.T) *golden {
	t.Helper()
	dir := shortDir(t)
	uas := answering(t)
	url := "sqlite://" + filepath.Join(dir, "sipd.db")
	sipctl(t, url, "", "db", "create", "--flavour", "kamailio", "--group", "standard,extra,presence")
	for _, row := range goldenRows {
		sqlite(t, filepath.Join(dir, "sipd.db"), strings.ReplaceAll(row, "127.0.0.1:16090", uas))
	}
	config, port := withPorts(t, strings.NewReplacer("DIR", dir, "DBURL", url).Replace(goldenConfig))
	quiet, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = quiet.Close() })
	g := &golden{
		server: serve(t, configFile(t, config), "-l", "udp:ADDR", "-l", "tcp:ADDR"), port: port,
		uas: uas, silent: quiet.LocalAddr().String(), clients: make(map[string]*binrpc.Client),
	}
	g.Conf, g.Ctl = dir, dir+"/ctl"
	return g
}

// dialogs makes the dialogs that the recorded server had: one that rings for
// ever, and one that stands.
func (g *golden) dialogs(t *testing.T) {
	t.Helper()
	for callID, to := range map[string]string{"ring-0": "ring@" + g.silent, "dlg-call-1": "bob@" + g.uas} {
		send(t, g.Addr, strings.ReplaceAll(strings.NewReplacer("TO", to, "DLG", callID).Replace(`INVITE sip:TO SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK-DLG
Max-Forwards: 70
From: <sip:alice@example.test>;tag=uactag
To: <sip:TO>
Call-ID: DLG
CSeq: 1 INVITE
Contact: <sip:alice@127.0.0.1:9>
Content-Length: 0

`), "\n", "\r\n"))
	}
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(g.sipcmd(t, "dlg.list"), "uastag") || strings.Count(g.sipcmd(t, "dlg.list"), "call-id") < 2; {
		if time.Now().After(end) {
			t.Fatalf("the dialogs do not stand: %s\n%s", g.sipcmd(t, "dlg.list"), g.Log)
		}
	}
}

// here is a recorded text with the addresses of this run.
func (g *golden) here(text string) string { return strings.ReplaceAll(text, "127.0.0.1:16090", g.uas) }

// words splits a line of goldenState; what stands in quotes is one word.
func (g *golden) words(line string) []string {
	line = strings.ReplaceAll(line, "SILENT", g.silent)
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// bin is the client of a BinRPC wire.
func (g *golden) bin(t *testing.T, wire string) *binrpc.Client {
	t.Helper()
	if c := g.clients[wire]; c != nil {
		return c
	}
	to := map[string]binrpc.Address{
		"unixs": {Net: "unixs", Path: g.Conf + "/ctl"}, "unixd": {Net: "unixd", Path: g.Conf + "/ctl.d"},
		"tcp": {Net: "tcp", Host: "127.0.0.1", Port: g.port["TCPPORT"]}, "udp": {Net: "udp", Host: "127.0.0.1", Port: g.port["UDPPORT"]},
	}[wire]
	c, err := binrpc.Dial(t.Context(), to, binrpc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	g.clients[wire] = c
	return c
}

// goldenAnswer is what came and what was recorded, each as a shape.
type goldenAnswer struct {
	kind      string // as callsOtherwise calls it
	got, want string
	same      bool
}

// ask makes a recorded call over a wire; false when the wire cannot carry it or
// no answer was recorded.
func (g *golden) ask(t *testing.T, wire string, rec rpctest.Call, parts map[string]string) (goldenAnswer, bool) {
	t.Helper()
	kind, way, _ := strings.Cut(wire, " ")
	var a goldenAnswer
	switch kind {
	case "json":
		request, recorded := parts["jsonrpc request"], httpBody(parts["jsonrpc reply"])
		if request == "" || recorded == "" {
			return a, false
		}
		a = goldenAnswer{kind: "JSON-RPC", got: string(ofJSON(t, g.askJSON(t, way, g.here(request)))), want: string(ofJSON(t, recorded))}
	case "xml":
		request, recorded := parts["xmlrpc request"], httpBody(parts["xmlrpc reply"])
		if request == "" || recorded == "" {
			return a, false
		}
		addr := map[string]string{"http": fmt.Sprintf("127.0.0.1:%d", g.port["XMLPORT"]), "sip": g.Addr}[way]
		body := postBody(t, "http://"+addr+"/RPC2", "text/xml", g.here(request))
		a = goldenAnswer{kind: "XML-RPC", got: string(ofXML(t, body)), want: string(ofXML(t, recorded))}
	case "line":
		reply := map[string]string{"pipe": "REPLY"}[way]
		request, err := fifo.AppendRequest(nil, rec.Method, reply, rec.Args)
		if errors.Is(err, fifo.ErrRequest) { // an empty argument would end it
			return a, false
		}
		if err != nil {
			t.Fatal(err)
		}
		want := lineReply(t, rec)
		a = goldenAnswer{kind: "line", want: want.String()}
		if way == "pipe" {
			a.got = overPipe(t, g.Conf+"/pipe", string(request))
		} else {
			a.got = overStream(t, g.Conf+"/lines", string(request))
		}
		a.same = want.MatchString(a.got)
		return a, true
	default:
		vals, err := g.bin(t, wire).Call(t.Context(), rec.Method, rec.Args...)
		a = goldenAnswer{kind: "BinRPC", got: string(ofBinRPC(t, vals, err)), want: string(recordedShape(t, rec))}
	}
	a.same = a.got == a.want
	return a, true
}

// askJSON sends a JSON-RPC request and gives the reply.
func (g *golden) askJSON(t *testing.T, way, request string) string {
	t.Helper()
	switch way {
	case "http":
		return postBody(t, fmt.Sprintf("http://127.0.0.1:%d/RPC", g.port["JSONPORT"]), "application/json", request)
	case "sip":
		return postBody(t, "http://"+g.Addr+"/jsonrpc", "application/json", request)
	case "pipe":
		return overPipe(t, g.Conf+"/json_fifo", strings.Replace(strings.TrimRight(request, "\n"), "{", `{"reply_name": "REPLY", `, 1)+"\n")
	}
	c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: filepath.Join(shortDir(t), "me"), Net: "unixgram"}, &net.UnixAddr{Name: g.Conf + "/json.sock", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<20)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func postBody(t *testing.T, url, contentType, body string) string {
	t.Helper()
	resp, err := http.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
