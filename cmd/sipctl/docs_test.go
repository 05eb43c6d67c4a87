package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sipd/ctl"
	"sipd/ctl/shell"
)

// TestDocs runs the console examples of docs/sipctl.md, one after the other in
// an empty folder, and compares what they print, errors included, with what
// stands there. "< FILE" is standard input.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sipctl.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{"SIPCTL_CONFIG", "SIPCTL_CONTEXT", "SIPCTL_FLAVOUR", "SIPCTL_OUTPUT", "SIPCTL_DOMAIN"} {
		t.Setenv(name, "")
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("SIPCTL_DB", "sqlite:sip.db")
	for name, text := range map[string]string{
		"secret":    "s3cret\n",
		"users.csv": "user,password,aliases,groups\ncarol@example.com,pw1,102@example.com,int\ndave@example.com,pw2,,\n",
		"bad.csv":   "user,password\nerin@example.com,pw1\nfrank@example.net,pw2\nal ice@example.com,pw3\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, block := range strings.Split(string(doc), "```console\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for _, example := range strings.Split("\n"+block, "\n$ ")[1:] {
			n++
			line, want, _ := strings.Cut(example, "\n")
			if got := runExample(t, line); got != strings.TrimSuffix(want, "\n") {
				t.Errorf("$ %s\nprints\n%s\nthe document has\n%s", line, got, want)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d examples were found", n)
	}
}

func runExample(t *testing.T, line string) string {
	t.Helper()
	command, file, redirected := strings.Cut(line, " < ")
	var in io.Reader
	if redirected {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	words, err := shell.Split(command)
	if err != nil {
		t.Fatal(err)
	}
	args := make([]string, len(words))
	for i, w := range words {
		args[i] = w.Text
	}
	if args[0] != "sipctl" {
		t.Fatalf("the example %q is none of sipctl", line)
	}
	var out bytes.Buffer
	ctl.Run(t.Context(), args[1:], in, &out, &out)
	return strings.TrimSuffix(out.String(), "\n")
}

// TestDocsCommands: every command and every flag is in the document.
func TestDocsCommands(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sipctl.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, s := range c.Commands() {
			walk(s)
		}
		if !c.HasSubCommands() && !strings.Contains(string(doc), "`"+strings.TrimPrefix(c.CommandPath(), "sipctl ")) {
			t.Errorf("docs/sipctl.md does not have the command %s", c.CommandPath())
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(string(doc), "--"+f.Name) {
				t.Errorf("docs/sipctl.md does not have --%s of %s", f.Name, c.CommandPath())
			}
		})
	}
	walk((&ctl.App{}).Root())
}
