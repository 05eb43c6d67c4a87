package serdb

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"sipd/db"
)

// listed is a row of the user list: one per address that may be canonical and
// per credential of its user.
type listed struct {
	uid, user, did, created string
	flags                   int64
	cred                    credentialRow
}

// listQuery takes the canonical address of every user, or, where none is
// marked so, all of them; the credentials come beside it.
var listQuery = `SELECT u.uid, u.username, u.did, u.flags, COALESCE(a.value, ''),
	c.auth_username, c.realm, c.password, c.ha1, c.ha1b, c.flags
	FROM uri AS u
	LEFT JOIN user_attrs AS a ON a.uid = u.uid AND a.name = '` + created + `' AND ` + alive("a.") + `
	LEFT JOIN credentials AS c ON c.uid = u.uid AND ` + alive("c.") + `
	WHERE u.scheme = 'sip' AND ` + alive("u.") + ` AND ((u.flags & 4) <> 0 OR NOT EXISTS
		(SELECT 1 FROM uri AS v WHERE v.uid = u.uid AND v.scheme = 'sip' AND (v.flags & 4) <> 0 AND ` + alive("v.") + `))`

func scanListed(scan func(...any) error) (listed, error) {
	var l listed
	var user, realm, password, ha1, ha1b db.Text
	var flags sql.NullInt64
	err := scan(&l.uid, &l.user, &l.did, &l.flags, &l.created, &user, &realm, &password, &ha1, &ha1b, &flags)
	l.cred = credentialRow{
		AuthUsername: string(user), Realm: string(realm), Password: string(password),
		HA1: string(ha1), HA1B: string(ha1b), Flags: flags.Int64,
	}
	return l, err
}

// Users implements db.Directory.
func (s *Directory) Users(ctx context.Context, f db.Filter) iter.Seq2[db.User, error] {
	return func(yield func(db.User, error) bool) {
		domains, err := s.allDomains(ctx)
		if err != nil {
			yield(db.User{}, err)
			return
		}
		query, args, ok := listQuery, []any(nil), true
		if f.Domain != "" {
			var did string
			did, ok = didOf(domains, f.Domain)
			query, args = query+" AND u.did = ?", []any{did}
		}
		if !ok {
			return
		}
		rows := db.Rows(ctx, s.d, scanListed, query+" ORDER BY u.did, u.username, u.uid", args...)
		m := merger{names: make(map[string]db.Domain), page: f.Pager(), yield: yield}
		for _, d := range domains {
			m.names[d.DID] = d
		}
		for l, err := range rows {
			if err != nil {
				yield(db.User{}, err)
				return
			}
			if !m.add(l) {
				return
			}
		}
		m.flush()
	}
}

// merger makes users of the rows that belong together.
type merger struct {
	names map[string]db.Domain // by did
	page  *db.Pager
	yield func(db.User, error) bool
	last  listed
	user  db.User
	any   bool
	loose map[string]bool // uids without a canonical address that came already
}

// add takes one row; false ends the stream.
func (m *merger) add(l listed) bool {
	if m.any && l.uid == m.last.uid && l.user == m.last.user && l.did == m.last.did {
		if l.cred.AuthUsername == l.user && m.last.cred.AuthUsername != l.user {
			m.last = l
			setSecrets(&m.user, l.cred)
		}
		return true
	}
	if l.flags&flagCanonical == 0 {
		if m.loose[l.uid] {
			return true
		}
		if m.loose == nil {
			m.loose = make(map[string]bool)
		}
		m.loose[l.uid] = true
	}
	if !m.flush() {
		return false
	}
	m.any, m.last = true, l
	d, ok := m.names[l.did]
	if !ok {
		d = db.Domain{Name: l.did, Realm: l.did}
	}
	m.user = db.User{Address: db.Address{User: l.user, Domain: d.Name}, UID: l.uid}
	m.user.Created, _ = time.Parse(time.DateTime, l.created) // what does not read is no date
	setSecrets(&m.user, l.cred)
	m.user.Disabled = m.user.Disabled || l.flags&flagDisabled != 0
	if m.user.Realm == "" {
		m.user.Realm = d.Realm
	}
	return true
}

// flush hands on the user that is complete.
func (m *merger) flush() bool {
	if !m.any {
		return true
	}
	m.any = false
	if m.page.Take(m.user.Address.String()) && !m.yield(m.user, nil) {
		return false
	}
	return !m.page.Full()
}

func didOf(domains []db.Domain, name string) (string, bool) {
	for _, d := range domains {
		if d.Name == name {
			return d.DID, true
		}
		for _, a := range d.Aliases {
			if a == name {
				return d.DID, true
			}
		}
	}
	return "", false
}
