package htable

import (
	"cmp"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"sipd/router/run"
)

// table is a hash table of the script. Items live in shards with a mutex each;
// slots are what listings and locks of the script speak of.
type table struct {
	def
	*items
	now       func() int64 // seconds
	inherited bool         // the items are those of the configuration before
}

// items is what a table holds; it outlives a reload.
type items struct {
	shards [64]shard
	locks  []slotLock
}

type shard struct {
	mu sync.Mutex
	// mu guards the items below.
	items map[string]*item
}

// item is a value; expires is when it ends, 0 for never.
type item struct {
	value   run.Value
	expires int64
}

func newTable(d def) *table {
	t := &table{def: d, now: func() int64 { return time.Now().Unix() }, items: &items{locks: make([]slotLock, 1<<d.size)}}
	for i := range t.shards {
		t.shards[i].items = make(map[string]*item)
	}
	return t
}

func hash(key string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return h.Sum32()
}

func (t *table) slot(key string) int { return int(hash(key) & uint32(len(t.locks)-1)) }

func (t *table) shard(key string) *shard { return &t.shards[hash(key)&63] }

// live is the item of a key, nil when there is none or it has ended. The
// shard's mu is held.
func (t *table) live(s *shard, key string) *item {
	x := s.items[key]
	if x == nil || x.expires != 0 && x.expires <= t.now() {
		return nil
	}
	return x
}

// get is the value of a key: initval, else null, when there is none.
func (t *table) get(key string) run.Value {
	v, _, ok := t.item(key)
	if !ok {
		return t.initial
	}
	return v
}

// item is the value of a key and when it ends.
func (t *table) item(key string) (v run.Value, expires int64, ok bool) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	x := t.live(s, key)
	if x == nil {
		return run.Null, 0, false
	}
	return x.value, x.expires, true
}

// fresh is when an item that is set now ends.
func (t *table) fresh() int64 {
	if t.autoexpire == 0 {
		return 0
	}
	return t.now() + int64(t.autoexpire)
}

// set stores a value; null removes the key.
func (t *table) set(key string, v run.Value) {
	if v.IsNull() {
		t.remove(key)
		return
	}
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := t.live(s, key); x != nil {
		x.value = v.Keep()
		if t.updateExpire {
			x.expires = t.fresh()
		}
		return
	}
	s.items[string(append([]byte(nil), key...))] = &item{v.Keep(), t.fresh()}
}

// put stores a value with its end.
func (t *table) put(key string, v run.Value, expires int64) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items[string(append([]byte(nil), key...))] = &item{v.Keep(), expires}
}

func (t *table) remove(key string) bool {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.items[key]
	delete(s.items, key)
	return ok
}

// setExpires lets a key end in some seconds, never for 0; false when there is
// none.
func (t *table) setExpires(key string, seconds int) bool {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	x := t.live(s, key)
	if x == nil {
		return false
	}
	x.expires = 0
	if seconds > 0 {
		x.expires = t.now() + int64(seconds)
	}
	return true
}

// add adds to a number and answers it; null when the value is text or there is
// none and no initval.
func (t *table) add(key string, n int) run.Value {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	x := t.live(s, key)
	switch {
	case x == nil && t.initial.IsNull():
		return run.Null
	case x == nil:
		x = &item{t.initial, t.fresh()}
		s.items[string(append([]byte(nil), key...))] = x
	case !x.value.IsInt():
		return run.Null
	case t.updateExpire:
		x.expires = t.fresh()
	}
	x.value = run.Int(x.value.Int() + n)
	return x.value
}

// entry is a copy of an item for lists.
type entry struct {
	key     string
	value   run.Value
	expires int64
	slot    int
}

// entries are the items that keep says yes to, in the order of slots and keys.
func (t *table) entries(keep func(key string, v run.Value) bool) []entry {
	var list []entry
	now := t.now()
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for k, x := range s.items {
			if (x.expires == 0 || x.expires > now) && (keep == nil || keep(k, x.value)) {
				list = append(list, entry{k, x.value, x.expires, t.slot(k)})
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Or(a.slot-b.slot, cmp.Compare(a.key, b.key)) })
	return list
}

// removeAll removes the items that match says yes to.
func (t *table) removeAll(match func(key string, v run.Value) bool) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for k, x := range s.items {
			if match == nil || match(k, x.value) {
				delete(s.items, k)
			}
		}
		s.mu.Unlock()
	}
}

// sweep removes what has ended and answers it.
func (t *table) sweep() []entry {
	var gone []entry
	now := t.now()
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for k, x := range s.items {
			if x.expires != 0 && x.expires <= now {
				delete(s.items, k)
				gone = append(gone, entry{k, x.value, x.expires, 0})
			}
		}
		s.mu.Unlock()
	}
	return gone
}

// slotLock is what sht_lock takes: it belongs to a run, which may take it more
// than once.
type slotLock struct {
	mu sync.Mutex
	// mu guards the fields below.
	owner *run.Context
	depth int
	free  chan struct{} // closed when the owner lets go
}

// lockPatience bounds the wait for another run.
const lockPatience = 5 * time.Second

// lock takes the lock for c; false when another run kept it for too long.
func (l *slotLock) lock(c *run.Context) bool {
	limit := time.NewTimer(lockPatience)
	defer limit.Stop()
	for {
		l.mu.Lock()
		if l.owner == nil || l.owner == c {
			l.owner = c
			l.depth++
			l.mu.Unlock()
			return true
		}
		if l.free == nil {
			l.free = make(chan struct{})
		}
		free := l.free
		l.mu.Unlock()
		select {
		case <-free:
		case <-limit.C:
			return false
		}
	}
}

// unlock gives one taking back, all of them at the end of a run; false when c
// does not have it.
func (l *slotLock) unlock(c *run.Context, all bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner != c {
		return false
	}
	if l.depth--; l.depth > 0 && !all {
		return true
	}
	l.owner, l.depth = nil, 0
	if l.free != nil {
		close(l.free)
		l.free = nil
	}
	return true
}
