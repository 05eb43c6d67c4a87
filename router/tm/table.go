package tm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/stat"
)

const (
	shardCount = 64
	// entries is the number of chains, shards times chains in a shard; our
	// branch parameter names one.
	entries = 1 << 16
	chains  = entries / shardCount
	// maxBranches bounds the legs of one transaction, serial ones included.
	maxBranches = 64
)

// shard is one part of the table.
type shard struct {
	mu sync.Mutex
	// mu guards the fields below and the links of the transactions in them.
	chain [chains]*Transaction
	wheel wheel
	n     int
}

// Table holds the transactions of a daemon, as one configuration sees it. The
// one that takes over with a reload has the same transactions; each of them goes
// on by the settings and routes of the table that made it.
type Table struct {
	*store
	// Settings are the runtime variables.
	Settings *Settings

	env      *run.Env
	net      Network
	slot     int          // of Context.Slots: what t_on_… armed before there was a transaction
	live     atomic.Int64 // transactions made by this table
	watchers []*Watcher   // filled before there are transactions
}

// store is what tables that follow each other share.
type store struct {
	// Count are the statistics.
	Count Stats

	seed    maphash.Seed
	tag     string // what every To-tag made here starts with
	label   atomic.Uint32
	clock   atomic.Int64 // milliseconds since the start
	epoch   time.Time
	jobs    chan *Transaction
	runs    sync.Pool // *run.Context for timers and queued events
	armeds  sync.Pool // *armed
	buffers sync.Pool // *[]byte to print into
	shards  [shardCount]*shard
}

// Stats count transactions and replies. Class 2 to 6 are the final replies
// sent upstream.
type Stats struct {
	Created, Freed, Local, Waiting stat.Counter
	Received, Relayed, Generated   stat.Counter
	UAS, UAC                       stat.Counter
	Class                          [7]stat.Counter
}

// New makes an empty table. Call Serve to let its time run.
func New(env *run.Env, s *Settings, n Network) *Table {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // the system's source of random numbers never fails
	}
	st := &store{
		seed: maphash.MakeSeed(), tag: hex.EncodeToString(b[:]),
		epoch: time.Now(), jobs: make(chan *Transaction, 1024),
	}
	st.label.Store(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8)
	for i := range st.shards {
		st.shards[i] = new(shard)
	}
	return &Table{store: st, Settings: s, env: env, net: n, slot: env.NewSlot()}
}

// Succeed makes the table of a configuration that takes over: it has the
// transactions of tb, whose Serve goes on for both.
func (tb *Table) Succeed(env *run.Env, s *Settings, n Network) *Table {
	return &Table{store: tb.store, Settings: s, env: env, net: n, slot: env.NewSlot()}
}

// Live is the number of transactions that this table made and that are not
// over: those that still need its configuration.
func (tb *Table) Live() int { return int(tb.live.Load()) }

// workers run what timers set off and may take long: failure routes.
const workers = 8

// Serve lets the time run until ctx ends.
func (tb *Table) Serve(ctx context.Context) error {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { tb.work(ctx) })
	}
	tk := time.NewTicker(tick * time.Millisecond)
	defer tk.Stop()
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tk.C:
			tb.Advance(time.Since(tb.epoch))
		}
	}
}

func (tb *Table) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-tb.jobs:
			t.post(event{kind: evTimer})
		}
	}
}

// Advance sets the table's clock and wakes what is due at that time; Serve
// calls it, tests may instead.
func (tb *Table) Advance(since time.Duration) {
	ms := since.Milliseconds()
	tb.clock.Store(ms)
	var space [64]*Transaction
	for _, s := range &tb.shards {
		s.mu.Lock()
		due := s.wheel.advance(ms, space[:0])
		s.mu.Unlock()
		for _, t := range due {
			tb.wake(t)
		}
	}
}

// Settle does at once what timers have set off, for those who call Advance
// instead of Serve.
func (tb *Table) Settle() {
	for {
		select {
		case t := <-tb.jobs:
			t.post(event{kind: evTimer})
		default:
			return
		}
	}
}

// ownerLimit is how long after its creation a transaction may still be owned,
// in milliseconds, before it is given up.
const ownerLimit = 600_000

// wake lets a transaction look at its deadlines: at once, or in a worker when
// that may run a script.
func (tb *Table) wake(t *Transaction) {
	if !t.mayRunScript.Load() {
		if t.post(event{kind: evTimer}) {
			return
		}
		// Its owner is still at work. One that never lets go has died of a
		// panic: the table does not keep what nobody can end.
		if tb.now() > t.born+ownerLimit {
			tb.remove(t)
			return
		}
		tb.arm(t, tb.now()+1000)
		return
	}
	select {
	case tb.jobs <- t:
	default: // all workers are busy: look again at the next tick
		tb.arm(t, tb.clock.Load()+tick)
	}
}

// now is the time in milliseconds, of the last tick.
func (tb *Table) now() int64 { return tb.clock.Load() }

// arm puts t into its wheel for a time unless it wakes before that anyway.
func (tb *Table) arm(t *Transaction, due int64) {
	if at := t.armed.Load(); at != 0 && at <= ticks(due) {
		return
	}
	s := tb.shardOf(t.entry)
	s.mu.Lock()
	if t.inTable {
		s.wheel.put(t, due)
	}
	s.mu.Unlock()
}

func (tb *Table) shardOf(entry uint32) *shard { return tb.shards[entry%shardCount] }

func (s *shard) head(entry uint32) **Transaction { return &s.chain[entry/shardCount] }

// entryOf is the chain of a call's request: Call-ID and CSeq number, so that
// CANCEL and ACK find the INVITE.
func (tb *Table) entryOf(callID string, cseq uint32) uint32 {
	h := maphash.String(tb.seed, callID) + uint64(cseq)*0x9e3779b97f4a7c15
	h = bits.RotateLeft64(h*0xbf58476d1ce4e5b9, 29)
	return uint32(h) % entries
}

// insert adds t; the shard's mu is held.
func (s *shard) insert(t *Transaction) {
	h := s.head(t.entry)
	t.prev, t.next = nil, *h
	if t.next != nil {
		t.next.prev = t
	}
	*h = t
	t.inTable = true
	t.table.live.Add(1)
	s.n++
}

// remove takes t out of the table and off the wheel.
func (tb *Table) remove(t *Transaction) {
	s := tb.shardOf(t.entry)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.inTable {
		return
	}
	t.inTable = false
	if t.armed.Load() != 0 {
		s.wheel.take(t)
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		*s.head(t.entry) = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
	s.n--
	t.table.live.Add(-1)
	tb.Count.Freed.Inc()
}

// Len is the number of transactions in the table.
func (tb *Table) Len() int {
	n := 0
	for _, s := range &tb.shards {
		s.mu.Lock()
		n += s.n
		s.mu.Unlock()
	}
	return n
}

// Each calls f for the transactions there were when it came to their shard.
func (tb *Table) Each(f func(*Transaction) bool) {
	var list []*Transaction
	for i, s := range &tb.shards {
		list = list[:0]
		s.mu.Lock()
		for e := range s.chain {
			for t := s.chain[e]; t != nil; t = t.next {
				list = append(list, t)
			}
		}
		s.mu.Unlock()
		_ = i
		for _, t := range list {
			if !f(t) {
				return
			}
		}
	}
}

// matchReply finds the transaction and branch of a reply by our own branch
// parameter; nil when it is not of a transaction here.
func (tb *Table) matchReply(m *sip.Message) (*Transaction, int) {
	v, err := m.Via()
	if err != nil {
		return nil, 0
	}
	id, ok := parseID(v.Branch)
	if !ok {
		return nil, 0
	}
	s := tb.shardOf(id.entry)
	s.mu.Lock()
	t := *s.head(id.entry)
	for t != nil && t.label != id.label {
		t = t.next
	}
	s.mu.Unlock()
	if t == nil {
		return nil, 0
	}
	// The method tells apart what a guessed or stale branch would mix up (RFC
	// 3261 §17.1.3).
	if cs, err := m.CSeq(); err != nil || cs.Method != t.method && cs.Method != sip.CANCEL {
		return nil, 0
	}
	return t, id.branch
}

// FindID finds a transaction by its index and label, as RPC shows them.
func (tb *Table) FindID(entry, label uint32) *Transaction {
	if entry >= entries {
		return nil
	}
	s := tb.shardOf(entry)
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := *s.head(entry); t != nil; t = t.next {
		if t.label == label {
			return t
		}
	}
	return nil
}

// FindCall finds a transaction by Call-ID and CSeq number; method NoMethod
// takes any but ACK and CANCEL.
func (tb *Table) FindCall(callID string, cseq uint32, method string) *Transaction {
	entry := tb.entryOf(callID, cseq)
	s := tb.shardOf(entry)
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := *s.head(entry); t != nil; t = t.next {
		if t.cseq == cseq && t.callID == callID && (t.methodName == method || method == "" && t.method != sip.CANCEL) {
			return t
		}
	}
	return nil
}
