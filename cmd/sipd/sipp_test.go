package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/rpc/peertest"
	"sipd/rpc/socket/sockettest"
)

// sipp starts SIPp with a scenario of testdata/sipp and answers a function
// that waits for its end and reports how it ended.
func (s *server) sipp(t *testing.T, scenario string, args ...string) (wait func()) {
	t.Helper()
	bin := peer(t, "sipp", "sip-tester")
	file, err := filepath.Abs(scenario)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // it leaves error files behind
	cmd := exec.Command(bin, append([]string{
		s.Addr, "-sf", file, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin", "-timeout", "120s", "-timeout_error",
		"-trace_err", "-error_file", filepath.Join(dir, "errors"),
	}, args...)...)
	cmd.Dir = dir
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return func() {
		t.Helper()
		ended = true
		if err := cmd.Wait(); err != nil {
			text, _ := os.ReadFile(filepath.Join(dir, "errors"))
			t.Fatalf("sipp %s: %v\n%s\nsipd:\n%s", filepath.Base(scenario), err, clip(string(text)), clip(s.Log.String()))
		}
	}
}

// callee is sipp for a scenario that waits for calls at a port; it returns when
// it listens there: over TCP nobody asks again.
func (s *server) callee(t *testing.T, scenario string, port int, args ...string) (wait func()) {
	t.Helper()
	wait = s.sipp(t, scenario, append([]string{"-p", fmt.Sprint(port)}, args...)...)
	for limit := time.Now().Add(time.Minute); !peertest.Bound(port); {
		if time.Now().After(limit) {
			t.Fatalf("SIPp does not listen on port %d", port)
		}
		<-time.After(10 * time.Millisecond) // between two questions
	}
	return wait
}

func clip(s string) string {
	if len(s) > 4000 {
		return s[:4000] + "\n…"
	}
	return s
}

const scenarios = "testdata/sipp/"

// register registers bob's phone at a port with SIPp.
func (s *server) registerSIPp(t *testing.T, port int, transport string) {
	t.Helper()
	s.sipp(t, scenarios+"register.xml", "-s", "bob", "-p", fmt.Sprint(port), "-t", transport, "-m", "1")()
}

// TestSIPpCalls lets SIPp be the caller and the callee.
func TestSIPpCalls(t *testing.T) {
	for _, tt := range []struct {
		name, transport string
		caller, callee  string
		calls           int
		params          []string
	}{
		{name: "calls over UDP", transport: "u1", caller: "caller.xml", callee: "callee.xml", calls: 30},
		{name: "calls over TCP", transport: "t1", caller: "caller.xml", callee: "callee.xml", calls: 10},
		{name: "callee is busy", transport: "u1", caller: "refused:486", callee: "busy.xml", calls: 5},
		{name: "caller gives up", transport: "u1", caller: "cancel.xml", callee: "cancelled.xml", calls: 5},
		{
			name: "callee is silent", transport: "u1", caller: "refused:408", callee: "silent.xml", calls: 1,
			params: []string{"--modparam", "tm:fr_timer:i:700"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serveUsers(t, tt.params...)
			port := sockettest.Port(t)
			s.registerSIPp(t, port, tt.transport)
			calls := fmt.Sprint(tt.calls)
			callee := s.callee(t, scenarios+tt.callee, port, "-t", tt.transport, "-m", calls)
			caller := scenarios + tt.caller
			if name, code, ok := strings.Cut(caller, ":"); ok {
				caller = withCode(t, name+".xml", code)
			}
			s.sipp(t, caller, "-s", "bob", "-p", fmt.Sprint(sockettest.Port(t)), "-t", tt.transport, "-m", calls, "-r", "10")()
			callee()
			if out := s.sipcmd(t, "tm.stats"); !strings.Contains(out, "total: ") {
				t.Errorf("tm.stats prints\n%s", out)
			}
		})
	}
}

// withCode fills the status that a scenario waits for.
func withCode(t *testing.T, file, code string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "scenario.xml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(b), "CODE", code)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSipsak lets sipsak ping the server and register a user.
func TestSipsak(t *testing.T) {
	bin := peer(t, "sipsak", "sipsak")
	s := serveUsers(t, "--alias", "example.com")
	// sipsak cuts ports of five digits in -s, and resolves what -s names unless
	// -p stands before it.
	if b, err := exec.Command(bin, "-v", "-p", s.Addr, "-s", "sip:example.com").CombinedOutput(); err != nil || !strings.Contains(string(b), "200") {
		t.Errorf("sipsak OPTIONS: %v\n%s", err, b)
	}
	args := []string{"-U", "-p", s.Addr, "-s", "sip:alice@example.com", "-u", "alice", "-a", "wonderland", "-C", "sip:alice@127.0.0.1:9", "-x", "100", "-v"}
	if b, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
		t.Errorf("sipsak %s: %v\n%s", strings.Join(args, " "), err, b)
	}
	if out := s.sipcmd(t, "ul.lookup", "location", "alice@example.com"); !strings.Contains(out, "sip:alice@127.0.0.1:9") {
		t.Errorf("after sipsak's REGISTER ul.lookup prints\n%s", out)
	}
}
