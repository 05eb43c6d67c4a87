package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// DryRun lets every transaction of [DB.Tx] do its work and then undoes it: what
// would be refused is, and nothing is written. With [Create], a SQLite file
// that is not there is not made either: the work is done in memory. What MySQL
// could not undo is refused with [ErrNoDryRun]: a database with tables of an
// engine without transactions, and in [Tx.Do] a statement that commits.
func DryRun() Option { return func(o *options) { o.dry = true } }

// ErrNoDryRun is what cannot be tried, since it could not be undone.
var ErrNoDryRun = errors.New("a dry run is not possible")

// Dry tells that this is a dry run.
func (d *DB) Dry() bool { return d.dry }

// undone are the statements that MySQL undoes with their transaction. Others
// may commit, as CREATE TABLE does, or end the transaction, as SET can.
var undone = []string{"SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "REPLACE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC"}

// Keeps tells that the engine would keep what the statement does although its
// transaction is undone.
func (d *DB) Keeps(query string) bool {
	if d.Engine != MySQL {
		return false
	}
	word := strings.TrimLeft(query, " \t\r\n(")
	if i := strings.IndexFunc(word, func(r rune) bool { return r < 'A' || r > 'z' }); i >= 0 {
		word = word[:i]
	}
	return !slices.Contains(undone, strings.ToUpper(word))
}

// canUndo refuses a dry run where a table would keep what is written to it.
func (d *DB) canUndo(ctx context.Context) error {
	if !d.dry || d.Engine != MySQL {
		return nil
	}
	var table, engine string
	err := d.r.QueryRowContext(ctx, `SELECT t.table_name, t.engine FROM information_schema.tables t
		JOIN information_schema.engines e ON e.engine = t.engine
		WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND coalesce(e.transactions, 'NO') <> 'YES'
		ORDER BY t.table_name LIMIT 1`).Scan(&table, &engine)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return d.Wrap(err)
	}
	return fmt.Errorf("%w: %s, whose table %s is kept by %s, would keep what is tried; nothing was; to make it able to undo: ALTER TABLE %[3]s ENGINE=InnoDB", ErrNoDryRun, d.source, table, engine)
}

// inMemory tells that a dry run has to make a SQLite file.
func (o *options) inMemory(path string) bool {
	_, err := os.Stat(path)
	return o.dry && o.create && errors.Is(err, os.ErrNotExist)
}
