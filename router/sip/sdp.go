package sip

import (
	"strconv"
	"strings"
)

// SDP is where a session description (RFC 8866) keeps what relays change: all
// places are octets of the body.
type SDP struct {
	// Origin and Conn are the addresses of o= and of the session's c=.
	Origin, Conn SDPAddr
	Media        []SDPMedia
}

// SDPAddr is an address; End 0 means that there is none.
type SDPAddr struct {
	Start, End int
	// Type is the place of IP4 or IP6 before it.
	Type Span
	V6   bool
}

// SDPMedia is an m= line with what belongs to it.
type SDPMedia struct {
	// Line is the m= line without its end; Behind the start of the next one.
	Line   Span
	Behind int
	Type   string
	// Port is the number at PortAt.
	PortAt Span
	Port   int
	Proto  string
	// Conn is the address of the media's own c=.
	Conn SDPAddr
	// RTCP is the value of a=rtcp, End 0 when there is none.
	RTCP Span
}

// maxMedia bounds the media of a description.
const maxMedia = 64

// ParseSDP reads a description. What it does not need it passes over; the error
// is a *[SyntaxError].
func ParseSDP(body string) (SDP, error) {
	var d SDP
	if len(body) < 2 || body[1] != '=' || body[0] != 'v' {
		return d, syntax("SDP", 0, "v= was expected")
	}
	for i := 0; i < len(body); {
		end, next := sdpLineEnd(body, i)
		if err := d.line(body, i, end); err != nil {
			return d, err
		}
		i = next
		if n := len(d.Media); n > 0 {
			d.Media[n-1].Behind = next
		}
	}
	return d, nil
}

func sdpLineEnd(s string, i int) (end, next int) {
	n := strings.IndexByte(s[i:], '\n')
	if n < 0 {
		return len(s), len(s)
	}
	end, next = i+n, i+n+1
	if end > i && s[end-1] == '\r' {
		end--
	}
	return end, next
}

func (d *SDP) line(s string, i, end int) error {
	if end-i < 2 || s[i+1] != '=' {
		return nil
	}
	text, at := s[i+2:end], i+2
	var m *SDPMedia
	if n := len(d.Media); n > 0 {
		m = &d.Media[n-1]
	}
	switch s[i] {
	case 'o':
		a, ok := sdpAddr(text, at, 5)
		if !ok {
			return syntax("SDP", at, "o= wants user, id, version, IN, IP4 or IP6, and an address")
		}
		d.Origin = a
	case 'c':
		a, ok := sdpAddr(text, at, 2)
		if !ok {
			return syntax("SDP", at, "c= wants IN, IP4 or IP6, and an address")
		}
		if m != nil {
			m.Conn = a
		} else {
			d.Conn = a
		}
	case 'm':
		return d.media(text, i, end)
	case 'a':
		if m != nil && strings.HasPrefix(text, "rtcp:") {
			m.RTCP = Span{at + 5, end}
		}
	}
	return nil
}

// sdpAddr is word n of a line, with the type of address before it.
func sdpAddr(text string, at, n int) (SDPAddr, bool) {
	var a SDPAddr
	word := 0
	for i := 0; i < len(text); word++ {
		for i < len(text) && text[i] == ' ' {
			i++
		}
		j := i
		for j < len(text) && text[j] != ' ' {
			j++
		}
		switch {
		case word == n-1:
			a.V6 = text[i:j] == "IP6"
			if !a.V6 && text[i:j] != "IP4" {
				return a, false
			}
			a.Type = Span{at + i, at + j}
		case word == n && j > i:
			if k := strings.IndexByte(text[i:j], '/'); k >= 0 { // TTL of multicast
				j = i + k
			}
			a.Start, a.End = at+i, at+j
			return a, j > i
		}
		i = j
	}
	return a, false
}

func (d *SDP) media(text string, line, end int) error {
	if len(d.Media) >= maxMedia {
		return syntax("SDP", line, "too many media")
	}
	typ, rest, ok := strings.Cut(text, " ")
	port, rest, ok2 := strings.Cut(rest, " ")
	if k := strings.IndexByte(port, '/'); k >= 0 {
		port = port[:k]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || !ok2 || err != nil {
		return syntax("SDP", line, "m= wants a type, a port and a protocol")
	}
	at := line + 2 + len(typ) + 1
	proto, _, _ := strings.Cut(rest, " ")
	d.Media = append(d.Media, SDPMedia{Line: Span{line, end}, Type: typ, PortAt: Span{at, at + len(port)}, Port: int(n), Proto: proto})
	return nil
}

// Addr is the address that media i is received at: its own, else the session's;
// ok is false when there is none.
func (d *SDP) Addr(i int) (a SDPAddr, ok bool) {
	a = d.Media[i].Conn
	if a.End == 0 {
		a = d.Conn
	}
	return a, a.End > 0
}
