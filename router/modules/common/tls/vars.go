package tls

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/transport"
)

// state is the TLS state of the connection that a message came over.
func (m *mod) state(c *run.Context) (tls.ConnectionState, bool) {
	if c.Recv.Proto != transport.TLS || m.transport == nil {
		return tls.ConnectionState{}, false
	}
	return m.transport.TLSState(c.Recv.Conn)
}

// peer is the peer's certificate, nil when there is none.
func (m *mod) peer(c *run.Context) *x509.Certificate {
	if s, ok := m.state(c); ok && len(s.PeerCertificates) > 0 {
		return s.PeerCertificates[0]
	}
	return nil
}

// mine is the certificate that this side showed.
func (m *mod) mine(c *run.Context) *x509.Certificate {
	s, ok := m.state(c)
	if !ok || c.Recv.Sock == nil {
		return nil
	}
	ps := m.profiles.Load()
	r := ps.byAddr(true, c.Recv.Sock.Addr, ps.server)
	if choose := r.conf.GetConfigForClient; choose != nil {
		if conf, err := choose(&tls.ClientHelloInfo{ServerName: s.ServerName}); err == nil && conf != nil {
			return conf.Certificates[0].Leaf
		}
	}
	return r.conf.Certificates[0].Leaf
}

// certFunc finds one of the two certificates.
type certFunc func(*run.Context) *x509.Certificate

// ofCert is a variable of a certificate; it is undefined without one.
func ofCert(cert certFunc, f func(*x509.Certificate) run.Value) pv.Getter {
	return func(c *run.Context) run.Value {
		x := cert(c)
		if x == nil {
			return run.Null
		}
		return f(x)
	}
}

// ofState is a variable of the connection.
func (m *mod) ofState(f func(tls.ConnectionState) run.Value) pv.Getter {
	return func(c *run.Context) run.Value {
		s, ok := m.state(c)
		if !ok {
			return run.Null
		}
		return f(s)
	}
}

// version is written as OpenSSL does: TLSv1, TLSv1.2.
func version(s tls.ConnectionState) run.Value {
	return run.Str("TLSv" + strings.TrimSuffix(strings.TrimPrefix(tls.VersionName(s.Version), "TLS "), ".0"))
}

// parts are the components of subject and issuer, by the names of variables
// and those of selects.
var parts = []struct {
	suffix  string
	selects []string
	get     func(*pkix.Name) string
}{
	{"", nil, func(n *pkix.Name) string { return oneline(n) }},
	{"_cn", []string{"name", "cn", "common_name"}, func(n *pkix.Name) string { return n.CommonName }},
	{"_locality", []string{"l", "locality", "locality_name"}, func(n *pkix.Name) string { return first(n.Locality) }},
	{"_country", []string{"c", "country", "country_name"}, func(n *pkix.Name) string { return first(n.Country) }},
	{"_state", []string{"st", "state", "state_or_province_name"}, func(n *pkix.Name) string { return first(n.Province) }},
	{"_organization", []string{"o", "org", "organization", "organization_name"}, func(n *pkix.Name) string { return first(n.Organization) }},
	{"_unit", []string{"ou", "unit", "org_unit", "organizational_unit_name"}, func(n *pkix.Name) string { return first(n.OrganizationalUnit) }},
	{"_uid", []string{"uid", "uniqueIdentifier"}, userID},
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// userID is the attribute UID (RFC 4519).
func userID(n *pkix.Name) string {
	for _, a := range n.Names {
		if a.Type.Equal(asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}) {
			return fmt.Sprint(a.Value)
		}
	}
	return ""
}

// oneline is a name as OpenSSL writes it in one line: /C=CZ/O=x/CN=y.
func oneline(n *pkix.Name) string {
	short := map[string]string{
		"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
		"1.2.840.113549.1.9.1": "emailAddress", "0.9.2342.19200300.100.1.1": "UID",
	}
	var b strings.Builder
	for _, a := range n.Names {
		key := short[a.Type.String()]
		if key == "" {
			key = a.Type.String()
		}
		fmt.Fprintf(&b, "/%s=%v", key, a.Value)
	}
	return b.String()
}

// text is a value that is undefined when it is empty.
func text(s string) run.Value {
	if s == "" {
		return run.Null
	}
	return run.Str(s)
}

func name(x *x509.Certificate, issuer bool) *pkix.Name {
	if issuer {
		return &x.Issuer
	}
	return &x.Subject
}

// alternatives are the kinds of alternative names.
var alternatives = []struct {
	name    string
	selects []string
	get     func(*x509.Certificate) []string
}{
	{"email", []string{"email", "emailAddress", "email_address"}, func(x *x509.Certificate) []string { return x.EmailAddresses }},
	{"hostname", []string{"host", "hostname", "dns"}, func(x *x509.Certificate) []string { return x.DNSNames }},
	{"uri", []string{"uri", "url"}, func(x *x509.Certificate) []string {
		var list []string
		for _, u := range x.URIs {
			list = append(list, u.String())
		}
		return list
	}},
	{"ip", []string{"ip", "IPAddress"}, func(x *x509.Certificate) []string {
		var list []string
		for _, ip := range x.IPAddresses {
			list = append(list, ip.String())
		}
		return list
	}},
}

// flags are the tests of a peer's certificate.
func (m *mod) flags() []struct {
	name string
	test func(tls.ConnectionState) bool
} {
	return []struct {
		name string
		test func(tls.ConnectionState) bool
	}{
		{"verified", m.verified},
		{"revoked", func(s tls.ConnectionState) bool {
			ps := m.profiles.Load()
			return len(s.PeerCertificates) > 0 && (ps.server.revoked(s.PeerCertificates[0]) || ps.client.revoked(s.PeerCertificates[0]))
		}},
		{"expired", func(s tls.ConnectionState) bool {
			return len(s.PeerCertificates) > 0 && expired(s.PeerCertificates[0])
		}},
		{"selfsigned", func(s tls.ConnectionState) bool {
			return len(s.PeerCertificates) > 0 && s.PeerCertificates[0].CheckSignatureFrom(s.PeerCertificates[0]) == nil
		}},
	}
}

func flag(b bool) run.Value {
	if b {
		return run.Int(1)
	}
	return run.Int(0)
}

// when is a time as OpenSSL prints it.
func when(t time.Time) run.Value { return run.Str(t.UTC().Format("Jan _2 15:04:05 2006 GMT")) }

func serial(x *x509.Certificate) run.Value { return run.Str(x.SerialNumber.String()) }

// certVersion counts from 0, as the library of the elders does.
func certVersion(x *x509.Certificate) run.Value { return run.Str(strconv.Itoa(x.Version - 1)) }

func raw(x *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.Raw}))
}

func urlencoded(x *x509.Certificate) string { return url.QueryEscape(raw(x)) }

// vars are the module's variables.
func (m *mod) vars() []pv.Def {
	list := []pv.Def{
		{Name: "tls_version", Help: "TLS version of the connection", Simple: m.ofState(version)},
		{Name: "tls_description", Help: "the cipher in OpenSSL's words", Simple: m.ofState(func(s tls.ConnectionState) run.Value { return run.Str(describe(s.CipherSuite)) })},
		{Name: "tls_cipher_info", Help: "name of the cipher", Simple: m.ofState(func(s tls.ConnectionState) run.Value { return run.Str(suiteName(s.CipherSuite)) })},
		{Name: "tls_cipher_bits", Help: "bits of the cipher's key", Simple: m.ofState(func(s tls.ConnectionState) run.Value { return run.Int(ciphers[s.CipherSuite].bits) })},
		{Name: "tls_peer_server_name", Help: "server name that the client asked for (SNI)", Simple: m.ofState(func(s tls.ConnectionState) run.Value { return text(s.ServerName) })},
		{Name: "tls_peer_notBefore", Help: "start of the peer's certificate", Simple: ofCert(m.peer, func(x *x509.Certificate) run.Value { return when(x.NotBefore) })},
		{Name: "tls_peer_notAfter", Help: "end of the peer's certificate", Simple: ofCert(m.peer, func(x *x509.Certificate) run.Value { return when(x.NotAfter) })},
	}
	for _, f := range m.flags() {
		list = append(list, pv.Def{
			Name: "tls_peer_" + f.name, Help: "1 when the peer's certificate is " + f.name + ", else 0",
			Simple: m.ofState(func(s tls.ConnectionState) run.Value { return flag(f.test(s)) }),
		})
	}
	for _, side := range []struct {
		name, whose string
		cert        certFunc
	}{{"peer", "the peer's", m.peer}, {"my", "this side's", m.mine}} {
		list = append(list, sideVars(side.name, side.whose, side.cert)...)
	}
	return list
}

// sideVars are the variables of one side's certificate.
func sideVars(side, whose string, cert certFunc) []pv.Def {
	list := []pv.Def{
		{Name: "tls_" + side + "_version", Help: "version of " + whose + " certificate", Simple: ofCert(cert, certVersion)},
		{Name: "tls_" + side + "_serial", Help: "serial number of " + whose + " certificate", Simple: ofCert(cert, serial)},
		{Name: "tls_" + side + "_raw_cert", Help: whose + " certificate in PEM", Simple: ofCert(cert, func(x *x509.Certificate) run.Value { return run.Str(raw(x)) })},
		{Name: "tls_" + side + "_urlencoded_cert", Help: whose + " certificate in PEM, escaped for URLs", Simple: ofCert(cert, func(x *x509.Certificate) run.Value { return run.Str(urlencoded(x)) })},
	}
	for _, of := range []struct {
		name   string
		issuer bool
	}{{"subject", false}, {"issuer", true}} {
		for _, p := range parts {
			list = append(list, pv.Def{
				Name: "tls_" + side + "_" + of.name + p.suffix, Help: of.name + " of " + whose + " certificate" + strings.ReplaceAll(p.suffix, "_", ": "),
				Simple: ofCert(cert, func(x *x509.Certificate) run.Value { return text(p.get(name(x, of.issuer))) }),
			})
		}
	}
	for _, a := range alternatives {
		list = append(list, pv.Def{
			Name: "tls_" + side + "_san_" + a.name, Help: "alternative name of " + whose + " certificate; [n] for the one at n",
			New: func(n *pv.Name) (pv.Var, error) { return pv.Var{Get: ofCert(cert, at(a.get, n))}, nil },
		})
	}
	return list
}

// at reads one of several names, by index.
func at(get func(*x509.Certificate) []string, n *pv.Name) func(*x509.Certificate) run.Value {
	return func(x *x509.Certificate) run.Value {
		list := get(x)
		i := n.Index
		if i < 0 {
			i += len(list)
		}
		if i < 0 || i >= len(list) {
			return run.Null
		}
		return run.Str(list[i])
	}
}
