package serctl

import "context"

func domainModule() module {
	return module{
		"add":       {2, -1, "did domain", domainAdd, "add names of a domain"},
		"canonical": {1, 1, "domain", domainCanonical, "make a name the one to show"},
		"change":    {0, 1, "domain", domainChange, "change flags (-F)"},
		"disable":   {0, 1, "domain", domainDisable, "switch a name off"},
		"enable":    {0, 1, "domain", domainEnable, "switch a name on"},
		"rm":        {0, 1, "domain", domainRemove, "mark a name as deleted; -D all names of its did, -d those of a did"},
		"purge": {0, 0, "", func(s *session, ctx context.Context, _ []string) error {
			return s.purgeTables(ctx, "domain", "domain_attrs")
		}, "take away what is marked"},
		"show": {0, 1, "domain", domainShow, "show names; -D all of the did, -d of a did"},
	}
}

func domainShow(s *session, ctx context.Context, args []string) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	conds := optional("domain", args)
	missing := "ENODOMAIN"
	switch {
	case len(args) == 0:
	case s.opt.flag("DID"):
		conds, missing = optional("did", args), "ENODID"
	case s.opt.flag("DEPTH"):
		missing = ""
		err := s.look(ctx, func(c *change) error {
			did, ok, err := c.first("domain", "did", conds...)
			if ok {
				conds = []cond{eq("did", did)}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	rows, columns, err := s.fetch(ctx, v, "domain", domainColumns, conds...)
	if err != nil {
		return err
	}
	if len(args) > 0 && len(rows) == 0 && missing != "" {
		return fail(missing, args[0])
	}
	s.print(v, rows, columns)
	return nil
}

func domainAdd(s *session, ctx context.Context, args []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		for _, name := range args[1:] {
			exists, err := c.has("domain", eq("domain", name))
			if err != nil {
				return err
			}
			if exists && !c.opt.force() {
				return fail("EDUPL", "domain="+name)
			}
			if err := c.addDomain(args[0], name, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// addDomain writes a name of a domain; the first one of a did becomes
// canonical and its digest realm.
func (c *change) addDomain(did, name string, m mask) error {
	exists, err := c.has("domain", eq("did", did), eq("domain", name))
	if err != nil {
		return err
	}
	if exists {
		return c.pass(fail("EDUPL", "did="+did+" domain="+name))
	}
	realm, err := c.has("domain_attrs", eq("did", did), eq("name", "digest_realm"))
	if err != nil {
		return err
	}
	if !realm {
		if err := c.addAttr(domainAttrs, did, "digest_realm", name, keep); err != nil {
			return err
		}
	}
	flags, err := c.canonicalFlags("domain", m.on(newDomain), eq("did", did))
	if err != nil {
		return err
	}
	return c.insert("domain", map[string]string{"did": did, "domain": name, "flags": number(flags)})
}

func domainChange(s *session, ctx context.Context, args []string) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	return s.domainFlags(ctx, args, m)
}

func domainCanonical(s *session, ctx context.Context, args []string) error {
	return s.domainFlags(ctx, args, mask{-1, flagCanonical})
}

func domainDisable(s *session, ctx context.Context, args []string) error {
	return s.domainFlags(ctx, args, mask{-1, flagDisabled})
}

func domainEnable(s *session, ctx context.Context, args []string) error {
	return s.domainFlags(ctx, args, mask{^int64(flagDisabled), 0})
}

func (s *session) domainFlags(ctx context.Context, args []string, m mask) error {
	if err := s.needAll(args); err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		if len(args) == 0 {
			n, err := c.mark("domain", m)
			return c.some(n, err, "")
		}
		did, ok, err := c.first("domain", "did", eq("domain", args[0]))
		if err != nil {
			return err
		}
		if !ok {
			return c.pass(fail("ENOREC", "domain="+args[0]))
		}
		if m.on(0)&flagCanonical != 0 {
			if _, err := c.mark("domain", mask{^int64(flagCanonical), 0}, eq("did", did)); err != nil {
				return err
			}
		}
		_, err = c.mark("domain", m, eq("domain", args[0]))
		return err
	})
}

func domainRemove(s *session, ctx context.Context, args []string) error {
	if err := s.needAll(args); err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		if len(args) == 0 {
			return c.removeAllDomains()
		}
		if c.opt.flag("DID") {
			return c.removeDID(args[0])
		}
		did, ok, err := c.first("domain", "did", eq("domain", args[0]))
		if err != nil {
			return err
		}
		if !ok {
			return c.pass(fail("ENOREC", "domain="+args[0]))
		}
		if c.opt.flag("DEPTH") {
			return c.removeDID(did)
		}
		return c.removeDomain(did, args[0])
	})
}

// removeAllDomains is rm -f without a name.
func (c *change) removeAllDomains() error {
	dids, err := c.values("domain", "did")
	for _, did := range dids {
		if err == nil {
			err = c.removeDID(did)
		}
	}
	return err
}

// removeDomain marks a name as deleted; with the last one goes the did, with
// the canonical one another becomes that.
func (c *change) removeDomain(did, name string) error {
	others, err := c.has("domain", eq("did", did), cond{column: "domain", value: name, not: true})
	if err != nil {
		return err
	}
	if !others {
		return c.removeDID(did)
	}
	was, err := c.has("domain", eq("did", did), eq("domain", name), canonical)
	if err != nil {
		return err
	}
	if _, err := c.remove("domain", eq("did", did), eq("domain", name)); err != nil || !was {
		return err
	}
	next, _, err := c.first("domain", "domain", eq("did", did))
	if err != nil {
		return err
	}
	_, err = c.mark("domain", mask{-1, flagCanonical}, eq("did", did), eq("domain", next))
	return err
}

// removeDID marks all names of a did and its digest realm as deleted. While
// addresses or credentials live in it, it is EDOMAIN; with -f they go too.
func (c *change) removeDID(did string) error {
	for table, column := range map[string]string{"uri": "did", "credentials": "realm"} {
		used, err := c.has(table, eq(column, did))
		if err != nil {
			return err
		}
		if used && !c.opt.force() {
			return fail("EDOMAIN", "did="+did)
		}
		if _, err := c.remove(table, eq(column, did)); err != nil {
			return err
		}
	}
	if _, err := c.remove("domain_attrs", eq("did", did), eq("name", "digest_realm")); err != nil {
		return err
	}
	n, err := c.remove("domain", eq("did", did))
	return c.some(n, err, "did="+did)
}
