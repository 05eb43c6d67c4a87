package serctl

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
	"sipd/db/dbtest"
	"sipd/schema"
)

func TestMain(m *testing.M) {
	usualConfig = "/nonexistent/serctl.conf"
	dbtest.Main(m)
}

// bench is a database with a way to run commands on it.
type bench struct {
	t *testing.T
	d *db.DB
}

func newBench(t *testing.T, e db.Engine) *bench {
	t.Helper()
	u := dbtest.URL(t, e)
	d, err := db.Open(t.Context(), u, db.Create())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := schema.Create(t.Context(), d, db.SER); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SERCTL_DB", u)
	t.Setenv("SERCTL_SER", "unix:"+filepath.Join(t.TempDir(), "none"))
	return &bench{t, d}
}

// run runs a command line, cut at blanks outside of ”.
func (b *bench) run(line, in string) (out, errs string, code int) {
	b.t.Helper()
	var args []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		args = append(args, strings.Fields(part)...)
	}
	var o, e bytes.Buffer
	code = Run(context.WithoutCancel(b.t.Context()), args, Surroundings{In: strings.NewReader(in), Out: &o, Err: &e})
	return o.String(), e.String(), code
}

var moment = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)

// TestCommands: each line of the script is a command; what it must print
// follows, indented; "!" before it means that it fails and prints that on
// standard error.
func TestCommands(t *testing.T) {
	script, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			b := newBench(t, e)
			n := 0
			for _, block := range strings.Split("\n"+string(script), "\n$ ")[1:] {
				n++
				line, rest, _ := strings.Cut(block, "\n")
				var want []string
				for l := range strings.Lines(rest) {
					if text, ok := strings.CutPrefix(l, "    "); ok {
						want = append(want, text)
					}
				}
				line, fails := strings.CutPrefix(line, "! ")
				line, in, _ := strings.Cut(line, " < ")
				out, errs, code := b.run(line, strings.ReplaceAll(in, `\n`, "\n"))
				got := out
				if fails {
					got = errs
				}
				got = moment.ReplaceAllString(got, "(time)")
				// Without an order of its own a table's rows come as the engine likes.
				if sorted(got) != sorted(strings.Join(want, "")) || (code != 0) != fails {
					t.Errorf("$ %s: exit %d\n%s%s\nwant\n%s", line, code, got, errs, strings.Join(want, ""))
				}
			}
			if n < 100 {
				t.Errorf("only %d commands were found", n)
			}
		})
	}
}

func sorted(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestOneTransaction: when a part of a command fails, nothing of it is stored.
func TestOneTransaction(t *testing.T) {
	b := newBench(t, db.SQLite)
	for _, line := range []string{"ser_domain add d1 example.com", "ser_ctl user add alice@example.com -p x"} {
		if _, errs, code := b.run(line, ""); code != 0 {
			t.Fatal(errs)
		}
	}
	for _, line := range []string{
		"ser_ctl user add bob@example.com -p x carol@example.com alice@example.com", "ser_user add u1 u2 alice@example.com",
		"ser_ctl alias add alice@example.com 1@example.com 2@example.net", "ser_attr add uid=alice@example.com lang=cs nosuch=1",
		"ser_domain add d2 a.example.com b.example.com example.com", "ser_uri add alice@example.com x@example.com alice@example.com",
		"ser_ctl domain add new.example.com example.com",
	} {
		before := b.dump()
		if out, _, code := b.run(line, ""); code != 1 || b.dump() != before {
			t.Errorf("%s: exit %d, %s; it left\n%s\nthere was\n%s", line, code, out, b.dump(), before)
		}
	}
}

func (b *bench) dump() string {
	b.t.Helper()
	var all strings.Builder
	for _, table := range []string{"user_attrs", "uri", "credentials", "domain", "domain_attrs"} {
		rows, err := db.All(db.Rows(b.t.Context(), b.d, scanTexts(3), "SELECT * FROM (SELECT '"+table+"' AS t, count(*) AS n, sum(flags) AS f FROM "+table+") AS x"))
		if err != nil {
			b.t.Fatal(err)
		}
		for _, r := range rows {
			all.WriteString(strings.Join(r, " ") + "\n")
		}
	}
	return all.String()
}

// TestVersions: servers are told by the global attributes that they look at.
func TestVersions(t *testing.T) {
	b := newBench(t, db.SQLite)
	value := func(name string) string {
		out, _, _ := b.run("ser_db show global_attrs name="+name+" -C value", "")
		return strings.TrimSpace(out)
	}
	domains, attrs := value("domain_data_version"), value("gattr_timestamp")
	b.run("ser_user add u1", "")
	if value("domain_data_version") != domains || value("gattr_timestamp") != attrs {
		t.Error("a user changes a version")
	}
	b.run("ser_domain add d1 example.com", "")
	if value("domain_data_version") == domains || value("gattr_timestamp") != attrs {
		t.Error("a domain does not change its version alone")
	}
	b.run("ser_attr add global lang=cs", "")
	if value("gattr_timestamp") == attrs {
		t.Error("a global attribute does not change its version")
	}
}

// TestQuoting: any text is data.
func TestQuoting(t *testing.T) {
	b := newBench(t, db.SQLite)
	b.run("ser_domain add d1 example.com", "")
	for _, pw := range []string{`it's`, `a\nb$c`, `"); drop table uri; --`, "Jürgen €", "%s%n"} {
		var e bytes.Buffer
		code := Run(t.Context(), []string{"ser_ctl", "user", "add", "u@example.com", "-p", pw}, Surroundings{Out: &e, Err: &e})
		if code != 0 {
			t.Errorf("%q: %s", pw, &e)
		}
		out, _, _ := b.run("ser_cred show -C ha1,password", "")
		if want := db.HA1("u", "example.com", pw) + " " + pw + "\n"; out != want {
			t.Errorf("%q is stored as %q, want %q", pw, out, want)
		}
		b.run("ser_ctl user rm u@example.com", "")
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		spec      string
		old, want int64
		bad       bool
	}{
		{"+d", 33, 35, false},
		{"-d", 35, 33, false},
		{"cs-t", 8, 5, false},
		{"dt", 0, 10, false},
		{"57", 33, 57, false},
		{"0x21", 5, 33, false},
		{"=cs", 57, 5, false},
		{"=", 57, 0, false},
		{"+z", 0, 0, true},
		{"-1", 0, 0, true},
		{"", 7, 7, false},
	} {
		m, err := parseFlags(tt.spec, true)
		if (err != nil) != tt.bad || err == nil && m.on(tt.old) != tt.want {
			t.Errorf("flags %q on %d: %d, %v; want %d", tt.spec, tt.old, m.on(tt.old), err, tt.want)
		}
	}
	for form, want := range map[string]string{"raw": "39", "sym": "--------w--cds", "hex": "0x27", "oct": "047", "dec": "39"} {
		if got := spellFlags(form, "39"); got != want {
			t.Errorf("39 as %s is %q, want %q", form, got, want)
		}
	}
}

// TestWords: the elder's abbreviations.
func TestWords(t *testing.T) {
	for command, list := range map[string]string{
		"add": "add ad a", "alias": "alias alia ali al", "attrs": "attributes attribs attrib attrs attr at", "canonical": "canonical cano can ca c",
		"change": "change chang cha ch C", "disable": "disable dis di d", "domain": "domain dom do", "enable": "enable en e", "flush": "flush f",
		"help": "help h", "kill": "kill k", "list_tls": "list_tls list_t tls tl t", "load": "load loa ld", "methods": "list_methods list_m lm methods me m",
		"password": "password passw pa pwd pw", "ps": "ps", "publish": "publish pub", "purge": "purge pu p", "reload": "reload re", "rm": "rm r",
		"set": "set se", "show": "show sho sh s list lis li l ls", "stat": "status stat sta st", "update": "update up upd", "uptime": "uptime upt",
		"user": "user us u", "usrloc": "usrloc usrl usr uloc ul loc", "version": "version ver ve v",
	} {
		for _, w := range strings.Fields(list) {
			if words()[w] != command {
				t.Errorf("%s means %q, want %s", w, words()[w], command)
			}
		}
	}
	for _, w := range []string{"x", "addd", "list_", "o", ""} {
		if words()[w] != "" {
			t.Errorf("%q means %s", w, words()[w])
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"ser_user": true, "SER-Ctl": true, "ser_rpc": true, "serctl": false, "ser_": false, "user": false, "ser_nothing": false} {
		if Is(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestOptions(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "serctl.conf")
	text := "# -*- x -*-\nREC_SEP = '\\t'\nAS_TABLE = True\nLIMIT = 5\nSSL_KEY = None\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o, rest, err := readOptions([]string{"-c", conf, "show", "-fR:", "--line-sep=;", "x", "--as-t", "-l2", "--", "-y"})
	if err != nil || strings.Join(rest, " ") != "show x -y" {
		t.Fatalf("%v, %v", rest, err)
	}
	for key, want := range map[string]string{"FORCE": yes, "REC_SEP": ":", "LINE_SEP": ";", "AS_TABLE": yes, "LIMIT": "2", "ID_TYPE": "uri"} {
		if got := o.text(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if o.has("SSL_KEY") || o.has("PASSWORD") {
		t.Error("what nobody set is set")
	}
	for _, tt := range []struct{ args, want string }{
		{"-x", "option -x not recognized: GetoptError"},
		{"--nothing", "option --nothing not recognized"},
		{"--d", "option --d not a unique prefix"},
		{"-b", "option -b requires argument"},
		{"--limit", "option --limit requires argument"},
		{"--raw=1", "option --raw must not have an argument"},
		{"-c /nonexistent", "/nonexistent: No such file or directory"},
	} {
		if _, _, err := readOptions(strings.Fields(tt.args)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.args, err, tt.want)
		}
	}
	for text, want := range map[string]string{
		"NOTHING = 1": ":1: NOTHING: Invalid config file parameter", "\nDEBUG = 'x'": ":2: DEBUG is a switch", "LIMIT = True": ":1: LIMIT wants a text",
		"import os": ":1: import: this file is not run", "DB_URI = os.environ['X']": ":1: os: functions",
	} {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readConfig(conf); err == nil || !strings.HasPrefix(err.Error(), conf+want) {
			t.Errorf("%q: %v, want %s%s", text, err, conf, want)
		}
	}
}

// TestPassword: asked for twice, on standard error.
func TestPassword(t *testing.T) {
	b := newBench(t, db.SQLite)
	b.run("ser_domain add d1 example.com", "")
	if _, errs, code := b.run("ser_ctl user add u@example.com", "pw\npw\n"); code != 0 || errs != "Please, enter password for the new subscriber.\nPassword: Retype: " {
		t.Errorf("exit %d, %q", code, errs)
	}
	if _, errs, code := b.run("ser_ctl password u@example.com", "pw\nother\n"); code != 1 || !strings.HasSuffix(errs, "ser_ctl: Password does not match\n") {
		t.Errorf("exit %d, %q", code, errs)
	}
	if _, errs, code := b.run("ser_ctl password u@example.com", ""); code != 1 || !strings.Contains(errs, "the password is empty") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// TestIDs: the ways of making ids.
func TestIDs(t *testing.T) {
	b := newBench(t, db.SQLite)
	b.run("ser_domain add d1 example.com", "")
	uuid := `^[0-9a-f]{8}-[0-9a-f]{4}-%[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	for _, tt := range []struct{ spec, want string }{
		{"uri", `^u0@example\.com$`},
		{"0", `^u1@example\.com$`},
		{"int", "^1$"},
		{"2", "^1$"},
		{"uuid", strings.Replace(uuid, "%", "1", 1)},
		{"uuid3", strings.Replace(uuid, "%", "3", 1)},
		{"u4", strings.Replace(uuid, "%", "4", 1)},
		{"5", strings.Replace(uuid, "%", "5", 1)},
		{"1", strings.Replace(uuid, "%", "1", 1)},
	} {
		user := "u0@example.com"
		if tt.spec == "0" {
			user = "u1@example.com"
		}
		b.run("ser_ctl user rm "+user, "")
		_, errs, code := b.run("ser_ctl user add "+user+" -p x -I "+tt.spec, "")
		out, _, _ := b.run("ser_uri show "+user+" -C uid", "")
		if !regexp.MustCompile(tt.want).MatchString(strings.TrimSpace(out)) || code != 0 {
			t.Errorf("-I %s makes %q, %s; want %s", tt.spec, out, errs, tt.want)
		}
		b.run("ser_ctl user rm "+user, "")
	}
	if _, errs, code := b.run("ser_ctl user add x@example.com -p x -I what", ""); code != 1 || errs != "ser_ctl: what: Unknown identifier type\n" {
		t.Errorf("exit %d, %q", code, errs)
	}
}
