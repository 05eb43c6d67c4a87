package dialog

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sipd/db"
	"sipd/router/run"
)

// batch is how many calls are written in one transaction.
const batch = 200

// changed says that something of the call changed which a database has; the
// caller holds mu.
func (d *dialog) changed() {
	d.dflags |= dfChanged
	d.dirty = true
}

// changedVars says that a variable changed; the caller holds mu.
func (d *dialog) changedVars() {
	d.dflags |= dfChangedVars
	d.dirty, d.dirtyVars = true, true
}

// take is what has to be written of a call; the caller holds mu, and nobody else
// writes the call until settle.
func (d *dialog) take() op {
	o := op{row: row{entry: d.entry, id: d.id}}
	switch {
	case d.state == deleted:
		d.dirty, d.dirtyVars = false, false
		if d.stored {
			o.kind = opDelete
		}
		return o
	case d.state < confirmedNA: // as Kamailio: from the answer on
		return o
	case !d.stored:
		o.kind, o.hasVars = opInsert, len(d.vars) > 0
	case d.dirty:
		o.kind, o.hasVars = opUpdate, d.dirtyVars
	default:
		return o
	}
	if o.hasVars {
		o.vars = append([]variable(nil), d.vars...)
	}
	d.fill(&o.row)
	d.dirty, d.dirtyVars = false, false
	d.dflags &^= dfNew | dfChanged | dfChangedVars
	return o
}

// settle notes what became of take's op; the caller holds mu.
func (d *dialog) settle(o *op, err error) {
	switch {
	case o.kind == opNone:
	case err == nil:
		d.stored = o.kind != opDelete
	case temporary(err) || o.kind == opDelete:
		d.dirty = true
		d.dirtyVars = d.dirtyVars || o.hasVars
	default:
		d.unfit = o.kind == opInsert // the database will not take it the next time either
	}
}

// temporary says whether a database may take later what it refused now.
func temporary(err error) bool {
	return errors.Is(err, db.ErrUnavailable) || errors.Is(err, db.ErrLocked) || errors.Is(err, context.DeadlineExceeded)
}

// save writes a call in db_mode 1, before the message that changed it goes on.
// When another run writes it already, that one writes this change too.
func (m *mod) save(d *dialog) {
	s := m.t.store
	if s == nil || s.mode != realtime {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writing || d.state == deleted { // the end is written behind the message
		return
	}
	d.writing = true
	for d.dirty && d.state != deleted {
		o := d.take()
		if o.kind == opNone {
			break
		}
		d.mu.Unlock()
		err := s.apply(context.Background(), []op{o})
		d.mu.Lock()
		d.settle(&o, err)
		if err != nil {
			s.complain(m.log, d.callID, err)
			break
		}
	}
	d.writing = false
}

// complainOnce logs that calls were not read, once a second at most.
func (s *store) complainOnce(c *run.Context, err error) {
	now, last := c.Now().Unix(), s.failed.Load()
	if now > last && s.failed.CompareAndSwap(last, now) {
		c.Logger().LogAttrs(context.Background(), slog.LevelError, "calls not read from the database", slog.String("module", "dialog"),
			slog.String("call_id", c.Msg.CallID()), slog.Any("err", err))
	}
}

// complain logs that a call was not written, once a second at most.
func (s *store) complain(log *slog.Logger, callID string, err error) {
	now, last := time.Now().Unix(), s.failed.Load()
	if now <= last || !s.failed.CompareAndSwap(last, now) {
		return
	}
	text := "call not written to the database"
	if temporary(err) {
		text = "call not written to the database; it is tried again"
	}
	log.LogAttrs(context.Background(), slog.LevelError, text, slog.String("module", "dialog"), slog.String("call_id", callID), slog.Any("err", err))
}

// keep writes what waits: the ends of calls and what failed before each second,
// in db_mode 2 all changes each db_update_period.
func (m *mod) keep(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	due := time.Now().Add(time.Duration(m.dbPeriod) * time.Second)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		all := m.t.store.mode == realtime || !now.Before(due)
		if all {
			due = now.Add(time.Duration(m.dbPeriod) * time.Second)
		}
		m.flush(ctx, all)
	}
}

// flush writes the ends of calls, and all changes when all is set.
func (m *mod) flush(ctx context.Context, all bool) {
	var list []*dialog
	for i := range m.t.entries {
		e := &m.t.entries[i]
		e.mu.Lock()
		for _, d := range e.list {
			d.mu.Lock()
			if !d.unfit && !d.writing && (d.state == deleted && d.stored || all && d.dirty && d.state >= confirmedNA) {
				list = append(list, d)
			}
			d.mu.Unlock()
		}
		e.mu.Unlock()
	}
	for len(list) > 0 && ctx.Err() == nil {
		n := min(batch, len(list))
		if !m.writeAll(ctx, list[:n]) {
			return // the next tick tries again
		}
		list = list[n:]
	}
}

// writeAll writes calls in one transaction; one by one when the database does
// not take one of them. false: it takes none now.
func (m *mod) writeAll(ctx context.Context, list []*dialog) bool {
	ops, of := make([]op, 0, len(list)), make([]*dialog, 0, len(list))
	for _, d := range list {
		d.mu.Lock()
		if !d.writing {
			if o := d.take(); o.kind != opNone {
				d.writing = true
				ops, of = append(ops, o), append(of, d)
			}
		}
		d.mu.Unlock()
	}
	if len(ops) == 0 {
		return true
	}
	s := m.t.store
	err := s.apply(ctx, ops)
	up := err == nil || !temporary(err)
	for i, d := range of {
		one := err
		if err != nil && up && len(ops) > 1 {
			one = s.apply(ctx, ops[i:i+1])
			up = one == nil || !temporary(one)
		}
		if one != nil {
			s.complain(m.log, d.callID, one)
		}
		d.mu.Lock()
		d.settle(&ops[i], one)
		d.writing = false
		d.mu.Unlock()
	}
	return up
}

// Close writes what was not written and gives the database back.
func (m *mod) Close() error {
	if !m.owner.Load() {
		return nil
	}
	s := m.t.store
	if m.serving.Load() { // else the start came to nothing, and the rows are as they were
		ctx, cancel := context.WithTimeout(context.Background(), sqlLimit)
		defer cancel()
		if s.mode == atShutdown && !m.dbSkip && !m.cleared.Load() {
			m.clear(ctx)
		}
		m.flush(ctx, true)
	}
	return s.close()
}
