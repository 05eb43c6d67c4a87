// Package peertest runs the programs of others that tests talk to.
package peertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience is how long a program may take to be ready. It is long: the test
	// may share its machine with many others.
	patience = 2 * time.Minute
	// farewell is how long it may take to end; Kamailio deadlocks at times there.
	farewell = 5 * time.Second
	// pause lies between two questions whether it is ready.
	pause = 20 * time.Millisecond
)

// Path is where a program is, sbin included; the test is skipped when it is not
// installed. Package is what brings it on Debian.
func Path(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Skipf("skipped: %s is not installed (Debian package %s)", name, pkg)
	}
	return path
}

// Kamailio runs a Kamailio on the configuration at a path until the test ends,
// and waits until it is ready. Dir is the folder for its files.
func Kamailio(t testing.TB, path, dir string, ready func() bool, args ...string) *Log {
	t.Helper()
	cmd := exec.Command(Path(t, "kamailio", "kamailio"), append([]string{"-f", path, "-DD", "-E", "-m", "32", "-M", "8", "-Y", dir, "-P", dir + "/pid"}, args...)...)
	return Start(t, cmd, ready)
}

// Start runs a program until the test ends, and waits until it is ready. Its
// processes make a group, which is ended whole.
func Start(t testing.TB, cmd *exec.Cmd, ready func() bool) *Log {
	t.Helper()
	log := NewLog()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = farewell // children that stay keep its output open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(cmd.Path)
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(farewell):
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of the group
		<-ended
		if t.Failed() {
			t.Logf("%s says:\n%s", name, log.Tail())
		}
	})
	tick := time.NewTicker(pause)
	defer tick.Stop()
	limit := time.After(patience)
	for !ready() {
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("%s does not start", name)
		case <-limit:
			t.Fatalf("%s is not ready after %s", name, patience)
		}
	}
	return log
}

// Log is what a program printed. It is safe for concurrent use; NewLog makes one.
type Log struct {
	mu sync.Mutex
	// mu guards the fields below.
	b    bytes.Buffer
	more chan struct{} // closed at the next write
}

// NewLog is an empty log.
func NewLog() *Log { return &Log{more: make(chan struct{})} }

// Write takes output in.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.b.Write(p)
}

// String is all that was printed.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Tail is the end of it.
func (l *Log) Tail() string {
	lines := strings.SplitAfter(l.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "")
}

// More is closed when more was printed than when it was asked for.
func (l *Log) More() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.more
}

// Bound says whether somebody has a port, for UDP or to accept TCP, without a
// knock at it. Where that cannot be seen it is said to be so.
func Bound(port int) bool {
	seen := false
	for _, table := range []string{"udp", "udp6", "tcp", "tcp6"} {
		sockets, err := os.ReadFile("/proc/net/" + table)
		if err != nil {
			continue
		}
		seen = true
		for line := range strings.Lines(string(sockets)) {
			f := strings.Fields(line) // slot, local, remote, state: 0A accepts, UDP's is 07
			if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && (f[3] == "0A" || f[3] == "07") {
				return true
			}
		}
	}
	return !seen
}
