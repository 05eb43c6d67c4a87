package xmlrpc

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/rpc"
	"sipd/rpc/rpctest"
)

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
	str := rpc.Param{Name: "text", Type: rpc.TString}
	r := rpc.NewRegistry()
	err := r.Add(
		&rpc.Method{Name: "core.version", Handler: say(rpc.String("kamailio 5.6.3 (x86_64/linux) "))},
		&rpc.Method{Name: "core.prints", List: true, Params: repeat(rpc.TString, false), Handler: echo},
		&rpc.Method{Name: "core.printi", List: true, Params: repeat(rpc.TInt, false), Handler: echo},
		&rpc.Method{Name: "core.echo", List: true, Params: repeat(rpc.TString, true), Handler: echo},
		&rpc.Method{Name: "cfg.set_now_int", Params: []rpc.Param{str, str, {Type: rpc.TInt}}, Handler: say()},
		&rpc.Method{Name: "cfg.get", Params: []rpc.Param{str, str}, Handler: func(context.Context, *rpc.Call) error {
			return &rpc.Fault{Code: 400, Text: "Failed to get the variable"}
		}},
		&rpc.Method{Name: "system.methodHelp", Params: []rpc.Param{str}, Handler: say(rpc.String("Returns the description of running processes."))},
		&rpc.Method{Name: "two", Handler: say(rpc.Int(1), rpc.Int(2))},
		&rpc.Method{Name: "shapes", Handler: say(rpc.Struct{
			rpc.M("items", rpc.Items{rpc.M("a", rpc.Int(1))}), rpc.M("array", rpc.Array{rpc.Double(0.5), rpc.Null{}}),
			rpc.M("stream", rpc.Stream(func(yield func(rpc.Member) bool) { yield(rpc.M("", rpc.Bool(true))) })),
		})},
		&rpc.Method{Name: "any", Params: repeat(rpc.TAny, false), List: true, Handler: echo},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ask(t testing.TB, s *Server, doc string) string {
	t.Helper()
	var b bytes.Buffer
	if done := s.Answer(t.Context(), rpc.Trusted("test"), []byte(doc), &b); done != nil {
		done()
	}
	return b.String()
}

func newServer(t testing.TB) *Server {
	t.Helper()
	return &Server{Registry: registry(t), Log: slog.New(slog.DiscardHandler)}
}

// TestGoldenXML plays the recorded documents; those that a real server answers
// without a word on what was wrong have an answer of ours.
func TestGoldenXML(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(rpctest.Dir(t), "_xmlrpc.txt"))
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]string{
		"string expected, int given": "Invalid Parameter Type",
		"int expected, double":       "Invalid Parameter Type",
		"int expected, string":       "Invalid Parameter Type",
		"int expected, bare text":    "Invalid Parameter Type",
		"int that is no number":      "Invalid Parameter Type",
		"empty int":                  "Invalid Parameter Type",
		"i8":                         "<int>5</int>",
		"empty value":                "Invalid Parameter Type",
		"nil":                        "Invalid Parameter Type",
		"base64":                     "Invalid Parameter Type",
		"struct":                     "Invalid Parameter Type",
		"array":                      "Invalid Parameter Type",
		"mandatory parameter missing: no fault, empty value": "Parameter 3 Missing",
		"autoconversion (.s): what each type becomes":        "<string>5</string>",
	}
	own["an internal entity"] = "Invalid XML-RPC Document" // entities may be bombs
	methods := []string{"core.version", "core.prints", "core.printi", "core.echo", "cfg.set_now_int", "cfg.get", "no.such", "methodHelp", "methodName> core.version"}
	s := newServer(t)
	n := 0
	for _, block := range strings.Split("\n"+string(data), "\n== http ")[1:] {
		title, rest, _ := strings.Cut(block, "\n")
		request, rest, ok := strings.Cut(strings.TrimPrefix(rest, "== request\n"), "\n== reply\n")
		reply, _, _ := strings.Cut(rest, "\n== ")
		if _, body, isHTTP := strings.Cut(request, "\n\n"); isHTTP && strings.HasPrefix(request, "POST") {
			request = body
			_, reply, _ = strings.Cut(reply, "\n\n")
		}
		known := false
		for _, m := range methods {
			known = known || strings.Contains(request, m)
		}
		if !ok || !known || !strings.HasPrefix(strings.TrimSpace(request), "<") || !strings.HasPrefix(reply, "<?xml") || strings.Contains(request, "...") {
			continue
		}
		n++
		request = strings.ReplaceAll(request, `\xe9`, "\xe9")
		got := ask(t, s, request)
		if text, differs := own[title]; differs {
			if !strings.Contains(got, text) {
				t.Errorf("%s answers\n%s\nwant in it %s", title, got, text)
			}
		} else if got != strings.TrimRight(reply, "\n") {
			t.Errorf("%s: %s answers\n%s\nwant\n%s", title, request, got, reply)
		}
	}
	if n < 30 {
		t.Errorf("only %d cases were found", n)
	}
}

func TestShapes(t *testing.T) {
	s := newServer(t)
	call := func(method, params string) string {
		return ask(t, s, "<methodCall><methodName>"+method+"</methodName><params>"+params+"</params></methodCall>")
	}
	for _, tt := range []struct{ got, want string }{
		{call("two", ""), "<value><array><data>\n<value><int>1</int></value>\n<value><int>2</int></value>\n</data></array></value>"},
		{call("shapes", ""), "<value><struct><member><name>items</name><value><array><data>\n<value><struct><member><name>a</name><value><int>1</int></value></member></struct></value></data></array></value></member>" +
			"<member><name>array</name><value><array><data>\n<value><double>0.500000</double></value><value><nil/></value></data></array></value></member>" +
			"<member><name>stream</name><value><array><data>\n<value><boolean>1</boolean></value></data></array></value></member></struct>\n</value>"},
		{call("core.prints", "<param><value>a\x01</value></param>"), "Invalid XML-RPC Document"},
		{ask(t, s, ""), "Empty XML-RPC Document"},
		{ask(t, s, "<methodResponse/>"), "Root Element Is Not methodCall"},
		{ask(t, s, "<methodCall><params/></methodCall>"), "Method Name Not Found"},
		{ask(t, s, strings.Repeat("x", MaxRequest+1)), "longer than"},
		{ask(t, s, `<?xml version="1.0" encoding="ISO-8859-1"?><methodCall><methodName>core.prints</methodName><params><param><value>`+"\xe9"+`</value></param></params></methodCall>`), "<string>é</string>"},
		{Fault(&rpc.Fault{Code: 513, Text: "Too <big>"}), "<int>513</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>Too &lt;big></string>"},
	} {
		if !strings.Contains(tt.got, tt.want) {
			t.Errorf("answer\n%s\nwant in it\n%s", tt.got, tt.want)
		}
	}
	if got := Method([]byte("<methodCall><methodName>a.b</methodName></methodCall>")); got != "a.b" {
		t.Errorf("Method = %q", got)
	}
	s.DoubleLF = true
	if got := call("core.prints", "<param><value>a\n\nb</value></param>"); !strings.Contains(got, "<string>a&#xD;\nb</string>") {
		t.Errorf("double_lf_to_crlf: %s", got)
	}
}

// FuzzAnswer: whatever comes, the answer is XML that our client reads.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"<methodCall><methodName>any</methodName><params><param><value><array><data><value><i8>5</i8></value></data></array></value></param><param><value><struct><member><name>a</name><value>x</value></member></struct></value></param></params></methodCall>",
		"<methodCall><methodName>core.echo</methodName><params><param><value><string>]]&gt;&#13;\u00e9</string></value></param></params></methodCall>",
		"<a", "<?xml version='1.0' encoding='latin1'?><methodCall/>", "<methodCall><methodName>core.printi</methodName><params><param><value><int>+</int></value></param></params></methodCall>",
	} {
		f.Add([]byte(s))
	}
	s := newServer(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		got := ask(t, s, string(in))
		x := xml.NewDecoder(strings.NewReader(got))
		for {
			if _, err := x.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%q answers %q, which is no XML: %v", in, got, err)
			}
		}
		_, err := ParseReply(strings.NewReader(got))
		if _, ok := errors.AsType[*rpc.Fault](err); err != nil && !ok {
			t.Fatalf("%q answers %q, which the client does not read: %v", in, got, err)
		}
	})
}
