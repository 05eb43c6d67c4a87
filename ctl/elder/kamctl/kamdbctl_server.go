package kamctl

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"sipd/db"
	"sipd/schema"
)

// open opens a database as the administrator of its server.
func (c *dbControl) open(ctx context.Context, name string, opts ...db.Option) (*db.DB, error) {
	if c.engine == db.SQLite {
		if name == "" {
			return nil, fmt.Errorf("DB_PATH is not set in kamctlrc; it names the SQLite file")
		}
		return db.Open(ctx, "sqlite:"+name, opts...)
	}
	user := c.rc.get("DBROOTUSER", map[db.Engine]string{db.MySQL: "root", db.PostgreSQL: "postgres"}[c.engine])
	u := url.URL{Scheme: string(c.engine), User: url.User(user), Host: c.rc.get("DBHOST", "localhost"), Path: "/" + name}
	pw := c.root
	if c.engine == db.PostgreSQL { // else ~/.pgpass has it, which the driver reads
		pw = os.Getenv("PGPASSWORD")
	}
	if pw != "" {
		u.User = url.UserPassword(user, pw)
	}
	q, port := url.Values{}, c.rc.get("DBPORT", "")
	switch socket := c.socket(u.Host, port); {
	case strings.HasPrefix(u.Host, "/"):
		q.Set("host", u.Host)
		u.Host = "localhost"
	case socket != "":
		q.Set("socket", socket)
	}
	if port != "" {
		u.Host += ":" + port
	}
	u.RawQuery = q.Encode()
	return db.Open(ctx, u.String(), opts...)
}

// admin runs statements on the server itself.
func (c *dbControl) admin(ctx context.Context, statements ...string) error {
	d, err := c.open(ctx, map[db.Engine]string{db.MySQL: "mysql", db.PostgreSQL: "template1"}[c.engine], db.MaxConns(1))
	if err != nil {
		return err
	}
	defer d.Close()
	for _, s := range statements {
		if _, err := d.Writer().ExecContext(ctx, s); err != nil {
			return d.Wrap(err)
		}
	}
	return nil
}

func (c *dbControl) quote(name string) string { return db.Dialect{Engine: c.engine}.Quote(name) }
func (c *dbControl) text(v string) string     { return db.Dialect{Engine: c.engine}.Literal(v) }

func (c *dbControl) dropServer(ctx context.Context) error {
	if err := c.admin(ctx, "DROP DATABASE "+c.quote(c.name)); err != nil {
		c.complain(err)
		c.error("Dropping database %s failed!", c.name)
		return failed
	}
	if c.engine == db.MySQL {
		c.info("Database %s deleted", c.name)
		return nil
	}
	if err := c.admin(ctx, "DROP ROLE "+c.quote(c.rw()), "DROP ROLE "+c.quote(c.ro())); err != nil {
		c.complain(err)
		c.warn("Could not drop %s or %s users, try to continue..", c.rw(), c.ro())
	} else {
		c.info("Database user deleted")
	}
	c.info("Database %s dropped", c.name)
	return nil
}

func (c *dbControl) rw() string { return c.rc.get("DBRWUSER", "kamailio") }
func (c *dbControl) ro() string { return c.rc.get("DBROUSER", "kamailioro") }

// step asks, where DBINITASK wants it, before a part of create.
func (c *dbControl) step(question string, run func() error) error {
	if c.engine == db.MySQL && c.rc.get("DBINITASK", "") == "yes" && !c.answer("", question) {
		return nil
	}
	return run()
}

func (c *dbControl) createServer(ctx context.Context) error {
	if err := c.step(fmt.Sprintf("Create the database '%s'? (y/n): ", c.name), func() error { return c.createOnly(ctx, nil) }); err != nil {
		return err
	}
	if err := c.step("Create database users with access privileges? (y/n): ", func() error { return c.grant(ctx, nil) }); err != nil {
		return err
	}
	err := c.step("Create the standard database tables? (y/n): ", func() error {
		if c.engine == db.MySQL {
			c.info("creating standard tables into %s ...", c.name)
		}
		if err := c.tables(ctx, "standard"); err != nil {
			c.complain(err)
			c.error("Creating core tables failed!")
			return failed
		}
		c.info("Core Kamailio tables successfully created.")
		return nil
	})
	if err != nil {
		return err
	}
	if c.engine == db.PostgreSQL {
		return c.more(ctx, "Install presence related tables? (y/n): ", "Install tables for "+c.extraModules()+"? (y/n): ")
	}
	return c.more(ctx, "Create the presence related tables? (y/n): ", "Create the tables for "+c.extraModules()+"? (y/n): ")
}

var charset = lazy(`^[A-Za-z0-9_]+$`)

// createOnly makes an empty database. The character set is CHARSET or what the
// server has; the elder refuses utf8 there, for MySQL of 2005 could not index
// it.
func (c *dbControl) createOnly(ctx context.Context, args []string) error {
	c.named(args)
	sql := "CREATE DATABASE " + c.quote(c.name)
	set := c.rc.get("CHARSET", "")
	if c.engine == db.MySQL && set != "" {
		if !charset().MatchString(set) {
			c.error("CHARSET '%s' is no character set", set)
			return failed
		}
		sql += " CHARACTER SET " + set
	}
	c.info("creating database %s ...", c.name)
	if err := c.admin(ctx, sql); err != nil {
		c.complain(err)
		c.error("Creating database %s failed!", c.name)
		return failed
	}
	return nil
}

// hosts are where MySQL's users may come from.
func (c *dbControl) hosts() []string {
	out := []string{c.rc.get("DBHOST", "localhost")}
	if out[0] != "localhost" {
		out = append(out, "localhost")
	}
	if h := c.rc.get("DBACCESSHOST", ""); h != "" {
		out = append(out, h)
	}
	return out
}

// grant makes the two users, or keeps those that are there, and gives them
// their rights: all, and reading.
func (c *dbControl) grant(ctx context.Context, args []string) error {
	c.named(args)
	if c.engine == db.PostgreSQL {
		return c.roles(ctx)
	}
	c.info("granting privileges to database %s ...", c.name)
	var list []string
	for _, host := range c.hosts() {
		for _, u := range c.users() {
			who := c.text(u.name) + "@" + c.text(host)
			list = append(list, "CREATE USER IF NOT EXISTS "+who+" IDENTIFIED BY "+c.text(u.password), "GRANT "+u.rights+" ON "+c.quote(c.name)+".* TO "+who)
		}
	}
	if err := c.admin(ctx, list...); err != nil {
		c.complain(err)
		c.error("granting privileges to database %s failed!", c.name)
		return failed
	}
	return nil
}

type account struct{ name, password, rights string }

func (c *dbControl) users() []account {
	all := account{c.rw(), c.rc.get("DBRWPW", "kamailiorw"), "ALL PRIVILEGES"}
	if c.rw() == c.ro() {
		return []account{all}
	}
	return []account{all, {c.ro(), c.rc.get("DBROPW", "kamailioro"), "SELECT"}}
}

func (c *dbControl) revoke(ctx context.Context, args []string) error {
	c.named(args)
	c.info("revoking privileges to database %s ...", c.name)
	var list []string
	for _, host := range c.hosts() {
		for _, u := range c.users() {
			list = append(list, "REVOKE "+u.rights+" ON "+c.quote(c.name)+".* FROM "+c.text(u.name)+"@"+c.text(host))
		}
	}
	if err := c.admin(ctx, list...); err != nil {
		c.complain(err)
		c.error("revoking privileges to database %s failed!", c.name)
		return failed
	}
	return nil
}

// roles makes PostgreSQL's users; the rights come with the tables.
func (c *dbControl) roles(ctx context.Context) error {
	for _, u := range c.users() {
		if err := c.admin(ctx, "CREATE ROLE "+c.quote(u.name)+" LOGIN PASSWORD "+c.text(u.password)); err != nil {
			c.complain(err)
			c.warn("Create user in database failed, perhaps they allready exist? Try to continue..")
		}
	}
	return nil
}

// grantTables gives the rights on new tables and their sequences.
func (c *dbControl) grantTables(ctx context.Context, d *db.DB, tables []*schema.Table) error {
	names := d.QuoteAll(tableNames(tables))
	for _, u := range c.users() {
		for _, sql := range []string{
			"GRANT " + u.rights + " ON " + names + " TO " + d.Quote(u.name),
			"GRANT " + u.rights + " ON ALL SEQUENCES IN SCHEMA public TO " + d.Quote(u.name),
		} {
			if _, err := d.Writer().ExecContext(ctx, sql); err != nil {
				return d.Wrap(err)
			}
		}
	}
	return nil
}
