package ctl

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"sipd/router/module"
	"sipd/rpc/binrpc"
	"sipd/rpc/fifo"
	"sipd/rpc/socket"
)

// DefaultSocket is the name, in the run folder, of the socket that is served
// when none is configured.
const DefaultSocket = "sipd_ctl"

func (m *ctl) checkBinRPC() error { return checkAddresses(m.binrpc) }

func (m *ctl) checkFifo() error {
	var sockets []string
	for _, text := range m.fifo {
		if _, _, is, err := socket.ParsePipe(text); err != nil {
			return err
		} else if !is {
			sockets = append(sockets, text)
		}
	}
	return checkAddresses(sockets)
}

func checkAddresses(list []string) error {
	var errs []error
	for _, text := range list {
		_, err := socket.ParseAddress(text)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (m *ctl) checkOwner() error {
	_, err := socket.Owned(m.mode, m.user, m.group)
	return err
}

// Init opens the sockets, unless the configuration is only checked: a second
// daemon on a living socket ends here.
func (m *ctl) Init(ctx context.Context, h *module.Host) error {
	file, err := socket.Owned(m.mode, m.user, m.group)
	if err := errors.Join(err, m.checkBinRPC(), m.checkFifo()); err != nil {
		return err
	}
	if old, ok := h.Old.(*ctl); ok {
		if names := module.Changed(old, m); len(names) > 0 {
			return &module.RestartError{Params: names}
		}
		m.server, m.pipes, m.tookOver = old.server, old.pipes, true
		return nil
	}
	m.server.File, m.server.Guard, m.server.Log = file, h.Guard, h.Log
	m.wires.binrpc = binrpc.Server{Registry: h.RPC, AutoConvert: m.autoConvert, MaxBody: m.maxBody << 10, Log: h.Log}
	m.wires.line = fifo.Server{Registry: h.RPC, Log: h.Log}
	addresses := m.binrpc
	if len(addresses) == 0 {
		addresses = []string{"unixs:" + filepath.Join(h.RunDir, DefaultSocket)}
	}
	err = m.open(ctx, h, addresses, &m.wires.binrpc)
	if err == nil {
		err = m.open(ctx, h, m.fifo, &m.wires.line)
	}
	if err != nil {
		_ = m.Close()
		return fmt.Errorf("ctl: %w", err)
	}
	return nil
}

// open listens for a protocol on the addresses; pipes are for the line
// protocol alone. A check of the configuration opens nothing.
func (m *ctl) open(ctx context.Context, h *module.Host, addresses []string, p socket.Protocol) error {
	for _, text := range addresses {
		if p == socket.Protocol(&m.wires.line) {
			if path, role, is, _ := socket.ParsePipe(text); is {
				pipe := &socket.Pipe{Path: path, Role: role, File: m.server.File, Proto: &m.wires.line, Log: h.Log}
				m.pipes = append(m.pipes, pipe)
				if h.CheckOnly || h.Dry {
					continue
				}
				if err := pipe.Open(); err != nil {
					return err
				}
				continue
			}
		}
		a, err := socket.ParseAddress(strings.TrimSpace(text))
		if err == nil {
			err = m.server.Check(a)
		}
		if err == nil && !h.CheckOnly && !h.Dry {
			err = m.server.Listen(ctx, a, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TookOver says that the sockets are those of the configuration before.
func (m *ctl) TookOver() bool { return m.tookOver }

// Serve answers calls until ctx ends.
func (m *ctl) Serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.server.Serve(ctx) })
	for _, p := range m.pipes {
		g.Go(func() error { return p.Serve(ctx) })
	}
	return g.Wait()
}

// Close closes the sockets of a daemon that never served.
func (m *ctl) Close() error {
	m.server.Close()
	for _, p := range m.pipes {
		p.Close()
	}
	return nil
}
