// Package dial turns the address of a daemon's control socket into a client:
// one place that knows all wires, for sipcmd and sipctl. A new wire adds its
// scheme here.
package dial

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"sipd/rpc"
	"sipd/rpc/binrpc"
	"sipd/rpc/fifo"
	"sipd/rpc/jsonrpc"
	"sipd/rpc/xmlrpc"
)

// Options are what the command line may say about a connection; the zero value
// is fine. Wires take from it what they know: Timeout all; LocalDir and
// LocalName unix datagrams and pipes, for pipes LocalName is a bare name.
type Options = binrpc.Options

// Dial connects to the daemon at address:
//
//	unixs:PATH, unix:PATH, PATH   BinRPC, stream
//	unixd:PATH                    BinRPC, datagrams
//	tcp:[HOST:]PORT               BinRPC
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
		return jsonrpc.NewClient(address, p.Exchange, nil), nil
	case "jsonrpc+unixd":
		c, err := jsonrpc.Datagram(rest, opt.LocalDir, opt.LocalName, opt.Timeout)
		if err != nil {
			return nil, err
		}
		return c, nil
	case "jsonrpc+http", "jsonrpc+https", "xmlrpc+http", "xmlrpc+https", "http", "https":
		return overHTTP(address, opt)
	}
	a, err := binrpc.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	c, err := binrpc.Dial(ctx, a, opt)
	if err != nil {
		return nil, err
	}
	return c, nil
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

func overHTTP(address string, opt Options) (rpc.Client, error) {
	wire, link, ok := strings.Cut(address, "+")
	if !ok || strings.ContainsAny(wire, ":/") {
		wire, link = "xmlrpc", address
	}
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("control address %q: %w", address, binrpc.ErrAddress)
	}
	if strings.EqualFold(wire, "jsonrpc") || link == address && strings.Contains(strings.ToLower(u.Path), "jsonrpc") {
		return jsonrpc.HTTP(link, opt.Timeout), nil
	}
	return xmlrpc.New(link, opt.Timeout), nil
}
