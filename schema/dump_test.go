package schema_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

// hostile are texts that some quoting, some charset or some printing gets wrong.
var hostile = []string{
	"", "plain", `it's "quoted" ` + "`so`", `back\slash\`, `\'; DROP TABLE subscriber; --`, "100 % of %s and %d", "$1 ? :name @x",
	"tab\tnew\nline\rreturn", "\x01\x02\x1b[31m\x7f", "emoji \U0001F600\U0001F468\u200d\U0001F469", "\u202eright to left \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
	"{\"b64\":\"eA==\"}", "[1,null]", "NULL", "null", "0000-00-00 00:00:00", " blanks ", "\u00e9 and e\u0301", "\u2028\u2029", "<&>", "-- comment", "/* */", "X'00'", "$$x$$",
}

// fillHostile puts hostile values into tables with all kinds of columns.
func fillHostile(t *testing.T, d *db.DB) {
	t.Helper()
	err := d.Tx(t.Context(), func(tx *db.Tx) error {
		for i, v := range hostile {
			name := fmt.Sprintf("%d-%s", i, v)
			if _, err := tx.Exec(t.Context(), "INSERT INTO subscriber (username, domain, password, ha1) VALUES (?, ?, ?, '')", name, "example.com", v); err != nil {
				return err
			}
			at := d.Time(time.Unix(1_300_000_000+int64(i)*86_400*40, 0), time.Local)
			if _, err := tx.Exec(t.Context(), "INSERT INTO location (ruid, username, contact, q, expires, received, cseq) VALUES (?, ?, ?, ?, ?, ?, ?)", name, v, "sip:x", 0.25, at, nil, i-3); err != nil {
				return err
			}
			blob := append([]byte{0, 0xff, 0xfe}, v...)
			if _, err := tx.Exec(t.Context(), "INSERT INTO silo (src_addr, dst_addr, username, body, extra_hdrs) VALUES (?, ?, ?, ?, ?)", v, v, v, blob, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contents reads a database in a way that does not depend on the engine.
func contents(t *testing.T, d *db.DB) map[string][]string {
	t.Helper()
	out := make(map[string][]string)
	add := func(table, query string) {
		rows, err := d.Reader().QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		columns, _ := rows.Columns()
		for rows.Next() {
			texts, dest := make([][]byte, len(columns)), make([]any, len(columns))
			for i := range texts {
				dest[i] = &texts[i]
			}
			if err := rows.Scan(dest...); err != nil {
				t.Fatal(err)
			}
			line := ""
			for i := range texts {
				line += fmt.Sprintf("%v %q ", texts[i] == nil, texts[i])
			}
			out[table] = append(out[table], line)
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
	}
	add("subscriber", "SELECT id, username, domain, password, ha1 FROM subscriber ORDER BY id")
	add("location", "SELECT id, ruid, username, received, cseq FROM location ORDER BY id")
	add("silo", "SELECT id, src_addr, dst_addr, username, body, extra_hdrs FROM silo ORDER BY id")
	add("version", "SELECT table_name, table_version FROM version ORDER BY table_name")
	q := d.Query("SELECT expires FROM location ORDER BY id")
	err := q.Each(t.Context(), nil, func(scan func(...any) error) error {
		at := db.Time{Zone: time.Local}
		err := scan(&at)
		out["expires"] = append(out["expires"], fmt.Sprint(at.Unix()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dump(t *testing.T, d *db.DB, o schema.DumpOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := schema.Dump(t.Context(), d, &b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDumpAcrossEngines: from each engine to each, by a dump, nothing changes;
// by SQL, from each to itself.
func TestDumpAcrossEngines(t *testing.T) {
	var first map[string][]string
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, db.Kamailio)
		fillHostile(t, d)
		want := contents(t, d)
		if first == nil {
			first = want
		}
		if diff := cmp.Diff(first, want); diff != "" {
			t.Fatalf("the engines do not hold the same:\n%s", diff)
		}
		text := dump(t, d, schema.DumpOptions{})
		if !utf8.Valid(text) {
			t.Error("the dump is no UTF-8")
		}
		for _, e := range db.Engines() {
			t.Run("to "+string(e), func(t *testing.T) {
				to := dbtest.Open(t, e)
				if _, err := schema.Load(t.Context(), to, bytes.NewReader(text), schema.LoadOptions{}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, contents(t, to)); diff != "" {
					t.Errorf("after the load:\n%s", diff)
				}
				ts, err := schema.Examine(t.Context(), to)
				if err != nil {
					t.Fatal(err)
				}
				k := schema.Of(db.Kamailio)
				for _, diff := range k.Verify(e, ts, k.Group("standard")) {
					if !diff.Site {
						t.Errorf("after the load: %s", diff)
					}
				}
				// The next row counts on.
				if _, err := to.Command("INSERT INTO subscriber (username) VALUES ('next')").Exec(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		t.Run("as SQL", func(t *testing.T) {
			to := dbtest.Open(t, d.Engine)
			sql := schema.NewScript(d.Engine, bytes.NewReader(dump(t, d, schema.DumpOptions{SQL: true})))
			if err := schema.Execute(t.Context(), to, sql, false, func(*schema.Result) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, contents(t, to)); diff != "" {
				t.Errorf("after the script:\n%s", diff)
			}
		})
	})
}

// TestLoadRefuses: a dump that is not whole, or does not fit, changes nothing.
func TestLoadRefuses(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	create(t, d, db.Kamailio)
	fillHostile(t, d)
	text := string(dump(t, d, schema.DumpOptions{}))
	lines := strings.SplitAfter(text, "\n")
	for name, bad := range map[string]string{
		"empty": "", "no head": strings.Join(lines[1:], ""), "another format": strings.Replace(text, `"format":1`, `"format":2`, 1),
		"no end": strings.Join(lines[:len(lines)-2], ""), "a row less": strings.Replace(text, lines[len(lines)/2], "", 1),
		"an unknown table": strings.Replace(text, `{"rows":"silo"}`, `{"rows":"gold"}`, 1), "a value less": strings.Replace(text, `"acc",5]`, `"acc"]`, 1),
		"a bad type": strings.Replace(text, "str64", "str0", 1), "a bad key": strings.Replace(text, `"unique":[["`, `"unique":[["x`, 1),
		"bad base64": strings.Replace(text, `{"b64":"AP/`, `{"b64":"?`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if bad == text {
				t.Fatal("the case changes nothing")
			}
			to := dbtest.Open(t, db.SQLite)
			_, err := schema.Load(t.Context(), to, strings.NewReader(bad), schema.LoadOptions{})
			if err == nil {
				t.Fatal("it was loaded")
			}
			if !errors.Is(err, schema.ErrDump) {
				t.Logf("error: %v", err)
			}
			ts, err := schema.Inspect(t.Context(), to)
			if err != nil || len(ts) != 0 {
				t.Errorf("there are %d tables now, %v", len(ts), err)
			}
		})
	}
	if _, err := schema.Load(t.Context(), d, strings.NewReader(text), schema.LoadOptions{}); !errors.Is(err, db.ErrExists) {
		t.Errorf("load over rows: %v, want ErrExists", err)
	}
	want := contents(t, d)
	if _, err := schema.Load(t.Context(), d, strings.NewReader(text), schema.LoadOptions{Replace: true}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, contents(t, d)); diff != "" {
		t.Errorf("after replacing:\n%s", diff)
	}
}

func FuzzLoad(f *testing.F) {
	d := dbtest.Open(f, db.SQLite)
	var b bytes.Buffer
	if err := schema.Create(f.Context(), d, db.SER); err != nil {
		f.Fatal(err)
	}
	if _, err := schema.Dump(f.Context(), d, &b, schema.DumpOptions{Only: []string{"global_attrs", "gw"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"dump":"sipd","format":1,"tables":[{"name":"t","columns":["a str3 null","b blob null","c datetime null"]}]}` + "\n" + `{"rows":"t"}` + "\n" + `["x",{"b64":"eA=="},"2011-02-03T04:05:06Z"]` + "\n" + `{"end":{"tables":1,"rows":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		to, err := db.Open(t.Context(), "sqlite::memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		if _, err := schema.Load(t.Context(), to, bytes.NewReader(text), schema.LoadOptions{}); err != nil {
			if ts, e := schema.Inspect(context.WithoutCancel(t.Context()), to); e != nil || len(ts) > 0 {
				t.Errorf("after %v there are %d tables, %v", err, len(ts), e)
			}
		}
	})
}

func TestScript(t *testing.T) {
	for _, tt := range []struct {
		e    db.Engine
		in   string
		want []string
	}{
		{db.SQLite, "SELECT 1; ;\n-- no; thing\nSELECT ';' /* ; */ ;SELECT \"a;b\"", []string{"SELECT 1", "SELECT ';'", `SELECT "a;b"`}},
		{db.SQLite, `SELECT 'it''s; \'; SELECT 2`, []string{`SELECT 'it''s; \'`, "SELECT 2"}},
		{db.MySQL, "SELECT 'a\\'; b' # c;\n; SELECT `x;y`; /*!40101 SET x = 1 */;", []string{"SELECT 'a\\'; b'", "SELECT `x;y`", "/*!40101 SET x = 1 */"}},
		{db.PostgreSQL, `SELECT E'a\'; b', 'c\'; SELECT $q$ ; $$ ; $q$, $1; SELECT $$;$$`, []string{`SELECT E'a\'; b', 'c\'`, `SELECT $q$ ; $$ ; $q$, $1`, `SELECT $$;$$`}},
		{db.SQLite, "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; SELECT 1; END; SELECT 3", []string{"CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; SELECT 1; END", "SELECT 3"}},
	} {
		s := schema.NewScript(tt.e, strings.NewReader(tt.in))
		var got []string
		for {
			sql, err := s.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%q: %v", tt.in, err)
			}
			got = append(got, sql)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q:\n%s", tt.in, diff)
		}
	}
	for _, bad := range []string{"SELECT 'x", "SELECT /* x"} {
		if sql, err := schema.NewScript(db.SQLite, strings.NewReader(bad)).Next(); err == nil {
			t.Errorf("%q gives %q", bad, sql)
		}
	}
}

// FuzzScript: statements cut out of a script, put together with semicolons, are
// cut the same way.
func FuzzScript(f *testing.F) {
	f.Add(uint8(0), "SELECT ';'; -- x\nSELECT \"a\"")
	f.Add(uint8(1), "SELECT '\\''; # y\n/*! z */")
	f.Add(uint8(2), "SELECT $a$;$a$; SELECT E'\\''")
	cut := func(e db.Engine, text string) ([]string, error) {
		s := schema.NewScript(e, strings.NewReader(text))
		var out []string
		for {
			sql, err := s.Next()
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			if err != nil {
				return out, err
			}
			out = append(out, sql)
		}
	}
	f.Fuzz(func(t *testing.T, engine uint8, text string) {
		e := db.Engines()[int(engine)%3]
		first, err := cut(e, text)
		if err != nil {
			return
		}
		again, err := cut(e, strings.Join(first, ";\n")+";\n")
		if err != nil || strings.Join(first, "\x00") != strings.Join(again, "\x00") {
			t.Errorf("%q is cut into %q, and these into %q, %v", text, first, again, err)
		}
	})
}
