package schema

import (
	"fmt"
	"slices"
	"strings"

	"sipd/db"
)

// Servers change tables in place, in three moves: new columns beside the old
// ones, their values, and one ALTER TABLE that puts all into place. In MySQL
// each is a transaction by itself, and whichever was the last, what is left to
// do can be seen from the table.

func (c *change) server() {
	q := c.d.Quote
	table := q(c.t.Name)
	c.counting(table)
	var add, set []string
	for _, s := range c.sources {
		if s.expr == "" || c.empty {
			continue
		}
		temp := newPrefix + s.c.Name
		if !c.found.Has(temp) {
			w := *s.c
			w.Name, w.Null, w.Default, w.Auto = temp, true, nil, false
			add = append(add, "ADD COLUMN "+w.definition(c.d.Dialect, c.s.Wanted.Flavour, false))
		}
		v := s.expr
		if !s.c.Null {
			v = "COALESCE(" + v + ", " + s.c.zero(c.d.Dialect) + ")"
		}
		set = append(set, q(temp)+" = "+v)
	}
	if add != nil {
		c.step("make room for new values", "ALTER TABLE %s %s", table, strings.Join(add, ", "))
	}
	if set != nil {
		c.step("fill in new values", "UPDATE %s SET %s", table, strings.Join(set, ", "))
	}
	c.clean(table)
	if c.d.Engine == db.MySQL {
		c.mysql(table)
	} else {
		c.postgres(table)
	}
}

// counting adds the counting primary key of a table that has none, before
// anything that needs it.
func (c *change) counting(table string) {
	i := slices.IndexFunc(c.sources, func(s source) bool { return s.c.Auto })
	if i < 0 || c.sources[i].have != nil {
		return
	}
	id := c.sources[i].c
	alone := sameNames(c.t.PrimaryKey(), []string{id.Name})
	def := id.definition(c.d.Dialect, c.s.Wanted.Flavour, alone)
	drop := ""
	if alone && c.found.Primary != nil {
		drop = c.dropPrimary() + ", "
	}
	first := ""
	if c.d.Engine == db.MySQL {
		first = " FIRST"
	}
	c.step("number its rows", "ALTER TABLE %s %sADD COLUMN %s%s", table, drop, def, first)
	c.sources = slices.Delete(c.sources, i, i+1)
	if alone {
		c.primary = false
	}
}

func (c *change) dropPrimary() string {
	if c.d.Engine == db.MySQL {
		return "DROP PRIMARY KEY"
	}
	return "DROP CONSTRAINT " + c.d.Quote(c.found.PrimaryName)
}

// clean takes what is in the way of NOT NULL and of new unique keys.
func (c *change) clean(table string) {
	if c.empty {
		return
	}
	for _, s := range c.sources {
		if s.have == nil || s.expr != "" {
			continue
		}
		name := c.d.Quote(s.have.Name)
		if s.have.Null && !s.c.Null {
			c.step("no NULL in "+s.have.Name, "UPDATE %s SET %s = %s WHERE %s IS NULL", table, name, s.c.zero(c.d.Dialect), name)
		}
		if c.fills(s.c.Name) && slices.ContainsFunc(c.add, func(k Key) bool { return k.Unique && slices.Contains(k.Columns, s.c.Name) }) {
			c.step("give each row a "+s.c.Name, "UPDATE %s SET %s = %s WHERE %s = ''", table, name, unique(sqlText{c.d.Dialect, c.rowID()}), name)
		}
	}
}

// mysql puts all into place with one ALTER TABLE.
func (c *change) mysql(table string) {
	q, f := c.d.Quote, c.s.Wanted.Flavour
	var do []string
	for _, d := range c.dropped {
		do = append(do, "DROP COLUMN "+q(d.Name))
	}
	if c.primary && c.found.Primary != nil {
		do = append(do, "DROP PRIMARY KEY")
	}
	for _, k := range c.drop {
		do = append(do, "DROP INDEX "+q(k.Name))
	}
	for _, s := range c.sources {
		def := s.c.definition(c.d.Dialect, f, false)
		switch {
		case s.expr != "" && !c.empty:
			if s.have != nil {
				do = append(do, "DROP COLUMN "+q(s.have.Name))
			}
			do = append(do, "CHANGE COLUMN "+q(newPrefix+s.c.Name)+" "+def)
		case s.have == nil:
			do = append(do, "ADD COLUMN "+def)
		case s.rename != "":
			do = append(do, "CHANGE COLUMN "+q(s.have.Name)+" "+def)
		case s.alter || s.expr != "":
			do = append(do, "MODIFY COLUMN "+def)
		}
	}
	for _, k := range c.relaxed {
		do = append(do, "MODIFY COLUMN "+q(k.Name)+" "+c.declared(k)+" NULL")
	}
	if c.primary {
		do = append(do, "ADD PRIMARY KEY ("+c.d.QuoteAll(c.t.PrimaryKey())+")")
	}
	for _, k := range c.add {
		word := "ADD INDEX "
		if k.Unique {
			word = "ADD UNIQUE INDEX "
		}
		do = append(do, word+q(k.name(c.t.Name))+" ("+c.d.QuoteAll(k.Columns)+")")
	}
	if do != nil {
		c.step("bring to its new form", "ALTER TABLE %s\n    %s", table, strings.Join(do, ",\n    "))
	}
}

// declared is the type of a column that the schema does not know.
func (c *change) declared(k *Column) string {
	if k.Size < 0 {
		return c.found.Columns[strings.ToLower(k.Name)].Type
	}
	return k.SQLType(c.d.Engine, c.s.Wanted.Flavour)
}

// postgres does the same with a statement each: renaming does not go together
// with anything.
func (c *change) postgres(table string) {
	q := c.d.Quote
	alter := func(format string, args ...any) {
		c.step("bring to its new form", "ALTER TABLE %s %s", table, fmt.Sprintf(format, args...))
	}
	for _, k := range c.drop {
		if k.Constraint {
			alter("DROP CONSTRAINT %s", q(k.Name))
		} else {
			c.step("bring to its new form", "DROP INDEX %s", q(k.Name))
		}
	}
	if c.primary && c.found.Primary != nil {
		alter("%s", c.dropPrimary())
	}
	for _, d := range c.dropped {
		alter("DROP COLUMN %s", q(d.Name))
	}
	for _, s := range c.sources {
		c.postgresColumn(&s, alter)
	}
	for _, k := range c.relaxed {
		alter("ALTER COLUMN %s DROP NOT NULL", q(k.Name))
	}
	if c.primary {
		alter("ADD PRIMARY KEY (%s)", c.d.QuoteAll(c.t.PrimaryKey()))
	}
	for _, k := range c.add {
		c.step("bring to its new form", "%s", k.ddl(c.d.Dialect, c.t.Name))
	}
}

func (c *change) postgresColumn(s *source, alter func(string, ...any)) {
	q := c.d.Quote
	name := q(s.c.Name)
	typ := s.c.SQLType(c.d.Engine, c.s.Wanted.Flavour)
	switch {
	case s.expr != "" && !c.empty:
		if s.have != nil {
			alter("DROP COLUMN %s", q(s.have.Name))
		}
		alter("RENAME COLUMN %s TO %s", q(newPrefix+s.c.Name), name)
	case s.have == nil && !s.c.Null && s.c.Default == nil && s.c.Kind != Stamp:
		alter("ADD COLUMN %s %s DEFAULT %s NOT NULL", name, typ, s.c.zero(c.d.Dialect))
		alter("ALTER COLUMN %s DROP DEFAULT", name)
		return
	case s.have == nil:
		alter("ADD COLUMN %s", s.c.definition(c.d.Dialect, c.s.Wanted.Flavour, false))
		return
	case s.rename != "":
		alter("RENAME COLUMN %s TO %s", q(s.have.Name), name)
	}
	if s.c.Auto || s.expr == "" && !s.alter {
		return
	}
	alter("ALTER COLUMN %s DROP DEFAULT", name)
	if s.expr == "" || c.empty {
		using := "CAST(" + name + " AS " + typ + ")"
		if c.empty {
			using = "NULL"
		}
		alter("ALTER COLUMN %s TYPE %s USING %s", name, typ, using)
	}
	if def := s.c.defaultSQL(c.d.Dialect); def != "" {
		alter("ALTER COLUMN %s SET DEFAULT %s", name, def)
	}
	word := "SET"
	if s.c.Null {
		word = "DROP"
	}
	alter("ALTER COLUMN %s %s NOT NULL", name, word)
}
