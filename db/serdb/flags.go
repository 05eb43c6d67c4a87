package serdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"sipd/db"
)

// letters name the bits of a flags column, lowest first, as serctl writes
// them: server, disabled, canonical, to, from, web, pending, deleted,
// caller and callee deleted, multivalue, registration, required, folder.
const letters = "sdctfwpxremgqi"

// Flags is a change of a flags column.
type Flags struct {
	Set, Clear uint32 // bits that are set and cleared; no bit is in both
}

// ParseFlags reads a change: letters, set after "+" (and at the beginning),
// cleared after "-"; after "=" these and no other; or a number, the whole
// value. +fs-t sets f and s and clears t.
func ParseFlags(s string) (Flags, error) {
	if n, err := strconv.ParseUint(s, 0, 32); err == nil {
		return Flags{Set: uint32(n), Clear: ^uint32(n)}, nil
	}
	var f Flags
	rest, exact := strings.CutPrefix(s, "=")
	if s == "" || rest == "" && !exact {
		return f, fmt.Errorf("flags are empty; letters of %s, with + or - before them", letters)
	}
	clear := false
	for _, r := range rest {
		switch {
		case r == '+' && !exact, r == '-' && !exact:
			clear = r == '-'
		case strings.ContainsRune(letters, r):
			bit := uint32(1) << strings.IndexRune(letters, r)
			if clear {
				f.Clear, f.Set = f.Clear|bit, f.Set&^bit
			} else {
				f.Set, f.Clear = f.Set|bit, f.Clear&^bit
			}
		default:
			return Flags{}, fmt.Errorf("flags %q: %q is no flag; there are %s, with + or - before them", s, r, letters)
		}
	}
	if exact {
		f.Clear = ^f.Set
	}
	return f, nil
}

// Apply is what v becomes.
func (f Flags) Apply(v uint32) uint32 { return v&^f.Clear | f.Set }

// FormatFlags writes a value with a place for each letter, the highest first,
// "-" where the bit is not set; higher bits follow as a number.
func FormatFlags(v uint32) string {
	var b strings.Builder
	for i := len(letters) - 1; i >= 0; i-- {
		if v>>i&1 == 1 {
			b.WriteByte(letters[i])
		} else {
			b.WriteByte('-')
		}
	}
	if high := v >> len(letters) << len(letters); high != 0 {
		fmt.Fprintf(&b, "+0x%x", high)
	}
	return b.String()
}

// changeFlags applies a change to the rows of the condition. Columns are
// narrower than 32 bits in places and have a sign in others, so every value is
// computed here. A change applied twice is the same as once: the order in which
// values are changed does not matter.
func changeFlags(ctx context.Context, tx *db.Tx, table string, f Flags, where string, args ...any) error {
	var have []int64
	if err := tx.Select(ctx, &have, "SELECT DISTINCT flags FROM "+tx.Quote(table)+" WHERE "+where, args...); err != nil {
		return err
	}
	for _, old := range have {
		next := int64(f.Apply(uint32(old)))
		if next == old {
			continue
		}
		if _, err := tx.Exec(ctx, "UPDATE "+tx.Quote(table)+" SET flags = ? WHERE flags = ? AND "+where, with([]any{next, old}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// SetUserFlags changes the flags of all rows of a user: attributes, addresses
// and credentials.
func (s *Directory) SetUserFlags(ctx context.Context, a db.Address, f Flags) error {
	return s.d.Tx(ctx, func(tx *db.Tx) error {
		uid, err := ownUID(ctx, tx, a)
		if err != nil {
			return err
		}
		for _, table := range []string{"credentials", "uri", "user_attrs"} {
			if err := changeFlags(ctx, tx, table, f, "uid = ?", uid); err != nil {
				return err
			}
		}
		return nil
	})
}

// MarkUser marks all rows of a user as deleted, as serctl does: they stay until
// they are purged. A server does not look at the mark, so they are switched off
// and kept from being loaded as well.
func (s *Directory) MarkUser(ctx context.Context, a db.Address) error {
	return s.SetUserFlags(ctx, a, Flags{Set: flagDeleted | flagDisabled, Clear: flagServer})
}

// PurgeUser deletes the rows of users that had the address and are marked as
// deleted, and no others. ErrNoUser when there are none.
func (s *Directory) PurgeUser(ctx context.Context, a db.Address) (db.Counts, error) {
	var counts db.Counts
	err := s.d.Tx(ctx, func(tx *db.Tx) error {
		counts = make(db.Counts)
		var uids []string
		err := tx.Select(ctx, &uids, "SELECT DISTINCT u.uid FROM uri AS u JOIN domain AS d ON d.did = u.did WHERE u.username = ? AND d.domain = ? AND NOT "+alive("u."), a.User, a.Domain)
		if err != nil {
			return err
		}
		if len(uids) == 0 {
			return fmt.Errorf("user %s marked as deleted: %w", a, db.ErrNoUser)
		}
		for _, uid := range uids {
			lives, err := tx.Has(ctx, "SELECT 1 FROM user_attrs WHERE uid = ? AND "+alive(""), uid)
			if err != nil {
				return err
			}
			if !lives {
				if err := s.removeUID(ctx, tx, uid, counts); err != nil {
					return err
				}
				continue
			}
			for _, table := range []string{"credentials", "uri", "user_attrs"} {
				if err := remove(ctx, tx, counts, table, "uid = ? AND NOT "+alive(""), uid); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return counts, err
}

// Purge deletes all rows that are marked as deleted, in every table that has
// marks.
func (s *Directory) Purge(ctx context.Context) (db.Counts, error) {
	var counts db.Counts
	err := s.d.Tx(ctx, func(tx *db.Tx) error {
		counts = make(db.Counts)
		for _, table := range []string{"uri", "credentials", "domain", "user_attrs", "domain_attrs", "global_attrs", "uri_attrs"} {
			if s.found.Has(table, "flags") {
				if err := remove(ctx, tx, counts, table, "NOT "+alive("")); err != nil {
					return err
				}
			}
		}
		if counts["domain"]+counts["domain_attrs"] > 0 {
			if err := s.domainsChanged(ctx, tx); err != nil {
				return err
			}
		}
		if counts["global_attrs"] > 0 {
			return s.touch(ctx, tx, "gattr_timestamp")
		}
		return nil
	})
	return counts, err
}
