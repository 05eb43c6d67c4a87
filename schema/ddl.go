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
	case Fixed:
		return fmt.Sprintf("CHAR(%d)", c.Size)
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
	case Stamp:
		if e == db.MySQL {
			return "TIMESTAMP"
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

// zeroDate is what MySQL stores for "never"; nobody else takes it.
const (
	zeroDate      = "0000-00-00 00:00:00"
	zeroDateOther = "1900-01-01 00:00:01"
)

// defaultFor is the column's default as an engine can have it, nil for none.
func (c *Column) defaultFor(e db.Engine) *string {
	switch {
	case c.Default == nil, e == db.MySQL && (c.Kind == Text || c.Kind == Blob): // MySQL refuses a default there
		return nil
	case *c.Default == zeroDate && e == db.PostgreSQL:
		never := zeroDateOther
		return &never
	}
	return c.Default
}

// defaultSQL is what stands behind DEFAULT, "" for nothing.
func (c *Column) defaultSQL(d db.Dialect) string {
	def := c.defaultFor(d.Engine)
	switch {
	case c.Kind == Stamp && d.Engine == db.MySQL:
		on := "CURRENT_TIMESTAMP"
		if def != nil {
			on = d.Literal(*def)
		}
		return on + " ON UPDATE CURRENT_TIMESTAMP"
	case c.Kind == Stamp && def == nil:
		return "CURRENT_TIMESTAMP"
	case c.Default == nil && c.Null:
		return "NULL"
	case def == nil:
		return ""
	case c.Kind == Integer, c.Kind == Float, c.Kind == Double:
		return *def
	}
	return d.Literal(*def)
}

// serial is the type of a column that counts up, in PostgreSQL.
func (c *Column) serial() string {
	if c.Size > 32 {
		return "BIGSERIAL"
	}
	return "SERIAL"
}

// definition is the column's line in CREATE TABLE and ADD COLUMN; alone tells
// that the column by itself is the primary key.
func (c *Column) definition(d db.Dialect, f db.Flavour, alone bool) string {
	name, typ, key := d.Quote(c.Name), c.SQLType(d.Engine, f), ""
	if alone {
		key = " PRIMARY KEY"
	}
	if c.Auto {
		switch d.Engine {
		case db.MySQL:
			return name + " " + typ + " AUTO_INCREMENT" + key + " NOT NULL"
		case db.PostgreSQL:
			return name + " " + c.serial() + key + " NOT NULL"
		}
		return name + " INTEGER" + key + " NOT NULL"
	}
	line := name + " " + typ
	if def := c.defaultSQL(d); def != "" {
		line += " DEFAULT " + def
	}
	switch {
	case !c.Null:
		line += " NOT NULL"
	case c.Kind == Stamp && d.Engine == db.MySQL: // NOT NULL without it
		line += " NULL"
	}
	return line + key
}

// DDL gives the statements that make the table and its indexes. Index names
// carry the table's name: in PostgreSQL and SQLite they are of the whole
// database.
func (t *Table) DDL(d db.Dialect, f db.Flavour) []string {
	out := []string{t.create(d, f, t.Name)}
	for i := range t.Keys {
		out = append(out, t.Keys[i].ddl(d, t.Name))
	}
	return out
}

// create is the table's CREATE TABLE under a name.
func (t *Table) create(d db.Dialect, f db.Flavour, name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (\n", d.Quote(name))
	primary := t.PrimaryKey()
	for i := range t.Columns {
		if i > 0 {
			b.WriteString(",\n")
		}
		c := &t.Columns[i]
		b.WriteString("    " + c.definition(d, f, len(primary) == 1 && primary[0] == c.Name))
	}
	if len(primary) > 1 {
		b.WriteString(",\n    PRIMARY KEY (" + d.QuoteAll(primary) + ")")
	}
	b.WriteString("\n)")
	if d.Engine == db.MySQL {
		// utf8mb4_bin compares as the other engines and as SIP do:
		// alice and Alice are two users (RFC 3261 §19.1.4).
		b.WriteString(" ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin")
	}
	return b.String()
}

// name is what an index of the table is called by us.
func (k *Key) name(table string) string {
	name := table + "_" + strings.Join(k.Columns, "_")
	if len(name) > 59 { // PostgreSQL cuts names at 63
		name = name[:59]
	}
	if k.Unique {
		return name + "_key"
	}
	return name + "_idx"
}

func (k *Key) ddl(d db.Dialect, table string) string {
	unique := ""
	if k.Unique {
		unique = "UNIQUE "
	}
	return fmt.Sprintf("CREATE %sINDEX %s ON %s (%s)", unique, d.Quote(k.name(table)), d.Quote(table), d.QuoteAll(k.Columns))
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
