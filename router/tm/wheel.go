package tm

// The wheel wakes transactions. Each shard has one; a transaction stands in it
// once, at the earliest of its deadlines. When a deadline moves back or goes
// away the wheel is left alone: the transaction wakes, finds nothing due, and
// is put where it belongs now.

const (
	// tick is the wheel's grain in milliseconds.
	tick = 20
	// wheelSize is the number of slots: what is further away than one turn
	// stays in its slot for as many turns as it takes.
	wheelSize = 512
)

type wheel struct {
	slots [wheelSize]*Transaction
	// now is the last tick that was served.
	now int64
	// n is the number of transactions in the wheel.
	n int
}

// ticks is the tick at which a time in milliseconds has passed.
func ticks(ms int64) int64 { return (ms + tick - 1) / tick }

// put arms t for a time; it moves it when it stands elsewhere.
func (w *wheel) put(t *Transaction, due int64) {
	if t.armed.Load() != 0 {
		w.take(t)
	}
	at := max(ticks(due), w.now+1)
	i := at % wheelSize
	t.slot = int32(i)
	t.wprev, t.wnext = nil, w.slots[i]
	if t.wnext != nil {
		t.wnext.wprev = t
	}
	w.slots[i] = t
	w.n++
	t.armed.Store(at)
}

// take removes t; it must be in the wheel.
func (w *wheel) take(t *Transaction) {
	if t.wprev != nil {
		t.wprev.wnext = t.wnext
	} else {
		w.slots[t.slot] = t.wnext
	}
	if t.wnext != nil {
		t.wnext.wprev = t.wprev
	}
	t.wnext, t.wprev = nil, nil
	w.n--
	t.armed.Store(0)
}

// advance moves to a time and appends what is due, taken off the wheel.
func (w *wheel) advance(ms int64, due []*Transaction) []*Transaction {
	to := ms / tick
	if w.n == 0 {
		w.now = max(w.now, to)
		return due
	}
	// After a long pause one turn visits every slot.
	for at := max(w.now+1, to-wheelSize+1); at <= to; at++ {
		for t := w.slots[at%wheelSize]; t != nil; {
			next := t.wnext
			if t.armed.Load() <= to {
				w.take(t)
				due = append(due, t)
			}
			t = next
		}
	}
	w.now = max(w.now, to)
	return due
}
