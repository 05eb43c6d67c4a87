// Package avpops is the module of attributes: it loads, stores and deletes
// those of users in a table, runs queries, and copies, compares, computes and
// replaces values within the script.
package avpops

import (
	"context"
	"errors"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
)

type avpops struct {
	url, table                   string
	useDomain                    int
	uuid, attribute, value, kind string
	username, domain             string
	schemes                      map[string]*scheme

	vars   *pv.Registry
	conn   *dbx.Conn // nil without db_url
	tables dbx.Tables
	failed dbx.Failures
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &avpops{
		uuid: "uuid", attribute: "attribute", value: "value", kind: "type",
		username: "username", domain: "domain", schemes: make(map[string]*scheme),
	}
}

// Exports lists what the module brings.
func (m *avpops) Exports() *module.Exports {
	return &module.Exports{
		Name: "avpops",
		Help: "attributes: loaded, stored, copied, compared, computed; database queries",
		Params: []module.Param{
			{Name: "db_url", Help: "the database; without it the avp_db_ functions cannot be used", Value: &m.url},
			{Name: "avp_table", Help: "the table of attributes; needed with db_url", Value: &m.table},
			{Name: "use_domain", Help: "not 0: the domain of a URI must match too", Value: &m.useDomain},
			{Name: "uuid_column", Help: "column of a user's own id", Value: &m.uuid},
			{Name: "attribute_column", Help: "column of the attribute's name", Value: &m.attribute},
			{Name: "value_column", Help: "column of the value", Value: &m.value},
			{Name: "type_column", Help: "column of the type: 1 for numbers, 2 more for a number as name", Value: &m.kind},
			{Name: "username_column", Help: "column of the user", Value: &m.username},
			{Name: "domain_column", Help: "column of the domain", Value: &m.domain},
			{Name: "db_scheme", Help: "how another table is read, NAME:table=…;value_col=…; repeatable", Value: m.addScheme},
		},
		Functions: m.functions(),
	}
}

func (m *avpops) functions() []module.Function {
	in := run.RequestRoute | run.FailureRoute | run.BranchRoute | run.ReplyRoute | run.CoreReplyRoute | run.EventRoute
	f := func(name, help string, build func(module.Args) (run.Func, error), args ...string) module.Function {
		fn := module.Function{Name: name, Help: help, In: in, New: build}
		for _, a := range args {
			fn.Args = append(fn.Args, module.Arg{Name: a, Type: module.ArgConst})
		}
		return fn
	}
	format := func(fn module.Function, i int) module.Function {
		fn.Args[i].Type = module.ArgFormat
		return fn
	}
	query := format(f("avp_db_query", "run a query and put the columns of its rows into attributes", m.newQuery, "query", "destinations"), 0)
	query.Args[1].Optional = true
	return []module.Function{
		f("avp_db_load", "load attributes of a user", m.newLoad, "source", "name"),
		f("avp_db_store", "store attributes of a user", m.newStore, "source", "name"),
		f("avp_db_delete", "delete attributes of a user from the table", m.newDBDelete, "source", "name"),
		query,
		f("avp_delete", "delete attributes", m.newDelete, "name"),
		f("avp_copy", "copy an attribute's values", m.newCopy, "from", "to"),
		f("avp_pushto", "put values into the request URI, the next hop or branches", m.newPushTo, "destination", "source"),
		f("avp_check", "compare a variable's values", m.newCheck, "name", "test"),
		f("avp_op", "compute with an attribute's values", m.newOp, "name", "operation"),
		f("avp_subst", "replace in an attribute's values", m.newSubst, "name", "expression"),
		format(f("avp_subst_pv", "replace in an attribute's values by an expression that holds variables", m.newSubstPV, "name", "expression"), 1),
		format(f("avp_printf", "add a text to an attribute", m.newPrintf, "name", "format"), 1),
		f("is_avp_set", "true when an attribute has a value", m.newIsSet, "name"),
		f("avp_print", "log all attributes", newPrint),
	}
}

// Init opens the database.
func (m *avpops) Init(ctx context.Context, h *module.Host) (err error) {
	m.vars, m.failed.Module, m.failed.Text = h.Vars, h.Name, "attributes not dealt with"
	if m.url == "" {
		return nil
	}
	if m.table == "" {
		return errors.New(`db_url is set and avp_table is not; the tables of Kamailio have usr_preferences for it`)
	}
	m.tables.Make = m.statements
	m.conn, err = dbx.Open(ctx, h, m.url)
	return err
}

// Close gives the database back.
func (m *avpops) Close() error { return errors.Join(m.tables.Close(), m.conn.Close()) }
