package dialog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"sipd/router/run"
	"sipd/router/sip"
	"sipd/router/tm"
	"sipd/router/transport"
)

// faked is the message that routes run on when a timer or a call over RPC is the
// cause.
const faked = "OPTIONS sip:you@kamailio.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKdialog\r\n" +
	"From: <sip:you@kamailio.org>;tag=123\r\nTo: <sip:you@kamailio.org>\r\nCall-ID: 123\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

// event runs the event route of a change of state. from is the run that brought
// it about, nil for none; raw the message, "" for none.
func (m *mod) event(from *run.Context, raw string, d *dialog, before, after state) {
	name := ""
	switch {
	case before == after:
		return
	case after == confirmedNA:
		name = "dialog:start"
	case after == deleted && before <= early:
		name = "dialog:failed"
	case after == deleted:
		name = "dialog:end"
	default:
		return
	}
	if b := m.host.Env.Block(run.EventRoute, name); b != nil {
		m.runRoute(from, raw, d, b, run.EventRoute, name)
	}
}

func (m *mod) runRoute(from *run.Context, raw string, d *dialog, b run.Block, kind run.Kind, name string) {
	defer func() {
		if p := recover(); p != nil {
			m.log.LogAttrs(context.Background(), slog.LevelError, "event route panicked", slog.String("module", "dialog"),
				slog.String("route", name), slog.String("err", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
		}
	}()
	if raw == "" {
		raw = faked
	}
	c := &run.Context{}
	c.Reset(m.host.Env)
	if c.Msg.Parse(raw) != nil && c.Msg.Parse(faked) != nil {
		return
	}
	c.Cfg, c.Route, c.RouteName = m.host.Env.Cfg.Snapshot(), kind, name
	if from != nil {
		c.AVPs, c.XAVPs, c.Recv, c.ID = from.AVPs, from.XAVPs, from.Recv, from.ID
	}
	m.run(c).d = d
	b.Run(c)
}

// inDialog is what requests to one party are made of, and the next hop where an
// alias names it; the caller holds d.mu.
func (m *mod) inDialog(d *dialog, to side) (td *tm.Dialog, next string, err error) {
	target, other := &d.legs[to], &d.legs[to.other()]
	if target.contact == "" {
		return nil, "", errors.New("there is no Contact to send to")
	}
	seq, err := strconv.ParseUint(other.cseq, 10, 31)
	if err != nil {
		return nil, "", fmt.Errorf("CSeq %q is no number", other.cseq)
	}
	remote, local := d.fromURI, d.toURI
	if to == callee {
		remote, local = local, remote
	}
	td = &tm.Dialog{
		CallID: d.callID, Local: address(local, other.tag), Remote: address(remote, target.tag), Target: target.contact,
		Routes: target.routes, Seq: uint32(seq), Socket: m.socket(target.socket),
	}
	if len(target.routes) == 0 {
		td.Target, next = alias(target.contact)
	}
	return td, next, nil
}

// request makes a request to one party; the caller holds d.mu.
func (m *mod) request(d *dialog, to side, method, more string) (*tm.Request, error) {
	td, next, err := m.inDialog(d, to)
	if err != nil {
		return nil, err
	}
	if d.iflags&ifPRACK != 0 {
		td.Seq += 80 // as Kamailio: PRACKs may not have been seen
	}
	r := td.Request(method)
	r.NextHop = next
	if r.Headers = m.extraHdrs + more; to == callee {
		r.Headers += m.calleeHdrs
	}
	d.legs[to.other()].cseq = strconv.FormatUint(uint64(td.Seq), 10)
	return r, nil
}

func address(uri, tag string) string {
	if tag == "" {
		return "<" + uri + ">"
	}
	return "<" + uri + ">;tag=" + tag
}

// alias takes the parameter alias=ADDRESS~PORT~PROTO off a Contact, which module
// nathelper adds: it says where the party really is.
func alias(contact string) (uri, next string) {
	i := strings.Index(contact, ";alias=")
	if i < 0 {
		return contact, ""
	}
	value, rest := contact[i+len(";alias="):], ""
	if j := strings.IndexAny(value, ";?"); j >= 0 {
		value, rest = value[:j], value[j:]
	}
	parts := strings.Split(value, "~")
	if len(parts) != 3 {
		return contact, ""
	}
	names := map[string]string{"1": "udp", "2": "tcp", "3": "tls", "4": "sctp", "5": "ws", "6": "wss"}
	name, ok := names[parts[2]]
	if !ok {
		return contact, ""
	}
	next = "sip:" + parts[0] + ":" + parts[1] + ";transport=" + name
	if _, err := sip.ParseURI(next); err != nil {
		return contact, ""
	}
	return contact[:i] + rest, next
}

// socket is a socket by its text, nil when there is none (any more).
func (m *mod) socket(name string) *transport.Socket {
	if name == "" || m.host.Env.Transport == nil {
		return nil
	}
	for _, s := range m.host.Env.Transport.Sockets() {
		if s.String() == name {
			return s
		}
	}
	return nil
}

// bye sends a BYE to one party of an answered call.
func (m *mod) bye(d *dialog, to side, more string) error {
	d.mu.Lock()
	if d.state != confirmedNA && d.state != confirmed {
		d.mu.Unlock()
		return errors.New("the call is not answered")
	}
	r, err := m.request(d, to, "BYE", more)
	if err != nil {
		d.mu.Unlock()
		return err
	}
	d.byes++
	d.mu.Unlock()
	r.Done = func(x *tm.Response) { m.byeDone(d, x) }
	if err := m.send(r); err != nil {
		d.mu.Lock()
		d.byes--
		d.mu.Unlock()
		return err
	}
	return nil
}

// byeDone ends the dialog when a BYE was answered, or got no answer.
func (m *mod) byeDone(d *dialog, x *tm.Response) {
	d.mu.Lock()
	d.byes--
	before, after := d.next(evBye, time.Now())
	d.mu.Unlock()
	m.count(before, after)
	if before != after {
		m.tellOwnBye(x, d)
	}
}

// byeOnce sends the BYE of dlg_bye to one party, once.
func (m *mod) byeOnce(d *dialog, to side) error {
	flag := uint32(dfCallerBye)
	if to == callee {
		flag = dfCalleeBye
	}
	d.mu.Lock()
	again := d.dflags&flag != 0
	d.dflags |= flag
	before := d.state
	d.mu.Unlock()
	if again {
		return errors.New("that party was sent a BYE")
	}
	err := m.bye(d, to, "")
	m.event(nil, "", d, before, deleted)
	return err
}

// byeAll sends both parties a BYE.
func (m *mod) byeAll(d *dialog, more string) error {
	m.tellEnded(nil, d)
	d.mu.Lock()
	before := d.state
	d.mu.Unlock()
	err := errors.Join(m.bye(d, caller, more), m.bye(d, callee, more))
	m.event(nil, "", d, before, deleted)
	return err
}

// sweep ends dialogs whose time is over, and forgets those that ended.
func (m *mod) sweep(now time.Time) {
	for i := range m.t.entries {
		e := &m.t.entries[i]
		e.mu.Lock()
		list := slices.Clone(e.list)
		e.mu.Unlock()
		for _, d := range list {
			m.look(d, now)
		}
	}
}

func after(t time.Time, seconds int, now time.Time) bool {
	return now.Sub(t) > time.Duration(seconds)*time.Second
}

// look does what time asks for with one dialog.
func (m *mod) look(d *dialog, now time.Time) {
	d.mu.Lock()
	before := d.state
	timeout, gone := false, false
	switch {
	case before <= early && after(d.born, m.earlyTimeout, now):
		d.next(evGone, now)
		gone = true
	case before == confirmedNA && after(d.started, m.noACKTimeout, now) && d.expires.Sub(now) > 10*time.Second:
		d.expires, d.lifetime = now.Add(10*time.Second), 10
		d.changed()
	case before == deleted:
		gone = d.byes <= 0 && !now.Before(d.lingered) || after(d.ended, m.endTimeout, now)
	case before >= confirmedNA && !d.expires.IsZero() && !now.Before(d.expires):
		d.expires = time.Time{}
		d.dflags |= dfExpired
		timeout = true
	}
	now2 := d.state
	if d.stored && !after(d.ended, m.endTimeout, now) {
		gone = false // its row is deleted first
	}
	d.mu.Unlock()
	if gone {
		m.count(before, now2)
		m.t.remove(d)
	}
	if timeout {
		m.timedOut(d, now)
	}
}

// timedOut ends a call that lasted too long.
func (m *mod) timedOut(d *dialog, now time.Time) {
	d.mu.Lock()
	route, foreign := d.toRoute, d.legs[caller].socket == ""
	d.mu.Unlock()
	if foreign && m.filterMode&onlyLocal != 0 {
		return // it is another server's
	}
	if route != "" {
		if b := m.host.Env.Block(run.RequestRoute, route); b != nil {
			m.runRoute(nil, "", d, b, run.RequestRoute, route)
		}
	}
	m.t.expired.Inc()
	d.mu.Lock()
	byes := d.iflags&ifTimeoutBye != 0
	d.mu.Unlock()
	if byes {
		err := m.byeAll(d, "")
		d.mu.Lock()
		waiting := d.byes > 0
		d.mu.Unlock()
		if err != nil {
			m.log.LogAttrs(context.Background(), slog.LevelWarn, "call ended without a BYE to both", slog.String("module", "dialog"),
				slog.String("call_id", d.callID), slog.Any("err", err))
		}
		if waiting {
			return // byeDone ends it
		}
		m.finish(d, now)
		return
	}
	before, after := m.finish(d, now)
	m.event(nil, "", d, before, after)
	if before != after {
		m.tellExpired(d, before == confirmed)
	}
}

// onlyLocal is the bit of dlg_filter_mode: timeouts and keep-alives are not for
// calls that came in on another server's socket.
const onlyLocal = 1

// finish ends a dialog without anybody being told.
func (m *mod) finish(d *dialog, now time.Time) (before, after state) {
	d.mu.Lock()
	before, after = d.next(evBye, now)
	d.mu.Unlock()
	m.count(before, after)
	return before, after
}
