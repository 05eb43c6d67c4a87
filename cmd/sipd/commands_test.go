package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestCommands runs the command lines of testdata/commands: each file is a
// folder's content; its comment's last line is the command, "want" what it
// writes (first the exit code, then standard output and error).
func TestCommands(t *testing.T) {
	paths, err := filepath.Glob("testdata/commands/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir, want := t.TempDir(), ""
			for _, f := range a.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				// "=- … -=" are the section lines of archives in the archive.
				text := strings.NewReplacer("=- ", "-- ", " -=", " --").Replace(string(f.Data))
				if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			comment := strings.Split(strings.TrimSpace(string(a.Comment)), "\n")
			t.Chdir(dir)
			var out, errs bytes.Buffer
			code := run(strings.Fields(comment[len(comment)-1]), strings.NewReader(""), &out, &errs)
			got := "exit " + string(rune('0'+code)) + "\n" + out.String() + errs.String()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
