package binrpc

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"sipd/rpc"
)

// ErrTooLarge is a body that outgrew its limit.
var ErrTooLarge = errors.New("binrpc: body is larger than its limit")

// maxNesting bounds structs and arrays inside of each other, in what is read
// and in what is written.
const maxNesting = 64

// AppendRequest appends a whole request to b: the method's name and its
// parameters. An error is ErrTooLarge when it would not fit MaxRequest.
func AppendRequest(b []byte, cookie uint32, method string, args []rpc.Value) ([]byte, error) {
	p := open(b)
	p.b = appendText(p.b, tString, method)
	for _, v := range args {
		if err := p.value(v, 0, MaxRequest-maxHeader); err != nil {
			return b, err
		}
	}
	return p.close(typeRequest, cookie), nil
}

// AppendReply appends a whole reply to b. An error is ErrTooLarge when the
// body would be longer than limit octets; b is then returned as it was.
func AppendReply(b []byte, cookie uint32, vals []rpc.Value, limit int) ([]byte, error) {
	p := open(b)
	for _, v := range vals {
		if err := p.value(v, 0, limit); err != nil {
			return b, err
		}
	}
	return p.close(typeReply, cookie), nil
}

// appendCall is AppendReply for a call: an Each at the top of a list stands
// for its elements.
func appendCall(b []byte, cookie uint32, c *rpc.Call, limit int) ([]byte, error) {
	if !c.Method.List {
		return AppendReply(b, cookie, c.Reply(), limit)
	}
	p := open(b)
	q := p // what the iterator holds is allocated
	for v := range c.Values() {
		if err := q.value(v, 0, limit); err != nil {
			return b, err
		}
	}
	return q.close(typeReply, cookie), nil
}

// AppendFault appends a whole fault to b. The text is cut to 254 octets, which
// is what clients have room for.
func AppendFault(b []byte, cookie uint32, f *rpc.Fault) []byte {
	p := open(b)
	p.b = appendInt(p.b, tInt, uint64(uint32(f.Code)))
	p.b = appendText(p.b, tString, f.Text[:min(len(f.Text), maxFaultText)])
	return p.close(typeFault, cookie)
}

// AppendValue appends the records of one value to b. An error is ErrTooLarge
// for values nested too deep.
func AppendValue(b []byte, v rpc.Value) ([]byte, error) {
	p := packet{b: b, body: len(b)}
	err := p.value(v, 0, math.MaxInt)
	return p.b, err
}

// packet is a packet while it is written: room for the longest header, then
// the body.
type packet struct {
	b     []byte
	start int // of the packet in b
	body  int // of its body
	// spill, where set, takes away what was written when it is longer than the
	// limit; typed keeps lists apart from structs, and writes null and numbers
	// of 64 bits as what they are. Both are for pieces.
	spill func(*packet) error
	typed bool
}

func open(b []byte) packet {
	var room [maxHeader]byte
	return packet{b: append(b, room[:]...), start: len(b), body: len(b) + maxHeader}
}

// close writes the header, both of its numbers in the fewest octets, and moves
// the body up to it.
func (p *packet) close(typ byte, cookie uint32) []byte {
	n := len(p.b) - p.body
	h := append(p.b[:p.start], magic<<4|version, 0)
	size := len(h)
	h = appendUint(h, uint64(n), 1)
	lenOctets := len(h) - size
	size = len(h)
	h = appendUint(h, uint64(cookie), 1)
	h[p.start+1] = typ<<4 | byte(lenOctets-1)<<2 | byte(len(h)-size-1)
	size = len(h)
	copy(p.b[size:], p.b[p.body:])
	return p.b[:size+n]
}

// value writes one value; it is done when the body has outgrown limit.
func (p *packet) value(v rpc.Value, depth, limit int) error {
	if depth > maxNesting {
		return ErrTooLarge
	}
	switch v := v.(type) {
	case rpc.Int:
		p.int(int64(v))
	case rpc.Bool:
		if v {
			p.int(1)
		} else {
			p.int(0)
		}
	case rpc.Time:
		p.int(int64(v))
	case rpc.Double:
		p.b = appendInt(p.b, tDouble, uint64(thousandths(float64(v))))
	case rpc.String:
		p.b = appendText(p.b, tString, string(v))
	case rpc.Text:
		p.b = appendText(p.b, tString, string(v))
	case rpc.Bytes:
		p.b = append(appendHead(p.b, tBytes, len(v)), v...)
	case rpc.Array:
		mark := p.listMark()
		p.b = append(p.b, mark)
		for _, e := range v {
			if err := p.value(e, depth+1, limit); err != nil {
				return err
			}
		}
		p.b = append(p.b, mark|endMark)
	case rpc.Struct:
		return p.members(v, tStruct, depth, limit)
	case rpc.Items:
		return p.members(v, p.listMark(), depth, limit)
	case rpc.Stream:
		return p.stream(v, depth, limit)
	case rpc.Each:
		return p.each(v, depth, limit)
	default: // rpc.Null
		if p.typed {
			p.b = append(p.b, tString)
			break
		}
		p.b = appendText(p.b, tString, "<null string>") // as Kamailio
	}
	return p.check(limit)
}

// listMark opens a list: as a struct of bare values, because that is what
// every real server writes, and kamcmd cannot read the array record in a
// member's place.
func (p *packet) listMark() byte {
	if p.typed {
		return tArray
	}
	return tStruct
}

func (p *packet) check(limit int) error {
	if len(p.b)-p.body <= limit {
		return nil
	}
	if p.spill != nil {
		return p.spill(p)
	}
	return ErrTooLarge
}

// int writes a whole number. One that needs more than 32 bits goes out as a
// double, as Kamailio's successors do, not cut; in pieces, whose readers are
// newer, as it is.
func (p *packet) int(n int64) {
	if n < math.MinInt32 || n > math.MaxInt32 {
		if p.typed {
			p.b = binary.BigEndian.AppendUint64(appendHead(p.b, tInt, 8), uint64(n))
			return
		}
		p.b = appendInt(p.b, tDouble, uint64(thousandths(float64(n))))
		return
	}
	p.b = appendInt(p.b, tInt, uint64(uint32(n)))
}

// members writes a struct or a list. A member without a name is a bare value.
func (p *packet) members(members []rpc.Member, mark byte, depth, limit int) error {
	p.b = append(p.b, mark)
	for _, m := range members {
		if err := p.member(m, depth, limit); err != nil {
			return err
		}
	}
	p.b = append(p.b, mark|endMark)
	return p.check(limit)
}

func (p *packet) stream(s rpc.Stream, depth, limit int) error {
	q := *p // what the iterator holds is allocated: only here, not in each packet
	q.b = append(q.b, q.listMark())
	for m := range s {
		if err := q.member(m, depth, limit); err != nil {
			return err
		}
	}
	p.b = append(q.b, q.listMark()|endMark)
	return p.check(limit)
}

func (p *packet) each(s rpc.Each, depth, limit int) error {
	q := *p
	q.b = append(q.b, q.listMark())
	for v := range s {
		if err := q.value(v, depth+1, limit); err != nil {
			return err
		}
	}
	p.b = append(q.b, q.listMark()|endMark)
	return p.check(limit)
}

func (p *packet) member(m rpc.Member, depth, limit int) error {
	if m.Name != "" {
		p.b = appendText(p.b, tAVP, m.Name)
	}
	return p.value(m.Value, depth+1, limit)
}

// appendHead writes the first octet of a record of n octets, and the written
// length where the octet has no room for it.
func appendHead(b []byte, typ byte, n int) []byte {
	if n < 8 {
		return append(b, byte(n)<<4|typ)
	}
	var l [8]byte
	length := appendUint(l[:0], uint64(n), 1)
	return append(append(b, 0x80|byte(len(length))<<4|typ), length...)
}

// appendText writes text with the zero octet that ends it, up to a zero octet
// inside it.
func appendText(b []byte, typ byte, s string) []byte {
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return append(append(appendHead(b, typ, len(s)+1), s...), 0)
}

// appendInt writes a number record in its shortest form: none to eight octets.
func appendInt(b []byte, typ byte, n uint64) []byte {
	at := len(b)
	b = appendUint(append(b, 0), n, 0)
	b[at] = byte(len(b)-at-1)<<4 | typ
	return b
}

// appendUint writes n big endian in the fewest octets, at least least.
func appendUint(b []byte, n uint64, least int) []byte {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], n)
	i := 0
	for i < 8-least && all[i] == 0 {
		i++
	}
	return append(b, all[i:]...)
}

// thousandths is a double as BinRPC carries it: the value times 1000 with the
// fraction cut off. What is a thousandth but for the rounding of binary
// fractions (1.001 * 1000 is 1000.9999…) is taken as it was meant.
func thousandths(f float64) int64 {
	t := f * 1000
	switch {
	case math.IsNaN(t):
		return 0
	case t >= math.MaxInt64:
		return math.MaxInt64
	case t <= math.MinInt64:
		return math.MinInt64
	}
	if near := math.Round(t); math.Abs(t-near) <= 1e-9*math.Max(1, math.Abs(t)) {
		return int64(near)
	}
	return int64(t)
}
