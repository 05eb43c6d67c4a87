// Package kamdb keeps the users of a Kamailio database (5.0 and later): it is
// [db.Directory] on the tables subscriber, dbaliases, usr_preferences, grp and
// domain. Column by column:
//
//   - subscriber: username, domain; ha1 = MD5(username:domain:password), ha1b
//     the same of username@domain; password in clear only when asked. The
//     realm is always the domain, as with kamctl.
//   - domain: one row per name; did is the canonical name, so names with one
//     did are one domain. domain_attrs by did, type 0 integer, 2 string.
//   - dbaliases: alias_username@alias_domain leads to username@domain.
//   - usr_preferences: attribute, value; type 0 string, 1 integer (bit 0). A
//     uid other than user@domain is kept there as attribute "uid".
//   - grp: one row per user and group.
//
// last_modified is local time, in SQLite a Julian day (db.Dialect.Time).
// There is no place for global attributes and for disabled users.
package kamdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sipd/db"
	"sipd/schema"
)

// Directory is a Kamailio database.
type Directory struct {
	d     *db.DB
	found schema.Tables
}

var _ db.Directory = (*Directory)(nil)

// New takes a database whose tables, as found, are Kamailio's; schema.Require
// says whether they are.
func New(d *db.DB, found schema.Tables) *Directory { return &Directory{d: d, found: found} }

// Found are the tables as they were when the directory was made.
func (k *Directory) Found() schema.Tables { return k.found }

// versions are the numbers of the tables that are written here.
var versions = []schema.Need{{Table: "subscriber", Version: 7}, {Table: "domain", Version: 2}}

// Writable is a *[schema.MismatchError] when the tables have other version
// numbers than those that are written here.
func (k *Directory) Writable() error {
	for _, n := range versions {
		if err := k.found.Check(k.d.Source(), db.Auto, n); err != nil {
			return err
		}
	}
	return nil
}

// size is how long a value may be: as the column is, else as it should be.
func (k *Directory) size(table, column string) int {
	if n := k.found.Size(table, column); n > 0 {
		return n
	}
	return schema.Of(db.Kamailio).Size(table, column)
}

// Flavour implements db.Directory.
func (k *Directory) Flavour() db.Flavour { return db.Kamailio }

// DB implements db.Directory.
func (k *Directory) DB() *db.DB { return k.d }

// now is what to bind for last_modified.
func (k *Directory) now() any { return k.d.Time(time.Now(), time.Local) }

// check tells whether the address fits the columns of subscriber and dbaliases.
func (k *Directory) check(field string, a db.Address) error {
	if err := db.CheckUser(field, a.User); err != nil {
		return err
	}
	if err := db.CheckLength(field, a.User, k.size("subscriber", "username")); err != nil {
		return err
	}
	return k.checkDomain("domain of "+field, a.Domain)
}

func (k *Directory) checkDomain(field, name string) error {
	if err := db.CheckDomain(field, name); err != nil {
		return err
	}
	return db.CheckLength(field, name, k.size("domain", "domain"))
}

// needUser is ErrNoUser unless a is a subscriber.
func needUser(ctx context.Context, tx *db.Tx, a db.Address) error {
	ok, err := tx.Has(ctx, "SELECT 1 FROM subscriber WHERE username = ? AND domain = ?", a.User, a.Domain)
	if err == nil && !ok {
		err = noUser(a)
	}
	return err
}

func noUser(a db.Address) error { return fmt.Errorf("user %s: %w", a, db.ErrNoUser) }

// needDomain is ErrNoDomain unless the name is served here.
func needDomain(ctx context.Context, tx *db.Tx, name string) error {
	ok, err := tx.Has(ctx, "SELECT 1 FROM domain WHERE domain = ?", name)
	if err == nil && !ok {
		err = fmt.Errorf("domain %s: %w", name, db.ErrNoDomain)
	}
	return err
}

// free is ErrExists when the address is a user or an alias.
func free(ctx context.Context, tx *db.Tx, a db.Address) error {
	ok, err := tx.Has(ctx, "SELECT 1 FROM subscriber WHERE username = ? AND domain = ?", a.User, a.Domain)
	if err != nil {
		return err
	}
	if ok {
		return fmt.Errorf("user %s %w", a, db.ErrExists)
	}
	var owner db.Address
	switch err := tx.Get(ctx, &owner, "SELECT username AS user, domain FROM dbaliases WHERE alias_username = ? AND alias_domain = ? LIMIT 1", a.User, a.Domain); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s %w as alias of %s", a, db.ErrExists, owner)
}
