package serctl

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRows: every command of testdata/rows.txt, which are all that serctl has,
// stands in a test.
func TestRows(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, f := range append(files, "testdata/commands.txt") {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	rows, err := os.ReadFile("testdata/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(rows)) {
		row = strings.TrimSpace(row)
		if !regexp.MustCompile(`(?m)` + regexp.QuoteMeta(row) + `([ "]|$)`).MatchString(tests.String()) {
			t.Errorf("no test has the command %s", row)
		}
	}
}
