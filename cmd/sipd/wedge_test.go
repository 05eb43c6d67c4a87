package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// wedgeConfig serves what a real 5.6.3 dies of.
const wedgeConfig = `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "usrloc.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "jsonrpcs.so"
modparam("ctl", "binrpc", "unixs:DIR/ctl")
modparam("ctl", "fifo", "fifo:DIR/ser_fifo")
modparam("jsonrpcs", "transport", 2)
modparam("jsonrpcs", "fifo_name", "DIR/json_fifo")
custom.limit = 10
request_route { sl_send_reply("200", "OK"); }
`

// TestWhatKillsKamailio puts on the wire what ends or wedges a real 5.6.3, each
// item on its own, and wants a fault (or, where the call is a good one, its
// answer), and the next call to be answered.
func TestWhatKillsKamailio(t *testing.T) {
	dir := t.TempDir()
	serve(t, configFile(t, strings.ReplaceAll(wedgeConfig, "DIR", dir)), "-l", "udp:ADDR")
	ctl, pipe, json := dir+"/ctl", dir+"/ser_fifo", dir+"/json_fifo"
	bin := func(method string, args ...rpc.Value) string {
		b, err := binrpc.AppendRequest(nil, 1, method, args)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	body := func(records string) string { return fmt.Sprintf("\xa1\x00%c\x01", len(records)) + records }
	packet := func(in string) func(t *testing.T) string {
		return func(t *testing.T) string { return overStream(t, ctl, in) }
	}
	line := func(path, in string) func(t *testing.T) string {
		return func(t *testing.T) string { return overPipe(t, path, in) }
	}
	const closed = "the connection is closed"
	long := strings.Repeat("x", 70000)
	for _, tt := range []struct {
		name string
		run  func(t *testing.T) string
		want string // in the answer; closed for none, as for any length above the limit
	}{
		{"length with the top bit set", packet("\xa1\x0e\x8c\x5d\xb0\xc0\x49\x60\xa5\x8b\xfa\xea"), closed},
		{"negative record length", packet(body("\x91\x08cfg.get\x00\xe1\x02\x7e\x96\xbe\x9e\x95\x6c")), "Failed to get the parameters"},
		{"negative value length", packet(body("\x91\x08cfg.get\x00\xf1\xff\xff\xff\xff")), "Failed to get the parameters"},
		{"fault text above 255 octets", packet(bin(strings.Repeat("n", 250))), "command nnnn"},
		{"string without final zero", packet(body("\x91\x0ccore.echo\x00\x00\x00\x21a\x21b")), ""},
		{"null string before another", packet(body("\x91\x08cfg.get\x00\x01\x01")), "Failed to get the variable"},
		{"cfg.reset of a custom group", packet(bin("cfg.reset", rpc.String("custom")) + bin("core.version")), "sipd "},
		{"no optional body", packet(bin("tm.t_uac_start", rpc.String("OPTIONS"), rpc.String("sip:a@127.0.0.1:9"), rpc.String("."), rpc.String("."), rpc.String("no header"))), ""},
		{"over-long request on a pipe", line(pipe, ":core.echo:REPLY\n"+long+"\n\n"), "400 Request too long"},
		{"reply text on a pipe", line(pipe, ":core.version:REPLY\n\n"), "200 OK\nsipd "},
		{"domain.dump on a pipe", line(pipe, ":domain.dump:REPLY\n\n"), "500 Command 'domain.dump' not found"},
		{"a string that ends in a backslash", line(json, `{"jsonrpc":"2.0","method":"core.echo","params":["\\"],"id":1,"reply_name":"REPLY"}`+"\n"), `\\`},
		{"over 8191 octets of JSON", line(json, `{"jsonrpc":"2.0","method":"core.echo","params":["`+long[:9000]+`"],"id":1,"reply_name":"REPLY"}`+"\n"), long[:9000]},
		{"over-long JSON", line(json, `{"x":"`+long+"\"}\n"+`{"jsonrpc":"2.0","method":"core.version","id":1,"reply_name":"REPLY"}`+"\n"), "sipd "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.run(t); tt.want == closed && got != "" || tt.want != closed && (got == "" || !strings.Contains(got, tt.want)) {
				t.Errorf("it answers %.300q, want in it %.300q", got, tt.want)
			}
			if got := overStream(t, ctl, bin("core.version")); !strings.Contains(got, "sipd ") {
				t.Errorf("after it core.version answers %q", got)
			}
			if got := overPipe(t, pipe, ":core.version:REPLY\n\n"); !strings.Contains(got, "sipd ") {
				t.Errorf("after it the pipe answers %q", got)
			}
			if got := overPipe(t, json, `{"jsonrpc":"2.0","method":"core.version","id":1,"reply_name":"REPLY"}`+"\n"); !strings.Contains(got, "sipd ") {
				t.Errorf("after it the pipe of JSON-RPC answers %q", got)
			}
		})
	}
}

// overStream sends octets and gives all that comes until the daemon has
// nothing more to say; it closes its writing side first.
func overStream(t *testing.T, path, in string) string {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, in); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("read the answer: %v", err)
	}
	return string(b)
}

// overPipe writes a request, REPLY in it being a pipe of its own, and gives
// the answer.
func overPipe(t *testing.T, pipe, in string) string {
	t.Helper()
	name := fmt.Sprintf("sipd_wedge_%d", os.Getpid())
	path := filepath.Join("/tmp", name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keep, err := os.OpenFile(path, os.O_WRONLY, 0) // so that it does not end before it began
	if err != nil {
		t.Fatal(err)
	}
	if err := throw("fifo", pipe, []byte(strings.ReplaceAll(in, "REPLY", name))); err != nil {
		t.Fatal(err)
	}
	_ = f.SetReadDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(f)
	if _, err := r.Peek(1); err != nil {
		t.Errorf("nothing comes from %s: %v", pipe, err)
	}
	_ = keep.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("read the answer: %v", err)
	}
	return string(b)
}
