// Package registrar is the module that processes REGISTER (RFC 3261 §10.3) and
// looks up who is registered. The contacts are kept by module usrloc.
package registrar

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"sipd/router/cfg"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/stat"
	"sipd/router/transport"
	"sipd/router/usrloc"
	"sipd/rpc"
)

// locations is what registrar needs of module usrloc.
type locations interface {
	Locations() *usrloc.Locations
	Table(ctx context.Context, name string) (*usrloc.Table, error)
	UseDomain() bool
	NATFlag() int
}

type registrar struct {
	realmPrefix                                     cfg.Str
	defaultExpires, defaultRange, expiresRange      cfg.Int
	minExpires, maxExpires, maxContacts, retryAfter cfg.Int
	caseSensitive, defaultQ, appendBranches         cfg.Int
	useExpired                                      cfg.Int

	receivedParam, receivedAVP, sockHdr, callidAVP string
	xavpCfg, xavpRcd, eventCallback, aorAVP        string
	rcdMask, sockFlag, sockMode, minMode           int
	usePath, pathUseReceived, pathCheckLocal       bool
	pathMode, outbound, regidMode, flowTimer       int
	methodFiltering, gruu                          bool
	contactMax, filterMode                         int

	host      *module.Host
	loc       locations
	useDomain bool
	received  pv.Getter // received_avp
	callID    pv.Getter // reg_callid_avp
	owns      pv.Getter // aor_avp
	slot      int       // in Context.Slots: the status that save kept back
	ulcSlot   int       // contacts for $ulc
	prefix    string
	sockets   sync.Map // text to *transport.Socket

	accepted, rejected stat.Counter
	scratch            sync.Pool
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	r := &registrar{
		realmPrefix:    cfg.Str{Null: true, Help: "prefix that is taken off the domain of an address of record"},
		defaultExpires: cfg.Int{Flags: cfg.Once, Default: 3600, Help: "seconds for contacts that ask for none"},
		defaultRange:   cfg.Int{Flags: cfg.Once, Max: 100, Help: "percent by which default_expires is shortened at random"},
		expiresRange:   cfg.Int{Flags: cfg.Once, Max: 100, Help: "percent by which the seconds asked for are shortened at random"},
		minExpires:     cfg.Int{Flags: cfg.Once, Default: 60, Help: "fewest seconds; 0 for no bound"},
		maxExpires:     cfg.Int{Flags: cfg.Once, Help: "most seconds; 0 for no bound"},
		maxContacts:    cfg.Int{Help: "most contacts of an address of record; 0 for no bound"},
		retryAfter:     cfg.Int{Help: "Retry-After of 5xx replies, seconds; 0 for none"},
		caseSensitive:  cfg.Int{Help: "1: case counts in addresses of record"},
		defaultQ:       cfg.Int{Default: -1, Min: -1, Max: 1000, Help: "preference of contacts that have none, thousandths; -1 for none"},
		appendBranches: cfg.Int{Default: 1, Help: "0: lookup uses the best contact alone"},
		useExpired:     cfg.Int{Help: "1: lookup uses ended contacts too"},
		receivedParam:  "received", sockFlag: -1, pathMode: 2, gruu: true, contactMax: 512,
	}
	r.scratch.New = func() any { return new(work) }
	return r
}

// Exports lists what the module brings.
func (r *registrar) Exports() *module.Exports {
	return &module.Exports{
		Name:      "registrar",
		Help:      "processes REGISTER and looks up contacts",
		Needs:     []string{"usrloc"},
		Params:    r.params(),
		Functions: r.functions(),
		Vars:      []pv.Def{{Name: "ulc", Help: "contact that reg_fetch_contacts got", RawInner: true, New: r.newULC}},
		Stats: []stat.Def{
			{Name: "accepted_regs", Help: "REGISTER requests accepted", Source: &r.accepted},
			{Name: "rejected_regs", Help: "REGISTER requests refused", Source: &r.rejected},
			{Name: "max_expires", Help: "runtime variable max_expires", Keep: true, Source: r.value(&r.maxExpires)},
			{Name: "max_contacts", Help: "runtime variable max_contacts", Keep: true, Source: r.value(&r.maxContacts)},
			{Name: "default_expire", Help: "runtime variable default_expires", Keep: true, Source: r.value(&r.defaultExpires)},
			{Name: "default_expires_range", Help: "runtime variable default_expires_range", Keep: true, Source: r.value(&r.defaultRange)},
			{Name: "expires_range", Help: "runtime variable expires_range", Keep: true, Source: r.value(&r.expiresRange)},
		},
	}
}

func (r *registrar) value(v *cfg.Int) stat.Func {
	return func() int64 {
		if r.host == nil {
			return int64(v.Default)
		}
		return int64(v.Get(r.host.Cfg.Snapshot()))
	}
}

func (r *registrar) params() []module.Param {
	return []module.Param{
		{Name: "realm_pref", Help: "the same as realm_prefix", Value: &r.realmPrefix},
		{Name: "default_expires", Help: "seconds for contacts that ask for none", Value: &r.defaultExpires},
		{Name: "default_expires_range", Help: "percent by which default_expires is shortened at random", Value: &r.defaultRange},
		{Name: "expires_range", Help: "percent by which the seconds asked for are shortened at random", Value: &r.expiresRange},
		{Name: "min_expires", Help: "fewest seconds; 0 for no bound", Value: &r.minExpires},
		{Name: "max_expires", Help: "most seconds; 0 for no bound", Value: &r.maxExpires},
		{Name: "max_contacts", Help: "most contacts of an address of record; 0 for no bound", Value: &r.maxContacts},
		{Name: "retry_after", Help: "Retry-After of 5xx replies, seconds; 0 for none", Value: &r.retryAfter},
		{Name: "case_sensitive", Help: "1: case counts in addresses of record", Value: &r.caseSensitive},
		{Name: "default_q", Help: "preference of contacts that have none, thousandths; -1 for none", Value: &r.defaultQ},
		{Name: "append_branches", Help: "0: lookup uses the best contact alone", Value: &r.appendBranches},
		{Name: "use_expired_contacts", Help: "1: lookup uses ended contacts too", Value: &r.useExpired},
		{Name: "realm_prefix", Help: "prefix that is taken off the domain of an address of record", Value: &r.prefix},
		{Name: "min_expires_mode", Help: "1 answers 423 to fewer seconds than min_expires", Value: &r.minMode, Min: 0, Max: 1},
		{Name: "received_param", Help: "parameter of contacts in replies; empty for none", Value: &r.receivedParam},
		{Name: "received_avp", Help: "attribute with the address behind NAT", Value: &r.receivedAVP},
		{Name: "sock_flag", Help: "message flag: the socket stands in sock_hdr_name; -1 for none", Value: &r.sockFlag, Min: -1, Max: 31},
		{Name: "sock_hdr_name", Help: "header with the socket", Value: &r.sockHdr},
		{Name: "sock_mode", Help: "1 stores the advertised address", Value: &r.sockMode, Min: 0, Max: 1},
		{Name: "method_filtering", Help: "1: lookup passes over contacts that do not take the method", Value: &r.methodFiltering},
		{Name: "use_path", Help: "1 stores Path (RFC 3327)", Value: &r.usePath},
		{Name: "path_mode", Help: "0 Path is not echoed, 1 when path is supported, 2 and refused otherwise", Value: &r.pathMode, Min: 0, Max: 2},
		{Name: "path_use_received", Help: "1 takes received from the first Path", Value: &r.pathUseReceived},
		{Name: "path_check_local", Help: "1 passes over a first Path that is this server", Value: &r.pathCheckLocal},
		{Name: "reg_callid_avp", Help: "attribute with the Call-ID that registered() wants", Value: &r.callidAVP},
		{Name: "xavp_cfg", Help: "extended attribute with settings for one request", Value: &r.xavpCfg},
		{Name: "xavp_rcd", Help: "extended attribute that gets the contacts found", Value: &r.xavpRcd},
		{Name: "xavp_rcd_mask", Help: "what not to put there: 1 ruid, 2 contact, 4 expires, 8 received, 16 path", Value: &r.rcdMask, Min: 0, Max: 31},
		{Name: "gruu_enabled", Help: "0 does not keep instances (RFC 5627)", Value: &r.gruu},
		{Name: "outbound_mode", Help: "0 off, 1 supported, 2 required (RFC 5626)", Value: &r.outbound, Min: 0, Max: 2},
		{Name: "regid_mode", Help: "accepted; reg-id is kept whenever there is an instance", Value: &r.regidMode, Min: 0, Max: 1},
		{Name: "flow_timer", Help: "Flow-Timer of replies, seconds; 0 for none", Value: &r.flowTimer, Min: 0, Max: 86400},
		{Name: "contact_max_size", Help: "longest contact URI, octets", Value: &r.contactMax, Min: 1, Max: 16384},
		{Name: "lookup_filter_mode", Help: "sum of 1: by the branch flags rlf_bflags of xavp_cfg; 2: not those whose connection is gone", Value: &r.filterMode, Min: 0, Max: 3},
		{Name: "event_callback", Help: "empty; others are refused", Value: &r.eventCallback},
		{Name: "aor_avp", Help: "attribute with the address of record of save, lookup and registered that are given none", Value: &r.aorAVP},
	}
}

// Init finds usrloc and compiles what the parameters name.
func (r *registrar) Init(_ context.Context, h *module.Host) error {
	r.host = h
	r.slot, r.ulcSlot = h.Env.NewSlot(), h.Env.NewSlot()
	var ok bool
	if r.loc, ok = h.Module("usrloc").(locations); !ok {
		return errors.New(`registrar keeps its contacts in usrloc; put loadmodule "usrloc.so" before loadmodule "registrar.so"`)
	}
	r.useDomain = r.loc.UseDomain()
	h.WhenServing(func() { r.loc.Locations().OnExpired(r.expired) })
	switch {
	case r.eventCallback != "":
		return errors.New("event_callback is for embedded languages; use event_route[usrloc:contact-expired]")
	case r.flowTimer > 0 && r.outbound == 0:
		return errors.New("flow_timer wants outbound_mode 1 or 2")
	case r.sockFlag >= 0 && r.sockHdr == "" && r.xavpCfg == "":
		return errors.New("sock_flag wants sock_hdr_name")
	}
	if r.prefix != "" {
		if err := h.Cfg.Set(cfg.Ref{Group: "registrar"}, "realm_pref", rpc.String(r.prefix)); err != nil {
			return err
		}
	}
	var err error
	if r.received, err = r.attribute("received_avp", r.receivedAVP); err != nil {
		return err
	}
	if r.callID, err = r.attribute("reg_callid_avp", r.callidAVP); err != nil {
		return err
	}
	r.owns, err = r.attribute("aor_avp", r.aorAVP)
	return err
}

func (r *registrar) attribute(param, name string) (pv.Getter, error) {
	if name == "" {
		return nil, nil
	}
	v, rest, err := r.host.Vars.ParseVar(name, pv.MaxCompat)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", param, err)
	}
	if rest != len(name) || v.Attr == nil {
		return nil, fmt.Errorf("%s wants an attribute, as $avp(rcv), not %q", param, name)
	}
	return v.Get, nil
}

// socket finds one of the daemon's sockets by what usrloc stored; nil for one
// that is not here.
func (r *registrar) socket(name string) *transport.Socket {
	if name == "" {
		return nil
	}
	if s, ok := r.sockets.Load(name); ok {
		return s.(*transport.Socket)
	}
	if r.host.Env.Transport == nil {
		return nil
	}
	for _, s := range r.host.Env.Transport.Sockets() {
		if s.String() == name || strings.EqualFold(s.Proto.String()+":"+s.SentBy(), name) {
			r.sockets.Store(strings.Clone(name), s)
			return s
		}
	}
	return nil
}

// table finds a table for the call that a configuration holds.
func (r *registrar) table(a module.Args) (*usrloc.Table, error) {
	name := a[0].Const.Text()
	if !a[0].IsConst || name == "" {
		return nil, &module.ArgError{I: 0, Err: errors.New("a table is a constant: \"location\"")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // a million rows take a while
	defer cancel()
	t, err := r.loc.Table(ctx, name)
	if err != nil {
		return nil, &module.ArgError{I: 0, Err: err}
	}
	return t, nil
}

const anyRequest = run.RequestRoute | run.FailureRoute
