package fifo

import (
	"context"
	"errors"
	"fmt"
	"iter"

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
	return rpc.Gather(c.Stream(ctx, method, args...))
}

// Stream implements [rpc.Streamer]: a value a line.
func (c *Client) Stream(ctx context.Context, method string, args ...rpc.Value) iter.Seq2[rpc.Token, error] {
	return func(yield func(rpc.Token, error) bool) {
		reply, err := c.pipe.Open(ctx, func(name string) ([]byte, error) {
			return AppendRequest(nil, method, name, args)
		})
		if err != nil {
			yield(rpc.Token{}, fmt.Errorf("call %s at fifo:%s: %w", method, c.pipe.Path, err))
			return
		}
		defer reply.Close()
		for v, err := range ReadReply(reply) {
			if _, ok := errors.AsType[*rpc.Fault](err); err != nil && !ok {
				err = fmt.Errorf("call %s at fifo:%s: %w", method, c.pipe.Path, err)
			}
			if !yield(rpc.Token{Value: v}, err) {
				return
			}
		}
	}
}

// Close implements [rpc.Client]; there is nothing to close between calls.
func (c *Client) Close() error { return nil }

var _ rpc.Streamer = (*Client)(nil)
