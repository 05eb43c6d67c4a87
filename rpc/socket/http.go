package socket

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sipd/rpc"
)

// Times and sizes of HTTP.
const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	bodyTime   = 30 * time.Second
	maxHTTP    = 1 << 20
)

// Authorize makes the caller of an HTTP request: that of Admit, or that of the
// token in its Authorization header (Bearer, or the password of Basic). A
// browser's request, which has an Origin, is trusted no more than one from
// elsewhere: what page it comes from nobody knows. The fault is 401 or 403.
func (g *Guard) Authorize(o Origin, access Access, most rpc.Role, header http.Header) (*rpc.Caller, *rpc.Fault) {
	who := g.Admit(o, access, most)
	token := bearer(header.Get("Authorization"))
	switch {
	case token != "" && who.Login == nil:
		return nil, &rpc.Fault{Code: 403, Text: "tokens are not taken here: they would cross the network in the clear; use TLS"}
	case token != "":
		if !who.Login(who, token) {
			return nil, &rpc.Fault{Code: 401, Text: "no credential has this token"}
		}
	case header.Get("Origin") != "" && who.Name == "":
		return nil, &rpc.Fault{Code: 403, Text: "a web page may not call without a token"}
	case who.Role == rpc.None && who.Login == nil:
		return nil, &rpc.Fault{Code: 403, Text: "calls from other machines need TLS and a credential here"}
	case who.Role == rpc.None:
		return nil, &rpc.Fault{Code: 401, Text: "a credential is needed: Authorization: Bearer TOKEN, or a client certificate"}
	}
	return who, nil
}

func bearer(authorization string) string {
	scheme, rest, _ := strings.Cut(authorization, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "bearer":
		return rest
	case "basic":
		if b, err := base64.StdEncoding.DecodeString(rest); err == nil {
			_, password, _ := strings.Cut(string(b), ":")
			return password
		}
	}
	return ""
}

// Handler answers a POST whose caller is known.
type Handler func(w http.ResponseWriter, r *http.Request, who *rpc.Caller, body []byte)

// HTTP is a listener of HTTP of its own. Listen, then Serve.
type HTTP struct {
	Guard *Guard
	File  FileMode
	Log   *slog.Logger
	// Handle answers requests.
	Handle Handler

	sockets []*open
}

// ParseHTTP reads an address of HTTP: http://HOST:PORT (TCP), https://HOST:PORT
// (TLS), or what ParseAddress takes for a stream; the options follow.
func ParseHTTP(s string) (Address, error) {
	for prefix, net := range map[string]string{"http://": "tcp:", "https://": "tls:"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			where, opts, more := strings.Cut(rest, ";")
			s = net + strings.TrimSuffix(where, "/")
			if more {
				s += ";" + opts
			}
		}
	}
	a, err := ParseAddress(s)
	if err == nil && (a.Net == "udp" || a.Net == "unixd") {
		err = fmt.Errorf("HTTP address %q: datagrams carry no HTTP", s)
	}
	return a, err
}

// Listen opens a socket.
func (h *HTTP) Listen(ctx context.Context, a Address) error {
	s := &Server{Guard: h.Guard, File: h.File}
	if err := s.Check(a); err != nil {
		return err
	}
	k := &open{addr: a}
	if err := s.open(ctx, k); err != nil {
		k.close()
		return err
	}
	h.sockets = append(h.sockets, k)
	return nil
}

// Addresses lists where it listens, with the ports that the system chose.
func (h *HTTP) Addresses() []Address {
	var out []Address
	for _, k := range h.sockets {
		out = append(out, k.addr)
	}
	return out
}

// Close closes the sockets of one that is not serving.
func (h *HTTP) Close() {
	for _, k := range h.sockets {
		k.close()
	}
	h.sockets = nil
}

// Serve answers until ctx ends.
func (h *HTTP) Serve(ctx context.Context) error {
	defer h.Close()
	errs := make(chan error, len(h.sockets))
	var servers []*http.Server
	var atWork sync.WaitGroup
	for _, k := range h.sockets {
		srv := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				atWork.Add(1)
				defer atWork.Done()
				h.serve(w, r, k.addr)
			}),
			ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: 16 << 10,
			ErrorLog:    slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
			BaseContext: func(net.Listener) context.Context { return ctx },
		}
		l := k.stream
		if k.addr.Net == "tls" {
			l = tls.NewListener(l, h.Guard.TLS)
		}
		servers = append(servers, srv)
		go func() { errs <- srv.Serve(l) }()
	}
	var first error
	select {
	case <-ctx.Done():
	case first = <-errs:
		errs <- nil // so that the loop below finds one for each
	}
	for _, srv := range servers {
		_ = srv.Close()
	}
	for range servers {
		<-errs
	}
	atWork.Wait()
	if errors.Is(first, http.ErrServerClosed) || ctx.Err() != nil {
		return nil
	}
	return first
}

func (h *HTTP) serve(w http.ResponseWriter, r *http.Request, a Address) {
	o := Origin{Peer: r.RemoteAddr}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		o.Addr = ap.Addr()
	} else {
		o.Peer = "unix"
	}
	if r.TLS != nil {
		o.TLS = true
		if len(r.TLS.PeerCertificates) > 0 {
			o.Cert = r.TLS.PeerCertificates[0]
		}
	}
	who, fault := h.Guard.Authorize(o, a.Access, a.Role, r.Header)
	switch {
	case fault != nil:
		if fault.Code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="sipd"`)
		}
		h.Log.LogAttrs(r.Context(), slog.LevelWarn, "HTTP call refused", slog.String("peer", o.Peer), slog.String("why", fault.Text))
		http.Error(w, fault.Text, fault.Code)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		http.Error(w, "use POST with a request in the body", http.StatusMethodNotAllowed)
		return
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHTTP))
	if err != nil {
		http.Error(w, fmt.Sprintf("the body did not come, or is longer than %d KiB", maxHTTP>>10), http.StatusRequestEntityTooLarge)
		return
	}
	_ = rc.SetReadDeadline(time.Time{})
	h.Handle(&timedResponse{w, rc}, r, who, body)
}

// timedResponse gives each write its time, however long the whole takes.
type timedResponse struct {
	http.ResponseWriter
	rc *http.ResponseController
}

func (w *timedResponse) Write(b []byte) (int, error) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(replyWrite))
	return w.ResponseWriter.Write(b)
}
