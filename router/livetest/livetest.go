// Package livetest runs a daemon in the test's process and talks SIP to it as
// text, so that a test shows what is on the wire. The same test runs against a
// Kamailio where one is installed: what both do is the same, or the test says
// why not.
//
//	livetest.Each(t, config, func(t *testing.T, d *livetest.Daemon) {
//		p := d.Peer(t)
//		p.Send("OPTIONS sip:x SIP/2.0\n…")
//		p.Want("SIP/2.0 200 ")
//	})
package livetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sipd/router"
	"sipd/rpc/socket/sockettest"
)

// Daemon is a running daemon.
type Daemon struct {
	// Addr is where it listens, over UDP and TCP; Dir its folder.
	Addr, Dir string
	Port      int
	// Ours is false for a Kamailio.
	Ours bool

	log    output
	path   string         // of the configuration
	router *router.Router // nil for a Kamailio
}

// patience is how long a message may take.
const patience = 5 * time.Second

// Each runs f against sipd and, where it is installed, against Kamailio 5.6.
// The configuration has no listen line; DIR in it is a folder of the test,
// ADDR and PORT are the daemon's.
func Each(t *testing.T, config string, f func(t *testing.T, d *Daemon)) {
	t.Helper()
	t.Run("sipd", func(t *testing.T) { f(t, Start(t, config)) })
	t.Run("kamailio", func(t *testing.T) { f(t, Kamailio(t, config)) })
}

// Start starts sipd on a configuration.
func Start(t testing.TB, config string) *Daemon {
	t.Helper()
	d := prepare(t)
	d.Ours = true
	path := d.write(t, config, "")
	r, err := router.Load(t.Context(), router.Options{Config: path, RunDir: d.Dir, Stderr: &d.log, LogStderr: true, Debug: "2", ServerID: -1})
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Log())
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.path, d.router = path, r
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("sipd ended with %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", d.tail())
		}
	})
	return d
}

// Kamailio starts a Kamailio on a configuration; the test is skipped when none
// is installed.
func Kamailio(t testing.TB, config string) *Daemon {
	t.Helper()
	bin, err := exec.LookPath("kamailio")
	if err != nil {
		bin = "/usr/sbin/kamailio"
		if _, err := os.Stat(bin); err != nil {
			t.Skip("kamailio is not installed")
		}
	}
	mods, _ := filepath.Glob("/usr/lib*/*/kamailio/modules")
	if len(mods) == 0 {
		t.Skip("kamailio has no modules here")
	}
	d := prepare(t)
	path := d.write(t, config, "mpath=\""+mods[0]+"/\"\ndebug=2\n")
	cmd := exec.Command(bin, "-f", path, "-DD", "-E", "-m", "32", "-M", "8", "-Y", d.Dir, "-P", d.Dir+"/pid", "-n", "2", "-N", "1", "-w", d.Dir)
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(patience):
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its own group: children that stayed
		if t.Failed() {
			t.Logf("log:\n%s", d.tail())
		}
	})
	d.listening(t, done)
	return d
}

// listening waits until the daemon has its port.
func (d *Daemon) listening(t testing.TB, ended <-chan struct{}) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for {
		select {
		case <-ended:
			t.Fatalf("kamailio ended:\n%s", d.Log())
		case <-limit:
			t.Fatalf("kamailio does not listen:\n%s", d.Log())
		case <-tick.C:
		}
		if taken(t, d.Port) {
			return
		}
	}
}

// taken says whether somebody has a UDP port of 127.0.0.1. To bind it would be
// to hold it for the moment in which the daemon wants it.
func taken(t testing.TB, port int) bool {
	t.Helper()
	sockets, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(sockets), fmt.Sprintf(": 0100007F:%04X ", port))
}

// prepare makes a folder and finds a port.
func prepare(t testing.TB) *Daemon {
	t.Helper()
	// Unix sockets have short names: the test's own folder may be too deep.
	dir, err := os.MkdirTemp("", "live")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := sockettest.Port(t)
	return &Daemon{Dir: dir, Port: port, Addr: fmt.Sprintf("127.0.0.1:%d", port)}
}

func (d *Daemon) write(t testing.TB, config, head string) string {
	t.Helper()
	config = "#!KAMAILIO\n" + head + "listen=udp:" + d.Addr + "\nlisten=tcp:" + d.Addr + "\nchildren=2\n" + d.Expand(config)
	path := filepath.Join(d.Dir, "test.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Reload puts another configuration in the place of the one before.
func (d *Daemon) Reload(t testing.TB, config string) error {
	t.Helper()
	d.write(t, config, "")
	return d.router.Reload(t.Context())
}

// Expand puts the daemon's folder and address for DIR, ADDR and PORT.
func (d *Daemon) Expand(s string) string {
	return strings.NewReplacer("DIR", d.Dir, "ADDR", d.Addr, "PORT", fmt.Sprint(d.Port)).Replace(s)
}

// Log is what the daemon logged so far.
func (d *Daemon) Log() string { return d.log.String() }

// tail is the end of the log.
func (d *Daemon) tail() string {
	lines := strings.SplitAfter(d.Log(), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "")
}

// WantLog waits until a line of the log has all the texts, and answers the line.
func (d *Daemon) WantLog(t testing.TB, texts ...string) string {
	t.Helper()
	limit := time.Now().Add(patience)
	for {
		for line := range strings.Lines(d.Log()) {
			if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
				return line
			}
		}
		if time.Now().After(limit) {
			t.Fatalf("no line of the log has %q", texts)
		}
		d.log.wait(10 * time.Millisecond)
	}
}

type output struct {
	mu sync.Mutex
	// mu guards the fields below.
	b    bytes.Buffer
	more chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// wait returns when something was written, or after a while.
func (o *output) wait(d time.Duration) {
	o.mu.Lock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	more := o.more
	o.mu.Unlock()
	select {
	case <-more:
	case <-time.After(d):
	}
}
