package serctl

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sipd/db"
	"sipd/db/table"
	"sipd/schema"
)

// The columns of the tables, in the elder's order.
var (
	userColumns       = []string{"uid", "name", "value", "type", "flags"}
	credColumns       = []string{"auth_username", "did", "realm", "uid", "password", "ha1", "ha1b", "flags"}
	uriColumns        = []string{"uid", "did", "username", "flags", "scheme"}
	domainColumns     = []string{"did", "domain", "flags"}
	userAttrColumns   = []string{"uid", "name", "type", "value", "flags"}
	domainAttrColumns = []string{"did", "name", "type", "value", "flags"}
	globalAttrColumns = []string{"name", "type", "value", "flags"}
	attrTypeColumns   = []string{"name", "rich_type", "raw_type", "priority", "ordering", "type_spec", "flags", "default_flags", "description", "access", "grp"}
)

// cond is a condition: a column has a value, or bits.
type cond struct {
	column string
	value  string
	bits   int64 // with set: all rows that have one of them; else rows that have none
	set    bool
	not    bool // the column has another value
}

func eq(column, value string) cond { return cond{column: column, value: value} }

var (
	alive     = cond{column: "flags", bits: flagDeleted}
	deleted   = cond{column: "flags", bits: flagDeleted, set: true}
	canonical = cond{column: "flags", bits: flagCanonical, set: true}
)

func spell(d db.Dialect, conds []cond) (string, []any) {
	var parts []string
	var args []any
	for _, c := range conds {
		q := d.Quote(c.column)
		switch {
		case c.bits != 0 && c.set:
			parts = append(parts, "("+q+" & "+strconv.FormatInt(c.bits, 10)+") <> 0")
		case c.bits != 0:
			parts = append(parts, "("+q+" & "+strconv.FormatInt(c.bits, 10)+") = 0")
		case c.not:
			parts, args = append(parts, q+" <> ?"), append(args, c.value)
		default:
			parts, args = append(parts, q+" = ?"), append(args, c.value)
		}
	}
	if parts == nil {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// live adds that rows are not marked as deleted.
func live(conds []cond) []cond { return append([]cond{alive}, conds...) }

// change is a transaction of a command.
type change struct {
	*session
	ctx   context.Context
	tx    *db.Tx
	found schema.Tables
	// touched are the tables that were written to.
	touched map[string]bool
}

// change runs fn in one transaction.
func (s *session) change(ctx context.Context, fn func(*change) error) error {
	d, err := s.open(ctx)
	if err != nil {
		return err
	}
	found, err := schema.Inspect(ctx, d)
	if err != nil {
		return err
	}
	return d.Tx(ctx, func(tx *db.Tx) error {
		c := &change{session: s, ctx: ctx, tx: tx, found: found, touched: make(map[string]bool)}
		if err := fn(c); err != nil {
			return err
		}
		return c.announce()
	})
}

// versions are the global attributes by which servers see that a table has
// changed and is to be read again.
var versions = map[string]string{"domain": "domain_data_version", "domain_attrs": "domain_data_version", "global_attrs": "gattr_timestamp"}

// announce sets the versions of the tables that were changed, where the
// database has them. They grow even within a second.
func (c *change) announce() error {
	for _, name := range []string{"domain_data_version", "gattr_timestamp"} {
		changed := false
		for table, version := range versions {
			changed = changed || version == name && c.touched[table]
		}
		if !changed || c.found["global_attrs"] == nil {
			continue
		}
		old, ok, err := c.first("global_attrs", "value", eq("name", name))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		n, _ := strconv.ParseInt(old, 10, 64) // what is no number is old
		if _, err := c.tx.Exec(c.ctx, "UPDATE global_attrs SET value = ? WHERE name = ?", number(max(time.Now().Unix(), n+1)), name); err != nil {
			return err
		}
	}
	return nil
}

// look runs fn for a command that only reads.
func (s *session) look(ctx context.Context, fn func(*change) error) error {
	d, err := s.open(ctx, db.ReadOnly())
	if err != nil {
		return err
	}
	return d.View(ctx, func(tx *db.Tx) error { return fn(&change{session: s, ctx: ctx, tx: tx}) })
}

// has tells whether a live row meets the conditions.
func (c *change) has(table string, conds ...cond) (bool, error) {
	where, args := spell(c.tx.Dialect, live(conds))
	return c.tx.Has(c.ctx, "SELECT 1 FROM "+c.tx.Quote(table)+where, args...)
}

// values are those of a column in the live rows, each once.
func (c *change) values(table, column string, conds ...cond) ([]string, error) {
	where, args := spell(c.tx.Dialect, live(conds))
	var out []db.Text
	err := c.tx.Select(c.ctx, &out, "SELECT DISTINCT "+c.tx.Quote(column)+" FROM "+c.tx.Quote(table)+where, args...)
	texts := make([]string, len(out))
	for i, v := range out {
		texts[i] = string(v)
	}
	slices.Sort(texts)
	return texts, err
}

// first is the value of the first live row, "" and false when there is none.
func (c *change) first(table, column string, conds ...cond) (string, bool, error) {
	v, err := c.values(table, column, conds...)
	if err != nil || len(v) == 0 {
		return "", false, err
	}
	return v[0], true, nil
}

// mark changes the flags of the live rows that meet the conditions.
func (c *change) mark(table string, m mask, conds ...cond) (int, error) {
	c.touched[table] = true
	where, args := spell(c.tx.Dialect, live(conds))
	return c.tx.Exec(c.ctx, "UPDATE "+c.tx.Quote(table)+" SET flags = (flags & ?) | ?"+where, append([]any{m.and, m.or}, args...)...)
}

// remove marks rows as deleted.
func (c *change) remove(table string, conds ...cond) (int, error) {
	return c.mark(table, mask{-1, flagDeleted}, conds...)
}

// purge takes rows marked as deleted away: all, or those that meet conditions.
func (c *change) purge(table string, conds ...cond) error {
	if c.found[table] == nil {
		return nil // a table of another module of the server
	}
	where, args := spell(c.tx.Dialect, append([]cond{deleted}, conds...))
	_, err := c.tx.Exec(c.ctx, "DELETE FROM "+c.tx.Quote(table)+where, args...)
	return err
}

// insert writes a row after checking that each value fits its column. A row of
// the same key that is only marked as deleted makes place.
func (c *change) insert(name string, values map[string]string) error {
	t, err := table.Like(c.d, db.SER, c.found, name, name)
	if err != nil {
		return err
	}
	var cells []table.Cell
	for _, col := range t.Columns {
		text, ok := values[col.Name]
		if !ok {
			continue
		}
		var v any = text
		if col.Kind != schema.String && col.Kind != schema.Text {
			v, err = t.Parse(col.Name, text)
		}
		if err == nil {
			_, err = col.Check(v)
		}
		if err != nil {
			return hidden(err, col.Name)
		}
		cells = append(cells, table.Cell{Column: col.Name, Value: v})
	}
	if err := c.makePlace(name, values); err != nil {
		return err
	}
	c.touched[name] = true
	return t.AddTx(c.ctx, c.tx, cells...)
}

// hidden keeps a password out of an error about it.
func hidden(err error, column string) error {
	if e, ok := errors.AsType[*db.FieldError](err); ok && (column == "password" || strings.HasPrefix(column, "ha1")) {
		return &db.FieldError{Field: e.Field, Why: e.Why}
	}
	return err
}

func (c *change) makePlace(name string, values map[string]string) error {
	def := schema.Of(db.SER).Table(name)
	if def == nil {
		return nil
	}
	for _, key := range def.Keys {
		if !key.Unique {
			continue
		}
		conds := []cond{deleted}
		for _, col := range key.Columns {
			if v, ok := values[col]; ok {
				conds = append(conds, eq(col, v))
			}
		}
		if len(conds) == len(key.Columns)+1 {
			if err := c.purge(name, conds[1:]...); err != nil {
				return err
			}
		}
	}
	return nil
}

// plain is the password as the column can hold it: a longer one is kept as
// hashes alone, and said so.
func (c *change) plain(password string) string {
	if utf8.RuneCountInString(password) > schema.Of(db.SER).Size("credentials", "password") {
		fmt.Fprintln(c.Err, "WARNING: the password is too long for the column that keeps it in clear; its hashes are stored")
		return ""
	}
	return password
}

// splitURI cuts sip:user@domain, with or without the scheme.
func splitURI(uri string) (user, domain string) {
	if _, rest, ok := strings.Cut(uri, ":"); ok {
		uri, _, _ = strings.Cut(rest, ":")
	}
	user, domain, _ = strings.Cut(uri, "@")
	domain, _, _ = strings.Cut(domain, "@")
	return user, domain
}

// id makes a uid or did of a name, in the way of --id-type.
func (c *change) id(name, table, column string) (string, error) {
	switch t := strings.ToLower(c.opt.text("ID_TYPE")); {
	case t == "0" || t != "" && strings.HasPrefix("uri", t) && t != "u":
		return name, nil
	case t == "2" || t != "" && strings.HasPrefix("integer", t) && t != "" && t[0] == 'i' && t != "id":
		return c.nextID(table, column)
	default:
		for _, word := range []string{"uuid", "uui", "uu", "u", "uid", "id", "ui", ""} {
			if v, ok := strings.CutPrefix(t, word); ok && (v == "" && word != "" || v == "1" || v == "3" || v == "4" || v == "5") {
				return newUUID(v, name), nil
			}
		}
	}
	return "", fail("EIDTYPE", c.opt.text("ID_TYPE"))
}

// nextID is one more than the highest number there.
func (c *change) nextID(table, column string) (string, error) {
	all, err := c.values(table, column)
	most := int64(0)
	for _, v := range all {
		if n, err := strconv.ParseInt(v, 10, 63); err == nil {
			most = max(most, n)
		}
	}
	return strconv.FormatInt(most+1, 10), err
}

// newUUID makes a UUID (RFC 4122) of version 1, 3, 4 or 5. The named ones are
// of the SIP URI in the URL namespace; the elder's are the same for everybody.
func newUUID(version, name string) string {
	var u [16]byte
	space := []byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	v := byte(1)
	switch text := append(space, "sip:"+name...); version {
	case "3":
		v, u = 3, md5.Sum(text)
	case "5":
		sum := sha1.Sum(text)
		v = 5
		copy(u[:], sum[:])
	default:
		_, _ = rand.Read(u[:]) // it never fails
		if version == "4" {
			v = 4
			break
		}
		// Ticks of 100 ns since 1582; the node is the first network card's.
		ticks := uint64(time.Now().UnixNano()/100) + 0x01b21dd213814000
		binary.BigEndian.PutUint32(u[:], uint32(ticks))
		binary.BigEndian.PutUint16(u[4:], uint16(ticks>>32))
		binary.BigEndian.PutUint16(u[6:], uint16(ticks>>48))
		u[10] |= 1 // a random node says so
		if cards, err := net.Interfaces(); err == nil {
			for _, card := range cards {
				if len(card.HardwareAddr) == 6 {
					copy(u[10:], card.HardwareAddr)
					break
				}
			}
		}
	}
	u[6], u[8] = u[6]&0x0f|v<<4, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
