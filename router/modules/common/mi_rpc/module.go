// Package mirpc is the module that makes the management commands of Kamailio
// up to 4.4 callable by RPC.
package mirpc

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strings"

	"sipd/router/module"
	"sipd/rpc"
	"sipd/rpc/mi"
)

// New makes the module; it is what the list of modules names.
func New() module.Module { return new(miRPC) }

type miRPC struct{ server mi.Server }

// Exports lists what the module brings.
func (m *miRPC) Exports() *module.Exports {
	method := func(name, help string, f form) *rpc.Method {
		return &rpc.Method{
			Name: name, Help: help, List: true, Reply: "string", Example: "uptime",
			Params: []rpc.Param{
				{Name: "command", Type: rpc.TString, Help: "name of the command"},
				{Name: "value", Type: rpc.TString, Convert: true, Optional: true, Rest: true, Help: "its arguments; --name goes before the value of a named one"},
			},
			BadParams: &rpc.Fault{Code: 500, Text: "command parameter missing"},
			Handler:   func(ctx context.Context, c *rpc.Call) error { return m.call(ctx, c, f) },
		}
	}
	return &module.Exports{
		Name: "mi_rpc",
		Help: "makes management commands (MI) callable by RPC",
		RPC: []*rpc.Method{
			method("mi", "Runs a management command; answers its nodes.", form{indent: "\t"}),
			method("mi_fifo", "Runs a management command; answers as mi_fifo does.", form{indent: "\t", status: true, ends: true, lineEnd: "\n"}),
			method("mi_dg", "Runs a management command; answers as mi_datagram does.", form{indent: "\t", status: true, lineEnd: "\n"}),
			method("mi_xmlrpc", "Runs a management command; answers as mi_xmlrpc does.", form{lineEnd: "\n"}),
		},
	}
}

// form is how a method shapes the answer.
type form struct {
	indent, lineEnd string
	status, ends    bool // the status comes first, also of a failure; an empty line last
}

// Init keeps what commands are looked for in.
func (m *miRPC) Init(_ context.Context, h *module.Host) error {
	m.server = mi.Server{Registry: h.RPC, Log: h.Log}
	return nil
}

func (m *miRPC) call(ctx context.Context, c *rpc.Call, f form) error {
	if !m.server.Available(c.Str(0)) {
		return &rpc.Fault{Code: 500, Text: "command not available"}
	}
	var args []string
	for i := 1; i < c.Len(); i++ {
		if s := c.Str(i); !strings.HasPrefix(s, "--") {
			args = append(args, s)
		}
	}
	who := c.Caller
	if who == nil {
		who = rpc.Trusted(c.Peer)
	}
	r := m.server.Run(ctx, who, c.Str(0), args)
	c.After(r.Done)
	if !f.status && !r.OK() {
		return &rpc.Fault{Code: r.Code, Text: r.Reason}
	}
	if f.status {
		c.Add(rpc.String(fmt.Sprintf("%d %s%s", r.Code, r.Reason, f.lineEnd)))
	}
	if r.Lines != nil {
		for line := range lines(r, f.indent) {
			c.Add(rpc.String(line + f.lineEnd))
		}
	}
	if f.ends {
		c.Add(rpc.String(f.lineEnd))
	}
	return nil
}

// lines are the nodes as texts.
func lines(r *mi.Reply, indent string) func(func(string) bool) {
	return func(yield func(string) bool) {
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		r.Lines(&mi.Tree{W: w, Indent: indent})
		_ = w.Flush()
		for line := range strings.Lines(b.String()) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}
