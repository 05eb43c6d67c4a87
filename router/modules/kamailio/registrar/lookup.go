package registrar

import (
	"strconv"
	"strings"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/transport"
	"sipd/router/usrloc"
)

// Codes of lookup.
const (
	rcFound    = 1
	rcNone     = -1
	rcMethod   = -2
	rcInternal = -3
)

// usable says whether lookup may use a contact.
func (r *registrar) usable(c *run.Context, k *usrloc.Contact, now int64) bool {
	if !k.Valid(now) && !r.useExpired.Bool(c.Cfg) {
		return false
	}
	if r.filterMode&1 != 0 {
		if v := r.setting(c, "rlf_bflags"); v.IsInt() && k.CFlags()&uint32(v.Int()) == 0 {
			return false
		}
	}
	if r.filterMode&2 != 0 && k.Conn() > 0 && c.Env.Transport != nil && !c.Env.Transport.ConnOpen(conn(k)) {
		return false
	}
	return true
}

// takes says whether a contact takes the request's method. Requests in a dialog
// are not filtered.
func (r *registrar) takes(c *run.Context, k *usrloc.Contact) bool {
	return !r.methodFiltering || c.Msg.ToTag() != "" || k.Methods()&uint32(c.Msg.Method()) != 0
}

// lookup puts the contacts of uri ("" for the request URI) into the fork set.
// dset leaves the request URI alone.
func (r *registrar) lookup(c *run.Context, t *usrloc.Table, uri string, dset bool) int {
	u, err := c.ParsedRURI()
	if uri != "" {
		var p sip.URI
		p, err = sip.ParseURI(uri)
		u = &p
	}
	if err != nil {
		return rcInternal
	}
	w := r.scratch.Get().(*work)
	defer r.scratch.Put(w)
	w.reset(c.Now().Unix())
	rc := r.find(c, t, w, u)
	if rc < 0 {
		return rc
	}
	rest := w.list
	if !dset {
		if !r.use(c, t, w.list[0], w.now) {
			return rcInternal
		}
		rest = w.list[1:]
	}
	if (u.HasGR || !r.appendBranches.Bool(c.Cfg)) && !dset {
		return rc
	}
	for _, k := range rest {
		b, ok := r.branch(t, k)
		if ok && !c.AddBranch(b) {
			break
		}
	}
	return rc
}

// find leaves the contacts that may be used in w.list.
func (r *registrar) find(c *run.Context, t *usrloc.Table, w *work, u *sip.URI) int {
	if u.HasGR && u.GR == "" {
		k := temporary(t, u.User)
		if k == nil || !r.usable(c, k, w.now) {
			return rcNone
		}
		w.list = append(w.list, k)
		return rcFound
	}
	aor, why := r.aor(c, u)
	if why != codeOK {
		return rcInternal
	}
	all := t.Get(aor, w.list)
	rc, n := rcNone, 0
	for _, k := range all {
		switch {
		case !r.usable(c, k, w.now):
		case u.GR != "" && strings.Trim(k.Instance(), "<>") != u.GR:
		case !r.takes(c, k):
			rc = rcMethod
		default:
			all[n] = k
			n++
		}
	}
	if w.list = all[:n]; n == 0 {
		return rc
	}
	return rcFound
}

// temporary finds the contact of a temporary GRUU: its id and the hash of its
// address of record.
func temporary(t *usrloc.Table, user string) *usrloc.Contact {
	i := strings.LastIndexByte(user, '-')
	if i < 0 {
		return nil
	}
	hash, err := strconv.ParseUint(user[i+1:], 16, 32)
	if err != nil {
		return nil
	}
	return t.ByRUID(uint32(hash), user[:i])
}

// use makes a contact the request's destination.
func (r *registrar) use(c *run.Context, t *usrloc.Table, k *usrloc.Contact, now int64) bool {
	b, ok := r.branch(t, k)
	if !ok {
		return false
	}
	c.SetRURI(b.URI)
	b.Flags |= c.Main.Flags
	c.Main = b
	c.SetDstURI(b.DstURI)
	if b.Sock != nil {
		c.SendSock = b.Sock
	}
	r.record(c, k, now)
	return true
}

// branch is a contact as a branch of the fork set; ok is false when its Path is
// broken.
func (r *registrar) branch(t *usrloc.Table, k *usrloc.Contact) (run.Branch, bool) {
	b := run.Branch{
		URI: k.URI(), DstURI: k.Received(), Q: k.Q(), Flags: k.CFlags(), Instance: k.Instance(), Ruid: k.RUID(),
		LocationUA: k.UserAgent(), RegID: k.RegID(), Conn: conn(k), Sock: r.socket(t.Socket(k)),
	}
	if b.Q == usrloc.QUnset {
		b.Q = run.QUnset
	}
	path := k.Path()
	if path == "" {
		return b, true
	}
	first, rest := sip.CutList(path)
	a, err := sip.ParseNameAddr(first)
	if err != nil {
		return b, false
	}
	if r.pathCheckLocal {
		if u, err := a.ParseURI(); err == nil {
			proto, _ := transport.ParseProto(u.Transport)
			if r.host.Env.Myself(u.Host, u.Port, proto) {
				if path = strings.TrimSpace(rest); path == "" {
					return b, true
				}
				first, _ = sip.CutList(path)
				if a, err = sip.ParseNameAddr(first); err != nil {
					return b, false
				}
			}
		}
	}
	b.Path, b.DstURI = path, a.URI
	return b, true
}

// record puts what was found into $xavp(xavp_rcd=>…).
func (r *registrar) record(c *run.Context, k *usrloc.Contact, now int64) {
	if r.xavpRcd == "" {
		return
	}
	var rec run.XRecord
	for i, f := range []struct {
		name string
		v    run.Value
	}{
		{"ruid", run.Str(k.RUID())},
		{"contact", run.Str(k.URI())},
		{"expires", run.Int(int(k.Left(now)))},
		{"received", run.Str(k.Received())},
		{"path", run.Str(k.Path())},
	} {
		if r.rcdMask&(1<<i) == 0 && f.v.Format() != "" {
			rec.Add(f.name, f.v)
		}
	}
	if c.XAVPs == nil {
		c.XAVPs = new(run.XAVPs)
	}
	c.XAVPs.Push(r.xavpRcd, rec)
}

// lookupBranches looks up the request URI and each branch that is a URI alone.
func (r *registrar) lookupBranches(c *run.Context, t *usrloc.Table) int {
	rc := r.lookup(c, t, "", false)
	n := len(c.Branches)
	found := false
	for i := 0; i < n && i < len(c.Branches); i++ {
		b := &c.Branches[i]
		if b.DstURI != "" || b.Path != "" || b.Ruid != "" {
			continue
		}
		u, err := sip.ParseURI(b.URI)
		if err != nil || !r.host.Env.Myself(u.Host, u.Port, transport.ProtoNone) {
			continue
		}
		w := r.scratch.Get().(*work)
		w.reset(c.Now().Unix())
		if r.find(c, t, w, &u) > 0 {
			if nb, ok := r.branch(t, w.list[0]); ok {
				*b, found = nb, true
			}
			for _, k := range w.list[1:] {
				if nb, ok := r.branch(t, k); ok && r.appendBranches.Bool(c.Cfg) && !c.AddBranch(nb) {
					break
				}
			}
		}
		r.scratch.Put(w)
	}
	if rc < 0 && found {
		return rcFound
	}
	return rc
}

// Options of registered.
const (
	matchCallID = 1 << iota
	matchReceived
	matchContact
)

// registered says whether an address of record has a contact.
func (r *registrar) registered(c *run.Context, t *usrloc.Table, uri string, match, action int) int {
	u, err := r.uriOf(c, uri)
	if err != nil {
		return rcNone
	}
	aor, why := r.aor(c, u)
	if why != codeOK {
		return rcNone
	}
	w := r.scratch.Get().(*work)
	defer r.scratch.Put(w)
	w.reset(c.Now().Unix())
	w.list = t.Get(aor, w.list)
	for _, k := range w.list {
		if !k.Valid(w.now) || !r.matches(c, k, match) {
			continue
		}
		if action&2 == 0 {
			r.record(c, k, w.now)
		}
		return 1
	}
	return rcNone
}

// uriOf is a URI argument; "" is the request URI, of replies that of To.
func (r *registrar) uriOf(c *run.Context, uri string) (*sip.URI, error) {
	if uri != "" {
		u, err := sip.ParseURI(uri)
		return &u, err
	}
	if c.Msg.IsRequest() {
		return c.ParsedRURI()
	}
	to, err := c.Msg.To()
	if err != nil {
		return nil, err
	}
	return to.ParseURI()
}

func (r *registrar) matches(c *run.Context, k *usrloc.Contact, match int) bool {
	if r.callID != nil {
		if v := r.callID(c); v.IsStr() && v.Text() != k.CallID() {
			return false
		}
	}
	for _, f := range []struct {
		bit        int
		name, have string
	}{{matchCallID, "match_callid", k.CallID()}, {matchReceived, "match_received", k.Received()}, {matchContact, "match_contact", k.URI()}} {
		if match&f.bit == 0 {
			continue
		}
		if v := r.setting(c, f.name); v.IsStr() && v.Text() != f.have {
			return false
		}
	}
	return true
}
