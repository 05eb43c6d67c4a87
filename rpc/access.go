package rpc

import (
	"errors"
	"fmt"
	"strings"
)

// Role is what a caller may do.
type Role uint8

// The roles. None may call nothing but methods that say so (Method.Public):
// showing a credential is one.
const (
	None Role = iota
	ReadOnly
	Full
)

// ErrRole is text that is no role.
var ErrRole = errors.New(`a role is "read-only" or "full"`)

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	switch strings.ToLower(s) {
	case "read-only", "readonly":
		return ReadOnly, nil
	case "full":
		return Full, nil
	}
	return None, fmt.Errorf("%q: %w", s, ErrRole)
}

func (r Role) String() string { return [...]string{"none", "read-only", "full"}[r] }

// Caller is who asks: the peer of one connection or datagram. It is used by
// one goroutine at a time.
type Caller struct {
	// Peer says where the call comes from, for the log: "unix uid=0 pid=12",
	// "127.0.0.1:4711".
	Peer string
	// Name is that of the credential shown, "" for none.
	Name string
	Role Role
	// Login takes a token and, when it is one, sets Name and Role; nil where
	// the wire has no place for it.
	Login func(c *Caller, token string) bool
}

// Trusted is a caller who may do everything: a test, or the daemon itself.
func Trusted(peer string) *Caller { return &Caller{Peer: peer, Role: Full} }

// String is the peer and, where there is one, the credential's name.
func (c *Caller) String() string {
	if c.Name == "" {
		return c.Peer
	}
	return c.Name + " at " + c.Peer
}

// may is nil, or why the caller may not call m.
func (c *Caller) may(m *Method) *Fault {
	switch {
	case c.Role == Full || m.Public:
		return nil
	case c.Role == None:
		return &Fault{401, "a credential is needed: show a token (ctl.login, or HTTP Authorization) or a client certificate"}
	case m.Changes:
		return Faultf(403, "%s changes the daemon and the role of %s is read-only", m.Name, c)
	}
	return nil
}
