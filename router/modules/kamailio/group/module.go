// Package group is the module of user groups: membership rows in a table, and
// groups whose members match a regular expression.
package group

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"sipd/db"
	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/regex"
	"sipd/router/run"
	"sipd/router/sip"
)

// Codes of is_user_in, as Kamailio has them.
const (
	codeError    = -1
	codeQuery    = -5
	codeNoMember = -6
)

// authorized is what module auth tells of the accepted credentials.
type authorized interface {
	Authorized(c *run.Context) (user, realm string, ok bool)
}

type group struct {
	url, table              string
	userCol, domCol, grpCol string
	useDomain               bool
	reTable, reExp, reGID   string
	multiple                bool

	conn   *dbx.Conn
	member *db.Stmt
	groups []reGroup
	auth   authorized
	failed dbx.Failures
}

// reGroup is a row of re_table.
type reGroup struct {
	exp *regex.Regexp
	id  int
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &group{
		url:   "mysql://kamailioro:kamailioro@localhost/kamailio",
		table: "grp", userCol: "username", domCol: "domain", grpCol: "grp",
		reExp: "reg_exp", reGID: "group_id", multiple: true,
	}
}

// Exports lists what the module brings.
func (g *group) Exports() *module.Exports {
	who := module.Arg{Name: "uri", Type: module.ArgFormat}
	in := run.RequestRoute | run.FailureRoute
	return &module.Exports{
		Name: "group",
		Help: "tells which groups a user is in",
		Params: []module.Param{
			{Name: "db_url", Help: "the database", Value: &g.url},
			{Name: "table", Help: "table of the members", Value: &g.table},
			{Name: "user_column", Help: "column of the user", Value: &g.userCol},
			{Name: "domain_column", Help: "column of the domain", Value: &g.domCol},
			{Name: "group_column", Help: "column of the group's name", Value: &g.grpCol},
			{Name: "use_domain", Help: "1: the domain must match too", Value: &g.useDomain},
			{Name: "re_table", Help: "table of expressions, empty for none", Value: &g.reTable},
			{Name: "re_exp_column", Help: "column of the expression", Value: &g.reExp},
			{Name: "re_gid_column", Help: "column of the group's number", Value: &g.reGID},
			{Name: "multiple_gid", Help: "1: get_user_group finds all groups, 0: the first", Value: &g.multiple},
		},
		Functions: []module.Function{
			{Name: "is_user_in", Help: "true when a user is in a group", Args: []module.Arg{who, {Name: "group", Type: module.ArgFormat}}, In: in, New: g.newIsIn},
			{Name: "get_user_group", Help: "put the numbers of a user's groups into an attribute", Args: []module.Arg{who, {Name: "result", Type: module.ArgVar}}, In: in, New: g.newGroups},
		},
	}
}

// Init opens the database and reads the expressions.
func (g *group) Init(ctx context.Context, h *module.Host) (err error) {
	g.failed.Module = h.Name
	g.auth, _ = h.Module("auth").(authorized)
	if g.conn, err = dbx.Open(ctx, h, g.url); err != nil {
		return err
	}
	columns := []string{g.userCol, g.grpCol}
	if g.useDomain {
		columns = append(columns, g.domCol)
	}
	if err := g.conn.RequireColumns(g.table, columns...); err != nil {
		return err
	}
	g.member = g.conn.Select(g.table, []string{g.grpCol}, columns, "LIMIT 1")
	if g.reTable == "" {
		return nil
	}
	if err := g.conn.RequireColumns(g.reTable, g.reExp, g.reGID); err != nil {
		return err
	}
	return g.readExpressions(ctx)
}

func (g *group) readExpressions(ctx context.Context) error {
	s := g.conn.Select(g.reTable, []string{g.reExp, g.reGID}, nil, "")
	if s == nil {
		return nil
	}
	defer s.Close()
	return s.Each(ctx, nil, func(scan func(...any) error) error {
		var exp db.Text
		var id int
		if err := scan(&exp, &id); err != nil {
			return err
		}
		re, err := regex.Compile(string(exp), 0)
		if err != nil {
			return fmt.Errorf("group %d of table %s: %w", id, g.reTable, err)
		}
		g.groups = append(g.groups, reGroup{re, id})
		return nil
	})
}

// Close gives the database back.
func (g *group) Close() error { return errors.Join(dbx.CloseAll(g.member), g.conn.Close()) }

// who compiles the first argument: where user and domain come from.
func (g *group) who(args module.Args) (func(*run.Context) (user, domain string, ok bool), error) {
	if !args[0].IsConst {
		return parsed(func(c *run.Context) (string, bool) { return args.Str(c, 0), true }), nil
	}
	text := args[0].Const.Text()
	bad := func(err error) error { return &module.ArgError{I: 0, Err: err} }
	var uri func(*run.Context) (string, bool)
	switch {
	case strings.EqualFold(text, "Request-URI"):
		uri = func(c *run.Context) (string, bool) { return c.RURI(), true }
	case strings.EqualFold(text, "To"):
		uri = func(c *run.Context) (string, bool) { return address(c.Msg.To()) }
	case strings.EqualFold(text, "From"):
		uri = func(c *run.Context) (string, bool) { return address(c.Msg.From()) }
	case strings.EqualFold(text, "Credentials"):
		if g.auth == nil {
			return nil, bad(errors.New(`"Credentials" needs loadmodule "auth.so" before loadmodule "group.so"`))
		}
		return g.auth.Authorized, nil
	default:
		return nil, bad(fmt.Errorf("want Request-URI, To, From, Credentials or a variable with a URI, not %q", text))
	}
	return parsed(uri), nil
}

// parsed takes the URI apart that f finds.
func parsed(f func(*run.Context) (string, bool)) func(*run.Context) (string, string, bool) {
	return func(c *run.Context) (string, string, bool) {
		s, ok := f(c)
		if !ok {
			return "", "", false
		}
		u, err := sip.ParseURI(s)
		return u.User, u.Host, err == nil
	}
}

func address(n *sip.NameAddr, err error) (string, bool) {
	if err != nil {
		return "", false
	}
	return n.URI, true
}

// newIsIn compiles is_user_in.
func (g *group) newIsIn(args module.Args) (run.Func, error) {
	who, err := g.who(args)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		user, domain, ok := who(c)
		name := args.Str(c, 1)
		if !ok || user == "" || name == "" {
			return codeError
		}
		values := append(make([]any, 0, 3), user, name)
		if g.useDomain {
			values = append(values, strings.ToLower(domain))
		}
		var found db.Text
		switch err := g.member.Get(context.Background(), values, &found); {
		case err == nil:
			return 1
		case errors.Is(err, sql.ErrNoRows):
			return codeNoMember
		default:
			g.failed.Log(c, err)
			return codeQuery
		}
	}, nil
}

// newGroups compiles get_user_group; the code is the number of groups.
func (g *group) newGroups(args module.Args) (run.Func, error) {
	if g.reTable == "" {
		return nil, errors.New(`it needs a table of expressions; set modparam("group", "re_table", "re_grp")`)
	}
	who, err := g.who(args)
	if err != nil {
		return nil, err
	}
	set := args[1].Var.Set
	return func(c *run.Context) int {
		user, domain, ok := who(c)
		if !ok || user == "" {
			return codeError
		}
		uri, n := "sip:"+user+"@"+domain, 0
		for _, r := range g.groups {
			if !r.exp.Match(uri) {
				continue
			}
			if !set(c, run.Int(r.id)) {
				return codeError
			}
			if n++; !g.multiple {
				break
			}
		}
		if n == 0 {
			return codeError
		}
		return n
	}, nil
}
