// Package usrloc is the module that keeps the location tables: which contacts
// are registered for an address of record.
package usrloc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/stat"
	"sipd/router/usrloc"
)

type mod struct {
	dbMode, dbLoad, matching, hashSize, cseqDelay, interval int
	useDomain, newestFirst, versionTable                    bool
	natFlag                                                 int
	dbURL                                                   string
	preload                                                 []string
	cols                                                    columns
	expiresType, fetchRows                                  int
	skipRemote, serverFilter, cleanTCP, timerClean          bool
	insertUpdate, updateAsInsert, checkUpdate               bool
	opsRUID, insertNull                                     bool
	timerProcs, loadRank, rawFetch, rmDelay                 int
	lostTCP, closeTCP                                       bool
	kaMode, kaFilter, kaTimeout, kaLoglevel                 int
	kaMethod, kaFrom, kaDomain, kaLogmsg, xavpContact       string

	host   *module.Host
	conn   *dbx.Conn
	store  *sqlStore
	all    *usrloc.Locations
	added  *usrloc.RUIDs
	loadMu sync.Mutex

	pinger   *usrloc.Pinger // of ka_mode, nil without
	kaFormat *pv.Format
	// tookOver says that the tables are those of the configuration before.
	tookOver bool
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &mod{
		dbLoad: 1, hashSize: 10, cseqDelay: 20, interval: 60, natFlag: -1, versionTable: true, opsRUID: true,
		dbURL: "mysql://kamailio:kamailiorw@localhost/kamailio", cols: defaultColumns, fetchRows: 2000,
		loadRank: 1, kaLoglevel: 255, kaMethod: "OPTIONS", kaFrom: "sip:server@kamailio.org", kaDomain: "kamailio.org",
		kaLogmsg: " to-uri: [$tu] remote-addr: [$sas]",
	}
}

// Exports lists what the module brings.
func (m *mod) Exports() *module.Exports {
	return &module.Exports{
		Name:   "usrloc",
		Help:   "keeps the contacts that are registered",
		Params: m.params(),
		RPC:    append(m.methods(), m.serMethods()...),
		Stats: []stat.Def{
			{Name: "registered_users", Help: "addresses of record in all tables", Keep: true, Source: stat.Func(m.users)},
		},
	}
}

func (m *mod) users() int64 {
	if m.all == nil {
		return 0
	}
	return m.all.Users()
}

// Init checks the parameters, opens the database and makes the tables.
func (m *mod) Init(ctx context.Context, h *module.Host) error {
	m.host = h
	if err := m.refuse(); err != nil {
		return err
	}
	if old, ok := h.Old.(*mod); ok {
		return m.succeed(old)
	}
	m.added = usrloc.NewRUIDs("ulcx", h.Env.ServerID)
	o := usrloc.Options{
		Mode: usrloc.Mode(m.dbMode), Matching: usrloc.Matching(m.matching), NewestFirst: m.newestFirst,
		CSeqDelay: int64(m.cseqDelay), HashSize: m.hashSize, ServerID: h.Env.ServerID, Log: h.Log, Expired: m.over,
	}
	if err := m.initKeepalive(h, nil); err != nil {
		return err
	}
	if m.dbMode != 0 {
		conn, err := dbx.Open(ctx, h, m.dbURL)
		if err != nil {
			return err
		}
		m.conn = conn
		m.store = newStore(m, conn)
		o.Store = m.store
	}
	m.all = usrloc.New(o)
	for _, name := range m.preload {
		if _, err := m.Table(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// succeed takes the tables of the configuration before over: contacts outlive a
// reload.
func (m *mod) succeed(old *mod) error {
	if names := module.Changed(old, m); len(names) > 0 {
		return &module.RestartError{Params: names}
	}
	m.added, m.conn, m.store, m.all, m.tookOver = old.added, old.conn, old.store, old.all, true
	if err := m.initKeepalive(m.host, old.pinger); err != nil {
		return err
	}
	for _, t := range m.all.Tables() {
		if err := m.host.Stat.Declare("usrloc", t.Stats()...); err != nil {
			return err
		}
	}
	return nil
}

// TookOver says that the tables are those of the configuration before.
func (m *mod) TookOver() bool { return m.tookOver }

// refuse says what cannot be done, and what to use instead.
func (m *mod) refuse() error {
	switch {
	case m.dbMode < 0 || m.dbMode > 4:
		return fmt.Errorf("db_mode is between 0 and 4, not %d", m.dbMode)
	case m.xavpContact != "":
		return errors.New("xavp_contact is not offered; remove it: attributes of contacts are not kept")
	case m.rawFetch != 0:
		return errors.New("db_raw_fetch_type is for Oracle, which is no database here; leave it 0")
	case m.natFlag > 31:
		return fmt.Errorf("nat_bflag is a flag between 0 and 31, not %d", m.natFlag)
	}
	return nil
}

// Locations are the tables, for other modules.
func (m *mod) Locations() *usrloc.Locations { return m.all }

// UseDomain says whether addresses of record have a domain.
func (m *mod) UseDomain() bool { return m.useDomain }

// NATFlag is the branch flag of contacts behind NAT, -1 for none.
func (m *mod) NATFlag() int { return m.natFlag }

// Table finds a table; the first who asks makes it, and its contacts are read
// from the database. An error is one of the database.
func (m *mod) Table(ctx context.Context, name string) (*usrloc.Table, error) {
	m.loadMu.Lock()
	defer m.loadMu.Unlock()
	if t := m.all.Lookup(name); t != nil {
		return t, nil
	}
	if err := m.host.Stat.Declare("usrloc", m.all.Register(name).Stats()...); err != nil {
		return nil, err
	}
	t := m.all.Lookup(name)
	if m.store == nil || m.host.Offline {
		return t, nil
	}
	if err := m.store.check(ctx, name); err != nil || m.host.CheckOnly {
		return t, err
	}
	if m.cleanTCP {
		if err := m.store.deleteTCP(ctx, name); err != nil {
			return nil, err
		}
	}
	if m.dbLoad == 0 && m.dbMode != 4 {
		return t, nil
	}
	return t, t.Load(ctx, time.Now().Unix())
}

// Serve removes contacts that ended, and writes what waits to be written, each
// timer_interval seconds; once more at the end.
func (m *mod) Serve(ctx context.Context) error {
	tick := time.NewTicker(time.Duration(m.interval) * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			m.sweep(ctx, now)
		}
	}
}

func (m *mod) sweep(ctx context.Context, now time.Time) {
	for _, t := range m.all.Tables() {
		at := now.Unix()
		if m.lostTCP {
			m.dropLost(ctx, t, at)
		}
		if m.pinger != nil {
			m.keepAlive(ctx, t, at)
		}
		if m.dbMode == 3 {
			at -= int64(m.rmDelay)
		}
		_ = t.Sweep(ctx, at) // logged there, and tried again
		if m.timerClean && m.store != nil && (m.dbMode == 1 || m.dbMode == 2) {
			if err := m.store.deleteExpired(ctx, t.Name(), now); err != nil {
				m.host.Log.LogAttrs(ctx, slog.LevelError, "ended contacts not deleted", slog.String("module", "usrloc"), slog.Any("err", err))
			}
		}
	}
}

// Close writes what was not written and gives the database back.
func (m *mod) Close() error {
	if m.conn == nil {
		return nil
	}
	var errs []error
	if m.conn.DB != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		for _, t := range m.all.Tables() {
			errs = append(errs, t.Flush(ctx))
		}
	}
	return errors.Join(append(errs, m.conn.Close())...)
}
