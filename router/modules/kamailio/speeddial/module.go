// Package speeddial is the module of short numbers: each user's own, in a table.
package speeddial

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

type speeddial struct {
	url              string
	user, domain     string
	sdUser, sdDomain string
	newURI, prefix   string
	useDomain        int
	conn             *dbx.Conn
	tables           dbx.Tables
	failed           dbx.Failures
	columns          []string
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &speeddial{
		url:  "mysql://kamailioro:kamailioro@localhost/kamailio",
		user: "username", domain: "domain", sdUser: "sd_username", sdDomain: "sd_domain", newURI: "new_uri",
	}
}

// Exports lists what the module brings.
func (s *speeddial) Exports() *module.Exports {
	return &module.Exports{
		Name: "speeddial",
		Help: "short numbers, each user's own",
		Params: []module.Param{
			{Name: "db_url", Help: "the database", Value: &s.url},
			{Name: "user_column", Help: "column of the owner", Value: &s.user},
			{Name: "domain_column", Help: "column of the owner's domain", Value: &s.domain},
			{Name: "sd_user_column", Help: "column of the short number", Value: &s.sdUser},
			{Name: "sd_domain_column", Help: "column of the short number's domain", Value: &s.sdDomain},
			{Name: "new_uri_column", Help: "column of the address that is meant", Value: &s.newURI},
			{Name: "domain_prefix", Help: "what is taken off the front of a domain first", Value: &s.prefix},
			{Name: "use_domain", Help: "1: the owner's domain must match too, 2: and that of the short number", Value: &s.useDomain, Max: 2},
		},
		Functions: []module.Function{{
			Name: "sd_lookup", Help: "replace a short number in the request URI by the address it stands for",
			Args: []module.Arg{{Name: "table", Type: module.ArgFormat}, {Name: "owner", Type: module.ArgFormat, Optional: true}},
			In:   run.RequestRoute, New: s.newLookup,
		}},
	}
}

// Init opens the database.
func (s *speeddial) Init(ctx context.Context, h *module.Host) (err error) {
	s.failed.Module = h.Name
	keys := []string{s.user}
	if s.useDomain >= 1 {
		keys = append(keys, s.domain)
	}
	keys = append(keys, s.sdUser)
	if s.useDomain >= 2 {
		keys = append(keys, s.sdDomain)
	}
	s.tables.Make = func(table string) []*db.Stmt {
		return []*db.Stmt{s.conn.Select(table, []string{s.newURI}, keys, "LIMIT 1")}
	}
	s.columns = append(keys[:len(keys):len(keys)], s.newURI)
	s.conn, err = dbx.Open(ctx, h, s.url)
	return err
}

// Close gives the database back.
func (s *speeddial) Close() error { return errors.Join(s.tables.Close(), s.conn.Close()) }

func (s *speeddial) require(table string) error { return s.conn.RequireColumns(table, s.columns...) }

// strip takes the prefix off a domain that has more than it.
func (s *speeddial) strip(domain string) string {
	if n := len(s.prefix); n > 0 && n < len(domain) && strings.EqualFold(domain[:n], s.prefix) {
		domain = domain[n:]
	}
	return strings.ToLower(domain)
}

// newLookup compiles sd_lookup.
func (s *speeddial) newLookup(args module.Args) (run.Func, error) {
	table, err := s.tables.Compile(args, 0, s.require)
	if err != nil {
		return nil, err
	}
	return func(c *run.Context) int {
		list, err := table(c)
		if err != nil {
			s.failed.Log(c, err)
			return -1
		}
		owner, err := s.owner(c, args.Str(c, 1))
		if err != nil {
			return -1
		}
		short, err := c.ParsedRURI()
		if err != nil || short.User == "" {
			return -1
		}
		return s.lookup(c, list[0], &owner, short)
	}, nil
}

// owner is whose numbers are looked at: the URI given, else that of From.
func (s *speeddial) owner(c *run.Context, uri string) (sip.URI, error) {
	if uri == "" {
		from, err := c.Msg.From()
		if err != nil {
			return sip.URI{}, err
		}
		uri = from.URI
	}
	return sip.ParseURI(uri)
}

func (s *speeddial) lookup(c *run.Context, q *db.Stmt, owner, short *sip.URI) int {
	values := append(make([]any, 0, 4), owner.User)
	if s.useDomain >= 1 {
		values = append(values, s.strip(owner.Host))
	}
	values = append(values, short.User)
	if s.useDomain >= 2 {
		values = append(values, s.strip(short.Host))
	}
	var uri db.Text
	if err := q.Get(context.Background(), values, &uri); err != nil {
		if !errors.Is(err, sql.ErrNoRows) {
			s.failed.Log(c, err)
		}
		return -1
	}
	if uri == "" {
		return -1
	}
	to := string(uri)
	u, err := sip.ParseURI(to)
	if err != nil || u.Scheme == sip.SchemeOther { // "user@host", "host:port"
		to = "sip:" + to
		_, err = sip.ParseURI(to)
	}
	if err != nil {
		s.failed.Log(c, err)
		return -1
	}
	c.SetRURI(to)
	return 1
}
