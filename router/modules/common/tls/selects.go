package tls

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"

	"sipd/router/pv"
	"sipd/router/run"
)

// selects are @tls….
func (m *mod) selects() []pv.SelectDef {
	return []pv.SelectDef{{
		Name: "tls", Help: "the connection: @tls.version @tls.cipher.bits @tls.peer.subject.cn @tls.my.host …", New: m.newSelect,
	}}
}

func (m *mod) newSelect(parts []pv.SelectPart) (pv.Getter, error) {
	var names []string
	for _, p := range parts[1:] {
		names = append(names, p.Name)
	}
	if g := m.compileSelect(names); g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("@tls has version, desc, cipher, cipher.bits, server_name, peer… and my…, as in @tls.peer.subject.cn")
}

func (m *mod) compileSelect(names []string) pv.Getter {
	if len(names) == 0 {
		return nil
	}
	rest := names[1:]
	switch names[0] {
	case "version":
		return exactly(rest, m.ofState(version))
	case "desc", "description":
		return exactly(rest, m.ofState(func(s tls.ConnectionState) run.Value { return run.Str(describe(s.CipherSuite)) }))
	case "server_name":
		return exactly(rest, m.ofState(func(s tls.ConnectionState) run.Value { return text(s.ServerName) }))
	case "cipher":
		if len(rest) == 1 && rest[0] == "bits" {
			return m.ofState(func(s tls.ConnectionState) run.Value { return run.Int(ciphers[s.CipherSuite].bits) })
		}
		return exactly(rest, m.ofState(func(s tls.ConnectionState) run.Value { return run.Str(suiteName(s.CipherSuite)) }))
	case "peer":
		return m.peerSelect(rest)
	case "my", "me", "myself":
		return certSelect(rest, m.mine)
	}
	return nil
}

// exactly is g when no part is left over.
func exactly(rest []string, g pv.Getter) pv.Getter {
	if len(rest) > 0 {
		return nil
	}
	return g
}

func (m *mod) peerSelect(names []string) pv.Getter {
	if len(names) == 0 {
		return nil
	}
	for _, f := range m.flags() {
		if f.name == names[0] {
			return exactly(names[1:], m.ofState(func(s tls.ConnectionState) run.Value { return flag(f.test(s)) }))
		}
	}
	return certSelect(names, m.peer)
}

// certSelect compiles the parts behind peer or my.
func certSelect(names []string, cert certFunc) pv.Getter {
	if len(names) == 0 {
		return nil
	}
	rest := names[1:]
	of := func(f func(*x509.Certificate) run.Value) pv.Getter { return exactly(rest, ofCert(cert, f)) }
	switch names[0] {
	case "version":
		return of(certVersion)
	case "sn", "serial_number":
		return of(serial)
	case "not_before":
		return of(func(x *x509.Certificate) run.Value { return when(x.NotBefore) })
	case "not_after":
		return of(func(x *x509.Certificate) run.Value { return when(x.NotAfter) })
	case "raw":
		return of(func(x *x509.Certificate) run.Value { return run.Str(raw(x)) })
	case "urlencoded":
		return of(func(x *x509.Certificate) run.Value { return run.Str(urlencoded(x)) })
	case "subject", "issuer":
		return nameSelect(rest, cert, names[0] == "issuer")
	}
	for _, a := range alternatives {
		if slices.Contains(a.selects, names[0]) {
			return of(at(a.get, &pv.Name{}))
		}
	}
	return nameSelect(names, cert, false) // @tls.peer.cn is the subject's
}

func nameSelect(names []string, cert certFunc, issuer bool) pv.Getter {
	for _, p := range parts {
		if len(names) == 0 && p.selects == nil || len(names) == 1 && slices.Contains(p.selects, names[0]) {
			return ofCert(cert, func(x *x509.Certificate) run.Value { return text(p.get(name(x, issuer))) })
		}
	}
	return nil
}
