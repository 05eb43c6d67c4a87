package db

import (
	"context"
	"slices"
	"strings"
)

// mostArgs is how many arguments one statement gets at most: well below what
// the engines take (SQLite 32766, the others 65535), so that a statement stays
// small and few different ones are prepared.
const mostArgs = 2000

// Insert writes rows in as few statements as may be. Every row has a value for
// each column.
func (t *Tx) Insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	head := "INSERT INTO " + t.Quote(table) + " (" + t.QuoteAll(columns) + ") VALUES "
	one := "(" + marks(len(columns)) + ")"
	for chunk := range slices.Chunk(rows, max(1, mostArgs/len(columns))) {
		args := make([]any, 0, len(chunk)*len(columns))
		for _, r := range chunk {
			args = append(args, r...)
		}
		if _, err := t.Exec(ctx, head+strings.TrimSuffix(strings.Repeat(one+", ", len(chunk)), ", "), args...); err != nil {
			return err
		}
	}
	return nil
}

// In asks a query for many values of one column: query has the arguments args,
// and behind them "IN (" and ")" are added around the values. Rows of all
// answers are appended to the slice that dest points at.
func In[T any](ctx context.Context, t *Tx, dest *[]T, query string, args []any, values []string) error {
	for chunk := range slices.Chunk(values, mostArgs/4) {
		all := slices.Clone(args)
		for _, v := range chunk {
			all = append(all, v)
		}
		var got []T
		if err := t.Select(ctx, &got, query+" IN ("+marks(len(chunk))+")", all...); err != nil {
			return err
		}
		*dest = append(*dest, got...)
	}
	return nil
}

// marks are n question marks.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
