package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/rpc"
	"sipd/rpc/rpctest"
	"sipd/rpc/socket"
)

const patience = 10 * time.Second

func registry(t testing.TB) *rpc.Registry {
	t.Helper()
	echo := func(_ context.Context, c *rpc.Call) error {
		for i := range c.Len() {
			c.Add(c.Arg(i))
		}
		return nil
	}
	say := func(v ...rpc.Value) func(context.Context, *rpc.Call) error {
		return func(_ context.Context, c *rpc.Call) error { c.Add(v...); return nil }
	}
	repeat := func(typ rpc.Type, convert bool) []rpc.Param {
		return []rpc.Param{{Type: typ, Optional: true, Convert: convert, Rest: true}}
	}
	dest := func(uri string) rpc.Member {
		return rpc.M("DEST", rpc.Struct{rpc.M("URI", rpc.String(uri)), rpc.M("PRIORITY", rpc.Int(0)), rpc.M("SOCKET", rpc.Null{})})
	}
	r := rpc.NewRegistry()
	err := r.Add(
		&rpc.Method{Name: "core.version", Handler: say(rpc.String("kamailio 5.6.3 (x86_64/linux) "))},
		&rpc.Method{Name: "core.prints", List: true, Params: repeat(rpc.TString, false), Handler: echo},
		&rpc.Method{Name: "core.printi", List: true, Params: repeat(rpc.TInt, false), Handler: echo},
		&rpc.Method{Name: "core.echo", List: true, Params: repeat(rpc.TString, true), Handler: echo},
		&rpc.Method{Name: "core.uptime", Handler: say(rpc.Struct{rpc.M("uptime", rpc.Int(17)), rpc.M("q", rpc.Double(0.7)), rpc.M("n", rpc.Double(3))})},
		&rpc.Method{Name: "nothing", Handler: say()},
		&rpc.Method{Name: "list", Handler: say(rpc.Items{dest("sip:a"), dest("sip:b")})},
		&rpc.Method{Name: "stream", List: true, Handler: say(rpc.Each(func(yield func(rpc.Value) bool) { _ = yield(rpc.Int(1)) && yield(rpc.Struct{}) }))},
		&rpc.Method{Name: "endless", List: true, Handler: say(rpc.Each(func(yield func(rpc.Value) bool) {
			for i := 0; yield(rpc.Int(i)); i++ {
			}
		}))},
		&rpc.Method{Name: "boom", Handler: func(context.Context, *rpc.Call) error { panic("on purpose") }},
		&rpc.Method{Name: "fault", Handler: func(context.Context, *rpc.Call) error {
			return &rpc.Fault{Code: 606, Text: "rpc available only over binrpc (ctl)"}
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newServer(t testing.TB) *Server {
	t.Helper()
	return &Server{Registry: registry(t), Pretty: true, Log: slog.New(slog.DiscardHandler)}
}

// ask gives the status and the answer to a document, 0 for none.
func ask(t testing.TB, s *Server, doc string) (status int, body string) {
	t.Helper()
	var b bytes.Buffer
	if done := s.Answer(t.Context(), rpc.Trusted("test"), []byte(doc), func(st int, _ string) io.Writer { status = st; return &b }); done != nil {
		done()
	}
	return status, b.String()
}

// notAsKamailio are recorded cases that a real server answers in a way of its
// own: without an error where there is one, or with less than was asked.
var notAsKamailio = map[string]string{
	"params of every kind through the scan \".s\": the first unfit one ends the scan": `"result":	["a", "1", "-1", "1.5", "true", ""]`,
	"string expected, number given":   `"result":	["a", "1"]`,
	"int expected, other kinds given": `"result":	[1, 5, 2, 1]`,
	"id 1.5":                          `"id":	1.5`,
	"id null":                         "",
	"id true":                         "-32600",
	"id 9007199254740993":             `"id":	9007199254740993`,
	"id [1]":                          "-32600",
	"id {\"a\":1}":                    "-32600",
	"no id (a notification in JSON-RPC 2.0): answered all the same": "",
	"no jsonrpc member":   "-32600",
	"version 1.0":         "-32600",
	"version as a number": "-32600",
	"no method":           "-32600",
	"method a number":     "-32600",
	"batch":               `}, {`,
	"empty batch":         "-32600",
	"a string":            "-32600",
	"bad json":            "-32700",
	"no body":             "-32700",
	"GET":                 "-32700",
}

// ofHTTP are recorded cases of the transport.
var ofHTTP = map[string]bool{
	"another path": true, "Expect: 100-continue": true, "chunked": true,
	"no Content-Length (tcp_accept_no_cl=yes here)": true,
}

// TestGoldenJSON plays the recorded HTTP bodies.
func TestGoldenJSON(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(rpctest.Dir(t), "_jsonrpc.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t)
	n := 0
	for _, block := range strings.Split("\n"+string(data), "\n== http ")[1:] {
		title, rest, _ := strings.Cut(block, "\n")
		request, rest, ok := strings.Cut(rest, "\n== reply\n")
		reply, _, _ := strings.Cut(rest, "\n== ")
		_, doc, _ := strings.Cut(request, "\n\n")
		head, want, _ := strings.Cut(reply, "\n\n")
		if !ok || strings.Contains(request, "octets") || len(doc) > 4096 {
			continue
		}
		if ofHTTP[title] {
			continue
		}
		own, differs := notAsKamailio[title]
		if !differs && !strings.Contains(request, "core.version") && !strings.Contains(request, "core.prints") {
			continue // of a method that is not here
		}
		n++
		status, got := ask(t, s, doc)
		switch {
		case differs:
			if !strings.Contains(got, own) {
				t.Errorf("%s: %s answers %d\n%s\nwant in it %s", title, doc, status, got, own)
			}
		case got != strings.TrimRight(want, "\n") || !strings.Contains(head, "200"):
			t.Errorf("%s: %s answers %d\n%s\nwant\n%s\n%s", title, doc, status, got, head, want)
		}
	}
	if n < 30 {
		t.Errorf("only %d cases were found", n)
	}
}

func TestAnswers(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		doc    string
		status int
		want   string
	}{
		{`{"jsonrpc":"2.0","method":"no.such","id":1}`, 500, "{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"error\":\t{\n\t\t\"code\":\t500,\n\t\t\"message\":\t\"Method Not Found\"\n\t},\n\t\"id\":\t1\n}"},
		{`{"jsonrpc":"2.0","method":"fault","id":"x"}`, 606, "{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"error\":\t{\n\t\t\"code\":\t606,\n\t\t\"message\":\t\"rpc available only over binrpc (ctl)\"\n\t},\n\t\"id\":\t\"x\"\n}"},
		{`{"jsonrpc":"2.0","method":"nothing","id":1}`, 200, "{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t{\n\t},\n\t\"id\":\t1\n}"},
		{`{"jsonrpc":"2.0","method":"core.uptime","id":1}`, 200, "{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t{\n\t\t\"uptime\":\t17,\n\t\t\"q\":\t0.700000,\n\t\t\"n\":\t3\n\t},\n\t\"id\":\t1\n}"},
		{`{"jsonrpc":"2.0","method":"list","id":1}`, 200, "{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t[{\n\t\t\t\"DEST\":\t{\n\t\t\t\t\"URI\":\t\"sip:a\",\n\t\t\t\t\"PRIORITY\":\t0,\n\t\t\t\t\"SOCKET\":\tnull\n\t\t\t}\n\t\t}, {\n\t\t\t\"DEST\":\t{\n\t\t\t\t\"URI\":\t\"sip:b\",\n\t\t\t\t\"PRIORITY\":\t0,\n\t\t\t\t\"SOCKET\":\tnull\n\t\t\t}\n\t\t}],\n\t\"id\":\t1\n}"},
		{`{"jsonrpc":"2.0","method":"core.version"}`, 0, ""},
		{`[{"jsonrpc":"2.0","method":"core.version"},{"jsonrpc":"2.0","method":"nothing"}]`, 0, ""},
	} {
		status, got := ask(t, s, tt.doc)
		if status != tt.status || got != tt.want {
			t.Errorf("%s answers %d\n%s\nwant %d\n%s", tt.doc, status, got, tt.status, tt.want)
		}
	}
	s.Pretty = false
	for doc, want := range map[string]string{
		`{"jsonrpc":"2.0","method":"stream","id":1}`: `{"jsonrpc":"2.0","result":[1,{}],"id":1}`,
		`[{"jsonrpc":"2.0","method":"nothing","id":1},{"jsonrpc":"2.0","method":"nothing"},5,{"jsonrpc":"2.0","method":"core.prints","params":{"b":"x","a":"y"},"id":"2"}]`: `[{"jsonrpc":"2.0","result":{},"id":1},{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null},{"jsonrpc":"2.0","result":["x","y"],"id":"2"}]`,
		`{"jsonrpc":"2.0","method":"core.printi","params":["x"],"id":1}`: `{"jsonrpc":"2.0","error":{"code":400,"message":"Invalid Parameter Type"},"id":1}`,
		`{"jsonrpc":"2.0","method":"boom","id":1}`:                       `{"jsonrpc":"2.0","error":{"code":500,"message":"internal server error"},"id":1}`,
	} {
		if _, got := ask(t, s, doc); got != want {
			t.Errorf("%s answers\n%s\nwant\n%s", doc, got, want)
		}
	}
}

func serve(t testing.TB, net string) socket.Address {
	t.Helper()
	s := &socket.Server{Log: slog.New(slog.DiscardHandler)}
	if err := s.Listen(t.Context(), socket.Address{Net: net, Host: "127.0.0.1"}, newServer(t)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return s.Addresses()[0]
}

func connect(t testing.TB, a socket.Address) net.Conn {
	t.Helper()
	c, err := net.Dial(a.Net, a.HostPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// TestStream: documents follow each other, in pieces or at once.
func TestStream(t *testing.T) {
	c := connect(t, serve(t, "tcp"))
	one := `{"jsonrpc":"2.0","method":"core.prints","params":["}{\"\\"],"id":1}`
	for _, piece := range []string{one[:10], one[10:] + "\n\n" + one + one} {
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
	}
	d := json.NewDecoder(c)
	for i := range 3 {
		var reply struct{ Result []string }
		if err := d.Decode(&reply); err != nil || len(reply.Result) != 1 || reply.Result[0] != `}{"\` {
			t.Errorf("answer %d: %v, %v", i, reply, err)
		}
	}
	_, _ = io.WriteString(c, "no json")
	var reply struct{ Error struct{ Code int } }
	if err := d.Decode(&reply); err != nil || reply.Error.Code != -32700 {
		t.Errorf("no JSON: %v, %v", reply, err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("after it: %v, want the end", err)
	}
}

func TestDatagrams(t *testing.T) {
	c := connect(t, serve(t, "udp"))
	for _, tt := range []struct{ doc, want string }{
		{`{"jsonrpc":"2.0","method":"endless","id":7}`, `the reply does not fit into a datagram`},
		{`{`, `-32700`},
		{`{"jsonrpc":"2.0","method":"core.version","id":7}`, `5.6.3`},
	} {
		if _, err := io.WriteString(c, tt.doc); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1<<16)
		n, err := c.Read(buf)
		if err != nil || !strings.Contains(string(buf[:n]), tt.want) {
			t.Errorf("%s: %s, %v; want in it %s", tt.doc, buf[:n], err, tt.want)
		}
	}
}

// TestPipeRequests is what breaks the reader of a real server: a string that
// ends in a backslash, and a request above its limit; and what no end would
// make a document.
func TestPipeRequests(t *testing.T) {
	s := newServer(t)
	good := `{"jsonrpc":"2.0","method":"core.prints","params":["\\"],"id":1,"reply_name":"r"}`
	in := "garbage " + good + good + "\n{" + strings.Repeat("x", maxPipeRequest+10) + "\n" + good +
		`{"method":[}` + "\n" + good + `{"params":["\x"` + "\n" + good
	var got []string
	skipping := false
	for data := []byte(in); len(data) > 0; {
		var n int
		if skipping {
			var done bool
			n, done = s.Skip(data)
			skipping = !done
		} else {
			var r socket.PipeRequest
			var err error
			n, r, err = s.Cut(data)
			skipping = err != nil
			if r.Answer != nil {
				got = append(got, r.Reply)
			} else if n == 0 {
				break
			}
		}
		data = data[n:]
	}
	if len(got) != 5 || got[0] != "r" {
		t.Errorf("requests found: %q, want five for r", got)
	}
}

// FuzzAnswer: whatever comes, an answer is JSON, and a request is answered as
// its id says.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","method":"core.prints","params":["a",1,null,{"x":[1.5]}],"id":1}`, `[{"jsonrpc":"2.0","method":"nothing","id":"\u00e9"},5]`,
		`{"jsonrpc":"2.0","method":"core.echo","params":["\ud800"],"id":null}`, `[[[[`, `{"id":1e400}`, "\x00",
	} {
		f.Add([]byte(s))
	}
	s := newServer(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Contains(in, []byte("endless")) {
			return
		}
		for _, s.Pretty = range []bool{true, false} {
			if _, got := ask(t, s, string(in)); got != "" && !json.Valid([]byte(got)) {
				t.Fatalf("%q answers %q, which is no JSON", in, got)
			}
		}
		_, end := document(in)
		if end > len(in) {
			t.Fatalf("document(%q) ends at %d", in, end)
		}
	})
}
