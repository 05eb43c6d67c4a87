package serctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sipd/db"
	"sipd/rpc"
	"sipd/rpc/xmlrpc"
)

// httpServer answers test.show over XML-RPC with each parameter's type and
// value, and faults on test.fail.
func httpServer(t *testing.T) string {
	t.Helper()
	reg := rpc.NewRegistry()
	show := &rpc.Method{Name: "test.show", Params: []rpc.Param{{Name: "value", Type: rpc.TAny, Optional: true, Rest: true}}, Handler: func(_ context.Context, c *rpc.Call) error {
		for i := range c.Len() {
			c.Add(rpc.String(fmt.Sprintf("%T %v", c.Arg(i), c.Arg(i))))
		}
		return nil
	}}
	fail := &rpc.Method{Name: "test.fail", Handler: func(context.Context, *rpc.Call) error { return rpc.Faultf(404, "no <such> user") }}
	if err := reg.Add(show, fail); err != nil {
		t.Fatal(err)
	}
	s := &xmlrpc.Server{Registry: reg, Log: slog.New(slog.DiscardHandler)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if done := s.Answer(r.Context(), rpc.Trusted("test"), body, w); done != nil {
			done()
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/RPC2"
}

// TestOverHTTP: ser_rpc over the elder's wire, numbers as numbers, texts as
// they were typed (printed as Python prints a list).
func TestOverHTTP(t *testing.T) {
	b := newBench(t, db.SQLite)
	t.Setenv("SERCTL_SER", httpServer(t))
	for _, tt := range []struct{ line, out, errs string }{
		{"ser_rpc test.show 7 0.5 text", "['rpc.Int 7', 'rpc.Double 0.5', 'rpc.String text']\n", ""},
		{"ser_rpc test.show 5000000000 <é&>", "['rpc.Int 5000000000', 'rpc.String <\\xc3\\xa9&>']\n", ""},
		{"ser_rpc test.fail", "", "404 no <such> user"},
	} {
		out, errs, _ := b.run(tt.line, "")
		if out != tt.out || !strings.Contains(errs, tt.errs) || tt.errs == "" && errs != "" {
			t.Errorf("%s prints %q and %q, want %q and %q", tt.line, out, errs, tt.out, tt.errs)
		}
	}
}

// TestEncodeXML: whoever writes it, a call means the same; what XML-RPC cannot
// carry is an error.
func TestEncodeXML(t *testing.T) {
	for _, args := range [][]rpc.Value{
		nil,
		{rpc.Int(-5), rpc.Double(0.25), rpc.Bool(true), rpc.String("<é&>\r\n\"'")},
		{rpc.Int(1 << 40), rpc.Struct{rpc.M("z", rpc.Int(1)), rpc.M("a", rpc.Int(2))}, rpc.Array{rpc.Int(1)}, rpc.Bytes("x")},
	} {
		got, err := encodeXML("m.x", args)
		if err != nil {
			t.Fatal(err)
		}
		want, err := xmlrpc.AppendRequest(nil, "m.x", args)
		if err != nil {
			t.Fatal(err)
		}
		if g, w := bare(got), bare(want); g != w {
			t.Errorf("%v is written\n%s\nwant\n%s", args, g, w)
		}
	}
	for _, v := range []rpc.Value{rpc.Double(math.NaN()), rpc.String("\x00")} {
		if b, err := encodeXML("m", []rpc.Value{v}); !errors.Is(err, xmlrpc.ErrRequest) {
			t.Errorf("%v is written %q, %v; want ErrRequest", v, b, err)
		}
	}
	if b, err := encodeXML("a<b", nil); !errors.Is(err, xmlrpc.ErrRequest) {
		t.Errorf("a method a<b is written %q, %v; want ErrRequest", b, err)
	}
}

// bare is a request without what writers may do one way or another: the head,
// line ends, escapes of quotes and line ends, an empty list.
func bare(b []byte) string {
	_, s, _ := strings.Cut(string(b), "?>")
	return strings.NewReplacer("\n", "", "&#34;", "\"", "&#39;", "'", "&#xA;", "", "&#xD;", "\r", "&#13;", "\r", "<params></params>", "").Replace(s)
}
