package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"sipd/rpc/dial"
)

// dialing are the options of a connection. The files of token and certificates
// are read only when an address wants them or an option names them.
func (o *options) dialing() (dial.Options, error) {
	opt := dial.Options{Timeout: o.timeout, LocalDir: o.replyDir, LocalName: o.replyName, Token: os.Getenv("SIPCMD_TOKEN")}
	if o.TokenFile != "" {
		text, err := os.ReadFile(o.TokenFile)
		if err != nil {
			return opt, fmt.Errorf("read the token: %w", err)
		}
		if opt.Token = strings.TrimSpace(string(text)); opt.Token == "" {
			return opt, fmt.Errorf("%s has no token in it", o.TokenFile)
		}
	}
	if strings.ContainsFunc(opt.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return opt, fmt.Errorf("the token has characters other than printable ASCII")
	}
	if o.CA == "" && o.Cert == "" && o.Key == "" && !o.Insecure {
		return opt, nil
	}
	opt.TLS = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return opt, fmt.Errorf("read the certificates of authorities: %w", err)
		}
		opt.TLS.RootCAs = x509.NewCertPool()
		if !opt.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return opt, fmt.Errorf("%s has no certificate in it", o.CA)
		}
	}
	switch {
	case o.Cert == "" && o.Key != "":
		return opt, fmt.Errorf("--key wants --cert")
	case o.Cert != "":
		key := o.Key
		if key == "" {
			key = o.Cert // both in one file
		}
		pair, err := tls.LoadX509KeyPair(o.Cert, key)
		if err != nil {
			return opt, fmt.Errorf("read the client's certificate: %w", err)
		}
		opt.TLS.Certificates = []tls.Certificate{pair}
	}
	return opt, nil
}
