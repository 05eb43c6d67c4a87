package ctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/rpc"
)

const userShort = "Users with their passwords"

func (a *App) userCommand() *cobra.Command {
	users := a.completeUsers
	return group("user", userShort,
		a.userAddCommand(), a.userPasswdCommand(), a.userListCommand(),
		&cobra.Command{
			Use: "show USER", Short: "Show a user, by address or alias", Args: want(1, 1), ValidArgsFunction: users,
			RunE: func(cmd *cobra.Command, args []string) error { return a.userShow(cmd.Context(), args[0]) },
		},
		a.userRemoveCommand(), a.userVerifyCommand(), a.userSetCommand(), a.userMarkCommand(), a.userPurgeCommand(),
		&cobra.Command{
			Use: "disable USER", Short: "Switch a user off, keeping the data (ser flavour)", Args: want(1, 1), ValidArgsFunction: users,
			RunE: func(cmd *cobra.Command, args []string) error { return a.userDisable(cmd.Context(), args[0], true) },
		},
		&cobra.Command{
			Use: "enable USER", Short: "Switch a user on again (ser flavour)", Args: want(1, 1), ValidArgsFunction: users,
			RunE: func(cmd *cobra.Command, args []string) error { return a.userDisable(cmd.Context(), args[0], false) },
		},
		importUsers.command(a), a.exportCommand("users", a.userExport, true))
}

func (a *App) userAddCommand() *cobra.Command {
	var p passwordFlags
	var uid, idType string
	var ifNot bool
	var aliases, groups, attrs []string
	add := &cobra.Command{
		Use: "add USER", Short: "Add a user, asking for the password", Args: want(1, 1),
		Long: `Adds a user, as user@domain, and asks for the password twice. Only hashes of it
are kept unless --plaintext is given.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(cmd); err != nil {
				return err
			}
			u := db.NewUser{UID: uid, Groups: groups}
			var err error
			if u.IDType, err = db.ParseIDType(idType); err != nil {
				return usagef(cmd, "%v", err)
			}
			if u.Address, err = a.address(args[0]); err != nil {
				return err
			}
			if u.Aliases, err = a.addresses(aliases); err != nil {
				return err
			}
			if u.Attrs, err = parseAttrs(cmd, attrs, db.AttrAuto); err != nil {
				return err
			}
			return a.userAdd(cmd.Context(), u, ifNot, func(ctx context.Context) (db.Password, error) { return p.read(ctx, cmd, a, u.Address) })
		},
	}
	p.declare(add, true)
	add.Flags().StringArrayVar(&aliases, "alias", nil, "another `address` of the user; again for more")
	add.Flags().StringArrayVar(&groups, "group", nil, "a `group` the user is in; again for more")
	add.Flags().StringArrayVar(&attrs, "attr", nil, "an attribute, as `NAME=VALUE`; again for more")
	add.Flags().StringVar(&uid, "uid", "", "the user's `id` (default user@domain)")
	add.Flags().StringVar(&idType, "id-type", "uri", "how an id that is not given is made: `uri`, int (the next number; ser flavour) or uuid")
	add.Flags().BoolVar(&ifNot, "if-not-exists", false, "be content when the user is there already")
	return add
}

func (a *App) userRemoveCommand() *cobra.Command {
	var ifThere bool
	rm := &cobra.Command{
		Use: "rm USER...", Aliases: []string{"remove"}, Short: "Remove users with all that is theirs", Args: want(1, -1), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error { return a.userRemove(cmd.Context(), args, ifThere) },
	}
	rm.Flags().BoolVar(&ifThere, "if-exists", false, "be content when there is no such user")
	return rm
}

func (a *App) userVerifyCommand() *cobra.Command {
	var p passwordFlags
	c := &cobra.Command{
		Use: "verify USER", Short: "Test a password against what is stored", Args: want(1, 1), ValidArgsFunction: a.completeUsers,
		Long: `Tests a password against the hashes that are stored: MD5, SHA-256 or SHA-512-256.
Exit code 0 when it is the user's, 1 when not.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := a.address(args[0])
			if err != nil {
				return err
			}
			return a.userVerify(cmd.Context(), addr, func() (string, error) { return p.plaintext(cmd, a, addr) })
		},
	}
	p.declareSource(c)
	return c
}

func (a *App) userVerify(ctx context.Context, addr db.Address, password func() (string, error)) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	if _, err := dir.User(ctx, addr); err != nil {
		return explain(ctx, dir, err)
	}
	text, err := password()
	if err != nil {
		return err
	}
	ok, err := dir.Authenticate(ctx, addr, text)
	if err != nil {
		return explain(ctx, dir, err)
	}
	if !ok {
		return fmt.Errorf("that is not the password of %s", addr)
	}
	return a.say("that is the password of %s", addr)
}

func (a *App) userPasswdCommand() *cobra.Command {
	var p passwordFlags
	c := &cobra.Command{
		Use: "passwd USER", Short: "Change a password, asking for the new one", Args: want(1, 1), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(cmd); err != nil {
				return err
			}
			addr, err := a.address(args[0])
			if err != nil {
				return err
			}
			return a.userPasswd(cmd.Context(), addr, func(ctx context.Context) (db.Password, error) { return p.read(ctx, cmd, a, addr) })
		},
	}
	p.declare(c, false)
	return c
}

func (a *App) userListCommand() *cobra.Command {
	var f nameFlags
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the users", Args: want(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.userList(cmd.Context(), &f) },
	}
	c.Flags().StringVar(&f.Domain, "domain", "", "only of this `domain`")
	_ = c.RegisterFlagCompletionFunc("domain", a.completeDomains) // the flag is the line above
	f.declare(c)
	return c
}

// userAdd looks first whether the user can be added, so that nobody types a
// password in vain.
func (a *App) userAdd(ctx context.Context, u db.NewUser, ifNot bool, password func(context.Context) (db.Password, error)) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if _, err := dir.Domain(ctx, u.Address.Domain); err != nil {
		return explain(ctx, dir, err, u.Address.Domain)
	}
	if have, err := dir.User(ctx, u.Address); err == nil {
		if ifNot && have.Address == u.Address {
			return a.say("user %s exists already; nothing was changed", u.Address)
		}
		return existing(ctx, dir, u.Address)
	}
	if u.Password, err = password(ctx); err != nil {
		return err
	}
	if err := dir.AddUser(ctx, u); err != nil {
		return explainAdd(ctx, dir, u, err)
	}
	return a.say("added user %s", u.Address)
}

// explainAdd finds which of the user's addresses was refused.
func explainAdd(ctx context.Context, dir db.Directory, u db.NewUser, err error) error {
	domains := []string{u.Address.Domain}
	all := []db.Address{u.Address}
	for _, al := range u.Aliases {
		domains = append(domains, al.Domain)
		all = append(all, al)
	}
	if taken(err) {
		for _, addr := range all {
			if _, e := dir.User(ctx, addr); e == nil {
				return existing(ctx, dir, addr)
			}
		}
	}
	return explainAttr(explain(ctx, dir, err, domains...))
}

// existing says whose an address is and how to change that.
func existing(ctx context.Context, dir db.Directory, addr db.Address) error {
	u, err := dir.User(ctx, addr)
	switch {
	case err != nil:
		return fmt.Errorf("user %s %w", addr, db.ErrExists)
	case u.Address == addr:
		return fmt.Errorf("user %s %w; to change its password: sipctl user passwd %s", addr, db.ErrExists, addr)
	}
	return fmt.Errorf("%s %w as alias of %s; to remove the alias: sipctl alias rm %s", addr, db.ErrExists, u.Address, addr)
}

func (a *App) userPasswd(ctx context.Context, addr db.Address, password func(context.Context) (db.Password, error)) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	u, err := dir.User(ctx, addr)
	if err == nil && u.Address != addr {
		err = fmt.Errorf("%s is an alias of %s; to change the password: sipctl user passwd %s", addr, u.Address, u.Address)
	}
	if err != nil {
		return explain(ctx, dir, err)
	}
	p, err := password(ctx)
	if err != nil {
		return err
	}
	if err := dir.SetPassword(ctx, addr, p); err != nil {
		return explain(ctx, dir, err)
	}
	return a.say("changed the password of %s", addr)
}

// userRemove removes one after the other, each with all of its rows or none.
func (a *App) userRemove(ctx context.Context, names []string, ifThere bool) error {
	addrs, err := a.addresses(names)
	if err != nil {
		return err
	}
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, addr := range addrs {
		u, err := dir.User(ctx, addr)
		var counts db.Counts
		if err == nil {
			counts, err = dir.RemoveUser(ctx, addr)
		}
		switch {
		case errors.Is(err, db.ErrNoUser) && ifThere && u.Address == (db.Address{}):
			err = a.say("there is no user %s; nothing was changed", addr)
		case err != nil:
			err = explain(ctx, dir, err)
		default:
			err = a.doneCalls(ctx, forgetCalls(u), "removed user %s (%s)", addr, rowsOf(counts))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// forgetCalls let a server drop the contacts that it has in memory, or it would
// write them into the database again.
func forgetCalls(u db.User) []call {
	return []call{{method: "ul.rm", args: []rpc.Value{rpc.String("location"), rpc.String(u.Address.String())}, gone: true}}
}

func (a *App) userDisable(ctx context.Context, name string, off bool) error {
	addr, err := a.address(name)
	if err != nil {
		return err
	}
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if err := dir.SetDisabled(ctx, addr, off); err != nil {
		if errors.Is(err, db.ErrNotSupported) {
			return hinted(err, "a password nobody knows does the same: sipctl user passwd %s", addr)
		}
		return explain(ctx, dir, err)
	}
	if off {
		return a.say("disabled user %s", addr)
	}
	return a.say("enabled user %s", addr)
}

func (a *App) userList(ctx context.Context, f *nameFlags) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	if f.Domain != "" {
		if _, err := dir.Domain(ctx, f.Domain); err != nil {
			return explain(ctx, dir, err, f.Domain)
		}
	}
	w, err := a.list(&f.listFlags, []string{"user", "uid", "realm", "secret", "disabled"})
	if err != nil {
		return err
	}
	for u, err := range dir.Users(ctx, f.filter()) {
		if err != nil {
			return err
		}
		if err := w.row(u.Address.String(), u.UID, u.Realm, u.Secret, u.Disabled); err != nil {
			return err
		}
	}
	return w.close()
}

func (a *App) userShow(ctx context.Context, name string) error {
	addr, err := a.address(name)
	if err != nil {
		return err
	}
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	u, err := dir.User(ctx, addr)
	if err != nil {
		return explain(ctx, dir, err)
	}
	fields := []output.Field{
		output.F("user", u.Address.String()), output.F("uid", u.UID), output.F("realm", u.Realm),
		output.F("secret", u.Secret), output.F("disabled", u.Disabled), output.F("aliases", addressList(u.Aliases)),
		output.F("groups", orEmpty(u.Groups)), output.F("attributes", a.attrList(u.Attrs)),
	}
	if !u.Created.IsZero() {
		fields = append(fields, output.F("created", u.Created))
	}
	return output.Record(a.Out, a.set.output, fields...)
}

func addressList(as []db.Address) []string {
	out := make([]string, len(as))
	for i, x := range as {
		out[i] = x.String()
	}
	return out
}
