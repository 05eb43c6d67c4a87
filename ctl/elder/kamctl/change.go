package kamctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sipd/db"
	"sipd/db/table"
	"sipd/schema"
)

// field is a column with the text that was given for it.
type field struct {
	column, text string
	secret       bool // never shown
	now          bool // the time of the change instead of text
	null         bool
	number       bool // bound as a number, where queries compare with one
}

// f makes a field.
func f(column, text string) field { return field{column: column, text: text} }

// bare is what a query binds: a number where the column is one and the text too.
func (f field) bare() any {
	if n, err := strconv.ParseInt(f.text, 10, 64); f.number && err == nil {
		return n
	}
	return f.text
}

// literal is the field in the line that is shown.
func (f field) literal(d db.Dialect) string {
	switch {
	case f.secret:
		return "'***'"
	case f.now:
		return "now()"
	case f.null:
		return "NULL"
	case f.number:
		return f.text
	}
	return d.Literal(f.text)
}

// change is one statement that changes rows.
type change struct {
	table string
	set   []field // what is written: INSERT without where, else UPDATE
	where []field // which rows; DELETE without set
	all   bool    // DELETE of every row, on purpose
	quiet bool    // the elder does not show this one
}

func insert(table string, set ...field) change   { return change{table: table, set: set} }
func remove(table string, where ...field) change { return change{table: table, where: where} }
func (c change) update(where ...field) change    { c.where = where; return c }
func (c change) text(d db.Dialect) (s string)    { return c.verb(d) + ";" }
func literals(d db.Dialect, fs []field) (s []string) {
	return mapFields(fs, func(f field) string { return f.literal(d) })
}

func mapFields(fs []field, fn func(field) string) []string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = fn(f)
	}
	return out
}

func (c change) verb(d db.Dialect) string {
	equal := func(f field) string { return f.column + "=" + f.literal(d) }
	conds := ""
	if len(c.where) > 0 {
		conds = " where " + strings.Join(mapFields(c.where, equal), " AND ")
	}
	switch {
	case len(c.set) == 0:
		return "delete from " + c.table + conds
	case len(c.where) == 0:
		names := mapFields(c.set, func(f field) string { return f.column })
		return "insert into " + c.table + " (" + strings.Join(names, ",") + ") values (" + strings.Join(literals(d, c.set), ",") + ")"
	}
	return "update " + c.table + " set " + strings.Join(mapFields(c.set, equal), ", ") + conds
}

// apply makes the changes in one transaction and says how many rows each
// touched. Values are checked against their columns first, so nothing is cut
// off silently.
func (k *control) apply(ctx context.Context, changes ...change) ([]int, error) {
	d, err := k.writer(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if !c.quiet {
			k.traced(c.text(d.Dialect), true)
		}
	}
	tables := make(map[string]*table.Table)
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if tables[c.table] == nil {
			if tables[c.table], err = table.Like(d, db.Kamailio, found, c.table, c.table); err != nil {
				return nil, err
			}
		}
	}
	var counts []int
	err = d.Tx(ctx, func(tx *db.Tx) error {
		counts = counts[:0]
		for _, c := range changes {
			n, err := c.run(ctx, tx, tables[c.table])
			if err != nil {
				return err
			}
			counts = append(counts, n)
		}
		return nil
	})
	return counts, err
}

func (c change) run(ctx context.Context, tx *db.Tx, t *table.Table) (int, error) {
	var cells []table.Cell
	for _, f := range c.set {
		v, err := f.value(t)
		if err != nil {
			return 0, err
		}
		cells = append(cells, table.Cell{Column: f.column, Value: v})
	}
	var conds []table.Cond
	for _, f := range c.where {
		v, err := f.value(t)
		if err != nil {
			return 0, err
		}
		conds = append(conds, table.Eq(f.column, v))
	}
	switch {
	case len(c.set) == 0 && len(c.where) == 0 && !c.all:
		return 0, errors.New("a removal of all rows that nobody asked for")
	case len(c.set) == 0:
		return t.RemoveTx(ctx, tx, conds)
	case len(c.where) == 0:
		return 1, secret(t.AddTx(ctx, tx, cells...), c.set)
	}
	n, err := t.SetTx(ctx, tx, conds, cells...)
	return n, secret(err, c.set)
}

// value is the field in its column's type.
func (f field) value(t *table.Table) (any, error) {
	c, err := t.Column(f.column)
	switch {
	case err != nil:
		return nil, err
	case f.null:
		return nil, nil
	case f.now:
		return time.Now().Truncate(time.Second), nil
	case c.Kind == schema.String || c.Kind == schema.Text: // \N is a text like any other here
		return c.Check(f.text)
	}
	return t.Parse(f.column, f.text)
}

// secret takes the value out of an error about a secret column.
func secret(err error, set []field) error {
	e, ok := errors.AsType[*db.FieldError](err)
	if !ok {
		return err
	}
	for _, f := range set {
		if f.secret && f.text == e.Value {
			return &db.FieldError{Field: e.Field, Why: e.Why}
		}
	}
	return err
}

// changeOr makes the changes; a failure is told in the elder's words.
func (k *control) changeOr(ctx context.Context, words string, changes ...change) error {
	if err := k.needEngine(); err != nil {
		return err
	}
	if _, err := k.apply(ctx, changes...); err != nil {
		return k.sqlError(err, "%s", words)
	}
	return nil
}

// has tells whether a table has a row with these values.
func (k *control) has(ctx context.Context, table string, where ...field) (bool, error) {
	d, err := k.reader(ctx)
	if err != nil {
		return false, err
	}
	q := query{table: table, columns: []string{"1"}, where: where}
	sql, args := q.sql(d.Dialect)
	found := false
	err = d.View(ctx, func(tx *db.Tx) (err error) {
		found, err = tx.Has(ctx, sql, args...)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("look into %s: %w", table, err)
	}
	return found, nil
}
