package ctl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/db/table"
)

// presenceTables hold states and subscriptions that end; the column is the end
// in Unix seconds.
var presenceTables = []struct{ noun, column string }{
	{"presence state", "expires"},
	{"presence subscription", "expires"},
	{"presence pua", "expires"},
	{"presence rls", "expires"},
	{"presence resource", "expires"},
}

func (a *App) presenceCleanCommand() *cobra.Command {
	var older time.Duration
	c := &cobra.Command{
		Use: "clean", Short: "Remove states and subscriptions from the database that ended a while ago", Args: want(0, 0),
		Long: `Removes what ended from the tables presentity, active_watchers, pua,
rls_watchers and rls_presentity, in one transaction.`, Example: "  sipctl presence clean --older 24h",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.presenceClean(cmd.Context(), older) },
	}
	c.Flags().DurationVar(&older, "older", time.Hour, "that ended longer than this `time` ago")
	return c
}

func (a *App) presenceClean(ctx context.Context, older time.Duration) error {
	var all []*Rows
	for _, p := range presenceTables {
		r, err := a.nounRows(ctx, nounOf(p.noun), false)
		if err != nil {
			return err
		}
		if r.dir.Flavour() == db.SER {
			return fmt.Errorf("presence clean: the ser flavour's server cleans its tables itself: %w", db.ErrNotSupported)
		}
		all = append(all, r)
	}
	counts := make(db.Counts)
	err := all[0].dir.DB().Tx(ctx, func(tx *db.Tx) error {
		clear(counts)
		for i, r := range all {
			end := presenceTables[i].column
			n, err := r.t.RemoveTx(ctx, tx, []table.Cond{{Column: end, Op: table.Less, Value: time.Now().Add(-older).Unix()}, {Column: end, Op: table.More, Value: 0}})
			if err != nil {
				return err
			}
			counts.Add(r.t.Name, n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.say("removed what ended (%s)", rowsOf(counts))
}

// lcrWeightsCommand tells how often each of some weighted gateways comes first.
func (a *App) lcrWeightsCommand() *cobra.Command {
	var turns int
	c := &cobra.Command{
		Use: "weights WEIGHT...", Short: "Show how often gateways of these weights come first", Args: want(1, -1), Example: "  sipctl lcr weights 10 20 30",
		RunE: func(cmd *cobra.Command, args []string) error {
			var weights []int
			for _, s := range args {
				n, err := strconv.Atoi(s)
				if err != nil || n < 1 || n > 254 {
					return usagef(cmd, "weight %q is no number from 1 to 254", s)
				}
				weights = append(weights, n)
			}
			w := output.New(a.Out, a.set.output, "weight", "percent")
			for i, share := range lcrShares(weights, turns) {
				if err := w.Row(weights[i], round(100*share)); err != nil {
					return err
				}
			}
			return w.Close()
		},
	}
	c.Flags().IntVar(&turns, "turns", 100000, "try so `many` times")
	return c
}

// lcrShares plays the choice of module lcr: gateways of one priority are
// ordered by weight times a random number, the highest first.
func lcrShares(weights []int, turns int) []float64 {
	r := rand.New(rand.NewPCG(1, 2)) // the same answer to the same question
	won := make([]int, len(weights))
	for range turns {
		best, high := 0, -1
		for i, w := range weights {
			if v := w * r.IntN(1<<23); v > high {
				best, high = i, v
			}
		}
		won[best]++
	}
	out := make([]float64, len(weights))
	for i, n := range won {
		out[i] = float64(n) / float64(max(turns, 1))
	}
	return out
}
