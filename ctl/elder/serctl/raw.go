package serctl

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"sipd/db"
	"sipd/schema"
)

// dbModule works on any table.
func dbModule() module {
	return module{
		"add":  {1, -1, "table_name column=value", rawAdd, "add a row"},
		"rm":   {1, -1, "table_name column=value", rawRemove, "remove rows"},
		"show": {1, -1, "table_name column=value", rawShow, "show rows"},
	}
}

// pairs reads COLUMN=VALUE; names of columns are in lower case.
func pairs(args []string) ([]cond, error) {
	var out []cond
	for _, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return nil, fail("ECOLSPEC", a)
		}
		out = append(out, eq(strings.ToLower(name), value))
	}
	return out, nil
}

// known wants a table and its columns: the names go into SQL, and an error of
// the database would come late.
func (s *session) known(ctx context.Context, table string, conds []cond, opts ...db.Option) ([]string, error) {
	d, err := s.open(ctx, opts...)
	if err != nil {
		return nil, err
	}
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return nil, err
	}
	if found[table] == nil {
		return nil, fail("EINVAL", table)
	}
	for _, c := range conds {
		if !found.Has(table, c.column) {
			return nil, fail("ENOCOL", c.column)
		}
	}
	var columns []string
	if def := schema.Of(db.SER).Table(table); def != nil {
		for _, c := range def.Columns {
			if found.Has(table, c.Name) {
				columns = append(columns, c.Name)
			}
		}
	}
	var others []string
	for name := range found[table].Columns {
		if !slices.Contains(columns, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(columns, others...), nil
}

func rawShow(s *session, ctx context.Context, args []string) error {
	conds, err := pairs(args[1:])
	if err != nil {
		return err
	}
	columns, err := s.known(ctx, args[0], conds, db.ReadOnly())
	if err != nil {
		return err
	}
	v, err := s.view()
	if err != nil {
		return err
	}
	v.form = "raw" // a table of any kind: its flags may be others
	rows, columns, err := s.fetch(ctx, v, args[0], columns, conds...)
	if err != nil {
		return err
	}
	s.print(v, rows, columns)
	return nil
}

func rawAdd(s *session, ctx context.Context, args []string) error {
	conds, err := pairs(args[1:])
	if err != nil {
		return err
	}
	if len(conds) == 0 {
		return nil // the elder does nothing either
	}
	if _, err := s.known(ctx, args[0], conds); err != nil {
		return err
	}
	row := make(map[string]string)
	for _, c := range conds {
		row[c.column] = c.value
	}
	return s.change(ctx, func(c *change) error { return c.insert(args[0], row) })
}

func rawRemove(s *session, ctx context.Context, args []string) error {
	conds, err := pairs(args[1:])
	if err != nil {
		return err
	}
	if len(conds) == 0 && !s.opt.force() {
		return fail("EALL", "")
	}
	if _, err := s.known(ctx, args[0], conds); err != nil {
		return err
	}
	limit, err := strconv.Atoi(s.opt.text("LIMIT"))
	if err != nil || limit < 0 {
		return fail("EINT", "--limit")
	}
	return s.change(ctx, func(c *change) error {
		where, values := spell(c.tx.Dialect, conds)
		query := "DELETE FROM " + c.tx.Quote(args[0]) + where
		if limit > 0 && c.tx.Engine != db.MySQL {
			return fail("ENOSYS", "rm with --limit on "+string(c.tx.Engine))
		}
		if limit > 0 {
			query += " LIMIT " + strconv.Itoa(limit)
		}
		_, err := c.tx.Exec(c.ctx, query, values...)
		return err
	})
}
