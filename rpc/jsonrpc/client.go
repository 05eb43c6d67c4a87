package jsonrpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"sipd/rpc"
)

// Exchange carries one request to the daemon and its reply back. build makes
// the request; it wants the name of the reply pipe, "" where there is none.
type Exchange func(ctx context.Context, build func(replyName string) ([]byte, error)) ([]byte, error)

// Client calls the methods of one daemon.
type Client struct {
	name     string // of the server, for errors
	exchange Exchange
	close    func() error
	id       atomic.Int64
}

// NewClient makes a client on any way to exchange requests and replies; name
// is how errors call the server, close may be nil.
func NewClient(name string, exchange Exchange, close func() error) *Client {
	return &Client{name: name, exchange: exchange, close: close}
}

// Call implements [rpc.Client].
func (c *Client) Call(ctx context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	id := int(c.id.Add(1))
	reply, err := c.exchange(ctx, func(replyName string) ([]byte, error) {
		return AppendRequest(nil, method, replyName, id, args)
	})
	var vals []rpc.Value
	if err == nil {
		vals, err = ParseReply(reply, id)
	}
	if _, ok := errors.AsType[*rpc.Fault](err); err != nil && !ok {
		return nil, fmt.Errorf("call %s at %s: %w", method, c.name, err)
	}
	return vals, err
}

// Close implements [rpc.Client].
func (c *Client) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

// HTTP makes a client for the server at an http or https URL. timeout bounds
// each call; 0 waits for ever.
func HTTP(url string, timeout time.Duration) *Client {
	h := &http.Client{Timeout: timeout, Transport: http.DefaultTransport.(*http.Transport).Clone()}
	exchange := func(ctx context.Context, build func(string) ([]byte, error)) ([]byte, error) {
		body, err := build("")
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := h.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		reply, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply))
		if err != nil {
			return nil, err
		}
		// The status repeats a fault's code: the body says more. Without a
		// reply in it the status is all there is.
		if len(bytes.TrimSpace(reply)) == 0 || reply[0] == '<' {
			return nil, fmt.Errorf("HTTP status %s: %w", resp.Status, ErrReply)
		}
		return reply, nil
	}
	return NewClient(url, exchange, func() error { h.CloseIdleConnections(); return nil })
}

// Datagram makes a client for the server at a unix datagram socket. local is
// the socket that gets the replies, "" for one in dir, which "" makes the
// folder of the server's. timeout bounds each call; 0 waits for ever.
func Datagram(path, dir, local string, timeout time.Duration) (*Client, error) {
	if local == "" {
		if dir == "" {
			dir = filepath.Dir(path)
		}
		local = filepath.Join(dir, "sipcmd_"+rand.Text())
	}
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: local, Net: "unixgram"}, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		if !errors.Is(err, syscall.EADDRINUSE) {
			_ = os.Remove(local) // bound, but not connected
		}
		return nil, fmt.Errorf("connect to jsonrpc+unixd:%s: %w", path, err)
	}
	remove := func() error {
		err := conn.Close()
		if rerr := os.Remove(local); err == nil && !errors.Is(rerr, os.ErrNotExist) {
			err = rerr
		}
		return err
	}
	// A daemon of another user is to answer; that the socket is connected
	// keeps all others out.
	if err := os.Chmod(local, 0o666); err != nil {
		_ = remove()
		return nil, err
	}
	exchange := func(ctx context.Context, build func(string) ([]byte, error)) ([]byte, error) {
		request, err := build("")
		if err != nil {
			return nil, err
		}
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return datagram(ctx, conn, request)
	}
	return NewClient("jsonrpc+unixd:"+path, exchange, remove), nil
}

// maxDatagram is the longest reply that fits into one.
const maxDatagram = 1 << 18

func datagram(ctx context.Context, conn *net.UnixConn, request []byte) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	buf := make([]byte, maxDatagram)
	n, err := conn.Read(buf)
	if err != nil {
		if cause := ctx.Err(); cause != nil {
			err = cause
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			err = context.DeadlineExceeded // the clock of ctx is about to say so
		}
		return nil, err
	}
	return buf[:n], nil
}

var _ rpc.Client = (*Client)(nil)
