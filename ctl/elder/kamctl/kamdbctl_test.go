package kamctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

// oursDB and elderDB run the two kamdbctl.
func oursDB(t *testing.T, rc, in string, args ...string) (string, int) {
	t.Helper()
	home(t, rc)
	var out, errs bytes.Buffer
	code := RunDB(context.WithoutCancel(t.Context()), append([]string{"/usr/sbin/kamdbctl"}, args...), Surroundings{In: strings.NewReader(in), Out: &out, Err: &errs})
	if errs.Len() > 0 {
		t.Logf("kamdbctl %q says %s", args, &errs)
	}
	return out.String(), code
}

func elderDB(t *testing.T, rc, in string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("/usr/sbin/kamdbctl", args...)
	cmd.Env = append(os.Environ(), "HOME="+home(t, rc), "TERM=dumb")
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.Output()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// unwrapped is an output without line ends: the elder wraps names of modules.
func unwrapped(s string) string { return strings.Join(strings.Fields(s), " ") }

func tablesOf(t *testing.T, url string) []string {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.ReadOnly())
	if err != nil {
		return []string{err.Error()}
	}
	defer d.Close()
	found, err := schema.Inspect(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

// TestKamdbctlSQLite gives both the same commands, each for its own file.
func TestKamdbctlSQLite(t *testing.T) {
	needElder(t)
	dirs := map[string]string{"theirs": t.TempDir(), "mine": t.TempDir()}
	for _, dir := range dirs {
		if err := os.WriteFile(dir+"/.kamctlrc", []byte("DBENGINE=SQLITE\nDB_PATH="+dir+"/k.db\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []struct {
		step
		file string
	}{
		{step{args: "create", in: "y\nn\n", code: same}, "k.db"},
		{step{args: "extra", code: same}, "k.db"},
		{step{args: "copy DIR/copy.db", code: same}, "copy.db"},
		{step{args: "backup DIR/dump.sql", code: same}, "k.db"},
		{step{args: "drop", in: "n\n", code: same}, "k.db"},
		{step{args: "drop", in: "y\n", code: same}, "k.db"},
		{step{args: "restore DIR/dump.sql", code: same}, "k.db"},
		{step{args: "reinit", in: "y\nn\nn\n", code: same}, "k.db"},
		{step{args: "presence", code: same}, "k.db"},
		{step{args: "create DIR/other.db", in: "n\ny\n", code: same}, "other.db"},
		{step{args: "dbonly", code: same}, "k.db"},
		{step{args: "grant", code: same}, "k.db"},
		{step{args: "revoke", code: same}, "k.db"},
		{step{args: "add-tables acc", code: same}, "k.db"},
		{step{args: "version", code: same}, "k.db"},
		{step{args: "backup", code: same}, "k.db"},
		{step{args: "nonsense", code: same}, "k.db"},
	} {
		at := func(who string) []string { return words(strings.ReplaceAll(s.args, "DIR", dirs[who])) }
		want, wantCode := elderDB(t, dirs["theirs"]+"/.kamctlrc", s.in, at("theirs")...)
		got, code := oursDB(t, dirs["mine"]+"/.kamctlrc", s.in, at("mine")...)
		want = strings.ReplaceAll(strings.ReplaceAll(want, "-e ", ""), dirs["theirs"], dirs["mine"]) // dash prints its echo's -e
		want, _, _ = strings.Cut(want, "\nusage:")
		got, _, _ = strings.Cut(got, "\nusage:")
		if code != wantCode || unwrapped(got) != unwrapped(want) {
			t.Errorf("kamdbctl %s prints, exit %d\n%s\nthe elder prints, exit %d\n%s", s.args, code, got, wantCode, want)
		}
		if got, want := tablesOf(t, "sqlite:"+dirs["mine"]+"/"+s.file), tablesOf(t, "sqlite:"+dirs["theirs"]+"/"+s.file); !slices.Equal(got, want) &&
			!(len(got) == 1 && len(want) == 1) {
			t.Errorf("after kamdbctl %s the tables are\n%s\nafter the elder\n%s", s.args, got, want)
		}
	}
}

// TestKamdbctlBackup: what one saves, the other reads back.
func TestKamdbctlBackup(t *testing.T) {
	needElder(t)
	b := newBase(t, db.SQLite, "INSTALL_PRESENCE_TABLES=no\nINSTALL_EXTRA_TABLES=no\n")
	for _, args := range []string{"add alice it's", "add bob pw", "alias_db add 100@example.com bob@example.com"} {
		ours(t, b.rc, "", append(strings.Fields(args)[:len(strings.Fields(args))-1], strings.Fields(args)[len(strings.Fields(args))-1])...)
	}
	want := b.dump(t)
	for _, who := range []struct {
		save, load func(*testing.T, string, string, ...string) (string, int)
	}{{oursDB, elderDB}, {elderDB, oursDB}, {oursDB, oursDB}} {
		file := filepath.Join(t.TempDir(), "dump.sql")
		if out, code := who.save(t, b.rc, "", "backup", file); code != 0 {
			t.Fatalf("backup: %s", out)
		}
		second := &base{rc: filepath.Join(t.TempDir(), ".kamctlrc")}
		path := filepath.Join(filepath.Dir(second.rc), "k.db")
		if err := os.WriteFile(second.rc, []byte("DBENGINE=SQLITE\nDB_PATH="+path+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := who.load(t, second.rc, "", "restore", file); code != 0 {
			t.Fatalf("restore: %s", out)
		}
		var err error
		if second.d, err = db.Open(t.Context(), "sqlite:"+path); err != nil {
			t.Fatal(err)
		}
		if got := second.dump(t); got != want || want == "" {
			t.Errorf("after backup and restore the tables hold\n%s\nbefore\n%s", got, want)
		}
		_ = second.d.Close()
	}
}

// TestKamdbctlServer makes, fills, copies and drops a database on MariaDB and
// PostgreSQL.
func TestKamdbctlServer(t *testing.T) {
	for _, e := range []db.Engine{db.MySQL, db.PostgreSQL} {
		t.Run(string(e), func(t *testing.T) {
			u := dbtest.URL(t, e)
			d, err := db.Open(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			dir := t.TempDir()
			rc := filepath.Join(dir, ".kamctlrc")
			text := connection(t, d, u, dir)
			lines := strings.Split(strings.TrimSpace(text), "\n")
			text = strings.Join(lines[:len(lines)-1], "\n") + "\nDBNAME=kam_test\nDBROOTPWSKIP=yes\nINSTALL_PRESENCE_TABLES=yes\nINSTALL_EXTRA_TABLES=no\nINSTALL_DBUID_TABLES=no\nSIP_DOMAIN=example.com\nRPCFIFOPATH=/nonexistent\n"
			if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			at := func(name string) string {
				before, after, _ := strings.Cut(u, "localhost/")
				_, query, _ := strings.Cut(after, "?")
				return before + "localhost/" + name + "?" + query
			}
			do := func(code int, want, in string, args ...string) {
				t.Helper()
				if out, got := oursDB(t, rc, in, args...); got != code || !strings.Contains(out, want) {
					t.Errorf("kamdbctl %q prints, exit %d\n%s\nwant %d, %q", args, got, out, code, want)
				}
			}
			do(0, "Core Kamailio tables successfully created.", "", "create")
			do(1, "failed!", "", "create")
			if got := tablesOf(t, at("kam_test")); !slices.Contains(got, "subscriber") || !slices.Contains(got, "presentity") || slices.Contains(got, "htable") {
				t.Errorf("create makes %v", got)
			}
			do(0, "Extra tables successfully created.", "", "extra")
			do(0, "UID tables successfully created.", "", "dbuid")
			if out, code := ours(t, rc, "", "add", "alice", "it's"); code != 0 { // the users that it made may write
				t.Errorf("kamctl add: %s", out)
			}
			if out, code := ours(t, rc, "", "db", "roexec", "select username from subscriber"); code != 0 || !strings.Contains(out, "alice") {
				t.Errorf("kamctl db roexec: %s", out)
			}
			if e == db.MySQL {
				do(0, "granting privileges", "", "grant")
				do(0, "revoking privileges", "", "revoke")
				do(1, "Script for creating group of tables [nonsense] not found", "", "add-tables", "nonsense")
				do(0, "creating database kam_empty", "", "dbonly", "kam_empty")
				do(0, "Database kam_empty deleted", "y\n", "drop", "kam_empty")
			}
			if _, err := exec.LookPath(map[db.Engine]string{db.MySQL: "mysqldump", db.PostgreSQL: "pg_dump"}[e]); err == nil {
				serverCopy(t, e, rc, dir, at, do)
			}
			path := os.Getenv("PATH")
			t.Setenv("PATH", t.TempDir()) // without the server's programs
			serverCopy(t, e, rc, dir, at, do)
			t.Setenv("PATH", path)
			do(1, "Continue with drop?", "n\n", "drop")
			do(0, "Database kam_test", "y\n", "drop")
			if got := tablesOf(t, at("kam_test")); len(got) != 1 || !strings.Contains(got[0], "no database") {
				t.Errorf("after drop there is %v", got)
			}
		})
	}
}

func serverCopy(t *testing.T, e db.Engine, rc, dir string, at func(string) string, do func(int, string, string, ...string)) {
	t.Helper()
	if e == db.MySQL {
		// A copy has the groups of the settings: here all, as the first has.
		text, err := os.ReadFile(rc)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(rc, []byte(strings.ReplaceAll(string(text), "=no\n", "=yes\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do(0, "db restore successful", "", "copy", "kam_copy")
	d, err := db.Open(t.Context(), at("kam_copy"))
	if err != nil {
		t.Error(err)
		return
	}
	var n int
	if err := d.Reader().GetContext(t.Context(), &n, "SELECT count(*) FROM subscriber WHERE username = 'alice'"); err != nil || n != 1 {
		t.Errorf("the copy has %d alices, %v", n, err)
	}
	_ = d.Close()
	do(0, "db dump successful", "", "backup", dir+"/dump.sql")
	if st, err := os.Stat(dir + "/dump.sql"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", st, err)
	}
	if e == db.PostgreSQL { // whose backups replace what is there
		do(0, "db restore successful", "", "restore", dir+"/dump.sql")
		if out, code := ours(t, rc, "", "db", "roexec", "select username from subscriber"); code != 0 || !strings.Contains(out, "alice") {
			t.Errorf("after restore kamctl db roexec prints %s", out)
		}
	}
	do(0, fmt.Sprintf("Database %s", "kam_copy"), "y\n", "drop", "kam_copy")
}

// TestKamdbctlRefused: what is not done says so.
func TestKamdbctlRefused(t *testing.T) {
	dir := t.TempDir()
	rc := filepath.Join(dir, ".kamctlrc")
	for text, want := range map[string]string{"": "database engine not specified", "DBENGINE=ORACLE\n": "database engine not loaded - tried 'ORACLE'"} {
		if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := oursDB(t, rc, "", "create"); code != 1 || !strings.Contains(out, want) {
			t.Errorf("%q: exit %d, %s; want %s", text, code, out, want)
		}
	}
	if err := os.WriteFile(rc, []byte("DBENGINE=SQLITE\nDB_PATH="+dir+"/k.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{"pframework create": "xhttp_pi", "bdb list": "Berkeley", "db_berkeley cat": "Berkeley", "migrate a b": "sipctl db upgrade"} {
		if out, code := oursDB(t, rc, "", strings.Fields(args)...); code != 1 || !strings.Contains(out, want) {
			t.Errorf("kamdbctl %s: exit %d, %s; want %s", args, code, out, want)
		}
	}
}
