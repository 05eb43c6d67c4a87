package sip

import (
	"errors"
	"strings"
	"testing"
)

func TestFrame(t *testing.T) {
	msg := "OPTIONS sip:a SIP/2.0\r\nTo: x\r\nContent-Length: 3\r\n\r\nabc"
	for _, tt := range []struct {
		what, in string
		max      int
		n        int
		err      error  // a sentinel
		why      string // or a *SyntaxError
	}{
		{what: "whole", in: msg, n: len(msg)},
		{what: "two", in: msg + msg, n: len(msg)},
		{what: "a body cut short", in: msg[:len(msg)-1]},
		{what: "a header cut short", in: msg[:30]},
		{what: "the empty line cut short", in: msg[:len(msg)-4]},
		{what: "nothing", in: ""},
		{what: "compact", in: "OPTIONS sip:a SIP/2.0\r\nl:3\r\n\r\nabc", n: 33},
		{what: "bare line feeds", in: "OPTIONS sip:a SIP/2.0\nl :3\n\nabc", n: 31},
		{what: "folded", in: "OPTIONS sip:a SIP/2.0\r\nl:\r\n 3\r\n\r\nabc", n: 36},
		{what: "twice the same", in: "OPTIONS sip:a SIP/2.0\r\nl: 0\r\nl: 0\r\n\r\n", n: 37},
		{what: "ping", in: "\r\n\r\n" + msg, n: 4, err: ErrPing},
		{what: "one CRLF", in: "\r\n" + msg, n: 2, err: ErrCRLF},
		{what: "half a ping", in: "\r\n"},
		{what: "three quarters of a ping", in: "\r\n\r"},
		{what: "line feeds", in: "\n\n\n\n\n", n: 2, err: ErrCRLF},
		{what: "no length", in: "OPTIONS sip:a SIP/2.0\r\nTo: x\r\n\r\n", why: "no Content-Length"},
		{what: "no number", in: "OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n", why: "not a number"},
		{what: "two that differ", in: "OPTIONS sip:a SIP/2.0\r\nl: 0\r\nContent-Length: 5\r\n\r\n", why: "differ"},
		{what: "too large", in: "OPTIONS sip:a SIP/2.0\r\nl: 90000\r\n\r\n", why: "larger than the limit"},
		{what: "no end of header", in: strings.Repeat("x", 200), max: 100, why: "no end of header"},
	} {
		n, err := Frame([]byte(tt.in), tt.max)
		var se *SyntaxError
		switch {
		case n != tt.n:
			t.Errorf("%s: %d octets, %v; want %d", tt.what, n, err, tt.n)
		case tt.why != "":
			if !errors.As(err, &se) || !strings.Contains(se.Why, tt.why) {
				t.Errorf("%s: error %v, want one about %q", tt.what, err, tt.why)
			}
		case !errors.Is(err, tt.err):
			t.Errorf("%s: error %v, want %v", tt.what, err, tt.err)
		}
	}
}

// TestFramerByOctets gives the framer a stream octet by octet and all at once.
func TestFramerByOctets(t *testing.T) {
	stream := inviteText + "\r\n\r\n" + optionsText + "\r\n" + inviteText
	want := []int{len(inviteText), 4, len(optionsText), 2, len(inviteText)}
	for _, step := range []int{1, 2, 3, 7, 100, len(stream)} {
		var f Framer
		var got []int
		var buf []byte
		for i := 0; i < len(stream); {
			j := min(i+step, len(stream))
			buf = append(buf, stream[i:j]...)
			i = j
			for {
				n, err := f.Frame(buf)
				if n == 0 {
					if err != nil {
						t.Fatalf("step %d: %v", step, err)
					}
					break
				}
				got = append(got, n)
				buf = buf[n:]
			}
		}
		if len(buf) != 0 || len(got) != len(want) {
			t.Errorf("step %d: frames %v and %d octets left, want %v", step, got, len(buf), want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("step %d: frames %v, want %v", step, got, want)
				break
			}
		}
	}
}

func TestLooksLikeHTTP(t *testing.T) {
	for in, want := range map[string][2]bool{
		"GET / HTTP/1.1\r\n": {true, false}, "POST /RPC2 HTTP/1.0\n": {true, false},
		"OPTIONS sip:a SIP/2.0\r\n": {false, false}, "GET / HT": {false, true},
	} {
		if http, more := LooksLikeHTTP([]byte(in)); http != want[0] || more != want[1] {
			t.Errorf("LooksLikeHTTP(%q) = %v, %v", in, http, more)
		}
	}
}
