package ctl

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/rpc"
)

// TestTrap: a server tells its stacks; where it cannot, gdb is asked for each of
// its processes.
func TestTrap(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("SIPCTL_SERVER", "")
	version := map[string][]rpc.Value{"core.version": {rpc.String("some server")}, "core.uptime": {rpc.Struct{rpc.M("uptime", rpc.Int(7))}}}
	with := func(more map[string][]rpc.Value) string {
		for k, v := range version {
			more[k] = v
		}
		address, _ := daemon(t, more)
		return address
	}
	ours := with(map[string][]rpc.Value{"core.stacks": {rpc.String("goroutine 1 [running]:\nmain.main()"), rpc.String("goroutine 2 [select]:\n\tx\x1b[31m")}})
	theirs := with(map[string][]rpc.Value{"core.psx": {rpc.Struct{rpc.M("IDX", rpc.Int(0)), rpc.M("PID", rpc.Int(4711)), rpc.M("DSC", rpc.String("main"))}}})
	odd := with(map[string][]rpc.Value{"core.psx": {rpc.Struct{rpc.M("PID", rpc.Int(99))}}})
	script := "#!/bin/sh\ntest \"$2\" = 99 && exit 3\necho \"gdb $*\"\n"
	if err := os.WriteFile(filepath.Join(dir, "gdb"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := Run(t.Context(), append([]string{"server", "trap"}, args...), strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	for _, tt := range []struct {
		path string
		args []string
		code int
		want []string
	}{
		{"", []string{"-s", ours}, ExitDone, []string{"core.version of ", "some server", "uptime=7", "\ngoroutine 1 [running]:\nmain.main()\n\ngoroutine 2"}},
		{"", []string{"-s", theirs}, ExitFailed, []string{"gdb, which could, is not installed here"}},
		{dir, []string{"-s", theirs}, ExitDone, []string{"--- process 4711: main\ngdb -p 4711 -batch -ex bt full\n"}},
		{dir, []string{"-s", odd, "-s", ours}, ExitFailed, []string{"gdb on process 99: exit status 3", "goroutine 1"}},
		{"", []string{"-s", ours, "--dry-run"}, ExitDone, []string{"dry run, nothing is called: core.stacks"}},
		{"", []string{"-s", ours, "--out", filepath.Join(dir, "trap.txt")}, ExitDone, []string{"wrote "}},
	} {
		// the shell that runs the script needs no more than its own words
		t.Setenv("PATH", tt.path)
		code, out := run(tt.args...)
		for _, w := range tt.want {
			if !strings.Contains(out, w) {
				t.Errorf("sipctl server trap %q prints %q, want %q in it", tt.args, out, w)
			}
		}
		if code != tt.code || strings.Contains(out, "\x1b") {
			t.Errorf("sipctl server trap %q exits with %d, want %d: %q", tt.args, code, tt.code, out)
		}
	}
	st, err := os.Stat(filepath.Join(dir, "trap.txt"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want one that its owner alone reads", st, err)
	}
}
