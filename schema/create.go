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

// Create makes the tables of a flavour and the rows they begin with, in the
// groups named (none: standard). A table that exists already makes it
// db.ErrExists before anything is written. PostgreSQL and SQLite do it in one
// transaction; MySQL commits every table by itself, so there what was made is
// dropped again when a later one fails.
func Create(ctx context.Context, d *db.DB, f db.Flavour, groups ...string) error {
	s := Of(f)
	if len(groups) == 0 {
		groups = []string{"standard"}
	}
	for _, g := range groups {
		if !slices.Contains(s.Groups(), g) {
			return fmt.Errorf("the %s flavour has no group of tables %q; it has %s", f, g, strings.Join(s.Groups(), ", "))
		}
	}
	tables := s.Group(groups...)
	found, err := Inspect(ctx, d)
	if err != nil {
		return err
	}
	if err := noneExist(d, f, tables, found); err != nil {
		return err
	}
	var made []string
	err = d.Tx(ctx, func(tx *db.Tx) error {
		made = made[:0]
		for _, t := range tables {
			for i, sql := range t.DDL(d.Dialect, f) {
				if err := tx.Do(ctx, sql); err != nil {
					return fmt.Errorf("create table %s: %w", t.Name, err)
				}
				if i == 0 {
					made = append(made, t.Name)
				}
			}
		}
		return s.fill(ctx, tx, tables, found)
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
func noneExist(d *db.DB, f db.Flavour, tables []*Table, found Tables) error {
	var have []string
	for _, t := range tables {
		if found[t.Name] != nil {
			have = append(have, t.Name)
		}
	}
	if have == nil {
		return nil
	}
	if r := found.recognise(); r.Flavour != "" && r.Flavour != f {
		return fmt.Errorf("%s holds the %s flavour; the %s one goes into a database of its own: %w", d.Source(), r.Flavour, f, db.ErrExists)
	}
	return fmt.Errorf("%s has tables already (%s): %w", d.Source(), list(have, 4), db.ErrExists)
}

// fill writes the version numbers and the rows that tables begin with.
func (s *Schema) fill(ctx context.Context, tx *db.Tx, tables []*Table, found Tables) error {
	if s.Table("version") != nil && (found["version"] != nil || slices.ContainsFunc(tables, func(t *Table) bool { return t.Name == "version" })) {
		for _, t := range tables {
			if t.Version == 0 {
				continue
			}
			if _, err := tx.Exec(ctx, "INSERT INTO version (table_name, table_version) VALUES (?, ?)", t.Name, t.Version); err != nil {
				return fmt.Errorf("write version of %s: %w", t.Name, err)
			}
		}
	}
	for i := range s.Rows {
		r := &s.Rows[i]
		if !slices.ContainsFunc(tables, func(t *Table) bool { return t.Name == r.Table }) {
			continue
		}
		for _, v := range r.Values {
			if err := tx.Do(ctx, r.insert(tx.Dialect, v)); err != nil {
				return fmt.Errorf("fill table %s: %w", r.Table, err)
			}
		}
	}
	return nil
}

// list joins names, at most n of them.
func list(names []string, n int) string {
	if len(names) > n {
		return strings.Join(names[:n], ", ") + " and " + strconv.Itoa(len(names)-n) + " more"
	}
	return strings.Join(names, ", ")
}
