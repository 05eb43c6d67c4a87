package dryrun

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// udp4 makes an IPv4 packet with a datagram.
func udp4(text string) []byte {
	n := 28 + len(text)
	b := make([]byte, 28, n)
	b[0], b[9] = 0x45, 17
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	copy(b[12:], []byte{10, 0, 0, 1})
	copy(b[16:], []byte{10, 0, 0, 2})
	binary.BigEndian.PutUint16(b[20:], 5062)
	binary.BigEndian.PutUint16(b[22:], 5060)
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(text)))
	return append(b, text...)
}

// ethernet puts a packet behind an Ethernet header with one VLAN tag.
func ethernet(p []byte) []byte {
	h := make([]byte, 18)
	binary.BigEndian.PutUint16(h[12:], 0x8100)
	binary.BigEndian.PutUint16(h[16:], 0x0800)
	return append(h, p...)
}

func oldFormat(link uint32, frames ...[]byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 24)
	le.PutUint32(b, 0xa1b2c3d4)
	le.PutUint32(b[20:], link)
	for _, f := range frames {
		h := make([]byte, 16)
		le.PutUint32(h[8:], uint32(len(f)))
		le.PutUint32(h[12:], uint32(len(f)))
		b = append(append(b, h...), f...)
	}
	return b
}

func newFormat(link uint16, frames ...[]byte) []byte {
	le := binary.LittleEndian
	block := func(kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		b := le.AppendUint32(nil, kind)
		b = le.AppendUint32(b, uint32(len(body)+12))
		return le.AppendUint32(append(b, body...), uint32(len(body)+12))
	}
	head := le.AppendUint32(nil, 0x1a2b3c4d)
	b := block(0x0a0d0d0a, append(head, make([]byte, 12)...))
	b = append(b, block(1, le.AppendUint16(nil, link))...)
	for _, f := range frames {
		p := make([]byte, 20)
		le.PutUint32(p[12:], uint32(len(f)))
		le.PutUint32(p[16:], uint32(len(f)))
		b = append(b, block(6, append(p, f...))...)
	}
	return b
}

const sipText = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5062\r\n\r\n"

func TestReadPCAP(t *testing.T) {
	tcp := udp4(sipText)
	tcp[9] = 6
	for _, tt := range []struct {
		name        string
		data        []byte
		msgs, other int
		bad         bool
	}{
		{name: "raw", data: oldFormat(101, udp4(sipText)), msgs: 1},
		{name: "ethernet with a VLAN, a keepalive, TCP", data: oldFormat(1, ethernet(udp4(sipText)), ethernet(udp4("\r\n\r\n")), ethernet(tcp)), msgs: 1, other: 2},
		{name: "pcapng", data: newFormat(1, ethernet(udp4(sipText)), ethernet(udp4(sipText))), msgs: 2},
		{name: "cut off", data: oldFormat(101, udp4(sipText))[:60], bad: true},
		{name: "empty", data: nil, bad: true},
	} {
		msgs, other, err := ReadPCAP(tt.data)
		if len(msgs) != tt.msgs || other != tt.other || (err != nil) != tt.bad {
			t.Errorf("%s: %d messages, %d others, %v; want %d, %d, bad=%v", tt.name, len(msgs), other, err, tt.msgs, tt.other, tt.bad)
			continue
		}
		for _, m := range msgs {
			if m.Text != sipText || m.From != netip.MustParseAddrPort("10.0.0.1:5062") || m.To != netip.MustParseAddrPort("10.0.0.2:5060") {
				t.Errorf("%s: message %+v", tt.name, m)
			}
		}
	}
}

// FuzzReadPCAP wants messages to be pieces of the capture.
func FuzzReadPCAP(f *testing.F) {
	f.Add(oldFormat(101, udp4(sipText)))
	f.Add(oldFormat(1, ethernet(udp4(sipText))))
	f.Add(newFormat(1, ethernet(udp4(sipText))))
	f.Fuzz(func(t *testing.T, b []byte) {
		msgs, _, _ := ReadPCAP(b)
		size := 0
		for _, m := range msgs {
			size += len(m.Text)
		}
		if size > len(b) {
			t.Errorf("%d octets of messages out of a capture of %d", size, len(b))
		}
	})
}
