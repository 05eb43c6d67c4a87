package jsonrpc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"

	"sipd/rpc"
)

// Post sends a request over HTTP and answers the response, whose body the
// caller closes.
type Post = func(ctx context.Context, contentType string, request []byte) (*http.Response, error)

// HTTP makes a client that sends its requests with post; name is how errors
// call the server, close may be nil.
func HTTP(name string, post Post, close func() error) *Client {
	c := &Client{name: name, close: close}
	c.open = func(ctx context.Context, build func(string) ([]byte, error)) (io.ReadCloser, error) {
		request, err := build("")
		if err != nil {
			return nil, err
		}
		resp, err := post(ctx, "application/json", request)
		if err != nil {
			return nil, err
		}
		return reply(resp)
	}
	return c
}

// reply is the body of a response. The status repeats a fault's code and the
// body says more; without a reply in it the status is all there is.
func reply(resp *http.Response) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(resp.Body, 1<<16)
	for {
		switch c, err := in.ReadByte(); {
		case err == nil && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		case err == nil && (c == '{' || c == '[' || resp.StatusCode == http.StatusOK && c != '<'):
			_ = in.UnreadByte()
			return struct {
				io.Reader
				io.Closer
			}{in, resp.Body}, nil
		case err != nil && err != io.EOF:
			_ = resp.Body.Close()
			return nil, err
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
			return nil, fmt.Errorf("HTTP status %s: %w", resp.Status, rpc.ErrCredential)
		}
		return nil, fmt.Errorf("HTTP status %s: %w", resp.Status, ErrReply)
	}
}
