package socket

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files are where credentials and certificates are; "" for none.
type Files struct {
	Credentials      string // rpc_credentials
	Certificate, Key string // rpc_certificate, rpc_private_key: PEM, of the daemon
	CA               string // rpc_ca_list: PEM, of those who sign client certificates; "" takes any that rpc_credentials names
}

// NewGuard reads the files. Credentials, certificate and key are read again
// when they changed. The error names the file, and the line of credentials.
func NewGuard(f Files) (*Guard, error) {
	g, err := newGuard(f.Credentials)
	if err != nil {
		return nil, err
	}
	if f.Certificate == "" && f.Key == "" && f.CA == "" {
		return g, nil
	}
	if f.Key == "" {
		f.Key = f.Certificate // both in one file
	}
	pair := &keyPair{cert: f.Certificate, key: f.Key}
	if _, err := pair.get(nil); err != nil {
		return nil, fmt.Errorf("rpc_certificate, rpc_private_key: %w", err)
	}
	// Whose certificate it is, its hash in rpc_credentials says; that the
	// client has the key, the handshake.
	g.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get, ClientAuth: tls.RequestClientCert}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("rpc_ca_list: %w", err)
		}
		g.TLS.ClientCAs = x509.NewCertPool()
		if !g.TLS.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("rpc_ca_list: %s has no certificate in it", f.CA)
		}
		g.TLS.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return g, nil
}

// keyPair is a certificate and its key in files.
type keyPair struct {
	cert, key string

	mu sync.Mutex
	// mu guards the fields below.
	pair    *tls.Certificate
	changed time.Time // of the newer file, when they were read
	checked time.Time
}

// get is tls.Config.GetCertificate. A pair that no longer reads leaves the old
// one in use: the two files of a renewal do not change at once.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pair != nil && time.Since(k.checked) < recheck {
		return k.pair, nil
	}
	k.checked = time.Now()
	changed, err := newest(k.cert, k.key)
	if err == nil && k.pair != nil && changed.Equal(k.changed) {
		return k.pair, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(k.cert, k.key)
	}
	switch {
	case err == nil:
		k.pair, k.changed = &pair, changed
	case k.pair == nil:
		return nil, err
	}
	return k.pair, nil
}

func newest(names ...string) (time.Time, error) {
	var t time.Time
	for _, n := range names {
		if n == "" {
			return t, errors.New("both a certificate and its key are needed")
		}
		info, err := os.Stat(n)
		if err != nil {
			return t, err
		}
		if info.ModTime().After(t) {
			t = info.ModTime()
		}
	}
	return t, nil
}
