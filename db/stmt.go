package db

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
)

// Stmt is a prepared statement for the daemon: safe for concurrent use,
// prepared at its first use, limited by the deadline of its context or, on
// servers, by [Timeout], and refused at once with ErrUnavailable for a moment
// after the database was lost, so that a dead server does not hold every
// receiver.
type Stmt struct {
	db    *DB
	pool  *sqlx.DB
	query string
	mu    sync.Mutex // held while preparing
	stmt  atomic.Pointer[sql.Stmt]
}

// Query makes a Stmt that reads, with ? for its arguments.
func (d *DB) Query(query string) *Stmt {
	return &Stmt{db: d, pool: d.r, query: d.Rebind(query)}
}

// Command makes a Stmt that writes, with ? for its arguments.
func (d *DB) Command(query string) *Stmt {
	return &Stmt{db: d, pool: d.w, query: d.Rebind(query)}
}

// Get reads the first row into dest. No row is sql.ErrNoRows.
func (s *Stmt) Get(ctx context.Context, args []any, dest ...any) error {
	return s.run(ctx, func(ctx context.Context, st *sql.Stmt) error {
		return st.QueryRowContext(ctx, args...).Scan(dest...)
	})
}

// Each calls fn with every row; fn's error ends it and comes back as it is.
func (s *Stmt) Each(ctx context.Context, args []any, fn func(scan func(dest ...any) error) error) error {
	var own error
	err := s.run(ctx, func(ctx context.Context, st *sql.Stmt) error {
		rows, err := st.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if own = fn(rows.Scan); own != nil {
				return nil
			}
		}
		return rows.Err()
	})
	if own != nil {
		return own
	}
	return err
}

// Exec runs the statement and says how many rows it changed.
func (s *Stmt) Exec(ctx context.Context, args ...any) (int64, error) {
	var n int64
	err := s.run(ctx, func(ctx context.Context, st *sql.Stmt) error {
		res, err := st.ExecContext(ctx, args...)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// Close frees the statement; it must not be in use.
func (s *Stmt) Close() error {
	if st := s.stmt.Swap(nil); st != nil {
		return st.Close()
	}
	return nil
}

func (s *Stmt) run(ctx context.Context, do func(context.Context, *sql.Stmt) error) error {
	s.db.before()
	if err := s.db.breaker.check(); err != nil {
		return s.db.Wrap(err)
	}
	// SQLite waits for locks no longer than busyTimeout and for nobody else, and
	// its driver pays a goroutine for each deadline: more than a look-up costs.
	if _, ok := ctx.Deadline(); !ok && s.db.Engine != SQLite {
		c, cancel := context.WithTimeout(ctx, s.db.timeout)
		defer cancel()
		ctx = c
	}
	st, err := s.prepared(ctx)
	if err == nil {
		err = do(ctx, st)
	}
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		s.db.breaker.worked()
		return err
	}
	err = s.db.Wrap(err)
	if errors.Is(err, ErrUnavailable) {
		s.db.breaker.failed()
	}
	return err
}

func (s *Stmt) prepared(ctx context.Context) (*sql.Stmt, error) {
	if st := s.stmt.Load(); st != nil {
		return st, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.stmt.Load(); st != nil {
		return st, nil
	}
	st, err := s.pool.PrepareContext(ctx, s.query)
	if err != nil {
		return nil, err
	}
	s.stmt.Store(st)
	return st, nil
}

const (
	backOffFirst = 100 * time.Millisecond
	backOffLast  = 5 * time.Second
)

// breaker refuses work for a while after the database was lost; one caller
// after each pause finds out whether it is back.
type breaker struct {
	until atomic.Int64 // Unix nanoseconds; 0 when all is well
	pause atomic.Int64 // nanoseconds
}

var errBackOff = errors.New("it was lost a moment ago and is not asked yet")

func (b *breaker) check() error {
	until := b.until.Load()
	if until == 0 {
		return nil
	}
	now := time.Now().UnixNano()
	if now < until {
		return errBackOff
	}
	// The one who moves the mark tries; the others wait for the result.
	if b.until.CompareAndSwap(until, now+b.pause.Load()) {
		return nil
	}
	return errBackOff
}

func (b *breaker) worked() {
	if b.until.Load() != 0 {
		b.pause.Store(0)
		b.until.Store(0)
	}
}

func (b *breaker) failed() {
	pause := min(max(2*b.pause.Load(), int64(backOffFirst)), int64(backOffLast))
	b.pause.Store(pause)
	b.until.Store(time.Now().UnixNano() + pause)
}
