package binrpc

import "sipd/rpc/socket"

// Where a control socket is: see package socket, which owns all of this.
type (
	Address    = socket.Address
	FileMode   = socket.FileMode
	InUseError = socket.InUseError
	Socket     = socket.Socket
	Conn       = socket.Conn
)

// DefaultPort is where TCP and UDP control sockets are unless told.
const DefaultPort = socket.DefaultPort

// ErrAddress is text that is no control address.
var ErrAddress = socket.ErrAddress

// ParseAddress is [socket.ParseAddress].
func ParseAddress(s string) (Address, error) { return socket.ParseAddress(s) }
