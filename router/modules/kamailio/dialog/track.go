package dialog

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
)

// perRun is what a message's run knows of dialogs: $dlg_ctx, and what was said
// before there was one.
type perRun struct {
	d        *dialog
	dir      side // whom the message goes to
	hasDir   bool
	made     bool // by this run
	ended    bool // by this run's BYE
	spiral   bool
	flags    uint32
	timeout  int
	bye      bool
	on       int
	route    string
	iflags   uint32 // properties
	vars     []variable
	links    []link
	shownDir int // $dlg_ctx(dir)
}

func (m *mod) run(c *run.Context) *perRun {
	if s, ok := c.Slots[m.slot].(*perRun); ok {
		return s
	}
	s := new(perRun)
	c.Slots[m.slot] = s
	return s
}

// current is the dialog of a message, nil for none.
func (m *mod) current(c *run.Context) *dialog {
	s, _ := c.Slots[m.slot].(*perRun)
	if s != nil && s.d != nil {
		return s.d
	}
	id, from := c.Msg.CallID(), c.Msg.FromTag()
	if id == "" || from == "" {
		return nil
	}
	d, _ := m.t.byTags(id, from, c.Msg.ToTag())
	return d
}

// seconds is the longest duration that a request asks for.
func (m *mod) seconds(c *run.Context, s *perRun) int {
	if s.timeout > 0 {
		return s.timeout
	}
	if m.timeout.Get != nil {
		if n := m.timeout.Get(c).Int(); n > 0 {
			return n
		}
	}
	return m.defaultTimeout
}

// begin makes the dialog of an INVITE; nil when it makes none.
func (m *mod) begin(c *run.Context) *dialog {
	msg := c.Msg
	if msg.Method() != sip.INVITE || msg.ToTag() != "" || msg.FromTag() == "" || msg.CallID() == "" {
		return nil
	}
	s := m.run(c)
	if s.d != nil {
		return nil
	}
	if m.detectSpirals {
		if d, _ := m.t.byTags(msg.CallID(), msg.FromTag(), ""); d != nil && !d.over() {
			s.d, s.spiral = d, true
			return d
		}
	}
	d := m.newDialog(c, s)
	for i := range d.links { // while nobody else can end or link it
		d.links[i].p.add(d.links[i].value, 1)
	}
	m.t.add(d)
	m.tellCreated(c, d)
	m.t.processed.Inc()
	s.d, s.made, s.dir, s.hasDir = d, true, callee, true
	if m.matchMode != matchNone {
		m.rr.AddParam(c, ";"+m.rrParam+"="+d.cookie())
	}
	return d
}

// newDialog fills a dialog from an INVITE.
func (m *mod) newDialog(c *run.Context, s *perRun) *dialog {
	msg, now := c.Msg, time.Now()
	d := &dialog{
		callID: strings.Clone(msg.CallID()), fromURI: addressOf(msg, sip.HdrFrom), toURI: addressOf(msg, sip.HdrTo),
		reqURI: m.requestURI(c), born: now, state: unconfirmed, lifetime: m.seconds(c, s), sflags: s.flags,
		toRoute: s.route, vars: s.vars, links: s.links,
	}
	s.vars, s.links = nil, nil
	if d.links != nil {
		d.dflags |= dfExpired
	}
	if m.sendBye || s.bye {
		d.iflags |= ifTimeoutBye
	}
	d.iflags |= s.iflags
	l := &d.legs[caller]
	*l = leg{known: true, tag: strings.Clone(msg.FromTag()), contact: contactOf(msg), cseq: cseqOf(msg), routes: recorded(msg), socket: socketOf(c)}
	d.fromRR = len(l.routes)
	return d
}

// requestURI is what ruri_pvar says, the request URI by default.
func (m *mod) requestURI(c *run.Context) string {
	if m.ruriFormat == nil {
		return strings.Clone(c.RURI())
	}
	return strings.Trim(strings.Clone(m.ruriFormat.Eval(c)), " \t\r\n")
}

func (d *dialog) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == deleted
}

// transaction is a number for a transaction that no other living one has.
func transaction(t *tm.Transaction) uint64 {
	entry, label := t.ID()
	return uint64(entry)<<32 | uint64(label)
}

// bind ties a dialog to the transaction of its INVITE.
func bind(d *dialog, t *tm.Transaction) {
	d.mu.Lock()
	if d.tx == 0 {
		d.tx = transaction(t)
		d.dflags |= dfInTM
	}
	d.mu.Unlock()
}

// bindBye notes the transaction of the BYE that ended a dialog.
func bindBye(d *dialog, t *tm.Transaction) {
	d.mu.Lock()
	d.byeTx = transaction(t)
	d.mu.Unlock()
}

// created is told of new transactions by tm.
func (m *mod) created(c *run.Context, t *tm.Transaction) bool {
	s, _ := c.Slots[m.slot].(*perRun)
	if c.Msg.Method() == sip.BYE {
		if s != nil && s.ended {
			bindBye(s.d, t)
		}
		return len(m.watchers) > 0 // loose_route may come later
	}
	if c.Msg.Method() != sip.INVITE || c.Msg.ToTag() != "" {
		return false
	}
	if (s == nil || s.d == nil) && m.flag >= 0 && c.Flags&(1<<m.flag) != 0 {
		m.begin(c)
		s, _ = c.Slots[m.slot].(*perRun)
	}
	if s != nil && s.made {
		bind(s.d, t)
	}
	return true // dlg_manage may come later
}

// byTransaction is the dialog whose INVITE, or last BYE, made a transaction.
func (m *mod) byTransaction(callID string, tx uint64) *dialog {
	e := &m.t.entries[m.t.entryOf(callID)]
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.list {
		d.mu.Lock()
		same := (d.tx == tx || d.byeTx == tx) && d.callID == callID
		d.mu.Unlock()
		if same {
			return d
		}
	}
	return nil
}

// byeReplied is told by tm of replies that were sent: those to a BYE say that
// the call has ended.
func (m *mod) byeReplied(c *run.Context, e *tm.Event) {
	if c.Msg.Method() != sip.BYE || e.Code < 200 {
		return
	}
	if d := m.byTransaction(c.Msg.CallID(), transaction(e.T)); d != nil {
		m.tellEndConfirmed(c, d)
	}
}

// replied is told by tm of replies to INVITEs, before they are sent: the ACK may
// be there the moment after.
func (m *mod) replied(c *run.Context, e *tm.Event) {
	if e.Code <= 100 || c.Msg.Method() != sip.INVITE {
		return
	}
	d := m.byTransaction(c.Msg.CallID(), transaction(e.T))
	if d == nil {
		return
	}
	ev := evFailed
	switch {
	case e.Code < 200:
		ev = ev1xx
	case e.Code < 300:
		ev = ev2xx
	}
	now := time.Now()
	d.mu.Lock()
	before, after := d.next(ev, now)
	if after == confirmedNA && before != confirmedNA {
		m.answered(d, e, now)
	}
	if after == deleted && before != deleted && !m.waitACK {
		d.lingered = now
	}
	d.mu.Unlock()
	m.count(before, after)
	raw := ""
	if e.Reply != nil {
		raw = e.Reply.Raw()
	}
	m.event(c, raw, d, before, after)
	if after == confirmedNA {
		m.save(d)
	}
	if after == deleted && before <= early {
		m.tellFailed(c, e, d)
	}
	if after == deleted && !m.waitACK {
		m.t.remove(d)
	}
}

// answered notes who answered; the caller holds d.mu.
func (m *mod) answered(d *dialog, e *tm.Event, now time.Time) {
	d.started, d.expires = now, now.Add(time.Duration(d.lifetime)*time.Second)
	d.ended = time.Time{}
	d.dflags |= dfNew
	d.dirty, d.dirtyVars = true, true
	l := leg{known: true, tag: strings.Clone(e.ToTag), cseq: "0"}
	if r := e.Reply; r != nil {
		l.contact = contactOf(r)
		l.routes = recorded(r)
		slices.Reverse(l.routes)
		m.split(d, &l)
		if e.Recv.Sock != nil {
			l.socket = e.Recv.Sock.String()
		}
	}
	d.legs[callee] = l
}

// Bits of keep_proxy_rr: whose route set keeps the own Record-Route.
const (
	keepCallee = 1 << iota
	keepCaller
)

// split leaves the route set behind this daemon in l: what the INVITE came with
// goes, and so do the one or two that were added here, but for keep_proxy_rr.
func (m *mod) split(d *dialog, l *leg) {
	routes := l.routes[min(d.fromRR, len(l.routes)):]
	own := 0
	for own < min(2, len(routes)) && m.own(routes[own]) {
		own++
	}
	if m.keepRR&keepCaller != 0 && own > 0 {
		// to the caller they are visited first, the last that was added before
		set := slices.Clone(l.routes[:d.fromRR+own])
		slices.Reverse(set)
		d.legs[caller].routes = set
	}
	if m.keepRR&keepCallee != 0 {
		own = 0
	}
	l.routes = routes[own:]
}

// own says whether a Record-Route value names this daemon.
func (m *mod) own(route string) bool {
	_, uri, ok := strings.Cut(route, "<")
	if !ok || m.host.Env.Myself == nil {
		return false
	}
	uri, _, _ = strings.Cut(uri, ">")
	u, err := sip.ParseURI(uri)
	if err != nil {
		return false
	}
	return m.host.Env.Myself(u.Host, u.Port, 0)
}

// count keeps the figures of a change of state.
func (m *mod) count(before, after state) {
	if before == after {
		return
	}
	if before == early {
		m.t.early.Add(-1)
	}
	switch {
	case after == early:
		m.t.early.Add(1)
	case after == confirmedNA:
		m.t.active.Add(1)
	case after == deleted && before <= early:
		m.t.failed.Inc()
	case after == deleted:
		m.t.active.Add(-1)
	}
}

// routed is told by rr of requests that loose_route followed.
func (m *mod) routed(c *run.Context, params string) {
	to := c.Msg.ToTag()
	if to == "" || m.run(c).d != nil {
		return
	}
	id, from := c.Msg.CallID(), c.Msg.FromTag()
	if value, ok := param(params, m.rrParam); ok {
		entry, n, ok := parseCookie(value)
		if !ok {
			return
		}
		if d := m.t.byID(entry, n); d != nil {
			d.mu.Lock()
			dir, ok := d.direction(id, from, to)
			d.mu.Unlock()
			if ok {
				m.within(c, d, dir)
				return
			}
		}
	}
	if m.matchMode != matchCookie {
		m.match(c)
	}
}

// match finds the dialog of a request by Call-ID and tags.
func (m *mod) match(c *run.Context) {
	if d, dir := m.t.byTags(c.Msg.CallID(), c.Msg.FromTag(), c.Msg.ToTag()); d != nil {
		m.within(c, d, dir)
	}
}

// param is a parameter of "…;name=value;…".
func param(params, name string) (value string, ok bool) {
	for rest := params; rest != ""; {
		var p string
		p, rest, _ = strings.Cut(rest, ";")
		if n, v, has := strings.Cut(p, "="); has && strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

// within takes a request in a dialog.
func (m *mod) within(c *run.Context, d *dialog, dir side) {
	s := m.run(c)
	s.d, s.dir, s.hasDir = d, dir, true
	ev := evRequest
	switch c.Msg.Method() {
	case sip.PRACK:
		ev = evPRACK
	case sip.ACK:
		ev = evACK
	case sip.BYE:
		ev = evBye
	}
	now := time.Now()
	d.mu.Lock()
	before, after := d.next(ev, now)
	if after != deleted {
		for _, l := range s.links {
			l.p.add(l.value, 1)
		}
		if s.links != nil {
			d.links = append(s.links, d.links...)
			d.dirty = true
		}
	}
	s.links = nil
	record := m.refresh(c, d, s, ev, before, after, now)
	d.mu.Unlock()
	if record && m.matchMode != matchNone {
		m.rr.AddParam(c, ";"+m.rrParam+"="+d.cookie())
	}
	m.count(before, after)
	m.event(c, c.Msg.Raw(), d, before, after)
	switch {
	case after == deleted && before != deleted:
		s.ended = true
		if t := tm.Of(c); t != nil {
			bindBye(d, t)
		}
		m.tellEnded(c, d)
	case after == confirmed && before == confirmedNA:
		m.tellConfirmed(c, d)
	}
	m.save(d)
}

// refresh notes what a request changes; the caller holds d.mu. true: it may be
// record-routed again.
func (m *mod) refresh(c *run.Context, d *dialog, s *perRun, ev event, before, after state, now time.Time) bool {
	if ev == evBye || after != confirmed && after != early {
		return false
	}
	if n := m.seconds(c, s); n != m.defaultTimeout {
		d.lifetime = n
	}
	reset := d.iflags&ifNoReset == 0 && !m.noReset
	if after != early && (before != confirmed || reset) {
		d.expires = now.Add(time.Duration(d.lifetime) * time.Second)
		d.changed()
	}
	if ev != evACK {
		l := &d.legs[s.dir.other()]
		l.cseq = cseqOf(c.Msg)
		if contact := contactOf(c.Msg); contact != "" && l.known {
			l.contact = contact
		}
		d.changed()
	}
	return before != confirmedNA
}

// afterScript forgets a dialog whose INVITE made no transaction.
func (m *mod) afterScript(c *run.Context) {
	s, ok := c.Slots[m.slot].(*perRun)
	if !ok || !s.made {
		return
	}
	d := s.d
	d.mu.Lock()
	alone := d.tx == 0 && d.state == unconfirmed
	if alone {
		d.state = deleted
		d.leave()
	}
	d.mu.Unlock()
	if alone {
		m.t.remove(d)
	}
	c.Slots[m.slot] = nil
}

func addressOf(msg *sip.Message, k sip.HeaderKind) string {
	h := msg.First(k)
	if h == nil {
		return ""
	}
	n, err := sip.ParseNameAddr(msg.Value(h))
	if err != nil {
		return ""
	}
	return strings.Clone(n.URI)
}

func contactOf(msg *sip.Message) string {
	it := msg.ContactIter()
	if it.Next() && !it.Contact().Star {
		return strings.Clone(it.Contact().URI)
	}
	return ""
}

func cseqOf(msg *sip.Message) string {
	cs, err := msg.CSeq()
	if err != nil {
		return ""
	}
	return strconv.FormatUint(uint64(cs.Num), 10)
}

// recorded are the values of Record-Route.
func recorded(msg *sip.Message) []string {
	var list []string
	it := msg.Routes(sip.HdrRecordRoute)
	for it.Next() {
		n := it.NameAddr()
		list = append(list, strings.Clone(msg.Raw()[n.Start:n.End]))
	}
	return list
}

func socketOf(c *run.Context) string {
	if c.Recv.Sock == nil {
		return ""
	}
	return c.Recv.Sock.String()
}
