package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sipd/db"
)

// FoundKey is an index as the database has it.
type FoundKey struct {
	Name       string
	Constraint bool // PostgreSQL, SQLite: a part of the table, so that DROP INDEX does not do
	Partial    bool // over expressions or a part of the rows: a site's own
	Key
}

// Examine reads all that the catalogue says of every table: what [Inspect]
// does, and defaults, keys, views.
func Examine(ctx context.Context, d *db.DB) (Tables, error) {
	ts, err := Inspect(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := ts.readColumns(ctx, d); err != nil {
		return nil, err
	}
	return ts, ts.readKeys(ctx, d)
}

// columnsSQL gives table, column, full type, nullable, default, extra, order of
// table columns, whether it is a view.
var columnsSQL = map[db.Engine]string{
	db.SQLite: `SELECT m.name, p.name, p.type, p."notnull" = 0 AND p.pk = 0, p.dflt_value, CASE WHEN p.pk > 0 THEN 'pk' || p.pk ELSE '' END, m.type = 'view'
		FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS p
		WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, p.cid`,
	db.MySQL: `SELECT c.table_name, c.column_name, c.column_type, c.is_nullable = 'YES', c.column_default, c.extra, t.table_type <> 'BASE TABLE'
		FROM information_schema.columns AS c JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
		WHERE c.table_schema = DATABASE() ORDER BY c.table_name, c.ordinal_position`,
	db.PostgreSQL: `SELECT r.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(f.adbin, f.adrelid),
		CASE WHEN a.attidentity <> '' THEN 'auto' ELSE '' END, r.relkind NOT IN ('r', 'p')
		FROM pg_class AS r JOIN pg_namespace AS n ON n.oid = r.relnamespace
		JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef AS f ON f.adrelid = r.oid AND f.adnum = a.attnum
		WHERE n.nspname = current_schema() AND r.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY r.relname, a.attnum`,
}

func (ts Tables) readColumns(ctx context.Context, d *db.DB) error {
	rows, err := d.Reader().QueryContext(ctx, columnsSQL[d.Engine])
	if err != nil {
		return d.Wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, name, typ, extra string
		var null, view bool
		var def *string
		if err := rows.Scan(&table, &name, &typ, &null, &def, &extra, &view); err != nil {
			return d.Wrap(err)
		}
		t := ts[table]
		if t == nil { // made a moment ago
			continue
		}
		t.View = view
		c := parseFound(d.Engine, typ, extra)
		c.Name, c.Null = name, null
		c.found(d.Engine, def, extra)
		if strings.HasPrefix(extra, "pk") {
			c.Auto = extra == "pk1" && strings.EqualFold(typ, "INTEGER")
			t.primary(extra[2:], name)
		}
		t.Order = append(t.Order, name)
		f := t.Columns[strings.ToLower(name)]
		f.Column = c
		t.Columns[strings.ToLower(name)] = f
	}
	if err := rows.Err(); err != nil {
		return d.Wrap(err)
	}
	ts.oneCounter()
	return nil
}

// primary adds a column to the primary key as SQLite tells it: with its place,
// from 1.
func (t *FoundTable) primary(place, column string) {
	n := int(place[0] - '0')
	for len(t.Primary) < n {
		t.Primary = append(t.Primary, "")
	}
	t.Primary[n-1] = column
}

// oneCounter takes back what looked like a counting column in SQLite and is a
// part of a longer key.
func (ts Tables) oneCounter() {
	for _, t := range ts {
		if len(t.Primary) < 2 {
			continue
		}
		for name, c := range t.Columns {
			c.Column.Auto = false
			t.Columns[name] = c
		}
	}
}

// keysSQL gives table, index, unique, constraint, primary, partial, column; in
// the order of the index's columns.
var keysSQL = map[db.Engine]string{
	db.SQLite: `SELECT m.name, l.name, l."unique", l.origin <> 'c', l.origin = 'pk', l.partial OR i.name IS NULL, COALESCE(i.name, '')
		FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS i
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, l.name, i.seqno`,
	db.MySQL: `SELECT table_name, index_name, non_unique = 0, 0, index_name = 'PRIMARY', column_name IS NULL, COALESCE(column_name, '')
		FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index`,
	db.PostgreSQL: `SELECT r.relname, c.relname, x.indisunique, EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = x.indexrelid),
		x.indisprimary, x.indpred IS NOT NULL OR x.indexprs IS NOT NULL, COALESCE(a.attname, '')
		FROM pg_index AS x JOIN pg_class AS r ON r.oid = x.indrelid JOIN pg_class AS c ON c.oid = x.indexrelid
		JOIN pg_namespace AS n ON n.oid = r.relnamespace
		CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS o(attnum, place)
		LEFT JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum = o.attnum
		WHERE n.nspname = current_schema() ORDER BY r.relname, c.relname, o.place`,
}

func (ts Tables) readKeys(ctx context.Context, d *db.DB) error {
	rows, err := d.Reader().QueryContext(ctx, keysSQL[d.Engine])
	if err != nil {
		return d.Wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		var k FoundKey
		var primary bool
		if err := rows.Scan(&table, &k.Name, &k.Unique, &k.Constraint, &primary, &k.Partial, &column); err != nil {
			return d.Wrap(err)
		}
		t := ts[table]
		switch {
		case t == nil:
		case primary:
			t.PrimaryName = k.Name
			if d.Engine != db.SQLite { // read with the columns, which knows INTEGER PRIMARY KEY too
				t.Primary = append(t.Primary, column)
			}
		case len(t.Keys) > 0 && t.Keys[len(t.Keys)-1].Name == k.Name:
			last := &t.Keys[len(t.Keys)-1]
			last.Columns = append(last.Columns, column)
			last.Partial = last.Partial || k.Partial
		default:
			k.Columns = []string{column}
			t.Keys = append(t.Keys, k)
		}
	}
	return d.Wrap(rows.Err())
}

// foundTypes maps how engines call a type to what it is.
var foundTypes = map[string]Column{
	"varchar": {Kind: String}, "character varying": {Kind: String}, "char": {Kind: Fixed}, "character": {Kind: Fixed},
	"tinyint": {Kind: Integer, Size: 8}, "smallint": {Kind: Integer, Size: 16}, "mediumint": {Kind: Integer, Size: 32},
	"int": {Kind: Integer, Size: 32}, "integer": {Kind: Integer, Size: 32}, "bigint": {Kind: Integer, Size: 64},
	"float": {Kind: Float}, "real": {Kind: Float}, "double": {Kind: Double}, "double precision": {Kind: Double},
	"datetime": {Kind: Datetime}, "timestamp": {Kind: Datetime}, "timestamp without time zone": {Kind: Datetime},
	"tinytext": {Kind: Text, Size: 16}, "text": {Kind: Text, Size: 16}, "mediumtext": {Kind: Text, Size: 24}, "longtext": {Kind: Text, Size: 24},
	"tinyblob": {Kind: Blob, Size: 16}, "blob": {Kind: Blob, Size: 16}, "mediumblob": {Kind: Blob, Size: 24}, "longblob": {Kind: Blob, Size: 24}, "bytea": {Kind: Blob, Size: 16},
}

// parseFound reads a type as an engine spells it. What is none of ours has
// Size -1.
func parseFound(e db.Engine, typ, extra string) Column {
	word := strings.ToLower(strings.TrimSpace(typ))
	word, unsigned := strings.CutSuffix(word, " unsigned")
	base, digits, has := strings.Cut(word, "(")
	digits, rest, _ := strings.Cut(digits, ")")
	base = strings.TrimSpace(base) + rest
	c, ok := foundTypes[base]
	if !ok {
		return Column{Kind: Text, Size: -1}
	}
	c.Unsigned = unsigned && c.Kind == Integer
	switch {
	case c.Kind == String && !has: // PostgreSQL, SQLite: of any length
		return Column{Kind: Text, Size: 16}
	case c.Kind == Fixed && !has:
		c.Size = 1
	case c.Kind == String, c.Kind == Fixed:
		if _, err := fmt.Sscanf(digits, "%d", &c.Size); err != nil {
			c.Size = -1
		}
	case c.Kind == Float:
		c.Digits = digits
	case c.Kind == Datetime && e == db.MySQL && base == "timestamp":
		c.Kind = Stamp
	}
	return c
}

// found takes the default in the engine's own spelling and what else it says.
func (c *Column) found(e db.Engine, def *string, extra string) {
	c.Auto = strings.Contains(strings.ToLower(extra), "auto")
	if def == nil {
		return
	}
	v := *def
	switch e {
	case db.PostgreSQL:
		if strings.HasPrefix(v, "nextval(") {
			c.Auto = true
			return
		}
		if i := strings.LastIndex(v, "::"); i > 0 && !strings.HasSuffix(v, "'") {
			v = v[:i]
		}
		v = strings.TrimSuffix(strings.TrimPrefix(v, "("), ")")
	case db.SQLite, db.MySQL:
	}
	if strings.EqualFold(v, "NULL") {
		return
	}
	quoted := len(v) > 1 && v[0] == '\'' && v[len(v)-1] == '\''
	if quoted {
		v = strings.ReplaceAll(v[1:len(v)-1], "''", "'")
		if e == db.PostgreSQL && c.Kind == Blob {
			v = strings.TrimPrefix(v, `\x`)
		}
	}
	if !quoted && e == db.SQLite && v != "" && strings.Trim(v, "0") == "" { // DEFAULT 00 is the number 0
		v = "0"
	}
	c.Default = &v
}

// Named gives the table's columns in their order.
func (t *FoundTable) Named() []*Column {
	var out []*Column
	for _, n := range t.Order {
		c := t.Columns[strings.ToLower(n)]
		out = append(out, &c.Column)
	}
	return out
}

// key finds an index over exactly these columns.
func (t *FoundTable) key(k Key) (FoundKey, bool) {
	i := slices.IndexFunc(t.Keys, func(f FoundKey) bool {
		return !f.Partial && f.Unique == k.Unique && sameNames(f.Columns, k.Columns)
	})
	if i < 0 {
		return FoundKey{}, false
	}
	return t.Keys[i], true
}

func sameNames(a, b []string) bool {
	return slices.EqualFunc(a, b, strings.EqualFold)
}
