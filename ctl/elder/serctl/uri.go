package serctl

import (
	"context"
	"strings"
)

func uriModule() module {
	return module{
		"add":       {2, -1, "uid uri", uriAdd, "give a user addresses"},
		"canonical": {2, 2, "uid uri", uriCanonical, "make an address the one to show"},
		"change":    {2, 2, "uid uri", uriChange, "change flags (-F)"},
		"disable":   {2, 2, "uid uri", uriDisable, "switch an address off"},
		"enable":    {2, 2, "uid uri", uriEnable, "switch an address on"},
		"purge":     {0, 0, "", func(s *session, ctx context.Context, _ []string) error { return s.purgeTables(ctx, "uri") }, "take away what is marked"},
		"rm":        {1, 2, "uid uri", uriRemove, "mark addresses as deleted"},
		"show":      {0, 1, "uri", uriShow, "show addresses"},
	}
}

// locate finds user and did of a URI. ENOREC when its domain is unknown.
func (c *change) locate(uri string) (user, did string, err error) {
	user, domain := splitURI(uri)
	did, ok, err := c.first("domain", "did", eq("domain", domain))
	if err == nil && !ok {
		err = fail("ENOREC", "domain="+domain)
	}
	return user, did, err
}

// uidOf finds whose a URI is: ENOREC when nobody's, EDB when of several.
func (c *change) uidOf(uri string) (string, error) {
	user, did, err := c.locate(uri)
	if err != nil {
		return "", err
	}
	uids, err := c.values("uri", "uid", eq("username", user), eq("did", did))
	switch {
	case err != nil:
		return "", err
	case len(uids) == 0:
		return "", fail("ENOREC", "username="+user+" did="+did)
	case len(uids) > 1:
		return "", fail("EDB", uri+"="+pyList(uids))
	}
	return uids[0], nil
}

func uriShow(s *session, ctx context.Context, args []string) error {
	if len(args) == 0 {
		return s.showTable(ctx, "uri", uriColumns)
	}
	var conds []cond
	err := s.look(ctx, func(c *change) error {
		user, did, err := c.locate(args[0])
		conds = []cond{eq("username", user), eq("did", did)}
		return err
	})
	if is(err, "ENOREC") { // an unknown domain has no addresses
		return s.showNone(uriColumns)
	}
	if err != nil {
		return err
	}
	return s.showTable(ctx, "uri", uriColumns, conds...)
}

func uriAdd(s *session, ctx context.Context, args []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		for _, uri := range args[1:] {
			if err := c.addURI(args[0], uri, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// addURI gives a user an address; the first becomes canonical, and one with +c
// takes that from the others.
func (c *change) addURI(uid, uri string, m mask) error {
	user, did, err := c.locate(uri)
	if is(err, "ENOREC") {
		return c.pass(err)
	}
	if err != nil {
		return err
	}
	known, err := c.has("user_attrs", eq("uid", uid))
	if err != nil {
		return err
	}
	if !known && !c.opt.force() {
		return fail("ENOUSER", uid)
	}
	exists, err := c.has("uri", eq("uid", uid), eq("username", user), eq("did", did))
	if err != nil {
		return err
	}
	if exists {
		return c.pass(fail("EDUPL", user))
	}
	flags, err := c.canonicalFlags("uri", m.on(newURI), eq("uid", uid))
	if err != nil {
		return err
	}
	return c.insert("uri", map[string]string{"uid": uid, "did": did, "username": user, "flags": number(flags), "scheme": schemeOf(uri)})
}

// schemeOf is that of a URI, sip where it has none.
func schemeOf(uri string) string {
	if s, _, ok := strings.Cut(uri, ":"); ok && (s == "sips" || s == "tel") {
		return s
	}
	return "sip"
}

// canonicalFlags are the flags of a new row beside those that meet conds: it
// is canonical when it says so, and takes that from the others then, or when
// no other is.
func (c *change) canonicalFlags(table string, flags int64, conds ...cond) (int64, error) {
	if flags&flagCanonical != 0 {
		_, err := c.mark(table, mask{^int64(flagCanonical), 0}, conds...)
		return flags, err
	}
	has, err := c.has(table, append(conds, canonical)...)
	if !has {
		flags |= flagCanonical
	}
	return flags, err
}

func uriChange(s *session, ctx context.Context, args []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	return s.uriFlags(ctx, args, m)
}

func uriCanonical(s *session, ctx context.Context, args []string) error {
	return s.uriFlags(ctx, args, mask{-1, flagCanonical})
}

func uriDisable(s *session, ctx context.Context, args []string) error {
	return s.uriFlags(ctx, args, mask{-1, flagDisabled})
}

func uriEnable(s *session, ctx context.Context, args []string) error {
	return s.uriFlags(ctx, args, mask{^int64(flagDisabled), 0})
}

func (s *session) uriFlags(ctx context.Context, args []string, m mask) error {
	return s.change(ctx, func(c *change) error {
		user, did, err := c.locate(args[1])
		if is(err, "ENOREC") {
			return c.pass(err)
		}
		if err != nil {
			return err
		}
		own := []cond{eq("uid", args[0]), eq("username", user), eq("did", did)}
		exists, err := c.has("uri", own...)
		if err != nil {
			return err
		}
		if !exists {
			return c.pass(fail("ENOREC", "username="+user+" did="+did+" uid="+args[0]))
		}
		if m.on(0)&flagCanonical != 0 {
			if _, err := c.mark("uri", mask{^int64(flagCanonical), 0}, eq("uid", args[0])); err != nil {
				return err
			}
		}
		_, err = c.mark("uri", m, own...)
		return err
	})
}

func uriRemove(s *session, ctx context.Context, args []string) error {
	return s.change(ctx, func(c *change) error {
		if len(args) == 1 {
			n, err := c.remove("uri", eq("uid", args[0]))
			return c.some(n, err, "uid="+args[0])
		}
		return c.removeURI(args[0], args[1])
	})
}

// removeURI marks an address as deleted; when it was the canonical one,
// another of the user becomes that.
func (c *change) removeURI(uid, uri string) error {
	user, did, err := c.locate(uri)
	if is(err, "ENOREC") {
		return c.pass(err)
	}
	if err != nil {
		return err
	}
	own := []cond{eq("uid", uid), eq("username", user), eq("did", did)}
	was, err := c.has("uri", append(own, canonical)...)
	if err != nil {
		return err
	}
	n, err := c.remove("uri", own...)
	if err := c.some(n, err, "username="+user+" did="+did+" uid="+uid); err != nil || !was {
		return err
	}
	next, ok, err := c.first("uri", "username", eq("uid", uid))
	if err != nil || !ok {
		return err
	}
	nextDID, _, err := c.first("uri", "did", eq("uid", uid), eq("username", next))
	if err != nil {
		return err
	}
	_, err = c.mark("uri", mask{-1, flagCanonical}, eq("uid", uid), eq("username", next), eq("did", nextDID))
	return err
}
