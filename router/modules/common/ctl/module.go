// Package ctl is the module that serves the control sockets: BinRPC over unix
// and IP sockets, for sipcmd, kamcmd, sercmd and serctl.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"sipd/router/module"
	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &ctl{mode: 0o600, maxBody: binrpc.DefaultMaxBody >> 10, maxStruct: 8, buffer: 1024}
}

type ctl struct {
	binrpc []string // addresses
	fifo   []string
	mode   int
	user   string
	group  string

	autoConvert bool
	maxBody     int // KiB
	maxStruct   int // KiB
	buffer      int // octets

	server *binrpc.Server
}

func (m *ctl) Exports() *module.Exports {
	return &module.Exports{
		Name: "ctl",
		Help: "serves the control sockets (BinRPC)",
		Params: []module.Param{
			{
				Name: "binrpc", Help: "address to serve BinRPC on: unixs:PATH, unixd:PATH, tcp:[HOST:]PORT, udp:[HOST:]PORT; repeatable",
				Value: &m.binrpc, Check: m.checkAddresses,
			},
			{Name: "fifo", Help: "address to serve the line protocol on; not served by this version", Value: &m.fifo, Check: m.checkFifo},
			{Name: "mode", Help: "mode of unix sockets", Value: &m.mode, Max: 0o777},
			{Name: "user", Help: "owner of unix sockets, name or number", Value: &m.user, Check: m.checkUser},
			{Name: "group", Help: "group of unix sockets, name or number", Value: &m.group, Check: m.checkGroup},
			{Name: "autoconversion", Help: "convert parameters into what methods take", Value: &m.autoConvert},
			{Name: "binrpc_max_body_size", Help: "longest reply, KiB", Value: &m.maxBody, Min: 1, Max: 1 << 20},
			{
				Name: "binrpc_struct_max_body_size", Help: "accepted and not needed: binrpc_max_body_size bounds structs too",
				Value: &m.maxStruct, Min: 1, Max: 1 << 20,
			},
			{Name: "binrpc_buffer_size", Help: "accepted and not needed: printed texts are not cut", Value: &m.buffer, Min: 1, Max: 1 << 30},
		},
		RPC: []*rpc.Method{
			binrpc.PageMethod(),
			{Name: "ctl.connections", Help: "Tells how many control connections are open.", Handler: m.connections},
			{Name: "ctl.listen", Help: "Lists the control sockets: protocol, transport, address, port.", Handler: m.listen},
			{
				Name: "ctl.who", Handler: m.who,
				Help: "Lists the control connections: protocol, transport, peer, its port, own address, own port.",
			},
		},
	}
}

func (m *ctl) checkAddresses() error {
	var errs []error
	for _, text := range m.binrpc {
		_, err := binrpc.ParseAddress(text)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (m *ctl) checkFifo() error {
	if len(m.fifo) > 0 {
		return errors.New(`the line protocol is not served by this version; use modparam("ctl", "binrpc", "…") and sipcmd or kamcmd`)
	}
	return nil
}

func (m *ctl) checkUser() error  { _, err := m.uid(); return err }
func (m *ctl) checkGroup() error { _, err := m.gid(); return err }

// uid is the owner's number, -1 when none was given.
func (m *ctl) uid() (int, error) {
	return number(m.user, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

func (m *ctl) gid() (int, error) {
	return number(m.group, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

func number(name string, lookup func(string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 {
		return n, nil
	}
	id, err := lookup(name)
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(id)
}

// Init opens the sockets, unless the configuration is only checked: a second
// daemon on a living socket ends here.
func (m *ctl) Init(ctx context.Context, h *module.Host) error {
	if err := errors.Join(m.checkAddresses(), m.checkFifo(), m.checkUser(), m.checkGroup()); err != nil {
		return err
	}
	uid, _ := m.uid()
	gid, _ := m.gid()
	m.server = &binrpc.Server{
		Registry: h.RPC, AutoConvert: m.autoConvert, MaxBody: m.maxBody << 10, Log: h.Log,
		File: binrpc.FileMode{Mode: os.FileMode(m.mode), UID: uid, GID: gid},
	}
	if h.CheckOnly {
		return nil
	}
	addresses := m.binrpc
	if len(addresses) == 0 {
		addresses = []string{"unixs:" + filepath.Join(h.RunDir, DefaultSocket)}
	}
	for _, text := range addresses {
		a, err := binrpc.ParseAddress(text)
		if err == nil {
			err = m.server.Listen(ctx, a)
		}
		if err != nil {
			m.server.Close()
			return fmt.Errorf("ctl: %w", err)
		}
	}
	return nil
}

// DefaultSocket is the name, in the run folder, of the socket that is served
// when none is configured.
const DefaultSocket = "sipd_ctl"

// Serve answers calls until ctx ends.
func (m *ctl) Serve(ctx context.Context) error { return m.server.Serve(ctx) }

// Close closes the sockets of a daemon that never served.
func (m *ctl) Close() error {
	if m.server != nil {
		m.server.Close()
	}
	return nil
}

// overCtl refuses calls that came by a transport of another module, as the
// elders do.
func overCtl(c *rpc.Call) error {
	if c.Wire != rpc.BinRPC.String() {
		return &rpc.Fault{Code: 606, Text: "rpc available only over binrpc (ctl)"}
	}
	return nil
}

func (m *ctl) connections(_ context.Context, c *rpc.Call) error {
	if err := overCtl(c); err != nil {
		return err
	}
	c.Add(rpc.Int(len(m.server.Conns())))
	return nil
}

func (m *ctl) who(_ context.Context, c *rpc.Call) error {
	if err := overCtl(c); err != nil {
		return err
	}
	for _, k := range m.server.Conns() {
		c.Add(rpc.String("binrpc"), rpc.String(k.Transport), rpc.String(k.Peer), rpc.String(k.PeerPort),
			rpc.String(k.Address), rpc.String(k.Port))
	}
	return nil
}

func (m *ctl) listen(_ context.Context, c *rpc.Call) error {
	if overCtl(c) != nil {
		return nil
	}
	for _, k := range m.server.Sockets() {
		c.Add(rpc.String("binrpc"), rpc.String(k.Transport), rpc.String(k.Address), rpc.String(k.Port))
	}
	return nil
}
