package schema_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/rpc/peertest"
	"sipd/rpc/socket/sockettest"
)

// kamailioConfig loads every module that compares version numbers, on a port
// that nobody uses: it listens on TCP nowhere and on UDP where the kernel says.
const kamailioConfig = `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
dns=no
rev_dns=no
auto_aliases=no
mhomed=0
listen=udp:127.0.0.1:%d
loadmodule "db_sqlite.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "usrloc.so"
loadmodule "auth.so"
loadmodule "auth_db.so"
loadmodule "domain.so"
loadmodule "group.so"
loadmodule "permissions.so"
loadmodule "dispatcher.so"
loadmodule "dialplan.so"
loadmodule "uri_db.so"
loadmodule "alias_db.so"
loadmodule "ctl.so"
modparam("ctl", "binrpc", "unixs:%[2]s")
modparam("usrloc", "db_mode", 1)
modparam("usrloc", "preload", "location")
modparam("usrloc|auth_db|domain|group|permissions|dispatcher|dialplan|uri_db|alias_db", "db_url", "%[3]s")
modparam("domain", "register_myself", 0)
modparam("uri_db", "use_uri_table", 1)
modparam("uri_db", "db_table", "uri")
modparam("permissions", "address_table", "address")
request_route { exit; }
`

// startKamailio runs a real Kamailio on a SQLite file and gives its control
// socket once that answers.
func startKamailio(t *testing.T, file string) (control string) {
	t.Helper()
	return runKamailio(t, func(control string) string {
		return fmt.Sprintf(kamailioConfig, sockettest.Port(t), control, "sqlite:///"+file)
	})
}

// runKamailio runs a real Kamailio with a configuration that listens on the
// control socket it is given.
func runKamailio(t *testing.T, write func(control string) string, env ...string) (control string) {
	t.Helper()
	peertest.Path(t, "kamailio", "kamailio")
	dir := t.TempDir()
	control = filepath.Join(dir, "ctl")
	config := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(config, []byte(write(control)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range env {
		name, value, _ := strings.Cut(s, "=")
		t.Setenv(name, value)
	}
	bin := peertest.Path(t, "kamcmd", "kamailio")
	peertest.Kamailio(t, config, dir, func() bool { return exec.Command(bin, "-s", "unixs:"+control, "core.version").Run() == nil })
	return control
}

func kamcmd(t *testing.T, control string, args ...string) string {
	t.Helper()
	out, err := exec.Command("kamcmd", append([]string{"-s", "unixs:" + control}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("kamcmd %q: %v: %s", args, err, out)
	}
	return string(out)
}

// TestKamailioSharesDatabase: a real Kamailio starts on the database, with all
// the modules that check versions; it reads the contact we wrote with its
// expiry, and we read the one that it wrote.
func TestKamailioSharesDatabase(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	create(t, d, db.Kamailio)
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	_, err := d.Command("INSERT INTO location (ruid, username, contact, expires, last_modified) VALUES ('r-1', 'ann', 'sip:ann@127.0.0.1', ?, ?)").
		Exec(t.Context(), d.Time(expires, time.Local), d.Time(time.Now(), time.Local))
	if err != nil {
		t.Fatal(err)
	}
	control := startKamailio(t, strings.TrimPrefix(d.Source(), "sqlite:/"))

	m := regexp.MustCompile(`Expires: (\d+)`).FindStringSubmatch(kamcmd(t, control, "ul.lookup", "location", "ann"))
	if m == nil {
		t.Fatal("Kamailio did not load our contact")
	}
	left, _ := strconv.Atoi(m[1])
	if want := time.Until(expires).Seconds(); float64(left) < want-3 || float64(left) > want+3 {
		t.Errorf("Kamailio reads %d seconds until expiry, want about %.0f", left, want)
	}

	before := time.Now()
	kamcmd(t, control, "ul.add", "location", "bob", "sip:bob@127.0.0.1:5062", "600", "0.5", "s:", "0", "0", "0")
	var at db.Time
	q := d.Query("SELECT expires FROM location WHERE username = ?")
	if err := q.Get(t.Context(), []any{"bob"}, &at); err != nil {
		t.Fatalf("read what Kamailio wrote: %v", err)
	}
	if off := at.Sub(before.Add(600 * time.Second)); off < -2*time.Second || off > 2*time.Second {
		t.Errorf("we read expiry %v, off by %v", at, off)
	}
}
