package xmlrpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	kolo "github.com/kolo/xmlrpc"

	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func reply(values string) string {
	return `<?xml version="1.0"?><methodResponse><params><param>` + values + `</param></params></methodResponse>`
}

func TestParseReply(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []rpc.Value
	}{
		{in: reply(`<value></value>`)},
		{in: reply(``)},
		{in: `<methodResponse></methodResponse>`},
		{in: `<methodResponse><params></params></methodResponse>`},
		{in: reply(`<value>bare &amp; text</value>`), want: []rpc.Value{rpc.String("bare & text")}},
		{in: reply(`<value><string></string></value>`), want: []rpc.Value{rpc.String("")}},
		{in: reply("<value><string> a&#xD;\n<![CDATA[<b>]]></string>\n</value>"), want: []rpc.Value{rpc.String(" a\r\n<b>")}},
		{in: reply(`<value>&lt;nil/></value>`), want: []rpc.Value{rpc.Null{}}},
		{in: reply(`<value><nil/></value>`), want: []rpc.Value{rpc.Null{}}},
		{in: reply(`<value><int>-5</int><i4> 7 </i4></value>`), want: []rpc.Value{rpc.Int(-5), rpc.Int(7)}},
		{in: reply(`<value><double>0.700000</double><boolean>1</boolean><base64>aGk=</base64></value>`), want: []rpc.Value{rpc.Double(0.7), rpc.Bool(true), rpc.Bytes("hi")}},
		{in: reply(`<value><dateTime.iso8601>20040101T12:00:00</dateTime.iso8601></value>`), want: []rpc.Value{rpc.Time(1072958400)}},
		{
			in:   reply(`<value><array><data><value><int>1</int></value><value>x</value><value/></data></array></value>`),
			want: []rpc.Value{rpc.Int(1), rpc.String("x"), rpc.String("")},
		},
		{
			in:   reply(`<value><struct><member><name>b</name><value><int>1</int></value></member><member><name>a</name><value><array><data></data></array></value></member><member><name>b</name><value/></member></struct></value>`),
			want: []rpc.Value{rpc.Struct{rpc.M("b", rpc.Int(1)), rpc.M("a", rpc.Array{}), rpc.M("b", rpc.String(""))}},
		},
	} {
		got, err := ParseReply(strings.NewReader(tt.in))
		if diff := cmp.Diff(tt.want, got); err != nil || len(tt.want)+len(got) > 0 && diff != "" {
			t.Errorf("%s: %v\n%s", tt.in, err, diff)
		}
	}
}

func TestBadReplies(t *testing.T) {
	deep := reply(strings.Repeat(`<value><array><data>`, 100) + strings.Repeat(`</data></array></value>`, 100))
	for _, in := range []string{
		"", "hello", "<html></html>", "<methodResponse>", deep,
		"<methodResponse><fault><value><int>5</int></value></fault></methodResponse>",
		reply(`<value><int>x</int></value>`), reply(`<value><float>1</float></value>`), reply(`<value><int>1`),
		reply(`<value><struct><member><value/></member></struct></value>`), reply(`text`),
		`<?xml version="1.0" encoding="utf-16"?><methodResponse></methodResponse>`,
	} {
		if v, err := ParseReply(strings.NewReader(in)); !errors.Is(err, ErrReply) {
			t.Errorf("%.60q: %v, %v; want ErrReply", in, v, err)
		}
	}
}

// TestGolden reads every recorded reply; a fault must be the one that was
// recorded on the BinRPC wire or one of this wire's own.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rpctest.Dir(t), "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range strings.Split(string(data), "\n== ") {
			_, doc, ok := strings.Cut(section, "<?xml")
			if !ok || !strings.Contains(doc, "<methodResponse>") || strings.Contains(doc, `\x`) {
				continue
			}
			n++
			vals, err := ParseReply(strings.NewReader("<?xml" + doc))
			f, isFault := errors.AsType[*rpc.Fault](err)
			switch {
			case isFault != strings.Contains(doc, "<fault>"), err != nil && !isFault:
				t.Errorf("%s: %v, %v from\n%.300s", filepath.Base(file), vals, err, doc)
			case isFault && !strings.Contains(doc, fmt.Sprintf("<int>%d</int>", f.Code)):
				t.Errorf("%s: fault %v from\n%s", filepath.Base(file), f, doc)
			case err == nil && strings.Contains(doc, "<string>") && len(vals) == 0:
				t.Errorf("%s: no values from\n%s", filepath.Base(file), doc)
			}
		}
	}
	if n < 300 {
		t.Errorf("only %d recorded replies were found", n)
	}
}

// poster posts as rpc/dial does, without its care.
func poster(url string) Post {
	return func(_ context.Context, contentType string, request []byte) (*http.Response, error) {
		return http.Post(url, contentType, bytes.NewReader(request))
	}
}

func TestClient(t *testing.T) {
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = string(b)
		switch {
		case strings.Contains(got, "no.such"):
			io.WriteString(w, "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>500</int></value></member><member><name>faultString</name><value><string>Method Not Found</string></value></member></struct></value></fault></methodResponse>")
		case strings.Contains(got, "broken"):
			w.WriteHeader(http.StatusTeapot)
		default:
			io.WriteString(w, reply(`<value><int>1</int></value>`))
		}
	}))
	defer srv.Close()
	c := New(srv.URL, poster(srv.URL), nil)
	defer c.Close()
	vals, err := c.Call(t.Context(), "core.prints", rpc.String("<a&b>"), rpc.Int(-7), rpc.Double(1.5), rpc.Bool(true),
		rpc.Bytes("hi"), rpc.Time(1072958400), rpc.Array{rpc.Int(1)}, rpc.Struct{rpc.M("k", rpc.String("v"))})
	if diff := cmp.Diff([]rpc.Value{rpc.Int(1)}, vals); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	for _, part := range []string{
		"<methodName>core.prints</methodName>", "<string>&lt;a&amp;b&gt;</string>", "<int>-7</int>", "<double>1.5</double>",
		"<boolean>1</boolean>", "<base64>aGk=</base64>", "<dateTime.iso8601>20040101T12:00:00</dateTime.iso8601>",
		"<array><data><value><int>1</int></value></data></array>", "<name>k</name><value><string>v</string></value>",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("the request has no %s:\n%s", part, got)
		}
	}
	_, err = c.Call(t.Context(), "no.such")
	if f, ok := errors.AsType[*rpc.Fault](err); !ok || f.Code != 500 || f.Text != "Method Not Found" {
		t.Errorf("unknown method: %v", err)
	}
	if _, err := c.Call(t.Context(), "broken"); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("HTTP error: %v, want the status in it", err)
	}
	for _, a := range []rpc.Value{rpc.String("\x01"), rpc.String("\xff"), rpc.Null{}, rpc.Struct{rpc.M("a", rpc.Int(1)), rpc.M("a", rpc.Int(2))}} {
		if _, err := c.Call(t.Context(), "m", a); !errors.Is(err, ErrRequest) {
			t.Errorf("argument %#v: %v, want ErrRequest", a, err)
		}
	}
}

// FuzzParseReply: a document is read or refused; what is read as one value of
// text can be sent by the encoder and read again.
func FuzzParseReply(f *testing.F) {
	f.Add([]byte(reply(`<value>x</value>`)))
	f.Add([]byte(reply(`<value><array><data><value><int>1</int></value></data></array></value>`)))
	f.Add([]byte(reply(`<value><struct><member><name>a</name><value><double>1</double></value></member></struct></value>`)))
	f.Add([]byte("<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>5</int></value></member></struct></value></fault></methodResponse>"))
	f.Add([]byte(`<?xml version="1.0" encoding="latin1"?><methodResponse/>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		vals, err := ParseReply(strings.NewReader(string(in)))
		if _, isFault := errors.AsType[*rpc.Fault](err); err != nil && !isFault && !errors.Is(err, ErrReply) {
			t.Fatalf("error of no kind: %v", err)
		}
		request, err := AppendRequest(nil, "m", vals)
		if errors.Is(err, ErrRequest) {
			return // null, repeated names, characters that XML has no way to write
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(vals, params(t, request), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s\n%s", request, diff)
		}
	})
}

// params reads the parameters of a request, each as a reply of its own.
func params(t *testing.T, request []byte) []rpc.Value {
	t.Helper()
	var vals []rpc.Value
	for _, p := range strings.Split(string(request), "<param>")[1:] {
		p, _, _ = strings.Cut(p, "</param>")
		list := "<value><array><data>" + p + "</data></array></value>"
		got, err := ParseReply(strings.NewReader(reply(list)))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s reads as %v, %v", p, got, err)
		}
		vals = append(vals, got[0])
	}
	return vals
}

// TestRequest: what the client writes means what kolo/xmlrpc, written by
// others, makes of the same values; members keep their order.
func TestRequest(t *testing.T) {
	got, err := AppendRequest(nil, "m", []rpc.Value{
		rpc.String("<é&>\r\n"), rpc.Int(-5), rpc.Double(0.25), rpc.Bool(true), rpc.Bytes("hi"),
		rpc.Array{rpc.Int(1), rpc.String("x")},
		rpc.Struct{rpc.M("k", rpc.String("v"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := kolo.EncodeMethodCall("m", "<é&>\r\n", -5, 0.25, true, kolo.Base64("aGk="), []any{1, "x"}, map[string]any{"k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(params(t, want), params(t, got)); diff != "" {
		t.Errorf("%s\n%s", got, diff)
	}
	ordered, err := AppendRequest(nil, "m", []rpc.Value{rpc.Struct{rpc.M("z", rpc.Int(1)), rpc.M("a", rpc.Int(1<<40))}})
	const members = "<member><name>z</name><value><int>1</int></value></member><member><name>a</name><value><i8>1099511627776</i8></value></member>"
	if err != nil || !strings.Contains(string(ordered), members) {
		t.Errorf("%s, %v; want %s", ordered, err, members)
	}
}
