package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// blocks finds the fenced blocks of a language in a document.
func blocks(t *testing.T, path, lang string) []string {
	t.Helper()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, b := range strings.Split(string(doc), "```"+lang+"\n")[1:] {
		b, _, _ = strings.Cut(b, "```")
		out = append(out, b)
	}
	return out
}

// TestDocsConfigurations checks every configuration of the documents.
func TestDocsConfigurations(t *testing.T) {
	n := 0
	for _, path := range []string{"../../docs/sipd.md", "../../README.md"} {
		for _, text := range blocks(t, path, "cfg") {
			n++
			db := users(t)
			text = strings.ReplaceAll(text, "sqlite:///DIR/sipd.db", db)
			text = strings.ReplaceAll(text, "/tmp/DIR", t.TempDir())
			if out, code := exit(t, "-c", "-f", configFile(t, text)); code != 0 {
				t.Errorf("%s has the configuration\n%s\nwhich fails:\n%s", path, text, out)
			}
		}
	}
	if n < 3 {
		t.Errorf("only %d configurations were found", n)
	}
}

// TestDocsExamples types the console examples of the documents at a shell in a
// folder that has the three commands, a daemon, and its database, and compares
// what they print. "…" in a document stands for what differs from run to run.
func TestDocsExamples(t *testing.T) {
	for _, path := range []string{"../../docs/sipd.md", "../../README.md"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := serveUsers(t)
			dir := t.TempDir()
			for _, name := range []string{"sipctl", "sipcmd"} {
				if err := os.Symlink(tool(t, name), filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(exe, filepath.Join(dir, "sipd")); err != nil {
				t.Fatal(err)
			}
			copyFile(t, defaultConfig, filepath.Join(dir, "sipd.cfg"))
			copyFile(t, "testdata/broken.cfg", filepath.Join(dir, "broken.cfg"))
			n := 0
			for _, block := range blocks(t, path, "console") {
				for _, example := range strings.Split("\n"+block, "\n$ ")[1:] {
					n++
					line, want, _ := strings.Cut(example, "\n")
					cmd := exec.Command("bash", "-c", line)
					cmd.Dir = dir
					cmd.Env = append(os.Environ(), asDaemon+"=1", "PATH="+dir+":"+os.Getenv("PATH"),
						"SIPCMD_SERVER=unixs:"+s.Ctl, "SIPCTL_DB=sqlite://"+filepath.Join(dir, "sipd.db"))
					got, _ := cmd.CombinedOutput() // the text shows failures, too
					if !like(strings.TrimRight(want, "\n"), strings.TrimRight(string(got), "\n")) {
						t.Errorf("$ %s\nprints\n%s\nthe document has\n%s", line, got, want)
					}
				}
			}
			if n < 4 {
				t.Errorf("only %d examples were found", n)
			}
		})
	}
}

// like compares a text with one that has "…" for anything.
func like(want, got string) bool {
	re := strings.ReplaceAll(regexp.QuoteMeta(want), "…", "(?s:.*?)")
	return regexp.MustCompile("^" + re + "$").MatchString(got)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDocsOptions: every option is in the document.
func TestDocsOptions(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sipd.md")
	if err != nil {
		t.Fatal(err)
	}
	newCommand(io.Discard, io.Discard).Flags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(string(doc), "`--"+f.Name) && f.Name != "help" && f.Name != "Version" {
			t.Errorf("docs/sipd.md does not have --%s", f.Name)
		}
	})
}
