package schema

import (
	"fmt"
	"strings"

	"sipd/db"
)

// SQLType spells the type of a column for an engine, as the elders' own
// scripts have it, so that their drivers recognise it. PostgreSQL gets one
// wider integer where the SER flavour uses bit 31, which INTEGER cannot hold.
func (c *Column) SQLType(e db.Engine, f db.Flavour) string {
	switch c.Kind {
	case String:
		return fmt.Sprintf("VARCHAR(%d)", c.Size)
	case Integer:
		return c.integerType(e, f)
	case Float:
		if e != db.MySQL {
			return "REAL"
		}
		if c.Digits != "" {
			return "FLOAT(" + c.Digits + ")"
		}
		return "FLOAT"
	case Double:
		if e == db.MySQL {
			return "DOUBLE"
		}
		return "DOUBLE PRECISION"
	case Datetime:
		if e == db.MySQL {
			return "DATETIME"
		}
		return "TIMESTAMP WITHOUT TIME ZONE"
	case Text:
		if e == db.MySQL && c.Size > 16 {
			return "MEDIUMTEXT"
		}
		return "TEXT"
	}
	switch {
	case e == db.PostgreSQL:
		return "BYTEA"
	case e == db.MySQL && c.Size > 16:
		return "MEDIUMBLOB"
	}
	return "BLOB"
}

func (c *Column) integerType(e db.Engine, f db.Flavour) string {
	name := map[int]string{8: "SMALLINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}[c.Size]
	switch {
	case e == db.MySQL:
		name = map[int]string{8: "TINYINT", 16: "SMALLINT", 32: "INT", 64: "BIGINT"}[c.Size]
		if c.Unsigned {
			name += " UNSIGNED"
		}
	case e == db.PostgreSQL && c.Unsigned && !c.Auto && f == db.SER && c.Size == 32:
		name = "BIGINT"
	}
	return name
}

// definition is the column's line in CREATE TABLE.
func (c *Column) definition(d db.Dialect, f db.Flavour) string {
	name, typ := d.Quote(c.Name), c.SQLType(d.Engine, f)
	if c.Auto {
		switch d.Engine {
		case db.MySQL:
			return name + " " + typ + " AUTO_INCREMENT PRIMARY KEY NOT NULL"
		case db.PostgreSQL:
			return name + " SERIAL PRIMARY KEY NOT NULL"
		}
		return name + " INTEGER PRIMARY KEY NOT NULL"
	}
	line := name + " " + typ
	long := c.Kind == Text || c.Kind == Blob
	switch {
	case c.Default == nil && c.Null:
		line += " DEFAULT NULL"
	case c.Default == nil, d.Engine == db.MySQL && long: // MySQL refuses a default there
	case c.Kind == Integer, c.Kind == Float, c.Kind == Double:
		line += " DEFAULT " + *c.Default
	default:
		line += " DEFAULT " + d.Literal(*c.Default)
	}
	if !c.Null {
		line += " NOT NULL"
	}
	return line
}

// DDL gives the statements that make the table and its indexes. Index names
// carry the table's name: in PostgreSQL and SQLite they are of the whole
// database.
func (t *Table) DDL(d db.Dialect, f db.Flavour) []string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (\n", d.Quote(t.Name))
	for i := range t.Columns {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString("    " + t.Columns[i].definition(d, f))
	}
	b.WriteString("\n)")
	if d.Engine == db.MySQL {
		// utf8mb4_bin compares as the other engines and as SIP do:
		// alice and Alice are two users (RFC 3261 §19.1.4).
		b.WriteString(" ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin")
	}
	out := []string{b.String()}
	for i := range t.Keys {
		out = append(out, t.Keys[i].ddl(d, t.Name))
	}
	return out
}

func (k *Key) ddl(d db.Dialect, table string) string {
	name := table + "_" + strings.Join(k.Columns, "_")
	if len(name) > 59 { // PostgreSQL cuts names at 63
		name = name[:59]
	}
	unique := ""
	if k.Unique {
		unique = "UNIQUE "
	}
	return fmt.Sprintf("CREATE %sINDEX %s ON %s (%s)", unique, d.Quote(name+"_idx"), d.Quote(table), d.QuoteAll(k.Columns))
}

// insert is the statement for one row of r, with its values written out; they
// are ours, not anybody's input.
func (r *Rows) insert(d db.Dialect, values []string) string {
	lit := make([]string, len(values))
	for i, v := range values {
		lit[i] = d.Literal(v)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", d.Quote(r.Table), d.QuoteAll(r.Columns), strings.Join(lit, ", "))
}
