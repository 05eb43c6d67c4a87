// Package presence is the presence server (RFC 3903, RFC 6665): it keeps what is
// published, and tells those who subscribed. Events come from other modules.
package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"sipd/router/dbx"
	"sipd/router/module"
	events "sipd/router/presence"
	"sipd/router/tm"
	"sipd/schema"
)

type mod struct {
	params

	host   *module.Host
	tm     *tm.Table
	events events.Events
	slot   int // in Context.Slots: what $subs shows
	failed dbx.Failures
	count  *counters
	// library says that there is no db_url: events may be added, and nothing
	// else is done.
	library bool
	// s outlives a reload.
	s        *state
	tookOver bool
}

// state is what a reload leaves: subscriptions, published states, and who serves
// them now.
type state struct {
	conn     *dbx.Conn // nil without a database
	subs     subStore
	states   stateStore
	watchers *watcherTable // nil without a database
	etags    tags
	order    order
	ages     ages
	sending  inFlight
	count    counters
	current  currentMod
	// warned is the second of the last line that warn logged.
	warned atomic.Int64
}

// New makes the module; it is what the list of modules names.
func New() module.Module { return &mod{params: defaults(), count: new(counters)} }

// Exports lists what the module brings.
func (m *mod) Exports() *module.Exports {
	return &module.Exports{
		Name: "presence", Help: "presence server: PUBLISH, SUBSCRIBE and NOTIFY",
		Needs:  []string{"tm"},
		Params: m.params.list(), Functions: m.functions(), Vars: m.vars(), RPC: m.methods(), Stats: m.stats(),
	}
}

// Events are the event packages, for modules that add some in their Init.
func (m *mod) Events() *events.Events { return &m.events }

// Init opens the database and reads what it has, unless the configuration before
// had it.
func (m *mod) Init(ctx context.Context, h *module.Host) error {
	m.host, m.failed.Module = h, h.Name
	if err := m.params.refuse(); err != nil {
		return err
	}
	t, ok := h.Module("tm").(interface{ Table() *tm.Table })
	if !ok {
		return errors.New(`it needs transactions; put loadmodule "tm.so" before it`)
	}
	m.tm = t.Table()
	m.slot = h.Env.NewSlot()
	m.library = m.url == "" && m.publCache != cacheOnly
	if old, ok := h.Old.(*mod); ok {
		return m.succeed(old)
	}
	m.s = &state{etags: newTags()}
	m.count = &m.s.count
	m.s.current.Store(m)
	if m.library {
		return nil
	}
	return m.open(ctx)
}

// succeed takes over what the configuration before kept.
func (m *mod) succeed(old *mod) error {
	names := slices.DeleteFunc(module.Changed(old, m), func(n string) bool { return !slices.Contains(fixed, n) })
	if len(names) > 0 {
		return &module.RestartError{Params: names}
	}
	m.s, m.count, m.tookOver = old.s, old.count, true
	m.host.WhenServing(func() { m.s.current.Store(m) })
	return nil
}

// TookOver says that subscriptions and states are those of the configuration before.
func (m *mod) TookOver() bool { return m.tookOver }

// open opens the database, where the modes want one, and makes the stores.
func (m *mod) open(ctx context.Context) error {
	s := m.s
	if m.publCache != cacheOnly || m.subsMode != subsMemory {
		conn, err := dbx.Open(ctx, m.host, m.url)
		if err != nil {
			return err
		}
		s.conn = conn
		if err := m.require(ctx); err != nil {
			return err
		}
		if conn.DB == nil { // the configuration is checked or explained: nothing is read, nothing stays
			s.states, s.subs = newMemoryStates(m.uriMatch), newMemorySubs(nil, false, m.uriMatch)
			return nil
		}
		s.watchers = newWatcherTable(conn, m.watchersTable)
	}
	if m.publCache == cacheOnly {
		s.states = newMemoryStates(m.uriMatch)
	} else {
		s.states = newStateTable(s.conn, m.presentityTable, m.stateOrder())
	}
	var rows *subTable
	if m.subsMode != subsMemory {
		rows = newSubTable(s.conn, m.activeTable)
	}
	if m.subsMode == subsTable {
		s.subs = rows
		return nil
	}
	memory := newMemorySubs(rows, m.subsMode == subsWriteThrough, m.uriMatch)
	s.subs = memory
	if rows == nil {
		return nil
	}
	return memory.restore(ctx)
}

// require asks for the tables, by their columns.
func (m *mod) require(ctx context.Context) error {
	tables := []dbx.Table{{Name: m.watchersTable, Columns: watcherColumns}}
	if m.publCache != cacheOnly {
		tables = append(tables, dbx.Table{Name: m.presentityTable, Columns: stateColumns})
	}
	if m.subsMode != subsMemory {
		tables = append(tables, dbx.Table{Name: m.activeTable, Columns: subColumns})
	}
	err := m.s.conn.Require(ctx, "kamailio", tables...)
	if mis := (*schema.MismatchError)(nil); errors.As(err, &mis) && strings.Contains(mis.Command, "db create") {
		return fmt.Errorf("%w; all tables of presence: sipctl db create --group presence", err)
	}
	return err
}

// Close writes what was not written and gives the database back.
func (m *mod) Close() error {
	if m.s == nil || m.s.conn == nil {
		return nil
	}
	var err error
	if m.s.conn.DB != nil && m.s.subs != nil {
		ctx, cancel := deadline()
		defer cancel()
		err = m.s.subs.flush(ctx)
	}
	return errors.Join(err, m.s.conn.Close())
}
