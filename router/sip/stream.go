package sip

import (
	"bytes"
	"errors"
)

// What a stream can carry besides messages. Frame answers these with the number
// of octets they take.
var (
	// ErrPing is a double CRLF where a message could start: a client that wants
	// one CRLF as answer (RFC 5626 §4.4.1).
	ErrPing = errors.New("sip: keep-alive ping")
	// ErrCRLF is a single CRLF, or other line ends, before a message: to be
	// passed over.
	ErrCRLF = errors.New("sip: keep-alive line end")
)

// Frame looks for a whole message at the start of what a stream has delivered
// (RFC 3261 §18.3). It answers how many octets that takes; 0 and nil when more
// is needed. ErrPing and ErrCRLF come with the octets to pass over. Any other
// error is a *SyntaxError after which the stream cannot be read on: no
// Content-Length, several that differ, or more than max octets.
func Frame(buf []byte, max int) (total int, err error) {
	f := Framer{Max: max}
	return f.Frame(buf)
}

// Framer is Frame for one stream. It remembers how far it has looked, so that a
// message that comes octet by octet costs no more than one at once. After a
// message was taken off the buffer, or line ends were, call it with the rest.
type Framer struct {
	// Max is the size of a message in octets; 0 means DefaultMaxSize.
	Max int

	seen  int // octets without an end of header
	total int // size of the message, once its header was seen
}

// Frame is the function Frame on a buffer that starts with the same octets as
// at the last call that answered 0 and nil.
func (f *Framer) Frame(buf []byte) (int, error) {
	limit := f.Max
	if limit <= 0 {
		limit = DefaultMaxSize
	}
	if f.total == 0 {
		if len(buf) > 0 && (buf[0] == '\r' || buf[0] == '\n') {
			return lineEnds(buf)
		}
		end := f.headerEnd(buf)
		if end < 0 {
			if len(buf) >= limit {
				return 0, f.fail(syntax("stream", limit, "no end of header within the limit"))
			}
			return 0, nil
		}
		n, err := contentLength(buf[:end])
		if err != nil {
			return 0, f.fail(err)
		}
		if end+n > limit {
			return 0, f.fail(syntax("stream", limit, "the message is larger than the limit"))
		}
		f.total = end + n
	}
	if len(buf) < f.total {
		return 0, nil
	}
	n := f.total
	f.seen, f.total = 0, 0
	return n, nil
}

func (f *Framer) fail(err *SyntaxError) error {
	f.seen, f.total = 0, 0
	return err
}

// lineEnds deals with CRs and LFs where a message could start.
func lineEnds(buf []byte) (int, error) {
	n := 0
	for n < len(buf) && (buf[n] == '\r' || buf[n] == '\n') {
		n++
	}
	if n >= 4 && bytes.Equal(buf[:4], []byte("\r\n\r\n")) {
		return 4, ErrPing
	}
	if n == len(buf) && n < 4 { // the first half of a ping?
		return 0, nil
	}
	return min(n, 2), ErrCRLF
}

// headerEnd is the place behind the empty line, -1 when it has not come.
func (f *Framer) headerEnd(buf []byte) int {
	i := f.seen
	for {
		lf := bytes.IndexByte(buf[i:], '\n')
		if lf < 0 {
			return -1
		}
		i += lf + 1
		f.seen = i - 1 // look at this line end again when more has come
		switch {
		case i < len(buf) && buf[i] == '\n':
			return i + 1
		case i+1 < len(buf) && buf[i] == '\r' && buf[i+1] == '\n':
			return i + 2
		case i >= len(buf) || buf[i] == '\r' && i+1 >= len(buf):
			return -1
		}
	}
}

// contentLength finds the message's length in its header.
func contentLength(head []byte) (int, *SyntaxError) {
	length := -1
	for i := bytes.IndexByte(head, '\n') + 1; i < len(head); {
		start := i
		for i < len(head) && isToken(head[i]) {
			i++
		}
		name := head[start:i]
		for i < len(head) && (head[i] == ' ' || head[i] == '\t') {
			i++
		}
		colon := i
		end := fieldEndBytes(head, i)
		if colon < len(head) && head[colon] == ':' && isLengthName(name) {
			value := bytes.Trim(head[colon+1:end], " \t\r\n")
			n, ok := parseUint(string(value), 1<<30)
			if !ok {
				return 0, syntax("stream", colon+1, "Content-Length is not a number")
			}
			if length >= 0 && length != int(n) {
				return 0, syntax("stream", colon+1, "two Content-Length that differ")
			}
			length = int(n)
		}
		i = max(end, start+1)
	}
	if length < 0 {
		return 0, syntax("stream", len(head), "no Content-Length")
	}
	return length, nil
}

func isLengthName(b []byte) bool {
	switch len(b) {
	case 1:
		return b[0]|0x20 == 'l'
	case len("Content-Length"):
		return bytes.EqualFold(b, []byte("Content-Length"))
	}
	return false
}

func fieldEndBytes(b []byte, i int) int {
	for {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 {
			return len(b)
		}
		i += lf + 1
		if i >= len(b) || b[i] != ' ' && b[i] != '\t' {
			return i
		}
	}
}

// LooksLikeHTTP says whether a stream starts with an HTTP/1 request line: one
// that ends in HTTP/1.0 or HTTP/1.1. more is true when its first line has not
// come whole.
func LooksLikeHTTP(buf []byte) (http, more bool) {
	lf := bytes.IndexByte(buf, '\n')
	if lf < 0 {
		return false, true
	}
	line := bytes.TrimSuffix(buf[:lf], []byte("\r"))
	return bytes.HasSuffix(line, []byte(" HTTP/1.1")) || bytes.HasSuffix(line, []byte(" HTTP/1.0")), false
}
