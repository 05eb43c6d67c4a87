package serdb

import (
	"context"
	"slices"

	"sipd/db"
)

// Fill implements db.Directory.
func (s *Directory) Fill(ctx context.Context, users []db.User) error {
	uids := make([]string, len(users))
	at := make(map[string]*db.User, len(users))
	for i := range users {
		uids[i] = users[i].UID
		at[users[i].UID] = &users[i]
	}
	return s.d.View(ctx, func(tx *db.Tx) error {
		names := make(map[string]string) // by did
		var uris []struct{ UID, Username, DID string }
		if err := db.In(ctx, tx, &uris, "SELECT uid, username, did FROM uri WHERE scheme = 'sip' AND "+alive("")+" AND uid", nil, uids); err != nil {
			return err
		}
		for _, r := range uris {
			name, ok := names[r.DID]
			if !ok {
				var err error
				if name, err = nameOf(ctx, tx, r.DID); err != nil {
					return err
				}
				names[r.DID] = name
			}
			u, a := at[r.UID], db.Address{User: r.Username, Domain: name}
			if u != nil && a != u.Address {
				u.Aliases = append(u.Aliases, a)
			}
		}
		var attrs []struct {
			UID, Name string
			Value     db.Text
			Type      int
		}
		if err := db.In(ctx, tx, &attrs, "SELECT uid, name, value, type FROM user_attrs WHERE "+alive("")+" AND uid", nil, uids); err != nil {
			return err
		}
		for _, r := range attrs {
			u := at[r.UID]
			switch {
			case u == nil, r.Name == created:
			case r.Name == aclAttr:
				u.Groups = append(u.Groups, string(r.Value))
			default:
				u.Attrs = append(u.Attrs, db.Attr{Name: r.Name, Type: typeName(r.Type), Value: string(r.Value)})
			}
		}
		for i := range users {
			slices.SortFunc(users[i].Aliases, db.Address.Compare)
			slices.Sort(users[i].Groups)
			slices.SortStableFunc(users[i].Attrs, db.Attr.Compare)
		}
		return nil
	})
}
