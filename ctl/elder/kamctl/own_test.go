package kamctl

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

// TestOnServers: what the elder cannot do on each engine, or at all.
func TestEverywhere(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			b := newBase(t, e, "RPCFIFOPATH=/nonexistent\n")
			do := func(sql string, args ...any) {
				t.Helper()
				if _, err := b.d.Writer().ExecContext(t.Context(), b.d.Rebind(sql), args...); err != nil {
					t.Fatal(err)
				}
			}
			run := func(want string, args ...string) {
				t.Helper()
				if out, code := ours(t, b.rc, "y\n", args...); code != 0 || !strings.Contains(out, want) {
					t.Errorf("kamctl %q: exit %d\n%s\nwant %q", args, code, out, want)
				}
			}
			run("ok - acc db init", "acc", "initdb")
			run("ok - acc db init", "acc", "initdb") // nothing is missing now
			call := "INSERT INTO acc (method, from_tag, to_tag, callid, sip_code, sip_reason, time) VALUES ('INVITE', 'a', 'b', ?, '200', 'OK', ?)"
			do(call, "new-call", b.d.Time(time.Now().Add(-time.Minute), time.Local))
			do(call, "old-call", b.d.Time(time.Now().Add(-time.Hour), time.Local))
			run("new-call", "acc", "recent")
			if out, _ := ours(t, b.rc, "", "acc", "recent", "120"); strings.Contains(out, "old-call") {
				t.Errorf("acc recent shows what is old:\n%s", out)
			}
			run("old-call", "acc", "recent", "7200")

			contact := "INSERT INTO location (ruid, username, contact, expires) VALUES (?, ?, 'sip:x@192.0.2.1', ?)"
			do(contact, "1", "gone", b.d.Time(time.Now().Add(-3*time.Hour), time.Local))
			do(contact, "2", "late", b.d.Time(time.Now().Add(-time.Minute), time.Local))
			do(contact, "3", "here", b.d.Time(time.Now().Add(time.Hour), time.Local))
			do(contact, "4", "ever", b.d.Time(time.Unix(0, 0), time.Local))
			run("", "ul", "dbclean")
			if out, _ := ours(t, b.rc, "", "db", "roexec", "select username from location order by username"); strings.Contains(out, "gone") ||
				!strings.Contains(out, "late") || !strings.Contains(out, "here") || !strings.Contains(out, "ever") {
				t.Errorf("ul dbclean leaves\n%s", out)
			}
			run("", "ul", "dbclean", "1")
			if out, _ := ours(t, b.rc, "", "db", "roexec", "select username from location order by username"); strings.Contains(out, "late") || !strings.Contains(out, "ever") {
				t.Errorf("ul dbclean 1 leaves\n%s", out)
			}
			run("added", "add", "alice", "pw")
			run("", "alias_db", "add", "100@example.com", "alice@example.com")
			run("alice@example.com", "alias_db", "show", "100@example.com")
			run("100@example.com", "alias_db", "list", "alice@example.com")
			run("ok", "speeddial", "add", "alice@example.com", "1@example.com", "sip:bob@example.org", "friend")
			run("1@example.com", "speeddial", "list")
			run("username: alice", "db", "smatch", "subscriber", "username", "alice")
			run("table_version: 7", "db", "smatch", "version", "table_name", "subscriber")
			run("* 1. row *", "db", "nmatch", "version", "table_version", "7")
			run("domain: example.com", "db", "showg", "subscriber")
			for name, args := range map[string][]string{
				"too long": {"add", strings.Repeat("x", 70), "pw"}, "no column": {"sets", "alice", "nothing", "x"}, "no number": {"setn", "alice", "password", "x"},
				"bad type": {"address", "add", "one", "192.0.2.1"}, "no table": {"db", "show", "nothing"}, "two @": {"add", "a@b@c", "pw"},
			} {
				before := b.dump(t)
				if out, code := ours(t, b.rc, "", args...); code == 0 || b.dump(t) != before {
					t.Errorf("%s: exit 0 or something was written\n%s", name, out)
				}
			}
		})
	}
}

// TestPasswords: any password is stored as given, hashed right, and shown
// nowhere by the way.
func TestPasswords(t *testing.T) {
	b := newBase(t, db.SQLite, "")
	for i, pw := range []string{"it's", `a\nb$c`, "x'); update subscriber set password='owned'; --", "p w", "Jürgen €", "%s"} {
		user := fmt.Sprintf("u%d", i)
		out, code := ours(t, b.rc, "", "add", user, pw)
		if code != 0 || strings.Contains(out, pw) || strings.Contains(out, db.HA1(user, "example.com", pw)) {
			t.Errorf("add with %q: exit %d\n%s", pw, code, out)
		}
		var plain, ha1 string
		if err := b.d.Reader().QueryRow("SELECT password, ha1 FROM subscriber WHERE username = ?", user).Scan(&plain, &ha1); err != nil || plain != pw || ha1 != db.HA1(user, "example.com", pw) {
			t.Errorf("%q is stored as %q, %s, %v", pw, plain, ha1, err)
		}
	}
	t.Setenv("STORE_PLAINTEXT_PW", "0")
	ours(t, b.rc, "", "passwd", "u0", "secret")
	var plain string
	if err := b.d.Reader().QueryRow("SELECT password FROM subscriber WHERE username = 'u0'").Scan(&plain); err != nil || plain != "" {
		t.Errorf("with STORE_PLAINTEXT_PW=0 the column holds %q, %v", plain, err)
	}
	if out, code := ours(t, b.rc, "", "add", strings.Repeat("y", 70), "s3cret"); code != 1 || strings.Contains(out, "s3cret") {
		t.Errorf("a failure shows the password: %s", out)
	}
}

// TestOldExits: the elder's exit codes come back where they are wanted.
func TestOldExits(t *testing.T) {
	b := newBase(t, db.SQLite, "")
	ours(t, b.rc, "", "domain", "add", "example.com")
	for _, args := range []string{"domain add example.com", "acl grant nobody nogroup", "sets nobody x y"} {
		_, code := ours(t, b.rc, "y\n", strings.Fields(args)...)
		t.Setenv(OldVariable, Old)
		_, old := ours(t, b.rc, "y\n", strings.Fields(args)...)
		t.Setenv(OldVariable, "")
		want := 0
		if strings.HasPrefix(args, "sets") { // the elder says this itself
			want = 1
		}
		if code != 1 || old != want {
			t.Errorf("kamctl %s exits with %d, with the old codes %d", args, code, old)
		}
	}
}

// TestRPID compares on the tables of Kamailio before 5.2, which have the column.
func TestRPID(t *testing.T) {
	needElder(t)
	theirs, mine := newBase(t, db.SQLite, ""), newBase(t, db.SQLite, "")
	for _, b := range []*base{theirs, mine} {
		if _, err := b.d.Writer().Exec("ALTER TABLE subscriber ADD COLUMN rpid VARCHAR(128) DEFAULT NULL"); err != nil {
			t.Fatal(err)
		}
		ours(t, b.rc, "", "add", "alice", "pw")
	}
	for _, s := range []step{
		{args: "rpid add alice sip:1@example.com", code: same},
		{args: "rpid show alice", code: same, shows: true},
		{args: "rpid show", code: same, shows: true},
		{args: "rpid rm alice", code: same},
		{args: "rpid show", code: same, shows: true},
		{args: "rpid add alice", code: same},
		{args: "rpid nonsense", code: same},
		{args: "rpid", code: same},
	} {
		compare(t, s, theirs, mine)
	}
}

// TestFIFO: the pipe of Kamailio 3.
func TestFIFO(t *testing.T) {
	b := newBase(t, db.SQLite, "")
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // so that it does not end between two calls
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	t.Setenv("OSER_FIFO", path)
	for reply, want := range map[string]int{"200 OK\nwhich\nps\n": 0, "500 command 'x' not available\n": 1} {
		got := make(chan string, 1)
		go func() {
			buf := make([]byte, 4096)
			n, _ := pipe.Read(buf)
			_, name, _ := strings.Cut(strings.TrimPrefix(string(buf[:n]), ":"), ":")
			name, _, _ = strings.Cut(name, ":")
			name, _, _ = strings.Cut(name, "\n")
			got <- string(buf[:n])
			if w, err := os.OpenFile("/tmp/"+name, os.O_WRONLY, 0); err == nil {
				_, _ = w.WriteString(reply)
				_ = w.Close()
			}
		}()
		out, code := ours(t, b.rc, "", "fifo", "get_statistics", "all")
		request := <-got
		if code != want || !strings.HasPrefix(request, ":get_statistics:") || !strings.Contains(request, "\nall\n") || out == "" {
			t.Errorf("exit %d, request %q, output %q", code, request, out)
		}
	}
}

func TestRPCPrint(t *testing.T) {
	b := newBase(t, db.SQLite, "")
	out, code := ours(t, b.rc, "", "rpcprint", "core.prints", "a", "5", "s:6", "i:7", "x y", `q"uote`, "+49")
	_, text, _ := strings.Cut(out, "{")
	var request struct {
		Method string
		Params []any
	}
	if err := json.Unmarshal([]byte("{"+text), &request); err != nil || code != 0 || !strings.HasPrefix(out, "** INFO: The command is:") {
		t.Fatalf("exit %d, %v\n%s", code, err, out)
	}
	if got := fmt.Sprintf("%s %#v", request.Method, request.Params); got != `core.prints []interface {}{"a", 5, "6", 7, "x y", "q\"uote", "+49"}` {
		t.Errorf("the request is %s", got)
	}
	if out, code := ours(t, b.rc, "", "rpcprint", "core.printi", "i:x"); code != 1 {
		t.Errorf("i:x is taken for a number: %s", out)
	}
}

// TestProcess: start, stop and restart of what KAMBIN names.
func TestProcess(t *testing.T) {
	dir := t.TempDir()
	daemon := filepath.Join(dir, "daemon")
	// It goes into the background as a daemon does, and takes its pid file along.
	const script = `#!/bin/sh
pid=$2
(trap 'rm -f "$pid"; exit 0' TERM; sh -c 'echo $PPID' >"$pid"; while :; do sleep 0.05; done) >/dev/null 2>&1 </dev/null &
`
	if err := os.WriteFile(daemon, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	pid := filepath.Join(dir, "pid")
	b := newBase(t, db.SQLite, "KAMBIN="+daemon+"\nPID_FILE="+pid+"\nETCDIR="+dir+"\n")
	t.Cleanup(func() { ours(t, b.rc, "", "stop") })
	for _, tt := range []struct {
		args, want string
		code       int
	}{
		{"stop", "No PID file found", 1},
		{"start", "started (pid: ", 0},
		{"start", "Kamailio already running?", 1},
		{"restart", "started (pid: ", 0},
		{"stop", "** INFO: stopped", 0},
	} {
		if out, code := ours(t, b.rc, "", tt.args); code != tt.code || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit %d\n%s\nwant %d, %q", tt.args, code, out, tt.code, tt.want)
		}
	}
	t.Setenv("KAMBIN", "")
	b = newBase(t, db.SQLite, "KAMBIN="+dir+"/none\nPID_FILE="+dir+"/none.pid\n")
	if out, code := ours(t, b.rc, "", "start"); code != 1 || !strings.Contains(out, "Kamailio binaries not found at "+dir+"/none") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestExtension: a site's own commands are named, not run.
func TestExtension(t *testing.T) {
	dir := t.TempDir()
	b := newBase(t, db.SQLite, "ETCDIR="+dir+"\n")
	if err := os.WriteFile(dir+"/kamctl.hello.ext", []byte("cmd_hello() { touch "+dir+"/ran; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := ours(t, b.rc, "", "hello"); code != 1 || !strings.Contains(out, "kamctl.hello.ext is a shell script, which is not run here") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if _, err := os.Stat(dir + "/ran"); err == nil {
		t.Error("it was run")
	}
}

// TestTLS makes certificates: one of its own, a CA, and one of a user.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	b := newBase(t, db.SQLite, "")
	t.Chdir(dir)
	if out, code := ours(t, b.rc, "", "tls", "gen-certs", "sip.example.com"); code != 0 || !strings.Contains(out, "Generating self signed certificates") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	pair, err := tls.LoadX509KeyPair("kamailio-selfsigned.pem", "kamailio-selfsigned.key")
	if err != nil || pair.Leaf.Subject.CommonName != "sip.example.com" || pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore).Round(24*time.Hour) != 365*24*time.Hour {
		t.Errorf("the pair is %+v, %v", pair.Leaf, err)
	}
	if st, err := os.Stat("kamailio-selfsigned.key"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", st, err)
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	const name = "[req]\nprompt=no\ndistinguished_name=dn\nencrypt_key=no\ndefault_bits=2048\n[dn]\nCN=%s\n"
	for file, text := range map[string]string{
		"ca.conf":    fmt.Sprintf(name, "Test CA") + "",
		"alice.conf": fmt.Sprintf(name, "alice"),
		"request.conf": "[ca]\ndefault_ca=d\n[d]\ndatabase=" + dir + "/rootCA/index.txt\nserial=" + dir + "/rootCA/serial\nnew_certs_dir=" + dir + "/rootCA/certs\n" +
			"certificate=" + dir + "/rootCA/cacert.pem\nprivate_key=" + dir + "/rootCA/private/cakey.pem\ndefault_md=sha256\ndefault_days=10\npolicy=p\n[p]\ncommonName=supplied\n",
	} {
		if file == "ca.conf" {
			text = strings.Replace(text, "[req]\n", "[req]\ndefault_keyfile=private/cakey.pem\n", 1)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, code := ours(t, b.rc, "", "tls", "rootCA", dir); code != 0 || !strings.Contains(out, "DONE") {
		t.Fatalf("rootCA: exit %d\n%s", code, out)
	}
	if out, code := ours(t, b.rc, "n\n", "tls", "rootCA", dir); code != 1 || !strings.Contains(out, "exists! Remove it (y/n)?") {
		t.Errorf("rootCA again: exit %d\n%s", code, out)
	}
	if out, code := ours(t, b.rc, "y\ny\n", "tls", "userCERT", "alice", dir); code != 0 || !strings.Contains(out, "Certificate is locate at "+dir+"/alice/alice-cert.pem") {
		t.Errorf("userCERT: exit %d\n%s", code, out)
	}
	if out, code := ours(t, b.rc, "", "tls", "userCERT", "bob", dir); code != 1 || !strings.Contains(out, "User config file "+dir+"/bob.conf not found") {
		t.Errorf("userCERT of nobody: exit %d\n%s", code, out)
	}
}

// TestConnect starts the engine's own program.
func TestConnect(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/client", []byte("#!/bin/sh\necho \"args: $*\"\necho \"secret: $MYSQL_PWD$PGPASSWORD\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for engine, want := range map[string]string{
		"MYSQL": "args: -P 3307 -h db -u kamailio kam\nsecret: s3cret\n", "PGSQL": "args: -p 3307 -h db -U kamailio kam\nsecret: s3cret\n", "SQLITE": "args: /k.db\nsecret: \n",
	} {
		rc := filepath.Join(t.TempDir(), ".kamctlrc")
		text := "DBENGINE=" + engine + "\nDBHOST=db\nDBPORT=3307\nDBNAME=kam\nDBRWPW=s3cret\nDB_PATH=/k.db\nMYSQL=" + dir + "/client\nPGSQL=" + dir + "/client\nSQLITE=" + dir + "/client\n"
		if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := ours(t, rc, "", "db", "connect"); code != 0 || out != want {
			t.Errorf("%s: exit %d, %q, want %q", engine, code, out, want)
		}
	}
}

// TestPrompt: a password that no setting has is asked for on standard error.
func TestPrompt(t *testing.T) {
	dir := t.TempDir()
	rc := filepath.Join(dir, ".kamctlrc")
	if err := os.WriteFile(rc, []byte("DBENGINE=MYSQL\nDBHOST=127.0.0.1\nDBPORT=1\nSIP_DOMAIN=example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	home(t, rc)
	var out, errs strings.Builder
	code := Run(t.Context(), []string{"kamctl", "domain", "rm", "example.com"}, Surroundings{In: strings.NewReader("s3cret\n"), Out: &out, Err: &errs})
	if code != 1 || !strings.HasPrefix(errs.String(), "MySQL password for user 'kamailio@127.0.0.1': ") || strings.Contains(out.String()+errs.String(), "s3cret") {
		t.Errorf("exit %d, %q, %q", code, out.String(), errs.String())
	}
}

// TestSettings: which file counts, and what is refused.
func TestSettings(t *testing.T) {
	rc := filepath.Join(t.TempDir(), ".kamctlrc")
	home(t, rc)
	t.Setenv("DBNAME", "of-environment")
	for text, want := range map[string]string{"": "of-environment", "DBNAME=mine": "mine", "DBNAME=x-$DBNAME": "x-of-environment", "DBNAME=": "kamailio"} {
		if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := loadSettings("kamctl")
		if err != nil || s.get("DBNAME", "kamailio") != want {
			t.Errorf("%q: DBNAME is %q, %v; want %q", text, s.get("DBNAME", "kamailio"), err, want)
		}
	}
	if err := os.WriteFile(rc, []byte("A=1\nif true; then B=1; fi\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, run := range []func(context.Context, []string, Surroundings) int{Run, RunDB} {
		var errs strings.Builder
		if code := run(t.Context(), []string{"kamctl", "version"}, Surroundings{Out: &errs, Err: &errs}); code != 1 || !strings.Contains(errs.String(), rc+":2: if: conditions") {
			t.Errorf("exit %d, %s", code, errs.String())
		}
	}
}

func TestStatements(t *testing.T) {
	for in, want := range map[string]string{
		"select 1": "select 1", "a; b;": "a|b", "a ';' b; c": "a ';' b|c", `a ";" ; b`: `a ";"|b`, "a -- x;y\n; b": "a -- x;y|b",
		"a /* ; */ b": "a /* ; */ b", "do $$ x; y $$; z": "do $$ x; y $$|z", "'a;b": "'a;b", ";;": "",
	} {
		if got := strings.Join(statements(in), "|"); got != want {
			t.Errorf("%q is cut into %q, want %q", in, got, want)
		}
	}
}

// FuzzLayout: no reply of a daemon breaks the layout; what is no list keeps its
// octets but tabs and empty lines.
func FuzzLayout(f *testing.F) {
	f.Add("{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t[\"a\", \"b,c\"],\n\t\"id\":\t1\n}\n")
	f.Add("{\"result\":[[{\"a\":1}],2],\"id\":3}")
	f.Add("200 OK\n\n}],\n")
	f.Fuzz(func(t *testing.T, text string) {
		out := layout(text)
		if strings.Contains(out, "\t") {
			t.Errorf("%q keeps a tab: %q", text, out)
		}
		strip := func(s string) string {
			return strings.Map(func(r rune) rune {
				if strings.ContainsRune(" \t\n,", r) {
					return -1
				}
				return r
			}, s)
		}
		if got, want := strip(out), strip(text); !strings.HasPrefix(text, "200 OK") && len(got) < len(want) && !strings.Contains(text, "]") {
			t.Errorf("%q loses something: %q", text, out)
		}
	})
}

// BenchmarkAdd is the time of kamctl add on SQLite without the process.
func BenchmarkAdd(b *testing.B) {
	u := dbtest.URL(b, db.SQLite)
	d, err := db.Open(b.Context(), u, db.Create())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := schema.Create(b.Context(), d, db.Kamailio); err != nil {
		b.Fatal(err)
	}
	b.Setenv("DBENGINE", "SQLITE")
	b.Setenv("DB_PATH", strings.TrimPrefix(u, "sqlite:"))
	b.Setenv("HOME", b.TempDir())
	n := 0
	for b.Loop() {
		n++
		var out strings.Builder
		if code := Run(b.Context(), []string{"kamctl", "add", fmt.Sprintf("u%d@example.com", n), "pw"}, Surroundings{Out: &out, Err: &out}); code != 0 {
			b.Fatal(out.String())
		}
	}
}
