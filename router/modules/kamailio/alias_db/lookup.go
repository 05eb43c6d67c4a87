package aliasdb

import (
	"context"
	"fmt"
	"strings"

	"sipd/db"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// The bits of a statement's number, and of the flags of a call.
const (
	withDomain = 1 << iota
	reverse
)

// mostRows bounds what one alias may stand for.
const mostRows = 64

// statements are those of one table, by withDomain and reverse.
func (a *aliasDB) statements(table string) []*db.Stmt {
	list := make([]*db.Stmt, 4)
	for i := range list {
		result, key := []string{a.user, a.domain}, []string{a.aliasUser, a.aliasDomain}
		if i&reverse != 0 {
			result, key = key, result
		}
		if i&withDomain == 0 {
			key = key[:1]
		}
		list[i] = a.conn.Select(table, result, key, fmt.Sprint("LIMIT ", mostRows))
	}
	return list
}

func (a *aliasDB) require(table string) error {
	return a.conn.RequireColumns(table, a.user, a.domain, a.aliasUser, a.aliasDomain)
}

// flags reads argument i: d without the domain, u with it, r the other way round.
func (a *aliasDB) flags(args module.Args, i int) (int, error) {
	n := 0
	if a.useDomain {
		n = withDomain
	}
	if !args.Has(i) {
		return n, nil
	}
	for _, f := range args[i].Const.Text() {
		switch f {
		case 'd':
			n &^= withDomain
		case 'u':
			n |= withDomain
		case 'r':
			n |= reverse
		case ' ':
		default:
			return 0, &module.ArgError{I: i, Err: fmt.Errorf("flags are d (without domain), u (with domain), r (user to alias), not %q", f)}
		}
	}
	return n, nil
}

// strip takes the prefix off a domain that has more than it.
func (a *aliasDB) strip(domain string) string {
	if n := len(a.prefix); n > 0 && n < len(domain) && strings.EqualFold(domain[:n], a.prefix) {
		domain = domain[n:]
	}
	return strings.ToLower(domain)
}

// find calls each with the URI of every row; it says whether there was one.
func (a *aliasDB) find(c *run.Context, s *db.Stmt, flags int, u *sip.URI, each func(i int, uri string)) bool {
	args := append(make([]any, 0, 2), u.User)
	if flags&withDomain != 0 {
		args = append(args, a.strip(u.Host))
	}
	n := 0
	err := s.Each(context.Background(), args, func(scan func(...any) error) error {
		var user, domain db.Text
		if err := scan(&user, &domain); err != nil {
			return err
		}
		uri := "sip:" + string(user) + "@" + string(domain)
		if user == "" || domain == "" {
			return nil // a row that names nobody
		}
		if _, err := sip.ParseURI(uri); err != nil {
			return fmt.Errorf("a row gives %q: %w", uri, err)
		}
		each(n, uri)
		n++
		return nil
	})
	if err != nil {
		a.failed.Log(c, err)
	}
	return n > 0
}

// newLookup compiles alias_db_lookup.
func (a *aliasDB) newLookup(args module.Args) (run.Func, error) {
	flags, err := a.flags(args, 1)
	if err != nil {
		return nil, err
	}
	table, err := a.tables.Compile(args, 0, a.require)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		list, err := table(c)
		if err != nil {
			a.failed.Log(c, err)
			return -1
		}
		u, err := c.ParsedRURI()
		if err != nil || u.User == "" {
			return -1
		}
		found := a.find(c, list[flags], flags, u, func(i int, uri string) {
			if i == 0 {
				c.SetRURI(uri)
			} else if a.appendOthers {
				c.AddBranch(run.Branch{URI: uri, Q: run.QUnset})
			}
		})
		if !found {
			return -1
		}
		return 1
	}, nil
}

// newFind compiles alias_db_find. With append_branches the variable is assigned
// every row in turn: an attribute then has them all, the last row on top.
func (a *aliasDB) newFind(args module.Args) (run.Func, error) {
	flags, err := a.flags(args, 3)
	if err != nil {
		return nil, err
	}
	table, err := a.tables.Compile(args, 0, a.require)
	if err != nil {
		return nil, err
	}
	set := args[2].Var.Set
	return func(c *run.Context) int {
		list, err := table(c)
		if err != nil {
			a.failed.Log(c, err)
			return -1
		}
		u, err := sip.ParseURI(args.Str(c, 1))
		if err != nil {
			return -1
		}
		done := true
		found := a.find(c, list[flags], flags, &u, func(i int, uri string) {
			if i == 0 || a.appendOthers {
				done = set(c, run.Str(uri)) && done
			}
		})
		if !found || !done {
			return -1
		}
		return 1
	}, nil
}
