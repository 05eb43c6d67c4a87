// Package rr is the module of record routing and loose routing (RFC 3261 §16.4,
// §16.6 step 4, §16.12): it keeps the daemon in the path of a dialog and follows
// the Route headers of what is sent within one.
package rr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

type rr struct {
	appendFromTag  int
	doubleRR       int
	fullLR         int
	addUsername    int
	warnMismatch   int
	customUserAVP  string
	ignoreUser     string
	forceSend      int
	ignoreSIPS     int
	socketNameMode int

	slot    int
	lr      string // ";lr" or ";lr=on"
	userAVP pv.Var
	log     *slog.Logger
	// onRoute are told of requests that were followed.
	onRoute []func(c *run.Context, params string)
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &rr{appendFromTag: 1, doubleRR: 1, warnMismatch: 1, lr: ";lr"}
}

// editing are the blocks in which a request can be record-routed.
const editing = run.RequestRoute | run.FailureRoute | run.BranchRoute

// Exports lists what the module brings.
func (m *rr) Exports() *module.Exports {
	return &module.Exports{Name: "rr", Help: "Record-Route and loose routing", Params: m.params(), Functions: m.functions(), Vars: m.vars()}
}

func (m *rr) params() []module.Param {
	return []module.Param{
		{Name: "append_fromtag", Help: "1 puts the From tag into Record-Route (ftag), for is_direction", Value: &m.appendFromTag, Max: 1},
		{Name: "enable_double_rr", Help: "1 two Record-Routes where a request changes socket, 2 always two, 0 never", Value: &m.doubleRR, Max: 2},
		{Name: "enable_full_lr", Help: `1 writes ";lr=on" instead of ";lr"`, Value: &m.fullLR, Max: 1},
		{Name: "add_username", Help: "1 puts a user into Record-Route: the request URI's, or that of custom_user_avp", Value: &m.addUsername, Max: 1},
		{Name: "enable_socket_mismatch_warning", Help: "1 warns when the second of two own Routes names no socket of this daemon", Value: &m.warnMismatch, Max: 1},
		{Name: "custom_user_avp", Help: "attribute with the user for add_username", Value: &m.customUserAVP},
		{Name: "ignore_user", Help: "a URI of this daemon with this user counts as somebody else's", Value: &m.ignoreUser},
		{Name: "force_send_socket", Help: "1 sends on from the socket that a single own Route names", Value: &m.forceSend, Max: 1},
		{Name: "ignore_sips", Help: "1 writes a sip URI also for requests to a sips URI", Value: &m.ignoreSIPS, Max: 1},
		{Name: "sockname_mode", Help: "1 carries the socket's name in the URI (sn) and finds the socket by it", Value: &m.socketNameMode, Max: 1},
	}
}

func (m *rr) functions() []module.Function {
	format := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgFormat} }
	optional := func(name string) module.Arg {
		return module.Arg{Name: name, Type: module.ArgFormat, Optional: true}
	}
	return []module.Function{
		{Name: "record_route", Help: "add Record-Route with this daemon's address", Args: []module.Arg{optional("parameters")}, In: editing, New: m.newRecordRoute},
		{Name: "record_route_preset", Help: "add Record-Route with the addresses given: outbound, inbound", Args: []module.Arg{format("address"), optional("second address")}, In: editing, New: m.newPreset},
		{Name: "record_route_advertised_address", Help: "add Record-Route with an address, twice when the transport changes", Args: []module.Arg{format("address")}, In: editing, New: m.newAdvertised},
		{Name: "remove_record_route", Help: "take back the Record-Route added here", In: run.RequestRoute | run.FailureRoute, New: m.newRemove},
		{Name: "add_rr_param", Help: "add a parameter to the Record-Route added before or later", Args: []module.Arg{format("parameter")}, In: editing, New: m.newAddParam},
		{Name: "loose_route", Help: "follow the Route headers; false when there are none to follow", In: run.RequestRoute, New: m.newLoose(looseRoute)},
		{Name: "loose_route_preloaded", Help: "follow the Route headers; true for a request outside a dialog that named this daemon alone", In: run.RequestRoute, New: m.newLoose(loosePreloaded)},
		{Name: "loose_route_mode", Help: "loose_route; mode 1 never takes the previous hop for a strict router", Args: []module.Arg{{Name: "mode", Type: module.ArgInt}}, In: run.RequestRoute, New: m.newLooseMode},
		{Name: "check_route_param", Help: "true when the parameters of the own Route match", Args: []module.Arg{{Name: "regex", Type: module.ArgRegex}}, In: run.RequestRoute, New: m.newCheckParam},
		{Name: "is_direction", Help: `true when a request within a dialog goes "upstream" (to the caller) or "downstream"`, Args: []module.Arg{{Name: "direction", Type: module.ArgConst}}, In: run.RequestRoute, New: m.newIsDirection},
		{Name: "rr_next_hop_route", Help: "true when the next hop was taken from a Route header", In: run.AnyRoute, New: m.newNextHopRoute},
	}
}

// Init reads the parameters' values into what each message needs.
func (m *rr) Init(_ context.Context, h *module.Host) error {
	m.slot, m.log = h.Env.NewSlot(), h.Log
	if m.fullLR != 0 {
		m.lr = ";lr=on"
	}
	if m.customUserAVP == "" {
		return nil
	}
	v, n, err := h.Vars.ParseVar(m.customUserAVP, pv.Kamailio)
	if err == nil && (n != len(m.customUserAVP) || v.Attr == nil) {
		err = errors.New("it must be an attribute, like $avp(rr_user)")
	}
	if err != nil {
		return fmt.Errorf("custom_user_avp %q: %w", m.customUserAVP, err)
	}
	m.userAVP = v
	return nil
}
