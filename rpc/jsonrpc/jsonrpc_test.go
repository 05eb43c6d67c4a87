package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sipd/rpc"
	"sipd/rpc/rpctest"
)

func TestAppendRequest(t *testing.T) {
	got, err := AppendRequest(nil, "core.echo", "r", 7, []rpc.Value{
		rpc.String("a\"\n"), rpc.Int(-1), rpc.Double(2), rpc.Double(0.5), rpc.Bool(true),
		rpc.Null{},
		rpc.Array{rpc.Int(1)},
		rpc.Struct{rpc.M("b", rpc.Int(1)), rpc.M("a", rpc.String("x"))},
	})
	const want = `{"jsonrpc":"2.0","method":"core.echo","params":["a\"\n",-1,2.0,0.5,true,null,[1],{"b":1,"a":"x"}],"reply_name":"r","id":7}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if _, err := AppendRequest(nil, "m", "", 1, []rpc.Value{rpc.String("\xff")}); !errors.Is(err, ErrRequest) {
		t.Errorf("text that is not UTF-8: %v, want ErrRequest", err)
	}
}

func TestParseReply(t *testing.T) {
	for _, tt := range []struct {
		in    string
		want  []rpc.Value
		fault *rpc.Fault
		bad   bool
	}{
		{in: `{"jsonrpc":"2.0","result":"x","id":1}`, want: []rpc.Value{rpc.String("x")}},
		{in: `{"result":[],"id":1}`, want: []rpc.Value{}},
		{in: `{"result":{},"id":1}`},
		{in: `{"result":[1,0.7,null,true,12345678901,1e3],"id":1}`, want: []rpc.Value{rpc.Int(1), rpc.Double(0.7), rpc.Null{}, rpc.Bool(true), rpc.Int(12345678901), rpc.Double(1000)}},
		{in: `{"result":{"b":1,"a":[{"x":2}],"b":3}}`, want: []rpc.Value{rpc.Struct{rpc.M("b", rpc.Int(1)), rpc.M("a", rpc.Array{rpc.Struct{rpc.M("x", rpc.Int(2))}}), rpc.M("b", rpc.Int(3))}}},
		{in: `{"error":{"code":404,"message":"no"},"id":1}`, fault: &rpc.Fault{Code: 404, Text: "no"}},
		{in: `{"error":null,"result":5,"id":1}`, want: []rpc.Value{rpc.Int(5)}},
		{in: `{"result":5,"id":2}`, bad: true},
		{in: `{"error":{"message":"no"}}`, bad: true},
		{in: `{}`, bad: true},
		{in: `[]`, bad: true},
		{in: ``, bad: true},
		{in: `{"result":5} x`, bad: true},
		{in: `{"result":5`, bad: true},
		{in: `{"result":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, bad: true},
	} {
		got, err := ParseReply([]byte(tt.in), 1)
		fault, _ := errors.AsType[*rpc.Fault](err)
		if diff := cmp.Diff(tt.want, got) + cmp.Diff(tt.fault, fault); len(tt.want)+len(got) > 0 && diff != "" || tt.bad != errors.Is(err, ErrReply) || (tt.fault != nil) != (fault != nil) {
			t.Errorf("%.80s: %v\n%s", tt.in, err, diff)
		}
	}
}

// TestGolden reads every recorded reply of a method; the errors are those that
// were recorded.
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
		for _, section := range strings.Split(string(data), "\n== jsonrpc reply\n")[1:] {
			section, _, _ = strings.Cut(section, "\n== ")
			_, doc, ok := strings.Cut(section, "\n\n")
			if !ok || doc == "" {
				continue
			}
			n++
			vals, err := ParseReply([]byte(doc), 4660)
			f, isFault := errors.AsType[*rpc.Fault](err)
			switch {
			case isFault != strings.Contains(doc, `"error":	{`), err != nil && !isFault:
				t.Errorf("%s: %v, %v from\n%s", filepath.Base(file), vals, err, doc)
			case isFault && (f.Code == 0 || f.Text == ""):
				t.Errorf("%s: fault %v from\n%s", filepath.Base(file), f, doc)
			}
		}
	}
	if n < 300 {
		t.Errorf("only %d recorded replies were found", n)
	}
}

// answer is a daemon that echoes params and refuses the method no.such.
func answer(request []byte) []byte {
	var req struct {
		Method string
		Params json.RawMessage
		ID     int
	}
	if err := json.Unmarshal(request, &req); err != nil {
		return []byte("not json")
	}
	reply := map[string]any{"jsonrpc": "2.0", "id": req.ID, "result": req.Params}
	if req.Method == "no.such" {
		delete(reply, "result")
		reply["error"] = map[string]any{"code": 500, "message": "Method Not Found"}
	}
	b, err := json.MarshalIndent(reply, "", "\t")
	if err != nil {
		return []byte(err.Error())
	}
	return b
}

func check(t *testing.T, c rpc.Client) {
	t.Helper()
	for range 2 {
		got, err := c.Call(t.Context(), "core.echo", rpc.String("é\n"), rpc.Int(5))
		if diff := cmp.Diff([]rpc.Value{rpc.String("é\n"), rpc.Int(5)}, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	_, err := c.Call(t.Context(), "no.such")
	if f, ok := errors.AsType[*rpc.Fault](err); !ok || f.Code != 500 || f.Text != "Method Not Found" {
		t.Errorf("unknown method: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// poster posts as rpc/dial does, without its care.
func poster(url string) Post {
	return func(_ context.Context, contentType string, request []byte) (*http.Response, error) {
		return http.Post(url, contentType, bytes.NewReader(request))
	}
}

func TestHTTP(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/none" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		reply := answer(b)
		if bytes.Contains(reply, []byte(`"error"`)) {
			w.WriteHeader(http.StatusInternalServerError) // as Kamailio: the code
		}
		_, _ = w.Write(reply)
	}))
	defer srv.Close()
	check(t, HTTP(srv.URL, poster(srv.URL+"/RPC"), nil))
	c := HTTP(srv.URL, poster(srv.URL+"/none"), nil)
	defer c.Close()
	if _, err := c.Call(t.Context(), "m"); !errors.Is(err, ErrReply) || !strings.Contains(err.Error(), "404") {
		t.Errorf("a page that is not there: %v, want ErrReply with the status", err)
	}
}

func TestDatagram(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "d")
	srv, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			n, from, err := srv.ReadFromUnix(buf)
			if err != nil {
				return
			}
			if !bytes.Contains(buf[:n], []byte("silent")) {
				_, _ = srv.WriteToUnix(answer(buf[:n]), from)
			}
		}
	}()
	defer func() { srv.Close(); <-done }()
	c, err := Datagram(path, "", "", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	check(t, c)
	if left, _ := filepath.Glob(filepath.Join(dir, "sipcmd_*")); len(left) > 0 {
		t.Errorf("reply sockets are left behind: %v", left)
	}
	if c, err = Datagram(path, "", "", 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Call(t.Context(), "silent"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v, want DeadlineExceeded", err)
	}
}

// FuzzParseReply: a text is read or refused, and what is read can be written
// and reads the same again.
func FuzzParseReply(f *testing.F) {
	for _, s := range []string{
		`{"result":"x","id":1}`, `{"result":{"a":[1,2.5,null,true]},"id":1}`, `{"error":{"code":1,"message":"m"}}`,
		`{"result":{}}`, `[]`, `{"result":"\ud800"}`, `{"result":1e999}`, `{"result":-0.0}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		vals, err := ParseReply(in, 1)
		if _, isFault := errors.AsType[*rpc.Fault](err); err != nil && !isFault && !errors.Is(err, ErrReply) {
			t.Fatalf("error of no kind: %v", err)
		}
		if err != nil || len(vals) == 0 {
			return
		}
		again, err := AppendRequest(nil, "m", "", 1, vals)
		if err != nil {
			if errors.Is(err, ErrRequest) {
				return // one level deeper than allowed
			}
			t.Fatal(err)
		}
		back, err := ParseReply(bytes.Replace(again, []byte(`"params"`), []byte(`"result"`), 1), 1)
		if diff := cmp.Diff(vals, back); err != nil || diff != "" {
			t.Fatalf("%s: %v\n%s", again, err, diff)
		}
	})
}
