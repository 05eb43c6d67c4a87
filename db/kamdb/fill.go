package kamdb

import (
	"context"
	"slices"

	"sipd/db"
)

// owned is a row of somebody, in whichever table.
type owned struct {
	Username string
	A, B     string // alias user and domain, attribute and value, group
	Type     int
}

// Fill implements db.Directory.
func (k *Directory) Fill(ctx context.Context, users []db.User) error {
	byDomain := make(map[string][]string)
	at := make(map[db.Address]*db.User, len(users))
	for i := range users {
		a := users[i].Address
		byDomain[a.Domain] = append(byDomain[a.Domain], a.User)
		at[a] = &users[i]
	}
	return k.d.View(ctx, func(tx *db.Tx) error {
		for domain, names := range byDomain {
			for _, q := range []struct {
				query string
				take  func(u *db.User, r owned)
			}{
				{"SELECT username, alias_username AS a, alias_domain AS b FROM dbaliases WHERE domain = ? AND username", func(u *db.User, r owned) {
					u.Aliases = append(u.Aliases, db.Address{User: r.A, Domain: r.B})
				}},
				{"SELECT username, grp AS a FROM grp WHERE domain = ? AND username", func(u *db.User, r owned) {
					u.Groups = append(u.Groups, r.A)
				}},
				{"SELECT username, attribute AS a, value AS b, type FROM usr_preferences WHERE domain = ? AND username", func(u *db.User, r owned) {
					x := db.Attr{Name: r.A, Type: db.AttrString, Value: r.B}
					if r.Type&1 != 0 {
						x.Type = db.AttrInt
					}
					u.Attrs = append(u.Attrs, x)
				}},
			} {
				var rows []owned
				if err := db.In(ctx, tx, &rows, q.query, []any{domain}, names); err != nil {
					return err
				}
				for _, r := range rows {
					if u := at[db.Address{User: r.Username, Domain: domain}]; u != nil {
						q.take(u, r)
					}
				}
			}
		}
		for i := range users {
			slices.SortFunc(users[i].Aliases, db.Address.Compare)
			slices.Sort(users[i].Groups)
			slices.SortStableFunc(users[i].Attrs, db.Attr.Compare)
			takeOwnAttrs(&users[i])
		}
		return nil
	})
}
