// Package schema is the room of tables: what the elders' databases looked like
// in every release, as data, and what follows from it. It makes a database
// ([Create]), tells which one it has before it ([Recognise], [Survey]), how it
// differs from what is wanted ([Verify]), which statements lead there
// ([NewPlan]) and runs them ([Plan.Run]). It writes a database's rows into a
// file and reads them back ([Dump], [Load]). It knows nothing of SIP.
//
// The tables stand in kamailio.tables (OpenSER 1.0 to Kamailio 6.2),
// seruid.tables (SER's uid flavour) and preuid.tables (SER before that): one
// table with all that it went through, and what it is for. Their notation, one
// item a line:
//
//	releases NAME…
//	# what it is for
//	table NAME GROUP [@RELEASES]
//	  version NUMBER [@RELEASES]
//	  COLUMN TYPE [auto] [null] [= 'DEFAULT'] [@RELEASES]
//	  primary|unique|index COLUMN… [@RELEASES]
//	rows TABLE COLUMN…
//	  VALUE…
//
// RELEASES says in which the item is: 1.3, ..1.2, 1.3..4.4, 5.0.., several with
// a comma; without it, in all in which the table is. Types: strN is a text of N
// characters, fixN one of fixed width; tiny, short, int, long are integers of
// 8, 16, 32, 64 bits, with u before them unsigned; float, float(10,2), double;
// datetime; autots, a time that MySQL sets at every change; text, mtext
// (16 MB), blob, mblob (16 MB). A column is NOT NULL unless it says null; auto
// counts up by itself and is the primary key where no other is.
package schema

import (
	"strconv"
	"strings"

	"sipd/db"
)

// Kind is what a column holds, whatever its size.
type Kind uint8

// Kinds of columns.
const (
	String   Kind = iota // up to Size characters
	Fixed                // Size characters, filled up with blanks by servers
	Integer              // Size bits
	Float                // single precision
	Double               // double precision
	Datetime             // seconds, no zone
	Stamp                // Datetime that MySQL sets at every change of its row
	Text                 // long text; Size 24 is the 16 MB kind
	Blob                 // bytes; Size 24 is the 16 MB kind
)

// Column is one column of a table.
type Column struct {
	Name     string
	Kind     Kind
	Size     int    // String, Fixed: characters; Integer: bits; Text, Blob: 16 or 24 bits of length
	Digits   string // Float: "10,2" where MySQL is told so
	Unsigned bool   // Integer; MySQL alone has it
	Null     bool
	Auto     bool    // counts up
	Default  *string // nil: none
}

// Key is an index.
type Key struct {
	Unique  bool
	Columns []string
}

// Table is one table.
type Table struct {
	Name    string
	Doc     string
	Version int // in the version table; 0 when it has no row there
	Group   string
	Columns []Column
	Primary []string // nil: the column that counts up, if there is one
	Keys    []Key
}

// Rows are what a new table begins with.
type Rows struct {
	Table   string
	Columns []string
	Values  [][]string
}

// Schema is all tables of one release.
type Schema struct {
	Flavour    db.Flavour // db.Auto for SER before uids, which no directory works on
	Generation string     // as in the facts: K5, U2
	Release    string     // for people: Kamailio 5.6
	Number     string     // for programs: 5.6
	Tables     []*Table
	Rows       []Rows
	byName     map[string]*Table
}

// Table finds a table by name, nil when the release has none of that name.
func (s *Schema) Table(name string) *Table { return s.byName[name] }

// Group gives the tables installed together: standard, presence, extra, uid,
// web, ims, optional.
func (s *Schema) Group(names ...string) []*Table {
	var out []*Table
	for _, t := range s.Tables {
		for _, n := range names {
			if t.Group == n {
				out = append(out, t)
			}
		}
	}
	return out
}

// Groups lists the names of the groups in the order of their tables.
func (s *Schema) Groups() []string {
	var out []string
	seen := make(map[string]bool)
	for _, t := range s.Tables {
		if !seen[t.Group] {
			seen[t.Group] = true
			out = append(out, t.Group)
		}
	}
	return out
}

// Column finds a column by name, in whatever case, nil when there is none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return &t.Columns[i]
		}
	}
	return nil
}

// PrimaryKey is what identifies a row, nil when nothing does.
func (t *Table) PrimaryKey() []string {
	if t.Primary != nil {
		return t.Primary
	}
	for i := range t.Columns {
		if t.Columns[i].Auto {
			return []string{t.Columns[i].Name}
		}
	}
	return nil
}

// counts tells whether the primary key is a column that counts up.
func (t *Table) counts() bool {
	return len(t.PrimaryKey()) == 1 && t.Column(t.PrimaryKey()[0]).Auto
}

// Size is how many characters the column of the table holds. A table or
// column that is not in the schema is a bug of the caller and panics.
func (s *Schema) Size(table, column string) int {
	return s.byName[table].Column(column).Size
}

// String is the column in the notation of the package comment.
func (c *Column) String() string {
	var b strings.Builder
	b.WriteString(c.Name + " " + c.typeWord())
	if c.Auto {
		b.WriteString(" auto")
	}
	if c.Null {
		b.WriteString(" null")
	}
	if c.Default != nil {
		b.WriteString(" = '" + *c.Default + "'")
	}
	return b.String()
}

var integerWords = map[int]string{8: "tiny", 16: "short", 32: "int", 64: "long"}

// typeWord is the type as the notation calls it.
func (c *Column) typeWord() string {
	switch c.Kind {
	case String:
		return "str" + strconv.Itoa(c.Size)
	case Fixed:
		return "fix" + strconv.Itoa(c.Size)
	case Integer:
		if c.Unsigned {
			return "u" + integerWords[c.Size]
		}
		return integerWords[c.Size]
	case Float:
		if c.Digits != "" {
			return "float(" + c.Digits + ")"
		}
		return "float"
	case Double:
		return "double"
	case Datetime:
		return "datetime"
	case Stamp:
		return "autots"
	}
	word := "text"
	if c.Kind == Blob {
		word = "blob"
	}
	if c.Size > 16 {
		word = "m" + word
	}
	return word
}
