// Package dial turns the address of a daemon's control socket into a client:
// one place that knows all wires, for sipcmd and sipctl. A new wire adds its
// scheme here.
package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/fifo"
	"sipd/rpc/jsonrpc"
)

// Options are what the command line may say about a connection; the zero value
// is fine. Wires take from it what they know.
type Options struct {
	// Timeout bounds connecting and the wait for a reply, or for more of a long
	// one; 0 waits for ever.
	Timeout time.Duration
	// LocalDir and LocalName are for unix datagrams and pipes; for pipes
	// LocalName is a bare name.
	LocalDir, LocalName string
	// Token is the credential that a secured wire wants; "" for none. It is
	// sent over TLS and to this machine only.
	Token string
	// TLS are the settings of https: and tls: addresses; nil for the usual.
	TLS *tls.Config
	// EncodeXML writes XML-RPC requests; nil is xmlrpc.AppendRequest.
	EncodeXML func(method string, args []rpc.Value) ([]byte, error)
}

// ErrToken is a token that would cross the network in the clear.
var ErrToken = errors.New("the token is not sent in the clear to another machine; use an address with https or tls")

// Dial connects to the daemon at address:
//
//	unixs:PATH, unix:PATH, PATH   BinRPC, stream
//	unixd:PATH                    BinRPC, datagrams
//	tcp:[HOST:]PORT               BinRPC
//	tls:HOST:PORT                 BinRPC over TLS
//	udp:[HOST:]PORT, HOST:PORT    BinRPC, datagrams
//	fifo:PATH                     line protocol over named pipes
//	jsonrpc+unixd:PATH            JSON-RPC, datagrams
//	jsonrpc+fifo:PATH             JSON-RPC over named pipes
//	jsonrpc+http://HOST:PORT/…    JSON-RPC over HTTP, or https
//	xmlrpc+http://HOST:PORT/…     XML-RPC, or https
//	http://…, https://…           XML-RPC; JSON-RPC when the path says jsonrpc
//
// The first four are as kamcmd -s takes them; the port is 2049 unless given.
// An error is binrpc.ErrAddress for text that is no address, else that of the
// connection; over HTTP that one comes with the first call.
func Dial(ctx context.Context, address string, opt Options) (rpc.Client, error) {
	wire, rest := split(address)
	switch wire {
	case "fifo":
		c, err := fifo.Dial(pipe(rest, opt))
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
		return c, nil
	case "jsonrpc+fifo":
		p := pipe(rest, opt)
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
		return jsonrpc.Streaming(address, p.Open), nil
	case "jsonrpc+unixd":
		c, err := jsonrpc.Datagram(rest, opt.LocalDir, opt.LocalName, opt.Timeout)
		if err != nil {
			return nil, err
		}
		return c, nil
	case "jsonrpc+http", "jsonrpc+https", "xmlrpc+http", "xmlrpc+https", "http", "https":
		return overHTTP(address, opt)
	}
	return overBinRPC(ctx, address, opt)
}

func overBinRPC(ctx context.Context, address string, opt Options) (rpc.Client, error) {
	a, err := binrpc.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	c, err := binrpc.Dial(ctx, a, binrpc.Options{Timeout: opt.Timeout, LocalDir: opt.LocalDir, LocalName: opt.LocalName, TLS: opt.TLS})
	if err != nil {
		return nil, err
	}
	if opt.Token == "" || a.Path != "" || a.Net == "udp" {
		return c, nil
	}
	if err := login(ctx, c, a.Net == "tls" || loopback(a.Host), opt.Token); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// login shows the token on a connection.
func login(ctx context.Context, c rpc.Client, safe bool, token string) error {
	if !safe {
		return ErrToken
	}
	_, err := c.Call(ctx, "ctl.login", rpc.String(token))
	if err != nil {
		return fmt.Errorf("show the token: %w", err)
	}
	return nil
}

// loopback says whether a host is this machine, by its name or address.
func loopback(host string) bool {
	if host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// split takes the scheme off, in lower case; "" for addresses without any.
func split(address string) (scheme, rest string) {
	scheme, rest, ok := strings.Cut(address, ":")
	if !ok || strings.Contains(scheme, "/") || rest == "" {
		return "", address
	}
	return strings.ToLower(scheme), rest
}

func pipe(path string, opt Options) fifo.Pipe {
	return fifo.Pipe{Path: path, ReplyDir: opt.LocalDir, ReplyName: opt.LocalName, Timeout: opt.Timeout}
}
