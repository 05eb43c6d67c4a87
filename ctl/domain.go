package ctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
)

const domainShort = "Domains that are served"

func (a *App) domainCommand() *cobra.Command {
	var d db.Domain
	var idType string
	var ifNot, ifThere bool
	add := &cobra.Command{
		Use: "add DOMAIN", Short: "Serve a domain", Args: want(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Name = strings.ToLower(args[0])
			var err error
			if d.IDType, err = db.ParseIDType(idType); err != nil {
				return usagef(cmd, "%v", err)
			}
			return a.domainAdd(cmd.Context(), d, ifNot)
		},
	}
	add.Flags().StringVar(&idType, "id-type", "uri", "how a did that is not given is made: `uri` (the name), int (the next number; ser flavour) or uuid")
	add.Flags().BoolVar(&ifNot, "if-not-exists", false, "be content when it is served already")
	add.Flags().StringArrayVar(&d.Aliases, "alias", nil, "another `name` of it; again for more")
	add.Flags().StringVar(&d.DID, "did", "", "its `id` in other tables (default the name)")
	add.Flags().StringVar(&d.Realm, "realm", "", "digest `realm` of its users (default the name; ser flavour)")
	var cascade bool
	rm := &cobra.Command{
		Use: "rm DOMAIN", Aliases: []string{"remove"}, Short: "Serve a domain no longer", Args: want(1, 1),
		ValidArgsFunction: a.completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.domainRemove(cmd.Context(), args[0], cascade, ifThere)
		},
	}
	rm.Flags().BoolVar(&ifThere, "if-exists", false, "be content when it is not served")
	rm.Flags().BoolVar(&cascade, "cascade", false, "remove its users too")
	var f nameFlags
	list := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the domains", Args: want(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.domainList(cmd.Context(), &f) },
	}
	f.declare(list)
	return group("domain", domainShort, add, list,
		&cobra.Command{
			Use: "show DOMAIN", Short: "Show a domain by any of its names", Args: want(1, 1),
			ValidArgsFunction: a.completeDomains,
			RunE:              func(cmd *cobra.Command, args []string) error { return a.domainShow(cmd.Context(), args[0]) },
		}, rm, a.domainEnableCommand(), a.domainDisableCommand(), a.reloadCommand(domainReload), a.liveCommand("domain.dump"), importDomains.command(a), a.exportCommand("domains", a.domainExport, false),
		a.domainAliasCommand())
}

func (a *App) domainAliasCommand() *cobra.Command {
	var ifNot, ifThere bool
	add := &cobra.Command{
		Use: "add DOMAIN ALIAS", Short: "Give a domain one more name", Args: want(2, 2),
		ValidArgsFunction: a.completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.domainAliasAdd(cmd.Context(), args[0], args[1], ifNot)
		},
	}
	add.Flags().BoolVar(&ifNot, "if-not-exists", false, "be content when the domain has the name already")
	rm := &cobra.Command{
		Use: "rm ALIAS", Aliases: []string{"remove"}, Short: "Take a name away", Args: want(1, 1),
		ValidArgsFunction: a.completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.domainAliasRemove(cmd.Context(), args[0], ifThere)
		},
	}
	rm.Flags().BoolVar(&ifThere, "if-exists", false, "be content when there is no such name")
	return group("alias", "Other names of a domain", add, rm)
}

// nameFlags narrow a list of what has a name.
type nameFlags struct {
	listFlags
	db.Filter
}

func (n *nameFlags) declare(cmd *cobra.Command) {
	n.listFlags.declare(cmd, false, false)
	cmd.Flags().StringVar(&n.Match, "match", "", "only names that contain the `text`")
}

// filter is what the directory is asked for.
func (n *nameFlags) filter() db.Filter {
	f := n.Filter
	n.page(&f)
	return f
}

func (a *App) domainAdd(ctx context.Context, d db.Domain, ifNot bool) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if err := dir.AddDomain(ctx, d); err != nil {
		if have, e := dir.Domain(ctx, d.Name); taken(err) && ifNot && e == nil && have.Name == d.Name {
			return a.say("domain %s is served already; nothing was changed", d.Name)
		}
		return explainDomain(err)
	}
	return a.done(ctx, domainReload, "added domain %s", d.Name)
}

// domainReload lets a server read domains and their attributes again.
const domainReload = "domain.reload"

func (a *App) domainEnableCommand() *cobra.Command {
	return &cobra.Command{
		Use: "enable DOMAIN", Short: "Serve a domain again (ser flavour)", Args: want(1, 1), ValidArgsFunction: a.completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.domainDisable(cmd.Context(), args[0], false)
		},
	}
}

func (a *App) domainDisableCommand() *cobra.Command {
	return &cobra.Command{
		Use: "disable DOMAIN", Short: "Serve a domain no longer, keeping the data (ser flavour)", Args: want(1, 1), ValidArgsFunction: a.completeDomains,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.domainDisable(cmd.Context(), args[0], true)
		},
	}
}

func (a *App) domainDisable(ctx context.Context, name string, off bool) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if err := dir.SetDomainDisabled(ctx, name, off); err != nil {
		return explain(ctx, dir, err, name)
	}
	return a.done(ctx, domainReload, "%s domain %s", map[bool]string{true: "disabled", false: "enabled"}[off], name)
}

func explainDomain(err error) error {
	if taken(err) {
		return hinted(err, "to see the domains: sipctl domain list")
	}
	return err
}

func (a *App) domainAliasAdd(ctx context.Context, domain, alias string, ifNot bool) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	if err := dir.AddDomainAlias(ctx, domain, alias); err != nil {
		if have, e := dir.Domain(ctx, alias); taken(err) && ifNot && e == nil && (have.Name == strings.ToLower(domain) || slices.Contains(have.Aliases, strings.ToLower(domain))) {
			return a.say("%s is a name of domain %s already; nothing was changed", strings.ToLower(alias), have.Name)
		}
		return explainDomain(explain(ctx, dir, err, domain))
	}
	return a.done(ctx, domainReload, "added %s, another name of domain %s", strings.ToLower(alias), domain)
}

func (a *App) domainAliasRemove(ctx context.Context, alias string, ifThere bool) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	d, err := dir.Domain(ctx, alias)
	if errors.Is(err, db.ErrNoDomain) && ifThere {
		return a.say("%s is no name of a domain; nothing was changed", alias)
	}
	if err != nil {
		return explain(ctx, dir, err, alias)
	}
	if d.Name == strings.ToLower(alias) {
		return fmt.Errorf("%s is the name of the domain itself; to remove it: sipctl domain rm %s", d.Name, d.Name)
	}
	return a.domainRemove(ctx, alias, false, false)
}

func (a *App) domainRemove(ctx context.Context, name string, cascade, ifThere bool) error {
	dir, err := a.directory(ctx)
	if err != nil {
		return err
	}
	counts, err := dir.RemoveDomain(ctx, name, cascade)
	if errors.Is(err, db.ErrNoDomain) && ifThere {
		return a.say("domain %s is not served; nothing was changed", name)
	}
	if errors.Is(err, db.ErrInUse) {
		return hinted(err, "to remove them too: sipctl domain rm %s --cascade", name)
	}
	if err != nil {
		return explain(ctx, dir, err, name)
	}
	return a.done(ctx, domainReload, "removed domain %s (%s)", strings.ToLower(name), rowsOf(counts))
}

// rowsOf is "2 rows: domain 1, domain_attrs 1".
func rowsOf(c db.Counts) string {
	var parts []string
	for _, t := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s %d", t, c[t]))
	}
	return fmt.Sprintf("%d rows: %s", c.Total(), strings.Join(parts, ", "))
}

func (a *App) domainList(ctx context.Context, f *nameFlags) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	w, err := a.list(&f.listFlags, []string{"domain", "did", "aliases", "realm"})
	if err != nil {
		return err
	}
	for d, err := range dir.Domains(ctx, f.filter()) {
		if err != nil {
			return err
		}
		if err := w.row(d.Name, d.DID, orEmpty(d.Aliases), d.Realm); err != nil {
			return err
		}
	}
	return w.close()
}

func (a *App) domainShow(ctx context.Context, name string) error {
	dir, err := a.reading(ctx)
	if err != nil {
		return err
	}
	d, err := dir.Domain(ctx, name)
	if err != nil {
		return explain(ctx, dir, err, name)
	}
	fields := []output.Field{
		output.F("domain", d.Name), output.F("did", d.DID), output.F("aliases", orEmpty(d.Aliases)),
		output.F("realm", d.Realm), output.F("users", d.Users), output.F("disabled", d.Disabled),
	}
	if !d.Modified.IsZero() {
		fields = append(fields, output.F("modified", d.Modified))
	}
	return output.Record(a.Out, a.set.output, fields...)
}
