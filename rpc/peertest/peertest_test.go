package peertest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestStart: a program is waited for, its output kept, and it is gone with the test.
func TestStart(t *testing.T) {
	sh := Path(t, "sh", "dash")
	file := filepath.Join(t.TempDir(), "ready")
	var pid int
	t.Run("run", func(t *testing.T) {
		cmd := exec.Command(sh, "-c", `echo hello; : >"$1"; trap "" TERM; while :; do sleep 1; done`, "sh", file)
		log := Start(t, cmd, func() bool { _, err := os.Stat(file); return err == nil })
		if s := log.String(); !strings.HasPrefix(s, "hello\n") || !strings.Contains(log.Tail(), "hello\n") {
			t.Errorf("it printed %q", s)
		}
		pid = cmd.Process.Pid
	})
	if _, err := os.Stat(filepath.Join("/proc", "self")); err != nil {
		t.Skipf("skipped: processes cannot be looked at here: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline")); err == nil && strings.Contains(string(b), file) {
		t.Errorf("process %d is still there", pid)
	}
}

func TestBound(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if !Bound(port) {
		t.Errorf("nobody has port %d", port)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/net/tcp"); err == nil && Bound(port) {
		t.Errorf("somebody has port %d", port)
	}
}
