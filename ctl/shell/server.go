package shell

import (
	"context"
	"errors"

	"sipd/ctl/shell/reply"
	"sipd/rpc"
)

// Server is a daemon that commands go to.
type Server struct {
	// Address is what the user should read where the daemon is named.
	Address string
	// Dial connects to it. It is called when a command first needs the
	// connection, and again after the connection was lost.
	Dial func(context.Context) (rpc.Client, error)

	client rpc.Client
}

func (v *Server) connect(ctx context.Context) error {
	if v.client != nil {
		return nil
	}
	c, err := v.Dial(ctx)
	if err == nil {
		v.client = c
	}
	return err
}

func (v *Server) close() error {
	if v.client == nil {
		return nil
	}
	c := v.client
	v.client = nil
	return c.Close()
}

// visit calls a method. After a failure that is not the daemon's own fault the
// next call connects anew.
func (v *Server) visit(ctx context.Context, to reply.Visitor, method string, args ...rpc.Value) error {
	if err := v.connect(ctx); err != nil {
		return &ConnectError{err}
	}
	return v.after(reply.Call(ctx, v.client, to, method, args...))
}

// after ends the connection after an error that is not the daemon's own.
func (v *Server) after(err error) error {
	if _, isFault := errors.AsType[*rpc.Fault](err); err != nil && !isFault {
		_ = v.close() // the call's error says more
	}
	return err
}

// ConnectError is a daemon that was not reached: nothing was sent.
type ConnectError struct{ err error }

func (e *ConnectError) Error() string { return e.err.Error() }
func (e *ConnectError) Unwrap() error { return e.err }
