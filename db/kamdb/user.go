package kamdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"sipd/db"
)

// Attributes that hold what subscriber has no column for.
const (
	uidAttr     = "uid"
	createdAttr = "datetime_created"
)

// ownAttrs are the attributes that hold what the table has no column for.
func ownAttrs(u db.NewUser) []db.Attr {
	var out []db.Attr
	if u.UID != "" && u.UID != u.Address.String() {
		out = append(out, db.Attr{Name: uidAttr, Type: db.AttrString, Value: u.UID})
	}
	if !u.Created.IsZero() {
		out = append(out, db.Attr{Name: createdAttr, Type: db.AttrString, Value: u.Created.UTC().Format(time.DateTime)})
	}
	return out
}

// takeOwnAttrs moves them from the attributes to where they belong.
func takeOwnAttrs(u *db.User) {
	u.Attrs = slices.DeleteFunc(u.Attrs, func(a db.Attr) bool {
		switch a.Name {
		case uidAttr:
			u.UID = a.Value
		case createdAttr:
			at, err := time.Parse(time.DateTime, a.Value)
			if err != nil {
				return false // somebody else's idea of it
			}
			u.Created = at
		default:
			return false
		}
		return true
	})
}

// userTables hold rows by username and domain, in the order in which they are
// cleared. acc and missed_calls are the operator's books and stay.
var userTables = []string{
	"dbaliases", "uri", "grp", "usr_preferences", "speed_dial", "silo", "cpl",
	"userblocklist", "userblacklist", "presentity", "xcap", "dr_groups", "imc_members", "subscriber",
}

// presenceTables hold who watches whom: rows go with either side. The address
// is as a URI, then in its parts.
var presenceTables = []struct {
	table, where string
	columns      []string
}{
	{"watchers", watching, watchingColumns},
	{"active_watchers", watching, watchingColumns},
	{"rls_watchers", watching, watchingColumns},
	{"pua", "pres_uri = ? OR watcher_uri = ?", []string{"pres_uri", "watcher_uri"}},
}

const watching = "presentity_uri = ? OR watcher_username = ? AND watcher_domain = ?"

var watchingColumns = []string{"presentity_uri", "watcher_username", "watcher_domain"}

// contactTables leave the domain empty where usrloc runs without use_domain.
var contactTables = []string{"location_attrs", "location", "aliases"}

// RemoveUser implements db.Directory.
func (k *Directory) RemoveUser(ctx context.Context, a db.Address) (db.Counts, error) {
	var counts db.Counts
	err := k.d.Tx(ctx, func(tx *db.Tx) error {
		counts = make(db.Counts)
		if err := needUser(ctx, tx, a); err != nil {
			return err
		}
		return k.removeUser(ctx, tx, a, counts)
	})
	if err != nil {
		counts = nil
	}
	return counts, err
}

func (k *Directory) removeUser(ctx context.Context, tx *db.Tx, a db.Address, counts db.Counts) error {
	where := "username = ? AND domain = ?"
	shared, err := tx.Has(ctx, "SELECT 1 FROM subscriber WHERE username = ? AND domain <> ?", a.User, a.Domain)
	if err != nil {
		return err
	}
	contacts := where
	if !shared { // then contacts without a domain can be nobody else's
		contacts = "username = ? AND (domain = ? OR domain = '' OR domain IS NULL)"
	}
	for _, table := range contactTables {
		if k.found.Has(table, "username", "domain") {
			if err := remove(ctx, tx, counts, table, contacts, a.User, a.Domain); err != nil {
				return err
			}
		}
	}
	for _, p := range presenceTables {
		if !k.found.Has(p.table, p.columns...) {
			continue
		}
		args := []any{"sip:" + a.String(), a.User, a.Domain}
		if len(p.columns) == 2 {
			args = []any{args[0], args[0]}
		}
		if err := remove(ctx, tx, counts, p.table, p.where, args...); err != nil {
			return err
		}
	}
	for _, table := range userTables {
		if k.found.Has(table, "username", "domain") {
			if err := remove(ctx, tx, counts, table, where, a.User, a.Domain); err != nil {
				return err
			}
		}
	}
	return nil
}

// SetPassword implements db.Directory.
func (k *Directory) SetPassword(ctx context.Context, a db.Address, p db.Password) error {
	secret, err := p.Secrets(a, a.Domain, k.size("subscriber", "password"))
	if err != nil {
		return err
	}
	columns := k.secretColumns()
	query := "UPDATE subscriber SET " + strings.Join(columns, " = ?, ") + " = ? WHERE username = ? AND domain = ?"
	return k.d.Tx(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, query, append(secret.Values(columns), a.User, a.Domain)...)
		if err == nil && n == 0 {
			err = noUser(a)
		}
		return err
	})
}

// secretColumns are the columns that a password becomes here.
func (k *Directory) secretColumns() []string {
	return db.SecretColumns(func(c string) bool { return k.found.Has("subscriber", c) })
}

// SetDisabled implements db.Directory; the flavour has no column for it.
func (k *Directory) SetDisabled(_ context.Context, a db.Address, _ bool) error {
	return fmt.Errorf("disable user %s in the kamailio flavour: %w", a, db.ErrNotSupported)
}

const userColumns = "SELECT username, domain, ha1, ha1b, password FROM subscriber"

func scanUser(scan func(...any) error) (db.User, error) {
	var a db.Address
	var ha1, ha1b, plain db.Text
	err := scan(&a.User, &a.Domain, &ha1, &ha1b, &plain)
	s := db.Secrets{HA1: string(ha1), HA1B: string(ha1b), Plain: string(plain)}
	return db.User{
		Address: a, UID: a.String(), Realm: a.Domain,
		HA1: s.HA1, HA1B: s.HA1B, Plain: s.Plain, Secret: s.Kind(),
	}, err
}

// Users implements db.Directory.
func (k *Directory) Users(ctx context.Context, f db.Filter) iter.Seq2[db.User, error] {
	query, args := userColumns, []any(nil)
	if f.Domain != "" {
		query, args = query+" WHERE domain = ?", []any{f.Domain}
	}
	return func(yield func(db.User, error) bool) {
		page := f.Pager()
		for u, err := range db.Rows(ctx, k.d, scanUser, query+" ORDER BY domain, username", args...) {
			if err != nil {
				yield(u, err)
				return
			}
			if page.Take(u.Address.String()) && !yield(u, nil) || page.Full() {
				return
			}
		}
	}
}

// User implements db.Directory.
func (k *Directory) User(ctx context.Context, a db.Address) (db.User, error) {
	var u db.User
	err := k.d.View(ctx, func(tx *db.Tx) error {
		own, err := resolve(ctx, tx, a)
		if err != nil {
			return err
		}
		var row struct{ Username, Domain, HA1, HA1B, Password string }
		if err := tx.Get(ctx, &row, userColumns+" WHERE username = ? AND domain = ?", own.User, own.Domain); err != nil {
			return err
		}
		s := db.Secrets{HA1: row.HA1, HA1B: row.HA1B, Plain: row.Password}
		u = db.User{
			Address: own, UID: own.String(), Realm: own.Domain,
			HA1: s.HA1, HA1B: s.HA1B, Plain: s.Plain, Secret: s.Kind(),
		}
		if err := tx.Select(ctx, &u.Aliases, "SELECT alias_username AS user, alias_domain AS domain FROM dbaliases WHERE username = ? AND domain = ? ORDER BY 2, 1", own.User, own.Domain); err != nil {
			return err
		}
		if u.Attrs, err = k.userAttrs(ctx, tx, own, ""); err != nil {
			return err
		}
		takeOwnAttrs(&u)
		return tx.Select(ctx, &u.Groups, "SELECT grp FROM grp WHERE username = ? AND domain = ? ORDER BY grp", own.User, own.Domain)
	})
	return u, err
}

// resolve follows an alias; what is a user already stays.
func resolve(ctx context.Context, tx *db.Tx, a db.Address) (db.Address, error) {
	err := needUser(ctx, tx, a)
	if !errors.Is(err, db.ErrNoUser) {
		return a, err
	}
	var owner db.Address
	err = tx.Get(ctx, &owner, `SELECT s.username AS user, s.domain FROM dbaliases AS d
		JOIN subscriber AS s ON s.username = d.username AND s.domain = d.domain
		WHERE d.alias_username = ? AND d.alias_domain = ? ORDER BY d.id LIMIT 1`, a.User, a.Domain)
	if errors.Is(err, sql.ErrNoRows) {
		err = noUser(a)
	}
	return owner, err
}

// Authenticate implements db.Directory.
func (k *Directory) Authenticate(ctx context.Context, a db.Address, password string) (bool, error) {
	u, err := k.User(ctx, a)
	if err != nil {
		return false, err
	}
	s := db.Secrets{HA1: u.HA1, HA1B: u.HA1B, Plain: u.Plain}
	return s.Match(u.Address, u.Realm, password), nil
}
