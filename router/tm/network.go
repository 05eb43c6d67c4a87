package tm

import (
	"sipd/router/forward"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
)

// Network is what transactions need of the world outside: where a branch goes,
// how the request looks that goes there, and the sending.
type Network interface {
	// Resolve finds the destination of a branch with the socket chosen, and with
	// use_dns_failover those to try when that one fails.
	Resolve(c *run.Context, b *run.Branch) (d transport.Dest, others []transport.Dest, err error)
	// AppendRequest prints c's request for a branch.
	AppendRequest(dst []byte, c *run.Context, b *run.Branch, d transport.Dest, branch string, extra ...*sip.Edits) []byte
	// AppendVia prints the Via that AppendRequest puts in front.
	AppendVia(dst []byte, c *run.Context, d transport.Dest, branch string) []byte
	// Oversize is the destination to use instead for a request of that size; ok
	// is false when it goes to d.
	Oversize(d transport.Dest, size int) (o transport.Dest, ok bool)
	// Send sends; b is not kept.
	Send(d transport.Dest, b []byte) error
	// Forward sends c's request on without state.
	Forward(c *run.Context) int
}

// network is the daemon's: packages forward and transport.
type network struct{ m *transport.Manager }

// NewNetwork makes the Network of a running daemon.
func NewNetwork(m *transport.Manager) Network { return network{m} }

func (n network) Resolve(c *run.Context, b *run.Branch) (transport.Dest, []transport.Dest, error) {
	if !n.m.Failover(c.Cfg) {
		d, err := forward.ResolveOne(c, b)
		return d, nil, err
	}
	ds, err := forward.Resolve(c, b)
	if err != nil {
		return transport.Dest{}, nil, err
	}
	return ds[0], ds[1:], nil
}

func (n network) AppendVia(dst []byte, c *run.Context, d transport.Dest, branch string) []byte {
	return forward.AppendVia(dst, c, d, branch)
}

func (n network) AppendRequest(dst []byte, c *run.Context, b *run.Branch, d transport.Dest, branch string, extra ...*sip.Edits) []byte {
	return forward.AppendRequest(dst, c, b, d, branch, extra...)
}

func (n network) Oversize(d transport.Dest, size int) (transport.Dest, bool) {
	return n.m.Oversize(d, size)
}

func (n network) Send(d transport.Dest, b []byte) error { return n.m.Send(d, b) }

func (n network) Forward(c *run.Context) int { return forward.Request(c) }
