package ctl

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sipd/ctl/shell"
	"sipd/rpc"
)

// kamcli are the commands of kamcli 3.0: its groups with their verbs, "" for one
// without.
var kamcli = map[string]string{
	"subscriber": "add rm passwd show setattrs setattri setattrnull",
	"group":      "grant revoke show",
	"aliasdb":    "add rm show",
	"avp":        "db-add db-rm db-show",
	"domain":     "add rm showdb list reload",
	"address":    "add rm showdb list reload",
	"dispatcher": "add rm showdb list reload memadd memrm",
	"dialplan":   "add rm showdb list reload translate",
	"speeddial":  "add rm show",
	"uacreg":     "add passwd showdb list reload",
	"mtree":      "db-add db-rm db-show list reload",
	"htable":     "db-add db-rm db-show list get sets seti setex setxs setxi rm flush reload store list-tables stats",
	"pipelimit":  "db-add db-rm db-show list stats set-pipe reset-pipe",
	"ul":         "show add rm showdb",
	"acc":        "acc-struct-update acc-struct-reset mc-struct-update mc-struct-reset tables-struct-update cdrs-table-create cdrs-proc-create cdrs-generate cdrs-list rates-add rates-rm rates-table-create rates-proc-create rates-generate list mc-list report method-stats",
	"dialog":     "showdb list match terminate stats_active profile_list",
	"dlgs":       "list briefing get getall",
	"rtpengine":  "showdb show reload",
	"tls":        "showdb cfgprint cfgoptions cfgreload conlist info sqlprint gen-certs",
	"apiban":     "show load check",
	"db":         "query connect clirun clishow clishowg show showcreate runfile create create-dbonly drop create-tables-basic create-tables-standard create-tables-extra create-tables-presence create-tables-uid create-tables-group create-table-like grant revoke version-set version-get",
	"srv":        "sockets aliases rpclist rpchelp info modules version ppdefines shm debug runinfo rundetails",
	"ps":         "",
	"stats":      "",
	"moni":       "",
	"uptime":     "",
	"shm":        "stats info",
	"pkg":        "stats info",
	"tcp":        "options list info",
	"pike":       "list",
	"shv":        "get sets seti",
	"rpcmethods": "",
	"jsonrpc":    "",
	"ping":       "",
	"sipreq":     "",
	"shell":      "",
	"trap":       "",
	"pstrap":     "",
	"config":     "show raw paths cmdaliases install",
}

var (
	tableRow  = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (`.+`) \\|$")
	backticks = regexp.MustCompile("`([^`]+)`")
)

// TestKamcli: docs/compatibility.md has a row for every command of kamcli, and
// the commands of sipctl in it do something: each runs, those that would change
// something with --dry-run, on a database and beside a server that knows every
// method.
func TestKamcli(t *testing.T) {
	text, err := os.ReadFile("../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## kamcli\n")
	if !found {
		t.Fatal("docs/compatibility.md has no section kamcli")
	}
	rows := make(map[string][]string)
	for _, m := range tableRow.FindAllStringSubmatch(section, -1) {
		for _, c := range backticks.FindAllStringSubmatch(m[2], -1) {
			rows[m[1]] = append(rows[m[1]], strings.ReplaceAll(c[1], `\|`, "|"))
		}
	}
	k := newKamcliSite(t)
	for group, verbs := range kamcli {
		for _, v := range strings.Split(verbs, " ") {
			name := strings.TrimSpace(group + " " + v)
			ours := rows[name]
			delete(rows, name)
			if ours == nil {
				t.Errorf("docs/compatibility.md does not say what stands for kamcli's %q", name)
			}
			for _, line := range ours {
				k.run(t, name, line)
			}
		}
	}
	for name := range rows {
		t.Errorf("docs/compatibility.md speaks of kamcli's %q, which there is not", name)
	}
}

// kamcliSite is a server and a database with something in them.
type kamcliSite struct{ dir, server string }

func newKamcliSite(t *testing.T) *kamcliSite {
	t.Helper()
	k := &kamcliSite{dir: t.TempDir()}
	t.Setenv("XDG_CONFIG_HOME", k.dir)
	t.Setenv("SIPCTL_DB", "sqlite:"+filepath.Join(k.dir, "sip.db"))
	contact := rpc.Struct{rpc.M("AoR", rpc.String("alice")), rpc.M("Contacts", rpc.Struct{})}
	k.server, _ = daemon(t, map[string][]rpc.Value{
		"stats.get_statistics": {rpc.String("core:rcv_requests = 12")}, "ul.lookup": {contact}, "ul.dump": {},
	})
	for name, text := range map[string]string{"FILE": "s3cret\n", "SQL": "SELECT 1;\n", "BANNED": "192.0.2.66\n"} {
		if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		"db create --group standard,extra,presence", "domain add example.com", "domain add example.org",
		"user add alice@example.com --no-password", "alias add alice@example.com 100@example.com", "acl grant alice@example.com int",
		"avp add alice@example.com lang en 0", "address add 1 198.51.100.0/24", "dispatcher add 1 sip:198.51.100.1",
		"dialplan add 7 1 equal 110", "speeddial add alice@example.com 12@example.com sip:bob@example.com",
		"uacreg add trunk1 100 example.com 4930 provider.example --auth-username x --auth-password y --auth-proxy sip:p --expires 60",
		"mtree add 44 uk", "htable add k9 v", "pipelimit add registers TAILDROP 5", "acc extend",
		"db create --only cdrs,billing_rates,tlscfg", "acc rates add default 49 10 60", "tls profile add server default",
		"db exec 'ALTER TABLE subscriber ADD COLUMN vip INT' 'ALTER TABLE subscriber ADD COLUMN email_address VARCHAR(64)'",
	} {
		if code, out := k.sipctl(t, line); code != 0 {
			t.Fatalf("sipctl %s: %s", line, out)
		}
	}
	return k
}

func (k *kamcliSite) sipctl(t *testing.T, line string, more ...string) (int, string) {
	t.Helper()
	words, err := shell.Split(line)
	if err != nil {
		t.Fatal(err)
	}
	args := more
	for _, w := range words {
		switch w.Text {
		case "FILE", "SQL", "BANNED":
			w.Text = filepath.Join(k.dir, w.Text)
		}
		args = append(args, w.Text)
	}
	var out bytes.Buffer
	code := Run(t.Context(), args, strings.NewReader(""), &out, &out)
	return code, out.String()
}

func (k *kamcliSite) run(t *testing.T, theirs, line string) {
	t.Helper()
	if strings.HasPrefix(line, "tls certificate") {
		line += " --dir " + k.dir
	}
	code, out := k.sipctl(t, line, "--dry-run", "-s", k.server)
	if strings.Contains(out, "a SQLite file has no users") { // TestGrant has servers that have
		return
	}
	if code != ExitDone {
		t.Errorf("for kamcli's %q: sipctl %s exits with %d: %s", theirs, line, code, out)
	}
}
