package nathelper

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
	"sipd/router/usrloc"
	"sipd/rpc"
)

// initPing makes what pings are recognised by.
func (n *nathelper) initPing() error {
	n.pinger = usrloc.NewPinger("nh")
	n.pinger.Transport, n.pinger.Method, n.pinger.From = n.host.Env.Transport, n.sipMethod, n.sipFrom
	n.on.Store(true)
	n.host.Hooks.PreReply = append(n.host.Hooks.PreReply, n.preReply)
	if n.rawSocket != "" {
		from, err := parseRaw(n.rawSocket)
		if err != nil {
			return err
		}
		if !n.host.CheckOnly && n.host.Env.Transport != nil {
			if n.raw, err = openRaw(from); err != nil {
				return err
			}
		}
	}
	if n.forceSocket == "" {
		return nil
	}
	text := strings.TrimPrefix(n.forceSocket, "udp:")
	host, port, err := sip.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("force_socket: %w", err)
	}
	if n.host.CheckOnly || n.host.Env.Transport == nil {
		return nil
	}
	if n.socket = n.host.Env.Transport.SocketFor(transport.UDP, host, port); n.socket == nil {
		return fmt.Errorf("force_socket %s is not a socket that the daemon listens on", n.forceSocket)
	}
	return nil
}

// Close closes the raw socket.
func (n *nathelper) Close() error {
	if n.raw == nil {
		return nil
	}
	return n.raw.close()
}

// preReply swallows the replies to pings, and notes whose phone sent them.
func (n *nathelper) preReply(c *run.Context) bool {
	now := c.Now()
	a, own := n.pinger.Read(c.Msg, now)
	if own && n.keepalive > 0 {
		n.location.Locations().Heard(a, now)
	}
	return !own
}

// Serve pings each contact once in an interval; what is to be sent is spread
// over its seconds.
func (n *nathelper) Serve(ctx context.Context) error {
	if n.interval == 0 {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := uint32(0); ; second++ {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if n.on.Load() {
				n.pingSome(ctx, second%uint32(n.interval), now.Unix())
			}
		}
	}
}

func (n *nathelper) pingSome(ctx context.Context, second uint32, now int64) {
	for _, t := range n.location.Locations().Tables() {
		for r := range t.All() {
			if r.Hash%uint32(n.interval) != second {
				continue
			}
			if ctx.Err() != nil {
				return
			}
			for _, c := range r.Contacts {
				if n.wanted(c, now) {
					n.ping(ctx, t, c, now)
				}
			}
		}
	}
}

func flag(w uint32, n int) bool { return n >= 0 && w&(1<<n) != 0 }

// wanted says whether a contact is to be pinged.
func (n *nathelper) wanted(c *usrloc.Contact, now int64) bool {
	return c.Valid(now) && !flag(c.CFlags(), n.noFlag) &&
		(!n.natedOnly || flag(c.CFlags(), n.location.NATFlag())) &&
		(!n.filterID || c.ServerID() == n.host.Env.ServerID)
}

// ping sends four zero octets, or a request when the contact's flag says so.
func (n *nathelper) ping(ctx context.Context, t *usrloc.Table, c *usrloc.Contact, now int64) {
	to := c.Received()
	if to == "" {
		to = c.URI()
	}
	if p := c.Path(); p != "" && !n.ignorePath {
		if na, err := sip.ParseNameAddr(p); err == nil {
			to = na.URI
		}
	}
	d, err := n.pinger.Way(ctx, t, c, to)
	if err == nil {
		err = n.send(ctx, t, c, d, now)
	}
	if err != nil {
		n.fail(ctx, c, err)
	}
}

func (n *nathelper) send(ctx context.Context, t *usrloc.Table, c *usrloc.Contact, d transport.Dest, now int64) error {
	if n.socket != nil && d.Proto == transport.UDP {
		d.Sock = n.socket
	}
	switch bySIP := flag(c.CFlags(), n.sipFlag) && n.sipFrom != ""; {
	case bySIP && d.Proto == transport.UDP && n.keepalive > 0 && c.LastKeepalive()+int64(n.keepalive) < now:
		return t.Shorten(ctx, c, now+graceTime)
	case bySIP:
		return n.pinger.Ping(c, d, c.URI(), !n.ignorePath)
	case d.Proto == transport.UDP && n.raw != nil && d.Addr.Addr().Unmap().Is4():
		return n.raw.send(netip.AddrPortFrom(d.Addr.Addr().Unmap(), d.Addr.Port()), []byte{0, 0, 0, 0})
	case d.Proto == transport.UDP:
		return n.host.Env.Transport.Send(d, []byte{0, 0, 0, 0})
	}
	return nil // streams are kept open by what is sent on them
}

// graceTime is for how many seconds a contact stays that does not answer, as with
// Kamailio.
const graceTime = 10

func (n *nathelper) fail(ctx context.Context, c *usrloc.Contact, err error) {
	n.host.Log.LogAttrs(ctx, slog.LevelDebug, "contact not pinged", slog.String("module", "nathelper"), slog.String("contact", c.URI()), slog.Any("err", err))
}

// enablePing serves nathelper.enable_ping.
func (n *nathelper) enablePing(_ context.Context, c *rpc.Call) error {
	if n.interval == 0 {
		return &rpc.Fault{Code: 500, Text: "NATping disabled"}
	}
	n.on.Store(c.Int(0) != 0)
	return nil
}
