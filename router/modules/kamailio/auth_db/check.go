package authdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
	"sipd/schema"
)

// Codes of the checks, as Kamailio 5 has them.
const (
	codeOK       = 1
	codeError    = -1
	codePassword = -2
	codeNoUser   = -3
)

// table are the statements on one table.
type table struct{ ha1, ha1b, user, userDomain *db.Lookup }

func (t *table) close() error {
	var errs []error
	for _, s := range []*db.Lookup{t.ha1, t.ha1b, t.user, t.userDomain} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// mostTables bounds the tables that one configuration can use, for their names
// may come from a message.
const mostTables = 64

var errTables = fmt.Errorf("the script names more than %d tables", mostTables)

// table finds the statements of a table, or makes them.
func (a *authDB) table(name string) (*table, error) {
	a.tables.mu.RLock()
	t := a.tables.byName[name]
	a.tables.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	a.tables.mu.Lock()
	defer a.tables.mu.Unlock()
	if t = a.tables.byName[name]; t != nil {
		return t, nil
	}
	if len(a.tables.byName) >= mostTables {
		return nil, errTables
	}
	t = a.statements(name)
	a.tables.byName[name] = t
	return t, nil
}

func (a *authDB) statements(name string) *table {
	var d db.Dialect
	if a.conn.DB != nil {
		d = a.conn.Dialect
	}
	query := func(column string, domain bool) *db.Lookup {
		columns := []string{column}
		for _, l := range a.loads {
			columns = append(columns, l.column)
		}
		q := "SELECT " + d.QuoteAll(columns) + " FROM " + d.Quote(name) + " WHERE " + d.Quote(a.userColumn) + " = ?"
		if domain {
			q += " AND " + d.Quote(a.domColumn) + " = ?"
		}
		return a.conn.Lookup(q, len(columns))
	}
	second := a.passColumn2
	if a.calculate {
		second = a.passColumn // a password in clear serves all forms of the user
	}
	return &table{
		ha1: query(a.passColumn, a.useDomain), ha1b: query(second, a.useDomain),
		user: query(a.userColumn, false), userDomain: query(a.userColumn, true),
	}
}

// require says at load what is wrong with a table that the script names.
func (a *authDB) require(name string) error {
	want := dbx.Table{Name: name, Columns: []string{a.userColumn, a.passColumn}}
	if a.version {
		want.Version = schema.Of(db.Kamailio).Table("subscriber").Version
	}
	if a.useDomain {
		want.Columns = append(want.Columns, a.domColumn)
	}
	if !a.calculate {
		want.Columns = append(want.Columns, a.passColumn2)
	}
	for _, l := range a.loads {
		want.Columns = append(want.Columns, l.column)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return a.conn.Require(ctx, db.Kamailio, want)
}

// compile readies the table that is argument i of a call.
func (a *authDB) compile(args module.Args, i int) (func(*run.Context) (*table, error), error) {
	if err := a.bind(); err != nil {
		return nil, err
	}
	if !args[i].IsConst {
		return func(c *run.Context) (*table, error) { return a.table(args.Str(c, i)) }, nil
	}
	name := args[i].Const.Text()
	if name == "" {
		return nil, &module.ArgError{I: i, Err: errors.New("a table is wanted")}
	}
	if err := a.require(name); err != nil {
		return nil, &module.ArgError{I: i, Err: err}
	}
	t, err := a.table(name)
	if err != nil {
		return nil, &module.ArgError{I: i, Err: err}
	}
	return func(*run.Context) (*table, error) { return t, nil }, nil
}

// row is what a query found.
type row struct {
	text   db.Text
	values []any // of load_credentials
}

// get asks for the first row. ok is false when there is none.
func (a *authDB) get(l *db.Lookup, args []string) (r row, ok bool, err error) {
	found, err := l.Row(context.Background(), args...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return row{}, false, nil
	case err != nil:
		return row{}, false, err
	}
	r.values = found[1:]
	err = r.text.Scan(found[0])
	return r, err == nil, err
}

// assign does load_credentials; NULL leaves a variable alone.
func (a *authDB) assign(c *run.Context, r *row) {
	for i, v := range r.values {
		switch v := v.(type) {
		case nil:
		case int64:
			a.loads[i].set(c, run.Int(int(v)))
		case []byte:
			a.loads[i].set(c, run.Str(string(v)))
		case string:
			a.loads[i].set(c, run.Str(v))
		case time.Time:
			a.loads[i].set(c, run.Str(v.Format(time.DateTime)))
		default:
			a.loads[i].set(c, run.Str(fmt.Sprint(v)))
		}
	}
}

// check authenticates the request against a table.
func (a *authDB) check(c *run.Context, realm string, t *table, proxied bool, method string) int {
	var found row
	have := false
	code := a.digest.Authenticate(c, realm, proxied, method, func(cred *sip.Credentials, alg sip.Algorithm) (string, int) {
		s, domain := t.ha1, cred.Realm
		if cred.Domain != "" {
			s, domain = t.ha1b, cred.Domain
		}
		args := append(make([]string, 0, 2), cred.User)
		if a.useDomain {
			args = append(args, domain)
		}
		var err error
		found, have, err = a.get(s, args)
		switch {
		case err != nil:
			a.failed(c, err)
			return "", codeError
		case !have:
			return "", codeNoUser
		case found.text == "": // nobody knows the password of such a user
			return "", codePassword
		case a.calculate:
			return sip.HA1(alg, cred.Username, cred.Realm, string(found.text)), codeOK
		}
		return strings.ToLower(string(found.text)), codeOK
	})
	if have && (code == codeOK || a.always) {
		a.assign(c, &found)
	}
	return code
}

// failed logs what the database said, once a second at most.
func (a *authDB) failed(c *run.Context, err error) {
	now, until := c.Now().Unix(), a.silent.Load()
	if now < until || !a.silent.CompareAndSwap(until, now+1) {
		return
	}
	c.Logger().LogAttrs(context.Background(), slog.LevelError, "subscriber not looked up",
		slog.String("module", a.module), slog.String("call_id", c.Msg.CallID()), slog.Any("err", err))
}

// newCheck compiles www_authenticate and the like.
func (a *authDB) newCheck(proxied bool) func(module.Args) (run.Func, error) {
	return func(args module.Args) (run.Func, error) {
		find, err := a.compile(args, 1)
		if err != nil {
			return nil, err
		}
		return func(c *run.Context) int {
			t, err := find(c)
			if err != nil {
				a.failed(c, err)
				return codeError
			}
			return a.check(c, args.Str(c, 0), t, proxied, args.Str(c, 2))
		}, nil
	}
}

// newAuthCheck compiles auth_check; flag 1 compares the user with From and To.
func (a *authDB) newAuthCheck(args module.Args) (run.Func, error) {
	find, err := a.compile(args, 1)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		t, err := find(c)
		if err != nil {
			a.failed(c, err)
			return codeError
		}
		code := a.check(c, args.Str(c, 0), t, c.Msg.Method() != sip.REGISTER, "")
		if code == codeOK && args.Int(c, 2, 0)&1 != 0 {
			return a.digest.Identity(c, a.useDomain)
		}
		return code
	}, nil
}

// newIsSubscriber compiles is_subscriber; flag 1 wants the domain to match too,
// flag 2 does no load_credentials.
func (a *authDB) newIsSubscriber(args module.Args) (run.Func, error) {
	find, err := a.compile(args, 1)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		t, err := find(c)
		if err != nil {
			a.failed(c, err)
			return codeError
		}
		u, err := sip.ParseURI(args.Str(c, 0))
		if err != nil || u.User == "" {
			return codeError
		}
		flags := args.Int(c, 2, 0)
		s, values := t.user, []string{u.User}
		if flags&1 != 0 {
			s, values = t.userDomain, append(values, u.Host)
		}
		r, ok, err := a.get(s, values)
		switch {
		case err != nil:
			a.failed(c, err)
			return codeError
		case !ok:
			return codeNoUser
		}
		if flags&2 == 0 {
			a.assign(c, &r)
		}
		return codeOK
	}, nil
}
