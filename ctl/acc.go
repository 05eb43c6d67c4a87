package ctl

import (
	"context"
	"fmt"
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
	rates := &cobra.Command{
		Use: "rates", Short: "Count the calls of the last minutes by method and reply code", Args: want(0, 0), Example: "  sipctl acc rates --since 1h",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.accRates(cmd.Context(), since, missed) },
	}
	rates.Flags().BoolVar(&missed, "missed", false, "of the missed calls")
	for _, c := range []*cobra.Command{recent, rates} {
		c.Flags().DurationVar(&since, "since", 5*time.Minute, "as far back as this `time`, 300s, 10m, 24h")
	}
	extend := &cobra.Command{
		Use: "extend", Short: "Give the tables acc and missed_calls the columns that default configurations fill", Args: want(0, 0),
		Long: `Adds the columns src_user, src_domain, src_ip, dst_ouser, dst_user and
dst_domain to acc and missed_calls where they are missing.`, Example: "  sipctl acc extend",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.accExtend(cmd.Context()) },
	}
	return []*cobra.Command{recent, rates, extend}
}

// accTime is the column of the time of a call in the flavour's table.
func accTime(r *Rows) string {
	if r.t.Has("time") {
		return "time"
	}
	return "request_timestamp"
}

// accRates counts in the database what happened since then.
func (a *App) accRates(ctx context.Context, since time.Duration, missed bool) error {
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
	w := output.New(a.Out, a.set.output, "method", "code", "calls", "percent", "per_minute")
	for _, k := range order {
		n := counts[k]
		if err := w.Row(k.method, k.code, n, round(100*float64(n)/float64(total)), round(float64(n)/since.Minutes())); err != nil {
			return err
		}
	}
	return w.Close()
}

// round keeps two digits after the point.
func round(f float64) float64 { return float64(int64(f*100+0.5)) / 100 }

// accColumns are those that kamctl's acc initdb adds.
var accColumns = []struct {
	name string
	size int
}{{"src_user", 64}, {"src_domain", 128}, {"src_ip", 64}, {"dst_ouser", 64}, {"dst_user", 64}, {"dst_domain", 128}}

func (a *App) accExtend(ctx context.Context) error {
	r, err := a.nounRows(ctx, nounOf("acc call"), false)
	if err != nil {
		return err
	}
	if r.dir.Flavour() == db.SER {
		return fmt.Errorf("the ser flavour has all its columns: %w", db.ErrNotSupported)
	}
	m, err := a.nounRows(ctx, nounOf("acc missed"), false)
	if err != nil {
		return err
	}
	d := r.dir.DB()
	for _, t := range []*table.Table{r.t, m.t} {
		var added []string
		for _, c := range accColumns {
			if t.Has(c.name) {
				continue
			}
			added = append(added, c.name)
			sql := fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s VARCHAR(%d) NOT NULL DEFAULT ''", d.Quote(t.Name), d.Quote(c.name), c.size)
			if a.opt.dryRun {
				if _, err := fmt.Fprintf(a.Out, "%s;\n", sql); err != nil {
					return err
				}
				continue
			}
			// MySQL commits every one by itself; run again, the rest is added.
			if err := d.Tx(ctx, func(tx *db.Tx) error { return tx.Do(ctx, sql) }); err != nil {
				return err
			}
		}
		if err := a.say("table %s: added %s", t.Name, first(strings.Join(added, ", "), "nothing, it has them all")); err != nil {
			return err
		}
	}
	return nil
}
