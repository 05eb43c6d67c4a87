package binrpc

import (
	"errors"
	"io"
	"time"
)

// lingerTime is how long a refused TCP peer may take to read why.
const lingerTime = time.Second

// errTooLong is a packet that announces more than it may.
var errTooLong = errors.New("binrpc: packet is longer than its limit")

// reader cuts a stream into packets. Its buffer grows to what packets need and
// shrinks again after a long one.
type reader struct {
	r          io.Reader
	max        int // of a packet with its header
	buf        []byte
	start, end int // what was read and not yet taken
}

// buffered takes the next packet out of what was read: ErrShort when there is
// none, a *CorruptError, or errTooLong. The body is valid until fill.
func (r *reader) buffered() (Header, []byte, error) {
	h, err := ParseHeader(r.buf[r.start:r.end])
	if err != nil {
		return h, nil, err
	}
	if h.Len > r.max-h.Size {
		return h, nil, errTooLong
	}
	if r.end-r.start < h.Size+h.Len {
		return h, nil, ErrShort
	}
	body := r.buf[r.start+h.Size : r.start+h.Size+h.Len]
	r.start += h.Size + h.Len
	return h, body, nil
}

// fill reads once. An error is the reader's.
func (r *reader) fill() error {
	const small = 1024
	left := r.end - r.start
	need := small
	if h, err := ParseHeader(r.buf[r.start:r.end]); err == nil {
		need = max(small, h.Size+min(h.Len, r.max))
	}
	switch {
	case len(r.buf) < need || (left == 0 && len(r.buf) > small && need == small):
		b := make([]byte, need)
		copy(b, r.buf[r.start:r.end])
		r.buf = b
	case r.start > 0:
		copy(r.buf, r.buf[r.start:r.end])
	}
	r.start, r.end = 0, left
	n, err := r.r.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func deadline(d time.Duration) time.Time { return time.Now().Add(d) }
