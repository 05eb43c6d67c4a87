package ctl_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/ctl"
	"sipd/db"
	"sipd/db/dbtest"
)

// TestGrant: a user of the database server gets rights and loses them, and its
// password stands in no output.
func TestGrant(t *testing.T) {
	for _, e := range []db.Engine{db.MySQL, db.PostgreSQL} {
		t.Run(string(e), func(t *testing.T) {
			r := runner{t, dbtest.URL(t, e)}
			r.must("db", "create")
			name := "o'brien" + strings.ToLower(strings.ReplaceAll(filepath.Base(r.url), "?", ""))
			if name = name[:min(len(name), 24)]; e == db.MySQL {
				name = name[:min(len(name), 20)]
			}
			secret := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(secret, []byte(`pa'ss\w"ord`+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			grant := []string{"db", "grant", name, "--password-file", secret}
			for _, tt := range []struct {
				args []string
				want string
			}{
				{append(grant, "--dry-run"), "'***'"},
				{append(grant, "--read-only"), "gave SELECT on database"},
				{grant, "gave "}, // the user is there
				{[]string{"db", "revoke", name, "--read-only", "--dry-run"}, "REVOKE "},
				{[]string{"db", "revoke", name, "--drop"}, "took the rights on database"},
			} {
				out := r.must(tt.args...)
				if !strings.Contains(out, tt.want) || strings.Contains(out, "ord") && strings.Contains(out, "ss") && strings.Contains(out, "pa'") {
					t.Errorf("sipctl %q prints %q, want %q and no password", tt.args, out, tt.want)
				}
			}
			code, _, errs := r.run("db", "revoke", name)
			if code != ctl.ExitFailed || !strings.Contains(errs, "statement 1 of") {
				t.Errorf("revoke from a user that is gone: %d, %q", code, errs)
			}
		})
	}
}
