// Package phone is a small SIP phone for the demonstration and for end-to-end
// tests: it registers with digest, calls, answers and hangs up over UDP. It
// shares the message parser with the daemon, and nothing else.
package phone

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"sipd/router/sip"
)

// Phone is one user agent on a UDP socket of its own.
type Phone struct {
	// User, Domain and Password are the account.
	User, Domain, Password string
	// Answer says what an incoming INVITE gets: 200 when 0.
	Answer int
	// Contact is the host:port that it registers and calls with; its own when it
	// is "". A phone behind NAT names one that nobody can reach.
	Contact string
	// Seen is called with each request that comes in; may be nil.
	Seen func(*sip.Message)
	// Log is called with a line for each message sent and received; may be nil.
	Log func(string)

	conn   *net.UDPConn
	server *net.UDPAddr
	cseq   int

	mu sync.Mutex
	// mu guards the fields below.
	waiting map[string]chan *sip.Message // by Call-ID and CSeq
	calls   map[string]*Incoming         // by Call-ID

	// Incoming calls appear here when they are answered.
	Ringing chan *Incoming
	done    chan struct{}
}

// Incoming is a call that came in.
type Incoming struct {
	CallID string
	// Acked and Ended are closed by the ACK and by the BYE (or CANCEL).
	Acked, Ended chan struct{}

	tag string
}

// New opens a phone on the loopback address; server is the daemon's host:port.
func New(user, domain, password, server string) (*Phone, error) {
	return NewAt("127.0.0.1", user, domain, password, server)
}

// NewAt opens a phone on another of the machine's addresses.
func NewAt(ip, user, domain, password, server string) (*Phone, error) {
	sa, err := net.ResolveUDPAddr("udp4", server)
	if err != nil {
		return nil, fmt.Errorf("phone: server %s: %w", server, err)
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	p := &Phone{
		User: user, Domain: domain, Password: password,
		conn: conn, server: sa, cseq: 1,
		waiting: make(map[string]chan *sip.Message),
		calls:   make(map[string]*Incoming),
		Ringing: make(chan *Incoming, 16),
		done:    make(chan struct{}),
	}
	go p.receive()
	return p, nil
}

// Close ends the phone and waits for its receiver.
func (p *Phone) Close() error {
	err := p.conn.Close()
	<-p.done
	return err
}

// AOR is the address of record without scheme: user@domain.
func (p *Phone) AOR() string { return p.User + "@" + p.Domain }

// Addr is the phone's own host:port.
func (p *Phone) Addr() string { return p.conn.LocalAddr().String() }

// contact is the URI that others are to reach it by.
func (p *Phone) contact() string {
	addr := p.Contact
	if addr == "" {
		addr = p.Addr()
	}
	return "sip:" + p.User + "@" + addr
}

// Do sends a request outside of a dialog, with header lines that end in CRLF and
// a body, and answers the final reply; one that is no 2xx is a *StatusError.
func (p *Phone) Do(ctx context.Context, method, uri, to, extra, body string) (*sip.Message, error) {
	r := p.request(method, uri, to, token(), token())
	r.extra, r.body, r.typed = fmt.Sprintf("Contact: <%s>\r\n", p.contact())+extra, body, true
	return p.authenticated(ctx, r)
}

// StatusError is a final reply that was not the one wanted.
type StatusError struct {
	Method string
	Code   int
	Reason string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s: %d %s", e.Method, e.Code, e.Reason) }

// Register registers for expires seconds (0 removes the binding) and answers
// the contacts of the 200, one each.
func (p *Phone) Register(ctx context.Context, expires int) ([]string, error) {
	r := p.request("REGISTER", "sip:"+p.Domain, "sip:"+p.AOR(), token(), token())
	r.extra = fmt.Sprintf("Contact: <%s>\r\nExpires: %d\r\n", p.contact(), expires)
	m, err := p.authenticated(ctx, r)
	if err != nil {
		return nil, err
	}
	var contacts []string
	for h := m.First(sip.HdrContact); h != nil; h = m.Next(h) {
		for item, rest := sip.CutList(m.Value(h)); item != ""; item, rest = sip.CutList(rest) {
			contacts = append(contacts, item)
		}
	}
	return contacts, nil
}

// Options asks the server itself whether it is there.
func (p *Phone) Options(ctx context.Context) error {
	r := p.request("OPTIONS", "sip:"+p.server.String(), "sip:"+p.server.String(), token(), token())
	_, err := p.final(ctx, r)
	return err
}

// Call is an outgoing call that was answered.
type Call struct {
	p      *Phone
	invite *request
	to     string
	target string
	routes []string
}

// Invite calls an address ("bob@example.com") and returns when it was answered.
func (p *Phone) Invite(ctx context.Context, to string) (*Call, error) {
	r := p.request("INVITE", "sip:"+to, "sip:"+to, token(), token())
	r.extra = fmt.Sprintf("Contact: <%s>\r\n", p.contact())
	r.body = fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n", 40000)
	m, err := p.authenticated(ctx, r)
	if err != nil {
		return nil, err
	}
	c := &Call{p: p, invite: r, target: "sip:" + to}
	if h := m.FindName("To"); h != nil {
		c.to = m.Value(h)
	}
	if h := m.First(sip.HdrContact); h != nil {
		if na, err := sip.ParseNameAddr(m.Value(h)); err == nil {
			c.target = na.URI
		}
	}
	for h := m.First(sip.HdrRecordRoute); h != nil; h = m.Next(h) {
		c.routes = append([]string{m.Value(h)}, c.routes...)
	}
	return c, p.send(c.inDialog("ACK", r.cseq))
}

// Bye hangs up.
func (c *Call) Bye(ctx context.Context) error {
	c.p.cseq++
	_, err := c.p.final(ctx, c.inDialog("BYE", c.p.cseq))
	return err
}

// CallID names the call.
func (c *Call) CallID() string { return c.invite.callID }

func (c *Call) inDialog(method string, cseq int) *request {
	r := c.p.request(method, c.target, "", c.invite.callID, c.invite.fromTag)
	r.cseq, r.toHeader = cseq, c.to
	for _, v := range c.routes {
		r.extra += "Route: " + v + "\r\n"
	}
	return r
}

// request is a request under construction.
type request struct {
	method, uri       string
	to, toHeader      string
	callID, fromTag   string
	cseq              int
	extra, auth, body string
	branch            string
	typed             bool // extra has the Content-Type
}

func (p *Phone) request(method, uri, to, callID, fromTag string) *request {
	return &request{method: method, uri: uri, to: to, callID: callID, fromTag: fromTag, cseq: p.cseq}
}

func (p *Phone) send(r *request) error {
	to := r.toHeader
	if to == "" {
		to = "<" + r.to + ">"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", r.method, r.uri)
	if r.branch == "" {
		r.branch = token()
	}
	fmt.Fprintf(&b, "Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\n", p.Addr(), r.branch)
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: <sip:%s>;tag=%s\r\nTo: %s\r\n", p.AOR(), r.fromTag, to)
	fmt.Fprintf(&b, "Call-ID: %s\r\nCSeq: %d %s\r\nUser-Agent: sipd-phone\r\n", r.callID, r.cseq, r.method)
	b.WriteString(r.auth)
	b.WriteString(r.extra)
	if r.body != "" && !r.typed {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	p.note("> " + r.method + " " + r.uri)
	_, err := p.conn.WriteToUDP([]byte(b.String()), p.server)
	return err
}

// authenticated sends r, answers a challenge once, and wants a 2xx.
func (p *Phone) authenticated(ctx context.Context, r *request) (*sip.Message, error) {
	m, err := p.exchange(ctx, r)
	if err != nil {
		return nil, err
	}
	if code := m.StatusCode(); code == 401 || code == 407 {
		if r.method == "INVITE" {
			p.ackFailure(r, m)
		}
		if r.auth, err = p.credentials(r, m); err != nil {
			return nil, err
		}
		p.cseq++
		r.cseq = p.cseq
		if m, err = p.exchange(ctx, r); err != nil {
			return nil, err
		}
	}
	p.cseq++
	if m.StatusCode() >= 300 {
		if r.method == "INVITE" {
			p.ackFailure(r, m)
		}
		return m, &StatusError{r.method, m.StatusCode(), m.Reason()}
	}
	return m, nil
}

func (p *Phone) final(ctx context.Context, r *request) (*sip.Message, error) {
	m, err := p.exchange(ctx, r)
	if err == nil && m.StatusCode() >= 300 {
		err = &StatusError{r.method, m.StatusCode(), m.Reason()}
	}
	return m, err
}

// ackFailure acknowledges a negative final reply, hop by hop: the branch is
// that of the INVITE (RFC 3261 §17.1.1.3).
func (p *Phone) ackFailure(r *request, m *sip.Message) {
	a := *r
	a.method, a.extra, a.auth, a.body = "ACK", "", "", ""
	if h := m.FindName("To"); h != nil {
		a.toHeader = m.Value(h)
	}
	// A lost ACK is repeated by the peer's own timer; nothing to do here.
	_ = p.send(&a)
}

// exchange sends r and answers the final reply. Loopback loses nothing, so
// nothing is repeated.
func (p *Phone) exchange(ctx context.Context, r *request) (*sip.Message, error) {
	r.branch = token()
	ch := make(chan *sip.Message, 8)
	key := fmt.Sprintf("%s %d", r.callID, r.cseq)
	p.mu.Lock()
	p.waiting[key] = ch
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.waiting, key)
		p.mu.Unlock()
	}()
	if err := p.send(r); err != nil {
		return nil, fmt.Errorf("%s: %w", r.method, err)
	}
	for {
		select {
		case m := <-ch:
			if m.StatusCode() >= 200 {
				return m, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("%s %s: no final reply: %w", r.method, r.uri, ctx.Err())
		}
	}
}

func (p *Phone) credentials(r *request, m *sip.Message) (string, error) {
	kind, name := sip.HdrWWWAuthenticate, "Authorization"
	if m.StatusCode() == 407 {
		kind, name = sip.HdrProxyAuthenticate, "Proxy-Authorization"
	}
	h := m.First(kind)
	if h == nil {
		return "", fmt.Errorf("%s: %d without a challenge", r.method, m.StatusCode())
	}
	ch, err := sip.ParseCredentials(m.Value(h))
	if err != nil {
		return "", fmt.Errorf("%s: challenge: %w", r.method, err)
	}
	ha1 := hash(p.User + ":" + ch.Realm + ":" + p.Password)
	ha2 := hash(r.method + ":" + r.uri)
	line := fmt.Sprintf(`%s: Digest username="%s", realm="%s", nonce="%s", uri="%s", algorithm=MD5`,
		name, p.User, ch.Realm, ch.Nonce, r.uri)
	if ch.QOP != "" {
		const nc = "00000001"
		cnonce := token()
		line += fmt.Sprintf(`, qop=auth, nc=%s, cnonce="%s", response="%s"`, nc, cnonce,
			hash(ha1+":"+ch.Nonce+":"+nc+":"+cnonce+":auth:"+ha2))
	} else {
		line += fmt.Sprintf(`, response="%s"`, hash(ha1+":"+ch.Nonce+":"+ha2))
	}
	return line + "\r\n", nil
}

// receive runs until the socket is closed.
func (p *Phone) receive() {
	defer close(p.done)
	buf := make([]byte, 65536)
	for {
		n, from, err := p.conn.ReadFromUDP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier send
		}
		m, err := sip.Parse(string(buf[:n]))
		if err != nil {
			p.note("! " + err.Error())
			continue
		}
		if m.IsRequest() {
			p.note("< " + m.MethodName() + " " + m.RequestURI())
			if p.Seen != nil {
				p.Seen(m)
			}
			p.serve(m, from)
			continue
		}
		p.note(fmt.Sprintf("< %d %s", m.StatusCode(), m.Reason()))
		cs, err := m.CSeq()
		if err != nil {
			continue
		}
		p.mu.Lock()
		ch := p.waiting[fmt.Sprintf("%s %d", m.CallID(), cs.Num)]
		p.mu.Unlock()
		if ch != nil {
			select {
			case ch <- m:
			default: // a repetition nobody waits for
			}
		}
	}
}

// serve answers a request as a phone would.
func (p *Phone) serve(m *sip.Message, from *net.UDPAddr) {
	switch m.Method() {
	case sip.INVITE:
		p.answer(m, from)
	case sip.ACK:
		if c := p.call(m.CallID()); c != nil {
			closeOnce(c.Acked)
		}
	case sip.BYE, sip.CANCEL:
		p.reply(m, from, 200, "OK", "")
		if c := p.call(m.CallID()); c != nil {
			closeOnce(c.Ended)
		}
	default:
		p.reply(m, from, 200, "OK", "")
	}
}

func (p *Phone) call(id string) *Incoming {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[id]
}

func (p *Phone) answer(m *sip.Message, from *net.UDPAddr) {
	if p.Answer >= 300 {
		p.reply(m, from, p.Answer, "No", "")
		return
	}
	p.mu.Lock()
	c, again := p.calls[m.CallID()]
	if !again {
		c = &Incoming{CallID: m.CallID(), Acked: make(chan struct{}), Ended: make(chan struct{}), tag: token()}
		p.calls[m.CallID()] = c
	}
	p.mu.Unlock()
	contact := fmt.Sprintf("Contact: <%s>\r\n", p.contact())
	p.replyTag(m, from, 180, "Ringing", contact, c.tag)
	p.replyTag(m, from, 200, "OK", contact, c.tag)
	if !again {
		p.Ringing <- c
	}
}

func (p *Phone) reply(m *sip.Message, to *net.UDPAddr, code int, reason, extra string) {
	p.replyTag(m, to, code, reason, extra, "")
}

func (p *Phone) replyTag(m *sip.Message, to *net.UDPAddr, code int, reason, extra, tag string) {
	if tag == "" && m.ToTag() == "" {
		tag = token()
	}
	b := m.AppendReply(nil, &sip.Reply{Code: code, Reason: reason, ToTag: tag, Extra: extra})
	p.note(fmt.Sprintf("> %d %s", code, reason))
	// A reply that is lost is asked for again by a repeated request.
	_, _ = p.conn.WriteToUDP(b, to)
}

func (p *Phone) note(line string) {
	if p.Log != nil {
		p.Log(line)
	}
}

func closeOnce(ch chan struct{}) {
	select {
	case <-ch:
	default:
		close(ch)
	}
}

func hash(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func token() string { return strings.ToLower(rand.Text()[:16]) }

// Within is a context for one exchange.
func Within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
