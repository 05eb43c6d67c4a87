// Package jsonrpcs is the module that serves JSON-RPC 2.0: in the script, on
// the SIP port (jsonrpc_dispatch), over a named pipe, a datagram socket, TCP,
// and listeners of HTTP of its own.
package jsonrpcs

import (
	"errors"
	"strings"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/rpc"
	"sipd/rpc/jsonrpc"
	"sipd/rpc/socket"
)

// The bits of the parameter transport; none is all.
const (
	overHTTP  = 1
	overFifo  = 2
	overDgram = 4
	overTCP   = 8
)

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &jsonrpcs{
		transport: overFifo | overDgram, pretty: true, fifoMode: 0o600, replyDir: "/tmp/",
		wires: new(socket.Server), dgramMode: 0o600, dgramWorkers: 2, dgramTimeout: 2000, access: "guarded", role: "full",
	}
}

type jsonrpcs struct {
	transport                             int
	pretty                                bool
	fifo, fifoUser, fifoGroup             string
	fifoMode                              int
	replyDir                              string
	dgram, dgramUser, dgramGroup          string
	dgramMode, dgramWorkers, dgramTimeout int
	tcp                                   string
	listen                                []string
	access, role                          string

	policy socket.Access
	most   rpc.Role
	server jsonrpc.Server
	wires  *socket.Server
	pipe   *socket.Pipe
	http   *socket.HTTP
	guard  *socket.Guard
	// tookOver says that the sockets are those of the configuration before.
	tookOver bool
	slot     int // of the result of jsonrpc_exec
}

// Exports lists what the module brings.
func (m *jsonrpcs) Exports() *module.Exports {
	return &module.Exports{
		Name:   "jsonrpcs",
		Help:   "serves JSON-RPC 2.0 over HTTP, a named pipe, datagrams and TCP",
		RPC:    []*rpc.Method{echoMethod()},
		Params: m.params(),
		Functions: []module.Function{
			{Name: "jsonrpc_dispatch", Help: "answer the JSON-RPC call of the HTTP request", In: run.RequestRoute | run.EventRoute, New: m.newDispatch},
			{
				Name: "jsonrpc_exec", Help: "run a JSON-RPC request; $jsonrpl(code), $jsonrpl(text) and $jsonrpl(body) have the answer",
				In: run.AnyRoute, Args: []module.Arg{{Name: "request", Type: module.ArgFormat}}, New: m.newExec,
			},
		},
		Vars: []pv.Def{{Name: "jsonrpl", Help: "answer of jsonrpc_exec: code, text, body", RawInner: true, New: m.newResult}},
	}
}

func (m *jsonrpcs) params() []module.Param {
	return []module.Param{
		{Name: "transport", Help: "what to serve: 1 HTTP, 2 pipe, 4 datagrams, 8 TCP, added up; 0 all", Value: &m.transport, Max: 15},
		{Name: "pretty_format", Help: "lay replies out for people", Value: &m.pretty},
		{Name: "fifo_name", Help: "path of the pipe; RUNDIR/" + DefaultFifo + " unless given", Value: &m.fifo, Check: m.check},
		{Name: "fifo_mode", Help: "mode of the pipe", Value: &m.fifoMode, Max: 0o777},
		{Name: "fifo_user", Help: "owner of the pipe, name or number", Value: &m.fifoUser, Check: m.check},
		{Name: "fifo_group", Help: "group of the pipe, name or number", Value: &m.fifoGroup},
		{Name: "fifo_reply_dir", Help: "folder of reply pipes", Value: &m.replyDir},
		{Name: "dgram_socket", Help: "path of the datagram socket, or udp:HOST:PORT; RUNDIR/" + DefaultSocket + " unless given", Value: &m.dgram},
		{Name: "dgram_mode", Help: "mode of the datagram socket", Value: &m.dgramMode, Max: 0o777},
		{Name: "dgram_user", Help: "owner of the datagram socket, name or number", Value: &m.dgramUser},
		{Name: "dgram_group", Help: "group of the datagram socket, name or number", Value: &m.dgramGroup},
		{Name: "dgram_workers", Help: "datagrams served at once", Value: &m.dgramWorkers, Min: 1, Max: 1024},
		{Name: "dgram_timeout", Help: "longest wait for a client that does not take its answer, ms", Value: &m.dgramTimeout, Min: 1, Max: 600000},
		{Name: "tcp_socket", Help: "tcp:HOST:PORT or tls:HOST:PORT on which documents follow each other", Value: &m.tcp},
		{Name: "listen", Help: "address of a listener of HTTP of its own: http://HOST:PORT, https://HOST:PORT, unixs:PATH; repeatable", Value: &m.listen},
		{Name: "access", Help: "what jsonrpc_dispatch() asks of callers from other machines: guarded, token or open", Value: &m.access},
		{Name: "role", Help: "the most that jsonrpc_dispatch() lets callers do: full or read-only", Value: &m.role},
	}
}

// check reads what is text; one parameter carries it for all.
func (m *jsonrpcs) check() (err error) {
	errs := make([]error, 0, 8)
	for _, text := range m.listen {
		_, err := socket.ParseHTTP(text)
		errs = append(errs, err)
	}
	if m.tcp != "" {
		a, err := socket.ParseAddress(m.tcp)
		if err == nil && a.Net != "tcp" && a.Net != "tls" {
			err = errors.New("tcp_socket is tcp:HOST:PORT or tls:HOST:PORT")
		}
		errs = append(errs, err)
	}
	if m.dgram != "" {
		_, err := m.dgramAddress("")
		errs = append(errs, err)
	}
	_, ferr := socket.Owned(m.fifoMode, m.fifoUser, m.fifoGroup)
	_, derr := socket.Owned(m.dgramMode, m.dgramUser, m.dgramGroup)
	m.policy, err = socket.ParseAccess(m.access)
	errs = append(errs, ferr, derr, err)
	m.most, err = rpc.ParseRole(m.role)
	return errors.Join(append(errs, err)...)
}

func (m *jsonrpcs) serves(bit int) bool { return m.transport == 0 || m.transport&bit != 0 }

// dgramAddress is where datagrams come: a bare path is a unix socket.
func (m *jsonrpcs) dgramAddress(def string) (socket.Address, error) {
	text := m.dgram
	if text == "" {
		text = def
	}
	if !strings.HasPrefix(text, "udp:") && !strings.HasPrefix(text, "unixd:") {
		text = "unixd:" + strings.TrimPrefix(text, "unix:")
	}
	return socket.ParseAddress(text)
}
