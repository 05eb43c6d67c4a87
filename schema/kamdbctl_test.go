package schema_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

// TestSameAsKamdbctl: what the real kamdbctl creates on each engine is, by the
// catalogue, what we want column by column and key by key, and no table more.
func TestSameAsKamdbctl(t *testing.T) {
	if _, err := exec.LookPath("kamdbctl"); err != nil {
		t.Skip("kamdbctl is not installed")
	}
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			client := map[db.Engine]string{db.SQLite: "sqlite3", db.MySQL: "mysql", db.PostgreSQL: "psql"}[e]
			if _, err := exec.LookPath(client); err != nil {
				t.Skipf("%s is not installed", client)
			}
			d := kamdbctl(t, e)
			ts, err := schema.Examine(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			k := schema.Of(db.Kamailio)
			groups := []string{"standard", "presence", "extra", "uid"}
			if e == db.SQLite {
				groups = groups[:3] // its kamdbctl has no function for the uid tables
			}
			wanted := k.Group(groups...)
			for _, diff := range k.Verify(e, ts, wanted) {
				t.Errorf("kamdbctl's %s", diff)
			}
			if len(ts) != len(wanted) {
				t.Errorf("kamdbctl made %d tables, we know %d", len(ts), len(wanted))
			}
			s, err := schema.NewSurvey(t.Context(), d, nil)
			if err != nil || strings.Join(s.Releases, " ") != "5.6" {
				t.Errorf("it is taken for %v, %v", s.Releases, err)
			}
		})
	}
}

// kamdbctl lets the real one make a database beside ours and opens it.
func kamdbctl(t *testing.T, e db.Engine) *db.DB {
	t.Helper()
	home := t.TempDir()
	rawURL := dbtest.URL(t, e)
	_, name, err := db.ParseName(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	_, option, _ := strings.Cut(rawURL, "?")
	_, path, _ := strings.Cut(option, "=")
	rc := "INSTALL_PRESENCE_TABLES=yes\nINSTALL_EXTRA_TABLES=yes\nINSTALL_DBUID_TABLES=yes\n"
	env := append(os.Environ(), "HOME="+home)
	made := name + "k"
	switch e {
	case db.SQLite:
		made = filepath.Join(home, "kamailio.sqlite")
		rawURL = "sqlite:" + made
		rc += "DBENGINE=SQLITE\nDB_PATH=" + made + "\n"
	case db.MySQL:
		rc += "DBENGINE=MYSQL\nDBROOTUSER=root\nDBROOTPWSKIP=yes\nCHARSET=latin1\nDBNAME=" + made + "\n"
		env = append(env, "MYSQL_UNIX_PORT="+path)
		if err := os.WriteFile(filepath.Join(home, ".my.cnf"), []byte("[client]\nsocket="+path+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		// It grants rights table by table, each with a psql of its own: on none.
		rc += "STANDARD_TABLES=' '\nPRESENCE_TABLES=' '\nEXTRA_TABLES=' '\nDBENGINE=PGSQL\nDBROOTUSER=postgres\nDBHOST=" + path + "\nDBNAME=" + made + "\n"
	}
	if err := os.WriteFile(filepath.Join(home, ".kamctlrc"), []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := []string{"create"}
	if e == db.PostgreSQL { // MySQL's create makes the uid tables too
		commands = append(commands, "dbuid")
	}
	for _, c := range commands {
		cmd := exec.CommandContext(t.Context(), "kamdbctl", c)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("kamdbctl %s: %v\n%s", c, err, out)
		}
	}
	if e != db.SQLite {
		if rawURL, err = db.WithName(rawURL, made); err != nil {
			t.Fatal(err)
		}
	}
	d, err := db.Open(t.Context(), rawURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
