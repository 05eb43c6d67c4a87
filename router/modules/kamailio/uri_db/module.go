// Package uridb is the module that compares the users of URIs with those that
// passed authentication, and finds users in a table.
package uridb

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/run"
	"sipd/router/sip"
)

// Codes of the checks, as Kamailio has them.
const (
	codeError        = -1
	codeNoCreds      = -2
	codeQuery        = -4 // of does_uri_exist
	codeUnknown      = -5
	codeNoUser       = -4
	codeTable        = -8
	codeNotAllowed   = -9
	codeOtherUser    = -10
	defaultURL       = "mysql://kamailioro:kamailioro@localhost/kamailio"
	subscriber, uris = "subscriber", "uri"
)

// authorized is what module auth tells of the accepted credentials.
type authorized interface {
	Authorized(c *run.Context) (user, realm string, ok bool)
}

type uriDB struct {
	url, table               string
	userCol, domCol, uriUser string
	useTable, useDomain      bool
	conn                     *dbx.Conn
	auth                     authorized
	allowed, exists          *db.Stmt
	failed                   dbx.Failures
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &uriDB{url: defaultURL, table: subscriber, userCol: "username", domCol: "domain", uriUser: "uri_user"}
}

// Exports lists what the module brings.
func (u *uriDB) Exports() *module.Exports {
	uri := module.Arg{Name: "uri", Type: module.ArgFormat}
	cred := []module.Arg{uri, {Name: "username", Type: module.ArgFormat}, {Name: "realm", Type: module.ArgFormat}}
	return &module.Exports{
		Name: "uri_db",
		Help: "compares users of URIs with the authenticated one; finds users in a table",
		Params: []module.Param{
			{Name: "db_url", Help: "the database; empty: no function that needs it may be called", Value: &u.url},
			{Name: "db_table", Help: "subscriber or uri", Value: &u.table},
			{Name: "user_column", Help: "column of the user", Value: &u.userCol},
			{Name: "domain_column", Help: "column of the domain", Value: &u.domCol},
			{Name: "uriuser_column", Help: "column of the user in URIs, of table uri", Value: &u.uriUser},
			{Name: "use_uri_table", Help: "1: table uri says which users of URIs a subscriber may have", Value: &u.useTable},
			{Name: "use_domain", Help: "1: does_uri_exist compares the domain too", Value: &u.useDomain},
		},
		Functions: []module.Function{
			{Name: "check_to", Help: "true when the user of To is the authenticated one", In: run.RequestRoute, New: u.newCheck(toURI)},
			{Name: "check_from", Help: "true when the user of From is the authenticated one", In: run.RequestRoute, New: u.newCheck(fromURI)},
			{Name: "check_uri", Help: "true when the user of a URI is the authenticated one", Args: cred[:1], In: run.RequestRoute, New: u.newCheckURI},
			{Name: "check_uri", Help: "true when the user of a URI is the one given", Args: cred, In: run.RequestRoute, New: u.newCheckURI},
			{Name: "does_uri_exist", Help: "true when the user of the request URI is in the table", In: run.RequestRoute, New: u.newExists},
		},
	}
}

// Init opens the database when one is named or needed.
func (u *uriDB) Init(ctx context.Context, h *module.Host) (err error) {
	u.failed.Module = h.Name
	u.auth, _ = h.Module("auth").(authorized)
	if u.url == "" {
		if u.useTable {
			return errors.New(`use_uri_table needs a database; set modparam("uri_db", "db_url", "…")`)
		}
		return nil
	}
	if u.url == defaultURL && !u.useTable {
		return nil // opened when does_uri_exist stands in the script
	}
	return u.open(ctx, h)
}

func (u *uriDB) open(ctx context.Context, h *module.Host) (err error) {
	if u.conn, err = dbx.Open(ctx, h, u.url); err != nil {
		return err
	}
	key := u.userCol
	columns := []string{u.userCol, u.domCol}
	if u.useTable {
		key = u.uriUser
		columns = append(columns, u.uriUser)
	}
	if err := u.conn.RequireColumns(u.table, columns...); err != nil {
		return err
	}
	where := []string{key}
	if u.useDomain {
		where = append(where, u.domCol)
	}
	u.exists = u.conn.Select(u.table, []string{key}, where, "LIMIT 1")
	if u.useTable {
		u.allowed = u.conn.Select(u.table, []string{u.userCol}, []string{u.userCol, u.domCol, u.uriUser}, "LIMIT 1")
	}
	return nil
}

// Close gives the database back.
func (u *uriDB) Close() error {
	return errors.Join(dbx.CloseAll(u.allowed, u.exists), u.conn.Close())
}

func toURI(c *run.Context) (*sip.NameAddr, error) { return c.Msg.To() }

func fromURI(c *run.Context) (*sip.NameAddr, error) { return c.Msg.From() }

var errNoAuth = errors.New(`it compares with the authenticated user; put loadmodule "auth.so" before loadmodule "uri_db.so"`)

// newCheck compiles check_to and check_from.
func (u *uriDB) newCheck(of func(*run.Context) (*sip.NameAddr, error)) func(module.Args) (run.Func, error) {
	return func(module.Args) (run.Func, error) {
		if u.auth == nil {
			return nil, errNoAuth
		}
		return func(c *run.Context) int {
			n, err := of(c)
			if err != nil {
				return codeError
			}
			return u.authenticated(c, n.URI)
		}, nil
	}
}

// newCheckURI compiles check_uri.
func (u *uriDB) newCheckURI(args module.Args) (run.Func, error) {
	if len(args) == 1 {
		if u.auth == nil {
			return nil, errNoAuth
		}
		return func(c *run.Context) int { return u.authenticated(c, args.Str(c, 0)) }, nil
	}
	return func(c *run.Context) int {
		user, realm := args.Str(c, 1), args.Str(c, 2)
		if user == "" || realm == "" { // as Kamailio: then the credentials count
			return u.authenticated(c, args.Str(c, 0))
		}
		return u.check(c, args.Str(c, 0), user, realm)
	}, nil
}

func (u *uriDB) authenticated(c *run.Context, uri string) int {
	if u.auth == nil {
		return codeNoCreds
	}
	user, realm, ok := u.auth.Authorized(c)
	if !ok {
		return codeNoCreds
	}
	return u.check(c, uri, user, realm)
}

// check compares the user of a URI with one that is known.
func (u *uriDB) check(c *run.Context, uri, user, realm string) int {
	p, err := sip.ParseURI(uri)
	switch {
	case err != nil:
		return codeError
	case p.User == "":
		return codeNoUser
	case !u.useTable && strings.EqualFold(p.User, user):
		return 1
	case !u.useTable:
		return codeOtherUser
	}
	return u.query(c, u.allowed, codeNotAllowed, codeTable, user, realm, p.User)
}

// query answers 1 when there is a row.
func (u *uriDB) query(c *run.Context, s *db.Stmt, none, broken int, args ...any) int {
	var found db.Text
	switch err := s.Get(context.Background(), args, &found); {
	case err == nil:
		return 1
	case errors.Is(err, sql.ErrNoRows):
		return none
	default:
		u.failed.Log(c, err)
		return broken
	}
}

// newExists compiles does_uri_exist.
func (u *uriDB) newExists(module.Args) (run.Func, error) {
	if u.conn == nil {
		return nil, errors.New(`it needs a database; set modparam("uri_db", "db_url", "…")`)
	}
	return func(c *run.Context) int {
		p, err := c.ParsedRURI()
		if err != nil {
			return codeError
		}
		args := append(make([]any, 0, 2), p.User)
		if u.useDomain {
			args = append(args, strings.ToLower(p.Host))
		}
		return u.query(c, u.exists, codeUnknown, codeQuery, args...)
	}, nil
}
