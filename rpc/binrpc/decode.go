package binrpc

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"sipd/rpc"
)

// ErrShort is a packet or header of which more octets are to come.
var ErrShort = errors.New("binrpc: packet is not complete")

// CorruptError is a header that is none. Cookie is the packet's own where it
// could be read.
type CorruptError struct{ Cookie uint32 }

func (e *CorruptError) Error() string { return "binrpc: corrupted packet" }

// Header is what stands in front of a packet's body.
type Header struct {
	Type   byte // typeRequest, typeReply or typeFault
	Cookie uint32
	Len    int // octets of the body
	Size   int // octets of the header itself
}

// Reply and Fault say what a client got; a server gets neither.
func (h Header) Reply() bool { return h.Type == typeReply }

// Fault says that the body is a fault's code and text.
func (h Header) Fault() bool { return h.Type == typeFault }

// ParseHeader reads the header at the start of b. Errors: ErrShort when b is
// too short to tell, a *[CorruptError] when it is no BinRPC.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < minHeader {
		return Header{}, ErrShort
	}
	h := Header{Type: b[1] >> 4}
	if b[0] != magic<<4|version || h.Type > typeFault || h.Type == 2 {
		return h, &CorruptError{}
	}
	lenOctets, cookieOctets := int(b[1]>>2&3)+1, int(b[1]&3)+1
	h.Size = 2 + lenOctets + cookieOctets
	if len(b) < h.Size {
		return h, ErrShort
	}
	h.Len = int(number(b[2 : 2+lenOctets])) // at most 32 bits: never negative
	h.Cookie = uint32(number(b[2+lenOctets : h.Size]))
	return h, nil
}

// number reads big endian octets; of more than 8 the last 8 count.
func number(b []byte) uint64 {
	var n uint64
	for _, o := range b {
		n = n<<8 | uint64(o)
	}
	return n
}

// Decoder reads the records of one body. It never reads beyond the body and
// never keeps it: what it returns is its own.
type Decoder struct {
	b   []byte
	err error
}

// NewDecoder makes a decoder for a body.
func NewDecoder(body []byte) Decoder { return Decoder{b: body} }

// Next is the next value: rpc.Int, Double, String, Bytes, Struct or Array.
// Errors, which then stay: io.EOF at the end, rpc.ErrMore for a record that is
// cut, rpc.ErrType for one that is no value, rpc.ErrRecord for one that breaks
// the rules. A struct of values without names is an Array.
func (d *Decoder) Next() (rpc.Value, error) {
	if d.err != nil {
		return nil, d.err
	}
	v, err := d.value(0)
	d.err = err
	return v, err
}

// All reads the values to the end of the body; an error is that of Next, with
// the values before it.
func (d *Decoder) All() ([]rpc.Value, error) {
	var out []rpc.Value
	for {
		v, err := d.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, err
		}
		out = append(out, v)
	}
}

func (d *Decoder) value(depth int) (rpc.Value, error) {
	typ, val, err := d.record()
	if err != nil {
		return nil, err
	}
	return d.finish(typ, val, depth)
}

// finish makes the value of a record that was read; of structs and arrays the
// records up to their end.
func (d *Decoder) finish(typ byte, val []byte, depth int) (rpc.Value, error) {
	switch typ {
	case tInt:
		return rpc.Int(int32(number(val))), nil // longer ones: the low 32 bits count
	case tDouble:
		if len(val) > 8 {
			return nil, rpc.ErrRecord
		}
		return rpc.Double(float64(int64(number(val))) / 1000), nil
	case tString:
		s, err := text(val)
		return rpc.String(s), err
	case tBytes:
		return rpc.Bytes(slices.Clone(val)), nil
	case tStruct:
		return d.structure(depth + 1)
	case tArray:
		return d.array(depth + 1)
	}
	return nil, rpc.ErrType // an avp or an end that belongs to nothing, or an unknown type
}

// record reads the next record's head and steps over it. typ has the end mark
// in it for ends of structs and arrays.
func (d *Decoder) record() (typ byte, val []byte, err error) {
	if len(d.b) == 0 {
		return 0, nil, io.EOF
	}
	first := d.b[0]
	typ = first & 0x0f
	n, at := int(first>>4), 1
	if typ == tStruct || typ == tArray {
		switch first &^ endMark {
		case tStruct, tArray:
			d.b = d.b[1:]
			return first, nil, nil
		}
		return 0, nil, rpc.ErrRecord
	}
	if typ != tDouble && n >= 8 {
		octets := n - 8
		if len(d.b) < 1+octets {
			return 0, nil, rpc.ErrMore
		}
		length := number(d.b[1 : 1+octets])
		if length > uint64(len(d.b)) {
			return 0, nil, rpc.ErrMore
		}
		n, at = int(length), 1+octets
	}
	if len(d.b)-at < n {
		return 0, nil, rpc.ErrMore
	}
	val = d.b[at : at+n]
	d.b = d.b[at+n:]
	return typ, val, nil
}

// text is a string record's value: up to its first zero octet. The last octet
// must be one; no octets at all are the null string, read as "".
func text(val []byte) (string, error) {
	if len(val) == 0 {
		return "", nil
	}
	if val[len(val)-1] != 0 {
		return "", rpc.ErrRecord
	}
	return string(val[:bytes.IndexByte(val, 0)]), nil
}

// structure reads up to the end of a struct: names and values, or bare values.
func (d *Decoder) structure(depth int) (rpc.Value, error) {
	if depth > maxNesting {
		return nil, rpc.ErrRecord
	}
	var s rpc.Struct
	bare := true
	for {
		typ, val, err := d.inside()
		if err != nil {
			return nil, err
		}
		if typ == tStruct|endMark {
			if bare && len(s) > 0 {
				return toArray(s), nil
			}
			return s, nil
		}
		var m rpc.Member
		if typ == tAVP {
			bare = false
			if m.Name, err = text(val); err != nil {
				return nil, err
			}
			if typ, val, err = d.inside(); err != nil {
				return nil, err
			}
		}
		if m.Value, err = d.finish(typ, val, depth); err != nil {
			return nil, err
		}
		s = append(s, m)
	}
}

func toArray(s rpc.Struct) rpc.Array {
	a := make(rpc.Array, len(s))
	for i, m := range s {
		a[i] = m.Value
	}
	return a
}

func (d *Decoder) array(depth int) (rpc.Value, error) {
	if depth > maxNesting {
		return nil, rpc.ErrRecord
	}
	a := rpc.Array{}
	for {
		typ, val, err := d.inside()
		if err != nil {
			return nil, err
		}
		if typ == tArray|endMark {
			return a, nil
		}
		v, err := d.finish(typ, val, depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
}

// inside is record where the body must not end.
func (d *Decoder) inside() (byte, []byte, error) {
	typ, val, err := d.record()
	if errors.Is(err, io.EOF) {
		err = rpc.ErrMore
	}
	return typ, val, err
}
