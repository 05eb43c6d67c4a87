package db_test

import (
	"slices"
	"strings"
	"testing"

	"sipd/db"
)

// TestClient: the engine's own client gets all of the URL, the password where
// no process list shows it.
func TestClient(t *testing.T) {
	for rawURL, want := range map[string]string{
		"sqlite:/var/lib/sip.db":                           "sqlite3 /var/lib/sip.db",
		"mysql://u:p%40x@h:3307/sip":                       "mariadb --host=h --port=3307 --user=u --default-character-set=utf8mb4 sip MYSQL_PWD=p@x",
		"mysql://root@localhost/sip?socket=/run/s":         "mariadb --socket=/run/s --user=root --default-character-set=utf8mb4 sip",
		"postgres://u:secret@[::1]/sip":                    "psql --host=::1 --port=5432 --username=u --dbname=sip PGPASSWORD=secret",
		"postgres://postgres@localhost/sip?host=/run/psql": "psql --host=/run/psql --port=5432 --username=postgres --dbname=sip",
	} {
		programs, args, env, err := db.Client(rawURL)
		got := strings.Join(slices.Concat(programs[:1], args, env), " ")
		if err != nil || got != want {
			t.Errorf("Client(%s) = %q, %v; want %q", rawURL, got, err, want)
		}
	}
	if _, _, _, err := db.Client("oracle://x"); err == nil {
		t.Error("a client for oracle was found")
	}
}

// TestWithName: only the name changes, and what must be escaped is.
func TestWithName(t *testing.T) {
	for rawURL, want := range map[string]string{
		"mysql://u:p%2F%25@h/a?socket=/s": "mysql://u:p%2F%25@h/b%20c?socket=%2Fs",
		"postgres://u@[::1]:5433/a":       "postgres://u@[::1]:5433/b%20c",
	} {
		got, err := db.WithName(rawURL, "b c")
		if err != nil || got != want {
			t.Errorf("WithName(%s) = %q, %v; want %q", rawURL, got, err, want)
		}
		if e, name, err := db.ParseName(got); err != nil || name != "b c" || !strings.HasPrefix(rawURL, string(e)) {
			t.Errorf("ParseName(%s) = %s, %q, %v", got, e, name, err)
		}
	}
	if _, err := db.WithName("sqlite:x", "y"); err == nil {
		t.Error("a SQLite file has a server")
	}
}
