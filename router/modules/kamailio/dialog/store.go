package dialog

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
)

// The values of db_mode.
const (
	realtime = 1 + iota
	delayed
	atShutdown
)

// Versions of the tables in Kamailio 3.3 to 6.2.
const (
	tableVersion     = 7
	varsTableVersion = 1
)

// sqlLimit bounds what one write or one reading may take.
const sqlLimit = 30 * time.Second

// store keeps calls in the tables dialog and dialog_vars, as a Kamailio reads
// and writes them.
type store struct {
	*dbx.Conn
	mode               int
	table, vars        string
	cols, varCols      []string // in the order of row.values; owner, name and value
	insert, update     string
	remove             string
	insertVar, dropVar string
	inserted, updated  *db.Stmt
	failed             atomic.Int64 // when a failure was logged last, seconds since 1970
}

// row is a call as the table has it.
type row struct {
	entry, id                          uint32
	callID, fromURI, toURI, reqURI     string
	tags, contacts, cseqs, socks, sets [2]string
	state                              state
	start, timeout                     int64 // seconds since 1970
	sflags, iflags                     uint32
	toRoute, xdata                     string
}

// op is a row to be written.
type op struct {
	kind opKind
	row  row
	vars []variable // they are written when hasVars
	// hasVars says that the variables changed.
	hasVars bool
}

type opKind int

const (
	opNone opKind = iota
	opInsert
	opUpdate
	opDelete
)

// openStore opens the database and looks at the tables; nil where databases are
// left alone.
func openStore(ctx context.Context, h *module.Host, p *params) (*store, error) {
	conn, err := dbx.Open(ctx, h, p.dbURL)
	if err != nil {
		return nil, err
	}
	s := &store{Conn: conn, mode: p.dbMode, table: p.table, vars: p.varsTable}
	s.columns(p)
	err = s.Require(ctx, db.Kamailio, dbx.Table{Name: s.table, Version: tableVersion, Columns: s.cols},
		dbx.Table{Name: s.vars, Version: varsTableVersion, Columns: s.varCols})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if conn.DB == nil || h.CheckOnly || h.Dry {
		return nil, conn.Close()
	}
	s.prepare()
	return s, nil
}

// columns names the columns by the parameters.
func (s *store) columns(p *params) {
	c := func(param string) string {
		for i := range columnParams {
			if columnParams[i][0] == param {
				return p.columns[i]
			}
		}
		panic("dialog: no parameter " + param)
	}
	s.cols = []string{
		c("h_entry_column"), c("h_id_column"), c("call_id_column"), c("from_uri_column"), c("from_tag_column"),
		c("to_uri_column"), c("to_tag_column"), c("from_sock_column"), c("to_sock_column"), c("start_time_column"),
		"req_uri", c("from_route_column"), c("to_route_column"),
		// from here on what an update writes
		c("state_column"), c("timeout_column"), c("from_cseq_column"), c("to_cseq_column"), c("from_contact_column"),
		c("to_contact_column"), c("sflags_column"), c("toroute_name_column"), "xdata", "iflags",
	}
	s.varCols = []string{c("vars_h_entry_column"), c("vars_h_id_column"), c("vars_key_column"), c("vars_value_column")}
}

// updatedFrom is the first column that an update writes.
const updatedFrom = 13

func (s *store) prepare() {
	var set []string
	for _, c := range s.cols[updatedFrom:] {
		set = append(set, s.Quote(c)+" = ?")
	}
	own := func(c []string) string { return " WHERE " + s.Quote(c[0]) + " = ? AND " + s.Quote(c[1]) + " = ?" }
	into := func(t string, c []string) string {
		return "INSERT INTO " + s.Quote(t) + " (" + s.QuoteAll(c) + ") VALUES (?" + strings.Repeat(", ?", len(c)-1) + ")"
	}
	s.insert, s.insertVar = into(s.table, s.cols), into(s.vars, s.varCols)
	s.update = "UPDATE " + s.Quote(s.table) + " SET " + strings.Join(set, ", ") + own(s.cols)
	s.remove = "DELETE FROM " + s.Quote(s.table) + own(s.cols)
	s.dropVar = "DELETE FROM " + s.Quote(s.vars) + own(s.varCols)
	s.inserted, s.updated = s.Command(s.insert), s.Command(s.update)
}

func (s *store) close() error {
	return errors.Join(dbx.CloseAll(s.inserted, s.updated), s.Conn.Close())
}

// num is a number without sign as the engine's columns take it: as Kamailio
// writes it, but MySQL's refuse what is below 0.
func (s *store) num(n uint32) int64 {
	if s.Engine == db.MySQL {
		return int64(n)
	}
	return int64(int32(n))
}

func null(t string) any {
	if t == "" {
		return nil
	}
	return t
}

func (s *store) values(r *row) []any {
	return []any{
		s.num(r.entry), s.num(r.id), r.callID, r.fromURI, r.tags[caller], r.toURI, r.tags[callee], r.socks[caller], r.socks[callee],
		r.start, r.reqURI, null(r.sets[caller]), null(r.sets[callee]),
		int(r.state), r.timeout, r.cseqs[caller], r.cseqs[callee], r.contacts[caller], r.contacts[callee], s.num(r.sflags),
		null(r.toRoute), null(r.xdata), s.num(r.iflags),
	}
}

// apply writes rows, all of them or none.
func (s *store) apply(ctx context.Context, ops []op) error {
	ctx, cancel := context.WithTimeout(ctx, sqlLimit)
	defer cancel()
	if o := &ops[0]; len(ops) == 1 && !o.hasVars && o.kind != opDelete {
		st, v := s.inserted, s.values(&o.row)
		if o.kind == opUpdate {
			st, v = s.updated, append(v[updatedFrom:], v[0], v[1])
		}
		_, err := st.Exec(ctx, v...)
		return err
	}
	return s.Tx(ctx, func(tx *db.Tx) error {
		for i := range ops {
			if err := s.applyOne(ctx, tx, &ops[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *store) applyOne(ctx context.Context, tx *db.Tx, o *op) error {
	v := s.values(&o.row)
	query, args := s.insert, v
	switch o.kind {
	case opUpdate:
		query, args = s.update, append(append([]any(nil), v[updatedFrom:]...), v[0], v[1])
	case opDelete:
		query, args = s.remove, v[:2]
	}
	if _, err := tx.Exec(ctx, query, args...); err != nil {
		return err
	}
	if !o.hasVars && o.kind != opDelete {
		return nil
	}
	if _, err := tx.Exec(ctx, s.dropVar, v[0], v[1]); err != nil {
		return err
	}
	if o.kind == opDelete {
		return nil
	}
	for _, x := range o.vars {
		if _, err := tx.Exec(ctx, s.insertVar, v[0], v[1], x.key, x.value); err != nil {
			return err
		}
	}
	return nil
}

// clear empties both tables.
func (s *store) clear(ctx context.Context) error {
	return s.Tx(ctx, func(tx *db.Tx) error {
		for _, t := range []string{s.table, s.vars} {
			if _, err := tx.Exec(ctx, "DELETE FROM "+s.Quote(t)); err != nil {
				return err
			}
		}
		return nil
	})
}

// read calls f for the rows of a Call-ID, of all when it is "".
func (s *store) read(ctx context.Context, callID string, f func(r *row) error) error {
	ctx, cancel := context.WithTimeout(ctx, sqlLimit)
	defer cancel()
	where, args := []string(nil), []any(nil)
	if callID != "" {
		where, args = []string{s.cols[2]}, []any{callID}
	}
	q := s.Select(s.table, s.cols, where, "")
	defer func() { _ = q.Close() }()
	return q.Each(ctx, args, func(scan func(...any) error) error {
		r, err := s.scanRow(scan)
		if err != nil {
			return err
		}
		return f(r)
	})
}

// scanRow reads a row. What is missing or no number is empty or 0; whoever takes
// the row says what it needs.
func (s *store) scanRow(scan func(...any) error) (*row, error) {
	t := make([]sql.NullString, len(s.cols))
	dest := make([]any, len(t))
	for i := range t {
		dest[i] = &t[i]
	}
	if err := scan(dest...); err != nil {
		return nil, err
	}
	num := func(i int) int64 {
		n, _ := strconv.ParseInt(t[i].String, 10, 64) // 0 for what is none
		return n
	}
	text := func(i int) string { return t[i].String }
	return &row{
		entry: uint32(num(0)), id: uint32(num(1)), callID: text(2), fromURI: text(3), toURI: text(5), reqURI: text(10),
		tags: [2]string{text(4), text(6)}, socks: [2]string{text(7), text(8)}, start: num(9), sets: [2]string{text(11), text(12)},
		state: state(num(13)), timeout: num(14), cseqs: [2]string{text(15), text(16)}, contacts: [2]string{text(17), text(18)},
		sflags: uint32(num(19)), toRoute: text(20), xdata: text(21), iflags: uint32(num(22)),
	}, nil
}

// readVars calls f for the variables of a call, of all calls when d is nil.
func (s *store) readVars(ctx context.Context, d *dialog, f func(entry, id uint32, v variable)) error {
	ctx, cancel := context.WithTimeout(ctx, sqlLimit)
	defer cancel()
	where, args := []string(nil), []any(nil)
	if d != nil {
		where, args = s.varCols[:2], []any{s.num(d.entry), s.num(d.id)}
	}
	q := s.Select(s.vars, s.varCols, where, "")
	defer func() { _ = q.Close() }()
	return q.Each(ctx, args, func(scan func(...any) error) error {
		var entry, id sql.NullInt64
		var key, value sql.NullString
		if err := scan(&entry, &id, &key, &value); err != nil {
			return err
		}
		if entry.Valid && id.Valid && key.String != "" {
			f(uint32(entry.Int64), uint32(id.Int64), variable{key.String, value.String})
		}
		return nil
	})
}
