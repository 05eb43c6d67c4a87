package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/db/directory"
	"sipd/schema/migrate"
)

func (a *App) migrateCommand() *cobra.Command {
	var from string
	var batch int
	// with opens both sides and runs fn.
	with := func(readOnly bool, fn func(context.Context, db.Directory, db.Directory) error) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return usagef(cmd, "--from URL is missing: the database that the users come from")
			}
			return a.migrate(cmd.Context(), from, readOnly, fn)
		}
	}
	g := group("migrate", "Carry the users of one flavour over to the other",
		&cobra.Command{
			Use: "plan", Short: "Count what would come over and list what would not, writing nothing", Args: want(0, 0),
			RunE: with(true, func(ctx context.Context, src, dst db.Directory) error {
				r, err := migrate.Plan(ctx, src, dst)
				return a.printReport(r, err)
			}),
		},
		&cobra.Command{
			Use: "run", Short: "Carry everything over; run again, it goes on where it ended", Args: want(0, 0),
			RunE: with(false, func(ctx context.Context, src, dst db.Directory) error {
				if batch < 1 {
					return fmt.Errorf("--batch %d: a batch has at least one user", batch)
				}
				r, err := migrate.Run(ctx, src, dst, migrate.Options{Batch: batch})
				return a.printReport(r, err)
			}),
		},
		&cobra.Command{
			Use: "verify", Short: "Compare both sides and list the differences; exits with 1 when there are some", Args: want(0, 0),
			RunE: with(true, func(ctx context.Context, src, dst db.Directory) error {
				diffs, err := migrate.Verify(ctx, src, dst)
				if err != nil {
					return err
				}
				return a.printDifferences(diffs)
			}),
		})
	g.Long = `Carries domains, users with their secrets, aliases, attributes and groups from
the database --from to the one of --db, which is of the other flavour and was
made with sipctl db create. The source is never written.`
	g.PersistentFlags().StringVar(&from, "from", "", "`URL` of the database that the users come from")
	g.PersistentFlags().IntVar(&batch, "batch", 500, "`users` that are written in one transaction")
	return g
}

func (a *App) migrate(ctx context.Context, from string, readOnly bool, fn func(context.Context, db.Directory, db.Directory) error) (err error) {
	s, err := db.Open(ctx, from, db.ReadOnly())
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	src, err := directory.Open(ctx, s, db.Auto)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	var opts []db.Option
	if readOnly {
		opts = append(opts, db.ReadOnly())
	}
	dst, err := a.directory(ctx, opts...)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	return fn(ctx, src, dst)
}

func (a *App) printReport(r migrate.Report, err error) error {
	if r.From == "" {
		return err
	}
	c := r.Counts
	notes := make([]string, len(r.Notes))
	for i, n := range r.Notes {
		notes[i] = n.String()
	}
	var list any = notes
	if a.set.output == output.JSON || a.set.output == output.JSONL {
		list = append([]migrate.Note{}, r.Notes...)
	}
	e := output.Record(a.Out, a.set.output,
		output.F("from", r.From.String()), output.F("to", r.To.String()),
		output.F("domains", c.Domains), output.F("users", c.Users), output.F("aliases", c.Aliases),
		output.F("attributes", c.Attrs), output.F("groups", c.Groups),
		output.F("present", c.Present), output.F("skipped", c.Skipped), output.F("notes", list))
	if err != nil {
		return hinted(err, "whole batches before it are kept; run again to go on")
	}
	return e
}

func (a *App) printDifferences(diffs []migrate.Difference) error {
	w := output.New(a.Out, a.set.output, "subject", "what", "source", "target")
	for _, d := range diffs {
		w.Row(d.Subject, d.What, d.Source, d.Target)
	}
	if err := w.Close(); err != nil {
		return err
	}
	if len(diffs) > 0 {
		return fmt.Errorf("%d differences; to carry over what is missing: sipctl db migrate run", len(diffs))
	}
	return nil
}
