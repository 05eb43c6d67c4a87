// Package cfgrpc is the module cfg_rpc, by which an operator reads and changes the
// runtime variables (router/cfg): the RPC methods cfg.*.
package cfgrpc

import (
	"context"
	"log/slog"

	"sipd/router/cfg"
	"sipd/router/module"
)

// New makes the module; it is what the list of modules names.
func New() module.Module { return &cfgRPC{} }

type cfgRPC struct {
	store *cfg.Store
	log   *slog.Logger
}

func (m *cfgRPC) Exports() *module.Exports {
	return &module.Exports{
		Name: "cfg_rpc",
		Help: "lists, reads and changes the runtime variables over RPC",
		RPC:  m.methods(),
	}
}

// Init takes the daemon's variables.
func (m *cfgRPC) Init(_ context.Context, h *module.Host) error {
	m.store, m.log = h.Cfg, h.Log
	return nil
}
