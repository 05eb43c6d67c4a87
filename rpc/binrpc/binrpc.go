// Package binrpc is the binary control protocol of the SER family, as ctl
// modules serve it and sercmd, kamcmd and serctl speak it: packets of typed
// records over unix and IP sockets. It has the codec, a server for a registry
// of methods, and a client.
//
// A packet is A1, an octet with the type and the widths of the next two
// fields, the body's length, the cookie that the reply repeats, and the body:
// one record after another. The numbers below, and the quirks kept for the
// elders' clients, were taken from a running Kamailio 5.6.3.
package binrpc

// The first octet of every packet.
const (
	magic   = 0xA
	version = 1
)

// Packet types.
const (
	typeRequest = 0
	typeReply   = 1
	typeFault   = 3
)

// Record types, the low half of a record's first octet.
const (
	tInt    = 0
	tString = 1
	tDouble = 2 // thousandths
	tStruct = 3
	tArray  = 4
	tAVP    = 5 // the name of the member whose value follows
	tBytes  = 6

	endMark = 0x80 // in the first octet of the end of a struct or array
)

// Sizes in octets.
const (
	minHeader = 4
	maxHeader = 10
	// MaxRequest is the longest request, header included, that a server takes.
	MaxRequest = 65535
	// DefaultMaxBody is the longest body of a reply of Kamailio unless
	// configured (binrpc_max_body_size).
	DefaultMaxBody = 32 << 10
	// MaxReplyBody is the longest body of a reply here: the header carries its
	// length, so all of it is in memory before the first octet leaves.
	MaxReplyBody = 64 << 20
	// MaxDatagram is what a datagram holds.
	MaxDatagram = 65507
	// maxFaultText is the longest text of a fault that clients have room for.
	maxFaultText = 254
)
