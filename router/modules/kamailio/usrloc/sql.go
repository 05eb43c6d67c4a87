package usrloc

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/transport"
	"sipd/router/usrloc"
)

// version is that of table location in Kamailio 5.1 to 5.8.
const version = 9

// timeout bounds what one write may take.
const timeout = 10 * time.Second

// sqlStore keeps contacts in a table that a Kamailio reads too.
type sqlStore struct {
	*dbx.Conn
	m    *mod
	cols []string // in the order of values

	mu sync.Mutex
	// mu guards the field below.
	reads map[string]*db.Stmt // of db_mode 3
}

func newStore(m *mod, c *dbx.Conn) *sqlStore {
	k := m.cols
	return &sqlStore{Conn: c, m: m, cols: []string{
		k.ruid, k.user, k.domain, k.contact, k.received, k.path, k.expires, k.q, k.callID, k.cseq, "last_modified",
		k.flags, k.cflags, k.userAgent, k.socket, k.methods, k.instance, k.regID, k.serverID, k.conn, k.ka, k.part,
	}}
}

// check says whether the table is one that can be used.
func (s *sqlStore) check(ctx context.Context, table string) error {
	t := dbx.Table{Name: table, Columns: s.cols}
	if s.m.versionTable {
		t.Version = version
	}
	return s.Require(ctx, db.Kamailio, t)
}

// time is a time as the table has it: local, in SQLite a Julian day, or seconds
// where expires_type says so.
func (s *sqlStore) time(unix int64) any {
	if s.m.expiresType == 1 {
		return unix
	}
	return s.Time(time.Unix(unix, 0), time.Local)
}

// when reads what time wrote, or another server.
type when struct{ unix int64 }

// Scan takes numbers of seconds besides what db.Time takes.
func (w *when) Scan(src any) error {
	if n, ok := src.(int64); ok {
		w.unix = n
		return nil
	}
	t := db.Time{Zone: time.Local}
	if err := t.Scan(src); err != nil {
		return err
	}
	if w.unix = 0; !t.IsZero() {
		w.unix = t.Time.Unix()
	}
	return nil
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// owner takes an address of record apart.
func (s *sqlStore) owner(aor string) (user string, domain any) {
	if !s.m.useDomain {
		return aor, nil
	}
	i := strings.LastIndexByte(aor, '@')
	if i < 0 {
		return aor, nil
	}
	return aor[:i], aor[i+1:]
}

func (s *sqlStore) values(op *usrloc.Op) []any {
	c := op.Contact
	user, domain := s.owner(c.AOR())
	return []any{
		c.RUID(), user, domain, c.URI(), null(c.Received()), null(c.Path()), s.time(c.Expires()), preference(c.Q()),
		c.CallID(), int32(c.CSeq()), s.time(c.Modified()), int32(c.Flags()), int32(c.CFlags()), c.UserAgent(),
		null(op.Socket), int32(c.Methods()), null(c.Instance()), c.RegID(), c.ServerID(), int32(c.Conn()), 0, 0,
	}
}

// Apply implements usrloc.Store.
func (s *sqlStore) Apply(ctx context.Context, table string, ops []usrloc.Op) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	q := s.Quote(table)
	remove := "DELETE FROM " + q + " WHERE " + s.Quote(s.m.cols.ruid) + " = ?"
	insert := "INSERT INTO " + q + " (" + s.QuoteAll(s.cols) + ") VALUES (?" + strings.Repeat(", ?", len(s.cols)-1) + ")"
	var set []string
	for _, c := range s.cols[1:] {
		set = append(set, s.Quote(c)+" = ?")
	}
	update := "UPDATE " + q + " SET " + strings.Join(set, ", ") + " WHERE " + s.Quote(s.m.cols.ruid) + " = ?"
	err := s.Tx(ctx, func(tx *db.Tx) error {
		for i := range ops {
			if err := s.apply(ctx, tx, &ops[i], remove, insert, update); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write %d contacts to %s: %w", len(ops), table, err)
	}
	return nil
}

func (s *sqlStore) apply(ctx context.Context, tx *db.Tx, op *usrloc.Op, remove, insert, update string) error {
	if op.Kind == usrloc.OpDelete {
		_, err := tx.Exec(ctx, remove, op.Contact.RUID())
		return err
	}
	v := s.values(op)
	n, err := tx.Exec(ctx, update, append(append(make([]any, 0, len(v)), v[1:]...), v[0])...)
	if err != nil || n > 0 {
		return err
	}
	_, err = tx.Exec(ctx, insert, v...)
	return err
}

// Load implements usrloc.Store.
func (s *sqlStore) Load(ctx context.Context, table string, f func(aor string, i *usrloc.Info)) error {
	q := s.Query("SELECT " + s.QuoteAll(s.cols) + " FROM " + s.Quote(table))
	defer func() { _ = q.Close() }()
	return q.Each(ctx, nil, func(scan func(...any) error) error {
		aor, i, err := s.row(scan)
		if err != nil {
			return err
		}
		if aor != "" && i.URI != "" && s.wanted(i) {
			f(aor, i)
		}
		return nil
	})
}

// LoadAOR implements usrloc.Reader.
func (s *sqlStore) LoadAOR(ctx context.Context, table, aor string, f func(*usrloc.Info)) error {
	user, domain := s.owner(aor)
	where, args := s.Quote(s.m.cols.user)+" = ?", []any{user}
	if domain != nil {
		where, args = where+" AND "+s.Quote(s.m.cols.domain)+" = ?", append(args, domain)
	}
	return s.some(ctx, table, where, args, func(_ string, i *usrloc.Info) { f(i) })
}

// LoadRUID implements usrloc.Reader.
func (s *sqlStore) LoadRUID(ctx context.Context, table, ruid string, f func(string, *usrloc.Info)) error {
	return s.some(ctx, table, s.Quote(s.m.cols.ruid)+" = ?", []any{ruid}, f)
}

// some reads the rows that meet a condition. Those without an id cannot be
// changed and are left out.
func (s *sqlStore) some(ctx context.Context, table, where string, args []any, f func(string, *usrloc.Info)) error {
	q, err := s.prepared(table, where)
	if err != nil {
		return err
	}
	return q.Each(ctx, args, func(scan func(...any) error) error {
		aor, i, err := s.row(scan)
		if err == nil && aor != "" && i.URI != "" && i.RUID != "" && s.wanted(i) {
			f(aor, i)
		}
		return err
	})
}

// prepared is the statement that reads by a condition, made once.
func (s *sqlStore) prepared(table, where string) (*db.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := table + " " + where
	q := s.reads[key]
	if q == nil {
		if q = s.Query("SELECT " + s.QuoteAll(s.cols) + " FROM " + s.Quote(table) + " WHERE " + where); q == nil {
			return nil, errors.New("the database is left alone")
		}
		if s.reads == nil {
			s.reads = make(map[string]*db.Stmt)
		}
		s.reads[key] = q
	}
	return q, nil
}

func (s *sqlStore) wanted(i *usrloc.Info) bool {
	if s.m.serverFilter && i.ServerID != s.m.host.Env.ServerID {
		return false
	}
	return !s.m.skipRemote || i.Socket == "" || s.local(i.Socket)
}

// local says whether a socket is one of ours.
func (s *sqlStore) local(name string) bool {
	proto, addr, _ := strings.Cut(name, ":")
	p, ok := transport.ParseProto(proto)
	i := strings.LastIndexByte(addr, ':')
	if !ok || i < 0 {
		return false
	}
	port, err := strconv.ParseUint(addr[i+1:], 10, 16)
	return err == nil && s.m.host.Env.Myself(addr[:i], uint16(port), p)
}

func (s *sqlStore) row(scan func(...any) error) (string, *usrloc.Info, error) {
	var (
		ruid, user, domain, contact, received, path, callID, agent, socket, instance sql.NullString
		expires, modified                                                            when
		q                                                                            sql.NullFloat64
		cseq, flags, cflags, methods, regID, serverID, conn, ka, part                sql.NullInt64
	)
	err := scan(&ruid, &user, &domain, &contact, &received, &path, &expires, &q, &callID, &cseq, &modified,
		&flags, &cflags, &agent, &socket, &methods, &instance, &regID, &serverID, &conn, &ka, &part)
	if err != nil {
		return "", nil, err
	}
	i := &usrloc.Info{
		URI: contact.String, CallID: callID.String, UserAgent: agent.String, Received: received.String, Path: path.String,
		Instance: instance.String, RUID: ruid.String, Socket: socket.String, Expires: expires.unix, Modified: modified.unix,
		CSeq: uint32(cseq.Int64), Flags: uint32(flags.Int64), CFlags: uint32(cflags.Int64), Methods: usrloc.AllMethods,
		Q: usrloc.QUnset, RegID: int(regID.Int64), ServerID: int(serverID.Int64), Conn: -1,
	}
	if methods.Valid {
		i.Methods = uint32(methods.Int64)
	}
	if q.Valid && q.Float64 >= 0 {
		i.Q = min(int(q.Float64*1000+0.5), 1000)
	}
	aor := user.String
	if s.m.useDomain && aor != "" {
		if domain.String == "" {
			return "", nil, nil
		}
		aor += "@" + domain.String
	}
	return aor, i, nil
}

// preference is q as Kamailio writes it: -1 for none.
func preference(q int) float64 {
	if q == usrloc.QUnset {
		return -1
	}
	return float64(q) / 1000
}

// counting is what the RPC methods ul.db_… count.
type counting int

const (
	countUsers counting = iota
	countContacts
	countExpired
)

// times goes over the rows' ids, owners and ends: the forms in which times are
// written cannot be compared in SQL.
func (s *sqlStore) times(ctx context.Context, table string, f func(ruid, owner string, server int64, expires int64)) error {
	k := s.m.cols
	q := s.Query("SELECT " + s.QuoteAll([]string{k.ruid, k.user, k.domain, k.serverID, k.expires}) + " FROM " + s.Quote(table))
	defer func() { _ = q.Close() }()
	return q.Each(ctx, nil, func(scan func(...any) error) error {
		var ruid, user, domain sql.NullString
		var server sql.NullInt64
		var at when
		if err := scan(&ruid, &user, &domain, &server, &at); err != nil {
			return err
		}
		f(ruid.String, user.String+"@"+domain.String, server.Int64, at.unix)
		return nil
	})
}

func (s *sqlStore) count(ctx context.Context, table string, what counting, now time.Time) (int, error) {
	n, users := 0, map[string]bool{}
	err := s.times(ctx, table, func(_, owner string, _, expires int64) {
		valid := expires == 0 || expires > now.Unix()
		if valid == (what != countExpired) {
			n++
			if what == countUsers {
				users[owner] = true
			}
		}
	})
	if what == countUsers {
		n = len(users)
	}
	return n, err
}

func (s *sqlStore) deleteExpired(ctx context.Context, table string, now time.Time) error {
	var gone []string
	err := s.times(ctx, table, func(ruid, _ string, server, expires int64) {
		if expires != 0 && expires < now.Unix() && (!s.m.serverFilter || int(server) == s.m.host.Env.ServerID) {
			gone = append(gone, ruid)
		}
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	return s.Tx(ctx, func(tx *db.Tx) error {
		for _, ruid := range gone {
			if _, err := tx.Exec(ctx, "DELETE FROM "+s.Quote(table)+" WHERE "+s.Quote(s.m.cols.ruid)+" = ?", ruid); err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteTCP deletes the rows of contacts that came over a stream (db_clean_tcp).
func (s *sqlStore) deleteTCP(ctx context.Context, table string) error {
	return s.Tx(ctx, func(tx *db.Tx) error {
		q := "DELETE FROM " + s.Quote(table) + " WHERE (LOWER(" + s.Quote(s.m.cols.contact) + ") LIKE ? OR LOWER(" + s.Quote(s.m.cols.received) + ") LIKE ?)"
		for _, p := range []string{"tcp", "tls", "ws"} {
			like := "%transport=" + p + "%"
			args := []any{like, like}
			query := q
			if s.m.serverFilter {
				query += " AND " + s.Quote(s.m.cols.serverID) + " = ?"
				args = append(args, s.m.host.Env.ServerID)
			}
			if _, err := tx.Exec(ctx, query, args...); err != nil {
				return err
			}
		}
		return nil
	})
}
