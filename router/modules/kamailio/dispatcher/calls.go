package dispatcher

import (
	"strings"
	"sync"
	"time"

	"sipd/router/run"
	"sipd/router/sip"
)

// calls are the calls that algorithm 10 counted, by Call-ID.
type calls struct {
	expire, initial time.Duration

	mu sync.Mutex
	// mu guards the field below.
	byID map[string]*call
}

type call struct {
	duid      string
	set       int
	confirmed bool
	begun     time.Time
}

func newCalls(expire, initial int) *calls {
	return &calls{
		expire: time.Duration(expire) * time.Second, initial: time.Duration(initial) * time.Second,
		byID: make(map[string]*call),
	}
}

func (t *calls) put(id, duid string, set int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byID[strings.Clone(id)] = &call{duid: duid, set: set, begun: time.Now()}
}

// take removes a call; nil when it is not counted.
func (t *calls) take(id string) *call {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.byID[id]
	delete(t.byID, id)
	return c
}

func (t *calls) confirm(id string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.byID[id]; c != nil {
		c.confirmed = true
	}
}

// ended takes out the calls whose time is up: of unanswered ones the initial
// time, of all the expiry; 0 is never.
func (t *calls) ended(now time.Time) (list []*call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, c := range t.byID {
		age := now.Sub(c.begun)
		if t.expire > 0 && age > t.expire || !c.confirmed && t.initial > 0 && age > t.initial {
			delete(t.byID, id)
			list = append(list, c)
		}
	}
	return list
}

// release takes a call off its destination's count.
func (d *dispatcher) release(c *call) bool {
	if c == nil {
		return false
	}
	s := d.sets.Load().byID[c.set]
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byDUID(c.duid)
	if x == nil {
		return false
	}
	x.load = max(x.load-1, 0)
	return true
}

// What became of a call that moves on to another destination.
const (
	moved = iota
	unknownCall
	goneDest
)

func (d *dispatcher) moveLoad(c *run.Context, duid string) int {
	id := c.Msg.CallID()
	old := d.calls.take(id)
	if old == nil {
		return unknownCall
	}
	s := d.sets.Load().byID[old.set]
	if s == nil {
		return unknownCall
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.byDUID(duid)
	if to == nil {
		d.calls.put(id, old.duid, old.set)
		return goneDest
	}
	if from := s.byDUID(old.duid); from != nil {
		from.load = max(from.load-1, 0)
	}
	to.load++
	d.calls.put(id, duid, old.set)
	return moved
}

// loadUpdate is ds_load_update: BYE and CANCEL end the count, a 2xx to an
// INVITE confirms the call.
func (d *dispatcher) loadUpdate(c *run.Context) int {
	m := c.Msg
	cs, err := m.CSeq()
	switch {
	case err != nil || m.CallID() == "":
		return -1
	case m.IsRequest():
		if m.Method() == sip.BYE || m.Method() == sip.CANCEL {
			d.release(d.calls.take(m.CallID()))
		}
	case cs.Method == sip.INVITE && m.StatusCode()/100 == 2:
		d.calls.confirm(m.CallID())
	}
	return 1
}

// loadUnset is ds_load_unset: for an INVITE only when algorithm 10 chose.
func (d *dispatcher) loadUnset(c *run.Context) int {
	if !d.keepsRecords() {
		return 1
	}
	if c.Msg.IsRequest() && c.Msg.Method() == sip.INVITE {
		if r, ok := d.top(c); !ok || r.duid == "" {
			return 1
		}
	}
	if !d.release(d.calls.take(c.Msg.CallID())) {
		return -1
	}
	return 1
}
