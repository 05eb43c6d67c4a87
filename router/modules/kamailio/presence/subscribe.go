package presence

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	events "sipd/router/presence"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
	"sipd/router/transport"
)

// subscription is a SUBSCRIBE, read.
type subscription struct {
	*sub

	event *events.Event
	first bool // outside a dialog
	life  int  // seconds
}

// subscribe is handle_subscribe; watcher is the URI of who watches.
func (m *mod) subscribe(c *run.Context, watcher string) int {
	m.count.subscribes.Inc()
	c.Slots[m.slot] = nil
	s, err := m.readSubscribe(c, watcher)
	if err != nil {
		return m.refused(c, err)
	}
	ctx := context.Background()
	if s.first {
		err = m.begin(ctx, c, s)
	} else {
		err = m.goOn(ctx, s)
	}
	if err != nil {
		return m.refused(c, err)
	}
	m.remember(c, s.sub)
	if err := m.subscribed(ctx, c, s); err != nil {
		return m.refused(c, err)
	}
	return 1
}

// readSubscribe reads the request.
func (m *mod) readSubscribe(c *run.Context, watcher string) (*subscription, error) {
	s := &subscription{sub: &sub{version: 1}}
	h := c.Msg.First(sip.HdrEvent)
	if h == nil {
		return nil, errEvent
	}
	if s.event, s.eventID = m.events.Header(c.Msg.Value(h)); s.event == nil {
		return nil, errEvent
	}
	s.eventID, s.sub.event = strings.Clone(s.eventID), s.event.Name // kept without the message
	if err := m.readLife(c.Msg, s); err != nil {
		return nil, err
	}
	if err := m.readParties(c, s, watcher); err != nil {
		return nil, err
	}
	cseq, err := c.Msg.CSeq()
	if err != nil {
		return nil, errRequest
	}
	s.remoteCSeq, s.callID = cseq.Num, strings.Clone(c.Msg.CallID())
	it := c.Msg.ContactIter()
	if !it.Next() || it.Contact().Star {
		return nil, errRequest
	}
	s.contact = strings.Clone(it.Contact().URI)
	if s.first {
		if s.recordRoute, err = recorded(c.Msg); err != nil {
			return nil, errRequest
		}
	}
	s.expires = c.Now().Unix() + int64(s.life)
	if sock := c.Recv.Sock; sock != nil {
		s.socket = sock.String()
	}
	if s.localContact = m.address; s.localContact == "" {
		s.localContact = localContact(&c.Recv)
	}
	if h := c.Msg.First(sip.HdrUserAgent); h != nil && len(c.Msg.Value(h)) < 255 {
		s.user = strings.Clone(c.Msg.Value(h))
	}
	s.flags = int(c.Main.Flags)
	return s, nil
}

func (m *mod) readLife(msg *sip.Message, s *subscription) (err error) {
	if s.life, err = m.life(msg, s.event); err != nil {
		return err
	}
	if s.life > 0 && s.life < m.minExpires {
		if m.minAction == 1 {
			return errBrief
		}
		s.life = m.minExpires
	}
	return nil
}

// readParties reads To, From and who watches.
func (m *mod) readParties(c *run.Context, s *subscription, watcher string) error {
	to, err := c.Msg.To()
	if err != nil {
		return errRequest
	}
	from, err := c.Msg.From()
	if err != nil || from.Tag == "" {
		return errRequest
	}
	toURI, err := to.ParseURI()
	if err != nil {
		return errRequest
	}
	fromURI, err := from.ParseURI()
	if err != nil {
		return errRequest
	}
	s.toUser, s.toDomain = strings.Clone(toURI.User), strings.Clone(toURI.Host)
	s.fromUser, s.fromDomain = strings.Clone(fromURI.User), strings.Clone(fromURI.Host)
	s.watcherUser, s.watcherDom = s.fromUser, s.fromDomain
	if watcher != "" {
		u, err := sip.ParseURI(watcher)
		if err != nil {
			return errRequest
		}
		s.watcherUser, s.watcherDom = strings.Clone(u.User), strings.Clone(u.Host)
	}
	s.fromTag, s.toTag = strings.Clone(from.Tag), strings.Clone(c.Msg.ToTag())
	if s.toTag == "" {
		s.first = true
		s.toTag, err = m.toTag(c)
	}
	return err
}

// toTag is the tag that the reply will have.
func (m *mod) toTag(c *run.Context) (string, error) {
	if c.ToTagOverride != "" {
		return c.ToTagOverride, nil
	}
	if t, ok := c.Tx.(*tm.Transaction); ok && t != nil {
		return t.LocalTag(), nil
	}
	var b [12]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	c.ToTagOverride = hex.EncodeToString(b[:])
	return c.ToTagOverride, nil
}

// recorded is the route set as the table keeps it.
func recorded(msg *sip.Message) (string, error) {
	var list []string
	it := msg.Routes(sip.HdrRecordRoute)
	for it.Next() {
		n := it.NameAddr()
		list = append(list, msg.Raw()[n.Start:n.End])
	}
	return strings.Clone(strings.Join(list, ",")), it.Err() // one alone is a piece of the message
}

// localContact is the address that a request came to, as a URI.
func localContact(r *transport.Received) string {
	if r.Sock == nil {
		return "sip:" + r.Dst.String()
	}
	proto := r.Proto
	b := append([]byte("sip:"), r.Sock.SentByHost()...)
	b = strconv.AppendUint(append(b, ':'), uint64(r.Sock.SentByPort()), 10)
	return string(append(b, ";transport="+proto.String()...))
}

// begin finds out what a new subscription may see.
func (m *mod) begin(ctx context.Context, c *run.Context, s *subscription) error {
	uri, err := c.ParsedRURI()
	if err != nil {
		return errRequest
	}
	s.presURI = events.URI(strings.Clone(uri.User), strings.Clone(uri.Host))
	if s.sub.event == shared { // the line is the contact's user at the caller's domain
		contact, err := sip.ParseURI(s.contact)
		if err != nil {
			return errRequest
		}
		s.presURI = events.URI(contact.User, s.fromDomain)
	}
	if s.event.Authority == nil || m.s.watchers == nil {
		s.status = events.Active
		return nil
	}
	w := s.watcher()
	found, err := m.s.watchers.look(ctx, w, s.sub.event)
	if err != nil {
		return err
	}
	if !found {
		if err := m.judge(ctx, s, w); err != nil {
			return err
		}
	}
	s.status, s.reason = w.Status, w.Reason
	return nil
}

// judge asks the rules about a watcher, and keeps what they say.
func (m *mod) judge(ctx context.Context, s *subscription, w *events.Watcher) error {
	w.Status, w.Reason = events.Pending, ""
	rules, err := m.rules(ctx, s.event, s.presURI)
	if err != nil {
		return err
	}
	m.lookAround(ctx, w)
	if err := s.event.Authority.Decide(rules, w); err != nil {
		return err
	}
	return m.s.watchers.add(ctx, w, s.sub.event, now())
}

// goOn takes over what is known of a dialog.
func (m *mod) goOn(ctx context.Context, s *subscription) error {
	old, err := m.s.subs.find(ctx, s.dialog)
	if err != nil {
		return err
	}
	if old == nil || old.event != s.sub.event {
		return errNoDialog
	}
	if int64(s.remoteCSeq)+int64(m.cseqOffset) <= int64(old.remoteCSeq) {
		return errRequest
	}
	s.presURI, s.status, s.reason, s.recordRoute = old.presURI, old.status, old.reason, old.recordRoute
	s.watcherUser, s.watcherDom = old.watcherUser, old.watcherDom
	s.version, s.localCSeq = old.version+1, old.localCSeq+1
	return nil
}

// subscribed keeps the subscription, answers it and sends what it wants to know.
func (m *mod) subscribed(ctx context.Context, c *run.Context, s *subscription) error {
	switch {
	case s.first && s.life > 0 && s.status != events.Terminated:
		if m.sameSubs {
			if err := m.forgetSame(ctx, s.sub); err != nil {
				return err
			}
		}
		kept := *s.sub
		kept.version = 0 // the first NOTIFY counts it up
		if err := m.s.subs.add(ctx, &kept); err != nil {
			return err
		}
	case !s.first && s.life == 0:
		if err := m.s.subs.remove(ctx, s.dialog); err != nil {
			return err
		}
	case !s.first:
		if err := m.s.subs.refresh(ctx, s.sub); err != nil {
			return err
		}
	}
	code := 200
	if m.respond200 == 0 && !s.event.Winfo {
		code = 202
	}
	m.reply(c, code, "OK", "Expires: "+strconv.Itoa(s.life)+"\r\nContact: <"+m.contact(s.localContact, c.Recv.Proto)+">\r\n")
	ends := s.life == 0
	if peer := s.event.Peer; peer != nil && peer.Winfo {
		var changed *sub // all watchers are told when one has gone
		switch {
		case !ends:
			changed = s.sub
		case s.first:
			peer = nil // a fetch changes nothing
		}
		if peer != nil {
			m.tellWatchers(ctx, peer, s.presURI, changed)
		}
	}
	if m.fastNotify || !s.first && ends || !ends && s.event.Peer != nil && !s.event.Winfo {
		m.notify(s.sub, &note{over: ends})
	}
	return nil
}

// forgetSame ends the subscriptions to the presentity that have the Call-ID of s;
// nobody is told.
func (m *mod) forgetSame(ctx context.Context, s *sub) error {
	list, err := m.s.subs.watching(ctx, s.presURI, s.event)
	if err != nil {
		return err
	}
	var errs []error
	for _, old := range list {
		if old.callID == s.callID && old.dialog != s.dialog {
			errs = append(errs, m.s.subs.remove(ctx, old.dialog))
		}
	}
	return errors.Join(errs...)
}

// contact is a URI with the transport of a socket, where it names none.
func (m *mod) contact(uri string, p transport.Proto) string {
	if p == transport.UDP || p == transport.ProtoNone || strings.Contains(uri, ";transport=") {
		return uri
	}
	return uri + ";transport=" + p.String()
}
