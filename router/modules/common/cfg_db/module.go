// Package cfgdb is the module that takes the values of runtime variables from
// a database: when the daemon starts, and again when cfg_db.reload says so.
package cfgdb

import (
	"context"
	"errors"
	"log/slog"

	"sipd/router/cfg"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/rpc"
)

type cfgDB struct {
	url, translation, custom string

	conn  *dbx.Conn
	store *cfg.Store
	log   *slog.Logger
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &cfgDB{url: "mysql://kamailioro:kamailioro@localhost/kamailio", translation: "cfg_transl", custom: "cfg_custom"}
}

// Exports lists what the module brings.
func (m *cfgDB) Exports() *module.Exports {
	return &module.Exports{
		Name: "cfg_db",
		Help: "takes runtime variables from a database",
		Params: []module.Param{
			{Name: "db_url", Help: "the database", Value: &m.url},
			{Name: "transl_tbl", Help: "table that says in which tables the variables of a group stand", Value: &m.translation},
			{Name: "custom_tbl", Help: "table of further variables to declare", Value: &m.custom},
		},
		RPC: []*rpc.Method{{
			Name: "cfg_db.reload", Help: "Reads the values again and sets what changed, all at once.", Changes: true,
			Reply: "struct {read, changed, refused: int}", Handler: m.reload,
		}},
	}
}

// Init declares the custom variables and sets the start values of all: they
// count before modparams and the configuration. Without the database there is
// no start.
func (m *cfgDB) Init(ctx context.Context, h *module.Host) (err error) {
	m.store, m.log = h.Cfg, h.Log
	if m.conn, err = dbx.Open(ctx, h, m.url); err != nil || h.Offline {
		return err
	}
	if err := errors.Join(
		m.conn.RequireColumns(m.translation, translationColumns...), m.conn.RequireColumns(m.custom, customColumns...),
	); err != nil {
		return err
	}
	if err := m.declare(ctx); err != nil {
		return err
	}
	values, err := m.read(ctx)
	if err != nil {
		return err
	}
	for _, v := range values {
		if err := m.store.Init(cfg.Ref{Group: v.group}, v.name, v.value); err != nil {
			m.refused(ctx, v, err)
		}
	}
	return nil
}

// Close gives the database back.
func (m *cfgDB) Close() error {
	if m.conn == nil {
		return nil
	}
	return m.conn.Close()
}

// refused logs a value that its variable does not take: the old one stays.
func (m *cfgDB) refused(ctx context.Context, v value, err error) {
	m.log.LogAttrs(ctx, slog.LevelError, "value from the database refused", slog.String("module", "cfg_db"),
		slog.String("table", v.table), slog.String("variable", v.group+"."+v.name), slog.Any("err", err))
}

// reload sets what differs, as one change. A value that is refused keeps none of
// the others back.
func (m *cfgDB) reload(ctx context.Context, c *rpc.Call) error {
	values, err := m.read(ctx)
	if err != nil {
		m.log.LogAttrs(ctx, slog.LevelError, "runtime variables not read", slog.String("module", "cfg_db"), slog.Any("err", err))
		return &rpc.Fault{Code: 500, Text: "the database cannot be read; the log says why"}
	}
	var changes []cfg.NewValue
	refused := 0
	for _, v := range values {
		ref := cfg.Ref{Group: v.group}
		old, err := m.store.Show(ref, v.name)
		if err != nil {
			continue // cannot be: read knows the variables of the store
		}
		next, err := m.store.Convert(ref, v.name, v.value)
		switch {
		case err != nil:
			m.refused(ctx, v, err)
			refused++
		case next != old:
			changes = append(changes, cfg.NewValue{Ref: ref, Name: v.name, Value: next})
			c.Changed(v.group+"."+v.name, show(old), show(next))
		}
	}
	if err := m.store.SetAll(changes); err != nil {
		return rpc.Faultf(500, "nothing was changed: %v", err)
	}
	c.Add(rpc.Struct{
		rpc.M("read", rpc.Int(len(values))), rpc.M("changed", rpc.Int(len(changes))), rpc.M("refused", rpc.Int(refused)),
	})
	return nil
}
