package dispatcher

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"sipd/rpc"
)

func fault(text string) *rpc.Fault { return &rpc.Fault{Code: 500, Text: text} }

func (d *dispatcher) methods() []*rpc.Method {
	num := func(name, help string) rpc.Param { return rpc.Param{Name: name, Help: help, Type: rpc.TInt} }
	str := func(name, help string) rpc.Param { return rpc.Param{Name: name, Help: help, Type: rpc.TString} }
	opt := func(p rpc.Param) rpc.Param { p.Optional = true; return p }
	bad := fault("Invalid Parameters")
	state := rpc.Param{Name: "state", Help: "a, i, d or t, and p behind it for probing", Type: rpc.TString, Convert: true}
	group, uri := num("group", "the set"), str("dest", "the destination's URI")
	return []*rpc.Method{
		{Name: "dispatcher.reload", Help: "Reads the sets of destinations again; what is wrong leaves the old ones in use.", Changes: true, Reply: "text", Handler: d.rpcReload},
		{
			Name: "dispatcher.list", Help: "Shows the sets of destinations.", Params: []rpc.Param{opt(str("mode", "short, or full"))}, Handler: d.rpcList,
			Reply: "struct {NRSETS: int, RECORDS: list of SET {ID: int, TARGETS: list of DEST {URI: text, FLAGS: text, PRIORITY: int, ATTRS: struct}}}",
		},
		{Name: "dispatcher.set_state", Help: "Gives a destination, or all of a set, a state.", Params: []rpc.Param{state, group, str("dest", "the destination's URI, or all")}, BadParams: bad, Changes: true, Example: "ip 1 sip:192.0.2.10:5060", Reply: "text", Handler: d.setState(false)},
		{Name: "dispatcher.set_duid_state", Help: "Gives the destination with a duid a state.", Params: []rpc.Param{state, group, str("duid", "the destination's duid, or all")}, BadParams: bad, Changes: true, Example: "ip 1 gw1", Reply: "text", Handler: d.setState(true)},
		{Name: "dispatcher.ping_active", Help: "Shows whether destinations are pinged, or turns that on (1) or off (0).", Params: []rpc.Param{opt(num("state", "1 or 0"))}, Changes: true, Reply: "struct {NewPingState: int, OldPingState: int}", Handler: d.pingActive},
		{Name: "dispatcher.add", Help: "Adds a destination, in memory only.", Params: []rpc.Param{group, uri, opt(num("flags", "")), opt(num("priority", "")), opt(str("attrs", ""))}, BadParams: bad, Changes: true, Example: "1 sip:192.0.2.10:5060", Reply: "text", Handler: d.rpcAdd},
		{Name: "dispatcher.remove", Help: "Removes a destination, in memory only.", Params: []rpc.Param{group, uri}, BadParams: bad, Changes: true, Example: "1 sip:192.0.2.10:5060", Reply: "text", Handler: d.rpcRemove},
		{Name: "dispatcher.hash", Help: "Shows the hash of one or two texts and its slot.", Params: []rpc.Param{num("slots", "how many"), str("value1", ""), opt(str("value2", ""))}, BadParams: bad, Example: "16 abc", Reply: "struct {hashid: int, slot: int}", Handler: rpcHash},
	}
}

// mayChange says whether enough time went by since the last change, and notes
// this one.
func (d *dispatcher) mayChange() bool {
	now, last := time.Now().Unix(), d.changed.Load()
	return (last == 0 || last <= now-int64(d.reloadDelta)) && d.changed.CompareAndSwap(last, now)
}

func (d *dispatcher) reload(ctx context.Context) error {
	if !d.mayChange() {
		return fault("Ongoing reload")
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	l, err := d.read(ctx)
	if err != nil {
		d.host.Log.LogAttrs(ctx, slog.LevelError, "destinations not reloaded, the old ones stay in use", slog.String("module", "dispatcher"), slog.Any("err", err))
		return fault("Reload Failed")
	}
	d.sets.Store(l)
	return nil
}

func (d *dispatcher) rpcReload(ctx context.Context, c *rpc.Call) error {
	if err := d.reload(ctx); err != nil {
		return err
	}
	c.Add(rpc.Text("Ok. Dispatcher successfully reloaded."))
	return nil
}

func (d *dispatcher) rpcList(_ context.Context, c *rpc.Call) error {
	l := d.sets.Load()
	if len(l.order) == 0 {
		return fault("No Destination Sets")
	}
	mode := strings.ToLower(c.Str(0))
	var sets rpc.Items
	for _, s := range l.order {
		var targets rpc.Items
		s.mu.Lock()
		for _, x := range s.dests {
			targets = append(targets, rpc.M("DEST", d.shown(x, mode)))
		}
		s.mu.Unlock()
		sets = append(sets, rpc.M("SET", rpc.Struct{rpc.M("ID", rpc.Int(s.id)), rpc.M("TARGETS", targets)}))
	}
	c.Add(rpc.Struct{rpc.M("NRSETS", rpc.Int(len(l.order))), rpc.M("RECORDS", sets)})
	return nil
}

// letters are the state as Kamailio shows it.
func letters(flags int) string {
	first := "A"
	switch {
	case flags&inactive != 0:
		first = "I"
	case flags&disabled != 0:
		first = "D"
	case flags&trying != 0:
		first = "T"
	}
	if flags&probing != 0 {
		return first + "P"
	}
	return first + "X"
}

func orNull(s string) rpc.Value {
	if s == "" {
		return rpc.Null{}
	}
	return rpc.String(s)
}

// shown is one destination; the caller holds its set's mu.
func (d *dispatcher) shown(x *dest, mode string) rpc.Struct {
	v := rpc.Struct{rpc.M("URI", rpc.String(x.uri)), rpc.M("FLAGS", rpc.String(letters(x.flags))), rpc.M("PRIORITY", rpc.Int(x.priority))}
	if mode == "full" {
		ip := ""
		if x.at.addr.IsValid() {
			ip = x.at.addr.String()
		}
		var sec, micro int64
		if !x.seenAt.IsZero() {
			sec, micro = x.seenAt.Unix(), int64(x.seenAt.Nanosecond()/1000)
		}
		v = append(v, rpc.M("HOST", rpc.String(x.host)), rpc.M("IPADDR", rpc.String(ip)), rpc.M("PORT", rpc.Int(x.at.port)),
			rpc.M("PROTOID", rpc.Int(x.at.proto)), rpc.M("DNSTIME_SEC", rpc.Int(sec)), rpc.M("DNSTIME_USEC", rpc.Int(micro)))
	}
	if mode != "short" && x.hasAttrs {
		a := &x.attrs
		v = append(v, rpc.M("ATTRS", rpc.Struct{
			rpc.M("BODY", rpc.String(a.body)), rpc.M("DUID", orNull(a.duid)), rpc.M("MAXLOAD", rpc.Int(a.maxload)),
			rpc.M("WEIGHT", rpc.Int(a.weight)), rpc.M("RWEIGHT", rpc.Int(x.rweight)), rpc.M("SOCKET", orNull(a.socket)),
			rpc.M("SOCKNAME", orNull(a.sockname)), rpc.M("OBPROXY", orNull(a.outbound)),
		}))
	}
	if d.latencyStats {
		l := &x.latency
		v = append(v, rpc.M("LATENCY", rpc.Struct{
			rpc.M("AVG", rpc.Double(l.average)), rpc.M("STD", rpc.Double(l.stdev)), rpc.M("EST", rpc.Double(l.estimate)),
			rpc.M("MAX", rpc.Int(l.highest)), rpc.M("TIMEOUT", rpc.Int(l.timeouts)),
		}))
	}
	if d.calls != nil {
		v = append(v, rpc.M("RUNTIME", rpc.Struct{rpc.M("DLGLOAD", rpc.Int(x.load))}))
	}
	return v
}

// stateFlags reads the state of dispatcher.set_state: a letter or a digit, then
// p for probing.
func stateFlags(s string) (int, *rpc.Fault) {
	if s == "" {
		return 0, fault("Invalid State Parameter")
	}
	flags := 0
	switch s[0] {
	case '0', 'I', 'i':
		flags = inactive
	case '1', 'A', 'a':
	case '2', 'D', 'd':
		return disabled, nil
	case '3', 'T', 't':
		flags = trying
	default:
		return 0, fault("Unknown State Value")
	}
	if len(s) > 1 && (s[1] == 'P' || s[1] == 'p') {
		flags |= probing
	}
	return flags, nil
}

func (d *dispatcher) setState(byDUID bool) func(context.Context, *rpc.Call) error {
	return func(_ context.Context, c *rpc.Call) error {
		flags, f := stateFlags(c.Str(0))
		if f != nil {
			return f
		}
		s := d.sets.Load().byID[c.Int(1)]
		which := c.Str(2)
		if s == nil && which != "all" {
			return fault("State Update Failed")
		}
		if s != nil && !s.assign(which, flags, byDUID) {
			return fault("State Update Failed")
		}
		c.Add(rpc.Text("Ok. Dispatcher state updated."))
		return nil
	}
}

// assign gives a destination, or all, a state; false when there is none.
func (s *set) assign(which string, flags int, byDUID bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.dests
	if which != "all" {
		x := s.find(which)
		if byDUID {
			x = s.byDUID(which)
		}
		if x == nil {
			return false
		}
		list = []*dest{x}
	}
	for _, x := range list {
		s.setFlags(x, x.flags&^stateBits|flags)
	}
	return true
}

func (d *dispatcher) pingActive(_ context.Context, c *rpc.Call) error {
	old := rpc.Int(0)
	if d.pinging.Load() {
		old = 1
	}
	if !c.Has(0) || c.Int(0) == -1 {
		c.Add(rpc.Struct{rpc.M("OldPingState", old)})
		return nil
	}
	d.pinging.Store(c.Int(0) != 0)
	c.Add(rpc.Struct{rpc.M("NewPingState", rpc.Int(c.Int(0))), rpc.M("OldPingState", old)})
	return nil
}

func (d *dispatcher) rpcAdd(ctx context.Context, c *rpc.Call) error {
	if !d.mayChange() {
		return fault("Ongoing reload")
	}
	x, err := d.newDest(ctx, row{set: c.Int(0), uri: c.Str(1), flags: c.Int(2), priority: c.Int(3), attrs: c.Str(4)})
	if err != nil || c.Int(0) < 0 {
		return fault("Adding dispatcher dst failed")
	}
	d.rebuild(nil, c.Int(0), x)
	c.Add(rpc.Text("Ok. Dispatcher destination added."))
	return nil
}

func (d *dispatcher) rpcRemove(_ context.Context, c *rpc.Call) error {
	if !d.mayChange() {
		return fault("Ongoing reload")
	}
	id, uri := c.Int(0), c.Str(1)
	if !strings.HasPrefix(strings.ToLower(uri), "sip") {
		uri = "sip:" + uri
	}
	d.rebuild(func(s *set, x *dest) bool { return s.id == id && x.uri == uri }, 0, nil)
	c.Add(rpc.Text("Ok. Dispatcher destination removed."))
	return nil
}

// rebuild makes the list anew: without some destinations, with one more. The
// others keep what they are.
func (d *dispatcher) rebuild(without func(*set, *dest) bool, id int, more *dest) {
	d.changing.Lock()
	defer d.changing.Unlock()
	l := newList()
	for _, s := range d.sets.Load().order {
		s.mu.Lock()
		for i := len(s.dests) - 1; i >= 0; i-- { // add puts each before those of its priority
			if x := *s.dests[i]; without == nil || !without(s, &x) {
				l.add(s.id, &x)
			}
		}
		s.mu.Unlock()
	}
	if more != nil {
		l.add(id, more)
	}
	l.finish()
	d.sets.Store(l)
}

func rpcHash(_ context.Context, c *rpc.Call) error {
	h, n := hash(c.Str(1), c.Str(2)), c.Int(0)
	slot := rpc.Int(0)
	if n > 0 {
		slot = rpc.Int(h % uint32(n))
	}
	c.Add(rpc.Struct{rpc.M("hashid", rpc.Int(h)), rpc.M("slot", slot)})
	return nil
}
