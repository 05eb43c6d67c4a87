package ctl

import (
	"context"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
)

const aclShort = "Groups of users: what they may do"

func (a *App) aclCommand() *cobra.Command {
	var all bool
	revoke := &cobra.Command{
		Use: "revoke USER GROUP...", Short: "Take a user out of groups", Args: want(1, -1), ValidArgsFunction: a.completeThen(groupNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			// An empty list means all to the directory: only --all may mean that.
			if all == (len(args) > 1) {
				return usagef(cmd, "name the groups, or give --all")
			}
			return a.aclRevoke(cmd.Context(), args[0], args[1:])
		},
	}
	revoke.Flags().BoolVar(&all, "all", false, "out of every group")
	return group("acl", aclShort,
		&cobra.Command{
			Use: "grant USER GROUP...", Short: "Put a user into groups", Args: want(2, -1), ValidArgsFunction: a.completeThen(groupNames),
			RunE: func(cmd *cobra.Command, args []string) error { return a.aclGrant(cmd.Context(), args[0], args[1:]) },
		}, revoke,
		&cobra.Command{
			Use: "show USER", Aliases: []string{"list"}, Short: "Show the groups of a user", Args: want(1, 1), ValidArgsFunction: a.completeUsers,
			RunE: func(cmd *cobra.Command, args []string) error { return a.aclShow(cmd.Context(), args[0]) },
		})
}

func (a *App) aclGrant(ctx context.Context, name string, groups []string) error {
	addr, err := a.address(name)
	if err != nil {
		return err
	}
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	n, err := dir.Grant(ctx, addr, groups...)
	if err != nil {
		return explain(ctx, dir, err)
	}
	if n < len(groups) {
		return a.say("put %s into %d of %d groups; it was in the others", addr, n, len(groups))
	}
	return a.say("put %s into %d of %d groups", addr, n, len(groups))
}

func (a *App) aclRevoke(ctx context.Context, name string, groups []string) error {
	addr, err := a.address(name)
	if err != nil {
		return err
	}
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	n, err := dir.Revoke(ctx, addr, groups...)
	if err != nil {
		return explain(ctx, dir, err)
	}
	return a.say("took %s out of %d groups", addr, n)
}

func (a *App) aclShow(ctx context.Context, name string) error {
	addr, err := a.address(name)
	if err != nil {
		return err
	}
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	groups, err := dir.Groups(ctx, addr)
	if err != nil {
		return explain(ctx, dir, err)
	}
	w := output.New(a.Out, a.set.output, "user", "group")
	for _, g := range groups {
		w.Row(addr.String(), g)
	}
	return w.Close()
}
