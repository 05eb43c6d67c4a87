package ctl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sipd/db"
)

func (a *App) tlsCertificateCommand() *cobra.Command {
	var dir string
	var days int
	c := &cobra.Command{
		Use: "certificate NAME", Aliases: []string{"gen-certs"}, Short: "Make a key and a certificate signed by itself", Args: want(1, 1),
		Long: `Makes NAME-key.pem (readable by its owner only) and NAME-selfsigned.pem for a host
name or an IP address. Files that exist are not touched. Phones trust such a
certificate only when they are told to.`,
		Example: "  sipctl tls certificate sip.example.com --dir /etc/sipd",
		RunE: func(_ *cobra.Command, args []string) error {
			if a.opt.dryRun {
				return a.say("made a certificate for %s in %s", args[0], dir)
			}
			key, cert, err := selfSigned(dir, args[0], days)
			if err != nil {
				return err
			}
			return a.say("made %s and %s, good for %d days", key, cert, days)
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", "`folder` for the files")
	c.Flags().IntVar(&days, "days", 365, "how many `days` it is good for")
	return c
}

// selfSigned writes an ECDSA key and a certificate for a host.
func selfSigned(dir, name string, days int) (keyFile, certFile string, err error) {
	ip := net.ParseIP(name)
	if ip == nil {
		if err := db.CheckDomain("name", name); err != nil {
			return "", "", err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return "", "", err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, days),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if ip != nil {
		t.IPAddresses = []net.IP{ip}
	} else {
		t.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return "", "", err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	keyFile, certFile = filepath.Join(dir, name+"-key.pem"), filepath.Join(dir, name+"-selfsigned.pem")
	if err := newFile(keyFile, 0o600, "PRIVATE KEY", raw); err != nil {
		return "", "", err
	}
	return keyFile, certFile, newFile(certFile, 0o644, "CERTIFICATE", der)
}

// newFile writes a PEM file that must not be there yet.
func newFile(path string, mode os.FileMode, kind string, der []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", kind, err)
	}
	if err := pem.Encode(f, &pem.Block{Type: kind, Bytes: der}); err != nil {
		_ = f.Close() // the first error tells it
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}
