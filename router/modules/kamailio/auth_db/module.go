// Package authdb is the module that checks digest credentials against a table
// of Kamailio's: subscriber, as sipctl writes it. The other flavour of the
// module reads the tables of SER.
package authdb

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"sipd/router/dbx"
	"sipd/router/module"
	"sipd/router/pv"
	"sipd/router/run"
	"sipd/router/sip"
)

// digest is what is needed of module auth.
type digest interface {
	Authenticate(c *run.Context, realm string, proxied bool, method string, ha1 func(*sip.Credentials, sip.Algorithm) (string, int)) int
	Identity(c *run.Context, domain bool) int
}

type authDB struct {
	url                     string
	userColumn, domColumn   string
	passColumn, passColumn2 string
	calculate, useDomain    bool
	load                    string
	version, always         bool

	digest digest
	conn   *dbx.Conn
	vars   *pv.Registry
	module string
	loads  []load
	tables tables
	silent atomic.Int64 // seconds since 1970: no error is logged again before
}

type tables struct {
	mu sync.RWMutex // guards the field below
	// byName are the statements of each table that was used.
	byName map[string]*table
}

// New makes the module; it is what the list of modules names.
func New() module.Module {
	return &authDB{
		url:        "mysql://kamailioro:kamailioro@localhost/kamailio",
		userColumn: "username", domColumn: "domain", passColumn: "ha1", passColumn2: "ha1b",
		version: true,
	}
}

// Exports lists what the module brings.
func (a *authDB) Exports() *module.Exports {
	realm := module.Arg{Name: "realm", Type: module.ArgFormat}
	name := module.Arg{Name: "table", Type: module.ArgFormat}
	flags := module.Arg{Name: "flags", Type: module.ArgInt}
	check := []module.Arg{realm, name, {Name: "method", Type: module.ArgFormat, Optional: true}}
	in := run.RequestRoute
	return &module.Exports{
		Name: "auth_db",
		Help: "checks digest credentials against a table of subscribers",
		Params: []module.Param{
			{Name: "db_url", Help: "the database", Value: &a.url},
			{Name: "user_column", Help: "column of the user", Value: &a.userColumn},
			{Name: "domain_column", Help: "column of the domain", Value: &a.domColumn},
			{Name: "password_column", Help: "column of HA1, or with calculate_ha1 of the password", Value: &a.passColumn},
			{Name: "password_column_2", Help: "column of HA1 for credentials whose user has a domain", Value: &a.passColumn2},
			{Name: "calculate_ha1", Help: "1: password_column holds passwords in clear", Value: &a.calculate},
			{Name: "use_domain", Help: "1: the domain must match too", Value: &a.useDomain},
			{Name: "load_credentials", Help: "columns that become variables after a good check: $avp(x)=column;column", Value: &a.load},
			{Name: "version_table", Help: "0 does not look at the version of a table", Value: &a.version},
			{Name: "force_generate_avps", Help: "1: load_credentials even when the password is wrong", Value: &a.always},
		},
		Functions: []module.Function{
			{Name: "www_authenticate", Help: "check Authorization", Args: check, In: in, New: a.newCheck(false)},
			{Name: "www_authorize", Help: "the same as www_authenticate", Args: check[:2], In: in, New: a.newCheck(false)},
			{Name: "proxy_authenticate", Help: "check Proxy-Authorization", Args: check[:2], In: in, New: a.newCheck(true)},
			{Name: "proxy_authorize", Help: "the same as proxy_authenticate", Args: check[:2], In: in, New: a.newCheck(true)},
			{
				Name: "auth_check", Help: "the one of both that fits the method, and compare the user with From and To", In: in,
				Args: []module.Arg{realm, name, flags}, New: a.newAuthCheck,
			},
			{
				Name: "is_subscriber", Help: "tell whether a URI is a subscriber's", In: in,
				Args: []module.Arg{{Name: "uri", Type: module.ArgFormat}, name, flags}, New: a.newIsSubscriber,
			},
		},
		Needs: []string{"auth"},
	}
}

// Init opens the database.
func (a *authDB) Init(ctx context.Context, h *module.Host) (err error) {
	d, ok := h.Module("auth").(digest)
	if !ok {
		return errors.New(`needs module auth; put loadmodule "auth.so" before loadmodule "auth_db.so"`)
	}
	a.digest, a.vars, a.module = d, h.Vars, h.Name
	a.tables.byName = make(map[string]*table)
	if a.loads, err = parseLoads(a.load); err != nil {
		return err
	}
	a.conn, err = dbx.Open(ctx, h, a.url)
	return err
}

// Close gives the database back.
func (a *authDB) Close() error {
	a.tables.mu.Lock()
	defer a.tables.mu.Unlock()
	var errs []error
	for _, t := range a.tables.byName {
		errs = append(errs, t.close())
	}
	clear(a.tables.byName)
	return errors.Join(append(errs, a.conn.Close())...)
}

// load is one of load_credentials.
type load struct {
	column string
	spec   string // the variable as written, "" for an attribute of the column's name
	set    func(*run.Context, run.Value) bool
}

// parseLoads reads "$avp(x)=column;column".
func parseLoads(s string) ([]load, error) {
	var loads []load
	for part := range strings.SplitSeq(s, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		l := load{column: part}
		if i := strings.LastIndexByte(part, '='); i >= 0 {
			l.spec, l.column = strings.TrimSpace(part[:i]), strings.TrimSpace(part[i+1:])
		}
		if l.column == "" || strings.HasPrefix(l.column, "$") || l.spec != "" && l.spec[0] != '$' {
			return nil, errors.New("load_credentials: want $VARIABLE=COLUMN or COLUMN, not " + part)
		}
		if l.spec == "" {
			name := run.AVPName{S: l.column}
			l.set = func(c *run.Context, v run.Value) bool {
				c.AVPs.Add(run.AVPFromURI, name, v, 0)
				return true
			}
		}
		loads = append(loads, l)
	}
	return loads, nil
}

// bind finds the variables of load_credentials; when functions are compiled all
// modules have declared theirs.
func (a *authDB) bind() error {
	for i := range a.loads {
		l := &a.loads[i]
		if l.set != nil {
			continue
		}
		v, n, err := a.vars.ParseVar(l.spec, pv.MaxCompat)
		switch {
		case err != nil:
			return errors.New("load_credentials: " + err.Error())
		case n != len(l.spec) || v.Set == nil:
			return errors.New("load_credentials: " + l.spec + " is not a variable that can be written")
		}
		l.set = v.Set
	}
	return nil
}
