// Package nathelper is the module that helps phones behind NAT: it finds them,
// puts addresses that can be reached into contacts and SDP, and keeps their
// bindings alive.
package nathelper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/transport"
	"sipd/router/usrloc"
	"sipd/rpc"
)

type nathelper struct {
	interval, processes       int
	natedOnly, ignorePath     bool
	rawSocket, forceSocket    string
	receivedAVP               string
	sipFlag, noFlag           int
	sipFrom, sipMethod        string
	nortpproxy, alias         string
	keepalive                 int
	fromPath, oldIP, filterID bool
	addrMode                  int

	host     *module.Host
	received pv.Setter
	location locations
	socket   *transport.Socket
	raw      *rawSocket // of natping_socket, nil without
	pinger   *usrloc.Pinger
	on       atomic.Bool
}

// locations is what is needed of module usrloc.
type locations interface {
	Locations() *usrloc.Locations
	NATFlag() int
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &nathelper{
		processes: 1, sipFlag: -1, noFlag: -1, sipMethod: "OPTIONS", nortpproxy: "a=nortpproxy:yes\r\n",
		alias: "alias", oldIP: true, addrMode: 1,
	}
}

// Exports lists what the module brings.
func (n *nathelper) Exports() *module.Exports {
	return &module.Exports{
		Name: "nathelper", Help: "helps phones behind NAT", Params: n.params(), Functions: n.functions(),
		Vars: []pv.Def{
			{Name: "rr_count", Help: "how many Record-Route fields the message has", Simple: routeCount},
			{Name: "rr_top_count", Help: "how many of the topmost ones are of one proxy: 0, 1, or 2 with r2", Simple: topCount},
		},
		RPC: []*rpc.Method{{
			Name: "nathelper.enable_ping", Help: "Turns the pings to clients behind NAT on or off.", Changes: true,
			Params:    []rpc.Param{{Name: "value", Type: rpc.TInt}},
			BadParams: &rpc.Fault{Code: 500, Text: "Invalid Parameters"},
			Handler:   n.enablePing,
		}},
	}
}

func (n *nathelper) params() []module.Param {
	return []module.Param{
		{Name: "natping_interval", Help: "seconds between two pings of a contact, 0 for none", Value: &n.interval, Min: 0, Max: 86400},
		{Name: "ping_nated_only", Help: "1: only contacts with nat_bflag of usrloc", Value: &n.natedOnly},
		{Name: "natping_processes", Help: "accepted; pings are spread over the interval", Value: &n.processes, Min: 0, Max: 64},
		{Name: "natping_socket", Help: "IPv4 address, with a port, that pings of four octets say they come from; needs CAP_NET_RAW", Value: &n.rawSocket},
		{Name: "force_socket", Help: "listening socket to ping from: udp:ADDRESS:PORT", Value: &n.forceSocket},
		{Name: "received_avp", Help: "attribute for the address of fix_nated_register; the same as of registrar", Value: &n.receivedAVP},
		{Name: "sipping_bflag", Help: "branch flag: ping with a SIP request", Value: &n.sipFlag, Min: -1, Max: 31},
		{Name: "sipping_from", Help: "From URI of these requests; without it there are none", Value: &n.sipFrom},
		{Name: "sipping_method", Help: "their method", Value: &n.sipMethod},
		{Name: "natping_disable_bflag", Help: "branch flag: do not ping", Value: &n.noFlag, Min: -1, Max: 31},
		{Name: "nortpproxy_str", Help: "line that fix_nated_sdp(4) adds", Value: &n.nortpproxy},
		{Name: "keepalive_timeout", Help: "seconds after which a contact that answers no SIP request over UDP ends; 0 for never", Value: &n.keepalive, Max: 86400},
		{Name: "udpping_from_path", Help: "0; forging the address of a proxy on the way is refused", Value: &n.fromPath},
		{Name: "ignore_path", Help: "1: ping the contact itself, not its Path", Value: &n.ignorePath},
		{Name: "append_sdp_oldmediaip", Help: "1: fix_nated_sdp keeps the old address in a=oldmediaip", Value: &n.oldIP},
		{Name: "filter_server_id", Help: "1: only contacts that this server_id registered", Value: &n.filterID},
		{Name: "nat_addr_mode", Help: "1: nat_uac_test takes 192.0.0.0/24 for private too", Value: &n.addrMode, Max: 1},
		{Name: "alias_name", Help: "name of the parameter of add_contact_alias", Value: &n.alias},
	}
}

func (n *nathelper) functions() []module.Function {
	any := run.RequestRoute | run.ReplyRoute | run.CoreReplyRoute | run.FailureRoute | run.BranchRoute
	text := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgFormat} }
	opt := func(a module.Arg) module.Arg { a.Optional = true; return a }
	number := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgInt} }
	three := []module.Arg{text("ip"), text("port"), text("proto")}
	return []module.Function{
		{Name: "nat_uac_test", Help: "true when one of the tests finds NAT", Args: []module.Arg{number("flags")}, In: run.AnyRoute, New: n.newTest},
		{Name: "is_rfc1918", Help: "true when an address is private", Args: []module.Arg{text("ip")}, In: run.AnyRoute, New: n.newPrivate},
		{Name: "fix_nated_contact", Help: "put the source address into Contact", In: any, New: n.newFixContact},
		{Name: "fix_nated_register", Help: "keep the source address for save()", In: run.RequestRoute, New: n.newFixRegister},
		{Name: "fix_nated_sdp", Help: "change the addresses of SDP", Args: []module.Arg{number("flags"), opt(text("ip"))}, In: any, New: n.newFixSDP},
		{Name: "add_rcv_param", Help: "put the source address into a parameter of Contact", Args: []module.Arg{opt(number("flag"))}, In: run.RequestRoute, New: n.newReceived},
		{Name: "add_contact_alias", Help: "put the source address into a parameter of the Contact URI", In: any, New: n.newAlias(false)},
		{Name: "add_contact_alias", Help: "the same for another address", Args: three, In: any, New: n.newAlias(false)},
		{Name: "set_contact_alias", Help: "the same as add_contact_alias", Args: []module.Arg{opt(number("trim"))}, In: any, New: n.newAlias(true)},
		{Name: "handle_ruri_alias", Help: "send to the address of such a parameter, and remove it", Args: []module.Arg{opt(number("mode"))}, In: run.RequestRoute | run.BranchRoute | run.FailureRoute, New: n.newHandle},
		{Name: "set_alias_to_pv", Help: "put the contact with such a parameter into a variable", Args: []module.Arg{{Name: "target", Type: module.ArgVar}}, In: any, New: n.newAliasVar},
	}
}

// Init checks the parameters and finds the location table.
func (n *nathelper) Init(_ context.Context, h *module.Host) error {
	n.host = h
	switch {
	case n.fromPath:
		return errors.New("udpping_from_path forges the source address of a proxy on the way; leave it out: pings go to the first Path, and natping_socket names another source")
	case n.keepalive > 0 && (n.interval == 0 || n.sipFlag < 0):
		return errors.New("keepalive_timeout waits for replies to SIP requests; set natping_interval and sipping_bflag too")
	case n.sipFlag >= 0 && n.interval > 0 && n.sipFrom == "":
		return errors.New(`sipping_bflag needs an address to ping from; set modparam("nathelper", "sipping_from", "sip:pinger@…")`)
	case n.alias == "" || strings.ContainsAny(n.alias, ";=~ "):
		return fmt.Errorf("alias_name %q cannot be the name of a parameter", n.alias)
	}
	if n.receivedAVP != "" {
		v, took, err := h.Vars.ParseVar(n.receivedAVP, pv.MaxCompat)
		if err != nil {
			return fmt.Errorf("received_avp: %w", err)
		}
		if took != len(n.receivedAVP) || v.Attr == nil || v.Set == nil {
			return fmt.Errorf("received_avp: want one attribute, like $avp(received), not %s", n.receivedAVP)
		}
		n.received = v.Set
	}
	if n.interval == 0 {
		return nil
	}
	var ok bool
	if n.location, ok = h.Module("usrloc").(locations); !ok {
		return errors.New(`natping_interval needs the contacts; put loadmodule "usrloc.so" before loadmodule "nathelper.so"`)
	}
	if n.natedOnly && n.location.NATFlag() < 0 {
		return errors.New(`ping_nated_only needs the flag of contacts behind NAT; set modparam("usrloc", "nat_bflag", N)`)
	}
	return n.initPing()
}
