package schema_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var flavours = []db.Flavour{db.SER, db.Kamailio}

// create makes all groups of a flavour.
func create(t *testing.T, d *db.DB, f db.Flavour, groups ...string) {
	t.Helper()
	if err := schema.Create(t.Context(), d, f, groups...); err != nil {
		t.Fatalf("create %s: %v", f, err)
	}
}

// TestCreateAll: what Create makes is what Verify wants and Recognise knows,
// on every engine, with all groups.
func TestCreateAll(t *testing.T) {
	for _, f := range flavours {
		t.Run(string(f), func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				groups := schema.Of(f).Groups()
				create(t, d, f, groups...)
				diffs, err := schema.Verify(t.Context(), d, f, groups...)
				if err != nil || len(diffs) != 0 {
					t.Errorf("Verify: %v, %v", diffs, err)
				}
				r, err := schema.Recognise(t.Context(), d)
				if err != nil || r.Flavour != f || !r.Current {
					t.Errorf("Recognise = %+v, %v", r, err)
				}
				s, err := schema.NewSurvey(t.Context(), d, nil)
				if want := schema.Of(f).Number; err != nil || !slices.Contains(s.Releases, want) {
					t.Errorf("the survey finds %v, %v; want %s", s.Releases, err, want)
				}
			})
		})
	}
}

// TestCreateTwice: the second one is refused and changes nothing.
func TestCreateTwice(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	create(t, d, db.Kamailio)
	for _, f := range flavours {
		err := schema.Create(t.Context(), d, f)
		if !errors.Is(err, db.ErrExists) {
			t.Errorf("create %s over kamailio: %v, want ErrExists", f, err)
		}
	}
	if diffs, err := schema.Verify(t.Context(), d, db.Kamailio); err != nil || len(diffs) != 0 {
		t.Errorf("Verify: %v, %v", diffs, err)
	}
	if err := schema.Create(t.Context(), d, db.Kamailio, "presense"); err == nil || !strings.Contains(err.Error(), "presence") {
		t.Errorf("unknown group: %v, want the known ones listed", err)
	}
}

// TestGroupLater: a group that is added later gets its version numbers too.
func TestGroupLater(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	create(t, d, db.Kamailio)
	create(t, d, db.Kamailio, "presence")
	if diffs, err := schema.Verify(t.Context(), d, db.Kamailio, "standard", "presence"); err != nil || len(diffs) != 0 {
		t.Errorf("Verify: %v, %v", diffs, err)
	}
}

// TestCreateFailsWhole: an error at the very end leaves none of the tables, in
// MySQL too, which cannot undo them by itself.
func TestCreateFailsWhole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, db.Kamailio)
		// A key that is in the way of the last version number.
		for _, sql := range []string{"DELETE FROM version WHERE table_name NOT IN ('version', 'subscriber')", "CREATE UNIQUE INDEX one_each ON version (table_version)"} {
			if _, err := d.Command(sql).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := schema.Create(t.Context(), d, db.Kamailio, "presence"); !errors.Is(err, db.ErrDuplicate) {
			t.Fatalf("create presence: %v, want ErrDuplicate", err)
		}
		ts, err := schema.Inspect(t.Context(), d)
		if err != nil || ts.Has("presentity") || ts.Has("rls_watchers") {
			t.Errorf("tables of presence are left, %v", err)
		}
	})
}

func TestVerifyFinds(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	create(t, d, db.Kamailio)
	err := d.Tx(t.Context(), func(tx *db.Tx) error {
		return errors.Join(
			tx.Do(t.Context(), "DROP TABLE grp"),
			tx.Do(t.Context(), "ALTER TABLE domain DROP COLUMN did"),
			tx.Do(t.Context(), "UPDATE version SET table_version = 6 WHERE table_name = 'subscriber'"),
			tx.Do(t.Context(), "DROP TABLE pdt; CREATE TABLE pdt (id INTEGER PRIMARY KEY, sdomain VARCHAR(128), prefix VARCHAR(32), domain VARCHAR(255), extra INT)"))
	})
	if err != nil {
		t.Fatal(err)
	}
	diffs, err := schema.Verify(t.Context(), d, db.Kamailio)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range diffs {
		word := ""
		if d.Site {
			word = "site "
		}
		got = append(got, word+d.String())
	}
	sort.Strings(got)
	want := []string{
		"domain.did: found no such column, wanted the column",
		"grp: found no such table, wanted the table",
		"pdt.domain: found NULL allowed, wanted NOT NULL",
		`pdt.domain: found no default, wanted default ""`,
		"pdt.prefix: found NULL allowed, wanted NOT NULL",
		"pdt.sdomain: found NULL allowed, wanted NOT NULL",
		"pdt.sdomain: found str128, wanted str255",
		"pdt: found no such key, wanted unique key (sdomain, prefix)",
		"site pdt.extra: found int, wanted no such column",
		"subscriber: found version 6, wanted version 7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences:\n%s", diff)
	}
}

func TestCheckVersion(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	create(t, d, db.Kamailio)
	if err := schema.CheckVersion(t.Context(), d, "location", 9); err != nil {
		t.Errorf("location 9: %v", err)
	}
	err := schema.CheckVersion(t.Context(), d, "location", 1004)
	if m, ok := errors.AsType[*schema.MismatchError](err); !ok || m.Table != "location" || m.Found != "version 9" || m.Wanted != "version 1004" {
		t.Errorf("location 1004: %v", err)
	}
	if err := schema.CheckVersion(t.Context(), d, "nothing", 0); err == nil {
		t.Error("a missing table passed")
	}
}

// TestRecogniseGenerations makes the tell-tale columns of each generation.
func TestRecogniseGenerations(t *testing.T) {
	for _, tt := range []struct {
		generation string
		current    bool
		sql        string
	}{
		{"P1", false, "CREATE TABLE subscriber (user_id TEXT, realm TEXT)"},
		{"P2", false, "CREATE TABLE subscriber (username, domain, perms); CREATE TABLE location (replicate, state)"},
		{"P3", false, "CREATE TABLE subscriber (username, domain, uuid); CREATE TABLE location (replicate, state)"},
		{"O1", false, "CREATE TABLE subscriber (username, domain); CREATE TABLE location (socket, methods)"},
		{"O2", false, "CREATE TABLE subscriber (id, username, domain, ha1)"},
		{"K1", false, "CREATE TABLE subscriber (id, username, domain, ha1); CREATE TABLE dialplan (id)"},
		{"K3", false, "CREATE TABLE subscriber (id, username, domain, ha1); CREATE TABLE location (ruid)"},
		{"K4", false, "CREATE TABLE subscriber (id, username, domain, ha1); CREATE TABLE location_attrs (id); CREATE TABLE version (table_name, table_version); INSERT INTO version VALUES ('subscriber', 6)"},
		{"OS", false, "CREATE TABLE subscriber (id, username, domain, ha1); CREATE TABLE location (contact_id)"},
		{"U0", false, "CREATE TABLE credentials (auth_username, uid)"},
		{"U1", true, "CREATE TABLE credentials (auth_username, uid, did); CREATE TABLE acc (id)"},
		{"UK", false, "CREATE TABLE uid_credentials (auth_username, uid)"},
		{"", false, "CREATE TABLE subscriber (watcher_uri TEXT)"},
	} {
		t.Run(tt.generation, func(t *testing.T) {
			d := dbtest.Open(t, db.SQLite)
			if err := d.Tx(t.Context(), func(tx *db.Tx) error { return tx.Do(t.Context(), tt.sql) }); err != nil {
				t.Fatal(err)
			}
			r, err := schema.Recognise(t.Context(), d)
			if err != nil || r.Generation != tt.generation || r.Current != tt.current {
				t.Errorf("Recognise = %+v, %v; want %q, current %v", r, err, tt.generation, tt.current)
			}
		})
	}
}

// describe reads columns, unique keys and version of every table.
func describe(t *testing.T, d *db.DB) map[string][]string {
	t.Helper()
	type row struct {
		Tbl, Name, Type string
		NotNull         bool `db:"notnull"`
		Default         string
		PK              int `db:"pk"`
	}
	var rows []row
	err := d.Reader().SelectContext(t.Context(), &rows, `SELECT m.name AS tbl, p.name, p.type, p."notnull", COALESCE(p.dflt_value, '') AS "default", p.pk
		FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p WHERE m.type = 'table' ORDER BY m.name, p.cid`)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]string)
	for _, r := range rows {
		out[r.Tbl] = append(out[r.Tbl], fmt.Sprintf("%s %s notnull=%v default=%s pk=%d", r.Name, r.Type, r.NotNull, number(r.Default), r.PK))
	}
	var keys []struct {
		Tbl, Columns string
		Unique       int
	}
	err = d.Reader().SelectContext(t.Context(), &keys, `SELECT m.name AS tbl, l."unique",
		(SELECT group_concat(i.name) FROM pragma_index_info(l.name) AS i) AS columns
		FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS l WHERE m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		out[k.Tbl] = append(out[k.Tbl], fmt.Sprintf("key unique=%d %s", k.Unique, k.Columns))
	}
	var versions []struct {
		Name    string `db:"table_name"`
		Version int    `db:"table_version"`
	}
	if err := d.Reader().SelectContext(t.Context(), &versions, "SELECT table_name, table_version FROM version"); err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		out[v.Name] = append(out[v.Name], fmt.Sprintf("version %d", v.Version))
	}
	for _, lines := range out {
		slices.Sort(lines)
	}
	return out
}

// number makes one spelling of numeric defaults: 1.0, '1' and 1; NULL and none.
func number(v string) string {
	if v == "NULL" {
		return ""
	}
	if n := strings.Trim(v, "'"); n != "" && strings.Trim(n, "0123456789.") == "" {
		n = strings.TrimSuffix(n, ".0")
		if strings.Trim(n, "0") == "" { // DEFAULT 00, too
			return "0"
		}
		return n
	}
	return v
}

// TestSameAsKamailio: table by table, column by column, key by key, our SQLite
// database is the one that Kamailio's own scripts make.
func TestSameAsKamailio(t *testing.T) {
	files, _ := filepath.Glob("/usr/share/kamailio/db_sqlite/*-create.sql")
	if len(files) == 0 {
		t.Skip("Kamailio's SQLite scripts are not installed")
	}
	theirs := dbtest.Open(t, db.SQLite)
	run := func(file string) {
		sql, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := theirs.Tx(t.Context(), func(tx *db.Tx) error { return tx.Do(t.Context(), string(sql)) }); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	run("/usr/share/kamailio/db_sqlite/standard-create.sql")
	for _, f := range files {
		if filepath.Base(f) != "standard-create.sql" {
			run(f)
		}
	}
	ours := dbtest.Open(t, db.SQLite)
	create(t, ours, db.Kamailio, schema.Of(db.Kamailio).Groups()...)
	made := describe(t, ours)
	for _, name := range []string{"cdrs", "billing_rates", "tlscfg"} { // kamcli's
		if made[name] == nil {
			t.Errorf("table %s is not made", name)
		}
		delete(made, name)
	}
	if diff := cmp.Diff(describe(t, theirs), made); diff != "" {
		t.Errorf("Kamailio's scripts make -, we make +:\n%s", diff)
	}
}
