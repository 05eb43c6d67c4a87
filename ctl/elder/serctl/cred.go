package serctl

import (
	"context"
	"strconv"

	"sipd/db"
)

func credModule() module {
	return module{
		"add":      {4, 5, "uid auth_username did realm password", credAdd, "add a digest user"},
		"change":   {2, 3, "auth_username realm password", credChange, "change password (-p) and flags (-F)"},
		"disable":  {2, 2, "auth_username realm", credDisable, "switch it off"},
		"enable":   {2, 2, "auth_username realm", credEnable, "switch it on"},
		"rm":       {2, 2, "auth_username realm", credRemove, "mark it as deleted"},
		"password": {2, 3, "auth_username realm password", credPassword, "change the password"},
		"purge":    {0, 0, "", func(s *session, ctx context.Context, _ []string) error { return s.purgeTables(ctx, "credentials") }, "take away what is marked"},
		"show":     {0, 2, "realm auth_username", credShow, "show digest users"},
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func credShow(s *session, ctx context.Context, args []string) error {
	conds := optional("realm", args)
	if len(args) == 2 {
		conds = append(conds, eq("auth_username", args[1]))
	}
	return s.showTable(ctx, "credentials", credColumns, conds...)
}

func credAdd(s *session, ctx context.Context, args []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	pw, err := s.password(args, 4, "Password: ")
	if err != nil {
		return err
	}
	uid, user, did, realm := args[0], args[1], args[2], args[3]
	return s.change(ctx, func(c *change) error {
		if did == "" {
			var ok bool
			if did, ok, err = c.first("domain", "did", eq("domain", realm)); err != nil {
				return err
			} else if !ok {
				return c.pass(fail("ENOREC", "domain="+realm))
			}
		}
		return c.addCred(uid, user, did, realm, pw, m, "")
	})
}

// pass gives up an error that -f passes over.
func (c *change) pass(err error) error {
	if c.opt.force() {
		return nil
	}
	return err
}

// addCred writes digest credentials. about is what EDUPL names.
func (c *change) addCred(uid, user, did, realm, password string, m mask, about string) error {
	known, err := c.has("user_attrs", eq("uid", uid))
	if err != nil {
		return err
	}
	if !known && !c.opt.force() {
		return fail("ENOUSER", "uid="+uid)
	}
	exists, err := c.has("credentials", eq("auth_username", user), eq("realm", realm))
	if err != nil {
		return err
	}
	if exists {
		return c.pass(fail("EDUPL", about))
	}
	return c.insert("credentials", map[string]string{
		"uid": uid, "auth_username": user, "did": did, "realm": realm, "password": c.plain(password),
		"ha1": db.HA1(user, realm, password), "ha1b": db.HA1(user+"@"+realm, realm, password), "flags": number(m.on(newCred)),
	})
}

// changeCred changes password (nil keeps it) and flags of all rows of a digest
// user.
func (c *change) changeCred(user, realm string, password *string, m mask) error {
	conds := []cond{eq("auth_username", user), eq("realm", realm)}
	n, err := c.mark("credentials", m, conds...)
	if err := c.some(n, err, "auth_username="+user+" realm="+realm); err != nil || password == nil {
		return err
	}
	plain := c.plain(*password)
	where, args := spell(c.tx.Dialect, live(conds))
	set := []any{db.HA1(user, realm, *password), db.HA1(user+"@"+realm, realm, *password), plain}
	_, err = c.tx.Exec(c.ctx, "UPDATE credentials SET ha1 = ?, ha1b = ?, "+c.tx.Quote("password")+" = ?"+where, append(set, args...)...)
	return err
}

func credChange(s *session, ctx context.Context, args []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	var pw *string
	if s.opt.has("PASSWORD") || len(args) == 3 {
		text, err := s.password(args, 2, "")
		if err != nil {
			return err
		}
		pw = &text
	}
	return s.change(ctx, func(c *change) error { return c.changeCred(args[0], args[1], pw, m) })
}

func credPassword(s *session, ctx context.Context, args []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	pw, err := s.password(args, 2, "Password: ")
	if err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error { return c.changeCred(args[0], args[1], &pw, m) })
}

func credDisable(s *session, ctx context.Context, args []string) error {
	return s.change(ctx, func(c *change) error {
		return c.changeCred(args[0], args[1], nil, mask{-1, flagDisabled})
	})
}

func credEnable(s *session, ctx context.Context, args []string) error {
	return s.change(ctx, func(c *change) error {
		return c.changeCred(args[0], args[1], nil, mask{^int64(flagDisabled), 0})
	})
}

func credRemove(s *session, ctx context.Context, args []string) error {
	return s.change(ctx, func(c *change) error {
		n, err := c.remove("credentials", eq("auth_username", args[0]), eq("realm", args[1]))
		return c.some(n, err, "auth_username="+args[0]+" realm="+args[1])
	})
}
