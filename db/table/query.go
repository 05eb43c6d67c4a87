package table

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"sipd/db"
	"sipd/schema"
)

// Op compares a column with a value.
type Op string

// The comparisons. Has is for texts: the column contains the value, ASCII case
// ignored. With a nil value Is and Not ask for NULL.
const (
	Is   Op = "="
	Not  Op = "!="
	Less Op = "<"
	Most Op = "<="
	More Op = ">"
	Min  Op = ">="
	Has  Op = "~"
	Bits Op = "&"  // one of the bits of the value is set
	None Op = "!&" // none of them is
	In   Op = "in" // it is one of the values of an []any
)

// Cond is a condition on a column.
type Cond struct {
	Column string
	Op     Op
	Value  any
}

// Eq is the condition that the column has the value.
func Eq(column string, v any) Cond { return Cond{column, Is, v} }

// ParseCond reads COLUMN=VALUE, or with one of the other comparisons between
// them, the value as [Table.Parse] does.
func (t *Table) ParseCond(s string) (Cond, error) {
	i := strings.IndexAny(s, "=!<>~")
	if i < 1 {
		return Cond{}, &db.FieldError{Field: "condition", Value: s, Why: "is none; write COLUMN=VALUE, or != < <= > >= ~ (contains) in place of ="}
	}
	name, rest := strings.TrimSpace(s[:i]), s[i:]
	for _, op := range []Op{Not, Most, Min, Is, Less, More, Has} {
		value, ok := strings.CutPrefix(rest, string(op))
		if !ok {
			continue
		}
		c := Cond{Column: name, Op: op}
		if op == Has {
			_, err := t.Column(name)
			c.Value = value
			return c, err
		}
		var err error
		c.Value, err = t.Parse(name, value)
		return c, err
	}
	return Cond{}, &db.FieldError{Field: "condition", Value: s, Why: "has no comparison; there are = != < <= > >= ~"}
}

// Query says which rows, which columns of them, and in which order. The zero
// value is all of them in the order of the table.
type Query struct {
	Columns []string // none: all
	Where   []Cond
	Sort    []string // column names, with - before them downwards
	Limit   int      // 0: no limit
	Offset  int
}

// Rows streams the rows that meet the conditions, each as the values of the
// columns asked for: nil, int64, float64, string, []byte or time.Time. An
// error comes as the last pair.
func (t *Table) Rows(ctx context.Context, q Query) iter.Seq2[[]any, error] {
	query, columns, args, err := t.query(q)
	if err != nil {
		return func(yield func([]any, error) bool) { yield(nil, err) }
	}
	scan := func(scan func(...any) error) ([]any, error) {
		row := make([]any, len(columns))
		dest := make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := scan(dest...); err != nil {
			return nil, err
		}
		for i, c := range columns {
			row[i] = c.value(row[i], t.zone)
		}
		return row, nil
	}
	return db.Rows(ctx, t.d, scan, query, args...)
}

func (t *Table) query(q Query) (query string, columns []*Column, args []any, err error) {
	names := q.Columns
	if len(names) == 0 {
		names = t.Names()
	}
	for _, n := range names {
		c, err := t.Column(n)
		if err != nil {
			return "", nil, nil, err
		}
		columns = append(columns, c)
	}
	cond, args, err := t.where(q.Where)
	if err != nil {
		return "", nil, nil, err
	}
	query = "SELECT " + t.d.QuoteAll(names) + " FROM " + t.d.Quote(t.Name) + cond
	order, err := t.order(q.Sort)
	if err != nil {
		return "", nil, nil, err
	}
	query += order
	if q.Limit > 0 || q.Offset > 0 {
		limit := int64(q.Limit)
		if limit <= 0 {
			limit = 1<<63 - 1 // MySQL and SQLite have no OFFSET without LIMIT
		}
		query += fmt.Sprintf(" LIMIT %d OFFSET %d", limit, q.Offset)
	}
	return query, columns, args, nil
}

// order sorts as asked, and else by the counting column, which makes pages
// with Limit and Offset fit together.
func (t *Table) order(by []string) (string, error) {
	var out []string
	for _, s := range by {
		name, down := strings.CutPrefix(s, "-")
		if _, err := t.Column(name); err != nil {
			return "", err
		}
		q := t.d.Quote(name)
		if down {
			q += " DESC"
		}
		out = append(out, q)
	}
	for _, c := range t.Columns {
		if c.Auto {
			out = append(out, t.d.Quote(c.Name))
		}
	}
	if out == nil {
		return "", nil
	}
	return " ORDER BY " + strings.Join(out, ", "), nil
}

func (t *Table) where(conds []Cond) (string, []any, error) {
	var parts []string
	var args []any
	for _, c := range conds {
		col, err := t.Column(c.Column)
		if err != nil {
			return "", nil, err
		}
		part, arg, err := t.condition(col, c)
		if err != nil {
			return "", nil, err
		}
		parts, args = append(parts, part), append(args, arg...)
	}
	if parts == nil {
		return "", nil, nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args, nil
}

func (t *Table) condition(col *Column, c Cond) (string, []any, error) {
	name := t.d.Quote(col.Name)
	switch {
	case c.Op == Has:
		s, ok := c.Value.(string)
		if !ok || col.Kind != schema.String && col.Kind != schema.Text {
			return "", nil, &db.FieldError{Field: "condition", Value: col.Name + "~", Why: "searches texts only"}
		}
		if err := col.checkSearch(s); err != nil {
			return "", nil, err
		}
		return "LOWER(" + name + ") LIKE LOWER(?) ESCAPE '!'", []any{"%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s) + "%"}, nil
	case c.Value == nil && c.Op == Is:
		return name + " IS NULL", nil, nil
	case c.Value == nil && c.Op == Not:
		return name + " IS NOT NULL", nil, nil
	}
	switch c.Op {
	case In:
		return t.oneOf(col, c.Value)
	case Bits, None:
		if n, ok := c.Value.(int64); ok && col.Kind == schema.Integer {
			return "(" + name + " & ?) " + map[Op]string{Bits: "<> 0", None: "= 0"}[c.Op], []any{n}, nil
		}
		return "", nil, &db.FieldError{Field: "condition", Value: col.Name, Why: "has no bits"}
	case Is, Not, Less, Most, More, Min:
	default:
		return "", nil, &db.FieldError{Field: "condition", Value: string(c.Op), Why: "is no comparison"}
	}
	v, err := t.bind(Cell{col.Name, c.Value})
	if err != nil {
		return "", nil, err
	}
	if _, date := c.Value.(time.Time); date && t.d.Engine == db.SQLite {
		// Kamailio writes Julian days there, its own schema's defaults are text.
		name = "CASE typeof(" + name + ") WHEN 'text' THEN julianday(" + name + ") ELSE " + name + " END"
	}
	if c.Op == Not { // NULL differs too
		return "(" + name + " <> ? OR " + name + " IS NULL)", []any{v}, nil
	}
	return name + " " + string(c.Op) + " ?", []any{v}, nil
}

// oneOf is the condition that the column has one of the values; of none it has
// none.
func (t *Table) oneOf(col *Column, v any) (string, []any, error) {
	values, ok := v.([]any)
	if !ok {
		return "", nil, &db.FieldError{Field: "condition", Value: col.Name, Why: "has no list of values"}
	}
	if len(values) == 0 {
		return "1 = 0", nil, nil
	}
	args := make([]any, len(values))
	for i, x := range values {
		var err error
		if args[i], err = t.bind(Cell{col.Name, x}); err != nil {
			return "", nil, err
		}
	}
	return t.d.Quote(col.Name) + " IN (" + strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ") + ")", args, nil
}

// checkSearch wants what an engine takes as text; its length does not matter.
func (c *Column) checkSearch(s string) error {
	any := Column{Name: c.Name, Kind: schema.Text}
	return any.checkText(s)
}
