package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
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

// TestDocsCommands: docs/sipctl-commands.md is the tree of commands (go test
// -run DocsCommands -update writes it), and docs/sipctl.md speaks of each of its
// first level.
func TestDocsCommands(t *testing.T) {
	root := (&ctl.App{}).Root()
	const file = "../../docs/sipctl-commands.md"
	want := reference(root)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not the tree of commands; go test ./cmd/sipctl -run DocsCommands -update writes it", file)
	}
	doc, err := os.ReadFile("../../docs/sipctl.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range root.Commands() {
		if !strings.Contains(string(doc), "`"+c.Name()) {
			t.Errorf("docs/sipctl.md does not speak of %s", c.Name())
		}
		if c.Name() == "db" {
			inDocument(t, string(doc), c)
		}
	}
}

// inDocument wants every command and every flag below c in the document.
func inDocument(t *testing.T, doc string, c *cobra.Command) {
	t.Helper()
	for _, s := range c.Commands() {
		inDocument(t, doc, s)
	}
	if !c.HasSubCommands() && !strings.Contains(doc, "`"+strings.TrimPrefix(c.CommandPath(), "sipctl ")) {
		t.Errorf("docs/sipctl.md does not have the command %s", c.CommandPath())
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(doc, "--"+f.Name) {
			t.Errorf("docs/sipctl.md does not have --%s of %s", f.Name, c.CommandPath())
		}
	})
}

// reference is every command that does something: what it is, its options, an
// example.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# The commands of sipctl\n\nWritten by a test from the tree of commands. The options that all commands have\nare in [sipctl.md](sipctl.md).\n")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.HasParent() && !c.Parent().HasParent() {
			fmt.Fprintf(&b, "\n## %s\n\n%s.\n", c.Name(), c.Short)
		}
		if !c.HasSubCommands() {
			fmt.Fprintf(&b, "\n### `%s`\n\n%s.\n", strings.TrimSuffix(strings.TrimPrefix(c.UseLine(), "sipctl "), " [flags]"), c.Short)
			var opts []string
			c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
				name, _ := pflag.UnquoteUsage(f)
				opts = append(opts, strings.TrimSpace("`--"+f.Name+" "+name)+"`")
			})
			if len(opts) > 0 {
				fmt.Fprintf(&b, "Options: %s.\n", strings.Join(opts, ", "))
			}
			if c.Example != "" {
				fmt.Fprintf(&b, "\n    %s\n", strings.ReplaceAll(strings.TrimSpace(c.Example), "\n  ", "\n    "))
			}
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	for _, c := range root.Commands() {
		if c.Name() != "db" { // the document has it
			walk(c)
		}
	}
	return b.String()
}

// TestEveryCommandHasHelp: each says what it does, and each that acts shows an
// example.
func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" && c.HasParent() {
			t.Errorf("%s does not say what it is", c.CommandPath())
		}
		if !c.HasSubCommands() && c.Example == "" && !strings.HasPrefix(c.CommandPath(), "sipctl db ") {
			t.Errorf("%s shows no example", c.CommandPath())
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk((&ctl.App{}).Root())
}

// TestEveryNounHasAScript: each command of the first level is used in
// testdata/script.
func TestEveryNounHasAScript(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, c := range (&ctl.App{}).Root().Commands() {
		if !regexp.MustCompile(`(?m)\b(sip)?ctl (-\S+ \S+ )*` + c.Name() + `( |$)`).MatchString(all.String()) {
			t.Errorf("no script of testdata/script uses %s", c.Name())
		}
	}
}
