// Package aliasdb is the module that finds in a table which user an alias means.
package aliasdb

import (
	"context"
	"errors"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/run"
)

type aliasDB struct {
	url                     string
	user, domain            string
	aliasUser, aliasDomain  string
	useDomain, appendOthers bool
	prefix                  string

	conn   *dbx.Conn
	tables dbx.Tables
	failed dbx.Failures
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &aliasDB{
		url:  "mysql://kamailioro:kamailioro@localhost/kamailio",
		user: "username", domain: "domain", aliasUser: "alias_username", aliasDomain: "alias_domain",
	}
}

// Exports lists what the module brings.
func (a *aliasDB) Exports() *module.Exports {
	table := module.Arg{Name: "table", Type: module.ArgFormat}
	flags := module.Arg{Name: "flags", Type: module.ArgConst, Optional: true}
	return &module.Exports{
		Name: "alias_db",
		Help: "finds in a table which user an alias means",
		Params: []module.Param{
			{Name: "db_url", Help: "the database", Value: &a.url},
			{Name: "user_column", Help: "column of the user", Value: &a.user},
			{Name: "domain_column", Help: "column of the user's domain", Value: &a.domain},
			{Name: "alias_user_column", Help: "column of the alias", Value: &a.aliasUser},
			{Name: "alias_domain_column", Help: "column of the alias's domain", Value: &a.aliasDomain},
			{Name: "use_domain", Help: "1: the domain must match too", Value: &a.useDomain},
			{Name: "domain_prefix", Help: "what is taken off the front of a domain first", Value: &a.prefix},
			{Name: "append_branches", Help: "1: further rows become branches", Value: &a.appendOthers},
		},
		Functions: []module.Function{
			{
				Name: "alias_db_lookup", Help: "replace the request URI when it is an alias", Args: []module.Arg{table, flags},
				In: run.RequestRoute | run.FailureRoute, New: a.newLookup,
			},
			{
				Name: "alias_db_find", Help: "find the user of an alias and put the URI into a variable", In: run.AnyRoute &^ run.OnSendRoute, New: a.newFind,
				Args: []module.Arg{table, {Name: "input", Type: module.ArgFormat}, {Name: "output", Type: module.ArgVar}, flags},
			},
		},
	}
}

// Init opens the database.
func (a *aliasDB) Init(ctx context.Context, h *module.Host) (err error) {
	a.failed.Module = h.Name
	a.tables.Make = a.statements
	a.conn, err = dbx.Open(ctx, h, a.url)
	return err
}

// Close gives the database back.
func (a *aliasDB) Close() error { return errors.Join(a.tables.Close(), a.conn.Close()) }
