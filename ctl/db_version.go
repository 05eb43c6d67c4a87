package ctl

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/schema"
)

func (a *App) dbVersionCommand() *cobra.Command {
	number := 0
	c := &cobra.Command{
		Use: "version [TABLE...]", Short: "Print the version numbers of the tables, or set that of one", Args: want(0, -1),
		Long: `Prints the numbers of table version, by which a server tells whether a table is
of its release. --set changes the number and nothing of the table: db upgrade
brings a table to another release.`,
		Example:           "  sipctl db version subscriber location\n  sipctl db version --set 7 subscriber",
		ValidArgsFunction: a.completeTables,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !cmd.Flags().Changed("set"):
				return a.tableVersions(cmd.Context(), args)
			case len(args) != 1:
				return usagef(cmd, "--set is for one table")
			case number < 0:
				return usagef(cmd, "--set %d: a version is not negative", number)
			}
			return a.setTableVersion(cmd.Context(), args[0], number)
		},
	}
	c.Flags().IntVar(&number, "set", 0, "write this `number`")
	return c
}

// setTableVersion writes a number into table version.
func (a *App) setTableVersion(ctx context.Context, name string, number int) error {
	d, err := a.open(ctx)
	if err != nil {
		return err
	}
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return err
	}
	if err := found.Check(d.Source(), a.set.flavour, schema.Need{Table: "version", Columns: []string{"table_name", "table_version"}}); err != nil {
		return err
	}
	if found[name] == nil {
		return found.Check(d.Source(), a.set.flavour, schema.Need{Table: name})
	}
	err = d.Tx(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM version WHERE table_name = ?", name); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO version (table_name, table_version) VALUES (?, ?)", name, number)
		return err
	})
	if err != nil {
		return err
	}
	return a.say("table %s has version %d, before %s", name, number, versionWord(found[name].Version))
}

func versionWord(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
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
			return found.Check(d.Source(), a.set.flavour, schema.Need{Table: n})
		}
		if t.Version == 0 {
			w.Row(n, nil)
			continue
		}
		w.Row(n, t.Version)
	}
	return w.Close()
}
