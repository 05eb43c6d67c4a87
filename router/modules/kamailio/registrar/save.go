package registrar

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/usrloc"
)

// Flags of save.
const (
	saveMemory  = 0x01
	saveNoReply = 0x02
	saveSingle  = 0x04
	saveExact   = 0x08
	saveHeaders = 0x10
)

// Codes of save.
const (
	rcInserted = 1
	rcUpdated  = 2
	rcDeleted  = 3
	rcQueried  = 4
	rcFailed   = -1
	rcTooMany  = -2
)

const (
	maxCallID   = 255
	maxAgent    = 255
	maxReceived = 255
	maxPath     = 512

	// timeout bounds what a write to the database may take.
	timeout = 5 * time.Second
)

var errNoReply = errors.New("no module sends replies; put loadmodule \"sl.so\" into the configuration")

// entry is one contact of a REGISTER.
type entry struct {
	info usrloc.Info // Expires is 0 for one that is to go
	old  *usrloc.Contact
	skip bool // a repetition
}

// work is what one REGISTER needs; it is used again.
type work struct {
	code     code
	now      int64
	host     string // of the address of record, for GRUUs
	path     string
	pathRcv  string
	outbound bool
	star     bool
	entries  []entry
	list     []*usrloc.Contact
	buf      []byte
}

func (w *work) reset(now int64) {
	clear(w.entries)
	clear(w.list)
	*w = work{code: codeOK, now: now, entries: w.entries[:0], list: w.list[:0], buf: w.buf[:0]}
}

// save processes a REGISTER: uri is the address of record, "" for that of To.
func (r *registrar) save(c *run.Context, t *usrloc.Table, flags int, uri string) int {
	w := r.scratch.Get().(*work)
	defer r.scratch.Put(w)
	w.reset(c.Now().Unix())
	rc := r.process(c, t, w, flags, uri)
	request := c.Route&anyRequest != 0
	if flags&saveNoReply != 0 || !request {
		r.count(w.code)
		if flags&saveHeaders != 0 && request {
			r.headers(c, w)
			c.Slots[r.slot] = w.code.status
		}
		return rc
	}
	r.headers(c, w)
	r.count(w.code)
	if w.code != codeOK && rc > 0 {
		rc = rcFailed
	}
	if err := r.send(c, w.code.status); err != nil {
		r.host.Log.LogAttrs(context.Background(), slog.LevelError, "reply not sent", slog.String("module", "registrar"), slog.String("call_id", c.Msg.CallID()), slog.Any("err", err))
		return rcFailed
	}
	return rc
}

func (r *registrar) count(k code) {
	if k == codeOK {
		r.accepted.Inc()
	} else {
		r.rejected.Inc()
	}
}

// process changes the table; w.code says what to answer.
func (r *registrar) process(c *run.Context, t *usrloc.Table, w *work, flags int, uri string) int {
	fail := func(k code) int {
		w.code = k
		if k == codeTooMany {
			return rcTooMany
		}
		return rcFailed
	}
	if k := r.parse(c, w, flags); k != codeOK {
		if k.status != 400 || k == codeQ || k == codeCallIDLen {
			if aor, ok := r.owner(c, w, uri); ok == codeOK {
				w.list = t.Get(aor, w.list)
			}
		}
		return fail(k)
	}
	aor, k := r.owner(c, w, uri)
	if k != codeOK {
		return fail(k)
	}
	if !w.star && len(w.entries) == 0 {
		w.list = t.Get(aor, w.list)
		return rcQueried
	}
	x := t.Begin(aor)
	if x.Err() != nil { // logged there
		_ = x.End(context.Background())
		return fail(codeServer)
	}
	x.MemoryOnly = flags&saveMemory != 0
	rc, k := r.change(c, w, &x, flags)
	for e := x.First(); e != nil; e = e.Next() {
		w.list = append(w.list, e)
	}
	ctx, cancel := context.Background(), func() {}
	if t.Waits() {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	err := x.End(ctx)
	cancel()
	if err != nil && !t.Retries() {
		r.host.Log.LogAttrs(context.Background(), slog.LevelError, "contacts not written",
			slog.String("module", "registrar"), slog.String("call_id", c.Msg.CallID()), slog.Any("err", err))
		return fail(codeServer)
	}
	if err != nil {
		r.host.Log.LogAttrs(context.Background(), slog.LevelError, "contacts not written; trying again at the next run of the timer",
			slog.String("module", "registrar"), slog.String("call_id", c.Msg.CallID()), slog.Any("err", err))
	}
	if k != codeOK {
		return fail(k)
	}
	return rc
}

// owner is the key of the address of record.
func (r *registrar) owner(c *run.Context, w *work, uri string) (string, code) {
	var u *sip.URI
	if uri != "" {
		p, err := sip.ParseURI(uri)
		if err != nil {
			return "", codeAORParse
		}
		u = &p
	} else {
		to, err := c.Msg.To()
		if err != nil {
			return "", codeParse
		}
		if u, err = to.ParseURI(); err != nil {
			return "", codeAORParse
		}
	}
	w.host = u.Host
	return r.aor(c, u)
}

// change applies the entries: all of them or none.
func (r *registrar) change(c *run.Context, w *work, x *usrloc.Tx, flags int) (int, code) {
	if w.star {
		for e := x.First(); e != nil; e = x.First() {
			x.Delete(e)
		}
		return rcDeleted, codeOK
	}
	n := x.Valid(w.now)
	grows := false
	for i := range w.entries {
		e := &w.entries[i]
		old, err := x.Find(&e.info, true, w.now)
		switch {
		case errors.Is(err, usrloc.ErrRepetition):
			e.skip = true
		case err != nil:
			return 0, codeCSeq
		}
		e.old = old
		switch gone := e.info.Expires == 0; {
		case old != nil && old.Valid(w.now) && gone:
			n--
		case (old == nil || !old.Valid(w.now)) && !gone:
			n++
			grows = true
		}
	}
	if limit := r.limit(c); limit > 0 && grows && n > limit && flags&saveSingle == 0 {
		return 0, codeTooMany
	}
	rc := rcInserted
	for i := range w.entries {
		e := &w.entries[i]
		var kept *usrloc.Contact
		var err error
		switch {
		case e.skip:
			continue
		case e.info.Expires == 0:
			if rc = rcDeleted; e.old != nil {
				x.Delete(e.old)
			} else {
				rc = rcInserted // as Kamailio: nothing was there to remove
			}
			continue
		case e.old != nil:
			kept, err = x.Update(e.old, &e.info)
			rc = rcUpdated
		default:
			kept, err = x.Insert(&e.info)
			rc = rcInserted
		}
		if err != nil {
			return 0, codeContactLen
		}
		if flags&saveSingle != 0 {
			for o := x.First(); o != nil; {
				next := o.Next()
				if o != kept {
					x.Delete(o)
				}
				o = next
			}
		}
	}
	return rc, codeOK
}

// limit is how many contacts the address of record may have; 0 for any number.
func (r *registrar) limit(c *run.Context) int {
	if v := r.setting(c, "max_contacts"); v.IsInt() {
		return v.Int()
	}
	return r.maxContacts.Get(c.Cfg)
}

// setting reads one of the settings for this request ($xavp(reg=>…)).
func (r *registrar) setting(c *run.Context, name string) run.Value {
	if r.xavpCfg == "" {
		return run.Null
	}
	rec := c.XAVPs.Record(r.xavpCfg, 0)
	if rec == nil {
		return run.Null
	}
	return rec.Get(name, 0)
}

// parse reads the request into w.
func (r *registrar) parse(c *run.Context, w *work, flags int) code {
	m := c.Msg
	if r.outbound == 2 && !m.HasToken(sip.HdrSupported, "outbound") {
		return codeOutboundMiss
	}
	if r.outbound == 0 && m.HasToken(sip.HdrRequire, "outbound") {
		return codeOutbound
	}
	cseq, err := m.CSeq()
	if err != nil {
		return codeParse
	}
	base := usrloc.Info{
		CallID: m.CallID(), CSeq: cseq.Num, UserAgent: "n/a", Methods: usrloc.AllMethods, Conn: -1,
		CFlags: c.Main.Flags, ServerID: c.Env.ServerID, Modified: w.now, Socket: r.socketName(c),
	}
	if h := m.First(sip.HdrUserAgent); h != nil && m.Value(h) != "" {
		v := m.Value(h)
		base.UserAgent = v[:min(len(v), maxAgent)]
	}
	if c.Recv.Proto.Reliable() && c.Recv.Conn != 0 {
		base.Conn = int64(c.Recv.Conn)
	}
	if k := r.readPath(c, w); k != codeOK {
		return k
	}
	base.Path = w.path
	if m.First(sip.HdrAllow) != nil {
		base.Methods = allowed(m)
	}
	if m.First(sip.HdrContact) == nil {
		return codeOK
	}
	if len(base.CallID) > maxCallID {
		return codeCallIDLen
	}
	return r.readContacts(c, w, &base, flags)
}

// socketName is the socket that usrloc keeps.
func (r *registrar) socketName(c *run.Context) string {
	if v := r.setting(c, "socket"); v.IsStr() {
		return v.Text()
	}
	if r.sockFlag >= 0 && r.sockHdr != "" && c.Flags&(1<<r.sockFlag) != 0 {
		if h := c.Msg.FindName(r.sockHdr); h != nil {
			return c.Msg.Value(h)
		}
	}
	s := c.Recv.Sock
	switch {
	case s == nil:
		return ""
	case r.sockMode == 1 && s.AdvHost != "":
		return s.Proto.String() + ":" + s.SentBy()
	}
	return s.String()
}

// readContacts goes over the Contact headers. Of one header the last comes
// first, as Kamailio has them.
func (r *registrar) readContacts(c *run.Context, w *work, base *usrloc.Info, flags int) code {
	it := c.Msg.ContactIter()
	var header *sip.Header
	start, values := 0, 0
	for it.Next() {
		values++
		k := it.Contact()
		if h := it.Header(); h != header {
			reverse(w.entries[start:])
			header, start = h, len(w.entries)
		}
		if k.Star {
			w.star = true
			continue
		}
		w.entries = append(w.entries, entry{})
		e := &w.entries[len(w.entries)-1]
		e.info = *base
		if why := r.readContact(c, w, k, &e.info, flags); why != codeOK {
			return why
		}
	}
	if err := it.Err(); err != nil {
		return contactError(c.Msg, err)
	}
	reverse(w.entries[start:])
	if w.star {
		if values > 1 {
			return codeStarOthers
		}
		if n, ok := c.Msg.Expires(); !ok || n != 0 {
			return codeStarExpires
		}
	}
	return codeOK
}

// contactError tells a broken q from other faults: it is the place behind "q=".
func contactError(m *sip.Message, err error) code {
	var at *sip.SyntaxError
	if errors.As(err, &at) && at.Offset > 0 && at.Offset <= len(m.Raw()) {
		before := strings.TrimRight(m.Raw()[:at.Offset], " \t\"")
		if before, ok := strings.CutSuffix(before, "="); ok && strings.HasSuffix(lower(strings.TrimRight(before, " \t")), "q") {
			return codeQ
		}
	}
	return codeContact
}

func reverse(s []entry) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}

func (r *registrar) readContact(c *run.Context, w *work, k *sip.Contact, i *usrloc.Info, flags int) code {
	i.URI = k.URI
	if len(k.URI) > r.contactMax {
		return codeContactLen
	}
	if _, err := sip.ParseURI(k.URI); err != nil {
		return codeContact
	}
	i.Q = r.defaultQ.Get(c.Cfg)
	if k.Q != sip.QAbsent {
		i.Q = k.Q
	}
	if v := r.setting(c, "q"); v.IsInt() && v.Int() >= 0 && v.Int() <= 1000 {
		i.Q = v.Int()
	}
	n, why := r.expires(c, k, flags)
	if why != codeOK {
		return why
	}
	if i.Expires = 0; n > 0 {
		i.Expires = w.now + int64(n)
	}
	i.Received = r.receivedOf(c, w, k)
	if len(i.Received) > maxReceived {
		return codeContactLen
	}
	if w.pathRcv != "" && i.Received == w.pathRcv && r.loc.NATFlag() >= 0 {
		i.CFlags |= 1 << r.loc.NATFlag()
	}
	if k.Methods != "" {
		i.Methods = methodMask(k.Methods)
	}
	if r.gruu && k.Instance != "" {
		i.Instance, i.RegID = k.Instance, k.RegID
		if v, has := k.Param("reg-id"); has && k.RegID <= 0 && strings.TrimLeft(v, "0") != "" {
			return codeRegID
		}
		w.outbound = w.outbound || k.RegID > 0
	}
	return codeOK
}

// receivedOf is the address behind which the contact is.
func (r *registrar) receivedOf(c *run.Context, w *work, k *sip.Contact) string {
	if r.received != nil {
		if v := r.received(c); v.IsStr() && v.Text() != "" {
			return v.Text()
		}
	}
	if w.pathRcv != "" {
		return w.pathRcv
	}
	return k.Received
}

// expires is for how many seconds a contact asks; 0 to be removed.
func (r *registrar) expires(c *run.Context, k *sip.Contact, flags int) (int, code) {
	n, given := 0, true
	asked := false
	if v := r.setting(c, "expires"); v.IsInt() && v.Int() >= 0 {
		n, asked = v.Int(), true
	} else if k.HasExpires {
		n, given = seconds(k)
		asked = true
	}
	if !asked {
		n, given = c.Msg.Expires()
	}
	spread := r.expiresRange.Get(c.Cfg)
	if !given || n < 0 {
		n, spread = r.defaultExpires.Get(c.Cfg), r.defaultRange.Get(c.Cfg)
	}
	if n == 0 {
		return 0, codeOK
	}
	if spread > 0 && flags&saveExact == 0 {
		n -= rand.IntN(n*min(spread, 100)/100 + 1)
	}
	if least := r.minExpires.Get(c.Cfg); n < least {
		if r.minMode == 1 {
			return 0, codeLowExpires
		}
		n = least
	}
	if most := r.maxExpires.Get(c.Cfg); most > 0 && n > most {
		n = most
	}
	return max(n, 1), codeOK
}

// seconds is the parameter expires. Package sip reads what is no number as
// 3600, Kamailio as default_expires, and quotes do not count.
func seconds(k *sip.Contact) (int, bool) {
	if k.Expires != 3600 {
		return k.Expires, true
	}
	v, _ := k.Param("expires")
	n, err := strconv.ParseUint(v, 10, 32)
	return int(n), err == nil
}

// readPath joins the Path headers and reads received of the first.
func (r *registrar) readPath(c *run.Context, w *work) code {
	m := c.Msg
	h := m.First(sip.HdrPath)
	if !r.usePath || h == nil {
		return codeOK
	}
	w.path = m.Value(h)
	for h = m.Next(h); h != nil; h = m.Next(h) {
		w.path += "," + m.Value(h)
	}
	if len(w.path) > maxPath {
		return codePath
	}
	it := m.Routes(sip.HdrPath)
	if !it.Next() {
		return codePath
	}
	u, err := it.NameAddr().ParseURI()
	if err != nil || !u.LR {
		return codePath
	}
	if v, ok := u.Param("received"); ok && r.pathUseReceived {
		w.pathRcv = sip.UnescapeUser(sip.Unquote(v))
	}
	for it.Next() {
		if _, err := it.NameAddr().ParseURI(); err != nil {
			return codePath
		}
	}
	if it.Err() != nil {
		return codePath
	}
	return codeOK
}

// allowed is the mask of the Allow headers.
func allowed(m *sip.Message) uint32 {
	var mask uint32
	for h := m.First(sip.HdrAllow); h != nil; h = m.Next(h) {
		mask |= methodMask(m.Value(h))
	}
	return mask
}

// methodMask is the mask of a list of methods.
func methodMask(list string) uint32 {
	var mask uint32
	for list != "" {
		var item string
		item, list, _ = strings.Cut(list, ",")
		if item = strings.TrimSpace(item); item != "" {
			mask |= uint32(sip.ParseMethod(item))
		}
	}
	return mask
}

// conn is the connection that a contact came over.
func conn(k *usrloc.Contact) uint64 { return uint64(max(k.Conn(), 0)) }
