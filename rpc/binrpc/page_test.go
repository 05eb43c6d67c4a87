package binrpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sipd/rpc"
)

// rows is a method whose reply is a stream of so many rows.
func rows(n int) *rpc.Method {
	list := func(yield func(rpc.Member) bool) {
		for i := range n {
			row := rpc.Struct{rpc.M("Id", rpc.Int(i)), rpc.M("Text", rpc.String(strings.Repeat("x", 100)))}
			if !yield(rpc.M("Row", row)) {
				return
			}
		}
	}
	return &rpc.Method{Name: "test.rows", Handler: func(_ context.Context, c *rpc.Call) error {
		c.Add(rpc.Struct{rpc.M("Rows", rpc.Stream(list)), rpc.M("Big", rpc.Int(1<<40)), rpc.M("None", rpc.Null{})})
		return nil
	}}
}

// serveRows serves the rows and a list of numbers, and connects.
func serveRows(t testing.TB, n int, network string) *Client {
	t.Helper()
	reg := registry(t)
	numbers := &rpc.Method{Name: "test.numbers", List: true, Handler: func(_ context.Context, c *rpc.Call) error {
		c.Add(rpc.Each(func(yield func(rpc.Value) bool) {
			for i := range n {
				if !yield(rpc.Int(i)) {
					return
				}
			}
		}))
		return nil
	}}
	if err := reg.Add(rows(n), numbers, PageMethod()); err != nil {
		t.Fatal(err)
	}
	a := unixAddr(t, network)
	serve(t, &Server{Registry: reg, MaxBody: DefaultMaxBody}, a)
	return dial(t, a)
}

func dial(t testing.TB, a Address) *Client {
	t.Helper()
	c, err := Dial(t.Context(), a, Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func faultOf(err error) *rpc.Fault {
	f, _ := errors.AsType[*rpc.Fault](err)
	return f
}

func TestLongReplyInPieces(t *testing.T) {
	const n = 5000
	c := serveRows(t, n, "unixs")
	_, err := c.Call(t.Context(), "test.rows")
	if f := faultOf(err); f == nil || f.Code != rpc.CodeTooLong || !strings.Contains(f.Text, "sipcmd") {
		t.Errorf("a plain call of a long reply: %v; want fault 413 that names sipcmd", err)
	}
	vals, err := rpc.Gather(c.Stream(t.Context(), "test.rows"))
	if err != nil || len(vals) != 1 {
		t.Fatalf("in pieces: %d values, %v", len(vals), err)
	}
	s := vals[0].(rpc.Struct)
	list, ok := s[0].Value.(rpc.Items)
	if !ok || len(list) != n || list[n-1].Name != "Row" || list[n-1].Value.(rpc.Struct)[0].Value != rpc.Int(n-1) {
		t.Errorf("the list has %d rows, the last %v", len(list), list[max(0, len(list)-1):])
	}
	if diff := cmp.Diff(s[1:], rpc.Struct{rpc.M("Big", rpc.Int(1<<40)), rpc.M("None", rpc.Null{})}); diff != "" {
		t.Error(diff)
	}
	vals, err = rpc.Gather(c.Stream(t.Context(), "test.numbers"))
	if err != nil || len(vals) != n || vals[n-1] != rpc.Int(n-1) {
		t.Errorf("a list: %d values, %v", len(vals), err)
	}
}

// TestStreamBrokenOff: who stops reading may call again.
func TestStreamBrokenOff(t *testing.T) {
	c := serveRows(t, 5000, "unixs")
	for stop := range 3 {
		n := 0
		for _, err := range c.Stream(t.Context(), "test.rows") {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n > stop*5000 {
				break
			}
		}
		if got, err := c.Call(t.Context(), "core.echo", rpc.String("x")); err != nil || len(got) != 1 {
			t.Errorf("a call after %d tokens: %v, %v", n, got, err)
		}
	}
}

func TestShortReplyInPieces(t *testing.T) {
	c := serveRows(t, 0, "unixs")
	for _, tt := range []struct {
		method string
		args   []rpc.Value
		want   []rpc.Value
		fault  string
	}{
		{"core.echo", []rpc.Value{rpc.Int(5), rpc.String("a")}, []rpc.Value{rpc.String("5"), rpc.String("a")}, ""},
		{"test.numbers", nil, []rpc.Value{}, ""},
		{"no.such", nil, nil, "command no.such not found"},
		{"cfg.get", nil, nil, "Failed to get the parameters"},
		{"test.panic", nil, nil, "internal server error"},
		{"test.panic_later", nil, nil, "internal server error"},
		{rpc.PageMethod, nil, nil, "error at parameter 1: expected string type but record doesn't match type"},
	} {
		got, err := rpc.Gather(c.Stream(t.Context(), tt.method, tt.args...))
		text := ""
		if f := faultOf(err); f != nil {
			text = f.Text
		} else if err != nil {
			t.Errorf("%s: %v", tt.method, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || text != tt.fault {
			t.Errorf("%s: fault %q, want %q\n%s", tt.method, text, tt.fault, diff)
		}
	}
}

func TestCursors(t *testing.T) {
	c := serveRows(t, 5000, "unixs")
	page := func(args ...rpc.Value) (rpc.Value, error) {
		vals, err := c.Call(t.Context(), rpc.PageMethod, args...)
		if err != nil {
			return nil, err
		}
		return vals[0], nil
	}
	first, err := page(rpc.Int(0), rpc.String("test.rows"))
	if err != nil || first == rpc.Int(0) {
		t.Fatalf("begin: cursor %v, %v", first, err)
	}
	if _, err := c.Call(t.Context(), "core.echo", rpc.String("x")); err != nil { // does not disturb it
		t.Error(err)
	}
	if again, err := page(first); again != first || err != nil {
		t.Errorf("next: cursor %v, %v; want %v", again, err, first)
	}
	second, err := page(rpc.Int(0), rpc.String("test.rows"))
	if err != nil || second == first {
		t.Errorf("begin again: cursor %v, %v; want another than %v", second, err, first)
	}
	for _, cursor := range []rpc.Value{first, rpc.Int(-1), rpc.Int(77)} {
		if _, err := page(cursor); faultOf(err) == nil || faultOf(err).Code != 404 {
			t.Errorf("cursor %v: %v, want fault 404", cursor, err)
		}
	}
	for cursor := second; cursor != rpc.Int(0); {
		if cursor, err = page(cursor); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := page(second); faultOf(err) == nil || faultOf(err).Code != 404 {
		t.Errorf("after the last piece: %v, want fault 404", err)
	}
	if _, err := page(rpc.String("x")); faultOf(err) == nil || faultOf(err).Code != 400 {
		t.Errorf("a cursor that is text: %v, want fault 400", err)
	}
}

func TestDatagramsHaveNoPieces(t *testing.T) {
	c := serveRows(t, 5000, "unixd")
	_, err := rpc.Gather(c.Stream(t.Context(), "test.rows"))
	if f := faultOf(err); f == nil || f.Code != rpc.CodeTooLong || !strings.Contains(f.Text, "unixs:") {
		t.Errorf("a long reply by datagram: %v; want fault 413 that names unixs:", err)
	}
	_, err = c.Call(t.Context(), rpc.PageMethod, rpc.Int(0), rpc.String("test.rows"))
	if f := faultOf(err); f == nil || f.Code != 606 {
		t.Errorf("pieces by datagram: %v, want fault 606", err)
	}
	if vals, err := rpc.Gather(c.Stream(t.Context(), "core.echo", rpc.String("a"))); err != nil || len(vals) != 1 {
		t.Errorf("a short reply by datagram: %v, %v", vals, err)
	}
}

// TestServerWithoutPieces asks a server that has not heard of them.
func TestServerWithoutPieces(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 8)
	go func() {
		defer close(asked)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := reader{r: conn, max: MaxRequest}
		for {
			h, body, err := in.buffered()
			if errors.Is(err, ErrShort) {
				if in.fill() != nil {
					return
				}
				continue
			}
			d := NewDecoder(body)
			v, _ := d.Next()
			asked <- string(v.(rpc.String))
			out, _ := AppendReply(nil, h.Cookie, []rpc.Value{rpc.String("plain")}, 1<<20)
			if v == rpc.String(rpc.PageMethod) {
				out = AppendFault(nil, h.Cookie, rpc.Faultf(500, "command %s not found", v))
			}
			if _, err := conn.Write(out); err != nil {
				return
			}
		}
	}()
	c := dial(t, Address{Net: "tcp", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port})
	for range 2 {
		vals, err := rpc.Gather(c.Stream(t.Context(), "core.version"))
		if err != nil || !slices.Equal(vals, []rpc.Value{rpc.String("plain")}) {
			t.Errorf("reply %v, %v", vals, err)
		}
	}
	_ = c.Close()
	var got []string
	for m := range asked {
		got = append(got, m)
	}
	if want := []string{rpc.PageMethod, "core.version", "core.version"}; !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v: the companion once", got, want)
	}
}

// valueGen draws a value that pieces carry without loss.
func valueGen(depth int) *rapid.Generator[rpc.Value] {
	text := rapid.StringOf(rapid.RuneFrom([]rune("abcé <&\\\n")))
	return rapid.Custom(func(t *rapid.T) rpc.Value {
		kinds := 8
		if depth == 0 {
			kinds = 5
		}
		list := func() []rpc.Value { return rapid.SliceOfN(valueGen(depth-1), 0, 4).Draw(t, "list") }
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return rpc.Int(rapid.Int64().Draw(t, "int"))
		case 1:
			return rpc.Double(float64(rapid.IntRange(-1e9, 1e9).Draw(t, "thousandths")) / 1000)
		case 2:
			return rpc.String(text.Draw(t, "text"))
		case 3:
			return rpc.Bytes(rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "bytes"))
		case 4:
			return rpc.Null{}
		case 5:
			return rpc.Array(append([]rpc.Value{}, list()...))
		case 6:
			items := rpc.Items{rpc.M("first", rpc.Int(1))}
			for _, v := range list() {
				items = append(items, rpc.M(text.Draw(t, "name"), v))
			}
			return items
		}
		s := rpc.Struct(nil)
		for i, v := range list() {
			s = append(s, rpc.M(fmt.Sprint("m", i), v))
		}
		return s
	})
}

// TestPiecesRoundTrip: whatever the size of the pieces, what was written is
// what is read.
func TestPiecesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vals := rapid.SliceOfN(valueGen(4), 0, 5).Draw(t, "values")
		size := rapid.IntRange(1, 200).Draw(t, "size")
		var body bytes.Buffer
		ends := 0
		for piece, last := range Pieces(slices.Values(vals), size) {
			body.Write(piece)
			if last {
				ends++
			}
		}
		got, err := rpc.Gather(ReadTokens(&body))
		if diff := cmp.Diff(append([]rpc.Value{}, vals...), got); err != nil || diff != "" || ends != 1 {
			t.Fatalf("%d ends, %v\n%s", ends, err, diff)
		}
	})
}

// FuzzReadTokens: any octets end in balanced tokens or in an error, and what
// was read is written and read again the same.
func FuzzReadTokens(f *testing.F) {
	for _, in := range []string{"0310010310028383", "0425610010018484", "01", "9009010203040506070809", "e1027e96be9e956c", "0325610083", "c17fffffff6162"} {
		f.Add(unhex(f, in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		vals, err := rpc.Gather(ReadTokens(bytes.NewReader(in)))
		if errors.Is(err, rpc.ErrTokens) {
			t.Fatalf("%x: unbalanced tokens without an error", in)
		}
		if err != nil {
			return
		}
		write := func(vals []rpc.Value) []byte {
			var b []byte
			for piece := range Pieces(slices.Values(vals), 100) {
				b = append(b, piece...)
			}
			return b
		}
		once := write(vals)
		again, err := rpc.Gather(ReadTokens(bytes.NewReader(once)))
		if err != nil || !bytes.Equal(write(again), once) {
			t.Fatalf("%x is %v, written %x, read again %v, %v", in, vals, once, again, err)
		}
	})
}

// BenchmarkStream is a dump of 100,000 rows, server and client.
func BenchmarkStream(b *testing.B) {
	c := serveRows(b, 100_000, "unixs")
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range c.Stream(b.Context(), "test.rows") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n < 100_000 {
			b.Fatal(n)
		}
	}
}
