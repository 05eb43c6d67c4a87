package binrpc

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"sipd/rpc"
)

// maxText bounds one record of a reply that is read in pieces, octets.
const maxText = 16 << 20

// ReadTokens reads a body of any length, octet by octet as it comes. The
// sequence ends with an error where the body does not end between two values:
// that of the reader, rpc.ErrMore, rpc.ErrRecord or rpc.ErrType.
func ReadTokens(r io.Reader) iter.Seq2[rpc.Token, error] {
	return func(yield func(rpc.Token, error) bool) {
		t := tokenReader{r: bufio.NewReader(r)}
		for {
			tok, err := t.next()
			if errors.Is(err, io.EOF) && len(t.open) == 0 && !t.named {
				return
			}
			if errors.Is(err, io.EOF) {
				err = rpc.ErrMore
			}
			if !yield(tok, err) || err != nil {
				return
			}
		}
	}
}

// tokenReader keeps what is open: the marks of structs and arrays.
type tokenReader struct {
	r     *bufio.Reader
	open  []byte
	named bool // the record before was a name
	buf   []byte
	names map[string]string // seen: they come again and again
}

// maxNames bounds the names that are kept.
const maxNames = 1024

// name is the text of a name.
func (t *tokenReader) name(val []byte) (string, error) {
	if n, ok := t.names[string(val)]; ok {
		return n, nil
	}
	n, err := text(val)
	if err == nil && len(t.names) < maxNames && len(val) < 64 {
		if t.names == nil {
			t.names = map[string]string{}
		}
		t.names[string(val)] = n
	}
	return n, err
}

func (t *tokenReader) next() (rpc.Token, error) {
	first, err := t.r.ReadByte()
	if err != nil {
		return rpc.Token{}, err
	}
	typ := first & 0x0f
	if typ == tStruct || typ == tArray {
		return t.bracket(first)
	}
	val, err := t.octets(first, typ)
	if err != nil {
		return rpc.Token{}, err
	}
	if typ == tAVP {
		if t.named || len(t.open) == 0 {
			return rpc.Token{}, rpc.ErrRecord
		}
		t.named = true
		name, err := t.name(val)
		return rpc.Token{Kind: rpc.TokenName, Name: name}, err
	}
	t.named = false
	v, err := scalar(typ, val)
	return rpc.Token{Kind: rpc.TokenValue, Value: v}, err
}

// scalar is the value of a record in a piece: as a plain reply's, but that
// null and numbers of 64 bits stay what they are.
func scalar(typ byte, val []byte) (rpc.Value, error) {
	switch {
	case typ == tString && len(val) == 0:
		return rpc.Null{}, nil
	case typ == tInt && len(val) > 4:
		return rpc.Int(int64(number(val))), nil
	}
	var d Decoder
	return d.finish(typ, val, 0)
}

// bracket opens or closes a struct or an array.
func (t *tokenReader) bracket(first byte) (rpc.Token, error) {
	mark := first &^ endMark
	if mark != tStruct && mark != tArray {
		return rpc.Token{}, rpc.ErrRecord
	}
	if first&endMark == 0 {
		if len(t.open) == maxNesting {
			return rpc.Token{}, rpc.ErrRecord
		}
		t.open, t.named = append(t.open, mark), false
		if mark == tArray {
			return rpc.Token{Kind: rpc.TokenList}, nil
		}
		return rpc.Token{Kind: rpc.TokenStruct}, nil
	}
	n := len(t.open)
	if n == 0 || t.open[n-1] != mark || t.named {
		return rpc.Token{}, rpc.ErrRecord
	}
	t.open = t.open[:n-1]
	return rpc.Token{Kind: rpc.TokenEnd}, nil
}

// octets reads the value of a record, valid until the next.
func (t *tokenReader) octets(first, typ byte) ([]byte, error) {
	n := int(first >> 4)
	if typ != tDouble && n >= 8 {
		var length uint64
		for range n - 8 {
			b, err := t.r.ReadByte()
			if err != nil {
				return nil, noEOF(err)
			}
			length = length<<8 | uint64(b)
		}
		if length > maxText {
			return nil, rpc.ErrRecord
		}
		n = int(length)
	}
	// No more is made room for than comes: a length may be a lie.
	t.buf = t.buf[:0]
	for n > 0 {
		step := min(n, 64<<10)
		at := len(t.buf)
		t.buf = slices.Grow(t.buf, step)[:at+step]
		if _, err := io.ReadFull(t.r, t.buf[at:]); err != nil {
			return nil, noEOF(err)
		}
		n -= step
	}
	return t.buf, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return rpc.ErrMore
	}
	return err
}

// Stream implements [rpc.Streamer]. A server that knows no pieces, and a
// datagram socket, answer in one, as to Call.
func (c *Client) Stream(ctx context.Context, method string, args ...rpc.Value) iter.Seq2[rpc.Token, error] {
	return func(yield func(rpc.Token, error) bool) {
		if c.dgram || c.unpaged.Load() {
			c.whole(ctx, yield, method, args)
			return
		}
		p := pageReader{ctx: ctx, c: c}
		defer p.wait()
		err := p.take(p.ask(append([]rpc.Value{rpc.Int(0), rpc.String(method)}, args...)...))
		if f, ok := errors.AsType[*rpc.Fault](err); ok && f.Code == 500 && f.Text == "command "+rpc.PageMethod+" not found" {
			c.unpaged.Store(true)
			c.whole(ctx, yield, method, args)
			return
		}
		if err != nil {
			yield(rpc.Token{}, err)
			return
		}
		for t, err := range ReadTokens(&p) {
			if !yield(t, err) {
				return
			}
		}
	}
}

// whole hands on a reply that came in one piece.
func (c *Client) whole(ctx context.Context, yield func(rpc.Token, error) bool, method string, args []rpc.Value) {
	vals, err := c.Call(ctx, method, args...)
	if err != nil {
		yield(rpc.Token{}, err)
		return
	}
	for t := range rpc.Tokens(slices.Values(vals)) {
		if !yield(t, nil) {
			return
		}
	}
}

// pageReader reads the pieces of a reply one after another. While one is read
// the next is on its way, so that server and client work at the same time.
type pageReader struct {
	ctx   context.Context //nolint:containedctx // lives as long as one Stream
	c     *Client
	piece []byte
	ahead chan page // what the call under way will answer; nil: none is
}

// page is what one call of the companion method answers.
type page struct {
	cursor rpc.Int
	piece  []byte
	err    error
}

func (p *pageReader) ask(args ...rpc.Value) page {
	vals, err := p.c.Call(p.ctx, rpc.PageMethod, args...)
	if err != nil {
		return page{err: err}
	}
	if len(vals) == 2 {
		cursor, isInt := vals[0].(rpc.Int)
		piece, isBytes := vals[1].(rpc.Bytes)
		if isInt && isBytes {
			return page{cursor, piece, nil}
		}
	}
	return page{err: errors.New("bad reply: no piece of a reply")}
}

// take makes an answer the piece being read, and asks for the next.
func (p *pageReader) take(got page) error {
	p.piece, p.ahead = got.piece, nil
	if got.err == nil && got.cursor != 0 {
		ahead := make(chan page, 1)
		p.ahead = ahead
		go func() { ahead <- p.ask(got.cursor) }()
	}
	return got.err
}

// wait ends the call under way.
func (p *pageReader) wait() {
	if p.ahead != nil {
		<-p.ahead
	}
}

func (p *pageReader) Read(b []byte) (int, error) {
	for len(p.piece) == 0 {
		if p.ahead == nil {
			return 0, io.EOF
		}
		if err := p.take(<-p.ahead); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.piece)
	p.piece = p.piece[n:]
	return n, nil
}

var _ rpc.Streamer = (*Client)(nil)
