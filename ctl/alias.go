package ctl

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"sipd/db"
)

const aliasShort = "Other addresses of users"

func (a *App) aliasCommand() *cobra.Command {
	var f nameFlags
	list := &cobra.Command{
		Use: "list [USER]", Aliases: []string{"ls", "show"}, Short: "List the aliases, of a user or all", Args: want(0, 1), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error { return a.aliasList(cmd.Context(), args, &f) },
	}
	list.Flags().StringVar(&f.Domain, "domain", "", "only in this `domain`")
	f.declare(list)
	var ifNot, ifThere bool
	add := &cobra.Command{
		Use: "add USER ALIAS...", Short: "Give a user more addresses", Args: want(2, -1), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.aliasAdd(cmd.Context(), args[0], args[1:], ifNot)
		},
	}
	add.Flags().BoolVar(&ifNot, "if-not-exists", false, "be content when it leads to the user already")
	rm := &cobra.Command{
		Use: "rm ALIAS...", Aliases: []string{"remove"}, Short: "Take addresses away", Args: want(1, -1), ValidArgsFunction: a.completeAliases,
		RunE: func(cmd *cobra.Command, args []string) error { return a.aliasRemove(cmd.Context(), args, ifThere) },
	}
	rm.Flags().BoolVar(&ifThere, "if-exists", false, "be content when there is no such alias")
	return group("alias", aliasShort, add, rm, list, importAliases.command(a), a.exportCommand("aliases", a.aliasExport, false))
}

func (a *App) aliasAdd(ctx context.Context, name string, names []string, ifNot bool) error {
	addr, err := a.address(name)
	if err != nil {
		return err
	}
	aliases, err := a.addresses(names)
	if err != nil {
		return err
	}
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, al := range aliases {
		err := dir.AddAlias(ctx, addr, al)
		if taken(err) {
			if u, e := dir.User(ctx, al); ifNot && e == nil && u.Address == addr {
				errs = append(errs, a.say("%s is an alias of %s already; nothing was changed", al, addr))
				continue
			}
			err = existing(ctx, dir, al)
		}
		if err != nil {
			errs = append(errs, explain(ctx, dir, err, al.Domain))
			continue
		}
		if err := a.say("added alias %s of %s", al, addr); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

func (a *App) aliasRemove(ctx context.Context, names []string, ifThere bool) error {
	aliases, err := a.addresses(names)
	if err != nil {
		return err
	}
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, al := range aliases {
		if err := dir.RemoveAlias(ctx, al); err != nil {
			if errors.Is(err, db.ErrNoAlias) && ifThere {
				errs = append(errs, a.say("there is no alias %s; nothing was changed", al))
				continue
			}
			if errors.Is(err, db.ErrNoAlias) {
				err = hinted(err, "to see which there are: sipctl alias list")
			}
			errs = append(errs, err)
			continue
		}
		if err := a.say("removed alias %s", al); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

func (a *App) aliasList(ctx context.Context, args []string, f *nameFlags) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		addr, err := a.address(args[0])
		if err != nil {
			return err
		}
		u, err := dir.User(ctx, addr)
		if err != nil {
			return explain(ctx, dir, err)
		}
		f.User = u.Address
	}
	w, err := a.list(&f.listFlags, []string{"alias", "user"})
	if err != nil {
		return err
	}
	for al, err := range dir.Aliases(ctx, f.filter()) {
		if err != nil {
			return err
		}
		if err := w.row(al.Alias.String(), al.User.String()); err != nil {
			return err
		}
	}
	return w.close()
}
