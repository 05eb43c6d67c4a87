package kamctl

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

func (k *control) tls(ctx context.Context, args []string) error {
	switch arg(args, 1) {
	case "rootCA":
		return k.rootCA(ctx, arg(args, 2))
	case "userCERT":
		return k.userCert(ctx, arg(args, 2), arg(args, 3))
	case "gen-certs":
		return k.selfSigned(arg(args, 2))
	}
	k.error("unknown TLS command %s", arg(args, 1))
	k.help("tls")
	return k.lied()
}

const keyBits = 4096

// selfSigned writes a key and a certificate of its own into the working folder.
func (k *control) selfSigned(name string) error {
	k.echo("Generating self signed certificates")
	days, err := strconv.ParseUint(k.rc.get("CERTDAYS", "365"), 10, 16)
	if err != nil || days == 0 {
		k.error("CERTDAYS '%s' is no number of days", k.rc.get("CERTDAYS", ""))
		return failed
	}
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return err
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now, NotAfter: now.AddDate(0, 0, int(days)), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM("kamailio-selfsigned.key", "PRIVATE KEY", secret, 0o600); err != nil {
		return err
	}
	return writePEM("kamailio-selfsigned.pem", "CERTIFICATE", der, 0o644)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// tlsDir is the folder of the configuration of the certificates.
func (k *control) tlsDir(dir string) (string, error) {
	if dir == "" {
		dir = filepath.Join(k.rc.get("ETCDIR", "/etc/kamailio"), "tls")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		k.error("Config directory (%s) does not exist", dir)
		return "", failed
	}
	return dir, nil
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// fresh empties a folder, after asking when it is there.
func (k *control) fresh(what, dir string) error {
	if exists(dir) {
		k.warn("%s directory (%s) exists! Remove it (y/n)?", what, dir)
		if answer := k.line(); answer != "y" && answer != "Y" {
			return failed
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return os.MkdirAll(dir, 0o755)
}

// openssl runs the program, which makes the certificates of the site's own
// configuration.
func (k *control) openssl(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "openssl", args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, k.In, k.Out, k.Err
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w: the certificates of a CA are made by openssl", err)
	}
	return err
}

func (k *control) rootCA(ctx context.Context, base string) error {
	base, err := k.tlsDir(base)
	if err != nil {
		return err
	}
	conf, dir := filepath.Join(base, "ca.conf"), filepath.Join(base, "rootCA")
	if !exists(conf) {
		k.error("root CA config file (%s) does not exist", conf)
		return failed
	}
	if err := k.fresh("root CA", dir); err != nil {
		return err
	}
	k.echo("Creating directory %s and its sub-tree", dir)
	for _, d := range []string{"private", "certs"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"index.txt": "", "serial": "01\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	k.echo("Creating CA self-signed certificate")
	if err := k.openssl(ctx, dir, "req", "-config", conf, "-x509", "-newkey", "rsa:2048", "-days", "365", "-out", "./cacert.pem", "-outform", "PEM"); err != nil {
		return k.sqlError(err, "Failed to create self-signed certificate")
	}
	k.echo("Protecting CA private key")
	key := filepath.Join(dir, "private", "cakey.pem")
	if err := os.Chmod(key, 0o600); err != nil {
		return err
	}
	k.echo("DONE")
	k.info("Private key can be found in %s", key)
	k.info("Certificate can be found in %s", filepath.Join(dir, "cacert.pem"))
	return nil
}

func (k *control) userCert(ctx context.Context, user, base string) error {
	if user == "" || filepath.Base(user) != user {
		k.error("Missing user name parameter")
		return failed
	}
	base, err := k.tlsDir(base)
	if err != nil {
		return err
	}
	dir, conf, request := filepath.Join(base, user), filepath.Join(base, user+".conf"), filepath.Join(base, "request.conf")
	if !exists(conf) {
		k.error("User config file %s not found", conf)
		return failed
	}
	if !exists(request) {
		k.error("Request config file %s not found", request)
		return failed
	}
	k.echo("Using config file %s", conf)
	if err := k.fresh("User CERT", dir); err != nil {
		return err
	}
	k.echo("Creating directory %s", dir)
	file := func(what string) string { return filepath.Join(dir, user+"-"+what+".pem") }
	k.echo("Creating user certificate request")
	if err := k.openssl(ctx, base, "req", "-config", conf, "-out", file("cert_req"), "-keyout", file("privkey"), "-new", "-nodes"); err != nil {
		return k.sqlError(err, "Failed to generate certificate request")
	}
	k.echo("Signing certificate request")
	if err := k.openssl(ctx, base, "ca", "-config", request, "-in", file("cert_req"), "-out", file("cert")); err != nil {
		return k.sqlError(err, "Failed to generate certificate request")
	}
	k.echo("Generating CA list")
	ca, err := os.ReadFile(filepath.Join(base, "rootCA", "cacert.pem"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(file("calist"), ca, 0o644); err != nil {
		return err
	}
	k.echo("DONE")
	k.info("Private key is locate at %s", file("privkey"))
	k.info("Certificate is locate at %s", file("cert"))
	k.info("CA-List is locate at %s", file("calist"))
	return nil
}
