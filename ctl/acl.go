package ctl

import (
	"context"
	"errors"
	"iter"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
)

const aclShort = "Groups of users: what they may do"

func (a *App) aclCommand() *cobra.Command {
	var all, ifThere bool
	revoke := &cobra.Command{
		Use: "revoke USER GROUP...", Aliases: []string{"rm", "remove"}, Short: "Take a user out of groups", Args: want(1, -1), ValidArgsFunction: a.completeThen(groupNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			// An empty list means all to the directory: only --all may mean that.
			if all == (len(args) > 1) {
				return usagef(cmd, "name the groups, or give --all")
			}
			return a.aclRevoke(cmd.Context(), args[0], args[1:], ifThere)
		},
	}
	revoke.Flags().BoolVar(&all, "all", false, "out of every group")
	revoke.Flags().BoolVar(&ifThere, "if-exists", false, "be content when there is no such user")
	var f nameFlags
	list := &cobra.Command{
		Use: "list [USER]", Aliases: []string{"ls"}, Short: "List users and their groups, of all or of one", Args: want(0, 1), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error { return a.aclList(cmd.Context(), args, &f) },
	}
	f.declare(list)
	list.Flags().StringVar(&f.Domain, "domain", "", "only users of this `domain`")
	return group("acl", aclShort,
		&cobra.Command{
			Use: "grant USER GROUP...", Aliases: []string{"add"}, Short: "Put a user into groups", Args: want(2, -1), ValidArgsFunction: a.completeThen(groupNames),
			RunE: func(cmd *cobra.Command, args []string) error { return a.aclGrant(cmd.Context(), args[0], args[1:]) },
		}, revoke, list,
		&cobra.Command{
			Use: "show USER", Short: "Show the groups of a user", Args: want(1, 1), ValidArgsFunction: a.completeUsers,
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

func (a *App) aclRevoke(ctx context.Context, name string, groups []string, ifThere bool) error {
	addr, err := a.address(name)
	if err != nil {
		return err
	}
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	n, err := dir.Revoke(ctx, addr, groups...)
	if errors.Is(err, db.ErrNoUser) && ifThere {
		return a.say("there is no user %s; nothing was changed", addr)
	}
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

func (a *App) aclList(ctx context.Context, args []string, l *nameFlags) error {
	if len(args) == 1 {
		addr, err := a.address(args[0])
		if err != nil {
			return err
		}
		l.User = addr
	}
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	w, err := a.list(&l.listFlags, []string{"user", "group"})
	if err != nil {
		return err
	}
	pager := l.filter().Pager() // its names are matched twice, which changes nothing
	for m, err := range memberships(ctx, dir, l.Filter) {
		if err != nil {
			return explain(ctx, dir, err)
		}
		if !pager.Take(m.user) {
			continue
		}
		if err := w.row(m.user, m.group); err != nil {
			return err
		}
		if pager.Full() {
			break
		}
	}
	return w.close()
}

// member is a user in a group.
type member struct{ user, group string }

// memberships are those of one user or of all.
func memberships(ctx context.Context, dir db.Directory, f db.Filter) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		if (f.User != db.Address{}) {
			groups, err := dir.Groups(ctx, f.User)
			if err != nil {
				yield(member{}, err)
				return
			}
			for _, g := range groups {
				if !yield(member{f.User.String(), g}, nil) {
					return
				}
			}
			return
		}
		for u, err := range filled(ctx, dir, db.Filter{Domain: f.Domain, Match: f.Match}) {
			if err != nil {
				yield(member{}, err)
				return
			}
			for _, g := range u.Groups {
				if !yield(member{u.Address.String(), g}, nil) {
					return
				}
			}
		}
	}
}
