package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sipd/cmd/sipd/internal/phone"
	"sipd/rpc/socket/sockettest"
)

// asDaemon makes the test binary be sipd: tests run the daemon as a process of
// its own, as an operator does.
const asDaemon = "SIPD_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
	}
	code := m.Run()
	_ = os.RemoveAll(tools.dir)
	os.Exit(code)
}

// sipd is the command with these arguments, not started.
func sipd(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asDaemon+"=1")
	return cmd
}

// output is what sipd writes; it is read while the daemon goes on writing.
type output struct {
	mu sync.Mutex
	// mu guards the field below.
	b bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// server is a running daemon.
type server struct {
	// Addr is where it listens for SIP, UDP and TCP; Ctl its control socket.
	Addr, Ctl, Dir string
	Conf           string // folder of the configuration, where a test made one
	Port           int
	Log            *output
	cmd            *exec.Cmd
	ended          chan error
	stopped        bool
}

// shortDir is a folder for sockets, whose paths are short: the test's own may be
// too deep.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sipd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// serve starts the daemon on a configuration (a file's path) and waits until
// it says that it is ready. ADDR in extra arguments is replaced by its address.
func serve(t testing.TB, config string, extra ...string) *server {
	t.Helper()
	dir := shortDir(t)
	s := &server{Dir: dir, Ctl: filepath.Join(dir, "sipd_ctl"), Log: &output{}, Port: sockettest.Port(t)}
	s.Addr = fmt.Sprintf("127.0.0.1:%d", s.Port)
	note, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = note.Close() }()
	args := []string{"-f", config, "-E", "-Y", dir}
	for _, a := range extra {
		a = strings.ReplaceAll(a, "ADDR", s.Addr)
		args = append(args, strings.ReplaceAll(a, "DIR", dir))
	}
	s.cmd = sipd(t, args...)
	s.cmd.Env = append(s.cmd.Env, "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	s.cmd.Stdout, s.cmd.Stderr = s.Log, s.Log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() { s.Stop(t) })
	ready := make(chan error, 1)
	go func() {
		b := make([]byte, 256)
		_ = note.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := note.Read(b)
		if err == nil && !bytes.Contains(b[:n], []byte("READY=1")) {
			err = fmt.Errorf("it said %q", b[:n])
		}
		ready <- err
	}()
	select {
	case err := <-ready:
		if err != nil {
			t.Fatalf("sipd is not ready: %v\n%s", err, s.Log)
		}
	case err := <-s.ended:
		s.stopped = true
		t.Fatalf("sipd ended: %v\n%s", err, s.Log)
	}
	return s
}

// Stop ends the daemon and wants it to end well.
func (s *server) Stop(t testing.TB) {
	t.Helper()
	if s.stopped {
		return
	}
	s.stopped = true
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("SIGTERM: %v", err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("sipd ended with %v\n%s", err, s.Log)
		}
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		t.Errorf("sipd does not end on SIGTERM\n%s", s.Log)
	}
	if strings.Contains(s.Log.String(), "panic") {
		t.Errorf("sipd logged a panic:\n%s", s.Log)
	}
}

// Phone makes a phone of a user.
func (s *server) Phone(t testing.TB, user, password string) *phone.Phone {
	t.Helper()
	p, err := phone.New(user, "example.com", password, s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	p.Log = func(line string) { t.Logf("%s %s", user, line) }
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// tool builds one of our other commands once and answers its path.
func tool(t testing.TB, name string) string {
	t.Helper()
	tools.Lock()
	defer tools.Unlock()
	if tools.dir == "" {
		dir, err := os.MkdirTemp("", "sipd-tools")
		if err != nil {
			t.Fatal(err)
		}
		tools.dir = dir
	}
	path := filepath.Join(tools.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.Command("go", "build", "-o", path, "sipd/cmd/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("skipped: %s cannot be built here: %v\n%s", name, err, b)
	}
	return path
}

var tools struct {
	sync.Mutex
	dir string
}

// peer finds a program of another package, or skips.
func peer(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("skipped: %s is not installed (Debian package %s)", name, pkg)
	}
	return path
}

// users makes an embedded database with alice, bob and carol of example.com, as
// an operator does, and answers its URL.
func users(t testing.TB) string {
	t.Helper()
	url := "sqlite://" + filepath.Join(t.TempDir(), "sipd.db")
	for _, step := range [][]string{
		{"", "db", "create", "--flavour", "kamailio"},
		{"", "domain", "add", "example.com"},
		{"wonderland\n", "user", "add", "alice@example.com", "--password-stdin"},
		{"builder\n", "user", "add", "bob@example.com", "--password-stdin"},
		{"cpw\n", "user", "add", "carol@example.com", "--password-stdin"},
	} {
		sipctl(t, url, step[0], step[1:]...)
	}
	return url
}

// sipctl runs our provisioning tool on a database; it must end well.
func sipctl(t testing.TB, url, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(tool(t, "sipctl"), append([]string{"--db", url}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sipctl %s: %v\n%s", strings.Join(args, " "), err, b)
	}
	return string(b)
}

const defaultConfig = "../../docs/sipd.cfg"

// serveUsers serves the default configuration with the database of users.
func serveUsers(t testing.TB, extra ...string) *server {
	t.Helper()
	return serve(t, defaultConfig, append([]string{
		"-A", fmt.Sprintf("DBURL=%q", users(t)), "-A", "LISTEN=udp:ADDR", "-A", "LISTEN_TCP=tcp:ADDR",
	}, extra...)...)
}

// configFile writes a configuration.
func configFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sipd.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withPorts puts free ports into a configuration, one for each word such as
// TLSPORT, and tells which.
func withPorts(t testing.TB, text string) (string, map[string]int) {
	t.Helper()
	ports := make(map[string]int)
	text = portRE.ReplaceAllStringFunc(text, func(word string) string {
		if ports[word] == 0 {
			ports[word] = sockettest.Port(t)
		}
		return fmt.Sprint(ports[word])
	})
	return text, ports
}

var portRE = regexp.MustCompile(`[A-Z]+PORT\b`)

// sqlite changes an embedded database behind our back.
func sqlite(t testing.TB, path, statement string) {
	t.Helper()
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Exec(statement); err != nil {
		t.Fatal(err)
	}
}
