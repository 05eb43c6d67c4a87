package binrpc

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sipd/rpc"
)

// DefaultMaxReply is the longest reply a client takes unless told, octets.
const DefaultMaxReply = 64 << 20

// Options of a client; the zero value is fine.
type Options struct {
	// Timeout bounds connecting and each call; 0 waits for ever, as kamcmd does.
	Timeout time.Duration
	// LocalDir is the folder for the name that a client of a unix datagram
	// socket must bind to get replies; "" is the folder of the server's socket.
	LocalDir string
	// LocalName is that name's whole path; "" makes one up.
	LocalName string
	// TLS are the settings of "tls" addresses; nil for the usual ones.
	TLS *tls.Config
	// MaxReply bounds replies in octets; 0 means DefaultMaxReply.
	MaxReply int
}

// Client calls the methods of one server. It is safe for concurrent use; calls
// go one after another.
type Client struct {
	addr   Address
	opt    Options
	dgram  bool
	remove string // the local name to remove at the end
	// unpaged says that the server knows no rpc.PageMethod.
	unpaged atomic.Bool

	mu sync.Mutex
	// mu guards the fields below; it is held for the length of a call, which
	// is what makes calls go one after another.
	conn   net.Conn
	in     reader
	out    []byte
	cookie uint32
	late   bool  // the connection's deadline has passed
	broken error // why no more calls can be made
}

// Dial connects to a server.
func Dial(ctx context.Context, a Address, opt Options) (*Client, error) {
	if opt.MaxReply == 0 {
		opt.MaxReply = DefaultMaxReply
	}
	c := &Client{addr: a, opt: opt, dgram: a.Net == "unixd" || a.Net == "udp"}
	var seed [4]byte
	_, _ = rand.Read(seed[:]) // never fails
	c.cookie = binary.BigEndian.Uint32(seed[:])
	if opt.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opt.Timeout)
		defer cancel()
	}
	var err error
	switch d := (net.Dialer{}); a.Net {
	case "unixs":
		c.conn, err = d.DialContext(ctx, "unix", a.Path)
	case "unixd":
		err = c.dialUnixgram()
	case "tcp", "tls", "udp":
		if a.Host == "" {
			a.Host = "localhost"
		}
		if a.Net == "tls" {
			secure := tls.Dialer{NetDialer: &d, Config: cmp.Or(opt.TLS, &tls.Config{MinVersion: tls.VersionTLS12})}
			c.conn, err = secure.DialContext(ctx, "tcp", a.HostPort())
		} else {
			c.conn, err = d.DialContext(ctx, a.Net, a.HostPort())
		}
	default:
		err = ErrAddress
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", a, err)
	}
	c.in = reader{r: c.conn, max: opt.MaxReply}
	return c, nil
}

// dialUnixgram binds a name for the replies and connects. The name may be
// written to by all, so that a server of another user can answer; that the
// socket is connected keeps others than the server out.
func (c *Client) dialUnixgram() error {
	name := c.opt.LocalName
	if name == "" {
		dir := c.opt.LocalDir
		if dir == "" {
			dir = filepath.Dir(c.addr.Path)
		}
		name = filepath.Join(dir, "sipcmd_"+rand.Text())
	}
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"},
		&net.UnixAddr{Name: c.addr.Path, Net: "unixgram"})
	if err != nil {
		if !errors.Is(err, syscall.EADDRINUSE) {
			_ = os.Remove(name) // bound, but not connected
		}
		return err
	}
	c.conn, c.remove = conn, name
	if err := os.Chmod(name, 0o666); err != nil {
		_ = c.Close()
		return err
	}
	return nil
}

// Close ends the connection and removes what Dial made.
func (c *Client) Close() error {
	err := c.conn.Close()
	if c.remove != "" {
		if rerr := os.Remove(c.remove); err == nil && !errors.Is(rerr, os.ErrNotExist) {
			err = rerr
		}
	}
	return err
}

// Call sends one request and waits for its reply. A fault of the server is an
// *rpc.Fault. After any other error a stream client is of no more use and says
// so at each call.
func (c *Client) Call(ctx context.Context, method string, args ...rpc.Value) ([]rpc.Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return nil, c.broken
	}
	vals, err := c.call(ctx, method, args)
	if _, ok := errors.AsType[*rpc.Fault](err); err == nil || ok {
		return vals, err
	}
	return nil, c.failed(ctx, meant(method, args), err)
}

// meant is the method that a call is about: of the first piece of a reply the
// one whose reply it is.
func meant(method string, args []rpc.Value) string {
	if method == rpc.PageMethod && len(args) > 1 {
		if name, ok := args[1].(rpc.String); ok {
			return string(name)
		}
	}
	return method
}

// failed words the error of a call; after it a stream is of no more use.
func (c *Client) failed(ctx context.Context, method string, err error) error {
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	err = fmt.Errorf("call %s at %s: %w", method, c.addr, err)
	if !c.dgram && !errors.Is(err, ErrTooLarge) {
		c.broken = err
	}
	return err
}

// exchange sends a request and reads the packet that answers it. The body is
// valid until the next call.
func (c *Client) exchange(ctx context.Context, method string, args []rpc.Value) (Header, []byte, error) {
	c.cookie++
	var err error
	if c.out, err = AppendRequest(c.out[:0], c.cookie, method, args); err != nil {
		return Header{}, nil, err
	}
	if c.opt.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.opt.Timeout)
		defer cancel()
	}
	if c.late { // the call before was given up
		c.late = false
		if err := c.conn.SetDeadline(time.Time{}); err != nil {
			return Header{}, nil, err
		}
	}
	if ctx.Done() != nil {
		ended := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			_ = c.conn.SetDeadline(time.Unix(1, 0)) // ends the read or write below
			close(ended)
		})
		defer func() {
			if !stop() {
				<-ended
				c.late = true
			}
		}()
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return Header{}, nil, err
	}
	return c.reply()
}

func (c *Client) call(ctx context.Context, method string, args []rpc.Value) ([]rpc.Value, error) {
	h, body, err := c.exchange(ctx, method, args)
	if err != nil {
		return nil, err
	}
	d := NewDecoder(body)
	vals, err := d.All()
	if err != nil {
		return nil, fmt.Errorf("bad reply: %w", err)
	}
	if !h.Fault() {
		return vals, nil
	}
	if len(vals) == 2 {
		code, isInt := vals[0].(rpc.Int)
		text, isText := vals[1].(rpc.String)
		if isInt && isText {
			return nil, &rpc.Fault{Code: int(code), Text: string(text)}
		}
	}
	return nil, errors.New("bad reply: a fault without code and text")
}

// reply reads the packet that answers the last request. Replies to earlier
// ones, which a datagram client gave up waiting for, are skipped.
func (c *Client) reply() (Header, []byte, error) {
	if c.dgram {
		c.in.start, c.in.end = 0, 0
	}
	for {
		h, body, err := c.in.buffered()
		switch {
		case errors.Is(err, ErrShort):
			if err := c.fill(); err != nil {
				return h, nil, err
			}
			continue
		case err != nil:
			return h, nil, err
		case h.Cookie == c.cookie && (h.Reply() || h.Fault()):
			return h, body, nil
		case c.dgram:
			c.in.start, c.in.end = 0, 0
			continue
		case h.Fault() && h.Cookie == 0: // the server could not even read our header
			return h, body, nil
		}
		return h, nil, &ReplyError{h.Type, c.cookie, h.Cookie}
	}
}

// fill reads on. A datagram must be read whole, whatever was announced: one
// reply may come in several.
func (c *Client) fill() error {
	if !c.dgram {
		return c.in.fill()
	}
	const most = 1 << 16
	if free := len(c.in.buf) - c.in.end; free < most {
		b := make([]byte, c.in.end+2*most)
		copy(b, c.in.buf[:c.in.end])
		c.in.buf = b
	}
	n, err := c.conn.Read(c.in.buf[c.in.end:])
	c.in.end += n
	return err
}

var _ rpc.Client = (*Client)(nil)
