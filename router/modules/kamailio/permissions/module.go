// Package permissions is the module of access lists: addresses and trusted peers
// in tables, and pairs of expressions in files.
package permissions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/rpc"
)

// Bits of load_backends.
const (
	loadAddress = 1 << iota
	loadTrusted
	loadAllow
	loadDeny
)

type permissions struct {
	allowFile, denyFile, allowSuffix, denySuffix string
	allBranches                                  bool
	url                                          string
	dbMode                                       int
	addressTable, addressFile                    string
	grpCol, ipCol, maskCol, portCol              string
	trustedTable, sourceCol, protoCol            string
	fromCol, ruriCol, tagCol, priorityCol        string
	peerTag                                      string
	tagMode, maxSubnets, subnetMode              int
	backends, reloadDelta, cleanup               int

	host      *module.Host
	conn      *dbx.Conn
	failed    dbx.Failures
	bySource  *db.Stmt
	tag       *pv.Attr
	addresses atomic.Pointer[addressList]
	trusted   atomic.Pointer[trustedList]
	rules     map[string]rules // by the path of the file; filled before the daemon serves
	reloaded  atomic.Int64     // seconds since 1970
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &permissions{
		allowFile: "permissions.allow", denyFile: "permissions.deny", allowSuffix: ".allow", denySuffix: ".deny",
		allBranches: true, addressTable: "address", grpCol: "grp", ipCol: "ip_addr", maskCol: "mask", portCol: "port",
		trustedTable: "trusted", sourceCol: "src_ip", protoCol: "proto", fromCol: "from_pattern", ruriCol: "ruri_pattern",
		tagCol: "tag", priorityCol: "priority", maxSubnets: 512, backends: 0xffff, reloadDelta: 5, cleanup: 60,
	}
}

// Exports lists what the module brings.
func (p *permissions) Exports() *module.Exports {
	return &module.Exports{
		Name: "permissions", Help: "access lists: addresses, trusted peers, allow and deny files",
		Params: p.params(), Functions: p.functions(), RPC: p.methods(),
	}
}

func (p *permissions) params() []module.Param {
	return []module.Param{
		{Name: "default_allow_file", Help: "allow file of functions without arguments", Value: &p.allowFile},
		{Name: "default_deny_file", Help: "deny file of functions without arguments", Value: &p.denyFile},
		{Name: "allow_suffix", Help: "what is put behind a basename for the allow file", Value: &p.allowSuffix},
		{Name: "deny_suffix", Help: "what is put behind a basename for the deny file", Value: &p.denySuffix},
		{Name: "check_all_branches", Help: "1: allow_routing looks at all branches", Value: &p.allBranches},
		{Name: "db_url", Help: "the database of addresses and trusted peers", Value: &p.url},
		{Name: "db_mode", Help: "trusted peers: 0 asks each time, 1 keeps them in memory", Value: &p.dbMode, Max: 1},
		{Name: "address_table", Help: "table of addresses", Value: &p.addressTable},
		{Name: "address_file", Help: "file of addresses instead of the table", Value: &p.addressFile},
		{Name: "grp_col", Help: "column of the group", Value: &p.grpCol},
		{Name: "ip_addr_col", Help: "column of the address or domain", Value: &p.ipCol},
		{Name: "mask_col", Help: "column of the mask's length, 0 for all of it", Value: &p.maskCol},
		{Name: "port_col", Help: "column of the port, 0 for any", Value: &p.portCol},
		{Name: "trusted_table", Help: "table of trusted peers", Value: &p.trustedTable},
		{Name: "source_col", Help: "column of the source address", Value: &p.sourceCol},
		{Name: "proto_col", Help: "column of the protocol", Value: &p.protoCol},
		{Name: "from_col", Help: "column of the expression for From", Value: &p.fromCol},
		{Name: "ruri_col", Help: "column of the expression for the request URI", Value: &p.ruriCol},
		{Name: "tag_col", Help: "column of the tag, in both tables", Value: &p.tagCol},
		{Name: "priority_col", Help: "column of the priority, highest first", Value: &p.priorityCol},
		{Name: "peer_tag_avp", Help: "attribute that gets the tag of what matched", Value: &p.peerTag},
		{Name: "peer_tag_mode", Help: "1: the tags of all trusted rows that match", Value: &p.tagMode, Max: 1},
		{Name: "max_subnets", Help: "most networks in the address table", Value: &p.maxSubnets, Min: 1, Max: 1 << 20},
		{Name: "subnet_match_mode", Help: "0: the first network that matches, 1: the smallest", Value: &p.subnetMode, Max: 1},
		{Name: "load_backends", Help: "what is read: 1 addresses, 2 trusted peers, 4 allow file, 8 deny file", Value: &p.backends, Min: 1, Max: 0xffff},
		{Name: "reload_delta", Help: "seconds between two reloads by RPC", Value: &p.reloadDelta, Min: -1, Max: 86400},
		{Name: "trusted_cleanup_interval", Help: "accepted; what a reload replaced is freed at once", Value: &p.cleanup},
	}
}

func (p *permissions) functions() []module.Function {
	file := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgConst} }
	text := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgFormat} }
	number := func(name string) module.Arg { return module.Arg{Name: name, Type: module.ArgInt} }
	any, reg := run.AnyRoute, run.RequestRoute|run.FailureRoute
	base, two := []module.Arg{file("basename")}, []module.Arg{file("allow_file"), file("deny_file")}
	return []module.Function{
		{Name: "allow_routing", Help: "true when the rules of the default files let From call the request URIs", In: any, New: p.newRouting},
		{Name: "allow_routing", Help: "the same with the files of a basename", Args: base, In: any, New: p.newRouting},
		{Name: "allow_routing", Help: "the same with an allow and a deny file", Args: two, In: any, New: p.newRouting},
		{Name: "allow_register", Help: "true when To may register the contacts", Args: base, In: reg, New: p.newRegister(false)},
		{Name: "allow_register", Help: "the same with an allow and a deny file", Args: two, In: reg, New: p.newRegister(false)},
		{Name: "allow_register_include_port", Help: "allow_register that looks at ports too", Args: base, In: reg, New: p.newRegister(true)},
		{Name: "allow_register_include_port", Help: "the same with an allow and a deny file", Args: two, In: reg, New: p.newRegister(true)},
		{Name: "allow_uri", Help: "true when the rules let From call a URI", Args: []module.Arg{file("basename"), {Name: "uri", Type: module.ArgRead}}, In: reg, New: p.newURI},
		{Name: "allow_address", Help: "true when an address and port are in a group", Args: []module.Arg{number("group"), text("address"), number("port")}, In: any, New: p.newAddress},
		{Name: "allow_source_address", Help: "true when the source of the message is in a group (1)", Args: []module.Arg{{Name: "group", Type: module.ArgInt, Optional: true}}, In: any, New: p.newSource},
		{Name: "allow_source_address_group", Help: "the group that the source of the message is in", In: any, New: p.newSourceGroup},
		{Name: "allow_address_group", Help: "the group that an address and port are in", Args: []module.Arg{text("address"), number("port")}, In: any, New: p.newAddressGroup},
		{Name: "allow_trusted", Help: "true when the source of the message is a trusted peer", In: any, New: p.newTrusted},
		{Name: "allow_trusted", Help: "the same for an address and protocol", Args: []module.Arg{text("src_ip"), text("proto")}, In: any, New: p.newTrusted},
		{Name: "allow_trusted", Help: "and a URI in place of From", Args: []module.Arg{text("src_ip"), text("proto"), text("from_uri")}, In: any, New: p.newTrusted},
	}
}

func (p *permissions) methods() []*rpc.Method {
	s := func(name string) rpc.Param { return rpc.Param{Name: name, Type: rpc.TString} }
	test := []rpc.Param{s("basename"), s("uri"), s("contact")}
	bad := &rpc.Fault{Code: 500, Text: "Not enough parameters (basename, URI and contact)"}
	return []*rpc.Method{
		{Name: "permissions.addressReload", Help: "Reads the addresses again.", Changes: true, Handler: p.reload(p.readAddresses, loadAddress)},
		{Name: "permissions.addressDump", Help: "Shows the addresses.", List: true, Handler: p.dumpAddresses},
		{Name: "permissions.subnetDump", Help: "Shows the networks.", List: true, Handler: p.dumpSubnets},
		{Name: "permissions.domainDump", Help: "Shows the domains.", Handler: p.dumpDomains},
		{Name: "permissions.trustedReload", Help: "Reads the trusted peers again.", Changes: true, Handler: p.reloadTrusted},
		{Name: "permissions.trustedDump", Help: "Shows the trusted peers.", Handler: p.dumpTrusted},
		{Name: "permissions.testUri", Help: "Tells whether the files of a basename let a URI register or call another.", Params: test, BadParams: bad, Handler: p.test},
		{Name: "permissions.allowUri", Help: "The same as permissions.testUri.", Params: test, BadParams: bad, Handler: p.test},
	}
}

// Init reads files and tables.
func (p *permissions) Init(ctx context.Context, h *module.Host) error {
	p.host, p.failed.Module = h, h.Name
	p.rules = make(map[string]rules)
	if p.reloadDelta < 0 {
		p.reloadDelta = 5
	}
	if p.peerTag != "" {
		v, n, err := h.Vars.ParseVar(p.peerTag, pv.MaxCompat)
		if err != nil {
			return fmt.Errorf("peer_tag_avp: %w", err)
		}
		if n != len(p.peerTag) || v.Attr == nil || v.Attr.List || v.Attr.Eval != nil {
			return fmt.Errorf("peer_tag_avp: want one attribute, like $avp(tag), not %s", p.peerTag)
		}
		p.tag = v.Attr
	}
	if err := p.readDefaults(); err != nil {
		return err
	}
	if p.addressFile == "" && p.url == "" {
		return nil
	}
	if p.url != "" && p.backends&(loadAddress|loadTrusted) != 0 {
		if err := p.open(ctx); err != nil {
			return err
		}
	}
	if p.backends&loadAddress != 0 {
		if err := p.readAddresses(ctx); err != nil {
			return err
		}
	}
	if p.backends&loadTrusted != 0 && p.conn != nil && p.dbMode == 1 {
		return p.readTrusted(ctx)
	}
	return nil
}

// open opens the database and looks at the tables that will be read.
func (p *permissions) open(ctx context.Context) (err error) {
	if p.conn, err = dbx.Open(ctx, p.host, p.url); err != nil {
		return err
	}
	if p.backends&loadAddress != 0 && p.addressFile == "" {
		if err := p.conn.RequireColumns(p.addressTable, p.grpCol, p.ipCol, p.maskCol, p.portCol, p.tagCol); err != nil {
			return err
		}
	}
	if p.backends&loadTrusted != 0 {
		if err := p.conn.RequireColumns(p.trustedTable, p.trustedColumns()...); err != nil {
			return err
		}
		p.bySource = p.selectTrusted([]string{p.sourceCol})
	}
	return nil
}

// Close gives the database back.
func (p *permissions) Close() error { return errors.Join(dbx.CloseAll(p.bySource), p.conn.Close()) }

// path takes a file without a folder from that of the configuration.
func (p *permissions) path(name string) string {
	if filepath.Base(name) != name || p.host.ConfigPath == "" {
		return name
	}
	return filepath.Join(filepath.Dir(p.host.ConfigPath), name)
}

// tagged gives the attribute the tag of what matched.
func (p *permissions) tagged(c *run.Context, tag string, has bool) {
	if p.tag != nil && has {
		c.AVPs.Add(p.tag.Class, p.tag.Name, run.Str(tag), 0)
	}
}

func (p *permissions) logError(ctx context.Context, msg string, err error) {
	p.host.Log.LogAttrs(ctx, slog.LevelError, msg, slog.String("module", "permissions"), slog.Any("err", err))
}
