package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/db/table"
)

func (a *App) accCommands() []*cobra.Command {
	var since time.Duration
	var l listFlags
	recent := &cobra.Command{
		Use: "recent", Short: "List the calls of the last minutes", Args: want(0, 0), Example: "  sipctl acc recent --since 10m",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.nounRows(cmd.Context(), nounOf("acc call"), true)
			if err != nil {
				return err
			}
			return a.printRows(cmd.Context(), r, []table.Cond{{Column: accTime(r), Op: table.Min, Value: time.Now().Add(-since)}}, &l)
		},
	}
	l.declare(recent, true, false)
	var missed bool
	var by listFlags
	stats := &cobra.Command{
		Use: "stats", Short: "Count the requests of the last minutes by method and reply code", Args: want(0, 0), Example: "  sipctl acc stats --since 1h",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.accStats(cmd.Context(), &by, since, missed) },
	}
	by.declare(stats, false, false)
	stats.Flags().BoolVar(&missed, "missed", false, "of the missed calls")
	for _, c := range []*cobra.Command{recent, stats} {
		c.Flags().DurationVar(&since, "since", 5*time.Minute, "as far back as this `time`, 300s, 10m, 24h")
	}
	extend := &cobra.Command{
		Use: "extend", Short: "Give the tables acc and missed_calls the columns that default configurations fill", Args: want(0, 0),
		Long: `Adds the columns src_user, src_domain, src_ip, dst_ouser, dst_user and
dst_domain to acc and missed_calls where they are missing, and cdr_id, in which
acc cdrs generate notes what has its record.`, Example: "  sipctl acc extend",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.accExtend(cmd.Context()) },
	}
	reduce := &cobra.Command{
		Use: "reduce [TABLE...]", Short: "Take these columns away again, with what is in them", Args: want(0, 2), ValidArgs: []string{"acc", "missed_calls"},
		Long: `Drops the columns that acc extend adds from acc and missed_calls, or from one of
them, with all that is in them. It asks; for scripts there is --yes.`, Example: "  sipctl acc reduce missed_calls --yes",
		RunE: func(cmd *cobra.Command, args []string) error { return a.accReduce(cmd.Context(), cmd, args) },
	}
	return []*cobra.Command{recent, stats, a.accReportCommand(), extend, reduce}
}

// accTime is the column of the time of a call in the flavour's table.
func accTime(r *Rows) string {
	if r.t.Has("time") {
		return "time"
	}
	return "request_timestamp"
}

// accStats counts in the database what happened since then.
func (a *App) accStats(ctx context.Context, l *listFlags, since time.Duration, missed bool) error {
	name := "acc call"
	if missed {
		name = "acc missed"
	}
	r, err := a.nounRows(ctx, nounOf(name), true)
	if err != nil {
		return err
	}
	method, code := "method", "sip_code"
	if !r.t.Has(code) {
		method, code = "sip_method", "sip_status"
	}
	type key struct{ method, code string }
	counts := make(map[key]int)
	var order []key
	q := table.Query{Columns: []string{method, code}, Where: []table.Cond{{Column: accTime(r), Op: table.Min, Value: time.Now().Add(-since)}}, Sort: []string{method, code}}
	total := 0
	for row, err := range r.t.Rows(ctx, q) {
		if err != nil {
			return err
		}
		k := key{output.Text(row[0]), output.Text(row[1])}
		if counts[k]++; counts[k] == 1 {
			order = append(order, k)
		}
		total++
	}
	w, err := a.list(l, []string{"method", "code", "calls", "percent", "per_minute"})
	if err != nil {
		return err
	}
	for _, k := range order {
		n := counts[k]
		if err := w.row(k.method, k.code, n, round(100*float64(n)/float64(total)), round(float64(n)/since.Minutes())); err != nil {
			return err
		}
	}
	return w.close()
}

// round keeps two digits after the point.
func round(f float64) float64 { return float64(int64(f*100+0.5)) / 100 }

// accColumns are those that kamctl's acc initdb adds, as SQL, and the one that
// kamcli's does.
var accColumns = [][2]string{
	{"src_user", "VARCHAR(64) NOT NULL DEFAULT ''"},
	{"src_domain", "VARCHAR(128) NOT NULL DEFAULT ''"},
	{"src_ip", "VARCHAR(64) NOT NULL DEFAULT ''"},
	{"dst_ouser", "VARCHAR(64) NOT NULL DEFAULT ''"},
	{"dst_user", "VARCHAR(64) NOT NULL DEFAULT ''"},
	{"dst_domain", "VARCHAR(128) NOT NULL DEFAULT ''"},
	{"cdr_id", "INTEGER NOT NULL DEFAULT 0"},
}

// accTables are the tables of calls that have a form to extend.
func (a *App) accTables(ctx context.Context, names []string) ([]*table.Table, error) {
	var out []*table.Table
	for noun, name := range map[string]string{"acc call": "acc", "acc missed": "missed_calls"} {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		r, err := a.nounRows(ctx, nounOf(noun), false)
		if err != nil {
			return nil, err
		}
		if r.dir.Flavour() == db.SER {
			return nil, fmt.Errorf("the ser flavour has all its columns: %w", db.ErrNotSupported)
		}
		out = append(out, r.t)
	}
	slices.SortFunc(out, func(x, y *table.Table) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

func (a *App) accExtend(ctx context.Context) error {
	tables, err := a.accTables(ctx, nil)
	if err != nil {
		return err
	}
	for _, t := range tables {
		changed, err := a.accChange(ctx, t, func(c [2]string) string {
			if t.Has(c[0]) {
				return ""
			}
			return "ADD COLUMN " + a.database.Quote(c[0]) + " " + c[1]
		})
		if err != nil {
			return err
		}
		if err := a.say("table %s: added %s", t.Name, first(strings.Join(changed, ", "), "nothing, it has them all")); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) accReduce(ctx context.Context, cmd *cobra.Command, names []string) error {
	for _, n := range names {
		if n != "acc" && n != "missed_calls" {
			return usagef(cmd, "table %q is none of acc, missed_calls", n)
		}
	}
	tables, err := a.accTables(ctx, names)
	if err != nil {
		return err
	}
	if !a.opt.yes && !a.opt.dryRun {
		yes, err := a.confirm("Drop these columns with all that is in them?")
		if err != nil {
			return err
		}
		if !yes {
			return fmt.Errorf("the columns that acc extend adds would go with all that is in them; to do it: --yes")
		}
	}
	for _, t := range tables {
		changed, err := a.accChange(ctx, t, func(c [2]string) string {
			if !t.Has(c[0]) {
				return ""
			}
			return "DROP COLUMN " + a.database.Quote(c[0])
		})
		if err != nil {
			return err
		}
		if err := a.say("table %s: dropped %s", t.Name, first(strings.Join(changed, ", "), "nothing, it has none of them")); err != nil {
			return err
		}
	}
	return nil
}

// accChange alters the table column by column and gives the names of those that
// alter has words for. MySQL commits every one by itself; run again, the rest
// is done.
func (a *App) accChange(ctx context.Context, t *table.Table, alter func(column [2]string) string) ([]string, error) {
	var changed []string
	for _, c := range accColumns {
		words := alter(c)
		if words == "" {
			continue
		}
		changed = append(changed, c[0])
		sql := "ALTER TABLE " + a.database.Quote(t.Name) + " " + words
		if a.opt.dryRun {
			if _, err := fmt.Fprintf(a.Out, "%s;\n", sql); err != nil {
				return nil, err
			}
			continue
		}
		if err := a.database.Tx(ctx, func(tx *db.Tx) error { return tx.Do(ctx, sql) }); err != nil {
			return nil, err
		}
	}
	return changed, nil
}
