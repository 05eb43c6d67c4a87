package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sipd/db"
)

// newPrefix begins the names of columns and tables that are made and not yet
// in their places. Whoever finds one goes on where an upgrade was interrupted.
const newPrefix = "sipd_new_"

// source is where the values of a wanted column come from.
type source struct {
	c      *Column // as it will be: wanted, or wider where it is wider already
	have   *Column // of the same name or of the old one, nil for none
	rename string  // old name
	expr   string  // computed values
	alter  bool    // have is not as c
}

// change is what has to be done to one table.
type change struct {
	*planner
	t       *Table
	found   *FoundTable
	sources []source
	kept    []*Column  // columns that the schema has not
	relaxed []*Column  // of those, NOT NULL without a default: inserts would fail
	dropped []*Column  // with Prune
	drop    []FoundKey // leftovers
	add     []Key
	primary bool // the primary key changes
	empty   bool // its rows cannot be kept
	losses  []string
}

// step adds a statement for the table.
func (c *change) step(what, format string, args ...any) {
	c.planner.add(c.t.Name, what, strings.Join(c.losses, ", "), fmt.Sprintf(format, args...))
	c.losses = nil
}

// change plans what one table needs.
func (p *planner) change(ctx context.Context, t *Table, found *FoundTable) error {
	diffs := slices.DeleteFunc(t.compare(p.d.Engine, p.s.Wanted.Flavour, found), func(d Difference) bool { return d.Site })
	c := &change{planner: p, t: t, found: found}
	c.columns()
	c.keys()
	if len(diffs) == 0 && !(p.prune && len(c.dropped) > 0) {
		return nil
	}
	if found.View {
		p.obstacle("%s is a view; whoever made it changes it: %s", t.Name, diffs[0])
		return nil
	}
	if err := c.look(ctx); err != nil {
		return err
	}
	if p.d.Engine == db.SQLite {
		return c.sqlite(ctx)
	}
	c.server()
	return nil
}

// columns finds a source for each column wanted and what to do with the rest.
func (c *change) columns() {
	used := make(map[string]bool)
	for i := range c.t.Columns {
		s := c.source(&c.t.Columns[i])
		if s.have != nil {
			used[strings.ToLower(s.have.Name)] = true
		}
		c.sources = append(c.sources, s)
	}
	for _, f := range c.found.Named() {
		name := strings.ToLower(f.Name)
		if used[name] || strings.HasPrefix(name, newPrefix) {
			continue
		}
		h := c.s.family.byName[c.t.Name]
		known := h != nil && slices.ContainsFunc(h.columns, func(d during[string]) bool { return strings.EqualFold(strings.Fields(d.v)[0], name) })
		switch {
		case c.prune && known:
			c.dropped = append(c.dropped, f)
		default:
			c.kept = append(c.kept, f)
			if !f.Null && f.Default == nil && !f.Auto {
				c.relaxed = append(c.relaxed, f)
			}
		}
	}
}

// source finds where a column's values come from.
func (c *change) source(w *Column) source {
	s := source{c: w}
	old := renamed[c.t.Name+"."+w.Name]
	switch {
	case c.found.Has(strings.ToLower(w.Name)):
		f := c.found.Columns[strings.ToLower(w.Name)]
		s.have = &f.Column
	case old != "" && c.found.Has(old) && c.t.Column(old) == nil:
		f := c.found.Columns[old]
		s.have, s.rename = &f.Column, f.Name
	}
	if rule := c.rule(w, s.have); rule != nil {
		s.expr = rule.expr(sqlText{c.d.Dialect, c.rowID()})
		if s.have == nil || len(rule.needs) > 0 {
			return s
		}
		s.expr = "" // the column is there; look fills it
	}
	if s.have != nil {
		s.fit(c.d.Engine, c.s.Wanted.Flavour, c.t.Name)
	}
	return s
}

// rule finds the computation of a column: for one that is missing, or whose
// kind changes.
func (c *change) rule(w, have *Column) *computed {
	for i := range computations {
		r := &computations[i]
		if r.table != c.t.Name || r.column != w.Name || slices.ContainsFunc(r.needs, func(n string) bool { return !c.found.Has(n) }) {
			continue
		}
		if len(r.needs) == 0 {
			return r
		}
		first := c.found.Columns[r.needs[0]].Column
		self := r.needs[0] == w.Name
		if first.Kind != r.from && (r.from != String || first.Kind != Fixed && first.Kind != Text) {
			continue
		}
		if self && !plainChange(&first, w) || !self && have == nil {
			return r
		}
	}
	return nil
}

// rowID tells rows apart: the counting column, which servers get first, or
// SQLite's own; "" where nothing does.
func (c *change) rowID() string {
	if c.d.Engine == db.SQLite {
		return "rowid"
	}
	if key := c.t.PrimaryKey(); key != nil {
		return key[0]
	}
	return ""
}

// plainChange tells whether the engine itself turns one kind into the other.
func plainChange(from, to *Column) bool {
	class := func(k Kind) int {
		switch k {
		case String, Fixed, Text:
			return 1
		case Float, Double:
			return 2
		case Datetime, Stamp:
			return 3
		}
		return 4 + int(k)
	}
	return class(from.Kind) == class(to.Kind) || from.Kind == Integer && class(to.Kind) <= 2
}

// fit compares the column with the one wanted; what is wider stays so.
func (s *source) fit(e db.Engine, f db.Flavour, table string) {
	diffs := slices.DeleteFunc(s.c.compare(e, f, table, s.have), func(d Difference) bool { return d.Site })
	s.alter = len(diffs) > 0
	stored := parseFound(e, s.c.SQLType(e, f), "")
	if s.alter && wider(&stored, s.have) && s.have.Size > 0 {
		w := *s.c
		w.Kind, w.Size, w.Digits, w.Unsigned = s.have.Kind, s.have.Size, s.have.Digits, s.have.Unsigned
		s.c = &w
	}
}

// missing tells whether the column has no values yet and nothing to take them
// from.
func (s *source) missing() bool { return s.have == nil && s.expr == "" }

// zero is what stands in a column of rows that were there before it, when it
// may not be NULL.
func (c *Column) zero(d db.Dialect) string {
	if def := c.defaultFor(d.Engine); def != nil {
		return c.defaultSQL(d)
	}
	switch c.Kind {
	case Integer, Float, Double:
		return "0"
	case Datetime, Stamp:
		return "'2000-01-01 00:00:01'"
	}
	return "''"
}

// after gives columns found the names that they will have.
func (c *change) after(columns []string) []string {
	out := slices.Clone(columns)
	for i, n := range out {
		if j := slices.IndexFunc(c.sources, func(s source) bool { return s.rename == n && n != "" }); j >= 0 {
			out[i] = c.sources[j].c.Name
		}
	}
	return out
}

// converts tells whether one of the columns is made anew for its new kind: its
// indexes go with it.
func (c *change) converts(columns []string) bool {
	return slices.ContainsFunc(c.sources, func(s source) bool {
		return s.have != nil && s.expr != "" && slices.Contains(columns, s.have.Name)
	})
}

// keys compares the keys, after renaming.
func (c *change) keys() {
	want := c.t.PrimaryKey()
	have := c.after(c.found.Primary)
	c.primary = !sameNames(want, have) && want != nil && (c.t.Primary != nil || c.found.Primary != nil || !slices.ContainsFunc(c.found.Keys, func(k FoundKey) bool { return k.Unique && slices.Contains(k.Columns, want[0]) }))
	for _, k := range c.t.Keys {
		if !slices.ContainsFunc(c.found.Keys, func(f FoundKey) bool {
			return !f.Partial && f.Unique == k.Unique && sameNames(c.after(f.Columns), k.Columns) && !c.converts(f.Columns)
		}) && !(k.Unique && sameNames(k.Columns, have) && !c.primary) {
			c.add = append(c.add, k)
		}
	}
	for _, f := range c.found.Keys {
		leftover := !f.Partial && !slices.ContainsFunc(c.t.Keys, func(k Key) bool { return k.Unique == f.Unique && sameNames(c.after(f.Columns), k.Columns) })
		gone := slices.ContainsFunc(c.dropped, func(d *Column) bool { return slices.Contains(f.Columns, d.Name) })
		if leftover && (c.t.once(f.Key) || gone) || c.converts(f.Columns) {
			c.drop = append(c.drop, f)
		}
	}
}

// look asks the rows: which cannot be kept, which are in the way of a key,
// what is lost.
func (c *change) look(ctx context.Context) error {
	n, err := c.rows(ctx, c.t.Name)
	if err != nil {
		return err
	}
	if slices.Contains(transient, c.t.Name) && n > 0 {
		c.empty = slices.ContainsFunc(c.sources, func(s source) bool {
			return s.missing() && !s.c.Null && s.c.Default == nil && !s.c.Auto || s.have != nil && s.expr == "" && !plainChange(s.have, s.c)
		})
	}
	if c.empty {
		c.planner.add(c.t.Name, "empty the table, which the server fills anew", fmt.Sprintf("%d rows", n), "DELETE FROM "+c.d.Quote(c.t.Name))
		return nil
	}
	for _, s := range c.sources {
		if s.have != nil && s.expr == "" && !plainChange(s.have, s.c) {
			c.obstacle("%s.%s is %s and %s wants %s; nobody knows how to turn it", c.t.Name, s.c.Name, s.have.typeText(), c.s.Wanted.Release, s.c.typeText())
		}
	}
	for _, d := range c.dropped {
		if err := c.loss(ctx, d); err != nil {
			return err
		}
	}
	for _, k := range c.add {
		if err := c.duplicates(ctx, k); err != nil {
			return err
		}
	}
	if c.primary && c.t.Primary != nil && !c.t.counts() {
		return c.duplicates(ctx, Key{Unique: true, Columns: c.t.Primary})
	}
	return nil
}

// loss says how many rows have something in a column that goes.
func (c *change) loss(ctx context.Context, d *Column) error {
	q := c.d.Quote(d.Name)
	query := "SELECT COUNT(*) FROM " + c.now(c.t.Name) + " WHERE " + q + " IS NOT NULL"
	switch {
	case d.Default != nil && d.Kind != Datetime && d.Kind != Stamp:
		query += " AND " + q + " <> " + d.zero(c.d.Dialect)
	case d.Kind == String || d.Kind == Text:
		query += " AND " + q + " <> ''"
	}
	n, err := c.count(ctx, query)
	if err == nil && n > 0 {
		c.losses = append(c.losses, fmt.Sprintf("%s of %d rows", d.Name, n))
	}
	return err
}

// duplicates looks for rows that a new unique key would not take.
func (c *change) duplicates(ctx context.Context, k Key) error {
	if !k.Unique {
		return nil
	}
	var columns, here []string
	for _, n := range k.Columns {
		i := slices.IndexFunc(c.sources, func(s source) bool { return s.c.Name == n })
		s := c.sources[i]
		switch {
		case s.rename != "":
			n = s.rename
		case s.have == nil || s.expr != "":
			return nil
		case c.fills(n): // only what is empty
			here = append(here, c.d.Quote(n)+" <> ''")
		}
		columns, here = append(columns, n), append(here, c.d.Quote(n)+" IS NOT NULL")
	}
	list := c.d.QuoteAll(columns)
	n, err := c.count(ctx, fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 AS one FROM %s WHERE %s GROUP BY %s HAVING COUNT(*) > 1) AS x", c.now(c.t.Name), strings.Join(here, " AND "), list))
	if err == nil && n > 0 {
		c.obstacle("table %s has %d values of (%s) more than once, and %s wants them unique; to see them: SELECT %s, COUNT(*) FROM %s GROUP BY %s HAVING COUNT(*) > 1",
			c.t.Name, n, strings.Join(columns, ", "), c.s.Wanted.Release, list, c.t.Name, list)
	}
	return err
}

// fills tells whether a rule gives every row a value of its own where it has
// none.
func (c *change) fills(column string) bool {
	return slices.ContainsFunc(computations, func(r computed) bool {
		return r.table == c.t.Name && r.column == column && len(r.needs) == 0
	})
}
