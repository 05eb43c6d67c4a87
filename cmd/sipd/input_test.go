package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/rpc/socket/sockettest"
)

// send sends datagrams to the daemon.
func send(t testing.TB, addr string, packets ...string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, p := range packets {
		if _, err := c.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// answer reads one datagram.
func answer(t testing.TB, c net.Conn) string {
	t.Helper()
	b := make([]byte, 65536)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Read(b)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return string(b[:n])
}

// TestBadPackets sends what is not SIP, is cut short or breaks a limit. The
// daemon answers 400 where it can, drops the rest, and lives.
func TestBadPackets(t *testing.T) {
	s := serveUsers(t)
	head := "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx;rport\r\n" +
		"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
	c := send(t, s.Addr, strings.Repeat("x", 60000), "\r\n", "\x00\x00\x00\x00", "SIP/2.0 200 OK\r\n\r\n",
		"OPTIONS sip:127.0.0.1 SIP/2.0", "INVITE sip:bob@example.com SIP/2.0\r\nVia: \r\n\r\n",
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKunknown\r\nCSeq: 1 INVITE\r\n\r\n",
		head+strings.Repeat("X-Header: 1\r\n", 5000)+"\r\n")
	if got := answer(t, c); !strings.HasPrefix(got, "SIP/2.0 400 ") {
		t.Errorf("a request with 5000 headers got\n%s\nwant 400", got)
	}
	c = send(t, s.Addr, head+"Content-Length: 99999\r\n\r\nshort")
	if got := answer(t, c); !strings.HasPrefix(got, "SIP/2.0 400 ") {
		t.Errorf("a request cut short got\n%s\nwant 400", got)
	}
	if err := phoneOptions(s, t); err != nil {
		t.Errorf("OPTIONS after bad packets: %v\n%s", err, s.Log)
	}
	if out := s.sipcmd(t, "stats.get_statistics", "core:bad_msg_hdr"); strings.Contains(out, "= 0") {
		t.Errorf("bad messages are not counted: %s", out)
	}
}

// TestBadStreams does the same on TCP: the connection is closed, the daemon lives.
func TestBadStreams(t *testing.T) {
	s := serveUsers(t)
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", strings.Repeat("A", 100000),
		"OPTIONS sip:x SIP/2.0\r\nContent-Length: 4294967295\r\n\r\n", "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n\r\n",
	} {
		c, err := net.Dial("tcp4", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(text)) // it may be closed already
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		b := make([]byte, 4096)
		for err == nil {
			_, err = c.Read(b)
		}
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("the connection stays open after %.40q", text)
		}
		_ = c.Close()
	}
	if err := phoneOptions(s, t); err != nil {
		t.Errorf("OPTIONS after bad streams: %v\n%s", err, s.Log)
	}
}

// TestBadConfiguration wants all mistakes at once, each with its place and a
// caret, exit code 1, and the same from -c.
func TestBadConfiguration(t *testing.T) {
	path := configFile(t, `listen=udp:127.0.0.1:5999
childern=4
loadmodule "sl.so"
loadmodule "nosuch.so"
modparam("sl", "default_cod", 500)
request_route {
	if (!t_relai()) {
		sl_send_reply("200");
		route(NOWHERE);
	}
	$(nonsense) = 1;
}
`)
	want := []string{
		":2:1: unknown core parameter \"childern\"", "children",
		":4:12: unknown module \"nosuch\"",
		":5:16: ", "default_cod", "did you mean \"default_code\"?",
		":7:7: ", "t_relai",
		":8:3: ", "sl_send_reply",
		":9:9: ", "NOWHERE",
		":11:4: ", "nonsense",
		"^",
	}
	var first string
	for _, args := range [][]string{{"-c", "-f", path}, {"-f", path, "-E"}} {
		out, code := exit(t, args...)
		if code != 1 {
			t.Errorf("sipd %v exits with %d, want 1\n%s", args, code, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("sipd %v prints\n%s\nwant in it %q", args, out, w)
			}
		}
		if first == "" {
			first = out
		} else if out != first {
			t.Errorf("start-up prints\n%s\nbut -c printed\n%s", out, first)
		}
	}
}

// exit runs sipd to its end.
func exit(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := sipd(t, args...)
	done := make(chan struct{})
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	b, _ := cmd.CombinedOutput()
	timer.Stop()
	close(done)
	return string(b), cmd.ProcessState.ExitCode()
}

func TestCheckAndVersions(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no.cfg")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-c", "-f", defaultConfig, "-A", fmt.Sprintf("DBURL=%q", users(t))}, 0, "config file ok"},
		{[]string{"-c", "-f", missing}, 1, missing},
		{[]string{"-v"}, 0, "version: sipd "},
		{[]string{"-I"}, 0, "registrar"},
		{[]string{"--nonsense"}, 2, "unknown flag"},
		{[]string{"extra"}, 2, "unexpected argument"},
	} {
		out, code := exit(t, tt.args...)
		if code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("sipd %v exits with %d and prints\n%s\nwant %d and %q", tt.args, code, out, tt.code, tt.want)
		}
	}
}

// TestSecondDaemon wants a second daemon on the control socket to refuse, the
// first to go on, and a stale socket to be replaced.
func TestSecondDaemon(t *testing.T) {
	s := serveUsers(t)
	out, code := exit(t, "-f", defaultConfig, "-E", "-Y", s.Dir, "-A", fmt.Sprintf("DBURL=%q", users(t)),
		"-A", fmt.Sprintf("LISTEN=udp:127.0.0.1:%d", sockettest.Port(t)), "-A", fmt.Sprintf("LISTEN_TCP=tcp:127.0.0.1:%d", sockettest.Port(t)))
	if code != 1 || !strings.Contains(out, s.Ctl) {
		t.Errorf("a second daemon exits with %d and prints\n%s\nwant 1 and %s", code, out, s.Ctl)
	}
	if got := s.sipcmd(t, "core.version"); !strings.Contains(got, "sipd") {
		t.Errorf("the first daemon's socket after that: %s", got)
	}
	if err := s.cmd.Process.Kill(); err != nil { // leaves the socket behind
		t.Fatal(err)
	}
	<-s.ended
	s.stopped = true
	if _, err := os.Stat(s.Ctl); err != nil {
		t.Fatalf("the killed daemon's socket: %v", err)
	}
	again := serveUsers(t, "--modparam", "ctl:binrpc:s:unixs:"+s.Ctl)
	again.Ctl = s.Ctl
	if got := again.sipcmd(t, "core.version"); !strings.Contains(got, "sipd") {
		t.Errorf("over the stale socket: %s", got)
	}
}

// TestBadDatabases wants one sentence each that says what is wrong and which
// command helps.
func TestBadDatabases(t *testing.T) {
	dir := t.TempDir()
	ser := "sqlite://" + filepath.Join(dir, "ser.db")
	sipctl(t, ser, "", "db", "create", "--flavour", "ser")
	old := "sqlite://" + filepath.Join(dir, "old.db")
	sipctl(t, old, "", "db", "create", "--flavour", "kamailio")
	sqlite(t, filepath.Join(dir, "old.db"), "UPDATE version SET table_version = 3 WHERE table_name = 'subscriber'")
	for _, tt := range []struct {
		name, url string
		want      []string
	}{
		{"missing", "sqlite://" + filepath.Join(dir, "none.db"), []string{"none.db", "sipctl", "db create"}},
		{"other flavour", ser, []string{"ser", "sipctl"}},
		{"other version", old, []string{"version", "3", "sipctl"}},
		{"no module", "oracle://x/y", []string{"oracle"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, code := exit(t, "-f", defaultConfig, "-E", "-Y", t.TempDir(), "-A", fmt.Sprintf("DBURL=%q", tt.url),
				"-A", fmt.Sprintf("LISTEN=udp:127.0.0.1:%d", sockettest.Port(t)), "-A", fmt.Sprintf("LISTEN_TCP=tcp:127.0.0.1:%d", sockettest.Port(t)))
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			for _, w := range tt.want {
				if !strings.Contains(out, w) {
					t.Errorf("it prints\n%s\nwant in it %q", out, w)
				}
			}
			sentences := 0
			for line := range strings.Lines(out) {
				// The place and the caret are indented; a log line is no complaint.
				if !strings.HasPrefix(line, " ") && !strings.Contains(line, ": INFO: ") {
					sentences++
				}
			}
			if sentences != 1 {
				t.Errorf("it prints %d sentences, want one:\n%s", sentences, out)
			}
		})
	}
}

// TestDatabaseVerdict: -c looks into the databases as a start does, and says
// the same, each mistake once; --offline does not.
func TestDatabaseVerdict(t *testing.T) {
	dir := t.TempDir()
	make := func(name string, steps ...[]string) string {
		url := "sqlite://" + filepath.Join(dir, name)
		for _, step := range steps {
			sipctl(t, url, "", step...)
		}
		return url
	}
	for _, tt := range []struct{ name, url, want string }{
		{"missing", "sqlite://" + dir + "/none.db", "to make one: sipctl db create"},
		{"flavour", make("ser.db", []string{"db", "create", "--flavour", "ser"}), "sipctl db migrate"},
		{"version", make(
			"old.db", []string{"db", "create", "--flavour", "kamailio"},
			[]string{"db", "exec", "UPDATE version SET table_version = 3 WHERE table_name = 'location'"},
			[]string{"db", "exec", "DROP TABLE domain"},
		), "sipctl db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := configFile(t, fmt.Sprintf(`#!KAMAILIO
listen=udp:127.0.0.1:%d
loadmodule "db_sqlite.so"
loadmodule "usrloc.so"
loadmodule "domain.so"
modparam("usrloc|domain", "db_url", %q)
modparam("usrloc", "db_mode", 1)
modparam("usrloc", "preload", "location")
request_route { is_domain_local("example.com"); }
`, sockettest.Port(t), tt.url))
			var first string
			for _, args := range [][]string{{"-c", "-f", path}, {"-f", path, "-E"}} {
				out, code := exit(t, args...)
				if code != 1 || !strings.Contains(out, tt.want) {
					t.Errorf("sipd %v exits with %d and prints\n%s\nwant in it %q", args, code, out, tt.want)
				}
				if first == "" {
					first = out
				} else if out != first {
					t.Errorf("start-up prints\n%s\nbut -c printed\n%s", out, first)
				}
			}
			if n := strings.Count(first, "module "); tt.name == "version" && n != 2 || tt.name != "version" && n != 1 {
				t.Errorf("%d mistakes are told:\n%s", n, first)
			}
			if out, code := exit(t, "-c", "--offline", "-f", path); code != 0 {
				t.Errorf("-c --offline exits with %d:\n%s", code, out)
			}
		})
	}
	if out, code := exit(t, "--offline", "-f", "x"); code != 2 || !strings.Contains(out, "-c") {
		t.Errorf("--offline alone exits with %d and prints\n%s", code, out)
	}
}

// TestDBURL: --db-url stands in for every db_url, and brings its driver.
func TestDBURL(t *testing.T) {
	path := configFile(t, `#!KAMAILIO
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "usrloc.so"
modparam("usrloc", "db_mode", 1)
modparam("usrloc", "preload", "location")
modparam("auth_db", "db_url", DBURL)
request_route { exit; }
`)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 1, ":7:31: DBURL is neither a text nor a number"},
		{[]string{"--db-url", users(t)}, 0, "config file ok"},
		{[]string{"--db-url", "sqlite:///there/is/none"}, 1, "there is no database"},
		{[]string{"--db-url", "oracle://x:secret@y/z"}, 1, "--db-url: "},
	} {
		out, code := exit(t, append([]string{"-c", "-f", path}, tt.args...)...)
		if code != tt.code || !strings.Contains(out, tt.want) || strings.Contains(out, "secret") {
			t.Errorf("sipd -c %v exits with %d and prints\n%s\nwant %d and %q", tt.args, code, out, tt.code, tt.want)
		}
	}
}
