// Package rpctest helps tests of the control plane: it reads the answers that
// were recorded from a real Kamailio, and runs the real kamcmd. Recordings and
// programs that are not there skip the test with a word.
package rpctest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sipd/rpc"
)

// Dir is the folder of the recordings: golden in $SIPD_SHARED, or in the
// folder shared beside the repository.
func Dir(t testing.TB) string {
	t.Helper()
	shared := os.Getenv("SIPD_SHARED")
	if shared == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil || root == "/" {
				break
			}
			root = filepath.Dir(root)
		}
		shared = filepath.Join(root, "..", "shared")
	}
	dir := filepath.Join(shared, "golden")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("skipped: the recorded answers are not here (set SIPD_SHARED): ", err)
	}
	return dir
}

// Call is one recorded call.
type Call struct {
	File, Title string
	Method      string
	Args        []rpc.Value
	// Argv is how kamcmd was called, as typed in a shell.
	Argv string
	// Stdout is what kamcmd printed.
	Stdout string
	// Request and Reply are BinRPC packets, nil where none was recorded.
	Request, Reply []byte
	// Decoded is the reply's records, as Show writes them.
	Decoded string
	Fault   bool
}

// Calls reads the recordings of one file of Dir.
func Calls(t testing.TB, file string) []Call {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Dir(t), file))
	if err != nil {
		t.Fatal(err)
	}
	var calls []Call
	for _, block := range strings.Split("\n"+string(data), "\n== call ")[1:] {
		c := Call{File: file}
		c.Title, _, _ = strings.Cut(block, "\n")
		c.Method, c.Args = invocation(t, c.Title)
		for _, section := range strings.Split(block, "\n== ")[1:] {
			head, body, _ := strings.Cut(section, "\n")
			switch head {
			case "kamcmd argv":
				c.Argv = strings.TrimSuffix(body, "\n")
			case "kamcmd stdout":
				c.Stdout = body
			case "binrpc request":
				c.Request = Unhex(t, body)
			case "binrpc reply":
				c.Reply = Unhex(t, body)
			case "binrpc decoded (fault)", "binrpc decoded (reply)":
				c.Decoded = strings.TrimRight(body, "\n")
				c.Fault = strings.Contains(head, "fault")
			}
		}
		calls = append(calls, c)
	}
	return calls
}

// invocation reads `method ["text", 1, 1.5]`.
func invocation(t testing.TB, title string) (string, []rpc.Value) {
	t.Helper()
	method, list, _ := strings.Cut(title, " ")
	d := json.NewDecoder(strings.NewReader(list))
	d.UseNumber()
	var raw []any
	if err := d.Decode(&raw); err != nil {
		return method, nil // a name with blanks in it; such calls are replayed by their octets
	}
	var args []rpc.Value
	for _, a := range raw {
		switch a := a.(type) {
		case string:
			args = append(args, rpc.String(a))
		case json.Number:
			if n, err := a.Int64(); err == nil {
				args = append(args, rpc.Int(n))
			} else if f, err := a.Float64(); err == nil {
				args = append(args, rpc.Double(f))
			}
		default:
			t.Fatalf("recorded call %s: argument %v", title, a)
		}
	}
	return method, args
}

// Unhex reads octets in hexadecimal, blanks and line ends allowed.
func Unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Kamcmd runs the real kamcmd against a server and returns what it printed.
func Kamcmd(t testing.TB, address string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("kamcmd")
	if err != nil {
		t.Skip("skipped: kamcmd is not installed: ", err)
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-s", address}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		_, isExit := errors.AsType[*exec.ExitError](err)
		t.Errorf("kamcmd %q: %v (exit %v): %s", args, err, isExit, stderr.String())
	}
	return string(out)
}

// Show writes values as the recordings do.
func Show(vals []rpc.Value) string { return show(vals, 0) }

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

// Shape is Show without the values: names, types and order, which is what
// replies of different daemons have in common.
func Shape(decoded string) string {
	lines := strings.Split(decoded, "\n")
	for i, l := range lines {
		kind, _, _ := strings.Cut(strings.TrimLeft(l, " "), " ")
		if kind == "int" || kind == "str" || kind == "double" {
			lines[i] = l[:len(l)-len(strings.TrimLeft(l, " "))] + kind
		}
	}
	return strings.Join(lines, "\n")
}
