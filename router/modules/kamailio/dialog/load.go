package dialog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sipd/router/module"
)

// openDB opens the database of db_mode and reads its calls.
func (m *mod) openDB(ctx context.Context, h *module.Host) error {
	if m.dbMode == 0 {
		return nil
	}
	s, err := openStore(ctx, h, &m.params)
	if err != nil || s == nil {
		return err
	}
	m.t.store = s
	m.owner.Store(true)
	if !m.dbSkip {
		if err := m.load(ctx); err != nil {
			m.owner.Store(false)
			return errors.Join(err, s.close())
		}
	}
	h.WhenServing(func() {
		m.serving.Store(true)
		if s.mode == atShutdown && !m.dbSkip {
			m.clear(context.Background())
		}
	})
	return nil
}

// clear empties the tables in db_mode 3, which have what the last end of the
// daemon left. What fails is done again at its end.
func (m *mod) clear(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sqlLimit)
	defer cancel()
	err := m.t.store.clear(ctx)
	if m.cleared.Store(err == nil); err != nil {
		m.log.LogAttrs(ctx, slog.LevelError, "tables of calls not emptied; they are at the end", slog.String("module", "dialog"), slog.Any("err", err))
	}
}

// load reads all calls.
func (m *mod) load(ctx context.Context) error {
	s := m.t.store
	err := s.read(ctx, "", func(r *row) error {
		if d, err := m.restore(r); d == nil {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read calls from %s: %w", s.Source(), err)
	}
	err = s.readVars(ctx, nil, func(entry, id uint32, v variable) {
		if d := m.t.byID(entry, id); d != nil {
			d.vars = assign(d.vars, v.key, v.value, false)
		}
	})
	if err != nil {
		return fmt.Errorf("read variables of calls from %s: %w", s.Source(), err)
	}
	return nil
}

// loadMore reads the calls that another server wrote meanwhile: those of a
// Call-ID, all when it is "".
func (m *mod) loadMore(ctx context.Context, callID string) error {
	var list []*dialog
	s := m.t.store
	err := s.read(ctx, callID, func(r *row) error {
		if m.t.byID(r.entry, r.id) != nil {
			return nil
		}
		d, err := m.restore(r)
		if d != nil {
			list = append(list, d)
		}
		return err
	})
	for _, d := range list {
		if err != nil {
			break
		}
		err = s.readVars(ctx, d, func(_, _ uint32, v variable) {
			d.mu.Lock()
			d.vars = assign(d.vars, v.key, v.value, false)
			d.mu.Unlock()
		})
	}
	return err
}

// restore puts a call of the table back; nil for a row that is none, with an
// error when hash_size is another than that of the rows.
func (m *mod) restore(r *row) (*dialog, error) {
	if r.callID == "" || r.tags[caller] == "" || r.id == 0 || r.state < unconfirmed || r.state > deleted {
		m.log.LogAttrs(context.Background(), slog.LevelWarn, "row passed over: it is no call", slog.String("module", "dialog"),
			slog.String("call_id", r.callID), slog.Uint64("h_entry", uint64(r.entry)), slog.Uint64("h_id", uint64(r.id)))
		return nil, nil
	}
	if want := m.t.entryOf(r.callID); want != r.entry {
		s := m.t.store
		return nil, fmt.Errorf(`table %s was written with another hash_size than %d (call %s lies in list %d, not %d); set hash_size back, or forget these calls: sipctl db exec "DELETE FROM %s"`,
			s.table, len(m.t.entries), r.callID, r.entry, want, s.table)
	}
	d := m.build(r, time.Now())
	if !m.t.insert(d) {
		return nil, nil
	}
	for _, l := range d.links {
		l.p.add(l.value, 1)
	}
	m.forced(0, d.state)
	return d, nil
}

// build makes the call of a row.
func (m *mod) build(r *row, now time.Time) *dialog {
	d := &dialog{
		entry: r.entry, id: r.id, callID: r.callID, fromURI: r.fromURI, toURI: r.toURI, reqURI: r.reqURI,
		born: now, state: r.state, sflags: r.sflags, iflags: r.iflags, toRoute: r.toRoute,
		stored: m.t.store.mode != atShutdown,
	}
	// In db_mode 3 all is written anew when the daemon ends.
	d.dirty = !d.stored
	if r.start > 0 {
		d.started = time.Unix(r.start, 0)
	}
	if d.expires = time.Unix(r.timeout, 0); d.expires.After(now) {
		d.lifetime = int(r.timeout - r.start)
	}
	for side := range d.legs {
		d.legs[side] = leg{
			known: true, tag: r.tags[side], contact: r.contacts[side], cseq: r.cseqs[side],
			routes: splitRoutes(r.sets[side]), socket: m.localSocket(r.socks[side], r.callID),
		}
	}
	if l := &d.legs[callee]; m.keepRR&keepCallee == 0 {
		// Kamailio wrote it with its own Record-Route, and that is this daemon's.
		for len(l.routes) > 0 && m.own(l.routes[0]) {
			l.routes = l.routes[1:]
		}
	}
	if d.state == deleted {
		d.ended, d.lingered = now, now.Add(linger)
	} else {
		d.links = m.readProfiles(r)
	}
	return d
}

// localSocket is the name of a socket that this daemon has, "" for another.
func (m *mod) localSocket(name, callID string) string {
	if name == "" || m.socket(name) != nil {
		return name
	}
	m.log.LogAttrs(context.Background(), slog.LevelWarn, "call was on a socket that is not one of this daemon", slog.String("module", "dialog"),
		slog.String("call_id", callID), slog.String("socket", name))
	return ""
}

// jsonProfile is a profile that a call is in, as the column xdata has it.
type jsonProfile struct {
	Name  string  `json:"name"`
	Value *string `json:"value,omitempty"`
	PUID  string  `json:"puid,omitempty"`
}

type jsonData struct {
	Profiles []jsonProfile `json:"profiles"`
}

// readProfiles reads the column xdata.
func (m *mod) readProfiles(r *row) (list []link) {
	if r.xdata == "" {
		return nil
	}
	var data jsonData
	if err := json.Unmarshal([]byte(r.xdata), &data); err != nil {
		m.log.LogAttrs(context.Background(), slog.LevelWarn, "profiles of a call not read", slog.String("module", "dialog"),
			slog.String("call_id", r.callID), slog.Any("err", err))
		return nil
	}
	for _, x := range data.Profiles {
		p := m.t.profile(x.Name)
		if p == nil || p.values != (x.Value != nil) {
			m.log.LogAttrs(context.Background(), slog.LevelWarn, "call was in a profile that there is not", slog.String("module", "dialog"),
				slog.String("call_id", r.callID), slog.String("profile", x.Name))
			continue
		}
		l := link{p: p, puid: x.PUID}
		if x.Value != nil {
			l.value = *x.Value
		}
		list = append(list, l)
	}
	return list
}

// profilesText is what the column xdata gets.
func profilesText(list []link) string {
	if len(list) == 0 {
		return ""
	}
	var data jsonData
	for _, l := range list {
		x := jsonProfile{Name: l.p.name, PUID: l.puid}
		if l.p.values {
			x.Value = &l.value
		}
		data.Profiles = append(data.Profiles, x)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // values are addresses often: <, > and & stay as they are
	if enc.Encode(&data) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fill is the call as a row; the caller holds mu.
func (d *dialog) fill(r *row) {
	r.callID, r.fromURI, r.toURI, r.reqURI = d.callID, d.fromURI, d.toURI, d.reqURI
	r.state, r.start, r.timeout = d.state, unix(d.started), unix(d.expires)
	r.sflags, r.iflags, r.toRoute = d.sflags, d.iflags, d.toRoute
	r.xdata = profilesText(d.links)
	for side := range d.legs {
		l := &d.legs[side]
		r.tags[side], r.contacts[side], r.cseqs[side], r.socks[side] = l.tag, l.contact, l.cseq, l.socket
		r.sets[side] = strings.Join(l.routes, ",")
	}
}

// splitRoutes reads a route set: addresses with commas between. Commas within
// brackets and quotes are part of an address.
func splitRoutes(s string) (list []string) {
	start, quoted, inside := 0, false, false
	add := func(t string) {
		if t = strings.Trim(t, " \t\r\n"); t != "" {
			list = append(list, t)
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !inside:
			quoted = !quoted
		case quoted:
		case c == '<':
			inside = true
		case c == '>':
			inside = false
		case c == ',' && !inside:
			add(s[start:i])
			start = i + 1
		}
	}
	add(s[start:])
	return list
}
