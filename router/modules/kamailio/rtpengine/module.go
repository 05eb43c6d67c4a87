// Package rtpengine is the module that lets a media relay of the rtpengine kind
// stand between the parties of a call: it hands session descriptions to relays
// over the ng control protocol and puts what they answer into the message.
package rtpengine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sipd/router/cfg"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/rpc"
)

type mod struct {
	socks                               []string
	disableTimeout, redetect, timeout   cfg.Int
	tries, limit                        cfg.Int
	allowOp, setDefault                 int
	extraID, setAVP, readSDP, writeSDP  string
	instance, duration                  string
	local                               string
	hashSize, hashTimeout               int
	tos, hashAlgo                       int
	dbURL, table                        string
	setCol, urlCol, weightCol, disabled string
	wsapi                               string
	quality                             [3]quality // of the call and of the parties A and B

	log   *slog.Logger
	cfg   *cfg.Store
	bind  *net.UDPAddr // of force_send_interface
	vars  struct{ extraID, set, read, write, instance, duration pv.Var }
	nodes atomic.Pointer[[]*node]
	calls calls
	slot  int
	conn  *dbx.Conn
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &mod{
		disableTimeout: cfg.Int{Default: 60, Help: "seconds until a relay that did not answer is tried again"},
		redetect:       cfg.Int{Default: 1, Min: 0, Max: 1, Help: "1: when all relays are down they are tried at once"},
		timeout:        cfg.Int{Default: 1000, Help: "time to wait for a relay's answer, milliseconds"},
		tries:          cfg.Int{Default: 5, Help: "how often a command is repeated without an answer"},
		limit:          cfg.Int{Default: 30, Min: 0, Max: 30, Help: "how many relays are tried for one command"},
		hashSize:       256, hashTimeout: 3600, tos: -1,
		table: "rtpengine", setCol: "setid", urlCol: "url", weightCol: "weight", disabled: "disabled",
	}
}

// Exports lists what the module brings.
func (m *mod) Exports() *module.Exports {
	return &module.Exports{
		Name:      "rtpengine",
		Help:      "media relays over the ng control protocol",
		Params:    m.params(),
		Functions: m.functions(),
		Vars: []pv.Def{
			{Name: "rtpestat", Help: "packets and octets of the call's media, asked of the relay", Simple: m.stat},
			{Name: "rtpstat", Help: "the same as $rtpestat", Simple: m.stat},
		},
		RPC: m.rpc(),
	}
}

func (m *mod) params() []module.Param {
	list := []module.Param{
		{Name: "rtpengine_sock", Help: "media relays: [SET ==] udp:HOST:PORT[=WEIGHT] …; repeatable", Value: &m.socks},
		{Name: "rtpengine_disable_tout", Help: "seconds until a relay that did not answer is tried again", Value: &m.disableTimeout},
		{Name: "aggressive_redetection", Help: "1: when all relays are down they are tried at once", Value: &m.redetect},
		{Name: "rtpengine_tout_ms", Help: "time to wait for a relay's answer, milliseconds", Value: &m.timeout},
		{Name: "rtpengine_retr", Help: "how often a command is repeated without an answer", Value: &m.tries},
		{Name: "queried_nodes_limit", Help: "how many relays are tried for one command", Value: &m.limit},
		{Name: "rtpengine_allow_op", Help: "calls that a disabled relay has go on there: 1 always, 2 when an operator disabled it", Value: &m.allowOp, Min: 0, Max: 2},
		{Name: "extra_id_pv", Help: "variable of the id for via-branch=extra", Value: &m.extraID},
		{Name: "setid_avp", Help: "attribute that chooses the set", Value: &m.setAVP},
		{Name: "setid_default", Help: "set of relays unless told", Value: &m.setDefault, Min: 0, Max: 1 << 30},
		{Name: "force_send_interface", Help: "local address that commands leave from", Value: &m.local},
		{Name: "read_sdp_pv", Help: "variable that the session description is read from, instead of the body", Value: &m.readSDP},
		{Name: "write_sdp_pv", Help: "variable that the new one is written to, instead of the body", Value: &m.writeSDP},
		{Name: "rtp_inst_pvar", Help: "variable that gets the relay chosen", Value: &m.instance},
		{Name: "media_duration", Help: "variable that gets the length of what play_media plays, milliseconds", Value: &m.duration},
		{Name: "hash_table_size", Help: "accepted: the table grows as needed", Value: &m.hashSize},
		{Name: "hash_table_tout", Help: "seconds for which the relay of a call is remembered", Value: &m.hashTimeout, Min: 1, Max: 1 << 30},
		{Name: "db_url", Help: "database of the relays; then rtpengine_sock is not used", Value: &m.dbURL},
		{Name: "table_name", Help: "table of the relays", Value: &m.table},
		{Name: "setid_col", Help: "its column of the set", Value: &m.setCol},
		{Name: "url_col", Help: "its column of the URL", Value: &m.urlCol},
		{Name: "weight_col", Help: "its column of the weight", Value: &m.weightCol},
		{Name: "disabled_col", Help: "its column that turns a relay off", Value: &m.disabled},
		{Name: "control_cmd_tos", Help: "type of service of commands, 0 to 255; -1 is the system's", Value: &m.tos, Min: -1, Max: 255},
		{Name: "hash_algo", Help: "0: relays are chosen by a hash of the Call-ID; 1 (SHA1) and 2 (CRC32) are accepted and do the same", Value: &m.hashAlgo, Min: 0, Max: 2},
		{Name: "wsapi", Help: "not supported: relays over WebSocket", Value: &m.wsapi, Check: func() error {
			if m.wsapi != "" {
				return errors.New("media relays over WebSocket are not supported; use udp:HOST:PORT")
			}
			return nil
		}},
	}
	for i, party := range []string{"", "_A", "_B"} {
		m.quality[i].party = party
		list = append(list, m.quality[i].params()...)
	}
	return list
}

func (m *mod) functions() []module.Function {
	arg := []module.Arg{{Name: "flags", Type: module.ArgFormat, Optional: true}}
	f := func(name, help, command string) module.Function {
		return module.Function{Name: name, Help: help, Args: arg, In: run.AnyRoute, New: m.newCommand(command)}
	}
	return []module.Function{
		f("rtpengine_offer", "hand the session description to a relay as an offer", "offer"),
		f("rtpengine_answer", "hand the session description to the call's relay as the answer", "answer"),
		f("rtpengine_manage", "offer, answer or delete, as the message asks for", "manage"),
		f("rtpengine_delete", "end the call at its relay", "delete"),
		f("rtpengine_query", "ask the relay for the call's figures", "query"),
		f("rtpengine_info", "hand a fragment of a description (trickle ICE) to the relay", "info"),
		f("start_recording", "record the call", "start recording"),
		f("stop_recording", "end the recording", "stop recording"),
		f("block_dtmf", "pass no telephone events on", "block DTMF"),
		f("unblock_dtmf", "pass them on again", "unblock DTMF"),
		f("block_media", "pass no media on", "block media"),
		f("unblock_media", "pass it on again", "unblock media"),
		f("silence_media", "replace audio by silence", "silence media"),
		f("unsilence_media", "pass audio on again", "unsilence media"),
		f("start_forwarding", "send the audio to a recorder", "start forwarding"),
		f("stop_forwarding", "end that", "stop forwarding"),
		f("play_media", "play an announcement: file=PATH, db-id=N", "play media"),
		f("stop_media", "end it", "stop media"),
		f("play_dtmf", "play a telephone event: code=N", "play DTMF"),
		{
			Name: "rtpengine_query_v", Help: `put the call's figures into a variable; "j" JSON, "jp" with lines`, In: run.AnyRoute, New: m.newQueryV,
			Args: []module.Arg{{Name: "format", Type: module.ArgConst}, {Name: "variable", Type: module.ArgVar}},
		},
		{
			Name: "set_rtpengine_set", Help: "choose the set of relays for what follows; a second one is asked behind the first", In: run.AnyRoute, New: m.newSet,
			Args: []module.Arg{{Name: "set", Type: module.ArgInt}, {Name: "second set", Type: module.ArgInt, Optional: true}},
		},
	}
}

// Init reads the relays.
func (m *mod) Init(ctx context.Context, h *module.Host) error {
	m.log, m.cfg, m.slot = h.Log, h.Cfg, h.Env.NewSlot()
	m.calls.keep = time.Duration(m.hashTimeout) * time.Second
	m.nodes.Store(new([]*node))
	if err := m.compileVars(h.Vars); err != nil {
		return err
	}
	if m.local != "" {
		a, err := netip.ParseAddr(m.local)
		if err != nil {
			return fmt.Errorf("force_send_interface: %q is no address", m.local)
		}
		m.bind = net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
	}
	if m.dbURL != "" {
		return m.open(ctx, h)
	}
	var list []*node
	var errs []error
	for _, s := range m.socks {
		nodes, err := parseNodes(s, m.setDefault)
		errs = append(errs, err)
		list = append(list, nodes...)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("rtpengine_sock: %w", err)
	}
	m.use(list)
	return nil
}

func (m *mod) compileVars(reg *pv.Registry) error {
	for _, v := range []struct {
		name, text string
		to         *pv.Var
		write      bool
	}{
		{"extra_id_pv", m.extraID, &m.vars.extraID, false},
		{"setid_avp", m.setAVP, &m.vars.set, false},
		{"read_sdp_pv", m.readSDP, &m.vars.read, false},
		{"write_sdp_pv", m.writeSDP, &m.vars.write, true},
		{"rtp_inst_pvar", m.instance, &m.vars.instance, true},
		{"media_duration", m.duration, &m.vars.duration, true},
	} {
		if v.text == "" {
			continue
		}
		x, err := parseVar(reg, v.name, v.text, v.write)
		if err != nil {
			return err
		}
		*v.to = x
	}
	for i := range m.quality {
		if err := m.quality[i].compile(reg); err != nil {
			return err
		}
	}
	return nil
}

// parseVar reads the one variable that a parameter names.
func parseVar(reg *pv.Registry, name, text string, write bool) (pv.Var, error) {
	x, n, err := reg.ParseVar(text, pv.MaxCompat)
	switch {
	case err != nil:
		return x, fmt.Errorf("%s: %w", name, err)
	case n != len(text):
		return x, fmt.Errorf("%s wants one variable, not %q", name, text)
	case write && x.Set == nil:
		return x, fmt.Errorf("%s: %s cannot be written", name, text)
	}
	return x, nil
}

// use puts relays to use; one that was there keeps its sockets and whether it
// answers. Sockets of those that are not there any more are closed.
func (m *mod) use(list []*node) {
	old := *m.nodes.Load()
	gone := make(map[*remote]bool, len(old))
	for _, o := range old {
		gone[o.remote] = true
	}
	for i, n := range list {
		n.index = i
		n.peer.Local, n.peer.TOS = m.bind, max(m.tos, 0)
		for _, o := range old {
			if o.url == n.url && o.set == n.set {
				o.off.Store(n.off.Load())
				n.remote = o.remote
				delete(gone, n.remote)
			}
		}
	}
	m.nodes.Store(&list)
	for r := range gone {
		_ = r.peer.Close()
	}
}

// open opens the database and reads the relays from it.
func (m *mod) open(ctx context.Context, h *module.Host) (err error) {
	if m.conn, err = dbx.Open(ctx, h, m.dbURL); err != nil {
		return err
	}
	if err := m.conn.RequireColumns(m.table, m.setCol, m.urlCol, m.weightCol, m.disabled); err != nil {
		return err
	}
	return m.readTable(ctx)
}

func (m *mod) readTable(ctx context.Context) error {
	if m.conn.DB == nil { // only checked
		return nil
	}
	q := m.conn.Select(m.table, []string{m.setCol, m.urlCol, m.weightCol, m.disabled}, nil, "ORDER BY "+m.conn.Quote(m.setCol)+", "+m.conn.Quote(m.urlCol))
	defer q.Close()
	type row struct {
		set, weight, disabled int
		url                   string
	}
	var rows []row
	err := q.Each(ctx, nil, func(scan func(...any) error) error {
		var r row
		if err := scan(&r.set, &r.url, &r.weight, &r.disabled); err != nil {
			return err
		}
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return err
	}
	var list []*node
	for _, r := range rows {
		n, err := parseNode(r.url, r.set)
		if err != nil {
			return fmt.Errorf("table %s: %w", m.table, err)
		}
		n.weight = r.weight
		n.off.Store(r.disabled != 0)
		list = append(list, n)
	}
	m.use(list)
	return nil
}

// Close closes the relays' sockets and the database.
func (m *mod) Close() error {
	var errs []error
	if p := m.nodes.Load(); p != nil {
		for _, n := range *p {
			errs = append(errs, n.peer.Close())
		}
	}
	return errors.Join(append(errs, m.conn.Close())...)
}

func (m *mod) rpc() []*rpc.Method {
	which := []rpc.Param{{Name: "proxy_url", Help: "a relay's URL, or all", Type: rpc.TString}}
	return []*rpc.Method{
		{Name: "rtpengine.show", Help: "Shows relays.", Params: which, List: true, Handler: m.show, Example: "all", Reply: "struct {url: text, set: int, index: int, weight: int, disabled: int, recheck_ticks: int or text}"},
		{Name: "rtpengine.enable", Help: "Turns relays on (1) or off (0).", Params: append(which, rpc.Param{Name: "enable", Type: rpc.TInt}), Changes: true, Handler: m.enable, Example: "all 1", Reply: "struct {url: text, status: text}"},
		{Name: "rtpengine.ping", Help: "Asks relays whether they live.", Params: which, List: true, Handler: m.ping, Example: "all", Reply: "struct {url: text, status: text}"},
		{Name: "rtpengine.reload", Help: "Reads the relays from the table again.", Changes: true, Handler: m.reload, Reply: "text"},
		{Name: "rtpengine.get_hash_total", Help: "Tells how many calls are remembered.", Handler: m.total, Reply: "int"},
	}
}

// urlOf takes off the :: that protects the colons of an IPv6 address.
func urlOf(s string) string { return strings.TrimPrefix(s, "::") }
