package presence

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"sipd/db"
	"sipd/router/dbx"
	events "sipd/router/presence"
)

// subColumns are those of active_watchers, in the order of values and scan.
var subColumns = []string{
	"presentity_uri", "callid", "to_tag", "from_tag", "to_user", "to_domain", "from_user", "from_domain",
	"watcher_username", "watcher_domain", "event", "event_id", "local_cseq", "remote_cseq", "contact", "local_contact",
	"record_route", "expires", "status", "reason", "version", "socket_info", "flags", "user_agent", "updated", "updated_winfo",
}

// noUpdate is what updated and updated_winfo hold when no notifier waits.
const noUpdate = -1

// subTable keeps subscriptions in a table.
type subTable struct {
	// writing is held by who writes rows that are in memory.
	writing sync.Mutex

	upsert, del, one, every, of, count, again, ended, endAll, sets, setsEnd *db.Stmt
}

func newSubTable(conn *dbx.Conn, table string) *subTable {
	t := new(subTable)
	q, name := conn.Quote, conn.Quote(table)
	const byDialog = " WHERE callid = ? AND to_tag = ? AND from_tag = ?"
	const byWatcher = " WHERE presentity_uri = ? AND event = ? AND watcher_username = ? AND watcher_domain = ?"
	t.upsert = conn.Command(conn.Upsert(table, []string{"callid", "to_tag", "from_tag"}, subColumns))
	t.del = conn.Command("DELETE FROM " + name + byDialog)
	t.one = conn.Select(table, subColumns, []string{"callid", "to_tag", "from_tag"}, "")
	t.every = conn.Select(table, subColumns, nil, "")
	t.of = conn.Select(table, subColumns, []string{"presentity_uri", "event"}, "ORDER BY id")
	t.count = conn.Command("UPDATE " + name + " SET local_cseq = local_cseq + 1, " + q("version") + " = " + q("version") + " + 1" + byDialog)
	t.again = conn.Command("UPDATE " + name + " SET expires = ?, remote_cseq = ?, contact = ?, status = ?, reason = ?" + byDialog)
	t.ended = conn.Query("SELECT " + conn.QuoteAll(subColumns) + " FROM " + name + " WHERE expires < ?")
	t.endAll = conn.Command("DELETE FROM " + name + " WHERE expires < ?")
	t.sets = conn.Command("UPDATE " + name + " SET status = ?, reason = ?" + byWatcher)
	t.setsEnd = conn.Command("DELETE FROM " + name + byWatcher)
	return t
}

func (d dialog) args() []any { return []any{d.callID, d.toTag, d.fromTag} }

// put writes a row, new or not.
func (t *subTable) put(ctx context.Context, s *sub) error {
	_, err := t.upsert.Exec(ctx, s.presURI, s.callID, s.toTag, s.fromTag, s.toUser, s.toDomain, s.fromUser, s.fromDomain,
		s.watcherUser, s.watcherDom, s.event, s.eventID, int64(s.localCSeq), int64(s.remoteCSeq), s.contact, s.localContact,
		s.recordRoute, s.expires, int(s.status), s.reason, s.version, s.socket, s.flags, s.user, noUpdate, noUpdate)
	return err
}

func scanSub(scan func(...any) error) (*sub, error) {
	s := new(sub)
	var pres, call, to, from, toUser, toDom, fromUser, fromDom, wUser, wDom, event, id, contact, local, rr, reason, sock, ua db.Text
	var lseq, rseq int64
	var status int
	var ignored sql.NullInt64
	if err := scan(&pres, &call, &to, &from, &toUser, &toDom, &fromUser, &fromDom, &wUser, &wDom, &event, &id, &lseq, &rseq,
		&contact, &local, &rr, &s.expires, &status, &reason, &s.version, &sock, &s.flags, &ua, &ignored, &ignored); err != nil {
		return nil, err
	}
	s.dialog = dialog{string(call), string(to), string(from)}
	s.presURI, s.event, s.eventID = string(pres), string(event), string(id)
	s.toUser, s.toDomain, s.fromUser, s.fromDomain = string(toUser), string(toDom), string(fromUser), string(fromDom)
	s.watcherUser, s.watcherDom = string(wUser), string(wDom)
	s.contact, s.localContact, s.recordRoute, s.socket, s.user = string(contact), string(local), string(rr), string(sock), string(ua)
	s.localCSeq, s.remoteCSeq, s.status, s.reason = uint32(lseq), uint32(rseq), events.Status(status), string(reason)
	return s, nil
}

func rows(ctx context.Context, st *db.Stmt, args ...any) ([]*sub, error) {
	var list []*sub
	err := st.Each(ctx, args, func(scan func(...any) error) error {
		s, err := scanSub(scan)
		list = append(list, s)
		return err
	})
	return list, err
}

func (t *subTable) everything(ctx context.Context) ([]*sub, error) { return rows(ctx, t.every) }

func (t *subTable) add(ctx context.Context, s *sub) error { return t.put(ctx, s) }

func (t *subTable) find(ctx context.Context, d dialog) (*sub, error) {
	list, err := rows(ctx, t.one, d.args()...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func (t *subTable) refresh(ctx context.Context, s *sub) error {
	n, err := t.again.Exec(ctx, append([]any{s.expires, int64(s.remoteCSeq), s.contact, int(s.status), s.reason}, s.args()...)...)
	if err == nil && n == 0 { // MySQL counts what changed: it may be there as it is
		if there, err := t.find(ctx, s.dialog); err != nil || there == nil {
			return errors.Join(errors.New("the subscription ended meanwhile"), err)
		}
	}
	return err
}

func (t *subTable) next(ctx context.Context, s *sub) (bool, error) {
	if n, err := t.count.Exec(ctx, s.args()...); err != nil || n == 0 {
		return false, err
	}
	k, err := t.find(ctx, s.dialog)
	if err != nil || k == nil {
		return false, err
	}
	*s = *k
	return true, nil
}

func (t *subTable) remove(ctx context.Context, d dialog) error {
	_, err := t.del.Exec(ctx, d.args()...)
	return err
}

func (t *subTable) watching(ctx context.Context, presURI, event string) ([]*sub, error) {
	return rows(ctx, t.of, presURI, event)
}

func (t *subTable) decide(ctx context.Context, w *events.Watcher, event string) ([]*sub, error) {
	all, err := t.watching(ctx, w.PresURI, event)
	if err != nil {
		return nil, err
	}
	var list []*sub
	for _, s := range all {
		if s.watcherUser == w.User && s.watcherDom == w.Domain {
			s.status, s.reason = w.Status, w.Reason
			list = append(list, s)
		}
	}
	where := []any{w.PresURI, event, w.User, w.Domain}
	if w.Status == events.Terminated {
		_, err = t.setsEnd.Exec(ctx, where...)
	} else {
		_, err = t.sets.Exec(ctx, append([]any{int(w.Status), w.Reason}, where...)...)
	}
	return list, err
}

func (t *subTable) expired(ctx context.Context, before int64) ([]*sub, error) {
	list, err := rows(ctx, t.ended, before)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	_, err = t.endAll.Exec(ctx, before)
	return list, err
}

func (t *subTable) flush(context.Context) error { return nil }
