package serdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"sipd/db"
)

// AddDomain implements db.Directory.
func (s *Directory) AddDomain(ctx context.Context, d db.Domain) error {
	d.Name = strings.ToLower(d.Name)
	number := d.DID == "" && d.IDType == db.IDInt
	switch {
	case d.DID != "", number:
	case d.IDType == db.IDUUID:
		d.DID = db.NewUUID()
	default:
		d.DID = db.IDOf(d.Name)
	}
	if d.Realm == "" {
		d.Realm = d.Name
	}
	if err := errors.Join(db.CheckText("did", d.DID), db.CheckText("realm", d.Realm)); err != nil {
		return err
	}
	if err := s.checkDomain("domain", d.Name); err != nil {
		return err
	}
	if err := errors.Join(db.CheckLength("did", d.DID, s.size("domain", "did")),
		db.CheckLength("realm", d.Realm, s.size("credentials", "realm"))); err != nil {
		return err
	}
	return s.d.Tx(ctx, func(tx *db.Tx) error {
		if number {
			n, err := nextNumber(ctx, tx, "did", "domain", "domain_attrs")
			if err != nil {
				return err
			}
			d.DID = strconv.Itoa(n)
		}
		taken, err := tx.Has(ctx, "SELECT 1 FROM domain WHERE did = ? AND domain <> ? AND "+alive(""), d.DID, d.Name)
		if err != nil {
			return err
		}
		if taken && d.DID != d.Name {
			return fmt.Errorf("did %s %w", d.DID, db.ErrExists)
		}
		if taken { // by an alias of a domain of this name, or by another domain's did
			return fmt.Errorf("domain %s %w", d.Name, db.ErrExists)
		}
		flags := domainFlags | flagCanonical
		if d.Disabled {
			flags |= flagDisabled
		}
		if err := s.insertDomain(ctx, tx, d.Name, d.DID, flags); err != nil {
			return err
		}
		for _, a := range d.Aliases {
			if err := s.insertDomain(ctx, tx, strings.ToLower(a), d.DID, flags&^flagCanonical); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "DELETE FROM domain_attrs WHERE did = ?", d.DID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO domain_attrs (did, name, type, value, flags) VALUES (?, 'digest_realm', 2, ?, ?)", d.DID, d.Realm, attrFlags)
		if err != nil {
			return err
		}
		return s.domainsChanged(ctx, tx)
	})
}

func (s *Directory) insertDomain(ctx context.Context, tx *db.Tx, name, did string, flags int) error {
	if err := s.checkDomain("domain", name); err != nil {
		return err
	}
	taken, err := tx.Has(ctx, "SELECT 1 FROM domain WHERE domain = ? AND "+alive(""), name)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("domain %s %w", name, db.ErrExists)
	}
	// A row marked as deleted still holds the name in the unique index.
	if _, err := tx.Exec(ctx, "DELETE FROM domain WHERE domain = ?", name); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO domain (did, domain, flags) VALUES (?, ?, ?)", did, name, flags)
	return err
}

// AddDomainAlias implements db.Directory.
func (s *Directory) AddDomainAlias(ctx context.Context, domain, alias string) error {
	return s.d.Tx(ctx, func(tx *db.Tx) error {
		d, err := findDomain(ctx, tx, domain)
		if err != nil {
			return err
		}
		if err := s.insertDomain(ctx, tx, strings.ToLower(alias), d.DID, domainFlags); err != nil {
			return err
		}
		return s.domainsChanged(ctx, tx)
	})
}

// SetDomainDisabled implements db.Directory.
func (s *Directory) SetDomainDisabled(ctx context.Context, name string, off bool) error {
	change := "flags - (flags & 2)"
	if off {
		change = "flags | 2"
	}
	return s.d.Tx(ctx, func(tx *db.Tx) error {
		d, err := findDomain(ctx, tx, name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE domain SET flags = "+change+" WHERE did = ?", d.DID); err != nil {
			return err
		}
		return s.domainsChanged(ctx, tx)
	})
}

type domainRow struct {
	DID    string
	Domain string
	Flags  int64
}

// group makes one domain of the rows of one did: the canonical one gives the
// name, else the one equal to the did, else the first of the alphabet.
func group(rows []domainRow) db.Domain {
	slices.SortFunc(rows, func(a, b domainRow) int { return strings.Compare(a.Domain, b.Domain) })
	best := rows[0]
	for _, r := range rows {
		switch {
		case best.Flags&flagCanonical != 0:
		case r.Flags&flagCanonical != 0, r.Domain == r.DID:
			best = r
		}
	}
	d := db.Domain{Name: best.Domain, DID: best.DID, Disabled: best.Flags&flagDisabled != 0}
	for _, r := range rows {
		if r.Domain != d.Name {
			d.Aliases = append(d.Aliases, r.Domain)
		}
	}
	return d
}

// findDomain reads a domain with its realm by any of its names.
func findDomain(ctx context.Context, tx *db.Tx, name string) (db.Domain, error) {
	var rows []domainRow
	err := tx.Select(ctx, &rows, "SELECT did, domain, flags FROM domain WHERE "+alive("")+
		" AND did IN (SELECT did FROM domain WHERE domain = ? AND "+alive("")+")", strings.ToLower(name))
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("domain %s: %w", name, db.ErrNoDomain)
	}
	if err != nil {
		return db.Domain{}, err
	}
	d := group(rows)
	d.Realm, err = realmOf(ctx, tx, d)
	return d, err
}

// realmOf is the attribute digest_realm of the domain, or its name where the
// attribute is missing, as with serctl's force.
func realmOf(ctx context.Context, tx *db.Tx, d db.Domain) (string, error) {
	var realm db.Text
	err := tx.Get(ctx, &realm, "SELECT value FROM domain_attrs WHERE did = ? AND name = 'digest_realm' AND "+alive("")+" LIMIT 1", d.DID)
	if errors.Is(err, sql.ErrNoRows) || err == nil && realm == "" {
		return d.Name, nil
	}
	return string(realm), err
}

// Domain implements db.Directory.
func (s *Directory) Domain(ctx context.Context, name string) (db.Domain, error) {
	var d db.Domain
	err := s.d.View(ctx, func(tx *db.Tx) (err error) {
		if d, err = findDomain(ctx, tx, name); err != nil {
			return err
		}
		return tx.Get(ctx, &d.Users, "SELECT count(DISTINCT uid) FROM uri WHERE did = ? AND "+alive(""), d.DID)
	})
	return d, err
}

// allDomains reads every domain; there are few enough to keep in memory.
func (s *Directory) allDomains(ctx context.Context) ([]db.Domain, error) {
	var rows []domainRow
	realms := make(map[string]string)
	err := s.d.View(ctx, func(tx *db.Tx) error {
		if err := tx.Select(ctx, &rows, "SELECT did, domain, flags FROM domain WHERE "+alive("")); err != nil {
			return err
		}
		var values []struct{ DID, Value db.Text }
		err := tx.Select(ctx, &values, "SELECT did, value FROM domain_attrs WHERE name = 'digest_realm' AND "+alive(""))
		for _, v := range values {
			realms[string(v.DID)] = string(v.Value)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	byDID := make(map[string][]domainRow)
	for _, r := range rows {
		byDID[r.DID] = append(byDID[r.DID], r)
	}
	var all []db.Domain
	for did, rows := range byDID {
		d := group(rows)
		if d.Realm = realms[did]; d.Realm == "" {
			d.Realm = d.Name
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b db.Domain) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Domains implements db.Directory.
func (s *Directory) Domains(ctx context.Context, f db.Filter) iter.Seq2[db.Domain, error] {
	return func(yield func(db.Domain, error) bool) {
		all, err := s.allDomains(ctx)
		if err != nil {
			yield(db.Domain{}, err)
			return
		}
		page := f.Pager()
		for _, d := range all {
			if f.Domain != "" && d.Name != f.Domain && !slices.Contains(d.Aliases, f.Domain) {
				continue
			}
			if page.Take(d.Name) && !yield(d, nil) || page.Full() {
				return
			}
		}
	}
}

// RemoveDomain implements db.Directory.
func (s *Directory) RemoveDomain(ctx context.Context, name string, cascade bool) (db.Counts, error) {
	name = strings.ToLower(name)
	var counts db.Counts
	err := s.d.Tx(ctx, func(tx *db.Tx) error {
		counts = make(db.Counts)
		d, err := findDomain(ctx, tx, name)
		if err != nil {
			return err
		}
		if name != d.Name { // an alias: users have the did, not the name
			if err := remove(ctx, tx, counts, "domain", "domain = ?", name); err != nil {
				return err
			}
			return s.domainsChanged(ctx, tx)
		}
		if err := s.emptyDomain(ctx, tx, d, cascade, counts); err != nil {
			return err
		}
		for _, table := range []string{"domain", "domain_attrs"} {
			if err := remove(ctx, tx, counts, table, "did = ?", d.DID); err != nil {
				return err
			}
		}
		return s.domainsChanged(ctx, tx)
	})
	if err != nil {
		counts = nil
	}
	return counts, err
}

// emptyDomain removes the users whose canonical address is in the domain and
// the aliases of others there, or refuses.
func (s *Directory) emptyDomain(ctx context.Context, tx *db.Tx, d db.Domain, cascade bool, counts db.Counts) error {
	var uids []string
	if err := tx.Select(ctx, &uids, "SELECT DISTINCT uid FROM uri WHERE did = ? AND "+alive(""), d.DID); err != nil {
		return err
	}
	if !cascade && len(uids) > 0 {
		return fmt.Errorf("domain %s has addresses of %d users: %w", d.Name, len(uids), db.ErrInUse)
	}
	for _, uid := range uids {
		elsewhere, err := tx.Has(ctx, "SELECT 1 FROM uri WHERE uid = ? AND did <> ? AND (flags & 4) <> 0 AND "+alive(""), uid, d.DID)
		if err != nil {
			return err
		}
		if !elsewhere {
			if err := s.removeUID(ctx, tx, uid, counts); err != nil {
				return err
			}
		}
	}
	return remove(ctx, tx, counts, "uri", "did = ?", d.DID)
}
