package binrpc

import (
	"context"
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
// included, valid until the next call. A fault is a packet too.
func (c *Client) Packet(ctx context.Context, method string, args ...rpc.Value) (Header, []byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return Header{}, nil, c.broken
	}
	h, body, err := c.exchange(ctx, method, args)
	if err != nil {
		return h, nil, c.failed(ctx, method, err)
	}
	end := c.in.start // of the body, in the buffer
	return h, c.in.buf[end-len(body)-h.Size : end], nil
}
