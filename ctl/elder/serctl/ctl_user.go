package serctl

import (
	"context"
	"strings"
)

func ctlUser(s *session, ctx context.Context, args []string) error {
	uri := args[1]
	switch words()[args[0]] {
	case "add":
		pw, err := s.password(nil, 0, "Please, enter password for the new subscriber.\nPassword: ")
		if err != nil {
			return err
		}
		return s.change(ctx, func(c *change) error { return c.newUser(uri, uniq(args[2:], uri), pw) })
	case "rm":
		if len(args) > 2 {
			return fail("EEXTRA", pyList(args[2:]))
		}
		return s.change(ctx, func(c *change) error { return c.dropUser(uri) })
	case "show":
		return s.showUser(ctx, uri)
	}
	return fail("EINVAL", args[0])
}

// didOf finds the did of a domain; with -f an unknown domain is made.
func (c *change) didOf(domain string) (string, error) {
	did, ok, err := c.first("domain", "did", eq("domain", domain))
	if err != nil || ok {
		return did, err
	}
	if !c.opt.force() {
		return "", fail("ENODOMAIN", domain)
	}
	if did, err = c.id(domain, "domain", "did"); err != nil {
		return "", err
	}
	return did, c.addDomain(did, domain, keep)
}

func (c *change) newUser(uri string, aliases []string, password string) error {
	user, domain := splitURI(uri)
	if user == "" || domain == "" {
		return fail("EINVAL", uri)
	}
	uid, err := c.id(user+"@"+domain, "user_attrs", "uid")
	if err != nil {
		return err
	}
	exists, err := c.has("user_attrs", eq("uid", uid))
	if err != nil {
		return err
	}
	if exists && !c.opt.force() {
		return fail("EDUPL", "uid="+uid)
	}
	did, err := c.didOf(domain)
	if err != nil {
		return err
	}
	realm, ok, err := c.first("domain_attrs", "value", eq("did", did), eq("name", "digest_realm"))
	if err != nil {
		return err
	}
	if !ok {
		if !c.opt.force() {
			return fail("ENODRA", did)
		}
		realm = domain
	}
	// The realm, not the domain, is what the credentials are found by.
	if exists, err = c.has("credentials", eq("auth_username", user), eq("realm", realm)); err != nil {
		return err
	}
	if exists && !c.opt.force() {
		return fail("EDUPL", "auth_username="+user+" realm="+realm)
	}
	if err := c.addUser(uid, keep); err != nil {
		return err
	}
	if err := c.addCred(uid, user, did, realm, password, keep, user); err != nil {
		return err
	}
	for i, a := range append([]string{uri}, aliases...) {
		if err := c.freeURI(a, i > 0); err != nil {
			return err
		}
		if err := c.addURI(uid, a, keep); err != nil {
			return err
		}
	}
	return nil
}

// freeURI is EDUPL when an address is somebody's. With -f the domain of an
// alias is made.
func (c *change) freeURI(uri string, alias bool) error {
	user, domain := splitURI(uri)
	did, err := c.didOf(domain)
	if err != nil {
		return err
	}
	taken, err := c.has("uri", eq("username", user), eq("did", did))
	if err == nil && taken && !c.opt.force() {
		about := "username=" + user + " did=" + did
		if alias {
			about = user + "@" + domain
		}
		err = fail("EDUPL", about)
	}
	return err
}

// dropUser removes a user with all that is its own: addresses, credentials,
// attributes.
func (c *change) dropUser(uri string) error {
	uid, err := c.uidOf(uri)
	if is(err, "ENOREC", "EDB") {
		return c.pass(err)
	}
	if err != nil {
		return err
	}
	for _, table := range []string{"uri", "credentials", "user_attrs"} {
		if _, err := c.remove(table, eq("uid", uid)); err != nil {
			return err
		}
		if err := c.purge(table, eq("uid", uid)); err != nil {
			return err
		}
	}
	return nil
}

// showUser finds users by a URI, a name in one, a uid or a digest user, the
// first of these that is known, and prints their addresses, credentials and
// attributes. Passwords, which the elder prints, are ***.
func (s *session) showUser(ctx context.Context, what string) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	var rows [][]string
	err = s.look(ctx, func(c *change) error {
		uids, err := c.whoIs(what)
		if err != nil {
			return err
		}
		for _, part := range []func(string) ([][]string, error){c.urisOf, c.credsOf, c.attrsOf} {
			for _, uid := range uids {
				more, err := part(uid)
				if err != nil {
					return err
				}
				rows = append(rows, more...)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if v.limit > 0 && len(rows) > v.limit {
		rows = rows[:v.limit]
	}
	s.print(v, rows, []string{"uid", "source", "value"})
	return nil
}

func (c *change) whoIs(what string) ([]string, error) {
	user, domain := splitURI(what)
	did, _, err := c.first("domain", "did", eq("domain", domain))
	if err != nil {
		return nil, err
	}
	for _, try := range []struct {
		table string
		conds []cond
	}{
		{"uri", []cond{eq("username", user), eq("did", did)}},
		{"uri", []cond{eq("username", what)}},
		{"user_attrs", []cond{eq("uid", what)}},
		{"credentials", []cond{eq("auth_username", user), eq("realm", domain)}},
		{"credentials", []cond{eq("auth_username", user)}},
		{"credentials", []cond{eq("auth_username", what)}},
	} {
		uids, err := c.values(try.table, "uid", try.conds...)
		if err != nil || len(uids) > 0 {
			return uids, err
		}
	}
	return nil, nil
}

func (c *change) urisOf(uid string) ([][]string, error) {
	var uris []struct{ Username, DID string }
	if err := c.tx.Select(c.ctx, &uris, "SELECT username, did FROM uri WHERE uid = ?", uid); err != nil {
		return nil, err
	}
	var out [][]string
	for _, u := range uris {
		domain, ok, err := c.first("domain", "domain", eq("did", u.DID), canonical)
		if err == nil && !ok {
			domain, ok, err = c.first("domain", "domain", eq("did", u.DID))
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			domain = "None"
		}
		out = append(out, []string{uid, "uri", u.Username + "@" + domain})
	}
	return out, nil
}

func (c *change) credsOf(uid string) ([][]string, error) {
	var creds []struct {
		User  string `db:"auth_username"`
		Realm string
	}
	err := c.tx.Select(c.ctx, &creds, "SELECT auth_username, realm FROM credentials WHERE uid = ?", uid)
	var out [][]string
	for _, x := range creds {
		out = append(out, []string{uid, "credentials", "username=" + x.User + " realm=" + x.Realm + " password=***"})
	}
	return out, err
}

func (c *change) attrsOf(uid string) ([][]string, error) {
	var attrs []struct {
		Name  string
		Value *string
	}
	where, args := spell(c.tx.Dialect, live([]cond{eq("uid", uid)}))
	err := c.tx.Select(c.ctx, &attrs, "SELECT name, value FROM user_attrs"+where, args...)
	var texts []string
	for _, a := range attrs {
		value := "None"
		if a.Value != nil {
			value = *a.Value
		}
		texts = append(texts, a.Name+"="+value)
	}
	return [][]string{{uid, "attr", strings.Join(texts, ", ")}}, err
}

// ctlPassword changes the password of the digest user that the URI's user has,
// found through the URI, and by name and domain as the elder does.
func ctlPassword(s *session, ctx context.Context, args []string) error {
	pw, err := s.password(args, 1, "Please, enter new subscriber's password.\nPassword: ")
	if err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		user, domain := splitURI(args[0])
		realm := domain
		did, ok, err := c.first("domain", "did", eq("domain", domain))
		if err != nil {
			return err
		}
		if ok {
			r, ok, err := c.first("domain_attrs", "value", eq("did", did), eq("name", "digest_realm"))
			if err != nil {
				return err
			}
			if ok {
				realm = r
			}
		}
		return c.changeCred(user, realm, &pw, keep)
	})
}

func ctlAlias(s *session, ctx context.Context, args []string) error {
	switch words()[args[0]] {
	case "add":
		if len(args) < 3 {
			return fail("ENOARG", "alias")
		}
		return s.change(ctx, func(c *change) error { return c.newAliases(args[1], uniq(args[2:], args[1])) })
	case "rm":
		return s.change(ctx, func(c *change) error { return c.dropAliases(uniq(args[1:])) })
	}
	return fail("EINVAL", args[0])
}

func (c *change) newAliases(uri string, aliases []string) error {
	uid, err := c.uidOf(uri)
	if is(err, "ENOREC", "EDB") {
		return c.pass(err)
	}
	if err != nil {
		return err
	}
	for _, a := range aliases {
		if _, domain := splitURI(a); !c.opt.force() {
			known, err := c.has("domain", eq("domain", domain))
			if err != nil {
				return err
			}
			if !known {
				return fail("ENODOMAIN", domain)
			}
			_, err = c.uidOf(a)
			if err == nil || is(err, "EDB") {
				return fail("EDUPL", a)
			}
			if !is(err, "ENOREC") {
				return err
			}
		}
		if err := c.addURI(uid, a, keep); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) dropAliases(aliases []string) error {
	for _, a := range aliases {
		uid, err := c.uidOf(a)
		if is(err, "ENOREC") {
			if c.opt.force() {
				continue
			}
			return fail("ENOREC", a)
		}
		if err != nil {
			return err
		}
		if err := c.removeURI(uid, a); err != nil {
			return err
		}
		user, did, err := c.locate(a)
		if err != nil {
			return err
		}
		if err := c.purge("uri", eq("uid", uid), eq("username", user), eq("did", did)); err != nil {
			return err
		}
	}
	return nil
}

func ctlAttrs(s *session, ctx context.Context, args []string) error {
	if words()[args[0]] != "set" {
		return fail("EINVAL", args[0])
	}
	if len(args) < 3 {
		return fail("ENOARG", "attr")
	}
	return s.attrChange(ctx, append([]string{"user=" + args[1]}, args[2:]...), true)
}
