package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screen gathers what a program writes to its terminal.
type screen struct {
	mu sync.Mutex
	// mu guards the fields below.
	text bytes.Buffer
	more chan struct{} // closed and made anew at each write
	end  bool
}

func (s *screen) read(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		s.mu.Lock()
		s.text.Write(buf[:n])
		s.end = err != nil
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// wait waits until text appears after the place where the last wait ended.
func (s *screen) wait(t *testing.T, at int, text string) int {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		i := strings.Index(s.text.String()[at:], text)
		more, end, all := s.more, s.end, s.text.String()
		s.mu.Unlock()
		if i >= 0 {
			return at + i + len(text)
		}
		if end {
			t.Fatalf("the program ended, and %q did not appear in\n%q", text, all)
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("%q does not appear in\n%q", text, all)
		}
	}
}

// TestInteractive types at a terminal: a call, a fault, completion, history,
// text that would command the terminal, and the end.
func TestInteractive(t *testing.T) {
	dir := t.TempDir()
	ctl := filepath.Join(dir, "ctl")
	stop, err := serve(ctl)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary is sipcmd when it is called so (testscript.Main).
	name := filepath.Join(dir, "sipcmd")
	if err := os.Symlink(exe, name); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "-s", ctl)
	cmd.Env = append(os.Environ(), "TERM=xterm", "XDG_STATE_HOME="+filepath.Join(dir, "state"), "SIPCMD_CONFIG=")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skip("no pseudo terminal here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	s := &screen{more: make(chan struct{})}
	go s.read(tty)
	send := func(keys string) {
		if _, err := io.WriteString(tty, keys); err != nil {
			t.Fatal(err)
		}
	}
	const prompt = "sipcmd> "
	at := s.wait(t, 0, "Type help for the commands, quit to leave.")
	at = s.wait(t, at, prompt)
	send("core.upt\t\r") // completes to core.uptime
	at = s.wait(t, at, "uptime: 4\r\n}\r\n")
	at = s.wait(t, at, prompt)
	send("no.such\r")
	at = s.wait(t, at, "error: 500 - command no.such not found")
	at = s.wait(t, at, prompt)
	send("cfg.list tm\x15core.echo 'two words' 7\r") // control-U clears the line
	at = s.wait(t, at, "two words\r\n7\r\n")
	at = s.wait(t, at, prompt)
	send("half a line")
	at = s.wait(t, at, "half a line")
	send("\x03") // gives the line up
	at = s.wait(t, at, prompt)
	send("sleep\r")
	at = s.wait(t, at, "sleep\r\n")
	send("\x03") // gives the call up
	at = s.wait(t, at, "call sleep")
	at = s.wait(t, at, prompt)
	send("evil\r")
	at = s.wait(t, at, `\x1b]0;owned\x07`)
	at = s.wait(t, at, prompt)
	send("\x1b[A\x1b[A\x1b[A\r") // up in the history
	at = s.wait(t, at, "two words\r\n7\r\n")
	s.wait(t, at, prompt)
	send("\x04") // control-D leaves
	if err := cmd.Wait(); err != nil {
		t.Errorf("sipcmd ends with %v", err)
	}
	history, err := os.ReadFile(filepath.Join(dir, "state", "sipcmd", "sipcmd_history"))
	if err != nil || !strings.Contains(string(history), "no.such\ncore.echo 'two words' 7\nsleep\nevil\n") {
		t.Errorf("the history is %q, %v", history, err)
	}
	if st, err := os.Stat(filepath.Join(dir, "state", "sipcmd", "sipcmd_history")); err == nil && st.Mode().Perm() != 0o600 {
		t.Errorf("others may read the history: %v", st.Mode())
	}
}
