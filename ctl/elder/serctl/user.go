package serctl

import (
	"context"
	"time"
)

func userModule() module {
	return module{
		"add":     {1, -1, "uid", userAdd, "add users"},
		"change":  {0, 1, "uid", userChange, "change the flags of a user's rows (-F)"},
		"disable": {0, 1, "uid", userDisable, "switch a user off"},
		"enable":  {0, 1, "uid", userEnable, "switch a user on"},
		"rm":      {0, 1, "uid", userRemove, "mark a user as deleted"},
		"purge":   {0, 0, "", func(s *session, ctx context.Context, _ []string) error { return s.purgeTables(ctx, "user_attrs") }, "take away what is marked"},
		"show":    {0, 1, "uid", userShow, "show users"},
	}
}

// optional is a condition on the argument, if there is one.
func optional(column string, args []string) []cond {
	if len(args) == 0 {
		return nil
	}
	return []cond{eq(column, args[0])}
}

// needAll wants an argument, or -f for all rows.
func (s *session) needAll(args []string) error {
	if len(args) == 0 && !s.opt.force() {
		return fail("EALL", "")
	}
	return nil
}

func (s *session) purgeTables(ctx context.Context, tables ...string) error {
	return s.change(ctx, func(c *change) error {
		for _, t := range tables {
			if err := c.purge(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// flagMask is the change that -F asks for.
func (s *session) flagMask() (mask, error) {
	return parseFlags(s.opt.text("FLAGS"), s.opt.has("FLAGS"))
}

func userShow(s *session, ctx context.Context, args []string) error {
	return s.showTable(ctx, "user_attrs", userColumns, optional("uid", args)...)
}

func userAdd(s *session, ctx context.Context, uids []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		for _, uid := range uids {
			if err := c.addUser(uid, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// addUser writes the attribute by which a user exists; with -f one that is
// there stays.
func (c *change) addUser(uid string, m mask) error {
	exists, err := c.has("user_attrs", eq("uid", uid))
	if err != nil {
		return err
	}
	if exists {
		if c.opt.force() {
			return nil
		}
		return fail("EDUPL", uid)
	}
	return c.insert("user_attrs", map[string]string{
		"uid": uid, "name": "datetime_created", "value": time.Now().UTC().Format(time.DateTime), "type": "2", "flags": number(m.on(0)),
	})
}

func userChange(s *session, ctx context.Context, args []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	return s.userFlags(ctx, args, m)
}

func userDisable(s *session, ctx context.Context, args []string) error {
	return s.userFlags(ctx, args, mask{-1, flagDisabled})
}

func userEnable(s *session, ctx context.Context, args []string) error {
	return s.userFlags(ctx, args, mask{^int64(flagDisabled), 0})
}

func (s *session) userFlags(ctx context.Context, args []string, m mask) error {
	if err := s.needAll(args); err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		n, err := c.mark("user_attrs", m, optional("uid", args)...)
		return c.some(n, err, "uid="+first(args))
	})
}

// some is ENOREC when nothing was changed, unless -f passes it over.
func (c *change) some(n int, err error, about string) error {
	if err == nil && n == 0 && !c.opt.force() {
		err = fail("ENOREC", about)
	}
	return err
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func userRemove(s *session, ctx context.Context, args []string) error {
	if err := s.needAll(args); err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		conds := optional("uid", args)
		for _, table := range []string{"uri", "credentials"} {
			used, err := c.has(table, conds...)
			if err != nil {
				return err
			}
			if used && !c.opt.force() {
				return fail("EUSER", first(args))
			}
			if _, err := c.remove(table, conds...); err != nil {
				return err
			}
		}
		n, err := c.remove("user_attrs", conds...)
		return c.some(n, err, "uid="+first(args))
	})
}
