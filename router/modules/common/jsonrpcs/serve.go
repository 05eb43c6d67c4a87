package jsonrpcs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"sipd/router/module"
	"sipd/rpc"
	"sipd/rpc/jsonrpc"
	"sipd/rpc/socket"
)

// The names, in the run folder, that Kamailio's tools look for.
const (
	DefaultFifo   = "kamailio_rpc.fifo"
	DefaultSocket = "kamailio_rpc.sock"
)

// Init opens what is configured, unless the configuration is only checked.
func (m *jsonrpcs) Init(ctx context.Context, h *module.Host) error {
	if err := m.check(); err != nil {
		return err
	}
	m.guard = h.Guard
	m.slot = h.Env.NewSlot()
	m.server = jsonrpc.Server{Registry: h.RPC, Pretty: m.pretty, Log: h.Log}
	if old, ok := h.Old.(*jsonrpcs); ok {
		if names := module.Changed(old, m); len(names) > 0 {
			return &module.RestartError{Params: names}
		}
		m.wires, m.pipe, m.http, m.tookOver = old.wires, old.pipe, old.http, true
		return nil
	}
	m.wires.Guard, m.wires.Log, m.wires.Workers = h.Guard, h.Log, m.dgramWorkers
	m.wires.DatagramWait = time.Duration(m.dgramTimeout) * time.Millisecond
	m.http = &socket.HTTP{Guard: h.Guard, Log: h.Log, Handle: m.handle, File: socket.FileMode{UID: -1, GID: -1}}
	if err := m.open(ctx, h); err != nil {
		_ = m.Close()
		return err
	}
	return nil
}

func (m *jsonrpcs) open(ctx context.Context, h *module.Host) error {
	if m.serves(overFifo) {
		path := m.fifo
		if path == "" {
			path = filepath.Join(h.RunDir, DefaultFifo)
		}
		file, _ := socket.Owned(m.fifoMode, m.fifoUser, m.fifoGroup)
		m.pipe = &socket.Pipe{Path: path, File: file, ReplyDir: m.replyDir, Proto: &m.server, Log: h.Log}
		if !h.CheckOnly {
			if err := m.pipe.Open(); err != nil {
				return err
			}
		}
	}
	if m.serves(overDgram) {
		a, err := m.dgramAddress(filepath.Join(h.RunDir, DefaultSocket))
		if err != nil {
			return err
		}
		m.wires.File, _ = socket.Owned(m.dgramMode, m.dgramUser, m.dgramGroup)
		if err := m.socket(ctx, h, a); err != nil {
			return err
		}
	}
	if m.tcp != "" && m.serves(overTCP) {
		a, err := socket.ParseAddress(m.tcp)
		if err != nil {
			return err
		}
		if err := m.socket(ctx, h, a); err != nil {
			return err
		}
	}
	for _, text := range m.listen {
		a, err := socket.ParseHTTP(text)
		if err == nil {
			err = m.wires.Check(a)
		}
		if err == nil && !h.CheckOnly {
			err = m.http.Listen(ctx, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *jsonrpcs) socket(ctx context.Context, h *module.Host, a socket.Address) error {
	if h.CheckOnly {
		return m.wires.Check(a)
	}
	return m.wires.Listen(ctx, a, &m.server)
}

// TookOver says that the sockets are those of the configuration before.
func (m *jsonrpcs) TookOver() bool { return m.tookOver }

// Serve answers until ctx ends.
func (m *jsonrpcs) Serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.wires.Serve(ctx) })
	g.Go(func() error { return m.http.Serve(ctx) })
	if m.pipe != nil {
		g.Go(func() error { return m.pipe.Serve(ctx) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("jsonrpcs: %w", err)
	}
	return nil
}

// Close closes what a daemon that never served had opened.
func (m *jsonrpcs) Close() error {
	m.wires.Close()
	if m.http != nil {
		m.http.Close()
	}
	if m.pipe != nil {
		m.pipe.Close()
	}
	return nil
}

const contentType = "application/json"

// handle answers on the listeners of its own. A notification is answered by a
// status alone.
func (m *jsonrpcs) handle(w http.ResponseWriter, r *http.Request, who *rpc.Caller, body []byte) {
	answered := false
	done := m.server.Answer(r.Context(), who, body, func(status int, _ string) io.Writer {
		answered = true
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		return w
	})
	if !answered {
		w.WriteHeader(http.StatusNoContent)
	}
	if done != nil {
		done()
	}
}
