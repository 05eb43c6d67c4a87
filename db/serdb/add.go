package serdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"sipd/db"
)

// AddUser implements db.Directory.
func (s *Directory) AddUser(ctx context.Context, u db.NewUser) error {
	_, err := s.AddUsers(ctx, slices.Values([]db.NewUser{u}))
	return err
}

// AddUsers implements db.Directory.
func (s *Directory) AddUsers(ctx context.Context, users iter.Seq[db.NewUser]) (n int, err error) {
	err = s.write(ctx, func(w *writer) error {
		n, err = db.AddBatches(ctx, users, w.add)
		return err
	})
	if err != nil {
		n = 0
	}
	return n, err
}

// AddEach implements db.Directory.
func (s *Directory) AddEach(ctx context.Context, users []db.NewUser, skip bool) ([]error, error) {
	return db.AddOrUndo(ctx, users, skip, func(run func(db.AddFunc) error) error {
		return s.write(ctx, func(w *writer) error { return run(w.add) })
	})
}

// newUser is a user of a batch with what was found out about it.
type newUser struct {
	db.NewUser
	domain  db.Domain
	secret  db.Secrets
	aliases []db.Domain // of u.Aliases
	attrs   []attrType  // of u.Attrs
	err     error
}

// add writes the users that nothing is wrong with, and none unless skip when
// one is.
func (w *writer) add(ctx context.Context, users []db.NewUser, skip bool) ([]error, error) {
	all := make([]newUser, len(users))
	next := 0
	for i, u := range users {
		n := &all[i]
		n.NewUser = u
		mistake, err := w.checkNew(ctx, n)
		if err != nil {
			return nil, err
		}
		if n.err = mistake; mistake != nil || n.UID != "" {
			continue
		}
		switch n.IDType {
		case db.IDUUID:
			n.UID = db.NewUUID()
		case db.IDInt:
			if next == 0 {
				if next, err = nextNumber(ctx, w.tx, "uid", "user_attrs", "uri"); err != nil {
					return nil, err
				}
			}
			n.UID = strconv.Itoa(next)
			next++
		default:
			n.UID = db.IDOf(n.Address.String())
		}
	}
	if err := w.claimAddresses(ctx, all); err != nil {
		return nil, err
	}
	if err := w.claimIDs(ctx, all); err != nil {
		return nil, err
	}
	errs := make([]error, len(all))
	for i := range all {
		errs[i] = all[i].err
	}
	if !skip && db.FirstError(errs) != nil {
		return errs, nil
	}
	return errs, w.insertNew(ctx, all)
}

// nextNumber is one more than the highest number that stands as an id in the
// column of the tables.
func nextNumber(ctx context.Context, tx *db.Tx, column string, tables ...string) (int, error) {
	most := 0
	for _, t := range tables {
		var ids []string
		// ':' follows '9': what begins with a digit.
		if err := tx.Select(ctx, &ids, "SELECT DISTINCT "+column+" FROM "+t+" WHERE "+column+" >= '0' AND "+column+" < ':'"); err != nil {
			return 0, err
		}
		for _, id := range ids {
			if n, err := strconv.Atoi(id); err == nil {
				most = max(most, n)
			}
		}
	}
	return most + 1, nil
}

// served finds the domain of a name; the first error is the user's mistake.
func (w *writer) served(ctx context.Context, name string) (db.Domain, error, error) {
	d, err := w.domain(ctx, name)
	if errors.Is(err, db.ErrNoDomain) {
		return d, err, nil
	}
	return d, nil, err
}

// checkNew looks at one user alone.
func (w *writer) checkNew(ctx context.Context, n *newUser) (mistake, err error) {
	if mistake = w.check("user", n.Address); mistake != nil {
		return mistake, nil
	}
	if n.domain, mistake, err = w.served(ctx, n.Address.Domain); mistake != nil || err != nil {
		return mistake, err
	}
	if n.secret, mistake = w.secrets(n.Password, n.Address, n.domain.Realm); mistake != nil {
		return mistake, nil
	}
	if mistake = errors.Join(db.CheckText("uid", n.UID), db.CheckLength("uid", n.UID, w.size("uri", "uid"))); mistake != nil {
		return mistake, nil
	}
	n.aliases = make([]db.Domain, len(n.Aliases))
	for i, x := range n.Aliases {
		if mistake = w.check("alias", x); mistake != nil {
			return mistake, nil
		}
		if n.aliases[i], mistake, err = w.served(ctx, x.Domain); mistake != nil || err != nil {
			return mistake, err
		}
	}
	n.attrs = make([]attrType, len(n.Attrs))
	for i, x := range n.Attrs {
		if x.Name == created {
			return &db.FieldError{Field: "attribute", Value: x.Name, Why: "is kept by the directory itself"}, nil
		}
		n.attrs[i], err = w.prepareAttr(ctx, "user_attrs", x)
		if _, field := errors.AsType[*db.FieldError](err); field || errors.Is(err, db.ErrNoAttr) {
			return err, nil
		}
		if err != nil {
			return nil, err
		}
	}
	for _, g := range n.Groups {
		if mistake = db.CheckGroup(g, w.size("user_attrs", "value")); mistake != nil {
			return mistake, nil
		}
	}
	return nil, nil
}

// spot is a user part in a domain, as the tables have it.
type spot struct{ did, user string }

// spots are the user's own address and its aliases.
func (n *newUser) spots() ([]spot, []db.Address) {
	at := []spot{{n.domain.DID, n.Address.User}}
	for i, x := range n.Aliases {
		at = append(at, spot{n.aliases[i].DID, x.User})
	}
	return at, append([]db.Address{n.Address}, n.Aliases...)
}

// claimAddresses finds addresses that somebody has, in the database or by an
// earlier user of the batch.
func (w *writer) claimAddresses(ctx context.Context, all []newUser) error {
	byDID := make(map[string][]string)
	for i := range all {
		if all[i].err == nil {
			at, _ := all[i].spots()
			for _, p := range at {
				byDID[p.did] = append(byDID[p.did], p.user)
			}
		}
	}
	used := make(map[spot]string) // uid
	for did, names := range byDID {
		var have []struct{ Username, UID string }
		if err := db.In(ctx, w.tx, &have, "SELECT username, uid FROM uri WHERE scheme = 'sip' AND "+alive("")+" AND did = ? AND username", []any{did}, names); err != nil {
			return err
		}
		for _, h := range have {
			used[spot{did, h.Username}] = h.UID
		}
	}
	for i := range all {
		n := &all[i]
		if n.err != nil {
			continue
		}
		at, names := n.spots()
		for j, p := range at {
			uid, taken := used[p]
			switch {
			case taken && uid == names[j].String():
				n.err = fmt.Errorf("user %s %w", names[j], db.ErrExists)
			case taken:
				n.err = fmt.Errorf("%s %w as address of %s", names[j], db.ErrExists, uid)
			case slices.Contains(at[:j], p):
				n.err = fmt.Errorf("%s %w: it is named twice", names[j], db.ErrExists)
			}
		}
		if n.err == nil {
			for _, p := range at {
				used[p] = n.UID
			}
		}
	}
	return nil
}

// metRow is a row that a new user's ids meet.
type metRow struct {
	ID, Realm string
	Flags     int64
}

// claimIDs tells whether uids and digest users are free, and clears rows of
// them that are marked as deleted: left there, a server would still use them.
func (w *writer) claimIDs(ctx context.Context, all []newUser) error {
	var uids, names []string
	for i := range all {
		if all[i].err == nil {
			uids, names = append(uids, all[i].UID), append(names, all[i].Address.User)
		}
	}
	met := make(map[string][]metRow, 4)
	for _, q := range []struct {
		name, query string
		values      []string
	}{
		{"user_attrs", "SELECT uid AS id, flags FROM user_attrs WHERE uid", uids},
		{"uri", "SELECT uid AS id, flags FROM uri WHERE uid", uids},
		{"credentials", "SELECT uid AS id, flags FROM credentials WHERE uid", uids},
		{"digest", "SELECT auth_username AS id, realm, flags FROM credentials WHERE auth_username", names},
	} {
		var rows []metRow
		if err := db.In(ctx, w.tx, &rows, q.query, nil, q.values); err != nil {
			return err
		}
		met[q.name] = rows
	}
	type digest struct{ user, realm string }
	lives, digests := make(map[string]bool), make(map[digest]bool)
	dead := false
	for name, rows := range met {
		for _, r := range rows {
			switch {
			case r.Flags&flagDeleted != 0:
				dead = true
			case name == "user_attrs":
				lives[r.ID] = true
			case name == "digest":
				digests[digest{r.ID, r.Realm}] = true
			}
		}
	}
	for i := range all {
		n := &all[i]
		d := digest{n.Address.User, n.domain.Realm}
		switch {
		case n.err != nil:
		case lives[n.UID]:
			n.err = fmt.Errorf("user with uid %s %w", n.UID, db.ErrExists)
		case digests[d]:
			n.err = fmt.Errorf("credentials of %s in realm %s %w", d.user, d.realm, db.ErrExists)
		default:
			lives[n.UID], digests[d] = true, true
		}
	}
	if !dead {
		return nil
	}
	for i := range all {
		if n := &all[i]; n.err == nil {
			if err := w.clear(ctx, n.UID, n.Address.User, n.domain.Realm); err != nil {
				return err
			}
		}
	}
	return nil
}

// clear removes the rows marked as deleted that a new user would meet.
func (w *writer) clear(ctx context.Context, uid, user, realm string) error {
	for _, c := range []struct {
		where string
		args  []any
	}{
		{"user_attrs WHERE uid = ?", []any{uid}},
		{"credentials WHERE (uid = ? OR auth_username = ? AND " + byName + ")", []any{uid, user, realm}},
		{"uri WHERE uid = ?", []any{uid}},
	} {
		if _, err := w.tx.Exec(ctx, "DELETE FROM "+c.where+" AND NOT "+alive(""), c.args...); err != nil {
			return err
		}
	}
	return nil
}

// credentialColumns are those beside the secrets.
func credentialColumns() []string { return []string{"auth_username", "did", "realm", "flags", "uid"} }

// insertNew writes the rows of the users that nothing is wrong with.
func (w *writer) insertNew(ctx context.Context, all []newUser) error {
	secrets := w.secretColumns()
	var attrs, credentials, uris [][]any
	for i := range all {
		n := &all[i]
		if n.err != nil {
			continue
		}
		if n.Created.IsZero() {
			n.Created = time.Now()
		}
		attrs = append(attrs, []any{n.UID, created, n.Created.UTC().Format(time.DateTime), 2, attrFlags})
		for j, x := range n.Attrs {
			attrs = append(attrs, []any{n.UID, x.Name, x.Value, n.attrs[j].RawType, n.attrs[j].DefaultFlags})
		}
		if len(n.Groups) > 0 {
			t, err := w.typeOf(ctx, db.Attr{Name: aclAttr, Type: db.AttrString})
			if err != nil {
				return err
			}
			groups := slices.Clone(n.Groups)
			slices.Sort(groups)
			for _, g := range slices.Compact(groups) {
				attrs = append(attrs, []any{n.UID, aclAttr, g, t.RawType, t.DefaultFlags})
			}
		}
		if !n.Password.None {
			credentials = append(credentials, append([]any{n.Address.User, n.domain.DID, n.domain.Realm, credentialFlags, n.UID}, n.secret.Values(secrets)...))
		}
		uris = append(uris, []any{n.UID, n.domain.DID, n.Address.User, uriFlags | flagCanonical, "sip"})
		for j, x := range n.Aliases {
			uris = append(uris, []any{n.UID, n.aliases[j].DID, x.User, uriFlags, "sip"})
		}
	}
	if err := w.tx.Insert(ctx, "user_attrs", []string{"uid", "name", "value", "type", "flags"}, attrs); err != nil {
		return err
	}
	if err := w.tx.Insert(ctx, "credentials", append(credentialColumns(), secrets...), credentials); err != nil {
		return err
	}
	return w.tx.Insert(ctx, "uri", []string{"uid", "did", "username", "flags", "scheme"}, uris)
}
