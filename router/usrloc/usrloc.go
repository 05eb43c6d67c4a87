// Package usrloc is the location table: addresses of record and the contacts
// that phones registered for them. It lives in memory, in shards with a mutex
// each, and writes to a [Store] as its [Mode] says. One contact costs two
// allocations and no timer: what has ended goes when [Table.Sweep] comes by.
//
// Locks: one shard at a time; no lock is held while a store or a callback works.
package usrloc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"sipd/router/stat"
)

// Mode says when the store is written (usrloc's db_mode).
type Mode int

// The modes.
const (
	Memory       Mode = 0 // never
	WriteThrough Mode = 1 // before the change is answered
	WriteBack    Mode = 2 // by the timer
	Direct       Mode = 3 // the store is the table; see direct.go
	LoadOnly     Mode = 4 // read at start, never written
)

// Matching says which contact a REGISTER means (matching_mode).
type Matching int

// The ways to match.
const (
	ByContact       Matching = iota // the contact's URI
	ByContactCallID                 // and the Call-ID
	ByContactPath                   // or the Path
	ByCallID                        // the Call-ID alone
)

// Options are fixed at start.
type Options struct {
	Mode     Mode
	Matching Matching
	// NewestFirst orders contacts by time instead of preference (desc_time_order).
	NewestFirst bool
	// CSeqDelay is for how many seconds the same CSeq is a repetition.
	CSeqDelay int64
	// HashSize is the number of slots that listings speak of, as power of two.
	HashSize int
	ServerID int
	// Store is where contacts are kept; nil with Mode Memory, a Reader with
	// Direct.
	Store Store
	Log   *slog.Logger
	// Expired is told of contacts that ended, outside of all locks, before who
	// OnExpired names; may be nil.
	Expired func(table string, c *Contact)
}

// ErrTooLong is a contact whose texts together are longer than MaxText.
var ErrTooLong = errors.New("contact is too long")

// Locations are all tables of a daemon. It is safe for concurrent use.
type Locations struct {
	opt   Options
	ruids *RUIDs

	sockets atomic.Pointer[[]string]
	expired atomic.Pointer[func(string, *Contact)]

	mu sync.Mutex
	// mu guards the table list and changes of sockets.
	tables atomic.Pointer[[]*Table]
}

// New makes an empty set of tables.
func New(o Options) *Locations {
	if o.HashSize < 0 || o.HashSize > 24 {
		o.HashSize = 10
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Locations{opt: o, ruids: NewRUIDs("uloc", o.ServerID)}
	l.sockets.Store(&[]string{""})
	l.tables.Store(new([]*Table))
	return l
}

// Options are what New got.
func (l *Locations) Options() Options { return l.opt }

// OnExpired sets who else is told of contacts that ended.
func (l *Locations) OnExpired(f func(table string, c *Contact)) { l.expired.Store(&f) }

// Tables lists the tables in order of registration.
func (l *Locations) Tables() []*Table { return *l.tables.Load() }

// Lookup finds a table by name; nil when there is none.
func (l *Locations) Lookup(name string) *Table {
	for _, t := range l.Tables() {
		if t.name == name {
			return t
		}
	}
	return nil
}

// Register finds a table, or makes it.
func (l *Locations) Register(name string) *Table {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.Lookup(name); t != nil {
		return t
	}
	t := newTable(l, name)
	list := append(slices.Clip(l.Tables()), t)
	l.tables.Store(&list)
	return t
}

// Users is the number of addresses of record in all tables.
func (l *Locations) Users() int64 {
	var n int64
	for _, t := range l.Tables() {
		n += t.users.Value()
	}
	return n
}

// Stats are the table's statistics, named as Kamailio names them.
func (t *Table) Stats() []stat.Def {
	return []stat.Def{
		{Name: t.name + "_users", Help: "addresses of record", Keep: true, Source: &t.users},
		{Name: t.name + "_contacts", Help: "contacts", Keep: true, Source: &t.contacts},
		{Name: t.name + "_expires", Help: "contacts that ended", Source: &t.ended},
	}
}

// socket is the number of a socket's text.
func (l *Locations) socket(s string) uint16 {
	for i, have := range *l.sockets.Load() {
		if have == s {
			return uint16(i)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list := *l.sockets.Load()
	if i := slices.Index(list, s); i >= 0 {
		return uint16(i)
	}
	if len(list) == 1<<10 { // rows of a foreign server; the daemon has fewer
		return 0
	}
	list = append(slices.Clip(list), string(append([]byte(nil), s...)))
	l.sockets.Store(&list)
	return uint16(len(list) - 1)
}

// Socket is the socket that a contact came in on, "" when not known.
func (t *Table) Socket(c *Contact) string { return (*t.all.sockets.Load())[c.socket] }

// Info is what was stored, to be stored again or written elsewhere.
func (t *Table) Info(c *Contact) Info {
	return Info{
		URI: c.URI(), CallID: c.CallID(), UserAgent: c.UserAgent(), Received: c.Received(), Path: c.Path(),
		Instance: c.Instance(), RUID: c.RUID(), Attrs: c.Attrs(), Socket: t.Socket(c),
		Expires: c.Expires(), Modified: c.Modified(), CSeq: c.cseq, Flags: c.flags, CFlags: c.cflags,
		Methods: c.methods, Q: c.Q(), RegID: c.RegID(), ServerID: c.ServerID(), Conn: c.conn,
	}
}

// Load reads a table from the store. Contacts that have ended are left out.
func (t *Table) Load(ctx context.Context, now int64) error {
	if t.all.opt.Store == nil || t.all.opt.Mode == Direct {
		return nil
	}
	n := 0
	err := t.all.opt.Store.Load(ctx, t.name, func(aor string, i *Info) {
		if i.Expires != 0 && i.Expires <= now {
			return
		}
		tx := t.Begin(aor)
		defer tx.s.mu.Unlock()
		if i.RUID != "" {
			for c := tx.First(); c != nil; c = c.Next() {
				if c.RUID() == i.RUID {
					return
				}
			}
		}
		state := Sync
		if i.RUID == "" { // a row from before Kamailio 3.3 cannot be named
			state = Unsaved
		}
		if c, err := tx.insert(i); err == nil {
			c.state = state
			n++
		}
	})
	if err != nil {
		return fmt.Errorf("load %s: %w", t.name, err)
	}
	t.all.opt.Log.LogAttrs(ctx, slog.LevelInfo, "contacts loaded", slog.String("module", "usrloc"), slog.String("table", t.name), slog.Int("contacts", n))
	return nil
}
