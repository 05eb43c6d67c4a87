package schema

import (
	"context"
	"slices"
	"strings"
)

// SQLite changes little of a table in place, so a new one is made beside it,
// filled, and put into its place; all in one transaction.

func (c *change) sqlite(ctx context.Context) error {
	rebuild := c.primary || c.empty || len(c.dropped) > 0 || slices.ContainsFunc(c.relaxed, func(*Column) bool { return true }) ||
		slices.ContainsFunc(c.sources, func(s source) bool { return s.have == nil || s.rename != "" || s.expr != "" || s.alter }) ||
		slices.ContainsFunc(c.drop, func(k FoundKey) bool { return k.Constraint }) ||
		slices.ContainsFunc(c.add, func(k Key) bool { return k.Unique && slices.ContainsFunc(k.Columns, c.fills) })
	if !rebuild {
		for _, k := range c.drop {
			c.step("drop "+k.text(), "DROP INDEX %s", c.d.Quote(k.Name))
		}
		for _, k := range c.add {
			c.step("add "+k.text(), "%s", k.ddl(c.d.Dialect, c.t.Name))
		}
		return nil
	}
	if n, err := c.count(ctx, "SELECT COUNT(*) FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' AND lower(f.\"table\") = "+c.d.Literal(strings.ToLower(c.t.Name))); err != nil || n > 0 {
		if err == nil {
			c.obstacle("a table of the site has a foreign key on %s, which SQLite cannot keep while the table is made anew; drop that key first", c.t.Name)
		}
		return err
	}
	own, err := c.ownSQL(ctx)
	if err != nil {
		return err
	}
	c.rebuild(own)
	return nil
}

// rebuild makes the table anew. own are the site's indexes and triggers on it.
func (c *change) rebuild(own []string) {
	t := *c.t
	t.Columns = nil
	var names, values []string
	for _, s := range c.sources {
		t.Columns = append(t.Columns, *s.c)
		if v := c.value(&s); v != "" {
			names, values = append(names, s.c.Name), append(values, v)
		}
	}
	for _, k := range c.kept {
		w := *k
		w.Null = k.Null || k.Default == nil
		if w.Size >= 0 {
			t.Columns = append(t.Columns, w)
			names, values = append(names, w.Name), append(values, c.d.Quote(w.Name))
		}
	}
	temp := newPrefix + c.t.Name
	create := t.create(c.d.Dialect, c.s.Wanted.Flavour, temp)
	for _, k := range c.kept { // of a type that we do not know: as declared
		if k.Size < 0 {
			declared := c.found.Columns[strings.ToLower(k.Name)].Type
			create = strings.TrimSuffix(create, "\n)") + ",\n    " + c.d.Quote(k.Name) + " " + declared + "\n)"
			names, values = append(names, k.Name), append(values, c.d.Quote(k.Name))
		}
	}
	what := "bring to its new form"
	c.step(what, "DROP TABLE IF EXISTS %s", c.d.Quote(temp))
	c.step(what, "%s", create)
	if !c.empty {
		c.step(what, "INSERT INTO %s (%s)\n    SELECT %s FROM %s", c.d.Quote(temp), c.d.QuoteAll(names), strings.Join(values, ", "), c.d.Quote(c.t.Name))
	}
	c.step(what, "DROP TABLE %s", c.d.Quote(c.t.Name))
	c.step(what, "PRAGMA legacy_alter_table = ON") // views on the table wait for it
	c.step(what, "ALTER TABLE %s RENAME TO %s", c.d.Quote(temp), c.d.Quote(c.t.Name))
	c.step(what, "PRAGMA legacy_alter_table = OFF")
	for _, k := range c.t.Keys {
		c.step(what, "%s", k.ddl(c.d.Dialect, c.t.Name))
	}
	for _, sql := range own {
		c.step("make what the site had on it again", "%s", sql)
	}
}

// value is what stands in a column of the new table, "" for its default.
func (c *change) value(s *source) string {
	v := s.expr
	switch {
	case v != "":
	case s.have != nil:
		v = c.d.Quote(s.have.Name)
	case s.c.Auto:
		return ""
	case !s.c.Null && s.c.Default == nil:
		return s.c.zero(c.d.Dialect)
	default:
		return ""
	}
	if c.fills(s.c.Name) && s.have != nil {
		v = "CASE WHEN " + v + " IS NULL OR " + v + " = '' THEN " + unique(sqlText{c.d.Dialect, "rowid"}) + " ELSE " + v + " END"
	}
	if !s.c.Null && !s.c.Auto && (s.expr != "" || s.have.Null) {
		v = "COALESCE(" + v + ", " + s.c.zero(c.d.Dialect) + ")"
	}
	return v
}

// ownSQL gives the statements of triggers on the table and of indexes that are
// neither wanted nor left over.
func (c *change) ownSQL(ctx context.Context) ([]string, error) {
	table := c.t.Name
	if old := c.was[table]; old != "" {
		table = old
	}
	var rows []struct{ Name, SQL, Type string }
	err := c.d.Reader().SelectContext(ctx, &rows, "SELECT name, sql, type FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND lower(tbl_name) = ?", strings.ToLower(table))
	if err != nil {
		return nil, c.d.Wrap(err)
	}
	var out []string
	for _, r := range rows {
		i := slices.IndexFunc(c.found.Keys, func(k FoundKey) bool { return k.Name == r.Name })
		if i >= 0 {
			k := c.found.Keys[i]
			wanted := slices.ContainsFunc(c.t.Keys, func(w Key) bool { return w.Unique == k.Unique && sameNames(w.Columns, c.after(k.Columns)) })
			if !k.Partial && wanted || slices.ContainsFunc(c.drop, func(d FoundKey) bool { return d.Name == k.Name }) {
				continue
			}
		}
		if table != c.t.Name {
			c.obstacle("the site's %s %s on %s names the table as it was called; drop it first and make it again on %s", r.Type, r.Name, table, c.t.Name)
		}
		out = append(out, r.SQL)
	}
	return out, nil
}
