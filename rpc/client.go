package rpc

import (
	"context"
	"errors"
)

// ErrCredential is a daemon that wants a credential, or another one.
var ErrCredential = errors.New("the daemon wants a credential, or another one")

// Client calls methods of one daemon over one wire.
type Client interface {
	// Call sends one request and returns the reply's values in order, or a
	// *Fault when the daemon refused, or a transport error.
	Call(ctx context.Context, method string, args ...Value) ([]Value, error)
	Close() error
}
