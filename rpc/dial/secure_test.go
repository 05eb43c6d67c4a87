package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// secured is an HTTPS server that wants a token and answers both protocols.
func secured(t *testing.T, token string) *httptest.Server {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "a credential is needed", http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusTemporaryRedirect)
			return
		}
		if strings.Contains(r.Header.Get("Content-Type"), "json") {
			io.WriteString(w, `{"jsonrpc":"2.0","result":[1],"id":1}`)
			return
		}
		io.WriteString(w, `<methodResponse><params><param><value><int>1</int></value></param></params></methodResponse>`)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// trust are the settings of a client that knows the server's certificate.
func trust(srv *httptest.Server) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// TestSecured: the token is shown over HTTPS, a wrong one is an error that says
// so, and an unknown certificate is refused.
func TestSecured(t *testing.T) {
	srv := secured(t, "geheim")
	for _, tt := range []struct {
		path, token string
		tls         *tls.Config
		want        error
	}{
		{"/RPC2", "geheim", trust(srv), nil},
		{"/jsonrpc", "geheim", trust(srv), nil},
		{"/RPC2", "falsch", trust(srv), rpc.ErrCredential},
		{"/jsonrpc", "falsch", trust(srv), rpc.ErrCredential},
		{"/jsonrpc", "", trust(srv), rpc.ErrCredential},
	} {
		c, err := Dial(t.Context(), srv.URL+tt.path, Options{Timeout: 10 * time.Second, Token: tt.token, TLS: tt.tls})
		if err != nil {
			t.Fatal(err)
		}
		vals, err := c.Call(t.Context(), "m")
		if !errors.Is(err, tt.want) || tt.want == nil && (len(vals) != 1 || vals[0] != rpc.Int(1)) {
			t.Errorf("%s with %q: %v, %v; want %v", tt.path, tt.token, vals, err, tt.want)
		}
		_ = c.Close()
	}
	for _, path := range []string{"/RPC2", "/away"} {
		settings := trust(srv)
		if path == "/RPC2" {
			settings = nil
		}
		c, err := Dial(t.Context(), srv.URL+path, Options{Timeout: 10 * time.Second, Token: "geheim", TLS: settings})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Call(t.Context(), "m")
		if _, unknown := errors.AsType[*tls.CertificateVerificationError](err); err == nil || path == "/RPC2" && !unknown {
			t.Errorf("%s: %v, want an error of the certificate or of the redirect", path, err)
		}
		_ = c.Close()
	}
}

// TestTokenInTheClear: a token goes to this machine or over TLS, nowhere else.
func TestTokenInTheClear(t *testing.T) {
	if _, err := Dial(t.Context(), "http://192.0.2.1:5060/RPC2", Options{Token: "geheim"}); !errors.Is(err, ErrToken) {
		t.Errorf("http to another machine: %v, want ErrToken", err)
	}
	c, err := Dial(t.Context(), "http://127.0.0.1:1/RPC2", Options{Token: "geheim"})
	if err != nil {
		t.Fatalf("http to this machine: %v", err)
	}
	_ = c.Close()
	if err := login(t.Context(), nil, false, "geheim"); !errors.Is(err, ErrToken) {
		t.Errorf("tcp to another machine: %v, want ErrToken", err)
	}
}

// TestBinRPCOverTLS: ctl.login is the first call on a tls: connection.
func TestBinRPCOverTLS(t *testing.T) {
	srv := secured(t, "") // for its certificate
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: srv.TLS.Certificates, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var seen atomic.Value
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			serveOnce(c, &seen)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := Dial(ctx, "tls:"+l.Addr().String(), Options{Token: "geheim", TLS: trust(srv)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, _ := seen.Load().(string); !strings.Contains(got, "ctl.login\x00") || !strings.Contains(got, "geheim\x00") {
		t.Errorf("the first request is %q, want ctl.login with the token", got)
	}
}

// serveOnce keeps the body of one request and answers it with nothing.
func serveOnce(c net.Conn, seen *atomic.Value) {
	var in []byte
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		h, err := binrpc.ParseHeader(in)
		if err != nil || len(in) < h.Size+h.Len {
			continue
		}
		seen.Store(string(in[h.Size:]))
		_, _ = c.Write(binary.BigEndian.AppendUint32([]byte{0xa1, 0x13, 0}, h.Cookie))
		return
	}
}
