package tls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
)

// versions reads a method of OpenSSL's: a version, or with + that and later.
func versions(method string) (low, high uint16, err error) {
	m := strings.TrimSpace(method)
	name, later := strings.CutSuffix(m, "+")
	switch strings.ToUpper(name) {
	case "SSLV23", "TLS":
		return tls.VersionTLS10, 0, nil
	case "TLSV1", "TLSV1.0":
		low = tls.VersionTLS10
	case "TLSV1.1":
		low = tls.VersionTLS11
	case "TLSV1.2":
		low = tls.VersionTLS12
	case "TLSV1.3":
		low = tls.VersionTLS13
	case "SSLV2", "SSLV3":
		return 0, 0, fmt.Errorf("method %s is broken and not served; write TLSv1.2+", method)
	default:
		return 0, 0, fmt.Errorf("there is no method %q; write TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3, with + for that and later", method)
	}
	if !later {
		high = low
	}
	return low, high, nil
}

// cipher describes a cipher suite in OpenSSL's words.
type cipher struct {
	name, version, kx, au, enc, mac string
	bits                            int
}

var ciphers = map[uint16]cipher{
	tls.TLS_AES_128_GCM_SHA256:                        {"TLS_AES_128_GCM_SHA256", "TLSv1.3", "any", "any", "AESGCM(128)", "AEAD", 128},
	tls.TLS_AES_256_GCM_SHA384:                        {"TLS_AES_256_GCM_SHA384", "TLSv1.3", "any", "any", "AESGCM(256)", "AEAD", 256},
	tls.TLS_CHACHA20_POLY1305_SHA256:                  {"TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", "any", "any", "CHACHA20/POLY1305(256)", "AEAD", 256},
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2", "ECDH", "ECDSA", "AESGCM(128)", "AEAD", 128},
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", "ECDH", "ECDSA", "AESGCM(256)", "AEAD", 256},
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         {"ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2", "ECDH", "RSA", "AESGCM(128)", "AEAD", 128},
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         {"ECDHE-RSA-AES256-GCM-SHA384", "TLSv1.2", "ECDH", "RSA", "AESGCM(256)", "AEAD", 256},
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2", "ECDH", "ECDSA", "CHACHA20/POLY1305(256)", "AEAD", 256},
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   {"ECDHE-RSA-CHACHA20-POLY1305", "TLSv1.2", "ECDH", "RSA", "CHACHA20/POLY1305(256)", "AEAD", 256},
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA:          {"ECDHE-ECDSA-AES128-SHA", "TLSv1", "ECDH", "ECDSA", "AES(128)", "SHA1", 128},
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:          {"ECDHE-ECDSA-AES256-SHA", "TLSv1", "ECDH", "ECDSA", "AES(256)", "SHA1", 256},
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:            {"ECDHE-RSA-AES128-SHA", "TLSv1", "ECDH", "RSA", "AES(128)", "SHA1", 128},
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:            {"ECDHE-RSA-AES256-SHA", "TLSv1", "ECDH", "RSA", "AES(256)", "SHA1", 256},
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256:               {"AES128-GCM-SHA256", "TLSv1.2", "RSA", "RSA", "AESGCM(128)", "AEAD", 128},
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384:               {"AES256-GCM-SHA384", "TLSv1.2", "RSA", "RSA", "AESGCM(256)", "AEAD", 256},
	tls.TLS_RSA_WITH_AES_128_CBC_SHA:                  {"AES128-SHA", "SSLv3", "RSA", "RSA", "AES(128)", "SHA1", 128},
	tls.TLS_RSA_WITH_AES_256_CBC_SHA:                  {"AES256-SHA", "SSLv3", "RSA", "RSA", "AES(256)", "SHA1", 256},
}

// describe is a cipher suite in the form of OpenSSL's list.
func describe(id uint16) string {
	c, ok := ciphers[id]
	if !ok {
		return tls.CipherSuiteName(id)
	}
	return fmt.Sprintf("%-30s %-7s Kx=%-8s Au=%-5s Enc=%-22s Mac=%-4s", c.name, c.version, c.kx, c.au, c.enc, c.mac)
}

// suiteName is OpenSSL's name of a cipher suite.
func suiteName(id uint16) string {
	if c, ok := ciphers[id]; ok {
		return c.name
	}
	return tls.CipherSuiteName(id)
}

// suites reads a cipher_list. Words for groups (HIGH, DEFAULT) stand for the
// safe ciphers; what is excluded (!aNULL) is left out where it is named. nil is
// the safe default. TLS 1.3 has no choice.
func suites(list string) ([]uint16, error) {
	var out []uint16
	group := false
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		switch {
		case name[0] == '!' || name[0] == '-' || name[0] == '+' || name[0] == '@':
		case name == "HIGH" || name == "DEFAULT" || name == "ALL" || strings.HasPrefix(name, "EECDH") || strings.HasPrefix(name, "ECDHE+"):
			group = true
		default:
			id := suiteID(name)
			if id == 0 {
				return nil, fmt.Errorf("cipher %s is not served; there are %s, and HIGH for all that are safe", name, strings.Join(suiteNames(), ", "))
			}
			out = append(out, id)
		}
	}
	switch {
	case group:
		return nil, nil
	case list != "" && len(out) == 0:
		return nil, errors.New("cipher_list allows no cipher")
	}
	return out, nil
}

func suiteID(name string) uint16 {
	for id, c := range ciphers {
		if strings.EqualFold(c.name, name) {
			return id
		}
	}
	return 0
}

// suiteNames are the safe ciphers of TLS 1.2, in the library's order.
func suiteNames() []string {
	var list []string
	for _, s := range tls.CipherSuites() {
		if c, ok := ciphers[s.ID]; ok && c.version == "TLSv1.2" {
			list = append(list, c.name)
		}
	}
	return list
}
