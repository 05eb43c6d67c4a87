package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sipd/db"
	"sipd/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// table makes a database of the engine with a table kv.
func table(tb testing.TB, e db.Engine) *db.DB {
	tb.Helper()
	d := dbtest.Open(tb, e)
	must(tb, d.Tx(tb.Context(), func(tx *db.Tx) error {
		return tx.Do(tb.Context(), "CREATE TABLE kv (k VARCHAR(64) PRIMARY KEY, v INTEGER)")
	}))
	return d
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	must(t, os.WriteFile(junk, []byte(strings.Repeat("this is no database ", 100)), 0o600))
	for _, tt := range []struct {
		name, url string
		kind      error
		want      string
	}{
		{"missing file", "sqlite:" + dir + "/none", db.ErrNoDatabase, "sipctl db create"},
		{"missing folder", "sqlite:" + dir + "/no/none", db.ErrNoDatabase, "there is no database"},
		{"folder", "sqlite:" + dir, db.ErrNotDatabase, "not a database"},
		{"junk", "sqlite:" + junk, db.ErrNotDatabase, "not a database"},
		{"no scheme", "/tmp/x", nil, "sqlite:PATH"},
		{"empty", "", nil, "no scheme"},
		{"other scheme", "oracle://x/y", nil, "mysql://"},
		{"no file", "sqlite:", nil, "names no file"},
		{"no name", "mysql://u:topsecret@h", nil, "names no database"},
		{"bad port", "postgres://u:topsecret@h:99999/n", nil, "port"},
		{"bad option", "mysql://u:topsecret@h/n?topspeed=1", nil, "topspeed"},
		{"no server", "mysql://u:topsecret@127.0.0.1:1/n", db.ErrUnavailable, "not available"},
		{"no server", "postgres://u:topsecret@127.0.0.1:1/n", db.ErrUnavailable, "not available"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := db.Open(t.Context(), tt.url)
			if err == nil || tt.kind != nil && !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open(%q): %v; want %v with %q", tt.url, err, tt.kind, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "topsecret") {
				t.Errorf("the message shows the password: %v", err)
			}
		})
	}
}

// TestOpenDoesNotCreate: a file appears only when asked for, for its owner only.
func TestOpenDoesNotCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b#c%41.db")
	if _, err := db.Open(t.Context(), "sqlite:"+path); !errors.Is(err, db.ErrNoDatabase) {
		t.Errorf("open: %v, want ErrNoDatabase", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the file was made all the same")
	}
	d, err := db.Open(t.Context(), "sqlite:"+path, db.Create())
	must(t, err)
	must(t, d.Close())
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v; want mode 0600", info, err)
	}
}

func TestReadOnly(t *testing.T) {
	d := table(t, db.SQLite)
	ro, err := db.Open(t.Context(), d.Source(), db.ReadOnly())
	must(t, err)
	defer ro.Close()
	if err := ro.Tx(t.Context(), func(tx *db.Tx) error { return nil }); !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("Tx: %v, want ErrReadOnly", err)
	}
	if _, err := ro.Command("INSERT INTO kv VALUES ('a', 1)").Exec(t.Context()); !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("Exec: %v, want ErrReadOnly", err)
	}
	if _, err := d.Query("SELECT 1").Exec(t.Context()); err != nil {
		t.Errorf("reading pool: %v", err)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"sqlite:///var/lib/x.db":                  "sqlite:/var/lib/x.db",
		"sqlite:x/../y.db":                        "sqlite:y.db",
		"mysql://bob:p@ss/w:rd@db.example:3307/k": "mysql://bob@db.example:3307/k",
		"postgres://bob:secret@[::1]:5433/k":      "postgres://bob@[::1]:5433/k",
		"pgsql://bob:secret@h/k?sslmode=disable":  "postgres://bob@h/k",
		"mysql://bob:secret@h":                    "mysql:…",
		"secret":                                  "the database URL",
	} {
		if got := db.Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestDuplicate: the condition is the same on every engine.
func TestDuplicate(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			d := table(t, e)
			put := d.Command("INSERT INTO kv (k, v) VALUES (?, ?)")
			_, err := put.Exec(t.Context(), "a", 1)
			must(t, err)
			if _, err := put.Exec(t.Context(), "a", 2); !errors.Is(err, db.ErrDuplicate) {
				t.Errorf("second insert: %v, want ErrDuplicate", err)
			}
			upsert := d.Command(d.Upsert("kv", []string{"k"}, []string{"k", "v"}))
			_, err = upsert.Exec(t.Context(), "a", 3)
			must(t, err)
			_, err = upsert.Exec(t.Context(), "b", 4)
			must(t, err)
			var sum int
			must(t, d.Query("SELECT SUM(v) FROM kv").Get(t.Context(), nil, &sum))
			if sum != 7 {
				t.Errorf("sum %d after upserts, want 7", sum)
			}
			if _, err := d.Command(d.Upsert("kv", []string{"k"}, []string{"k"})).Exec(t.Context(), "a"); err != nil {
				t.Errorf("upsert of the key alone: %v", err)
			}
		})
	}
}

// TestTxIsSerializable: read, add one, write; nothing is lost with many at once.
func TestTxIsSerializable(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			d := table(t, e)
			ctx := t.Context()
			_, err := d.Command("INSERT INTO kv (k, v) VALUES ('n', 0)").Exec(ctx)
			must(t, err)
			const writers, rounds = 4, 10
			var done sync.WaitGroup
			for range writers {
				done.Go(func() {
					for range rounds {
						inc := func(tx *db.Tx) error {
							var v int
							if err := tx.Get(ctx, &v, "SELECT v FROM kv WHERE k = 'n'"); err != nil {
								return err
							}
							_, err := tx.Exec(ctx, "UPDATE kv SET v = ? WHERE k = 'n'", v+1)
							return err
						}
						// Under this load an engine may ask to repeat more often than Tx does.
						err := d.Tx(ctx, inc)
						for errors.Is(err, db.ErrLocked) {
							err = d.Tx(ctx, inc)
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			done.Wait()
			var v int
			must(t, d.Query("SELECT v FROM kv WHERE k = ?").Get(ctx, []any{"n"}, &v))
			if v != writers*rounds {
				t.Errorf("counted %d, want %d", v, writers*rounds)
			}
		})
	}
}

// TestTxUndoes: an error of the function, or its panic, leaves nothing.
func TestTxUndoes(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			d := table(t, e)
			ctx, boom := t.Context(), errors.New("boom")
			err := d.Tx(ctx, func(tx *db.Tx) error {
				if _, err := tx.Exec(ctx, "INSERT INTO kv (k, v) VALUES ('a', 1)"); err != nil {
					return err
				}
				return boom
			})
			if err != boom {
				t.Errorf("Tx: %v, want the function's own error untouched", err)
			}
			func() {
				defer func() { _ = recover() }()
				_ = d.Tx(ctx, func(tx *db.Tx) error {
					_, _ = tx.Exec(ctx, "INSERT INTO kv (k, v) VALUES ('b', 1)")
					panic("bug")
				})
			}()
			var n int
			must(t, d.Query("SELECT COUNT(*) FROM kv").Get(ctx, nil, &n))
			if n != 0 {
				t.Errorf("%d rows are left", n)
			}
			must(t, d.Tx(ctx, func(*db.Tx) error { return nil })) // nothing is held
		})
	}
}

// TestLockedByAnother: a writer outside of our pool holds the file.
func TestLockedByAnother(t *testing.T) {
	d := table(t, db.SQLite)
	other, err := db.Open(t.Context(), d.Source())
	must(t, err)
	defer other.Close()
	ctx := t.Context()
	err = other.Tx(ctx, func(*db.Tx) error {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err := d.Command("INSERT INTO kv (k, v) VALUES ('a', 1)").Exec(short)
		return err
	})
	if !errors.Is(err, db.ErrLocked) && !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("write while another holds the lock: %v, want ErrLocked or a deadline", err)
	}
}

func TestStmt(t *testing.T) {
	for _, e := range db.Engines() {
		t.Run(string(e), func(t *testing.T) {
			d := table(t, e)
			ctx := t.Context()
			put := d.Command("INSERT INTO kv (k, v) VALUES (?, ?)")
			for i := range 3 {
				_, err := put.Exec(ctx, fmt.Sprint("k", i), i)
				must(t, err)
			}
			sum := 0
			all := d.Query("SELECT v FROM kv WHERE v >= ? ORDER BY k")
			must(t, all.Each(ctx, []any{1}, func(scan func(...any) error) error {
				var v int
				err := scan(&v)
				sum += v
				return err
			}))
			if sum != 3 {
				t.Errorf("sum %d, want 3", sum)
			}
			stop := errors.New("stop")
			if err := all.Each(ctx, []any{0}, func(func(...any) error) error { return stop }); err != stop {
				t.Errorf("Each: %v, want the function's own error", err)
			}
			var v int
			if err := d.Query("SELECT v FROM kv WHERE k = ?").Get(ctx, []any{"none"}, &v); !errors.Is(err, sql.ErrNoRows) {
				t.Errorf("no row: %v", err)
			}
			if _, err := d.Command("UPDATE nothing SET x = 1").Exec(ctx); err == nil || !strings.Contains(err.Error(), "nothing") {
				t.Errorf("missing table: %v", err)
			}
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if err := all.Get(ended, []any{0}, &v); !errors.Is(err, context.Canceled) {
				t.Errorf("context that ended: %v", err)
			}
			must(t, all.Get(ctx, []any{0}, &v)) // which did not count against the database
		})
	}
}

func TestJulianDay(t *testing.T) {
	sqlite := db.Dialect{Engine: db.SQLite}
	berlin := time.FixedZone("x", 7200)
	for _, at := range []time.Time{
		time.Date(2026, 11, 24, 8, 43, 27, 0, time.UTC),
		time.Date(2030, 5, 28, 21, 32, 15, 0, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
		time.Unix(0, 0),
	} {
		var got db.Time
		must(t, got.Scan(sqlite.Time(at, berlin)))
		if !got.Equal(at) {
			t.Errorf("Julian day of %v reads back %v", at, got)
		}
		// What SQLite's julianday() gives has no half second.
		must(t, got.Scan(float64(at.Unix())/86400+2440587.5))
		if !got.Equal(at) {
			t.Errorf("exact Julian day of %v reads %v", at, got)
		}
		text := db.Dialect{Engine: db.MySQL}.Time(at, berlin)
		got.Zone = berlin
		must(t, got.Scan(text))
		if !got.Equal(at) {
			t.Errorf("text %v of %v reads back %v", text, at, got)
		}
	}
}

func TestTimeScan(t *testing.T) {
	zone := time.FixedZone("x", 3600)
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, zone)
	for _, in := range []any{"2026-01-02 03:04:05", []byte("2026-01-02 03:04:05"), time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), want.Unix(), fmt.Sprint(want.Unix()), "2026-01-02T03:04:05+01:00"} {
		got := db.Time{Zone: zone}
		if err := got.Scan(in); err != nil || !got.Equal(want) {
			t.Errorf("Scan(%T %v) = %v, %v; want %v", in, in, got.Time, err, want)
		}
	}
	for _, in := range []any{nil, "", "0000-00-00 00:00:00", "1900-01-01 00:00:01", "1900-01-01 00:00", "2000-01-01 00:00:01"} {
		var got db.Time
		if err := got.Scan(in); err != nil || !got.IsZero() {
			t.Errorf("Scan(%v) = %v, %v; want the zero time", in, got.Time, err)
		}
	}
	for _, in := range []any{"Tue Nov 24", true} {
		var got db.Time
		if err := got.Scan(in); err == nil {
			t.Errorf("Scan(%v) = %v, want an error", in, got.Time)
		}
	}
}

func BenchmarkStmtGet(b *testing.B) {
	d := table(b, db.SQLite)
	put := d.Command("INSERT INTO kv (k, v) VALUES (?, ?)")
	for i := range 1000 {
		_, err := put.Exec(b.Context(), fmt.Sprint("k", i), i)
		must(b, err)
	}
	get := d.Query("SELECT v FROM kv WHERE k = ?")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var v int
			if err := get.Get(b.Context(), []any{"k500"}, &v); err != nil || v != 500 {
				b.Errorf("got %d, %v", v, err)
				return
			}
		}
	})
}
