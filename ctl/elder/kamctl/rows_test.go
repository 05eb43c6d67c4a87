package kamctl

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sipd/db"
)

// TestRows: every command of testdata/kamctl.txt and kamdbctl.txt, which are
// all that the elders have, stands in a test.
func TestRows(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	source := strings.ReplaceAll(tests.String(), `", "`, " ") // arguments one by one
	for _, list := range []string{"testdata/kamctl.txt", "testdata/kamdbctl.txt"} {
		rows, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		for row := range strings.Lines(string(rows)) {
			row = strings.TrimSpace(row)
			if !regexp.MustCompile(`["` + "`" + `\s]` + regexp.QuoteMeta(row) + `["\s]`).MatchString(source) {
				t.Errorf("no test has the command %s of %s", row, list)
			}
		}
	}
}

// TestKamcmdRows: the commands that kamctl hands to kamcmd, with its exit code.
func TestKamcmdRows(t *testing.T) {
	b := newBase(t, db.SQLite, "")
	home(t, b.rc)
	for _, tt := range []struct{ args, want string }{
		{"uid_domain show", "domain.dump"},
		{"uid_domain reload", "domain.reload"},
		{"ser core.version", "core.version"},
		{"sercmd tm.stats", "tm.stats"},
		{"kamcmd core.prints a b", "core.prints a b"},
	} {
		for _, code := range []int{0, 255} {
			var called []string
			var out bytes.Buffer
			s := Surroundings{In: strings.NewReader(""), Out: &out, Err: &out, Kamcmd: func(_ context.Context, args []string) int {
				called = slices.Clone(args)
				return code
			}}
			got := Run(t.Context(), append([]string{"kamctl"}, strings.Fields(tt.args)...), s)
			if strings.Join(called, " ") != tt.want || got != code {
				t.Errorf("kamctl %s calls kamcmd with %q and exits with %d; want %q and %d\n%s", tt.args, called, got, tt.want, code, &out)
			}
		}
	}
}
