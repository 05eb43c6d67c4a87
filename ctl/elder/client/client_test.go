package client

import (
	"os/exec"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// TestSQLite compares with the sqlite3 program on the same file.
func TestSQLite(t *testing.T) {
	sqlite3, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("sqlite3 is not installed")
	}
	url := dbtest.URL(t, db.SQLite)
	d, err := db.Open(t.Context(), url, db.Create())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, s := range []string{
		"CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, d DATETIME, n TEXT)",
		"INSERT INTO t VALUES (1, 1.0, 'a|b', x'4142', '2030-05-28 21:32:15', NULL)",
		"INSERT INTO t VALUES (-7, 0.1, 'it''s', x'', 2461370.63523148, NULL)",
		"INSERT INTO t VALUES (9223372036854775807, 1e20, 'ü €', 'x', 'no date', 'n')",
		"INSERT INTO t VALUES (0, 1.5e-7, '', NULL, 0, '')",
	} {
		if _, err := d.Writer().Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	const query = "SELECT * FROM t ORDER BY rowid"
	var got strings.Builder
	if err := (Printer{Out: &got}).Query(t.Context(), d, query); err != nil {
		t.Fatal(err)
	}
	want, err := exec.Command(sqlite3, strings.TrimPrefix(url, "sqlite:"), query).CombinedOutput()
	if err != nil || got.String() != string(want) {
		t.Errorf("it prints\n%s\nsqlite3 prints\n%s %v", got.String(), want, err)
	}
}

// TestMySQL compares with the mysql program, through a pipe and with \G.
func TestMySQL(t *testing.T) {
	mysql, err := exec.LookPath("mysql")
	if err != nil {
		t.Skip("mysql is not installed")
	}
	url := dbtest.URL(t, db.MySQL)
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, s := range []string{
		"CREATE TABLE t (i INT, u BIGINT UNSIGNED, f FLOAT(10,2), s VARCHAR(40), d DATETIME, day DATE, n TEXT)",
		`INSERT INTO t VALUES (1, 18446744073709551615, 1, 'a\tb\\c\n', '2030-05-28 21:32:15', '2020-02-03', NULL)`,
		"INSERT INTO t VALUES (-7, 0, 0.25, 'ü', NULL, NULL, '')",
	} {
		if _, err := d.Writer().Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	_, socket, _ := strings.Cut(url, "?socket=")
	name, _, _ := strings.Cut(strings.TrimPrefix(url, "mysql://root@localhost/"), "?")
	for _, tt := range []struct {
		form Form
		end  string
		args []string
	}{{Batch, "", nil}, {Vertical, `\G`, nil}, {Box, "", []string{"-t"}}} {
		const query = "SELECT * FROM t ORDER BY i"
		var got strings.Builder
		if err := (Printer{Out: &got, Form: tt.form}).Query(t.Context(), d, query); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"--no-defaults", "--default-character-set=utf8mb4", "-u", "root", "-S", socket, name, "-e", query + tt.end}, tt.args...)
		want, err := exec.Command(mysql, args...).CombinedOutput()
		if tt.form == Box { // a cell with a tab and a line end has no width of its own
			g, w := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
			if len(g) < 4 || len(w) < 4 || g[len(g)-3] != w[len(w)-3] && g[3] != w[3] {
				t.Errorf("it prints\n%s\nmysql prints\n%s", got.String(), want)
			}
			continue
		}
		if err != nil || got.String() != string(want) {
			t.Errorf("form %d: it prints\n%s\nmysql prints\n%s %v", tt.form, got.String(), want, err)
		}
	}
}

// TestPostgreSQL compares with psql as kamctl calls it.
func TestPostgreSQL(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	url := dbtest.URL(t, db.PostgreSQL)
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, s := range []string{
		"CREATE TABLE t (i INT, f REAL, g DOUBLE PRECISION, s VARCHAR(40), d TIMESTAMP, day DATE, b BYTEA, o BOOLEAN)",
		`INSERT INTO t VALUES (1, 0.1, 0.1, 'a|b', '2030-05-28 21:32:15', '2020-02-03', '\x4142', true)`,
		"INSERT INTO t VALUES (2, 1, 1.5e-7, NULL, '2026-01-02 03:04:05.123456', NULL, NULL, false)",
	} {
		if _, err := d.Writer().Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	name, host, _ := strings.Cut(strings.TrimPrefix(url, "postgres://postgres@localhost/"), "?host=")
	for _, tt := range []struct {
		form Form
		sep  string
	}{{List, "|"}, {Tabs, "\t"}} {
		const query = "SELECT * FROM t ORDER BY i"
		var got strings.Builder
		if err := (Printer{Out: &got, Form: tt.form}).Query(t.Context(), d, query); err != nil {
			t.Fatal(err)
		}
		want, err := exec.Command(psql, "-A", "-q", "-t", "-P", "fieldsep="+tt.sep, "-h", host, "-U", "postgres", name, "-c", query).CombinedOutput()
		if err != nil || got.String() != string(want) {
			t.Errorf("it prints\n%s\npsql prints\n%s %v", got.String(), want, err)
		}
	}
}

// TestTerminal: what could steer a terminal does not reach it.
func TestTerminal(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	var got strings.Builder
	if err := (Printer{Out: &got, Terminal: true}).Query(t.Context(), d, "SELECT ? AS x", "a\x1b[2J"); err != nil {
		t.Fatal(err)
	}
	if got.String() != `a\x1b[2J`+"\n" {
		t.Errorf("it prints %q", got.String())
	}
}

// TestEmpty: no rows print nothing.
func TestEmpty(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	for f := List; f <= Vertical; f++ {
		var got strings.Builder
		if err := (Printer{Out: &got, Form: f}).Query(t.Context(), d, "SELECT 1 WHERE 1 = 0"); err != nil || got.Len() > 0 {
			t.Errorf("form %d: %q, %v", f, got.String(), err)
		}
	}
}
