package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"sipd/ctl/shell"
)

// TestDocs runs the console examples of docs/sipcmd.md and compares what they
// print, errors included, with what stands there.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sipcmd.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctl := filepath.Join(dir, "ctl")
	stop, err := serve(ctl)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Chdir(dir)
	t.Setenv("SIPCMD_SERVER", "unixs:"+ctl)
	t.Setenv("SIPD_RUN_DIR", "")
	t.Setenv("SIPCMD_CONTEXT", "")
	empty := filepath.Join(t.TempDir(), "empty.toml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SIPCMD_CONFIG", empty)
	n := 0
	for _, block := range strings.Split(string(doc), "```console\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		for _, example := range strings.Split("\n"+block, "\n$ ")[1:] {
			n++
			line, want, _ := strings.Cut(example, "\n")
			words, err := shell.Split(line)
			if err != nil {
				t.Fatal(err)
			}
			args := make([]string, len(words))
			for i, w := range words {
				args[i] = w.Text
			}
			var out bytes.Buffer
			run(args, nil, &out, &out)
			if got := strings.TrimSuffix(out.String(), "\n"); got != strings.TrimSuffix(want, "\n") {
				t.Errorf("$ %s\nprints\n%s\nthe document has\n%s", line, got, want)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d examples were found", n)
	}
}

// TestDocsOptions: every option is in the document.
func TestDocsOptions(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sipcmd.md")
	if err != nil {
		t.Fatal(err)
	}
	newFlags(&options{}).VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(string(doc), "`--"+f.Name) {
			t.Errorf("docs/sipcmd.md does not have --%s", f.Name)
		}
	})
}
