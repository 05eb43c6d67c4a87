// Package tls is the module that gives TLS connections their certificates and
// rules: profiles by address and server name, read from tls.cfg or made of
// parameters, and exchanged while the daemon runs.
package tls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/transport"
	"sipd/rpc"
)

type mod struct {
	def    profile // what the parameters say
	config string
	dir    string // what relative paths are taken from

	handshakeTimeout, connectionTimeout int
	unused                              unused
	xavpCfg, eventCallback              string
	randEngine, engine                  string
	renegotiation                       bool

	log       *slog.Logger
	transport *transport.Manager
	profiles  atomic.Pointer[profiles]
}

// unused are parameters of OpenSSL's memory and buffers: accepted, without
// effect, and shown by tls.options as they were set.
type unused struct {
	sessionCache, forceRun, readAhead, closeNotify, noCompression  bool
	sessionID                                                      string
	log, debug, releaseBuffers, freelistMax, maxFragment, sendTime int
	lowMem1, lowMem2, ctWqMax, conCtWqMax, ctWqBlkSize, initMode   int
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &mod{
		def:              profile{method: "TLSv1.2+", cert: "cert.pem", key: "cert.pem", depth: 9, verifyClient: "off"},
		handshakeTimeout: 30, connectionTimeout: 600,
		unused: unused{
			noCompression: true, sessionID: "sipd-tls", log: 3, debug: 3, releaseBuffers: -1, freelistMax: -1,
			maxFragment: -1, sendTime: 30, lowMem1: -1, lowMem2: -1, ctWqMax: 10 << 20, conCtWqMax: 64 << 10, ctWqBlkSize: 4096,
		},
	}
}

// Exports lists what the module brings.
func (m *mod) Exports() *module.Exports {
	return &module.Exports{
		Name:   "tls",
		Help:   "TLS connections: certificates, verification, profiles by address and server name",
		Params: append(m.params(), m.unusedParams()...),
		Functions: []module.Function{
			{Name: "is_peer_verified", Help: "true when the message came over TLS from a peer whose certificate was verified", In: run.AnyRoute, New: m.newIsPeerVerified},
		},
		Vars:    m.vars(),
		Selects: m.selects(),
		RPC:     m.rpc(),
	}
}

func (m *mod) params() []module.Param {
	d := &m.def
	return []module.Param{
		{Name: "tls_method", Help: "TLS versions: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3; with + that one and later", Value: &d.method, Check: func() error { _, _, err := versions(d.method); return err }},
		{Name: "certificate", Help: "file of the certificate and its chain (PEM)", Value: &d.cert},
		{Name: "private_key", Help: "file of the private key (PEM)", Value: &d.key},
		{Name: "ca_list", Help: "file of the authorities that peers' certificates are verified against (PEM)", Value: &d.caList},
		{Name: "ca_path", Help: "folder of such files", Value: &d.caPath},
		{Name: "crl", Help: "file of revoked certificates (PEM or DER)", Value: &d.crl},
		{Name: "cipher_list", Help: "OpenSSL names of the TLS 1.2 ciphers allowed, with : between them; empty: the safe ones", Value: &d.ciphers, Check: func() error { _, err := suites(d.ciphers); return err }},
		{Name: "verify_certificate", Help: "peers' certificates are verified", Value: &d.verify},
		{Name: "verify_depth", Help: "authorities between a peer's certificate and a root, at most", Value: &d.depth, Min: 0, Max: 100},
		{Name: "require_certificate", Help: "peers must have a certificate", Value: &d.require},
		{Name: "verify_client", Help: "of clients: off, optional_no_ca (asked, not verified), optional (verified if there), on (verified)", Value: &d.verifyClient, Check: func() error { return checkVerifyClient(d.verifyClient) }},
		{Name: "server_name", Help: "server name of the default client profile (SNI)", Value: &d.serverName},
		{Name: "config", Help: "file of profiles (tls.cfg)", Value: &m.config},
		{Name: "handshake_timeout", Help: "time for a handshake, seconds", Value: &m.handshakeTimeout, Min: 1, Max: 3600},
		{Name: "connection_timeout", Help: "idle time after which a connection is closed, seconds; 0: as for TCP", Value: &m.connectionTimeout, Min: 0, Max: 1 << 30},
		{Name: "xavp_cfg", Help: "not supported: choose client profiles by the peer's address in tls.cfg", Value: &m.xavpCfg, Check: refuse(&m.xavpCfg, "xavp_cfg", "choose client profiles by the peer's address: [client:IP:PORT] in tls.cfg")},
		{Name: "event_callback", Help: "not supported: there is no KEMI", Value: &m.eventCallback, Check: refuse(&m.eventCallback, "event_callback", "there is no KEMI here; leave it out")},
		{Name: "engine", Help: "not supported: keys come from files", Value: &m.engine, Check: refuse(&m.engine, "engine", "keys come from files here; leave it out")},
		{Name: "rand_engine", Help: "accepted: random numbers are the kernel's", Value: &m.randEngine},
		{Name: "renegotiation", Help: "must be 0: TLS is not renegotiated", Value: &m.renegotiation, Check: func() error {
			if m.renegotiation {
				return errors.New("TLS is not renegotiated here; leave it out")
			}
			return nil
		}},
	}
}

func (m *mod) unusedParams() []module.Param {
	u := &m.unused
	p := func(name string, v any) module.Param {
		return module.Param{Name: name, Help: "accepted: OpenSSL's, without effect here", Value: v}
	}
	return []module.Param{
		p("session_cache", &u.sessionCache), p("session_id", &u.sessionID), p("tls_force_run", &u.forceRun),
		p("tls_disable_compression", &u.noCompression), p("tls_log", &u.log), p("tls_debug", &u.debug),
		p("ssl_release_buffers", &u.releaseBuffers), p("ssl_freelist_max_len", &u.freelistMax),
		p("ssl_max_send_fragment", &u.maxFragment), p("ssl_read_ahead", &u.readAhead), p("send_close_notify", &u.closeNotify),
		p("low_mem_threshold1", &u.lowMem1), p("low_mem_threshold2", &u.lowMem2), p("ct_wq_max", &u.ctWqMax),
		p("con_ct_wq_max", &u.conCtWqMax), p("ct_wq_blk_size", &u.ctWqBlkSize), p("send_timeout", &u.sendTime), p("init_mode", &u.initMode),
	}
}

// refuse is the check of a parameter that has to stay empty.
func refuse(v *string, name, instead string) func() error {
	return func() error {
		if *v != "" {
			return fmt.Errorf("%s is not supported; %s", name, instead)
		}
		return nil
	}
}

// Init reads the profiles and offers them to the transport.
func (m *mod) Init(_ context.Context, h *module.Host) error {
	m.log, m.dir, m.transport = h.Log, filepath.Dir(h.ConfigPath), h.Env.Transport
	if err := m.load(); err != nil {
		return err
	}
	if m.transport != nil {
		h.WhenServing(func() { m.transport.Secure(m) })
	}
	return nil
}

// load reads the profiles and puts them to use; what was in use stays when it
// fails.
func (m *mod) load() error {
	p, err := m.read()
	if err != nil {
		return err
	}
	m.profiles.Store(p)
	return nil
}

// path is a file as named in the configuration.
func (m *mod) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(m.dir, name)
}

// HandshakeTime bounds a handshake.
func (m *mod) HandshakeTime() time.Duration { return time.Duration(m.handshakeTimeout) * time.Second }

// Lifetime is how long a connection may be idle; 0: as long as one of TCP.
func (m *mod) Lifetime() time.Duration { return time.Duration(m.connectionTimeout) * time.Second }

// newIsPeerVerified compiles is_peer_verified().
func (m *mod) newIsPeerVerified(module.Args) (run.Func, error) {
	return func(c *run.Context) int {
		if s, ok := m.state(c); ok && m.verified(s) {
			return 1
		}
		return -1
	}, nil
}

func (m *mod) rpc() []*rpc.Method {
	return []*rpc.Method{
		{
			Name: "tls.info", Help: "Tells how many TLS connections there are and may be.", Handler: m.info,
			Reply: "struct {max_connections: int, opened_connections: int, clear_text_write_queued_bytes: int}",
		},
		{
			Name: "tls.list", Help: "Lists the TLS connections.", List: true, Handler: m.list,
			Reply: "struct {id: int, timeout: int, src_ip: text, src_port: int, dst_ip: text, dst_port: int, cipher: text, ct_wq_size: int, enc_rd_buf: int, flags: int, state: text}",
		},
		{
			Name: "tls.options", Help: "Shows the module's settings.", Handler: m.options,
			Reply: "struct {force_run: int, method: text, verify_certificate: int, …}",
		},
		{
			Name: "tls.reload", Help: "Reads the profiles and their certificates again; new connections use them.", Changes: true, Handler: m.reload,
			Reply: "text",
		},
		{
			Name: "tls.kill", Help: "Closes a TLS connection.", Changes: true, Handler: m.kill,
			Params: []rpc.Param{{Name: "id", Help: "its number, as tls.list shows it", Type: rpc.TInt}}, Example: "7", Reply: "text",
		},
	}
}
