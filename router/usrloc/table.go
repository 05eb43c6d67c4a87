package usrloc

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"

	"sipd/router/stat"
)

// shardBits: 64 shards, so that receivers rarely meet in one.
const shardBits = 6

// Table is one location table ("location"). It is safe for concurrent use.
type Table struct {
	all  *Locations
	name string

	users, contacts, ended stat.Counter

	shards [1 << shardBits]shard
	orders [1 << shardBits]sync.Mutex // of mode Direct: changes of an address of record go one by one
	writer writer
	gone   deletions
}

type shard struct {
	mu sync.Mutex
	// mu guards the field below, and next and state of its contacts.
	aors map[string]*Contact // the first contact of each; keys are pieces of it
	_    [40]byte
}

func newTable(l *Locations, name string) *Table {
	t := &Table{all: l, name: name}
	for i := range t.shards {
		t.shards[i].aors = make(map[string]*Contact)
	}
	return t
}

// Name is the table's name.
func (t *Table) Name() string { return t.name }

// Users and Contacts count what is stored.
func (t *Table) Users() int64 { return t.users.Value() }

// Contacts counts the contacts, ended ones that were not swept yet included.
func (t *Table) Contacts() int64 { return t.contacts.Value() }

// Ended counts the contacts that were swept because they ended.
func (t *Table) Ended() int64 { return t.ended.Value() }

// Slots is the number of slots that listings speak of.
func (t *Table) Slots() int { return 1 << t.all.opt.HashSize }

// slot is the slot of a hash; shardOf the shard that has it: ascending shards
// have ascending slots.
func (t *Table) slot(h uint32) uint32 { return h & uint32(t.Slots()-1) }

func (t *Table) shardOf(h uint32) *shard {
	s := t.slot(h)
	if t.all.opt.HashSize > shardBits {
		s >>= t.all.opt.HashSize - shardBits
	}
	return &t.shards[s]
}

// Get appends the contacts of an address of record to dst, best first, ended
// ones included.
func (t *Table) Get(aor string, dst []*Contact) []*Contact {
	if r := t.direct(); r != nil {
		x := t.fetch(r, aor, nil)
		return x.list(dst)
	}
	s := t.shardOf(Hash(aor))
	s.mu.Lock()
	for c := s.aors[aor]; c != nil; c = c.next {
		dst = append(dst, c)
	}
	s.mu.Unlock()
	return dst
}

// ByRUID finds a contact by the hash of its address of record and its id; nil
// when there is none.
func (t *Table) ByRUID(hash uint32, ruid string) *Contact {
	if r := t.direct(); r != nil {
		return t.byRUID(r, ruid)
	}
	s := t.shardOf(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	for aor, c := range s.aors {
		if Hash(aor) != hash {
			continue
		}
		for ; c != nil; c = c.next {
			if c.RUID() == ruid {
				return c
			}
		}
	}
	return nil
}

// Tx is a change of one address of record. It holds the shard from Begin to
// End: nothing that waits may happen between, but what Begin and End themselves
// wait for.
type Tx struct {
	// MemoryOnly keeps the change from the store.
	MemoryOnly bool

	t     *Table
	s     *shard
	aor   string
	first *Contact
	ops   []Op

	alone bool        // the contacts are no part of the table
	order *sync.Mutex // held to the end, in mode Direct
	err   error
}

// Begin starts a change. End must follow.
func (t *Table) Begin(aor string) Tx {
	if r := t.direct(); r != nil {
		return t.fetch(r, aor, &t.orders[Hash(aor)%(1<<shardBits)])
	}
	s := t.shardOf(Hash(aor))
	s.mu.Lock()
	return Tx{t: t, s: s, aor: aor, first: s.aors[aor]}
}

// Err says why the contacts could not be read, in mode Direct. There are none
// then, and End writes nothing.
func (x *Tx) Err() error { return x.err }

// First is the best contact, ended or not; nil when there is none.
func (x *Tx) First() *Contact { return x.first }

// Next is the next best contact of the same address of record. It may be
// called between Begin and End only.
func (c *Contact) Next() *Contact { return c.next }

// Valid counts the contacts that have not ended.
func (x *Tx) Valid(now int64) int {
	n := 0
	for c := x.first; c != nil; c = c.next {
		if c.Valid(now) {
			n++
		}
	}
	return n
}

// What Find may say against a contact.
var (
	ErrCSeq       = errors.New("CSeq is not higher than before")
	ErrRepetition = errors.New("request was seen before")
)

// Find is the contact that a REGISTER means, nil when there is none. byInstance
// matches instance and reg-id instead (RFC 5626 §6). ErrCSeq and ErrRepetition
// come with the contact.
func (x *Tx) Find(i *Info, byInstance bool, now int64) (*Contact, error) {
	for c := x.first; c != nil; c = c.next {
		if !x.match(c, i, byInstance) {
			continue
		}
		if c.CallID() == i.CallID {
			switch {
			case i.CSeq < c.cseq:
				return c, ErrCSeq
			case i.CSeq == c.cseq && now <= c.Modified()+x.t.all.opt.CSeqDelay && x.t.all.opt.CSeqDelay > 0:
				return c, ErrRepetition
			case i.CSeq == c.cseq:
				return c, ErrCSeq
			}
		}
		return c, nil
	}
	return nil, nil
}

func (x *Tx) match(c *Contact, i *Info, byInstance bool) bool {
	if byInstance && i.Instance != "" && i.RegID > 0 {
		return c.RegID() == i.RegID && c.Instance() == i.Instance
	}
	switch x.t.all.opt.Matching {
	case ByContactCallID:
		return c.URI() == i.URI && c.CallID() == i.CallID
	case ByContactPath:
		return c.URI() == i.URI && c.Path() == i.Path
	case ByCallID:
		return c.CallID() == i.CallID
	}
	return c.URI() == i.URI
}

// Insert stores a new contact. The error is ErrTooLong.
func (x *Tx) Insert(i *Info) (*Contact, error) {
	c, err := x.insert(i)
	if err == nil {
		x.op(OpInsert, c)
	}
	return c, err
}

func (x *Tx) insert(i *Info) (*Contact, error) {
	if i.RUID == "" {
		i.RUID = x.t.all.ruids.Next()
	}
	if i.size(x.aor) > MaxText {
		return nil, ErrTooLong
	}
	c := pack(x.aor, i, x.t.all.socket(i.Socket))
	if x.first == nil && !x.alone {
		x.t.users.Inc()
	}
	x.link(c)
	if !x.alone {
		x.t.contacts.Inc()
	}
	return c, nil
}

// Update replaces a contact by what i says; its id stays. The error is
// ErrTooLong.
func (x *Tx) Update(old *Contact, i *Info) (*Contact, error) {
	i.RUID = old.RUID()
	if i.size(x.aor) > MaxText {
		return nil, ErrTooLong
	}
	c := pack(x.aor, i, x.t.all.socket(i.Socket))
	c.state = old.state
	if c.state == Sync {
		c.state = Dirty
	}
	if !x.t.all.opt.NewestFirst && c.q == old.q {
		x.replace(old, c)
	} else {
		x.unlink(old)
		x.link(c)
	}
	x.op(OpUpdate, c)
	return c, nil
}

// Delete removes a contact.
func (x *Tx) Delete(c *Contact) {
	x.unlink(c)
	if !x.alone {
		x.t.contacts.Dec()
	}
	if x.first == nil && !x.alone {
		x.t.users.Dec()
	}
	if c.state == Unsaved && x.t.all.opt.Mode == WriteBack {
		return
	}
	x.op(OpDelete, c)
}

// setFirst makes c the first contact. The key is a piece of its text, so that
// the text of one that went is not kept alive by it.
func (x *Tx) setFirst(c *Contact) {
	if x.first != nil {
		delete(x.s.aors, x.aor)
	}
	if x.first = c; c != nil {
		x.s.aors[c.AOR()] = c
	}
}

// link puts c at its place: newest first, or behind those of the same or a
// higher preference.
func (x *Tx) link(c *Contact) {
	var prev *Contact
	if !x.t.all.opt.NewestFirst {
		for p := x.first; p != nil && p.q >= c.q; p = p.next {
			prev = p
		}
	}
	if prev == nil {
		c.next = x.first
		x.setFirst(c)
		return
	}
	c.next = prev.next
	prev.next = c
}

func (x *Tx) before(c *Contact) *Contact {
	p := x.first
	for p.next != c {
		p = p.next
	}
	return p
}

func (x *Tx) unlink(c *Contact) {
	if x.first == c {
		x.setFirst(c.next)
		return
	}
	x.before(c).next = c.next
}

func (x *Tx) replace(old, c *Contact) {
	c.next = old.next
	if x.first == old {
		x.setFirst(c)
		return
	}
	x.before(old).next = c
}

// op remembers what to write.
func (x *Tx) op(kind OpKind, c *Contact) {
	if x.MemoryOnly || x.t.all.opt.Store == nil {
		return
	}
	switch x.t.all.opt.Mode {
	case Direct:
		x.ops = append(x.ops, Op{kind, c, x.t.Socket(c)})
	case WriteThrough:
		if kind == OpUpdate && c.state == Unsaved {
			kind = OpInsert
		}
		c.state = Sync
		x.ops = append(x.ops, Op{kind, c, x.t.Socket(c)})
	case WriteBack:
		if kind == OpDelete {
			x.t.gone.add(Op{kind, c, ""})
		}
	}
}

// End finishes the change and, where the mode says so, waits until the store
// has it. An error means that the store does not have it yet: the table tries
// again when it is swept.
func (x *Tx) End(ctx context.Context) error {
	if x.order != nil {
		return x.endDirect(ctx)
	}
	var j *job
	if len(x.ops) > 0 {
		j = x.t.writer.enqueue(x.ops) // under the lock: changes of one AOR keep their order
	}
	x.s.mu.Unlock()
	if j == nil {
		return nil
	}
	err := x.t.writer.wait(ctx, x.t, j)
	if err != nil {
		x.t.unsync(j.ops)
	}
	return err
}

// Remove deletes an address of record; it says whether there was one.
func (t *Table) Remove(ctx context.Context, aor string) (bool, error) {
	x := t.Begin(aor)
	found := x.first != nil
	for x.first != nil {
		x.Delete(x.first)
	}
	return found, x.End(ctx)
}

// Record is an address of record with its contacts.
type Record struct {
	AOR      string
	Hash     uint32
	Contacts []*Contact
}

// All goes over the table in the order of its slots. One shard is copied at a
// time, so what changes meanwhile may be seen or not.
func (t *Table) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		var all []Record
		if r := t.direct(); r != nil {
			all = t.everything(r)
			slices.SortFunc(all, t.inOrder)
			for _, rec := range all {
				if !yield(rec) {
					return
				}
			}
			return
		}
		for i := range t.shards {
			all = t.shards[i].records(all[:0])
			slices.SortFunc(all, t.inOrder)
			for _, r := range all {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// inOrder compares by slot, then by name.
func (t *Table) inOrder(a, b Record) int {
	if c := int(t.slot(a.Hash)) - int(t.slot(b.Hash)); c != 0 {
		return c
	}
	return strings.Compare(a.AOR, b.AOR)
}

func (s *shard) records(dst []Record) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	for aor, c := range s.aors {
		r := Record{AOR: aor, Hash: Hash(aor)}
		for ; c != nil; c = c.next {
			r.Contacts = append(r.Contacts, c)
		}
		dst = append(dst, r)
	}
	return dst
}

// Fill is the number of addresses of record, and how many the fullest slot has.
func (t *Table) Fill() (records, most int) {
	slots := make([]uint32, t.Slots())
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for aor := range s.aors {
			n := &slots[t.slot(Hash(aor))]
			*n++
			most = max(most, int(*n))
			records++
		}
		s.mu.Unlock()
	}
	return records, most
}

// State is what the store knows of a contact.
func (t *Table) State(c *Contact) State {
	if t.all.opt.Mode == Direct {
		return Sync
	}
	s := t.shardOf(Hash(c.AOR()))
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.state
}

// Waits says whether the end of a change waits for the store.
func (t *Table) Waits() bool {
	return t.all.opt.Store != nil && (t.all.opt.Mode == WriteThrough || t.all.opt.Mode == Direct)
}

// Retries says whether what the store did not take is kept and tried again; in
// mode Direct it is lost.
func (t *Table) Retries() bool { return t.all.opt.Mode != Direct }
