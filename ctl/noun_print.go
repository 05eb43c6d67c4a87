package ctl

import (
	"context"

	"sipd/ctl/output"
	"sipd/db/serdb"
	"sipd/db/table"
)

// printRows lists rows.
func (a *App) printRows(ctx context.Context, r *Rows, where []table.Cond, l *listFlags) error {
	columns := l.columns
	if len(columns) == 0 {
		columns = r.shown(a.set.output == output.Table, l.secrets)
	}
	more, err := r.conds(l.where)
	if err != nil {
		return err
	}
	if where = append(where, more...); !l.deleted {
		where = r.alive(where)
	}
	w := output.New(a.Out, a.set.output, columns...)
	q := table.Query{Columns: columns, Where: where, Sort: l.sort, Limit: l.limit, Offset: l.offset}
	for row, err := range r.t.Rows(ctx, q) {
		if err != nil {
			return err
		}
		if a.set.output.Screen() {
			r.flagsShown(columns, row)
		}
		if err := w.Row(row...); err != nil {
			return err
		}
	}
	return w.Close()
}

// flagsShown writes the flags of a row with letters, for people.
func (r *Rows) flagsShown(columns []string, row []any) {
	for i, c := range columns {
		if n, ok := row[i].(int64); ok && r.place.flags && (c == "flags" || c == "default_flags") {
			row[i] = serdb.FormatFlags(uint32(n))
		}
	}
}
