// Package htable is the module of tables in memory that all messages share:
// $sht(table=>key), with expiry, loaded from and written to a database.
package htable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

type htable struct {
	defs                                     []string
	url                                      string
	nameCol, typeCol, vtypeCol, valueCol     string
	expiresCol, arraySuffix                  string
	fetchRows, interval, procs, callbackMode int
	dbExpires, dmq, dmqSync                  bool
	callback, peerID                         string

	host   *module.Host
	conn   *dbx.Conn
	tables []*table
	byName map[string]*table
	// reloaded says that there was a configuration before this one.
	reloaded bool
	slot     int // in Context.Slots: *state
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &htable{
		nameCol: "key_name", typeCol: "key_type", vtypeCol: "value_type", valueCol: "key_value",
		expiresCol: "expires", arraySuffix: "::size", fetchRows: 100, interval: 20, peerID: "htable",
	}
}

// Exports lists what the module brings.
func (h *htable) Exports() *module.Exports {
	return &module.Exports{
		Name: "htable",
		Help: "tables in memory that all messages share",
		Params: []module.Param{
			{Name: "htable", Help: "a table: NAME=>size=8;autoexpire=300;…", Value: &h.defs},
			{Name: "db_url", Help: "the database of tables with dbtable", Value: &h.url},
			{Name: "key_name_column", Help: "column of the key", Value: &h.nameCol},
			{Name: "key_type_column", Help: "column of its type: 0 plain, 1 array", Value: &h.typeCol},
			{Name: "value_type_column", Help: "column of the value's type: 0 text, 1 number", Value: &h.vtypeCol},
			{Name: "key_value_column", Help: "column of the value", Value: &h.valueCol},
			{Name: "expires_column", Help: "column of the end, seconds since 1970", Value: &h.expiresCol},
			{Name: "array_size_suffix", Help: "what is put behind an array's name for its size", Value: &h.arraySuffix},
			{Name: "fetch_rows", Help: "accepted; rows are read as a stream", Value: &h.fetchRows, Min: 0, Max: 1 << 30},
			{Name: "timer_interval", Help: "seconds between two looks for ended items", Value: &h.interval, Min: 1, Max: 86400},
			{Name: "db_expires", Help: "1: the end of items is read and written too", Value: &h.dbExpires},
			{Name: "timer_procs", Help: "accepted; the timer has its own thread always", Value: &h.procs, Min: 0, Max: 64},
			{Name: "enable_dmq", Help: "0; replication is not offered", Value: &h.dmq},
			{Name: "dmq_init_sync", Help: "0; replication is not offered", Value: &h.dmqSync},
			{Name: "dmq_peer_id", Help: "accepted; of enable_dmq only", Value: &h.peerID},
			{Name: "event_callback", Help: "empty; event routes are called", Value: &h.callback},
			{Name: "event_callback_mode", Help: "accepted; event_route[htable:mod-init] runs once, when all is ready", Value: &h.callbackMode, Max: 1},
		},
		Functions: h.functions(), Vars: h.vars(), RPC: h.methods(),
	}
}

// Init makes the tables and loads them.
func (h *htable) Init(ctx context.Context, host *module.Host) (err error) {
	h.host = host
	switch {
	case h.dmq || h.dmqSync:
		return errors.New("enable_dmq and dmq_init_sync are not offered: there is no module dmq; set them to 0")
	case h.callback != "":
		return errors.New("event_callback is for other languages than the script; use event_route[htable:mod-init]")
	}
	if err := h.define(); err != nil {
		return err
	}
	if old, ok := host.Old.(*htable); ok {
		h.reloaded = true
		h.inherit(old)
	}
	h.slot = host.Env.NewSlot()
	host.Hooks.PostScript = append(host.Hooks.PostScript, h.release)
	if h.url == "" {
		return nil
	}
	if h.conn, err = dbx.Open(ctx, host, h.url); err != nil {
		return err
	}
	for _, t := range h.tables {
		if t.dbTable == "" || t.inherited {
			continue
		}
		if err := h.require(t); err != nil {
			return err
		}
		if err := h.load(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	return nil
}

// define reads the parameters htable, once: functions and variables are
// compiled behind Init, variables in modparams before it.
func (h *htable) define() error {
	if h.byName != nil {
		return nil
	}
	h.byName = make(map[string]*table)
	for _, s := range h.defs {
		d, err := parseDef(s)
		if err != nil {
			return fmt.Errorf("htable %q: %w", s, err)
		}
		if h.byName[d.name] != nil {
			return fmt.Errorf("htable %q: table %s is defined twice", s, d.name)
		}
		if d.dbTable != "" && h.url == "" {
			return fmt.Errorf(`htable %q: dbtable needs a database; set modparam("htable", "db_url", "…")`, s)
		}
		t := newTable(d)
		h.byName[d.name] = t
		h.tables = append(h.tables, t)
	}
	return nil
}

// inherit takes the items over of tables that the configuration before defined in
// the same way.
func (h *htable) inherit(old *htable) {
	for _, t := range h.tables {
		if from := old.byName[t.name]; from != nil && reflect.DeepEqual(from.def, t.def) {
			t.items, t.inherited = from.items, true
		}
	}
}

// Serve runs the start event, when there are new tables to fill, and removes
// ended items.
func (h *htable) Serve(ctx context.Context) error {
	if slices.ContainsFunc(h.tables, func(t *table) bool { return !t.inherited }) || !h.reloaded {
		h.event("htable:mod-init", nil)
	}
	tick := time.NewTicker(time.Duration(h.interval) * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			for _, t := range h.tables {
				for _, e := range t.sweep() {
					h.event("htable:expired:"+t.name, &e)
				}
			}
		}
	}
}

// Close writes the tables of dbmode 1 and gives the database back.
func (h *htable) Close() error {
	var errs []error
	if h.conn != nil && h.conn.DB != nil && !h.host.CheckOnly {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		for _, t := range h.tables {
			if t.dbMode == 1 && t.dbTable != "" {
				errs = append(errs, h.store(ctx, t))
			}
		}
	}
	return errors.Join(append(errs, h.conn.Close())...)
}

// eventRequest is the message that event routes run on.
const eventRequest = "OPTIONS sip:htable@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKhtable\r\n" +
	"From: <sip:htable@127.0.0.1>;tag=htable\r\nTo: <sip:htable@127.0.0.1>\r\nCall-ID: htable\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

// event runs an event route with $shtrecord of an item that ended.
func (h *htable) event(name string, e *entry) {
	env := h.host.Env
	b := env.Block(run.EventRoute, name)
	if b == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			h.host.Log.LogAttrs(context.Background(), slog.LevelError, "event route panicked", slog.String("module", "htable"),
				slog.String("err", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
		}
	}()
	c := &run.Context{}
	c.Reset(env)
	if c.Msg.Parse(eventRequest) != nil {
		return
	}
	c.Cfg, c.Route, c.RouteName = env.Cfg.Snapshot(), run.EventRoute, name
	if e != nil {
		c.Slots[h.slot] = &state{record: e}
	}
	b.Run(c)
	h.release(c)
}

// def is the definition of a table.
type def struct {
	name, dbTable        string
	size, autoexpire     int
	dbMode               int
	initial              run.Value
	updateExpire         bool
	columns              []string
	delimiter, nullValue string
}

// parseDef reads "NAME=>size=8;autoexpire=300;dbtable=x;…".
func parseDef(s string) (def, error) {
	d := def{size: 3, updateExpire: true, delimiter: ","}
	name, rest, ok := strings.Cut(s, "=>")
	if d.name = strings.TrimSpace(name); !ok || d.name == "" || strings.ContainsAny(d.name, "$ =;") {
		return d, errors.New("want NAME=>size=8;autoexpire=300;…")
	}
	for rest = strings.TrimSpace(rest); rest != ""; {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return d, fmt.Errorf("want ATTRIBUTE=VALUE, not %q", rest)
		}
		value, more := cutValue(after)
		if err := d.set(strings.TrimSpace(key), value); err != nil {
			return d, err
		}
		rest = strings.TrimSpace(more)
	}
	return d, nil
}

// cutValue takes a value, which may be in quotes, up to the next semicolon.
func cutValue(s string) (value, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	if s != "" && (s[0] == '\'' || s[0] == '"') {
		if i := strings.IndexByte(s[1:], s[0]); i >= 0 {
			_, rest, _ = strings.Cut(s[i+2:], ";")
			return s[1 : i+1], rest
		}
	}
	value, rest, _ = strings.Cut(s, ";")
	return strings.TrimSpace(value), rest
}

func (d *def) set(key, value string) error {
	number := func(to *int) error {
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%s wants a number, not %q", key, value)
		}
		*to = n
		return nil
	}
	switch key {
	case "size":
		if err := number(&d.size); err != nil {
			return err
		}
		if d.size = min(d.size, 14); d.size < 2 { // as Kamailio
			d.size = 3
		}
	case "autoexpire":
		return number(&d.autoexpire)
	case "dbtable":
		d.dbTable = value
	case "dbmode":
		return number(&d.dbMode)
	case "initval":
		n := 0
		if err := number(&n); err != nil {
			return err
		}
		d.initial = run.Int(n)
	case "updateexpire":
		n := 0
		err := number(&n)
		d.updateExpire = n != 0
		return err
	case "cols":
		for c := range strings.SplitSeq(value, ",") {
			d.columns = append(d.columns, strings.TrimSpace(c))
		}
		if len(d.columns) < 2 {
			return errors.New("cols wants the column of the key and one or more of the value")
		}
	case "coldelim":
		if d.delimiter = value; len(value) != 1 {
			return fmt.Errorf("coldelim is one character, not %q", value)
		}
	case "colnull":
		if d.nullValue = value; len(value) > 1 {
			return fmt.Errorf("colnull is one character or none, not %q", value)
		}
	case "dmqreplicate":
		n := 0
		if err := number(&n); err != nil || n != 0 {
			return errors.Join(err, errors.New("dmqreplicate is not offered: there is no module dmq; set it to 0"))
		}
	default:
		return fmt.Errorf("unknown attribute %q; there are size, autoexpire, dbtable, dbmode, initval, updateexpire, cols, coldelim, colnull", key)
	}
	return nil
}

// find is a table by name.
func (h *htable) find(name string) (*table, error) {
	if err := h.define(); err != nil {
		return nil, err
	}
	if t := h.byName[name]; t != nil {
		return t, nil
	}
	names := make([]string, 0, len(h.tables))
	for _, t := range h.tables {
		names = append(names, t.name)
	}
	msg := fmt.Sprintf("there is no table %q", name)
	if s := module.Similar(name, names); s != "" {
		return nil, fmt.Errorf("%s; did you mean %q?", msg, s)
	}
	return nil, fmt.Errorf(`%s; define it: modparam("htable", "htable", "%s=>size=8;")`, msg, name)
}

// keyed compiles "table=>key" of variables and functions.
func (h *htable) keyed(reg *pv.Registry, s string) (*table, pv.Getter, error) {
	name, key, ok := strings.Cut(s, "=>")
	if !ok {
		return nil, nil, fmt.Errorf("want TABLE=>KEY, not %q", s)
	}
	t, err := h.find(strings.TrimSpace(name))
	if err != nil {
		return nil, nil, err
	}
	f, err := reg.ParseFormat(strings.TrimSpace(key), pv.Kamailio)
	if err != nil {
		return nil, nil, err
	}
	if text, ok := f.IsConst(); ok {
		v := run.Str(text)
		return t, func(*run.Context) run.Value { return v }, nil
	}
	return t, func(c *run.Context) run.Value { return run.Str(f.Eval(c)) }, nil
}
