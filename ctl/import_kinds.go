package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"

	"sipd/db"
	"sipd/db/table"
)

var importUsers = &importKind{
	things:  "users",
	columns: []string{"user", "password", "ha1", "ha1b", "uid", "aliases", "groups", "attributes"}, must: 1,
	start: func(ctx context.Context, a *App, f *importFlags) (*sink, error) {
		dir, err := a.directory(ctx)
		if err != nil {
			return nil, err
		}
		u := &userImport{dir: dir, domain: a.set.domain, keep: f.keep}
		if a.opt.dryRun { // batches do not see each other in the database then
			u.seen, u.seed = make(map[uint64]int), maphash.MakeSeed()
		}
		return &sink{add: u.add}, nil // users are read as they call
	},
}

// userImport makes users of records.
type userImport struct {
	dir    db.Directory
	domain string
	keep   bool
	seen   map[uint64]int // lines by hash of the address, in a dry run
	seed   maphash.Seed
}

func (u *userImport) add(ctx context.Context, recs []record, skip bool) ([]error, error) {
	errs := make([]error, len(recs))
	users := make([]db.NewUser, len(recs))
	for i, r := range recs {
		if users[i], errs[i] = u.user(r); errs[i] != nil {
			users[i] = db.NewUser{} // is refused, and with it the batch
		}
	}
	got, err := u.dir.AddEach(ctx, users, skip)
	if err != nil {
		return nil, err
	}
	for i, e := range got {
		switch {
		case errs[i] != nil:
		case errors.Is(e, db.ErrNoDomain):
			errs[i] = u.noDomain(users[i], e)
		default:
			errs[i] = e
		}
	}
	onLines(recs, users, errs)
	return errs, nil
}

// onLines names the line of an address that is taken by an earlier record.
func onLines(recs []record, users []db.NewUser, errs []error) {
	lines := make(map[db.Address]int, len(users))
	for i, x := range users {
		for j, a := range append([]db.Address{x.Address}, x.Aliases...) {
			before, twice := lines[a]
			if !twice {
				lines[a] = recs[i].line
				continue
			}
			if taken(errs[i]) && before < recs[i].line {
				kind := "user"
				if j > 0 {
					kind = "alias"
				}
				errs[i] = fmt.Errorf("%s %s is on line %d already%w", kind, a, before, silent{db.ErrExists})
				break
			}
		}
	}
}

// noDomain names the domain that is missing with the command that adds it.
func (u *userImport) noDomain(x db.NewUser, err error) error {
	for _, a := range append([]db.Address{x.Address}, x.Aliases...) {
		if strings.Contains(err.Error(), "domain "+a.Domain+":") {
			return fmt.Errorf("domain %s is not served here%w; to serve it: sipctl domain add %s", a.Domain, silent{err}, a.Domain)
		}
	}
	return err
}

// user reads one record.
func (u *userImport) user(r record) (db.NewUser, error) {
	var x db.NewUser
	if r.err != nil {
		return x, r.err
	}
	var err error
	if x.Address, err = db.ParseAddress(r.cell["user"], u.domain); err != nil {
		return x, err
	}
	x.UID, x.Groups = r.cell["uid"], r.words("groups")
	for _, s := range r.words("aliases") {
		al, err := db.ParseAddress(s, u.domain)
		if err != nil {
			return x, err
		}
		x.Aliases = append(x.Aliases, al)
	}
	if s := r.cell["attributes"]; s != "" {
		if err := json.Unmarshal([]byte(s), &x.Attrs); err != nil {
			return x, fmt.Errorf(`attributes are no JSON list as [{"name":"n","type":"string","value":"v"}]: %v`, err)
		}
	}
	x.Password = db.Password{Plain: r.cell["password"], HA1: r.cell["ha1"], HA1B: r.cell["ha1b"], Keep: u.keep && r.cell["password"] != ""}
	if r.cell["password"] == "" && r.cell["ha1"] == "" {
		x.Password = db.Password{None: true}
	}
	return x, u.twice(r.line, x.Address)
}

// twice notes the address in a dry run; one that was there is a mistake.
func (u *userImport) twice(line int, a db.Address) error {
	if u.seen == nil {
		return nil
	}
	h := maphash.String(u.seed, a.String())
	if before, ok := u.seen[h]; ok {
		return fmt.Errorf("user %s is on line %d already%w", a, before, silent{db.ErrExists})
	}
	u.seen[h] = line
	return nil
}

// oneEach makes a sink of a function that writes one record by itself; it is
// for kinds whose batches have one record.
func oneEach(add func(ctx context.Context, r record) error, reload ...string) *sink {
	return &sink{reload: reload, add: func(ctx context.Context, recs []record, _ bool) ([]error, error) {
		errs := make([]error, len(recs))
		for i, r := range recs {
			if errs[i] = r.err; r.err == nil {
				errs[i] = add(ctx, r)
			}
			if e, ok := errors.AsType[*db.Error](errs[i]); ok && !taken(errs[i]) {
				return errs, e
			}
		}
		return errs, nil
	}}
}

var importDomains = &importKind{
	things: "domains", single: true, columns: []string{"domain", "did", "aliases", "realm"}, must: 1,
	start: func(ctx context.Context, a *App, _ *importFlags) (*sink, error) {
		dir, err := a.directory(ctx)
		return oneEach(func(ctx context.Context, r record) error {
			d := db.Domain{Name: strings.ToLower(r.cell["domain"]), DID: r.cell["did"], Realm: r.cell["realm"], Aliases: strings.FieldsFunc(r.cell["aliases"], func(c rune) bool { return c == ' ' || c == ',' })}
			return dir.AddDomain(ctx, d)
		}, domainReload), err
	},
}

var importAliases = &importKind{
	things: "aliases", single: true, columns: []string{"alias", "user"}, must: 2,
	start: func(ctx context.Context, a *App, _ *importFlags) (*sink, error) {
		dir, err := a.directory(ctx)
		return oneEach(func(ctx context.Context, r record) error {
			alias, err := a.address(r.cell["alias"])
			if err != nil {
				return err
			}
			user, err := a.address(r.cell["user"])
			if err != nil {
				return err
			}
			return explain(ctx, dir, dir.AddAlias(ctx, user, alias), alias.Domain)
		}), err // aliases are read as they are called
	},
}

var importAttrs = &importKind{
	things: "attributes", single: true, columns: []string{"owner", "name", "value", "type"}, must: 3,
	start: func(ctx context.Context, a *App, _ *importFlags) (*sink, error) {
		dir, err := a.directory(ctx)
		to := &sink{}
		to.add = oneEach(func(ctx context.Context, r record) error {
			owner, err := a.ownerOf(r.cell["owner"])
			if err != nil {
				return err
			}
			t, err := db.ParseAttrType(r.cell["type"])
			if err != nil {
				return err
			}
			err = dir.AddAttr(ctx, owner, db.Attr{Name: r.cell["name"], Type: t, Value: r.cell["value"]})
			if err == nil {
				to.learns(attrReload(dir, owner))
			}
			return explain(ctx, dir, err, owner.Domain)
		}).add
		return to, err
	},
}

// ownerOf reads the owner of an attribute: user@domain, @domain, or nothing for
// everyone.
func (a *App) ownerOf(s string) (db.Owner, error) {
	if s == "" {
		return db.Global(), nil
	}
	if domain, ok := strings.CutPrefix(s, "@"); ok {
		return db.OfDomain(domain), db.CheckDomain("owner", domain)
	}
	addr, err := a.address(s)
	return db.OfUser(addr), err
}

// ownerText is what ownerOf reads.
func ownerText(o db.Owner) string {
	switch {
	case o.User != db.Address{}:
		return o.User.String()
	case o.Domain != "":
		return "@" + o.Domain
	}
	return ""
}

// importRows adds rows of a simple table, whose columns they name.
func importRows(n *noun) *importKind {
	columns := make([]string, 0, 8)
	for _, c := range n.schemaColumns() {
		columns = append(columns, c.Name)
	}
	things := strings.TrimPrefix(countOf(2, n.thing), "2 ")
	if n.name == "address" {
		things = "addresses"
	}
	return &importKind{
		things: things, columns: columns, // which must be there, the table says
		start: func(ctx context.Context, a *App, f *importFlags) (*sink, error) {
			r, err := a.nounRows(ctx, n, false)
			if err != nil {
				return nil, err
			}
			r.once = f.ifNot
			to := &sink{add: r.addBatch}
			to.learns(n.tell())
			return to, nil
		},
	}
}

// addBatch adds rows given by column.
func (r *Rows) addBatch(ctx context.Context, recs []record, skip bool) ([]error, error) {
	errs := make([]error, len(recs))
	undo := errors.New("undo")
	err := r.dir.DB().Tx(ctx, func(tx *db.Tx) error {
		bad := false
		for i, rec := range recs {
			if errs[i] = rec.err; rec.err == nil {
				errs[i] = r.addGiven(ctx, tx, rec.cell)
			}
			if e, ok := errors.AsType[*db.Error](errs[i]); ok {
				return e
			}
			bad = bad || errs[i] != nil
		}
		if bad && !skip {
			return undo
		}
		return nil
	})
	if errors.Is(err, undo) {
		err = nil
	}
	return errs, err
}

// addGiven adds one row in a transaction; empty cells are left to defaults.
func (r *Rows) addGiven(ctx context.Context, tx *db.Tx, cell map[string]string) error {
	given := make(map[string]string)
	for name, v := range cell {
		if v != "" {
			given[name] = v
		}
	}
	cells, err := r.withPresets(nil, given)
	if err != nil {
		return err
	}
	return r.addTx(ctx, tx, cells, func() string { return cellsText(cells) })
}

// cellsText is a row in a message, by its first cells.
func cellsText(cells []table.Cell) string {
	var out []string
	for _, c := range cells[:min(2, len(cells))] {
		out = append(out, fmt.Sprint(c.Value))
	}
	return strings.Join(out, " ")
}
