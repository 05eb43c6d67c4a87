package presence

import (
	"context"
	"errors"
	"strings"
	"sync"

	events "sipd/router/presence"
)

// memorySubs are subscriptions in memory; rows is the table behind them, or nil.
type memorySubs struct {
	rows    *subTable
	through bool // changes are written at once
	fold    bool // presentities are compared without case

	mu sync.Mutex
	// mu guards the fields below.
	all map[dialog]*sub
	// byPres are those of a presentity and event.
	byPres map[string]map[dialog]*sub
	// dirty waits to be written: true for what is there, false for what is gone.
	dirty map[dialog]bool
}

func newMemorySubs(rows *subTable, through, fold bool) *memorySubs {
	return &memorySubs{
		rows: rows, through: through, fold: fold,
		all: make(map[dialog]*sub), byPres: make(map[string]map[dialog]*sub), dirty: make(map[dialog]bool),
	}
}

func (m *memorySubs) key(presURI, event string) string {
	if m.fold {
		presURI = strings.ToLower(presURI)
	}
	return presURI + " " + event
}

// restore reads the table.
func (m *memorySubs) restore(ctx context.Context) error {
	list, err := m.rows.everything(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range list {
		m.put(s)
	}
	return nil
}

// put keeps s; the caller holds mu.
func (m *memorySubs) put(s *sub) {
	m.all[s.dialog] = s
	k := m.key(s.presURI, s.event)
	if m.byPres[k] == nil {
		m.byPres[k] = make(map[dialog]*sub)
	}
	m.byPres[k][s.dialog] = s
}

// drop forgets s; the caller holds mu.
func (m *memorySubs) drop(s *sub) {
	delete(m.all, s.dialog)
	k := m.key(s.presURI, s.event)
	delete(m.byPres[k], s.dialog)
	if len(m.byPres[k]) == 0 {
		delete(m.byPres, k)
	}
}

// changed has a change written: now, or by flush.
func (m *memorySubs) changed(ctx context.Context, d dialog, there bool) error {
	if m.rows == nil {
		return nil
	}
	m.mu.Lock()
	m.dirty[d] = there
	m.mu.Unlock()
	if m.through {
		return m.flush(ctx)
	}
	return nil
}

func (m *memorySubs) add(ctx context.Context, s *sub) error {
	kept := *s
	m.mu.Lock()
	m.put(&kept)
	m.mu.Unlock()
	return m.changed(ctx, s.dialog, true)
}

func (m *memorySubs) find(_ context.Context, d dialog) (*sub, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.all[d]; s != nil {
		c := *s
		return &c, nil
	}
	return nil, nil
}

func (m *memorySubs) refresh(ctx context.Context, s *sub) error {
	m.mu.Lock()
	k := m.all[s.dialog]
	if k != nil {
		k.expires, k.remoteCSeq, k.contact, k.status, k.reason = s.expires, s.remoteCSeq, s.contact, s.status, s.reason
	}
	m.mu.Unlock()
	if k == nil {
		return errors.New("the subscription ended meanwhile")
	}
	return m.changed(ctx, s.dialog, true)
}

func (m *memorySubs) next(ctx context.Context, s *sub) (bool, error) {
	m.mu.Lock()
	k := m.all[s.dialog]
	if k != nil {
		k.localCSeq++
		k.version++
		s.localCSeq, s.version, s.contact, s.status, s.reason, s.expires = k.localCSeq, k.version, k.contact, k.status, k.reason, k.expires
	}
	m.mu.Unlock()
	if k == nil {
		return false, nil
	}
	return true, m.changed(ctx, s.dialog, true)
}

func (m *memorySubs) remove(ctx context.Context, d dialog) error {
	m.mu.Lock()
	s := m.all[d]
	if s != nil {
		m.drop(s)
	}
	m.mu.Unlock()
	if s == nil {
		return nil
	}
	return m.changed(ctx, d, false)
}

func (m *memorySubs) watching(_ context.Context, presURI, event string) ([]*sub, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := m.byPres[m.key(presURI, event)]
	list := make([]*sub, 0, len(of))
	for _, s := range of {
		c := *s
		list = append(list, &c)
	}
	return list, nil
}

func (m *memorySubs) decide(ctx context.Context, w *events.Watcher, event string) ([]*sub, error) {
	var list []*sub
	m.mu.Lock()
	for _, s := range m.byPres[m.key(w.PresURI, event)] {
		if s.watcherUser != w.User || s.watcherDom != w.Domain {
			continue
		}
		s.status, s.reason = w.Status, w.Reason
		if w.Status == events.Terminated {
			m.drop(s)
		}
		c := *s
		list = append(list, &c)
	}
	m.mu.Unlock()
	return list, m.allChanged(ctx, list, w.Status != events.Terminated)
}

func (m *memorySubs) expired(ctx context.Context, before int64) ([]*sub, error) {
	var list []*sub
	m.mu.Lock()
	for _, s := range m.all {
		if s.expires < before {
			m.drop(s)
			list = append(list, s)
		}
	}
	m.mu.Unlock()
	return list, m.allChanged(ctx, list, false)
}

func (m *memorySubs) allChanged(ctx context.Context, list []*sub, there bool) error {
	var errs []error
	for _, s := range list {
		errs = append(errs, m.changed(ctx, s.dialog, there))
	}
	return errors.Join(errs...)
}

// flush writes what waits. What cannot be written waits on.
func (m *memorySubs) flush(ctx context.Context) error {
	if m.rows == nil {
		return nil
	}
	m.rows.writing.Lock() // rows are written in the order of their changes
	defer m.rows.writing.Unlock()
	type change struct {
		d dialog
		s *sub // nil: gone
	}
	var list []change
	m.mu.Lock()
	for d, there := range m.dirty {
		c := change{d: d}
		if s := m.all[d]; s != nil && there {
			kept := *s
			c.s = &kept
		}
		list = append(list, c)
	}
	clear(m.dirty)
	m.mu.Unlock()
	for i, c := range list {
		var err error
		if c.s != nil {
			err = m.rows.put(ctx, c.s)
		} else {
			err = m.rows.remove(ctx, c.d)
		}
		if err != nil {
			m.mu.Lock()
			for _, c := range list[i:] {
				if _, newer := m.dirty[c.d]; !newer {
					m.dirty[c.d] = c.s != nil
				}
			}
			m.mu.Unlock()
			return err
		}
	}
	return nil
}
