package serdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"sipd/db"
)

// writer is one transaction that remembers what it looked up.
type writer struct {
	*Directory
	tx      *db.Tx
	domains map[string]db.Domain
	types   map[string]attrType
}

func (w *writer) domain(ctx context.Context, name string) (db.Domain, error) {
	d, ok := w.domains[name]
	if ok {
		return d, nil
	}
	d, err := findDomain(ctx, w.tx, name)
	if err == nil {
		w.domains[name] = d
	}
	return d, err
}

// byName compares the realm beside an auth_username, in a way that no index on
// realm serves: all users of a domain share it, and SQLite would walk them.
const byName = "COALESCE(realm, '') = ?"

func (w *writer) insertCredentials(ctx context.Context, a db.Address, d db.Domain, uid string, p db.Secrets) error {
	columns := w.secretColumns()
	return w.tx.Insert(ctx, "credentials", append(credentialColumns(), columns...),
		[][]any{append([]any{a.User, d.DID, d.Realm, credentialFlags, uid}, p.Values(columns)...)})
}

func (w *writer) insertURI(ctx context.Context, uid, did, user string, flags int) error {
	_, err := w.tx.Exec(ctx, "INSERT INTO uri (uid, did, username, flags, scheme) VALUES (?, ?, ?, ?, 'sip')", uid, did, user, flags)
	return err
}

// dependents are rows that hang on rows of the user; they go first.
var dependents = []struct{ table, where string }{
	{"uri_attrs", "EXISTS (SELECT 1 FROM uri AS u WHERE u.uid = ? AND u.username = uri_attrs.username AND u.did = uri_attrs.did AND u.scheme = uri_attrs.scheme)"},
	{"aliases", "EXISTS (SELECT 1 FROM uri AS u JOIN domain AS d ON d.did = u.did WHERE u.uid = ? AND u.username = aliases.username AND d.domain = aliases.domain)"},
	{"presentity_contact", "pres_id IN (SELECT pres_id FROM presentity WHERE uid = ?)"},
	{"presentity_notes", "pres_id IN (SELECT pres_id FROM presentity WHERE uid = ?)"},
	{"presentity_extensions", "pres_id IN (SELECT pres_id FROM presentity WHERE uid = ?)"},
	{"tuple_notes", "pres_id IN (SELECT pres_id FROM presentity WHERE uid = ?)"},
	{"tuple_extensions", "pres_id IN (SELECT pres_id FROM presentity WHERE uid = ?)"},
	{"watcherinfo", "pres_id IN (SELECT pres_id FROM presentity WHERE uid = ?)"},
}

// uidTables hold rows by uid. acc and missed_calls are the operator's books
// and stay.
var uidTables = []string{
	"contact_attrs", "location", "grp", "silo", "speed_dial", "cpl", "phonebook", "offline_winfo",
	"presentity", "credentials", "uri", "user_attrs",
}

// RemoveUser implements db.Directory.
func (s *Directory) RemoveUser(ctx context.Context, a db.Address) (db.Counts, error) {
	var counts db.Counts
	err := s.d.Tx(ctx, func(tx *db.Tx) error {
		counts = make(db.Counts)
		uid, err := ownUID(ctx, tx, a)
		if err != nil {
			return err
		}
		return s.removeUID(ctx, tx, uid, counts)
	})
	if err != nil {
		counts = nil
	}
	return counts, err
}

func (s *Directory) removeUID(ctx context.Context, tx *db.Tx, uid string, counts db.Counts) error {
	if s.found.Has("sd_attrs", "id") && s.found.Has("speed_dial", "id") {
		// The id is a number there and a text here.
		var ids []string
		if err := tx.Select(ctx, &ids, "SELECT id FROM speed_dial WHERE uid = ?", uid); err != nil {
			return err
		}
		for _, id := range ids {
			if err := remove(ctx, tx, counts, "sd_attrs", "id = ?", id); err != nil {
				return err
			}
		}
	}
	for _, d := range dependents {
		if s.found.Has(d.table) && (d.table == "uri_attrs" || d.table == "aliases" && s.found.Has("aliases", "username", "domain") || s.found.Has("presentity") && s.found.Has(d.table, "pres_id")) {
			if err := remove(ctx, tx, counts, d.table, d.where, uid); err != nil {
				return err
			}
		}
	}
	for _, table := range uidTables {
		if s.found.Has(table, "uid") {
			if err := remove(ctx, tx, counts, table, "uid = ?", uid); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownUID is the uid whose own (canonical) address a is: what removes or
// changes a user must not reach one through an alias.
func ownUID(ctx context.Context, tx *db.Tx, a db.Address) (string, error) {
	uid, err := uidAt(ctx, tx, a)
	if err != nil {
		return "", err
	}
	own, _, err := addressOf(ctx, tx, uid)
	if err != nil {
		return "", err
	}
	d, err := findDomain(ctx, tx, a.Domain)
	if err != nil {
		return "", err
	}
	if own.User != a.User || own.Domain != d.Name {
		return "", fmt.Errorf("%s is an alias of %s: %w", a, own, db.ErrNoUser)
	}
	return uid, nil
}

// addressOf is the canonical address of a uid: the canonical URI, else the
// one whose name has credentials, else the first; and the other addresses.
func addressOf(ctx context.Context, tx *db.Tx, uid string) (db.Address, []db.Address, error) {
	var rows []struct {
		Username, DID string
		Flags         int64
		Rank          int
	}
	err := tx.Select(ctx, &rows, `SELECT u.username, u.did, u.flags, CASE WHEN (u.flags & 4) <> 0 THEN 0
		WHEN EXISTS (SELECT 1 FROM credentials AS c WHERE c.uid = u.uid AND c.auth_username = u.username) THEN 1 ELSE 2 END AS rank
		FROM uri AS u WHERE u.uid = ? AND u.scheme = 'sip' AND `+alive("u.")+" ORDER BY 4, 1, 2", uid)
	if err != nil {
		return db.Address{}, nil, err
	}
	var all []db.Address
	names := make(map[string]string)
	for _, r := range rows {
		name, ok := names[r.DID]
		if !ok {
			if name, err = nameOf(ctx, tx, r.DID); err != nil {
				return db.Address{}, nil, err
			}
			names[r.DID] = name
		}
		all = append(all, db.Address{User: r.Username, Domain: name})
	}
	if len(all) == 0 {
		return db.Address{}, nil, fmt.Errorf("uid %s has no address: %w", uid, db.ErrNoUser)
	}
	rest := all[1:]
	slices.SortFunc(rest, db.Address.Compare)
	return all[0], rest, nil
}

// nameOf is the canonical name of a did; a did without a row is its own name.
func nameOf(ctx context.Context, tx *db.Tx, did string) (string, error) {
	var rows []domainRow
	err := tx.Select(ctx, &rows, "SELECT did, domain, flags FROM domain WHERE did = ? AND "+alive(""), did)
	if err != nil || len(rows) == 0 {
		return did, err
	}
	return group(rows).Name, nil
}

type credentialRow struct {
	AuthUsername string `db:"auth_username"`
	Realm        string
	Password     string
	HA1, HA1B    string
	Flags        int64
}

// credentialsOf reads the secrets of a uid, preferring those under its own
// name. None is a zero row.
func credentialsOf(ctx context.Context, tx *db.Tx, uid, user string) (credentialRow, error) {
	var c credentialRow
	err := tx.Get(ctx, &c, "SELECT auth_username, realm, password, ha1, ha1b, flags FROM credentials WHERE uid = ? AND "+alive("")+
		" ORDER BY CASE WHEN auth_username = ? THEN 0 ELSE 1 END, realm LIMIT 1", uid, user)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return c, err
}

// secretColumns are the columns that a password becomes here.
func (s *Directory) secretColumns() []string {
	return db.SecretColumns(func(c string) bool { return s.found.Has("credentials", c) })
}

// secrets are those of a password, in columns that are wide enough for them.
func (s *Directory) secrets(p db.Password, a db.Address, realm string) (db.Secrets, error) {
	out, err := p.Secrets(a, realm, s.size("credentials", "password"))
	if size := s.size("credentials", "ha1"); err == nil && len(out.HA1) > size {
		err = &db.FieldError{Field: "password", Why: fmt.Sprintf("hash has %d digits, the column ha1 of the ser flavour holds %d", len(out.HA1), size)}
	}
	return out, err
}

// SetDisabled implements db.Directory: credentials, addresses and attributes
// get or lose the bit that makes a server skip them.
func (s *Directory) SetDisabled(ctx context.Context, a db.Address, off bool) error {
	change := "flags - (flags & 2)"
	if off {
		change = "flags | 2"
	}
	return s.d.Tx(ctx, func(tx *db.Tx) error {
		uid, err := ownUID(ctx, tx, a)
		if err != nil {
			return err
		}
		for _, table := range []string{"credentials", "uri", "user_attrs"} {
			if _, err := tx.Exec(ctx, "UPDATE "+table+" SET flags = "+change+" WHERE uid = ?", uid); err != nil {
				return err
			}
		}
		return nil
	})
}

// User implements db.Directory.
func (s *Directory) User(ctx context.Context, a db.Address) (db.User, error) {
	var u db.User
	err := s.d.View(ctx, func(tx *db.Tx) error {
		uid, err := uidAt(ctx, tx, a)
		if err != nil {
			return err
		}
		u, err = s.readUser(ctx, tx, uid)
		return err
	})
	return u, err
}

func (s *Directory) readUser(ctx context.Context, tx *db.Tx, uid string) (db.User, error) {
	u := db.User{UID: uid}
	var err error
	if u.Address, u.Aliases, err = addressOf(ctx, tx, uid); err != nil {
		return u, err
	}
	c, err := credentialsOf(ctx, tx, uid, u.Address.User)
	if err != nil {
		return u, err
	}
	setSecrets(&u, c)
	if u.Realm == "" {
		d, err := findDomain(ctx, tx, u.Address.Domain)
		if err != nil && !errors.Is(err, db.ErrNoDomain) {
			return u, err
		}
		u.Realm = d.Realm
	}
	attrs, err := readAttrs(ctx, tx, place{table: "user_attrs", where: "uid = ?", args: []any{uid}}, "")
	if err != nil {
		return u, err
	}
	for _, at := range attrs {
		switch at.Name {
		case created:
			u.Created, _ = time.Parse(time.DateTime, at.Value) // what does not read is no date
		case aclAttr:
			u.Groups = append(u.Groups, at.Value)
		default:
			u.Attrs = append(u.Attrs, at)
		}
	}
	slices.Sort(u.Groups)
	off, err := tx.Has(ctx, "SELECT 1 FROM uri WHERE uid = ? AND (flags & 2) <> 0 AND "+alive(""), uid)
	u.Disabled = u.Disabled || off
	return u, err
}

func setSecrets(u *db.User, c credentialRow) {
	sec := db.Secrets{HA1: c.HA1, HA1B: c.HA1B, Plain: c.Password}
	u.HA1, u.HA1B, u.Plain, u.Secret = sec.HA1, sec.HA1B, sec.Plain, sec.Kind()
	u.Realm, u.Disabled = c.Realm, c.Flags&flagDisabled != 0
}

// Authenticate implements db.Directory.
func (s *Directory) Authenticate(ctx context.Context, a db.Address, password string) (bool, error) {
	ok := false
	err := s.d.View(ctx, func(tx *db.Tx) error {
		uid, err := uidAt(ctx, tx, a)
		if err != nil {
			return err
		}
		own, _, err := addressOf(ctx, tx, uid)
		if err != nil {
			return err
		}
		c, err := credentialsOf(ctx, tx, uid, own.User)
		if err != nil {
			return err
		}
		sec := db.Secrets{HA1: c.HA1, HA1B: c.HA1B, Plain: c.Password}
		ok = sec.Match(db.Address{User: c.AuthUsername, Domain: own.Domain}, c.Realm, password)
		return nil
	})
	return ok, err
}
