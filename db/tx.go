package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"
)

// Tx is a transaction that writes. Its statements are prepared once each.
type Tx struct {
	Dialect
	db    *DB
	tx    *sqlx.Tx
	stmts map[string]*sqlx.Stmt
}

// How often a transaction that met a lock or a deadlock is repeated.
const txTries = 6

// Tx runs fn in one transaction and commits when it returns nil. It is
// serializable: what fn read stays true until its writes are in. When the
// engine asks to repeat it (deadlock, lock wait), fn runs again from the
// start, so it must change nothing but the database. Errors of the database
// come back as *[Error], those of fn untouched.
func (d *DB) Tx(ctx context.Context, fn func(*Tx) error) error {
	if d.ro {
		return &Error{Source: d.source, Kind: ErrReadOnly, Err: errors.New("it was opened for reading only")}
	}
	wait := 5 * time.Millisecond
	began := time.Now()
	for try := 1; ; try++ {
		err := d.tryTx(ctx, fn)
		if try == txTries || !errors.Is(err, ErrLocked) {
			return err
		}
		if d.Engine == SQLite && time.Since(began) >= busyTimeout {
			return err // it has waited for the lock by itself
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait + rand.N(wait)):
		}
		wait *= 2
	}
}

// View runs fn in one transaction that only reads, so all it sees is of one
// moment. Nothing is written, whatever fn does.
func (d *DB) View(ctx context.Context, fn func(*Tx) error) error {
	o := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	if d.Engine == SQLite {
		o = nil // the pool is read-only, and a transaction sees one moment
	}
	return d.runTx(ctx, d.r, o, fn)
}

func (d *DB) tryTx(ctx context.Context, fn func(*Tx) error) error {
	o := &sql.TxOptions{Isolation: sql.LevelSerializable}
	if d.Engine == SQLite {
		o = nil // it always is
	}
	return d.runTx(ctx, d.w, o, fn)
}

func (d *DB) runTx(ctx context.Context, pool *sqlx.DB, o *sql.TxOptions, fn func(*Tx) error) error {
	d.before()
	tx, err := pool.BeginTxx(ctx, o)
	if err != nil {
		return d.Wrap(err)
	}
	t := &Tx{Dialect: d.Dialect, db: d, tx: tx, stmts: make(map[string]*sqlx.Stmt)}
	done := false // stays so after a panic too, which would keep the connection
	defer func() {
		for _, s := range t.stmts {
			_ = s.Close() // the transaction's end closes it as well
		}
		if !done {
			_ = tx.Rollback() // after a failed commit there is nothing to undo
		}
	}()
	if err := fn(t); err != nil || d.dry {
		return err
	}
	if err := d.Wrap(tx.Commit()); err != nil {
		return err
	}
	done = true
	return nil
}

// stmt prepares query on its first use in this transaction.
func (t *Tx) stmt(ctx context.Context, query string) (*sqlx.Stmt, error) {
	if s, ok := t.stmts[query]; ok {
		return s, nil
	}
	s, err := t.tx.PreparexContext(ctx, t.Rebind(query))
	if err != nil {
		return nil, t.db.Wrap(err)
	}
	t.stmts[query] = s
	return s, nil
}

// Exec runs a statement with ? for arguments and says how many rows it
// changed or found.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int, error) {
	s, err := t.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, t.db.Wrap(err)
	}
	n, err := res.RowsAffected()
	return int(n), t.db.Wrap(err)
}

// Get reads one row into dest (sqlx rules). No row is sql.ErrNoRows.
func (t *Tx) Get(ctx context.Context, dest any, query string, args ...any) error {
	s, err := t.stmt(ctx, query)
	if err != nil {
		return err
	}
	err = s.GetContext(ctx, dest, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return t.db.Wrap(err)
}

// Select reads all rows into the slice dest points at.
func (t *Tx) Select(ctx context.Context, dest any, query string, args ...any) error {
	s, err := t.stmt(ctx, query)
	if err != nil {
		return err
	}
	return t.db.Wrap(s.SelectContext(ctx, dest, args...))
}

// Has tells whether the query gives a row.
func (t *Tx) Has(ctx context.Context, query string, args ...any) (bool, error) {
	s, err := t.stmt(ctx, query)
	if err != nil {
		return false, err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return false, t.db.Wrap(err)
	}
	has := rows.Next()
	return has, t.db.Wrap(errors.Join(rows.Close(), rows.Err()))
}

// Do runs SQL without arguments and without preparing it: DDL. What a dry run
// could not undo is [ErrNoDryRun].
func (t *Tx) Do(ctx context.Context, query string) error {
	if t.db.dry && t.db.Keeps(query) {
		return fmt.Errorf("%w: MySQL commits %.40s …; it was not run", ErrNoDryRun, query)
	}
	_, err := t.tx.ExecContext(ctx, query)
	return t.db.Wrap(err)
}

// Each runs a query and calls fn for every row; the row is what scan reads. No
// other statement of the transaction may run meanwhile.
func (t *Tx) Each(ctx context.Context, query string, fn func(scan func(dest ...any) error) error, args ...any) error {
	rows, err := t.tx.QueryContext(ctx, t.Rebind(query), args...)
	if err != nil {
		return t.db.Wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return t.db.Wrap(rows.Err())
}
