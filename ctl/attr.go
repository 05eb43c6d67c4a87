package ctl

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
)

// ownerFlags say whose attributes are meant when it is no user.
type ownerFlags struct {
	domain string
	global bool
}

func (o *ownerFlags) declare(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.domain, "of-domain", "", "the attributes of a `domain` in place of a user's")
	cmd.Flags().BoolVar(&o.global, "global", false, "the attributes of everyone (ser flavour) in place of a user's")
}

// owner takes the user from the arguments unless a flag names another owner.
func (o *ownerFlags) owner(cmd *cobra.Command, a *App, args []string) (db.Owner, []string, error) {
	switch {
	case o.domain != "" && o.global:
		return db.Owner{}, nil, usagef(cmd, "--of-domain and --global exclude each other")
	case o.global:
		return db.Global(), args, nil
	case o.domain != "":
		return db.OfDomain(o.domain), args, nil
	case len(args) == 0:
		return db.Owner{}, nil, usagef(cmd, "the user is missing")
	}
	addr, err := a.address(args[0])
	return db.OfUser(addr), args[1:], err
}

const attrShort = "Attributes of users, domains and of everyone"

func (a *App) attrCommand() *cobra.Command {
	var o ownerFlags
	var typ string
	set := &cobra.Command{
		Use: "set USER NAME=VALUE...", Short: "Set attributes; a name given several times has several values", Args: want(1, -1), ValidArgsFunction: a.completeAttrs(&o, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			owner, rest, err := o.owner(cmd, a, args)
			if err != nil {
				return err
			}
			if len(rest) == 2 && !strings.Contains(rest[0], "=") { // NAME VALUE, as the elders
				rest = []string{rest[0] + "=" + rest[1]}
			}
			t, err := db.ParseAttrType(typ)
			if err != nil {
				return usagef(cmd, "%v", err)
			}
			attrs, err := parseAttrs(cmd, rest, t)
			if err == nil && len(attrs) == 0 {
				err = usagef(cmd, "an attribute is missing, as NAME=VALUE")
			}
			if err != nil {
				return err
			}
			return a.attrSet(cmd.Context(), owner, attrs)
		},
	}
	set.Flags().StringVar(&typ, "type", "auto", "`type` of the values: string, int, or auto as declared")
	var addType string
	var ifNot, ifThere bool
	var l listFlags
	add := &cobra.Command{
		Use: "add USER NAME=VALUE...", Short: "Give attributes one more value each", Args: want(1, -1), ValidArgsFunction: a.completeUsers,
		RunE: func(cmd *cobra.Command, args []string) error {
			owner, rest, err := o.owner(cmd, a, args)
			if err != nil {
				return err
			}
			t, err := db.ParseAttrType(addType)
			if err != nil {
				return usagef(cmd, "%v", err)
			}
			attrs, err := parseAttrs(cmd, rest, t)
			if err == nil && len(attrs) == 0 {
				err = usagef(cmd, "an attribute is missing, as NAME=VALUE")
			}
			if err != nil {
				return err
			}
			return a.attrAdd(cmd.Context(), owner, attrs, ifNot)
		},
	}
	add.Flags().StringVar(&addType, "type", "auto", "`type` of the values: string, int, or auto as declared")
	add.Flags().BoolVar(&ifNot, "if-not-exists", false, "pass over values that are there already")
	show := &cobra.Command{
		Use: "show USER [NAME]", Aliases: []string{"list"}, Short: "Show attributes", Args: want(0, 2), ValidArgsFunction: a.completeAttrs(&o, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			owner, rest, err := o.owner(cmd, a, args)
			if err != nil {
				return err
			}
			return a.attrShow(cmd.Context(), owner, first(rest...), &l)
		},
	}
	l.declare(show, false, false)
	rm := &cobra.Command{
		Use: "rm USER NAME [VALUE]", Aliases: []string{"remove"}, Short: "Remove an attribute, or one value of it", Args: want(1, 3), ValidArgsFunction: a.completeAttrs(&o, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			owner, rest, err := o.owner(cmd, a, args)
			if err != nil {
				return err
			}
			switch len(rest) {
			case 1:
				return a.attrRemove(cmd.Context(), owner, rest[0], nil, ifThere)
			case 2:
				return a.attrRemove(cmd.Context(), owner, rest[0], &rest[1], ifThere)
			}
			return usagef(cmd, "it takes the NAME of the attribute and perhaps a VALUE")
		},
	}
	rm.Flags().BoolVar(&ifThere, "if-exists", false, "be content when there is none")
	for _, c := range []*cobra.Command{add, set, show, rm} {
		o.declare(c)
		_ = c.RegisterFlagCompletionFunc("of-domain", a.completeDomains) // declare made the flag
	}
	return group("attr", attrShort, add, set, show, rm, importAttrs.command(a), a.exportCommand("attributes", a.attrExport, false))
}

// parseAttrs reads NAME=VALUE.
func parseAttrs(cmd *cobra.Command, words []string, t db.AttrType) ([]db.Attr, error) {
	var out []db.Attr
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, usagef(cmd, "attribute %q has no value; write NAME=VALUE", w)
		}
		out = append(out, db.Attr{Name: name, Type: t, Value: value})
	}
	return out, nil
}

// explainAttr says how an attribute becomes known in the ser flavour.
func explainAttr(err error) error {
	if errors.Is(err, db.ErrNoAttr) {
		return hinted(err, "to see which there are: sipctl attr show")
	}
	return err
}

func (a *App) attrSet(ctx context.Context, o db.Owner, attrs []db.Attr) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if err := dir.SetAttrs(ctx, o, attrs...); err != nil {
		if errors.Is(err, db.ErrNoAttr) {
			return hinted(err, "for text add: --type string")
		}
		return explain(ctx, dir, err, o.Domain)
	}
	return a.done(ctx, attrReload(dir, o), "set %d attributes of %s", len(attrs), ownerName(o))
}

func (a *App) attrAdd(ctx context.Context, o db.Owner, attrs []db.Attr, ifNot bool) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if ifNot {
		have, err := dir.Attrs(ctx, o, "")
		if err != nil {
			return explain(ctx, dir, err, o.Domain)
		}
		attrs = slices.DeleteFunc(attrs, func(x db.Attr) bool {
			return slices.ContainsFunc(have, func(h db.Attr) bool { return h.Name == x.Name && h.Value == x.Value })
		})
		if len(attrs) == 0 {
			return a.say("%s has these values already; nothing was changed", ownerName(o))
		}
	}
	if err := dir.AddAttr(ctx, o, attrs...); err != nil {
		if errors.Is(err, db.ErrNoAttr) {
			return hinted(err, "for text add: --type string")
		}
		return explain(ctx, dir, err, o.Domain)
	}
	return a.done(ctx, attrReload(dir, o), "added %d values to the attributes of %s", len(attrs), ownerName(o))
}

func (a *App) attrRemove(ctx context.Context, o db.Owner, name string, value *string, ifThere bool) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	n, err := dir.RemoveAttr(ctx, o, name, value)
	if errors.Is(err, db.ErrNoAttr) && ifThere {
		return a.say("%s has no such attribute; nothing was changed", ownerName(o))
	}
	if err != nil {
		return explainAttr(explain(ctx, dir, err, o.Domain))
	}
	return a.done(ctx, attrReload(dir, o), "removed %d values of attribute %s of %s", n, name, ownerName(o))
}

func (a *App) attrShow(ctx context.Context, o db.Owner, name string, l *listFlags) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	attrs, err := dir.Attrs(ctx, o, name)
	if err != nil {
		return explain(ctx, dir, err, o.Domain)
	}
	w, err := a.list(l, []string{"name", "type", "value"})
	if err != nil {
		return err
	}
	pager := (&nameFlags{listFlags: *l}).filter().Pager()
	for _, x := range attrs {
		if !pager.Take(x.Name) {
			continue
		}
		if err := w.row(x.Name, x.Type.String(), x.Value); err != nil {
			return err
		}
	}
	return w.close()
}

// attrReload lets a server read attributes again that it keeps in memory: those
// of domains and of everyone.
func attrReload(dir db.Directory, o db.Owner) string {
	switch {
	case o.Domain != "":
		return domainReload
	case o == db.Global() && dir.Flavour() == db.SER:
		return "global.reload"
	}
	return ""
}

func ownerName(o db.Owner) string {
	switch {
	case o.User != db.Address{}:
		return o.User.String()
	case o.Domain != "":
		return "domain " + o.Domain
	}
	return "everyone"
}

// attrList is attributes as a cell: objects in JSON, NAME=VALUE elsewhere.
func (a *App) attrList(attrs []db.Attr) any {
	if a.set.output == output.JSON || a.set.output == output.JSONL {
		return append([]db.Attr{}, attrs...)
	}
	out := make([]string, len(attrs))
	for i, x := range attrs {
		out[i] = x.Name + "=" + x.Value
	}
	return out
}
