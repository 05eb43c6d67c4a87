package schema_test

import (
	"errors"
	"strings"
	"testing"

	"sipd/db"
	"sipd/db/dbtest"
	"sipd/schema"
)

// TestDatabases: a database is made and dropped, and an account that is made
// with a hostile password may do what it was granted, and no more.
func TestDatabases(t *testing.T) {
	ctx := t.Context()
	for _, e := range []db.Engine{db.MySQL, db.PostgreSQL} {
		t.Run(string(e), func(t *testing.T) {
			base := dbtest.URL(t, e)
			rawURL, err := db.WithName(base, `my "own" `+"`db`")
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.DropDatabase(ctx, rawURL); !errors.Is(err, db.ErrNoDatabase) {
				t.Errorf("drop of nothing: %v", err)
			}
			if err := schema.CreateDatabase(ctx, rawURL); err != nil {
				t.Fatal(err)
			}
			if err := schema.CreateDatabase(ctx, rawURL); !errors.Is(err, db.ErrExists) {
				t.Errorf("create again: %v", err)
			}
			d, err := db.Open(ctx, rawURL)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Create(ctx, d, db.Kamailio); err != nil {
				t.Fatal(err)
			}
			reader := schema.Account{User: "reader", Password: `a'b\c"$do$ %`, ReadOnly: true}
			for range 2 { // again is no error
				if err := schema.Grant(ctx, rawURL, reader); err != nil {
					t.Fatal(err)
				}
			}
			as(t, rawURL, reader, true, false)
			if err := schema.Revoke(ctx, rawURL, reader); err != nil {
				t.Fatal(err)
			}
			as(t, rawURL, reader, false, false)
			writer := schema.Account{User: "writer", Password: "w"}
			if err := schema.Grant(ctx, rawURL, writer); err != nil {
				t.Fatal(err)
			}
			as(t, rawURL, writer, true, true)
			if e == db.PostgreSQL { // accounts outlive databases there, and hold on to them
				if err := schema.Revoke(ctx, rawURL, writer); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if err := schema.DropDatabase(ctx, rawURL); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Open(ctx, rawURL); !errors.Is(err, db.ErrNoDatabase) {
				t.Errorf("after the drop: %v", err)
			}
		})
	}
	if err := schema.Grant(ctx, "sqlite:x", schema.Account{User: "u"}); !errors.Is(err, db.ErrNotSupported) {
		t.Errorf("grant on SQLite: %v", err)
	}
}

// as tries what an account may do.
func as(t *testing.T, rawURL string, acc schema.Account, read, write bool) {
	t.Helper()
	_, rest, _ := strings.Cut(rawURL, "@")
	scheme, _, _ := strings.Cut(rawURL, ":")
	url, err := db.WithName(scheme+"://"+acc.User+":"+strings.ReplaceAll(acc.Password, "%", "%25")+"@"+rest, mustName(t, rawURL))
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), url)
	if err != nil {
		if read {
			t.Errorf("%s: %v", acc.User, err)
		}
		return
	}
	defer d.Close()
	var n int
	err = d.Reader().GetContext(t.Context(), &n, "SELECT count(*) FROM subscriber")
	if (err == nil) != read {
		t.Errorf("%s reads: %v", acc.User, err)
	}
	_, err = d.Writer().ExecContext(t.Context(), "INSERT INTO subscriber (username) VALUES ('x')")
	if (err == nil) != write {
		t.Errorf("%s writes: %v", acc.User, err)
	}
}

func mustName(t *testing.T, rawURL string) string {
	t.Helper()
	_, name, err := db.ParseName(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return name
}
