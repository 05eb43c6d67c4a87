package kamdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"sipd/db"
)

// AddDomain implements db.Directory.
func (k *Directory) AddDomain(ctx context.Context, d db.Domain) error {
	d.Name = strings.ToLower(d.Name)
	switch {
	case d.DID != "":
	case d.IDType == db.IDUUID:
		d.DID = db.NewUUID()
	case d.IDType == db.IDInt:
		return fmt.Errorf("domain %s: ids that are numbers: %w", d.Name, db.ErrNotSupported)
	default:
		d.DID = d.Name
	}
	names := []string{d.Name}
	for _, a := range d.Aliases {
		names = append(names, strings.ToLower(a))
	}
	for _, n := range names {
		if err := k.checkDomain("domain", n); err != nil {
			return err
		}
	}
	if err := errors.Join(db.CheckText("did", d.DID), db.CheckLength("did", d.DID, k.size("domain", "did"))); err != nil {
		return err
	}
	return k.d.Tx(ctx, func(tx *db.Tx) error {
		taken, err := tx.Has(ctx, "SELECT 1 FROM domain WHERE COALESCE(did, domain) = ?", d.DID)
		if err != nil {
			return err
		}
		if taken && d.DID != d.Name {
			return fmt.Errorf("did %s %w", d.DID, db.ErrExists)
		}
		for _, n := range names {
			if err := k.insertDomain(ctx, tx, n, d.DID); err != nil {
				return err
			}
		}
		if d.Realm != "" && d.Realm != d.Name {
			return fmt.Errorf("realm %s of domain %s: the kamailio flavour takes the domain as realm: %w", d.Realm, d.Name, db.ErrNotSupported)
		}
		if d.Disabled {
			return fmt.Errorf("disabled domain %s: %w", d.Name, db.ErrNotSupported)
		}
		return nil
	})
}

func (k *Directory) insertDomain(ctx context.Context, tx *db.Tx, name, did string) error {
	taken, err := tx.Has(ctx, "SELECT 1 FROM domain WHERE domain = ?", name)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("domain %s %w", name, db.ErrExists)
	}
	_, err = tx.Exec(ctx, "INSERT INTO domain (domain, did, last_modified) VALUES (?, ?, ?)", name, did, k.now())
	return err
}

// AddDomainAlias implements db.Directory.
func (k *Directory) AddDomainAlias(ctx context.Context, domain, alias string) error {
	alias = strings.ToLower(alias)
	if err := k.checkDomain("domain", alias); err != nil {
		return err
	}
	return k.d.Tx(ctx, func(tx *db.Tx) error {
		d, err := findDomain(ctx, tx, domain)
		if err != nil {
			return err
		}
		if err := k.insertDomain(ctx, tx, alias, d.DID); err != nil {
			return err
		}
		// Rows of kamctl have no did: give this one the name it counts as.
		_, err = tx.Exec(ctx, "UPDATE domain SET did = ? WHERE domain = ? AND did IS NULL", d.DID, d.Name)
		return err
	})
}

// SetDomainDisabled implements db.Directory; the flavour has no column for it.
func (k *Directory) SetDomainDisabled(_ context.Context, name string, _ bool) error {
	return fmt.Errorf("disable domain %s in the kamailio flavour: %w", name, db.ErrNotSupported)
}

type domainRow struct {
	Domain   string
	DID      string
	Modified lastModified
}

// lastModified is the zero time where the column holds what nobody can read:
// kamctl writes the output of date(1) into SQLite, in the words of its locale.
type lastModified struct{ db.Time }

func (m *lastModified) Scan(src any) error {
	if m.Time.Scan(src) != nil {
		m.Time = db.Time{}
	}
	return nil
}

const domainColumns = "SELECT domain, COALESCE(did, domain) AS did, last_modified AS modified FROM domain"

// group makes one domain of the rows of one did: the name equal to the did is
// canonical, else the oldest.
func group(rows []domainRow) db.Domain {
	d := db.Domain{Name: rows[0].Domain, DID: rows[0].DID, Modified: rows[0].Modified.Time.Time}
	for _, r := range rows {
		if r.Domain == r.DID {
			d.Name, d.Modified = r.Domain, r.Modified.Time.Time
		}
	}
	for _, r := range rows {
		if r.Domain != d.Name {
			d.Aliases = append(d.Aliases, r.Domain)
		}
	}
	slices.Sort(d.Aliases)
	d.Realm = d.Name
	return d
}

// findDomain reads a domain by any of its names.
func findDomain(ctx context.Context, tx *db.Tx, name string) (db.Domain, error) {
	var rows []domainRow
	err := tx.Select(ctx, &rows, domainColumns+` WHERE COALESCE(did, domain) IN
		(SELECT COALESCE(did, domain) FROM domain WHERE domain = ?) ORDER BY id`, strings.ToLower(name))
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("domain %s: %w", name, db.ErrNoDomain)
	}
	if err != nil {
		return db.Domain{}, err
	}
	inLocalTime(rows)
	return group(rows), nil
}

// inLocalTime gives the wall clocks of a server, which came without a zone,
// the one they were written in.
func inLocalTime(rows []domainRow) {
	for i := range rows {
		rows[i].Modified.Time.Time = local(rows[i].Modified.Time.Time)
	}
}

func local(t time.Time) time.Time {
	if t.IsZero() || t.Location() != time.UTC {
		return t
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.Local)
}

// Domain implements db.Directory.
func (k *Directory) Domain(ctx context.Context, name string) (db.Domain, error) {
	var d db.Domain
	err := k.d.View(ctx, func(tx *db.Tx) (err error) {
		if d, err = findDomain(ctx, tx, name); err != nil {
			return err
		}
		d.Users = 0
		for _, n := range append([]string{d.Name}, d.Aliases...) {
			var count int
			if err := tx.Get(ctx, &count, "SELECT count(*) FROM subscriber WHERE domain = ?", n); err != nil {
				return err
			}
			d.Users += count
		}
		return nil
	})
	return d, err
}

// Domains implements db.Directory. There are few enough to sort in memory.
func (k *Directory) Domains(ctx context.Context, f db.Filter) iter.Seq2[db.Domain, error] {
	return func(yield func(db.Domain, error) bool) {
		var rows []domainRow
		err := k.d.View(ctx, func(tx *db.Tx) error {
			return tx.Select(ctx, &rows, domainColumns+" ORDER BY id")
		})
		if err != nil {
			yield(db.Domain{}, err)
			return
		}
		inLocalTime(rows)
		byDID := make(map[string][]domainRow)
		for _, r := range rows {
			byDID[r.DID] = append(byDID[r.DID], r)
		}
		var all []db.Domain
		for _, rows := range byDID {
			all = append(all, group(rows))
		}
		slices.SortFunc(all, func(a, b db.Domain) int { return strings.Compare(a.Name, b.Name) })
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
func (k *Directory) RemoveDomain(ctx context.Context, name string, cascade bool) (db.Counts, error) {
	name = strings.ToLower(name)
	var counts db.Counts
	err := k.d.Tx(ctx, func(tx *db.Tx) error {
		counts = make(db.Counts)
		d, err := findDomain(ctx, tx, name)
		if err != nil {
			return err
		}
		names := []string{name}
		if name == d.Name {
			names = append(names, d.Aliases...)
		}
		for _, n := range names {
			if err := k.emptyDomain(ctx, tx, n, cascade, counts); err != nil {
				return err
			}
			if err := remove(ctx, tx, counts, "domain", "domain = ?", n); err != nil {
				return err
			}
		}
		if name != d.Name || !k.found.Has("domain_attrs") {
			return nil
		}
		return remove(ctx, tx, counts, "domain_attrs", "did = ?", d.DID)
	})
	return counts, err
}

// emptyDomain removes the users and aliases of a name, or refuses.
func (k *Directory) emptyDomain(ctx context.Context, tx *db.Tx, name string, cascade bool, counts db.Counts) error {
	var users []string
	if err := tx.Select(ctx, &users, "SELECT username FROM subscriber WHERE domain = ?", name); err != nil {
		return err
	}
	var aliases int
	if err := tx.Get(ctx, &aliases, "SELECT count(*) FROM dbaliases WHERE alias_domain = ? AND domain <> ?", name, name); err != nil {
		return err
	}
	if !cascade && len(users)+aliases > 0 {
		return fmt.Errorf("domain %s has %d users and %d aliases of other users: %w", name, len(users), aliases, db.ErrInUse)
	}
	for _, u := range users {
		if err := k.removeUser(ctx, tx, db.Address{User: u, Domain: name}, counts); err != nil {
			return err
		}
	}
	return remove(ctx, tx, counts, "dbaliases", "alias_domain = ?", name)
}

// remove deletes the rows of a table that the condition names and counts them.
func remove(ctx context.Context, tx *db.Tx, counts db.Counts, table, where string, args ...any) error {
	n, err := tx.Exec(ctx, "DELETE FROM "+tx.Quote(table)+" WHERE "+where, args...)
	counts.Add(table, n)
	return err
}
