// Package ctl is the module that serves the control sockets: BinRPC for sipcmd,
// kamcmd, sercmd and serctl, and the line protocol for scripts, over named
// pipes, unix sockets, TCP, TLS and UDP.
package ctl

import (
	"context"

	"sipd/router/module"
	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/fifo"
	"sipd/rpc/socket"
)

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &ctl{mode: 0o600, maxStruct: 8, buffer: 1024, server: new(socket.Server)}
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

	server *socket.Server
	wires  struct {
		binrpc binrpc.Server
		line   fifo.Server
	}
	pipes []*socket.Pipe
	// tookOver says that the sockets are those of the configuration before.
	tookOver bool
}

// Exports lists what the module brings.
func (m *ctl) Exports() *module.Exports {
	return &module.Exports{
		Name: "ctl",
		Help: "serves the control sockets (BinRPC and the line protocol)",
		Params: []module.Param{
			{
				Name: "binrpc", Help: "address to serve BinRPC on: unixs:PATH, unixd:PATH, tcp:, tls: or udp:[HOST:]PORT; repeatable",
				Value: &m.binrpc, Check: m.checkBinRPC,
			},
			{
				Name: "fifo", Help: "named pipe, or address as for binrpc, to serve the line protocol on; repeatable",
				Value: &m.fifo, Check: m.checkFifo,
			},
			{Name: "mode", Help: "mode of unix sockets and pipes", Value: &m.mode, Max: 0o777},
			{Name: "user", Help: "owner of unix sockets and pipes, name or number", Value: &m.user, Check: m.checkOwner},
			{Name: "group", Help: "group of unix sockets and pipes, name or number", Value: &m.group, Check: m.checkOwner},
			{Name: "autoconversion", Help: "convert parameters into what methods take", Value: &m.autoConvert},
			{Name: "binrpc_max_body_size", Help: "longest reply in one packet, KiB; 0: 64 MiB", Value: &m.maxBody, Min: 0, Max: 64 << 10},
			{
				Name: "binrpc_struct_max_body_size", Help: "accepted and not needed: binrpc_max_body_size bounds structs too",
				Value: &m.maxStruct, Min: 1, Max: 1 << 20,
			},
			{Name: "binrpc_buffer_size", Help: "accepted and not needed: printed texts are not cut", Value: &m.buffer, Min: 1, Max: 1 << 30},
		},
		RPC: append(m.methods(), binrpc.PageMethod(), socket.LoginMethod()),
	}
}

func (m *ctl) methods() []*rpc.Method {
	return []*rpc.Method{
		{
			Name: "ctl.connections", Handler: m.connections, Reply: "int",
			Help: "Tells how many control connections are open.",
		},
		{
			Name: "ctl.listen", Handler: m.listen, Reply: "4 texts a socket: protocol, transport, address, port",
			Help: "Lists the control sockets: protocol, transport, address, port.",
		},
		{
			Name: "ctl.who", Handler: m.who, Reply: "6 texts a connection: protocol, transport, peer, its port, own address, own port",
			Help: "Lists the control connections: protocol, transport, peer, its port, own address, own port.",
		},
	}
}

// overCtl refuses calls that came by a transport of another module, as the
// elders do.
func overCtl(c *rpc.Call) error {
	if c.Wire != rpc.BinRPC.String() && c.Wire != rpc.Line.String() {
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
		c.Add(rpc.String(k.Handler), rpc.String(k.Transport), rpc.String(k.Peer), rpc.String(k.PeerPort),
			rpc.String(k.Address), rpc.String(k.Port))
	}
	return nil
}

func (m *ctl) listen(_ context.Context, c *rpc.Call) error {
	if overCtl(c) != nil {
		return nil
	}
	sockets := m.server.Sockets()
	for _, p := range m.pipes {
		sockets = append(sockets, p.Socket())
	}
	for _, k := range sockets {
		c.Add(rpc.String(k.Handler), rpc.String(k.Transport), rpc.String(k.Address), rpc.String(k.Port))
	}
	return nil
}
