package usrloc

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// In mode Direct the store is the table: each look-up reads the rows of one
// address of record, each change reads them, works on them in a shard of its
// own, and writes before it ends. Several daemons may share the rows.

// Reader is a Store that finds single rows; mode Direct needs one.
type Reader interface {
	Store
	// LoadAOR calls f for each row of an address of record.
	LoadAOR(ctx context.Context, table, aor string, f func(i *Info)) error
	// LoadRUID calls f for the row with an id.
	LoadRUID(ctx context.Context, table, ruid string, f func(aor string, i *Info)) error
}

// readLimit bounds what one look-up may take.
const readLimit = 10 * time.Second

// direct is the store in mode Direct, nil in the others.
func (t *Table) direct() Reader {
	if t.all.opt.Mode != Direct {
		return nil
	}
	r, _ := t.all.opt.Store.(Reader)
	return r
}

// private is a change on contacts of its own, which are no part of the table.
func (t *Table) private(aor string) Tx {
	s := &shard{aors: make(map[string]*Contact)}
	s.mu.Lock()
	return Tx{t: t, s: s, aor: aor, alone: true}
}

// put adds a row that was read.
func (x *Tx) put(i *Info) {
	if c, err := x.insert(i); err == nil {
		c.state = Sync
	}
}

// fetch reads an address of record. order keeps changes of the same daemon from
// crossing: it is held until the end of the change, and waits for the store.
func (t *Table) fetch(r Reader, aor string, order *sync.Mutex) Tx {
	if order != nil {
		order.Lock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	x := t.private(aor)
	x.order = order
	if x.err = r.LoadAOR(ctx, t.name, aor, x.put); x.err != nil {
		t.all.opt.Log.LogAttrs(ctx, slog.LevelError, "contacts not read", slog.String("module", "usrloc"), slog.String("table", t.name), slog.Any("err", x.err))
	}
	return x
}

// list ends a look-up.
func (x *Tx) list(dst []*Contact) []*Contact {
	defer x.s.mu.Unlock()
	for c := x.first; c != nil; c = c.next {
		dst = append(dst, c)
	}
	return dst
}

// endDirect writes a change.
func (x *Tx) endDirect(ctx context.Context) error {
	defer x.order.Unlock()
	defer x.s.mu.Unlock()
	if x.err != nil || len(x.ops) == 0 {
		return x.err
	}
	return x.t.all.opt.Store.Apply(ctx, x.t.name, x.ops)
}

// byRUID finds a contact by its id.
func (t *Table) byRUID(r Reader, ruid string) *Contact {
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	var found *Contact
	err := r.LoadRUID(ctx, t.name, ruid, func(aor string, i *Info) {
		x := t.private(aor)
		x.put(i)
		found = x.first
	})
	if err != nil {
		t.all.opt.Log.LogAttrs(ctx, slog.LevelError, "contact not read", slog.String("module", "usrloc"), slog.String("table", t.name), slog.Any("err", err))
	}
	return found
}

// everything reads the whole table, for listings.
func (t *Table) everything(r Reader) []Record {
	ctx, cancel := context.WithTimeout(context.Background(), 10*readLimit)
	defer cancel()
	s := &shard{aors: make(map[string]*Contact)}
	err := r.Load(ctx, t.name, func(aor string, i *Info) {
		x := Tx{t: t, s: s, aor: aor, first: s.aors[aor], alone: true}
		x.put(i)
	})
	if err != nil {
		t.all.opt.Log.LogAttrs(ctx, slog.LevelError, "contacts not read", slog.String("module", "usrloc"), slog.String("table", t.name), slog.Any("err", err))
	}
	return s.records(nil)
}

// sweepDirect deletes the rows of contacts that ended at now.
func (t *Table) sweepDirect(ctx context.Context, r Reader, now int64) error {
	var ops []Op
	flush := func() error {
		defer func() { clear(ops); ops = ops[:0] }()
		if len(ops) == 0 {
			return nil
		}
		return r.Apply(ctx, t.name, ops)
	}
	for _, rec := range t.everything(r) {
		for _, c := range rec.Contacts {
			if c.Valid(now) {
				continue
			}
			t.over(c)
			ops = append(ops, Op{OpDelete, c, ""})
		}
		if len(ops) >= batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
