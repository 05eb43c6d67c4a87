// Package dispatcher is the module that spreads requests over sets of
// destinations: by hashes, in turn, by weight, load or latency; it goes on to
// the next when one fails, and finds out by pings which are up.
package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"sipd/router/cfg"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/tm"
	"sipd/router/transport"
)

// Bits of the parameter flags.
const (
	flagUserOnly = 1 << iota
	flagFailover
)

// Bits of ds_dns_mode.
const (
	dnsInit = 1 << iota
	dnsAlways
	dnsTimer
	dnsServices
)

type dispatcher struct {
	file, dbURL, table                            string
	setCol, uriCol, flagsCol, priorityCol         string
	attrsCol, extraAttrs                          string
	forceDst, useDefault, attrsNone, latencyStats bool
	flags, loadMode, reloadDelta                  int
	xavpDst, xavpCtx                              string
	xavpDstMode, xavpCtxMode                      int
	avpNames                                      struct{ dst, grp, cnt, sock, attrs, dstid string }
	hashVar, setVar, attrsVar                     string
	probingThreshold, inactiveThreshold           cfg.Int
	replyCodes                                    cfg.Str
	pingMethod, pingFrom, outbound                string
	pingInterval, probingMode, alpha              int
	socket, sockname                              string
	hashSize, hashExpire, hashInitial             int
	checkInterval, timerMode                      int
	dnsMode, dnsInterval, dnsTTL                  int
	callback                                      string

	host        *module.Host
	conn        *dbx.Conn
	slot        int
	extra       []extraColumn
	avps        struct{ dst, grp, cnt, sock, attrs, dstid *pv.Attr }
	hashFormat  *pv.Format
	setID, text pv.Setter
	defaultSock *transport.Socket
	send        func(*tm.Request) (*tm.Transaction, error) // of tm
	sets        atomic.Pointer[list]
	codes       atomic.Pointer[codes]
	calls       *calls
	pinging     atomic.Bool
	changed     atomic.Int64 // seconds since 1970: the last change by RPC
	changing    sync.Mutex   // held while a new list is made
}

// extraColumn is a column whose value becomes an attribute.
type extraColumn struct{ name, column string }

// New makes the module; it is what the list of modules names.
func New() module.Module {
	d := &dispatcher{
		file: "dispatcher.list", table: "dispatcher",
		setCol: "setid", uriCol: "destination", flagsCol: "flags", priorityCol: "priority", attrsCol: "attrs",
		forceDst: true, reloadDelta: 5, xavpDst: "_dsdst_", xavpCtx: "_dsctx_",
		probingThreshold:  cfg.Int{Default: 1, Help: "Number of failed requests, before a destination is set to probing.", Flags: cfg.Atomic},
		inactiveThreshold: cfg.Int{Default: 1, Help: "Number of successful requests, before a destination is set to active.", Flags: cfg.Atomic},
		replyCodes:        cfg.Str{Null: true, Help: `Additional, valid reply codes for the OPTIONS Pinger. Default is ""`, Flags: cfg.Once},
		pingMethod:        "OPTIONS", pingFrom: "sip:dispatcher@localhost", alpha: 900,
		hashExpire: 7200, hashInitial: 7200, checkInterval: 30, dnsMode: dnsInit, dnsInterval: 600,
	}
	d.replyCodes.Check = func(s string) (string, error) { _, err := parseCodes(s); return s, err }
	d.replyCodes.Changed = func(_, now string) { d.useCodes(now) }
	d.sets.Store(newList())
	return d
}

func (d *dispatcher) useCodes(s string) {
	if c, err := parseCodes(s); err == nil {
		d.codes.Store(&c)
	}
}

// Exports lists what the module brings.
func (d *dispatcher) Exports() *module.Exports {
	return &module.Exports{
		Name: "dispatcher", Help: "spreads requests over destinations", After: []string{"tm"},
		Params: append(d.params(), d.oldParams()...), Functions: d.functions(), RPC: d.methods(),
		Vars: []pv.Def{{Name: "dsv", Help: "$dsv(code), $dsv(reason), $dsv(flags): what event routes are told", RawInner: true, New: d.newVar}},
	}
}

func (d *dispatcher) params() []module.Param {
	return []module.Param{
		{Name: "list_file", Help: "file of destinations", Value: &d.file},
		{Name: "db_url", Help: "database of destinations; then list_file is not used", Value: &d.dbURL},
		{Name: "table_name", Help: "table of destinations", Value: &d.table},
		{Name: "setid_col", Help: "column of the set", Value: &d.setCol},
		{Name: "destination_col", Help: "column of the URI", Value: &d.uriCol},
		{Name: "flags_col", Help: "column of the flags", Value: &d.flagsCol},
		{Name: "priority_col", Help: "column of the priority, highest first", Value: &d.priorityCol},
		{Name: "attrs_col", Help: "column of the attributes", Value: &d.attrsCol},
		{Name: "ds_db_extra_attrs", Help: "further columns that become attributes: NAME=COLUMN;…", Value: &d.extraAttrs},
		{Name: "force_dst", Help: "0: ds_select_dst fails when there is a next hop", Value: &d.forceDst},
		{Name: "flags", Help: "1: hash the user of URIs only, 2: failover", Value: &d.flags, Max: 3},
		{Name: "use_default", Help: "1: the last of a set is the last resort", Value: &d.useDefault},
		{Name: "xavp_dst", Help: "$xavp for the destinations of failover", Value: &d.xavpDst},
		{Name: "xavp_dst_mode", Help: "1: without attrs, 2: with socket, 4: with sockname", Value: &d.xavpDstMode, Max: 7},
		{Name: "xavp_ctx", Help: "$xavp for the number of destinations", Value: &d.xavpCtx},
		{Name: "xavp_ctx_mode", Help: "1: without cnt", Value: &d.xavpCtxMode, Max: 1},
		{Name: "hash_pvar", Help: "text that algorithm 7 hashes, with variables", Value: &d.hashVar},
		{Name: "setid_pvname", Help: "variable that gets the set from ds_is_from_list", Value: &d.setVar},
		{Name: "attrs_pvname", Help: "variable that gets the attributes from ds_is_from_list", Value: &d.attrsVar},
		{Name: "ds_probing_threshold", Help: "failures until a destination is inactive (runtime variable probing_threshold)", Value: d.startValue(&d.probingThreshold), Min: 1, Max: 1 << 30},
		{Name: "ds_inactive_threshold", Help: "successes until it is active again (runtime variable inactive_threshold)", Value: d.startValue(&d.inactiveThreshold), Min: 1, Max: 1 << 30},
		{Name: "probing_threshold", Help: "the runtime variable of ds_probing_threshold", Value: &d.probingThreshold},
		{Name: "inactive_threshold", Help: "the runtime variable of ds_inactive_threshold", Value: &d.inactiveThreshold},
		{Name: "ping_reply_codes", Help: "the runtime variable of ds_ping_reply_codes", Value: &d.replyCodes},
		{Name: "ds_ping_reply_codes", Help: "replies besides 2xx that mean life: code=403;class=3 (runtime variable ping_reply_codes)", Value: func(s string) error {
			if _, err := parseCodes(s); err != nil {
				return err
			}
			d.replyCodes.Default, d.replyCodes.Null = s, s == ""
			d.useCodes(s)
			return nil
		}},
		{Name: "ds_ping_method", Help: "method of pings", Value: &d.pingMethod},
		{Name: "ds_ping_from", Help: "From URI of pings", Value: &d.pingFrom},
		{Name: "ds_ping_interval", Help: "seconds between two pings, 0 for none", Value: &d.pingInterval, Max: 1 << 30},
		{Name: "ds_ping_latency_stats", Help: "1: measure how long answers to pings take", Value: &d.latencyStats},
		{Name: "ds_latency_estimator_alpha", Help: "weight of the past in the estimate, thousandths", Value: &d.alpha, Max: 1000},
		{Name: "ds_probing_mode", Help: "which destinations are pinged: 0 flagged ones, 1 all, 2 flagged and inactive ones, 3 flagged ones that stay flagged", Value: &d.probingMode, Max: 3},
		{Name: "ds_hash_size", Help: "above 0: calls are counted, for algorithm 10", Value: &d.hashSize, Max: 30},
		{Name: "ds_hash_expire", Help: "seconds until a call is not counted any more", Value: &d.hashExpire, Max: 1 << 30},
		{Name: "ds_hash_initexpire", Help: "seconds until a call without answer is not counted any more", Value: &d.hashInitial, Max: 1 << 30},
		{Name: "ds_hash_check_interval", Help: "seconds between two looks for such calls", Value: &d.checkInterval, Min: 1, Max: 1 << 30},
		{Name: "outbound_proxy", Help: "URI that pings go through", Value: &d.outbound},
		{Name: "ds_default_socket", Help: "socket to send from: PROTOCOL:ADDRESS:PORT", Value: &d.socket},
		{Name: "ds_default_sockname", Help: "the same by the socket's name", Value: &d.sockname},
		{Name: "ds_timer_mode", Help: "accepted; the timers have a thread of their own", Value: &d.timerMode, Max: 1},
		{Name: "event_callback", Help: "empty; event routes are called", Value: &d.callback},
		{Name: "ds_attrs_none", Help: "1: a destination without attributes has none=yes", Value: &d.attrsNone},
		{Name: "ds_load_mode", Help: "1: a bad destination refuses the list, 0: it is left out", Value: &d.loadMode, Max: 1},
		{Name: "reload_delta", Help: "seconds between two changes by RPC", Value: &d.reloadDelta, Max: 86400},
		{Name: "ds_dns_mode", Help: "when names are looked up: 1 at load, 2 by each ds_is_from_list, 4 at load and by a timer; 8: by SRV (and NAPTR) where the URI has no port", Value: &d.dnsMode, Max: 15},
		{Name: "ds_dns_interval", Help: "seconds of that timer", Value: &d.dnsInterval, Min: 1, Max: 1 << 30},
		{Name: "ds_dns_ttl", Help: "accepted; answers are kept as long as they say", Value: &d.dnsTTL, Max: 1 << 30},
	}
}

// oldParams are those of Kamailio 1.5 to 4.
func (d *dispatcher) oldParams() []module.Param {
	a := &d.avpNames
	return []module.Param{
		{Name: "dst_avp", Help: "attribute for the destinations of failover, instead of xavp_dst", Value: &a.dst},
		{Name: "grp_avp", Help: "attribute for their set", Value: &a.grp},
		{Name: "cnt_avp", Help: "attribute for their number", Value: &a.cnt},
		{Name: "sock_avp", Help: "attribute for their socket", Value: &a.sock},
		{Name: "attrs_avp", Help: "attribute for their attributes", Value: &a.attrs},
		{Name: "dstid_avp", Help: "attribute for their duid", Value: &a.dstid},
	}
}

// startValue sets the default of a runtime variable that has another name than
// its parameter.
func (d *dispatcher) startValue(v *cfg.Int) func(int) error {
	return func(n int) error { v.Default = n; return nil }
}

// newVar compiles $dsv(…).
func (d *dispatcher) newVar(n *pv.Name) (pv.Var, error) {
	get := map[string]func(*event) run.Value{
		"code": func(e *event) run.Value { return run.Int(e.code) },
		"reason": func(e *event) run.Value {
			if e.reason == "" {
				return run.Null
			}
			return run.Str(e.reason)
		},
		"flags": func(e *event) run.Value {
			if e.reply {
				return run.Int(1)
			}
			return run.Int(0)
		},
	}[n.Inner]
	if get == nil {
		return pv.Var{}, fmt.Errorf("$dsv(%s) is not known; there are code, reason and flags", n.Inner)
	}
	return pv.Var{Get: func(c *run.Context) run.Value {
		e, ok := c.Slots[d.slot].(*event)
		if !ok {
			return run.Null
		}
		return get(e)
	}}, nil
}

// Init checks the parameters and reads the destinations.
func (d *dispatcher) Init(ctx context.Context, h *module.Host) error {
	d.host, d.slot = h, h.Env.NewSlot()
	if d.callback != "" {
		return errors.New("event_callback is for other languages than the script; use event_route[dispatcher:dst-down] and [dispatcher:dst-up]")
	}
	for _, f := range []func(*module.Host) error{d.compileVars, d.compileAVPs, d.findSender} {
		if err := f(h); err != nil {
			return err
		}
	}
	if d.hashSize > 0 {
		d.calls = newCalls(d.hashExpire, d.hashInitial)
	}
	d.pinging.Store(true)
	if d.dbURL != "" {
		if err := d.open(ctx); err != nil {
			return err
		}
	}
	l, err := d.read(ctx)
	if err != nil {
		return err
	}
	if old, ok := h.Old.(*dispatcher); ok {
		d.inherit(old, l)
	}
	d.sets.Store(l)
	return nil
}

// inherit takes over what the configuration before knew of its destinations.
func (d *dispatcher) inherit(old *dispatcher, l *list) {
	for _, s := range l.order {
		from := old.sets.Load().byID[s.id]
		if from == nil {
			continue
		}
		from.mu.Lock()
		for _, x := range s.dests {
			if o := from.find(x.uri); o != nil {
				x.count, x.load, x.latency = o.count, o.load, o.latency
				s.setFlags(x, o.flags)
			}
		}
		from.mu.Unlock()
	}
	d.pinging.Store(old.pinging.Load())
	if d.calls != nil && old.calls != nil {
		old.calls.mu.Lock()
		for id, c := range old.calls.byID {
			d.calls.byID[id] = c
		}
		old.calls.mu.Unlock()
	}
}

// findSender finds the default socket and, for pings, the transactions.
func (d *dispatcher) findSender(h *module.Host) (err error) {
	switch {
	case d.sockname != "":
		d.defaultSock, err = d.findSocket(d.sockname, true)
	case d.socket != "":
		d.defaultSock, err = d.findSocket(d.socket, false)
	}
	if err != nil {
		return fmt.Errorf("ds_default_socket: %w", err)
	}
	if d.pingInterval == 0 {
		return nil
	}
	t, ok := h.Module("tm").(interface{ Table() *tm.Table })
	if !ok {
		return errors.New(`ds_ping_interval needs transactions; put loadmodule "tm.so" before loadmodule "dispatcher.so"`)
	}
	d.send = t.Table().Send
	return nil
}

func (d *dispatcher) open(ctx context.Context) (err error) {
	for part := range strings.SplitSeq(strings.TrimSuffix(d.extraAttrs, ";"), ";") {
		if part == "" {
			continue
		}
		name, column, ok := strings.Cut(part, "=")
		if !ok || name == "" || column == "" {
			return fmt.Errorf("ds_db_extra_attrs: want NAME=COLUMN;…, not %q", part)
		}
		d.extra = append(d.extra, extraColumn{strings.TrimSpace(name), strings.TrimSpace(column)})
	}
	if d.conn, err = dbx.Open(ctx, d.host, d.dbURL); err != nil {
		return err
	}
	return d.conn.RequireColumns(d.table, d.columns()...)
}

// Close gives the database back.
func (d *dispatcher) Close() error { return d.conn.Close() }

func (d *dispatcher) compileVars(h *module.Host) (err error) {
	if d.hashVar != "" {
		if d.hashFormat, err = h.Vars.ParseFormat(d.hashVar, pv.MaxCompat); err != nil {
			return fmt.Errorf("hash_pvar: %w", err)
		}
	}
	if d.setID, err = writable(h, "setid_pvname", d.setVar); err != nil {
		return err
	}
	d.text, err = writable(h, "attrs_pvname", d.attrsVar)
	return err
}

func writable(h *module.Host, param, text string) (pv.Setter, error) {
	if text == "" {
		return nil, nil
	}
	v, n, err := h.Vars.ParseVar(text, pv.MaxCompat)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", param, err)
	case n != len(text) || v.Set == nil:
		return nil, fmt.Errorf("%s: want one variable that can be written, not %s", param, text)
	}
	return v.Set, nil
}

// compileAVPs reads the attributes of Kamailio 3.
func (d *dispatcher) compileAVPs(h *module.Host) error {
	n := &d.avpNames
	for _, a := range []struct {
		param, text string
		to          **pv.Attr
	}{
		{"dst_avp", n.dst, &d.avps.dst},
		{"grp_avp", n.grp, &d.avps.grp},
		{"cnt_avp", n.cnt, &d.avps.cnt},
		{"sock_avp", n.sock, &d.avps.sock},
		{"attrs_avp", n.attrs, &d.avps.attrs},
		{"dstid_avp", n.dstid, &d.avps.dstid},
	} {
		if a.text == "" {
			continue
		}
		v, took, err := h.Vars.ParseVar(a.text, pv.MaxCompat)
		if err != nil {
			return fmt.Errorf("%s: %w", a.param, err)
		}
		if took != len(a.text) || v.Attr == nil || v.Attr.List || v.Attr.Eval != nil {
			return fmt.Errorf("%s: want one attribute, like $avp(dst), not %s", a.param, a.text)
		}
		*a.to = v.Attr
	}
	if d.avps.dst == nil && (n.grp != "" || n.cnt != "" || n.sock != "" || n.attrs != "" || n.dstid != "") {
		return errors.New(`grp_avp, cnt_avp, sock_avp, attrs_avp and dstid_avp go with dst_avp; set it, or leave them out and read $xavp(_dsdst_=>uri)`)
	}
	return nil
}
