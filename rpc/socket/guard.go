package socket

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"sipd/rpc"
)

// Access is what a wire asks of callers from beyond this machine.
type Access uint8

// The kinds of access. Callers through a unix socket or a loopback address are
// trusted as the file's mode, and the machine, say.
const (
	Guarded Access = iota // TLS and a credential
	Token                 // a credential: something else protects the way
	Open                  // nothing: whoever reaches it may do everything
)

// ErrAccess is text that is no access.
var ErrAccess = errors.New(`access is "guarded" (TLS and a credential), "token" (a credential without TLS) or "open" (nobody is asked)`)

// ParseAccess reads an access.
func ParseAccess(s string) (Access, error) {
	for a := Guarded; a <= Open; a++ {
		if strings.EqualFold(s, a.String()) {
			return a, nil
		}
	}
	return Guarded, fmt.Errorf("%q: %w", s, ErrAccess)
}

func (a Access) String() string { return [...]string{"guarded", "token", "open"}[a] }

// Guard knows the credentials of all wires of one daemon: the file that the
// core parameter rpc_credentials names. A line of it is a name, a role and
// what shows that somebody is that: the SHA-256 of a token, or of a client
// certificate in DER.
//
//	# name   role       credential
//	monitor  read-only  token:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//	ops      full       cert:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
//
// The file is read again when it changed. A nil Guard knows nobody.
type Guard struct {
	// TLS is for tls: addresses and https; nil where there is no certificate.
	TLS *tls.Config

	path string

	mu sync.Mutex
	// mu guards the fields below.
	list    []credential
	read    time.Time // the file's time when it was read
	size    int64
	checked time.Time
}

type credential struct {
	name string
	role rpc.Role
	cert bool
	hash [sha256.Size]byte
}

// newGuard reads the credentials in a file; "" is a guard that knows nobody.
// The error says which line is wrong, or that others may write the file.
func newGuard(path string) (*Guard, error) {
	g := &Guard{path: path}
	if path == "" {
		return g, nil
	}
	return g, g.load()
}

func (g *Guard) load() error {
	f, err := os.Open(g.path)
	if err != nil {
		return fmt.Errorf("rpc_credentials: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("rpc_credentials: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("rpc_credentials: others may write %s: chmod 600 it", g.path)
	}
	var list []credential
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		c, err := parseCredential(fields)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", g.path, n, err)
		}
		list = append(list, c)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("rpc_credentials: %s: %w", g.path, err)
	}
	g.list, g.read, g.size = list, info.ModTime(), info.Size()
	return nil
}

func parseCredential(fields []string) (credential, error) {
	if len(fields) != 3 {
		return credential{}, errors.New("want three words: name, role, token:HASH or cert:HASH")
	}
	role, err := rpc.ParseRole(fields[1])
	if err != nil {
		return credential{}, err
	}
	kind, text, _ := strings.Cut(fields[2], ":")
	if kind != "token" && kind != "cert" {
		return credential{}, fmt.Errorf("%q is neither token:HASH nor cert:HASH", fields[2])
	}
	hash, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(hash) != sha256.Size {
		return credential{}, fmt.Errorf("the %s of %s is no SHA-256 in hexadecimal: printf %%s TOKEN | sha256sum makes one", kind, fields[0])
	}
	return credential{fields[0], role, kind == "cert", [sha256.Size]byte(hash)}, nil
}

// recheck is how often the file is looked at.
const recheck = time.Second

// credentials is the list as of now. A file that no longer reads leaves the
// list as it was: locking the operators out would help nobody.
func (g *Guard) credentials() []credential {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.path == "" || time.Since(g.checked) < recheck {
		return g.list
	}
	g.checked = time.Now()
	if info, err := os.Stat(g.path); err == nil && (!info.ModTime().Equal(g.read) || info.Size() != g.size) {
		_ = g.load()
	}
	return g.list
}

// find goes over the whole list, so that the time tells nothing.
func (g *Guard) find(cert bool, data []byte) (credential, bool) {
	if g == nil {
		return credential{}, false
	}
	hash := sha256.Sum256(data)
	var found credential
	ok := false
	for _, c := range g.credentials() {
		if c.cert == cert && subtle.ConstantTimeCompare(c.hash[:], hash[:]) == 1 {
			found, ok = c, true
		}
	}
	return found, ok
}

// Login gives c the name and role of a token, at most the role most; false
// when there is none such.
func (g *Guard) Login(c *rpc.Caller, token string, most rpc.Role) bool {
	cred, ok := g.find(false, []byte(token))
	if ok {
		c.Name, c.Role = cred.name, min(cred.role, most)
	}
	return ok
}

// certificate is Login with a client certificate.
func (g *Guard) certificate(c *rpc.Caller, cert *x509.Certificate, most rpc.Role) bool {
	cred, ok := g.find(true, cert.Raw)
	if ok {
		c.Name, c.Role = cred.name, min(cred.role, most)
	}
	return ok
}

// Origin is where a call comes from.
type Origin struct {
	// Peer is for the log.
	Peer string
	// Addr is the peer's address; not valid for unix sockets.
	Addr netip.Addr
	// TLS says that the way is encrypted; Cert is the client's certificate, of
	// which the client has the key, nil for none.
	TLS  bool
	Cert *x509.Certificate
}

// Admit makes the caller of what comes from somewhere: with all rights from
// this machine, with those of its certificate, or with none until a token is
// shown. most bounds the role; None means Full.
func (g *Guard) Admit(o Origin, access Access, most rpc.Role) *rpc.Caller {
	if most == rpc.None {
		most = rpc.Full
	}
	c := &rpc.Caller{Peer: o.Peer}
	local := !o.Addr.IsValid() || o.Addr.Unmap().IsLoopback()
	if local || access == Open {
		c.Role = most
	}
	if o.Cert != nil {
		g.certificate(c, o.Cert, most)
	}
	if local || o.TLS || access != Guarded {
		c.Login = func(c *rpc.Caller, token string) bool { return g.Login(c, token, most) }
	}
	return c
}
