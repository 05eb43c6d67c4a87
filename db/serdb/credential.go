package serdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sipd/db"
)

// Credential names the digest credentials of a user: all, those of a user name,
// or those of a user name in a realm.
type Credential struct {
	User      db.Address
	AuthUser  string // "": any, and for a new one the user's name
	AuthRealm string // "": any, and for a new one the realm of the user's domain
}

func (c Credential) String() string {
	return strings.TrimSpace(c.User.String() + " " + strings.TrimSpace(c.AuthUser+" "+c.AuthRealm))
}

// where finds the rows of a uid.
func (c Credential) where(uid string) (string, []any) {
	cond, args := "uid = ? AND "+alive(""), []any{uid}
	if c.AuthUser != "" {
		cond, args = cond+" AND auth_username = ?", append(args, c.AuthUser)
	}
	if c.AuthRealm != "" {
		cond, args = cond+" AND realm = ?", append(args, c.AuthRealm)
	}
	return cond, args
}

// AddCredential gives a user one more name and realm to log in with. ErrExists
// when somebody has the name in this realm; one that is marked as deleted, or
// has no secret and is the user's, makes place. ErrNoUser.
func (s *Directory) AddCredential(ctx context.Context, c Credential, p db.Password) error {
	return s.d.Tx(ctx, func(tx *db.Tx) error {
		uid, err := ownUID(ctx, tx, c.User)
		if err != nil {
			return err
		}
		w := &writer{Directory: s, tx: tx, domains: make(map[string]db.Domain)}
		d, err := w.domain(ctx, c.User.Domain)
		if err != nil {
			return err
		}
		if c.AuthRealm != "" {
			d.Realm = c.AuthRealm
		}
		if c.AuthUser == "" {
			c.AuthUser = c.User.User
		}
		who := db.Address{User: c.AuthUser, Domain: c.User.Domain}
		secret, err := s.secrets(p, who, d.Realm)
		if err := errors.Join(db.CheckUser("auth_username", c.AuthUser), db.CheckLength("auth_username", c.AuthUser, s.size("credentials", "auth_username")),
			db.CheckText("realm", d.Realm), db.CheckLength("realm", d.Realm, s.size("credentials", "realm")), err); err != nil {
			return err
		}
		// A user that was added without a password has a row without secrets.
		taken, err := tx.Has(ctx, "SELECT 1 FROM credentials WHERE auth_username = ? AND "+byName+" AND "+alive("")+" AND (uid <> ? OR ha1 <> '' OR password <> '')", c.AuthUser, d.Realm, uid)
		if err != nil {
			return err
		}
		if taken {
			return fmt.Errorf("credentials of %s in realm %s %w", c.AuthUser, d.Realm, db.ErrExists)
		}
		if _, err := tx.Exec(ctx, "DELETE FROM credentials WHERE auth_username = ? AND "+byName, c.AuthUser, d.Realm); err != nil {
			return err // of that row, or one that is marked as deleted
		}
		return w.insertCredentials(ctx, who, d, uid, secret)
	})
}

// SetCredential gives credentials of a user a new secret, each hashed with its
// own name and realm, and says how many these were. A hash, which fits one
// alone, is db.ErrNotSupported for several.
func (s *Directory) SetCredential(ctx context.Context, c Credential, p db.Password) (n int, err error) {
	err = s.d.Tx(ctx, func(tx *db.Tx) error {
		uid, err := ownUID(ctx, tx, c.User)
		if err != nil {
			return err
		}
		n, err = s.setSecrets(ctx, tx, uid, c, p)
		return err
	})
	return n, err
}

func (s *Directory) setSecrets(ctx context.Context, tx *db.Tx, uid string, c Credential, p db.Password) (int, error) {
	var rows []struct {
		AuthUsername string `db:"auth_username"`
		Realm        string
	}
	cond, args := c.where(uid)
	if err := tx.Select(ctx, &rows, "SELECT auth_username, realm FROM credentials WHERE "+cond, args...); err != nil {
		return 0, err
	}
	if len(rows) > 1 && p.Plain == "" && !p.None {
		return 0, fmt.Errorf("user %s has %d credentials; a hash fits one realm, give the password: %w", c.User, len(rows), db.ErrNotSupported)
	}
	columns := s.secretColumns()
	query := "UPDATE credentials SET " + strings.Join(columns, " = ?, ") + " = ? WHERE uid = ? AND auth_username = ? AND realm = ? AND " + alive("")
	for _, r := range rows {
		secret, err := s.secrets(p, db.Address{User: r.AuthUsername, Domain: c.User.Domain}, r.Realm)
		if err != nil {
			return 0, err
		}
		if _, err := tx.Exec(ctx, query, append(secret.Values(columns), uid, r.AuthUsername, r.Realm)...); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// SetPassword implements db.Directory. All credentials of the user get the
// new secret; where there are none, those of the user's own name are made.
func (s *Directory) SetPassword(ctx context.Context, a db.Address, p db.Password) error {
	return s.d.Tx(ctx, func(tx *db.Tx) error {
		uid, err := ownUID(ctx, tx, a)
		if err != nil {
			return err
		}
		if n, err := s.setSecrets(ctx, tx, uid, Credential{User: a}, p); err != nil || n > 0 {
			return err
		}
		w := &writer{Directory: s, tx: tx, domains: make(map[string]db.Domain)}
		d, err := w.domain(ctx, a.Domain)
		if err != nil {
			return err
		}
		secret, err := w.secrets(p, a, d.Realm)
		if err != nil {
			return err
		}
		return w.insertCredentials(ctx, a, d, uid, secret)
	})
}
