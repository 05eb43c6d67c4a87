// Package dbpostgres is the module that opens PostgreSQL databases for other
// modules.
package dbpostgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/stat"
)

type driver struct {
	*dbx.Pools
	tookOver                             bool // the pools are those of the configuration before
	timeout                              int  // seconds; 0: the daemon's own
	retries, lockset, keepalive, escaped int
	params                               map[string]string
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	d := &driver{Pools: new(dbx.Pools), retries: 2, lockset: 4, escaped: 1, params: make(map[string]string)}
	d.Options = d.options
	return d
}

// Exports lists what the module brings. The help says which parameters tune
// what only the C library of the elders needs.
func (d *driver) Exports() *module.Exports {
	return &module.Exports{
		Name: "db_postgres",
		Help: "opens PostgreSQL databases (postgres://USER:PASSWORD@HOST/NAME) for other modules",
		Params: []module.Param{
			{Name: "timeout", Help: "seconds after which a connection attempt or a query is given up; 0: 5 and 2", Value: &d.timeout, Min: 0, Max: 3600},
			{Name: "con_param", Help: "NAME=VALUE of the connection (sslmode, sslrootcert, application_name …), several separated by semicolons; may be repeated", Value: d.setParam},
			{Name: "retries", Help: "accepted without effect: a lost connection is replaced at once, a lost server tried again with growing pauses", Value: &d.retries},
			{Name: "lockset", Help: "accepted without effect: there is no lock to size", Value: &d.lockset},
			{Name: "tcp_keepalive", Help: "accepted without effect: keep-alive is always on", Value: &d.keepalive},
			{Name: "bytea_output_escape", Help: "accepted without effect: both forms of bytea are read", Value: &d.escaped},
		},
		Stats: []stat.Def{{Name: "driver_errors", Help: "errors that the databases answered", Source: stat.Func(func() int64 { return d.Errors() })}},
	}
}

// Init has nothing to open: databases are opened when a module asks for them.
func (d *driver) Init(_ context.Context, h *module.Host) error {
	d.Pools, d.tookOver = d.Succeed(h.Old, d.options)
	return nil
}

// TookOver says that the open databases are those of the configuration before.
func (d *driver) TookOver() bool { return d.tookOver }

// What a connection takes, and what only libpq has a use for.
var (
	known = []string{"application_name", "client_encoding", "connect_timeout", "options", "passfile", "search_path", "service", "servicefile", "sslcert", "sslkey", "sslmode", "sslpassword", "sslrootcert", "sslsni", "target_session_attrs"}
	idle  = []string{"gssencmode", "gsslib", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname", "replication", "sslcompression", "tcp_user_timeout"}
)

func (d *driver) setParam(v string) error {
	for part := range strings.SplitSeq(v, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		switch {
		case !ok:
			return fmt.Errorf("wants NAME=VALUE, and %q has no =", name)
		case slices.Contains(idle, name):
		case !slices.Contains(known, name):
			return fmt.Errorf("no connection parameter %q; there are %s", name, strings.Join(known, ", "))
		default:
			d.params[name] = strings.TrimSpace(value)
		}
	}
	return nil
}

func (d *driver) options(string) []db.Option {
	var opts []db.Option
	if d.timeout > 0 {
		t := time.Duration(d.timeout) * time.Second
		opts = append(opts, db.Timeout(t), db.ConnectTimeout(t))
	}
	for name, v := range d.params {
		opts = append(opts, db.Param(name, v))
	}
	return opts
}
