package ctl

import (
	"fmt"

	"github.com/spf13/cobra"

	"sipd/db"
	"sipd/db/table"
)

// flagCommand changes the flags of rows in one certain way.
func (n *noun) flagCommand(a *App, verb, short, change string) *cobra.Command {
	use, _, most := n.usage(verb, keys)
	var p pick
	c := &cobra.Command{Use: optionalUse(use), Short: short, Args: want(0, most), Annotations: map[string]string{exampleArgs: "--where flags=57"}}
	p.declare(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := a.nounRows(cmd.Context(), n, false)
		if err != nil {
			return err
		}
		if !r.place.flags {
			return fmt.Errorf("%s %s: the kamailio flavour has no column for it: %w", n.name, verb, db.ErrNotSupported)
		}
		where, err := p.conds(cmd.Context(), cmd, r, args)
		if err != nil {
			return err
		}
		count, err := r.Set(cmd.Context(), where, map[string]string{"flags": change})
		if err != nil {
			return err
		}
		return a.done(cmd.Context(), n.tell(), "%s: %s", verb, countOf(count, n.thing))
	}
	return c
}

// purgeCommand removes rows that are marked as deleted: those that are named,
// and no others.
func (n *noun) purgeCommand(a *App) *cobra.Command {
	use, _, most := n.usage("purge", keys)
	var p pick
	c := &cobra.Command{Use: optionalUse(use), Short: "Remove rows that are marked as deleted: those that are named (ser flavour)", Args: want(0, most), Annotations: map[string]string{exampleArgs: "--where flags>=128"}}
	p.declare(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := a.nounRows(cmd.Context(), n, false)
		if err != nil {
			return err
		}
		if !r.place.flags {
			return fmt.Errorf("%s purge: the kamailio flavour marks nothing: %w", n.name, db.ErrNotSupported)
		}
		where, err := p.conds(cmd.Context(), cmd, r, args)
		if err != nil {
			return err
		}
		count, err := r.Remove(cmd.Context(), append(where, table.Cond{Column: "flags", Op: table.Bits, Value: int64(128)}), -1)
		if err != nil {
			return err
		}
		return a.done(cmd.Context(), n.tell(), "purged %s", countOf(count, n.thing))
	}
	return c
}
