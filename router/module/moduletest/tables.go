package moduletest

import (
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

// Tables makes a database of Kamailio's flavour, runs the statements in it and
// answers its URL, for a module's db_url. The test's package needs
// func TestMain(m *testing.M) { dbtest.Main(m) }.
func Tables(t testing.TB, e db.Engine, stmts ...string) (url string, d *db.DB) {
	t.Helper()
	url = dbtest.URL(t, e)
	d, err := db.Open(t.Context(), url, db.Create())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := schema.Create(t.Context(), d, db.Kamailio); err != nil {
		t.Fatal(err)
	}
	Exec(t, d, stmts...)
	return url, d
}

// Exec runs statements in a database.
func Exec(t testing.TB, d *db.DB, stmts ...string) {
	t.Helper()
	for _, s := range stmts {
		if _, err := d.Writer().Exec(s); err != nil {
			t.Fatalf("%v in: %s", err, s)
		}
	}
}

// EachEngine runs f as a subtest on every engine that is installed, each with
// a database as Tables makes it.
func EachEngine(t *testing.T, f func(t *testing.T, url string, d *db.DB), stmts ...string) {
	t.Helper()
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			url, d := Tables(t, e, stmts...)
			f(t, url, d)
		})
	}
}
