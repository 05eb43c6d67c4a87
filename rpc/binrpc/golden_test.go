package binrpc

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sipd/rpc"
)

// goldenDir is where the answers recorded from a real Kamailio are.
func goldenDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SIPD_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(dir, "golden")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the recorded answers are not here: ", err)
	}
	return dir
}

// goldenCall is one call of a recording.
type goldenCall struct {
	title          string
	request, reply []byte
	decoded        string
	fault          bool
}

func readGolden(t testing.TB, file string) []goldenCall {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var calls []goldenCall
	for _, block := range strings.Split("\n"+string(data), "\n== call ")[1:] {
		var c goldenCall
		c.title, _, _ = strings.Cut(block, "\n")
		for _, section := range strings.Split(block, "\n== ")[1:] {
			head, body, _ := strings.Cut(section, "\n")
			switch head {
			case "binrpc request":
				c.request = unhex(t, body)
			case "binrpc reply":
				c.reply = unhex(t, body)
			case "binrpc decoded (fault)", "binrpc decoded (reply)":
				c.decoded = strings.TrimRight(body, "\n")
				c.fault = strings.Contains(head, "fault")
			}
		}
		calls = append(calls, c)
	}
	return calls
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGolden decodes every recorded reply to its recorded form, and encodes
// every request and reply again to the same octets.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(goldenDir(t), "[a-z]*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	files = append(files, filepath.Join(goldenDir(t), "_errors.txt"))
	n := 0
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			if c.request == nil || c.reply == nil {
				continue
			}
			n++
			name := filepath.Base(file) + ": " + c.title
			checkRequest(t, name, c.request)
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

func checkReply(t *testing.T, name string, c goldenCall) {
	t.Helper()
	vals := mustDecode(t, name, c.reply)
	if got := show(vals, 0); got != c.decoded {
		t.Errorf("%s: reply decodes to\n%s\nwant\n%s", name, got, c.decoded)
	}
	h, _ := ParseHeader(c.reply)
	if h.Fault() != c.fault {
		t.Errorf("%s: fault is %v, want %v", name, h.Fault(), c.fault)
	}
	got, err := AppendReply(nil, h.Cookie, vals, 1<<20)
	if c.fault {
		got = AppendFault(nil, h.Cookie, &rpc.Fault{Code: int(vals[0].(rpc.Int)), Text: string(vals[1].(rpc.String))})
	}
	if err != nil || !bytes.Equal(got, c.reply) {
		t.Errorf("%s: reply encodes to\n%x (%v)\nwant\n%x", name, got, err, c.reply)
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

// show writes values as the recordings do.
func show(vals []rpc.Value, depth int) string {
	var lines []string
	indent := strings.Repeat("  ", depth)
	for _, v := range vals {
		switch v := v.(type) {
		case rpc.Int:
			lines = append(lines, fmt.Sprintf("%sint %d", indent, v))
		case rpc.Double:
			f := strconv.FormatFloat(float64(v), 'f', -1, 64)
			if !strings.Contains(f, ".") {
				f += ".0"
			}
			lines = append(lines, indent+"double "+f)
		case rpc.String:
			lines = append(lines, indent+"str "+quote(string(v)))
		case rpc.Array:
			lines = append(lines, indent+"struct {")
			if len(v) > 0 {
				lines = append(lines, show(v, depth+1))
			}
			lines = append(lines, indent+"struct }")
		case rpc.Struct:
			lines = append(lines, indent+"struct {")
			for _, m := range v {
				if m.Name != "" {
					lines = append(lines, indent+"  avp "+quote(m.Name))
				}
				lines = append(lines, show([]rpc.Value{m.Value}, depth+1))
			}
			lines = append(lines, indent+"struct }")
		default:
			lines = append(lines, fmt.Sprintf("%s%T %v", indent, v, v))
		}
	}
	return strings.Join(lines, "\n")
}

// quote quotes as Python does, which wrote the recordings.
func quote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	out := []byte{q}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\\' || c == q:
			out = append(out, '\\', c)
		case c < 0x20 || c == 0x7f:
			out = fmt.Appendf(out, `\x%02x`, c)
		default:
			out = append(out, c)
		}
	}
	return string(append(out, q))
}
