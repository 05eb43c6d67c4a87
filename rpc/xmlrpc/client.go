package xmlrpc

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	kolo "github.com/kolo/xmlrpc"

	"sipd/rpc"
)

// ErrRequest is a call that XML-RPC cannot carry.
var ErrRequest = errors.New("XML-RPC cannot carry it")

// Client calls the methods of one server over HTTP.
type Client struct {
	url  string
	http *http.Client
}

// New makes a client for the server at an http or https URL. timeout bounds
// each call; 0 waits for ever.
func New(url string, timeout time.Duration) *Client {
	return &Client{url, &http.Client{Timeout: timeout, Transport: http.DefaultTransport.(*http.Transport).Clone()}}
}

// Call implements [rpc.Client].
func (c *Client) Call(ctx context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	vals, err := c.call(ctx, method, args)
	if _, ok := errors.AsType[*rpc.Fault](err); err != nil && !ok {
		return nil, fmt.Errorf("call %s at %s: %w", method, c.url, err)
	}
	return vals, err
}

func (c *Client) call(ctx context.Context, method string, args []rpc.Value) ([]rpc.Value, error) {
	list := make([]any, len(args))
	for i, a := range args {
		v, err := native(a, 0)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		list[i] = v
	}
	if method == "" || strings.ContainsAny(method, "<>&") || !legal(method) {
		return nil, fmt.Errorf("method name %q: %w", method, ErrRequest)
	}
	req, err := kolo.NewRequest(c.url, method, list)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %s", resp.Status)
	}
	vals, err := ParseReply(resp.Body)
	if errors.Is(err, ErrReply) {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4096)) // lets the connection be used again
	return vals, err
}

// Close implements [rpc.Client].
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// native makes of a value what the encoder writes.
func native(v rpc.Value, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("values nested deeper than %d: %w", maxNesting, ErrRequest)
	}
	switch v := v.(type) {
	case rpc.Int:
		return int64(v), nil
	case rpc.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("number %v: %w", f, ErrRequest)
		}
		return float64(v), nil
	case rpc.Bool:
		return bool(v), nil
	case rpc.Time:
		return time.Unix(int64(v), 0).UTC(), nil
	case rpc.String:
		return text(string(v))
	case rpc.Text:
		return text(string(v))
	case rpc.Bytes:
		return kolo.Base64(base64.StdEncoding.EncodeToString(v)), nil
	case rpc.Array:
		list := make([]any, len(v))
		for i, e := range v {
			n, err := native(e, depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = n
		}
		return list, nil
	case rpc.Struct:
		m := make(map[string]any, len(v))
		for _, e := range v {
			n, err := native(e.Value, depth+1)
			if err != nil {
				return nil, err
			}
			if _, twice := m[e.Name]; twice || strings.ContainsAny(e.Name, "<>&") || !legal(e.Name) {
				return nil, fmt.Errorf("member name %q (repeated, or with characters of XML): %w", e.Name, ErrRequest)
			}
			m[e.Name] = n
		}
		return m, nil
	}
	return nil, fmt.Errorf("a value of type %T: %w", v, ErrRequest)
}

func text(s string) (any, error) {
	if !legal(s) {
		return nil, fmt.Errorf("text %.40q has characters that XML does not allow: %w", s, ErrRequest)
	}
	return s, nil
}

// legal says whether XML 1.0 may hold s.
func legal(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

var _ rpc.Client = (*Client)(nil)
