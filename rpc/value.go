// Package rpc is the ground floor of the control plane: the closed set of
// values a call carries, the registry of methods, and the binding of what
// arrived on a wire to what a method declared. It knows nothing of SIP and
// nothing of octets; each wire has a package of its own below this folder.
//
// # Long replies
//
// A reply may be of any size while neither side holds more than a piece of it.
//
// A method whose reply grows with the daemon's tables answers a [Stream] (a
// list whose elements may have names, like Items) or an [Each] (a list of bare
// values, like Array) in place of the built list, anywhere in its reply. In a
// method with the List flag an Each at the top stands for its elements. The
// handler checks everything that may fail and returns; the wire then ranges
// over the list while it writes, for minutes when the client is slow. So the
// sequence must not hold a lock while it yields, must not fail, and starts
// afresh when it is ranged over again. A method that changes state answers
// briefly. Where it makes sense such a method takes an optional filter and
// limit ([SelectParams], [Call.ReadSelection]).
//
// What the wires make of it:
//
//   - HTTP (XML-RPC, JSON-RPC) and the line protocols write as they range; a
//     client that breaks off ends the range.
//   - BinRPC tells a body's length in front of it. A reply that is longer than
//     the server's limit becomes fault 413 ([TooLong]); old clients show it. A
//     client that knows calls the companion method [PageMethod] ("system.page")
//     instead: system.page 0 METHOD [ARGUMENTS] calls METHOD and answers two
//     values, a cursor and the first octets of the reply (a Bytes);
//     system.page CURSOR answers the next. The cursor is 0 with the last
//     piece. The octets of all pieces together are the reply's records, which
//     differ from a plain reply's in that they keep what a value was: lists are
//     array records, elements of a list may have names, null is the null
//     string, and integers may have 64 bits. A connection has one cursor: the
//     next system.page 0, or the end of the connection, drops it. Faults of
//     METHOD, and its role and log, are those of a plain call. Datagrams have
//     no cursors: the fault says to use a stream.
//   - A datagram that cannot hold its reply carries fault 413 too.
//
// A client that can hand a reply on while it comes is a [Streamer]; the reply
// then is a sequence of [Token].
package rpc

import "iter"

// Value is one of the types of this file and no other.
type Value interface{ rpcValue() }

type (
	// Int is a whole number. BinRPC carries 32 bits of it.
	Int int64
	// Double is a number with a fraction. BinRPC carries three decimals.
	Double float64
	// String is text, or any octets without a zero.
	String string
	// Bytes are raw octets.
	Bytes []byte
	// Bool is sent as an integer where the wire has no truth values.
	Bool bool
	// Time is seconds since 1970, UTC.
	Time int64
	// Null is the absent string. BinRPC sends the text "<null string>" for
	// it, as Kamailio does; JSON null; XML-RPC an empty nil.
	Null struct{}
	// Array is a list of values.
	Array []Value
	// Struct is an ordered list of named members; names may repeat.
	Struct []Member
	// Items is a list whose elements have a name each: what Kamailio makes by
	// adding named values to an array. BinRPC writes a struct with repeated
	// names, JSON-RPC and XML-RPC an array of structs with one member.
	Items []Member
	// Stream is Items (or an Array, when the names are empty) made while they
	// are written, for replies that must not be built in memory. See the
	// package's comment for what it must and must not do.
	Stream iter.Seq[Member]
	// Each is an Array made while it is written; at the top of a reply of a
	// List method it stands for its elements.
	Each iter.Seq[Value]
	// Text is printed text: one string on wires with types, text without a
	// line end on line wires (rpl_printf of the elders).
	Text string
)

// Member is a named value of a Struct or an element of Items.
type Member struct {
	Name  string
	Value Value
}

func (Int) rpcValue()    {}
func (Double) rpcValue() {}
func (String) rpcValue() {}
func (Bytes) rpcValue()  {}
func (Bool) rpcValue()   {}
func (Time) rpcValue()   {}
func (Null) rpcValue()   {}
func (Array) rpcValue()  {}
func (Struct) rpcValue() {}
func (Items) rpcValue()  {}
func (Stream) rpcValue() {}
func (Each) rpcValue()   {}
func (Text) rpcValue()   {}

// M makes a Member.
func M(name string, v Value) Member { return Member{name, v} }
