package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// writersConfig keeps users and contacts in one SQLite file; a contact is
// written as it comes (db_mode 1).
const writersConfig = `#!KAMAILIO
loadmodule "db_sqlite.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("auth_db|usrloc", "db_url", "sqlite://%s")
modparam("auth_db", "calculate_ha1", 0)
modparam("auth_db", "password_column", "ha1")
modparam("usrloc", "db_mode", 1)
modparam("usrloc", "use_domain", 1)
request_route {
	if (!is_method("REGISTER")) { sl_send_reply("404", "Not here"); exit; }
	if (!www_authenticate("$td", "subscriber")) { www_challenge("$td", "0"); exit; }
	save("location");
}
`

// TestWriters: eight processes of sipctl write into the SQLite file of a daemon
// that reads users from it and writes contacts into it. Each new user registers
// at once; nothing is lost, and nobody finds the database locked.
func TestWriters(t *testing.T) {
	const writers, each = 8, 6
	sipctl := tool(t, "sipctl")
	dir := t.TempDir()
	file, config, password := filepath.Join(dir, "sip.db"), filepath.Join(dir, "sipd.cfg"), filepath.Join(dir, "password")
	for name, text := range map[string]string{config: fmt.Sprintf(writersConfig, file), password: "s3cret\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		cmd := exec.Command(sipctl, args...)
		cmd.Env = append(os.Environ(), "SIPCTL_DB=sqlite:"+file, "XDG_CONFIG_HOME="+dir, "SIPCTL_CONFIG=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("sipctl %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	run("db", "create")
	run("domain", "add", "example.com")
	s := serve(t, config, "-l", "udp:ADDR")

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				user := fmt.Sprintf("u%d-%d", w, i)
				run("user", "add", user+"@example.com", "--password-file", password, "--alias", "a"+user+"@example.com", "--group", "int")
				run("attr", "set", user+"@example.com", "--type", "string", "lang=cs")
				if _, err := s.Phone(t, user, "s3cret").Register(ctx, 600); err != nil {
					t.Errorf("%s, who was just added, cannot register: %v", user, err)
				}
			}
		})
	}
	wg.Wait()

	for table, want := range map[string]int{"subscriber": writers * each, "dbaliases": writers * each, "grp": writers * each, "usr_preferences": writers * each, "location": writers * each} {
		if got := run("db", "exec", "SELECT count(*) AS n FROM "+table, "-o", "tsv"); got != fmt.Sprintf("n\n%d\n", want) {
			t.Errorf("table %s has %q rows, want %d", table, got, want)
		}
	}
	if log := s.Log.String(); strings.Contains(log, "locked") || strings.Contains(log, "busy") {
		t.Errorf("the daemon found the database locked:\n%s", log)
	}
}
