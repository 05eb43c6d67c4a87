package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"sipd/db"
)

// Result is what a statement gave.
type Result struct {
	Columns []string                // nil when it gives no rows
	Rows    iter.Seq2[[]any, error] // with Columns; to be read once
	Changed int64                   // without Columns; -1 when the engine does not say
	NotRun  string                  // in a dry run: the statement, which could not be undone
}

// Execute runs a script in one transaction and hands over what each statement
// gave. Statements that begin or end transactions are passed over. The error of
// a statement says which it was. With readOnly it refuses changes; in a dry run
// (db.DryRun) it undoes them at the end, and statements that the engine would
// keep are handed over and not run.
func Execute(ctx context.Context, d *db.DB, s *Script, readOnly bool, give func(*Result) error) (err error) {
	pool := d.Writer()
	if readOnly {
		pool = d.Reader()
	}
	tx, err := pool.BeginTxx(ctx, &sql.TxOptions{ReadOnly: readOnly && d.Engine != db.SQLite}) // whose reader cannot write
	if err != nil {
		return d.Wrap(err)
	}
	defer func() {
		if err != nil || readOnly || d.Dry() {
			err = errors.Join(err, tx.Rollback())
			return
		}
		err = d.Wrap(tx.Commit())
	}()
	for n := 1; ; n++ {
		text, err := s.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil || controls(text):
		case readOnly && d.Keeps(text): // MariaDB runs it in a read-only transaction too
			err = &db.Error{Source: d.Source(), Kind: db.ErrReadOnly, Err: errors.New("the statement commits by itself")}
		case d.Dry() && d.Keeps(text):
			err = give(&Result{Changed: -1, NotRun: text})
		default:
			err = execute(ctx, d, tx, text, give)
		}
		if err != nil {
			return fmt.Errorf("statement %d (%s): %w", n, begin(text), err)
		}
	}
}

// controls tells statements about transactions.
func controls(sql string) bool {
	f := strings.Fields(strings.ToUpper(sql))
	return len(f) > 0 && (f[0] == "BEGIN" || f[0] == "COMMIT" || f[0] == "ROLLBACK" || f[0] == "END" || f[0] == "START" && len(f) > 1 && f[1] == "TRANSACTION")
}

// begin is how a statement begins, for messages: without its values, which may
// be secrets.
func begin(sql string) string {
	f := strings.Fields(sql)
	out := strings.Join(f[:min(len(f), 3)], " ")
	if i := strings.IndexAny(out, "'\"(="); i >= 0 {
		out = out[:i]
	}
	return strings.TrimSpace(out[:min(len(out), 60)]) + " …"
}

// gives tells whether a statement gives rows.
func gives(sql string) bool {
	f := strings.Fields(strings.ToUpper(strings.NewReplacer("(", " ", ")", " ").Replace(sql[:min(len(sql), 40)])))
	if len(f) == 0 {
		return false
	}
	switch f[0] {
	case "SELECT", "SHOW", "PRAGMA", "EXPLAIN", "WITH", "VALUES", "TABLE", "DESCRIBE", "DESC", "CALL", "ANALYZE", "CHECK":
		return true
	}
	return strings.Contains(strings.ToUpper(sql), " RETURNING ")
}

func execute(ctx context.Context, d *db.DB, tx *sqlx.Tx, text string, give func(*Result) error) error {
	if !gives(text) {
		res, err := tx.ExecContext(ctx, text)
		if err != nil {
			return d.Wrap(err)
		}
		n, err := res.RowsAffected()
		if err != nil || !slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "REPLACE"}, strings.ToUpper(strings.Fields(text)[0])) {
			n = -1
		}
		return give(&Result{Changed: n})
	}
	rows, err := tx.QueryContext(ctx, text)
	if err != nil {
		return d.Wrap(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return d.Wrap(err)
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return d.Wrap(err)
	}
	kinds := make([]Column, len(types))
	for i, t := range types {
		kinds[i] = parseFound(d.Engine, t.DatabaseTypeName(), "")
	}
	if len(columns) == 0 { // a statement that could have given some
		return give(&Result{Changed: -1})
	}
	return give(&Result{Columns: columns, Rows: func(yield func([]any, error) bool) {
		for rows.Next() {
			values, dest := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				dest[i] = &values[i]
			}
			if err := rows.Scan(dest...); err != nil {
				yield(nil, d.Wrap(err))
				return
			}
			for i, v := range values {
				values[i] = shown(&kinds[i], v)
			}
			if !yield(values, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, d.Wrap(err))
		}
	}})
}

// shown is a value as a list shows it: bytes that are no text in hexadecimal.
func shown(c *Column, v any) any {
	if c.Size < 0 || c.Kind == Blob {
		c = &Column{Kind: Text, Size: 16}
	}
	if b, ok := plain(c, v).([]byte); ok {
		if utf8.Valid(b) {
			return string(b)
		}
		return fmt.Sprintf("0x%x", b)
	}
	return plain(c, v)
}
