package db

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
)

// Memory is how [OpenMemory] makes a database.
type Memory struct {
	// Source names it in messages.
	Source string
	// UnixTime is that of [Dialect].
	UnixTime bool
	// Before is called before each statement of others, from many goroutines;
	// nil: nothing is. It sees to it that the tables are what they should be.
	Before func()
	// Closing is called once before the database ends; nil: nothing is.
	Closing func() error
}

type memoryDB struct {
	Memory
	keep *sqlx.DB // its connection keeps the database; Before is not called for it
}

// OpenMemory makes a SQLite database in memory, without tables, which ends with
// Close. One connection writes and several read, as with a file; a reader waits
// while somebody writes.
func OpenMemory(ctx context.Context, m Memory) (*DB, error) {
	sqlx.BindDriver("sqlite", sqlx.QUESTION)
	d := &DB{Dialect: Dialect{Engine: SQLite, UnixTime: m.UnixTime}, source: m.Source, timeout: 2 * time.Second}
	pools := make([]*sqlx.DB, 0, 3)
	// The memdb of SQLite is shared by all connections that name it.
	path := "/" + rand.Text()
	for range cap(pools) {
		p, err := sqlx.Open("sqlite", sqliteDSN(path, "", "")+"&vfs=memdb")
		if err != nil {
			return nil, err
		}
		p.SetMaxOpenConns(1)
		pools = append(pools, p)
	}
	pools[1].SetMaxOpenConns(defaultConns)
	pools[1].SetMaxIdleConns(defaultConns)
	d.mem = &memoryDB{Memory: m, keep: pools[0]}
	d.r, d.w = pools[1], pools[2]
	if err := d.mem.keep.PingContext(ctx); err != nil {
		d.mem.Closing = nil
		return nil, errors.Join(d.Wrap(err), d.Close())
	}
	return d, nil
}

// Keeper is the connection that keeps a database in memory. What uses it is not
// seen by Before: it is for who fills the tables and reads them out.
func (d *DB) Keeper() *sqlx.DB { return d.mem.keep }

func (d *DB) before() {
	if d.mem != nil && d.mem.Before != nil {
		d.mem.Before()
	}
}

func (d *DB) closeMemory() error {
	var err error
	if d.mem.Closing != nil {
		err = d.mem.Closing()
		d.mem.Closing = nil
	}
	return errors.Join(err, d.r.Close(), d.w.Close(), d.mem.keep.Close())
}
