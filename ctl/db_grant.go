package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sipd/ctl/output"
	"sipd/db"
	"sipd/schema"
)

// likeCommand makes one more table of a form that is known.
func (a *App) dbLikeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "like TABLE NEW", Short: "Make an empty table of the form of another, under a name of its own", Args: want(2, 2),
		Long: `Makes an empty table that has the columns, keys and version of another: a server
may have several of mtree, htable, location and others.`,
		Example:           "  sipctl db like mtree prefixes\n  sipctl mtree --table prefixes add 49 germany",
		ValidArgsFunction: a.completeTables,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.dbLike(cmd.Context(), args[0], args[1]) },
	}
}

func (a *App) dbLike(ctx context.Context, like, name string) error {
	if err := noBlanks("table", name); err != nil {
		return err
	}
	d, err := a.open(ctx)
	if err != nil {
		return err
	}
	s, err := schema.NewSurvey(ctx, d, nil)
	if err != nil {
		return err
	}
	if s.Wanted == nil || s.Wanted.Table(like) == nil {
		return fmt.Errorf("table %s is not one whose form is known; to see those: sipctl db status --all", like)
	}
	t := *s.Wanted.Table(like)
	t.Name = name
	if a.opt.dryRun {
		for _, sql := range t.DDL(d.Dialect, s.Wanted.Flavour) {
			if _, err := fmt.Fprintf(a.Out, "%s;\n", sql); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.Wanted.Create(ctx, d, []*schema.Table{&t}); err != nil {
		return err
	}
	return a.say("made table %s like %s", name, like)
}

// grantee is an account of the database server.
type grantee struct {
	name     string
	hosts    []string // MySQL: from where
	readOnly bool
}

func (a *App) dbGrantCommand() *cobra.Command {
	var g grantee
	var p passwordFlags
	c := &cobra.Command{
		Use: "grant USER", Short: "Let a user of the database server use this database (MySQL, PostgreSQL)", Args: want(1, 1),
		Long: `Makes a user of the database server where there is none, with the password that
is given, and gives it all rights on this database, or with --read-only that to
read. It needs an administrator's URL. A user that is there keeps its password.`,
		Example: "  sipctl --context admin db grant sip --password-file FILE\n  sipctl --context admin db grant sipro --read-only --host '10.0.0.%' --password-file FILE",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(cmd); err != nil {
				return err
			}
			password, err := p.plaintext(cmd, a, db.Address{User: args[0], Domain: "database"})
			if err != nil {
				return err
			}
			g.name = args[0]
			return a.dbGrant(cmd.Context(), g, password)
		},
	}
	p.declareSource(c)
	g.declare(c)
	return c
}

func (g *grantee) declare(c *cobra.Command) {
	c.Flags().StringSliceVar(&g.hosts, "host", []string{"localhost"}, "`hosts` that it may come from (MySQL)")
	c.Flags().BoolVar(&g.readOnly, "read-only", false, "the right to read alone")
}

func (a *App) dbRevokeCommand() *cobra.Command {
	var g grantee
	var drop bool
	c := &cobra.Command{
		Use: "revoke USER", Short: "Take these rights away again (MySQL, PostgreSQL)", Args: want(1, 1),
		Long:    "Takes a user's rights on this database away; with --drop the user as well.",
		Example: "  sipctl --context admin db revoke sipro --read-only --drop",
		RunE: func(cmd *cobra.Command, args []string) error {
			g.name = args[0]
			return a.dbRevoke(cmd.Context(), g, drop)
		},
	}
	g.declare(c)
	c.Flags().BoolVar(&drop, "drop", false, "remove the user from the database server")
	return c
}

// privileges are the statements' words for what a grantee may do.
func (g *grantee) privileges(e db.Engine) string {
	switch {
	case g.readOnly:
		return "SELECT"
	case e == db.MySQL:
		return "ALL PRIVILEGES"
	}
	return "SELECT, INSERT, UPDATE, DELETE, TRUNCATE"
}

// accounts are the user as the engine's statements name it, once a host in
// MySQL.
func (g *grantee) accounts(d *db.DB) []string {
	if d.Engine == db.PostgreSQL {
		return []string{d.Quote(g.name)}
	}
	var out []string
	for _, h := range g.hosts {
		out = append(out, d.Literal(g.name)+"@"+d.Literal(h))
	}
	return out
}

// administer opens a database whose server has users, and gives its name.
func (a *App) administer(ctx context.Context) (*db.DB, string, error) {
	d, err := a.open(ctx)
	if err != nil {
		return nil, "", err
	}
	query := "SELECT DATABASE()"
	switch d.Engine {
	case db.SQLite:
		return nil, "", fmt.Errorf("a SQLite file has no users; who may read and write it, its owner and mode say: %w", db.ErrNotSupported)
	case db.PostgreSQL:
		query = "SELECT current_database()"
	}
	var name string
	if err := d.Reader().GetContext(ctx, &name, query); err != nil {
		return nil, "", d.Wrap(err)
	}
	return d, name, nil
}

func (a *App) dbGrant(ctx context.Context, g grantee, password string) error {
	d, name, err := a.administer(ctx)
	if err != nil {
		return err
	}
	if err := db.CheckText("user", g.name); err != nil {
		return err
	}
	var list []string
	if d.Engine == db.PostgreSQL {
		who, had := d.Quote(g.name), 0
		if err := d.Reader().GetContext(ctx, &had, "SELECT count(*) FROM pg_roles WHERE rolname = $1", g.name); err != nil {
			return d.Wrap(err)
		}
		if had == 0 {
			list = append(list, "CREATE ROLE "+who+" LOGIN PASSWORD "+d.Literal(password))
		}
		list = append(list, "GRANT CONNECT ON DATABASE "+d.Quote(name)+" TO "+who, "GRANT USAGE ON SCHEMA public TO "+who,
			"GRANT "+g.privileges(d.Engine)+" ON ALL TABLES IN SCHEMA public TO "+who, "GRANT "+map[bool]string{true: "SELECT", false: "USAGE, SELECT, UPDATE"}[g.readOnly]+" ON ALL SEQUENCES IN SCHEMA public TO "+who,
			"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT "+g.privileges(d.Engine)+" ON TABLES TO "+who)
	} else {
		for _, who := range g.accounts(d) {
			list = append(list, "CREATE USER IF NOT EXISTS "+who+" IDENTIFIED BY "+d.Literal(password), "GRANT "+g.privileges(d.Engine)+" ON "+d.Quote(name)+".* TO "+who)
		}
	}
	if err := a.administrate(ctx, d, list, d.Literal(password)); err != nil {
		return err
	}
	return a.say("gave %s on database %s to %s", g.privileges(d.Engine), name, g.name)
}

func (a *App) dbRevoke(ctx context.Context, g grantee, drop bool) error {
	d, name, err := a.administer(ctx)
	if err != nil {
		return err
	}
	var list []string
	for _, who := range g.accounts(d) {
		if d.Engine == db.PostgreSQL {
			list = append(list, "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM "+who,
				"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "+who, "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "+who,
				"REVOKE USAGE ON SCHEMA public FROM "+who, "REVOKE CONNECT ON DATABASE "+d.Quote(name)+" FROM "+who)
		} else {
			list = append(list, "REVOKE "+g.privileges(d.Engine)+" ON "+d.Quote(name)+".* FROM "+who)
		}
		if drop {
			list = append(list, map[bool]string{true: "DROP ROLE ", false: "DROP USER "}[d.Engine == db.PostgreSQL]+who)
		}
	}
	if err := a.administrate(ctx, d, list, ""); err != nil {
		return err
	}
	return a.say("took the rights on database %s from %s", name, g.name)
}

// administrate runs statements in one transaction, which MySQL commits one by
// one; nobody gets to see the secret in them.
func (a *App) administrate(ctx context.Context, d *db.DB, list []string, secret string) error {
	hidden := func(s string) string {
		if secret == "" {
			return s
		}
		return strings.ReplaceAll(s, secret, "'***'")
	}
	if a.opt.dryRun {
		for _, sql := range list {
			if _, err := fmt.Fprintf(a.Out, "%s;\n", output.Clean(hidden(sql))); err != nil {
				return err
			}
		}
		return nil
	}
	err := d.Tx(ctx, func(tx *db.Tx) error {
		for i, sql := range list {
			if err := tx.Do(ctx, sql); err != nil {
				if strings.Contains(err.Error(), secret) && secret != "" {
					err = errors.New(hidden(err.Error()))
				}
				return fmt.Errorf("statement %d of %d, %s: %w", i+1, len(list), strings.Join(slices.Collect(strings.FieldsSeq(hidden(sql)))[:2], " "), err)
			}
		}
		return nil
	})
	return err
}
