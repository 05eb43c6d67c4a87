package kamctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// ours runs this package.
func ours(t testing.TB, rc, in string, args ...string) (string, int) {
	t.Helper()
	home(t, rc)
	var out, errs bytes.Buffer
	code := Run(context.WithoutCancel(t.Context()), append([]string{"/usr/sbin/kamctl"}, args...), Surroundings{In: strings.NewReader(in), Out: &out, Err: &errs})
	if errs.Len() > 0 {
		t.Logf("kamctl %q says %s", args, &errs)
	}
	return out.String(), code
}

// elder runs the real one.
func elder(t testing.TB, rc, in string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("/usr/sbin/kamctl", args...)
	cmd.Env = append(os.Environ(), "HOME="+home(t, rc), "TERM=dumb")
	cmd.Stdin = strings.NewReader(in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	if errs.Len() > 0 {
		t.Logf("the elder %q says %s", args, &errs)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func home(t testing.TB, rc string) string {
	t.Helper()
	dir := filepath.Dir(rc)
	t.Setenv("HOME", dir)
	return dir
}

func needElder(t testing.TB) {
	t.Helper()
	for _, tool := range []string{"/usr/sbin/kamctl", "sqlite3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
}

// base is a database of Kamailio with a kamctlrc for it.
type base struct {
	d  *db.DB
	rc string
}

func newBase(t testing.TB, e db.Engine, more string) *base {
	t.Helper()
	u := dbtest.URL(t, e)
	d, err := db.Open(t.Context(), u, db.Create(), db.JournalMode("DELETE"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := schema.Create(t.Context(), d, db.Kamailio, "standard", "extra", "uid"); err != nil {
		t.Fatal(err)
	}
	rc := filepath.Join(t.TempDir(), ".kamctlrc")
	text := connection(t, d, u, filepath.Dir(rc)) + "SIP_DOMAIN=example.com\nALIASES_TYPE=DB\nMYQUERY='select domain from domain'\n" + more
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &base{d, rc}
}

// connection makes the users that kamctl wants and says how to connect, in
// settings and, for the mysql program, in a file of the home.
func connection(t testing.TB, d *db.DB, u, dir string) string {
	t.Helper()
	do := func(sql string) {
		if _, err := d.Writer().ExecContext(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	switch d.Engine {
	case db.MySQL:
		name, socket, _ := strings.Cut(strings.TrimPrefix(u, "mysql://root@localhost/"), "?socket=")
		t.Setenv("MYSQL_UNIX_PORT", socket)
		if err := os.WriteFile(filepath.Join(dir, ".my.cnf"), []byte("[client]\nsocket="+socket+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for user, pw := range map[string]string{"kamailio": "kamailiorw", "kamailioro": "kamailioro"} {
			do(fmt.Sprintf("CREATE USER IF NOT EXISTS '%s'@'localhost' IDENTIFIED BY '%s'", user, pw))
			do(fmt.Sprintf("GRANT ALL ON *.* TO '%s'@'localhost'", user))
		}
		return "DBENGINE=MYSQL\nDBRWPW=kamailiorw\nDBNAME=" + name + "\n"
	case db.PostgreSQL:
		name, host, _ := strings.Cut(strings.TrimPrefix(u, "postgres://postgres@localhost/"), "?host=")
		for _, user := range []string{"kamailio", "kamailioro"} {
			do(fmt.Sprintf("DO $$ BEGIN CREATE ROLE %s LOGIN SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$", user))
		}
		return "DBENGINE=PGSQL\nDBRWPW=kamailiorw\nDBHOST=" + host + "\nDBNAME=" + name + "\n"
	}
	return "DBENGINE=SQLITE\nDB_PATH=" + strings.TrimPrefix(u, "sqlite:") + "\n"
}

// changed are the tables that the commands write.
var changed = []string{
	"subscriber", "grp", "dbaliases", "usr_preferences", "domain", "uid_domain", "trusted", "address", "dispatcher", "dialplan",
	"carrier_name", "domain_name", "carrierroute", "mtree", "speed_dial", "version",
}

// dump is all that these tables hold but the times of change.
func (b *base) dump(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for _, name := range changed {
		var columns []string
		for _, c := range schema.Of(db.Kamailio).Table(name).Columns {
			if c.Name != "last_modified" {
				columns = append(columns, c.Name)
			}
		}
		where := ""
		if name == "version" {
			where = " WHERE table_name = 'mine'"
		}
		rows, err := b.d.Reader().QueryContext(t.Context(), "SELECT "+b.d.QuoteAll(columns)+" FROM "+b.d.Quote(name)+where+" ORDER BY 1, 2")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			row := make([]any, len(columns))
			for i := range row {
				row[i] = new(db.Text)
			}
			if err := rows.Scan(row...); err != nil {
				t.Fatal(err)
			}
			out.WriteString(name)
			for i, v := range row {
				fmt.Fprintf(&out, " %s=%q", columns[i], *v.(*db.Text))
			}
			out.WriteByte('\n')
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

var (
	queryLine = regexp.MustCompile(`(?m)^(sqlite_query|pgsql_query): .*(\n\t.*)*$`)
	moments   = regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d [A-Z0-9+-]+ \d{4}|\b24\d{5}\.\d+|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?`)
)

// plain takes out of an output what need not be the same: the text of the
// statement in the line that shows it, times, and the words of the help.
func plain(s string) string {
	s = moments.ReplaceAllString(queryLine.ReplaceAllString(s, "$1:"), "(time)")
	for _, mark := range []string{" -- command ", "Existing commands:"} {
		if i := strings.Index(s, mark); i >= 0 {
			s = s[:i] + "(help)"
		}
	}
	return strings.ReplaceAll(s, "\n\n(help)", "\n(help)")
}

// sorted is plain with the lines in order.
func sorted(s string) string {
	lines := strings.Split(plain(s), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// step is a command line given to both programs.
type step struct {
	args string // cut at blanks; '' quotes
	in   string // standard input
	// code is what ours exits with where the elder says 0 or cannot do it at
	// all; -1 is the elder's own.
	code int
	// better says why output and tables differ; they are not compared then.
	better string
	// shows is a command that reads: it must print the same on both databases.
	shows bool
	// only names the engines where the two can be compared.
	only db.Engine
}

const same = -1

// steps are the rows of kamctl that work on the database. Each is run by both
// programs, on two databases that must stay the same.
var steps = []step{
	{args: "add alice pw1", code: same},
	{args: "add alice pw2", code: same},
	{args: "add bob@example.org pw|2", code: same},
	{args: "add carol", code: same},
	{args: "add", code: same},
	{args: "show alice", code: same, shows: true},
	{args: "show nobody", code: same, shows: true},
	{args: "passwd alice new", code: same},
	{args: "passwd nobody new", code: same},
	{args: "sets alice password 'x y'", code: same},
	{args: "setn alice password 77", code: same},
	{args: "sets alice nocolumn x", code: 1},
	{args: "sets nobody password x", code: same},
	{args: "show alice", code: same, shows: true},

	{args: "acl grant alice local int", code: same},
	{args: "acl grant alice nogroup", code: 1},
	{args: "acl grant alice ld nogroup", code: 1},
	{args: "acl grant ghost voicemail", in: "y\n", code: 0, better: "the elder asks again before it shows what it did, and fails without an answer"},
	{args: "acl grant ghost ld", in: "n\n", code: same},
	{args: "acl show", code: same, shows: true},
	{args: "acl show alice", code: same, shows: true},
	{args: "acl show ghost", in: "Y\n", code: same, shows: true},
	{args: "acl revoke alice int", code: same},
	{args: "acl revoke ghost", code: 1, better: "the list behind it asks about a user that is none, in both; here there is no answer, so the exit is honest"},
	{args: "acl revoke", code: same},
	{args: "acl nonsense", code: same},

	{args: "alias_db add 100@example.com alice@example.com", code: same},
	{args: "alias_db add 100@example.com bob@example.org", code: 1},
	{args: "alias_db add 101@example.com bob@example.org", code: same},
	{args: "alias_db add 102 alice@example.com", code: same},
	{args: "alias_db show 100@example.com", code: same, shows: true, only: db.MySQL},
	{args: "alias_db list alice@example.com", code: same, shows: true, only: db.MySQL},
	{args: "alias_db list", in: "y\n", code: same, shows: true},
	{args: "alias_db list", in: "n\n", code: same},
	{args: "add 100 pw", code: same}, // an alias has the name
	{args: "alias_db rm 101@example.com", code: same},
	{args: "alias_db rm", code: same},
	{args: "alias_db", code: same},
	{args: "alias_db help", code: same},

	{args: "avp add alice@example.com color 0 'dark blue'", code: same},
	{args: "avp add some-uuid size 1 42", code: same},
	{args: "avp add -T usr_preferences bob@example.org lang 0 de", code: same},
	{args: "avp add alice@example.com color", code: same},
	{args: "avp list", code: same, shows: true},
	{args: "avp list -u alice@example.com -a color -v 'dark blue' -t 0", code: same, shows: true},
	{args: "avp list -u some-uuid", code: same, shows: true},
	{args: "avp rm -u bob@example.org -a lang", code: same},
	{args: "avp rm -x", code: same, better: "the elder shows the word behind the unknown one"},
	{args: "avp help", code: same},

	{args: "domain add example.com", code: same},
	{args: "domain add example.com", code: 1},
	{args: "domain add example.net", code: same},
	{args: "domain showdb", code: same, shows: true},
	{args: "domain rm example.net", code: same},
	{args: "domain rm", code: same},
	{args: "domain", code: same},
	{args: "uid_domain add example.com", code: same},
	{args: "uid_domain add example.net net 33", code: same},
	{args: "uid_domain add example.net", code: 1},
	{args: "uid_domain showdb", code: same, shows: true},
	{args: "uid_domain rm example.net", code: same},
	{args: "uid_domain nonsense", code: 1, better: "the elder calls a function that is not there"},

	{args: "trusted add 192.0.2.1 udp ^sip: gw1", code: same},
	{args: "trusted add 192.0.2.2 any", code: same},
	{args: "trusted add 192.0.2.1 udp", code: 1},
	{args: "trusted add 192.0.2.3 smoke", code: same},
	{args: "trusted show", code: same, shows: true},
	{args: "trusted rm 192.0.2.2", code: same},
	{args: "trusted rm", code: same},
	{args: "address add 1 192.0.2.0 24 5060 office", code: same},
	{args: "address add 2 192.0.2.9", code: same},
	{args: "address add 1", code: same},
	{args: "address show", code: same, shows: true},
	{args: "address rm 2 192.0.2.9", code: same},

	{args: "dispatcher add 1 sip:192.0.2.1 0 5 duid=a 'first gw'", code: same},
	{args: "dispatcher addgw 2 sip:192.0.2.2", code: same},
	{args: "dispatcher add 1", code: same},
	{args: "dispatcher show", code: same, shows: true},
	{args: "dispatcher rm 2", code: same},
	{args: "dispatcher addgw 3 sip:192.0.2.3", code: same},
	{args: "dispatcher rmgw 3", code: same},
	{args: "dispatcher show", code: same, shows: true},
	{args: "dispatcher rm", code: same},

	{args: "dialplan addrule 1 5 regexp ^0(.*)$ 0 ^0(.*)$ 49\\1 attr", code: same},
	{args: "dialplan addrule 1 6 equal 110", code: same},
	{args: "dialplan addrule 2 1 fnmatch *", code: same},
	{args: "dialplan addrule 2 1 like x", code: same},
	{args: "dialplan show", code: same, shows: true},
	{args: "dialplan show 1", code: same, shows: true},
	{args: "dialplan rmrule 1 6", code: same},
	{args: "dialplan rmdpid 2", code: same},
	{args: "dialplan show", code: same, shows: true},
	{args: "dialplan rm", code: same},

	{args: "cr addcn 1 main", code: same},
	{args: "cr addcn 1", code: same},
	{args: "cr adddn 1 internal", code: same},
	{args: "cr addcarrier 1 49 1 gw.example.com", code: same},
	{args: "cr addcarrier 1 44 1 gw.example.com 0.5 2 pre suf 3 1 comment", code: same},
	{args: "cr show", code: same, shows: true},
	{args: "cr rmcarrier 1 49 1", code: same},
	{args: "cr rmcn 1", code: same},
	{args: "cr rmdn 1", code: same},

	{args: "mtree add mtree 49 germany", code: same},
	{args: "mtree showdb mtree", code: same, shows: true},
	{args: "mtree add mtree", code: same},

	{args: "speeddial add alice@example.com 1@example.com sip:bob@example.org friend", code: same},
	{args: "speeddial add alice@example.com 2@example.com sip:carol@example.org", code: same},
	{args: "speeddial add alice@example.com 2@example.com bob", code: same},
	{args: "speeddial list alice@example.com", code: same, shows: true, only: db.MySQL},
	{args: "speeddial list", in: "y\n", code: same, shows: true, only: db.MySQL},
	{args: "speeddial show 1@example.com", code: same, shows: true, only: db.MySQL},
	{args: "speeddial rm alice@example.com 2@example.com", code: same},
	{args: "speeddial help", code: same},
	{args: "speeddial", code: same},

	{args: "rpid show", code: 1, better: "the column is gone since 5.2: neither can"},
	{args: "rpid add alice 1", code: 1, better: "likewise"},
	{args: "rpid rm nobody", code: same},

	{args: "acc showdb", code: same, shows: true},
	{args: "acc recent 60", code: 0, better: "the elder asks for a time that no column has"},
	{args: "acc initdb", code: same, only: db.MySQL},
	{args: "acc", code: same},
	{args: "dialog showdb", code: same, shows: true},

	{args: "db show domain", code: same, shows: true},
	{args: "db roexec 'select username from subscriber order by 1'", code: same, shows: true},
	{args: "db exec 'select domain from domain'", code: same, shows: true},
	{args: "db exec 'select 1; select 2'", code: same, only: db.SQLite},
	{args: "db exec", code: same},
	{args: "db run MYQUERY", code: same, shows: true},
	{args: "db rorun MYQUERY", code: same, shows: true},
	{args: "db run NOQUERY", code: same},
	{args: "db rorun", code: same},
	{args: "db show", code: same},
	{args: "db showg domain", code: same, shows: true, only: db.MySQL},
	{args: "db smatch subscriber username alice", code: same, shows: true, only: db.MySQL},
	{args: "db nmatch address grp 1", code: same, shows: true, only: db.MySQL},
	{args: "db version add mine 3", code: same},
	{args: "db version set mine 4", code: same},
	{args: "db version update mine 5", code: same},
	{args: "db version drop mine 5", code: same},
	{args: "db nonsense", code: same},

	{args: "lcr show_gws", code: same},
	{args: "lcr show_routes", code: same},
	{args: "lcr reload", code: same},
	{args: "lcr dump_gws", code: same},
	{args: "lcr dump_routes", code: same},
	{args: "lcr eval_weights", code: same},
	{args: "lcr", code: same},
	{args: "mtree rm mtree 49", code: 0, better: "the elder can never do it"},
	{args: "version", code: same},
	{args: "nonsense", code: same},
	{args: "", code: same},
}

// words cuts a command line at blanks outside of ”.
func words(s string) []string {
	var out []string
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// everywhere are the commands compared on the servers too: users, groups,
// aliases, domains.
var everywhere = map[string]bool{"add": true, "show": true, "passwd": true, "acl": true, "alias_db": true, "domain": true}

// on tells whether a step is for an engine. Usage alone is the same on all.
func (s step) on(e db.Engine) bool {
	args := words(s.args)
	switch {
	case s.only != "":
		return s.only == e
	case e == db.SQLite:
		return true
	}
	return len(args) > 1 && everywhere[args[0]] && (s.shows || len(args) > 2)
}

// TestElder gives every command of steps to the real kamctl and to ours, each
// on its own database, and compares output, exit code and what the tables hold
// then. What shows something is also run on the other's database.
func TestElder(t *testing.T) {
	needElder(t)
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			theirs, mine := newBase(t, e, ""), newBase(t, e, "")
			for _, s := range steps {
				if !s.on(e) {
					continue
				}
				compare(t, s, theirs, mine)
			}
		})
	}
}

func compare(t *testing.T, s step, theirs, mine *base) {
	t.Helper()
	args := words(s.args)
	plain := plain
	if theirs.d.Engine != db.SQLite { // no order is asked for, and each server has its own
		plain = sorted
	}
	if s.shows {
		// What one wrote, the other reads: both programs on both databases.
		for _, b := range []*base{theirs, mine} {
			want, wantCode := elder(t, b.rc, s.in, args...)
			got, code := ours(t, b.rc, s.in, args...)
			if plain(got) != plain(want) || code != wantCode {
				t.Errorf("kamctl %s prints, exit %d\n%s\nthe elder prints, exit %d\n%s", s.args, code, plain(got), wantCode, plain(want))
			}
		}
		return
	}
	want, wantCode := elder(t, theirs.rc, s.in, args...)
	got, code := ours(t, mine.rc, s.in, args...)
	if s.code != same {
		wantCode = s.code
	}
	if code != wantCode {
		t.Errorf("kamctl %s: exit %d, want %d", s.args, code, wantCode)
	}
	if s.better != "" {
		ours(t, theirs.rc, s.in, args...) // so that both go on from the same
		return
	}
	if plain(got) != plain(want) {
		t.Errorf("kamctl %s prints\n%s\nthe elder prints\n%s", s.args, plain(got), plain(want))
	}
	if got, want := mine.dump(t), theirs.dump(t); got != want {
		t.Errorf("after kamctl %s the tables hold\n%s\nafter the elder\n%s", s.args, got, want)
	}
}
