package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is sipctl at a terminal of its own.
type terminal struct {
	t    *testing.T
	tty  *os.File
	cmd  *exec.Cmd
	text bytes.Buffer
}

// program is the test binary under the name sipctl, which makes it sipctl
// (testscript.Main), with a database of one domain.
func program(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "sipctl")
	if err := os.Symlink(exe, name); err != nil {
		t.Fatal(err)
	}
	sipctl := func(args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "SIPCTL_DB=sqlite:"+filepath.Join(dir, "sip.db"), "XDG_CONFIG_HOME="+dir, "SIPCTL_CONFIG=")
		return cmd
	}
	for _, args := range [][]string{{"db", "create"}, {"domain", "add", "example.com"}} {
		if out, err := sipctl(args...).CombinedOutput(); err != nil {
			t.Fatalf("sipctl %q: %v: %s", args, err, out)
		}
	}
	return sipctl
}

func start(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	tty, err := pty.Start(cmd)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skip("skipped: no pseudo terminal here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return &terminal{t: t, tty: tty, cmd: cmd}
}

// wait reads until text has come.
func (s *terminal) wait(text string) {
	s.t.Helper()
	if err := s.tty.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 1024)
	for !strings.Contains(s.text.String(), text) {
		n, err := s.tty.Read(buf)
		s.text.Write(buf[:n])
		if err != nil && !strings.Contains(s.text.String(), text) {
			s.t.Fatalf("%q does not appear in\n%q: %v", text, s.text.String(), err)
		}
	}
}

func (s *terminal) send(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *terminal) end(code int) {
	s.t.Helper()
	err := s.cmd.Wait()
	if s.cmd.ProcessState.ExitCode() != code {
		s.t.Errorf("it ends with %v, want exit code %d; it printed %q", err, code, s.text.String())
	}
	if strings.Contains(s.text.String(), "s3cret") {
		s.t.Errorf("the password is seen: %q", s.text.String())
	}
}

// TestPrompt: the password is asked for twice and not shown.
func TestPrompt(t *testing.T) {
	sipctl := program(t)
	s := start(t, sipctl("user", "add", "alice@example.com"))
	s.wait("Password of alice@example.com: ")
	s.send("s3cret\r")
	s.wait("Once more: ")
	s.send("s3cret\r")
	s.wait("added user alice@example.com")
	s.end(0)

	s = start(t, sipctl("user", "passwd", "alice@example.com"))
	s.wait("Password of alice@example.com: ")
	s.send("s3cret1\r")
	s.wait("Once more: ")
	s.send("s3cret2\r")
	s.wait("sipctl: the two passwords differ; nothing was changed")
	s.end(1)

	// An address that is taken is refused before anybody types.
	s = start(t, sipctl("user", "add", "alice@example.com"))
	s.wait("sipctl: user alice@example.com exists")
	s.end(1)
	if strings.Contains(s.text.String(), "Password") {
		t.Errorf("it asks before it looks: %q", s.text.String())
	}
}

// TestPromptInterrupted: control-C ends it, nothing is written.
func TestPromptInterrupted(t *testing.T) {
	sipctl := program(t)
	s := start(t, sipctl("user", "add", "alice@example.com"))
	s.wait("Password of alice@example.com: ")
	s.send("\x03")
	s.wait("sipctl: interrupted; nothing was changed")
	s.end(1)
	out, err := sipctl("user", "list", "-o", "jsonl").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("the list is %q, %v", out, err)
	}
}

// TestTwoAtOnce: of two processes that add the same user one succeeds, and the
// other says that the user exists.
func TestTwoAtOnce(t *testing.T) {
	sipctl := program(t)
	for range 5 {
		var cmds [2]*exec.Cmd
		var outs [2]bytes.Buffer
		for i := range cmds {
			cmds[i] = sipctl("user", "add", "alice@example.com", "-p", "x")
			cmds[i].Stderr = &outs[i]
			if err := cmds[i].Start(); err != nil {
				t.Fatal(err)
			}
		}
		good := 0
		for i, cmd := range cmds {
			switch err := cmd.Wait(); {
			case err == nil:
				good++
			case !strings.Contains(outs[i].String(), "user alice@example.com exists; to change its password"):
				t.Errorf("the slower one says %q", outs[i].String())
			}
		}
		if good != 1 {
			t.Errorf("%d of two succeeded", good)
		}
		if out, err := sipctl("user", "rm", "alice@example.com").CombinedOutput(); err != nil {
			t.Fatalf("rm: %v: %s", err, out)
		}
	}
}
