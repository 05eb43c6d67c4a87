package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/schema"
)

func (a *App) dbPlanCommand() *cobra.Command {
	var r release
	var prune bool
	c := &cobra.Command{
		Use: "plan", Short: "Print the statements that lead from here to a release, and run none", Args: want(0, 0),
		Long: `Prints the SQL that would bring the database to a release (the flavour's current
one, or --release), with what each statement is for, what it loses, and what is
in the way. Rows are kept: columns that were renamed, split or moved take their
values along, nothing is narrowed, and what the release has no use for stays,
unless --prune drops it. Tables of run-time state (dialogs, presence) are
emptied where their form changed; the server fills them anew.`,
		Example: "  sipctl db plan\n  sipctl db plan --release 6.1 > upgrade.sql\n  sipctl db plan -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := r.schema(cmd, a.set.flavour)
			if err != nil {
				return err
			}
			return a.plan(cmd.Context(), schema.PlanOptions{To: s, Groups: r.groups, Only: r.only, Prune: prune})
		},
	}
	r.declare(c)
	c.Flags().BoolVar(&prune, "prune", false, "drop columns and tables of older releases that this one has not")
	return c
}

func (a *App) plan(ctx context.Context, o schema.PlanOptions) error {
	d, err := a.open(ctx, db.ReadOnly())
	if err != nil {
		return err
	}
	p, err := schema.NewPlan(ctx, d, o)
	if err != nil {
		return err
	}
	return errors.Join(a.printPlan(p), inTheWay(p))
}

func (a *App) printPlan(p *schema.Plan) error {
	switch a.set.output {
	case output.Table:
		if len(p.Steps) == 0 && len(p.Notes) == 0 {
			return a.say("%s is at %s already; there is nothing to do", p.Source, p.To)
		}
		_, err := fmt.Fprint(a.Out, output.CleanLines(p.String()))
		return err
	case output.CSV, output.TSV:
		w := output.New(a.Out, a.set.output, "table", "what", "loses", "sql")
		for _, s := range p.Steps {
			w.Row(s.Table, s.What, s.Loses, s.SQL)
		}
		return w.Close()
	}
	return output.Record(a.Out, a.set.output,
		output.F("source", p.Source), output.F("from", p.From), output.F("to", p.To),
		output.F("steps", p.Steps), output.F("notes", p.Notes), output.F("obstacles", p.Obstacles))
}

func inTheWay(p *schema.Plan) error {
	if len(p.Obstacles) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", p.Source, schema.ErrObstacle, strings.Join(p.Obstacles, "; "))
}

func (a *App) dbUpgradeCommand() *cobra.Command {
	var r release
	var prune bool
	c := &cobra.Command{
		Use: "upgrade", Short: "Bring the database to a release, with all its rows", Args: want(0, 0),
		Long: `Runs what db plan prints, after it asked (or with --yes). SQLite and PostgreSQL do
it in one transaction: whole or not at all. MySQL commits each statement; where
it was interrupted, run it again, it finds out what is left to do. Stop the
server first, and make a backup: sipctl db dump FILE.`,
		Example: "  sipctl db dump before.jsonl && sipctl db upgrade --yes\n  sipctl db upgrade --release 6.1\n  sipctl db upgrade --only subscriber,version --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := r.schema(cmd, a.set.flavour)
			if err != nil {
				return err
			}
			return a.upgrade(cmd.Context(), schema.PlanOptions{To: s, Groups: r.groups, Only: r.only, Prune: prune})
		},
	}
	r.declare(c)
	c.Flags().BoolVar(&prune, "prune", false, "drop columns and tables of older releases that this one has not")
	return c
}

func (a *App) upgrade(ctx context.Context, o schema.PlanOptions) error {
	if a.opt.dryRun {
		return a.plan(ctx, o)
	}
	d, err := a.open(ctx, db.Patient())
	if err != nil {
		return err
	}
	p, err := schema.NewPlan(ctx, d, o)
	if err != nil {
		return err
	}
	if err := inTheWay(p); err != nil {
		return err
	}
	if len(p.Steps) == 0 {
		return a.say("%s is at %s already; nothing was changed", p.Source, p.To)
	}
	if err := a.sure(upgradeQuestion(p)); err != nil {
		return err
	}
	last := ""
	err = p.Run(ctx, d, func(s schema.Step) {
		if s.Table != last {
			last = s.Table
			_ = a.say("%s: %s", s.Table, s.What)
		}
	})
	if err != nil {
		hint := "nothing was changed"
		if d.Engine == db.MySQL {
			hint = "what went before it is done; run it again to go on: sipctl db upgrade"
		}
		return hinted(err, "%s", hint)
	}
	for _, n := range p.Notes {
		if err := a.say("note: %s", n); err != nil {
			return err
		}
	}
	return a.say("%s is at %s now", p.Source, p.To)
}

// upgradeQuestion says what will happen and what is lost by it.
func upgradeQuestion(p *schema.Plan) string {
	var losses []string
	for _, s := range p.Steps {
		if s.Loses != "" {
			losses = append(losses, s.Loses+" of "+s.Table)
		}
	}
	q := fmt.Sprintf("%s goes from %s to %s in %d statements", p.Source, p.From, p.To, len(p.Steps))
	if losses != nil {
		q += ", which lose " + strings.Join(losses, ", ")
	}
	return q + ". A backup first: sipctl db dump FILE. Go on?"
}

// sure asks before something that cannot be taken back. Nobody says yes
// without a terminal, but --yes does.
func (a *App) sure(question string) error {
	if a.opt.yes {
		return nil
	}
	yes, err := a.confirm(question)
	if err == nil && !yes {
		err = fmt.Errorf("%s nothing was changed; to go on without being asked: --yes", question)
	}
	return err
}

func (a *App) dbDropCommand() *cobra.Command {
	var r release
	var database bool
	c := &cobra.Command{
		Use: "drop", Short: "Drop tables, or the whole database; asks before", Args: want(0, 0),
		Long: `Drops the tables of the elders that the database has, those of any release; what
the site made itself stays. --only drops the tables named, --group those of
groups, --database everything: the SQLite file, or the database on its server.
It asks before, unless --yes.`,
		Example: "  sipctl db drop --only topos_d,topos_t\n  sipctl db drop --database --yes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case database && (r.groups != nil || r.only != nil):
				return usagef(cmd, "--database is everything; --group and --only are parts")
			case r.name != "" || r.generation != "":
				return usagef(cmd, "tables are dropped whatever their release")
			case database:
				return a.dropDatabase(cmd.Context())
			}
			return a.drop(cmd.Context(), r.groups, r.only)
		},
	}
	r.declare(c)
	c.Flags().BoolVar(&database, "database", false, "drop the whole database")
	return c
}

func (a *App) dropDatabase(ctx context.Context) error {
	name := db.Redact(a.set.db)
	if a.opt.dryRun {
		return a.say("would drop the database %s", name)
	}
	if err := a.sure(fmt.Sprintf("The database %s with all that is in it goes. A backup first: sipctl db dump FILE. Go on?", name)); err != nil {
		return err
	}
	if err := schema.DropDatabase(ctx, a.set.db); err != nil {
		return err
	}
	return a.say("dropped the database %s", name)
}

func (a *App) drop(ctx context.Context, groups, only []string) error {
	d, err := a.open(ctx)
	if err != nil {
		return err
	}
	names, err := schema.Droppable(ctx, d, groups, only)
	if err != nil {
		return err
	}
	switch {
	case len(names) == 0:
		return a.say("%s has no such tables; nothing was changed", d.Source())
	case a.opt.dryRun:
		return a.say("would drop %d tables of %s: %s", len(names), d.Source(), strings.Join(names, ", "))
	}
	if err := a.sure(fmt.Sprintf("%d tables of %s go with their rows: %s. A backup first: sipctl db dump FILE. Go on?", len(names), d.Source(), strings.Join(names, ", "))); err != nil {
		return err
	}
	if err := schema.Drop(ctx, d, names); err != nil {
		return err
	}
	return a.say("dropped %d tables of %s", len(names), d.Source())
}
