package ctl_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
)

// TestDryRun: no command with --dry-run leaves anything behind on any engine,
// MySQL included, which commits statements about tables by itself.
func TestDryRun(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			r := runner{t, dbtest.URL(t, e)}
			out := r.must("--dry-run", "db", "create", "--flavour", "kamailio")
			for _, want := range []string{"CREATE TABLE", "INSERT INTO", "subscriber"} {
				if !strings.Contains(out, want) {
					t.Errorf("db create --dry-run prints no %s", want)
				}
			}
			if e == db.SQLite {
				if _, err := os.Stat(strings.TrimPrefix(r.url, "sqlite:")); err == nil {
					t.Error("db create --dry-run made the file")
				}
			} else if out := r.must("db", "version", "-o", "tsv"); out != "table\tversion\n" {
				t.Errorf("db create --dry-run made\n%s", out)
			}
			r.must("db", "create", "--only", "version,subscriber,domain,dbaliases,grp,usr_preferences,acc,missed_calls")
			r.must("domain", "add", "example.com")
			r.must("user", "add", "alice@example.com", "--no-password")
			before := r.must("db", "dump")
			fromDump := filepath.Join(t.TempDir(), "other.jsonl")
			other := runner{t, dbtest.URL(t, db.SQLite)}
			other.must("db", "create", "--only", "version,silo")
			other.must("db", "dump", "--only", "silo", fromDump)

			for _, tt := range []struct {
				args []string
				code int
				want string
			}{
				{[]string{"db", "exec", "DELETE FROM subscriber", "SELECT count(*) AS n FROM subscriber"}, 0, "\n0\n"},
				{[]string{"db", "exec", "CREATE TABLE more (n INT)"}, 0, map[db.Engine]string{db.MySQL: "CREATE TABLE more (n INT);\n"}[e]},
				{[]string{"db", "exec", "DROP TABLE subscriber; DELETE FROM domain"}, 0, map[db.Engine]string{db.MySQL: "DROP TABLE subscriber;\n"}[e]},
				{[]string{"db", "exec", "/* SET */ SET @@autocommit = 1"}, map[db.Engine]int{db.MySQL: 0}[e] + bool2int(e != db.MySQL), map[db.Engine]string{db.MySQL: "not run"}[e]},
				{[]string{"db", "create", "--only", "silo"}, 0, "silo"},
				{[]string{"db", "drop", "--only", "domain"}, 0, "would drop"},
				{[]string{"db", "drop", "--database"}, 0, "would drop the database"},
				{[]string{"db", "upgrade", "--release", "6.1"}, 0, ""},
				{[]string{"db", "load", fromDump}, bool2int(e == db.MySQL), map[db.Engine]string{db.MySQL: "MySQL would keep the new tables silo"}[e]},
				{[]string{"acc", "extend"}, 0, "ALTER TABLE"},
				{[]string{"user", "rm", "alice@example.com"}, 0, "dry run"},
				{[]string{"domain", "rm", "example.com", "--cascade"}, 0, "dry run"},
			} {
				code, out, errs := r.run(append([]string{"--dry-run"}, tt.args...)...)
				if code != tt.code || !strings.Contains(out+errs, tt.want) {
					t.Errorf("%q exits with %d and prints %q %q; want %d and %q", tt.args, code, out, errs, tt.code, tt.want)
				}
			}
			if after := r.must("db", "dump"); after != before {
				t.Errorf("dry runs changed the database from\n%s\nto\n%s", before, after)
			}
			if code, _, errs := r.run("db", "exec", "--read-only", "CREATE TABLE more (n INT)"); code != 1 {
				t.Errorf("db exec --read-only made a table: %d %s", code, errs)
			}
			if e == db.MySQL {
				r.must("db", "exec", "ALTER TABLE domain ENGINE=MyISAM")
				if code, _, errs := r.run("--dry-run", "domain", "add", "example.net"); code != 1 || !strings.Contains(errs, "whose table domain is kept by MyISAM, would keep what is tried") {
					t.Errorf("a dry run with MyISAM: %d %s", code, errs)
				}
			}
		})
	}
}

func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}
