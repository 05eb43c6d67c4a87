package presence

import (
	"context"
	"time"

	events "sipd/router/presence"
)

// pendingLife is how long a watcher waits for a decision, seconds.
const pendingLife = 24 * 3600

// Serve removes what ended. It may go on for configurations that follow: their
// events and settings count.
func (m *mod) Serve(ctx context.Context) error {
	if m.library {
		return nil
	}
	clean, stopClean := ticks(m.cleanPeriod)
	defer stopClean()
	update, stopUpdate := ticks(m.updatePeriod)
	defer stopUpdate()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-clean:
			m.s.current.Load().clean(ctx)
		case <-update:
			m.s.current.Load().update(ctx)
		}
	}
}

// ticks tick each seconds; never when it is not positive.
func ticks(seconds int) (<-chan time.Time, func()) {
	if seconds <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(time.Duration(seconds) * time.Second)
	return t.C, t.Stop
}

// clean removes states that ended, and tells their watchers.
func (m *mod) clean(ctx context.Context) {
	defer m.caught()
	if m.s.watchers != nil {
		if err := m.s.watchers.forget(ctx, now()-pendingLife); err != nil {
			m.warn("watchers not cleaned", err)
		}
	}
	list, err := m.s.states.ended(ctx, now())
	if err != nil {
		m.warn("states not cleaned", err)
		return
	}
	for _, p := range list {
		if err := m.s.states.remove(ctx, p.stateKey); err != nil {
			m.warn("state not removed", err)
			continue
		}
		if e := m.events.Find(p.event); e != nil && m.forceDelete == 0 {
			m.tellEnd(ctx, e, p)
		}
	}
}

// tellEnd tells the watchers of a state that ended: they see what others publish,
// and what ended once more where states are shown until they are removed.
func (m *mod) tellEnd(ctx context.Context, e *events.Event, p *published) {
	everybody := *p
	everybody.sender = ""
	if m.startupMode == 0 {
		m.tell(ctx, e, &everybody, p)
		return
	}
	m.tell(ctx, e, &everybody, nil)
}

// update removes subscriptions that ended, tells them so, and writes what waits.
func (m *mod) update(ctx context.Context) {
	defer m.caught()
	list, err := m.s.subs.expired(ctx, now()-int64(m.expiresOffset))
	if err != nil {
		m.warn("subscriptions not cleaned", err)
	}
	for _, s := range list {
		s.status, s.reason = events.Terminated, "timeout"
		s.localCSeq++
		m.notify(s, &note{over: true, empty: true})
	}
	if err := m.s.subs.flush(ctx); err != nil {
		m.warn("subscriptions not written", err)
	}
}
