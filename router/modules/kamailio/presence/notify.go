package presence

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	events "sipd/router/presence"
	"sipd/router/sip"
	"sipd/router/tm"
	"sipd/router/transport"
)

// now is the second of now.
func now() int64 { return time.Now().Unix() }

// userOf is the user and the domain of a presentity.
func userOf(presURI string) (user, domain string, err error) {
	u, err := sip.ParseURI(presURI)
	return u.User, u.Host, err
}

// note says what a NOTIFY tells.
type note struct {
	// over: the subscription ended, and is not in the store any more.
	over bool
	// empty: without a body.
	empty bool
	// body is the state when it is known already, of the generation age; gone is
	// the state that went.
	body *string
	age  uint64
	gone *published
	// rules are those of the presentity when they are known already.
	rules *string
	// changed is the watcher that an event of watchers is about, nil for all.
	changed *sub
}

// tell tells the watchers of a state that it changed; gone is the state that went,
// or nil.
func (m *mod) tell(ctx context.Context, e *events.Event, p *published, gone *published) {
	presURI := events.URI(p.user, p.domain)
	age := m.s.ages.of(presURI).Add(1)
	list, err := m.s.subs.watching(ctx, presURI, e.Name)
	if err != nil {
		m.warn("watchers not told", err)
		return
	}
	list = slices.DeleteFunc(list, func(s *sub) bool {
		return !s.open() || s.expires < now() || p.sender != "" && p.sender == s.contact
	})
	if len(list) == 0 {
		return
	}
	n, err := m.news(ctx, e, presURI, p, gone)
	if err != nil {
		m.warn("watchers not told", err)
		return
	}
	n.age = age
	for _, s := range list {
		m.notify(s, n)
	}
}

// news is what the watchers of a state are told.
func (m *mod) news(ctx context.Context, e *events.Event, presURI string, p, gone *published) (*note, error) {
	n := &note{body: new(string), gone: gone}
	if e.Authority != nil {
		rules, err := m.rules(ctx, e, presURI)
		if err != nil {
			return nil, err
		}
		n.rules = &rules
	}
	if e.Aggregate == nil && gone != nil {
		*n.body = p.body
		return n, nil
	}
	body, err := m.body(ctx, e, presURI, gone, "")
	if err != nil {
		m.warn("state not joined", err)
	}
	*n.body = body
	return n, nil
}

// tellWatchers tells those who watch watchers: of all, or of one that changed.
func (m *mod) tellWatchers(ctx context.Context, e *events.Event, presURI string, changed *sub) {
	list, err := m.s.subs.watching(ctx, presURI, e.Name)
	if err != nil {
		m.warn("watchers not told", err)
		return
	}
	if changed != nil {
		kept := *changed
		changed = &kept
	}
	for _, s := range list {
		if s.open() && s.expires >= now() {
			m.notify(s, &note{changed: changed})
		}
	}
}

// notify sends a NOTIFY, behind those of the subscription that are under way.
func (m *mod) notify(s *sub, n *note) {
	kept := *s
	m.s.order.do(kept.dialog, func() {
		m := m.s.current.Load() // who asked may belong to a configuration that is closed
		defer m.caught()
		if err := m.send(&kept, n); err != nil {
			m.count.failed.Inc()
			m.warn("NOTIFY not sent", err, slog.String("call_id", kept.callID))
		}
	})
}

func (m *mod) send(s *sub, n *note) error {
	ctx, cancel := deadline()
	defer cancel()
	e := m.events.Find(s.event)
	if e == nil {
		return &refusal{489, "no module brings event " + s.event}
	}
	if !n.over && s.status != events.Terminated {
		there, err := m.s.subs.next(ctx, s)
		if err != nil {
			return err
		}
		if !there {
			return nil // it ended meanwhile, and was told so
		}
	}
	body, err := m.noteBody(ctx, e, s, n)
	if err != nil {
		return err
	}
	left := s.expires - now()
	if n.over || left <= 0 {
		left = 0
		if s.status != events.Terminated {
			s.status, s.reason = events.Terminated, "timeout"
		}
	}
	r, err := m.request(s, e, body, left)
	if err != nil {
		return err
	}
	r.Done = func(x *tm.Response) { m.answered(s, x) }
	key := flight{r.CallID, r.CSeq}
	m.s.sending.m.Store(key, s)
	defer m.s.sending.m.Delete(key)
	if _, err := m.tm.Send(r); err != nil {
		return err
	}
	m.count.notifies.Inc()
	m.host.Log.LogAttrs(ctx, slog.LevelDebug, "NOTIFY sent", slog.String("module", m.host.Name),
		slog.String("call_id", s.callID), slog.String("event", s.event), slog.String("to", s.contact))
	return nil
}

// noteBody is what a watcher gets to see.
func (m *mod) noteBody(ctx context.Context, e *events.Event, s *sub, n *note) (string, error) {
	if n.empty || !s.open() {
		return "", nil
	}
	if e.Winfo {
		return m.winfo(ctx, e, s, n.changed)
	}
	body, err := m.stateFor(ctx, e, s, n)
	if err != nil || e.Authority == nil || body == "" {
		return body, err
	}
	rules := ""
	if n.rules != nil {
		rules = *n.rules
	} else if rules, err = m.rules(ctx, e, s.presURI); err != nil {
		return "", err
	}
	if rules == "" {
		return body, nil
	}
	w := s.watcher()
	m.lookAround(ctx, w)
	return e.Authority.Filter(rules, w, body)
}

// stateFor is the state that a watcher is told: the one that the note brings, unless
// it changed since. So the last NOTIFY tells the last state, whoever comes first.
func (m *mod) stateFor(ctx context.Context, e *events.Event, s *sub, n *note) (string, error) {
	switch {
	case n.body == nil:
		return m.body(ctx, e, s.presURI, nil, s.contact)
	case m.s.ages.of(s.presURI).Load() == n.age || e.Aggregate == nil && n.gone != nil:
		return *n.body, nil
	}
	return m.body(ctx, e, s.presURI, n.gone, s.contact)
}

// request makes the NOTIFY.
func (m *mod) request(s *sub, e *events.Event, body string, left int64) (*tm.Request, error) {
	d := tm.Dialog{
		CallID: s.callID, Seq: s.localCSeq, Target: s.contact, Socket: m.socket(s.socket),
		Local:  "<" + events.URI(s.toUser, s.toDomain) + ">;tag=" + s.toTag,
		Remote: "<" + events.URI(s.fromUser, s.fromDomain) + ">;tag=" + s.fromTag,
	}
	if d.Target == "" {
		d.Target = events.URI(s.fromUser, s.fromDomain)
	}
	for route := s.recordRoute; route != ""; {
		var item string
		item, route = sip.CutList(route)
		d.Routes = append(d.Routes, strings.TrimSpace(item))
	}
	var h strings.Builder
	h.WriteString("Event: " + e.Name)
	if s.eventID != "" {
		h.WriteString(";id=" + s.eventID)
	}
	proto := transport.UDP
	if d.Socket != nil {
		proto = d.Socket.Proto
	}
	h.WriteString("\r\nContact: <" + m.contact(s.localContact, proto) + ">\r\nSubscription-State: " + s.status.String())
	if s.status == events.Terminated {
		h.WriteString(";reason=" + s.reason)
	} else {
		h.WriteString(";expires=" + strconv.FormatInt(left, 10))
	}
	h.WriteString("\r\n")
	if body != "" {
		h.WriteString("Content-Type: " + e.ContentType + "\r\n")
	}
	r := d.Request("NOTIFY")
	r.Headers, r.Body = h.String(), body
	return r, nil
}

// socket is the socket of a name as the table keeps it, nil when there is none.
func (m *mod) socket(name string) *transport.Socket {
	if m.host.Env.Transport == nil {
		return nil
	}
	for _, s := range m.host.Env.Transport.Sockets() {
		if s.String() == name {
			return s
		}
	}
	return nil
}

// answered is told what became of a NOTIFY.
func (m *mod) answered(s *sub, x *tm.Response) {
	m = m.s.current.Load()
	wanted := m.replyEvent(s, x)
	gone := x.Code == 404 || x.Code == 481 || x.Code == 408 && m.timeoutRemoves && s.status != events.Terminated
	if !gone && !wanted {
		return
	}
	ctx, cancel := deadline()
	defer cancel()
	if err := m.s.subs.remove(ctx, s.dialog); err != nil {
		m.warn("subscription not removed", err, slog.String("call_id", s.callID))
	}
}

// caught logs a panic where no message is run: the daemon goes on.
func (m *mod) caught() {
	if p := recover(); p != nil {
		m.host.Log.LogAttrs(context.Background(), slog.LevelError, "BUG: presence panicked", slog.String("module", m.host.Name),
			slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	}
}

// warn logs what a message cannot be told of any more, once a second at most.
func (m *mod) warn(text string, err error, more ...slog.Attr) {
	if t, last := now(), m.s.warned.Load(); t == last || !m.s.warned.CompareAndSwap(last, t) {
		return
	}
	attrs := append([]slog.Attr{slog.String("module", m.host.Name), slog.Any("err", err)}, more...)
	m.host.Log.LogAttrs(context.Background(), slog.LevelWarn, text, attrs...)
}
