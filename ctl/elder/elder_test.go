package elder

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// defaults are those of a configuration.
type defaults struct{ db, server string }

func (d defaults) Database() (string, error) { return d.db, nil }
func (d defaults) Server() (string, error)   { return d.server, nil }

func TestIs(t *testing.T) {
	for name, want := range map[string]bool{
		"kamctl": true, "/usr/local/bin/kamdbctl": true, "ser_user": true, "./ser_rpc": true, "sipctl": false, "kamcmd": false, "kamctl2": false,
	} {
		if Is(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	for _, n := range Names() {
		if !Is(n) {
			t.Errorf("%s is a name, but not taken for one", n)
		}
	}
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	made, err := Install(dir, "", Links(), false)
	if err != nil || len(made) != 12 || !slices.Contains(made, "ser_ctl") {
		t.Fatalf("made %v, %v", made, err)
	}
	for name, want := range map[string]string{"kamctl": "sipctl", "ser_user": "sipctl", "kamcmd": "sipcmd"} {
		if to, err := os.Readlink(filepath.Join(dir, name)); to != want || err != nil {
			t.Errorf("%s leads to %q, %v", name, to, err)
		}
	}
	if made, err = Install(dir, "", Links(), false); err != nil || made != nil {
		t.Errorf("a second time made %v, %v", made, err)
	}
	// What something else has stays, and the others are made.
	for _, name := range []string{"kamctl", "ser_db"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "kamctl"), []byte("theirs"), 0o755); err != nil {
		t.Fatal(err)
	}
	made, err = Install(dir, "", Links(), false)
	if err == nil || !strings.Contains(err.Error(), "kamctl exists already") || len(made) != 1 {
		t.Errorf("made %v, %v", made, err)
	}
	if made, err = Install(dir, "/opt/bin", Links(), true); err != nil || len(made) != 12 {
		t.Errorf("by force made %v, %v", made, err)
	}
	if to, _ := os.Readlink(filepath.Join(dir, "kamctl")); to != "/opt/bin/sipctl" {
		t.Errorf("by force kamctl leads to %q", to)
	}
	if _, err := Install(filepath.Join(dir, "nowhere"), "", Links(), false); err == nil {
		t.Error("a folder that is not there is taken")
	}
}

// TestKamcmd: kamctl's way to the RPC shell.
func TestKamcmd(t *testing.T) {
	reg := rpc.NewRegistry()
	if err := reg.Add(&rpc.Method{Name: "core.version", Handler: func(_ context.Context, c *rpc.Call) error {
		c.Add(rpc.String("sipd 1"))
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ctl")
	s := &binrpc.Server{Registry: reg, Log: slog.New(slog.DiscardHandler), File: binrpc.FileMode{UID: -1, GID: -1}}
	if err := s.Listen(t.Context(), binrpc.Address{Net: "unixs", Path: path}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	}()
	t.Setenv("HOME", t.TempDir())
	for _, tt := range []struct {
		args, server string
		code         int
		out, errs    string
	}{
		{"kamctl kamcmd core.version", "unixs:" + path, 0, "sipd 1\n", ""},
		{"kamctl sercmd -s unixs:" + path + " -f <%v>\\n core.version", "", 0, "<sipd 1>\n", ""},
		{"kamctl kamcmd no.such", "unixs:" + path, 1, "error: 500", ""},
		{"kamctl kamcmd core.version", "unixs:/nonexistent", 255, "", "/nonexistent"},
		{"kamctl kamcmd -x core.version", "unixs:" + path, 1, "", "sipcmd can do more"},
		{"kamctl uid_domain show", "unixs:" + path, 1, "error: 500", ""}, // no such method here
		{"kamctl version", "", 0, "kamctl 5.6.0\n", ""},
		{"kamdbctl version", "", 1, "database engine not specified", ""},
		{"ser_user -V", "", 0, "serctl", ""},
	} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), strings.Fields(tt.args), strings.NewReader(""), &out, &errs, defaults{server: tt.server})
		if code != tt.code || !strings.HasPrefix(strings.TrimPrefix(out.String(), "** ERROR: "), tt.out) || !strings.Contains(errs.String(), tt.errs) {
			t.Errorf("%s: exit %d, %q, %q; want %d, %q, %q", tt.args, code, &out, &errs, tt.code, tt.out, tt.errs)
		}
	}
	t.Setenv("SIPCTL_ELDER_EXIT", "old")
	var out bytes.Buffer
	if code := Run(t.Context(), strings.Fields("kamctl kamcmd no.such"), nil, &out, &out, defaults{server: "unixs:" + path}); code != 0 {
		t.Errorf("with the elder's exit codes it is %d", code)
	}
}
