package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/db"
	"sipd/db/serdb"
	"sipd/db/table"
)

// hashColumns hold secrets, which the commands for passwords change together.
var hashColumns = []string{"password", "ha1", "ha1b", "ha1_sha256", "ha1_sha512t256"}

func (a *App) userSetCommand() *cobra.Command {
	var flags string
	c := &cobra.Command{
		Use: "set USER [COLUMN=VALUE...]", Short: `Change columns of table subscriber, \N for NULL; or the flags of a user`, Args: want(1, -1), ValidArgsFunction: a.completeUsers,
		Long: `Changes columns that a site has in table subscriber (kamailio flavour): \N is
NULL. Names and hashes are changed by other commands, which keep the tables
together. In the ser flavour --flags changes the flags of all rows of the user.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := a.address(args[0])
			if err != nil {
				return err
			}
			switch {
			case flags != "" && len(args) == 1:
				f, err := serdb.ParseFlags(flags)
				if err != nil {
					return usagef(cmd, "%v", err)
				}
				return a.userFlags(cmd.Context(), addr, f)
			case flags != "" || len(args) == 1:
				return usagef(cmd, "give either COLUMN=VALUE or --flags")
			}
			given := make(map[string]string)
			for _, w := range args[1:] {
				name, value, ok := strings.Cut(w, "=")
				if !ok {
					return usagef(cmd, "%q has no value; write COLUMN=VALUE", w)
				}
				given[name] = value
			}
			return a.userColumns(cmd.Context(), addr, given)
		},
	}
	c.Flags().StringVarP(&flags, "flags", "F", "", "`change` of the flags: +fs-t sets f and s and clears t, =sf sets these alone, a number all (ser flavour)")
	return c
}

func (a *App) userColumns(ctx context.Context, addr db.Address, given map[string]string) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if dir.Flavour() == db.SER {
		return fmt.Errorf("the ser flavour has no table subscriber; attributes hold what a user has: sipctl attr set %s NAME=VALUE%w", addr, silent{db.ErrNotSupported})
	}
	for name := range given {
		if slices.Contains(hashColumns, name) {
			return &db.FieldError{Field: "column", Value: name, Why: "is changed with: sipctl user passwd"}
		}
		if name == "username" || name == "domain" || name == "id" {
			return &db.FieldError{Field: "column", Value: name, Why: "is in many tables; add a new user and remove this one"}
		}
	}
	u, err := dir.User(ctx, addr)
	if err != nil {
		return explain(ctx, dir, err)
	}
	t, err := table.Open(ctx, dir.DB(), db.Kamailio, "subscriber")
	if err != nil {
		return err
	}
	r := &Rows{noun: &noun{name: "user", thing: "user"}, dir: dir, t: t}
	if _, err := r.Set(ctx, []table.Cond{table.Eq("username", u.Address.User), table.Eq("domain", u.Address.Domain)}, given); err != nil {
		return err
	}
	return a.say("changed %d columns of %s", len(given), u.Address)
}

func (a *App) userFlags(ctx context.Context, addr db.Address, f serdb.Flags) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	s, ok := dir.(*serdb.Directory)
	if !ok {
		return fmt.Errorf("flags of user %s: the kamailio flavour has none: %w", addr, db.ErrNotSupported)
	}
	if err := s.SetUserFlags(ctx, addr, f); err != nil {
		return explain(ctx, dir, err)
	}
	return a.say("changed the flags of %s", addr)
}

func (a *App) userMarkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "mark USER", Short: "Mark a user as deleted: it is off until it is purged (ser flavour)", Args: want(1, 1), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := a.address(args[0])
			if err != nil {
				return err
			}
			s, err := a.serOnly(cmd.Context(), "user mark")
			if err != nil {
				return err
			}
			if err := s.MarkUser(cmd.Context(), addr); err != nil {
				return explain(cmd.Context(), s, err)
			}
			return a.say("marked user %s as deleted; to remove it: sipctl user purge %[1]s", addr)
		},
	}
}

func (a *App) userPurgeCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "purge [USER...]", Short: "Remove users that are marked as deleted: those that are named (ser flavour)", Args: want(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usagef(cmd, "name the users, or give --all")
			}
			addrs, err := a.addresses(args)
			if err != nil {
				return err
			}
			s, err := a.serOnly(cmd.Context(), "user purge")
			if err != nil {
				return err
			}
			if all {
				counts, err := s.Purge(cmd.Context())
				if err != nil {
					return err
				}
				return a.say("purged what was marked as deleted (%s)", rowsOf(counts))
			}
			for _, addr := range addrs {
				counts, err := s.PurgeUser(cmd.Context(), addr)
				if err != nil {
					return err
				}
				if err := a.say("purged user %s (%s)", addr, rowsOf(counts)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "everything that is marked as deleted, in all tables")
	return c
}

// serOnly opens the directory of a command that the other flavour does not have.
func (a *App) serOnly(ctx context.Context, command string) (*serdb.Directory, error) {
	dir, err := a.directory(ctx)
	if err != nil {
		return nil, err
	}
	s, ok := dir.(*serdb.Directory)
	if !ok {
		return nil, fmt.Errorf("%s: the kamailio flavour marks nothing as deleted: %w", command, db.ErrNotSupported)
	}
	return s, nil
}
