package dbtext

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/module/moduletest"
	"sipd/rpc"
)

const (
	version    = "id(int,auto) table_name(string) table_version(int)\n0:version:1\n0:people:1\n0:acc:5\n"
	people     = "id(int,auto) name(str) age(int,null) at(time,null) note(str,null)\n4:alice:30:1700000000:a\\:b\n2:bob:::\n"
	subscriber = "id(int,auto) username(string) domain(string)\n1:a:x\n2:a:x\n"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func start(t *testing.T, params ...any) (*moduletest.Rig, string) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "version", version)
	write(t, dir, "people", people)
	r := moduletest.New(t, New()).Param("db_text", "default_connection", "text://"+dir)
	for i := 0; i < len(params); i += 2 {
		r.Param("db_text", params[i].(string), params[i+1])
	}
	return r.Start(), dir
}

func open(t *testing.T, r *moduletest.Rig, url string) *dbx.Conn {
	t.Helper()
	c, err := dbx.Open(t.Context(), &r.Host, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestChangesAreWritten(t *testing.T) {
	r, dir := start(t)
	c := open(t, r, "text://"+dir)
	if other := open(t, r, "text://"+dir+"/"); other.DB != c.DB {
		t.Error("one folder is open twice")
	}
	if err := c.CheckVersion(t.Context(), "people", 1); err != nil {
		t.Error(err)
	}
	if _, err := r.RPCCall("db_text.dump"); err != nil || read(t, dir, "people") != people {
		t.Error("written without a change", err)
	}
	for _, s := range []string{
		"INSERT INTO people (name, note) VALUES ('carol', 'line' || char(10) || 'two')",
		"INSERT INTO people (name, age, note) VALUES ('dave', -1, '')",
		"UPDATE people SET age = 31 WHERE name = 'alice'",
		"DELETE FROM people WHERE name = 'bob'",
	} {
		if n, err := c.Command(s).Exec(t.Context()); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", s, n, err)
		}
	}
	if read(t, dir, "people") != people {
		t.Error("written before anybody said so")
	}
	const want = "id(int,auto) name(str) age(int,null) at(time,null) note(str,null)\n6:dave:-1::\n5:carol:::line\\ntwo\n4:alice:31:1700000000:a\\:b\n"
	if v, err := r.RPCCall("db_text.dump"); err != nil || v[0] != rpc.Text("Dump OK") {
		t.Error(v, err)
	}
	if got := read(t, dir, "people"); got != want {
		t.Errorf("file:\n%swant:\n%s", got, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "people")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("rights %v, %v", info.Mode(), err)
	}
	if read(t, dir, "version") != version {
		t.Error("the version table was written")
	}
}

func TestTypesAreKept(t *testing.T) {
	r, dir := start(t)
	c := open(t, r, "text://"+dir)
	if _, err := c.Command("INSERT INTO people (name, age) VALUES ('x', ?)").Exec(t.Context(), "old"); err == nil {
		t.Error("a text among numbers is taken")
	}
	at := time.Unix(1700000123, 0)
	if _, err := c.Command("INSERT INTO people (name, at) VALUES ('x', ?)").Exec(t.Context(), c.Time(at, time.Local)); err != nil {
		t.Fatal(err)
	}
	var got db.Time
	if err := c.Query("SELECT at FROM people WHERE name = 'x'").Get(t.Context(), nil, &got); err != nil || !got.Time.Equal(at) {
		t.Errorf("time %v, %v", got, err)
	}
}

func TestLastUserWrites(t *testing.T) {
	r, dir := start(t)
	c, err := dbx.Open(t.Context(), &r.Host, "text://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Writer().Exec("DELETE FROM people"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, "people"); strings.Count(got, "\n") != 1 {
		t.Errorf("file:\n%s", got)
	}
	c = open(t, r, "text://"+dir)
	if _, err := c.Command("INSERT INTO people (name) VALUES ('new')").Exec(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLiveFiles(t *testing.T) {
	for mode, want := range []string{"alice", "zoe"} {
		r, dir := start(t, "db_mode", mode)
		c := open(t, r, "text://"+dir)
		names := func() string {
			var s string
			if err := c.Query("SELECT group_concat(name) FROM people").Get(t.Context(), nil, &s); err != nil {
				t.Error(err)
			}
			return s
		}
		if got := names(); got != "alice,bob" {
			t.Errorf("at first %q", got)
		}
		write(t, dir, "people", "id(int) name(str)\n1:zoe\n")
		write(t, dir, "late", "x(int)\n5\n")
		if got, _, _ := strings.Cut(names(), ","); got != want {
			t.Errorf("db_mode %d: %q, want %s", mode, got, want)
		}
		var x int
		if err := c.Query("SELECT x FROM late").Get(t.Context(), nil, &x); (err == nil) != (mode == 1) {
			t.Errorf("db_mode %d: the file that came later: %d, %v", mode, x, err)
		}
		write(t, dir, "people", "id(int) name(str)\nnone:zoe again\n")
		if got, _, _ := strings.Cut(names(), ","); got != want {
			t.Errorf("db_mode %d: after a broken file %q, want %s", mode, got, want)
		}
		if broken := strings.Contains(r.Log(), "people:2: field id"); broken != (mode == 1) {
			t.Errorf("db_mode %d: log %s", mode, r.Log())
		}
	}
}

func TestWhatIsNoTable(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "version", version)
	write(t, dir, "README", "Tables of the telephone exchange\n")
	write(t, dir, "people", "name(str)\nx:y\n")
	write(t, dir, "subscriber", subscriber)
	write(t, dir, "old~", "x\n")
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := moduletest.New(t, New()).Start()
	c := open(t, r, "text://"+dir)
	err := c.Require(t.Context(), db.Kamailio, dbx.Table{Name: "people", Version: 1})
	if err == nil || !strings.Contains(err.Error(), "found no such table, wanted the table; write it into the file people there") {
		t.Errorf("a table that could not be read: %v", err)
	}
	var n int
	if err := c.Query("SELECT count(*) FROM subscriber").Get(t.Context(), nil, &n); err != nil || n != 2 {
		t.Errorf("%d rows with one key, %v", n, err)
	}
	for _, want := range []string{"people:2: there are more than 1 fields", "README:1: the first line names no columns", "rows with one key"} {
		if !strings.Contains(r.Log(), want) {
			t.Errorf("log has no %q:\n%s", want, r.Log())
		}
	}
	if strings.Contains(r.Log(), "old~") || strings.Contains(r.Log(), "folder:") {
		t.Errorf("log:\n%s", r.Log())
	}
}

func TestRelativeFolder(t *testing.T) {
	r := moduletest.New(t, New()).Start()
	dir := filepath.Join(filepath.Dir(r.Host.ConfigPath), "dbtext")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "version", version)
	if c := open(t, r, "text://dbtext"); c.Source() != "text:"+dir {
		t.Errorf("source %s", c.Source())
	}
	if _, err := dbx.Open(t.Context(), &r.Host, "text://none"); err == nil || !strings.Contains(err.Error(), "none: a folder with a file for each table is wanted") {
		t.Error(err)
	}
}

func TestQuery(t *testing.T) {
	r, _ := start(t)
	for _, tt := range []struct {
		sql  string
		want []string
	}{
		{"select * from people", []string{"id(int,auto) name(str) age(int,null) at(time,null) note(str,null)\n", "4:alice:30:1700000000:a\\:b", "2:bob:::", "\ntotal rows 2 / 2"}},
		{"SELECT name, id FROM people WHERE name='bob'", []string{"name(str) id(int,auto)\n", "bob:2", "\ntotal rows 1 / 1"}},
		{"select name from people where name='x'", []string{"statement returned 0 rows"}},
		{"update people set age=5 where age=30", []string{"1 affected rows"}},
		{"delete from people", []string{"2 affected rows"}},
		{"drop table people", []string{"error executing sql statement"}},
		{"select nothing", []string{"error executing sql statement"}},
	} {
		got, err := r.RPCCall("db_text.query", rpc.String(tt.sql))
		if err != nil || len(got) != len(tt.want) {
			t.Errorf("%s: %q, %v", tt.sql, got, err)
			continue
		}
		for i := range got {
			if got[i] != rpc.Text(tt.want[i]) {
				t.Errorf("%s: line %d is %q, want %q", tt.sql, i, got[i], tt.want[i])
			}
		}
	}
	none := moduletest.New(t, New()).Start()
	if v, err := none.RPCCall("db_text.query", rpc.String("select 1")); err != nil || v[0] != rpc.Text("invalid connection : ") {
		t.Error(v, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		value      any
	}{
		{"db_delim", "one character", "::"},
		{"db_delim", "one character", "n"},
		{"db_mode", "", 2},
		{"default_connection", "want text:///PATH", "sqlite:///x"},
	} {
		r := moduletest.New(t, New())
		err := r.TryParam("db_text", tt.name, tt.value)
		if err == nil {
			err = r.TryStart()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: %v", tt.name, tt.value, err)
		}
	}
}

func TestReload(t *testing.T) {
	r, dir := start(t)
	c := open(t, r, "text://"+dir)
	old := r.Module("db_text")
	again := func(params ...any) (*moduletest.Rig, error) {
		n := moduletest.New(t, New())
		n.Host.Old = old
		for i := 0; i < len(params); i += 2 {
			n.Param("db_text", params[i].(string), params[i+1])
		}
		return n, n.TryStart()
	}
	n, err := again()
	if err != nil {
		t.Fatal(err)
	}
	if x := open(t, n, "text://"+dir); x.DB != c.DB {
		t.Error("a reload opens the folder again")
	}
	if _, err := again("db_mode", 1); err == nil || !strings.Contains(err.Error(), "a reload cannot change db_mode") {
		t.Error(err)
	}
	var _ module.Successor = New().(*driver)
}
