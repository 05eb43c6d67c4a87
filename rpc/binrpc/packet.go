package binrpc

import (
	"context"
	"errors"
	"fmt"

	"sipd/rpc"
)

// ReplyError is a packet that does not answer the request.
type ReplyError struct {
	Type      byte
	Sent, Got uint32 // cookies
}

func (e *ReplyError) Error() string {
	return fmt.Sprintf("bad reply: type %d, cookie %#x in place of %#x", e.Type, e.Got, e.Sent)
}

// Packet is Call for who reads the reply with [Records]: its packet, header
// included, valid until the next call. A fault is a packet too, and so is one
// that is refused with a *[ReplyError].
func (c *Client) Packet(ctx context.Context, method string, args ...rpc.Value) (Header, []byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return Header{}, nil, c.broken
	}
	h, _, err := c.exchange(ctx, method, args)
	if err != nil {
		err = c.failed(ctx, method, err)
		if _, other := errors.AsType[*ReplyError](err); !other {
			return h, nil, err
		}
	}
	end := c.in.start // of the body, in the buffer
	return h, c.in.buf[end-h.Len-h.Size : end], err
}
