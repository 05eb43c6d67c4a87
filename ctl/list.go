package ctl

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
)

// listFlags are what a list prints of what there is, and in which order.
type listFlags struct {
	columns []string
	sort    []string
	where   []string
	limit   int
	offset  int
	secrets bool
	deleted bool // rows that are marked as deleted too
}

// declare gives a list its flags; where is for the lists that know conditions.
func (l *listFlags) declare(cmd *cobra.Command, where, secrets bool) {
	f := cmd.Flags()
	f.SortFlags = false
	if where {
		f.StringArrayVar(&l.where, "where", nil, "only rows that meet a `condition`: COLUMN=VALUE, or != < <= > >= ~ (contains); again for more")
	}
	f.StringSliceVarP(&l.columns, "columns", "C", nil, "print these `columns`, separated by commas")
	f.StringSliceVar(&l.sort, "sort", nil, "in the order of these `columns`; -COLUMN downwards")
	f.IntVar(&l.limit, "limit", 0, "at most so `many` (default all)")
	f.IntVar(&l.offset, "offset", 0, "leave out the first `so-many`")
	if secrets {
		f.BoolVar(&l.secrets, "secrets", false, "with passwords and hashes: whoever has them can log in")
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if l.limit < 0 || l.offset < 0 {
			return usagef(cmd, "--limit and --offset are not negative")
		}
		return nil
	}
}

// page are limit and offset for the source of the rows: none where they are
// sorted here, after all of them came.
func (l *listFlags) page(f *db.Filter) {
	if len(l.sort) == 0 {
		f.Limit, f.Offset = l.limit, l.offset
	}
}

// lister prints rows with the columns and in the order that were asked for.
type lister struct {
	w    *output.Writer
	flag *listFlags
	pick []int
	sort []int // columns, counted from 1, negative: downwards
	rows [][]any
}

// list makes a lister of rows that have all the columns named; screen are those
// that fit one, none: all.
func (a *App) list(l *listFlags, all []string, screen ...string) (*lister, error) {
	out := &lister{flag: l}
	names := all
	if a.set.output == output.Table && len(screen) > 0 {
		names = screen
	}
	if len(l.columns) > 0 {
		names = l.columns
	}
	find := func(name string) (int, error) {
		i := slices.Index(all, name)
		if i < 0 {
			return 0, &db.FieldError{Field: "column", Value: name, Why: "is none; there are " + strings.Join(all, ", ")}
		}
		return i, nil
	}
	for _, n := range names {
		i, err := find(n)
		if err != nil {
			return nil, err
		}
		out.pick = append(out.pick, i)
	}
	for _, s := range l.sort {
		name, down := strings.CutPrefix(s, "-")
		i, err := find(name)
		if err != nil {
			return nil, err
		}
		if i++; down {
			i = -i
		}
		out.sort = append(out.sort, i)
	}
	out.w = output.New(a.Out, a.set.output, names...)
	return out, nil
}

// row takes one row with all its columns.
func (l *lister) row(cells ...any) error {
	if l.sort != nil {
		l.rows = append(l.rows, cells)
		return nil
	}
	return l.print(cells)
}

func (l *lister) print(cells []any) error {
	row := make([]any, len(l.pick))
	for i, p := range l.pick {
		row[i] = cells[p]
	}
	return l.w.Row(row...)
}

// close prints what was kept for sorting.
func (l *lister) close() error {
	slices.SortStableFunc(l.rows, func(x, y []any) int {
		for _, s := range l.sort {
			i, sign := s-1, 1
			if s < 0 {
				i, sign = -s-1, -1
			}
			if c := compare(x[i], y[i]); c != 0 {
				return sign * c
			}
		}
		return 0
	})
	rows := l.rows[min(l.flag.offset, len(l.rows)):]
	if l.flag.limit > 0 && len(rows) > l.flag.limit {
		rows = rows[:l.flag.limit]
	}
	for _, r := range rows {
		if err := l.print(r); err != nil {
			return err
		}
	}
	return l.w.Close()
}

// compare orders two cells of one column: numbers by size, the rest as text.
func compare(x, y any) int {
	switch x := x.(type) {
	case int:
		if y, ok := y.(int); ok {
			return cmp.Compare(x, y)
		}
	case int64:
		if y, ok := y.(int64); ok {
			return cmp.Compare(x, y)
		}
	case float64:
		if y, ok := y.(float64); ok {
			return cmp.Compare(x, y)
		}
	}
	return strings.Compare(output.Text(x), output.Text(y))
}
