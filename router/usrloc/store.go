package usrloc

import (
	"context"
	"errors"
	"log/slog"
	"sync"
)

// OpKind is what is done to a row.
type OpKind uint8

// The operations.
const (
	OpInsert OpKind = iota
	OpUpdate
	OpDelete
)

// Op is one row to write.
type Op struct {
	Kind    OpKind
	Contact *Contact
	Socket  string
}

// Store keeps contacts beyond the daemon's life.
type Store interface {
	// Load calls f for each row; the Info is valid during the call.
	Load(ctx context.Context, table string, f func(aor string, i *Info)) error
	// Apply writes all of the operations or none. An insert replaces a row of
	// the same id; an update inserts a row that is missing.
	Apply(ctx context.Context, table string, ops []Op) error
}

// batch is how many rows go into one transaction.
const batch = 500

// job is what one change wants written.
type job struct {
	ops  []Op
	done chan struct{}
	lead chan struct{}
	err  error
}

// writer joins changes that wait at the same time into one transaction: the
// first of them writes for all that queued up behind it, then hands over.
type writer struct {
	mu sync.Mutex
	// mu guards the fields below.
	queue []*job
	busy  bool
}

func (w *writer) enqueue(ops []Op) *job {
	j := &job{ops: ops, done: make(chan struct{}), lead: make(chan struct{}, 1)}
	w.mu.Lock()
	w.queue = append(w.queue, j)
	if !w.busy {
		w.busy = true
		j.lead <- struct{}{}
	}
	w.mu.Unlock()
	return j
}

func (w *writer) wait(ctx context.Context, t *Table, j *job) error {
	select {
	case <-j.done:
	case <-j.lead:
		w.write(ctx, t)
	}
	return j.err
}

// write takes what is queued, writes it, and makes the next in line the writer.
func (w *writer) write(ctx context.Context, t *Table) {
	w.mu.Lock()
	n, rows := 0, 0
	for n < len(w.queue) && (n == 0 || rows+len(w.queue[n].ops) <= batch) {
		rows += len(w.queue[n].ops)
		n++
	}
	jobs := w.queue[:n:n]
	w.queue = w.queue[n:]
	w.mu.Unlock()
	ops := jobs[0].ops
	if n > 1 {
		ops = make([]Op, 0, rows)
		for _, j := range jobs {
			ops = append(ops, j.ops...)
		}
	}
	err := t.all.opt.Store.Apply(ctx, t.name, ops)
	for _, j := range jobs {
		if j.err = err; err != nil && n > 1 { // not all of them pay for one
			j.err = t.all.opt.Store.Apply(ctx, t.name, j.ops)
		}
		close(j.done)
	}
	w.mu.Lock()
	if len(w.queue) > 0 {
		w.queue[0].lead <- struct{}{}
	} else {
		w.busy, w.queue = false, nil
	}
	w.mu.Unlock()
}

// maxDeletions bounds what waits to be deleted while a database is away; the
// rows behind it end by themselves.
const maxDeletions = 1 << 20

// deletions are rows to delete when the table is flushed.
type deletions struct {
	mu sync.Mutex
	// mu guards the fields below.
	ops  []Op
	lost int64
}

func (d *deletions) add(ops ...Op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ops)+len(ops) > maxDeletions {
		d.lost += int64(len(ops))
		return
	}
	d.ops = append(d.ops, ops...)
}

func (d *deletions) take() []Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	ops := d.ops
	d.ops = nil
	return ops
}

// unsync notes that the store does not have what ops say.
func (t *Table) unsync(ops []Op) {
	for _, op := range ops {
		if op.Kind == OpDelete {
			t.gone.add(op)
			continue
		}
		s := t.shardOf(Hash(op.Contact.AOR()))
		s.mu.Lock()
		for c := s.aors[op.Contact.AOR()]; c != nil; c = c.next {
			if c.RUID() != op.Contact.RUID() {
				continue
			}
			if op.Kind == OpInsert {
				c.state = Unsaved
			} else if c.state == Sync {
				c.state = Dirty
			}
		}
		s.mu.Unlock()
	}
}

// dirty appends what the store does not have of a shard, and marks it as if it
// had.
func (t *Table) dirty(s *shard, dst []Op) []Op {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.aors {
		for ; c != nil; c = c.next {
			kind := OpUpdate
			switch c.state {
			case Sync:
				continue
			case Unsaved:
				kind = OpInsert
			}
			c.state = Sync
			dst = append(dst, Op{kind, c, t.Socket(c)})
		}
	}
	return dst
}

// Flush writes what the store does not have yet.
func (t *Table) Flush(ctx context.Context) error {
	o := &t.all.opt
	if o.Store == nil || (o.Mode != WriteBack && o.Mode != WriteThrough) {
		return nil
	}
	ops := t.gone.take()
	var errs []error
	for i := range t.shards {
		ops = t.dirty(&t.shards[i], ops)
		if len(ops) < batch && i < len(t.shards)-1 {
			continue
		}
		for len(ops) > 0 {
			n := min(len(ops), batch)
			if err := o.Store.Apply(ctx, t.name, ops[:n]); err != nil {
				t.unsync(ops)
				errs = append(errs, err)
				return errors.Join(errs...)
			}
			ops = ops[n:]
		}
		ops = nil
	}
	return errors.Join(errs...)
}

// Sweep removes the contacts that ended at now, tells whoever wants to know,
// and flushes.
func (t *Table) Sweep(ctx context.Context, now int64) error {
	if r := t.direct(); r != nil {
		err := t.sweepDirect(ctx, r, now)
		if err != nil {
			t.all.opt.Log.LogAttrs(ctx, slog.LevelError, "ended contacts not deleted; trying again at the next run of the timer",
				slog.String("module", "usrloc"), slog.String("table", t.name), slog.Any("err", err))
		}
		return err
	}
	var gone []*Contact
	for i := range t.shards {
		gone = t.shards[i].sweep(t, now, gone[:0])
		for _, c := range gone {
			t.over(c)
		}
		clear(gone)
	}
	err := t.Flush(ctx)
	if err != nil {
		t.all.opt.Log.LogAttrs(ctx, slog.LevelError, "contacts not written; trying again at the next run of the timer",
			slog.String("module", "usrloc"), slog.String("table", t.name), slog.Any("err", err))
	}
	return err
}

// over counts a contact that ended, and tells of it.
func (t *Table) over(c *Contact) {
	t.ended.Inc()
	if f := t.all.opt.Expired; f != nil {
		f(t.name, c)
	}
	if f := t.all.expired.Load(); f != nil {
		(*f)(t.name, c)
	}
}

// sweep unlinks what ended in one shard. Rows are deleted by the flush.
func (s *shard) sweep(t *Table, now int64, gone []*Contact) []*Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	for aor, first := range s.aors {
		start := len(gone)
		for c := first; c != nil; c = c.next {
			if !c.Valid(now) {
				gone = append(gone, c)
			}
		}
		if len(gone) == start {
			continue
		}
		x := Tx{t: t, s: s, aor: aor, first: first, MemoryOnly: true}
		for _, c := range gone[start:] {
			x.Delete(c)
			if t.all.opt.Store != nil && t.all.opt.Mode != LoadOnly && t.all.opt.Mode != Memory && c.state != Unsaved {
				t.gone.add(Op{OpDelete, c, ""})
			}
		}
	}
	return gone
}
