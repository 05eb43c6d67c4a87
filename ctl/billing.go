package ctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/db/cdr"
)

// cdrsCommands make and sum up the records of table cdrs.
func (a *App) cdrsCommands(*noun) []*cobra.Command {
	generate := &cobra.Command{
		Use: "generate", Short: "Make records of the calls in table acc that have ended", Args: want(0, 0),
		Long: `Makes a record in table cdrs of every call in table acc that has none yet: of an
INVITE and the first BYE of its dialog, whichever side hung up. The requests of
the dialog get the record's number in column cdr_id, which acc extend adds; the
table itself makes sipctl db create --only cdrs. Run it from cron: it goes on
where it was.`, Example: "  sipctl acc cdrs generate",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.cdrsGenerate(cmd.Context()) },
	}
	var l listFlags
	var since time.Duration
	by := "src"
	names := slices.Sorted(maps.Keys(cdr.Keys))
	report := &cobra.Command{
		Use: "report", Short: "Sum up calls, their time and their cost", Args: want(0, 0),
		Long: "Sums up the records of table cdrs by one of " + strings.Join(names, ", ") + ".", Example: "  sipctl acc cdrs report --by day --since 720h",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.cdrReport(cmd.Context(), &l, since, func(d *db.DB, t time.Time) ([]cdr.Line, error) {
				return cdr.Report(cmd.Context(), d, by, t)
			}, by, "calls", "seconds", "cost")
		},
	}
	l.declare(report, false, false)
	report.Flags().StringVar(&by, "by", "src", "sum up by this `key`: "+strings.Join(names, ", "))
	report.Flags().DurationVar(&since, "since", 0, "calls of this `time` until now, 24h, 720h (default all)")
	_ = report.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)) // the flag is two lines above
	return []*cobra.Command{generate, report}
}

// ratesCommands put prices on records.
func (a *App) ratesCommands(*noun) []*cobra.Command {
	return []*cobra.Command{{
		Use: "generate [GROUP...]", Short: "Put prices on the records of table cdrs that have none", Args: want(0, -1),
		Long: `Puts a cost on every record in table cdrs that has none: of the prices of GROUP
(default) the one with the longest prefix of the number called, RATE for every
begun SECONDS. Of several groups the first that has a price is taken. Records
without one stay as they are, for a later run.`, Example: "  sipctl acc rates generate\n  sipctl acc rates generate customers default",
		RunE: func(cmd *cobra.Command, groups []string) error { return a.ratesGenerate(cmd.Context(), groups) },
	}}
}

func (a *App) accReportCommand() *cobra.Command {
	var l listFlags
	var since time.Duration
	names := slices.Sorted(maps.Keys(cdr.TopKeys))
	c := &cobra.Command{
		Use: "report NAME", Short: "Count who calls and is called most: " + strings.Join(names, ", "), Args: want(1, 1), ValidArgs: names,
		Long: `Counts the requests in table acc: by caller (top-src), by the number called
(top-dst), by the number called first (top-odst), by the address of the caller's
phone (top-srcip). The columns are those that acc extend adds.`, Example: "  sipctl acc report top-src --since 24h --limit 20",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.cdrReport(cmd.Context(), &l, since, func(d *db.DB, t time.Time) ([]cdr.Line, error) {
				return cdr.Top(cmd.Context(), d, args[0], t)
			}, strings.TrimPrefix(args[0], "top-"), "count")
		},
	}
	l.declare(c, false, false)
	c.Flags().DurationVar(&since, "since", 24*time.Hour, "requests of this `time` until now; 0 for all")
	return c
}

// cdrReport prints sums; columns are the names of the key and of what is summed
// up.
func (a *App) cdrReport(ctx context.Context, l *listFlags, since time.Duration, report func(*db.DB, time.Time) ([]cdr.Line, error), columns ...string) error {
	d, err := a.open(ctx, db.ReadOnly())
	if err != nil {
		return err
	}
	w, err := a.list(l, columns)
	if err != nil {
		return err
	}
	var from time.Time
	if since > 0 {
		from = time.Now().Add(-since)
	}
	lines, err := report(d, from)
	if err != nil {
		return err
	}
	if len(l.sort) == 0 { // else close cuts what it sorts
		lines = lines[min(l.offset, len(lines)):]
		if l.limit > 0 {
			lines = lines[:min(l.limit, len(lines))]
		}
	}
	for _, x := range lines {
		if err := w.row([]any{x.Key, x.Calls, x.Seconds, x.Cost}[:len(columns)]...); err != nil {
			return err
		}
	}
	return w.close()
}

func (a *App) cdrsGenerate(ctx context.Context) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if dir.Flavour() == db.SER {
		return fmt.Errorf("acc cdrs generate: the ser flavour has no table cdrs: %w", db.ErrNotSupported)
	}
	made, err := cdr.Generate(ctx, dir.DB())
	if err != nil {
		return err
	}
	if err := a.say("made %s; %s without an end", countOf(made.Records, "record"), countOf(made.Open, "call")); err != nil {
		return err
	}
	return a.refused(made.Refused)
}

func (a *App) ratesGenerate(ctx context.Context, groups []string) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if dir.Flavour() == db.SER {
		return fmt.Errorf("acc rates generate: the ser flavour has no table billing_rates: %w", db.ErrNotSupported)
	}
	rated, err := cdr.Rate(ctx, dir.DB(), groups...)
	if err != nil {
		return err
	}
	if err := a.say("put a cost on %s; %s without a price", countOf(rated.Records, "record"), countOf(rated.Without, "record")); err != nil {
		return err
	}
	return a.refused(rated.Refused)
}

// refused tells what could not be written while the rest was.
func (a *App) refused(errs []error) error {
	for _, err := range errs {
		fmt.Fprintf(a.Err, "sipctl: %s\n", output.CleanLines(message(err)))
	}
	if len(errs) > 0 {
		return fmt.Errorf("%s passed over, the rest was written", countOf(len(errs), "row"))
	}
	return nil
}
