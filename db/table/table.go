// Package table reads and changes the rows of one table, whichever it is: the
// tables where a row is all there is to a thing, as address, dispatcher or
// speed_dial. What spans several tables is the directory's work (sipd/db).
//
//	t, err := table.Open(ctx, d, db.Kamailio, "address")
//	grp, err := t.Parse("grp", "5")
//	err = t.Add(ctx, table.Cell{Column: "grp", Value: grp}, …)
//
// The columns are those that the database has, the site's own ones included;
// their types are those of package schema where it knows them. Every value is
// checked against type and width before the database sees it: an error is a
// *db.FieldError then, and nothing was written. Values travel as bind
// parameters only.
package table

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sipd/db"
	"sipd/schema"
)

// Table is a table of an open database.
type Table struct {
	Name    string
	Columns []Column // in the order of the schema, the site's own ones last

	d    *db.DB
	zone *time.Location // of wall clocks
}

// Column is a column with what may stand in it.
type Column struct {
	Name    string
	Kind    schema.Kind
	Size    int  // String: characters, 0 for any number
	Null    bool // may be NULL
	Auto    bool // counts up by itself
	Must    bool // has no default: Add needs it
	Default string
	min     int64 // Integer
	max     int64
	bytes   int // Text, Blob: most bytes, 0 for any number
}

// Open looks at the table of that name. A table that is missing is a
// *[schema.MismatchError]: the one of the flavour can be made, any other is
// not known here.
func Open(ctx context.Context, d *db.DB, f db.Flavour, name string) (*Table, error) {
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return nil, err
	}
	return Like(d, f, found, name, name)
}

// Like opens a table that has the form of another: servers read several of one
// form under names of their own. found are the tables of the database.
func Like(d *db.DB, f db.Flavour, found schema.Tables, name, form string) (*Table, error) {
	def := schema.Of(f).Table(form)
	have := found[name]
	if have == nil {
		return nil, found.Check(d.Source(), f, schema.Need{Table: name})
	}
	t := &Table{Name: name, d: d, zone: time.Local}
	if f == db.SER {
		t.zone = time.UTC // as SER writes it
	}
	if def != nil {
		for i := range def.Columns {
			if c, ok := have.Columns[def.Columns[i].Name]; ok {
				t.Columns = append(t.Columns, known(d.Engine, &def.Columns[i], c))
			}
		}
	}
	var own []string
	for n := range have.Columns {
		if t.column(n) == nil {
			own = append(own, n)
		}
	}
	slices.Sort(own)
	for _, n := range own {
		t.Columns = append(t.Columns, unknown(d.Engine, have.Columns[n]))
	}
	return t, nil
}

// known is a column of the schema with the width that it has here.
func known(e db.Engine, def *schema.Column, have schema.FoundColumn) Column {
	c := Column{Name: def.Name, Kind: def.Kind, Null: def.Null, Auto: def.Auto, Must: !def.Null && !def.Auto && def.Default == nil}
	if def.Default != nil {
		c.Default = *def.Default
	}
	switch def.Kind {
	case schema.String:
		if c.Size = def.Size; have.Size > 0 {
			c.Size = have.Size
		}
	case schema.Integer:
		c.min, c.max = span(e, def, have)
	case schema.Text, schema.Blob:
		if e == db.MySQL {
			c.bytes = 1<<def.Size - 1
			c.Must = false // MySQL gives such columns no default, yet takes none for ''
		}
	}
	return c
}

// span is what an integer column holds. Unsigned ones are so in MySQL alone:
// elsewhere the type that is there decides, and SQLite holds anything.
func span(e db.Engine, def *schema.Column, have schema.FoundColumn) (least, most int64) {
	bits := min(def.Size, 63)
	if def.Unsigned {
		least, most = 0, 1<<bits-1
	} else {
		bits = min(bits, 64)
		if def.Size == 64 {
			return -1 << 63, 1<<63 - 1
		}
		least, most = -1<<(bits-1), 1<<(bits-1)-1
	}
	if e == db.PostgreSQL {
		switch strings.ToLower(have.Type) {
		case "integer":
			most = min(most, 1<<31-1)
		case "smallint":
			most = min(most, 1<<15-1)
		}
	}
	return least, most
}

// unknown is a column that the schema does not have: its declared type says
// what it is.
func unknown(e db.Engine, have schema.FoundColumn) Column {
	c := Column{Name: strings.ToLower(have.Name), Kind: schema.Text, Null: true}
	if e != db.MySQL {
		c.Name = have.Name
	}
	typ := strings.ToLower(have.Type)
	switch {
	case strings.Contains(typ, "int"), strings.Contains(typ, "serial"):
		c.Kind, c.min, c.max = schema.Integer, -1<<63, 1<<63-1
	case strings.Contains(typ, "char") && have.Size > 0:
		c.Kind, c.Size = schema.String, have.Size
	case strings.Contains(typ, "blob"), strings.Contains(typ, "bytea"):
		c.Kind = schema.Blob
	case strings.Contains(typ, "real"), strings.Contains(typ, "floa"), strings.Contains(typ, "doub"), strings.Contains(typ, "numeric"), strings.Contains(typ, "decimal"):
		c.Kind = schema.Double
	case strings.Contains(typ, "date"), strings.Contains(typ, "time"):
		c.Kind = schema.Datetime
	}
	return c
}

// Column finds a column by name; one that the table lacks is a
// *[db.FieldError] that names those it has.
func (t *Table) Column(name string) (*Column, error) {
	if c := t.column(name); c != nil {
		return c, nil
	}
	return nil, &db.FieldError{Field: "column", Value: name, Why: "is none of table " + t.Name + ", which has " + strings.Join(t.Names(), ", ")}
}

func (t *Table) column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Default is what a row has in the column when nobody gives it a value. A
// column that must be given one is a *[db.FieldError].
func (t *Table) Default(column string) (any, error) {
	c, err := t.Column(column)
	switch {
	case err != nil:
		return nil, err
	case c.Auto, c.Must:
		return nil, c.bad("", "has no default")
	case c.Null && c.Default == "":
		return nil, nil
	}
	return t.Parse(column, c.Default)
}

// Has tells whether there is a column of that name.
func (t *Table) Has(name string) bool { return t.column(name) != nil }

// Names are the names of the columns.
func (t *Table) Names() []string {
	out := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = c.Name
	}
	return out
}

// Cell is a value in a column. Values are nil (NULL), int64, float64, string,
// []byte and time.Time, as the column's kind wants; an int and a bool are taken
// as int64.
type Cell struct {
	Column string
	Value  any
}

// Add writes one row.
func (t *Table) Add(ctx context.Context, cells ...Cell) error {
	return t.d.Tx(ctx, func(tx *db.Tx) error { return t.AddTx(ctx, tx, cells...) })
}

// AddTx is Add inside a transaction of the caller. Columns that are not named
// take the default of the schema, as the elders' tables may lack it.
func (t *Table) AddTx(ctx context.Context, tx *db.Tx, cells ...Cell) error {
	var names []string
	var args []any
	for _, c := range cells {
		v, err := t.bind(c)
		if err != nil {
			return err
		}
		names, args = append(names, c.Column), append(args, v)
	}
	for _, c := range t.Columns {
		if c.Must && !slices.Contains(names, c.Name) {
			return &db.FieldError{Field: c.Name, Why: "is missing: table " + t.Name + " has no default for it"}
		}
	}
	if len(names) == 0 {
		return &db.FieldError{Field: "row", Why: "of table " + t.Name + " has no value at all"}
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", tx.Quote(t.Name), tx.QuoteAll(names),
		strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")), args...)
	if err != nil {
		return err
	}
	return t.countOn(ctx, tx, names)
}

// countOn lets PostgreSQL number new rows beyond one that came with its number.
func (t *Table) countOn(ctx context.Context, tx *db.Tx, given []string) error {
	for _, c := range t.Columns {
		if t.d.Engine != db.PostgreSQL || !c.Auto || !slices.Contains(given, c.Name) {
			continue
		}
		name := tx.Quote(t.Name)
		_, err := tx.Exec(ctx, fmt.Sprintf("SELECT setval(pg_get_serial_sequence(%s, %s), (SELECT MAX(%s) FROM %s))", tx.Literal(name), tx.Literal(c.Name), tx.Quote(c.Name), name))
		if err != nil {
			return err
		}
	}
	return nil
}

// Set changes the columns of cells in all rows that meet every condition, and
// says how many these are. Without a condition these are all.
func (t *Table) Set(ctx context.Context, where []Cond, cells ...Cell) (int, error) {
	n := 0
	err := t.d.Tx(ctx, func(tx *db.Tx) (err error) {
		n, err = t.SetTx(ctx, tx, where, cells...)
		return err
	})
	return n, err
}

// SetTx is Set inside a transaction of the caller.
func (t *Table) SetTx(ctx context.Context, tx *db.Tx, where []Cond, cells ...Cell) (int, error) {
	var set []string
	var args []any
	for _, c := range cells {
		v, err := t.bind(c)
		if err != nil {
			return 0, err
		}
		set, args = append(set, tx.Quote(c.Column)+" = ?"), append(args, v)
	}
	if len(set) == 0 {
		return 0, &db.FieldError{Field: "row", Why: "is given no value to change"}
	}
	cond, more, err := t.where(where)
	if err != nil {
		return 0, err
	}
	return tx.Exec(ctx, "UPDATE "+tx.Quote(t.Name)+" SET "+strings.Join(set, ", ")+cond, append(args, more...)...)
}

// ChangeTx gives an integer column of the rows of the conditions another value
// each, by the one it has; change applied twice must be the same as once. It
// says how many rows meet the conditions.
func (t *Table) ChangeTx(ctx context.Context, tx *db.Tx, where []Cond, column string, change func(int64) int64) (int, error) {
	n, err := t.CountTx(ctx, tx, where)
	if err != nil || n == 0 {
		return n, err
	}
	cond, args, err := t.where(where)
	if err != nil {
		return 0, err
	}
	var have []int64
	if err := tx.Select(ctx, &have, "SELECT DISTINCT "+tx.Quote(column)+" FROM "+tx.Quote(t.Name)+cond, args...); err != nil {
		return 0, err
	}
	for _, old := range have {
		if next := change(old); next != old {
			if _, err := t.SetTx(ctx, tx, append(slices.Clone(where), Eq(column, old)), Cell{column, next}); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// Remove deletes the rows that meet every condition and says how many these
// were. Without a condition these are all.
func (t *Table) Remove(ctx context.Context, where []Cond) (int, error) {
	n := 0
	err := t.d.Tx(ctx, func(tx *db.Tx) (err error) {
		n, err = t.RemoveTx(ctx, tx, where)
		return err
	})
	return n, err
}

// RemoveTx is Remove inside a transaction of the caller.
func (t *Table) RemoveTx(ctx context.Context, tx *db.Tx, where []Cond) (int, error) {
	cond, args, err := t.where(where)
	if err != nil {
		return 0, err
	}
	return tx.Exec(ctx, "DELETE FROM "+tx.Quote(t.Name)+cond, args...)
}

// CountTx says how many rows meet every condition.
func (t *Table) CountTx(ctx context.Context, tx *db.Tx, where []Cond) (int, error) {
	cond, args, err := t.where(where)
	if err != nil {
		return 0, err
	}
	n := 0
	err = tx.Get(ctx, &n, "SELECT count(*) FROM "+tx.Quote(t.Name)+cond, args...)
	return n, err
}

// bind checks a cell and gives what the driver wants.
func (t *Table) bind(c Cell) (any, error) {
	col, err := t.Column(c.Column)
	if err != nil {
		return nil, err
	}
	v, err := col.Check(c.Value)
	if err != nil {
		return nil, err
	}
	if at, ok := v.(time.Time); ok {
		return t.d.Time(at, t.zone), nil
	}
	return v, nil
}
