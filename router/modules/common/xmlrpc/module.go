// Package xmlrpc is the module that serves XML-RPC: in the script, on the SIP
// port (dispatch_rpc), and on listeners of its own.
package xmlrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/web"
	"sipd/rpc"
	"sipd/rpc/socket"
	"sipd/rpc/xmlrpc"
)

// New makes the module; it is what the list of modules names.
func New() module.Module { return &xmlRPC{access: "guarded", role: "full", escapeCR: true} }

type xmlRPC struct {
	route                           string
	autoConvert, escapeCR, doubleLF bool
	mode                            int
	match, skip                     string
	listen                          []string
	access, role                    string

	matchRE, skipRE *regex.Regexp
	policy          socket.Access
	most            rpc.Role
	server          xmlrpc.Server
	http            *socket.HTTP
	tookOver        bool // the listeners are those of the configuration before
	guard           *socket.Guard
	env             *run.Env
}

const contentType = "text/xml"

// Exports lists what the module brings.
func (m *xmlRPC) Exports() *module.Exports {
	in := run.RequestRoute | run.EventRoute
	return &module.Exports{
		Name: "xmlrpc",
		Help: "serves XML-RPC on the SIP port and on listeners of its own",
		Params: []module.Param{
			{Name: "route", Help: "route block that runs for HTTP requests; the main route unless given", Value: &m.route},
			{Name: "autoconversion", Help: "convert parameters into what methods take", Value: &m.autoConvert},
			{Name: "escape_cr", Help: "write carriage returns in replies as &#xD;", Value: &m.escapeCR},
			{Name: "double_lf_to_crlf", Help: "two line feeds in a parameter become CR LF", Value: &m.doubleLF},
			{Name: "mode", Help: "1: leave HTTP requests to xhttp, whose route calls dispatch_rpc()", Value: &m.mode, Max: 1},
			{Name: "url_match", Help: "only URLs that match this regular expression", Value: &m.match, Check: m.check},
			{Name: "url_skip", Help: "no URLs that match this regular expression", Value: &m.skip, Check: m.check},
			{Name: "listen", Help: "address of a listener of its own: http://HOST:PORT, https://HOST:PORT, unixs:PATH; repeatable", Value: &m.listen, Check: m.check},
			{Name: "access", Help: "what dispatch_rpc() asks of callers from other machines: guarded, token or open", Value: &m.access, Check: m.check},
			{Name: "role", Help: "the most that dispatch_rpc() lets callers do: full or read-only", Value: &m.role, Check: m.check},
		},
		Functions: []module.Function{
			{Name: "dispatch_rpc", Help: "answer the XML-RPC call of the HTTP request", In: in, New: m.newDispatch},
			{
				Name: "xmlrpc_reply", Help: "answer the HTTP request with an XML-RPC fault", In: in, New: m.newReply,
				Args: []module.Arg{{Name: "code", Type: module.ArgInt}, {Name: "reason", Type: module.ArgFormat}},
			},
		},
		Selects: []pv.SelectDef{{Name: "xmlrpc", Help: "@xmlrpc.method: the method that the HTTP request calls", New: newSelect}},
	}
}

func (m *xmlRPC) check() (err error) {
	var errs []error
	if m.match != "" {
		m.matchRE, err = regex.Compile(m.match, 0)
		errs = append(errs, err)
	}
	if m.skip != "" {
		m.skipRE, err = regex.Compile(m.skip, 0)
		errs = append(errs, err)
	}
	for _, text := range m.listen {
		_, err := socket.ParseHTTP(text)
		errs = append(errs, err)
	}
	m.policy, err = socket.ParseAccess(m.access)
	errs = append(errs, err)
	m.most, err = rpc.ParseRole(m.role)
	return errors.Join(append(errs, err)...)
}

// Init takes the place where HTTP requests are seen, and opens the listeners.
func (m *xmlRPC) Init(ctx context.Context, h *module.Host) error {
	if err := m.check(); err != nil {
		return err
	}
	m.env, m.guard = h.Env, h.Guard
	m.server = xmlrpc.Server{Registry: h.RPC, AutoConvert: m.autoConvert, KeepCR: !m.escapeCR, DoubleLF: m.doubleLF, Log: h.Log}
	if m.mode == 0 {
		h.Hooks.HTTP = append(h.Hooks.HTTP, m.request)
	}
	if old, ok := h.Old.(*xmlRPC); ok {
		if names := module.Changed(old, m); len(names) > 0 {
			return &module.RestartError{Params: names}
		}
		m.http, m.tookOver = old.http, true
		return nil
	}
	m.http = &socket.HTTP{Guard: h.Guard, Log: h.Log, Handle: m.handle, File: socket.FileMode{UID: -1, GID: -1}}
	for _, text := range m.listen {
		a, err := socket.ParseHTTP(text)
		if err == nil {
			err = (&socket.Server{Guard: h.Guard}).Check(a)
		}
		if err == nil && !h.CheckOnly {
			err = m.http.Listen(ctx, a)
		}
		if err != nil {
			m.http.Close()
			return err
		}
	}
	return nil
}

// TookOver says that the listeners are those of the configuration before.
func (m *xmlRPC) TookOver() bool { return m.tookOver }

// Serve answers on the listeners of its own.
func (m *xmlRPC) Serve(ctx context.Context) error {
	if err := m.http.Serve(ctx); err != nil {
		return fmt.Errorf("xmlrpc: %w", err)
	}
	return nil
}

// Close closes the listeners of a daemon that never served.
func (m *xmlRPC) Close() error {
	if m.http != nil {
		m.http.Close()
	}
	return nil
}

func (m *xmlRPC) handle(w http.ResponseWriter, r *http.Request, who *rpc.Caller, body []byte) {
	w.Header().Set("Content-Type", contentType)
	if done := m.server.Answer(r.Context(), who, body, w); done != nil {
		done()
	}
}

// request runs the script for GET and POST, as the elders do.
func (m *xmlRPC) request(c *run.Context) bool {
	r := web.Of(c)
	if r == nil || r.Method != "GET" && r.Method != "POST" ||
		m.skipRE != nil && m.skipRE.Match(r.URL) || m.matchRE != nil && !m.matchRE.Match(r.URL) {
		return false
	}
	b := m.env.Block(run.RequestRoute, m.route)
	if b == nil {
		return false
	}
	c.Route, c.RouteName = run.RequestRoute, m.route
	b.Run(c)
	return true
}

func (m *xmlRPC) newDispatch(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		r := web.Of(c)
		if r == nil || r.Answered() {
			return -1
		}
		who := r.Caller(c, m.guard, m.policy, m.most)
		if who == nil {
			return -1
		}
		w := r.Start(c, 200, "OK", contentType)
		done := m.server.Answer(context.Background(), who, []byte(r.Body), w) // the script's run has no context
		err := r.End()
		if done != nil {
			done()
		}
		if err != nil {
			return -1
		}
		return 1
	}, nil
}

func (m *xmlRPC) newReply(a module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		r := web.Of(c)
		if r == nil {
			return -1
		}
		w := r.Start(c, 200, "OK", contentType)
		if w == nil {
			return -1
		}
		_, _ = io.WriteString(w, xmlrpc.Fault(&rpc.Fault{Code: a.Int(c, 0, 500), Text: a.Str(c, 1)}))
		if r.End() != nil {
			return -1
		}
		return 1
	}, nil
}

func newSelect(parts []pv.SelectPart) (pv.Getter, error) {
	if len(parts) != 2 || parts[1].Name != "method" {
		return nil, errors.New("there is @xmlrpc.method and no other")
	}
	return func(c *run.Context) run.Value {
		if r := web.Of(c); r != nil {
			if name := xmlrpc.Method([]byte(r.Body)); name != "" {
				return run.Str(name)
			}
		}
		return run.Null
	}, nil
}
