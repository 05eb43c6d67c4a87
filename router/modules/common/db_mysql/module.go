// Package dbmysql is the module that opens MySQL and MariaDB databases for
// other modules.
package dbmysql

import (
	"context"
	"time"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/stat"
)

type driver struct {
	*dbx.Pools
	tookOver                        bool // the pools are those of the configuration before
	timeout, connect, send, receive int  // seconds
	ping, retries, sslMode          int
	reconnect, delayed, found       bool
	timezone, unsigned              bool
	name                            string
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	d := &driver{Pools: new(dbx.Pools), name: "db_mysql", timeout: 2, connect: 2, ping: 300, retries: 1, reconnect: true}
	d.Options = d.options
	return d
}

// NewMySQL makes the module under the name that SER before 2.0 had for it.
func NewMySQL() module.Module {
	d := New().(*driver)
	d.name = "mysql"
	return d
}

// Exports lists what the module brings. The help says which parameters tune
// what only the C library of the elders needs.
func (d *driver) Exports() *module.Exports {
	return &module.Exports{
		Name: d.name,
		Help: "opens MySQL and MariaDB databases (mysql://USER:PASSWORD@HOST/NAME) for other modules",
		Params: []module.Param{
			{Name: "timeout_interval", Help: "seconds after which a query is given up", Value: &d.timeout, Min: 1, Max: 3600},
			{Name: "connect_timeout", Help: "seconds within which a connection must answer", Value: &d.connect, Min: 1, Max: 3600},
			{Name: "opt_ssl_mode", Help: "0 and 1 plain, 2 TLS where the server has it, 3 TLS, 4 and 5 TLS with a verified certificate", Value: &d.sslMode, Min: 0, Max: 5},
			{Name: "send_timeout", Help: "accepted without effect: timeout_interval bounds the whole query", Value: &d.send},
			{Name: "receive_timeout", Help: "accepted without effect: timeout_interval bounds the whole query", Value: &d.receive},
			{Name: "ping_interval", Help: "accepted without effect: idle connections are tried when they are used, and renewed after five minutes", Value: &d.ping},
			{Name: "retries", Help: "accepted without effect: a lost connection is replaced at once, a lost server tried again with growing pauses", Value: &d.retries},
			{Name: "auto_reconnect", Help: "accepted without effect: lost connections are always replaced", Value: &d.reconnect},
			{Name: "server_timezone", Help: "accepted without effect: times are read and written as the tables of each flavour have them", Value: &d.timezone},
			{Name: "insert_delayed", Help: "accepted without effect: servers have given INSERT DELAYED up", Value: &d.delayed},
			{Name: "update_affected_found", Help: "accepted without effect: an update always counts the rows it found", Value: &d.found},
			{Name: "unsigned_type", Help: "accepted without effect: unsigned columns are read as what they are", Value: &d.unsigned},
		},
	}
}

// Init declares the statistic under the name it has in Kamailio.
func (d *driver) Init(_ context.Context, h *module.Host) error {
	d.Pools, d.tookOver = d.Succeed(h.Old, d.options)
	return h.Stat.Declare("mysql", stat.Def{Name: "driver_errors", Help: "errors that the databases answered", Source: stat.Func(func() int64 { return d.Errors() })})
}

// TookOver says that the open databases are those of the configuration before.
func (d *driver) TookOver() bool { return d.tookOver }

func (d *driver) options(string) []db.Option {
	opts := []db.Option{
		db.Timeout(time.Duration(d.timeout) * time.Second),
		db.ConnectTimeout(time.Duration(d.connect) * time.Second),
	}
	switch d.sslMode {
	case 2:
		opts = append(opts, db.TLS("preferred"))
	case 3:
		opts = append(opts, db.TLS("skip-verify"))
	case 4, 5:
		opts = append(opts, db.TLS("true"))
	}
	return opts
}
