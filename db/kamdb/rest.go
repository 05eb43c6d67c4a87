package kamdb

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"sipd/db"
)

// AddAlias implements db.Directory.
func (k *Directory) AddAlias(ctx context.Context, user, alias db.Address) error {
	return k.d.Tx(ctx, func(tx *db.Tx) error {
		if err := needUser(ctx, tx, user); err != nil {
			return err
		}
		if err := k.check("alias", alias); err != nil {
			return err
		}
		if err := needDomain(ctx, tx, alias.Domain); err != nil {
			return err
		}
		return k.addAlias(ctx, tx, user, alias)
	})
}

func (k *Directory) addAlias(ctx context.Context, tx *db.Tx, user, alias db.Address) error {
	if err := k.check("alias", alias); err != nil {
		return err
	}
	if err := free(ctx, tx, alias); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO dbaliases (alias_username, alias_domain, username, domain) VALUES (?, ?, ?, ?)",
		alias.User, alias.Domain, user.User, user.Domain)
	return err
}

// RemoveAlias implements db.Directory.
func (k *Directory) RemoveAlias(ctx context.Context, alias db.Address) error {
	return k.d.Tx(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, "DELETE FROM dbaliases WHERE alias_username = ? AND alias_domain = ?", alias.User, alias.Domain)
		if err == nil && n == 0 {
			err = fmt.Errorf("alias %s: %w", alias, db.ErrNoAlias)
		}
		return err
	})
}

// Aliases implements db.Directory.
func (k *Directory) Aliases(ctx context.Context, f db.Filter) iter.Seq2[db.Alias, error] {
	query := "SELECT alias_username, alias_domain, username, domain FROM dbaliases WHERE 1 = 1"
	var args []any
	if f.User != (db.Address{}) {
		query, args = query+" AND username = ? AND domain = ?", append(args, f.User.User, f.User.Domain)
	}
	if f.Domain != "" {
		query, args = query+" AND alias_domain = ?", append(args, f.Domain)
	}
	scan := func(scan func(...any) error) (a db.Alias, err error) {
		err = scan(&a.Alias.User, &a.Alias.Domain, &a.User.User, &a.User.Domain)
		return a, err
	}
	return func(yield func(db.Alias, error) bool) {
		page := f.Pager()
		for a, err := range db.Rows(ctx, k.d, scan, query+" ORDER BY alias_domain, alias_username", args...) {
			if err != nil {
				yield(a, err)
				return
			}
			if page.Take(a.Alias.String()) && !yield(a, nil) || page.Full() {
				return
			}
		}
	}
}

// place is where the attributes of an owner stand.
type place struct {
	table, name string // column of the name
	where       string
	args        []any
	did         string // of a domain
	user        db.Address
}

// placeOf checks that the owner exists.
func (k *Directory) placeOf(ctx context.Context, tx *db.Tx, o db.Owner) (place, error) {
	switch {
	case o.User != db.Address{}:
		return place{
			table: "usr_preferences", name: "attribute", where: "username = ? AND domain = ?",
			args: []any{o.User.User, o.User.Domain}, user: o.User,
		}, needUser(ctx, tx, o.User)
	case o.Domain != "" && !k.found.Has("domain_attrs"):
		return place{}, fmt.Errorf("attributes of domain %s: there is no table domain_attrs: %w", o.Domain, db.ErrNotSupported)
	case o.Domain != "":
		d, err := findDomain(ctx, tx, o.Domain)
		return place{table: "domain_attrs", name: "name", where: "did = ?", args: []any{d.DID}, did: d.DID}, err
	}
	return place{}, fmt.Errorf("global attributes in the kamailio flavour: %w", db.ErrNotSupported)
}

// SetAttrs implements db.Directory.
func (k *Directory) SetAttrs(ctx context.Context, o db.Owner, attrs ...db.Attr) error {
	return k.d.Tx(ctx, func(tx *db.Tx) error {
		p, err := k.placeOf(ctx, tx, o)
		if err != nil {
			return err
		}
		cleared := make(map[string]bool)
		for _, a := range attrs {
			if !cleared[a.Name] {
				cleared[a.Name] = true
				if _, err := tx.Exec(ctx, "DELETE FROM "+p.table+" WHERE "+p.where+" AND "+p.name+" = ?", append(p.args, a.Name)...); err != nil {
					return err
				}
			}
			if p.did != "" {
				err = k.insertDomainAttr(ctx, tx, p.did, a)
			} else {
				err = k.insertAttr(ctx, tx, p.user, a)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// AddAttr implements db.Directory.
func (k *Directory) AddAttr(ctx context.Context, o db.Owner, attrs ...db.Attr) error {
	return k.d.Tx(ctx, func(tx *db.Tx) error {
		p, err := k.placeOf(ctx, tx, o)
		if err != nil {
			return err
		}
		for _, a := range attrs {
			has, err := tx.Has(ctx, "SELECT 1 FROM "+p.table+" WHERE "+p.where+" AND "+p.name+" = ? AND value = ?", append(slices.Clone(p.args), a.Name, a.Value)...)
			switch {
			case err != nil:
				return err
			case has:
				return fmt.Errorf("attribute %s with this value %w", a.Name, db.ErrExists)
			case p.did != "":
				err = k.insertDomainAttr(ctx, tx, p.did, a)
			default:
				err = k.insertAttr(ctx, tx, p.user, a)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// insertAttr writes a user's attribute with the type codes of avpops: bit 0
// says that the value is an integer.
func (k *Directory) insertAttr(ctx context.Context, tx *db.Tx, user db.Address, a db.Attr) error {
	if err := a.Check(k.size("usr_preferences", "attribute"), k.size("usr_preferences", "value")); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO usr_preferences (uuid, username, domain, attribute, type, value, last_modified) VALUES ('', ?, ?, ?, ?, ?, ?)",
		user.User, user.Domain, a.Name, typeCode(a), a.Value, k.now())
	return err
}

// insertDomainAttr writes a domain's attribute; here 2 is a string and 0 an
// integer, as in SER.
func (k *Directory) insertDomainAttr(ctx context.Context, tx *db.Tx, did string, a db.Attr) error {
	if err := a.Check(k.size("domain_attrs", "name"), k.size("domain_attrs", "value")); err != nil {
		return err
	}
	code := 2
	if a.Type == db.AttrInt {
		code = 0
	}
	_, err := tx.Exec(ctx, "INSERT INTO domain_attrs (did, name, type, value, last_modified) VALUES (?, ?, ?, ?, ?)",
		did, a.Name, code, a.Value, k.now())
	return err
}

// RemoveAttr implements db.Directory.
func (k *Directory) RemoveAttr(ctx context.Context, o db.Owner, name string, value *string) (int, error) {
	n := 0
	err := k.d.Tx(ctx, func(tx *db.Tx) error {
		p, err := k.placeOf(ctx, tx, o)
		if err != nil {
			return err
		}
		query, args := "DELETE FROM "+p.table+" WHERE "+p.where+" AND "+p.name+" = ?", append(p.args, name)
		if value != nil {
			query, args = query+" AND value = ?", append(args, *value)
		}
		n, err = tx.Exec(ctx, query, args...)
		if err == nil && n == 0 {
			err = fmt.Errorf("attribute %s: %w", name, db.ErrNoAttr)
		}
		return err
	})
	return n, err
}

// Attrs implements db.Directory.
func (k *Directory) Attrs(ctx context.Context, o db.Owner, name string) ([]db.Attr, error) {
	var out []db.Attr
	err := k.d.View(ctx, func(tx *db.Tx) error {
		p, err := k.placeOf(ctx, tx, o)
		if err != nil {
			return err
		}
		out, err = k.attrs(ctx, tx, p, name)
		return err
	})
	return out, err
}

func (k *Directory) userAttrs(ctx context.Context, tx *db.Tx, a db.Address, name string) ([]db.Attr, error) {
	return k.attrs(ctx, tx, place{
		table: "usr_preferences", name: "attribute",
		where: "username = ? AND domain = ?", args: []any{a.User, a.Domain},
	}, name)
}

func (k *Directory) attrs(ctx context.Context, tx *db.Tx, p place, name string) ([]db.Attr, error) {
	query, args := "SELECT "+p.name+" AS name, value, type FROM "+p.table+" WHERE "+p.where, p.args
	if name != "" {
		query, args = query+" AND "+p.name+" = ?", append(args, name)
	}
	var rows []struct {
		Name, Value string
		Type        int
	}
	if err := tx.Select(ctx, &rows, query+" ORDER BY "+p.name+", id", args...); err != nil {
		return nil, err
	}
	out := make([]db.Attr, len(rows))
	for i, r := range rows {
		out[i] = db.Attr{Name: r.Name, Type: db.AttrString, Value: r.Value}
		if p.table == "usr_preferences" && r.Type&1 != 0 || p.table == "domain_attrs" && r.Type != 2 {
			out[i].Type = db.AttrInt
		}
	}
	return out, nil
}

// Grant implements db.Directory.
func (k *Directory) Grant(ctx context.Context, a db.Address, groups ...string) (int, error) {
	n := 0
	err := k.d.Tx(ctx, func(tx *db.Tx) error {
		if err := needUser(ctx, tx, a); err != nil {
			return err
		}
		var err error
		n, err = k.grant(ctx, tx, a, groups)
		return err
	})
	return n, err
}

func (k *Directory) grant(ctx context.Context, tx *db.Tx, a db.Address, groups []string) (int, error) {
	n := 0
	for _, g := range groups {
		if err := db.CheckGroup(g, k.size("grp", "grp")); err != nil {
			return 0, err
		}
		has, err := tx.Has(ctx, "SELECT 1 FROM grp WHERE username = ? AND domain = ? AND grp = ?", a.User, a.Domain, g)
		if err != nil {
			return 0, err
		}
		if has {
			continue
		}
		if _, err := tx.Exec(ctx, "INSERT INTO grp (username, domain, grp, last_modified) VALUES (?, ?, ?, ?)", a.User, a.Domain, g, k.now()); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Revoke implements db.Directory.
func (k *Directory) Revoke(ctx context.Context, a db.Address, groups ...string) (int, error) {
	n := 0
	err := k.d.Tx(ctx, func(tx *db.Tx) error {
		n = 0
		if err := needUser(ctx, tx, a); err != nil {
			return err
		}
		if len(groups) == 0 {
			var err error
			n, err = tx.Exec(ctx, "DELETE FROM grp WHERE username = ? AND domain = ?", a.User, a.Domain)
			return err
		}
		for _, g := range groups {
			m, err := tx.Exec(ctx, "DELETE FROM grp WHERE username = ? AND domain = ? AND grp = ?", a.User, a.Domain, g)
			if err != nil {
				return err
			}
			n += m
		}
		return nil
	})
	return n, err
}

// Groups implements db.Directory.
func (k *Directory) Groups(ctx context.Context, a db.Address) ([]string, error) {
	var out []string
	err := k.d.View(ctx, func(tx *db.Tx) error {
		if err := needUser(ctx, tx, a); err != nil {
			return err
		}
		return tx.Select(ctx, &out, "SELECT grp FROM grp WHERE username = ? AND domain = ? ORDER BY grp", a.User, a.Domain)
	})
	return out, err
}
