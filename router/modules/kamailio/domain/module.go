// Package domain is the module that knows which domains are served here: it
// keeps table domain and the attributes of table domain_attrs in memory.
package domain

import (
	"context"
	"log/slog"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/transport"
	"sipd/rpc"
)

type domain struct {
	url                        string
	table, attrTable           string
	didCol, domCol             string
	nameCol, typeCol, valueCol string
	myself                     bool
	conn                       *dbx.Conn
	log                        *slog.Logger
	list                       lists
	oldMode                    int
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &domain{
		url:   "mysql://kamailioro:kamailioro@localhost/kamailio",
		table: "domain", attrTable: "domain_attrs",
		didCol: "did", domCol: "domain", nameCol: "name", typeCol: "type", valueCol: "value",
		oldMode: 1,
	}
}

// Exports lists what the module brings.
func (d *domain) Exports() *module.Exports {
	name := module.Arg{Name: "domain", Type: module.ArgFormat}
	in := run.RequestRoute | run.FailureRoute | run.BranchRoute | run.EventRoute
	return &module.Exports{
		Name: "domain",
		Help: "knows which domains are served here, and their attributes",
		Params: []module.Param{
			{Name: "db_url", Help: "the database", Value: &d.url},
			{Name: "domain_table", Help: "table of the domains", Value: &d.table},
			{Name: "domain_attrs_table", Help: "table of their attributes", Value: &d.attrTable},
			{Name: "did_col", Help: "column of the domain's id, in both tables", Value: &d.didCol},
			{Name: "domain_col", Help: "column of the name", Value: &d.domCol},
			{Name: "name_col", Help: "column of an attribute's name", Value: &d.nameCol},
			{Name: "type_col", Help: "column of its type: 0 a number, 2 text", Value: &d.typeCol},
			{Name: "value_col", Help: "column of its value", Value: &d.valueCol},
			{Name: "register_myself", Help: "1: the domains are myself in conditions and routing", Value: &d.myself},
			{Name: "db_mode", Help: "accepted; the tables are always kept in memory", Value: &d.oldMode, Max: 1},
		},
		Functions: []module.Function{
			{Name: "is_from_local", Help: "true when the domain of From is served here", In: in, New: d.newFrom},
			{Name: "is_uri_host_local", Help: "true when the domain of the request URI is served here", In: run.RequestRoute | run.FailureRoute | run.BranchRoute, New: d.newURI},
			{Name: "is_domain_local", Help: "true when a domain is served here", Args: []module.Arg{name}, In: in, New: d.newIs},
			{
				Name: "lookup_domain", Help: "the same, and put its attributes and did into attributes", In: in, New: d.newLookup,
				Args: []module.Arg{name, {Name: "prefix", Type: module.ArgFormat, Optional: true}},
			},
		},
		RPC: []*rpc.Method{
			{Name: "domain.reload", Help: "Reads the domains and their attributes again.", Changes: true, Handler: d.reload},
			{Name: "domain.dump", Help: "Shows the domains and the names of their attributes.", Handler: d.dump},
		},
	}
}

// Init reads the tables.
func (d *domain) Init(ctx context.Context, h *module.Host) (err error) {
	d.log = h.Log
	if d.conn, err = dbx.Open(ctx, h, d.url); err != nil {
		return err
	}
	if err := d.conn.RequireColumns(d.table, d.domCol, d.didCol); err != nil {
		return err
	}
	if err := d.conn.RequireColumns(d.attrTable, d.didCol, d.nameCol, d.typeCol, d.valueCol); err != nil {
		return err
	}
	if err := d.read(ctx); err != nil {
		return err
	}
	if d.myself {
		h.Hooks.Myself = append(h.Hooks.Myself, func(host string, _ uint16, _ transport.Proto) bool {
			return d.find(host) != nil
		})
	}
	return nil
}

// Close gives the database back.
func (d *domain) Close() error { return d.conn.Close() }

// Local says whether a domain is served here, for other modules.
func (d *domain) Local(name string) bool { return d.find(name) != nil }
