package nathelper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
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
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	n.prefix = "nh" + hex.EncodeToString(b[:])
	n.on.Store(true)
	n.host.Hooks.PreReply = append(n.host.Hooks.PreReply, n.preReply)
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

// preReply swallows the replies to pings.
func (n *nathelper) preReply(c *run.Context) bool {
	v, err := c.Msg.Via()
	return err != nil || !strings.HasPrefix(strings.TrimPrefix(v.Branch, "z9hG4bK"), n.prefix)
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
					n.ping(ctx, t, c)
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
func (n *nathelper) ping(ctx context.Context, t *usrloc.Table, c *usrloc.Contact) {
	to := c.Received()
	if to == "" {
		to = c.URI()
	}
	path := ""
	if p := c.Path(); p != "" && !n.ignorePath {
		path = p
		if na, err := sip.ParseNameAddr(p); err == nil {
			to = na.URI
		}
	}
	d, err := n.resolve(ctx, to)
	if err != nil {
		n.fail(ctx, c, err)
		return
	}
	d.Sock = n.socketOf(t.Socket(c), d)
	bySIP := flag(c.CFlags(), n.sipFlag) && n.sipFrom != ""
	if !bySIP && d.Proto != transport.UDP {
		return // streams are kept open by what is sent on them
	}
	msg := []byte{0, 0, 0, 0}
	if bySIP {
		if d.Proto != transport.UDP {
			d.Conn, d.NoConnect = uint64(max(c.Conn(), 0)), true
		}
		if d.Sock == nil {
			d.Sock = n.host.Env.Transport.Choose(d)
		}
		if d.Sock == nil {
			return
		}
		msg = n.request(c, d, path)
	}
	if err := n.host.Env.Transport.Send(d, msg); err != nil {
		n.fail(ctx, c, err)
	}
}

func (n *nathelper) fail(ctx context.Context, c *usrloc.Contact, err error) {
	n.host.Log.LogAttrs(ctx, slog.LevelDebug, "contact not pinged", slog.String("module", "nathelper"), slog.String("contact", c.URI()), slog.Any("err", err))
}

func (n *nathelper) resolve(ctx context.Context, uri string) (transport.Dest, error) {
	u, err := sip.ParseURI(uri)
	if err != nil {
		return transport.Dest{}, err
	}
	p := transport.ProtoNone
	if u.Transport != "" {
		p, _ = transport.ParseProto(u.Transport)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return n.host.Env.Transport.ResolveOne(ctx, u.Host, u.Port, p, u.Scheme == sip.SIPS)
}

// socketOf is the socket to ping from: force_socket, else the one that the
// contact registered on.
func (n *nathelper) socketOf(text string, d transport.Dest) *transport.Socket {
	if n.socket != nil && d.Proto == transport.UDP {
		return n.socket
	}
	_, addr, ok := strings.Cut(text, ":")
	if !ok {
		return nil
	}
	host, port, err := sip.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	return n.host.Env.Transport.SocketFor(d.Proto, host, port)
}

// request builds the SIP request of a ping.
func (n *nathelper) request(c *usrloc.Contact, d transport.Dest, path string) []byte {
	id := n.serial.Add(1)
	host, port := d.Sock.Addr.Addr().Unmap(), d.Sock.Addr.Port()
	via := fmt.Sprintf("%s:%d", hostText(host), port)
	if d.Sock.AdvHost != "" {
		via = string(sip.AppendAddr(nil, d.Sock.AdvHost, d.Sock.SentByPort()))
	}
	route := ""
	if path != "" {
		route = "Route: " + path + "\r\n"
	}
	return fmt.Appendf(nil, "%[1]s %[2]s SIP/2.0\r\nVia: SIP/2.0/%[3]s %[4]s;rport;branch=z9hG4bK%[5]s.%[6]x\r\nMax-Forwards: 70\r\n%[7]sFrom: <%[8]s>;tag=%[5]s\r\nTo: <%[2]s>\r\n"+
		"Call-ID: %[5]s-%[6]x@%[9]s\r\nCSeq: 1 %[1]s\r\nContent-Length: 0\r\n\r\n",
		n.sipMethod, c.URI(), strings.ToUpper(d.Proto.String()), via, n.prefix, id, route, n.sipFrom, host)
}

// enablePing serves nathelper.enable_ping.
func (n *nathelper) enablePing(_ context.Context, c *rpc.Call) error {
	if n.interval == 0 {
		return &rpc.Fault{Code: 500, Text: "NATping disabled"}
	}
	n.on.Store(c.Int(0) != 0)
	return nil
}
