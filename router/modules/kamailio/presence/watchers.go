package presence

import (
	"context"
	"database/sql"
	"errors"

	"sipd/db"
	"sipd/router/dbx"
	events "sipd/router/presence"
)

// watcherColumns are those of the table watchers.
var watcherColumns = []string{"presentity_uri", "watcher_username", "watcher_domain", "event", "status", "reason", "inserted_time"}

// watcherTable keeps what was decided about watchers.
type watcherTable struct {
	one, put, set, of, pending, clean *db.Stmt
}

func newWatcherTable(conn *dbx.Conn, table string) *watcherTable {
	t := new(watcherTable)
	key := []string{"presentity_uri", "watcher_username", "watcher_domain", "event"}
	who := []string{"watcher_username", "watcher_domain", "status", "reason"}
	t.one = conn.Select(table, who[2:], key, "")
	t.put = conn.Command(conn.Upsert(table, key, watcherColumns))
	t.set = conn.Command("UPDATE " + conn.Quote(table) + " SET status = ?, reason = ? WHERE presentity_uri = ? AND watcher_username = ? AND watcher_domain = ? AND event = ?")
	t.of = conn.Select(table, who, []string{"presentity_uri", "event"}, "ORDER BY id")
	t.pending = conn.Select(table, who, []string{"presentity_uri", "event", "status"}, "ORDER BY id")
	t.clean = conn.Command("DELETE FROM " + conn.Quote(table) + " WHERE inserted_time < ? AND status = ?")
	return t
}

// look sets what was decided about w; false when nothing was.
func (t *watcherTable) look(ctx context.Context, w *events.Watcher, event string) (bool, error) {
	var status int
	var reason db.Text
	err := t.one.Get(ctx, []any{w.PresURI, w.User, w.Domain, event}, &status, &reason)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		w.Status, w.Reason = events.Status(status), string(reason)
	}
	return err == nil, err
}

// add keeps what was decided about w.
func (t *watcherTable) add(ctx context.Context, w *events.Watcher, event string, now int64) error {
	_, err := t.put.Exec(ctx, w.PresURI, w.User, w.Domain, event, int(w.Status), w.Reason, now)
	return err
}

// change keeps another decision about w.
func (t *watcherTable) change(ctx context.Context, w *events.Watcher, event string) error {
	_, err := t.set.Exec(ctx, int(w.Status), w.Reason, w.PresURI, w.User, w.Domain, event)
	return err
}

// list are the watchers of a presentity, or those who wait for a decision.
func (t *watcherTable) list(ctx context.Context, presURI, event string, waiting bool) ([]*events.Watcher, error) {
	st, args := t.of, []any{presURI, event}
	if waiting {
		st, args = t.pending, append(args, int(events.Pending))
	}
	var list []*events.Watcher
	err := st.Each(ctx, args, func(scan func(...any) error) error {
		w := &events.Watcher{PresURI: presURI}
		var user, domain, reason db.Text
		var status int
		err := scan(&user, &domain, &status, &reason)
		w.User, w.Domain, w.Status, w.Reason = string(user), string(domain), events.Status(status), string(reason)
		list = append(list, w)
		return err
	})
	return list, err
}

// forget removes those who waited since before a second.
func (t *watcherTable) forget(ctx context.Context, before int64) error {
	_, err := t.clean.Exec(ctx, before, int(events.Pending))
	return err
}
