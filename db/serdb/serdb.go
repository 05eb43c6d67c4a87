// Package serdb keeps the users of a SER database of the uid flavour: it is
// [db.Directory] on the tables domain, uri, credentials and the attributes.
// Column by column:
//
//   - domain: one row per name; rows of one did are one domain, the canonical
//     row has flag 4. Its attribute digest_realm is the realm of its users.
//   - user_attrs: a user exists when an undeleted row has the uid; ours is
//     datetime_created (UTC). Rows "acl" are the groups.
//   - uri: every address of a user, by username and did; flags say that it may
//     stand in To and From and which one is canonical.
//   - credentials: auth_username and realm; ha1 = MD5(user:realm:password),
//     ha1b the same of user@domain; password in clear only when asked.
//   - attr_types: which attributes there are, with type and flags of new rows.
//
// The uid is user@domain, as serctl's id type "uri" makes it; a longer one
// than 64 characters becomes the UUID version 5 of the SIP URI.
//
// Rows that serctl marked as deleted (flag 128) are not there for us, and go
// when something new takes their place; what we remove is removed. The servers
// reload domains and global attributes by themselves when
// domain_data_version and gattr_timestamp say so: every change sets them.
package serdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sipd/db"
	"sipd/schema"
)

// Bits of the flags columns, and what new rows get.
const (
	flagServer    = 1  // the server loads the row
	flagDisabled  = 2  // switched off
	flagCanonical = 4  // the name or address to show
	flagTo        = 8  // may be called
	flagFrom      = 16 // may be the caller's
	flagWeb       = 32 // for the web interface
	flagDeleted   = 128

	domainFlags     = flagServer | flagWeb
	credentialFlags = flagServer | flagWeb
	attrFlags       = flagServer | flagWeb
	uriFlags        = flagServer | flagTo | flagFrom | flagWeb
)

// alive is the condition that a row is not marked as deleted.
func alive(prefix string) string {
	return "(" + prefix + "flags & " + strconv.Itoa(flagDeleted) + ") = 0"
}

const created = "datetime_created"

// Directory is a SER database.
type Directory struct {
	d     *db.DB
	found schema.Tables
}

var _ db.Directory = (*Directory)(nil)

// New takes a database whose tables, as found, are SER's; schema.Require says
// whether they are.
func New(d *db.DB, found schema.Tables) *Directory { return &Directory{d: d, found: found} }

// Found are the tables as they were when the directory was made.
func (s *Directory) Found() schema.Tables { return s.found }

// size is how long a value may be: as the column is, else as it should be.
func (s *Directory) size(table, column string) int {
	if n := s.found.Size(table, column); n > 0 {
		return n
	}
	return schema.Of(db.SER).Size(table, column)
}

// Flavour implements db.Directory.
func (s *Directory) Flavour() db.Flavour { return db.SER }

// DB implements db.Directory.
func (s *Directory) DB() *db.DB { return s.d }

// check tells whether the address fits the columns.
func (s *Directory) check(field string, a db.Address) error {
	if err := db.CheckUser(field, a.User); err != nil {
		return err
	}
	if err := db.CheckLength(field, a.User, s.size("uri", "username")); err != nil {
		return err
	}
	return s.checkDomain("domain of "+field, a.Domain)
}

func (s *Directory) checkDomain(field, name string) error {
	if err := db.CheckDomain(field, name); err != nil {
		return err
	}
	return db.CheckLength(field, name, s.size("domain", "domain"))
}

func noUser(a db.Address) error { return fmt.Errorf("user %s: %w", a, db.ErrNoUser) }

// uidAt finds whose address a is: own or alias, in any name of the domain.
// ErrNoUser.
func uidAt(ctx context.Context, tx *db.Tx, a db.Address) (string, error) {
	var uid string
	err := tx.Get(ctx, &uid, `SELECT u.uid FROM uri AS u JOIN domain AS d ON d.did = u.did
		WHERE u.username = ? AND d.domain = ? AND u.scheme = 'sip' AND `+alive("u.")+" AND "+alive("d.")+`
		ORDER BY (u.flags & 1) DESC, (u.flags & 2) LIMIT 1`, a.User, a.Domain)
	if errors.Is(err, sql.ErrNoRows) {
		err = noUser(a)
	}
	return uid, err
}

// free is ErrExists when somebody has the address in the domain.
func free(ctx context.Context, tx *db.Tx, a db.Address, did string) error {
	var uid string
	err := tx.Get(ctx, &uid, "SELECT uid FROM uri WHERE username = ? AND did = ? AND scheme = 'sip' AND "+alive("")+" LIMIT 1", a.User, did)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case uid == a.String():
		return fmt.Errorf("user %s %w", a, db.ErrExists)
	}
	return fmt.Errorf("%s %w as address of %s", a, db.ErrExists, uid)
}

// touch sets the time of the last change, which the server's timer compares.
func (s *Directory) touch(ctx context.Context, tx *db.Tx, name string) error {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	n, err := tx.Exec(ctx, "UPDATE global_attrs SET value = ? WHERE name = ?", now, name)
	if err == nil && n == 0 {
		_, err = tx.Exec(ctx, "INSERT INTO global_attrs (name, type, value, flags) VALUES (?, 0, ?, ?)", name, now, attrFlags)
	}
	return err
}

// Touch is for changes that were made beside the directory: name is
// domain_data_version or gattr_timestamp.
func (s *Directory) Touch(ctx context.Context, tx *db.Tx, name string) error {
	return s.touch(ctx, tx, name)
}

func (s *Directory) domainsChanged(ctx context.Context, tx *db.Tx) error {
	return s.touch(ctx, tx, "domain_data_version")
}

// remove deletes the rows of a table that the condition names and counts them.
func remove(ctx context.Context, tx *db.Tx, counts db.Counts, table, where string, args ...any) error {
	n, err := tx.Exec(ctx, "DELETE FROM "+tx.Quote(table)+" WHERE "+where, args...)
	counts.Add(table, n)
	return err
}
