package avpops

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sipd/db"
	"sipd/router/module"
	"sipd/router/run"
)

const (
	// inDB marks values that the table has: they are not stored again.
	inDB = 1 << 31

	typeNumber = 1 // bits of the column type: the value is a number
	nameNumber = 2 // the name is one

	maxName = 64 // octets of a name that is computed
)

// The statements on a table, in the order of statements; each kind for every key.
const (
	loadAll = iota * int(keyCount)
	loadOne
	deleteAll
	deleteOne
	insertRow
)

func (m *avpops) keyColumns(k key, s *scheme) []string {
	uuid, user, domain := m.uuid, m.username, m.domain
	if s != nil {
		uuid, user, domain = or(s.uuid, uuid), or(s.username, user), or(s.domain, domain)
	}
	switch k {
	case byUser:
		return []string{user}
	case byDomain:
		return []string{domain}
	case byUserDomain:
		return []string{user, domain}
	}
	return []string{uuid}
}

func or(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

func (m *avpops) statements(table string) []*db.Stmt {
	out := make([]*db.Stmt, insertRow+1)
	q := m.conn.Quote
	for k := range keyCount {
		keys := m.keyColumns(k, nil)
		one := append(keys[:len(keys):len(keys)], m.attribute)
		columns := []string{m.value, m.attribute, m.kind}
		out[loadAll+int(k)] = m.conn.Select(table, columns, keys, "")
		out[loadOne+int(k)] = m.conn.Select(table, columns, one, "")
		out[deleteAll+int(k)] = m.conn.Command("DELETE FROM " + q(table) + where(q, keys))
		out[deleteOne+int(k)] = m.conn.Command("DELETE FROM " + q(table) + where(q, one))
	}
	columns := []string{m.uuid, m.attribute, m.value, m.kind, m.username, m.domain}
	out[insertRow] = m.conn.Command("INSERT INTO " + q(table) + " (" + m.conn.QuoteAll(columns) + ") VALUES (?, ?, ?, ?, ?, ?)")
	return out
}

func where(quote func(string) string, columns []string) string {
	s := ""
	for i, c := range columns {
		if i == 0 {
			s += " WHERE "
		} else {
			s += " AND "
		}
		s += quote(c) + " = ?"
	}
	return s
}

// access is a call of avp_db_load, _store or _delete, ready to run.
type access struct {
	m     *avpops
	s     *source
	t     *target
	stmts []*db.Stmt // on the table of attributes
	one   *db.Stmt   // on the table of a scheme
}

func (m *avpops) newAccess(a module.Args, schemes bool) (*access, error) {
	s, err := m.source(a[0].Text)
	if err != nil {
		return nil, at(0, err)
	}
	t, err := m.target(a[1].Text, schemes)
	if err != nil {
		return nil, at(1, err)
	}
	x := &access{m: m, s: s, t: t}
	if t.scheme != nil {
		keys, column := m.keyColumns(s.key, t.scheme), or(t.scheme.value, m.value)
		if err := m.conn.RequireColumns(t.scheme.table, append(keys, column)...); err != nil {
			return nil, at(1, err)
		}
		x.one = m.conn.Select(t.scheme.table, []string{column}, m.keyColumns(s.key, t.scheme), "")
		return x, nil
	}
	if err := m.conn.RequireColumns(t.table, m.uuid, m.attribute, m.value, m.kind, m.username, m.domain); err != nil {
		return nil, at(1, err)
	}
	if m.conn.DB != nil {
		x.stmts, err = m.tables.Get(t.table)
	}
	return x, err
}

// begin answers whose and which attributes this run is about. The name is ""
// for several.
func (x *access) begin(c *run.Context) (o owner, name run.AVPName, text string, err error) {
	if x.m.conn.DB == nil {
		return o, name, "", errors.New("databases are left alone")
	}
	if o, err = x.s.owner(c); err != nil || x.t.x == nil {
		return o, name, "", err
	}
	name, ok := x.t.x.name(c)
	if !ok {
		return o, name, "", fmt.Errorf("%s has no name", x.t.x.Name)
	}
	text = name.S
	if name.Num {
		text = strconv.Itoa(name.N)
	}
	if len(text) >= maxName && x.t.x.Attr.Eval != nil {
		return o, name, "", fmt.Errorf("the name of the attribute has %d octets, %d are the most", len(text), maxName-1)
	}
	return o, name, text, nil
}

// newLoad compiles avp_db_load.
func (m *avpops) newLoad(a module.Args) (run.Func, error) {
	x, err := m.newAccess(a, true)
	if err != nil {
		return nil, err
	}
	return x.result(x.load), nil
}

// result makes a run of what does it and says whether anything was done.
func (x *access) result(do func(*run.Context) (bool, error)) run.Func {
	return func(c *run.Context) int {
		ok, err := do(c)
		if err != nil {
			x.m.failed.Log(c, err)
			return -1
		}
		return code(ok)
	}
}

func (x *access) load(c *run.Context) (bool, error) {
	o, name, text, err := x.begin(c)
	if err != nil {
		return false, err
	}
	if x.t.scheme != nil {
		return x.loadScheme(c, o, name)
	}
	args, stmt := o.args(x.s.key), loadAll
	if text != "" {
		args, stmt = append(args, text), loadOne
	}
	loaded := false
	err = x.stmts[stmt+int(x.s.key)].Each(context.Background(), args, func(scan func(...any) error) error {
		var value, attribute db.Text
		var kind int
		if err := scan(&value, &attribute, &kind); err != nil {
			return err
		}
		n := run.AVPName{S: string(attribute)}
		if kind&nameNumber != 0 {
			id, err := strconv.Atoi(string(attribute))
			if err != nil {
				return nil // not the number that the type says: passed over, as in Kamailio
			}
			n = run.AVPName{N: id, Num: true}
		}
		if text != "" && n != name || text == "" && !x.t.kinds.has(n) {
			return nil
		}
		if v, ok := valueOf(string(value), kind&typeNumber != 0); ok {
			c.AVPs.Add(list, n, v, inDB|x.t.kinds.flags)
			loaded = true
		}
		return nil
	})
	return loaded, err
}

// valueOf is a column's text as a value; false when it is not the number that
// it should be: digits alone, as in Kamailio, which does not load its own
// negative ones.
func valueOf(text string, number bool) (run.Value, bool) {
	if !number {
		return run.Str(text), true
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return run.Int(int(int32(n))), err == nil
}

func (x *access) loadScheme(c *run.Context, o owner, name run.AVPName) (bool, error) {
	loaded := false
	err := x.one.Each(context.Background(), o.args(x.s.key), func(scan func(...any) error) error {
		var value *string
		if err := scan(&value); err != nil {
			return err
		}
		if value == nil {
			return nil
		}
		v := run.Str(*value)
		if x.t.scheme.number {
			n, ok := run.ParseInt(*value)
			if !ok || *value == "" {
				return nil
			}
			v = run.Int(n)
		}
		c.AVPs.Add(list, name, v, inDB)
		loaded = true
		return nil
	})
	return loaded, err
}

// newDBDelete compiles avp_db_delete.
func (m *avpops) newDBDelete(a module.Args) (run.Func, error) {
	x, err := m.newAccess(a, false)
	if err != nil {
		return nil, err
	}
	return x.result(func(c *run.Context) (bool, error) {
		o, _, text, err := x.begin(c)
		if err != nil {
			return false, err
		}
		args, stmt := o.args(x.s.key), deleteAll
		if text != "" {
			args, stmt = append(args, text), deleteOne
		}
		_, err = x.stmts[stmt+int(x.s.key)].Exec(context.Background(), args...)
		return err == nil, err
	}), nil
}

// newStore compiles avp_db_store.
func (m *avpops) newStore(a module.Args) (run.Func, error) {
	x, err := m.newAccess(a, false)
	if err != nil {
		return nil, err
	}
	return x.result(x.store), nil
}

// place is a value that is to be stored: the i-th of its name.
type place struct {
	name run.AVPName
	i    int
	v    run.Value
}

func (x *access) store(c *run.Context) (bool, error) {
	o, name, text, err := x.begin(c)
	if err != nil {
		return false, err
	}
	var todo []place
	seen := make(map[run.AVPName]int)
	c.AVPs.Each(list, func(n run.AVPName, v run.Value, flags uint32) bool {
		i := seen[n]
		seen[n]++
		if flags&inDB == 0 && (text != "" && n == name || text == "" && x.t.kinds.has(n)) {
			todo = append(todo, place{n, i, v})
		}
		return true
	})
	for _, p := range todo {
		kind, attribute := 0, p.name.S
		if p.v.IsInt() {
			kind |= typeNumber
		}
		if p.name.Num {
			kind, attribute = kind|nameNumber, strconv.Itoa(p.name.N)
		}
		if _, err := x.stmts[insertRow].Exec(context.Background(), o.uuid, strings.Clone(attribute), p.v.Text(), kind, o.user, o.domain); err != nil {
			return false, err
		}
		c.AVPs.SetFlag(list, p.name, p.i, inDB, true)
	}
	return len(todo) > 0, nil
}
