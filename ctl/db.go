package ctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/schema"
)

const dbShort = "Make, check and migrate the database"

func (a *App) dbCommand() *cobra.Command {
	var groups []string
	create := &cobra.Command{
		Use: "create", Short: "Make the database and its tables", Args: want(0, 0),
		Long: `Makes the tables of a flavour (kamailio unless --flavour says ser), with their
version numbers; a SQLite file too, readable by its owner alone. On a server
the empty database must be there. Where the tables are there already nothing is
changed.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.create(cmd.Context(), groups) },
	}
	create.Flags().StringSliceVar(&groups, "group", []string{"standard"}, "`groups` of tables: standard, presence, extra, uid (kamailio); standard (ser)")
	check := &cobra.Command{
		Use: "check", Short: "Tell what the database is and how it differs from what is wanted", Args: want(0, 0),
		Long: `Tells which product and release made the tables and lists what they lack:
tables, columns, room, version numbers. Exits with 1 when something is wanting.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context(), groups) },
	}
	check.Flags().StringSliceVar(&groups, "group", []string{"standard"}, "`groups` of tables to check")
	return group("db", dbShort, create, check,
		&cobra.Command{
			Use: "version [TABLE...]", Short: "Print the version numbers of the tables", Args: want(0, -1),
			RunE: func(cmd *cobra.Command, args []string) error { return a.tableVersions(cmd.Context(), args) },
		},
		a.migrateCommand())
}

func (a *App) create(ctx context.Context, groups []string) error {
	d, err := a.open(ctx, db.Create())
	if err != nil {
		return err
	}
	f := a.set.flavour
	if f == db.Auto {
		r, err := schema.Recognise(ctx, d)
		if err != nil {
			return err
		}
		if f = r.Flavour; f == db.Auto {
			f = db.Kamailio
		}
	}
	made, err := CreateTables(ctx, d, f, groups)
	switch {
	case err != nil && errors.Is(err, db.ErrExists):
		return hinted(err, "to see what it is: sipctl db check")
	case err != nil:
		return err
	case len(made) == 0:
		return a.say("%s has the tables of the %s flavour already; nothing was changed", d.Source(), f)
	}
	return a.say("made %s: %s flavour, tables of %s", d.Source(), f, strings.Join(made, ", "))
}

// CreateTables makes the tables of those groups that are not there yet and
// says which these were. A group of which only some tables are there is
// db.ErrExists: somebody else made them.
func CreateTables(ctx context.Context, d *db.DB, f db.Flavour, groups []string) ([]string, error) {
	for range 2 {
		r, err := schema.Recognise(ctx, d)
		if err != nil {
			return nil, err
		}
		if r.Flavour != db.Auto && r.Flavour != f {
			return nil, fmt.Errorf("%s holds the %s flavour; the %s one goes into a database of its own: %w", d.Source(), r.Flavour, f, db.ErrExists)
		}
		missing, err := missingGroups(ctx, d, f, groups)
		if err != nil || len(missing) == 0 {
			return nil, err
		}
		err = schema.Create(ctx, d, f, missing...)
		if err == nil {
			return missing, nil
		}
		// Somebody who makes them at the same time may be the faster one.
		if again, e := missingGroups(ctx, d, f, groups); e != nil || len(again) == len(missing) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: its tables change while they are made: %w", d.Source(), db.ErrExists)
}

// missingGroups are the groups without all of their tables.
func missingGroups(ctx context.Context, d *db.DB, f db.Flavour, groups []string) ([]string, error) {
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, g := range groups {
		tables := schema.Of(f).Group(g)
		if len(tables) == 0 {
			return nil, fmt.Errorf("the %s flavour has no group of tables %q; it has %s", f, g, strings.Join(schema.Of(f).Groups(), ", "))
		}
		if slices.ContainsFunc(tables, func(t *schema.Table) bool { return found[t.Name] == nil }) {
			missing = append(missing, g)
		}
	}
	return missing, nil
}

func (a *App) check(ctx context.Context, groups []string) error {
	d, err := a.open(ctx, db.ReadOnly())
	if err != nil {
		return err
	}
	r, err := schema.Recognise(ctx, d)
	if err != nil {
		return err
	}
	f := a.set.flavour
	if f == db.Auto {
		f = r.Flavour
	}
	var diffs []schema.Difference
	if f != db.Auto && f == r.Flavour {
		if diffs, err = schema.Verify(ctx, d, f, groups...); err != nil {
			return err
		}
	}
	if err := a.printCheck(d, r, diffs); err != nil {
		return err
	}
	switch {
	case r.Empty():
		return fmt.Errorf("database %s has no tables; to make them: sipctl db create", d.Source())
	case r.Flavour == db.Auto:
		return fmt.Errorf("database %s is %s, which sipctl cannot work on; make a new one and carry the users over with its own tools", d.Source(), r)
	case f != r.Flavour:
		return fmt.Errorf("database %s is of the %s flavour, not %s; run the same with --flavour %s", d.Source(), r.Flavour, f, r.Flavour)
	case !r.Current:
		return fmt.Errorf("database %s is of %s, older than %s; its own upgrade scripts come first", d.Source(), r, schema.Of(f).Release)
	case len(diffs) > 0:
		return fmt.Errorf("database %s differs from %s in the places listed above; to carry its users into a new one: sipctl user export --secrets, sipctl user import", d.Source(), schema.Of(f).Release)
	}
	return nil
}

func (a *App) printCheck(d *db.DB, r schema.Recognition, diffs []schema.Difference) error {
	flavour := string(r.Flavour)
	if flavour == "" {
		flavour = "none"
	}
	if diffs == nil {
		diffs = []schema.Difference{}
	}
	var list any = diffs
	if a.set.output != output.JSON && a.set.output != output.JSONL {
		lines := make([]string, len(diffs))
		for i, x := range diffs {
			lines[i] = x.String()
		}
		list = lines
	}
	return output.Record(a.Out, a.set.output,
		output.F("database", d.Source()), output.F("release", r.String()), output.F("flavour", flavour),
		output.F("tables", r.Tables), output.F("usable", r.Current), output.F("notes", orEmpty(r.Notes)),
		output.F("differences", list))
}

func (a *App) tableVersions(ctx context.Context, names []string) error {
	d, err := a.open(ctx, db.ReadOnly())
	if err != nil {
		return err
	}
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(found))
	}
	w := output.New(a.Out, a.set.output, "table", "version")
	for _, n := range names {
		t := found[n]
		if t == nil {
			return fmt.Errorf("database %s has no table %s; to see what it is: sipctl db check", d.Source(), n)
		}
		if t.Version == 0 {
			w.Row(n, nil)
			continue
		}
		w.Row(n, t.Version)
	}
	return w.Close()
}

// orEmpty makes an empty list of none, which JSON shows as [].
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
