package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sipd/db"
)

// Create makes the tables of the flavour's current schema; see [Schema.Create].
func Create(ctx context.Context, d *db.DB, f db.Flavour, groups ...string) error {
	tables, err := Of(f).Pick(groups, nil)
	if err != nil {
		return err
	}
	return Of(f).Create(ctx, d, tables)
}

// Pick gives the tables of the groups (none: standard) or, where only names
// some, these. The error lists what there is.
func (s *Schema) Pick(groups, only []string) ([]*Table, error) {
	var out []*Table
	for _, name := range only {
		t := s.Table(name)
		if t == nil {
			return nil, fmt.Errorf("%s has no table %s%s", s.Release, name, s.like(name))
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	if len(only) > 0 {
		return out, nil
	}
	if len(groups) == 0 {
		groups = []string{"standard"}
	}
	for _, g := range groups {
		if !slices.Contains(s.Groups(), g) {
			return nil, fmt.Errorf("%s has no group of tables %q; it has %s", s.Release, g, strings.Join(s.Groups(), ", "))
		}
	}
	return s.Group(groups...), nil
}

// like suggests tables whose names have something in common with a wrong one.
func (s *Schema) like(name string) string {
	var near []string
	for _, t := range s.Tables {
		if name != "" && (strings.Contains(t.Name, name) || strings.Contains(name, t.Name)) {
			near = append(near, t.Name)
		}
	}
	if near == nil {
		return ""
	}
	return "; did you mean " + list(near, 4)
}

// Create makes tables of the schema and the rows that they begin with. A table
// that exists already makes it db.ErrExists before anything is written.
// PostgreSQL and SQLite do it in one transaction; MySQL commits every table by
// itself, so there what was made is dropped again when a later one fails.
func (s *Schema) Create(ctx context.Context, d *db.DB, tables []*Table) error {
	found, err := Inspect(ctx, d)
	if err != nil {
		return err
	}
	if err := s.noneExist(d, tables, found); err != nil {
		return err
	}
	var made []string
	err = d.Tx(ctx, func(tx *db.Tx) error {
		made = made[:0]
		for _, t := range tables {
			for i, sql := range t.DDL(d.Dialect, s.Flavour) {
				if err := tx.Do(ctx, sql); err != nil {
					return fmt.Errorf("create table %s: %w", t.Name, err)
				}
				if i == 0 {
					made = append(made, t.Name)
				}
			}
		}
		for _, sql := range s.fill(d.Dialect, tables, found) {
			if err := tx.Do(ctx, sql); err != nil {
				return fmt.Errorf("fill tables: %w", err)
			}
		}
		return nil
	})
	if err != nil && d.Engine == db.MySQL {
		for _, name := range made {
			_, e := d.Writer().ExecContext(context.WithoutCancel(ctx), "DROP TABLE "+d.Quote(name))
			err = errors.Join(err, e)
		}
	}
	return err
}

// noneExist refuses to add tables beside those of the same name.
func (s *Schema) noneExist(d *db.DB, tables []*Table, found Tables) error {
	if r := found.recognise(); r.Flavour != "" && r.Flavour != s.Flavour {
		return fmt.Errorf("%s holds the %s flavour; %s goes into a database of its own: %w", d.Source(), r.Flavour, s.Release, db.ErrExists)
	}
	var have []string
	for _, t := range tables {
		if found[t.Name] != nil {
			have = append(have, t.Name)
		}
	}
	if have == nil {
		return nil
	}
	return fmt.Errorf("%s has tables already (%s): %w", d.Source(), list(have, 4), db.ErrExists)
}

// Statements are those that [Schema.Create] runs for tables in a database that
// has found.
func (s *Schema) Statements(d db.Dialect, tables []*Table, found Tables) []string {
	var out []string
	for _, t := range tables {
		out = append(out, t.DDL(d, s.Flavour)...)
	}
	return append(out, s.fill(d, tables, found)...)
}

// fill are the statements that write the version numbers and the rows that
// tables begin with.
func (s *Schema) fill(d db.Dialect, tables []*Table, found Tables) []string {
	var out []string
	if s.hasVersions(tables, found) {
		for _, t := range tables {
			out = append(out, s.number(d, t)...)
		}
	}
	for i := range s.Rows {
		r := &s.Rows[i]
		if !slices.ContainsFunc(tables, func(t *Table) bool { return t.Name == r.Table }) {
			continue
		}
		for _, v := range r.Values {
			out = append(out, r.insert(d, v))
		}
	}
	return out
}

// hasVersions tells whether there is, or will be, a version table.
func (s *Schema) hasVersions(tables []*Table, found Tables) bool {
	column := s.versionColumn()
	return column != "" && (found.Has("version", column) || slices.ContainsFunc(tables, func(t *Table) bool { return t.Name == "version" }))
}

// number gives the statements that write a table's version. A row may be left
// of a table that was dropped by hand.
func (s *Schema) number(d db.Dialect, t *Table) []string {
	out := []string{"DELETE FROM " + d.Quote("version") + " WHERE table_name = " + d.Literal(t.Name)}
	if t.Version != 0 {
		out = append(out, fmt.Sprintf("INSERT INTO %s (table_name, %s) VALUES (%s, %d)", d.Quote("version"), d.Quote(s.versionColumn()), d.Literal(t.Name), t.Version))
	}
	return out
}

// list joins names, at most n of them.
func list(names []string, n int) string {
	if len(names) > n {
		return strings.Join(names[:n], ", ") + " and " + strconv.Itoa(len(names)-n) + " more"
	}
	return strings.Join(names, ", ")
}
