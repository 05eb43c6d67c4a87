package db

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"sync"
)

// Lookup is a statement that finds one row by texts and remembers what it
// found for as long as nobody, in whatever process, has changed the database.
// That can be told of SQLite files alone: a look into the file costs a
// twentieth of asking it. With other engines a Lookup asks every time. It is
// safe for concurrent use.
type Lookup struct {
	db      *DB
	stmt    *Stmt
	columns int

	mu   sync.Mutex // guards the fields below
	mark mark
	rows map[string][]any
	// asked and changed count questions, and changes of the mark between them;
	// rest is how many questions are passed on without a look into the file.
	asked, changed, rest int
}

const (
	// mostRows bounds the rows that one Lookup remembers.
	mostRows = 1 << 15
	// A database that changes between most of lookWindow questions is asked
	// lookRest times before it is looked into again.
	lookWindow = 128
	lookRest   = 1024
)

// Lookup makes one of a query with ? for its arguments that gives so many
// columns.
func (d *DB) Lookup(query string, columns int) *Lookup {
	return &Lookup{db: d, stmt: d.Query(query), columns: columns}
}

// Row is the first row for the arguments: what the driver gave, an int64,
// float64, bool, string, []byte, time.Time or nil for each column. Others may
// hold the same row: it must not be changed. No row is sql.ErrNoRows.
func (l *Lookup) Row(ctx context.Context, args ...string) ([]any, error) {
	var space [96]byte
	key := space[:0]
	for _, a := range args {
		key = append(binary.AppendUvarint(key, uint64(len(a))), a...)
	}
	before, sure := l.look()
	if sure {
		if row := l.find(&before, key); row != nil {
			return row, nil
		}
	}
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a
	}
	row, dest := make([]any, l.columns), make([]any, l.columns)
	for i := range row {
		dest[i] = &row[i]
	}
	err := l.stmt.Each(ctx, list, func(scan func(...any) error) error {
		if err := scan(dest...); err != nil {
			return err
		}
		// The statement is not over: what it sees cannot change before this look.
		if after, ok := l.db.marks.mark(); sure && ok && after == before {
			l.keep(&before, key, row)
		}
		return errFirst
	})
	switch {
	case err == nil:
		return nil, sql.ErrNoRows
	case errors.Is(err, errFirst):
		return row, nil
	}
	return nil, err
}

// errFirst ends a query at its first row.
var errFirst = errors.New("the first row was read")

// look reads the mark, unless that is not worth it these days.
func (l *Lookup) look() (mark, bool) {
	if l.db.marks == nil {
		return mark{}, false
	}
	l.mu.Lock()
	if l.rest > 0 {
		l.rest--
		l.mu.Unlock()
		return mark{}, false
	}
	l.mu.Unlock()
	return l.db.marks.mark()
}

// find is the row that is remembered under the mark, or nil.
func (l *Lookup) find(k *mark, key []byte) []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked++; l.asked >= lookWindow {
		if l.changed > lookWindow/2 {
			l.rest, l.rows = lookRest, nil
		}
		l.asked, l.changed = 0, 0
	}
	if l.mark != *k {
		l.changed++
		l.mark = *k
		clear(l.rows)
		return nil
	}
	return l.rows[string(key)]
}

func (l *Lookup) keep(k *mark, key []byte, row []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mark != *k {
		return
	}
	if l.rows == nil {
		l.rows = make(map[string][]any)
	}
	if len(l.rows) >= mostRows {
		for old := range l.rows {
			delete(l.rows, old)
			break
		}
	}
	l.rows[string(key)] = row
}

// Close frees the statement; it must not be in use.
func (l *Lookup) Close() error { return l.stmt.Close() }
