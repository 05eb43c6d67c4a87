package usrloc

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sipd/router/sip"
	"sipd/router/transport"
)

// Pinger asks phones whether they are there, by requests outside of transactions.
// The branch of their Via names the contact: it comes back as it was (RFC 3261
// §8.2.6.2), so nothing is kept for a ping under way.
type Pinger struct {
	Transport *transport.Manager
	// Method and From, a URI, are those of the requests.
	Method, From string

	prefix string // of branches, tags and Call-IDs
	serial atomic.Uint64
}

// NewPinger makes a pinger; name is a word that its requests can be told by.
func NewPinger(name string) *Pinger {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return &Pinger{prefix: name + hex.EncodeToString(b[:])}
}

// lookLimit bounds what the look-up of a host may take.
const lookLimit = 5 * time.Second

// Way is how a ping gets to a URI: from the socket that the contact registered on,
// over its connection alone where it came over one.
func (p *Pinger) Way(ctx context.Context, t *Table, c *Contact, uri string) (transport.Dest, error) {
	u, err := sip.ParseURI(uri)
	if err != nil {
		return transport.Dest{}, err
	}
	proto := transport.ProtoNone
	if u.Transport != "" {
		proto, _ = transport.ParseProto(u.Transport)
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	d, err := p.Transport.ResolveOne(ctx, u.Host, u.Port, proto, u.Scheme == sip.SIPS)
	if err != nil {
		return d, err
	}
	if _, addr, ok := strings.Cut(t.Socket(c), ":"); ok {
		if host, port, err := sip.SplitHostPort(addr); err == nil {
			d.Sock = p.Transport.SocketFor(d.Proto, host, port)
		}
	}
	if d.Proto != transport.UDP {
		d.Conn, d.NoConnect = uint64(max(c.Conn(), 0)), true
	}
	return d, nil
}

// Ping sends a request; to is the URI of its To header.
func (p *Pinger) Ping(c *Contact, d transport.Dest, to string, path bool) error {
	if d.Sock == nil {
		d.Sock = p.Transport.Choose(d)
	}
	if d.Sock == nil {
		return fmt.Errorf("no socket sends to %s", d.Addr)
	}
	return p.Transport.Send(d, p.request(c, d, to, path, time.Now()))
}

func (p *Pinger) request(c *Contact, d transport.Dest, to string, path bool, now time.Time) []byte {
	route := ""
	if path && c.Path() != "" {
		route = "Route: " + c.Path() + "\r\n"
	}
	return fmt.Appendf(nil, "%[1]s %[2]s SIP/2.0\r\nVia: SIP/2.0/%[3]s %[4]s;rport;branch=%[5]s\r\nMax-Forwards: 70\r\n%[6]sFrom: <%[7]s>;tag=%[8]s\r\nTo: <%[9]s>\r\n"+
		"Call-ID: %[8]s-%[10]x@%[11]s\r\nCSeq: 1 %[1]s\r\nContent-Length: 0\r\n\r\n",
		p.Method, c.URI(), d.Proto.Upper(), d.Sock.SentBy(), p.branch(c, now), route, p.From, p.prefix, to, p.serial.Add(1), d.Sock.SentByHost())
}

const magic = "z9hG4bK"

// branch names a contact and the time, microseconds.
func (p *Pinger) branch(c *Contact, now time.Time) string {
	return magic + p.prefix + "." + strconv.FormatInt(now.UnixMicro(), 16) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(c.RUID()+" "+c.AOR()))
}

// Answer says whose phone answered a ping.
type Answer struct {
	RUID, AOR string
	// Trip is the time between the ping and its reply.
	Trip time.Duration
}

// Read takes a reply. own is false when it answers no ping of p; the answer is
// empty when it answers one and names no contact.
func (p *Pinger) Read(m *sip.Message, now time.Time) (a Answer, own bool) {
	v, err := m.Via()
	if err != nil {
		return a, false
	}
	rest, own := strings.CutPrefix(v.Branch, magic+p.prefix+".")
	if !own {
		return a, false
	}
	at, name, _ := strings.Cut(rest, ".")
	micro, err := strconv.ParseInt(at, 16, 64)
	if err != nil {
		return a, true
	}
	who, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil {
		return a, true
	}
	ruid, aor, ok := strings.Cut(string(who), " ")
	if !ok {
		return a, true
	}
	return Answer{ruid, aor, max(now.Sub(time.UnixMicro(micro)), 0)}, true
}

// Heard notes that the phone of a contact answered; false when there is none of
// that id. In mode Direct nothing is noted.
func (l *Locations) Heard(a Answer, now time.Time) bool {
	for _, t := range l.Tables() {
		if t.heard(a, now) {
			return true
		}
	}
	return false
}

func (t *Table) heard(a Answer, now time.Time) bool {
	if t.direct() != nil {
		return false
	}
	s := t.shardOf(Hash(a.AOR))
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := s.aors[a.AOR]; c != nil; c = c.next {
		if c.RUID() == a.RUID {
			c.seen.Store(make32(now.Unix()))
			c.trip.Store(uint32(min(a.Trip, time.Hour).Microseconds()))
			return true
		}
	}
	return false
}

// Shorten lets a contact end at a second, unless it ends before, never, or was
// written again meanwhile. In mode Direct it does nothing. The store is told when
// the contact goes.
func (t *Table) Shorten(ctx context.Context, c *Contact, at int64) error {
	if t.direct() != nil {
		return nil
	}
	x := t.Begin(c.AOR())
	x.MemoryOnly = true
	for k := x.First(); k != nil; k = k.Next() {
		if k != c || c.Expires() == 0 || c.Expires() <= at {
			continue
		}
		i := t.Info(c)
		i.Expires = at
		n, err := x.Update(c, &i)
		if err == nil { // it fitted before
			n.seen.Store(c.seen.Load())
			n.trip.Store(c.trip.Load())
		}
		break
	}
	return x.End(ctx)
}
