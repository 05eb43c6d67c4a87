package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sipd/ctl"
)

// TestPages: every noun has its page, with every command that is below it and
// all its options, and man finds nothing wrong with one.
func TestPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	dir := t.TempDir()
	program := filepath.Join(t.TempDir(), "sipcmd")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho '.usage: -s \\x'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := write(dir, "1.0", []string{program}); err != nil {
		t.Fatal(err)
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.IsAvailableCommand() && c.Name() != "sipctl" {
			return
		}
		name := strings.Join(strings.Fields(c.CommandPath())[:min(2, strings.Count(c.CommandPath(), " ")+1)], "-")
		page, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil || !strings.Contains(string(page), "Nov 2023") || !strings.Contains(string(page), "sipd 1.0") {
			t.Errorf("the page of %s: %v", c.CommandPath(), err)
		}
		if c.HasParent() && !c.HasSubCommands() {
			if !strings.Contains(string(page), "\n.SS "+roffWord(c.CommandPath())) {
				t.Errorf("%s.1 does not have %s", name, c.CommandPath())
			}
			c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" && !strings.Contains(string(page), roffWord("--"+f.Name)) {
					t.Errorf("%s.1 does not have --%s of %s", name, f.Name, c.CommandPath())
				}
			})
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk((&ctl.App{}).Root())
	page, err := os.ReadFile(filepath.Join(dir, "sipcmd.1"))
	if err != nil || !strings.Contains(string(page), "\n\\&.usage: \\-s \\ex\n") {
		t.Errorf("the page of sipcmd is %s, %v", page, err)
	}
	elders, err := os.ReadFile(filepath.Join(dir, "sipctl-elders.7"))
	if err != nil || !strings.Contains(string(elders), "kamctl, kamdbctl") {
		t.Errorf("the page of the elders is %s, %v", elders, err)
	}
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("skipped: man is not installed; the pages were not formatted")
	}
	for _, name := range []string{"sipctl.1", "sipctl-user.1", "sipctl-db.1", "sipctl-drouting.1", "sipctl-rpc.1", "sipcmd.1", "sipctl-elders.7"} {
		cmd := exec.Command(man, "--warnings", "-E", "UTF-8", "-l", filepath.Join(dir, name))
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "MANPAGER=cat")
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "warning") {
			t.Errorf("man %s: %v\n%s", name, err, out)
		}
	}
}

func TestRepeatable(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	var first []byte
	for i := range 2 {
		dir := t.TempDir()
		if err := write(dir, "1.0", nil); err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(filepath.Join(dir, "sipctl-user.1"))
		if err != nil || i > 0 && string(page) != string(first) {
			t.Errorf("a second time the page is another: %v", err)
		}
		first = page
	}
}
