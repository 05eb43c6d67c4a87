package dbtext

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"

	"sipd/db"
	"sipd/schema"
)

const (
	maxFile  = 256 << 20 // octets of a file
	workTime = time.Minute
)

// folder is a database: a folder with a file for each table. The tables live in
// memory and are written back when they changed.
type folder struct {
	path string
	fmt  format
	live bool // db_mode 1: a file that changed is read again
	log  *slog.Logger
	db   *db.DB
	// ended is called when the database ends.
	ended func()

	mu sync.Mutex // guards the fields below, and is held over files and tables
	// tables are those in memory, by the names of their files.
	tables map[string]*table
	// bad are the files that hold no table, with what they were like.
	bad  map[string]stamp
	made stamp // the folder's own
}

// stamp is by what a change of a file is seen.
type stamp struct {
	at   time.Time
	size int64
}

func stampOf(i os.FileInfo) stamp { return stamp{i.ModTime(), i.Size()} }

// table is a table in memory.
type table struct {
	cols  []column
	file  stamp
	sum   [sha256.Size]byte // of the text that the file stands for
	newer int64             // rows with higher numbers were added since it was read
}

// open reads all tables of a folder.
func (f *folder) open(ctx context.Context) error {
	info, err := os.Stat(f.path)
	if err == nil && !info.IsDir() {
		err = errors.New("it is no folder")
	}
	if err != nil {
		return fmt.Errorf("db_url text://%s: a folder with a file for each table is wanted: %w", f.path, err)
	}
	m := db.Memory{Source: "text:" + f.path, UnixTime: true, Closing: f.close}
	if f.live {
		m.Before = f.refresh
	}
	if f.db, err = db.OpenMemory(ctx, m); err != nil {
		return err
	}
	f.tables, f.bad = make(map[string]*table), make(map[string]stamp)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readNew(ctx)
}

// readNew reads the files that were not read yet. A file that holds no table is
// logged: who needs it says that the table is missing.
func (f *folder) readNew(ctx context.Context) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return err
	}
	f.made = stampOf(info)
	for _, e := range entries {
		name := e.Name()
		info, err := os.Stat(filepath.Join(f.path, name))
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		if f.tables[name] == nil && f.bad[name] != stampOf(info) {
			f.take(ctx, name, info)
		}
	}
	return nil
}

// take reads a file into memory, and logs why it cannot.
func (f *folder) take(ctx context.Context, name string, info os.FileInfo) {
	delete(f.bad, name)
	if err := f.read(ctx, name, info); err != nil {
		if !errors.Is(f.db.Wrap(err), db.ErrLocked) { // that is tried again
			f.bad[name] = stampOf(info)
		}
		f.log.LogAttrs(ctx, slog.LevelError, "the file of a table cannot be read", slog.String("module", "db_text"), slog.Any("err", err))
	}
}

// read puts what a file holds in the place of what was in memory of it.
func (f *folder) read(ctx context.Context, name string, info os.FileInfo) error {
	path := filepath.Join(f.path, name)
	data, err := readFile(path)
	if err != nil {
		return err
	}
	cols, rows, err := f.fmt.parse(data)
	if err != nil {
		line := 1
		if e, ok := errors.AsType[*formatError](err); ok {
			line = e.line
		}
		return fmt.Errorf("%s:%d: %w", path, line, err)
	}
	t := &table{cols: cols, file: stampOf(info), newer: int64(len(rows)), sum: f.sum(cols, rows)}
	if err := f.fill(ctx, name, t, rows); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f.tables[name] = t
	return nil
}

func readFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(file, maxFile+1))
	if err == nil && n > maxFile {
		err = fmt.Errorf("%s: the file is over %d octets", path, maxFile)
	}
	return b.String(), err
}

func (f *folder) sum(cols []column, rows [][]any) [sha256.Size]byte {
	return sha256.Sum256(f.text(cols, rows))
}

func (f *folder) text(cols []column, rows [][]any) []byte {
	b := appendHeader(nil, cols)
	for _, r := range rows {
		b = append(f.fmt.appendRow(b, cols, r), '\n')
	}
	return b
}

// fill makes the table in memory anew.
func (f *folder) fill(ctx context.Context, name string, t *table, rows [][]any) error {
	tx, err := f.db.Keeper().BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to undo
	for _, s := range f.ddl(name, t.cols) {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO "+f.db.Quote(name)+" VALUES (?"+strings.Repeat(", ?", len(t.cols)-1)+")")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, r := range rows {
		if _, err := insert.ExecContext(ctx, r...); err != nil {
			return err
		}
	}
	if err := f.index(ctx, tx, name, t.cols); err != nil {
		return err
	}
	return tx.Commit()
}

var sqlTypes = map[kind]string{
	kindInt: "INTEGER", kindTime: "INTEGER", kindDouble: "REAL", kindStr: "TEXT", kindString: "TEXT", kindBlob: "BLOB",
}

// ddl is what makes a table. What a file could not hold is refused: text among
// numbers. A column that cannot be NULL has an empty value where none is given.
func (f *folder) ddl(name string, cols []column) []string {
	q := f.db.Quote
	var b strings.Builder
	counter := ""
	for i := range cols {
		c := &cols[i]
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(q(c.name) + " " + sqlTypes[c.kind])
		switch {
		case c.auto:
			counter = c.name
		case !c.null && c.kind.text():
			b.WriteString(" NOT NULL DEFAULT ''")
		case !c.null:
			b.WriteString(" NOT NULL DEFAULT 0")
		}
		switch c.kind {
		case kindInt, kindTime:
			b.WriteString(" CHECK (typeof(" + q(c.name) + ") IN ('integer', 'null'))")
		case kindDouble:
			b.WriteString(" CHECK (typeof(" + q(c.name) + ") IN ('real', 'null'))")
		}
	}
	out := []string{"DROP TABLE IF EXISTS " + q(name), "CREATE TABLE " + q(name) + " (" + b.String() + ")"}
	if counter != "" {
		// Numbers may be there twice: Kamailio's own version table has 0 in all rows.
		out = append(out, "CREATE INDEX "+q(name+" "+counter)+" ON "+q(name)+" ("+q(counter)+")",
			fmt.Sprintf("CREATE TRIGGER %[1]s AFTER INSERT ON %[2]s WHEN NEW.%[3]s IS NULL BEGIN UPDATE %[2]s SET %[3]s = (SELECT coalesce(max(%[3]s), 0) + 1 FROM %[2]s) WHERE rowid = NEW.rowid; END",
				q(name+" counts"), q(name), q(counter)))
	}
	return out
}

// index gives a table the indexes that it has in other databases, for speed and
// because some statements want them. Rows that are there twice are no error:
// Kamailio takes them too.
func (f *folder) index(ctx context.Context, tx *sqlx.Tx, name string, cols []column) error {
	known := schema.Of(db.Kamailio).Table(name)
	if known == nil {
		return nil
	}
	for i, k := range known.Keys {
		if slices.ContainsFunc(k.Columns, func(want string) bool {
			return !slices.ContainsFunc(cols, func(c column) bool { return strings.EqualFold(c.name, want) })
		}) {
			continue
		}
		on := fmt.Sprintf("INDEX %s ON %s (%s)", f.db.Quote(fmt.Sprintf("%s key %d", name, i)), f.db.Quote(name), f.db.QuoteAll(k.Columns))
		if k.Unique {
			_, err := tx.ExecContext(ctx, "CREATE UNIQUE "+on)
			if err == nil {
				continue
			}
			f.log.LogAttrs(ctx, slog.LevelWarn, "rows with one key are there several times", slog.String("module", "db_text"),
				slog.String("file", filepath.Join(f.path, name)), slog.String("key", strings.Join(k.Columns, " ")))
		}
		if _, err := tx.ExecContext(ctx, "CREATE "+on); err != nil {
			return err
		}
	}
	return nil
}

// refresh reads what changed since it was read (db_mode 1). What was changed in
// memory and not written yet is lost with it, as in Kamailio.
func (f *folder) refresh() {
	if !f.mu.TryLock() {
		return // somebody looks or writes; to wait might be to wait for ourselves
	}
	defer f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), workTime)
	defer cancel()
	for name, t := range f.tables {
		// A file that went away leaves its table as it is.
		if info, err := os.Stat(filepath.Join(f.path, name)); err == nil && stampOf(info) != t.file && stampOf(info) != f.bad[name] {
			f.take(ctx, name, info)
		}
	}
	if info, err := os.Stat(f.path); err == nil && stampOf(info) != f.made {
		if err := f.readNew(ctx); err != nil {
			f.log.LogAttrs(ctx, slog.LevelError, "the folder of the tables cannot be read", slog.String("module", "db_text"), slog.Any("err", err))
		}
	}
}

// close writes what changed when the last user is gone.
func (f *folder) close() error {
	if f.ended != nil {
		f.ended()
	}
	return f.save()
}

// save writes the tables that changed into their files.
func (f *folder) save() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), workTime)
	defer cancel()
	var errs []error
	for name, t := range f.tables {
		if err := f.saveTable(ctx, name, t); err != nil {
			errs = append(errs, fmt.Errorf("write table %s of %s: %w", name, f.path, err))
		}
	}
	return errors.Join(errs...)
}

func (f *folder) saveTable(ctx context.Context, name string, t *table) error {
	rows, err := f.rows(ctx, name, t)
	if err != nil {
		return err
	}
	text := f.text(t.cols, rows)
	if sum := sha256.Sum256(text); sum != t.sum {
		path := filepath.Join(f.path, name)
		if err := replace(path, text); err != nil {
			return err
		}
		t.sum = sum
		if info, err := os.Stat(path); err == nil {
			t.file = stampOf(info)
		}
	}
	return nil
}

// rows are a table's rows in the order of the file: those that were added, newest
// first, and those that were there, as Kamailio has them.
func (f *folder) rows(ctx context.Context, name string, t *table) ([][]any, error) {
	names := make([]string, len(t.cols))
	for i := range t.cols {
		names[i] = t.cols[i].name
	}
	rows, err := f.db.Keeper().QueryContext(ctx, "SELECT "+f.db.QuoteAll(names)+" FROM "+f.db.Quote(name)+
		" ORDER BY CASE WHEN rowid > ? THEN -rowid ELSE rowid END", t.newer)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]any
	for rows.Next() {
		row, dest := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// replace puts a file in the place of another, with its owner and rights; who
// reads it meanwhile sees one of them whole. Where no file can be made beside it,
// it is written over.
func replace(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".db_text-*")
	if err != nil {
		return os.WriteFile(path, text, info.Mode().Perm())
	}
	defer os.Remove(tmp.Name())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = tmp.Chown(int(st.Uid), int(st.Gid)) // who may not has it already
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
