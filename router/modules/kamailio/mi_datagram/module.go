// Package midatagram is the module that serves the management commands of
// Kamailio up to 4.4 in datagrams.
package midatagram

import (
	"context"
	"errors"
	"strings"
	"time"

	"sipd/router/module"
	"sipd/rpc/mi"
	"sipd/rpc/socket"
)

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &miDatagram{server: new(socket.Server), children: 1, mode: 0o600, timeout: 2000, indent: "\t"}
}

type miDatagram struct {
	name, user, group string
	mode              int
	children, timeout int
	indent            string

	server *socket.Server
	// tookOver says that the socket is that of the configuration before.
	tookOver bool
}

// Exports lists what the module brings.
func (m *miDatagram) Exports() *module.Exports {
	return &module.Exports{
		Name: "mi_datagram",
		Help: "serves management commands (MI) in datagrams",
		Params: []module.Param{
			{Name: "socket_name", Help: "path of a unix socket, or udp:HOST:PORT", Value: &m.name, Check: m.check},
			{Name: "children_count", Help: "datagrams served at once", Value: &m.children, Min: 1, Max: 1024},
			{Name: "unix_socket_mode", Help: "mode of the unix socket", Value: &m.mode, Max: 0o777},
			{Name: "unix_socket_user", Help: "owner of the unix socket, name or number", Value: &m.user, Check: m.check},
			{Name: "unix_socket_group", Help: "group of the unix socket, name or number", Value: &m.group, Check: m.check},
			{Name: "socket_timeout", Help: "longest wait for a client that does not take its answer, ms", Value: &m.timeout, Min: 1, Max: 600000},
			{Name: "reply_indent", Help: "what stands before a node once for each level", Value: &m.indent},
		},
	}
}

func (m *miDatagram) check() error {
	var aerr error
	if m.name != "" {
		_, aerr = m.address()
	}
	_, err := socket.Owned(m.mode, m.user, m.group)
	return errors.Join(aerr, err)
}

func (m *miDatagram) address() (socket.Address, error) {
	name := m.name
	if !strings.HasPrefix(name, "udp:") {
		name = "unixd:" + strings.TrimPrefix(strings.TrimPrefix(name, "unixd:"), "unix:")
	}
	return socket.ParseAddress(name)
}

// Init opens the socket, unless the configuration is only checked.
func (m *miDatagram) Init(ctx context.Context, h *module.Host) error {
	if err := m.check(); err != nil {
		return err
	}
	if m.name == "" {
		return errors.New(`it needs a socket: modparam("mi_datagram", "socket_name", "/run/sipd/mi.sock")`)
	}
	if old, ok := h.Old.(*miDatagram); ok {
		if names := module.Changed(old, m); len(names) > 0 {
			return &module.RestartError{Params: names}
		}
		m.server, m.tookOver = old.server, true
		return nil
	}
	m.server.Guard, m.server.Log, m.server.Workers = h.Guard, h.Log, m.children
	m.server.DatagramWait = time.Duration(m.timeout) * time.Millisecond
	m.server.File, _ = socket.Owned(m.mode, m.user, m.group)
	a, err := m.address()
	if err != nil {
		return err
	}
	if h.CheckOnly {
		return m.server.Check(a)
	}
	return m.server.Listen(ctx, a, &mi.Server{Registry: h.RPC, Indent: m.indent, Log: h.Log})
}

// TookOver says that the socket is that of the configuration before.
func (m *miDatagram) TookOver() bool { return m.tookOver }

// Serve answers until ctx ends.
func (m *miDatagram) Serve(ctx context.Context) error { return m.server.Serve(ctx) }

// Close closes the socket of a daemon that never served.
func (m *miDatagram) Close() error { m.server.Close(); return nil }
