// Package rpc is the ground floor of the control plane: the closed set of
// values a call carries, the registry of methods, and the binding of what
// arrived on a wire to what a method declared. It knows nothing of SIP and
// nothing of octets; each wire has a package of its own below this folder.
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
	// Stream is Items (or Values, when the names are empty) made while they
	// are written, for replies that must not be built in memory. It may be
	// ranged over once.
	Stream iter.Seq[Member]
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
func (Text) rpcValue()   {}

// M makes a Member.
func M(name string, v Value) Member { return Member{name, v} }
