package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sipd/ctl"
	"sipd/ctl/shell"
)

// leaves are the commands that do something, by what follows "sipctl".
func leaves() map[string]*cobra.Command {
	out := make(map[string]*cobra.Command)
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.HasSubCommands() {
			out[strings.TrimPrefix(c.CommandPath(), "sipctl ")] = c
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk((&ctl.App{}).Root())
	return out
}

// liveLists print what a server answered, in its order and with its columns.
var liveLists = []string{
	"tls list", "dialog list", "dialog simple list", "server setting list",
	"config list", "compat list", // a few names
}

// otherAdds and otherRemoves work on a running server, or are part of another
// command's work.
var (
	otherAdds    = []string{"ul add"}
	otherRemoves = []string{"ul rm"}
)

// TestEveryCommandIsWhole: each command that does something says what it is for
// and has the flags that fit its kind.
func TestEveryCommandIsWhole(t *testing.T) {
	for path, c := range leaves() {
		if c.Short == "" || c.Long == "" && c.Example == "" {
			t.Errorf("%s does not say what it is for", path)
		}
		if c.Args == nil {
			t.Errorf("%s does not check its arguments", path)
		}
		var wanted []string
		switch name := c.Name(); {
		case name == "list" && !slices.Contains(liveLists, path):
			wanted = []string{"columns", "sort", "limit", "offset"}
		case name == "add" && !slices.Contains(otherAdds, path):
			wanted = []string{"if-not-exists"}
		case name == "rm" && !slices.Contains(otherRemoves, path):
			wanted = []string{"if-exists"}
		case name == "import":
			wanted = []string{"format", "on-error", "from-line", "if-not-exists"}
		}
		for _, flag := range append(wanted, "dry-run", "yes", "output", "quiet", "server", "db", "context") {
			if c.Flags().Lookup(flag) == nil && c.InheritedFlags().Lookup(flag) == nil {
				t.Errorf("%s has no --%s", path, flag)
			}
		}
	}
}

// TestEveryCommandHasAScript: each command that does something is used in
// testdata/script, or in a test of its own that is named here.
func TestEveryCommandHasAScript(t *testing.T) {
	used := make(map[string]bool)
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || files == nil {
		t.Fatal(files, err)
	}
	all := leaves()
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for path := range commandsOf(line, all) {
				used[path] = true
			}
		}
	}
	for path := range all {
		if !used[path] {
			t.Errorf("no script of testdata/script uses %s", path)
		}
	}
}

// commandsOf are the commands that a line of a script may run.
func commandsOf(line string, all map[string]*cobra.Command) map[string]bool {
	words, err := shell.Split(line)
	if err != nil {
		words = nil
		for _, w := range strings.Fields(line) {
			words = append(words, shell.Word{Text: w})
		}
	}
	out := make(map[string]bool)
	i := slices.IndexFunc(words, func(w shell.Word) bool { return w.Text == "ctl" || w.Text == "sipctl" })
	if i < 0 {
		return out
	}
	// Options of all commands, with their values, may stand before the noun.
	for start := i + 1; start < min(i+7, len(words)); start++ {
		path := ""
		for _, w := range words[start:] {
			if path = strings.TrimSpace(path + " " + w.Text); all[path] != nil {
				out[path] = true
			}
		}
	}
	return out
}
