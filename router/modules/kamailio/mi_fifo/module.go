// Package mififo is the module that serves the management commands of
// Kamailio up to 4.4 over a named pipe.
package mififo

import (
	"context"
	"errors"

	"sipd/router/module"
	"sipd/rpc/mi"
	"sipd/rpc/socket"
)

// New makes the module; it is what the list of modules names.
func New() module.Module { return &miFifo{mode: 0o600, replyDir: "/tmp/", indent: "\t"} }

type miFifo struct {
	name, user, group string
	mode              int
	replyDir, indent  string

	pipe     *socket.Pipe // nil: idle
	tookOver bool         // the pipe is that of the configuration before
}

// Exports lists what the module brings.
func (m *miFifo) Exports() *module.Exports {
	return &module.Exports{
		Name: "mi_fifo",
		Help: "serves management commands (MI) over a named pipe",
		Params: []module.Param{
			{Name: "fifo_name", Help: "path of the pipe; without it the module is idle", Value: &m.name, Check: m.check},
			{Name: "fifo_mode", Help: "mode of the pipe", Value: &m.mode, Max: 0o777},
			{Name: "fifo_user", Help: "owner of the pipe, name or number", Value: &m.user, Check: m.check},
			{Name: "fifo_group", Help: "group of the pipe, name or number", Value: &m.group, Check: m.check},
			{Name: "reply_dir", Help: "folder of reply pipes", Value: &m.replyDir},
			{Name: "reply_indent", Help: "what stands before a node once for each level", Value: &m.indent},
		},
	}
}

func (m *miFifo) check() error {
	var perr error
	if m.name != "" {
		_, _, is, err := socket.ParsePipe(m.name)
		if perr = err; err == nil && !is {
			perr = errors.New("fifo_name is the path of a pipe")
		}
	}
	_, err := socket.Owned(m.mode, m.user, m.group)
	return errors.Join(perr, err)
}

// Init makes the pipe, unless the configuration is only checked.
func (m *miFifo) Init(_ context.Context, h *module.Host) error {
	if err := m.check(); err != nil || m.name == "" {
		return err
	}
	if old, ok := h.Old.(*miFifo); ok {
		if names := module.Changed(old, m); len(names) > 0 {
			return &module.RestartError{Params: names}
		}
		m.pipe, m.tookOver = old.pipe, true
		return nil
	}
	path, role, _, _ := socket.ParsePipe(m.name)
	file, _ := socket.Owned(m.mode, m.user, m.group)
	m.pipe = &socket.Pipe{
		Path: path, Role: role, File: file, ReplyDir: m.replyDir, Log: h.Log,
		Proto: &mi.Server{Registry: h.RPC, Indent: m.indent, Log: h.Log},
	}
	if h.CheckOnly {
		return nil
	}
	return m.pipe.Open()
}

// TookOver says that the pipe is that of the configuration before.
func (m *miFifo) TookOver() bool { return m.tookOver }

// Serve answers until ctx ends.
func (m *miFifo) Serve(ctx context.Context) error {
	if m.pipe == nil {
		<-ctx.Done()
		return nil
	}
	return m.pipe.Serve(ctx)
}

// Close removes the pipe of a daemon that never served.
func (m *miFifo) Close() error {
	if m.pipe != nil {
		m.pipe.Close()
	}
	return nil
}
