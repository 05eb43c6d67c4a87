package presence

import (
	"context"
	"strings"

	"sipd/db"
	"sipd/router/dbx"
)

// stateColumns are those of presentity, in the order of values and scan.
var stateColumns = []string{
	"username", "domain", "event", "etag", "sender", "ruid", "body", "expires", "received_time", "priority",
}

// stateTable keeps published states in a table.
type stateTable struct {
	upsert, one, newTimes, newBody, del, valid, every, over *db.Stmt
}

// stateOrder is how states are joined: the last one is the root.
func (p *params) stateOrder() []string {
	if p.order != 1 {
		return []string{"received_time", "id"}
	}
	var list []string
	for c := range strings.SplitSeq(p.orderBy, ",") {
		if c = strings.TrimSpace(c); c != "" {
			list = append(list, c)
		}
	}
	return append(list, "id")
}

func newStateTable(conn *dbx.Conn, table string, order []string) *stateTable {
	t := new(stateTable)
	name := conn.Quote(table)
	key := []string{"username", "domain", "event", "etag"}
	byKey := " WHERE username = ? AND " + conn.Quote("domain") + " = ? AND event = ? AND etag = ?"
	tail := "ORDER BY " + conn.QuoteAll(order)
	t.upsert = conn.Command(conn.Upsert(table, key, stateColumns))
	t.one = conn.Select(table, stateColumns, key, "")
	const set = " SET etag = ?, expires = ?, received_time = ?, priority = ?, sender = COALESCE(?, sender)"
	t.newTimes = conn.Command("UPDATE " + name + set + byKey)
	t.newBody = conn.Command("UPDATE " + name + set + ", body = ?" + byKey)
	t.del = conn.Command("DELETE FROM " + name + byKey)
	t.every = conn.Select(table, stateColumns, key[:3], tail)
	t.valid = conn.Select(table, stateColumns, key[:3], "AND (expires = -1 OR expires > ?) "+tail)
	t.over = conn.Query("SELECT " + conn.QuoteAll(stateColumns) + " FROM " + name + " WHERE expires > 0 AND expires < ? ORDER BY username")
	return t
}

func (k stateKey) args() []any { return []any{k.user, k.domain, k.event, k.etag} }

func (t *stateTable) add(ctx context.Context, p *published) error {
	_, err := t.upsert.Exec(ctx, append(p.args(), p.sender, p.ruid, []byte(p.body), p.expires, p.received, p.priority)...)
	return err
}

func states(ctx context.Context, st *db.Stmt, args ...any) ([]*published, error) {
	var list []*published
	err := st.Each(ctx, args, func(scan func(...any) error) error {
		p := new(published)
		var user, domain, event, etag, sender, ruid, body db.Text
		err := scan(&user, &domain, &event, &etag, &sender, &ruid, &body, &p.expires, &p.received, &p.priority)
		p.stateKey = stateKey{string(user), string(domain), string(event), string(etag)}
		p.sender, p.ruid, p.body = string(sender), string(ruid), string(body)
		list = append(list, p)
		return err
	})
	return list, err
}

func (t *stateTable) get(ctx context.Context, k stateKey) (*published, error) {
	list, err := states(ctx, t.one, k.args()...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

func (t *stateTable) update(ctx context.Context, k stateKey, p *published) (bool, error) {
	var sender any
	if p.sender != "" {
		sender = p.sender
	}
	st, args := t.newTimes, []any{p.etag, p.expires, p.received, p.priority, sender}
	if p.body != "" {
		st, args = t.newBody, append(args, []byte(p.body))
	}
	n, err := st.Exec(ctx, append(args, k.args()...)...)
	if err == nil && n == 0 && p.etag == k.etag { // MySQL counts what changed: it may be there as it is
		there, err := t.get(ctx, k)
		return there != nil, err
	}
	return n > 0, err
}

func (t *stateTable) remove(ctx context.Context, k stateKey) error {
	_, err := t.del.Exec(ctx, k.args()...)
	return err
}

func (t *stateTable) list(ctx context.Context, user, domain, event string, after int64) ([]*published, error) {
	if after == 0 {
		return states(ctx, t.every, user, domain, event)
	}
	return states(ctx, t.valid, user, domain, event, after)
}

func (t *stateTable) ended(ctx context.Context, before int64) ([]*published, error) {
	return states(ctx, t.over, before)
}
