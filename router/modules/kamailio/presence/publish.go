package presence

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	events "sipd/router/presence"
	"sipd/router/run"
	"sipd/router/sip"
)

// refusal is an error that becomes a reply.
type refusal struct {
	code   int
	reason string
}

func (r *refusal) Error() string { return strconv.Itoa(r.code) + " " + r.reason }

// The reasons are Kamailio's words.
var (
	errRequest     = &refusal{400, "Bad request"}
	errBody        = &refusal{400, "Invalid request"}
	errConditional = &refusal{412, "Conditional request failed"}
	errMedia       = &refusal{415, "Unsupported media type"}
	errBrief       = &refusal{423, "Interval Too Brief"}
	errNoDialog    = &refusal{481, "Subscription does not exist"}
	errEvent       = &refusal{489, "Bad Event"}
	errServer      = &refusal{500, "Server Internal Error"}
)

// refused answers a request that cannot be done, and is -1.
func (m *mod) refused(c *run.Context, err error) int {
	var r *refusal
	if !errors.As(err, &r) {
		m.failed.Log(c, err)
		r = errServer
	}
	extra := ""
	switch r {
	case errEvent:
		extra = "Allow-Events: " + m.events.Allow() + "\r\n"
	case errBrief:
		extra = "Min-Expires: " + strconv.Itoa(m.minExpires) + "\r\n"
	}
	m.reply(c, r.code, r.reason, extra)
	return -1
}

// reply answers the request, through its transaction where there is one.
func (m *mod) reply(c *run.Context, code int, reason, extra string) {
	before := c.ReplyExtra
	c.ReplyExtra += extra
	defer func() { c.ReplyExtra = before }()
	h := m.host.Hooks
	if h.Stateful != nil {
		if done, err := h.Stateful(c, code, reason); done {
			if err != nil {
				m.failed.Log(c, err)
			}
			return
		}
	}
	if h.Stateless == nil {
		return
	}
	if err := h.Stateless(c, code, reason); err != nil {
		m.failed.Log(c, err)
	}
}

// publication is a PUBLISH, read.
type publication struct {
	event *events.Event
	state published // etag is that of SIP-If-Match
	match bool      // there is one
	life  int       // seconds
}

// publish is handle_publish.
func (m *mod) publish(c *run.Context, sender string) int {
	m.count.publishes.Inc()
	p, err := m.readPublish(c, sender)
	if err != nil {
		return m.refused(c, err)
	}
	ctx := context.Background()
	answer := func(etag string) {
		shown := p.life
		if shown > 0 {
			shown -= m.expiresOffset
		}
		m.reply(c, 200, "OK", fmt.Sprintf("Expires: %d\r\nSIP-ETag: %s\r\n", shown, etag))
	}
	if err := m.keep(ctx, p, answer); err != nil {
		return m.refused(c, err)
	}
	return 1
}

// readPublish reads the request.
func (m *mod) readPublish(c *run.Context, sender string) (*publication, error) {
	p := new(publication)
	h := c.Msg.First(sip.HdrEvent)
	if h == nil {
		return nil, errEvent
	}
	if p.event, _ = m.events.Header(c.Msg.Value(h)); p.event == nil {
		return nil, errEvent
	}
	if h := c.Msg.FindName("SIP-If-Match"); h != nil {
		p.match, p.state.etag = true, c.Msg.Value(h)
	}
	var err error
	if p.life, err = m.life(c.Msg, p.event); err != nil {
		return nil, err
	}
	uri, err := c.ParsedRURI()
	if err != nil {
		return nil, errRequest
	}
	size, ok := c.Msg.ContentLength()
	switch {
	case !ok:
		return nil, errRequest
	case size == 0 && !p.match:
		return nil, errBody
	}
	if sender != "" {
		if _, err := sip.ParseURI(sender); err != nil {
			return nil, errRequest
		}
	}
	p.state.body = c.Msg.Body()
	if check := p.event.CheckBody; check != nil && p.state.body != "" {
		if check(p.state.body) != nil {
			return nil, errMedia
		}
	}
	now := c.Now().Unix()
	p.state.user, p.state.domain, p.state.event = uri.User, uri.Host, p.event.Name
	p.state.sender, p.state.received, p.state.priority = sender, now, m.priority(c, now)
	p.state.expires = now + int64(p.life)
	return p, nil
}

// life is how many seconds a request asks for, within the limit.
func (m *mod) life(msg *sip.Message, e *events.Event) (int, error) {
	n, ok := msg.Expires()
	switch {
	case ok:
	case msg.First(sip.HdrExpires) != nil:
		return 0, errRequest
	default:
		n = e.DefaultExpires
	}
	return min(n, m.maxExpires), nil
}

// priorityBase is when priorities begin to count, as with Kamailio.
const priorityBase = 1420070400

// priority is that of an xavp, else the time.
func (m *mod) priority(c *run.Context, now int64) int {
	if v := m.setting(c, "priority"); v.IsInt() {
		return v.Int()
	}
	if m.xavp == "" {
		return 0
	}
	return int(now - priorityBase)
}

// setting is a field of the xavp that xavp_cfg names.
func (m *mod) setting(c *run.Context, name string) run.Value {
	if m.xavp == "" || c.XAVPs == nil {
		return run.Null
	}
	r := c.XAVPs.Record(m.xavp, 0)
	if r == nil {
		return run.Null
	}
	return r.Get(name, 0)
}

// keep does what a publication wants, answers it and tells the watchers.
func (m *mod) keep(ctx context.Context, p *publication, answer func(etag string)) error {
	switch {
	case !p.match:
		return m.insert(ctx, p, answer)
	case p.life == 0:
		return m.withdraw(ctx, p, answer)
	}
	return m.modify(ctx, p, answer)
}

func (m *mod) insert(ctx context.Context, p *publication, answer func(string)) error {
	p.state.etag, p.state.ruid = m.s.etags.first(), m.s.etags.ruid()
	if err := m.s.states.add(ctx, &p.state); err != nil {
		return err
	}
	answer(p.state.etag)
	m.tell(ctx, p.event, &p.state, nil)
	return nil
}

// withdraw removes a state: watchers see it closed for the last time.
func (m *mod) withdraw(ctx context.Context, p *publication, answer func(string)) error {
	old, err := m.s.states.get(ctx, p.state.stateKey)
	if err != nil {
		return err
	}
	if old == nil {
		return errConditional
	}
	// Nobody who asks from now on sees it: what a watcher is told last is true.
	if err := m.s.states.remove(ctx, old.stateKey); err != nil {
		return err
	}
	answer(p.state.etag)
	m.tell(ctx, p.event, &p.state, old)
	return nil
}

// modify refreshes a state, with a new body or not.
func (m *mod) modify(ctx context.Context, p *publication, answer func(string)) error {
	key := p.state.stateKey
	if p.event.SameETag {
		keeps, err := m.others(ctx, p)
		if err != nil {
			return err
		}
		if keeps {
			answer(key.etag)
			return nil
		}
	} else {
		next, err := m.s.etags.next(key.etag)
		if err != nil {
			return errServer // as Kamailio
		}
		p.state.etag = next
	}
	ok, err := m.s.states.update(ctx, key, &p.state)
	if err != nil {
		return err
	}
	if !ok {
		return errConditional
	}
	answer(p.state.etag)
	m.tell(ctx, p.event, &p.state, nil)
	return nil
}
