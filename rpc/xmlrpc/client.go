package xmlrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"

	"sipd/rpc"
)

// Post sends a request over HTTP and answers the response, whose body the
// caller closes.
type Post = func(ctx context.Context, contentType string, request []byte) (*http.Response, error)

// Client calls the methods of one server over HTTP.
type Client struct {
	// Encode writes requests; nil is [AppendRequest].
	Encode func(method string, args []rpc.Value) ([]byte, error)

	name  string
	post  Post
	close func() error
}

// New makes a client that sends its requests with post; name is how errors
// call the server, close may be nil.
func New(name string, post Post, close func() error) *Client {
	return &Client{name: name, post: post, close: close}
}

// Call implements [rpc.Client].
func (c *Client) Call(ctx context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	return gather(c.stream(ctx, MaxReply, method, args))
}

// Stream implements [rpc.Streamer].
func (c *Client) Stream(ctx context.Context, method string, args ...rpc.Value) iter.Seq2[rpc.Token, error] {
	return c.stream(ctx, math.MaxInt64, method, args)
}

func (c *Client) stream(ctx context.Context, limit int64, method string, args []rpc.Value) iter.Seq2[rpc.Token, error] {
	return func(yield func(rpc.Token, error) bool) {
		body, err := c.start(ctx, method, args)
		if err != nil {
			yield(rpc.Token{}, fmt.Errorf("call %s at %s: %w", method, c.name, err))
			return
		}
		defer body.Close()
		for t, err := range ReadReply(io.LimitReader(body, limit)) {
			if _, ok := errors.AsType[*rpc.Fault](err); err != nil && !ok {
				err = fmt.Errorf("call %s at %s: %w", method, c.name, err)
			}
			if !yield(t, err) {
				return
			}
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(body, 4096)) // lets the connection be used again
	}
}

func (c *Client) start(ctx context.Context, method string, args []rpc.Value) (io.ReadCloser, error) {
	encode := c.Encode
	if encode == nil {
		encode = func(method string, args []rpc.Value) ([]byte, error) { return AppendRequest(nil, method, args) }
	}
	request, err := encode(method, args)
	if err != nil {
		return nil, err
	}
	resp, err := c.post(ctx, "text/xml", request)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		err = fmt.Errorf("HTTP status %s: %w", resp.Status, rpc.ErrCredential)
	default:
		err = fmt.Errorf("HTTP status %s", resp.Status)
	}
	_ = resp.Body.Close()
	return nil, err
}

// Close implements [rpc.Client].
func (c *Client) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

var _ rpc.Streamer = (*Client)(nil)
