package fifo

import (
	"context"
	"errors"
	"fmt"

	"sipd/rpc"
)

// Client calls the methods of a daemon over its named pipe.
type Client struct{ pipe Pipe }

// Dial makes a client. It fails when the pipe is missing or nobody reads it.
func Dial(p Pipe) (*Client, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	return &Client{p}, nil
}

// Call implements [rpc.Client]. Every value of the reply is a String.
func (c *Client) Call(ctx context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	reply, err := c.pipe.Exchange(ctx, func(name string) ([]byte, error) {
		return AppendRequest(nil, method, name, args)
	})
	var vals []rpc.Value
	if err == nil {
		vals, err = ParseReply(reply)
	}
	if _, ok := errors.AsType[*rpc.Fault](err); err != nil && !ok {
		return nil, fmt.Errorf("call %s at fifo:%s: %w", method, c.pipe.Path, err)
	}
	return vals, err
}

// Close implements [rpc.Client]; there is nothing to close between calls.
func (c *Client) Close() error { return nil }

var _ rpc.Client = (*Client)(nil)
