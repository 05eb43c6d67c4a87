package serctl

import (
	"context"
	"strconv"
	"strings"
)

func attrModule() module {
	return module{
		"add":   {2, -1, "identificator attr", func(s *session, ctx context.Context, args []string) error { return s.attrChange(ctx, args, false) }, "add values: <id> <attr>=<value>..."},
		"set":   {2, -1, "identificator attr", func(s *session, ctx context.Context, args []string) error { return s.attrChange(ctx, args, true) }, "replace all values: <id> <attr>=<value>..."},
		"rm":    {2, 3, "identificator attr value", attrRemove, "remove values"},
		"show":  {0, 1, "identificator", attrShow, "show values; <id> is global, uid=, did=, user=<uri>, domain=<name>, types"},
		"purge": {0, 0, "", func(s *session, ctx context.Context, _ []string) error { return s.purgeTables(ctx, attrTables...) }, "take away what is marked"},
	}
}

var attrTables = []string{"user_attrs", "domain_attrs", "global_attrs"}

// attrKind is one of the tables of attributes.
type attrKind struct {
	table, owner string // owner is the column that says whose, "" for everyone's
	columns      []string
}

var (
	userAttrs   = attrKind{"user_attrs", "uid", userAttrColumns}
	domainAttrs = attrKind{"domain_attrs", "did", domainAttrColumns}
	globalAttrs = attrKind{"global_attrs", "", globalAttrColumns}
	attrTypes   = attrKind{"attr_types", "", attrTypeColumns}
)

// attrOwner reads an identificator: global, uid=UID, did=DID, user=URI,
// domain=NAME or types, each as short as it stays clear. An owner of "" is all.
func (c *change) attrOwner(ident string) (attrKind, string, error) {
	word, id, _ := strings.Cut(ident, "=")
	switch {
	case strings.HasPrefix(word, "g"):
		return globalAttrs, "", nil
	case strings.HasPrefix(word, "t"):
		return attrTypes, "", nil
	case strings.HasPrefix(word, "ui"):
		return userAttrs, id, nil
	case strings.HasPrefix(word, "di"):
		return domainAttrs, id, nil
	case strings.HasPrefix(word, "us"):
		if id == "" {
			return userAttrs, "", nil
		}
		uid, err := c.uidOf(id)
		return userAttrs, uid, err
	case strings.HasPrefix(word, "do"):
		if id == "" {
			return domainAttrs, "", nil
		}
		did, ok, err := c.first("domain", "did", eq("domain", id))
		if err == nil && !ok {
			err = fail("ENOREC", "domain="+id)
		}
		return domainAttrs, did, err
	}
	return attrKind{}, "", fail("EINVAL", ident)
}

func (k attrKind) of(owner string) []cond {
	if k.owner == "" || owner == "" {
		return nil
	}
	return []cond{eq(k.owner, owner)}
}

// one wants an identificator that names an owner.
func (c *change) one(ident string) (attrKind, string, error) {
	k, owner, err := c.attrOwner(ident)
	if err == nil && (owner == "" && k.owner != "" || k.table == "attr_types") {
		err = fail("EINVAL", ident)
	}
	return k, owner, err
}

func (s *session) attrChange(ctx context.Context, args []string, replace bool) error {
	m, err := s.flagMask()
	if err != nil {
		return err
	}
	pairs, err := attrPairs(args[1:])
	if err != nil {
		return err
	}
	return s.change(ctx, func(c *change) error {
		k, owner, err := c.one(args[0])
		if err != nil {
			return err
		}
		if replace {
			for _, p := range pairs {
				if err := c.dropAttr(k, owner, p[0]); err != nil {
					return err
				}
			}
		}
		for _, p := range pairs {
			if err := c.addAttr(k, owner, p[0], p[1], m); err != nil {
				return err
			}
		}
		return nil
	})
}

// attrPairs reads NAME=VALUE. Names are in lower case, as the elder makes them.
func attrPairs(args []string) ([][2]string, error) {
	var out [][2]string
	for _, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return nil, fail("EMISMATCH", strings.Join(args, " "))
		}
		out = append(out, [2]string{strings.ToLower(name), value})
	}
	return out, nil
}

// addAttr writes a value. Type and flags of the row are those of the attribute
// in attr_types; one that is not there is EATTR.
func (c *change) addAttr(k attrKind, owner, name, value string, m mask) error {
	if value == "" {
		return c.pass(fail("ENOVAL", name))
	}
	typ, known, err := c.first("attr_types", "raw_type", eq("name", name))
	if err != nil {
		return err
	}
	if !known {
		return c.pass(fail("EATTR", name))
	}
	text, _, err := c.first("attr_types", "default_flags", eq("name", name))
	if err != nil {
		return err
	}
	flags, _ := strconv.ParseInt(text, 10, 64) // NULL is none
	row := map[string]string{"name": name, "type": typ, "value": value, "flags": number(m.on(flags))}
	if k.owner != "" {
		row[k.owner] = owner
	}
	return c.insert(k.table, row)
}

// dropAttr takes the live values of an attribute away, for good.
func (c *change) dropAttr(k attrKind, owner, name string, more ...cond) error {
	conds := append(k.of(owner), append([]cond{eq("name", name)}, more...)...)
	if _, err := c.remove(k.table, conds...); err != nil {
		return err
	}
	return c.purge(k.table, conds...)
}

func attrRemove(s *session, ctx context.Context, args []string) error {
	return s.change(ctx, func(c *change) error {
		k, owner, err := c.one(args[0])
		if err != nil {
			return err
		}
		var more []cond
		about := "attr=" + args[1]
		if k.owner != "" {
			about = k.owner + "=" + owner + " " + about
		}
		if len(args) == 3 {
			more, about = []cond{eq("value", args[2])}, about+" value="+args[2]
		}
		exists, err := c.has(k.table, append(append(k.of(owner), eq("name", args[1])), more...)...)
		if err != nil {
			return err
		}
		if !exists {
			return c.pass(fail("ENOREC", about))
		}
		return c.dropAttr(k, owner, args[1], more...)
	})
}

func attrShow(s *session, ctx context.Context, args []string) error {
	if len(args) == 0 {
		return s.attrShowAll(ctx)
	}
	var k attrKind
	var owner string
	err := s.look(ctx, func(c *change) (err error) {
		k, owner, err = c.attrOwner(args[0])
		return err
	})
	if err != nil {
		return err
	}
	return s.showTable(ctx, k.table, k.columns, k.of(owner)...)
}

// attrShowAll merges the three tables.
func (s *session) attrShowAll(ctx context.Context) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	all := []string{"did", "uid", "name", "type", "value", "flags"}
	columns, err := v.choose(all)
	if err != nil {
		return err
	}
	place := make(map[string]int)
	for i, n := range all {
		place[n] = i
	}
	full := v
	full.columns = nil
	var out [][]string
	for _, k := range []attrKind{userAttrs, domainAttrs, globalAttrs} {
		rows, _, err := s.fetch(ctx, full, k.table, k.columns)
		if err != nil {
			return err
		}
		for _, r := range rows {
			switch k.owner {
			case "uid":
				r = append([]string{""}, r...)
			case "did":
				r = append([]string{r[0], ""}, r[1:]...)
			default:
				r = append([]string{"GLOBAL", "GLOBAL"}, r...)
			}
			var chosen []string
			for _, n := range columns {
				chosen = append(chosen, r[place[n]])
			}
			out = append(out, chosen)
		}
	}
	s.print(v, out, columns)
	return nil
}
