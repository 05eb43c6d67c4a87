package db_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"sipd/db"
	"sipd/db/dbtest"
)

// words makes a SQLite file with a table of words, and gives two users of it:
// one to look up, one to change it, as two processes would.
func words(t testing.TB, journal string) (reader, writer *db.DB) {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "words.db")
	writer, err := db.Open(t.Context(), url, db.Create(), db.JournalMode(journal))
	must(t, err)
	t.Cleanup(func() { must(t, writer.Close()) })
	write(t, writer, "CREATE TABLE words (w TEXT, d TEXT, v TEXT, n INTEGER)")
	write(t, writer, "INSERT INTO words VALUES ('a', 'x', 'one', 1), ('b', 'x', NULL, 2)")
	reader, err = db.Open(t.Context(), url, db.ReadOnly())
	must(t, err)
	t.Cleanup(func() { must(t, reader.Close()) })
	return reader, writer
}

func write(t testing.TB, d *db.DB, query string, args ...any) {
	t.Helper()
	_, err := d.Writer().ExecContext(t.Context(), query, args...)
	must(t, err)
}

func lookupWords(t testing.TB, d *db.DB) *db.Lookup {
	l := d.Lookup("SELECT v, n FROM words WHERE w = ? AND d = ?", 2)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// TestLookupSeesChanges: what is remembered is never older than the last commit,
// in any journal mode, and across a change of the mode.
func TestLookupSeesChanges(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE", "TRUNCATE", "PERSIST"} {
		t.Run(journal, func(t *testing.T) {
			reader, writer := words(t, journal)
			l := lookupWords(t, reader)
			want := func(v any, n int64) {
				t.Helper()
				for range 3 { // asked, remembered, remembered
					row, err := l.Row(t.Context(), "a", "x")
					must(t, err)
					if text(row[0]) != v || row[1] != n {
						t.Fatalf("the row is %v, want %v %d", row, v, n)
					}
				}
			}
			want("one", 1)
			for n := range 40 {
				v := fmt.Sprint("v", n)
				write(t, writer, "UPDATE words SET v = ?, n = ? WHERE w = 'a'", v, n)
				want(v, int64(n))
			}
			write(t, writer, "PRAGMA journal_mode = WAL") // leaving it wants the file for itself
			write(t, writer, "UPDATE words SET v = 'late', n = 7 WHERE w = 'a'")
			want("late", 7)
		})
	}
}

func fileOf(t testing.TB, d *db.DB) string {
	t.Helper()
	var seq, name, file string
	must(t, d.Reader().QueryRowContext(t.Context(), "PRAGMA database_list").Scan(&seq, &name, &file))
	return file
}

func text(v any) any {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v
}

// TestLookupRows: rows that are not there, NULL, and arguments that look alike
// when they are put in a row.
func TestLookupRows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		must(t, d.Tx(t.Context(), func(tx *db.Tx) error {
			return errors.Join(
				tx.Do(t.Context(), "CREATE TABLE words (w VARCHAR(10), d VARCHAR(10), v VARCHAR(10), n INTEGER)"),
				tx.Do(t.Context(), "INSERT INTO words VALUES ('a', 'bc', 'one', 1), ('ab', 'c', NULL, 2)"))
		}))
		l := lookupWords(t, d)
		for range 3 {
			row, err := l.Row(t.Context(), "a", "bc")
			if err != nil || text(row[0]) != "one" || fmt.Sprint(row[1]) != "1" {
				t.Errorf("a bc: %v, %v", row, err)
			}
			if row, err = l.Row(t.Context(), "ab", "c"); err != nil || row[0] != nil {
				t.Errorf("ab c: %v, %v; want NULL", row, err)
			}
			if row, err = l.Row(t.Context(), "abc", ""); !errors.Is(err, sql.ErrNoRows) {
				t.Errorf("abc: %v, %v; want no row", row, err)
			}
		}
	})
}

// TestLookupAsksNothing: a row that is remembered is not asked for: the
// database may even be locked by somebody who writes.
func TestLookupAsksNothing(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) {
			reader, writer := words(t, journal)
			l := lookupWords(t, reader)
			if _, err := l.Row(t.Context(), "a", "x"); err != nil { // WAL makes its index now
				t.Fatal(err)
			}
			if _, err := l.Row(t.Context(), "a", "x"); err != nil {
				t.Fatal(err)
			}
			_, err := writer.Writer().ExecContext(t.Context(), "DROP TABLE words")
			must(t, err)
			if _, err := l.Row(t.Context(), "a", "x"); err == nil {
				t.Error("a dropped table has a row")
			}
			write(t, writer, "CREATE TABLE words (w TEXT, d TEXT, v TEXT, n INTEGER)")
			write(t, writer, "INSERT INTO words VALUES ('a', 'x', 'two', 2)")
			for range 2 {
				row, err := l.Row(t.Context(), "a", "x")
				if err != nil || text(row[0]) != "two" {
					t.Fatalf("the row is %v, %v", row, err)
				}
			}
			if got := testing.AllocsPerRun(100, func() { _, _ = l.Row(t.Context(), "a", "x") }); got > 2 {
				t.Errorf("a remembered row costs %v allocations: it was asked for", got)
			}
		})
	}
}

// TestLookupFollowsWriter: readers beside a writer never see a value that is
// older than what was committed before they asked.
func TestLookupFollowsWriter(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) {
			reader, writer := words(t, journal)
			l := lookupWords(t, reader)
			var mu sync.Mutex
			committed := int64(1)
			done := make(chan struct{})
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						mu.Lock()
						least := committed
						mu.Unlock()
						row, err := l.Row(t.Context(), "a", "x")
						if err != nil && !errors.Is(err, db.ErrLocked) { // it may be locked for long
							t.Error(err)
							return
						}
						if err == nil && row[1].(int64) < least {
							t.Errorf("the row is %v; %d was committed before", row, least)
							return
						}
					}
				})
			}
			for n := int64(2); n < 60; n++ {
				write(t, writer, "UPDATE words SET n = ? WHERE w = 'a'", n)
				mu.Lock()
				committed = n
				mu.Unlock()
			}
			close(done)
			wg.Wait()
		})
	}
}

// TestLookupKeepsLocks: looking into a file and stopping to do so leaves the
// locks of another user in the same process alone.
func TestLookupKeepsLocks(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) {
			reader, writer := words(t, journal)
			url := "sqlite:" + fileOf(t, writer)
			for range 2 {
				_, err := lookupWords(t, reader).Row(t.Context(), "a", "x")
				must(t, err)
			}
			tx, err := writer.Writer().BeginTxx(t.Context(), nil)
			must(t, err)
			defer tx.Rollback()
			_, err = tx.ExecContext(t.Context(), "UPDATE words SET n = 99")
			must(t, err)
			// Another user comes, looks, and goes.
			other, err := db.Open(t.Context(), url, db.ReadOnly())
			must(t, err)
			l := other.Lookup("SELECT v, n FROM words WHERE w = ? AND d = ?", 2)
			for range 2 {
				if row, err := l.Row(t.Context(), "a", "x"); err != nil || row[1] != int64(1) {
					t.Fatalf("the row is %v, %v", row, err)
				}
			}
			must(t, l.Close())
			must(t, other.Close())
			file := fileOf(t, writer)
			if journal == "WAL" {
				file += "-shm"
			}
			if !locked(t, file) {
				t.Error("another process could write in the middle of a transaction: the locks are gone")
			}
			must(t, tx.Commit())
		})
	}
}

// locked says whether this process holds a lock for writing on the file. It asks
// in the name of an open file, which is nobody who holds one. The file stays
// open until the test is over: closing it would drop the locks.
func locked(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	k := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	must(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &k))
	return k.Type == unix.F_WRLCK
}

// TestLookupResidue: a database that was looked into can be deleted and made
// anew; nothing of the old one is remembered.
func TestLookupResidue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.db")
	for n := range 20 {
		w, err := db.Open(t.Context(), "sqlite:"+path, db.Create())
		must(t, err)
		write(t, w, "CREATE TABLE words (w TEXT, d TEXT, v TEXT, n INTEGER)")
		write(t, w, "INSERT INTO words VALUES ('a', 'x', 'y', ?)", n)
		l := w.Lookup("SELECT v, n FROM words WHERE w = ? AND d = ?", 2)
		for range 3 {
			if row, err := l.Row(t.Context(), "a", "x"); err != nil || row[1] != int64(n) {
				t.Fatalf("the row is %v, %v; want %d", row, err, n)
			}
		}
		must(t, errors.Join(l.Close(), w.Close()))
		for _, ext := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + ext); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, journal := range []string{"WAL", "DELETE"} {
		b.Run(journal, func(b *testing.B) {
			reader, _ := words(b, journal)
			l := lookupWords(b, reader)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Row(b.Context(), "a", "x"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
