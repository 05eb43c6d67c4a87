package ctl

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/db/directory"
	"sipd/db/table"
)

const rpidShort = "Identities that calls of a user show (Remote-Party-ID)"

func (a *App) rpidCommand() *cobra.Command {
	var ifNot, ifThere bool
	add := &cobra.Command{
		Use: "add USER RPID", Short: "Give a user who has none an identity", Args: want(2, 2), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.rpidSet(cmd.Context(), args[0], args[1], true, ifNot)
		},
	}
	add.Flags().BoolVar(&ifNot, "if-not-exists", false, "be content when the user has one already")
	rm := &cobra.Command{
		Use: "rm USER", Aliases: []string{"remove"}, Short: "Take the identity of a user away", Args: want(1, 1), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.rpidRemove(cmd.Context(), args[0], ifThere)
		},
	}
	rm.Flags().BoolVar(&ifThere, "if-exists", false, "be content when the user has none")
	var f nameFlags
	list := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the users that have an identity", Args: want(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.rpidList(cmd.Context(), &f) },
	}
	f.declare(list)
	list.Flags().StringVar(&f.Domain, "domain", "", "only users of this `domain`")
	c := group("rpid", rpidShort, add,
		&cobra.Command{
			Use: "set USER RPID", Short: "Give a user an identity, in place of another", Args: want(2, 2), ValidArgsFunction: a.completeUsers,
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.rpidSet(cmd.Context(), args[0], args[1], false, false)
			},
		},
		&cobra.Command{
			Use: "show USER", Short: "Show the identity of a user", Args: want(1, 1), ValidArgsFunction: a.completeUsers,
			RunE: func(cmd *cobra.Command, args []string) error { return a.rpidShow(cmd.Context(), args[0]) },
		}, list, rm)
	c.Long = rpidShort + `: in column rpid of table
subscriber where it is there (before Kamailio 5.2, or as a site's own), else in
the user's attribute rpid; in the ser flavour in the attribute asserted_id.`
	return c
}

// identities is where a database keeps them: in a column, or in an attribute.
type identities struct {
	dir    db.Directory
	column *table.Table // that has column rpid; nil: it is an attribute
	attr   string
}

func openIdentities(dir db.Directory) (*identities, error) {
	if dir.Flavour() == db.SER {
		return &identities{dir: dir, attr: "asserted_id"}, nil
	}
	found := directory.Found(dir)
	if !found.Has("subscriber", "rpid") {
		return &identities{dir: dir, attr: "rpid"}, nil
	}
	t, err := table.Like(dir.DB(), db.Kamailio, found, "subscriber", "subscriber")
	return &identities{dir: dir, column: t}, err
}

func ofSubscriber(a db.Address) []table.Cond {
	return []table.Cond{table.Eq("username", a.User), table.Eq("domain", a.Domain)}
}

// get is that of a user, "" for none.
func (x *identities) get(ctx context.Context, u db.Address) (string, error) {
	if x.column == nil {
		attrs, err := x.dir.Attrs(ctx, db.OfUser(u), x.attr)
		if err != nil || len(attrs) == 0 {
			return "", err
		}
		return attrs[0].Value, nil
	}
	rows, err := db.All(x.column.Rows(ctx, table.Query{Columns: []string{"rpid"}, Where: ofSubscriber(u)}))
	if err != nil || len(rows) == 0 || rows[0][0] == nil {
		return "", err
	}
	return output.Text(rows[0][0]), nil
}

// set writes it; nil takes it away.
func (x *identities) set(ctx context.Context, u db.Address, value *string) error {
	switch {
	case x.column != nil:
		cell := table.Cell{Column: "rpid"}
		if value != nil {
			var err error
			if cell.Value, err = x.column.Parse("rpid", *value); err != nil {
				return err
			}
		}
		_, err := x.column.Set(ctx, ofSubscriber(u), cell)
		return err
	case value == nil:
		_, err := x.dir.RemoveAttr(ctx, db.OfUser(u), x.attr, nil)
		return err
	}
	return x.dir.SetAttrs(ctx, db.OfUser(u), db.Attr{Name: x.attr, Type: db.AttrString, Value: *value})
}

// rpidOf opens the identities and finds the user, by an alias too, with the
// identity that is there.
func (a *App) rpidOf(ctx context.Context, name string, open func(context.Context) (db.Directory, error)) (*identities, db.Address, string, error) {
	addr, err := a.address(name)
	if err != nil {
		return nil, addr, "", err
	}
	dir, err := open(ctx)
	if err != nil {
		return nil, addr, "", err
	}
	u, err := dir.User(ctx, addr)
	if err != nil {
		return nil, addr, "", explain(ctx, dir, err, addr.Domain)
	}
	x, err := openIdentities(dir)
	if err != nil {
		return nil, addr, "", err
	}
	have, err := x.get(ctx, u.Address)
	return x, u.Address, have, err
}

func (a *App) changing(ctx context.Context) (db.Directory, error) { return a.directory(ctx) }

func (a *App) rpidSet(ctx context.Context, name, rpid string, add, ifNot bool) error {
	if rpid == "" {
		return &db.FieldError{Field: "rpid", Why: "is empty; to take it away: sipctl rpid rm USER"}
	}
	if err := db.CheckText("rpid", rpid); err != nil {
		return err
	}
	x, u, have, err := a.rpidOf(ctx, name, a.changing)
	switch {
	case err != nil:
		return err
	case add && have != "" && ifNot:
		return a.say("user %s has the identity %s already; nothing was changed", u, have)
	case add && have != "":
		return hinted(fmt.Errorf("identity %s of user %s %w", have, u, db.ErrExists), "to change it: sipctl rpid set %s RPID", u)
	}
	if err := x.set(ctx, u, &rpid); err != nil {
		return err
	}
	return a.say("user %s has the identity %s", u, rpid)
}

func (a *App) rpidRemove(ctx context.Context, name string, ifThere bool) error {
	x, u, have, err := a.rpidOf(ctx, name, a.changing)
	switch {
	case errors.Is(err, db.ErrNoUser) && ifThere:
		return a.say("there is no user %s; nothing was changed", name)
	case err != nil:
		return err
	case have == "" && ifThere:
		return a.say("user %s has no identity; nothing was changed", u)
	case have == "":
		return noRPID(u)
	}
	if err := x.set(ctx, u, nil); err != nil {
		return err
	}
	return a.say("took the identity %s of user %s away", have, u)
}

func noRPID(u db.Address) error {
	return fmt.Errorf("user %s has no identity; to give one: sipctl rpid add %[1]s RPID", u)
}

func (a *App) rpidShow(ctx context.Context, name string) error {
	_, u, have, err := a.rpidOf(ctx, name, a.reading)
	if err != nil {
		return err
	}
	if have == "" {
		return noRPID(u)
	}
	return output.Record(a.Out, a.set.output, output.F("user", u.String()), output.F("rpid", have))
}

func (a *App) rpidList(ctx context.Context, l *nameFlags) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	x, err := openIdentities(dir)
	if err != nil {
		return err
	}
	w, err := a.list(&l.listFlags, []string{"user", "rpid"})
	if err != nil {
		return err
	}
	pager := l.filter().Pager() // its names are matched twice, which changes nothing
	for who, err := range x.all(ctx, l.Domain, l.Match) {
		if err != nil {
			return err
		}
		if !pager.Take(who.user) {
			continue
		}
		if err := w.row(who.user, who.rpid); err != nil {
			return err
		}
		if pager.Full() {
			break
		}
	}
	return w.close()
}

// identity is that of a user.
type identity struct{ user, rpid string }

// all are the identities of a domain ("" for all) whose users' names contain a
// text, by domain and name.
func (x *identities) all(ctx context.Context, domain, match string) iter.Seq2[identity, error] {
	return func(yield func(identity, error) bool) {
		if x.column == nil {
			for u, err := range filled(ctx, x.dir, db.Filter{Domain: domain, Match: match}) {
				id := identity{u.Address.String(), valueOf(u.Attrs, x.attr)}
				if (err != nil || id.rpid != "") && !yield(id, err) {
					return
				}
			}
			return
		}
		q := table.Query{Columns: []string{"username", "domain", "rpid"}, Sort: []string{"domain", "username"}}
		if domain != "" {
			q.Where = append(q.Where, table.Eq("domain", domain))
		}
		pager := db.Filter{Match: match}.Pager()
		for row, err := range x.column.Rows(ctx, q) {
			if err != nil {
				yield(identity{}, err)
				return
			}
			id := identity{output.Text(row[0]) + "@" + output.Text(row[1]), output.Text(row[2])}
			if row[2] != nil && id.rpid != "" && pager.Take(id.user) && !yield(id, nil) {
				return
			}
		}
	}
}

// valueOf is the first value of an attribute, "" for none.
func valueOf(attrs []db.Attr, name string) string {
	for _, x := range attrs {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}
