// Package fifo is SER's module of that name: the line protocol over a named
// pipe.
package fifo

import (
	"context"
	"errors"
	"time"

	"sipd/router/module"
	"sipd/rpc/fifo"
	"sipd/rpc/socket"
)

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &serFifo{path: "/tmp/ser_fifo", dir: "/tmp/", mode: 0o600, retries: 4, wait: 80000}
}

type serFifo struct {
	path, dir, user, group string
	mode, retries, wait    int

	pipe *socket.Pipe
	// tookOver says that the pipe is that of the configuration before.
	tookOver bool
}

// Exports lists what the module brings.
func (m *serFifo) Exports() *module.Exports {
	return &module.Exports{
		Name: "fifo",
		Help: "serves the line protocol over a named pipe",
		Params: []module.Param{
			{Name: "fifo_file", Help: "path of the pipe", Value: &m.path, Check: m.check},
			{Name: "fifo_dir", Help: "folder of reply pipes", Value: &m.dir},
			{Name: "mode", Help: "mode of the pipe", Value: &m.mode, Max: 0o777},
			{Name: "user", Help: "owner of the pipe, name or number", Value: &m.user, Check: m.check},
			{Name: "group", Help: "group of the pipe, name or number", Value: &m.group, Check: m.check},
			{Name: "reply_retries", Help: "how often a reply pipe that nobody reads is tried again", Value: &m.retries, Min: 1, Max: 1000},
			{Name: "reply_wait", Help: "wait between these, microseconds", Value: &m.wait, Min: 1, Max: 10000000},
		},
	}
}

func (m *serFifo) check() error {
	_, _, is, err := socket.ParsePipe(m.path)
	if err == nil && !is {
		err = errors.New("fifo_file is the path of a pipe")
	}
	_, oerr := socket.Owned(m.mode, m.user, m.group)
	return errors.Join(err, oerr)
}

// Init makes the pipe, unless the configuration is only checked.
func (m *serFifo) Init(_ context.Context, h *module.Host) error {
	if err := m.check(); err != nil {
		return err
	}
	if old, ok := h.Old.(*serFifo); ok {
		if names := module.Changed(old, m); len(names) > 0 {
			return &module.RestartError{Params: names}
		}
		m.pipe, m.tookOver = old.pipe, true
		return nil
	}
	path, role, _, _ := socket.ParsePipe(m.path)
	file, _ := socket.Owned(m.mode, m.user, m.group)
	m.pipe = &socket.Pipe{
		Path: path, Role: role, File: file, ReplyDir: m.dir, Retries: m.retries,
		Wait: time.Duration(m.wait) * time.Microsecond, Log: h.Log, Proto: &fifo.Server{Registry: h.RPC, Log: h.Log},
	}
	if h.CheckOnly {
		return nil
	}
	return m.pipe.Open()
}

// TookOver says that the pipe is that of the configuration before.
func (m *serFifo) TookOver() bool { return m.tookOver }

// Serve answers until ctx ends.
func (m *serFifo) Serve(ctx context.Context) error { return m.pipe.Serve(ctx) }

// Close removes the pipe of a daemon that never served.
func (m *serFifo) Close() error {
	if m.pipe != nil {
		m.pipe.Close()
	}
	return nil
}
