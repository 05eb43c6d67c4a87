package serctl

import (
	"context"
	"fmt"
	"slices"
)

// ctlModule is the one for people: what spans several tables, and the server.
func ctlModule() module {
	return module{
		"alias":    {2, -1, "command uri alias", ctlAlias, "add <uri> <alias>..., rm <alias>..."},
		"attrs":    {2, -1, "command uri attr", ctlAttrs, "set <uri> <attr>=<value>..."},
		"domain":   {1, -1, "command domain", ctlDomain, "add <domain> [<alias>...], rm <domain>..., show [<domain>]"},
		"password": {1, 2, "uri password", ctlPassword, "change a password"},
		"user":     {2, -1, "command uri alias", ctlUser, "add <uri> [<alias>...], rm <uri>, show <uri>"},
		"usrloc":   {2, -1, "command uri contact", ctlUsrloc, "add <uri> <contact> [expires=] [q=] [flags=], show <uri>, rm <uri> [<contact>]"},
		"purge": {0, 0, "", func(s *session, ctx context.Context, _ []string) error {
			return s.purgeTables(ctx, append([]string{"uri", "credentials", "domain"}, attrTables...)...)
		}, "take away all rows marked as deleted"},
		"kill":     {0, 1, "sig", ctlKill, "end the server"},
		"ps":       {0, 0, "", ctlPs, "its processes"},
		"reload":   {0, 0, "", ctlReload, "call every reload method, on all servers"},
		"stat":     {0, -1, "module", ctlStat, "its statistics"},
		"uptime":   {0, 0, "", ctlUptime, "since when it runs"},
		"version":  {0, 0, "", ctlVersion, "its version"},
		"methods":  {0, 0, "", ctlMethods, "its methods (list_methods)"},
		"list_tls": {0, 0, "", ctlTLS, "its TLS connections"},
		"publish":  {3, 4, "uid file_with_PIDF_doc expires_in_sec etag", ctlPublish, "publish presence"},
	}
}

// uniq are the texts in order, each once, without those in not.
func uniq(texts []string, not ...string) []string {
	var out []string
	for _, t := range texts {
		if !slices.Contains(out, t) && !slices.Contains(not, t) {
			out = append(out, t)
		}
	}
	return out
}

func ctlDomain(s *session, ctx context.Context, args []string) error {
	names := args[1:]
	switch words()[args[0]] {
	case "add":
		if len(names) == 0 {
			return fail("ENOARG", "domain")
		}
		if err := s.change(ctx, func(c *change) error { return c.newDomain(names[0], uniq(names[1:], names[0])) }); err != nil {
			return err
		}
		return s.reloadDomains(ctx)
	case "rm":
		if err := s.change(ctx, func(c *change) error { return c.dropDomains(uniq(names)) }); err != nil {
			return err
		}
		return s.reloadDomains(ctx)
	case "show":
		if len(names) > 1 {
			names = names[:1]
		}
		return domainShow(s, ctx, names)
	}
	return fail("EINVAL", args[0])
}

// reloadDomains tells the server. What is stored stays stored when it cannot
// be told, and the message says so.
func (s *session) reloadDomains(ctx context.Context) error {
	if _, err := s.call(ctx, "domain.reload"); err != nil {
		return fmt.Errorf("the change is stored, but the server did not read it: %w; when it runs: ser_ctl reload", err)
	}
	return nil
}

func (c *change) newDomain(name string, aliases []string) error {
	did, err := c.id(name, "domain", "did")
	if err != nil {
		return err
	}
	for _, taken := range []struct {
		column, value, about string
	}{{"did", did, "did=" + did}, {"domain", name, name}} {
		exists, err := c.has("domain", eq(taken.column, taken.value))
		if err != nil {
			return err
		}
		if exists && !c.opt.force() {
			return fail("EDOMAIN", taken.about)
		}
	}
	for _, alias := range aliases {
		exists, err := c.has("domain", eq("domain", alias))
		if err != nil {
			return err
		}
		if exists && !c.opt.force() {
			return fail("EDUPL", "did="+did+" domain="+alias)
		}
	}
	for _, n := range append([]string{name}, aliases...) {
		if err := c.addDomain(did, n, keep); err != nil {
			return err
		}
	}
	return nil
}

// dropDomains removes names, each with the addresses of its did and the
// credentials of its realm when it is the last one, and takes away what was
// marked for them and nothing else.
func (c *change) dropDomains(names []string) error {
	for _, name := range names {
		did, ok, err := c.first("domain", "did", eq("domain", name))
		if err != nil {
			return err
		}
		if !ok {
			if c.opt.force() {
				continue
			}
			return fail("ENODOMAIN", name)
		}
		for table, conds := range map[string][]cond{"uri": {eq("did", did)}, "credentials": {eq("realm", name)}} {
			others, err := c.has("domain", eq("did", did), cond{column: "domain", value: name, not: true})
			if err != nil {
				return err
			}
			if others && table == "uri" {
				continue // the addresses live on under the other names
			}
			if _, err := c.remove(table, conds...); err != nil {
				return err
			}
			if err := c.purge(table, conds...); err != nil {
				return err
			}
		}
		if err := c.removeDomain(did, name); err != nil {
			return err
		}
		for _, table := range []string{"domain", "domain_attrs", "uri"} {
			if err := c.purge(table, eq("did", did)); err != nil {
				return err
			}
		}
	}
	return nil
}
