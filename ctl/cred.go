package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sipd/db"
	"sipd/db/serdb"
	"sipd/db/table"
)

// credNoun is digest credentials: rows of table credentials in the ser flavour,
// and in the kamailio flavour the secrets of the one row that a user has.
func credNoun() *noun {
	return &noun{
		name: "cred", part: "users", short: "Digest credentials: what users log in with", thing: "credential", noAdd: true,
		more: (*App).credAddCommand, set: (*App).credSetCommand, rm: (*App).credRemoveCommand,
		in: both(
			place{
				table: "subscriber", key: []arg{pair("USER", "username", "domain")},
				secret: hashColumns, screen: []string{"id", "username", "domain"},
			},
			place{
				table: "credentials", key: []arg{ofUID(), val("AUTH_USER", "auth_username"), val("REALM", "realm")}, flags: true,
				secret: []string{"password", "ha1", "ha1b"}, screen: []string{"uid", "auth_username", "realm", "did", "flags"},
			}),
	}
}

// credential reads the arguments USER [AUTH_USER [REALM]].
func (a *App) credential(args []string) (serdb.Credential, error) {
	var c serdb.Credential
	var err error
	if c.User, err = a.address(args[0]); err != nil {
		return c, err
	}
	if len(args) > 1 {
		c.AuthUser = args[1]
	}
	if len(args) > 2 {
		c.AuthRealm = args[2]
	}
	return c, nil
}

// namesOnlyUser refuses a user name and a realm where the flavour has none
// besides the user's own.
func namesOnlyUser(c serdb.Credential) error {
	if c.AuthUser != "" && (c.AuthUser != c.User.User || c.AuthRealm != "" && c.AuthRealm != c.User.Domain) {
		return fmt.Errorf("in the kamailio flavour user %s logs in as %s in realm %s, and as nobody else: %w", c.User, c.User.User, c.User.Domain, db.ErrNotSupported)
	}
	return nil
}

func (a *App) credAddCommand(*noun) []*cobra.Command {
	var p passwordFlags
	var ifNot bool
	c := &cobra.Command{
		Use: "add USER [AUTH_USER] [REALM]", Short: "Give a user a name and a realm to log in with", Args: want(1, 3), ValidArgsFunction: a.completeUsers,
		Long: `Adds credentials to a user that is there: of AUTH_USER (the user's name) in REALM
(that of the user's domain). A user of the ser flavour may have several. In the
kamailio flavour it has one, which user add makes; add is for one that has none.`,
		Example: "  sipctl cred add alice@example.com --password-file FILE\n  sipctl cred add alice@example.com door pbx.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(cmd); err != nil {
				return err
			}
			cred, err := a.credential(args)
			if err != nil {
				return err
			}
			return a.credAdd(cmd.Context(), cred, ifNot, func() (db.Password, error) { return p.read(cmd.Context(), cmd, a, cred.User) })
		},
	}
	p.declare(c, true)
	c.Flags().BoolVar(&ifNot, "if-not-exists", false, "be content when they are there already")
	return []*cobra.Command{c}
}

func (a *App) credAdd(ctx context.Context, c serdb.Credential, ifNot bool, password func() (db.Password, error)) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	u, err := dir.User(ctx, c.User)
	if err != nil {
		return explain(ctx, dir, err)
	}
	c.User = u.Address
	p, err := password()
	if err != nil {
		return err
	}
	if s, ok := dir.(*serdb.Directory); ok {
		err = s.AddCredential(ctx, c, p)
	} else if err = namesOnlyUser(c); err == nil {
		if u.Secret != "none" {
			err = fmt.Errorf("credentials of %s %w", c.User, db.ErrExists)
		} else {
			err = dir.SetPassword(ctx, c.User, p)
		}
	}
	switch {
	case errors.Is(err, db.ErrExists) && ifNot:
		return a.say("credentials of %s exist already; nothing was changed", c)
	case errors.Is(err, db.ErrExists):
		return hinted(err, "to change their secret: sipctl cred set %s", c)
	case err != nil:
		return explain(ctx, dir, err)
	}
	return a.say("added credentials of %s", c)
}

func (a *App) credSetCommand(n *noun) *cobra.Command {
	var p passwordFlags
	var flags string
	c := &cobra.Command{
		Use: "set USER [AUTH_USER] [REALM]", Aliases: []string{"passwd"}, Short: "Give credentials a new secret, asking for it, or other flags", Args: want(1, 3), ValidArgsFunction: a.completeUsers,
		Long: `Gives the credentials of a user a new secret: all of them, or those of AUTH_USER,
in REALM. All hashes are written together, each of its own name and realm. With
--flags it changes their flags (ser flavour).`,
		Example: "  sipctl cred set alice@example.com --password-file FILE\n  sipctl cred set alice@example.com door --flags +d",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(cmd); err != nil {
				return err
			}
			cred, err := a.credential(args)
			if err != nil {
				return err
			}
			if flags != "" {
				return a.credFlags(cmd.Context(), n, cred, flags)
			}
			return a.credSet(cmd.Context(), cred, func() (db.Password, error) { return p.read(cmd.Context(), cmd, a, cred.User) })
		},
	}
	p.declare(c, true)
	c.Flags().StringVarP(&flags, "flags", "F", "", "`change` of the flags: +fs-t sets f and s and clears t, =sf sets these alone, a number all (ser flavour)")
	return c
}

func (a *App) credSet(ctx context.Context, c serdb.Credential, password func() (db.Password, error)) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if _, err := dir.User(ctx, c.User); err != nil {
		return explain(ctx, dir, err)
	}
	p, err := password()
	if err != nil {
		return err
	}
	n := 1
	if s, ok := dir.(*serdb.Directory); ok {
		n, err = s.SetCredential(ctx, c, p)
	} else if err = namesOnlyUser(c); err == nil {
		err = dir.SetPassword(ctx, c.User, p)
	}
	switch {
	case err != nil:
		return explain(ctx, dir, err)
	case n == 0:
		return errNoRow{"credentials of " + c.String(), "cred"}
	}
	return a.say("changed the secret of %s of %s", countOf(n, "credential"), c)
}

// credFlags changes the flags of credentials of the ser flavour.
func (a *App) credFlags(ctx context.Context, n *noun, c serdb.Credential, change string) error {
	r, where, err := a.credRows(ctx, n, c)
	if err != nil {
		return err
	}
	if !r.place.flags {
		return fmt.Errorf("cred set --flags: the kamailio flavour has no column for it: %w", db.ErrNotSupported)
	}
	count, err := r.Set(ctx, where, map[string]string{"flags": change})
	if err != nil {
		return err
	}
	return a.say("changed the flags of %s of %s", countOf(count, "credential"), c)
}

func (a *App) credRemoveCommand(n *noun) *cobra.Command {
	var ifThere bool
	c := &cobra.Command{
		Use: "rm USER [AUTH_USER] [REALM]", Aliases: []string{"remove"}, Short: "Take credentials away: the user stays and cannot log in with them", Args: want(1, 3), ValidArgsFunction: a.completeUsers,
		Long: `Removes the credentials of a user, or those of AUTH_USER, in REALM; several only
with --yes. The user and all else stays. In the kamailio flavour, where they
stand in the row of the user, its hashes and its password are emptied.`,
		Example: "  sipctl cred rm alice@example.com door pbx.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			cred, err := a.credential(args)
			if err != nil {
				return err
			}
			return a.credRemove(cmd.Context(), n, cred, ifThere)
		},
	}
	c.Flags().BoolVar(&ifThere, "if-exists", false, "be content when there are none")
	return c
}

func (a *App) credRemove(ctx context.Context, n *noun, c serdb.Credential, ifThere bool) error {
	r, where, err := a.credRows(ctx, n, c)
	if err != nil {
		return err
	}
	if r.dir.Flavour() == db.SER {
		return a.nounRemove(ctx, r, where, ifThere)
	}
	u, err := r.dir.User(ctx, c.User)
	if err != nil {
		return explain(ctx, r.dir, err)
	}
	if u.Secret == "none" {
		if ifThere {
			return a.say("there is no such credential; nothing was changed")
		}
		return errNoRow{"credentials of " + c.String(), "cred"}
	}
	if err := r.dir.SetPassword(ctx, c.User, db.Password{None: true}); err != nil {
		return explain(ctx, r.dir, err)
	}
	return a.say("removed 1 credential")
}

// credRows are the rows of credentials, with the conditions that find them.
func (a *App) credRows(ctx context.Context, n *noun, c serdb.Credential) (*Rows, []table.Cond, error) {
	r, err := a.nounRows(ctx, n, false)
	if err != nil {
		return nil, nil, err
	}
	words := []string{c.User.String()}
	if r.dir.Flavour() == db.SER {
		for _, w := range []string{c.AuthUser, c.AuthRealm} {
			if w != "" {
				words = append(words, w)
			}
		}
	} else if err := namesOnlyUser(c); err != nil {
		return nil, nil, err
	}
	where, err := r.key(ctx, words)
	return r, r.alive(where), err
}
