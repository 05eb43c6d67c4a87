package ctl

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sipd/db"
	"sipd/db/directory"
	"sipd/db/serdb"
	"sipd/db/table"
	"sipd/schema"
)

// noun is a table under a name: its rows are all there is to a thing. It is
// data (nouns*.go); the commands add, list, show, set and rm are made of it
// (noun_command.go), what they do stands here.
type noun struct {
	name    string
	aliases []string
	part    string // of the help, "" for tables
	short   string // what it is, for the list of nouns
	thing   string // what one row is, "destination"
	example string // of add
	in      map[db.Flavour]place

	reload string // RPC method that makes a change live, "" for none
	live   string // RPC method that shows what the daemon has, "" for none
	noAdd  bool   // rows are the daemon's: they are listed and removed only
	noTell bool   // reload wants a name that the table does not tell
	ids    bool   // other tables speak of its rows by id, which goes into an export

	more  func(*App, *noun) []*cobra.Command // commands of its own
	set   func(*App, *noun) *cobra.Command   // in place of the set that every noun has
	rm    func(*App, *noun) *cobra.Command   // in place of the rm that every noun has
	given *givenFlags                        // flags of its own for add and set

	anyTable bool // a server may have several tables of this form, with names of their own
}

// word is the last word of the name, path what stands before it.
func (n *noun) word() string { return n.name[strings.LastIndexByte(n.name, ' ')+1:] }

func (n *noun) path() string { return strings.TrimSuffix(strings.TrimSuffix(n.name, n.word()), " ") }

// tell is the method that makes a change live by itself.
func (n *noun) tell() string {
	if n.noTell {
		return ""
	}
	return n.reload
}

// givenFlags are flags of a noun's own and what they change in the columns that
// add and set were given.
type givenFlags struct {
	declare func(cmd *cobra.Command)
	apply   func(cmd *cobra.Command, given map[string]string) error
}

// place is where a flavour keeps the noun.
type place struct {
	table  string
	add    []arg             // arguments of add
	key    []arg             // arguments that name rows for show, set and rm; list takes the first of them
	screen []string          // columns that fit a screen; none: all
	preset map[string]string // columns of a new row that nobody gave
	stamp  string            // column of the last change
	secret []string          // columns that show only when asked
	repeat bool              // several rows may have the same key
	flags  bool              // it has SER's column flags
	touch  string            // attribute of everyone that tells SER's timer of a change
}

// arg is an argument that becomes the value of a column or several.
type arg struct {
	name     string   // as help shows it
	columns  []string // that it fills, in order
	optional bool
	split    func(text, domain string) ([]string, error) // into the texts of the columns; nil: one column
	owner    bool                                        // it names a user that must exist
	uid      bool                                        // with owner: the column is the uid
	did      bool                                        // the last column is a did, the text has a domain
}

func val(name string, column string) arg { return arg{name: name, columns: []string{column}} }
func opt(name string, column string) arg {
	return arg{name: name, columns: []string{column}, optional: true}
}

// checked is val with a check of the text.
func checked(name, column string, check func(field, v string) error) arg {
	return arg{name: name, columns: []string{column}, split: func(s, _ string) ([]string, error) {
		return []string{s}, check(column, s)
	}}
}

func (x arg) or() arg { x.optional = true; return x }

// pair is user@domain in two columns.
func pair(name, user, domain string) arg {
	return arg{name: name, columns: []string{user, domain}, split: func(s, def string) ([]string, error) {
		a, err := db.ParseAddress(s, def)
		return []string{a.User, a.Domain}, err
	}}
}

// ofUser is a user of the directory, by two columns.
func ofUser(user, domain string) arg {
	x := pair("USER", user, domain)
	x.owner = true
	return x
}

// ofUID is a user of the directory, by uid.
func ofUID() arg { return arg{name: "USER", columns: []string{"uid"}, owner: true, uid: true} }

// Rows is a noun in an open database.
type Rows struct {
	noun  *noun
	place place
	dir   db.Directory
	t     *table.Table
	once  bool // rows that may be repeated are not, when the same is there
	// domain is that of names without one.
	domain string
}

// rows opens the noun's table, or one of the same form under another name.
func (n *noun) rows(ctx context.Context, d *db.DB, f db.Flavour, domain, name string) (*Rows, error) {
	dir, err := directory.Open(ctx, d, f)
	if err != nil {
		return nil, err
	}
	p, ok := n.in[dir.Flavour()]
	if !ok {
		return nil, fmt.Errorf("%s: the %s flavour has no table for it: %w", n.name, dir.Flavour(), db.ErrNotSupported)
	}
	t, err := table.Like(d, dir.Flavour(), directory.Found(dir), first(name, p.table), p.table)
	if err != nil {
		return nil, err
	}
	return &Rows{noun: n, place: p, dir: dir, t: t, domain: domain}, nil
}

// shown are the columns that a list prints: those of a screen or all, without
// secrets unless asked for.
func (r *Rows) shown(screen, secrets bool) []string {
	names := r.t.Names()
	if screen && len(r.place.screen) > 0 {
		names = r.place.screen
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return !r.t.Has(n) || !secrets && slices.Contains(r.place.secret, n)
	})
}

// cells turns arguments into cells, in the order of the args.
func (r *Rows) cells(ctx context.Context, args []arg, words []string) ([]table.Cell, error) {
	var out []table.Cell
	for i, w := range words {
		texts, err := r.texts(ctx, args[i], w)
		if err != nil {
			return nil, err
		}
		for j, column := range args[i].columns {
			v, err := r.t.Parse(column, texts[j])
			if err != nil {
				return nil, err
			}
			out = append(out, table.Cell{Column: column, Value: v})
		}
	}
	return out, nil
}

// texts are those of the columns of one argument.
func (r *Rows) texts(ctx context.Context, x arg, word string) ([]string, error) {
	texts := []string{word}
	var err error
	if x.owner {
		return r.owner(ctx, x, word)
	}
	if x.split != nil {
		if texts, err = x.split(word, r.domain); err != nil {
			return nil, err
		}
	}
	if x.did {
		last := len(texts) - 1
		d, err := r.dir.Domain(ctx, texts[last])
		if err != nil {
			return nil, explain(ctx, r.dir, err, texts[last])
		}
		texts[last] = d.DID
	}
	return texts, nil
}

// owner finds the user, whose rows hang on the own address or the uid.
func (r *Rows) owner(ctx context.Context, x arg, word string) ([]string, error) {
	a, err := db.ParseAddress(word, r.domain)
	if err != nil {
		return nil, err
	}
	u, err := r.dir.User(ctx, a)
	if err != nil {
		return nil, explain(ctx, r.dir, err)
	}
	if x.uid {
		return []string{u.UID}, nil
	}
	return []string{u.Address.User, u.Address.Domain}, nil
}

// key makes conditions of the arguments that name rows; fewer than there are
// name more rows.
func (r *Rows) key(ctx context.Context, words []string) ([]table.Cond, error) {
	var conds []table.Cond
	cells, err := r.cells(ctx, r.place.key, words)
	for _, c := range cells {
		conds = append(conds, table.Eq(c.Column, c.Value))
	}
	return conds, err
}

// conds parses --where.
func (r *Rows) conds(texts []string) ([]table.Cond, error) {
	var out []table.Cond
	for _, s := range texts {
		c, err := r.t.ParseCond(s)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// parsed makes cells of COLUMN: TEXT.
func (r *Rows) parsed(given map[string]string) ([]table.Cell, error) {
	var out []table.Cell
	for _, c := range r.t.Columns {
		text, ok := given[c.Name]
		if !ok {
			continue
		}
		if r.place.flags && (c.Name == "flags" || c.Name == "default_flags") {
			f, err := serdb.ParseFlags(text)
			if err != nil {
				return nil, &db.FieldError{Field: c.Name, Value: text, Why: "are none: " + err.Error()}
			}
			text = strconv.FormatUint(uint64(f.Set), 10)
		}
		v, err := r.t.Parse(c.Name, text)
		if err != nil {
			return nil, err
		}
		out = append(out, table.Cell{Column: c.Name, Value: v})
	}
	for name := range given {
		if _, err := r.t.Column(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Add writes a row of the arguments, of the columns given by name, and of what
// the noun presets. A row whose key is there already is db.ErrExists.
func (r *Rows) Add(ctx context.Context, words []string, given map[string]string) error {
	cells, err := r.cells(ctx, r.place.add, words)
	if err != nil {
		return err
	}
	if cells, err = r.withPresets(cells, given); err != nil {
		return err
	}
	return r.dir.DB().Tx(ctx, func(tx *db.Tx) error {
		return r.addTx(ctx, tx, cells, func() string { return strings.Join(words, " ") })
	})
}

// withPresets adds to cells the columns given by name and those that the noun
// presets.
func (r *Rows) withPresets(cells []table.Cell, given map[string]string) ([]table.Cell, error) {
	more, err := r.parsed(given)
	if err != nil {
		return nil, err
	}
	for _, c := range more {
		cells = slices.DeleteFunc(cells, func(x table.Cell) bool { return x.Column == c.Column })
		cells = append(cells, c)
	}
	preset := make(map[string]string)
	for column, text := range r.place.preset {
		if r.t.Has(column) && !slices.ContainsFunc(cells, func(x table.Cell) bool { return x.Column == column }) {
			preset[column] = text
		}
	}
	if r.place.stamp != "" {
		preset[r.place.stamp] = "now"
	}
	more, err = r.parsed(preset)
	return append(cells, more...), err
}

// addTx writes a row unless one of its key is there.
func (r *Rows) addTx(ctx context.Context, tx *db.Tx, cells []table.Cell, name func() string) error {
	var where []table.Cond
	if !r.place.repeat || r.once {
		where = r.sameKey(cells)
	}
	if where != nil {
		n, err := r.t.CountTx(ctx, tx, r.alive(where))
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%s %s %w", r.noun.thing, name(), db.ErrExists)
		}
	}
	if r.place.flags { // one marked as deleted holds its place in the unique index
		if dead := r.sameKey(cells); dead != nil {
			if _, err := r.t.RemoveTx(ctx, tx, append(dead, table.Cond{Column: "flags", Op: table.Bits, Value: int64(128)})); err != nil {
				return err
			}
		}
	}
	if err := r.t.AddTx(ctx, tx, cells...); err != nil {
		return err
	}
	return r.touch(ctx, tx)
}

// sameKey are the conditions that find the new row's key, whose columns have
// their defaults where nobody gave them a value; nil when there is no telling.
func (r *Rows) sameKey(cells []table.Cell) []table.Cond {
	var out []table.Cond
	for _, x := range r.place.key {
		for _, column := range x.columns {
			i := slices.IndexFunc(cells, func(c table.Cell) bool { return c.Column == column })
			if i >= 0 {
				out = append(out, table.Eq(column, cells[i].Value))
				continue
			}
			v, err := r.t.Default(column)
			if err != nil {
				return nil
			}
			out = append(out, table.Eq(column, v))
		}
	}
	return out
}

// errNoRow tells that nothing meets the conditions.
type errNoRow struct{ what, noun string }

func (e errNoRow) Error() string {
	return fmt.Sprintf("there is no %s; to see what there is: sipctl %s list", e.what, e.noun)
}

// Set changes the columns given by name in the rows of the conditions.
func (r *Rows) Set(ctx context.Context, where []table.Cond, given map[string]string) (int, error) {
	if r.place.stamp != "" && given[r.place.stamp] == "" {
		given[r.place.stamp] = "now"
	}
	change, relative := serdb.Flags{}, false
	if spec, ok := given["flags"]; ok && r.place.flags {
		var err error
		if change, err = serdb.ParseFlags(spec); err != nil {
			return 0, &db.FieldError{Field: "flags", Value: spec, Why: "are none: " + err.Error()}
		}
		relative = true
		delete(given, "flags")
	}
	cells, err := r.parsed(given)
	if err != nil {
		return 0, err
	}
	n := 0
	err = r.dir.DB().Tx(ctx, func(tx *db.Tx) (err error) {
		if relative { // first: the other columns may be among the conditions
			n, err = r.t.ChangeTx(ctx, tx, where, "flags", func(v int64) int64 { return int64(change.Apply(uint32(v))) })
		}
		if err == nil && len(cells) > 0 {
			n, err = r.t.SetTx(ctx, tx, where, cells...)
		}
		if err == nil {
			err = r.touch(ctx, tx)
		}
		return err
	})
	if err == nil && n == 0 {
		err = errNoRow{"such " + r.noun.thing, r.noun.name}
	}
	return n, err
}

// Remove deletes the rows of the conditions; more than most of them are left
// as they are and counted, most < 0 is any number.
func (r *Rows) Remove(ctx context.Context, where []table.Cond, most int) (int, error) {
	n := 0
	err := r.dir.DB().Tx(ctx, func(tx *db.Tx) (err error) {
		if n, err = r.t.CountTx(ctx, tx, where); err != nil {
			return err
		}
		if n == 0 {
			return errNoRow{"such " + r.noun.thing, r.noun.name}
		}
		if most >= 0 && n > most {
			return tooMany{n, r.noun.thing}
		}
		if n, err = r.t.RemoveTx(ctx, tx, where); err != nil {
			return err
		}
		return r.touch(ctx, tx)
	})
	return n, err
}

// touch tells SER's timer that it has to read again.
func (r *Rows) touch(ctx context.Context, tx *db.Tx) error {
	if s, ok := r.dir.(*serdb.Directory); ok && r.place.touch != "" {
		return s.Touch(ctx, tx, r.place.touch)
	}
	return nil
}

// alive leaves out rows that are marked as deleted.
func (r *Rows) alive(where []table.Cond) []table.Cond {
	if !r.place.flags {
		return where
	}
	return append(slices.Clone(where), table.Cond{Column: "flags", Op: table.None, Value: int64(128)})
}

// tooMany tells that more rows meet the conditions than were to be removed.
type tooMany struct {
	n     int
	thing string
}

func (e tooMany) Error() string {
	return fmt.Sprintf("%d rows (%s) are meant; to remove them all: --yes", e.n, e.thing)
}

// schemaColumns are the columns that the noun's tables have in any flavour,
// for the flags of add and set.
func (n *noun) schemaColumns() []schema.Column {
	var out []schema.Column
	for _, f := range []db.Flavour{db.Kamailio, db.SER} {
		p, ok := n.in[f]
		if !ok {
			continue
		}
		def := schema.Of(f).Table(p.table)
		if def == nil {
			continue
		}
		for _, c := range def.Columns {
			if !slices.ContainsFunc(out, func(x schema.Column) bool { return x.Name == c.Name }) {
				out = append(out, c)
			}
		}
	}
	return out
}
