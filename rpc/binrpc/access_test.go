package binrpc

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sipd/rpc"
	"sipd/rpc/rpctest"
	"sipd/rpc/socket"
)

// certificate makes a certificate for itself and its key, and their files.
func certificate(t testing.TB, name string) (tls.Certificate, string, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	for file, b := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile
}

// TestTLS calls over TLS with a certificate and with a token. Whoever comes
// from this machine is trusted, so the credentials here are those that may
// less.
func TestTLS(t *testing.T) {
	server, certFile, keyFile := certificate(t, "server")
	client, _, _ := certificate(t, "client")
	hash := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	creds := filepath.Join(t.TempDir(), "credentials")
	text := "panel read-only cert:" + hash(client.Certificate[0]) + "\nmonitor read-only token:" + hash([]byte("secret")) + "\n"
	if err := os.WriteFile(creds, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	guard, err := socket.NewGuard(socket.Files{Credentials: creds, Certificate: certFile, Key: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	reg := registry(t)
	change := &rpc.Method{Name: "test.change", Changes: true, Handler: func(context.Context, *rpc.Call) error { return nil }}
	if err := reg.Add(change, socket.LoginMethod()); err != nil {
		t.Fatal(err)
	}
	s := serve(t, &Server{Registry: reg, Guard: guard}, Address{Net: "tls", Host: "127.0.0.1"})
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(server.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	dial := func(certs ...tls.Certificate) *tls.Conn {
		c, err := tls.Dial("tcp", s.net.Addresses()[0].HostPort(), &tls.Config{RootCAs: roots, Certificates: certs})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return c
	}
	call := func(c net.Conn, method string, args ...rpc.Value) (fault bool) {
		b, _ := AppendRequest(nil, 1, method, args)
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		h, _ := ParseHeader(readPacket(t, c))
		return h.Fault()
	}
	if c := dial(client); call(c, "core.flags") || !call(c, "test.change") {
		t.Error("a client whose certificate may read reads and does not change")
	}
	c := dial()
	if call(c, "test.change") {
		t.Error("a client of this machine may change")
	}
	if !call(c, "ctl.login", rpc.String("guess")) {
		t.Error("a wrong token was taken")
	}
	if call(c, "ctl.login", rpc.String("secret")) || !call(c, "test.change") || call(c, "core.flags") {
		t.Error("after a login for reading the connection reads and does not change")
	}
	plain, err := net.Dial("tcp", s.net.Addresses()[0].HostPort())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	_ = plain.SetDeadline(time.Now().Add(patience))
	b, _ := AppendRequest(nil, 1, "core.flags", nil)
	if _, err := plain.Write(append(b, make([]byte, 100)...)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 100)
	if n, _ := plain.Read(answer); n > 1 && answer[0] == 0xa1 {
		t.Errorf("without TLS came %x", answer[:n])
	}
}

// TestThousandConnections opens them all, silent ones among them, and wants
// each to be answered.
func TestThousandConnections(t *testing.T) {
	a := unixAddr(t, "unixs")
	serve(t, &Server{}, a)
	flags, _ := AppendRequest(nil, 1, "core.flags", nil)
	var conns []net.Conn
	for i := range 1000 {
		c := connect(t, a)
		conns = append(conns, c)
		if i%2 == 0 { // half a request, and then silence
			_, _ = c.Write(flags[:5])
		}
	}
	for i, c := range conns {
		rest := flags
		if i%2 == 0 {
			rest = flags[5:]
		}
		if _, err := c.Write(rest); err != nil || readPacket(t, c) == nil {
			t.Fatalf("connection %d: no answer, %v", i, err)
		}
	}
}

// TestElderClient wants the real kamcmd to get a fault that says so in place
// of a reply that it cannot read, and other clients to get all of it.
func TestElderClient(t *testing.T) {
	a := unixAddr(t, "unixs")
	reg := registry(t)
	long := &rpc.Method{Name: "test.long", Handler: func(_ context.Context, c *rpc.Call) error {
		for range 200 {
			c.Add(rpc.String(strings.Repeat("x", 1000)))
		}
		return nil
	}}
	if err := reg.Add(long); err != nil {
		t.Fatal(err)
	}
	serve(t, &Server{Registry: reg}, a)
	if got := rpctest.Kamcmd(t, "unixs:"+a.Path, "test.long"); !strings.Contains(got, "that this client reads") {
		t.Errorf("kamcmd prints %.200q", got)
	}
	c := connect(t, a)
	b, _ := AppendRequest(nil, 1, "test.long", nil)
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if got := readPacket(t, c); bytes.Count(got, []byte("x")) < 200000 {
		t.Errorf("another client got %d octets", len(got))
	}
}

// TestDatagramTooSmall wants a reply that no datagram holds to say so.
func TestDatagramTooSmall(t *testing.T) {
	reg := registry(t)
	long := &rpc.Method{Name: "test.long", Handler: func(_ context.Context, c *rpc.Call) error {
		c.Add(rpc.String(strings.Repeat("x", 70000)))
		return nil
	}}
	if err := reg.Add(long); err != nil {
		t.Fatal(err)
	}
	s := serve(t, &Server{Registry: reg}, Address{Net: "udp", Host: "127.0.0.1"})
	c, err := Dial(t.Context(), s.net.Addresses()[0], Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err = c.Call(t.Context(), "test.long"); err == nil || !strings.Contains(fmt.Sprint(err), "unixs: or tcp:") {
		t.Errorf("Call = %v, want a fault that says what to use", err)
	}
}

// BenchmarkUptime is what the server does for core.uptime, without the socket.
func BenchmarkUptime(b *testing.B) {
	s := &Server{Registry: registry(b)}
	packet, _ := AppendRequest(nil, 1, "core.uptime", nil)
	h, _ := ParseHeader(packet)
	w, who := s.wire(), rpc.Trusted("bench")
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _, _ = s.answer(b.Context(), out[:0], nil, w, who, h, packet[h.Size:])
	}
}
