package ctl

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/db/table"
)

// exportCommand prints what import reads, whatever -o says but for JSON lines
// and the like, which other programs read.
func (a *App) exportCommand(things string, export func(ctx context.Context, f db.Filter, secrets bool) error, users bool) *cobra.Command {
	var f db.Filter
	var secrets bool
	c := &cobra.Command{
		Use: "export", Short: "Print the " + things + " as a file that import reads", Args: want(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return export(cmd.Context(), f, secrets) },
	}
	c.Flags().StringVar(&f.Match, "match", "", "only names that contain the `text`")
	if users {
		c.Flags().BoolVar(&secrets, "secrets", false, "with the hashes and passwords: whoever has them can log in")
	}
	if things != "domains" {
		c.Flags().StringVar(&f.Domain, "domain", "", "only of this `domain`")
		_ = c.RegisterFlagCompletionFunc("domain", a.completeDomains) // the flag is the line above
	}
	return c
}

// exportForm is the form of an export: CSV for people.
func (a *App) exportForm() output.Format {
	if a.set.output.Screen() {
		return output.CSV
	}
	return a.set.output
}

// exportPage is how many users are read at once with all that is theirs.
const exportPage = 1000

func (a *App) userExport(ctx context.Context, f db.Filter, secrets bool) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	columns := []string{"user", "uid", "aliases", "groups", "attributes"}
	if secrets {
		columns = append(columns, "ha1", "ha1b", "password")
	}
	w := output.New(a.Out, a.exportForm(), columns...)
	for u, err := range filled(ctx, dir, f) {
		if err != nil {
			return err
		}
		if err := a.exportUser(w, u, secrets); err != nil {
			return err
		}
	}
	return w.Close()
}

// filled are users with aliases, attributes and groups, read by the page.
func filled(ctx context.Context, dir db.Directory, f db.Filter) iter.Seq2[db.User, error] {
	return func(yield func(db.User, error) bool) {
		page := make([]db.User, 0, exportPage)
		flush := func() bool {
			if err := dir.Fill(ctx, page); err != nil {
				yield(db.User{}, err)
				return false
			}
			for _, u := range page {
				if !yield(u, nil) {
					return false
				}
			}
			page = page[:0]
			return true
		}
		for u, err := range dir.Users(ctx, f) {
			if err != nil {
				yield(u, err)
				return
			}
			if page = append(page, u); len(page) == exportPage && !flush() {
				return
			}
		}
		flush()
	}
}

func (a *App) exportUser(w *output.Writer, u db.User, secrets bool) error {
	row := []any{u.Address.String(), u.UID}
	if a.exportForm().Nested() {
		row = append(row, addressList(u.Aliases), append([]string{}, u.Groups...), append([]db.Attr{}, u.Attrs...))
	} else {
		attrs := ""
		if len(u.Attrs) > 0 {
			b, err := json.Marshal(u.Attrs)
			if err != nil {
				return err
			}
			attrs = string(b)
		}
		row = append(row, strings.Join(addressList(u.Aliases), " "), strings.Join(u.Groups, " "), attrs)
	}
	if secrets {
		row = append(row, u.HA1, u.HA1B, u.Plain)
	}
	return w.Row(row...)
}

func (a *App) domainExport(ctx context.Context, f db.Filter, _ bool) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	columns := []string{"domain", "did", "aliases", "realm"}
	if dir.Flavour() == db.Kamailio {
		columns = columns[:3] // the domain is the realm
	}
	w := output.New(a.Out, a.exportForm(), columns...)
	for d, err := range dir.Domains(ctx, f) {
		if err != nil {
			return err
		}
		var aliases any = strings.Join(d.Aliases, " ")
		if a.exportForm().Nested() {
			aliases = orEmpty(d.Aliases)
		}
		if err := w.Row([]any{d.Name, d.DID, aliases, d.Realm}[:len(columns)]...); err != nil {
			return err
		}
	}
	return w.Close()
}

func (a *App) aliasExport(ctx context.Context, f db.Filter, _ bool) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	w := output.New(a.Out, a.exportForm(), "alias", "user")
	for al, err := range dir.Aliases(ctx, f) {
		if err != nil {
			return err
		}
		if err := w.Row(al.Alias.String(), al.User.String()); err != nil {
			return err
		}
	}
	return w.Close()
}

// attrExport prints the attributes of everyone, of the domains and of the users.
func (a *App) attrExport(ctx context.Context, f db.Filter, _ bool) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	w := output.New(a.Out, a.exportForm(), "owner", "name", "value", "type")
	print := func(o db.Owner, attrs []db.Attr) error {
		for _, x := range attrs {
			if err := w.Row(ownerText(o), x.Name, x.Value, x.Type.String()); err != nil {
				return err
			}
		}
		return nil
	}
	owners := []db.Owner{}
	if dir.Flavour() == db.SER && f.Domain == "" && f.Match == "" {
		owners = append(owners, db.Global())
	}
	for d, err := range dir.Domains(ctx, db.Filter{Domain: f.Domain, Match: f.Match}) {
		if err != nil {
			return err
		}
		owners = append(owners, db.OfDomain(d.Name))
	}
	for _, o := range owners {
		attrs, err := dir.Attrs(ctx, o, "")
		if err != nil {
			return err
		}
		if err := print(o, attrs); err != nil {
			return err
		}
	}
	for u, err := range filled(ctx, dir, f) {
		if err != nil {
			return err
		}
		if err := print(db.OfUser(u.Address), u.Attrs); err != nil {
			return err
		}
	}
	return w.Close()
}

// nounExportCommand prints the rows of a simple table.
func (n *noun) exportCommand(a *App) *cobra.Command {
	var l listFlags
	c := &cobra.Command{
		Use: "export", Short: "Print the rows as a file that import reads", Args: want(0, 0), Example: "  sipctl " + n.name + " export",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.nounRows(cmd.Context(), n, true)
			if err != nil {
				return err
			}
			where, err := r.conds(l.where)
			if err != nil {
				return err
			}
			return a.nounExport(cmd.Context(), r, where, l.secrets)
		},
	}
	c.Flags().StringArrayVar(&l.where, "where", nil, "only rows that meet a `condition`: COLUMN=VALUE, or != < <= > >= ~ (contains); again for more")
	if n.hasSecrets() {
		c.Flags().BoolVar(&l.secrets, "secrets", false, "with passwords and hashes: whoever has them can log in")
	}
	return c
}

func (a *App) nounExport(ctx context.Context, r *Rows, where []table.Cond, secrets bool) error {
	var columns []string
	for _, c := range r.t.Columns {
		if (r.noun.ids || !c.Auto) && (secrets || !slices.Contains(r.place.secret, c.Name)) {
			columns = append(columns, c.Name)
		}
	}
	w := output.New(a.Out, a.exportForm(), columns...)
	for row, err := range r.t.Rows(ctx, table.Query{Columns: columns, Where: where}) {
		if err != nil {
			return err
		}
		if err := w.Row(row...); err != nil {
			return err
		}
	}
	return w.Close()
}
