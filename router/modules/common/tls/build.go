package tls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profiles are the ones in use, with their certificates; never changed.
type profiles struct {
	all []*ready
	// server and client are the defaults.
	server, client *ready
}

// ready is a profile whose files are read.
type ready struct {
	*profile
	conf  *tls.Config
	roots *x509.CertPool
	crl   *x509.RevocationList
}

// build reads the files of all profiles. All mistakes come together.
func (m *mod) build(list []*profile) (*profiles, error) {
	ps := &profiles{}
	var errs []error
	for _, p := range list {
		r, err := m.ready(p)
		if err != nil {
			where := "parameters of module tls"
			if p.place != "" {
				where = p.place + ": " + p.title()
			}
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
			continue
		}
		ps.all = append(ps.all, r)
		switch {
		case p.general && p.server && p.serverName == "":
			ps.server = r
		case p.general && p.server && ps.server == nil:
			ps.server = r
		case p.general && !p.server:
			ps.client = r
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, r := range ps.all {
		if r.server {
			r.conf.GetConfigForClient = ps.forClient(r)
		}
	}
	return ps, nil
}

func (m *mod) ready(p *profile) (*ready, error) {
	r := &ready{profile: p, conf: &tls.Config{ServerName: p.serverName}}
	var err error
	if r.conf.MinVersion, r.conf.MaxVersion, err = versions(p.method); err != nil {
		return nil, err
	}
	if r.conf.CipherSuites, err = suites(p.ciphers); err != nil {
		return nil, err
	}
	if p.cert != "" || p.server {
		cert, err := tls.LoadX509KeyPair(m.path(p.cert), m.path(p.key))
		if err != nil {
			return nil, fmt.Errorf("certificate %s with private_key %s: %w", m.path(p.cert), m.path(p.key), err)
		}
		r.conf.Certificates = []tls.Certificate{cert}
	}
	if r.roots, err = m.authorities(p); err != nil {
		return nil, err
	}
	if p.crl != "" {
		if r.crl, err = readCRL(m.path(p.crl)); err != nil {
			return nil, err
		}
	}
	if p.server {
		r.conf.ClientAuth, r.conf.ClientCAs = p.clientAuth(), r.roots
		r.conf.VerifyPeerCertificate = func(_ [][]byte, chains [][]*x509.Certificate) error { return r.check(chains) }
		return r, nil
	}
	// Who the peer is, the script compares ($tls_peer_subject_cn), as with the
	// elders: the chain is verified here, the name is not.
	r.conf.InsecureSkipVerify = true
	r.conf.VerifyConnection = r.verifyServer
	return r, nil
}

// clientAuth is what a server asks of clients.
func (p *profile) clientAuth() tls.ClientAuthType {
	switch {
	case p.verifyClient == "on", p.verify && p.require:
		return tls.RequireAndVerifyClientCert
	case p.verifyClient == "optional", p.verify:
		return tls.VerifyClientCertIfGiven
	case p.require:
		return tls.RequireAnyClientCert
	case p.verifyClient == "optional_no_ca":
		return tls.RequestClientCert
	}
	return tls.NoClientCert
}

// verifyServer is a client's look at the server's certificate.
func (r *ready) verifyServer(s tls.ConnectionState) error {
	if !r.verify {
		return nil
	}
	chains, err := chains(s.PeerCertificates, r.roots)
	if err != nil {
		return err
	}
	return r.check(chains)
}

// chains verifies a peer's certificates against authorities.
func chains(certs []*x509.Certificate, roots *x509.CertPool) ([][]*x509.Certificate, error) {
	if len(certs) == 0 {
		return nil, errors.New("the peer has no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for _, c := range certs[1:] {
		o.Intermediates.AddCert(c)
	}
	return certs[0].Verify(o)
}

// check applies verify_depth and the list of revoked certificates.
func (r *ready) check(chains [][]*x509.Certificate) error {
	if len(chains) == 0 { // nothing was verified, as told
		return nil
	}
	for _, chain := range chains {
		if len(chain) > r.depth+2 {
			continue
		}
		for _, c := range chain {
			if r.revoked(c) {
				return fmt.Errorf("the certificate %s of %s is revoked", c.SerialNumber, c.Subject)
			}
		}
		return nil
	}
	return fmt.Errorf("the chain of certificates is longer than verify_depth %d allows", r.depth)
}

func (r *ready) revoked(c *x509.Certificate) bool {
	if r.crl == nil || !bytes.Equal(r.crl.RawIssuer, c.RawIssuer) {
		return false
	}
	for _, e := range r.crl.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
			return true
		}
	}
	return false
}

// authorities reads ca_list and ca_path; without both it is the system's.
func (m *mod) authorities(p *profile) (*x509.CertPool, error) {
	if p.caList == "" && p.caPath == "" {
		if !p.verify && p.verifyClient != "on" && p.verifyClient != "optional" {
			return nil, nil
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("verify_certificate without ca_list needs the system's authorities: %w", err)
		}
		return pool, nil
	}
	pool := x509.NewCertPool()
	files := []string{}
	if p.caList != "" {
		files = append(files, m.path(p.caList))
	}
	if p.caPath != "" {
		dir := m.path(p.caPath)
		list, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("ca_path: %w", err)
		}
		for _, e := range list {
			if !e.IsDir() {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("ca_list: %w", err)
		}
		if !pool.AppendCertsFromPEM(text) && name == m.path(p.caList) {
			return nil, fmt.Errorf("ca_list %s has no certificate in PEM", name)
		}
	}
	return pool, nil
}

func readCRL(name string) (*x509.RevocationList, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("crl: %w", err)
	}
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	l, err := x509.ParseRevocationList(b)
	if err != nil {
		return nil, fmt.Errorf("crl %s: %w", name, err)
	}
	return l, nil
}

// Server is the profile of a socket's address, or the default. The client's
// server name may choose another.
func (m *mod) Server(local, _ netip.AddrPort) (*tls.Config, error) {
	ps := m.profiles.Load()
	return ps.byAddr(true, local, ps.server).conf, nil
}

// Client is the profile of the peer's address, or the default.
func (m *mod) Client(peer netip.AddrPort) (*tls.Config, error) {
	ps := m.profiles.Load()
	return ps.byAddr(false, peer, ps.client).conf, nil
}

// byAddr is the profile of an address; of a server's the one without a name.
func (ps *profiles) byAddr(server bool, a netip.AddrPort, def *ready) *ready {
	best := def
	for _, r := range ps.all {
		if r.general || r.server != server || r.addr != a {
			continue
		}
		if !server || r.serverName == "" {
			return r
		}
		if best == def {
			best = r
		}
	}
	return best
}

// forClient chooses by the server name that a client asks for among the
// profiles of the address, then among the defaults; nil keeps r.
func (ps *profiles) forClient(r *ready) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	var named []*ready
	for _, o := range ps.all {
		if o.server && o.serverName != "" && !o.general && o.addr == r.addr && !r.general {
			named = append(named, o)
		}
	}
	for _, o := range ps.all {
		if o.server && o.serverName != "" && o.general {
			named = append(named, o)
		}
	}
	if len(named) == 0 {
		return nil
	}
	return func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, o := range named {
			if o.serves(hello.ServerName) {
				if o == r {
					return nil, nil
				}
				conf := o.conf.Clone()
				conf.GetConfigForClient = nil
				return conf, nil
			}
		}
		return nil, nil
	}
}

// serves compares a name that a client asks for with server_name.
func (p *profile) serves(name string) bool {
	want := strings.ToLower(p.serverName)
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	below := strings.HasSuffix(name, "."+want)
	switch p.nameMode {
	case nameOrBelow:
		return name == want || below
	case nameBelow:
		return below
	}
	return name == want
}

// verified says whether the peer of a connection has a certificate that its
// profile's authorities vouch for.
func (m *mod) verified(s tls.ConnectionState) bool {
	if len(s.VerifiedChains) > 0 {
		return true
	}
	ps := m.profiles.Load()
	for _, r := range []*ready{ps.client, ps.server} {
		if r.roots == nil {
			continue
		}
		if c, err := chains(s.PeerCertificates, r.roots); err == nil && r.check(c) == nil {
			return true
		}
	}
	return false
}

// expired says whether a certificate's time is over.
func expired(c *x509.Certificate) bool { return time.Now().After(c.NotAfter) }
