package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/db"
	"sipd/schema"
)

const dbShort = "Make, check, upgrade and migrate the database"

func (a *App) dbCommand() *cobra.Command {
	return group("db", dbShort,
		a.dbCreateCommand(), a.dbStatusCommand(), a.dbVerifyCommand(), a.dbPlanCommand(), a.dbUpgradeCommand(),
		a.dbDumpCommand(), a.dbLoadCommand(), a.dbShowCommand(), a.dbExecCommand(), a.dbShellCommand(), a.dbDropCommand(),
		a.dbVersionCommand(), a.dbLikeCommand(), a.dbGrantCommand(), a.dbRevokeCommand(), a.migrateCommand())
}

// release is which tables are meant: of a release, of its groups or by name.
type release struct {
	name, generation string
	groups, only     []string
}

func (r *release) declare(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.name, "release", "", "`number` of the release whose tables are meant: 5.6, 4.4, 1.2, 2.0.0 … (default: the flavour's current one, "+schema.Of(db.Kamailio).Number+" or "+schema.Of(db.SER).Number+")")
	f.StringVar(&r.generation, "generation", "", "`id` of a generation instead: P1 P2 P3 U1 U2 UK O1 O2 O3 K1 K3 K4 K5 K6")
	f.StringSliceVar(&r.groups, "group", nil, "`groups` of tables: standard, presence, extra, uid, ims, web, optional")
	f.StringSliceVar(&r.only, "only", nil, "`tables` that are meant, by name")
	numbers := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, r := range schema.Releases() {
			out = append(out, r.Number+"\t"+r.Title)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	// The name is the flag's above, so it cannot fail.
	_ = c.RegisterFlagCompletionFunc("release", numbers)
}

// schema gives the schema asked for, that of the flavour when none is; nil
// for neither.
func (r *release) schema(cmd *cobra.Command, f db.Flavour) (*schema.Schema, error) {
	name := r.name
	if r.generation != "" {
		if name != "" {
			return nil, usagef(cmd, "--release and --generation say the same; give one")
		}
		if name = r.generation; strings.EqualFold(name, "UK") {
			name = schema.Of(db.Kamailio).Number
			if r.groups == nil {
				r.groups = []string{"uid"}
			}
		}
	}
	if name == "" {
		if f == db.Auto {
			return nil, nil
		}
		return schema.Of(f), nil
	}
	s, err := schema.At(name)
	if err != nil {
		return nil, usagef(cmd, "%v", err)
	}
	if f != db.Auto && s.Flavour != f {
		return nil, usagef(cmd, "%s is not of the %s flavour", s.Release, f)
	}
	return s, nil
}

func (a *App) dbCreateCommand() *cobra.Command {
	var r release
	var database bool
	c := &cobra.Command{
		Use: "create", Short: "Make the database and its tables", Args: want(0, 0),
		Long: `Makes the tables of a flavour (kamailio unless --flavour says ser) or of any
release since 2002, with their version numbers; a SQLite file too, readable by
its owner alone. On a server the empty database must be there, unless --database
makes it. Tables that are there already stay as they are. With --dry-run it
prints the statements.`,
		Example: "  sipctl db create\n  sipctl db create --group standard,presence\n  sipctl db create --only dispatcher,address\n  sipctl --db sqlite:old.db db create --release 1.2",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := r.schema(cmd, a.set.flavour)
			if err != nil {
				return err
			}
			return a.create(cmd.Context(), s, r.groups, r.only, database)
		},
	}
	r.declare(c)
	c.Flags().BoolVar(&database, "database", false, "make the database on its server first")
	return c
}

func (a *App) create(ctx context.Context, s *schema.Schema, groups, only []string, database bool) error {
	if database && a.opt.dryRun {
		if err := a.say("would make the database %s unless it is there", db.Redact(a.set.db)); err != nil {
			return err
		}
	} else if database {
		if err := schema.CreateDatabase(ctx, a.set.db); err != nil && !errors.Is(err, db.ErrExists) {
			return err
		}
	}
	d, err := a.open(ctx, db.Create())
	if err != nil {
		return err
	}
	if s == nil {
		r, err := schema.Recognise(ctx, d)
		if err != nil {
			return err
		}
		if r.Flavour == db.Auto {
			r.Flavour = db.Kamailio
		}
		s = schema.Of(r.Flavour)
	}
	tables, err := s.Pick(groups, only)
	if err != nil {
		return err
	}
	if a.opt.dryRun {
		return a.printTables(ctx, d, s, tables)
	}
	made, err := MakeTables(ctx, d, s, tables)
	switch {
	case err != nil && errors.Is(err, db.ErrExists):
		return hinted(err, "to see what it is: sipctl db status")
	case err != nil:
		return err
	case len(made) == 0:
		return a.say("%s has these tables already; nothing was changed", d.Source())
	}
	return a.say("made %s: %s, %s", d.Source(), s.Release, tablesText(s, made))
}

// printTables prints the statements that make those of the tables that are not
// there, for a dry run: MySQL could not undo them.
func (a *App) printTables(ctx context.Context, d *db.DB, s *schema.Schema, tables []*schema.Table) error {
	missing, err := missingTables(ctx, d, s, tables)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return a.say("%s has these tables already", d.Source())
	}
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return err
	}
	for _, sql := range s.Statements(d.Dialect, missing, found) {
		if _, err := fmt.Fprintf(a.Out, "%s;\n", sql); err != nil {
			return err
		}
	}
	return nil
}

// tablesText names what was made: groups where all of their tables were, else
// the tables.
func tablesText(s *schema.Schema, made []*schema.Table) string {
	var groups, names []string
	whole := 0
	for _, g := range s.Groups() {
		all := s.Group(g)
		if !slices.ContainsFunc(all, func(t *schema.Table) bool { return !slices.Contains(made, t) }) {
			groups, whole = append(groups, g), whole+len(all)
		}
	}
	if whole == len(made) {
		return "tables of " + strings.Join(groups, ", ")
	}
	for _, t := range made {
		names = append(names, t.Name)
	}
	return "tables " + strings.Join(names, ", ")
}

// CreateTables makes those tables of the flavour's groups that are not there
// yet; see [MakeTables].
func CreateTables(ctx context.Context, d *db.DB, f db.Flavour, groups []string) ([]*schema.Table, error) {
	tables, err := schema.Of(f).Pick(groups, nil)
	if err != nil {
		return nil, err
	}
	return MakeTables(ctx, d, schema.Of(f), tables)
}

// MakeTables makes those of the tables that are not there yet and says which
// these were. A database of another flavour is db.ErrExists.
func MakeTables(ctx context.Context, d *db.DB, s *schema.Schema, tables []*schema.Table) ([]*schema.Table, error) {
	for range 2 {
		missing, err := missingTables(ctx, d, s, tables)
		if err != nil || len(missing) == 0 {
			return nil, err
		}
		err = s.Create(ctx, d, missing)
		if err == nil {
			return missing, nil
		}
		// Somebody who makes them at the same time may be the faster one.
		if again, e := missingTables(ctx, d, s, tables); e != nil || len(again) == len(missing) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: its tables change while they are made: %w", d.Source(), db.ErrExists)
}

func missingTables(ctx context.Context, d *db.DB, s *schema.Schema, tables []*schema.Table) ([]*schema.Table, error) {
	r, err := schema.Recognise(ctx, d)
	if err != nil {
		return nil, err
	}
	if r.Flavour != db.Auto && r.Flavour != s.Flavour {
		return nil, fmt.Errorf("%s holds the %s flavour; %s goes into a database of its own: %w", d.Source(), r.Flavour, s.Release, db.ErrExists)
	}
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(tables), func(t *schema.Table) bool { return found[t.Name] != nil }), nil
}

// orEmpty makes an empty list of none, which JSON shows as [].
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
