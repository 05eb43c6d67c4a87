// Package dial turns the address of a daemon's control socket into a client:
// one place that knows all wires, for sipcmd and sipctl. A new wire adds its
// scheme here.
package dial

import (
	"context"

	"sipd/rpc"
	"sipd/rpc/binrpc"
)

// Options are what the command line may say about a connection; the zero value
// is fine. They are BinRPC's, the only wire so far.
type Options = binrpc.Options

// Dial connects to the daemon at address:
//
//	unixs:PATH, unix:PATH, PATH   BinRPC, stream
//	unixd:PATH                    BinRPC, datagrams
//	tcp:[HOST:]PORT               BinRPC
//	udp:[HOST:]PORT, HOST:PORT    BinRPC, datagrams
//
// as kamcmd -s takes them; the port is 2049 unless given. An error is
// binrpc.ErrAddress for text that is no address, else that of the connection.
func Dial(ctx context.Context, address string, opt Options) (rpc.Client, error) {
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
