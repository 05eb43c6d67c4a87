package serdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"sipd/db"
)

// aclAttr is the user attribute whose values are the groups: this generation
// does not read the table grp.
const aclAttr = "acl"

func (s *Directory) write(ctx context.Context, fn func(*writer) error) error {
	return s.d.Tx(ctx, func(tx *db.Tx) error {
		return fn(&writer{Directory: s, tx: tx, domains: make(map[string]db.Domain), types: make(map[string]attrType)})
	})
}

// AddAlias implements db.Directory.
func (s *Directory) AddAlias(ctx context.Context, user, alias db.Address) error {
	return s.write(ctx, func(w *writer) error {
		uid, err := ownUID(ctx, w.tx, user)
		if err != nil {
			return err
		}
		return w.addAlias(ctx, uid, alias)
	})
}

func (w *writer) addAlias(ctx context.Context, uid string, alias db.Address) error {
	if err := w.check("alias", alias); err != nil {
		return err
	}
	d, err := w.domain(ctx, alias.Domain)
	if err != nil {
		return err
	}
	if err := free(ctx, w.tx, alias, d.DID); err != nil {
		return err
	}
	return w.insertURI(ctx, uid, d.DID, alias.User, uriFlags)
}

// RemoveAlias implements db.Directory.
func (s *Directory) RemoveAlias(ctx context.Context, alias db.Address) error {
	return s.write(ctx, func(w *writer) error {
		uid, err := uidAt(ctx, w.tx, alias)
		if errors.Is(err, db.ErrNoUser) {
			return fmt.Errorf("alias %s: %w", alias, db.ErrNoAlias)
		}
		if err != nil {
			return err
		}
		own, _, err := addressOf(ctx, w.tx, uid)
		if err != nil {
			return err
		}
		d, err := w.domain(ctx, alias.Domain)
		if err != nil {
			return err
		}
		if own.User == alias.User && own.Domain == d.Name {
			return fmt.Errorf("%s is the user's own address: %w", alias, db.ErrNoAlias)
		}
		_, err = w.tx.Exec(ctx, "DELETE FROM uri WHERE uid = ? AND username = ? AND did = ? AND scheme = 'sip'", uid, alias.User, d.DID)
		return err
	})
}

// Aliases implements db.Directory.
func (s *Directory) Aliases(ctx context.Context, f db.Filter) iter.Seq2[db.Alias, error] {
	return func(yield func(db.Alias, error) bool) {
		page := f.Pager()
		for u, err := range s.aliasOwners(ctx, f) {
			if err != nil {
				yield(db.Alias{}, err)
				return
			}
			for _, a := range u.Aliases {
				if f.Domain != "" && a.Domain != f.Domain {
					continue
				}
				if page.Take(a.String()) && !yield(db.Alias{Alias: a, User: u.Address}, nil) || page.Full() {
					return
				}
			}
		}
	}
}

// aliasOwners streams users that have more than one address, with these.
func (s *Directory) aliasOwners(ctx context.Context, f db.Filter) iter.Seq2[db.User, error] {
	return func(yield func(db.User, error) bool) {
		var uids []string
		err := s.d.View(ctx, func(tx *db.Tx) error {
			if f.User != (db.Address{}) {
				uid, err := uidAt(ctx, tx, f.User)
				uids = []string{uid}
				return err
			}
			return tx.Select(ctx, &uids, "SELECT uid FROM uri WHERE scheme = 'sip' AND "+alive("")+" GROUP BY uid HAVING count(*) > 1 ORDER BY uid")
		})
		if err != nil {
			if !errors.Is(err, db.ErrNoUser) {
				yield(db.User{}, err)
			}
			return
		}
		for _, uid := range uids {
			var u db.User
			err := s.d.View(ctx, func(tx *db.Tx) (err error) {
				u.Address, u.Aliases, err = addressOf(ctx, tx, uid)
				return err
			})
			if errors.Is(err, db.ErrNoUser) { // removed meanwhile
				continue
			}
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// attrType is a row of attr_types.
type attrType struct {
	RawType      int `db:"raw_type"`
	DefaultFlags int `db:"default_flags"`
}

// typeOf tells type and flags of a new attribute row. AttrAuto needs a row in
// attr_types; a type said aloud declares an attribute that has none, and must
// not contradict one that has.
func (w *writer) typeOf(ctx context.Context, a db.Attr) (attrType, error) {
	t, known := w.types[a.Name]
	if !known {
		err := w.tx.Get(ctx, &t, "SELECT raw_type, default_flags FROM attr_types WHERE name = ?", a.Name)
		switch {
		case errors.Is(err, sql.ErrNoRows) && a.Type == db.AttrAuto:
			return t, fmt.Errorf("attribute %s has no row in attr_types; give its type to declare it: %w", a.Name, db.ErrNoAttr)
		case errors.Is(err, sql.ErrNoRows):
			t = attrType{RawType: rawType(a.Type), DefaultFlags: attrFlags}
			if _, err := w.tx.Exec(ctx, "INSERT INTO attr_types (name, rich_type, raw_type, default_flags) VALUES (?, ?, ?, ?)",
				a.Name, a.Type.String(), t.RawType, t.DefaultFlags); err != nil {
				return t, err
			}
		case err != nil:
			return t, err
		}
		w.types[a.Name] = t
	}
	if a.Type != db.AttrAuto && rawType(a.Type) != t.RawType && (t.RawType == 2 || a.Type == db.AttrString) {
		return t, &db.FieldError{Field: "attribute", Value: a.Name, Why: "is declared as " + typeName(t.RawType).String() + ", not " + a.Type.String()}
	}
	return t, nil
}

// DeclaredType is the type that attr_types gives an attribute; AttrAuto when
// it has no row for the name.
func (s *Directory) DeclaredType(ctx context.Context, name string) (db.AttrType, error) {
	var raw int
	err := s.d.View(ctx, func(tx *db.Tx) error {
		return tx.Get(ctx, &raw, "SELECT raw_type FROM attr_types WHERE name = ?", name)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return db.AttrAuto, nil
	case err != nil:
		return db.AttrAuto, err
	}
	return typeName(raw), nil
}

// rawType is the code of the type columns: only 2 is a string.
func rawType(t db.AttrType) int {
	if t == db.AttrInt {
		return 0
	}
	return 2
}

func typeName(raw int) db.AttrType {
	if raw == 2 {
		return db.AttrString
	}
	return db.AttrInt
}

// prepareAttr checks the attribute and gives its type and flags.
func (w *writer) prepareAttr(ctx context.Context, table string, a db.Attr) (attrType, error) {
	name, value := w.size(table, "name"), w.size(table, "value")
	if err := a.Check(name, value); err != nil {
		return attrType{}, err
	}
	t, err := w.typeOf(ctx, a)
	if err != nil {
		return t, err
	}
	a.Type = typeName(t.RawType)
	if a.Type == db.AttrInt && strings.HasPrefix(a.Value, "-") {
		return t, &db.FieldError{Field: "value of " + a.Name, Value: a.Value, Why: "is negative; the ser flavour reads integers without a sign"}
	}
	return t, a.Check(name, value)
}

func (w *writer) insertUserAttr(ctx context.Context, uid string, a db.Attr) error {
	if a.Name == created {
		return &db.FieldError{Field: "attribute", Value: a.Name, Why: "is kept by the directory itself"}
	}
	t, err := w.prepareAttr(ctx, "user_attrs", a)
	if err != nil {
		return err
	}
	return w.insertAttrRow(ctx, uid, a.Name, t.RawType, a.Value, t.DefaultFlags)
}

func (w *writer) insertAttrRow(ctx context.Context, uid, name string, raw int, value string, flags int) error {
	_, err := w.tx.Exec(ctx, "INSERT INTO user_attrs (uid, name, value, type, flags) VALUES (?, ?, ?, ?, ?)", uid, name, value, raw, flags)
	return err
}

// place is where the attributes of an owner stand.
type place struct {
	table, where string
	args         []any
	owner        string // column of the owner, "" for global
}

func (s *Directory) placeOf(ctx context.Context, tx *db.Tx, o db.Owner) (place, error) {
	switch {
	case o.User != db.Address{}:
		uid, err := uidAt(ctx, tx, o.User)
		return place{table: "user_attrs", where: "uid = ?", args: []any{uid}, owner: "uid"}, err
	case o.Domain != "":
		d, err := findDomain(ctx, tx, o.Domain)
		return place{table: "domain_attrs", where: "did = ?", args: []any{d.DID}, owner: "did"}, err
	}
	return place{table: "global_attrs", where: "1 = 1"}, nil
}

// changed tells the server's timer about it, where it listens.
func (s *Directory) changed(ctx context.Context, tx *db.Tx, p place) error {
	switch p.table {
	case "domain_attrs":
		return s.domainsChanged(ctx, tx)
	case "global_attrs":
		return s.touch(ctx, tx, "gattr_timestamp")
	}
	return nil
}

// SetAttrs implements db.Directory.
func (s *Directory) SetAttrs(ctx context.Context, o db.Owner, attrs ...db.Attr) error {
	return s.write(ctx, func(w *writer) error {
		p, err := s.placeOf(ctx, w.tx, o)
		if err != nil {
			return err
		}
		cleared := make(map[string]bool)
		for _, a := range attrs {
			if a.Name == created && p.table == "user_attrs" {
				return &db.FieldError{Field: "attribute", Value: a.Name, Why: "is kept by the directory itself"}
			}
			t, err := w.prepareAttr(ctx, p.table, a)
			if err != nil {
				return err
			}
			if !cleared[a.Name] {
				cleared[a.Name] = true
				if _, err := w.tx.Exec(ctx, "DELETE FROM "+p.table+" WHERE "+p.where+" AND name = ?", with(p.args, a.Name)...); err != nil {
					return err
				}
			}
			if err := w.insertOwned(ctx, p, a, t); err != nil {
				return err
			}
		}
		return s.changed(ctx, w.tx, p)
	})
}

// insertOwned writes one value of an attribute.
func (w *writer) insertOwned(ctx context.Context, p place, a db.Attr, t attrType) error {
	columns, marks := "name, value, type, flags", "?, ?, ?, ?"
	if p.owner != "" {
		columns, marks = p.owner+", "+columns, "?, "+marks
	}
	_, err := w.tx.Exec(ctx, "INSERT INTO "+p.table+" ("+columns+") VALUES ("+marks+")", with(p.args, a.Name, a.Value, t.RawType, t.DefaultFlags)...)
	return err
}

// AddAttr implements db.Directory.
func (s *Directory) AddAttr(ctx context.Context, o db.Owner, attrs ...db.Attr) error {
	return s.write(ctx, func(w *writer) error {
		p, err := s.placeOf(ctx, w.tx, o)
		if err != nil {
			return err
		}
		for _, a := range attrs {
			if err := w.addOwned(ctx, p, a); err != nil {
				return err
			}
		}
		return s.changed(ctx, w.tx, p)
	})
}

// addOwned gives an owner a value that it does not have.
func (w *writer) addOwned(ctx context.Context, p place, a db.Attr) error {
	if a.Name == created && p.table == "user_attrs" {
		return &db.FieldError{Field: "attribute", Value: a.Name, Why: "is kept by the directory itself"}
	}
	t, err := w.prepareAttr(ctx, p.table, a)
	if err != nil {
		return err
	}
	where := " FROM " + p.table + " WHERE " + p.where + " AND name = ? AND value = ?"
	has, err := w.tx.Has(ctx, "SELECT 1"+where+" AND "+alive(""), with(p.args, a.Name, a.Value)...)
	if err != nil {
		return err
	}
	if has {
		return fmt.Errorf("attribute %s with this value %w", a.Name, db.ErrExists)
	}
	// One marked as deleted holds its place in the unique index.
	if _, err := w.tx.Exec(ctx, "DELETE"+where, with(p.args, a.Name, a.Value)...); err != nil {
		return err
	}
	return w.insertOwned(ctx, p, a, t)
}

// with appends to a copy.
func with(args []any, more ...any) []any {
	return append(append(make([]any, 0, len(args)+len(more)), args...), more...)
}

// RemoveAttr implements db.Directory.
func (s *Directory) RemoveAttr(ctx context.Context, o db.Owner, name string, value *string) (int, error) {
	n := 0
	err := s.write(ctx, func(w *writer) error {
		p, err := s.placeOf(ctx, w.tx, o)
		if err != nil {
			return err
		}
		if name == created && p.table == "user_attrs" {
			return &db.FieldError{Field: "attribute", Value: name, Why: "makes the user exist; to remove the user: sipctl user rm"}
		}
		query, args := "DELETE FROM "+p.table+" WHERE "+p.where+" AND name = ?", with(p.args, name)
		if value != nil {
			query, args = query+" AND value = ?", append(args, *value)
		}
		n, err = w.tx.Exec(ctx, query, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("attribute %s: %w", name, db.ErrNoAttr)
		}
		return s.changed(ctx, w.tx, p)
	})
	return n, err
}

// Attrs implements db.Directory.
func (s *Directory) Attrs(ctx context.Context, o db.Owner, name string) ([]db.Attr, error) {
	var out []db.Attr
	err := s.d.View(ctx, func(tx *db.Tx) error {
		p, err := s.placeOf(ctx, tx, o)
		if err != nil {
			return err
		}
		out, err = readAttrs(ctx, tx, p, name)
		return err
	})
	return out, err
}

// readAttrs reads undeleted rows; the table has no age, so values of one name
// come sorted.
func readAttrs(ctx context.Context, tx *db.Tx, p place, name string) ([]db.Attr, error) {
	query, args := "SELECT name, value, type FROM "+p.table+" WHERE "+p.where+" AND "+alive(""), p.args
	if name != "" {
		query, args = query+" AND name = ?", with(args, name)
	}
	var rows []struct {
		Name  string
		Value db.Text
		Type  int
	}
	if err := tx.Select(ctx, &rows, query+" ORDER BY name, value", args...); err != nil {
		return nil, err
	}
	out := make([]db.Attr, len(rows))
	for i, r := range rows {
		out[i] = db.Attr{Name: r.Name, Type: typeName(r.Type), Value: string(r.Value)}
	}
	return out, nil
}

// Grant implements db.Directory.
func (s *Directory) Grant(ctx context.Context, a db.Address, groups ...string) (int, error) {
	n := 0
	err := s.write(ctx, func(w *writer) error {
		uid, err := uidAt(ctx, w.tx, a)
		if err != nil {
			return err
		}
		n, err = w.grant(ctx, uid, groups)
		return err
	})
	return n, err
}

func (w *writer) grant(ctx context.Context, uid string, groups []string) (int, error) {
	n := 0
	for _, g := range groups {
		if err := db.CheckGroup(g, w.size("user_attrs", "value")); err != nil {
			return 0, err
		}
		has, err := w.tx.Has(ctx, "SELECT 1 FROM user_attrs WHERE uid = ? AND name = ? AND value = ? AND "+alive(""), uid, aclAttr, g)
		if err != nil {
			return 0, err
		}
		if has {
			continue
		}
		// One marked as deleted holds its place in the unique index.
		if _, err := w.tx.Exec(ctx, "DELETE FROM user_attrs WHERE uid = ? AND name = ? AND value = ?", uid, aclAttr, g); err != nil {
			return 0, err
		}
		if err := w.insertUserAttr(ctx, uid, db.Attr{Name: aclAttr, Type: db.AttrString, Value: g}); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Revoke implements db.Directory.
func (s *Directory) Revoke(ctx context.Context, a db.Address, groups ...string) (int, error) {
	n := 0
	err := s.write(ctx, func(w *writer) error {
		n = 0
		uid, err := uidAt(ctx, w.tx, a)
		if err != nil {
			return err
		}
		if len(groups) == 0 {
			n, err = w.tx.Exec(ctx, "DELETE FROM user_attrs WHERE uid = ? AND name = ?", uid, aclAttr)
			return err
		}
		for _, g := range groups {
			m, err := w.tx.Exec(ctx, "DELETE FROM user_attrs WHERE uid = ? AND name = ? AND value = ?", uid, aclAttr, g)
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
func (s *Directory) Groups(ctx context.Context, a db.Address) ([]string, error) {
	var out []string
	err := s.d.View(ctx, func(tx *db.Tx) error {
		uid, err := uidAt(ctx, tx, a)
		if err != nil {
			return err
		}
		return tx.Select(ctx, &out, "SELECT DISTINCT value FROM user_attrs WHERE uid = ? AND name = ? AND "+alive("")+" ORDER BY value", uid, aclAttr)
	})
	return out, err
}
