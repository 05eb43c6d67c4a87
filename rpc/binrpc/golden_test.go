package binrpc

import (
	"bytes"
	"path/filepath"
	"testing"

	"sipd/rpc"
	"sipd/rpc/rpctest"
)

// TestGolden decodes every recorded reply to its recorded form, and encodes
// every request and reply again to the same octets.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(rpctest.Dir(t), "[a-z]*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	n := 0
	for _, file := range append(files, "_errors.txt") {
		for _, c := range rpctest.Calls(t, filepath.Base(file)) {
			if c.Request == nil || c.Reply == nil {
				continue
			}
			n++
			name := c.File + ": " + c.Title
			checkRequest(t, name, c.Request)
			checkReply(t, name, c)
		}
	}
	if n < 200 {
		t.Errorf("only %d recorded calls were found", n)
	}
}

func checkRequest(t *testing.T, name string, packet []byte) {
	t.Helper()
	vals := mustDecode(t, name, packet)
	method, ok := vals[0].(rpc.String)
	if !ok {
		t.Errorf("%s: the method's name is %#v", name, vals[0])
		return
	}
	h, _ := ParseHeader(packet)
	got, err := AppendRequest(nil, h.Cookie, string(method), vals[1:])
	if err != nil || !bytes.Equal(got, packet) {
		t.Errorf("%s: request encodes to\n%x (%v)\nwant\n%x", name, got, err, packet)
	}
}

func checkReply(t *testing.T, name string, c rpctest.Call) {
	t.Helper()
	vals := mustDecode(t, name, c.Reply)
	if got := rpctest.Show(vals); got != c.Decoded {
		t.Errorf("%s: reply decodes to\n%s\nwant\n%s", name, got, c.Decoded)
	}
	h, _ := ParseHeader(c.Reply)
	if h.Fault() != c.Fault {
		t.Errorf("%s: fault is %v, want %v", name, h.Fault(), c.Fault)
	}
	got, err := AppendReply(nil, h.Cookie, vals, 1<<20)
	if c.Fault {
		got = AppendFault(nil, h.Cookie, &rpc.Fault{Code: int(vals[0].(rpc.Int)), Text: string(vals[1].(rpc.String))})
	}
	if err != nil || !bytes.Equal(got, c.Reply) {
		t.Errorf("%s: reply encodes to\n%x (%v)\nwant\n%x", name, got, err, c.Reply)
	}
}

func mustDecode(t *testing.T, name string, packet []byte) []rpc.Value {
	t.Helper()
	h, err := ParseHeader(packet)
	if err != nil || h.Size+h.Len != len(packet) {
		t.Fatalf("%s: header %+v, %v of a packet of %d octets", name, h, err, len(packet))
	}
	d := NewDecoder(packet[h.Size:])
	vals, err := d.All()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return vals
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	return rpctest.Unhex(t, s)
}
