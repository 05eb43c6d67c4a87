package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"sipd/rpc/binrpc"
	"sipd/rpc/rpctest"
	"sipd/rpc/socket/sockettest"
)

// oddServer answers every request with a packet of the test's choice.
type oddServer struct {
	address string
	answer  atomic.Pointer[func(cookie []byte) []byte]
}

func newOddServer(t *testing.T) *oddServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &oddServer{address: "tcp:" + l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *oddServer) serve(c net.Conn) {
	defer c.Close()
	var in []byte
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		h, err := binrpc.ParseHeader(in)
		if err != nil || len(in) < h.Size+h.Len {
			continue
		}
		cookie := []byte{byte(h.Cookie >> 24), byte(h.Cookie >> 16), byte(h.Cookie >> 8), byte(h.Cookie)}
		in = in[h.Size+h.Len:]
		out := (*s.answer.Load())(cookie)
		if out == nil {
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// packet makes the answer of a kind (1 reply, 3 fault) with a body in
// hexadecimal.
func packet(kind byte, body string) func([]byte) []byte {
	return func(cookie []byte) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(body, " ", ""))
		if err != nil {
			panic(err)
		}
		return append(append([]byte{0xa1, kind<<4 | 1<<2 | 3, byte(len(b) >> 8), byte(len(b))}, cookie...), b...)
	}
}

// oddAnswers are what no daemon should send, and what few do. note finds the
// recorded run of kamcmd.
var oddAnswers = []struct {
	note   string
	answer func(cookie []byte) []byte
}{
	{"closes without a reply", func([]byte) []byte { return nil }},
	{"answers something that is not BinRPC", func([]byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }},
	{"answers with another cookie", func([]byte) []byte { return []byte{0xa1, 0x10, 0, 7} }},
	{"value longer than the packet", packet(1, "10")},
	{"end of struct with no start", packet(1, "83")},
	{"array [1 2]", packet(1, "04 1001 1002 84")},
	{"bare value inside a struct inside an array", packet(1, "04 03 1001 83 84")},
	{"struct member whose value is an array", packet(1, "03 256100 04 1001 84 83")},
	{"bytes value", packet(1, "66 616263646566")},
	{"doubles 1.5, -1.5, 256.001, 0", packet(1, "22 05dc 82 fffffffffffffa24 32 03e801 02")},
	{"ints in odd encodings", packet(1, "80 900107 a0000107 50 00000000ff 256100")},
	{"null string 01, then int 0", packet(1, "01 00")},
	{"empty reply", packet(1, "")},
	{"fault 500 bug", packet(3, "20 01f4 41 62756700")},
	{"fault with a code only", packet(3, "20 01f4")},
	{"type request in a reply", packet(0, "1001")},
	{"unknown message type 2", packet(2, "1001")},
	// Not recorded: only the real kamcmd can say.
	{"", packet(1, "03 256100 1001")},                 // a struct without an end
	{"", packet(1, "03 256100")},                      // a name without a value
	{"", packet(1, "03 256100 256200 1001 83")},       // two names
	{"", packet(1, "03 256100 03 256200 1001 83 83")}, // a struct in a struct
	{"", packet(1, "03 84")},                          // ends that do not match
	{"", packet(1, "04 83")},                          //
	{"", packet(1, "2f 0000")},                        // an unknown type
	{"", packet(1, "13 00")},                          // a struct with a length
	{"", packet(1, "03 83 03 83")},                    // empty structs
	{"", packet(1, "04 84")},                          // an empty array
	{"", packet(1, "04 256100 1001 84")},              // a name in an array
	{"", packet(1, "04 04 1001 84 84")},               // an array in an array
	{"", packet(1, "91 03 616200 1001")},              // a length that is written out
	{"", packet(1, "a1 ffff 6162")},                   // and is a lie
	{"", packet(1, "41 61000000")},                    // zeros in a string
	{"", packet(1, "40 ffffffff 40 80000000")},        // negative numbers
	{"", packet(1, "92 000000000000000001")},          // a double of nine octets
	{"", packet(1, "52 0000000001")},                  // leading zeros
	{"", packet(3, "")},                               // a fault of nothing
	{"", packet(3, "41 62756700 20 01f4")},            // text first
}

// masked hides what differs from run to run: cookies.
func masked(s string) string {
	return regexp.MustCompile(`(sent|cookie) [0-9a-f]{1,8}`).ReplaceAllString(s, "$1 COOKIE")
}

// TestElderOdd: as kamcmd, odd answers print what the real one printed, and
// where it is installed prints, octet by octet, errors included.
func TestElderOdd(t *testing.T) {
	recorded := cliRuns(t)
	kamcmd := findKamcmd(t)
	s := newOddServer(t)
	t.Setenv("SIPCMD_EXIT", "elder")
	for i, tt := range oddAnswers {
		s.answer.Store(&tt.answer)
		for _, options := range [][]string{nil, {"-f", `<%v>\n`}, {"-vv"}} {
			args := append(append([]string{"-s", s.address}, options...), "core.echo", "hi")
			var out, errs bytes.Buffer
			code := run(append([]string{"kamcmd"}, args...), nil, &out, &errs)
			if want, ok := recorded[tt.note]; ok && options == nil {
				if strings.TrimRight(out.String(), "\n") != strings.TrimRight(want.stdout, "\n") || strings.TrimSpace(masked(errs.String())) != masked(want.stderr) || code != want.code {
					t.Errorf("%s: exit %d\n%q\n%q\nrecorded: %d\n%q\n%q", tt.note, code, out.String(), errs.String(), want.code, want.stdout, want.stderr)
				}
			} else if tt.note != "" && options == nil && !ok {
				t.Errorf("no recorded run %q", tt.note)
			}
			if kamcmd == "" {
				continue
			}
			cmd := exec.CommandContext(t.Context(), kamcmd, args...)
			var wout, werrs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &wout, &werrs
			_ = cmd.Run()
			want := cmd.ProcessState.ExitCode()
			if masked(out.String()) != masked(wout.String()) || masked(errs.String()) != masked(werrs.String()) || code != want {
				t.Errorf("%d %s %v: exit %d\n%q\n%q\nkamcmd: %d\n%q\n%q", i, tt.note, options, code, out.String(), errs.String(), want, wout.String(), werrs.String())
			}
		}
	}
}

// TestElderConnect: where no daemon is reached, standard error and exit code
// are those that were recorded.
func TestElderConnect(t *testing.T) {
	recorded := cliRuns(t)
	t.Setenv("SIPCMD_EXIT", "elder")
	t.Setenv("SIPD_RUN_DIR", t.TempDir())
	dir := t.TempDir()
	long := "unix:" + strings.Repeat("/x", 60)
	port := sockettest.Port(t) // nobody listens there
	stop, err := serve(filepath.Join(dir, "ctl"))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, tt := range []struct {
		argv         string // recorded
		address, put string // what takes which place
	}{
		{argv: "kamcmd -s unix:/run/kamailio/run/absent core.echo hi"},
		{argv: "kamcmd -s unixd:/run/kamailio/run/absent core.echo hi", address: "/run/kamailio/run", put: dir},
		{argv: "kamcmd -s unix:/run/kamailio/run/kam_ctld core.echo hi", address: "/run/kamailio/run/kam_ctld", put: dir + "/ctld"},
		{argv: "kamcmd -s tcp:127.0.0.1:16079 core.echo hi", address: ":16079", put: fmt.Sprint(":", port)},
		{argv: "kamcmd -s udp:127.0.0.1:16079 core.echo hi", address: ":16079", put: fmt.Sprint(":", port)},
		{argv: "kamcmd -s tcp:nosuch.invalid:16070 core.echo hi"},
		{argv: "kamcmd -s tcp:127.0.0.1:badport core.echo hi"},
		{argv: "kamcmd -s tcp:[::1:5 core.echo hi"},
		{argv: "kamcmd -s " + long + " core.echo hi"},
		{argv: "kamcmd -D /nonexistent -s unixd:/run/kamailio/run/kam_ctld core.echo hi", address: "/run/kamailio/run/kam_ctld", put: dir + "/ctld"},
		{argv: "kamcmd -s unix:/run/kamailio/run/kam_ctl -x core.version"},
		{argv: "kamcmd -s unix:/run/kamailio/run/kam_ctl -f"},
	} {
		want, ok := recorded[tt.argv]
		if !ok {
			t.Errorf("no recorded run %q", tt.argv)
			continue
		}
		place := func(s string) string {
			if tt.address != "" {
				s = strings.ReplaceAll(s, tt.address, tt.put)
			}
			return s
		}
		var out, errs bytes.Buffer
		code := run(strings.Fields(place(tt.argv)), nil, &out, &errs)
		reply := regexp.MustCompile(`(kamcmd|sipcmd)_[0-9A-Z]+`)
		got, wanted := reply.ReplaceAllString(errs.String(), "NAME"), reply.ReplaceAllString(place(want.stderr), "NAME")
		if code != want.code || out.Len() > 0 || strings.TrimSpace(got) != wanted {
			t.Errorf("%s: exit %d, %q\n%s\nrecorded: %d\n%s", tt.argv, code, out.String(), got, want.code, wanted)
		}
	}
}

// TestElderHere: on our own server as well the real kamcmd and this one print
// the same, options, aliases, formats, and commands on a pipe included.
func TestElderHere(t *testing.T) {
	kamcmd := realKamcmd(t)
	dir := t.TempDir()
	stop, err := serve(filepath.Join(dir, "ctl"))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Setenv("SIPCMD_EXIT", "elder")
	for _, tt := range []struct {
		args  []string
		stdin string
	}{
		{args: []string{"core.uptime"}},
		{args: []string{"core.ps"}},
		{args: []string{"ps"}},
		{args: []string{"contacts"}},
		{args: []string{"empty"}},
		{args: []string{"no.such"}},
		{args: []string{"-v", "no.such"}},
		{args: []string{"-vv", "core.version"}},
		{args: []string{"-U", "core.version"}},
		{args: []string{"core.echo", "a", "5", "-f", "<%v>\\n"}},
		{args: []string{"-f", "%v %v|", "contacts"}},
		{args: []string{"-f%v", "core.echo", "--", "-1"}},
		{args: []string{"types", "5", "007", "0x10", "1.5", "1e3", "nan", "s:5", "s:", "i:5", "", "a b", "99999999999"}},
		{args: []string{"ul.lookup", "location", "1001"}},
		{args: []string{"help", "core.version"}},
		{args: []string{"help", "ps"}},
		{args: []string{"help"}},
		{args: []string{"-D", dir, "-s", "unixd:" + dir + "/ctld", "core.version"}},
		{args: []string{"-R", dir + "/reply", "-s", "unixd:" + dir + "/ctld", "core.version"}},
		{stdin: "core.version\nno.such\n\n  core.echo   a  b \nps\nquit\n"},
		{stdin: "core.version\n"},
		{stdin: "core.echo a b"},
		{stdin: "help quit\nexit\ncore.version\n"},
	} {
		args := append([]string{"-s", dir + "/ctl"}, tt.args...)
		cmd := exec.CommandContext(t.Context(), kamcmd, args...)
		cmd.Stdin = strings.NewReader(tt.stdin)
		var want, wantErr, got, gotErr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &want, &wantErr
		_ = cmd.Run()
		code := run(append([]string{"kamcmd"}, args...), strings.NewReader(tt.stdin), &got, &gotErr)
		if len(tt.args) == 0 { // the banners differ
			for _, b := range []*bytes.Buffer{&want, &got} {
				for range 4 {
					_, _ = b.ReadString('\n')
				}
			}
		}
		if masked(got.String()) != masked(want.String()) || gotErr.String() != wantErr.String() || code != cmd.ProcessState.ExitCode() {
			t.Errorf("%q %q: exit %d\n%s%s\nkamcmd: %d\n%s%s", tt.args, tt.stdin, code, got.String(), gotErr.String(), cmd.ProcessState.ExitCode(), want.String(), wantErr.String())
		}
	}
}

// findKamcmd is the real kamcmd, "" when it is not installed.
func findKamcmd(t *testing.T) string {
	t.Helper()
	path := ""
	t.Run("find", func(t *testing.T) { path = realKamcmd(t) })
	return path
}

// cliRun is one recorded run of kamcmd.
type cliRun struct {
	argv, stdin, stdout, stderr string
	code                        int
}

// cliRuns reads the recorded runs, by their argv and, where they have one, by
// the note as well.
func cliRuns(t *testing.T) map[string]cliRun {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rpctest.Dir(t), "_cli.txt"))
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]cliRun{}
	for _, block := range strings.Split("\n"+string(text), "\n== argv\n")[1:] {
		block, _, _ = strings.Cut(block, "\n== terminal")
		var r cliRun
		note := ""
		argv, rest, _ := strings.Cut(block, "\n")
		r.argv = argv
		for _, section := range strings.Split("\n"+rest, "\n== ")[1:] {
			head, body, _ := strings.Cut(section, "\n")
			switch head {
			case "note":
				note = strings.TrimSpace(body)
			case "stdin":
				r.stdin = body
			case "stdout":
				r.stdout = body
			case "stderr":
				r.stderr = strings.TrimSpace(body)
			case "exit":
				if strings.HasPrefix(body, "255") {
					r.code = 255
				}
			}
		}
		runs[strings.ReplaceAll(argv, "'", "")] = r
		for _, odd := range oddAnswers {
			if odd.note != "" && strings.Contains(note, odd.note) {
				runs[odd.note] = r
			}
		}
	}
	return runs
}
