package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstall: make install puts programs, links, pages, completions and
// documents below DESTDIR, and nothing anywhere else.
func TestInstall(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: make install builds the programs; not with -short")
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("skipped: make is not installed")
	}
	dest, bin := t.TempDir(), t.TempDir()
	cmd := exec.Command("make", "-C", "../..", "install", "DESTDIR="+dest, "PREFIX=/usr", "BIN="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	for _, path := range []string{
		"sbin/sipd", "bin/sipctl", "bin/sipcmd", "share/doc/sipd/compatibility.md", "share/doc/sipd/configuration.md", "share/doc/sipd/LICENSE",
		"share/man/man1/sipctl.1", "share/man/man1/sipctl-user.1", "share/man/man1/sipcmd.1", "share/man/man8/sipd.8", "share/man/man7/sipctl-elders.7",
		"share/bash-completion/completions/sipctl", "share/zsh/site-functions/_sipctl", "share/fish/vendor_completions.d/sipctl.fish", "share/sipd/sipctl.ps1",
	} {
		if st, err := os.Stat(filepath.Join(dest, "usr", path)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
	for link, want := range map[string]string{"kamctl": "sipctl", "kamdbctl": "sipctl", "ser_ctl": "sipctl", "ser_rpc": "sipctl", "kamcmd": "sipcmd", "sercmd": "sipcmd"} {
		path := filepath.Join(dest, "usr/bin", link)
		if to, err := os.Readlink(path); to != want {
			t.Errorf("%s leads to %q, %v", link, to, err)
		}
		if link == "kamctl" {
			if out, err := exec.Command(path, "version").CombinedOutput(); err != nil || !strings.Contains(string(out), "5.6.0") {
				t.Errorf("kamctl version: %v: %s", err, out)
			}
		}
	}
	entries, err := os.ReadDir(dest)
	if err != nil || len(entries) != 1 {
		t.Errorf("below DESTDIR there is %v, %v", entries, err)
	}
}
