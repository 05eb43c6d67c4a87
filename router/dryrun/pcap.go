package dryrun

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"sipd/router/transport"
)

// Limits of captures.
const (
	maxFrame    = 1 << 18
	maxMessages = 100_000
)

// Link types of captures (the registry at www.tcpdump.org/linktypes.html).
const (
	linkNull     = 0
	linkEthernet = 1
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

// IsPCAP says whether data is a capture in the pcap or pcapng format.
func IsPCAP(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	switch binary.BigEndian.Uint32(b) {
	case 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a:
		return true
	}
	return false
}

// ReadPCAP takes the UDP datagrams that may be SIP out of a capture; other is
// how many packets were left out (TCP, fragments, keepalives). Segments of
// streams are not put together.
func ReadPCAP(b []byte) (msgs []Message, other int, err error) {
	c := &capture{data: b}
	if len(b) < 24 {
		return nil, 0, errors.New("the capture is too short")
	}
	if binary.BigEndian.Uint32(b) == 0x0a0d0d0a {
		err = c.blocks()
	} else {
		err = c.packets()
	}
	return c.msgs, c.other, err
}

type capture struct {
	data  []byte
	links []uint32 // by interface
	msgs  []Message
	other int
}

// packets reads the old format: a header, then packets.
func (c *capture) packets() error {
	var bo binary.ByteOrder = binary.BigEndian
	if m := bo.Uint32(c.data); m == 0xd4c3b2a1 || m == 0x4d3cb2a1 {
		bo = binary.LittleEndian
	}
	link := bo.Uint32(c.data[20:]) & 0x0fffffff
	for b := c.data[24:]; len(b) > 0; {
		if len(b) < 16 {
			return errors.New("the capture ends within a packet")
		}
		n := bo.Uint32(b[8:])
		if n > maxFrame || int(n) > len(b)-16 {
			return fmt.Errorf("a packet of %d octets does not fit the capture", n)
		}
		c.frame(link, b[16:16+n])
		b = b[16+n:]
	}
	return nil
}

// blocks reads pcapng: sections of blocks, each with its length.
func (c *capture) blocks() error {
	var bo binary.ByteOrder = binary.BigEndian
	for b := c.data; len(b) > 0; {
		if len(b) < 12 {
			return errors.New("the capture ends within a block")
		}
		kind := bo.Uint32(b)
		if kind == 0x0a0d0d0a { // a section begins, and may be of the other order
			bo = binary.BigEndian
			if binary.LittleEndian.Uint32(b[8:]) == 0x1a2b3c4d {
				bo = binary.LittleEndian
			}
			c.links = nil
		}
		n := bo.Uint32(b[4:])
		if n < 12 || n%4 != 0 || uint64(n) > uint64(len(b)) {
			return fmt.Errorf("a block of %d octets does not fit the capture", n)
		}
		body := b[8 : n-4]
		switch kind {
		case 1: // interface description
			if len(body) >= 2 {
				c.links = append(c.links, uint32(bo.Uint16(body)))
			}
		case 6: // enhanced packet
			if len(body) >= 20 {
				i, size := bo.Uint32(body), bo.Uint32(body[12:])
				if uint64(size) <= uint64(len(body)-20) && uint64(i) < uint64(len(c.links)) {
					c.frame(c.links[i], body[20:20+size])
				}
			}
		case 3: // simple packet
			if len(body) >= 4 && len(c.links) > 0 {
				c.frame(c.links[0], body[4:])
			}
		}
		b = b[n:]
	}
	return nil
}

// frame takes the link's header off.
func (c *capture) frame(link uint32, b []byte) {
	skip, proto := 0, 0
	switch link {
	case linkEthernet:
		for skip = 14; len(b) >= skip; skip += 4 {
			if proto = int(binary.BigEndian.Uint16(b[skip-2:])); proto != 0x8100 && proto != 0x88a8 {
				break // behind the tags of VLANs
			}
		}
	case linkSLL:
		skip = 16
	case linkSLL2:
		skip = 20
	case linkNull, linkLoop:
		skip = 4
	case linkRaw, linkIPv4, linkIPv6:
	default:
		c.other++
		return
	}
	if len(b) <= skip {
		c.other++
		return
	}
	c.packet(b[skip:])
}

// packet takes IP and UDP apart.
func (c *capture) packet(b []byte) {
	var src, dst netip.Addr
	switch {
	case b[0]>>4 == 4 && len(b) >= 20:
		n := int(b[0]&15) * 4
		size := int(binary.BigEndian.Uint16(b[2:]))
		whole := binary.BigEndian.Uint16(b[6:])&0x3fff == 0
		if b[9] != 17 || !whole || n < 20 || size < n || size > len(b) {
			c.other++
			return
		}
		src, dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b = b[n:size]
	case b[0]>>4 == 6 && len(b) >= 40 && b[6] == 17:
		src, dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		b = b[40:]
	default:
		c.other++
		return
	}
	if len(b) < 8 {
		c.other++
		return
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < 8+16 || n > len(b) || len(c.msgs) >= maxMessages { // shorter is a keepalive
		c.other++
		return
	}
	c.msgs = append(c.msgs, Message{
		Proto: transport.UDP,
		From:  netip.AddrPortFrom(src, binary.BigEndian.Uint16(b)), To: netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:])),
		Text: string(b[8:n]),
	})
}
