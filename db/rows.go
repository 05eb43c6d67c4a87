package db

import (
	"context"
	"fmt"
	"iter"
)

// Rows streams the rows of a query, each turned into a T by scan. It holds a
// connection while the loop runs and gives it back when the loop ends, early
// or not. An error comes as the last pair.
func Rows[T any](ctx context.Context, d *DB, scan func(scan func(dest ...any) error) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows, err := d.r.QueryContext(ctx, d.Rebind(query), args...)
		if err != nil {
			yield(zero, d.Wrap(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows.Scan)
			if err != nil {
				yield(zero, d.Wrap(err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, d.Wrap(err))
		}
	}
}

// All collects what Rows streams.
func All[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for v, err := range seq {
		if err != nil {
			return out, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Text scans a text column of any driver; NULL gives "".
type Text string

// Scan implements sql.Scanner.
func (t *Text) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = ""
	case string:
		*t = Text(v)
	case []byte:
		*t = Text(v)
	default:
		return scanOther(t, v)
	}
	return nil
}

// scanOther takes what SQLite gives for a text column that holds a number.
func scanOther(t *Text, v any) error {
	switch v.(type) {
	case int64, float64, bool:
		*t = Text(fmt.Sprint(v))
		return nil
	}
	return fmt.Errorf("text column holds a %T", v)
}
