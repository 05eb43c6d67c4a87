package presence

import (
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// order does what belongs to one subscription one after the other, without a
// lock over what is done: who comes while another is at work leaves it to them.
type order struct {
	mu sync.Mutex
	// waiting is what is left to who works for a dialog; mu guards it.
	waiting map[dialog][]func()
}

// mostWaiting bounds what is left to one worker. A NOTIFY tells the whole state,
// so the oldest of too many is not missed.
const mostWaiting = 64

// do runs f, or leaves it to who is at work for the dialog.
func (o *order) do(d dialog, f func()) {
	o.mu.Lock()
	if list, busy := o.waiting[d]; busy {
		if len(list) == mostWaiting {
			list = list[1:]
		}
		o.waiting[d] = append(list, f)
		o.mu.Unlock()
		return
	}
	if o.waiting == nil {
		o.waiting = make(map[dialog][]func())
	}
	o.waiting[d] = nil
	o.mu.Unlock()
	done := false
	defer func() {
		if !done { // f panicked: the others must not wait for ever
			o.leave(d)
		}
	}()
	for f != nil {
		f()
		f = o.after(d)
	}
	done = true
}

// after is what to do next, nil when nothing waits.
func (o *order) after(d dialog) func() {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.waiting[d]
	if len(list) == 0 {
		delete(o.waiting, d)
		return nil
	}
	o.waiting[d] = list[1:]
	return list[0]
}

func (o *order) leave(d dialog) {
	o.mu.Lock()
	delete(o.waiting, d)
	o.mu.Unlock()
}

// inFlight are the subscriptions of NOTIFYs that are being sent, for $subs in
// event_route[tm:local-request].
type inFlight struct{ m sync.Map }

type flight struct {
	callID string
	cseq   uint32
}

// currentMod is the module of the configuration in service.
type currentMod struct{ atomic.Pointer[mod] }

// ages count the changes of presentities; several may share a counter.
type ages [256]atomic.Uint64

func (a *ages) of(presURI string) *atomic.Uint64 {
	return &a[xxhash.Sum64String(presURI)%uint64(len(a))]
}
