package jsonrpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net"
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
	open     func(context.Context, func(string) ([]byte, error)) (io.ReadCloser, error) // nil where replies come whole
	close    func() error
	id       atomic.Int64
}

// NewClient makes a client on any way to exchange requests and replies; name
// is how errors call the server, close may be nil.
func NewClient(name string, exchange Exchange, close func() error) *Client {
	return &Client{name: name, exchange: exchange, close: close}
}

// Streaming makes a client as NewClient does, on a way that hands replies over
// while they come.
func Streaming(name string, open func(context.Context, func(replyName string) ([]byte, error)) (io.ReadCloser, error)) *Client {
	return &Client{name: name, open: open}
}

// Call implements [rpc.Client].
func (c *Client) Call(ctx context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	return gather(c.stream(ctx, MaxReply, method, args))
}

// Stream implements [rpc.Streamer]. Over HTTP nothing of the reply is kept;
// datagrams and pipes bring it whole.
func (c *Client) Stream(ctx context.Context, method string, args ...rpc.Value) iter.Seq2[rpc.Token, error] {
	return c.stream(ctx, math.MaxInt64, method, args)
}

func (c *Client) stream(ctx context.Context, limit int64, method string, args []rpc.Value) iter.Seq2[rpc.Token, error] {
	return func(yield func(rpc.Token, error) bool) {
		id := int(c.id.Add(1))
		reply, err := c.start(ctx, func(replyName string) ([]byte, error) {
			return AppendRequest(nil, method, replyName, id, args)
		})
		if err != nil {
			yield(rpc.Token{}, fmt.Errorf("call %s at %s: %w", method, c.name, err))
			return
		}
		defer reply.Close()
		for t, err := range ReadReply(io.LimitReader(reply, limit), id) {
			if _, ok := errors.AsType[*rpc.Fault](err); err != nil && !ok {
				err = fmt.Errorf("call %s at %s: %w", method, c.name, err)
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

func (c *Client) start(ctx context.Context, build func(string) ([]byte, error)) (io.ReadCloser, error) {
	if c.open != nil {
		return c.open(ctx, build)
	}
	reply, err := c.exchange(ctx, build)
	return io.NopCloser(bytes.NewReader(reply)), err
}

// Close implements [rpc.Client].
func (c *Client) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
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

var _ rpc.Streamer = (*Client)(nil)
