package schema

import (
	"context"
	"fmt"
	"slices"

	"sipd/db"
)

// Droppable gives the tables of a database that a drop of groups (none: all
// groups) or of tables by name means: those that some release had under that
// name. A name that is not there is a *[MismatchError].
func Droppable(ctx context.Context, d *db.DB, groups, only []string) ([]string, error) {
	s, err := NewSurvey(ctx, d, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range only {
		if s.Found[name] == nil {
			return nil, s.Found.Check(d.Source(), db.Auto, Need{Table: name})
		}
	}
	var out []string
	for _, name := range s.Found.names() {
		known := s.family != nil && s.family.byName[name] != nil
		switch {
		case s.Found[name].View:
		case only != nil && slices.Contains(only, name),
			only == nil && known && (groups == nil || slices.Contains(groups, s.family.byName[name].group)):
			out = append(out, name)
		}
	}
	return out, nil
}

// Drop drops tables and their version numbers; PostgreSQL and SQLite all or
// none of them.
func Drop(ctx context.Context, d *db.DB, names []string) error {
	found, err := Inspect(ctx, d)
	if err != nil {
		return err
	}
	versions := found.Has("version", "table_name") && !slices.Contains(names, "version")
	return d.Tx(ctx, func(tx *db.Tx) error {
		for _, n := range names {
			if err := tx.Do(ctx, "DROP TABLE "+d.Quote(n)); err != nil {
				return fmt.Errorf("drop table %s: %w", n, err)
			}
			if versions {
				if _, err := tx.Exec(ctx, "DELETE FROM version WHERE table_name = ?", n); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
