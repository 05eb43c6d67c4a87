// Package rtpproxy is the module that lets a media relay of the rtpproxy kind
// stand between the parties of a call: it asks relays for ports over their
// control protocol and writes them into session descriptions.
package rtpproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/rpc"
)

type mod struct {
	socks                          []string
	disableTimeout, tries, timeout int
	marker                         string
	timeoutSocket, timeoutTag      string
	extraID, instance, icePriority string
	forceSocket                    string
	dbURL, table                   string
	local                          *net.UDPAddr // of force_socket
	log                            *slog.Logger
	nodes                          []*node
	conn                           *dbx.Conn
	slot                           int
	tagFormat, idFormat            *pv.Format
	instanceVar, icePriorityVar    pv.Var
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &mod{disableTimeout: 60, tries: 5, timeout: 1, marker: "a=nortpproxy:yes", table: "rtpproxy"}
}

// Exports lists what the module brings.
func (m *mod) Exports() *module.Exports {
	return &module.Exports{
		Name: "rtpproxy",
		Help: "media relays over the control protocol of rtpproxy",
		Params: []module.Param{
			{Name: "rtpproxy_sock", Help: "media relays: [SET ==] udp:HOST:PORT[=WEIGHT] or unix:PATH …; repeatable", Value: &m.socks},
			{Name: "rtpproxy_disable_tout", Help: "seconds until a relay that did not answer is tried again; below 0: never by itself", Value: &m.disableTimeout},
			{Name: "rtpproxy_retr", Help: "how often a command is sent over UDP without an answer", Value: &m.tries, Min: 1, Max: 100},
			{Name: "rtpproxy_tout", Help: "seconds to wait for an answer", Value: &m.timeout, Min: 1, Max: 60},
			{Name: "nortpproxy_str", Help: "line that tells the next relay that the description was changed; empty for none", Value: &m.marker},
			{Name: "timeout_socket", Help: "address that relays tell of media that ended (needs timeout_tag_pv)", Value: &m.timeoutSocket},
			{Name: "timeout_tag_pv", Help: "variables that make what they tell", Value: &m.timeoutTag},
			{Name: "extra_id_pv", Help: "variables of the id that flag b adds to the Call-ID", Value: &m.extraID},
			{Name: "ice_candidate_priority_avp", Help: "attribute that says whether relay candidates are added: 0 none, 1 low, 2 high priority", Value: &m.icePriority},
			{Name: "rtp_inst_pvar", Help: "variable that gets the relay chosen", Value: &m.instance},
			{Name: "force_socket", Help: "local address that commands over UDP leave from, HOST or HOST:0", Value: &m.forceSocket},
			{Name: "db_url", Help: "database of further relays", Value: &m.dbURL},
			{Name: "table_name", Help: "table of the relays", Value: &m.table},
		},
		Functions: m.functions(),
		Vars: []pv.Def{
			{Name: "rtpstat", Help: "figures of the call's media, as the relay writes them", Simple: m.stat},
			{Name: "rtppstat", Help: "the same as $rtpstat", Simple: m.stat},
		},
		RPC: []*rpc.Method{
			{
				Name: "rtpproxy.list", Help: "Lists the media relays.", List: true, Handler: m.list,
				Reply: "struct {setid: int, url: text, index: int, disabled: int, weight: int, recheck: int}",
			},
			{
				Name: "rtpproxy.enable", Help: "Puts a media relay into use (1) or out of use (0).", Changes: true, Handler: m.enable,
				Params:  []rpc.Param{{Name: "url", Type: rpc.TString}, {Name: "enable", Type: rpc.TInt}},
				Example: "udp:127.0.0.1:7722 0", BadParams: &rpc.Fault{Code: 500, Text: "Not enough parameters"},
			},
		},
	}
}

func (m *mod) functions() []module.Function {
	flags := module.Arg{Name: "flags", Type: module.ArgFormat, Optional: true}
	ip := module.Arg{Name: "ip", Type: module.ArgFormat, Optional: true}
	f := func(name, help string, args []module.Arg, do func(*run.Context, *options, string) int) module.Function {
		return module.Function{Name: name, Help: help, Args: args, In: run.AnyRoute, New: m.withFlags(do)}
	}
	both := []module.Arg{flags, ip}
	plain := func(name, help string, do func(*run.Context) int) module.Function {
		return module.Function{Name: name, Help: help, In: run.AnyRoute, New: func(module.Args) (run.Func, error) { return do, nil }}
	}
	prompt := []module.Arg{{Name: "prompt", Type: module.ArgFormat}, {Name: "count", Type: module.ArgInt}}
	stream := func(name, help string, toCaller bool) module.Function {
		return module.Function{Name: name, Help: help, In: run.AnyRoute, Args: prompt, New: m.newStream(toCaller)}
	}
	return []module.Function{
		f("rtpproxy_offer", "let a relay take the offer that the message has", both, m.offer),
		f("rtpproxy_answer", "let the call's relay take the answer that the message has", both, m.answer),
		f("rtpproxy_manage", "offer, answer or end, as the message asks for", both, m.manage),
		f("force_rtp_proxy", "offer for a request, answer for a reply", both, m.force),
		f("rtpproxy_destroy", "end the call at its relay", []module.Arg{flags}, m.destroy),
		f("unforce_rtp_proxy", "the same as rtpproxy_destroy", []module.Arg{flags}, m.destroy),
		plain("start_recording", "record the call", m.record),
		stream("rtpproxy_stream2uac", "play a prompt to the caller, count times (-1: for ever)", true),
		stream("rtpproxy_stream2uas", "play a prompt to the callee", false),
		plain("rtpproxy_stop_stream2uac", "end what is played to the caller", func(c *run.Context) int { return m.stop(c, true) }),
		plain("rtpproxy_stop_stream2uas", "end what is played to the callee", func(c *run.Context) int { return m.stop(c, false) }),
		{
			Name: "set_rtp_proxy_set", Help: "choose the set of relays for what follows", In: run.AnyRoute,
			Args: []module.Arg{{Name: "set", Type: module.ArgInt}}, New: m.newSet,
		},
	}
}

// Init reads the relays.
func (m *mod) Init(ctx context.Context, h *module.Host) (err error) {
	m.log, m.slot = h.Log, h.Env.NewSlot()
	if err := m.compileVars(h.Vars); err != nil {
		return err
	}
	if m.forceSocket != "" {
		if m.local, err = localAddr(m.forceSocket); err != nil {
			return fmt.Errorf("force_socket: %w", err)
		}
	}
	for _, s := range m.socks {
		if err := m.addSet(s); err != nil {
			return fmt.Errorf("rtpproxy_sock: %w", err)
		}
	}
	if m.dbURL != "" {
		if err := m.readTable(ctx, h); err != nil {
			return err
		}
	}
	if old, ok := h.Old.(*mod); ok { // what is known of relays outlives a reload
		for _, n := range m.nodes {
			for _, o := range old.nodes {
				if o.url == n.url && o.set == n.set {
					n.inherit(o)
				}
			}
		}
	}
	return nil
}

// localAddr reads HOST or HOST:0. Each command under way has a socket, so they
// cannot share a port.
func localAddr(text string) (*net.UDPAddr, error) {
	host, port := text, "0"
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	}
	if port != "0" {
		return nil, fmt.Errorf("commands that are under way together cannot share port %s; write %q", port, host)
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return nil, fmt.Errorf("%q is no address", host)
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)), nil
}

func (m *mod) compileVars(reg *pv.Registry) (err error) {
	if m.timeoutSocket != "" && m.timeoutTag == "" {
		return errors.New("timeout_socket needs timeout_tag_pv: what relays are to tell of a call")
	}
	for _, f := range []struct {
		name, text string
		to         **pv.Format
	}{{"timeout_tag_pv", m.timeoutTag, &m.tagFormat}, {"extra_id_pv", m.extraID, &m.idFormat}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = reg.ParseFormat(f.text, pv.Kamailio); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	for _, v := range []struct {
		name, text string
		to         *pv.Var
		write      bool
	}{{"rtp_inst_pvar", m.instance, &m.instanceVar, true}, {"ice_candidate_priority_avp", m.icePriority, &m.icePriorityVar, false}} {
		if v.text == "" {
			continue
		}
		x, n, err := reg.ParseVar(v.text, pv.MaxCompat)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", v.name, err)
		case n != len(v.text) || v.write && x.Set == nil:
			return fmt.Errorf("%s wants one variable that can be written, not %q", v.name, v.text)
		}
		*v.to = x
	}
	return nil
}

// readTable adds the relays of the database.
func (m *mod) readTable(ctx context.Context, h *module.Host) (err error) {
	if m.conn, err = dbx.Open(ctx, h, m.dbURL); err != nil {
		return err
	}
	columns := []string{"setid", "url", "weight", "flags"}
	if err := m.conn.RequireColumns(m.table, columns...); err != nil || m.conn.DB == nil {
		return err
	}
	q := m.conn.Select(m.table, columns, nil, "ORDER BY "+m.conn.Quote("id"))
	defer q.Close()
	return q.Each(ctx, nil, func(scan func(...any) error) error {
		var set, url string
		var weight, off int
		if err := scan(&set, &url, &weight, &off); err != nil {
			return err
		}
		id, err := setID(set)
		if err != nil {
			return fmt.Errorf("table %s: %w", m.table, err)
		}
		n, err := newNode(url, id, weight)
		if err != nil {
			return fmt.Errorf("table %s: %w", m.table, err)
		}
		n.off.Store(off != 0)
		m.add(n)
		return nil
	})
}

// Serve finds out what the relays can do, so that the first call need not wait.
func (m *mod) Serve(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, n := range m.nodes {
		wg.Go(func() { n.ready(ctx, m) })
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// Close closes the sockets and the database.
func (m *mod) Close() error {
	var errs []error
	for _, n := range m.nodes {
		errs = append(errs, n.peer.Close())
	}
	return errors.Join(append(errs, m.conn.Close())...)
}

func (m *mod) wait() time.Duration { return time.Duration(m.timeout) * time.Second }
