package kamdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"sipd/db"
)

// AddUser implements db.Directory.
func (k *Directory) AddUser(ctx context.Context, u db.NewUser) error {
	_, err := k.AddUsers(ctx, slices.Values([]db.NewUser{u}))
	return err
}

// AddUsers implements db.Directory.
func (k *Directory) AddUsers(ctx context.Context, users iter.Seq[db.NewUser]) (n int, err error) {
	err = k.d.Tx(ctx, func(tx *db.Tx) error {
		n, err = db.AddBatches(ctx, users, k.adder(tx).add)
		return err
	})
	if err != nil {
		n = 0
	}
	return n, err
}

// AddEach implements db.Directory.
func (k *Directory) AddEach(ctx context.Context, users []db.NewUser, skip bool) ([]error, error) {
	return db.AddOrUndo(ctx, users, skip, func(run func(db.AddFunc) error) error {
		return k.d.Tx(ctx, func(tx *db.Tx) error { return run(k.adder(tx).add) })
	})
}

// adder adds users in a transaction; it remembers which domains are served.
type adder struct {
	*Directory
	tx      *db.Tx
	domains map[string]error
	columns []string
}

func (k *Directory) adder(tx *db.Tx) *adder {
	return &adder{Directory: k, tx: tx, domains: make(map[string]error), columns: append([]string{"username", "domain"}, k.secretColumns()...)}
}

// served is ErrNoDomain unless the name is served here; the second error is
// one of the database.
func (a *adder) served(ctx context.Context, name string) (mistake, err error) {
	mistake, known := a.domains[name]
	if known {
		return mistake, nil
	}
	err = needDomain(ctx, a.tx, name)
	if errors.Is(err, db.ErrNoDomain) {
		mistake, err = err, nil
	}
	if err == nil {
		a.domains[name] = mistake
	}
	return mistake, err
}

// add writes the users that nothing is wrong with, and none unless skip when
// one is.
func (a *adder) add(ctx context.Context, users []db.NewUser, skip bool) ([]error, error) {
	errs := make([]error, len(users))
	secrets := make([]db.Secrets, len(users))
	for i := range users {
		mistake, err := a.check(ctx, &users[i], &secrets[i])
		if err != nil {
			return nil, err
		}
		errs[i] = mistake
	}
	if err := a.taken(ctx, users, errs); err != nil {
		return nil, err
	}
	if !skip && db.FirstError(errs) != nil {
		return errs, nil
	}
	var subscribers, aliases, attrs, groups [][]any
	now := a.now()
	for i, u := range users {
		if errs[i] != nil {
			continue
		}
		own := u.Address
		subscribers = append(subscribers, append([]any{own.User, own.Domain}, secrets[i].Values(a.columns[2:])...))
		for _, x := range u.Aliases {
			aliases = append(aliases, []any{x.User, x.Domain, own.User, own.Domain})
		}
		for _, x := range append(ownAttrs(u), u.Attrs...) {
			attrs = append(attrs, []any{"", own.User, own.Domain, x.Name, typeCode(x), x.Value, now})
		}
		for _, g := range distinct(u.Groups) {
			groups = append(groups, []any{own.User, own.Domain, g, now})
		}
	}
	for _, t := range []struct {
		name    string
		columns []string
		rows    [][]any
	}{
		{"subscriber", a.columns, subscribers},
		{"dbaliases", []string{"alias_username", "alias_domain", "username", "domain"}, aliases},
		{"usr_preferences", []string{"uuid", "username", "domain", "attribute", "type", "value", "last_modified"}, attrs},
		{"grp", []string{"username", "domain", "grp", "last_modified"}, groups},
	} {
		if err := a.tx.Insert(ctx, t.name, t.columns, t.rows); err != nil {
			return nil, err
		}
	}
	return errs, nil
}

func distinct(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// check looks at one user alone. An id that nobody gave is made here.
func (a *adder) check(ctx context.Context, u *db.NewUser, secret *db.Secrets) (mistake, err error) {
	if mistake = a.Directory.check("user", u.Address); mistake != nil {
		return mistake, nil
	}
	if *secret, mistake = u.Password.Secrets(u.Address, u.Address.Domain, a.size("subscriber", "password")); mistake != nil {
		return mistake, nil
	}
	if mistake, err = a.served(ctx, u.Address.Domain); mistake != nil || err != nil {
		return mistake, err
	}
	for _, x := range u.Aliases {
		if mistake = a.Directory.check("alias", x); mistake != nil {
			return mistake, nil
		}
		if mistake, err = a.served(ctx, x.Domain); mistake != nil || err != nil {
			return mistake, err
		}
	}
	switch {
	case u.UID != "" || u.IDType == db.IDURI:
	case u.IDType == db.IDUUID:
		u.UID = db.NewUUID()
	default:
		return fmt.Errorf("user %s: ids that are numbers: %w", u.Address, db.ErrNotSupported), nil
	}
	for _, x := range append(ownAttrs(*u), u.Attrs...) {
		if mistake = x.Check(a.size("usr_preferences", "attribute"), a.size("usr_preferences", "value")); mistake != nil {
			return mistake, nil
		}
	}
	for _, g := range u.Groups {
		if mistake = db.CheckGroup(g, a.size("grp", "grp")); mistake != nil {
			return mistake, nil
		}
	}
	return nil, nil
}

// taken finds addresses that are a user's or an alias already, in the database
// or by an earlier user of the batch.
func (a *adder) taken(ctx context.Context, users []db.NewUser, errs []error) error {
	byDomain := make(map[string][]string)
	for i, u := range users {
		if errs[i] == nil {
			for _, x := range addresses(u) {
				byDomain[x.Domain] = append(byDomain[x.Domain], x.User)
			}
		}
	}
	used := make(map[db.Address]error)
	for domain, names := range byDomain {
		var have []string
		if err := db.In(ctx, a.tx, &have, "SELECT username FROM subscriber WHERE domain = ? AND username", []any{domain}, names); err != nil {
			return err
		}
		for _, n := range have {
			x := db.Address{User: n, Domain: domain}
			used[x] = fmt.Errorf("user %s %w", x, db.ErrExists)
		}
		var alias []struct{ Alias, Username, Domain string }
		if err := db.In(ctx, a.tx, &alias, "SELECT alias_username AS alias, username, domain FROM dbaliases WHERE alias_domain = ? AND alias_username", []any{domain}, names); err != nil {
			return err
		}
		for _, r := range alias {
			x := db.Address{User: r.Alias, Domain: domain}
			if used[x] == nil {
				used[x] = fmt.Errorf("%s %w as alias of %s@%s", x, db.ErrExists, r.Username, r.Domain)
			}
		}
	}
	for i, u := range users {
		if errs[i] != nil {
			continue
		}
		all := addresses(u)
		for j, x := range all {
			if errs[i] = used[x]; errs[i] == nil && slices.Contains(all[:j], x) {
				errs[i] = fmt.Errorf("%s %w: it is named twice", x, db.ErrExists)
			}
			if errs[i] != nil {
				break
			}
		}
		if errs[i] == nil {
			for j, x := range all {
				used[x] = fmt.Errorf("user %s %w", x, db.ErrExists)
				if j > 0 {
					used[x] = fmt.Errorf("%s %w as alias of %s", x, db.ErrExists, u.Address)
				}
			}
		}
	}
	return nil
}

// addresses are the user's own and its aliases.
func addresses(u db.NewUser) []db.Address { return append([]db.Address{u.Address}, u.Aliases...) }

// typeCode is the type column of usr_preferences: bit 0 says that the value is
// an integer.
func typeCode(a db.Attr) int {
	if a.Type == db.AttrInt {
		return 1
	}
	return 0
}
