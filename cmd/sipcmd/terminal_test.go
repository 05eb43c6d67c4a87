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

// onTerminal runs sipcmd at a terminal of 24 lines, on a daemon of its own in
// dir.
func onTerminal(t *testing.T, dir string, args ...string) (*exec.Cmd, *screen, func(keys string)) {
	t.Helper()
	ctl := filepath.Join(dir, "ctl")
	stop, err := serve(ctl)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	cmd := exec.CommandContext(t.Context(), asProgram(t, dir), append([]string{"-s", ctl}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm", "XDG_STATE_HOME="+filepath.Join(dir, "state"), "SIPCMD_CONFIG=/dev/null",
		`SIPCMD_PAGER=while read -r l; do echo "pager: $l"; done`)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skip("skipped: no pseudo terminal here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	s := &screen{more: make(chan struct{})}
	go s.read(tty)
	return cmd, s, func(keys string) {
		if _, err := io.WriteString(tty, keys); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPager: a reply longer than the screen goes through the pager, a shorter
// one does not.
func TestPager(t *testing.T) {
	_, s, send := onTerminal(t, t.TempDir())
	at := s.wait(t, 0, "sipcmd> ")
	send("contacts\r") // 26 lines
	at = s.wait(t, at, "pager: {\r\n")
	at = s.wait(t, at, "pager: Address: sip:bob@192.0.2.9;ob\r\n")
	at = s.wait(t, at, "sipcmd> ")
	send("core.uptime\r")
	at = s.wait(t, at, "core.uptime\r\n{\r\n")
	at = s.wait(t, at, "sipcmd> ")
	send("\t\t") // all names
	at = s.wait(t, at, "core.echo")
	send("\x15cfg.set_now_string pstn gw_ip \t\r") // the value it has
	at = s.wait(t, at, "gw_ip 192.0.2.10 ")
	s.wait(t, at, "sipcmd> ")
	send("\x04")
}

// TestWatch: a frame takes the place of the one before, and what changed is
// marked; control-C ends it, and that is no failure.
func TestWatch(t *testing.T) {
	cmd, s, send := onTerminal(t, t.TempDir(), "watch", "-n", "50ms", "count")
	at := s.wait(t, 0, "\x1b[H\x1b[2Jevery 50ms: count")
	at = s.wait(t, at, "1\r\n")
	at = s.wait(t, at, "\x1b[H\x1b[2J")
	s.wait(t, at, "\x1b[7m2\x1b[0m\r\n")
	send("\x03")
	if err := cmd.Wait(); err != nil {
		t.Errorf("sipcmd ends with %v", err)
	}
}

// TestInteractive types at a terminal: a call, a fault, completion, history,
// text that would command the terminal, and the end.
func TestInteractive(t *testing.T) {
	dir := t.TempDir()
	cmd, s, send := onTerminal(t, dir)
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
